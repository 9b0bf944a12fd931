"""Checks of the chapter *evaluating-explanations*."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from xai_course.book import cases, load_model
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number, expect_parts
from xai_course.data import home_lending

SLUG = "evaluating-explanations"

# What the network says about the page's first list of loans, 1 for default, and the second list as
# FICO and LTV. A hidden test of the page compares the second list's answers with the network.
_FIRST = (0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0)
_SECOND = (
    *((690, 61), (686, 68), (711, 81), (670, 66), (717, 84), (670, 84)),
    *((734, 67), (660, 54), (715, 63), (755, 81), (696, 74), (692, 59)),
)
Loans = tuple[tuple[int, int], ...]


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


@cache
def _answers() -> dict[tuple[int, int], bool]:
    """Return for each loan that a list may hold whether the network says *default*."""
    bank, applicant, loans = load_model("home_lending"), cases()["applicant"], home_lending()
    two = [loans.feature_names.index(name) for name in ("fico0", "ltv_fcast")]
    pairs = np.unique(loans.split(0)[1][:, two].round(), axis=0)
    rows = np.tile(applicant.x, (len(pairs), 1))
    rows[:, two] = pairs
    output = bank.network.forward(bank.standardize(rows))[:, 0]
    kept = (np.abs(output) > 0.2) & (np.abs(output) < 2)
    keys = map(tuple, pairs[kept].astype(int).tolist())
    return dict(zip(keys, (output[kept] > 0).tolist(), strict=True))


def _draw_second(rng: np.random.Generator) -> dict[str, Loans]:
    says = _answers()
    halves = [[loan for loan in says if says[loan] == answer] for answer in (False, True)]
    while True:
        loans = rng.permutation([loan for half in halves for loan in rng.choice(half, 6, False)])
        (fico, ltv), default = loans.T, [says[loan] for loan in map(tuple, loans.tolist())]
        margin = fico - 3 * ltv - 490
        # The explanation holds for all, and no limit of the score alone does nearly as well.
        alone = max(((fico < limit) == default).sum() for limit in fico)
        if alone < 10 and np.abs(margin).min() > 2 and ((margin < 0) == default).all():
            return {"loans": tuple(map(tuple, loans.tolist()))}


def _both_lists(loans: Loans = _SECOND) -> tuple[list[int], list[int]]:
    """Return what the network says of the text's first list and of these loans."""
    return list(_FIRST), [int(_answers()[loan]) for loan in loans]


@exercise(
    f"ex-{SLUG}-2",
    draw=_draw_second,
    question="the first list stays. The second list is, as FICO and LTV: {loans}.",
    right=_both_lists,
)
def my_guesses(answer: Callable[[], Any], loans: Loans = _SECOND) -> str:
    """Score both lists; the second one must follow the explanation."""
    what = "two lists of twelve numbers, each 0 or 1"
    right = []
    for guesses, says in zip(expect_parts(answer(), 2, what), _both_lists(loans), strict=True):
        guesses = expect_array(guesses, (12,), what)
        if not np.isin(guesses, (0, 1)).all():
            raise CheckFailed(f"Return {what}: 1 for default and 0 for no default.")
        right.append(int((guesses == says).sum()))
    without, with_it = right
    if with_it <= 2:
        raise CheckFailed(
            f"{with_it} of 12 in the second list are right, so you have it the other way round: "
            "1 is default, and *below* the limit is default."
        )
    if with_it < 11:
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
