"""Wachter's search and the swap of cells, against exact answers and against brute force."""

from itertools import product

import numpy as np
import pytest
import torch
from random_networks import random_network
from torch import nn

from xai_course.counterfactuals import median_absolute_deviations, swap_cells, wachter
from xai_course.exact import nearest_counterfactual


def linear(w, c=0.0):
    return lambda Z: Z @ Z.new_tensor(w) + c


# Median absolute deviations


def test_deviations_by_hand():
    X = [[1, 5, 0], [2, 5, 0], [4, 5, 0], [8, 9, 0], [100, 5, 1]]
    assert median_absolute_deviations(X).tolist() == [3, 0, 0]
    assert median_absolute_deviations(np.array(X)[::-1] * 2.0).tolist() == [6, 0, 0]


@pytest.mark.parametrize("X", [[1.0, 2.0], np.zeros((0, 2)), [[np.nan, 1.0]]])
def test_deviations_of_no_rows(X):
    with pytest.raises(ValueError, match="X must"):
        median_absolute_deviations(X)


# The search


def test_the_cheapest_feature_moves():
    # The other score costs 1 / 2 by the first feature, 1 / 3 by the second in its unit.
    score, X = linear([2.0, 1.0]), [[0.0, 0.0], [0.25, 0.0]]
    found = wachter(score, X, 1.0, scale=[1.0, 3.0], epsilon=1e-3, factor=1.3, rounds=40)
    assert found.found.all()
    assert np.allclose(found.X, [[0, 1], [0.25, 0.5]], atol=0.02)
    assert np.allclose(found.distance, [1 / 3, 1 / 6], atol=0.01)
    assert np.allclose(found.score, 1, atol=1e-3)


def test_euclidean_distance_goes_straight():
    found = wachter(linear([3.0, 4.0]), [[1.0, 1.0]], 32.0, norm=2, factor=1.3, rounds=50)
    assert found.found.all()
    assert np.allclose(found.X, [[4, 5]], atol=0.01)
    assert found.distance[0] == pytest.approx(5, abs=0.01)


def test_a_row_alone_and_among_others():
    network = random_network([3, 6, 1], 1).to_torch()
    X = np.random.default_rng(0).normal(size=(5, 3))
    how = {"epsilon": 0.02, "rounds": 10, "steps": 60}
    together = wachter(lambda Z: network(Z)[:, 0], X, 0.3, **how)
    for i, row in enumerate(X):
        alone = wachter(lambda Z: network(Z)[:, 0], row[None], 0.3, **how)
        assert alone.found == together.found[i]
        if alone.found:
            assert np.allclose(alone.X[0], together.X[i])
            assert alone.price == together.price[i]


@pytest.mark.parametrize("seed", range(4))
def test_never_nearer_than_the_nearest(seed):
    network = random_network([4, 8, 6, 1], seed)
    X, module = np.random.default_rng(seed).normal(size=(6, 4)), network.to_torch()
    side = torch.tensor(1.0 - 2 * network.decide(X))
    found = wachter(lambda Z: side * module(Z)[:, 0], X, 0.011, rounds=12)
    for x, end, distance, hit in zip(X, found.X, found.distance, found.found, strict=True):
        assert distance == pytest.approx(np.abs(end - x).sum())
        if hit:
            assert network.decide([end]) != network.decide([x])
            assert distance >= nearest_counterfactual(network, x).distance * (1 - 1e-5)


def test_the_price_is_raised_and_kept():
    found = wachter(linear([1.0]), [[0.0], [1.0]], 1.0, price=0.3, factor=3.0, steps=300)
    assert found.price[1] == 0.3  # at the wanted score already
    assert found.X[1] == 1
    raised = np.log(found.price[0] / 0.3) / np.log(3)
    assert raised == pytest.approx(round(raised))
    # The minimum misses by 1 / (2 price), which must be at most epsilon.
    assert 50 <= found.price[0] < 3 * 50 + 1


def test_a_flat_score_is_not_found():
    found = wachter(lambda Z: 0 * Z[:, 0], [[1.0, 2.0]], 1.0, rounds=3, steps=5)
    assert not found.found.any()
    assert np.allclose(found.X, [[1, 2]])
    assert found.price[0] == pytest.approx(0.1 * 2**3)


def test_another_start_reaches_what_gradients_do_not_see():
    score, X = (lambda Z: Z[:, 0].relu()), [[-2.0]]
    assert not wachter(score, X, 1.0, rounds=5).found.any()
    found = wachter(score, X, 1.0, start=[[2.0]], price=50.0)
    assert found.found.all()
    assert found.X[0, 0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X": [1.0, 2.0]}, "X must have 2 dimension"),
        ({"X": [[np.inf, 2.0]]}, "finite"),
        ({"wanted": np.nan}, "wanted must be"),
        ({"epsilon": 0}, "epsilon must be"),
        ({"scale": [1.0]}, "scale must hold 2 positive numbers"),
        ({"scale": [1.0, 0.0]}, "scale must hold 2 positive numbers"),
        ({"norm": np.inf}, "norm must be 1 or 2"),
        ({"start": [[1.0]]}, "start must have the shape of X"),
        ({"price": -1.0}, "price must be"),
        ({"factor": 1.0}, "factor must be a number above 1"),
        ({"rounds": 0}, "rounds must be"),
        ({"steps": 1.5}, "steps must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"score": lambda Z: Z}, "score must return a tensor of shape"),
        ({"score": lambda Z: 1.0}, "score must return a tensor of shape"),
    ],
)
def test_bad_input_gets_one_clear_error(options, message):
    how = {"score": linear([1.0, 1.0]), "X": [[0.0, 0.0]], "wanted": 1.0} | options
    with pytest.raises(ValueError, match=message):
        wachter(how.pop("score"), how.pop("X"), how.pop("wanted"), **how)


# Swaps


def some_head(seed, classes=3, shape=(4, 2, 3)):
    torch.manual_seed(seed)
    layers = nn.Linear(int(np.prod(shape)), 7), nn.ReLU(), nn.Linear(7, classes)
    return nn.Sequential(nn.Flatten(), *layers).double().eval()


def logits(head, features):
    with torch.no_grad():
        return head(torch.tensor(features[None]))[0].numpy()


@pytest.mark.parametrize("seed", range(6))
def test_each_swap_is_the_best_of_all(seed):
    head, rng = some_head(seed), np.random.default_rng(seed)
    now, other = rng.normal(size=(2, 4, 2, 3)) * 3
    decided = logits(head, now).argmax()
    target = int((decided + 1) % 3)
    done = swap_cells(head, now, other, target, max_swaps=3)
    assert len(done.probabilities) == len(done.cells) + 1
    used = set()
    for (i, j), probability in zip(done.cells, done.probabilities[1:], strict=True):
        best = -np.inf
        for a, b in product(range(6), range(6)):
            if a not in used:
                tried = now.copy()
                tried[:, a // 3, a % 3] = other[:, b // 3, b % 3]
                z = logits(head, tried)
                best = max(best, np.exp(z[target] - np.logaddexp.reduce(z)))
        now = now.copy()
        now[:, i // 3, i % 3] = other[:, j // 3, j % 3]
        used.add(i)
        z = logits(head, now)
        assert probability == pytest.approx(np.exp(z[target] - np.logaddexp.reduce(z)))
        assert probability == pytest.approx(best)
    assert np.allclose(done.features, now)
    assert done.found == (logits(head, now).argmax() == target)
    assert done.found or len(done.cells) == 3


def test_nothing_to_do_and_everything_done():
    head, rng = some_head(0), np.random.default_rng(1)
    query, other = rng.normal(size=(2, 4, 2, 3))
    decided = int(logits(head, query).argmax())
    nothing = swap_cells(head, query, other, decided)
    assert nothing.found
    assert nothing.cells == []
    assert (nothing.features == query).all()
    never = swap_cells(head, query, query * 0, (decided + 1) % 3)
    assert never.found or sorted(i for i, _ in never.cells) == list(range(6))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": np.zeros((4, 6))}, "query must have 3 dimension"),
        ({"other": np.zeros((4, 3, 2))}, "query and other must have one shape"),
        ({"target": 3}, "target must be a whole number from 0 to 2"),
        ({"max_swaps": 0}, "max_swaps must be"),
    ],
)
def test_bad_swaps_get_one_clear_error(options, message):
    how = {"query": np.zeros((4, 2, 3)), "other": np.ones((4, 2, 3)), "target": 1} | options
    if "target" not in options:
        how["target"] = int((logits(some_head(0), np.zeros((4, 2, 3))).argmax() + 1) % 3)
    with pytest.raises(ValueError, match=message):
        swap_cells(some_head(0), **how)
