"""Checks of the chapter *adversarial-examples*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator, student_seed
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_parts,
    plain,
    shown,
)

SLUG = "adversarial-examples"


def _region(
    first: int = 2, second: int = 1, kink: int = 3, place: int = 1, x: Sequence[int] = (2, 3)
) -> tuple[list[float], list[float], list[int]]:
    """Return the distances, those without the neurons, and how far both borders are."""
    borders = [x[0] - place, x[1]]
    score = first * x[0] - second * x[1] + kink * borders[0]
    both = [[first + kink, second], [first, second]]
    right, slip = ([float(score / np.linalg.norm(w, p)) for p in (np.inf, 2, 1)] for w in both)
    return right, slip, borders


def _draw_region(rng: np.random.Generator) -> dict[str, Any]:
    while True:
        first, second, kink, place, *away = rng.integers(
            [1, 2, 2, 1, 1, 1], [5, 4, 5, 4, 4, 5]
        ).tolist()
        x = place + away[0], away[1]
        drawn = {"first": first, "second": second, "kink": kink, "place": place, "x": x}
        if away[0] != away[1] and 0 < _region(**drawn)[0][0] < min(away) - 0.1:
            return drawn


def _right_distances(**numbers: Any) -> tuple[float, ...]:
    right, _, borders = _region(**numbers)
    return *(round(distance, 9) for distance in right), min(borders)


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_region,
    question="f(x) = {first} x1 - {second} x2 + {kink} max(0, x1 - {place}) + max(0, -x2), and "
    "x = {x}.",
    right=_right_distances,
)
def three_distances(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compute from the region of x, with the dual norms."""
    what = "four numbers: distances in the norms 1, 2 and infinity, and a radius"
    *found, radius = expect_parts(answer(), 4, what)
    right, without_neurons, borders = _region(**numbers)
    if close_to(found, right[::-1]):
        raise CheckFailed(
            "The norms are mixed up: where the sum of changes counts, one feature moves alone."
        )
    if close_to(found, without_neurons):
        raise CheckFailed("These weights leave the neurons out. Which neuron is on at x?")
    assert_close(found, right, "The distances")
    if close_to(radius, max(borders)):
        raise CheckFailed("The region ends earlier: at the border of the other neuron.")
    assert_close(radius, min(borders), "The radius")
    return "All three lie in the ball in which the linear answer is exact."


@exercise(f"ex-{SLUG}-2")
def projected_gradient(answer: Callable[..., Any]) -> str:
    """Compare with the definition on networks with and without kinks, and with tiny slopes."""
    rng = student_generator(3)
    cases = [(3, 0.3, 0.2, 4), (5, 0.1, 0.04, 7), (4, 0.2, 0.2, 1), (6, 0.25, 0.05, 9)]
    for seed, (n, size, step, n_steps) in enumerate(cases):
        network = _network(n, seed)
        x = torch.tensor(rng.uniform(size=(6, n)), dtype=torch.float32)
        y = torch.tensor(rng.integers(0, 3, 6))
        _compare(answer, network, x, y, size, step, n_steps)
    network = _network(4, 9)
    with torch.no_grad():
        network[-1].weight *= 1e-4
        network[0].weight *= 1e-3
    x = torch.tensor(rng.uniform(size=(5, 4)), dtype=torch.float32)
    _compare(answer, network, x, torch.tensor([0, 1, 2, 0, 1]), 0.2, 0.1, 3, is_flat=True)
    return "Five networks agree, one of them nearly flat."


def _network(n: int, seed: int) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(student_seed(seed))
        return nn.Sequential(nn.Linear(n, 8), nn.ReLU(), nn.Linear(8, 3))


def _steps(
    network: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    size: float,
    step: float,
    n_steps: int,
    *,
    sign: float = 1.0,
    cube: bool = True,
    box: bool = True,
    still: bool = False,
    raw: bool = False,
) -> np.ndarray:
    """Do it, or one of the common mistakes."""
    z = x.clone()
    for _ in range(n_steps):
        place = (x if still else z).detach().clone().requires_grad_()
        loss = nn.functional.cross_entropy(network(place), y, reduction="sum")
        (slope,) = torch.autograd.grad(loss, place)
        z = z + sign * step * (slope if raw else slope.sign())
        if cube:
            z = torch.minimum(torch.maximum(z, x - size), x + size)
        if box:
            z = z.clamp(0, 1)
    return z.detach().numpy()


_MISTAKES: dict[str, dict[str, Any]] = {
    "The pictures leave the cube around x: project after every step.": {"cube": False},
    "Some pixels are below 0 or above 1.": {"box": False},
    "The loss of the true class should grow, and it falls.": {"sign": -1.0},
    "This is one step of the whole size: every step uses the gradient at x. Take it where the "
    "picture is now.": {"still": True},
    "The step should follow the sign of the gradient, not the gradient.": {"raw": True},
}


def _compare(
    answer: Callable[..., Any],
    network: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    size: float,
    step: float,
    n_steps: int,
    is_flat: bool = False,
) -> None:
    given = x.clone()
    got = answer(network, given, y.clone(), size, step, n_steps)
    if isinstance(got, torch.Tensor):
        got = got.detach()
    found = expect_array(plain(got), tuple(x.shape), "the moved pictures")
    wanted = _steps(network, x, y, size, step, n_steps)
    if close_to(found, wanted, rtol=1e-4):
        return
    if is_flat:
        raise CheckFailed(
            "On a network with tiny slopes some pixels do not move. A sign does not depend on how "
            "small a slope is; a library may take small slopes for zero."
        )
    for message, mistake in _MISTAKES.items():
        if close_to(found, _steps(network, x, y, size, step, n_steps, **mistake), rtol=1e-4):
            raise CheckFailed(message)
    if n_steps > 1 and close_to(found, _steps(network, x, y, size, step, 1), rtol=1e-4):
        raise CheckFailed("This is one step. Take n_steps of them.")
    assert_close(found, wanted, f"The pictures after {n_steps} step(s)", tolerance=1e-4)


# Four networks: untouched, one step, 20 steps, borrowed, answers only, no limit.
Table = tuple[tuple[float, ...], ...]
_TABLE = (
    (0.86, 0.60, 0.31, 0.75, 0.70, 0.00),
    (0.87, 0.87, 0.86, 0.74, 0.58, 0.86),
    (0.78, 0.66, 0.62, 0.74, 0.71, 0.00),
    (0.85, 0.41, 0.69, 0.72, 0.55, 0.22),
)


def _draw_networks(rng: np.random.Generator) -> dict[str, Any]:
    """Draw one network of each kind of the text, in any order."""
    low = [
        (82, 56, 25, 72, 64, 0),  # not robust
        (83, 0, 0, 70, 52, 0),  # flat: its gradient leads nowhere
        (77, 65, 58, 73, 68, 0),  # moderately robust
        (82, 36, 60, 70, 48, 15),  # one step beats 20
    ]
    weak, flat, robust, rough = low + rng.integers(0, [6, 6, 6, 3, 4, 7], (4, 6))
    flat[1:3] = flat[0], flat[0] - 1
    flat[5] = flat[2]
    weak[5] = robust[5] = 0
    rows = rng.permutation([weak, flat, robust, rough]) / 100
    return {"rows": tuple(map(tuple, rows.tolist()))}


def _hiding(rows: Table = _TABLE) -> tuple[str, str, tuple[float, ...]]:
    """Return who is flat, for whom one step beats 20, and the bounds."""
    flat = [letter for letter, row in zip("ABCD", rows, strict=True) if row[5] > row[4]]
    rough = [letter for letter, row in zip("ABCD", rows, strict=True) if row[1] < row[2]]
    return "".join(flat), "".join(rough), tuple(min(row[1:5]) for row in rows)


def _right_letters(rows: Table = _TABLE) -> tuple[str, tuple[float, ...]]:
    flat, rough, bounds = _hiding(rows)
    return "".join(sorted(flat + rough)), bounds


@exercise(
    f"ex-{SLUG}-3",
    draw=_draw_networks,
    question="in the order of the columns, A has {rows[0]}, B {rows[1]}, C {rows[2]} and D "
    "{rows[3]}.",
    right=_right_letters,
)
def which_hide(answer: Callable[[], Any], rows: Table = _TABLE) -> str:
    """Compare letters and bounds."""
    letters, bounds = expect_parts(answer(), 2, "two things, a string of letters and four bounds")
    if not isinstance(letters, str):
        raise CheckFailed(f"The letters should be one string, got {shown(letters)}.")
    hidden = set(letters.upper()) & set("ABCD")
    flat, rough, right = _hiding(rows)
    if rough not in hidden:
        raise CheckFailed(
            f"In {rough} one step does more than 20. What does that say about its gradient?"
        )
    if flat not in hidden:
        raise CheckFailed(f"In {flat} the gradient leads nowhere, even without a limit.")
    if hidden != {flat, rough}:
        others = " and ".join(sorted(set("ABCD") - {flat, rough}))
        raise CheckFailed(
            f"{others} do what networks with a useful gradient do: robust or not, they hide "
            "nothing."
        )
    if close_to(bounds, [row[2] for row in rows]):
        raise CheckFailed("These are the 20 steps. Every attack within the budget is a proof.")
    if close_to(bounds, [min(row[1:]) for row in rows]):
        raise CheckFailed("The last column is outside the budget, so it bounds nothing.")
    assert_close(bounds, right, "The four upper bounds")
    return "Two hide, and no attack is better than the smallest of its numbers."
