"""Linear and logistic models of a part of the rows, whatever the units of the features.

All fits are made on standardised columns. A penalty keeps its meaning: it is that of the
coefficients in the features' own units, and becomes a weight for each standardised coefficient.

Explained in the chapter *unwrapping-merging*.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.special import log_softmax, logsumexp

from xai_course._validation import check_choice, check_number
from xai_course.networks import one_a_class

__all__ = [
    "LARGE_LOGIT",
    "SeparationWarning",
    "check_penalty",
    "fit_glm",
    "is_separated",
    "standardise",
]

# Standardised columns that differ by less are linear combinations of each other.
_DEPENDENT = 1e-10
# On standardised columns, a penalty this weak moves a coefficient in its last digits only. It
# makes the fit unique where columns are collinear, and finite where the classes are separated.
_NO_PENALTY = 1e-8
#: Where the classes are separated, the fit without a penalty has linear predictors beyond this
#: value.
LARGE_LOGIT = 6.0


class SeparationWarning(UserWarning):
    """A linear function separates the classes, so the maximum-likelihood fit is infinite."""


def check_penalty(penalty: str | None, C: float, n_classes: int | None = None) -> None:
    """Raise a `ValueError` unless `fit_glm` takes these.

    Not taught: it only checks input.
    """
    check_choice(penalty, "penalty", (None, "l2", "l1"))
    check_number(C, "C", above=0)
    if penalty == "l1" and n_classes is not None and n_classes > 2:
        raise ValueError(
            f"penalty='l1' takes a regression or two classes, got {n_classes} classes; "
            "'l2' takes any number of them."
        )


def fit_glm(
    X: np.ndarray,
    y: np.ndarray,
    n_classes: int | None = None,
    penalty: str | None = None,
    C: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a linear or a logistic model.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
    y : ndarray, shape (n_samples,)
        Responses, or class numbers below `n_classes`.
    n_classes : int, optional
        None for a regression.
    penalty : {None, "l2", "l1"}
        None is the maximum-likelihood fit; "l1" takes a regression or two classes.
    C : float
        Weight of the data against the penalty: the fit minimises ``penalty + C * loss``, where the
        penalty is half the squared norm ("l2") or the sum of absolute values ("l1") of the
        coefficients without the intercept, and the loss is the sum over rows of the negative
        log-likelihood or of half the squared error.

    Returns
    -------
    coef : ndarray, shape (n_outputs, n_features)
    intercept : ndarray, shape (n_outputs,)
        One output for a regression or two classes (the logit of the second), else one a class.

    Raises
    ------
    ValueError
        If `penalty` or `C` is not accepted.

    Notes
    -----
    Where columns are constant or depend on each other, the fit without a penalty is the one whose
    standardised coefficients are smallest: it says nothing about what the rows do not show, and a
    constant column gets zero. The units of the features change no fit without a penalty.

    A class without a row gets the probability of half a row, over all rows together, so a fit on
    rows of one class is a constant with the log-odds ``log((count_1 + 1/2) / (count_0 + 1/2))``.
    Where a linear function separates the classes, the coefficients are large but finite.

    Explained in the chapter *unwrapping-merging*.
    """
    check_penalty(penalty, C, n_classes)
    Z, center, scale = standardise(X)
    weight = np.full(len(scale), _NO_PENALTY)
    if penalty is not None:
        weight = 1 / (C * scale ** {"l1": 1, "l2": 2}[penalty])
    if n_classes is None:
        model = _linear_model(Z, y, penalty, weight)
    else:
        model = _logistic_model(Z, y, n_classes, penalty, weight)
    coef = model[:, 1:] / scale
    return coef, model[:, 0] - coef @ center


def standardise(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return columns of mean zero and standard deviation one, their means and their scales.

    A constant column becomes zero, and its scale is infinite.
    """
    center, scale = X.mean(axis=0), X.std(axis=0)
    # A constant column has a standard deviation of rounding errors.
    scale[scale <= 1e-12 * np.abs(X).max(axis=0, initial=0)] = np.inf
    return (X - center) / scale, center, scale


def _linear_model(
    Z: np.ndarray, y: np.ndarray, penalty: str | None, weight: np.ndarray
) -> np.ndarray:
    """Return the intercept and the coefficients, shape (1, 1 + n_features)."""
    mean = y.mean()
    if penalty is None:
        slope = np.linalg.lstsq(Z, y - mean, rcond=_DEPENDENT)[0]
    elif penalty == "l2":
        slope = _solve(Z.T @ Z + np.diag(weight), Z.T @ (y - mean))
    else:
        slope = _lasso(Z.T @ Z, Z.T @ (y - mean), weight)
    return np.append(mean, slope)[None]


def _logistic_model(
    Z: np.ndarray, y: np.ndarray, n_classes: int, penalty: str | None, weight: np.ndarray
) -> np.ndarray:
    """Return an intercept and coefficients for each output, shape (n_outputs, 1 + n_features)."""
    design = np.column_stack([np.ones(len(Z)), Z])
    counts = np.bincount(y, minlength=n_classes)
    present = np.flatnonzero(counts)
    model = np.zeros((n_classes, design.shape[1]))
    model[:, 0] = np.log(counts + 0.5)
    if len(present) > 1:
        targets = (y[:, None] == present).astype(float)
        model[present] = _newton(design, targets, penalty, np.append(0.0, weight))
        total = logsumexp(design @ model[present].T, axis=1)
        model[counts == 0, 0] = np.log(0.5) - logsumexp(-total)
    return model[1:] - model[:1] if n_classes == 2 else model


def _newton(
    design: np.ndarray, targets: np.ndarray, penalty: str | None, weight: np.ndarray
) -> np.ndarray:
    """Return a logistic model, shape (n_classes, n_columns), whose columns have a penalty each.

    Two classes have one logit, of the second; in the end it is shared out between them. Every step
    goes to the minimum of the criterion's parabola and the penalty, and is halved until the
    criterion does not rise.
    """
    n_logits = 1 if targets.shape[1] == 2 else targets.shape[1]
    own = targets[:, -n_logits:]

    def log_probabilities(model: np.ndarray) -> np.ndarray:
        return log_softmax(one_a_class(design @ model.T), axis=1)

    def criterion(model: np.ndarray) -> float:
        size = np.abs(model) if penalty == "l1" else model**2 / 2
        return (size @ weight).sum() - (log_probabilities(model) * targets).sum()

    def is_small(step: np.ndarray) -> bool:  # the error is about its square then
        return np.abs(step).max() <= 1e-7 * (1 + np.abs(model).max())

    model = np.zeros((n_logits, design.shape[1]))
    weights = np.tile(weight, n_logits)
    for _ in range(200):
        p = np.exp(log_probabilities(model))[:, -n_logits:]
        hessian, gradient = _hessian(design, p), ((p - own).T @ design).ravel()
        if penalty == "l1":
            step = _lasso(hessian, hessian @ model.ravel() - gradient, weights) - model.ravel()
        else:
            step = -_solve(hessian + np.diag(weights), gradient + weights * model.ravel())
        step = step.reshape(model.shape)
        if n_logits > 1:  # the same shift of all logits changes nothing
            step -= step.mean(axis=0)
        most = criterion(model) + 1e-14 * len(design)  # with the rounding of a row's logits
        while criterion(model + step) > most and not is_small(step):
            step /= 2
        model = model + step
        if is_small(step):
            break
    return np.concatenate([-model, model]) / 2 if n_logits == 1 else model


def _hessian(design: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return the second derivatives of the log-loss, one block for each pair of logits."""

    def block(a: int, b: int) -> np.ndarray:
        weight = p[:, a] * ((a == b) - p[:, b])
        return design.T @ (weight[:, None] * design)

    logits = range(p.shape[1])
    return np.block([[block(a, b) for b in logits] for a in logits])


def _solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Solve a positive semidefinite system whose unknowns may differ in size by many powers."""
    size = np.sqrt(np.diag(matrix))
    size[size == 0] = 1.0
    scaled = np.linalg.lstsq(matrix / np.outer(size, size), vector / size, rcond=None)[0]
    return scaled / size


def _lasso(gram: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the exact minimum of ``b @ gram @ b / 2 - target @ b + weight @ abs(b)``.

    Feature-sign search (Lee et al., 2007): solve for the coefficients that are not zero, given
    their signs; drop those that would change sign on the way, and let in the one that gains most.
    """
    # Strictly convex, so that of dependent columns with different weights the cheapest is kept.
    gram = gram + np.diag(1e-12 * np.diag(gram))
    b, sign = np.zeros(len(target)), np.zeros(len(target))
    for _ in range(100 * len(target)):
        on = (sign != 0) | (weight == 0)  # what costs nothing is always in
        new = np.zeros(len(target))
        new[on] = _solve(gram[np.ix_(on, on)], (target - weight * sign)[on])
        crosses = (sign != 0) & (new * sign <= 0)
        if crosses.any():
            reach = np.where(crosses, b / np.where(b == new, 1.0, b - new), np.inf)
            first = reach.argmin()
            b = b + reach[first] * (new - b)
            b[first] = sign[first] = 0.0
            continue
        b = new
        gradient = gram @ b - target
        rounding = 1e-13 * (np.abs(target) + np.abs(gram) @ np.abs(b))
        gain = np.where(on, 0.0, np.abs(gradient) - weight - rounding)
        best = gain.argmax()
        if gain[best] <= 1e-10 * weight[best]:
            break
        sign[best] = -np.sign(gradient[best])
    return b


def is_separated(X: np.ndarray, y: np.ndarray) -> bool:
    """Return whether a linear function separates a class from the rest, (quasi-)completely.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
    y : ndarray, shape (n_samples,)
        Labels of any number of classes; a single class is not separated.

    Notes
    -----
    The maximum-likelihood fit is finite if and only if no direction has every row on its class's
    side or on the border, and one row off the border (Albert and Anderson, 1984). A linear
    program looks for such a direction.
    """
    classes = np.unique(y)
    design = np.column_stack([np.ones(len(X)), standardise(X)[0]])
    for label in classes[1:] if len(classes) <= 2 else classes:  # of two, one is enough
        margins = np.where(y == label, 1.0, -1.0)[:, None] * design
        found = linprog(-margins.mean(axis=0), A_ub=-margins, b_ub=np.zeros(len(X)), bounds=(-1, 1))
        if -found.fun * len(X) > 1e-5:
            return True
    return False
