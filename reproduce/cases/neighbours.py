"""Neighbours and prototypes: whether they say what a network decides, and for which reason.

Ten replicates for each of two tables, each with its own split of the rows, its own network, a
second training, and a network that was never trained; five for garments. Inputs of tables are
standardised. A training that finds nothing is drawn again by a rule that sees
no test row: see `usable`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import difference, spread
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import rbf_kernel
from torch import nn

from xai_course import data
from xai_course.book import train_model
from xai_course.examples import conformity, cover, hidden_layers, prototypes
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import mlp, train_classifier

N_REPLICATES = {"breast_cancer": 10, "home_lending": 10, "fashion_mnist": 5}
N_SHOTS = 5
K = 10  # neighbours
N_KNOWN, N_ASKED = 2000, 500  # rows to find neighbours among, rows to ask about
N_SLOPES = 100  # rows whose local models are compared with their neighbours'
SIZES = (2, 5, 10, 20, 40)  # prototypes
WIDTHS = (64, 32)  # of the network for garments
SHOTS = (1, 5, 20)
NEW_CLASSES = 3
Spaces = dict[str, Callable[[np.ndarray], list[np.ndarray]]]


def table() -> dict[str, Any]:
    """Return all parts with their spread over replicates.

    A run that was stopped goes on where it stopped.
    """
    kept = Replicates("cases_neighbours", [Path(__file__)])
    found: dict[str, Any] = {}
    for name, n in N_REPLICATES.items():
        runs = [kept.run(f"{name} {s}", lambda a=name, b=s: measure(a, b)) for s in range(n)]
        numbers = [{k: v for k, v in run.items() if k != "warning"} for run in runs]
        found[name] = collected(numbers) | {
            "drawn again": sum(run["drawn again"] for run in runs),
            "warning": warnings_of([run["warning"] for run in runs]),
            "differences": differences(runs),
        }
    runs = [kept.run(f"shots {s}", lambda b=s: measure_shots(b)) for s in range(N_SHOTS)]
    found["shots"] = collected(runs) | {
        "differences": {
            f"{a} - {b}": {
                n: difference([run[a][n] - run[b][n] for run in runs]) for n in runs[0][a]
            }
            for a, b in (
                ("triplet", "classifier"),
                ("histogram", "classifier"),
                ("histogram", "triplet"),
                ("triplet, adapted", "triplet"),
                ("histogram, adapted", "histogram"),
                ("classifier, adapted", "classifier"),
                ("histogram, adapted", "classifier, adapted"),
                ("classifier", "pixels"),
            )
        }
    }
    kept.clear()
    return {
        "settings": {
            "replicates": N_REPLICATES,
            "replicates_of_shots": N_SHOTS,
            "neighbours": K,
            "rows_known": N_KNOWN,
            "rows_asked": N_ASKED,
            "widths_for_garments": list(WIDTHS),
        },
        **found,
    }


def collected(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spread of every number; a draw without errors has no numbers about them."""
    found = {}
    for key in dict.fromkeys(key for run in runs for key in run):
        values = [run[key] for run in runs if key in run]
        found[key] = collected(values) if isinstance(values[0], dict) else spread(values)
    return found


def warnings_of(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Return the spread of the areas under the curve, and their differences from the confidence."""
    with_errors = [run for run in runs if run]
    return {name: spread([run[name] for run in with_errors]) for name in with_errors[0]} | {
        "differences": {
            f"{name} - confidence": difference([r[name] - r["confidence"] for r in with_errors])
            for name in with_errors[0]
            if name != "confidence"
        }
    }


def differences(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean pairwise differences over replicates with their standard errors."""
    rivals = [name for name in runs[0]["agreement"] if name != "last layer"]
    agreement = {
        labels: {
            kind: {
                f"last layer - {rival}": difference(
                    [run["agreement"]["last layer"][labels][kind]
                     - run["agreement"][rival][labels][kind] for run in runs
                     if kind in run["agreement"][rival][labels]]
                )
                for rival in rivals
            }
            for kind in ("test", "mixed", "noise", "errors")
        }
        for labels in ("true", "decided")
    }  # fmt: skip
    slopes = {
        f"last layer - {rival}": difference(
            [run["reasons"]["last layer"]["slopes"] - run["reasons"][rival]["slopes"]
             for run in runs]
        )
        for rival in runs[0]["reasons"]
        if rival != "last layer"
    }  # fmt: skip
    picked = {
        f"{a} - {b}": {
            m: {
                kind: difference(
                    [run["prototypes"][a][m][kind] - run["prototypes"][b][m][kind] for run in runs]
                )
                for kind in ("test", "mixed")
            }
            for m in runs[0]["prototypes"][a]
        }
        for a, b in (
            ("MMD, last layer", "random, last layer"),
            ("MMD, last layer", "MMD, input"),
            ("MMD, last layer", "cover, last layer"),
            ("MMD, last layer", "centres, last layer"),
            ("MMD, last layer", "true classes, input"),
            ("cover, last layer", "random, last layer"),
        )
    }
    return {"agreement": agreement, "slopes": slopes, "prototypes": picked}


# One replicate of a table or of garments


def measure(name: str, seed: int) -> dict[str, Any]:
    """Train and score one replicate."""
    rng = np.random.default_rng(seed)
    X, X_test, y, y_test, network, other, again = trained(name, seed)
    spaces = spaces_of(network, other, X, y, seed)
    decided = network.decide(X)
    known = rng.choice(len(X), min(N_KNOWN, len(X)), replace=False)
    asked = rng.choice(len(X_test), min(N_ASKED, len(X_test)), replace=False)
    queries = kinds_of(name, X_test[asked], rng)
    truth = y_test[asked]
    wrong = network.decide(queries["test"]) != truth
    if wrong.any():
        queries["errors"] = queries["test"][wrong]
    Z, labels = X[known], {"true": y[known], "decided": decided[known]}
    layers = {space: to(Z) for space, to in spaces.items()}
    found: dict[str, Any] = {}
    warning: dict[str, float] = {}
    for space, to in spaces.items():
        found[space] = {"true": {}, "decided": {}, "conformity": {}}
        for kind, rows in queries.items():
            says, there = network.decide(rows), to(rows)
            for which, classes in labels.items():
                shares = conformity(layers[space], classes, there, k=K)
                found[space][which][kind] = agreement(shares, says)
                if which == "true":
                    own = conformity_of(shares, says)
                    found[space]["conformity"][kind] = float(own.mean())
                    if kind == "test" and wrong.any():
                        warning[space] = float(roc_auc_score(~wrong, own))
    found["commonest class"] = {
        which: {
            kind: float((network.decide(rows) == np.bincount(classes).argmax()).mean())
            for kind, rows in queries.items()
        }
        for which, classes in labels.items()
    }
    if wrong.any():
        logits = network.logits(queries["test"])
        sure = np.exp(logits - logits.max(axis=1, keepdims=True))
        warning["confidence"] = float(roc_auc_score(~wrong, (sure.max(1) / sure.sum(1))))
    return {
        "drawn again": again,
        "accuracy": float((network.decide(X_test) == y_test).mean()),
        "two trainings agree": {
            kind: float((network.decide(rows) == other.decide(rows)).mean())
            for kind, rows in queries.items()
            if kind != "errors"
        },
        "agreement": found,
        "warning": warning,
        "region": region(network, Z, labels, queries),
        "reasons": reasons(network, spaces, Z, queries["test"]),
        "prototypes": pick(network, spaces, Z, y[known], queries, seed),
    } | ({"cover": optimal(spaces, Z, labels["decided"])} if name == "breast_cancer" else {})


def trained(name: str, seed: int) -> tuple:
    """Return the rows, the classes, a network, a second training, and how many were drawn again."""
    if name == "fashion_mnist":
        known = data.load(name)
        order = np.random.default_rng(seed).permutation(len(known.y))
        X, y = known.X[order], known.y[order]
        sizes = (784, *WIDTHS, 10)
        networks = [
            train_classifier(
                mlp(sizes, seed=s), X[:5000], y[:5000], seed=s, epochs=12, learning_rate=2e-3
            ).network
            for s in (seed, 100 + seed)
        ]
        return X[:5000], X[5000:], y[:5000], y[5000:], *networks, 0
    known = data.home_lending() if name == "home_lending" else data.load(name)
    X, X_test, y, y_test = known.split(seed)
    first, again = usable(name, seed, seed, y)
    second, more = usable(name, 100 + seed, seed, y)
    rows = first.standardize(X), first.standardize(X_test)
    return *rows, y, y_test, first.network, second.network, again + more


def usable(name: str, seed: int, split: int, y: np.ndarray) -> tuple[Any, int]:
    """Return a training of the book's network, and how many were drawn before it.

    A training whose best score on its own validation rows is less than ten points above the share
    of the largest class has found nothing, and the next seed, larger by 1,000, is taken.
    """
    for again in range(10):
        model = train_model(name, seed=seed + 1000 * again, split=split)
        if max(model.log["validation_accuracy"]) > np.bincount(y).max() / len(y) + 0.1:
            return model, again
    raise RuntimeError(f"Ten trainings on {name} found nothing.")


def rescaled(network: PiecewiseLinearNetwork, seed: int) -> PiecewiseLinearNetwork:
    """Return the same function, with random positive factors moved across the last hidden layer."""
    factor = np.exp(np.random.default_rng(seed).normal(size=network.hidden_sizes[-1]))
    weights, biases = list(network.weights), list(network.biases)
    weights[-2], biases[-2] = weights[-2] * factor[:, None], biases[-2] * factor
    weights[-1] = weights[-1] / factor
    return PiecewiseLinearNetwork(weights, biases)


def spaces_of(
    network: PiecewiseLinearNetwork,
    other: PiecewiseLinearNetwork,
    X: np.ndarray,
    y: np.ndarray,
    seed: int,
) -> Spaces:
    """Return all spaces, each as what it makes of rows."""
    sizes = (network.n_features, *network.hidden_sizes, network.n_outputs)
    untrained = PiecewiseLinearNetwork.from_torch(mlp(sizes, seed=1000 + seed))
    twin, metric = rescaled(network, seed), embedding(X, y, sizes[:-1], "triplet", seed)
    return {
        "input": lambda A: [A],
        "first layer": lambda A: hidden_layers(network, A)[:1],
        "last layer": lambda A: hidden_layers(network, A)[-1:],
        "all layers": lambda A: hidden_layers(network, A),
        "rescaled twin": lambda A: hidden_layers(twin, A)[-1:],
        "another training": lambda A: hidden_layers(other, A)[-1:],
        "untrained": lambda A: hidden_layers(untrained, A)[-1:],
        "triplet": lambda A: [embed(metric, A)],
    }


def kinds_of(name: str, rows: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return rows on the data and off it."""
    if name == "fashion_mnist":  # the left half of one garment, the right half of another
        left = (np.arange(784) % 28) < 14
        mixed = np.where(left, rows, rows[rng.permutation(len(rows))])
        noise = np.clip(rows + 0.3 * rng.normal(size=rows.shape), 0, 1)
    else:  # every feature from another row
        mixed = rng.permuted(rows, axis=0)
        noise = rows + rng.normal(size=rows.shape)
    return {"test": rows, "mixed": mixed, "noise": noise}


def agreement(shares: np.ndarray, says: np.ndarray) -> float:
    """Return how often the decision is the neighbours' commonest class; a tie counts in part."""
    top = shares >= shares.max(axis=1, keepdims=True) - 1e-9
    padded = np.pad(top, ((0, 0), (0, max(0, says.max() + 1 - top.shape[1]))))
    return float((padded[np.arange(len(says)), says] / top.sum(axis=1)).mean())


def conformity_of(shares: np.ndarray, says: np.ndarray) -> np.ndarray:
    """Return the share of the neighbours that have the decided class."""
    padded = np.pad(shares, ((0, 0), (0, max(0, says.max() + 1 - shares.shape[1]))))
    return padded[np.arange(len(says)), says]


def region(
    network: PiecewiseLinearNetwork,
    Z: np.ndarray,
    labels: dict[str, np.ndarray],
    queries: dict[str, np.ndarray],
) -> dict[str, dict[str, float]]:
    """Return how many rows share the linear region, and how often they are decided alike."""
    patterns, found = network.activation_pattern(Z), {}
    for kind in ("test", "mixed", "noise"):
        same = 1.0 - cdist(network.activation_pattern(queries[kind]), patterns, "hamming")
        same = same > 1 - 1e-9
        some, says = same.any(axis=1), network.decide(queries[kind])
        found[kind] = {"some": float(some.mean()), "median": float(np.median(same.sum(axis=1)))}
        for which, classes in labels.items():
            member = np.eye(max(2, network.n_outputs))[classes]
            shares = same[some] @ member / same[some].sum(axis=1, keepdims=True)
            found[kind][which] = agreement(shares, says[some]) if some.any() else 0.0
    return found


def reasons(
    network: PiecewiseLinearNetwork, spaces: Spaces, Z: np.ndarray, rows: np.ndarray
) -> dict[str, dict[str, float]]:
    """Compare the neighbours of each space: their local models, their regions, who they are."""
    rows = rows[:N_SLOPES]
    says, patterns = network.decide(rows), network.activation_pattern(rows)
    nearest = {
        space: cdist(to(rows)[-1], to(Z)[-1]).argsort(axis=1, kind="stable")[:, :K]
        for space, to in spaces.items()
        if space != "all layers"
    }
    nearest["any row"] = np.random.default_rng(0).integers(len(Z), size=(len(rows), K))
    own, found = slopes_of(network, patterns, says), {}
    for space, near in nearest.items():
        theirs = Z[near.ravel()]
        pattern = network.activation_pattern(theirs)
        slopes = slopes_of(network, pattern, np.repeat(says, K))
        mine = np.repeat(own, K, axis=0)
        length = np.linalg.norm(slopes, axis=1) * np.linalg.norm(mine, axis=1)
        cosine = (slopes * mine).sum(axis=1) / np.where(length > 0, length, 1)
        shared = [
            len(set(a) & set(b)) / K for a, b in zip(near, nearest["last layer"], strict=True)
        ]
        alike = network.decide(theirs) == np.repeat(says, K)
        first = alike.reshape(-1, K)[:, 0]
        found[space] = {
            "slopes": float(cosine.mean()),
            "same region": float((pattern == np.repeat(patterns, K, axis=0)).all(axis=1).mean()),
            "in common": float(np.mean(shared)),
            "nearest decided otherwise": float(1 - first.mean()),
        }
    return found


def slopes_of(
    network: PiecewiseLinearNetwork, patterns: np.ndarray, says: np.ndarray
) -> np.ndarray:
    """Return the slopes of the decided logit, less the mean of all logits."""
    coef, _ = network.local_linear_models(patterns)
    if network.n_outputs == 1:
        return coef[:, 0]
    return coef[np.arange(len(says)), says] - coef.mean(axis=1)


# Prototypes


def pick(
    network: PiecewiseLinearNetwork,
    spaces: Spaces,
    Z: np.ndarray,
    y: np.ndarray,
    queries: dict[str, np.ndarray],
    seed: int,
) -> dict[str, dict[str, dict[str, float]]]:
    """Return how often the nearest prototype is decided as the row is."""
    rng, decided = np.random.default_rng(seed), network.decide(Z)
    found: dict[str, dict[str, dict[str, float]]] = {}
    for space in ("last layer", "input"):
        to = spaces[space]
        known = to(Z)[-1]
        distance = cdist(known, known)
        kernel = rbf_kernel(known, gamma=1 / np.median(distance[distance > 0]) ** 2)
        order = prototypes(kernel, max(SIZES))
        radii = np.quantile(distance[distance > 0], np.linspace(0.01, 0.6, 30))
        covers = [cover(distance, decided, radius)[:2] for radius in radii]
        for m in SIZES:
            centres = KMeans(m, n_init=3, random_state=seed).fit(known).cluster_centers_
            near = np.unique(cdist(centres, known).argmin(axis=1))
            small = next((c for c in covers if 0 < len(c[0]) <= m), covers[-1])
            random = [rng.choice(len(known), m, replace=False) for _ in range(20)]
            ways = {
                "MMD": [(order[:m], decided[order[:m]])],
                "centres": [(near, decided[near])],
                "cover": [small],
                "random": [(rows, decided[rows]) for rows in random],
                "true classes": [(order[:m], y[order[:m]])],
            }
            for way, choices in ways.items():
                found.setdefault(f"{way}, {space}", {})[str(m)] = {
                    kind: float(
                        np.mean(
                            [
                                nearest_says(known[rows], classes, to(queries[kind])[-1])
                                == network.decide(queries[kind])
                                for rows, classes in choices
                            ]
                        )
                    )
                    for kind in ("test", "mixed")
                }
    return found


def nearest_says(chosen: np.ndarray, classes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the class of the nearest prototype."""
    return classes[cdist(rows, chosen).argmin(axis=1)]


def optimal(spaces: Spaces, Z: np.ndarray, decided: np.ndarray) -> dict[str, float]:
    """Compare the greedy cover with the integer program."""
    known = spaces["last layer"](Z)[-1]
    distance = cdist(known, known)
    radius = np.quantile(distance[distance > 0], 0.1)
    greedy, best = cover(distance, decided, radius), cover(distance, decided, radius, exact=True)
    return {
        "greedy": greedy[2],
        "best": best[2],
        "excess": greedy[2] / best[2] - 1,
        "greedy prototypes": len(greedy[0]),
        "best prototypes": len(best[0]),
    }


# Metric learning


def embedding(
    X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], loss: str, seed: int, steps: int = 300
) -> nn.Module:
    """Train a network whose outputs are near for rows of one class, and far for others."""
    net = mlp(sizes, seed=2000 + seed)
    return fit_embedding(net, X, y, loss, np.random.default_rng(seed), steps, 3e-3)


def fit_embedding(
    net: nn.Module,
    X: np.ndarray,
    y: np.ndarray,
    loss: str,
    rng: np.random.Generator,
    steps: int,
    rate: float,
) -> nn.Module:
    """Train on, in batches with as many rows of every class."""
    optimizer = torch.optim.Adam(net.parameters(), rate)
    rows, classes = torch.as_tensor(X, dtype=torch.float32), np.unique(y)
    members = [np.flatnonzero(y == c) for c in classes]
    each = min(max(64 // len(classes), 2), min(map(len, members)))
    for _ in range(steps):
        batch = np.concatenate([rng.choice(m, each, replace=False) for m in members])
        value = LOSSES[loss](net(rows[batch]), torch.as_tensor(y[batch]))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return net.eval()


def triplet_loss(points: torch.Tensor, labels: torch.Tensor, margin: float = 1.0) -> torch.Tensor:
    """Schroff et al. (2015), over all triplets of a batch that are not yet apart by the margin."""
    distance = torch.cdist(points, points).square()
    same = labels[:, None] == labels
    pairs = same & ~torch.eye(len(labels), dtype=torch.bool)
    gap = distance[:, :, None] - distance[:, None, :] + margin
    hinge = gap[pairs[:, :, None] & ~same[:, None, :]].relu()
    return hinge.sum() / (hinge > 0).sum().clamp(min=1)


def histogram_loss(points: torch.Tensor, labels: torch.Tensor, bins: int = 50) -> torch.Tensor:
    """Ustinova and Lempitsky (2016): how often a random pair of two classes is the more similar."""
    unit = nn.functional.normalize(points, dim=1)
    above = torch.triu_indices(len(labels), len(labels), 1)
    similar = (unit @ unit.T)[above[0], above[1]]
    same = (labels[:, None] == labels)[above[0], above[1]]
    nodes = torch.linspace(-1, 1, bins + 1)
    weight = (1 - (similar[:, None] - nodes).abs() * bins / 2).clamp(min=0)
    alike, apart = weight[same].mean(0), weight[~same].mean(0)
    return (apart * alike.cumsum(0)).sum()


LOSSES = {"triplet": triplet_loss, "histogram": histogram_loss}


def embed(net: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return the embedding of rows."""
    with torch.no_grad():
        return net(torch.as_tensor(X, dtype=torch.float32)).double().numpy()


def measure_shots(seed: int) -> dict[str, dict[str, float]]:
    """Return how often garments of three new classes are told apart after a few examples.

    Seven classes train; of the other three, `n` rows each are known. A row gets the class of the
    nearest class mean. Adapted: training goes on with these few rows, for 50 steps.
    """
    rng, known = np.random.default_rng(seed), data.load("fashion_mnist")
    order = rng.permutation(len(known.y))
    X, y = known.X[order], known.y[order]
    new = rng.choice(10, NEW_CLASSES, replace=False)
    old = np.flatnonzero(~np.isin(y, new))[:3000]
    classes = np.searchsorted(np.unique(y[old]), y[old])
    sizes = (784, *WIDTHS)
    classifier = train_classifier(
        mlp((*sizes, 7), seed=seed), X[old], classes, seed=seed, epochs=12, learning_rate=2e-3
    ).module
    nets = {loss: embedding(X[old], classes, sizes, loss, seed) for loss in LOSSES}
    trunk = nn.Sequential(*list(classifier)[:-1])
    fresh = [np.flatnonzero(y == c) for c in new]
    test = np.concatenate([rows[100:400] for rows in fresh])
    found: dict[str, dict[str, float]] = {}

    def score(name: str, n: int, to: Callable, few: np.ndarray) -> None:
        def at(rows: np.ndarray) -> np.ndarray:
            points = to(X[rows])
            unit = "histogram" in name  # its loss looks at angles only
            return points / np.linalg.norm(points, axis=1, keepdims=True) if unit else points

        there = at(few)
        means = np.array([there[y[few] == c].mean(axis=0) for c in new])
        says = new[cdist(at(test), means).argmin(axis=1)]
        found.setdefault(name, {})[str(n)] = float((says == y[test]).mean())

    for n in SHOTS:
        few = np.concatenate([rows[:n] for rows in fresh])
        own = np.searchsorted(np.sort(new), y[few])
        score("pixels", n, lambda A: A, few)
        score("classifier", n, lambda A: embed(trunk, A), few)
        head = nn.Sequential(*list(copy_of(trunk)), nn.Linear(WIDTHS[-1], NEW_CLASSES))
        adapted = fine_tune(head, X[few], own, seed)
        score("classifier, adapted", n, lambda A, a=adapted: embed(a[:-1], A), few)
        for loss, net in nets.items():
            score(loss, n, lambda A, a=net: embed(a, A), few)
            if n == 1:  # no pair of one class, nothing to learn from
                found[f"{loss}, adapted"] = {"1": found[loss]["1"]}
                continue
            more = fit_embedding(copy_of(net), X[few], own, loss, rng, 50, 1e-3)
            score(f"{loss}, adapted", n, lambda A, a=more: embed(a, A), few)
    return found


def copy_of(net: nn.Module) -> nn.Module:
    """Return a copy whose weights may change."""
    return copy.deepcopy(net)


def fine_tune(net: nn.Module, X: np.ndarray, y: np.ndarray, seed: int) -> nn.Module:
    """Train all weights on a few rows with cross-entropy."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net[-1].reset_parameters()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    rows, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
    for _ in range(50):
        loss = nn.functional.cross_entropy(net(rows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()
