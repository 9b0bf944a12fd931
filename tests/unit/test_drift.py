"""Alarms on streams: sums by hand, plain loops, and what undisturbed streams exceed."""

import numpy as np
import pytest

from xai_course.drift import alarm_threshold, cusum, departure, detection_delays

SERIES = [-1, 0, 1, 1.5, 2, 0, -1.5, -3]  # mean 0 and standard deviation 1 in the first three


def test_cusum_by_hand():
    np.testing.assert_allclose(cusum(SERIES, 3), [1, 2.5, 2, 1, 3.5])
    np.testing.assert_allclose(cusum(SERIES, 3, slack=0), [1.5, 3.5, 3.5, 2, 4.5])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_cusum_of_many_series_is_that_of_each_in_any_units(scale):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 4, 3))
    values[40:] += 1
    found = cusum(scale * values, 20)
    for i, j in np.ndindex(4, 3):
        z = (values[20:, i, j] - values[:20, i, j].mean()) / values[:20, i, j].std(ddof=1)
        # The largest sum of a run that ends here is a sum that never falls below zero.
        runs = [
            max(0, *(np.sum(sign * z[a : t + 1] - 0.5) for a in range(t + 1) for sign in (1, -1)))
            for t in range(40)
        ]
        np.testing.assert_allclose(found[:, i, j], runs, atol=1e-6)


def test_departure():
    vectors = np.array([[0, 0], [2, 0], [1, 0], [4, 4]])
    np.testing.assert_allclose(departure(vectors, 2), [0, 5])
    np.testing.assert_allclose(departure(vectors[:, None], 2), [[0], [5]])


def test_one_stream_in_ten_exceeds_the_threshold():
    calm = np.random.default_rng(1).normal(size=(50, 1000))
    exceeded = (calm > alarm_threshold(calm)).any(axis=0)
    assert exceeded.sum() == 100
    assert (calm > alarm_threshold(calm, 0.02)).any(axis=0).sum() == 20


def test_delays():
    alarms = np.array([[0, 0, 2, 0], [0, 0, 0, 0], [2, 0, 2, 0], [2, 2, 0, 0]])
    np.testing.assert_array_equal(detection_delays(alarms, 1, 2), [0, 1, np.nan, np.inf])
    # Only more than the threshold is an alarm.
    np.testing.assert_array_equal(detection_delays(alarms, 2, 2), np.full(4, np.inf))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2, 3], 3), "none follows"),
        (([1, 2, 3], 1), "n_reference must be a whole number from 2 on"),
        (([1, 1, 3], 2), "constant in the reference"),
        (([1, 2, 3], 2, -1), "slack"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        cusum(*arguments)
