"""Table 3 of Dong et al. (2021): LIME beside distillation, as printed and as LIME means it.

LIME explains one image by a linear model of its superpixels being there or hidden. The paper lets
that model "re-predict" and prints 9.75 %, which is chance; it does not say how. So several readings
are measured, and then what LIME is for: how well it describes the network near the image.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np
from results import data_hash, over_seeds, verdict
from scipy.special import softmax
from sklearn.metrics import pairwise_distances
from tqdm import tqdm

from clime.students import (
    IMITATION,
    SEEDS,
    rows,
    search,
    taught,
    teacher,
    untaught,
)
from xai_course.distillation import consistency, tangents
from xai_course.metrics import local_fidelity
from xai_course.training import TrainedClassifier

NAME = "fashion_mnist"
IMAGES = 2000  # for each seed, as many as the paper takes once
SAMPLES = 1000  # LIME's default
FRESH = 200  # hidings that LIME has not seen
KEPT = 5
PIXEL_NOISE = 0.1  # standard deviation of the steps away from an image, of the same size everywhere
STEPS = 100  # for each image
PRINTED = {"lime": 0.0975, "clime": 0.9345}
# LIME's own segmentation, and a finer one: on images of 28 by 28 pixels the first finds one
# superpixel more often than not.
SEGMENTATIONS: dict[str, dict[str, float]] = {
    "default": {"kernel_size": 4, "max_dist": 200, "ratio": 0.2},
    "finer": {"kernel_size": 1, "max_dist": 4, "ratio": 0.2},
}

Probabilities = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """LIME's linear model of one image for all ten classes."""

    image: np.ndarray  # (784,)
    hidden: np.ndarray  # (784,), the image with all superpixels hidden
    superpixels: np.ndarray  # (784,), numbers from 0 on
    weights: np.ndarray  # (10, n_superpixels)
    intercept: np.ndarray  # (10,)

    def predict(self, shown: np.ndarray) -> np.ndarray:
        """Return what the model says about each hiding, shape (n, 10)."""
        return shown @ self.weights.T + self.intercept

    def draw(self, shown: np.ndarray) -> np.ndarray:
        """Return the images that go with hidings, shape (n, 784)."""
        return np.where(shown[:, self.superpixels] == 1, self.image, self.hidden)


def explain(image: np.ndarray, probabilities: Probabilities, segmentation: str, seed: int) -> Any:
    """Ask the `lime` package for its explanation of one image."""
    from lime.lime_image import LimeImageExplainer
    from lime.wrappers.scikit_image import SegmentationAlgorithm

    def of_colour(images: np.ndarray) -> np.ndarray:
        return probabilities(images[..., 0].reshape(len(images), -1))

    segment = SegmentationAlgorithm("quickshift", random_seed=seed, **SEGMENTATIONS[segmentation])
    with redirect_stderr(StringIO()):  # its progress bar
        found = LimeImageExplainer(random_state=seed).explain_instance(
            image.reshape(28, 28).astype(float),
            of_colour,
            top_labels=10,
            num_samples=SAMPLES,
            batch_size=SAMPLES,
            segmentation_fn=segment,
            random_seed=seed,
        )
    superpixels = np.unique(found.segments.ravel(), return_inverse=True)[1].reshape(-1)
    weights = np.zeros((10, superpixels.max() + 1))
    for label, pairs in found.local_exp.items():
        for superpixel, weight in pairs:
            weights[label, superpixel] = weight
    means = np.bincount(superpixels, image) / np.bincount(superpixels)
    intercept = np.array([found.intercept[label] for label in range(10)])
    return Explanation(image, means[superpixels], superpixels, weights, intercept)


def readings(
    explanations: list[Explanation], probabilities: Probabilities, decisions: np.ndarray
) -> dict[str, float]:
    """Return the consistency with the LeNet under each reading of "re-predict using LIME"."""
    own = np.array([e.predict(np.ones((1, e.weights.shape[1])))[0].argmax() for e in explanations])
    on_pixels = [(e.weights[:, e.superpixels] @ e.image).argmax() for e in explanations]
    kept = []
    for e, decision in zip(explanations, decisions, strict=True):
        best = np.argsort(-e.weights[decision])[:KEPT]
        shown = np.isin(e.superpixels, best[e.weights[decision][best] > 0])
        kept.append(np.where(shown, e.image, 0.0))
    return {
        "its_model_at_the_image": consistency(own, decisions),
        "its_weights_times_the_pixels": consistency(np.array(on_pixels), decisions),
        "the_network_on_the_kept_superpixels": consistency(
            probabilities(np.array(kept)).argmax(axis=1), decisions
        ),
        "its_model_of_another_image": consistency(np.roll(own, 1), decisions),
    }


def near(
    explanations: list[Explanation],
    models: dict[str, list[Callable[[np.ndarray], np.ndarray]]],
    probabilities: Probabilities,
    seed: int,
) -> dict[str, dict[str, float]]:
    """Return how well each model describes the LeNet on fresh hidings of superpixels.

    ``error``: mean absolute error of the probability of the LeNet's class, weighted as LIME weighs.
    ``consistency``: share of equal decisions, all hidings alike.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[tuple[float, float]]] = {}
    for i, e in enumerate(explanations):
        shown = rng.integers(0, 2, (FRESH, e.weights.shape[1]))
        images = e.draw(shown)
        truth, here = probabilities(images), probabilities(e.image[None])[0]
        everything = np.ones((1, shown.shape[1]))
        distance = pairwise_distances(shown, everything, metric="cosine")[:, 0]
        weights = np.exp(-((distance / 0.25) ** 2) / 2)
        told = {"lime": e.predict(shown), "constant": np.tile(here, (FRESH, 1))}
        told |= {name: of_image[i](images) for name, of_image in models.items()}
        for name, values in told.items():
            error = np.abs(values - truth)[:, here.argmax()]
            equal = (values.argmax(axis=1) == truth.argmax(axis=1)).mean()
            found.setdefault(name, []).append((np.average(error, weights=weights), equal))
    return {
        name: dict(zip(("error", "consistency"), map(float, np.mean(pairs, axis=0)), strict=True))
        for name, pairs in found.items()
    }


def _linear(coef: np.ndarray, intercept: np.ndarray) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return one classifier per linear model of the logits."""
    return [
        lambda X, slopes=slopes, offset=offset: softmax(X @ slopes.T + offset, axis=1)
        for slopes, offset in zip(coef, intercept, strict=True)
    ]


def _local(student: TrainedClassifier, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and offsets of the student's own linear model at each image."""
    network = student.network
    return network.local_linear_models(network.activation_pattern(X))


def near_the_pixels(
    guide: TrainedClassifier, slopes: np.ndarray, offsets: np.ndarray, X: np.ndarray
) -> dict[str, float]:
    """Return how well one linear model per image describes the LeNet under noise on all pixels.

    The measures are those of `local_fidelity`: R2 in the median image, equal decisions in the mean.
    """
    steps = np.random.default_rng(0).normal(scale=PIXEL_NOISE, size=(STEPS, X.shape[1]))
    lines = []
    for x, slope, offset in zip(X, slopes, offsets, strict=True):
        points = np.vstack([x, x + steps]).astype(np.float32)  # what the LeNet sees
        truth, told = guide.logits(points), points @ slope.T + offset
        lines.append(np.concatenate(local_fidelity(truth[None], told[None])))
    r2, r2_change, equal = np.transpose(lines)
    return {
        "median_r2": float(np.median(r2)),
        "median_r2_change": float(np.median(r2_change)),
        "consistency": float(equal.mean()),
    }


def table3() -> dict[str, Any]:
    """Measure Table 3 and what a fair comparison of LIME and a student is."""
    runs = [_one_seed(seed) for seed in tqdm(SEEDS, desc="table3")]
    X, _, y, _ = rows(NAME)
    first = runs[0]
    segmentations = {
        name: {
            "superpixels": over_seeds([run["lime"][name]["superpixels"] for run in runs]),
            "readings": over_seeds([run["lime"][name]["readings"] for run in runs]),
            "near_the_image": {
                model: over_seeds([run["lime"][name]["near"][model] for run in runs])
                for model in first["lime"][name]["near"]
            },
        }
        for name in SEGMENTATIONS
    }
    students = over_seeds([run["students"] for run in runs])
    lime = {
        f"{name}: {reading}": verdict(PRINTED["lime"], values)
        for name, part in segmentations.items()
        for reading, values in part["readings"].items()
    }
    return {
        "printed": PRINTED,
        "students": students,
        "lime": segmentations,
        "near_the_pixels": {
            model: over_seeds([run["pixels"][model] for run in runs]) for model in first["pixels"]
        },
        "verdict": {"clime": verdict(PRINTED["clime"], students["mlp_kd"]), "lime": lime},
        "settings": {
            "images_per_seed": IMAGES,
            "samples": SAMPLES,
            "fresh_hidings": FRESH,
            "kept_superpixels": KEPT,
            "segmentations": SEGMENTATIONS,
            "pixel_noise": PIXEL_NOISE,
        },
        "seeds": list(SEEDS),
        "data_sha256": data_hash(X, y),
    }


def _one_seed(seed: int) -> dict[str, Any]:
    chosen = search(NAME)
    guide = teacher(NAME, seed)
    students = {
        "mlp_kd": taught(NAME, seed, "kd", chosen["rate"] | chosen["teaching"]),
        "imitator": taught(NAME, seed, "imitator", IMITATION),
        "without_teacher": untaught(NAME, seed, chosen["rate"]),
    }
    X_test = rows(NAME)[1]
    X = X_test[np.random.default_rng(seed).permutation(len(X_test))[:IMAGES]].astype(float)

    def probabilities(images: np.ndarray) -> np.ndarray:
        return softmax(guide.logits(images), axis=1)

    decisions = guide.predict(X)
    models = {"tangent_of_the_lenet": _linear(*tangents(guide.module, X))}
    for name, student in students.items():
        models[f"{name}_local_model"] = _linear(*_local(student, X))
        models[f"{name}_whole"] = [
            lambda images, student=student: softmax(student.logits(images), axis=1)
        ] * IMAGES
    lime = {}
    for segmentation in SEGMENTATIONS:
        found = [explain(x, probabilities, segmentation, 1000 * seed + i) for i, x in enumerate(X)]
        counts = np.array([e.weights.shape[1] for e in found])
        lime[segmentation] = {
            "superpixels": {"median": float(np.median(counts)), "only_one": (counts == 1).mean()},
            "readings": readings(found, probabilities, decisions),
            "near": near(found, models, probabilities, seed),
        }
    explainers = {"tangent_of_the_lenet": tangents(guide.module, X)}
    explainers |= {name: _local(student, X) for name, student in students.items()}
    pixels = {name: near_the_pixels(guide, *linear, X) for name, linear in explainers.items()}
    return {
        "students": {name: consistency(guide, s, X) for name, s in students.items()},
        "lime": lime,
        "pixels": pixels,
    }
