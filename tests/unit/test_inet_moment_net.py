"""The I-Net that reads moments: what it explains, what it refuses, and how it is trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import qmc

from xai_course.inet import (
    InterpretationNetwork,
    LambdaNets,
    Recipe,
    closed_form_moments,
    fidelity_error,
    moment_map,
    moment_net,
    train_interpretation_network,
    train_lambda_nets,
)
from xai_course.inet.moment_map import MomentMap, _Pool, scaled_units
from xai_course.inet.moment_net import PRETRAINED, Explanation
from xai_course.polynomials import (
    SparsePolynomial,
    monomial_exponents,
    monomial_values,
    orthonormal_basis,
    sample_polynomials,
)

QUICK = Recipe(learning_rate=0.02, epochs=15, cosine=True)
FEW = {"hidden": (32, 32), "steps": 60, "batch_size": 8, "progress": False}


@pytest.fixture(scope="module")
def nets() -> LambdaNets:
    targets = sample_polynomials(40, 2, seed=3)
    return train_lambda_nets(targets, recipe=QUICK, n_samples=800, seed=3, progress=False)


@pytest.fixture(scope="module")
def trained(nets) -> InterpretationNetwork:
    return train_interpretation_network(
        nets, hidden=(64, 64), steps=600, batch_size=16, progress=False
    )


def tensors(reader: InterpretationNetwork) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in reader.module.state_dict().items()}


def uniform(n: int, rows: int = 2000) -> np.ndarray:
    return np.random.default_rng(5).uniform(size=(rows, n))


# What it explains


def test_moments_of_the_closed_form_are_the_projection(nets) -> None:
    X = uniform(2, 200_000)
    basis = monomial_values(X, monomial_exponents(2, 3)) @ orthonormal_basis(2, 3).T
    sampled = nets[:5].predict(X) @ basis / len(X)
    found = InterpretationNetwork.closed_form(2).moments(nets[:5])
    np.testing.assert_allclose(found, sampled, atol=5e-3)


def test_training_brings_the_moments_near_the_closed_form(nets, trained) -> None:
    held_out = train_lambda_nets(
        sample_polynomials(20, 2, seed=4), recipe=QUICK, n_samples=800, seed=4, progress=False
    )
    exact = closed_form_moments(held_out)
    error = np.sqrt(((trained.moments(held_out) - exact) ** 2).sum(axis=1))
    size = np.sqrt((exact**2).sum(axis=1))
    assert (error / size).mean() < 0.1
    untrained = train_interpretation_network(nets, **FEW | {"steps": 1})
    worse = np.sqrt(((untrained.moments(held_out) - exact) ** 2).sum(axis=1))
    assert error.mean() < worse.mean() / 5


def test_explanations_do_not_depend_on_order_and_scale_of_neurons(nets, trained) -> None:
    for reader in (trained, InterpretationNetwork.closed_form(2)):
        for other in (nets.permuted(1), nets.canonical()):
            np.testing.assert_allclose(reader.moments(nets), reader.moments(other), atol=1e-5)


def test_a_batch_says_what_each_network_alone_says(nets, trained) -> None:
    together = trained.explain(nets[:6])
    for k, explanation in enumerate(together):
        alone = trained.explain(nets[k])[0]
        np.testing.assert_array_equal(alone.exponents, explanation.exponents)
        np.testing.assert_allclose(alone.coef, explanation.coef, atol=1e-4)


def test_networks_of_any_width_are_read(trained) -> None:
    wide = train_lambda_nets(
        sample_polynomials(3, 2, seed=9),
        n_hidden=37,
        recipe=QUICK,
        n_samples=800,
        progress=False,
    )
    errors = fidelity_error(wide, trained.explain(wide), uniform(2))
    assert (errors < 0.1).all()


def test_the_estimated_error_is_near_the_error_on_fresh_points(nets, trained) -> None:
    explanations = trained.explain(nets)
    fresh = fidelity_error(nets, explanations, uniform(2, 20_000))
    np.testing.assert_allclose([e.estimated_error for e in explanations], fresh, rtol=0.25)


def test_the_estimated_error_is_measured_on_256_points_that_are_always_the_same(nets) -> None:
    points = qmc.Sobol(2, seed=2022).random(256)
    explanations = InterpretationNetwork.closed_form(2).explain(nets[:5])
    values = nets[:5].predict(points)
    error = fidelity_error(nets[:5], explanations, points)
    constant = np.abs(values - np.median(values, axis=1, keepdims=True)).mean(axis=1)
    np.testing.assert_allclose([e.estimated_error for e in explanations], error)
    np.testing.assert_allclose([e.relative_error for e in explanations], error / constant)


def test_more_terms_describe_better(nets) -> None:
    reader, X = InterpretationNetwork.closed_form(2), uniform(2)
    one, six = (fidelity_error(nets, reader.explain(nets, sparsity=s), X).mean() for s in (1, 6))
    assert six < one


# The flag


def test_a_network_that_no_sparse_polynomial_fits_is_flagged() -> None:
    # A zigzag along one variable: ten teeth that no cubic follows.
    knots = np.arange(0, 1, 0.1)
    steps = np.where(np.arange(10) % 2 == 0, 20.0, -20.0)
    steps[0] = 10.0
    zigzag = LambdaNets(np.ones((1, 10, 1)), -knots[None], steps[None], [0.0])
    explanation = InterpretationNetwork.closed_form(1).explain(zigzag, sparsity=2)[0]
    assert not explanation.fits
    assert explanation.relative_error > 0.8
    assert "no polynomial of 2 terms" in str(explanation)


def test_a_cubic_network_is_not_flagged(nets) -> None:
    explanation = InterpretationNetwork.closed_form(2).explain(nets, sparsity=6)[0]
    assert explanation.fits
    assert "no polynomial" not in str(explanation)


def test_a_constant_network_is_explained_exactly() -> None:
    flat = LambdaNets(np.zeros((1, 2, 3)), np.zeros((1, 2)), np.zeros((1, 2)), [1.5])
    explanation = InterpretationNetwork.closed_form(3).explain(flat, sparsity=1)[0]
    assert explanation.estimated_error == pytest.approx(0, abs=1e-12)
    assert explanation.fits


def test_an_explanation_is_a_polynomial() -> None:
    g = Explanation([2.0], [[1, 0]], estimated_error=0.1, relative_error=0.2)
    assert isinstance(g, SparsePolynomial)
    assert g([[0.5, 9.0]]).tolist() == [1.0]
    assert str(g).startswith("2 x0  (MAE about 0.1")


# The moment map


def test_the_map_knows_reflections_and_missing_variables() -> None:
    torch.manual_seed(0)
    module = MomentMap(3, 3, (16, 16))
    weights = np.array([[0.5, -0.7, 0.0], [0.5, 0.7, 0.0]])
    directions, centres, _ = scaled_units(weights, np.array([0.2, -0.5]))
    np.testing.assert_allclose(centres[0], centres[1], atol=1e-7)  # 0.2 - 0.1 and -0.5 + 0.6
    with torch.no_grad():
        first, second = module(*map(torch.as_tensor, (directions, centres))).numpy()
    exponents = monomial_exponents(3, 3)
    odd = exponents[:, 1] % 2 == 1
    np.testing.assert_allclose(first[odd], -second[odd], atol=1e-7)
    np.testing.assert_allclose(first[~odd], second[~odd], atol=1e-7)
    assert (first[exponents[:, 2] > 0] == 0).all()


def test_batches_hold_true_moments_in_any_order_of_the_variables(nets) -> None:
    pool = _Pool(nets, 3)
    directions, centres, targets, amplitude, owner = pool.batch(np.random.default_rng(0), 4)
    biases = (centres[:, 0] - directions.sum(axis=1) / 2).astype(float)
    exact = LambdaNets(
        directions[:, None].astype(float),
        biases[:, None],
        np.ones((len(biases), 1)),
        np.zeros(len(biases)),
    )
    affine = np.zeros_like(targets)
    affine[:, -1] = centres[:, 0] / 2
    affine[:, monomial_exponents(2, 3).sum(axis=1) == 1] = directions / np.sqrt(12) / 2
    np.testing.assert_allclose(closed_form_moments(exact) - affine, targets, atol=1e-5)
    assert len(amplitude) == len(owner) == len(targets)
    assert owner.max() == 3


def test_a_batch_has_its_variables_in_random_order() -> None:
    # Every unit bends along the first variable only, so a batch shows where that has gone.
    along = LambdaNets([[[1.0, 0, 0]]] * 4, [[-0.5]] * 4, np.ones((4, 1)), np.zeros(4))
    pool, rng = _Pool(along, 2), np.random.default_rng(0)
    places = {int(pool.batch(rng, 2)[0][0].argmax()) for _ in range(40)}
    assert places == {0, 1, 2}


def test_a_plain_loop_gives_the_same_weights(nets) -> None:
    steps, rate, size, seed = 23, 3e-3, 5, 4
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = MomentMap(2, 3, (12, 8))
    optimizer, pool, losses = torch.optim.Adam(module.parameters()), _Pool(nets, 3), []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 + np.cos(np.pi * step / steps)) / 2
        batch = map(torch.as_tensor, pool.batch(np.random.default_rng([seed, step]), size))
        directions, centres, targets, amplitude, owner = batch
        error = (module(directions, centres) - targets) * amplitude[:, None]
        sums = torch.zeros(size, error.shape[1]).index_add_(0, owner, error)
        loss = (sums.square().sum() + error.square().sum()) / size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    options = {"hidden": (12, 8), "steps": steps, "learning_rate": rate, "seed": seed}
    found = train_interpretation_network(nets, batch_size=size, progress=False, **options)
    for name, tensor in module.state_dict().items():
        np.testing.assert_array_equal(tensors(found)[name], tensor.numpy())
    assert found.log["step"] == list(range(1, steps + 1))
    assert found.log["loss"] == losses


def test_the_map_is_as_wide_as_the_shipped_ones_unless_given(nets) -> None:
    found = train_interpretation_network(nets, steps=1, progress=False)
    shipped = InterpretationNetwork.from_pretrained(5)
    assert found.log["network"]["hidden"] == shipped.log["network"]["hidden"]
    assert found.module.hidden == (256, 256)


def test_the_log_holds_fifty_means(nets) -> None:
    log = train_interpretation_network(nets, **FEW | {"steps": 100}).log
    assert log["step"] == list(range(2, 101, 2))
    assert len(log["loss"]) == 50
    assert log["settings"]["steps"] == 100


# What it refuses


@pytest.mark.parametrize("n", [2, 0, "5"])
def test_an_unknown_pretrained_network_is_refused(n) -> None:
    with pytest.raises(ValueError, match=r"1, 5, 10, 15 variables, not for"):
        InterpretationNetwork.from_pretrained(n)


def test_networks_of_another_number_of_variables_are_refused(nets) -> None:
    with pytest.raises(ValueError, match=r"reads networks of 3 variable\(s\), got 2"):
        InterpretationNetwork.closed_form(3).explain(nets)


def test_inputs_outside_the_cube_are_refused_with_the_way_out(nets) -> None:
    reader = InterpretationNetwork.closed_form(2)
    X = np.array([[0.2, 0.5], [0.3, 1.4]])
    with pytest.raises(ValueError, match=r"column 1 of X runs from 0\.5 to 1\.4.*on_unit_box"):
        reader.explain(nets, X=X)
    bounds = np.array([[0.0, 1.0], [0.0, 2.0]])
    scaled = nets.on_unit_box(bounds)
    assert reader.explain(scaled, X=X / bounds[:, 1])
    with pytest.raises(ValueError, match="2 column"):
        reader.explain(nets, X=X[:, :1])


def test_nan_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden_weights must be finite"):
        LambdaNets(np.full((1, 2, 2), np.nan), np.zeros((1, 2)), np.zeros((1, 2)), [0.0])


def test_polynomials_and_networks_must_pair(nets) -> None:
    with pytest.raises(ValueError, match=r"40 network\(s\) but 1 polynomial"):
        fidelity_error(nets, sample_polynomials(1, 2), uniform(2))


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"batch_size": 0}, {"sparsity": 0}, {"seed": -1}, {"learning_rate": 0.0}],
)
def test_bad_settings_are_refused(nets, bad) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        train_interpretation_network(nets, **FEW | bad)


def test_networks_without_a_bend_teach_nothing() -> None:
    flat = LambdaNets(np.ones((1, 2, 2)), np.ones((1, 2)), np.ones((1, 2)), [0.0])
    with pytest.raises(ValueError, match="bends inside"):
        train_interpretation_network(flat, **FEW)


# Files


def test_saved_and_loaded_networks_say_the_same(nets, trained, tmp_path) -> None:
    trained.save(tmp_path / "inet.safetensors")
    again = InterpretationNetwork.load(tmp_path / "inet.safetensors")
    np.testing.assert_array_equal(again.moments(nets), trained.moments(nets))
    assert again.log["settings"] == trained.log["settings"]
    assert [p.name for p in tmp_path.iterdir()] == ["inet.safetensors"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_file_is_refused(trained, tmp_path, damage) -> None:
    path = tmp_path / "inet.safetensors"
    trained.save(path)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-3] ^= 1
    changed = {"cut": content[:-9], "flip": content, "empty": b"", "text": b"not a network"}
    path.write_bytes(changed[damage])
    with pytest.raises(OSError, match="cannot be read"):
        InterpretationNetwork.load(path)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(OSError, match=r"nothing\.safetensors"):
        InterpretationNetwork.load(tmp_path / "nothing.safetensors")


def test_the_closed_form_has_nothing_to_save(tmp_path) -> None:
    with pytest.raises(ValueError, match="no weights"):
        InterpretationNetwork.closed_form(2).save(tmp_path / "x")


class Stopped(Exception):
    pass


def test_a_stopped_training_goes_on_to_the_same_weights(nets, tmp_path, monkeypatch) -> None:
    whole = train_interpretation_network(nets, **FEW)
    path = tmp_path / "run.safetensors"
    batch = _Pool.batch
    calls = []

    def stopping(self, rng, size):
        calls.append(1)
        if len(calls) == 30:
            raise Stopped
        return batch(self, rng, size)

    monkeypatch.setattr(moment_map, "_PAUSE", 0.0)
    monkeypatch.setattr(_Pool, "batch", stopping)
    with pytest.raises(Stopped):
        train_interpretation_network(nets, checkpoint=path, **FEW)
    monkeypatch.setattr(_Pool, "batch", batch)
    again = train_interpretation_network(nets, checkpoint=path, **FEW)
    for name, values in tensors(whole).items():
        np.testing.assert_array_equal(tensors(again)[name], values)
    with pytest.raises(OSError, match="belongs to another run"):
        train_interpretation_network(nets, checkpoint=path, **FEW | {"steps": 61})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OSError, match="cannot be read"):
        train_interpretation_network(nets, checkpoint=path, **FEW)


def test_a_checkpoint_that_cannot_be_written_costs_no_training(nets, tmp_path) -> None:
    with pytest.raises(OSError, match="could not be written"):
        train_interpretation_network(nets, checkpoint=tmp_path / "no folder" / "run", **FEW)


def test_the_seed_decides_the_result(nets) -> None:
    one, same, other = (train_interpretation_network(nets, seed=s, **FEW) for s in (1, 1, 2))
    name = "layers.0.weight"
    np.testing.assert_array_equal(tensors(one)[name], tensors(same)[name])
    assert not np.array_equal(tensors(one)[name], tensors(other)[name])


# The shipped ones


@pytest.mark.parametrize("n", list(PRETRAINED))
def test_shipped_networks_explain_what_they_never_saw(n) -> None:
    degree, sparsity = PRETRAINED[n]
    reader = InterpretationNetwork.from_pretrained(n)
    assert (reader.n_variables, reader.degree, reader.sparsity) == (n, degree, sparsity)
    assert "seconds" in reader.log
    path = moment_net.WEIGHTS / f"{n}.safetensors"
    assert path.stat().st_size <= 4 * 2**20
    targets = sample_polynomials(8, n, degree, sparsity, seed=77)
    held_out = train_lambda_nets(targets, recipe="cheap", seed=77, progress=False)
    X = uniform(n)
    learned = fidelity_error(held_out, reader.explain(held_out), X)
    closed = InterpretationNetwork.closed_form(n, degree, sparsity)
    exact = fidelity_error(held_out, closed.explain(held_out), X)
    assert learned.mean() < 1.5 * exact.mean() + 0.002
    values = held_out.predict(X)
    constant = np.abs(values - np.median(values, axis=1, keepdims=True)).mean()
    assert learned.mean() < 0.3 * constant


def test_a_damaged_shipped_file_is_refused(tmp_path, monkeypatch) -> None:
    content = bytearray((moment_net.WEIGHTS / "5.safetensors").read_bytes())
    content[-1] ^= 255
    (tmp_path / "5.safetensors").write_bytes(content)
    monkeypatch.setattr(moment_net, "WEIGHTS", tmp_path)
    with pytest.raises(OSError, match=r"cannot be read.*reproduce/inet.py train 5"):
        InterpretationNetwork.from_pretrained(5)
    with pytest.raises(OSError, match=r"10.safetensors.*reproduce/inet.py train 10"):
        InterpretationNetwork.from_pretrained(10)
