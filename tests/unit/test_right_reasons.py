"""The penalty on forbidden gradients, against differences and on a cue that is known."""

import numpy as np
import pytest
import torch

from xai_course.right_reasons import reasons_penalty, train_right_reasons
from xai_course.training import mlp


def test_the_penalty_is_the_squared_gradient_where_it_is_forbidden():
    module = mlp([4, 6, 3], seed=1).double()
    rows = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    forbidden, step = torch.tensor([1.0, 0, 1.0, 0]), 1e-6
    logs, penalty = reasons_penalty(module, rows, forbidden)
    total = 0.0
    for place in (0, 2):
        shift = step * torch.eye(4, dtype=torch.float64)[place]
        up, down = (module(rows + sign * shift).log_softmax(1).sum(1) for sign in (1, -1))
        total += (((up - down) / (2 * step)) ** 2).mean()
    assert torch.isclose(penalty, total, rtol=1e-6)
    assert torch.allclose(logs, module(rows).log_softmax(1))
    penalty.backward()
    assert module[0].weight.grad.abs().sum() > 0
    assert not rows.requires_grad


def cue(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose label both features tell, the second one better."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=400)
    return np.column_stack([y + 0.4 * rng.normal(size=400), 2.0 * y]) - 0.5, y


@pytest.mark.parametrize("one_per_row", [False, True])
def test_a_forbidden_cue_is_not_used(one_per_row):
    X, y = cue(0)
    forbidden = np.array([0, 1.0])
    forbidden = np.tile(forbidden, (400, 1)) if one_per_row else forbidden
    how = {"epochs": 40, "batch_size": 32, "learning_rate": 1e-2}
    moved = X.copy()
    moved[:, 1] = X[::-1, 1]
    changed = [
        np.mean(net.predict(moved) != net.predict(X))
        for weight in (0, 10)
        for net in [train_right_reasons(mlp([2, 8, 2]), X, y, forbidden, weight, **how)]
    ]
    assert changed[0] > 0.1
    assert changed[1] < 0.02


def test_bad_input():
    X, y = cue(1)
    with pytest.raises(ValueError, match="weight must be"):
        train_right_reasons(mlp([2, 2]), X, y, [0, 1], -1)
    with pytest.raises(ValueError, match=r"forbidden must have shape \(2,\) or \(400, 2\)"):
        train_right_reasons(mlp([2, 2]), X, y, [0, 1, 0], 1)
    with pytest.raises(ValueError, match="y must hold"):
        train_right_reasons(mlp([2, 2]), X, y + 1, [0, 1], 1)
