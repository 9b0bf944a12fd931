"""The committed results of `reproduce/clime.py`: complete, and the verdicts follow from them."""

import sys
from pathlib import Path

import numpy as np
import pytest

from xai_course.book import measured, measured_file

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
OWN = (
    "results",
    "clime",
    "_clime_approximation",
    "_clime_dnet",
    "_clime_students",
    "_clime_lime",
)


@pytest.fixture(scope="module")
def clime():
    """Import the folder's own modules without leaving them behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPRODUCE))
        import clime

        yield clime
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def students(clime):
    return sys.modules["_clime_students"]


@pytest.fixture(scope="module")
def lime(clime):
    return sys.modules["_clime_lime"]


def table(name):
    return measured(f"clime_{name}")


# The committed results


def check_verdict(words, printed, values):
    assert (words == "inside our range over seeds") == (values["min"] <= printed <= values["max"])
    if words != "inside our range over seeds":
        assert ("above" in words) == (values["mean"] > printed)


def check_search(chosen, students):
    for list_of, choice, grid in (
        ("rates", "rate", students.RATES),
        ("teachings", "teaching", students.TEACHINGS),
    ):
        best = max(chosen[list_of], key=lambda entry: entry["accuracy"])
        assert {key: best[key] for key in chosen[choice]} == chosen[choice]
        assert len(chosen[list_of]) == len(grid)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_table_2(students, name):
    part = table("table2")[name]
    assert part["printed"] == students.PRINTED[name]
    for key, printed in part["printed"].items():
        values = part["over_seeds"][key]["accuracy"]
        assert values["n"] == len(students.SEEDS)
        check_verdict(part["verdict"][key], printed, values)
    check_search(part["search"], students)
    ours = part["over_seeds"]
    for key in ("mlp", "mlp_kd", "another_lenet"):
        assert set(ours[key]) == {"accuracy", "consistency", "error_agreement"}
    difference = ours["mlp_kd"]["accuracy"]["mean"] - ours["mlp"]["accuracy"]["mean"]
    assert np.mean(part["does_distillation_help"]) == pytest.approx(difference, abs=1e-5)


def test_figure_8(students):
    part = table("figure8")
    assert part["printed"] == {"consistency": 0.9282}
    ours = part["over_seeds"]
    check_verdict(part["verdict"], 0.9282, ours["mlp_kd"]["consistency"])
    assert part["imitator_above_95_percent"] == (ours["imitator"]["consistency"]["min"] > 0.95)
    counts = np.array(part["confusion_of_seed_0"]["counts"])
    assert counts.sum() == 10_000
    low, high = (ours["mlp_kd"]["consistency"][key] for key in ("min", "max"))
    assert low <= np.trace(counts) / 10_000 <= high
    gain = ours["mlp_kd"]["consistency"]["mean"] - ours["without_teacher"]["consistency"]["mean"]
    assert np.mean(part["gain_over_no_teacher"]) == pytest.approx(gain, abs=1e-5)


def test_table_3(students, lime):
    part = table("table3")
    assert part["printed"] == lime.PRINTED
    assert set(part["lime"]) == set(lime.SEGMENTATIONS)
    check_verdict(part["verdict"]["clime"], 0.9345, part["students"]["mlp_kd"])
    for name, found in part["lime"].items():
        for reading, values in found["readings"].items():
            assert values["n"] == len(students.SEEDS)
            check_verdict(part["verdict"]["lime"][f"{name}: {reading}"], 0.0975, values)
        assert {"lime", "constant", "tangent_of_the_lenet"} <= set(found["near_the_image"])


# How they are made


def test_the_commands(clime):
    results = {path.stem for path in measured_file("any").parent.glob("clime_*.json")}
    assert {f"clime_{name}" for name in clime.TABLES} <= results


def test_words(students):
    ours = {"min": 0.92, "mean": 0.93, "max": 0.94}
    assert students.verdict(0.93, ours) == "inside our range over seeds"
    assert students.verdict(0.91, ours) == "not reproduced: ours is above, by 2.00 points"
    assert students.verdict(0.95, ours) == "not reproduced: ours is below, by 2.00 points"
    assert students._paired([{"a": 0.5}, {"a": 1.0}], [{"a": 0.25}, {"a": 1.5}], "a") == [
        0.25,
        -0.5,
    ]


@pytest.fixture
def halves(lime):
    """Return a linear model of an image whose upper half is 1, of two superpixels."""
    superpixels = np.repeat([0, 1], 392)
    image = np.where(superpixels == 0, 1.0, 0.5)
    weights = np.zeros((10, 2))
    weights[3], weights[4] = [0.6, 0.1], [0.2, 0.3]
    return lime.Explanation(image, image / 4, superpixels, weights, np.full(10, 0.05))


def test_readings_by_hand(lime, halves):
    shown = np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(halves.predict(shown)[:, 3], [0.75, 0.15])
    np.testing.assert_array_equal(halves.draw(shown)[1, [0, 783]], [0.25, 0.5])

    def probabilities(images):
        return np.eye(10)[np.where(images[:, -1] > 0.4, 3, 7)]

    decisions = np.array([3, 4])
    other = lime.Explanation(*(getattr(halves, n) for n in ("image", "hidden", "superpixels")),
                             weights=-halves.weights, intercept=halves.intercept)  # fmt: skip
    found = lime.readings([halves, other], probabilities, decisions)
    # The second model has no positive superpixel and no class that is for the whole image.
    assert found == {
        "its_model_at_the_image": 0.5,
        "its_weights_times_the_pixels": 0.5,
        "the_network_on_the_kept_superpixels": 0.5,
        "its_model_of_another_image": 0.0,
    }


def test_near_by_hand(lime, halves):
    def linear(images):
        return halves.predict(
            np.column_stack([images[:, 0] == 1, images[:, -1] == 0.5]).astype(float)
        )

    models = {"whole": [linear], "zero": [lambda images: np.zeros((len(images), 10))]}
    found = lime.near([halves], models, linear, seed=0)
    for name in ("lime", "whole"):
        assert found[name] == {"error": pytest.approx(0, abs=1e-12), "consistency": 1.0}
    assert found["zero"]["error"] > found["constant"]["error"] > 0


def test_lime_itself(lime):
    pytest.importorskip("lime")
    image = np.zeros((28, 28))
    image[:, 14:] = 1.0

    def probabilities(images):
        level = images[:, 400:420].mean(axis=1, keepdims=True)
        return np.hstack([level, 1 - level, np.zeros((len(images), 8))])

    found = lime.explain(image.ravel(), probabilities, "finer", seed=0)
    n = found.superpixels.max() + 1
    assert found.weights.shape == (10, n)
    np.testing.assert_array_equal(found.draw(np.ones((1, n))), [image.ravel()])
    np.testing.assert_allclose(found.weights[0], -found.weights[1], atol=1e-6)
