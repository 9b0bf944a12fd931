"""Make what the scoreboard ships: its networks with the exact answers, and the table of methods.

``python reproduce/scoreboard.py networks`` trains the networks, three seeds each, on draws of the
data of their own, and computes the exact answers; ``python reproduce/scoreboard.py table`` scores
all methods of the book.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import choose, made_by, write_record
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from xai_course import data, exact
from xai_course._models import outputs
from xai_course._storage import save_arrays
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.scoreboard import METHODS, NETWORKS, load_subjects, score, scores
from xai_course.scoreboard.subjects import COMMAND, FILE, KIND, make_module
from xai_course.training import train_classifier

SEEDS, N_ROWS = 3, 10
# Above fifteen features Shapley values are sampled; an image has 784.
PERMUTATIONS = {"breast_cancer": 4000, "garments": 400, "garments_convolutional": 100}
# How long the search for a row's nearest counterfactual may take. Images have none: the search
# would not end.
COUNTERFACTUAL_SECONDS = 60.0
TABULAR = ("rings", "diabetes", "breast_cancer")


def rows_of(network: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training inputs, their classes and inputs to explain, of the seed's draw."""
    if network == "rings":
        drawn = data.co_circles(seed=seed)
        X, y = drawn.X, drawn.y
    elif network == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        y = (y > np.median(y)).astype(int)
    elif network == "breast_cancer":
        X, y = load_breast_cancer(return_X_y=True)
    else:
        drawn = data.load("fashion_mnist")
        X, y = drawn.X, drawn.y
    X, X_test, y, _ = train_test_split(X, y, test_size=0.2, random_state=seed, stratify=y)
    if not network.startswith("garments"):
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    return X, y, X_test[:N_ROWS]


def trained(network: str, seed: int) -> tuple[torch.nn.Module, np.ndarray]:
    """Return a trained network, and the inputs to explain as it takes them."""
    X, y, rows = rows_of(network, seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = make_module(network)
        for part in module.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
    is_image = network == "garments_convolutional"
    start = [torch.nn.Unflatten(1, (1, 28, 28))] if is_image else []
    settings = {"epochs": 20 if network.startswith("garments") else 60, "batch_size": 64}
    done = train_classifier(torch.nn.Sequential(*start, *module), X, y, seed=seed, **settings)
    module.load_state_dict(torch.nn.Sequential(*list(done.module)[len(start) :]).state_dict())
    shape = (-1, 1, 28, 28) if is_image else rows.shape
    return module.eval(), rows.reshape(shape).astype(np.float32)


def references(network: str, module: torch.nn.Module, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the exact answers for the network in float64, and the targets."""
    double = make_module(network).double()
    double.load_state_dict(module.state_dict())
    X, baseline = inputs.astype(float), np.zeros(inputs.shape[1:])
    logits = outputs(double, X)
    targets = logits.argmax(axis=1)
    model = (
        double if network == "garments_convolutional" else PiecewiseLinearNetwork.from_torch(double)
    )
    how: dict[str, Any] = {"n_permutations": PERMUTATIONS.get(network)}
    shapley = exact.shapley(model, X, baseline[None], targets, **how)
    found = {
        "targets": targets.astype(np.int64),
        "reference.contributions": exact.contributions(model, X, baseline, targets),
        "reference.integrated_gradients": exact.integrated_gradients(model, X, baseline, targets),
        "reference.shapley": shapley.values,
    }
    if shapley.standard_errors is not None:
        found["standard_errors"] = shapley.standard_errors
    if network in TABULAR:
        found["reference.counterfactual"] = directions(model, X)
    return found


def directions(network: PiecewiseLinearNetwork, X: np.ndarray) -> np.ndarray:
    """Return the way from the nearest counterfactual to each row; NaN where it is not certified.

    Towards class 1, whose logit is explained: for a linear network it is a multiple of the weights.
    """
    found = np.full(X.shape, np.nan)
    for i, x in enumerate(X):
        answer = exact.nearest_counterfactual(network, x, norm=2, time_limit=COUNTERFACTUAL_SECONDS)
        if answer.certified:
            found[i] = (x - answer.x) * (1 if network.decide(x[None])[0] == 1 else -1)
    return found


def networks() -> None:
    """Train all networks, compute the answers and write both into one file."""
    arrays: dict[str, np.ndarray] = {}
    record: dict[str, Any] = {}
    began = time.perf_counter()
    for network in NETWORKS:
        for seed in range(SEEDS):
            start = time.process_time()
            module, inputs = trained(network, seed)
            answers = references(network, module, inputs)
            known = answers.get("reference.counterfactual")
            errors, values = answers.pop("standard_errors", None), answers["reference.shapley"]
            record[f"{network}/{seed}"] = {
                "cpu_seconds": round(time.process_time() - start, 1),
                "certified": None if known is None else int(np.isfinite(known[:, 0]).sum()),
                "shapley_standard_error": None
                if errors is None
                else float(np.linalg.norm(errors) / np.linalg.norm(values)),
            }
            print(network, seed, record[f"{network}/{seed}"], flush=True)
            held = {f"module.{name}": t.numpy() for name, t in module.state_dict().items()}
            held |= {"inputs": inputs, "baseline": np.zeros(inputs.shape[1:], np.float32)}
            for name, array in (held | answers).items():
                is_large = array.dtype == np.float64 and network.startswith("garments")
                arrays[f"{network}/{seed}/{name}"] = array.astype(np.float32) if is_large else array
    save_arrays(FILE, KIND, arrays, made_by(COMMAND, time.perf_counter() - began) | record)


def table() -> None:
    """Score all methods and write the table."""
    subjects, rows, began = load_subjects(), {}, time.perf_counter()
    for name, explain in METHODS.items():
        start = time.process_time()
        rows[name] = score(explain, subjects)
        print(f"{name}: {time.process_time() - start:.0f} s", flush=True)
        for network, found in rows[name].items():
            if "error" in found:
                print(f"  {network}: {found['error']}")
    print(write_record(scores.TABLE, rows, scores.COMMAND, time.perf_counter() - began))


COMMANDS: dict[str, Callable[[], None]] = {"networks": networks, "table": table}

if __name__ == "__main__":
    COMMANDS[choose(__doc__, COMMANDS)]()
