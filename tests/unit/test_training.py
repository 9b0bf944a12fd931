"""The training loop: equal to a plain one bit for bit, resumable, and for any ordinary module."""

import copy
import math
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from xai_course import training
from xai_course.distillation import distill
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import (
    Settings,
    TrainedClassifier,
    half_cosine,
    mlp,
    train,
    train_classifier,
)

QUICK = {"epochs": 4, "batch_size": 32, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def rows():
    """Return rows and labels of three classes, 15 % of them wrong."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
    return X, np.where(rng.uniform(size=300) < 0.15, rng.integers(0, 3, 300), y)


def weights(trained):
    module = trained if isinstance(trained, nn.Module) else trained.module
    return np.concatenate([v.double().numpy().ravel() for v in module.state_dict().values()])


# Against a plain loop


def plain_classifier(module, X, y, *, epochs, batch_size, learning_rate, patience, seed):
    """Return weights and losses as `train_classifier` defines them, without any of its parts."""
    X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    order = np.random.default_rng(seed).permutation(len(X))
    held_out, learn = order[: round(0.1 * len(X))], order[round(0.1 * len(X)) :]
    module = copy.deepcopy(module)
    adam = torch.optim.Adam(module.parameters())
    best, losses, waited = None, [], 0

    def judge():
        module.eval()
        with torch.no_grad():
            losses.append(float(nn.functional.cross_entropy(module(X[held_out]), y[held_out])))
        module.train()
        return losses[-1] == min(losses) and losses.count(losses[-1]) == 1

    if judge():
        best = copy.deepcopy(module)
    for epoch in range(1, epochs + 1):
        if waited == patience:
            break
        numpy_seed, torch_seed = np.random.SeedSequence([seed, 1, epoch]).spawn(2)
        with torch.random.fork_rng([]):
            torch.manual_seed(int(torch_seed.generate_state(1, np.uint64)[0]) >> 1)
            shuffled = np.random.default_rng(numpy_seed).permutation(learn)
            for first in range(0, len(learn), batch_size):
                done = epoch - 1 + first / len(learn)
                rate = learning_rate * (1 + np.cos(np.pi * done / epochs)) / 2
                adam.param_groups[0]["lr"] = rate
                batch = shuffled[first : first + batch_size]
                adam.zero_grad()
                nn.functional.cross_entropy(module(X[batch]), y[batch]).backward()
                adam.step()
        waited += 1
        if judge():
            best, waited = copy.deepcopy(module), 0
    return weights(best), losses


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 6, "batch_size": 32, "learning_rate": 0.01, "patience": 10, "seed": 0},
        {"epochs": 3, "batch_size": 1000, "learning_rate": 0.1, "patience": 10, "seed": 5},
        {"epochs": 40, "batch_size": 16, "learning_rate": 0.1, "patience": 2, "seed": 1},
    ],
    ids=["batches", "one batch", "patience"],
)
def test_the_plain_loop_gives_the_same_bits(rows, settings, dropout):
    module = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3))
    before = weights(module)
    expected, losses = plain_classifier(module, *rows, **settings)
    done = train_classifier(module, *rows, **settings)
    np.testing.assert_array_equal(weights(done), expected)
    assert done.log["validation_loss"] == losses
    assert done.log["best_epoch"] == int(np.argmin(losses))
    np.testing.assert_array_equal(weights(module), before)
    if settings["patience"] == 2:
        assert len(losses) == done.log["best_epoch"] + 3 < 41


def plain_epochs(module, X, y, rate, epochs):
    """Return weights after epochs at one rate, each with a generator of its own."""
    module, cpu = copy.deepcopy(module), torch.device("cpu")
    adam = torch.optim.Adam(module.parameters(), lr=rate, eps=1e-7)
    for epoch in range(1, epochs + 1):
        with training.reproducible([0, 1, epoch], cpu) as rng:
            order = rng.permutation(np.arange(10, 60))
        for first in range(0, 50, 16):
            batch = order[first : first + 16]
            adam.zero_grad()
            nn.functional.mse_loss(module(X[batch])[:, 0], y[batch]).backward()
            adam.step()
    return weights(module)


def test_the_caller_may_hand_in_rate_and_loss():
    X, y = torch.randn(60, 3, dtype=torch.float64), torch.randn(60, dtype=torch.float64)
    start = mlp([3, 5, 1]).double()
    seen = []

    def loss(module, batch, step):
        seen.append(step.done)
        return nn.functional.mse_loss(module(X[batch])[:, 0], y[batch])

    settings = Settings(epochs=3, batch_size=16, learning_rate=0.01, patience=1)
    module, log = train(
        *(start, loss, np.arange(10, 60), settings),
        rate=lambda done: 0.01,
        epsilon=1e-7,
    )
    np.testing.assert_array_equal(weights(module), plain_epochs(start, X, y, 0.01, 3))
    # Without a judge the last weights are kept, and nothing is ever the best.
    assert set(log) == {"settings", "train_loss"}
    assert log["train_loss"][0] is None
    assert len(log["train_loss"]) == 4
    assert seen == [e + first / 50 for e in range(3) for first in range(0, 50, 16)]
    assert not module.training
    assert all(p.grad is None for p in module.parameters())


def test_each_item_has_the_same_weight_in_the_logged_loss():
    # 5 items in batches of 2, 2, 1; a loss that is the mean of the items' numbers.
    module = nn.Linear(1, 1)

    def loss(module, batch, step):
        return 0 * module.weight.sum() + float(np.mean(batch))

    _, log = train(module, loss, 5, Settings(epochs=2, batch_size=2))
    assert log["train_loss"] == [None, 2.0, 2.0]


def test_what_the_judge_says_is_logged():
    told = iter([3.0, 2.0, 2.0, 1.0])
    kept = []

    def judge(module):
        assert not module.training
        assert not torch.is_grad_enabled()
        kept.append(float(module.weight.detach()))
        return {"train_loss": 7.0, "validation_loss": next(told), "other": 1.0}

    def loss(module, batch, step):
        assert module.training
        return module.weight.sum()

    settings = Settings(epochs=3, batch_size=1, patience=2)
    module, log = train(nn.Linear(1, 1), loss, 1, settings, judge=judge)
    assert log["validation_loss"] == [3.0, 2.0, 2.0, 1.0]
    assert log["train_loss"] == [7.0] * 4
    assert log["other"] == [1.0] * 4
    assert log["best_epoch"] == 3
    assert module.weight.item() == kept[3] != kept[2]
    told = iter([1.0, 1.0, 1.0])
    kept.clear()
    module, log = train(nn.Linear(1, 1), loss, 1, settings, judge=judge)
    assert log["best_epoch"] == 0  # of equal epochs the first
    assert module.weight.item() == kept[0] != kept[1]
    told = iter([1.0] * 4)
    _, log = train(nn.Linear(1, 1), loss, 1, replace(settings, patience=None), judge=judge)
    assert log["validation_loss"] == [1.0] * 4


def test_half_cosine():
    assert half_cosine(0, 30) == 1
    assert half_cosine(15, 30) == pytest.approx(0.5)
    assert half_cosine(10, 30) == pytest.approx(0.75)
    assert half_cosine(0.5) == pytest.approx(0.5)
    assert half_cosine(30, 30) == 0


@pytest.mark.parametrize(("n", "fraction", "expected"), [(10, 0.2, 2), (10, 0.01, 1), (3, 0.99, 2)])
def test_the_split(n, fraction, expected):
    learn, held_out = Settings(validation_fraction=fraction, seed=3).split(n)
    assert len(held_out) == expected
    assert sorted([*learn, *held_out]) == list(range(n))
    np.testing.assert_array_equal(
        np.concatenate([held_out, learn]), np.random.default_rng(3).permutation(n)
    )


def test_the_usual_settings():
    assert asdict(Settings()) == {
        **{"epochs": 30, "batch_size": 128, "learning_rate": 1e-3, "validation_fraction": 0.1},
        **{"patience": 10, "seed": 0},
    }


def test_many_rows_are_judged_in_parts():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2600, 4)), rng.integers(0, 3, 2600)
    module = mlp([4, 8, 3])
    done = train_classifier(module, X, y, epochs=0, validation_fraction=0.5)
    held_out = rng_order(2600)[:1300]
    with torch.no_grad():
        outputs = module(torch.tensor(X, dtype=torch.float32))
    loss = nn.functional.cross_entropy(outputs[held_out].double(), torch.tensor(y)[held_out])
    assert done.log["validation_loss"] == [pytest.approx(float(loss), rel=1e-6)]
    equal = outputs.argmax(1).numpy()[held_out] == y[held_out]
    assert done.log["validation_accuracy"] == [equal.mean()]
    np.testing.assert_allclose(done.logits(X), outputs.double().numpy(), rtol=1e-5, atol=1e-6)


def rng_order(n, seed=0):
    return np.random.default_rng(seed).permutation(n)


def test_equal_calls_give_equal_results(rows):
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
    runs = []
    for noise in (1, 2):
        torch.manual_seed(noise)  # what others drew before must not matter
        state = torch.random.get_rng_state()
        runs.append(weights(train_classifier(module, *rows, **QUICK)))
        assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(*runs)
    other = weights(train_classifier(module, *rows, seed=1, **QUICK))
    assert not np.array_equal(runs[0], other)


# Ordinary torch modules


def shared_layers():
    layer = nn.Linear(4, 4)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU(), nn.Linear(4, 3))


def frozen():
    module = mlp([4, 8, 3])
    module[0].requires_grad_(False)
    return module


def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(3))


def weight_norm():
    module = mlp([4, 8, 3])
    module[0] = nn.utils.parametrizations.weight_norm(module[0])
    return module


MODULES = {
    "shared layers": shared_layers,
    "batch normalisation": lambda: nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)
    ),
    "frozen": frozen,
    "lazy": lazy,
    "weight norm": weight_norm,
    "float64": lambda: mlp([4, 8, 3]).double(),
    "float16": lambda: mlp([4, 8, 3]).half(),
    "bfloat16": lambda: mlp([4, 8, 3]).bfloat16(),
    "softmax": lambda: nn.Sequential(mlp([4, 8, 3]), nn.Softmax(dim=1)),
}


@pytest.mark.parametrize("kind", MODULES)
def test_ordinary_modules_train_and_resume(rows, kind, tmp_path, monkeypatch):
    module, path = MODULES[kind](), tmp_path / "run.safetensors"
    dtypes = [p.dtype for p in module.parameters()]
    whole = train_classifier(module, *rows, **QUICK)
    stop_in_epoch(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(module, *rows, checkpoint=path, **QUICK)
    monkeypatch.undo()
    resumed = train_classifier(module, *rows, checkpoint=path, **QUICK)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.log == whole.log
    assert whole.log["validation_loss"][-1] < whole.log["validation_loss"][0]
    assert [p.dtype for p in whole.module.parameters()] == dtypes
    if kind != "weight norm":  # torch refuses to pickle parametrised modules
        again = pickle.loads(pickle.dumps(whole))  # noqa: S301
        np.testing.assert_array_equal(again.predict(rows[0]), whole.predict(rows[0]))
    student = distill(whole.module, module, rows[0], **QUICK)
    assert student.logits(rows[0]).shape == (300, 3)


def test_shared_layers_stay_shared_and_frozen_ones_stay(rows):
    done = train_classifier(shared_layers(), *rows, **QUICK)
    assert done.module[0] is done.module[2]
    start = frozen()
    done = train_classifier(start, *rows, **QUICK)
    assert torch.equal(done.module[0].weight, start[0].weight)
    assert not torch.equal(done.module[2].weight, start[2].weight)


def test_lazy_layers_begin_alike(rows):
    results = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        module = lazy()
        state = torch.random.get_rng_state()
        results.append(weights(train_classifier(module, *rows, **QUICK)))
        assert torch.equal(torch.random.get_rng_state(), state)
        assert module[0].weight.shape == (8, 4)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("n_rows", [284, 285, 287])
def test_batch_normalisation_and_a_last_batch_of_one(n_rows):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    sizes = []
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    class Counting(nn.Module):
        def forward(self, inputs):
            if self.training:
                sizes.append(len(inputs))
            return inputs

    options = {"epochs": 1, "batch_size": 128}
    train_classifier(nn.Sequential(Counting(), module), X, (X[:, 0] > 0).astype(int), **options)
    last = (n_rows - round(0.1 * n_rows)) % 128
    assert sizes == {0: [128, 128], 1: [128, 129], 2: [128, 128, 2]}[last]
    sizes.clear()  # without batch normalisation a last batch of one stays
    plain = nn.Sequential(Counting(), mlp([4, 2]))
    train_classifier(plain, X, (X[:, 0] > 0).astype(int), **options)
    assert sizes == [128, 128, *([last] if last else [])]


def test_batch_normalisation_needs_two_rows(rows):
    module = MODULES["batch normalisation"]()
    with pytest.raises(ValueError, match=r"at least 2 row\(s\), two for batch norm.* batch_size=1"):
        train_classifier(module, *rows, batch_size=1)
    with pytest.raises(ValueError, match=r"got 1 row\(s\) to train on"):
        train_classifier(module, rows[0][:2], rows[1][:2])


def test_a_default_dtype_of_float64(rows):
    usual = train_classifier(mlp([4, 8, 3]), *rows, **QUICK)
    start = mlp([4, 8, 3])
    torch.set_default_dtype(torch.float64)
    try:
        np.testing.assert_array_equal(
            weights(train_classifier(start, *rows, **QUICK)), weights(usual)
        )
        assert mlp([4, 8, 3])[0].weight.dtype == torch.float64
        precise = train_classifier(mlp([4, 8, 3]), *rows, **QUICK)
    finally:
        torch.set_default_dtype(torch.float32)
    assert precise.module[0].weight.dtype == torch.float64
    assert precise.log["validation_loss"][-1] < precise.log["validation_loss"][0]


def test_a_module_in_float64_sees_rows_in_float64(rows):
    X, y = rows
    seen = []

    class Watching(nn.Module):
        def forward(self, inputs):
            seen.append(inputs.detach().clone())
            return inputs

    module = nn.Sequential(Watching(), mlp([4, 3])).double()
    done = train_classifier(module, X, y, epochs=0)
    held_out = np.random.default_rng(0).permutation(300)[:30]
    np.testing.assert_array_equal(seen[-1].numpy(), X[held_out])
    done.predict(X)
    np.testing.assert_array_equal(seen[-1].numpy(), X)


def test_half_precision_is_trained_in_float32(rows):
    start = mlp([4, 8, 3]).half()
    half = train_classifier(start, *rows, **QUICK)
    full = train_classifier(copy.deepcopy(start).float(), *rows, **QUICK)
    np.testing.assert_array_equal(weights(half), weights(copy.deepcopy(full.module).half()))
    assert half.log == full.log


@pytest.mark.parametrize("link", [nn.Identity, nn.Sigmoid])
def test_one_output_is_the_logit_of_the_second_of_two_classes(rows, link):
    X, y = rows[0], (rows[1] > 0).astype(int)
    options = {"epochs": 40, "learning_rate": 0.03}
    done = train_classifier(nn.Sequential(mlp([4, 16, 1]), link()), X, y, **options)
    assert (done.predict(X) == y).mean() > 0.75
    logits = done.logits(X)
    assert (logits[:, 0] == 0).all()
    with torch.no_grad():
        outputs = done.module(torch.tensor(X, dtype=torch.float32))[:, 0].double().numpy()
    expected = logits[:, 1] if link is nn.Identity else 1 / (1 + np.exp(-logits[:, 1]))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-7)
    # The loss is the binary cross-entropy of the logit.
    held_out = np.random.default_rng(0).permutation(300)[:30]
    z, truth = (torch.tensor(v[held_out], dtype=torch.float64) for v in (logits[:, 1], y))
    loss = nn.functional.binary_cross_entropy_with_logits(z, truth)
    assert min(done.log["validation_loss"]) == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("link", [nn.Softmax, nn.LogSoftmax])
def test_a_softmax_at_the_end_changes_nothing(rows, link):
    plain = train_classifier(mlp([4, 8, 3]), *rows, **QUICK)
    done = train_classifier(nn.Sequential(mlp([4, 8, 3]), link(dim=1)), *rows, **QUICK)
    assert done.log == plain.log
    np.testing.assert_array_equal(weights(done), weights(plain))
    np.testing.assert_array_equal(done.logits(rows[0]), plain.logits(rows[0]))


def test_a_tie_goes_to_the_first_class():
    module = nn.Linear(2, 2)
    nn.init.zeros_(module.weight)
    nn.init.zeros_(module.bias)
    assert TrainedClassifier(module, {}).predict([[1.0, 2.0]]) == [0]


def test_mlp():
    network = PiecewiseLinearNetwork.from_torch(mlp([784, 256, 64, 10]))
    assert network.hidden_sizes == (256, 64)
    first, second = (weights(mlp([2, 3], seed=0)) for _ in "12")
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, weights(mlp([2, 3], seed=1)))
    torch.manual_seed(1)
    np.testing.assert_array_equal(weights(nn.Linear(2, 3)), weights(mlp([2, 3], seed=1)))
    for sizes, message in (([3], "at least two widths"), ([3, 0], "sizes must"), ([3, 1.5], "1.5")):
        with pytest.raises(ValueError, match=message):
            mlp(sizes)


# Checkpoints


def stop_in_epoch(monkeypatch, number):
    """Stop, as Ctrl-C does, when training comes to an epoch."""
    original = training.reproducible

    def stopping(entropy, device):
        if list(entropy[1:]) == [1, number]:
            raise KeyboardInterrupt
        return original(entropy, device)

    monkeypatch.setattr(training, "reproducible", stopping)


@pytest.fixture
def interrupted(rows, tmp_path, monkeypatch):
    """Return a call, its uninterrupted result, and a checkpoint left after two of four epochs."""
    X, y = rows
    teacher, student = mlp([4, 6, 3], seed=9), mlp([4, 12, 3])
    path = tmp_path / "run.safetensors"

    def call(teacher=teacher, student=student, X=X, y=y, **options):
        options = {"alpha": 0.2, **QUICK, "checkpoint": path} | options
        return distill(teacher, student, X, y, **options)

    whole = call(checkpoint=None)
    stop_in_epoch(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        call()
    monkeypatch.undo()
    return call, whole, path


def test_a_stopped_run_ends_as_if_it_had_not_been(interrupted, monkeypatch):
    call, whole, path = interrupted
    stop_in_epoch(monkeypatch, 2)  # a second start from the first epoch would end here
    resumed = call()
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.log == whole.log
    # A finished checkpoint gives the result without training.
    for number in (1, 2, 3, 4):
        stop_in_epoch(monkeypatch, number)
    before = path.stat().st_mtime_ns
    np.testing.assert_array_equal(weights(call()), weights(whole))
    assert path.stat().st_mtime_ns == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_patience_goes_on_where_it_was(rows, tmp_path, monkeypatch):
    options = {"epochs": 40, "batch_size": 16, "learning_rate": 0.1, "patience": 3}
    path, start = tmp_path / "run.safetensors", mlp([4, 16, 3])
    whole = train_classifier(start, *rows, **options)
    last = len(whole.log["train_loss"]) - 1
    assert last == whole.log["best_epoch"] + 3
    stop_in_epoch(monkeypatch, last)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(start, *rows, checkpoint=path, **options)
    monkeypatch.undo()
    resumed = train_classifier(start, *rows, checkpoint=path, **options)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.log == whole.log


def test_a_pause_between_two_writings(tmp_path, monkeypatch):
    written, original = [], training.save_arrays
    clock = iter(range(0, 1000, 3))

    def counting(path, kind, arrays, record):
        written.append(len(record["log"]["train_loss"]) - 1)
        original(path, kind, arrays, record)

    monkeypatch.setattr(training, "save_arrays", counting)
    monkeypatch.setattr(training.time, "monotonic", lambda: next(clock))
    options = {"checkpoint": tmp_path / "run.safetensors", "pause": 10.0}

    def loss(module, batch, step):
        return module.weight.sum()

    train(nn.Linear(1, 1), loss, 3, Settings(epochs=8, batch_size=3), **options)
    # Before the first epoch, when more than ten seconds are over, and at the end.
    assert written[0] == 0
    assert written[-1] == 8
    assert 2 < len(written) < 6


SCRIPT = """
import sys, time, numpy as np
from xai_course import training
original = training.reproducible
def slow(entropy, device):
    if list(entropy) == [0, 1, 5]:
        print("ready", flush=True)
        time.sleep(600)
    return original(entropy, device)
training.reproducible = slow
X = np.random.default_rng(0).normal(size=(300, 4))
y = (X[:, 0] * X[:, 1] > 0).astype(int)
training.train_classifier(training.mlp([4, 8, 2]), X, y, epochs=10, checkpoint=sys.argv[1])
"""


def test_a_killed_process(tmp_path):
    path = tmp_path / "run.safetensors"
    arguments = [sys.executable, "-c", SCRIPT, str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    X = np.random.default_rng(0).normal(size=(300, 4))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    resumed = train_classifier(mlp([4, 8, 2]), X, y, epochs=10, checkpoint=path)
    whole = train_classifier(mlp([4, 8, 2]), X, y, epochs=10)
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert resumed.log == whole.log


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b[:100],
        lambda b: b"",
        lambda b: b[:-500] + bytes([b[-500] ^ 1]) + b[-499:],
        lambda b: b.replace(b"best_epoch", b"best_epoxx"),
    ],
    ids=["last byte", "cut", "empty", "one bit", "log"],
)
def test_a_damaged_checkpoint(interrupted, damage):
    call, _, path = interrupted
    content = damage(before := path.read_bytes())
    assert content != before
    path.write_bytes(content)
    with pytest.raises(
        OSError, match=r"run.safetensors cannot be read: .*Remove the file to start"
    ):
        call()
    assert path.read_bytes() == content


def test_a_file_of_another_kind(interrupted):
    call, _, path = interrupted
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(OSError, match="it is no 'checkpoint 1' of this library"):
        call()
    assert list(load_file(path)) == ["a"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"temperature": 2.0}, "temperature"),
        ({"seed": 3, "epochs": 9}, "epochs, seed"),
        ({"alpha": 0.1}, "alpha"),
        ({"patience": None}, "patience"),
        ({"teacher": mlp([4, 6, 3], seed=8)}, "teacher"),
        ({"student": mlp([4, 12, 3], seed=5)}, "first weights"),
        ({"X": np.ones((300, 4))}, "X, teacher"),
        ({"y": np.ones(300, int)}, "y"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_checkpoint_of_another_run(interrupted, change, named):
    call, whole, path = interrupted
    before = path.read_bytes()
    with pytest.raises(OSError, match=f"another run: it differs in {named}. It was left"):
        call(**change)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(weights(call()), weights(whole))


def test_rounding_of_the_teacher_makes_no_other_run(interrupted):
    call, whole, _ = interrupted
    network = PiecewiseLinearNetwork.from_torch(mlp([4, 6, 3], seed=9))
    resumed = call(teacher=network)  # the same in float64
    np.testing.assert_allclose(weights(resumed), weights(whole), atol=1e-3)


def test_a_full_disk(interrupted, monkeypatch):
    call, whole, path = interrupted
    before = path.read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match=r"could not be written: No space left on device"):
        call()
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    np.testing.assert_array_equal(weights(call()), weights(whole))


def test_a_folder_that_is_not_there_costs_no_training(rows, tmp_path, monkeypatch):
    stop_in_epoch(monkeypatch, 1)
    path = tmp_path / "missing" / "run.safetensors"
    with pytest.raises(OSError, match=r"could not be written.*No such file or directory"):
        train_classifier(mlp([4, 3]), *rows, checkpoint=path, **QUICK)


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": math.inf}, "learning_rate must be a number above 0, got inf"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number above 0, got 'fast'"),
        ({"epochs": -1}, "epochs must be a whole number from 0"),
        ({"epochs": 1.5}, "epochs must be a whole number from 0"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"patience": 0}, "patience must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"validation_fraction": 1}, "validation_fraction must be a number above 0 and below 1"),
        ({"validation_fraction": 0}, "validation_fraction must be a number above 0"),
        ({"y": np.zeros(7)}, "X has 300 rows, but y has 7"),
        ({"y": np.full(300, 3)}, "class numbers from 0 to 2, got 3"),
        ({"y": np.full(300, -1)}, "class numbers from 0 to 2, got -1"),
        ({"y": np.arange(300) % 5}, r"class numbers from 0 to 2, got 0, 1, 2, 3, 4\.$"),
        ({"y": np.arange(300) % 6}, r"class numbers from 0 to 2, got 0, 1, 2, 3, 4, \.\.\.\.$"),
        ({"y": np.array(["no", "yes"] * 150)}, "class numbers from 0 to 2, got 'no', 'yes'"),
        ({"y": np.r_[np.nan, np.zeros(299)]}, "y has 1 missing label"),
        ({"y": [None] + [1] * 299}, "y has 1 missing label"),
        ({"X": np.full((300, 4), np.nan)}, "X must be finite"),
        ({"X": np.zeros((0, 4))}, "X must hold at least one row"),
        ({"X": np.zeros((1, 4)), "y": [0]}, "at least 2 rows, got 1"),
        ({"X": np.zeros((300, 3))}, "The module does not take rows of 3 features: mat1 and mat2"),
        ({"module": nn.Flatten(0)}, r"The module must give logits .* got \(8,\)"),
        ({"module": nn.Identity()}, "The module has no weights to train"),
        ({"module": frozen().requires_grad_(False)}, "The module has no weights to train"),
    ],
)
def test_bad_input(rows, options, message):
    arguments = {"module": mlp([4, 3]), "X": rows[0], "y": rows[1]} | options
    with pytest.raises(ValueError, match=message):
        train_classifier(**arguments)


def test_wrong_types(rows):
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got int"):
        train_classifier(3, *rows)
    with pytest.raises(TypeError, match="X must hold real numbers"):
        train_classifier(mlp([1, 2]), [["a"], ["b"]], [0, 1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'lr'"):
        train_classifier(mlp([4, 3]), *rows, lr=3)


def test_the_module_imports_no_pickle():
    text = Path(training.__file__).read_text()
    assert not any(word in text for word in ("pickle", "torch.load"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_gives_nearly_the_same(rows):
    start = mlp([4, 12, 3])
    cpu, cuda = (train_classifier(start, *rows, device=d, **QUICK) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(weights(cuda), weights(cpu), atol=1e-3)
    again = train_classifier(start, *rows, device="cuda", **QUICK)
    np.testing.assert_array_equal(weights(again), weights(cuda))
