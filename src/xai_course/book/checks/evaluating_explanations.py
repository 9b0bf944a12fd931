"""Checks of the chapter *evaluating-explanations*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number, expect_parts

SLUG = "evaluating-explanations"

# What the network says about the page's two lists of loans: 1 for default. A hidden test of the
# page compares the second list with the network.
_SAYS = ("011001101010", "011111000010")


def _draw_loans(rng: np.random.Generator) -> dict[str, int]:
    loans, default = int(rng.choice([80, 100, 200])), int(rng.choice([20, 25]))
    missed = int(rng.integers(3, 8))
    more = int(rng.integers(2, missed + 1))  # of the others a smaller share is wrong
    return {
        "loans": loans,
        "default": default,
        "found": default - missed,
        "more": more,
        "control": loans - missed - more - int(rng.integers(1, 4)),
    }


def _shares(
    loans: int = 80, default: int = 30, found: int = 24, more: int = 6, control: int = 66
) -> tuple[float, ...]:
    """Return the four shares, and two slips: of the defaults alone, and the way of all loans."""
    agree = found + loans - default - more
    gain = (agree - control) / loans
    way = found - more
    return agree / loans, 1 - default / loans, way / default, gain, found / default, way / loans


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_loans,
    question=(
        "the network says default for {default} of {loans} loans, the explanation for {found} of "
        "these and for {more} of the others; the control agrees with the network on {control}."
    ),
    right=lambda **numbers: _shares(**numbers)[:4],
)
def nine_in_ten(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the four cells of the table of both answers."""
    what = "four shares: fidelity, constant, way gone, gain over the control"
    fidelity, constant, gone, gain = expect_parts(answer(), 4, what)
    *right, defaults_alone, way_of_all = _shares(**numbers)
    if close_to(fidelity, defaults_alone):
        raise CheckFailed(
            "This is the share of the defaults that were found. The two also agree where both say "
            "*no default*."
        )
    if expect_number(fidelity, "The fidelity") > 1:
        raise CheckFailed("Return shares of all loans, not numbers of loans.")
    if close_to(constant, 1 - right[1]):
        raise CheckFailed("This is the constant *default*. The best constant says *no default*.")
    if close_to(gone, way_of_all):
        raise CheckFailed(
            "The way gone is a share of the way: divide by what the constant leaves to be gained."
        )
    assert_close(fidelity, right[0], "The fidelity")
    assert_close(constant, right[1], "The fidelity of the best constant")
    assert_close(gone, right[2], "The way gone from the constant")
    assert_close(gain, right[3], "The gain over the control")
    return (
        f"A fidelity of {right[0]:g} is {right[2]:g} of the way, and {right[3]:g} more than a "
        "control has."
    )


@exercise(f"ex-{SLUG}-2")
def my_guesses(answer: Callable[[], Any]) -> str:
    """Score both lists; the second one must follow the explanation."""
    what = "two lists of twelve numbers, each 0 or 1"
    right = []
    for guesses, says in zip(expect_parts(answer(), 2, what), _SAYS, strict=True):
        guesses = expect_array(guesses, (12,), what)
        if not np.isin(guesses, (0, 1)).all():
            raise CheckFailed(f"Return {what}: 1 for default and 0 for no default.")
        right.append(int((guesses == [int(one) for one in says]).sum()))
    without, with_it = right
    if with_it <= 2:
        raise CheckFailed(
            f"{with_it} of 12 in the second list are right, so you have it the other way round: "
            "1 is default, and *below* the limit is default."
        )
    if with_it < 10:
        raise CheckFailed(
            f"{with_it} of 12 in the second list are right, and a coin has 6. Follow the "
            "explanation: FICO less three times LTV, compared with 490."
        )
    coin = stats.binom.sf(without - 1, 12, 0.5)
    return (
        f"Without it you had {without} of 12, which a coin reaches in {coin:.1%} of its tries; "
        f"with it {with_it} of 12."
    )


@exercise(f"ex-{SLUG}-3")
def study_power(answer: Callable[..., Any]) -> str:
    """Compare with the power of the t test for normal scores."""
    cases = [
        (30, 0.0, "no difference"),
        (2, 0.0, "no difference"),
        (25, 0.8, "a difference of 0.8 standard deviations"),
        (25, -0.8, "a difference of -0.8 standard deviations"),
    ]
    for n, effect, case in cases:
        _one_power(answer, n, effect, case)
    return "Four kinds of study agree with the power of the t test, with and without a difference."


def _one_power(answer: Callable[..., Any], n: int, effect: float, case: str) -> None:
    n_studies, asked = 400, []

    def draw(arm: int, size: int, rng: np.random.Generator) -> np.ndarray:
        asked.append((int(arm), int(size)))
        return 0.6 + 0.1 * (effect * arm + rng.normal(size=size))

    found = expect_number(answer(draw, n, n_studies, student_generator(n)), "The power")
    if not 0 <= found <= 1:
        raise CheckFailed(f"The power is a share between 0 and 1; got {found:g}.")
    expected = _power(n, effect)
    margin = 4.5 * (expected * (1 - expected) / n_studies) ** 0.5 + 0.012
    arms = {arm for arm, _ in asked}
    if arms != {0, 1}:
        raise CheckFailed(f"Draw readers for arm 0 and for arm 1; got arms {sorted(arms)}.")
    if sum(size for _, size in asked) < 2 * n * n_studies:
        raise CheckFailed("Each study needs new readers in both arms: draw inside the loop.")
    if abs(found - (1 - expected)) <= margin < abs(found - expected):
        raise CheckFailed(f"With {case} you count the studies that find *nothing*.")
    if abs(found - expected) > margin:
        raise CheckFailed(
            f"With {case} and {n} readers in each arm the share should be near {expected:.2f}, got "
            f"{found:.2f}. Is it a two-sided t test at 0.05?"
        )


def _power(n: int, effect: float) -> float:
    """Return the power of a two-sided t test at 0.05 with n readers in each arm."""
    free, shift = 2 * n - 2, effect * (n / 2) ** 0.5
    limit = stats.t.isf(0.025, free)
    if shift == 0:
        return 0.05
    return float(stats.nct.sf(limit, free, shift) + stats.nct.cdf(-limit, free, shift))
