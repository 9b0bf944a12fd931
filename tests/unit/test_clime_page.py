"""The tables of the chapter *clime* say what `reproduce/` measured."""

from pathlib import Path

from xai_course.book import measured

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "piecewise-linear" / "clime.md").read_text(encoding="utf-8")


def _table(name: str) -> list[list[str]]:
    """Read a list-table of the page: its lines without the header."""
    block = PAGE.partition(f":name: {name}\n")[2].partition("```")[0]
    lines = block.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("* - ")]
    ends = [*starts[1:], len(lines)]
    return [
        [line[4:].strip() for line in lines[start:end] if line.strip()]
        for start, end in zip(starts[1:], ends[1:], strict=True)
    ]


def _result(name: str) -> dict:
    return measured(f"clime_{name}")


def test_table_2():
    result = _result("table2")
    for kind, row in zip(("lenet", "mlp", "mlp_kd"), _table("tab-clime-table2"), strict=True):
        for name, printed, cell in (("mnist", *row[1:3]), ("fashion_mnist", *row[3:5])):
            assert printed == f"{100 * result[name]['printed'][kind]:.2f}"
            ours = result[name]["over_seeds"][kind]["accuracy"]
            mean, low, high = (100 * ours[key] for key in ("mean", "min", "max"))
            assert cell == f"{mean:.2f} ({low:.2f} to {high:.2f})"
            assert (float(printed) > high) == (kind != "mlp")
            assert float(printed) - mean < 0.415
    assert all(gain > 0 for name in result for gain in result[name]["does_distillation_help"])
    assert min(result["fashion_mnist"]["does_the_mlp_beat_its_lenet"]) > 0
    assert max(result["mnist"]["does_the_mlp_beat_its_lenet"]) < 0


def test_figure_8():
    result = _result("figure8")
    rows = _table("tab-clime-figure8")
    assert rows[0][1] == f"{100 * result['printed']['consistency']:.2f}"
    kinds = ("mlp_kd", "without_teacher", "another_lenet", "imitator")
    for kind, (_, _, *cells) in zip(kinds, rows, strict=True):
        ours = result["over_seeds"][kind]
        mean, low, high = (100 * ours["consistency"][key] for key in ("mean", "min", "max"))
        assert cells == [
            f"{mean:.2f} ({low:.2f} to {high:.2f})",
            f"{100 * ours['error_agreement']['mean']:.1f}",
            f"{100 * ours['accuracy']['mean']:.2f}",
        ]
    assert result["verdict"].startswith("not reproduced: ours is above, by 1.96")
    assert result["imitator_above_95_percent"]


def test_table_3():
    result = _result("table3")
    readings = {
        "its model at its own image": "its_model_at_the_image",
        "its weights times the pixels": "its_weights_times_the_pixels",
        "the LeNet on the five best segments": "the_network_on_the_kept_superpixels",
        "its model at another image": "its_model_of_another_image",
    }
    rows = _table("tab-clime-table3")
    assert [row[0] for row in rows] == list(readings)
    for name, printed, *cells in rows:
        assert printed == f"{100 * result['printed']['lime']:.2f}"
        for segmentation, cell in zip(("default", "finer"), cells, strict=True):
            ours = result["lime"][segmentation]["readings"][readings[name]]
            assert cell == f"{100 * ours['mean']:.1f}"
            # No reading has the printed number inside its range over seeds; one comes near.
            assert not ours["min"] <= result["printed"]["lime"] <= ours["max"]
            near = abs(ours["mean"] - result["printed"]["lime"]) < 0.01
            assert near == (name == "its model at another image")


def test_prose_of_table_3():
    result = _result("table3")
    student, control = (result["students"][key] for key in ("mlp_kd", "without_teacher"))
    assert f"({100 * student['min']:.1f} to {100 * student['max']:.1f} on 2,000 images" in PAGE
    assert student["min"] > result["printed"]["clime"]
    other = [
        result["lime"][key]["readings"]["its_model_of_another_image"]
        for key in ("default", "finer")
    ]
    assert [f"{100 * one['mean']:.1f}" for one in other] == ["10.1", "10.1"]
    assert f"{100 * min(one['min'] for one in other):.1f} as our lowest seed" in PAGE
    assert f"control without a teacher has {100 * control['mean']:.1f}" in PAGE
    finer = result["lime"]["finer"]
    assert result["settings"]["images_per_seed"] == 2000
    assert result["lime"]["default"]["superpixels"]["median"]["mean"] == 1
    assert finer["superpixels"]["median"]["mean"] == 19
    errors = [
        finer["near_the_image"][key]["error"]["mean"]
        for key in ("lime", "tangent_of_the_lenet", "constant", "mlp_kd_local_model")
    ]
    assert [f"{error:.3f}" for error in errors] == ["0.004", "0.007", "0.027", "0.050"]
    for error in errors:
        assert f"by {error:.3f}" in PAGE
