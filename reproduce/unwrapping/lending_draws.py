"""The book's case study over draws of the data and trainings, with the truth built in two ways."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from replicates import Replicates
from results import difference, spread
from scipy.special import expit
from sklearn.cluster import KMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tqdm import tqdm

from xai_course import data
from xai_course.book import cases
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier

MEASURED_BY = ("lending_draws",)
DRAWS = 20
TRAININGS = 2
KINDS = ("quality", "economy")
STEPS = {"fico0": 20.0, "ltv_fcast": -5.0}  # both should lower the risk
SETTINGS = {
    "draws": "10,000 loans each, 8,000 for training; seeds 100 to 119 of the generator",
    "trainings": "two a draw, seeds 0 to 39; a number of a network is the mean of its draw's two",
    "network": "5 + 5 neurons, Adam, 2,000 epochs at most, patience 100 on 20 % of the rows",
    "merge": "K = 3, as few neighbours as connect, small clusters: 100 rows, l2 with C = 0.1",
    "flattened": "60 epochs, batches of 512, rate 0.005",
    "truths": "quality: data.home_lending, segments cut by FICO - 4 LTV, coefficients of the two "
    "-1 to 4 in every segment; economy: the same loans, segments cut by house prices and "
    "unemployment, score and ratio in the proportions -4 to 1, -1 to 3 and -1 to 30",
    "differences": "mean over draws of the pairwise difference, and its standard error",
}


# The table


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure every model and control on all draws of both truths."""
    numbers = tqdm(list(product(range(DRAWS), KINDS)), desc="draws")
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for number, kind in numbers:
        key = f"{kind} {number}"
        runs[kind].append(replicates.run(key, lambda k=kind, n=number: measure(k, n)))
    return {"settings": SETTINGS, "rows": {kind: row(found) for kind, found in runs.items()}}


def row(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one truth's part; a list has one number a draw."""
    draws = [run["models"] | mean_of_trainings(run["trainings"]) for run in runs]
    models = {
        name: {key: over_draws([draw[name][key] for draw in draws]) for key in draws[0][name]}
        for name in draws[0]
        if isinstance(draws[0][name], dict)
    }
    auc = {name: np.array(model["auc"]) for name, model in models.items()}
    facts = ("best auc", "defaults", "risk and quality", "same segments", "same decision")
    each = ("regions", "lone rows", "coverage", "accuracy", "index", "index with the thirds")
    trainings = [training for run in runs for training in run["trainings"]]
    return {
        "models": models,
        "auc minus the network's": {
            name: difference(found - auc["network"]) for name, found in auc.items()
        },
        "facts": {key: spread([run[key] for run in runs]) for key in facts},
        "networks": {key: spread([training[key] for training in trainings]) for key in each},
        "index": {
            **{name: [round(run["index"][name], 4) for run in runs] for name in runs[0]["index"]},
            "merged": [[round(t["index"], 4) for t in run["trainings"]] for run in runs],
        },
        "gains": int(sum(t["merged"]["auc"] > t["network"]["auc"] for t in trainings)),
        "worse signs": int(sum(t["network"]["two"] < 0.99 for t in trainings)),
        "high rises": int(sum(t["network"]["rise"] > 0.1 for t in trainings)),
        "declines": int(sum(t["declines the applicant"] for t in trainings)),
        "stories": {
            part: int(sum(t["story"][part] for t in trainings)) for part in trainings[0]["story"]
        },
        "rises": {
            name: spread([t[name]["rise"] for t in trainings])
            for name in mean_of_trainings(trainings)
        },
        "trainings": len(trainings),
    }


def mean_of_trainings(trainings: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of each number of each model over the trainings of a draw."""
    models = [
        name for name, value in trainings[0].items() if isinstance(value, dict) and "auc" in value
    ]
    return {
        name: {
            key: np.mean([training[name][key] for training in trainings], axis=0).tolist()
            for key in trainings[0][name]
        }
        for name in models
    }


def over_draws(values: list[Any]) -> Any:
    """Return one number a draw, or for a number of each predictor its mean and range."""
    found = np.round(values, 5)
    if found.ndim == 1:
        return found.tolist()
    ends = {"mean": found.mean(axis=0), "min": found.min(axis=0), "max": found.max(axis=0)}
    return {name: end.round(4).tolist() for name, end in ends.items()}


# The truths


@dataclass(frozen=True)
class EconomyTruth:
    """Three linear models, cut by the economy; score and ratio have no common direction.

    The index is ``hpiyy - 2 unemprrt``. Each effect that differs between segments is counted from
    the average loan, so that a segment says what matters and hardly how high the risk is.
    """

    names: tuple[str, ...]
    bounds: tuple[float, float] = (-12.7, -6.3)  # a third of the loans each
    intercept: float = 0.08  # makes half of the loans default

    @property
    def coefficients(self) -> np.ndarray:
        """Log-odds per unit, shape (3, 21); from the worst economy to the best."""
        beta = np.tile(data.LendingTruth().coefficients[list(self.names)].to_numpy()[0], (3, 1))
        for name, values in self.effects().items():
            beta[:, self.names.index(name)] = values
        return beta

    @staticmethod
    def effects() -> dict[str, list[float]]:
        """Return what differs between segments."""
        return {
            "fico0": [-0.020, -0.010, -0.002],
            "ltv_fcast": [0.005, 0.030, 0.060],
            "dlq_new_delq0": [-3.0, -0.2, -0.2],
            "premod_ind": [0.05, 0.05, 2.0],
            "h": [-0.1, 0.0, 0.1],
        }

    def segment(self, X: ArrayLike) -> np.ndarray:
        """Return 0, 1 or 2, from the worst economy to the best."""
        X = np.asarray(X)
        index = X[:, self.names.index("hpiyy")] - 2 * X[:, self.names.index("unemprrt")]
        return np.digitize(index, self.bounds)

    def log_odds(self, X: ArrayLike) -> np.ndarray:
        """Return the log-odds of default."""
        zero = np.zeros(len(self.names))
        average = {"fico0": 700, "ltv_fcast": 68, "dlq_new_delq0": 0.85, "premod_ind": 0.45}
        for name, value in (average | {"h": 6.5}).items():
            zero[self.names.index(name)] = value
        beta = self.coefficients[self.segment(X)]
        return self.intercept + np.einsum("ij,ij->i", np.asarray(X) - zero, beta)


def draw(kind: str, seed: int) -> tuple[Any, ...]:
    """Return a draw of loans: training and test rows, the truth and the expected signs."""
    loans = data.home_lending(seed=seed)
    truth, y = loans.truth, loans.y
    beta = truth.coefficients[loans.feature_names].to_numpy()
    if kind == "economy":
        truth = EconomyTruth(tuple(loans.feature_names))
        rng = np.random.default_rng((seed, 1))
        y = (rng.uniform(size=len(y)) < expit(truth.log_odds(loans.X))).astype(np.int64)
        beta = truth.coefficients
    signs = np.sign(beta)
    expected = np.where((signs == signs[0]).all(axis=0), signs[0], 0)
    train, test = loans.split_rows(seed=0)
    return loans.X[train], loans.X[test], y[train], y[test], truth, expected


# The models

LogOdds = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Model:
    """Log-odds of standardised loans, and for a model in pieces the coefficients of each row."""

    log_odds: LogOdds
    coefs: LogOdds | None = None


def logistic(Z: np.ndarray, y: np.ndarray, C: float = 1e6) -> LogisticRegression:
    """Return a fitted logistic regression."""
    return LogisticRegression(C=C, max_iter=1000).fit(Z, y)


def controls(
    Z: np.ndarray, y: np.ndarray, expected: np.ndarray
) -> tuple[dict[str, Model], dict[str, LogOdds]]:
    """Return models that know no network, and their ways to group loans."""
    one = logistic(Z, y)
    cuts = np.quantile(one.decision_function(Z), [1 / 3, 2 / 3])

    def third(Q: np.ndarray) -> np.ndarray:
        return np.digitize(one.decision_function(Q), cuts)

    own = [logistic(Z[third(Z) == k], y[third(Z) == k], C=0.1) for k in range(3)]
    coef = np.vstack([fit.coef_ for fit in own])
    intercept = np.concatenate([fit.intercept_ for fit in own])
    how = {"max_leaf_nodes": 8, "random_state": 0}
    monotone = HistGradientBoostingClassifier(monotonic_cst=expected, **how)
    models = {
        "one logistic": Model(one.decision_function, lambda Q: np.tile(one.coef_, (len(Q), 1))),
        "thirds": Model(
            lambda Q: np.einsum("ij,ij->i", Q, coef[third(Q)]) + intercept[third(Q)],
            lambda Q: coef[third(Q)],
        ),
        "monotone boosting": Model(monotone.fit(np.round(Z, 1), y).decision_function),
        "boosting": Model(
            HistGradientBoostingClassifier(**how).fit(np.round(Z, 1), y).decision_function
        ),
    }
    means = KMeans(3, n_init=3, random_state=0).fit(Z)
    leaves = DecisionTreeClassifier(max_leaf_nodes=3, random_state=0).fit(Z, y)
    return models, {"thirds": third, "K-means": means.predict, "tree": leaves.apply}


def train(Z: np.ndarray, y: np.ndarray, seed: int) -> UnwrapperClassifier:
    """Train the bank's network and unwrap it."""
    mlp = MLPClassifier(
        (5, 5), early_stopping=True, validation_fraction=0.2, n_iter_no_change=100,
        max_iter=2000, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(Z, y)
    return UnwrapperClassifier(PiecewiseLinearNetwork.from_sklearn(mlp)).fit(Z, y)


def in_pieces(network: PiecewiseLinearNetwork) -> Model:
    """Return a network as a model in pieces."""
    return Model(
        lambda Q: network.forward(Q)[:, 0],
        lambda Q: network.local_linear_models(network.activation_pattern(Q))[0][:, 0],
    )


# The measures


def measure(kind: str, number: int) -> dict[str, Any]:
    """Return everything about one draw."""
    X, X_test, y, y_test, truth, expected = draw(kind, 100 + number)
    scaler = StandardScaler().fit(X)
    Z, Z_test = scaler.transform(X), scaler.transform(X_test)
    names = data.home_lending(1).feature_names
    segments = truth.segment(X_test)
    rows = X_test, y_test, expected, scaler, names
    models, groupings = controls(Z, y, expected)
    found: dict[str, Any] = {name: judge(model, *rows) for name, model in models.items()}
    risk = models["one logistic"].log_odds(Z_test)
    quality = X_test[:, names.index("fico0")] - 4 * X_test[:, names.index("ltv_fcast")]
    ways = {name: group(Z_test) for name, group in groupings.items()}
    trainings, applied, decided = [], [], []
    for seed in range(TRAININGS * number, TRAININGS * (number + 1)):
        table = train(Z, y, seed)
        merged = table.merge(3, 1, min_samples=100, penalty="l2", C=0.1)
        loose = table.merge(3, 1, min_samples=100, penalty="l2", C=1e4)
        flat = merged.flatten(epochs=60, batch_size=512, learning_rate=0.005)
        with_coefs = Model(merged.decision_function, lambda Q, m=merged: m.coef_[m.apply(Q), 0])
        applied.append(merged.apply(Z_test))
        decided.append(table.predict(Z_test))
        summary = table.summary()
        lone = summary["single_instance"] | summary["single_class"]
        applicant = scaler.transform(cases()["applicant"].x[None])
        trainings.append({
            "network": judge(in_pieces(table.network_), *rows),
            "merged": judge(with_coefs, *rows),
            "merged, C = 10,000": judge(Model(loose.decision_function), *rows),
            "flattened": judge(in_pieces(flat.network), *rows),
            "regions": len(summary),
            "lone rows": float(summary.loc[lone, "count"].sum() / len(Z)),
            "coverage": float(table.coverage(Z_test)),
            "accuracy": float((decided[-1] == y_test).mean()),
            "declines the applicant": bool(table.predict(applicant)[0]),
            "index": float(adjusted_rand_score(segments, applied[-1])),
            "index with the thirds": float(adjusted_rand_score(ways["thirds"], applied[-1])),
            "story": story(merged, y, applied[-1], segments, names),
        })  # fmt: skip
    return {
        "best auc": float(roc_auc_score(y_test, truth.log_odds(X_test))),
        "defaults": float(y.mean()),
        "segment shares": (np.bincount(segments, minlength=3) / len(segments)).tolist(),
        "risk and quality": float(np.corrcoef(risk, quality)[0, 1]),
        "models": found,
        "index": {name: float(adjusted_rand_score(segments, way)) for name, way in ways.items()},
        "trainings": trainings,
        "same segments": float(adjusted_rand_score(*applied)),
        "same decision": float((decided[0] == decided[1]).mean()),
    }


def judge(
    model: Model,
    X: np.ndarray,
    y: np.ndarray,
    expected: np.ndarray,
    scaler: StandardScaler,
    names: list[str],
) -> dict[str, Any]:
    """Return AUC, steps and, for a model in pieces, signs of a model on the test loans."""
    Z = scaler.transform(X)
    log_odds = model.log_odds(Z)
    found: dict[str, Any] = {"auc": float(roc_auc_score(y, log_odds))}
    for name, step in STEPS.items():
        moved = X.copy()
        moved[:, names.index(name)] += step
        rise = model.log_odds(scaler.transform(moved)) - log_odds
        found[f"{name} share"] = float((rise > 1e-9).mean())
        found[f"{name} rise"] = max(0.0, float(rise.max()))
    found["rise"] = max(found[f"{name} rise"] for name in STEPS)
    if model.coefs is not None:
        right = np.sign(np.round(model.coefs(Z), 12)) == expected
        two = [names.index(name) for name in STEPS]
        checked = right[:, expected != 0]
        found |= {
            "two": float(right[:, two].all(axis=1).mean()),
            "signs": float(checked.mean()),
            "faultless": float(checked.all(axis=1).mean()),
            "each": checked.mean(axis=0).round(4).tolist(),
        }
    return found


def story(
    merged: Any, y: np.ndarray, groups: np.ndarray, segments: np.ndarray, names: list[str]
) -> dict[str, bool]:
    """Return which parts of the paper's story a merge tells."""
    regions = range(len(merged.counts_))
    top = [names[j] for j in np.abs(merged.coef_[:, 0]).argmax(axis=1)]
    main = [int(np.bincount(segments[groups == r], minlength=3).argmax()) for r in regions]
    risk = [y[merged.labels_ == r].mean() for r in regions]
    h = merged.coef_[:, 0, names.index("h")]
    return {
        "three segments, one region each": sorted(main) == [0, 1, 2],
        "being current leads in a low region": ("dlq_new_delq0", 0) in zip(top, main, strict=True),
        "crisis leads in a high region": ("premod_ind", 2) in zip(top, main, strict=True),
        "h: - in the riskiest, + in the safest": bool(
            h[np.argmax(risk)] < 0 < h[np.argmin(risk)]
        ),
    }  # fmt: skip
