"""How near a merge is to its network, and to models that never saw the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from interpret.glassbox import ExplainableBoostingClassifier
from replicates import Replicates
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.metrics import adjusted_rand_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from unwrapping import controls
from unwrapping.examples import BY_NAME, RECIPE, Trained, fit_network, train
from unwrapping.seeds import hashes, over_seeds, quietly
from xai_course import data
from xai_course.unwrapping.glm import fit_glm

SEEDS, LOANS, NOISE, HELOC = 20, 10, 200, 5
FRESH = 20_000
FRESH_SEED = 1000  # of fresh rows: this and the replicate's number
PENALTIES = {"l2": "l2", "free": None}
STRENGTHS = (1.0, 10.0, 100.0, 1e3, 1e4)
WAVE_K = 20
SETTINGS = {
    "circles": "K = 10, T = 5, small clusters: 30 rows or fewer; l2 with C = 1, or no penalty; "
    "K-means with as many clusters as the merge has left, and the same penalty",
    "fresh": f"{FRESH} rows drawn anew: correlation with the network's output, and the share on "
    "its side of zero",
    "to the network": "the clusters' models are fitted to the network's log-odds by least squares",
    "EBM": "5 interactions, 64 bins, 16 for interactions, rate 0.2, 2 outer bags",
    "wave": "T = 1 % of the regions, raised until they connect; no penalty; K by the held-out "
    f"loss, and K = {WAVE_K}",
    "boston": f"l2 or l1 with C of {STRENGTHS}, T and K as for the wave; figure 19: seed 0, the "
    "largest cluster, 100 resamples of its rows",
    "loans": "home_lending drawn anew; two hidden layers of five; K = 3, T as few as connect, "
    "l2 with C = 1",
    "choice": "K with the least held-out loss; the smallest within one standard error of that "
    "mean; the smallest within one standard error of the difference over the same folds",
    "noise": "500 rows of two normal columns, a normal response that has nothing to do with them, "
    "two hidden layers of ten, no penalty",
    "seeds": "a replicate's number is the seed of its data, split, network and everything else",
}
MEASURED_BY = ("examples", "seeds", "controls", "merging")
Numbers = dict[str, float]


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure merges and their controls over draws of the data and trainings."""
    parts: dict[str, tuple[Callable[[int], Any], int]] = {
        "circles": (circles, SEEDS),
        "wave": (wave, SEEDS),
        "boston": (boston, SEEDS),
        "loans": (loans, LOANS),
        "noise": (noise, NOISE),
        "heloc": (heloc, HELOC),
    }
    found: dict[str, Any] = {"settings": SETTINGS}
    for name, (work, n) in parts.items():
        try:
            found[name] = over_seeds(replicates, name, work, n)
        except OSError as error:
            found[name] = {"not_run": str(error).split("\n")[0]}
    found["figure 19"] = replicates.run("figure 19", lambda: quietly(figure19, 0))
    found["data_sha256"] = hashes()
    return found


def fidelity(network: np.ndarray, outputs: dict[str, np.ndarray]) -> Numbers:
    """Return each model's correlation with the network, and how often both take one side."""
    found = {}
    for name, output in outputs.items():
        found[f"correlation, {name}"] = np.corrcoef(network, output)[0, 1]
        found[f"same side, {name}"] = np.mean((network > 0) == (output > 0))
    return found


def in_clusters(
    rows: Trained, own: np.ndarray, X: np.ndarray, new: np.ndarray, fit: Callable[..., Any]
) -> np.ndarray:
    """Return the outputs for `X`, in clusters `new`, of models fitted in the clusters `own`."""
    outputs = np.empty(len(X))
    for k in np.unique(own):
        coef, intercept = fit(rows.X_train[own == k], own == k)
        outputs[new == k] = X[new == k] @ coef + intercept
    return outputs


def glm(rows: Trained, penalty: str | None) -> Callable[..., Any]:
    """Return a fit to the responses of a cluster."""
    n_classes = 2 if rows.classification else None

    def fit(X: np.ndarray, mask: np.ndarray) -> Any:
        coef, intercept = fit_glm(X, rows.y_train[mask], n_classes, penalty, 1.0)
        return coef[0], intercept[0]

    return fit


def to_network(rows: Trained) -> Callable[..., Any]:
    """Return a fit to the network's outputs in a cluster."""
    outputs = rows.network.forward(rows.X_train)[:, 0]

    def fit(X: np.ndarray, mask: np.ndarray) -> Any:
        line = LinearRegression().fit(X, outputs[mask])
        return line.coef_, line.intercept_

    return fit


def boosted(rows: Trained, seed: int) -> Any:
    """Return a fitted explainable boosting machine, of the chapter's settings."""
    machine = ExplainableBoostingClassifier(
        interactions=5,
        max_bins=64,
        max_interaction_bins=16,
        learning_rate=0.2,
        max_rounds=2000,
        outer_bags=2,
        n_jobs=1,
        random_state=seed,
    )
    return machine.fit(rows.X_train, rows.y_train)


def on(rows: Trained, X: np.ndarray) -> Trained:
    """Return the same training rows with other test rows."""
    return Trained(rows.X_train, X, rows.y_train, np.zeros(len(X)), rows.unwrapper)


def circles(seed: int) -> Numbers:
    """Return one replicate of CoCircles: scores on test rows, fidelity on fresh ones."""
    rows = train(BY_NAME["CoCircles"], seed)
    merges = {name: rows.unwrapper.merge(10, 5, 30, p) for name, p in PENALTIES.items()}
    merged = merges["l2"]  # the clusters of both
    means = KMeans(len(merged.counts_), n_init=10, random_state=seed).fit(rows.X_train)
    machine = boosted(rows, seed)

    def every(X: np.ndarray) -> dict[str, np.ndarray]:
        found = {f"merged, {name}": m.decision_function(X) for name, m in merges.items()}
        parts = {"merged": (merged.labels_, merged.apply(X))}
        parts["K-means"] = (means.labels_, means.predict(X))
        for name, penalty in PENALTIES.items():
            found[f"K-means, {name}"] = in_clusters(
                rows, *_with(parts["K-means"], X), glm(rows, penalty)
            )
        for name, part in parts.items():
            fit = to_network(rows)
            found[f"{name}, to the network"] = in_clusters(rows, *_with(part, X), fit)
        found["quadratic"] = controls.quadratic(on(rows, X))
        found["linear"] = controls.linear(on(rows, X))
        return found | {"EBM": machine.decision_function(X)}

    fresh = data.co_circles(FRESH, seed=FRESH_SEED + seed).X
    outputs = every(rows.X_test) | {"network": rows.network.forward(rows.X_test)[:, 0]}
    found = {f"AUC, {name}": rows.score(z) for name, z in outputs.items()}
    found |= {f"loss, {name}": log_loss(rows.y_test, _share(z)) for name, z in outputs.items()}
    found |= fidelity(rows.network.forward(fresh)[:, 0], every(fresh))
    return found | {"clusters": len(merged.counts_), "regions": rows.unwrapper.n_regions_}


def _with(part: tuple[np.ndarray, np.ndarray], X: np.ndarray) -> tuple[np.ndarray, ...]:
    return part[0], X, part[1]


def _share(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))


def wave(seed: int) -> Numbers:
    """Return one replicate of ChirpWave: test errors, and distances to the network."""
    rows = train(BY_NAME["ChirpWave"], seed)
    merges = {"own K": rows.unwrapper.merge(n_neighbors=0.01)}
    merges[f"K = {WAVE_K}"] = rows.unwrapper.merge(WAVE_K, 0.01)
    fresh = data.chirp_wave(FRESH, seed=FRESH_SEED + seed).X
    says = rows.unwrapper.predict(fresh)
    found: Numbers = {"MSE, network": rows.score(rows.unwrapper.predict(rows.X_test))}
    for name, merged in merges.items():
        # K = 20 leaves fewer clusters: K-means has as many as are left, and in a third race 20.
        wanted = {name: len(merged.counts_)}
        if name != "own K":
            wanted["K-means has all 20"] = WAVE_K
        found[f"MSE, merged, {name}"] = rows.score(merged.predict(rows.X_test))
        found[f"from network, merged, {name}"] = np.mean((merged.predict(fresh) - says) ** 2)
        for label, n in wanted.items():
            places = (rows.X_test, fresh)
            lines = [controls.kmeans_glm(on(rows, X), n, None, 1.0, seed) for X in places]
            found[f"MSE, K-means, {label}"] = rows.score(lines[0])
            found[f"from network, K-means, {label}"] = np.mean((lines[1] - says) ** 2)
        found[f"clusters, {name}"] = len(merged.counts_)
    return found


def boston(seed: int) -> Numbers:
    """Return one replicate of Boston: merges with the strength of least held-out loss."""
    rows = train(BY_NAME["BostonHouse"], seed)
    network = rows.unwrapper.predict(rows.X_test)
    outputs = {"network": network, "quadratic": controls.quadratic(rows)}
    found: Numbers = {}
    for penalty in ("l2", "l1"):
        merged = tuned(rows, penalty)
        outputs[f"merged, {penalty}"] = merged.predict(rows.X_test)
        outputs[f"K-means, {penalty}"] = controls.kmeans_glm(
            rows, len(merged.counts_), penalty, merged.C, seed
        )
        found |= {f"C, {penalty}": merged.C, f"clusters, {penalty}": len(merged.counts_)}
        found[f"zeros, {penalty}"] = np.mean(merged.coef_ == 0)
    found |= {f"MSE, {name}": rows.score(output) for name, output in outputs.items()}
    away = {f"from network, {n}": np.mean((o - network) ** 2) for n, o in outputs.items()}
    return found | away


def tuned(rows: Trained, penalty: str) -> Any:
    """Return the merge whose strength of the penalty has the least held-out loss."""
    merges = [rows.unwrapper.merge(None, 0.01, 30, penalty, C=C) for C in STRENGTHS]
    return min(merges, key=lambda merge: merge.scores_["mean"].min())


def figure19(seed: int) -> Numbers:
    """Return coefficients and their shares of zeros in the largest l1 cluster of Boston."""
    merged = tuned(train(BY_NAME["BostonHouse"], seed), "l1")
    boot = merged.bootstrap(0, 100, "l1", merged.C, progress=False)
    boot.index = ["intercept", *data.load("boston").feature_names]
    found = {"C": merged.C, "clusters": len(merged.counts_), "count": merged.counts_[0]}
    for column in ("coef", "ci_low", "ci_high", "probability_zero"):
        found |= {f"{column}, {name}": value for name, value in boot[column].items()}
    return found


def loans(seed: int) -> Numbers:
    """Return one draw of the loans: AUC, agreement with the true segments, fidelity."""
    drawn = data.home_lending(seed=seed)
    X, X_test, y, y_test = train_test_split(drawn.X, drawn.y, test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(X)
    mlp = MLPClassifier(hidden_layer_sizes=(5, 5), random_state=seed, **RECIPE)
    rows = fit_network(mlp, scaler.transform(X), scaler.transform(X_test), y, y_test)
    merged = rows.unwrapper.merge(3, 1, 30, "l2")
    means = KMeans(len(merged.counts_), n_init=10, random_state=seed).fit(rows.X_train)
    machine = boosted(rows, seed)

    def every(Z: np.ndarray) -> dict[str, np.ndarray]:
        part = (means.labels_, means.predict(Z))
        return {
            "merged": merged.decision_function(Z),
            "K-means": in_clusters(rows, *_with(part, Z), glm(rows, "l2")),
            "linear": controls.linear(on(rows, Z)),
            "EBM": machine.decision_function(Z),
        }

    fresh = scaler.transform(data.home_lending(FRESH, seed=FRESH_SEED + seed).X)
    outputs = every(rows.X_test) | {"network": rows.network.forward(rows.X_test)[:, 0]}
    found = {f"AUC, {name}": rows.score(z) for name, z in outputs.items()}
    found["AUC, truth"] = rows.score(drawn.truth.log_odds(X_test))
    segment = drawn.truth.segment(X_test)
    found["segments, merged"] = adjusted_rand_score(segment, merged.apply(rows.X_test))
    found["segments, K-means"] = adjusted_rand_score(segment, means.predict(rows.X_test))
    found |= fidelity(rows.network.forward(fresh)[:, 0], every(fresh))
    return found | {"clusters": len(merged.counts_)}


def choice(merged: Any) -> Numbers:
    """Return the K of three rules, and the gain of the best K over one cluster."""
    grid = merged.scores_
    best, gap = grid["mean"].idxmin(), grid["mean"] - grid["mean"].min()
    return {
        "least": grid["n_clusters"][best],
        "one mean": grid["n_clusters"][grid.index[gap <= grid["se"][best]].min()],
        "difference": grid["n_clusters"][grid.index[gap <= grid["gap_se"]].min()],
        "gain": gap[1],
        "gain's error": grid["gap_se"][1],
        "mean's error": grid["se"][best],
    }


def heloc(seed: int) -> Numbers:
    """Return how many clusters HELOC has by each rule."""
    rows = train(BY_NAME["FicoHeloc"], seed)
    merged = rows.unwrapper.merge(None, 0.01, 30, "l2")
    single = rows.unwrapper.merge(1, 0.01, 30, "l2")
    outputs = {"network": rows.unwrapper, "merged": merged, "single": single}
    scores = {f"AUC, {n}": rows.score(m.decision_function(rows.X_test)) for n, m in outputs.items()}
    says = rows.network.forward(rows.X_test)[:, 0]
    near = fidelity(says, {"single": single.decision_function(rows.X_test)})
    return choice(merged) | scores | near


def noise(seed: int) -> Numbers:
    """Return how many clusters pure noise has by each rule, and what the held-out loss hides."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2, 500, 2)), rng.normal(size=(2, 500))
    mlp = MLPRegressor(hidden_layer_sizes=(10, 10), random_state=seed, **RECIPE)
    rows = fit_network(mlp, X[0], X[1], y[0], y[1])
    if rows.unwrapper.n_regions_ < 2:
        rules = dict.fromkeys(("least", "one mean", "difference"), 1.0)
        return rules | dict.fromkeys(("gain", "gain's error", "mean's error", "fresh gain"), 0.0)
    merged = rows.unwrapper.merge(None, 0.01)
    single = rows.unwrapper.merge(1, 0.01)
    fresh = rows.score(single.predict(X[1])) - rows.score(merged.predict(X[1]))
    return choice(merged) | {"fresh gain": fresh}
