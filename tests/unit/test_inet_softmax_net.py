"""The paper's I-Net: what it reads, what it writes, and that its training can be stopped."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import random_networks
import torch
from scipy import stats

from xai_course.inet import LambdaNets, softmax_net, train_lambda_nets
from xai_course.inet.softmax_net import SoftmaxInterpretationNetwork, train_softmax_network
from xai_course.polynomials import evaluate_polynomials, sample_polynomials
from xai_course.training import Settings, Step, reproducible

ENCODERS = ("flat", "canonical", "sum")
SMALL = {"hidden": (16,), "n_points": 50, "batch_size": 32, "progress": False}


random_nets = partial(random_networks.random_nets, n_nets=40, n_hidden=4, n_variables=2)


def mean_error(lambda_nets, polynomials) -> float:
    X = np.random.default_rng(7).random((500, lambda_nets.n_variables))
    return np.abs(lambda_nets.predict(X) - evaluate_polynomials(polynomials, X)).mean()


def weights(inet: SoftmaxInterpretationNetwork) -> dict[str, torch.Tensor]:
    return inet._module.state_dict()


def assert_same_weights(one, other) -> None:
    assert all(torch.equal(tensor, weights(other)[name]) for name, tensor in weights(one).items())


@pytest.fixture(scope="module")
def trained():
    """Return lambda-nets that learned polynomials, to learn from."""
    return train_lambda_nets(
        sample_polynomials(400, 2, degree=2, seed=1), n_samples=800, seed=1, progress=False
    )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_output_layer_is_that_of_figure_3(encoder):
    nets = random_nets()
    inet = train_softmax_network(nets, encoder=encoder, sparsity=3, epochs=1, **SMALL)
    coef, chance = inet.outputs(nets[:5])
    assert coef.shape == (5, 3)
    assert chance.shape == (5, 3, 10)
    np.testing.assert_allclose(chance.sum(axis=2), 1, atol=1e-12)
    hard, soft = inet.explain(nets[:5]), inet.soft(nets[:5])
    assert [len(g) for g in hard] == [3] * 5
    assert [len(g) for g in soft] == [10] * 5
    np.testing.assert_array_equal(hard[2].coef, coef[2])
    assert all(g.degree <= 3 and g.n_variables == 2 for g in hard)


def test_the_sparsity_is_the_number_of_variables_unless_given():
    assert train_softmax_network(random_nets(), epochs=0, **SMALL).sparsity == 2


def test_batches_and_points_are_those_of_table_2_unless_given():
    inet = train_softmax_network(random_nets(), epochs=0, hidden=(8,), progress=False)
    assert inet.log["settings"]["batch_size"] == 256
    assert inet._design.n_points == 500


def test_soft_and_hard_agree_where_each_softmax_is_certain():
    nets = random_nets()
    inet = train_softmax_network(nets, epochs=1, **SMALL)
    assert np.ptp([g.to_dense(3) for g in inet.soft(nets)]) > 0
    with torch.no_grad():
        inet._module.index.weight.zero_()
        inet._module.index.bias.zero_()
        inet._module.index.bias[[4, 10 + 7]] = 1e4
    dense = np.array([g.to_dense(3) for g in inet.explain(nets)])
    np.testing.assert_allclose(dense, [g.to_dense(3) for g in inet.soft(nets)], atol=1e-12)
    assert set(np.flatnonzero(dense.any(axis=0))) == {4, 7}


def test_the_loss_is_the_mean_absolute_error_of_the_soft_polynomial():
    nets = random_nets()
    inet = train_softmax_network(nets, epochs=1, **SMALL)
    plan = Settings(epochs=1, batch_size=8)
    design = replace(inet._design, n_points=4000)
    objective = softmax_net._Objective(nets, design, plan, "cpu")
    points = objective.points(np.random.default_rng(3))
    loss, _ = objective.parts(inet._module, np.arange(40), points)
    X = points[0][:, :-1].double().numpy()
    wanted = np.abs(nets.predict(X) - evaluate_polynomials(inet.soft(nets), X)).mean()
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("done", [0.25, 0.5])
def test_straight_through_adds_the_entropy_and_takes_the_arg_max_in_the_second_half(done):
    nets = random_nets()
    inet = train_softmax_network(nets, epochs=1, **SMALL)
    plan = Settings(epochs=8, batch_size=8, patience=None)
    design = replace(inet._design, straight_through=True)
    objective = softmax_net._Objective(nets, design, plan, "cpu")
    step = Step(np.random.default_rng(3), 8 * done)
    found = float(objective.loss(inet._module, np.arange(40), step).detach())
    X = objective.points(np.random.default_rng(3))[0][:, :-1].double().numpy()
    polynomials = inet.explain(nets) if done == 0.5 else inet.soft(nets)
    error = np.abs(nets.predict(X) - evaluate_polynomials(polynomials, X)).mean()
    entropy = stats.entropy(inet.outputs(nets)[1], axis=2).mean()
    assert found == pytest.approx(error + 0.03 * done * entropy, rel=1e-5)


def test_the_arg_max_has_the_gradient_of_the_softmax():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    chance = logits.softmax(dim=2)
    hard = softmax_net._arg_max(chance)
    assert torch.equal(hard.detach().argmax(2), chance.argmax(2))
    torch.testing.assert_close(hard.detach().sum(2), torch.ones(2, 3))
    probe = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(1))
    (found,) = torch.autograd.grad((hard * probe).sum(), logits, retain_graph=True)
    (wanted,) = torch.autograd.grad((chance * probe).sum(), logits)
    torch.testing.assert_close(found, wanted)


def test_the_released_loss_trains_the_hard_polynomial_but_no_softmax_layer():
    nets = random_nets()
    before = train_softmax_network(nets, epochs=0, released_loss=True, **SMALL)
    after = train_softmax_network(nets, epochs=3, released_loss=True, **SMALL)
    for name, tensor in weights(before).items():
        assert torch.equal(tensor, weights(after)[name]) == (
            name.startswith("index") or name in ("mean", "sd", "amplitude")
        )
    longer = train_softmax_network(nets, epochs=60, released_loss=True, **SMALL)
    assert mean_error(nets, longer.explain(nets)) < mean_error(nets, before.explain(nets))


@pytest.mark.parametrize("encoder", ["canonical", "sum"])
def test_the_order_of_the_neurons_does_not_matter(encoder):
    nets = random_nets()
    inet = train_softmax_network(nets, encoder=encoder, epochs=1, **SMALL)
    for one, other in zip(inet.outputs(nets), inet.outputs(nets.permuted(3)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_order_of_the_neurons_matters_to_the_flat_network():
    nets = random_nets()
    inet = train_softmax_network(nets, epochs=1, **SMALL)
    assert np.abs(inet.outputs(nets)[0] - inet.outputs(nets.permuted(3))[0]).max() > 1e-3


def test_the_sum_reads_any_width_and_ignores_silent_neurons():
    nets = random_nets()
    inet = train_softmax_network(nets, encoder="sum", epochs=1, **SMALL)
    assert inet.n_hidden is None
    wide = LambdaNets(
        np.concatenate([nets.hidden_weights, -np.ones((40, 2, 2))], axis=1),
        np.concatenate([nets.hidden_biases, -np.ones((40, 2))], axis=1),
        np.concatenate([nets.output_weights, np.ones((40, 2))], axis=1),
        nets.output_biases,
    )
    np.testing.assert_allclose(inet.outputs(wide)[0], inet.outputs(nets)[0], atol=1e-5)


def test_the_sum_of_the_neurons_that_it_reads_is_the_network():
    nets = random_nets()
    rows = softmax_net._inputs(nets, "sum")
    X = np.column_stack([np.random.default_rng(0).random((50, nets.n_variables)), np.ones(50)])
    signals = np.maximum(rows[:, :, :-1] @ X.T, 0)
    found = (rows[:, :, -1:] * signals).sum(axis=1)
    np.testing.assert_allclose(found, nets.predict(X[:, :-1]), atol=1e-5)


@pytest.mark.parametrize("encoder", ["flat", "canonical"])
def test_another_width_is_named(encoder):
    inet = train_softmax_network(random_nets(), encoder=encoder, epochs=0, **SMALL)
    with pytest.raises(ValueError, match=r"4 hidden neurons, got 6.*'sum'"):
        inet.explain(random_nets(n_hidden=6))


def test_inputs_are_standardised_like_the_training_nets():
    nets = random_nets(n_hidden=3)
    module = train_softmax_network(nets, epochs=1, **SMALL)._module
    np.testing.assert_allclose(module.mean, nets.parameters().mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(module.sd, nets.parameters().std(axis=0), rtol=1e-5)
    constant = LambdaNets(nets.hidden_weights, 0 * nets.hidden_biases, *_outputs(nets))
    module = train_softmax_network(constant, epochs=1, **SMALL)._module
    assert torch.isfinite(module.coef.weight).all()


def _outputs(nets):
    return nets.output_weights, nets.output_biases


def test_the_sum_learns_networks_that_it_has_not_seen(trained):
    inet = train_softmax_network(
        trained[:350],
        degree=2,
        encoder="sum",
        hidden=(64,),
        epochs=40,
        learning_rate=3e-3,
        n_points=100,
        batch_size=32,
        progress=False,
    )
    held_out = trained[350:]
    X = np.random.default_rng(7).random((500, 2))
    values = held_out.predict(X)
    constant = np.abs(values - np.median(values, axis=1, keepdims=True)).mean()
    assert mean_error(held_out, inet.soft(held_out)) < 0.6 * constant
    log = inet.log["train_loss"]
    assert log[0] is None
    assert len(log) == 41
    assert log[-1] < 0.5 * log[1]


def test_straight_through_trains_the_hard_polynomial(trained):
    settings = {
        "degree": 2,
        "encoder": "sum",
        "hidden": (64,),
        "epochs": 40,
        "learning_rate": 3e-3,
        "n_points": 100,
        "batch_size": 32,
        "progress": False,
    }
    gaps = {}
    for hard in (False, True):
        inet = train_softmax_network(trained, straight_through=hard, **settings)
        soft = mean_error(trained, inet.soft(trained))
        gaps[hard] = mean_error(trained, inet.explain(trained)) - soft
    assert gaps[True] < 0.5 * gaps[False]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_training_repeats_itself(encoder):
    one, other = (
        train_softmax_network(random_nets(), encoder=encoder, epochs=2, **SMALL) for _ in "12"
    )
    assert_same_weights(one, other)
    third = train_softmax_network(random_nets(), encoder=encoder, epochs=2, seed=1, **SMALL)
    assert not torch.equal(weights(one)["coef.weight"], weights(third)["coef.weight"])


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    train_softmax_network(random_nets(), epochs=1, **SMALL)
    assert torch.equal(torch.rand(1), wanted)


def test_patience_stops_early_and_takes_the_best_weights():
    nets = random_nets()
    inet = train_softmax_network(
        nets, patience=2, epochs=200, learning_rate=0.05, **{**SMALL, "hidden": (64,)}
    )
    losses, best = inet.log["validation_loss"], inet.log["best_epoch"]
    assert len(losses) == best + 3 < 201
    assert losses[best] == min(losses)
    shorter = train_softmax_network(
        nets, patience=2, epochs=best, learning_rate=0.05, **{**SMALL, "hidden": (64,)}
    )
    assert_same_weights(inet, shorter)


def plain_training(nets, design, plan):
    """Train by the obvious loop; return the module and the loss before each epoch's end."""
    objective = softmax_net._Objective(nets, design, plan, "cpu")
    with reproducible([plan.seed, 0], torch.device("cpu")):
        module = softmax_net._Module(design)
    module.standardise_like(softmax_net._inputs(nets, design.encoder))
    optimizer = torch.optim.Adam(module.parameters(), eps=1e-7)
    order, held_out = np.arange(len(nets)), None
    if plan.patience:
        order, held_out = plan.split(len(nets))
    best, least, waited = None, np.inf, 0
    for epoch in range(1, plan.epochs + 1):
        with reproducible([plan.seed, 1, epoch], torch.device("cpu")) as rng:
            shuffled = rng.permutation(order)
            for first in range(0, len(order), plan.batch_size):
                done = (epoch - 1 + first / len(order)) / plan.epochs
                cosine = 1.0 if plan.patience else (1 + np.cos(np.pi * done)) / 2
                optimizer.param_groups[0]["lr"] = plan.learning_rate * cosine
                batch = shuffled[first : first + plan.batch_size]
                optimizer.zero_grad()
                error, entropy = objective.parts(module, batch, objective.points(rng), done)
                (error + 0.03 * done * entropy).backward()
                optimizer.step()
        if held_out is None:
            continue
        with torch.no_grad():
            points = objective.points(np.random.default_rng([plan.seed, 2]))
            loss = float(objective.parts(module, held_out, points)[0])
        waited += 1
        if loss < least:
            weights = module.state_dict().items()
            best, least, waited = {k: v.clone() for k, v in weights}, loss, 0
        if waited == plan.patience:
            break
    return best or module.state_dict()


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"epochs": 4}, {}),
        ({"epochs": 4, "seed": 2}, {"straight_through": True}),
        ({"epochs": 3, "batch_size": 7}, {"released_loss": True}),
        ({"epochs": 60, "patience": 2, "learning_rate": 0.05}, {}),
    ],
    ids=str,
)
@pytest.mark.parametrize("encoder", ["flat", "sum"])
def test_a_plain_loop_gives_the_same_weights(encoder, options, way):
    nets = random_nets()
    settings = {**SMALL, "encoder": encoder, "learning_rate": 5e-4, **options}
    inet = train_softmax_network(nets, **settings, **way)
    kept = ("epochs", "batch_size", "learning_rate", "patience", "seed")
    plan = Settings(**{"patience": None} | {k: settings[k] for k in kept if k in settings})
    expected = plain_training(nets, inet._design, plan)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(inet).items())


def test_a_number_that_never_changes_is_read_in_any_unit():
    nets = random_nets()
    for unit in (1e-9, 1.0):
        still = LambdaNets(*(unit * array for array in nets.weights().values()))
        still = LambdaNets(
            still.hidden_weights, 0 * still.hidden_biases + 0.1 * unit, *_outputs(still)
        )
        module = train_softmax_network(still, epochs=0, **SMALL)._module
        spread = still.parameters().std(axis=0)
        np.testing.assert_allclose(module.sd[:8], spread[:8], rtol=1e-5)
        assert (module.sd[8:12] == 1).all()


# Files


class Killed(Exception):
    """Stands for whatever stops a run."""


def kill_in_epoch(monkeypatch, number: int) -> None:
    original = softmax_net._Objective.loss

    def loss(self, module, nets, step):
        if number - 1 <= step.done < number:
            raise Killed
        return original(self, module, nets, step)

    monkeypatch.setattr(softmax_net._Objective, "loss", loss)


@pytest.mark.parametrize("options", [{"straight_through": True}, {"patience": 50}])
def test_a_stopped_run_ends_as_if_it_had_not_been_stopped(tmp_path, monkeypatch, options):
    settings = {"encoder": "sum", "epochs": 6, **options, **SMALL}
    whole = train_softmax_network(random_nets(), **settings)
    file = tmp_path / "run.safetensors"
    monkeypatch.setattr(softmax_net, "_PAUSE", 0.0)
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 4)
        with pytest.raises(Killed):
            train_softmax_network(random_nets(), checkpoint=file, **settings)
    with monkeypatch.context() as patch:
        kill_in_epoch(patch, 1)  # a second start from the first epoch would end here
        resumed = train_softmax_network(random_nets(), checkpoint=file, **settings)
    assert_same_weights(whole, resumed)
    assert resumed.log == whole.log
    assert_same_weights(
        whole, train_softmax_network(random_nets(), checkpoint=file, **settings)
    )  # a finished run is read


def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path):
    file = tmp_path / "run.safetensors"
    train_softmax_network(random_nets(), epochs=1, checkpoint=file, **SMALL)
    before = file.read_bytes()
    for nets, options, named in (
        (random_nets(), {"seed": 1}, "seed"),
        (random_nets(), {"degree": 2}, "degree"),
        (random_nets(n_variables=3), {}, "n_variables"),
        (random_nets(seed=1), {}, "lambda_nets"),
    ):
        with pytest.raises(OSError, match=f"another run.*{named}"):
            train_softmax_network(nets, epochs=1, checkpoint=file, **options, **SMALL)
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "bit", "text"])
def test_a_damaged_file_is_named(tmp_path, damage):
    checkpoint, saved = tmp_path / "run.safetensors", tmp_path / "inet.safetensors"
    inet = train_softmax_network(random_nets(), epochs=1, checkpoint=checkpoint, **SMALL)
    inet.save(saved)
    for file in (checkpoint, saved):
        content = bytearray(file.read_bytes())
        content[-5] ^= 1
        broken = {"cut": content[:-100], "bit": content, "text": b"not a network"}[damage]
        file.write_bytes(broken)
    with pytest.raises(OSError, match=r"run\.safetensors cannot be read"):
        train_softmax_network(random_nets(), epochs=1, checkpoint=checkpoint, **SMALL)
    with pytest.raises(OSError, match=r"inet\.safetensors cannot be read"):
        SoftmaxInterpretationNetwork.load(saved)


def test_a_folder_that_is_not_there_costs_no_epoch(tmp_path, monkeypatch):
    kill_in_epoch(monkeypatch, 1)
    with pytest.raises(OSError, match="could not be written"):
        train_softmax_network(random_nets(), checkpoint=tmp_path / "no" / "run", **SMALL)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_saved_network_says_the_same(tmp_path, encoder):
    nets = random_nets()
    inet = train_softmax_network(nets, encoder=encoder, sparsity=3, epochs=1, **SMALL)
    inet.save(tmp_path / "inet.safetensors")
    read = SoftmaxInterpretationNetwork.load(tmp_path / "inet.safetensors")
    assert repr(read) == repr(inet)
    assert read.log == inet.log
    for one, other in zip(inet.outputs(nets), read.outputs(nets), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_safetensors_file_is_no_such_network(tmp_path):
    file = tmp_path / "run.safetensors"
    train_softmax_network(random_nets(), epochs=1, checkpoint=file, **SMALL)
    with pytest.raises(OSError, match="not a 'softmax I-Net 2'"):
        SoftmaxInterpretationNetwork.load(file)


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": "attention"}, "'flat', 'canonical' or 'sum', got 'attention'"),
        ({"degree": 0}, "degree"),
        ({"sparsity": 0}, "sparsity"),
        ({"hidden": ()}, "at least one layer"),
        ({"hidden": (8, 0)}, "hidden"),
        ({"epochs": -1}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"n_points": 0}, "n_points"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"seed": -1}, "seed"),
        ({"patience": 0}, "patience"),
        ({"patience": 3, "straight_through": True}, "straight_through"),
        ({"released_loss": True, "straight_through": True}, "exclude"),
    ],
)
def test_a_bad_setting_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        train_softmax_network(random_nets(), **{**SMALL, **options})


def test_only_lambda_nets_of_the_same_variables_are_read():
    inet = train_softmax_network(random_nets(), encoder="sum", epochs=0, **SMALL)
    with pytest.raises(ValueError, match=r"2 variable\(s\), got 3"):
        inet.explain(random_nets(n_variables=3))
    with pytest.raises(TypeError, match="from_networks"):
        inet.explain(torch.nn.Linear(2, 1))
    with pytest.raises(TypeError, match="from_networks"):
        train_softmax_network([1, 2], **SMALL)
    with pytest.raises(ValueError, match="got none"):
        inet.soft(random_nets()[np.arange(0)])
