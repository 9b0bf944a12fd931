"""The programs behind the measurements of the chapter on sanity checks, on known cases."""

import numpy as np
import pytest
import torch


@pytest.fixture
def sanity(reproduce):
    return reproduce("saliency.sanity")


def test_the_scaffold_judges_by_the_area_where_the_detector_says_real(sanity):
    detector = torch.nn.Linear(3, 1).double()
    with torch.no_grad():
        detector.weight.copy_(torch.tensor([[1.0, 0, 0]]))
        detector.bias.zero_()
    rows = torch.tensor([[1.0, 0.5, -2], [-1.0, 0.5, -2]], dtype=torch.float64)
    found = sanity.Scaffold(detector).eval()(rows).detach().numpy()[:, 0]
    assert np.allclose(found, [4 * 0.5, 4 * -2])


def test_invented_rows_are_made_of_what_is_known(sanity):
    Z = np.random.default_rng(0).normal(size=(50, 4))
    mixed, shuffled, _ = np.split(sanity._invented(Z, np.random.default_rng(1)), 3)
    for column, known in enumerate(Z.T):
        assert np.isin(mixed[:, column], known).all()
        assert np.array_equal(np.sort(shuffled[:, column]), np.sort(known))
    assert not np.array_equal(mixed, Z)


def test_black_pixels_do_not_count_where_only_lit_ones_are_ranked(sanity):
    X = np.array([[0.0, 0, 0, 1, 1, 1]])
    a = np.array([[0.0, 0, 0, 1, 2, 3]])
    b = np.array([[9.0, 0, 5, -3, -2, -1]])
    assert np.isclose(sanity._lit(X)(a, b)[0], -1)
    assert np.isclose(sanity._lit(X)(a, -a)[0], 1)


def test_noise_is_another_one_in_each_draw_and_looks_at_no_network(sanity):
    X = np.ones((2, 5))
    one, other = (sanity._noise(False, seed)(None, X, None) for seed in (0, 1))
    assert not np.allclose(one, other)
    assert np.array_equal(sanity._noise(True, 0)(None, 0 * X, None), 0 * X)


def test_means_and_standard_errors_are_over_draws(sanity):
    assert sanity._summary([{"a": {"b": 1.0}}, {"a": {"b": 3.0}}]) == {
        "a": {"b": {"mean": 2.0, "se": 1.0}}
    }
