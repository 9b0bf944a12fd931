"""The scoreboard: its networks and exact answers, the scores, and the command for others."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import xai_course
from xai_course import scoreboard
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.scoreboard import METHODS, METRICS, NETWORKS, REFERENCES, load_subjects, score
from xai_course.scoreboard import __main__ as command
from xai_course.scoreboard import scores as scores_module
from xai_course.scoreboard import subjects as subjects_module

TABULAR = ["rings", "diabetes", "breast_cancer"]


@pytest.fixture(scope="module")
def subjects():
    return load_subjects()


@pytest.fixture(scope="module")
def small():
    return load_subjects(["rings"], [0])


def knows(reference):
    """Return a method that returns an exact answer; where none is known it returns zeros."""

    def explain(module, inputs, baseline, targets):
        key = inputs.numpy().tobytes()
        for subject in load_subjects(["rings", "diabetes"]):
            if subject.inputs.tobytes() == key:
                return np.nan_to_num(subject.references[reference])
        raise AssertionError("an unknown subject")

    return explain


def rowwise(values):
    return values.reshape(len(values), -1)


def outputs(subject, inputs):
    """Return the explained output in float64; inputs (n, ...), the targets of the rows."""
    module = subjects_module.make_module(subject.network).double()
    module.load_state_dict(subject.module.state_dict())
    with torch.no_grad():
        return module(torch.tensor(inputs, dtype=torch.float64)).numpy()


def explained(subject, inputs):
    return outputs(subject, inputs)[np.arange(len(inputs)), subject.targets]


# Subjects


def test_every_network_has_three_trainings_on_draws_of_their_own(subjects):
    assert [(s.network, s.seed) for s in subjects] == [(n, i) for n in NETWORKS for i in range(3)]
    for one, other in pairwise(subjects):
        if one.network == other.network:
            assert not np.array_equal(one.inputs, other.inputs)
            assert not torch.equal(one.module[0].weight, other.module[0].weight)


def test_shapes_and_targets(subjects):
    shapes = {
        "rings": (2,),
        "diabetes": (10,),
        "breast_cancer": (30,),
        "garments": (784,),
        "garments_convolutional": (1, 28, 28),
    }
    for subject in subjects:
        assert subject.inputs.shape[1:] == subject.baseline.shape == shapes[subject.network]
        assert subject.inputs.dtype == subject.baseline.dtype == np.float32
        assert not subject.module.training
        logits = outputs(subject, subject.inputs)
        np.testing.assert_array_equal(subject.targets, logits.argmax(axis=1))
        known = set(REFERENCES) - ({"counterfactual"} if len(subject.baseline) > 30 else set())
        known -= {"counterfactual"} if subject.baseline.ndim > 1 else set()
        assert set(subject.references) == known
        for values in subject.references.values():
            assert values.shape == subject.inputs.shape
            assert values.dtype == np.float64


def test_the_networks_have_learned(subjects):
    """They do not decide for one class only."""
    for network in NETWORKS:
        logits = [outputs(s, s.inputs) for s in subjects if s.network == network]
        assert min(each.std(axis=0).min() for each in logits) > 0.1
        logits = np.concatenate(logits)
        decided = logits.argmax(axis=1) if logits.shape[1] > 1 else logits[:, 0] > 0
        assert len(np.unique(decided)) >= (8 if logits.shape[1] > 1 else 2)


def test_contributions_are_gradient_times_difference(subjects):
    for subject in subjects:
        module = subjects_module.make_module(subject.network).double()
        module.load_state_dict(subject.module.state_dict())
        X = torch.tensor(subject.inputs, dtype=torch.float64, requires_grad=True)
        chosen = module(X).gather(1, torch.tensor(subject.targets)[:, None])
        (slope,) = torch.autograd.grad(chosen.sum(), X)
        expected = (slope * (X - torch.tensor(subject.baseline))).detach().numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            subject.references["contributions"], expected, rtol=1e-6, atol=1e-7 * scale
        )


@pytest.mark.parametrize("reference", ["integrated_gradients", "shapley"])
def test_parts_add_up_to_what_there_is_to_explain(subjects, reference):
    for subject in subjects:
        start = np.broadcast_to(subject.baseline, subject.inputs.shape)
        climb = explained(subject, subject.inputs) - explained(subject, start)
        values = rowwise(subject.references[reference])
        np.testing.assert_allclose(values.sum(axis=1), climb, atol=1e-4, rtol=1e-5)


def test_integrated_gradients_are_the_mean_slope_on_the_way():
    for subject in load_subjects(["diabetes"]):
        t = (np.arange(20_000) + 0.5) / 20_000
        x = subject.inputs[0].astype(float)
        on_the_way = torch.tensor(t[:, None] * x, requires_grad=True)
        module = subjects_module.make_module("diabetes").double()
        module.load_state_dict(subject.module.state_dict())
        (slopes,) = torch.autograd.grad(module(on_the_way).sum(), on_the_way)
        expected = slopes.numpy().mean(axis=0) * x
        found = subject.references["integrated_gradients"][0]
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_shapley_values_of_two_features_by_their_definition():
    for subject in load_subjects(["rings"]):
        zero = np.zeros(len(subject.inputs))
        x, y = subject.inputs.T.astype(float)
        at = [[zero, zero], [x, zero], [zero, y], [x, y]]
        none, first, second, both = (outputs(subject, np.stack(pair, axis=1))[:, 0] for pair in at)
        expected = [(first - none + both - second) / 2, (second - none + both - first) / 2]
        np.testing.assert_allclose(
            subject.references["shapley"], np.transpose(expected), atol=1e-12
        )


def test_sampled_shapley_values_say_how_far_off_they_may_be(subjects):
    for subject in subjects:
        counted = subject.network in ("rings", "diabetes")
        assert (subject.shapley_error == 0) == counted
        assert subject.shapley_error < 0.15


def test_the_counterfactual_flips_the_decision_and_nothing_nearer_does():
    rng = np.random.default_rng(0)
    for subject in load_subjects(TABULAR):
        ways = subject.references["counterfactual"]
        known = np.isfinite(ways).all(axis=1)
        network = PiecewiseLinearNetwork.from_torch(subject.module)
        for x, way in zip(subject.inputs[known].astype(float), ways[known], strict=True):
            score_here = network.forward(x[None])[0, 0]
            step = -way if score_here > 0 else way  # the way points to a higher score
            flipped = network.forward((x + step * (1 + 1e-3))[None])[0, 0]
            assert (flipped > 0) != (score_here > 0)
            around = rng.normal(size=(2000, len(x)))
            around *= np.linalg.norm(way) * (1 - 1e-3) / np.linalg.norm(around, axis=1)[:, None]
            nearer = network.forward(x + around)[:, 0]
            assert ((nearer > 0) == (score_here > 0)).all()


def test_a_part_of_the_subjects():
    assert [s.seed for s in load_subjects(["rings"], [2, 0])] == [0, 2]
    with pytest.raises(ValueError, match=r"network must be 'rings', .*got 'ring'"):
        load_subjects(["ring"])
    with pytest.raises(ValueError, match=r"seed must be 0, 1 or 2, got 3"):
        load_subjects(seeds=[3])


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", None])
def test_a_damaged_or_missing_file(tmp_path, monkeypatch, damage):
    file = tmp_path / "networks.safetensors"
    if damage:
        file.write_bytes(damage(subjects_module.FILE.read_bytes()))
    monkeypatch.setattr(subjects_module, "FILE", file)
    with pytest.raises(OSError, match=r"networks.safetensors[^$]*reproduce/scoreboard.py networks"):
        load_subjects()


@pytest.mark.parametrize("content", ["", "{}", "[", None])
def test_a_damaged_or_missing_table(tmp_path, monkeypatch, content):
    file = tmp_path / "table.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(scores_module, "TABLE", file)
    with pytest.raises(OSError, match=r"table.json cannot be read: [^$]*scoreboard.py table"):
        scoreboard.published()


# Scores


@pytest.mark.parametrize("reference", REFERENCES)
def test_an_exact_answer_is_perfect_on_its_own_question(reference):
    found = score(knows(reference), load_subjects(["rings", "diabetes"]))
    for network in found.values():
        own = network[reference]
        for metric in ("rank_correlation", "sign_agreement", "top_overlap"):
            assert own[metric]["mean"] == pytest.approx(1)
            assert own[metric]["sd_seeds"] == pytest.approx(0)
        assert own["relative_error"]["mean"] == pytest.approx(0, abs=1e-12)


def test_no_method_can_be_perfect_on_all_questions():
    found = score(knows("shapley"), load_subjects(["rings", "diabetes"]))
    others = set(REFERENCES) - {"shapley"}
    assert all(found["diabetes"][name]["relative_error"]["mean"] > 0.01 for name in others)


def test_means_and_spreads_by_hand(small):
    """Two seeds with two and one rows: means of the seeds, not of all rows."""
    exact = np.array([[1.0, 2.0], [3.0, 1.0]])
    one = replace(small[0], inputs=np.zeros((2, 2), np.float32), references={"shapley": exact})
    partly = np.array([[np.nan, np.nan], [2.0, 1.0]])
    two = replace(one, seed=1, references={"shapley": partly})
    found = score(lambda *_: np.array([[1.0, 2.0], [1.0, 3.0]]), [one, two])
    assert set(found) == {"rings"}
    assert found["rings"]["seeds"] == [0, 1]
    assert set(found["rings"]) == {"milliseconds", "seeds", "shapley"}
    ranks = found["rings"]["shapley"]["rank_correlation"]
    assert ranks["by_seed"] == pytest.approx([0, -1])
    assert ranks["mean"] == pytest.approx(-0.5)
    assert ranks["n"] == 3
    assert ranks["sd_seeds"] == pytest.approx(np.sqrt(0.5))
    assert ranks["sd_rows"] == pytest.approx(np.sqrt(2))
    nothing = replace(one, references={"shapley": np.full((2, 2), np.nan)})
    assert "shapley" not in score(lambda *_: np.ones((2, 2)), [nothing])["rings"]


def test_a_seed_without_a_known_row_keeps_its_place(small):
    exact = np.array([[1.0, 2.0]])
    one = replace(small[0], inputs=np.zeros((1, 2), np.float32), references={"shapley": exact})
    none = replace(one, seed=1, references={})
    means = score(lambda *_: exact, [none, one])["rings"]["shapley"]["rank_correlation"]["by_seed"]
    assert means == [None, pytest.approx(1)]


def test_ranking_nothing_is_worth_as_much_as_guessing(small):
    found = score(lambda module, inputs, baseline, targets: torch.zeros_like(inputs), small)
    ranks = found["rings"]["shapley"]["rank_correlation"]
    assert ranks["mean"] == 0
    assert ranks["n"] == len(small[0].inputs)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda *_: None, "TypeError: returned None instead of one number per input"),
        (lambda m, x, b, t: x[0], r"returned shape \(2,\); \(\d+, 2\) is right"),
        (lambda m, x, b, t: x[:, :1], r"returned shape \(\d+, 1\); \(\d+, 2\) is right"),
        (lambda m, x, b, t: x * np.nan, r"returned \d+ NaN or infinite numbers"),
        (lambda m, x, b, t: x.numpy().astype(str), "TypeError: returned <U.* real numbers"),
        (lambda m, x, b, t: x.numpy() * 1j, "TypeError: returned complex.* real numbers"),
        (lambda m, x, b, t: x * 1j, "TypeError: returned complex.* real numbers"),
        (lambda m, x, b, t: [[1.0], [1.0, 2.0]], "ValueError: .*"),
        (lambda m, x: x, "TypeError: .* takes 2 positional arguments but 4 were given"),
    ],
)
def test_what_is_no_answer_gets_one_line(small, answer, message):
    error = score(answer, small)["rings"]
    assert set(error) == {"error"}
    assert "\n" not in error["error"]
    assert re.fullmatch(message, error["error"])


@pytest.mark.parametrize(
    "as_given",
    [
        lambda x: x.clone().requires_grad_(True),
        lambda x: x.double(),
        lambda x: x.to(torch.bfloat16),
        lambda x: x.numpy().astype(np.float16),
        lambda x: x.numpy().astype(np.longdouble),
        lambda x: x.tolist(),
        lambda x: np.asfortranarray(x.numpy()),
    ],
)
def test_numbers_of_every_kind_are_read(small, as_given):
    found = score(lambda module, inputs, baseline, targets: as_given(inputs), small)
    expected = score(METHODS["input - baseline (control)"], small)
    for metric in ("sign_agreement", "rank_correlation"):
        mean = expected["rings"]["shapley"][metric]["mean"]
        assert found["rings"]["shapley"][metric]["mean"] == pytest.approx(mean)


def test_a_method_cannot_change_the_subjects(small):
    def careless(module, inputs, baseline, targets):
        module.train()
        for parameter in module.parameters():
            parameter.zero_()
        module[0].register_forward_hook(lambda *_: torch.zeros(1))
        inputs.zero_(), baseline.fill_(7), targets.zero_()
        return inputs

    before = score(METHODS["gradient"], small)["rings"]["shapley"]
    score(careless, small)
    assert score(METHODS["gradient"], small)["rings"]["shapley"] == before
    assert not small[0].module.training


def test_summary_by_hand():
    def scores_of(**means):
        return {name: {"rank_correlation": {"mean": mean}} for name, mean in means.items()}

    scores = {
        "rings": {"milliseconds": 1.0, **scores_of(shapley=0.5, counterfactual=None)},
        "garments": {"milliseconds": 3.0, **scores_of(shapley=0.7)},
        "diabetes": {"error": "no"},
    }
    found = scoreboard.summary(scores)
    assert found["shapley"] == pytest.approx(0.6)
    assert found["counterfactual"] is None
    assert found["contributions"] is None
    assert (found["networks"], found["milliseconds"]) == (2, 2.0)
    assert scoreboard.summary(scores, networks=["garments"])["shapley"] == 0.7
    assert scoreboard.summary({"diabetes": {"error": "no"}})["milliseconds"] is None


@pytest.mark.parametrize("name", METHODS)
def test_every_method_of_the_book(name):
    subjects = [
        replace(s, inputs=s.inputs[:1], targets=s.targets[:1],
                references={k: v[:1] for k, v in s.references.items()})
        for s in load_subjects(["diabetes"], [1])
    ]  # fmt: skip
    found = score(METHODS[name], subjects)["diabetes"]
    if name == "Grad-CAM":
        assert "needs images" in found["error"]
    else:
        assert set(found["shapley"]) == set(METRICS)


def test_methods_that_are_another_one_by_another_name():
    """From a baseline of zero all of these are gradient times input."""
    subjects = load_subjects(["diabetes"], [0])
    found = [
        score(METHODS[name], subjects)["diabetes"]["contributions"]["relative_error"]["mean"]
        for name in ("gradient x input", "LRP epsilon", "local contributions, exact")
    ]
    assert max(found) < 1e-4


def test_the_published_table():
    table = scoreboard.published()
    assert list(table) == list(METHODS)
    for name, scores in table.items():
        assert set(scores) == set(NETWORKS)
        for network, found in scores.items():
            if "error" in found:
                assert (name, network) in {
                    ("DeepLIFT", "garments_convolutional"),
                    *(("Grad-CAM", n) for n in [*TABULAR, "garments"]),
                } or (network == "garments_convolutional" and "max" in found["error"].lower())
                continue
            assert found["seeds"] == [0, 1, 2]
            assert found["milliseconds"] >= 0
            assert len(found["shapley"]["rank_correlation"]["by_seed"]) == 3
    exact = table["integrated gradients, exact"]["diabetes"]["integrated_gradients"]
    assert exact["rank_correlation"]["mean"] > 0.999
    assert (
        abs(table["random numbers (control)"]["garments"]["shapley"]["rank_correlation"]["mean"])
        < 0.05
    )


def test_the_published_table_is_what_the_networks_give():
    """A method of no library, so that no library's version matters."""
    name = "local contributions, exact"
    again = score(METHODS[name], load_subjects(["diabetes"]))["diabetes"]
    for reference in REFERENCES:
        for metric in METRICS:
            expected = scoreboard.published()[name]["diabetes"][reference][metric]["by_seed"]
            found, expected = (
                np.array(means, float) for means in (again[reference][metric]["by_seed"], expected)
            )
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


# The command

METHOD = """
import torch

WEIGHT = 3

def gradient(module, inputs, baseline, target):
    inputs = inputs.clone().requires_grad_(True)
    module(inputs).gather(1, target[:, None]).sum().backward()
    return inputs.grad

def only_two(module, inputs, baseline, target):
    if inputs.shape[1] > 2:
        raise ValueError("I explain\\ntwo inputs")
    return inputs
"""


def run(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(Path(xai_course.__file__).parents[1])}
    return subprocess.run(
        [sys.executable, "-m", "xai_course.scoreboard", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_in_an_empty_folder(tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    done = run(tmp_path, "mine:gradient", "--networks", "rings", "diabetes", "--json", "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[1].startswith("rank correlation")
    assert len(lines) == 2 + len(METHODS) + 1
    (own,) = [line for line in lines if line.startswith("> mine:gradient")]
    (other,) = [line for line in lines if line.startswith("  gradient  ")]
    assert own.split()[2:6] == other.split()[1:5]
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["method"] == "mine:gradient"
    assert set(record["scores"]) == {"rings", "diabetes"}
    assert {f.name for f in tmp_path.iterdir()} - {"__pycache__"} == {"mine.py", "out.json"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "yours.py").write_text(METHOD)
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "odd.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("yours", "broken", "odd"):
        sys.modules.pop(name, None)


def test_list(capsys):
    assert command.main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in [*REFERENCES, *NETWORKS])


def test_a_method_that_fails_somewhere(here, capsys):
    arguments = ["yours:only_two", "--networks", "rings", "diabetes", "--metric", "top_overlap"]
    assert command.main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == "yours:only_two has no score on diabetes: ValueError: I explain\n"
    assert out.splitlines()[1].startswith("top overlap")
    assert command.main([*arguments[:2], "diabetes"]) == 1


def test_best_first(here, capsys):
    for metric in METRICS:
        command.main(["yours:gradient", "--networks", "rings", "--metric", metric])
        lines = [line[2:] for line in capsys.readouterr().out.splitlines()[2:]]
        means = [
            np.mean([float(cell) for cell in line.split()[-6:-2]])
            for line in lines
            if line.split()[-6] != "-"
        ]
        sign = 1 if metric == "relative_error" else -1
        assert np.all(np.diff(sign * np.array(means)) > -0.011)
        assert lines[-1].startswith("Grad-CAM")


def test_nobody_gains_by_refusing_a_network():
    def scores_of(mean):
        names = (metric for metric in METRICS)
        return {"milliseconds": 1.0, "shapley": {name: {"mean": mean} for name in names}}

    scores = {
        "refuses": {"rings": scores_of(0.9), "garments": {"error": "too hard"}},
        "good": {"rings": scores_of(0.8), "garments": scores_of(0.4)},
        "poor": {"rings": scores_of(0.7), "garments": scores_of(0.1)},
    }
    lines = scoreboard.table(scores, "good").splitlines()[2:]
    assert [line[2:].split()[0] for line in lines] == ["good", "poor", "refuses"]
    assert [line.startswith("> ") for line in lines] == [True, False, False]
    lines = scoreboard.table(scores, "refuses").splitlines()[2:]  # on the rings only
    assert [line[2:].split()[0] for line in lines] == ["refuses", "good", "poor"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["yours.gradient"], "write package.module:function, with a colon"),
        (["yours:"], "write package.module:function, with a colon"),
        (["nowhere:gradient"], "nowhere cannot be imported: ModuleNotFoundError: No module named"),
        (["broken:gradient"], "broken cannot be imported: ZeroDivisionError: division by zero"),
        (["odd:gradient"], "odd cannot be imported: SyntaxError: "),
        (["yours:gradients"], "yours has no gradients"),
        (["yours:WEIGHT"], "WEIGHT is no function but int"),
        (["yours:gradient", "--json", "no/out.json"], "no/out.json names no file in a folder"),
        (["yours:gradient", "--json", "."], ". names no file in a folder"),
    ],
)
def test_one_line_for_what_is_wrong(here, capsys, arguments, message):
    assert command.main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{arguments[0]}: {message}")
    assert err.count("\n") == 1


def test_a_damaged_file_is_named_by_the_command(here, capsys, monkeypatch):
    monkeypatch.setattr(subjects_module, "FILE", here / "none.safetensors")
    assert command.main(["yours:gradient"]) == 1
    err = capsys.readouterr().err
    assert "none.safetensors" in err
    assert "reproduce/scoreboard.py networks" in err


@pytest.mark.parametrize(
    "arguments", [[], ["yours:gradient", "--networks", "ring"], ["yours:gradient", "--metric", "x"]]
)
def test_usage(here, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        command.main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m xai_course.scoreboard" in capsys.readouterr().err
