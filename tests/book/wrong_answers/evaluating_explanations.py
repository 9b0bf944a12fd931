"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats


def defaults_only():
    return 24 / 30, 50 / 80, 0.6, 0.025


def numbers_of_loans():
    return 68, 50, 18, 2


def the_other_constant():
    return 0.85, 30 / 80, (0.85 - 0.375) / 0.625, 0.025


def difference_as_way():
    return 0.85, 0.625, 0.85 - 0.625, 0.025


def control_alone():
    return 0.85, 0.625, 0.6, 66 / 80


def always_default():
    return [1] * 12, [1] * 12


def other_way_round():
    return [0] * 12, [1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1]


def score_alone():
    fico = np.array([690, 686, 711, 670, 717, 670, 734, 660, 715, 755, 696, 692])
    return [0] * 12, fico < 700


def one_list():
    return [0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0]


def in_words():
    return ["default"] * 12, ["no default"] * 12


def in_log_odds():
    return [0.5] * 12, [-0.5] * 12


def always_found(draw, n_readers, n_studies, rng):
    return 1.0


def one_study(draw, n_readers, n_studies, rng):
    p = stats.ttest_ind(draw(0, n_readers, rng), draw(1, n_readers, rng)).pvalue
    return float(p < 0.05)


def same_readers(draw, n_readers, n_studies, rng):
    first, second = draw(0, n_readers, rng), draw(1, n_readers, rng)
    found = [stats.ttest_ind(first, second).pvalue < 0.05 for _ in range(n_studies)]
    return np.mean(found)


def _share(draw, n_readers, n_studies, rng, test):
    return np.mean(
        [test(draw(0, n_readers, rng), draw(1, n_readers, rng)) for _ in range(n_studies)]
    )


def finds_nothing(draw, n_readers, n_studies, rng):
    return _share(
        draw, n_readers, n_studies, rng, lambda a, b: stats.ttest_ind(a, b).pvalue >= 0.05
    )


def one_sided(draw, n_readers, n_studies, rng):
    return _share(
        draw,
        n_readers,
        n_studies,
        rng,
        lambda a, b: stats.ttest_ind(a, b, alternative="less").pvalue < 0.05,
    )


def normal_instead_of_t(draw, n_readers, n_studies, rng):
    def far(a, b):
        error = ((a.var(ddof=1) + b.var(ddof=1)) / len(a)) ** 0.5
        return abs(a.mean() - b.mean()) > 1.96 * error

    return _share(draw, n_readers, n_studies, rng, far)


def one_arm(draw, n_readers, n_studies, rng):
    pairs = [(draw(1, n_readers, rng), draw(1, n_readers, rng)) for _ in range(n_studies)]
    return np.mean([stats.ttest_ind(a, b).pvalue < 0.05 for a, b in pairs])


def a_count(draw, n_readers, n_studies, rng):
    return n_studies * _share(
        draw, n_readers, n_studies, rng, lambda a, b: stats.ttest_ind(a, b).pvalue < 0.05
    )


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-evaluating-explanations-1": [
        (defaults_only, "where both say *no default*"),
        (numbers_of_loans, "Return shares"),
        (the_other_constant, "the constant *default*"),
        (difference_as_way, "divide by what the constant leaves"),
        (control_alone, "The gain over the control"),
    ],
    "ex-evaluating-explanations-2": [
        (always_default, "a coin has 6"),
        (other_way_round, "the other way round"),
        (score_alone, "Follow the explanation"),
        (one_list, "two lists of twelve numbers"),
        (in_words, "two lists of twelve numbers"),
        (in_log_odds, "1 for default and 0 for no default"),
    ],
    "ex-evaluating-explanations-3": [
        (always_found, "Draw readers for arm 0 and for arm 1"),
        (one_study, "Each study needs new readers"),
        (same_readers, "Each study needs new readers"),
        (finds_nothing, "studies that find *nothing*"),
        (one_sided, "two-sided"),
        (normal_instead_of_t, "near 0.05"),
        (one_arm, "for arm 0 and for arm 1"),
        (a_count, "share between 0 and 1"),
    ],
}
