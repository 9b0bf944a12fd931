"""What the model does when the features that an attribution names are removed.

Explained in the chapter *evaluating-explanations*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, check_labels, check_number, check_whole, to_numpy
from xai_course.metrics._arrays import (
    Function,
    check_baselines,
    check_pair,
    check_row,
    check_rows,
    correlation,
    divide,
    flat,
    values_of,
)

if TYPE_CHECKING:
    import torch

# Takes training rows, their labels and a seed; gives a function that predicts the labels of rows.
Fit = Callable[[np.ndarray, np.ndarray, int], Callable[[np.ndarray], ArrayLike]]


# Removal


@dataclass(frozen=True)
class RemovalCurve:
    """A model's output while features are removed or inserted.

    Attributes
    ----------
    share : ndarray of float64, shape (n_steps + 1,)
        Share of the features that are removed, or inserted: from 0 to 1.
    values : ndarray of float64, shape (n_rows, n_steps + 1)
        The model's output; with several baselines (n_baselines, n_rows, n_steps + 1).
    """

    share: np.ndarray
    values: np.ndarray

    @property
    def area(self) -> np.ndarray:
        """The area under each curve, by the trapezoidal rule: the mean output, shape (n_rows,)."""
        return np.trapezoid(self.values, self.share, axis=-1)


def deletion_curve(
    f: Function,
    X: ArrayLike,
    attributions: ArrayLike,
    baseline: ArrayLike = 0.0,
    n_steps: int | None = None,
) -> RemovalCurve:
    """Return the model's output while the features go to the baseline, highest attribution first.

    Parameters
    ----------
    f : callable
        Takes rows like `X`, always all of them in this order, and gives one number for each, shape
        (n_rows,). So it may pick another output for each row.
    X : array_like, shape (n_rows, ...)
        Inputs; each number of a row is a feature.
    attributions : array_like, shape (n_rows, ...)
        Like `X`. They count with their sign; give absolute values where the sign is only a
        direction, as in a gradient. Features that tie go in their order in the row, which says
        nothing about them.
    baseline : array_like
        What stands for "removed": a number, a row, or one row for each row of `X`. Several of
        these, shape (n_baselines, 1 or n_rows, ...), give a curve each; no baseline is neutral for
        all models, so compare some.
    n_steps : int, optional
        In how many steps, of equal size as far as possible; by default one feature at a time.

    Returns
    -------
    RemovalCurve
        A low area is good: the output falls early.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite or has another shape, `f` does not give one number a row, or there
        are more steps than features.

    Notes
    -----
    Samek et al. (2017) for regions; Petsiuk et al. (2018), section 3.2, for the area, there with
    probabilities. The model is asked about inputs that it may never have met (Hooker et al. 2019).

    Examples
    --------
    >>> curve = deletion_curve(lambda rows: rows.sum(axis=1), [[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]])
    >>> curve.values
    array([[6., 3., 1., 0.]])
    """
    X, attributions = check_pair(X, attributions, ("X", "attributions"))
    n_features = X[0].size
    steps = n_features if n_steps is None else check_whole(n_steps, "n_steps", 1, n_features)
    counts = np.round(np.linspace(0, n_features, steps + 1)).astype(int)
    place, values = _places(attributions), []
    for reference in check_baselines(baseline, X):
        rows = (np.where(place < count, reference, X) for count in counts)
        values.append(np.transpose([values_of(f, removed) for removed in rows]))
    result = values if np.ndim(baseline) > X.ndim else values[0]
    return RemovalCurve(counts / n_features, np.array(result))


def insertion_curve(
    f: Function,
    X: ArrayLike,
    attributions: ArrayLike,
    baseline: ArrayLike = 0.0,
    n_steps: int | None = None,
) -> RemovalCurve:
    """Return the model's output while features come in to the baseline, highest attribution first.

    Parameters
    ----------
    f, X, attributions, baseline, n_steps
        As in `deletion_curve`.

    Returns
    -------
    RemovalCurve
        A high area is good: the output rises early.

    Raises
    ------
    TypeError, ValueError
        As in `deletion_curve`.

    Notes
    -----
    Petsiuk et al. (2018), section 3.2. It is the deletion of the lowest first, read backwards, and
    features that tie come in in that order.

    Examples
    --------
    >>> curve = insertion_curve(lambda rows: rows.sum(axis=1), [[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]])
    >>> curve.values
    array([[0., 3., 5., 6.]])
    """
    lowest_first = -check_rows(attributions, "attributions")
    curve = deletion_curve(f, X, lowest_first, baseline, n_steps)
    return RemovalCurve(1 - curve.share[::-1], curve.values[..., ::-1])


def _places(attributions: np.ndarray) -> np.ndarray:
    """Return the place of each feature in its row's order: 0 is the highest attribution."""
    order = np.argsort(-flat(attributions), axis=1, kind="stable")
    return np.argsort(order, axis=1).reshape(attributions.shape)


def sensitivity_n(
    f: Function,
    X: ArrayLike,
    attributions: ArrayLike,
    baseline: ArrayLike = 0.0,
    *,
    n: int,
    n_subsets: int = 100,
    random_state: int = 0,
) -> np.ndarray:
    """Return how well sums of attributions follow the drop of the output when n features go.

    Parameters
    ----------
    f, X, attributions, baseline
        As in `deletion_curve`.
    n : int
        Size of the subsets, from 1 to the number of features less one.
    n_subsets : int
        Random subsets for each row, at least 2.
    random_state : int
        Seed of the subsets.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Pearson's correlation over the subsets; with several baselines (n_baselines, n_rows). 1 for
        the contributions of a linear model. NaN where the sums or the drops do not vary beyond
        rounding in float64: a model in float32 that ignores its input has noise there.

    Raises
    ------
    TypeError, ValueError
        As in `deletion_curve`, or if there is no choice of n features.

    Notes
    -----
    Ancona et al. (2018), section 4. A correlation does not see the scale.

    Examples
    --------
    >>> sensitivity_n(lambda rows: rows.sum(axis=1), [[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]], n=1)
    array([1.])
    """
    X, attributions = check_pair(X, attributions, ("X", "attributions"))
    if X[0].size == 1:
        raise ValueError("X must have at least 2 features, got 1: there is no choice among them.")
    n = check_whole(n, "n", 1, X[0].size - 1)
    check_whole(n_subsets, "n_subsets", 2)
    references, here = check_baselines(baseline, X), values_of(f, X)
    rng, sums, drops = np.random.default_rng(random_state), [], []
    for _ in range(n_subsets):
        gone = _places(rng.random(X.shape)) < n
        sums.append(flat(attributions * gone).sum(axis=1))
        drops.append([here - values_of(f, np.where(gone, one, X)) for one in references])
    sums, drops = np.moveaxis(sums, 0, -1), np.moveaxis(drops, 0, -1)
    result = correlation(np.broadcast_to(sums, drops.shape), drops, np.abs(here))
    return result if np.ndim(baseline) > X.ndim else result[0]


def roar(
    fit: Fit,
    training: tuple[ArrayLike, ArrayLike, ArrayLike],
    test: tuple[ArrayLike, ArrayLike, ArrayLike],
    *,
    shares: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9),
    seeds: Sequence[int] = range(5),
    fill: ArrayLike | None = None,
) -> np.ndarray:
    """Return the accuracy of models that are trained anew without the top features of each row.

    Parameters
    ----------
    fit : callable
        ``fit(X, y, seed)`` trains a new model and returns a function that predicts the labels of
        rows, shape (n_rows,).
    training, test : tuple of three array_like
        Rows, shape (n_rows, ...), their labels, shape (n_rows,), and their attributions, like the
        rows. The highest go first, as in `deletion_curve`. Random numbers as attributions give the
        control that a method has to beat.
    shares : sequence of float
        Shares of the features to remove, in [0, 1].
    seeds : sequence of int
        One training for each, with each share.
    fill : array_like, optional
        What stands for "removed": a number or one row, as a baseline; by default each feature's
        mean over the training rows.

    Returns
    -------
    ndarray of float64, shape (n_shares, n_seeds)
        Accuracies on the test rows. The faster they fall, the better.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite or has another shape, a share is not in [0, 1], or the predictions
        are not one for each row.

    Notes
    -----
    Remove and retrain: Hooker et al. (2019), section 3. It measures what the data say about the
    label, not what the explained model used: where features repeat each other, accuracy stays. And
    which features were removed may itself give the label away (Rong et al. 2022).
    """
    parts = []
    for (X, y, attributions), name in ((training, "training"), (test, "test")):
        X, attributions = check_pair(X, attributions, (f"{name} rows", f"{name} attributions"))
        check_labels(y, len(X), f"y of {name}")
        parts.append((X, np.asarray(y), _places(attributions)))
    (X, y, place), (X_test, y_test, place_test) = parts
    if X.shape[1:] != X_test.shape[1:]:
        raise ValueError(f"Training and test rows differ: {X.shape[1:]} and {X_test.shape[1:]}.")
    filled = check_baselines(X.mean(axis=0) if fill is None else fill, X[:1])[0]
    accuracies = np.empty((len(shares), len(seeds)))
    for i, share in enumerate(shares):
        count = round(check_number(share, "a share", least=0, most=1) * X[0].size)
        rows = np.where(place < count, filled, X)
        rows_test = np.where(place_test < count, filled, X_test)
        for j, seed in enumerate(seeds):
            told = to_numpy(fit(rows.copy(), y.copy(), seed)(rows_test.copy()))
            check_labels(told, len(y_test), "what the function of fit predicts")
            accuracies[i, j] = (told == y_test).mean()
    return accuracies


# Sums


def completeness_error(attributions: ArrayLike, difference: ArrayLike) -> np.ndarray:
    """Return how far the sum of a row's attributions is from the difference it should explain.

    Parameters
    ----------
    attributions : array_like, shape (n_rows, ...)
    difference : array_like, shape (n_rows,)
        Output at the row less output at the baseline.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        ``|sum - difference|``, in the unit of the output.

    Raises
    ------
    TypeError, ValueError
        If an array is not finite, or there is not one difference for each row.

    Notes
    -----
    The completeness of Sundararajan et al. (2017), section 3; captum's convergence delta without
    its sign. It is necessary, not sufficient: any attribution can be shifted until it adds up.

    Examples
    --------
    >>> completeness_error([[1.0, 2.0]], [2.5])
    array([0.5])
    """
    attributions = check_rows(attributions, "attributions")
    difference = check_array(difference, "difference", 1)
    if len(difference) != len(attributions):
        raise ValueError(
            f"difference must have shape ({len(attributions)},), got {difference.shape}."
        )
    return np.abs(flat(attributions).sum(axis=1) - difference)


def infidelity(
    f: Function,
    X: ArrayLike,
    attributions: ArrayLike,
    *,
    noise: ArrayLike | None = None,
    baseline: ArrayLike | None = None,
    n_samples: int = 100,
    normalise: bool = False,
    random_state: int = 0,
) -> np.ndarray:
    """Return captum's infidelity: the mean squared error of an attribution as a linear model.

    Parameters
    ----------
    f, X, attributions
        As in `deletion_curve`.
    noise : array_like, optional
        For attributions that are slopes, such as a gradient: the standard deviation of normal
        steps away from the row, a number or one for each feature. The change of the output is
        compared with the sum of slope times step.
    baseline : array_like, optional
        For attributions that are contributions, such as integrated gradients: what random subsets
        of features, each in by one half, are set to; a number, a row, or one for each row. The
        change of the output is compared with the sum of the subset's attributions.
    n_samples : int
        Steps or subsets for each row.
    normalise : bool
        Scale each row's attribution first so that it fits best.
    random_state : int
        Seed of the steps.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        0 is perfect; in the unit of the output, squared.

    Raises
    ------
    TypeError, ValueError
        As in `deletion_curve`, or unless exactly one of `noise` and `baseline` is given.

    Notes
    -----
    Yeh et al. (2019), definition 2.1, computed by `captum.metrics.infidelity`. Mixing the two kinds
    of attribution up gives a number that means nothing.
    """
    import torch
    from captum.metrics import infidelity as captum_infidelity

    X, attributions = check_pair(X, attributions, ("X", "attributions"))
    check_whole(n_samples, "n_samples", 1)
    if (noise is None) == (baseline is None):
        raise ValueError(
            "Give either noise, for attributions that are slopes, or baseline, for contributions."
        )
    size = check_row(0.0 if noise is None else noise, X, "noise")
    references = check_baselines(0.0 if baseline is None else baseline, X)
    if len(references) > 1:
        raise ValueError(f"infidelity takes one baseline at a time, got {len(references)}.")
    rng = np.random.default_rng(random_state)

    def perturb(_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if noise is None:
            step = rng.integers(0, 2, X.shape)
            moved = np.where(step == 1, references[0], X)
        else:
            step = rng.normal(size=X.shape) * size
            moved = X - step
        return torch.as_tensor(step), torch.as_tensor(moved)

    return captum_infidelity(
        lambda rows: torch.as_tensor(values_of(f, rows.numpy())),
        perturb,
        torch.as_tensor(X),
        torch.as_tensor(attributions),
        n_perturb_samples=n_samples,
        max_examples_per_batch=len(X),  # one step a row at a time, so that f sees rows like X
        normalize=normalise,
    ).numpy()


# Near a row


class LocalFidelity(NamedTuple):
    """How well a local model describes another near each row, arrays of shape (n_rows,).

    ``r2``: share of the variance of the logits that it explains. ``r2_change``: the same for their
    change from the row itself, where 0 is what "nothing changes" reaches, so that an error at the
    row does not count. ``consistency``: share of equal decisions.
    """

    r2: np.ndarray
    r2_change: np.ndarray
    consistency: np.ndarray


def local_fidelity(truth: ArrayLike, told: ArrayLike) -> LocalFidelity:
    """Return how well one local model per row describes a classifier at points near the row.

    Parameters
    ----------
    truth : array_like, shape (n_rows, 1 + n_points, n_classes)
        Logits of the classifier: at the row itself, then at the points near it.
    told : array_like, shape (n_rows, 1 + n_points, n_classes)
        Logits of the local model of each row at the same points.

    Returns
    -------
    LocalFidelity
        NaN where the classifier's logits do not vary.

    Raises
    ------
    TypeError, ValueError
        If the logits are not finite, differ in shape, or there are fewer than two classes or no
        points.

    Notes
    -----
    Ribeiro et al. (2016), section 3, ask for fidelity near the row. Logits are taken without their
    mean over the classes, which says nothing about a decision.

    Explained in the chapter *clime*.
    """
    truth, told = check_pair(truth, told, ("truth", "told"))
    if truth.ndim != 3 or truth.shape[1] < 2 or truth.shape[2] < 2:
        raise ValueError(
            f"truth must hold logits at one point or more of two classes or more, shape (n_rows, "
            f"1 + n_points, n_classes), got {truth.shape}."
        )
    equal = (truth[:, 1:].argmax(axis=2) == told[:, 1:].argmax(axis=2)).mean(axis=1)
    truth, told = (logits - logits.mean(axis=2, keepdims=True) for logits in (truth, told))
    change, told_change = (logits[:, 1:] - logits[:, :1] for logits in (truth, told))
    r2 = _r2(truth[:, 1:], told[:, 1:], truth[:, 1:].mean(axis=1, keepdims=True))
    return LocalFidelity(r2, _r2(change, told_change, 0), equal)


def _r2(truth: np.ndarray, told: np.ndarray, constant: np.ndarray | float) -> np.ndarray:
    missed, varies = (flat(part**2).sum(axis=1) for part in (told - truth, truth - constant))
    return 1 - divide(missed, varies)
