"""Linear models of a cluster: fitting them, testing their coefficients, resampling them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.optimize import linprog
from scipy.special import expit, logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from tqdm import tqdm

if TYPE_CHECKING:
    from statsmodels.genmod.generalized_linear_model import GLMResults

__all__ = [
    "PostSelectionWarning",
    "SeparationWarning",
    "bootstrap_table",
    "fit_glm",
    "inference_table",
    "is_separated",
    "maybe_separated",
]

# On standardised columns, a penalty this weak moves a coefficient in its last digits only. It
# makes the fit unique where columns are collinear, and finite where the classes are separated.
_NO_PENALTY = 1e8
# Where the classes are separated, that fit has linear predictors beyond this value.
_LARGE_LOGIT = 6.0


class SeparationWarning(UserWarning):
    """A linear function separates the classes, so the maximum-likelihood fit is infinite."""


class PostSelectionWarning(UserWarning):
    """The rows of a test are the rows that chose what is tested."""


# Fits


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
        None is the maximum-likelihood fit.
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

    Notes
    -----
    A class without a row gets about the probability of half a row, so a fit on rows of one class
    is a constant with the log-odds ``log((count_1 + 1/2) / (count_0 + 1/2))``. Where a linear
    function separates the classes, the coefficients are large but finite.

    Explained in the chapter *unwrapping-merging*.
    """
    if n_classes is None:
        return _fit_regression(X, y, penalty, C)
    return _fit_classification(X, y, n_classes, penalty, C)


def _fit_regression(
    X: np.ndarray, y: np.ndarray, penalty: str | None, C: float
) -> tuple[np.ndarray, np.ndarray]:
    if penalty is None:
        Z, center, scale = _standardise(X)
        slope = np.linalg.lstsq(Z, y - y.mean(), rcond=None)[0] / scale
        return slope[None], np.array([y.mean() - center @ slope])
    model = Ridge(alpha=1 / C) if penalty == "l2" else Lasso(alpha=1 / (C * len(X)))
    model.fit(X, y)
    return model.coef_.reshape(1, -1), np.atleast_1d(model.intercept_)


def _fit_classification(
    X: np.ndarray, y: np.ndarray, n_classes: int, penalty: str | None, C: float
) -> tuple[np.ndarray, np.ndarray]:
    counts = np.bincount(y, minlength=n_classes)
    present = np.flatnonzero(counts)
    coef, intercept = np.zeros((n_classes, X.shape[1])), np.log(counts + 0.5)
    if len(present) > 1:
        coef[present], intercept[present] = _fit_logistic(X, y, penalty, C)
        mean_total = logsumexp(X @ coef[present].T + intercept[present], axis=1).mean()
        intercept[counts == 0] = mean_total + np.log(0.5 / len(X))
    if n_classes == 2:
        return coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    return coef, intercept


def _fit_logistic(
    X: np.ndarray, y: np.ndarray, penalty: str | None, C: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return one model per class that `y` holds, of which there are at least two."""
    center, scale = np.zeros(X.shape[1]), np.ones(X.shape[1])
    if penalty == "l1":
        classes = np.unique(y)
        if len(classes) == 2:
            return _halves(*_fit_l1_logistic(X, y == classes[1], C))
        # The only solver with several classes and an intercept that is not penalised.
        model = LogisticRegression(
            C=C, solver="saga", tol=1e-6, max_iter=10_000, random_state=0, **_l1_option()
        )
    elif penalty == "l2":
        model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8, max_iter=200)
    else:
        X, center, scale = _standardise(X)
        model = LogisticRegression(C=_NO_PENALTY, solver="newton-cholesky", tol=1e-8, max_iter=200)
    with warnings.catch_warnings():
        if penalty is None:  # only separated classes keep it from converging: a warning of its own
            warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    coef = model.coef_ / scale
    intercept = model.intercept_ - coef @ center
    return _halves(coef[0], intercept[0]) if len(coef) == 1 else (coef, intercept)


def _halves(coef: np.ndarray, intercept: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the logit of the second of two classes, shared out between them."""
    return np.stack([-coef, coef]) / 2, np.array([-intercept, intercept]) / 2


def _fit_l1_logistic(X: np.ndarray, positive: np.ndarray, C: float) -> tuple[np.ndarray, float]:
    """Return a lasso logistic model: weighted lassos of the working response, until they agree.

    scikit-learn's own solvers penalise the intercept, or stop before it has converged where all
    coefficients are zero.
    """
    signs = np.where(positive, 1.0, -1.0)

    def criterion(model: np.ndarray) -> float:
        return np.abs(model[1:]).sum() + C * np.logaddexp(0, -signs * logits(model)).sum()

    def logits(model: np.ndarray) -> np.ndarray:
        return X @ model[1:] + model[0]

    share = positive.mean()
    model = np.append(np.log(share / (1 - share)), np.zeros(X.shape[1]))
    for _ in range(200):
        logit = logits(model)
        p = expit(logit)
        weight = np.maximum(p * (1 - p), 1e-6)
        lasso = Lasso(alpha=1 / (C * weight.sum()), tol=1e-8, max_iter=20_000)
        lasso.fit(X, logit + (positive - p) / weight, sample_weight=weight)
        step = np.append(lasso.intercept_, lasso.coef_) - model
        while criterion(model + step) > criterion(model) + 1e-12 and np.abs(step).max() > 1e-12:
            step /= 2
        model = model + step
        if np.abs(step).max() <= 1e-8 * (1 + np.abs(model).max()):
            break
    # Zeros of the last lasso, which a halved step would miss by a rounding error.
    return np.where(lasso.coef_ == 0, 0.0, model[1:]), float(model[0])


def _l1_option() -> dict[str, object]:
    """Return how this version of scikit-learn asks for an l1 penalty (1.8 changed it)."""
    new = LogisticRegression().get_params()["penalty"] == "deprecated"
    return {"l1_ratio": 1.0} if new else {"penalty": "l1"}


def _standardise(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    center, scale = X.mean(axis=0), X.std(axis=0)
    # A constant column has a standard deviation of rounding errors.
    scale = np.where(scale > 1e-12 * np.abs(X).max(axis=0, initial=0), scale, 1.0)
    return (X - center) / scale, center, scale


def is_separated(X: np.ndarray, positive: np.ndarray) -> bool:
    """Return whether a linear function separates two classes, completely or quasi-completely.

    Parameters
    ----------
    X : ndarray, shape (n_samples, n_features)
    positive : ndarray of bool, shape (n_samples,)

    Notes
    -----
    The maximum-likelihood fit is finite if and only if no direction has every row on its class's
    side or on the border, and one row off the border (Albert and Anderson, 1984). A linear
    program looks for such a direction.
    """
    signs = np.where(positive, 1.0, -1.0)
    margins = signs[:, None] * np.column_stack([np.ones(len(X)), _standardise(X)[0]])
    found = linprog(
        -margins.mean(axis=0), A_ub=-margins, b_ub=np.zeros(len(X)), bounds=(-1, 1), method="highs"
    )
    return bool(-found.fun * len(X) > 1e-5)


def maybe_separated(logits: np.ndarray) -> bool:
    """Return whether a fit without penalty may be a separated one; spares the linear program."""
    return bool(np.abs(logits).max(initial=0) > _LARGE_LOGIT)


# Tests


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
        Indexed by ``"intercept"`` and the names: ``coef``, ``std_err``, ``statistic``,
        ``p_value``, ``ci_low``, ``ci_high``.

    Raises
    ------
    ValueError
        If an option is unknown, or the fit is not defined: too few rows, columns that are linear
        combinations of others, one class only, separated classes.

    Notes
    -----
    Sudjianto et al. (2020), section 5.2. The fits are statsmodels'. Its logistic models take
    ``cov_type="HC3"`` without the leverages, which is HC0; they are put in here.

    Explained in the chapter *unwrapping-inference*.
    """
    if cov_type not in ("nonrobust", "HC3"):
        raise ValueError(f"cov_type must be 'nonrobust' or 'HC3', got {cov_type!r}.")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}.")
    _check_design(X, y, names, classification, what)
    import statsmodels.api as sm  # slow to import

    # Fitted on standardised columns, tested in the features' units: large means or odd units
    # would make the design singular in floating point.
    Z, center, scale = _standardise(X)
    design = np.column_stack([np.ones(len(Z)), Z])
    to_units = np.diag(np.append(1.0, 1 / scale))
    to_units[0, 1:] = -center / scale
    if classification:
        family = sm.families.Binomial()
        result = sm.GLM(y, design, family=family).fit(tol=1e-10, maxiter=200)
        covariance = _logistic_hc3(result, y, design) if cov_type == "HC3" else None
    else:
        result = sm.OLS(y, design).fit(cov_type=cov_type, use_t=True)
        covariance = None
    tests = result.t_test(to_units, cov_p=covariance)
    low, high = tests.conf_int(alpha).T
    table = {
        "coef": tests.effect,
        "std_err": tests.sd,
        "statistic": tests.statistic,
        "p_value": tests.pvalue,
        "ci_low": low,
        "ci_high": high,
    }
    values = {key: np.ravel(column) for key, column in table.items()}
    return pd.DataFrame(values, index=["intercept", *names])


def _logistic_hc3(result: GLMResults, y: np.ndarray, design: np.ndarray) -> np.ndarray:
    residual = (y - result.fittedvalues) / (1 - result.get_influence().hat_matrix_diag)
    score = residual[:, None] * design
    return result.cov_params() @ (score.T @ score) @ result.cov_params()


def _check_design(
    X: np.ndarray, y: np.ndarray, names: Sequence[str], classification: bool, what: str
) -> None:
    n_rows, n_params = len(X), X.shape[1] + 1
    if n_rows <= n_params:
        raise ValueError(
            f"{what} has {n_rows} rows, too few to test {n_params} coefficients: merge to fewer "
            "clusters or give more rows."
        )
    if classification and len(np.unique(y)) < 2:
        raise ValueError(f"{what} holds rows of one class only: there is no effect to test.")
    dependent = _dependent_columns(X)
    if len(dependent):
        listed = ", ".join(str(names[j]) for j in dependent)
        raise ValueError(
            f"{what} has columns that are constant or linear combinations of those before them: "
            f"{listed}. Their coefficients are not determined; leave them out."
        )
    if classification and is_separated(X, y == 1):
        raise ValueError(
            f"{what} has classes that a linear function separates, completely or "
            "quasi-completely: the maximum-likelihood coefficients are infinite and a Wald test "
            "means nothing. Merge to fewer clusters, or use bootstrap with a penalty."
        )


def _dependent_columns(X: np.ndarray) -> np.ndarray:
    """Return the columns that the intercept and the columns before them span."""
    Z = _standardise(X)[0]
    left = np.abs(np.diag(np.linalg.qr(np.column_stack([np.ones(len(Z)), Z]), mode="r")))[1:]
    return np.flatnonzero(left < 1e-8 * np.sqrt(len(Z)))


# Resampling


def bootstrap_table(
    estimate: np.ndarray,
    refit: Callable[[np.random.Generator], np.ndarray],
    names: Sequence[str],
    *,
    n_boot: int,
    seed: int,
    alpha: float = 0.05,
    n_jobs: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Summarise refits on resampled rows.

    Parameters
    ----------
    estimate : ndarray, shape (n_params,)
        The fit on all rows.
    refit : callable
        Draws rows with the generator that it gets, and returns their fit, shape (n_params,).
    names : sequence of str, length n_params
    n_boot, seed : int
    alpha : float
        One minus the level of the percentile intervals.
    n_jobs : int, optional
        Processes, as in joblib; the result does not depend on it.
    progress : bool

    Returns
    -------
    DataFrame
        Indexed by the names: ``coef`` (`estimate`), ``mean``, ``std``, ``ci_low``, ``q25``,
        ``median``, ``q75``, ``ci_high``, ``probability_zero`` (share of exact zeros).

    Notes
    -----
    Sudjianto et al. (2020), Figure 19. Explained in the chapter *unwrapping-inference*.
    """
    seeds = np.random.SeedSequence(seed).spawn(n_boot)
    shown = tqdm(seeds, desc="bootstrap", disable=not progress)
    draws = Parallel(n_jobs=n_jobs)(delayed(refit)(np.random.default_rng(s)) for s in shown)
    draws = np.stack(draws)
    levels = [alpha / 2, 0.25, 0.5, 0.75, 1 - alpha / 2]
    low, q25, median, q75, high = np.quantile(draws, levels, axis=0)
    return pd.DataFrame(
        {
            "coef": estimate,
            "mean": draws.mean(axis=0),
            "std": draws.std(axis=0, ddof=1),
            "ci_low": low,
            "q25": q25,
            "median": median,
            "q75": q75,
            "ci_high": high,
            "probability_zero": (draws == 0).mean(axis=0),
        },
        index=list(names),
    )
