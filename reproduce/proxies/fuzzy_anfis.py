"""ANFIS on Jang's first example, on other draws of its rows and with its axes turned.

The target is ``sin(x) / x * sin(y) / y`` on the square from -10 to 10. Jang's 121 rows are a grid;
here they are also drawn at random. A target that is turned by 45 degrees asks the same question
along axes that no fuzzy set has. On the grid all is symmetric, and rounding decides where the
learning goes; twenty runs show how far apart it may end. The perceptron is the best of six
trainings on its own rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference, over_seeds
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

from xai_course.families.takagi_sugeno import TakagiSugenoRegressor

N_REPLICATES, N_ROWS, N_STARTS = 20, 121, 3
SCALES = (10 / 3**0.5, 2.0)  # inputs are divided by it before the perceptron
TURN = np.array([[1, -1], [1, 1]]) / 2**0.5
LINE = np.linspace(-10, 10, 61)
TEST = np.array(list(product(LINE, LINE)))
ANFIS, GAUSS = "ANFIS", "ANFIS, Gaussian"
START, MLP = "conditions as they start", "perceptron"


def root_mean_square(errors: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(errors**2)))


def perceptron(X: np.ndarray, y: np.ndarray, seed: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the best of several trainings of 18 tanh neurons, by the error on these rows."""
    fitted = []
    how = {"activation": "tanh", "solver": "lbfgs", "alpha": 1e-4, "max_iter": 1000}
    for start, scale in product(range(N_STARTS), SCALES):
        net = MLPRegressor(hidden_layer_sizes=(18,), random_state=100 * seed + start, **how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(X / scale, y)
        fitted.append((root_mean_square(net.predict(X / scale) - y), len(fitted), net, scale))
    _, _, net, scale = min(fitted)
    return lambda Z: net.predict(Z / scale)


def measure(kind: str, seed: int) -> dict[str, dict[str, float]]:
    """Return the error of each model on the rows and on the dense grid."""
    turn = TURN if kind == "turned" else np.eye(2)
    rng = np.random.default_rng(seed)
    X = rng.uniform(-10, 10, (N_ROWS, 2))
    y, truth = (np.sinc(Z @ turn / np.pi).prod(axis=1) for Z in (X, TEST))
    models = {
        ANFIS: TakagiSugenoRegressor(4, "bell", n_epochs=250).fit(X, y).predict,
        GAUSS: TakagiSugenoRegressor(4, n_epochs=250).fit(X, y).predict,
        START: TakagiSugenoRegressor(4, "bell", n_epochs=0).fit(X, y).predict,
        MLP: perceptron(X, y, seed),
        "linear": LinearRegression().fit(X, y).predict,
    }
    return {
        name: {
            "rows": root_mean_square(predict(X) - y),
            "square": root_mean_square(predict(TEST) - truth),
        }
        for name, predict in models.items()
    }


def measure_grid(seed: int) -> dict[str, float]:
    """Return what ANFIS learns from Jang's grid if the targets differ in the 13th digit."""
    points = np.array(list(product(np.linspace(-10, 10, 11), repeat=2)))
    y, truth = (np.sinc(Z / np.pi).prod(axis=1) for Z in (points, TEST))
    y = y + 1e-13 * np.random.default_rng(seed).normal(size=len(y))
    model = TakagiSugenoRegressor(4, "bell", n_epochs=250).fit(points, y)
    return {
        "rows": root_mean_square(model.predict(points) - y),
        "square": root_mean_square(model.predict(TEST) - truth),
        "out of order": float((np.diff(model.centers_) < 0).any()),
    }


def table() -> dict[str, Any]:
    """Return errors with their spread, and pairwise differences. A stopped run goes on."""
    kept, found, draws = Replicates("proxies_fuzzy_anfis", [Path(__file__)]), {}, {}
    rivals = [(ANFIS, rival) for rival in (START, MLP, GAUSS, "linear")]
    for kind in ("straight", "turned"):
        draws[kind] = runs = [
            kept.run(f"{kind} {s}", lambda k=kind, s=s: measure(k, s)) for s in range(N_REPLICATES)
        ]
        pairs = {
            f"{a} - {b}": difference([r[a]["square"] - r[b]["square"] for r in runs])
            for a, b in [*rivals, (GAUSS, MLP)]
        }
        found[kind] = over_seeds(runs) | {"differences": pairs}
    both = list(zip(draws["turned"], draws["straight"], strict=True))
    found["turned - straight"] = {
        name: difference([t[name]["square"] - s[name]["square"] for t, s in both])
        for name in (ANFIS, GAUSS, MLP)
    }
    grid = [kept.run(f"grid {s}", lambda s=s: measure_grid(s)) for s in range(N_REPLICATES)]
    found["grid"] = over_seeds(grid)
    kept.clear()
    return {"settings": {"replicates": N_REPLICATES, "rows": N_ROWS, "epochs": 250}, **found}
