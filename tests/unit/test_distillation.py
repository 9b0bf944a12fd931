"""Distillation: known answers, repeatable and resumable training, measures done by hand."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from random_networks import random_network
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from xai_course.distillation import (
    Distillation,
    consistency,
    distill,
    error_agreement,
    tangents,
)
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import TrainedClassifier, mlp, train_classifier

QUICK = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01}
LONG = {"epochs": 100, "learning_rate": 0.03, "patience": 100}
AFFINE = PiecewiseLinearNetwork([[[1.0, 0], [0, 1], [-1, -1]]], [[0.0, 0, 0]])


@pytest.fixture(scope="module")
def problem():
    """Return a black box of three classes, rows, labels with some noise, and a student."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    teacher = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 3))
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        for part in (teacher[0], teacher[2]):
            nn.init.normal_(part.weight)
    y = teacher(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()
    y = np.where(rng.uniform(size=400) < 0.1, rng.integers(0, 3, 400), y)
    return teacher, X, y, mlp([2, 24, 3])


def weights(trained):
    return torch.cat([p.flatten() for p in trained.module.parameters()]).detach().numpy()


# Training


def test_the_losses_are_the_formulas(problem):
    teacher, X, y, student = problem
    options = {"alpha": 0.3, "temperature": 4.0, "epochs": 0, "validation_fraction": 0.5}
    done = distill(teacher, student, X, y, **options)
    held_out = np.random.default_rng(0).permutation(400)[:200]
    with torch.no_grad():
        f = teacher(torch.tensor(X[held_out], dtype=torch.float32)).double().numpy()
        g = student(torch.tensor(X[held_out], dtype=torch.float32)).double().numpy()

    def log_softmax(z):
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))

    p, log_p, log_q = np.exp(log_softmax(f / 4)), log_softmax(f / 4), log_softmax(g / 4)
    kl = (p * (log_p - log_q)).sum(axis=1).mean()
    entropy = -log_softmax(g)[np.arange(200), y[held_out]].mean()
    expected = 0.3 * entropy + 0.7 * 16 * kl
    assert done.log["validation_loss"] == [pytest.approx(expected, rel=1e-5)]
    assert done.log["validation_consistency"] == [(f.argmax(1) == g.argmax(1)).mean()]
    assert done.log["settings"] == {
        **{"alpha": 0.3, "temperature": 4.0, "augment": None, "epochs": 0, "batch_size": 128},
        **{"learning_rate": 1e-3, "validation_fraction": 0.5, "patience": 10, "seed": 0},
    }


@pytest.mark.parametrize(
    "options",
    [{}, {"augment": "noise"}, {"alpha": 0.5}],
    ids=str,
)
def test_the_student_learns_the_teacher(problem, options):
    teacher, X, y, student = problem
    before = weights(TrainedClassifier(student, {}))
    done = distill(teacher, student, X, y, **QUICK | LONG | options)
    assert isinstance(done, Distillation)
    assert consistency(teacher, done, X) > 0.95
    assert consistency(teacher, student, X) < 0.8
    np.testing.assert_array_equal(weights(TrainedClassifier(student, {})), before)
    assert not done.module.training
    np.testing.assert_allclose(done.network.forward(X), done.logits(X), atol=1e-5)
    np.testing.assert_array_equal(done.predict(X), done.network.forward(X).argmax(axis=1))


def test_labels_alone(problem):
    teacher, X, y, student = problem
    alone = train_classifier(student, X, y, **QUICK)
    assert type(alone) is TrainedClassifier
    assert (alone.predict(X) == y).mean() > (TrainedClassifier(student, {}).predict(X) == y).mean()
    # All the weight on the labels makes the teacher silent.
    both = distill(teacher, student, X, y, alpha=1.0, **QUICK)
    np.testing.assert_array_equal(weights(alone), weights(both))
    assert "validation_accuracy" in alone.log
    assert "validation_consistency" in both.log


@pytest.mark.parametrize("kind", ["network", "callable"])
def test_teachers_of_any_kind(problem, kind):
    _, X, y, _ = problem
    network = random_network([2, 5, 3])
    forest = LogisticRegression().fit(X, y)
    teacher = network if kind == "network" else forest.predict_log_proba
    options = {"augment": "noise", **QUICK, **LONG}
    done = distill(teacher, mlp([2, 16, 3]), X, **options)
    answer = network if kind == "network" else forest
    assert consistency(answer, done, X) > 0.9


def test_the_best_epoch_is_kept_and_patience_stops(problem):
    teacher, X, _, student = problem
    options = {"epochs": 60, "batch_size": 16, "learning_rate": 0.3, "patience": 3}
    done = distill(teacher, student, X, **options)
    losses = done.log["validation_loss"]
    best = int(np.argmin(losses))
    assert done.log["best_epoch"] == best
    assert len(losses) == len(done.log["train_loss"]) == best + 1 + 3 < 61
    # The same settings on the result: the loss before training is the best one.
    again = distill(teacher, done.module, X, **options | {"epochs": 0})
    assert again.log["validation_loss"][0] == losses[best]


def test_a_last_batch_of_one_row(problem):
    teacher, X, _, student = problem
    options = {"epochs": 1, "batch_size": 4, "validation_fraction": 0.2, "augment": "noise"}
    assert len(distill(teacher, student, X[:11], **options).log["train_loss"]) == 2


def test_a_teacher_in_training_mode_is_left_alone(problem):
    _, X, _, student = problem
    teacher = nn.Sequential(nn.Linear(2, 9), nn.Dropout(0.5), nn.Linear(9, 3)).train()
    teacher[1].eval()
    done = [weights(distill(teacher, student, X, **QUICK)) for _ in range(2)]
    np.testing.assert_array_equal(*done)
    assert teacher.training
    assert not teacher[1].training
    assert consistency(teacher, teacher, X) == 1.0


def test_the_usual_temperature(problem):
    teacher, X, _, student = problem
    log = distill(teacher, student, X, epochs=0).log
    assert log == distill(teacher, student, X, temperature=3.0, alpha=0.0, epochs=0).log
    assert log["settings"]["temperature"] == 3.0


def test_noise_is_what_the_documentation_says():
    """Half of each batch, normal, of a size up to 0.3 that is drawn for each row."""
    X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    asked = []

    def teacher(rows):
        asked.append(rows)
        return rows @ np.ones((2, 2))

    options = {"augment": "noise", "epochs": 1, "batch_size": 20, "seed": 6}
    distill(teacher, mlp([2, 2]), X, **options)
    learn = np.random.default_rng(6).permutation(50)[5:]
    numpy_seed, _ = np.random.SeedSequence([6, 1, 1]).spawn(2)
    rng = np.random.default_rng(numpy_seed)
    order = rng.permutation(learn)
    for batch, seen in zip((order[:20], order[20:40], order[40:]), asked[1:], strict=True):
        half = X[batch[: len(batch) // 2]]
        sizes = 0.3 * rng.uniform(size=(len(half), 1))
        noise = rng.standard_normal(half.shape, dtype=np.float32)
        np.testing.assert_allclose(seen, half + sizes * noise, rtol=1e-6, atol=1e-7)


def test_results_pickle(problem):
    teacher, X, _, student = problem
    done = distill(teacher, student, X, **QUICK)
    again = pickle.loads(pickle.dumps(done))  # noqa: S301
    assert type(again) is Distillation
    assert again.log == done.log
    np.testing.assert_array_equal(again.logits(X), done.logits(X))


@pytest.mark.parametrize("link", [nn.Softmax, nn.LogSoftmax])
def test_a_teacher_and_a_student_that_end_in_a_softmax(problem, link):
    teacher, X, y, student = problem
    plain = distill(teacher, student, X, y, alpha=0.3, **QUICK)
    ends = [nn.Sequential(module, link(dim=1)) for module in (teacher, student)]
    done = distill(*ends, X, y, alpha=0.3, **QUICK)
    assert done.log == plain.log
    np.testing.assert_array_equal(weights(done), weights(plain))
    assert isinstance(done.module[1], link)


def test_a_teacher_with_a_sigmoid_is_two_classes(problem):
    _, X, _, _ = problem
    base = mlp([2, 8, 1], seed=3)
    with torch.no_grad():
        base[2].weight *= 5
    twice = mlp([2, 8, 2], seed=3)  # the same as two logits, the first always zero
    with torch.no_grad():
        twice[0].load_state_dict(base[0].state_dict())
        twice[2].weight[:], twice[2].bias[:] = 0, 0
        twice[2].weight[1], twice[2].bias[1] = base[2].weight[0], base[2].bias[0]
    student = mlp([2, 16, 2])
    results = [
        distill(teacher, student, X, **QUICK)
        for teacher in (twice, base, nn.Sequential(base, nn.Sigmoid()))
    ]
    for result in results[1:]:
        np.testing.assert_allclose(weights(result), weights(results[0]), atol=1e-5)
    # A student may have one output, too.
    single = distill(twice, nn.Sequential(mlp([2, 16, 1]), nn.Sigmoid()), X, **QUICK | LONG)
    assert consistency(single, twice, X) > 0.97


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_student_and_a_teacher_of_another_precision(problem, dtype):
    teacher, X, _, student = problem
    start = mlp([2, 24, 3]).to(dtype)
    for other in (teacher, mlp([2, 3], seed=4).to(dtype)):
        done = distill(other, start, X, augment="noise", **QUICK)
        assert done.module[0].weight.dtype == dtype
        assert done.log["validation_loss"][-1] < done.log["validation_loss"][0]
        assert 0 <= consistency(other, done, X) <= 1
        assert distill(other, student, X, **QUICK).module[0].weight.dtype == torch.float32


def test_a_float64_student_sees_the_rows_in_float64(problem):
    _, X, _, _ = problem
    seen = []

    def teacher(rows):
        seen.append(rows)
        return rows @ np.ones((2, 3))

    distill(teacher, mlp([2, 3]).double(), X, epochs=0)
    np.testing.assert_array_equal(seen[-1], X)
    distill(teacher, mlp([2, 3]), X, epochs=0)
    np.testing.assert_array_equal(seen[-1], X.astype(np.float32))


# Agreement


def test_consistency_by_hand():
    X = [[2.0, 1], [1, 2], [-1, -1], [3, 0]]
    assert consistency(AFFINE, [0, 1, 2, 1], X) == 0.75
    assert consistency(AFFINE.to_torch(), AFFINE, X) == 1.0
    assert consistency(["a", "b"], np.array(["a", "c"])) == 0.5
    assert consistency(pd.Series([1, 2]), [1, 2]) == 1.0
    single = PiecewiseLinearNetwork([[[1.0, 0]]], [[0.0]])
    assert consistency(single, [1, 1, 0, 1], X) == 1.0
    estimator = LogisticRegression().fit(X, [0, 1, 1, 0])
    assert consistency(estimator, [0, 1, 1, 0], X) == 1.0


def test_agreement_on_errors_by_hand():
    y, teacher, student = [0, 0, 1, 1, 2], [0, 1, 1, 2, 0], [0, 1, 1, 0, 1]
    assert error_agreement(teacher, student, None, y) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="teacher makes no error"):
        error_agreement(y, student, None, y)


@pytest.fixture(scope="module", params=[(0, 1), (1, 2), (-1, 1), ("no", "yes"), (False, True)])
def named(request):
    """Return rows, labels with these names, a fitted estimator, and its network."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    y = np.array(request.param)[(X[:, 0] + rng.normal(size=200) > 0).astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlps = [
            MLPClassifier(hidden, max_iter=n, random_state=n).fit(X, y)
            for hidden, n in (((8,), 60), ((2,), 3))
        ]
    return X, y, mlps, [PiecewiseLinearNetwork.from_sklearn(m) for m in mlps]


def test_decisions_are_compared_as_labels(named):
    X, y, (good, weak), (network, weak_network) = named
    assert consistency(good, network, X) == 1.0
    assert consistency(network.to_torch(), good, X) == 1.0
    expected = (good.predict(X) == weak.predict(X)).mean()
    for f in (good, network, good.predict(X)):
        for g in (weak, weak_network, weak.predict(X)):
            assert consistency(f, g, X) == expected
    wrong = good.predict(X) != y
    expected = (good.predict(X) == weak.predict(X))[wrong].mean()
    for f, g in ((good, weak), (network, weak_network), (good, weak_network), (network, weak)):
        assert error_agreement(f, g, X, y) == expected


def test_an_estimator_in_a_pipeline_names_the_classes(named):
    X, _, (good, _), (network, _) = named
    scaler = StandardScaler(with_mean=False, with_std=False).fit(X)
    pipeline = make_pipeline(scaler, good)
    assert consistency(pipeline, network, X) == 1.0
    assert consistency(pipeline, network, pd.DataFrame(X)) == 1.0


def test_labels_that_do_not_name_the_classes():
    X = [[2.0, 1], [1, 2], [-1, -1], [3, 0]]
    # Some class numbers of a network are class numbers; as many labels as classes are their names.
    assert consistency(AFFINE, [0, 1, 1, 0], X) == 0.75
    assert consistency(AFFINE, [5, 7, 9, 5], X) == 1.0
    with pytest.raises(ValueError, match="network with 3 classes is compared with 2 labels: 5, 7"):
        consistency(AFFINE, [5, 7, 7, 5], X)
    estimator = LogisticRegression().fit(X, [5, 7, 5, 7])
    with pytest.raises(ValueError, match="compared with 2 labels: 5, 7"):
        consistency(AFFINE, estimator, X)


def test_probabilities_are_not_taken_for_logits():
    base = mlp([3, 6, 1], seed=1)
    X = np.random.default_rng(0).normal(size=(100, 3))
    with torch.no_grad():
        base[2].bias -= base(torch.tensor(X, dtype=torch.float32)).median()
        p = torch.sigmoid(base(torch.tensor(X, dtype=torch.float32)))[:, 0].numpy()
    decided = (p > 0.5).astype(int)
    assert 30 < decided.sum() < 70
    module = nn.Sequential(base, nn.Sigmoid())
    assert consistency(module, decided, X) == 1.0
    assert consistency(module, base, X) == 1.0
    assert error_agreement(module, decided, X, 1 - decided) == 1.0
    np.testing.assert_array_equal(tangents(module, X)[0], tangents(base, X)[0])


def test_a_logit_of_zero_is_the_first_class():
    dead = PiecewiseLinearNetwork([np.zeros((1, 2))], [np.zeros(1)])
    for model in (dead, dead.to_torch(), TrainedClassifier(dead.to_torch(), {})):
        assert consistency(model, [0, 0], np.ones((2, 2))) == 1.0


def test_missing_decisions():
    for missing in (None, np.nan, pd.NA):
        with pytest.raises(ValueError, match=r"g has 1 missing label"):
            consistency(["a", "b"], np.array(["a", missing], dtype=object))
    with pytest.raises(ValueError, match=r"y has 1 missing label"):
        error_agreement([0, 1], [0, 1], None, pd.Series([1, None], dtype="Int64"))
    assert consistency(pd.Series([1, 0], dtype="Int64"), [1, 0]) == 1.0
    assert consistency(np.array(["a", "b"], dtype=object), ["a", "c"]) == 0.5


@pytest.mark.parametrize(
    ("f", "g", "X", "error", "message"),
    [
        ([0, 1], [0, 1, 1], None, ValueError, "numbers of decisions differ: {'f': 2, 'g': 3}"),
        ([0, 1], ["a", "b"], None, ValueError, "differ in kind"),
        (np.array([0, "b"], object), ["a", "b"], None, TypeError, "f must hold labels of one kind"),
        ([0.2, 0.9], [0, 1], None, ValueError, "continuous"),
        ([0, np.nan], [0, 1], None, ValueError, "f has 1 missing label"),
        ([], [], None, ValueError, "f holds no decisions"),
        ([[0, 1]], [0, 1], None, ValueError, r"got shape \(1, 2\)"),
        (AFFINE, [0], None, ValueError, "X is needed: f is a PiecewiseLinearNetwork"),
        ([0], lambda X: X, [[1.0, 2]], TypeError, "g must be .* got function"),
        ([0], 3, [[1.0, 2]], TypeError, "g must be .* got int"),
        (AFFINE, [0], [[1.0, np.nan]], ValueError, "X must be finite"),
        (AFFINE, [0], [[1.0, 2, 3]], ValueError, "does not take rows of 3 features"),
        (AFFINE.to_torch(), [0], [[1.0]], ValueError, "does not take rows of 1 features"),
        (AFFINE, [0], np.ones((0, 2)), ValueError, "X must hold at least one row"),
    ],
)
def test_no_decisions(f, g, X, error, message):
    with pytest.raises(error, match=message):
        consistency(f, g, X)


# Tangents


def test_tangents_are_local_linear_models():
    network = random_network([3, 8, 8, 4])
    X = np.random.default_rng(0).normal(size=(20, 3))
    coef, intercept = tangents(network.to_torch(), X)
    expected = network.local_linear_models(network.activation_pattern(np.float32(X)))
    np.testing.assert_allclose(coef, expected[0], atol=1e-9)
    np.testing.assert_allclose(intercept, expected[1], atol=1e-6)


def test_tangents_in_float64():
    network = random_network([3, 8, 1])
    X = np.random.default_rng(0).normal(size=(20, 3))
    coef, intercept = tangents(network.to_torch(), X)
    expected = network.local_linear_models(network.activation_pattern(X))
    # One output is the logit of the second class; the first is zero.
    np.testing.assert_allclose(coef[:, 1:], expected[0], rtol=1e-12)
    np.testing.assert_allclose(intercept[:, 1:], expected[1], rtol=1e-10, atol=1e-12)
    assert not coef[:, 0].any()
    assert not intercept[:, 0].any()


def test_layers_that_work_in_place():
    X = np.random.default_rng(0).normal(size=(50, 2))
    body = mlp([2, 8, 3], seed=2)
    plain, in_place = (
        nn.Sequential(nn.ReLU(inplace=flag), body).double() for flag in (False, True)
    )
    for ours, expected in zip(tangents(in_place, X), tangents(plain, X), strict=True):
        np.testing.assert_array_equal(ours, expected)

    def shifting(rows):
        rows -= 1.0
        return rows @ np.ones((2, 3))

    for teacher, still in ((in_place, plain), (shifting, lambda rows: shifting(rows.copy()))):
        results = [
            distill(one, mlp([2, 3]).double(), X, augment="noise", **QUICK)
            for one in (teacher, still)
        ]
        np.testing.assert_array_equal(*map(weights, results))
    done = distill(plain, in_place, X, **QUICK)
    np.testing.assert_array_equal(weights(done), weights(distill(plain, plain, X, **QUICK)))


def test_a_trained_classifier_is_a_teacher(problem):
    teacher, X, _, student = problem
    results = [distill(t, student, X, **QUICK) for t in (teacher, TrainedClassifier(teacher, {}))]
    np.testing.assert_array_equal(*map(weights, results))


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha must be a number from 0 and up to 1, got 1.5"),
        ({"alpha": 0.5, "y": None}, "y is needed"),
        ({"alpha": 0.5, "augment": "noise"}, "alpha must be 0, got 0.5"),
        ({"augment": "flip"}, "augment must be None or 'noise', got 'flip'"),
        ({"temperature": 0}, "temperature must be a number above 0, got 0"),
        ({"epochs": 1.5}, "epochs must be a whole number from 0"),
        ({"y": np.full(400, 0.5)}, "continuous"),
        ({"y": np.full(400, 3)}, "class numbers from 0 to 2, got 3"),
        ({"y": np.full(400, np.nan)}, "y has 400 missing label"),
        ({"X": np.full((4, 2), np.nan)}, "X must be finite"),
        ({"X": np.zeros((1, 2)), "y": [0]}, "at least 2 rows, got 1"),
        ({"teacher": mlp([3, 3])}, "The teacher does not take rows of 2 features: mat1 and mat2"),
        ({"student": mlp([3, 4, 3])}, "The student does not take rows of 2 features"),
        ({"student": mlp([2, 4, 5])}, "The teacher has 3 classes, but the student has 5"),
        ({"student": mlp([2, 4, 1])}, "The teacher has 3 classes, but the student has 2"),
        ({"teacher": lambda X: X[:, 0]}, r"The teacher must give logits .* got \(400,\)"),
        ({"teacher": lambda X: np.full((len(X), 3), 1 / 3)}, "gives probabilities, not logits"),
        ({"teacher": lambda X: X * np.nan}, "The teacher gives NaN or infinite logits"),
        ({"teacher": random_network([3, 2])}, "The teacher does not take rows of 2 features"),
    ],
)
def test_bad_input(problem, options, message):
    teacher, X, y, student = problem
    arguments = {"teacher": teacher, "student": student, "X": X, "y": y} | options
    with pytest.raises(ValueError, match=message):
        distill(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"teacher": 3}, "The teacher must be a torch.nn.Module, .* got int"),
        ({"student": AFFINE}, "The student must be a torch.nn.Module, got Piecewise"),
        ({"X": [["a", "b"]]}, "X must hold real numbers"),
    ],
)
def test_wrong_types(problem, options, message):
    teacher, X, y, student = problem
    arguments = {"teacher": teacher, "student": student, "X": X, "y": y} | options
    with pytest.raises(TypeError, match=message):
        distill(**arguments)


def test_a_student_that_is_no_plain_network(problem):
    teacher, X, _, _ = problem
    done = distill(teacher, teacher, X, **QUICK)
    with pytest.raises(TypeError, match="cannot read layer '1' \\(Tanh\\)"):
        _ = done.network


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_nearly_the_same(problem):
    teacher, X, _, student = problem
    options = {"augment": "noise", **QUICK}
    cpu, cuda = (distill(teacher, student, X, device=d, **options) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(weights(cuda), weights(cpu), atol=1e-3)
