"""One step from a fitted head against refitting it, and the fit against scikit-learn."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression

from xai_course.influence import FittedHead, fit_head


def rows(n=60, d=3, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, d))
    y = (Z @ rng.normal(size=(d, n_classes)) + rng.gumbel(size=(n, n_classes))).argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    return Z, y


def with_one(Z):
    return np.column_stack([Z, np.ones(len(Z))])


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_the_fit_is_scikit_learns(n_classes, penalty):
    Z, y = rows(n_classes=n_classes)
    head = fit_head(Z, y, penalty)
    if n_classes == 2:  # one vector of weights is penalised twice as much as two halves
        model = LogisticRegression(C=2 / penalty, fit_intercept=False, tol=1e-12, max_iter=9999)
        theirs = with_one(Z) @ model.fit(with_one(Z), y).coef_[0]
        ours = head.logits(Z) @ [-1, 1]
    else:
        model = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-12, max_iter=9999)
        theirs, ours = model.fit(with_one(Z), y).decision_function(with_one(Z)), head.logits(Z)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


def test_refitting_is_the_minimum_over_the_other_rows():
    Z, y = rows()
    head = fit_head(Z, y, 0.5)

    def loss(w, kept):
        logits = with_one(Z)[kept] @ w.reshape(3, 4).T
        fit = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), y[kept]]
        return fit.sum() + 0.25 * w @ w

    for gone in (7, [0, 5, 9]):
        kept = np.delete(np.arange(60), gone)
        refitted = head.refit_without(gone)
        theirs = minimize(loss, np.zeros(12), (kept,), tol=1e-12)
        assert loss(refitted.weights.ravel(), kept) <= theirs.fun + 1e-9
        np.testing.assert_allclose(refitted.weights.ravel(), theirs.x, atol=1e-4)
        np.testing.assert_array_equal(refitted.y, y[kept])
        np.testing.assert_allclose(refitted.weights, fit_head(Z[kept], y[kept], 0.5).weights)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_newton_is_nearer_to_refitting_than_influence_and_both_are_near(n_classes):
    Z, y = rows(n=80, n_classes=n_classes)
    head = fit_head(Z, y, 2.0)
    true = np.array([head.refit_without(i).weights for i in range(80)])
    size = np.abs(true - head.weights).sum()
    error = {
        s: np.abs(head.weights_without(s) - true).sum() / size for s in ("influence", "newton")
    }
    assert error["newton"] < error["influence"] / 2 < 0.1


def test_newton_is_a_step_with_the_curvature_of_the_other_rows():
    """The formula of the module against a Hessian made by differences, one row at a time."""
    Z, y = rows(n=20)
    head = fit_head(Z, y, 1.0)
    without = head.weights_without("newton")
    w = head.weights.ravel()

    def gradient(w, kept):
        logits = with_one(Z[kept]) @ w.reshape(3, 4).T
        p = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
        return ((p - np.eye(3)[y[kept]]).T @ with_one(Z[kept])).ravel() + w

    for i in (0, 13):
        kept = np.delete(np.arange(20), i)
        steps = 1e-5 * np.eye(12)
        H = np.array([gradient(w + e, kept) - gradient(w - e, kept) for e in steps]) / 2e-5
        expected = w - np.linalg.solve(H, gradient(w, kept))
        np.testing.assert_allclose(without[i].ravel(), expected, atol=1e-7)


def test_rows_are_taken_in_chunks(monkeypatch):
    Z, y = rows()
    head = fit_head(Z, y)
    whole = head.weights_without()
    monkeypatch.setattr("xai_course.influence._CHUNK", 7)
    np.testing.assert_allclose(head.weights_without(), whole)


def test_self_influence_is_how_much_a_rows_own_loss_grows():
    Z, y = rows()
    head = fit_head(Z, y, 5.0)
    true = [
        head.refit_without(i).losses(Z[[i]], y[[i]])[0] - head.losses(Z[[i]], y[[i]])[0]
        for i in range(60)
    ]
    assert min(true) > 0
    np.testing.assert_allclose(head.self_influence(), true, rtol=0.1)


def test_twins_are_alike_and_an_empty_class_has_a_logit():
    Z, y = rows()
    Z[1], y[1] = Z[0], y[0]
    head = fit_head(Z, y, n_classes=4)
    without = head.weights_without()
    np.testing.assert_allclose(without[0], without[1])
    assert head.logits(Z).shape == (60, 4)


def test_separable_rows_have_a_minimum_because_of_the_penalty():
    head = fit_head([[-1.0], [1.0]], [0, 1], 1e-3)
    assert isinstance(head, FittedHead)
    assert np.isfinite(head.weights).all()
    assert head.losses([[-1.0]], [0])[0] < 0.01


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"Z": [1.0, 2.0]}, "Z must have 2 dimension"),
        ({"Z": [[np.nan], [1.0]]}, "finite"),
        ({"y": [0]}, "2 rows"),
        ({"y": [0, -1]}, "class numbers"),
        ({"penalty": 0}, "penalty"),
        ({"n_classes": 1}, "n_classes"),
    ],
)
def test_bad_input_is_refused(how, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fit_head(**{"Z": [[0.0], [1.0]], "y": [0, 1], **how})


def test_rows_that_do_not_exist_and_steps_that_nobody_knows():
    head = fit_head(*rows())
    with pytest.raises(ValueError, match="from 0 to 59"):
        head.refit_without(60)
    with pytest.raises(ValueError, match="from 0 to 59"):
        head.refit_without(1.5)
    with pytest.raises(ValueError, match="at least one row"):
        head.refit_without(range(60))
    with pytest.raises(ValueError, match="step"):
        head.weights_without("exact")
