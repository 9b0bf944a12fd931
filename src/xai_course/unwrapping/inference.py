"""Tests of a cluster's coefficients, and refits on resampled rows.

Source: Sudjianto et al. (2020), section 5.2. Explained in the chapter *unwrapping-inference*.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import clone
from tqdm import tqdm

from xai_course._validation import check_choice, check_number, check_rows, check_whole
from xai_course.unwrapping.glm import SeparationWarning, fit_glm, is_separated, standardise

if TYPE_CHECKING:
    from xai_course.unwrapping.merging import Merged

__all__ = ["PostSelectionWarning", "bootstrap", "inference", "inference_naive", "inference_table"]

# Standardised columns that differ by less are linear combinations of each other.
_DEPENDENT = 1e-8
# A row with a leverage this close to one decides a coefficient alone: rounding would be all that
# is left of its residual.
_ALONE = 1e-10
# Residuals below a millionth of the response's spread, or below the rounding of its values, are
# rounding errors (of single precision at the latest).
_EXACT = {"spread": 1e-6, "size": 1e-12}

_COLUMNS = ["coef", "std_err", "statistic", "p_value", "ci_low", "ci_high"]

_HONEST = "honest: on rows that chose nothing"
_NAIVE = "post-selection: p-values may be too small"
_NO_FRESH_ROWS = (
    "inference needs rows X, y that neither the network nor the merge has seen: those that it has "
    "seen chose the clusters, so p-values on them may be too small. Train on one half of the rows "
    "and pass the other half; inference_naive tests on the training rows, as published."
)


class PostSelectionWarning(UserWarning):
    """The rows of a test are the rows that chose what is tested."""


# Tests


def inference(
    merged: Merged,
    cluster: int,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    cov_type: str = "nonrobust",
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Test the coefficients of a cluster's maximum-likelihood fit, whatever its penalty.

    Parameters
    ----------
    cluster : int
        0 is the largest.
    X, y : array_like, shapes (n_samples, n_features) and (n_samples,)
        Rows that neither the network nor the merge has seen. Those that `apply` puts into the
        cluster are used.
    cov_type : {"nonrobust", "HC3"}
        HC3 holds where the variances of the model are wrong.
    alpha : float
        One minus the level of the intervals.

    Returns
    -------
    DataFrame
        As from `inference_table`. Its ``attrs`` hold ``label`` (honest or post-selection),
        ``cluster``, ``n_rows``, ``cov_type``, ``alpha``.

    Raises
    ------
    ValueError
        If an option is unknown, fresh rows are missing, there are several classes, or the fit
        is not defined: too few rows, one class, separated classes.

    Warns
    -----
    PostSelectionWarning
        If most of the rows are training rows.

    Notes
    -----
    Sudjianto et al. (2020), section 5.2. Explained in the chapter *unwrapping-inference*.
    """
    merged._check_cluster(cluster, "inference")
    if X is None or y is None:
        raise ValueError(_NO_FRESH_ROWS)
    X = check_rows(merged, X)
    y = merged._encode(y, len(X))
    seen = {row.tobytes() for row in merged._X}
    n_seen = sum(row.tobytes() in seen for row in X)
    if 2 * n_seen > len(X):
        warnings.warn(
            f"{n_seen} of the {len(X)} rows are training rows: p-values may be too small.",
            PostSelectionWarning,
            stacklevel=2,
        )
    own = merged._apply(X) == cluster
    return _tested(merged, cluster, X[own], y[own], _HONEST, cov_type=cov_type, alpha=alpha)


def inference_naive(
    merged: Merged, cluster: int, cov_type: str = "nonrobust", alpha: float = 0.05
) -> pd.DataFrame:
    """Test the coefficients of a cluster on the training rows, as published.

    They chose the cluster, so the p-values may be too small: use `inference` on fresh rows.
    Parameters and result are those of `inference`.

    Warns
    -----
    PostSelectionWarning
        Always.
    """
    merged._check_cluster(cluster, "inference_naive")
    why = f"{_NAIVE}, because the same rows chose the cluster."
    warnings.warn(why, PostSelectionWarning, stacklevel=2)
    own = merged.labels_ == cluster
    X, y = merged._X[own], merged._y[own]
    return _tested(merged, cluster, X, y, _NAIVE, cov_type=cov_type, alpha=alpha)


def _tested(
    merged: Merged, cluster: int, X: np.ndarray, y: np.ndarray, label: str, **how: Any
) -> pd.DataFrame:
    classes, what = merged._n_classes is not None, f"Cluster {cluster}"
    table = inference_table(X, y, merged._names, classification=classes, what=what, **how)
    table.attrs = {"label": label, "cluster": int(cluster), "n_rows": len(y)} | how
    return table


def inference_table(
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str],
    *,
    classification: bool = False,
    cov_type: str = "nonrobust",
    alpha: float = 0.05,
    what: str = "The cluster",
) -> pd.DataFrame:
    """Test each coefficient of a maximum-likelihood fit.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
    y : ndarray, shape (n_samples,)
        Responses, or 0 and 1.
    names : sequence of str, length n_features
    classification : bool
        A logistic model with z statistics; else a linear one with t statistics.
    cov_type : {"nonrobust", "HC3"}
        HC3 does not rely on the model's variances.
    alpha : float
        One minus the level of the intervals.
    what : str
        The subject of error messages.

    Returns
    -------
    DataFrame
        Indexed by ``"intercept"`` and the names: ``coef``, ``std_err``, ``statistic`` (t for a
        regression, z for a classification), ``p_value``, ``ci_low``, ``ci_high``. What the rows do
        not tell is NaN, and the rest of the table is right:

        - all of a feature that is constant in the rows (the intercept stands for it), and of each
          coefficient that columns which depend on each other leave open;
        - with HC3, all but ``coef`` where a single row decides the coefficient;
        - all but ``coef`` where the fit is exact, as on a network's own predictions or a constant
          response: the residuals are rounding errors, and there is no noise to test against.

    Raises
    ------
    ValueError
        If an option is unknown, or the fit is not defined: too few rows, one class only,
        separated classes.

    Notes
    -----
    Sudjianto et al. (2020), section 5.2. The fits are statsmodels'. Its logistic models take
    ``cov_type="HC3"`` without the leverages, which is HC0; they are put in here.

    Explained in the chapter *unwrapping-inference*.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 2))
    >>> inference_table(X, X[:, 0] + rng.normal(size=50), ["a", "b"])["p_value"].round(3)
    intercept    0.831
    a            0.000
    b            0.983
    Name: p_value, dtype: float64
    """
    import statsmodels.api as sm  # slow to import

    check_choice(cov_type, "cov_type", ("nonrobust", "HC3"))
    check_number(alpha, "alpha", above=0, below=1)
    # Fitted on standardised columns, tested in the features' units: large means or odd units
    # would make the design singular in floating point.
    Z, center, scale = standardise(X)
    design = np.column_stack([np.ones(len(Z)), Z])
    to_units = np.diag(np.append(1.0, 1 / np.where(np.isinf(scale), 1.0, scale)))
    to_units[0, 1:] = -center / scale
    space = _row_space(design)
    rank = space.shape[1]
    if len(X) <= rank:
        raise ValueError(f"{what} has {len(X)} rows, too few to test {rank} coefficients.")
    if classification:
        _check_classes(X, y, what)
        model = sm.GLM(y, design @ space, family=sm.families.Binomial())
        fit = model.fit(tol=1e-10, maxiter=200)
    else:
        fit = sm.OLS(y, design @ space).fit()
    tests = _tests(fit, to_units @ space, cov_type, alpha)
    # A coefficient that leaves the space asks for more than the rows tell.
    outside = np.linalg.norm(to_units - to_units @ space @ space.T, axis=1)
    tests[outside > _DEPENDENT * np.linalg.norm(to_units, axis=1)] = np.nan
    return pd.DataFrame(tests, index=["intercept", *names], columns=_COLUMNS)


def _check_classes(X: np.ndarray, y: np.ndarray, what: str) -> None:
    if len(np.unique(y)) < 2:
        raise ValueError(f"{what} holds rows of one class only: there is no effect to test.")
    if is_separated(X, y):
        raise ValueError(
            f"{what} has classes that a linear function separates, completely or "
            "quasi-completely: the maximum-likelihood coefficients are infinite and a Wald test "
            "means nothing. Merge to fewer clusters, or use bootstrap with a penalty."
        )


def _row_space(design: np.ndarray) -> np.ndarray:
    """Return directions, shape (n_columns, rank), that span what the rows tell of coefficients."""
    _, sizes, directions = np.linalg.svd(design, full_matrices=False)
    told = sizes > _DEPENDENT * np.sqrt(len(design))
    return np.eye(design.shape[1]) if told.sum() == design.shape[1] else directions[told].T


def _tests(fit: Any, wanted: np.ndarray, cov_type: str, alpha: float) -> np.ndarray:
    """Return `_COLUMNS` of the combinations `wanted` of the coefficients, one in each row."""
    y, design = fit.model.endog, fit.model.exog
    residual = y - fit.fittedvalues
    noise, exact = np.sqrt(np.mean(residual**2)), _EXACT["spread"] * y.std()
    unknown = np.full(len(wanted), noise <= max(exact, _EXACT["size"] * np.abs(y).max()))
    covariance = None
    if cov_type == "HC3":
        leverage = fit.get_influence().hat_matrix_diag
        alone = leverage > 1 - _ALONE
        residual[alone] = leverage[alone] = 0.0  # fitted exactly, whatever the noise
        score = (residual / (1 - leverage))[:, None] * design
        bread = fit.normalized_cov_params
        covariance = bread @ (score.T @ score) @ bread
        # The share of a coefficient's variance that such a row brings alone.
        size = np.sqrt(np.einsum("wi,ij,wj->w", wanted, bread, wanted))
        influence = np.abs(wanted @ bread @ design[alone].T).max(axis=1, initial=0)
        unknown |= influence > _DEPENDENT * size
    with np.errstate(invalid="ignore"):  # a column without variation has no deviation
        tests = fit.t_test(wanted, cov_p=covariance)
    columns = [tests.effect, tests.sd, tests.statistic, tests.pvalue, *tests.conf_int(alpha).T]
    table = np.stack([np.ravel(column) for column in columns], axis=1)
    table[unknown, 1:] = np.nan
    return table


# Resampling


def bootstrap(
    merged: Merged,
    cluster: int,
    n_boot: int = 100,
    penalty: str | None = "l1",
    C: float = 1.0,
    *,
    resample_selection: bool = False,
    alpha: float = 0.05,
    random_state: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Refit a cluster's model on resampled rows.

    Parameters
    ----------
    cluster : int
        0 is the largest.
    n_boot : int
        Number of resamples, at least 2.
    penalty, C
        As in `merge`; the penalty depends on the units of the features.
    resample_selection : bool
        False keeps the cluster and resamples its rows, as published. True resamples all
        training rows, merges again, and takes the cluster that holds most of the original
        cluster's rows: that shows the choice's share of the uncertainty. The network stays.
    alpha : float
        One minus the level of the percentile intervals.
    random_state : int
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    DataFrame
        Indexed by ``"intercept"`` and the features: ``coef`` (on all of the cluster's rows),
        ``mean``, ``std``, ``ci_low``, ``q25``, ``median``, ``q75``, ``ci_high``,
        ``probability_zero`` (share of exact zeros). `plot_bootstrap` draws it.

    Raises
    ------
    ValueError
        If an option is not accepted, or there are several classes.

    Notes
    -----
    Sudjianto et al. (2020), Figure 19. Explained in the chapter *unwrapping-inference*.
    """
    merged._check_cluster(cluster, "bootstrap")
    check_whole(n_boot, "n_boot", 2)
    check_whole(random_state, "random_state", 0)
    check_number(alpha, "alpha", above=0, below=1)
    own = np.flatnonzero(merged.labels_ == cluster)

    def fit(rows: np.ndarray) -> np.ndarray:
        X, y = merged._X[rows], merged._y[rows]
        coef, intercept = fit_glm(X, y, merged._n_classes, penalty, C)
        return np.append(intercept, coef)

    def refit(seed: np.random.SeedSequence) -> np.ndarray:
        rng = np.random.default_rng(seed)
        again = resample_selection
        return fit(_rows_of_another_merge(merged, own, rng) if again else rng.choice(own, len(own)))

    coef = fit(own)
    seeds = np.random.SeedSequence(random_state).spawn(n_boot)
    shown = tqdm(seeds, desc="bootstrap", disable=not progress)
    names = ["intercept", *merged._names]
    draws = pd.DataFrame([refit(seed) for seed in shown], columns=names)
    table = draws.agg(["mean", "std"]).T
    table.insert(0, "coef", coef)
    levels = [alpha / 2, 0.25, 0.5, 0.75, 1 - alpha / 2]
    table[["ci_low", "q25", "median", "q75", "ci_high"]] = draws.quantile(levels).T
    table["probability_zero"] = (draws == 0).mean()
    return table


def _rows_of_another_merge(merged: Merged, own: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Merge again on resampled rows; return those of the cluster that holds most of the `own`."""
    X, y = merged._X, merged._y
    rows = rng.integers(len(X), size=len(X))
    while merged._n_classes and len(np.unique(y[rows])) < merged._n_classes:
        rows = rng.integers(len(X), size=len(X))
    unwrapper = type(merged.unwrapper_)(merged.network_).fit(X[rows], y[rows])
    other = clone(merged)
    if other.n_clusters is not None:
        other.n_clusters = min(other.n_clusters, unwrapper.n_regions_)
    with warnings.catch_warnings(action="ignore", category=SeparationWarning):
        other._merge(unwrapper)
    chosen = np.bincount(other._apply(X[own])).argmax()
    return rows[other.labels_ == chosen]
