"""Lambda-nets: the stacked program does what a plain loop does, and shards survive everything."""

import math
import os
import signal
import subprocess
import sys
import warnings
from dataclasses import asdict, replace
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from torch import nn

from xai_course.inet import LambdaNets, Recipe, _stack, population, train_lambda_nets
from xai_course.inet.population import RECIPES
from xai_course.polynomials import SparsePolynomial, sample_polynomials

POLYNOMIALS = sample_polynomials(5, 2, seed=3)
STEPS = Recipe(learning_rate=0.02, epochs=2)
UNTRAINED = Recipe(learning_rate=0.02, epochs=0)
QUICK = {"recipe": STEPS, "n_samples": 64, "shard_size": 2, "progress": False}


def quick(polynomials=POLYNOMIALS, **options) -> LambdaNets:
    return train_lambda_nets(polynomials, **QUICK | options)


def settings(**options) -> population.Settings:
    known = {"n_hidden": 10, "recipe": STEPS, "initialisation": "independent", "noise": 0.0}
    return population.Settings(**known | {"n_samples": 64, "seed": 0, "device": "cpu"} | options)


def assert_equal(found: LambdaNets, expected: LambdaNets) -> None:
    """Compare bit for bit."""
    assert list(found.arrays()) == list(expected.arrays())
    for name, values in expected.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], values, err_msg=name)


@pytest.fixture(scope="module")
def whole() -> LambdaNets:
    """Return what an undisturbed call gives: three shards, of two, two and one network."""
    return quick()


@pytest.fixture
def trained(monkeypatch) -> list[int]:
    """Return a list that is told the number of each shard that is trained."""
    numbers: list[int] = []
    real = population._train_shard

    def told(polynomials, settings, number, first):
        numbers.append(number)
        return real(polynomials, settings, number, first)

    monkeypatch.setattr(population, "_train_shard", told)
    return numbers


# The program and a plain loop


def module_of(weights: tuple[np.ndarray, np.ndarray], k: int) -> nn.Sequential:
    """Return network k with its first weights and biases zero."""
    hidden, output = (torch.as_tensor(array[k]) for array in weights)
    module = nn.Sequential(
        nn.Linear(hidden.shape[1], len(hidden)), nn.ReLU(), nn.Linear(len(hidden), 1)
    )
    with torch.no_grad():
        module[0].weight.copy_(hidden)
        module[2].weight.copy_(output[None])
        module[0].bias.zero_()
        module[2].bias.zero_()
    return module


def plain_loop(polynomials, settings, k: int) -> tuple[nn.Sequential, int, list[float]]:
    """Train network k alone; return it, its epochs and its validation errors."""
    X, _, noisy, weights = population._draw(polynomials, settings, 0)
    rows, targets = torch.as_tensor(X[k, :-1].T.copy()), torch.as_tensor(noisy[k])
    (train, valid, _), recipe = settings.parts(), settings.recipe
    n_train = train.stop
    module, order = module_of(weights, k), np.random.default_rng([settings.seed, 0, 2])
    optimizer, loss = torch.optim.Adam(module.parameters(), eps=1e-7), nn.L1Loss()
    errors, best, least = [], None, math.inf
    for epoch in range(recipe.epochs):
        shuffled = order.permutation(n_train)
        for first in range(0, n_train, recipe.batch_size):
            batch = shuffled[first : first + recipe.batch_size]
            rate = recipe.rate((epoch + first / n_train) / recipe.epochs)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss(module(rows[batch])[:, 0], targets[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            errors.append(float(loss(module(rows[valid])[:, 0], targets[valid])))
        if recipe.patience is None:
            continue
        if errors[-1] < least - recipe.min_delta:
            least, best, waited = errors[-1], [p.detach().clone() for p in module.parameters()], 0
        else:
            waited += 1
        if waited == recipe.patience:
            break
    if best is not None:
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), best, strict=True):
                parameter.copy_(value)
    return module, len(errors), errors


def test_the_gradients_are_those_of_autograd(monkeypatch):
    now = settings(recipe=replace(STEPS, epochs=1, batch_size=36))
    X, _, noisy, weights = population._draw(POLYNOMIALS, now, 0)
    stack, found = _stack.Stack(weights, now), []
    monkeypatch.setattr(_stack.Adam, "step", lambda self, rate: found.append(self.gradient.clone()))
    tensors = torch.as_tensor(X[:, :, :36]), torch.as_tensor(noisy[:, :36])
    stack._epoch(_stack.Adam(stack.flat), *tensors, np.arange(36), 0)
    assert len(found) == 1
    hidden, output, bias = stack._split(found[0])
    for k in range(len(POLYNOMIALS)):
        module = module_of(weights, k)
        nn.L1Loss()(module(tensors[0][k, :-1].T)[:, 0], tensors[1][k]).backward()
        expected = [module[0].weight.grad, module[0].bias.grad, module[2].weight.grad[0]]
        parts = [hidden[k, :, :-1], hidden[k, :, -1], output[k]]
        assert max(part.abs().max() for part in expected) > 0.05
        for part, gradient in zip(parts, expected, strict=True):
            torch.testing.assert_close(part, gradient, rtol=1e-5, atol=1e-6)
        assert bias[k] == pytest.approx(float(module[2].bias.grad), abs=1e-6)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(learning_rate=0.01, epochs=3, batch_size=16),
        Recipe(learning_rate=0.02, epochs=4, batch_size=25, cosine=True),
        Recipe(learning_rate=0.05, epochs=15, batch_size=16, patience=2, min_delta=0.001),
    ],
    ids=["fixed rate", "cosine", "patience"],
)
def test_a_plain_loop_gives_the_same(recipe):
    now = settings(recipe=recipe, n_samples=160, noise=0.1, seed=4)
    options = asdict(now) | {"recipe": recipe, "progress": False}
    nets = train_lambda_nets(POLYNOMIALS, **options)
    epochs = []
    for k in range(len(POLYNOMIALS)):
        module, n_epochs, _ = plain_loop(POLYNOMIALS, now, k)
        expected = LambdaNets.from_networks([module]).parameters()[0]
        np.testing.assert_allclose(nets.parameters()[k], expected, atol=2e-5)
        epochs.append(n_epochs)
    assert nets.epochs.tolist() == epochs
    if recipe.patience:
        assert len(set(epochs)) > 1
        assert max(epochs) < recipe.epochs


def test_early_stopping_keeps_the_best_weights():
    recipe = Recipe(learning_rate=0.2, epochs=30, batch_size=16, patience=3)
    now = settings(recipe=recipe, n_samples=160)
    nets = train_lambda_nets(POLYNOMIALS, **asdict(now) | {"recipe": recipe, "progress": False})
    X, _, noisy, _ = population._draw(POLYNOMIALS, now, 0)
    _, valid, _ = now.parts()
    found = nets.predict(X[:, :-1, valid].transpose(0, 2, 1))
    for k, error in enumerate(np.abs(found - noisy[:, valid]).mean(axis=1)):
        _, n_epochs, errors = plain_loop(POLYNOMIALS, now, k)
        assert error == pytest.approx(min(errors), rel=1e-3)
        assert n_epochs == nets.epochs[k] == int(np.argmin(errors)) + 1 + recipe.patience


def test_a_network_does_not_depend_on_its_neighbours():
    """One that has stopped stays in the stack for a while, and must not start again."""
    many = sample_polynomials(24, 2, seed=1)
    recipe = Recipe(learning_rate=0.02, epochs=60, batch_size=16, patience=2)
    options = {"recipe": recipe, "n_samples": 100, "n_hidden": 10, "progress": False}
    epochs = train_lambda_nets(many, **options).epochs
    assert epochs.min() < epochs.max() < 60
    for first in range(6):  # the order of the rows belongs to the first network of a stack
        turned = many[first:] + many[:first]
        alone = train_lambda_nets(turned[:1], **options)
        beside = train_lambda_nets(turned, **options)
        assert alone.epochs[0] == beside.epochs[0]
        np.testing.assert_allclose(alone.parameters()[0], beside.parameters()[0], atol=1e-5)


def test_recipes():
    assert RECIPES["paper"] == Recipe(learning_rate=0.001, epochs=1000, batch_size=64, patience=10)
    cheap = RECIPES["cheap"]
    assert [cheap.rate(done) for done in (0, 0.5)] == [0.02, pytest.approx(0.01)]
    assert cheap.rate(1) == pytest.approx(0)
    assert Recipe(learning_rate=0.3, epochs=1).rate(0.9) == 0.3


def test_as_many_neurons_as_the_longest_polynomial_asks_for():
    lengths = (1, 3, 2)
    polynomials = [sample_polynomials(1, 2, sparsity=length)[0] for length in lengths]
    nets = train_lambda_nets(polynomials, recipe=UNTRAINED, progress=False)
    assert nets.n_hidden == 15


def test_the_cheap_recipe_learns():
    polynomials = sample_polynomials(6, 2, seed=0)
    nets = train_lambda_nets(polynomials, progress=False)
    assert nets.n_hidden == 10  # five times the terms, as in Table 2
    assert set(nets.epochs) == {50}
    X = np.random.default_rng(9).random((2000, 2))
    targets = np.array([g(X) for g in polynomials])
    errors = np.abs(nets.predict(X) - targets).mean(axis=1)
    constant = np.abs(targets - np.median(targets, axis=1, keepdims=True)).mean(axis=1)
    assert errors.mean() < 0.1 * constant.mean()
    np.testing.assert_allclose(nets.test_error, errors, rtol=0.2)


# Rows, noise and first weights


def test_the_split_of_the_paper(monkeypatch):
    seen = []
    for name in ("_epoch", "_error"):
        real = getattr(_stack.Stack, name)

        def recorded(self, state, X, y, *more, real=real):
            seen.append((X, y))
            return real(self, state, X, y, *more)

        monkeypatch.setattr(_stack.Stack, name, recorded)
    recipe = Recipe(learning_rate=0.02, epochs=1, patience=1)
    now = settings(n_samples=5000, recipe=recipe)
    nets = train_lambda_nets(POLYNOMIALS, n_hidden=10, recipe=recipe, progress=False)
    X, targets, noisy, _ = population._draw(POLYNOMIALS, now, 0)
    for part, (inputs, outputs) in zip((slice(2813), slice(2813, 3750)), seen, strict=True):
        np.testing.assert_array_equal(inputs, X[:, :, part])
        np.testing.assert_array_equal(outputs, noisy[:, part])
    # The other 1250 rows are for the test error.
    found = nets.predict(X[:, :-1, 3750:].transpose(0, 2, 1))
    assert found.shape[1] == 1250
    expected = np.abs(found - targets[:, 3750:]).mean(axis=1)
    np.testing.assert_allclose(nets.test_error, expected, rtol=1e-6)


def test_each_network_has_its_own_rows():
    X, targets, noisy, _ = population._draw(POLYNOMIALS, settings(), 0)
    assert X.dtype == noisy.dtype == np.float32
    assert (X[:, -1] == 1).all()
    assert len(np.unique(X[:, :-1])) > 0.99 * X[:, :-1].size
    assert X[:, :-1].min() >= 0
    assert X[:, :-1].max() < 1
    np.testing.assert_array_equal(noisy, targets.astype(np.float32))
    for k, g in enumerate(POLYNOMIALS):
        np.testing.assert_allclose(targets[k], g(X[k, :-1].T), rtol=1e-12)
        # They belong to the number of the network, not to its stack.
        alone = population._draw([g], settings(), k)
        np.testing.assert_array_equal(alone[0][0], X[k])
    other = population._draw(POLYNOMIALS, settings(seed=1), 0)[0]
    assert not (other[:, :-1] == X[:, :-1]).any()


def test_first_weights():
    options = {"recipe": UNTRAINED, "n_hidden": 400}
    own, shared = (quick(initialisation=kind, **options) for kind in ("independent", "shared"))
    for nets in (own, shared):
        assert not nets.hidden_biases.any()
        assert not nets.output_biases.any()
        for weights, inputs, outputs in (
            (nets.hidden_weights[0], 2, 400),
            (nets.output_weights[0], 400, 1),
        ):
            limit = math.sqrt(6 / (inputs + outputs))
            assert np.abs(weights).max() == pytest.approx(limit, rel=0.02)
            assert weights.std() == pytest.approx(limit / math.sqrt(3), rel=0.1)
    assert len(np.unique(own.hidden_weights)) == own.hidden_weights.size
    assert (shared.hidden_weights == shared.hidden_weights[0]).all()
    assert (shared.output_weights == shared.output_weights[0]).all()


def test_shared_first_weights_are_all_that_is_shared():
    draws = [
        population._draw(POLYNOMIALS, settings(initialisation=kind), 0)
        for kind in ("independent", "shared")
    ]
    np.testing.assert_array_equal(draws[0][0], draws[1][0])
    nets = quick(initialisation="shared")
    assert (nets.hidden_weights[1:] != nets.hidden_weights[0]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("level", [0.1, 0.3])
def test_noise_is_measured_in_ranges_of_the_target(level):
    X, targets, noisy, _ = population._draw(POLYNOMIALS, settings(noise=level, n_samples=5000), 0)
    clean = population._draw(POLYNOMIALS, settings(n_samples=5000), 0)
    np.testing.assert_array_equal(X, clean[0])
    np.testing.assert_array_equal(targets, clean[1])
    spread = targets.max(axis=1) - targets.min(axis=1)
    errors = (noisy - targets) / spread[:, None]
    np.testing.assert_allclose(errors.std(axis=1), level, rtol=0.05)
    np.testing.assert_allclose(errors.mean(axis=1), 0, atol=level / 15)


def test_the_test_error_is_taken_without_noise():
    clean, noisy = (quick(recipe=UNTRAINED, noise=level) for level in (0, 0.3))
    np.testing.assert_array_equal(clean.test_error, noisy.test_error)
    assert not np.array_equal(quick().test_error, quick(noise=0.3).test_error)


# Workers


@pytest.mark.parametrize("workers", [{"backend": "threading"}, {"backend": "loky"}], ids=str)
def test_two_workers_give_the_result_of_one(whole, tmp_path, workers):
    with joblib.parallel_config(**workers):
        assert_equal(quick(n_jobs=2, folder=tmp_path), whole)
    assert_equal(quick(folder=tmp_path), whole)
    threads = torch.get_num_threads()
    assert_equal(quick(n_jobs=1), whole)
    assert torch.get_num_threads() == threads


def test_a_dask_cluster_gives_the_result_of_one_worker(whole):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        host="127.0.0.1",
        protocol="tcp://",
        dashboard_address=None,
    )
    with cluster, distributed.Client(cluster) as client:
        addresses = [cluster.scheduler_address, *client.scheduler_info()["workers"]]
        assert len(addresses) == 3
        assert all(address.startswith("tcp://127.0.0.1:") for address in addresses)
        with joblib.parallel_config(backend="dask"):
            found = quick()
        assert client.scheduler_info()["workers"]
        done = client.run(lambda dask_worker: dask_worker.state.executed_count)
        assert sum(done.values()) >= 3
    assert_equal(found, whole)


def test_the_same_call_and_another_seed(whole):
    assert_equal(quick(), whole)
    assert_equal(quick(tuple(POLYNOMIALS)), whole)
    assert_equal(quick(iter(POLYNOMIALS)), whole)
    other = quick(seed=1)
    assert not (other.hidden_weights == whole.hidden_weights).any()


# Shards


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("shard-*.safetensors"))


def content(path: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return what a file says; the order within its header may differ."""
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
        return file.metadata(), tensors


SCRIPT = """
import sys, time
from xai_course.inet import Recipe, population, train_lambda_nets
from xai_course.polynomials import sample_polynomials
real = population._train_shard
def slow(polynomials, settings, number, first):
    if number == int(sys.argv[2]):
        print("ready", flush=True)
        sys.stdin.readline()
    return real(polynomials, settings, number, first)
population._train_shard = slow
recipe = Recipe(learning_rate=0.02, epochs=2)
train_lambda_nets(sample_polynomials(5, 2, seed=3), recipe=recipe, n_samples=64, shard_size=2,
                  progress=False, folder=sys.argv[1])
"""


def at_shard(number: int, folder: Path) -> subprocess.Popen:
    """Return a process that waits for a line before it trains this shard."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(number)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes)


def test_a_killed_process(whole, tmp_path, trained):
    with at_shard(2, tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    finished = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shards(tmp_path)}
    assert len(finished) == 2
    assert_equal(quick(folder=tmp_path), whole)
    assert trained == [2]
    assert_equal(quick(folder=tmp_path), whole)
    assert trained == [2]
    for path, before in finished.items():
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_two_processes_in_one_folder(whole, tmp_path):
    with at_shard(0, tmp_path) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        assert_equal(quick(folder=tmp_path), whole)
    assert process.returncode == 0
    assert len(list(tmp_path.iterdir())) == 3
    assert_equal(quick(folder=tmp_path), whole)


def test_a_worker_that_raises(whole, tmp_path, monkeypatch, trained):
    real = population._train_shard

    def broken(polynomials, settings, number, first):
        if number == 1:
            raise MemoryError("no more memory")
        return real(polynomials, settings, number, first)

    monkeypatch.setattr(population, "_train_shard", broken)
    with pytest.raises(MemoryError, match="no more memory"):
        quick(folder=tmp_path)
    monkeypatch.setattr(population, "_train_shard", real)
    trained.clear()
    assert [path.name for path in shards(tmp_path)] == ["shard-00000.safetensors"]
    assert_equal(quick(folder=tmp_path), whole)
    assert sorted(trained) == [1, 2]


def test_files_hold_float32_tensors_and_settings(whole, tmp_path):
    quick(folder=tmp_path / "a" / "b")
    paths = shards(tmp_path / "a" / "b")
    assert len(paths) == len(list((tmp_path / "a" / "b").iterdir())) == 3
    first = load_file(paths[0])
    assert {array.dtype for array in first.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(first["hidden_weights"], whole.hidden_weights[:2])
    np.testing.assert_array_equal(first["test_error"], whole.test_error[:2])


def test_more_polynomials_go_on_from_whole_shards(whole, tmp_path, trained):
    quick(POLYNOMIALS[:4], folder=tmp_path)
    assert_equal(quick(folder=tmp_path), whole)
    assert trained == [0, 1, 2]


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b[:100],
        lambda b: b"",
        lambda b: b"not tensors at all",
        lambda b: bytes(len(b)),
        lambda b: b[:-40] + bytes([b[-40] ^ 1]) + b[-39:],
        lambda b: b.replace(b"seed", b"sEed"),
        lambda b: b + b"\0",
    ],
    ids=["last byte", "cut", "empty", "garbage", "zeros", "one bit", "settings", "longer"],
)
def test_a_damaged_shard_is_made_again(whole, tmp_path, trained, damage):
    quick(folder=tmp_path)
    path = shards(tmp_path)[1]
    before = content(path)
    path.write_bytes(damage(path.read_bytes()))
    trained.clear()
    with pytest.warns(
        UserWarning, match=r"shard-00001.safetensors cannot be read.* made again"
    ) as told:
        assert_equal(quick(folder=tmp_path), whole)
    assert len(told) == 1
    assert trained == [1]
    assert content(path) == before


def test_every_byte_of_a_shard_is_covered(tmp_path):
    one = [POLYNOMIALS[0]]
    options = {"recipe": UNTRAINED, "n_samples": 16, "n_hidden": 1}
    quick(one, folder=tmp_path, **options)
    store = population._Store(tmp_path, settings(**options), [one])
    (path,) = shards(tmp_path)
    right = path.read_bytes()
    assert store.read(0) is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(len(right)):
            path.write_bytes(right[:k] + bytes([right[k] ^ 1 << k % 8]) + right[k + 1 :])
            assert store.read(0) is None, k


def test_a_file_of_another_kind_is_made_again(whole, tmp_path):
    save_file({"a": np.zeros(3, dtype=np.float32)}, tmp_path / "shard-00000.safetensors")
    with pytest.warns(UserWarning, match="damaged"):
        assert_equal(quick(folder=tmp_path), whole)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"recipe": Recipe(learning_rate=0.01, epochs=2)}, "recipe"),
        ({"n_hidden": 11}, "n_hidden"),
        ({"initialisation": "shared"}, "initialisation"),
        ({"noise": 0.1, "seed": 3}, "noise, seed"),
        ({"n_samples": 65}, "n_samples"),
        ({"polynomials": sample_polynomials(5, 2, seed=4)}, "polynomials"),
        ({"shard_size": 3}, "polynomials"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_folder_of_other_settings(whole, tmp_path, trained, change, named):
    quick(folder=tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    trained.clear()
    with pytest.raises(OSError, match=f"shard-00000.* other settings: it differs in {named}. It w"):
        quick(folder=tmp_path, **change)
    assert trained == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert_equal(quick(folder=tmp_path), whole)


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fsync", OSError(28, "No space left on device")),
        ("replace", OSError(13, "Permission denied")),
    ],
    ids=["full disk", "unwritable"],
)
def test_a_shard_that_cannot_be_written(whole, tmp_path, monkeypatch, trained, function, error):
    quick(POLYNOMIALS[:2], folder=tmp_path)
    before = shards(tmp_path)[0].read_bytes()

    def fails(*arguments):
        raise error

    monkeypatch.setattr(os, function, fails)
    message = rf"shard-00001.safetensors could not be written: {error.strerror}. An older file"
    with pytest.raises(OSError, match=message):
        quick(folder=tmp_path)
    monkeypatch.undo()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [before]
    trained.clear()
    assert_equal(quick(folder=tmp_path), whole)


def test_a_folder_that_cannot_be(tmp_path, trained):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(OSError, match="file cannot hold shards: File exists"):
        quick(folder=path)
    with pytest.raises(OSError, match="cannot hold shards: Not a directory"):
        quick(folder=path / "below")
    assert trained == []
    assert path.read_text() == "mine"


# Progress and bad input


def test_progress_is_in_networks_per_second(tmp_path, capsys):
    quick(folder=tmp_path)
    assert capsys.readouterr() == ("", "")
    shards(tmp_path)[2].unlink()
    quick(folder=tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "4/5" in shown  # what was there before counts as done
    assert "5/5" in shown
    assert "net/s" in shown
    assert shown.isascii()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"polynomials": []}, ValueError, "At least one polynomial is needed"),
        (
            {"polynomials": [POLYNOMIALS[0], "x"]},
            TypeError,
            "Polynomial 1 is no SparsePoly.* a str",
        ),
        (
            {"polynomials": POLYNOMIALS + sample_polynomials(1, 3)},
            ValueError,
            r"must have the same variables, got \[2, 3\]",
        ),
        ({"recipe": "best"}, ValueError, r"recipe must be one of \['cheap', 'paper'\] .*'best'"),
        ({"recipe": ["cheap"]}, ValueError, "recipe must be one of"),
        (
            {"initialisation": "same"},
            ValueError,
            "initialisation must be 'independent' or 'shared'",
        ),
        ({"noise": -0.1}, ValueError, "noise must be a number from 0, got -0.1"),
        ({"noise": np.nan}, ValueError, "noise must be a number from 0"),
        ({"noise": "much"}, ValueError, "noise must be a number from 0, got 'much'"),
        ({"n_hidden": 0}, ValueError, "n_hidden must be a whole number from 1 on"),
        ({"n_hidden": 2.5}, ValueError, "n_hidden must be a whole number from 1 on"),
        ({"n_samples": 15}, ValueError, "n_samples must be a whole number from 16 on"),
        ({"seed": -1}, ValueError, "seed must be a whole number from 0 on"),
        ({"shard_size": 0}, ValueError, "shard_size must be a whole number from 1 on"),
        ({"device": "gpu"}, ValueError, "device must be 'cpu' or 'cuda', got 'gpu'"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
    ],
    ids=str,
)
def test_bad_input(change, error, message, tmp_path, trained):
    with pytest.raises(error, match=message):
        quick(folder=tmp_path / "new", **change)
    assert trained == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number above 0, got 0"),
        ({"learning_rate": math.inf}, "learning_rate must be a number above 0"),
        ({"epochs": -1}, "epochs must be a whole number from 0 on"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 on"),
        ({"patience": 0}, "patience must be a whole number from 1 on"),
        ({"min_delta": -1}, "min_delta must be a number from 0"),
    ],
    ids=str,
)
def test_bad_recipes(change, message):
    with pytest.raises(ValueError, match=message):
        replace(STEPS, **change)


def test_a_training_that_diverges_is_told():
    with pytest.raises(ValueError, match="must be finite"):
        quick(recipe=Recipe(learning_rate=1e38, epochs=3))


def test_numbers_of_numpy_are_settings_too(tmp_path):
    recipe = Recipe(learning_rate=np.float64(0.02), epochs=np.int64(2))
    found = quick(recipe=recipe, noise=np.float32(0), seed=np.int64(0), folder=tmp_path)
    assert_equal(found, quick(folder=tmp_path))


def test_one_variable_and_one_term():
    nets = quick([SparsePolynomial([1.0], [[3]])])
    assert (nets.n_variables, nets.n_hidden, len(nets)) == (1, 5, 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu():
    with pytest.raises(ValueError, match="device='cuda', but torch sees no GPU"):
        quick(device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_gives_the_result_of_the_cpu(whole):
    nets = quick(device="cuda")
    np.testing.assert_allclose(nets.parameters(), whole.parameters(), atol=1e-4)
