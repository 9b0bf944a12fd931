"""Figure 6 of Fan et al. (2021) in numbers, over several networks: how sharp, how class-bound.

Each network is the book's convolutional one with other first weights, trained on another draw of
6,000 of the 7,500 garments. All maps explain the score of a class, on the same unseen garments.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from results import over_seeds
from torch import nn
from torch.nn import functional

from xai_course import data
from xai_course.attribution import attribute
from xai_course.book.convnet import convnet
from xai_course.relevance import deep_taylor
from xai_course.training import train_classifier

NETWORKS = 5
GARMENTS = 200  # unseen ones, for each network
N_TRAIN = 6000
SETTINGS = {"epochs": 30, "batch_size": 64, "learning_rate": 1e-3, "patience": 10}
NOISE, SAMPLES = 0.1, 25  # of SmoothGrad; the published script took 10 samples
STEPS = 50  # of integrated gradients, from a black image
EPSILON = 0.25

Map = Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor]


def table() -> dict[str, Any]:
    """Measure every map of every network, and the differences between maps on one network."""
    return over_seeds([_measure(seed) for seed in range(NETWORKS)])


def _measure(seed: int) -> dict[str, Any]:
    dataset = data.load("fashion_mnist")
    order = np.random.default_rng(seed).permutation(len(dataset.y))
    train, unseen = order[:N_TRAIN], order[N_TRAIN : N_TRAIN + GARMENTS]
    X, y = dataset.X[train], dataset.y[train]
    trained = train_classifier(convnet(seed=seed), X, y, seed=seed, device="cpu", **SETTINGS)
    module = trained.module.double().eval()
    images = torch.tensor(dataset.X[unseen])
    ranks = module(images).detach().argsort(dim=1)
    redrawn = _with_another_last_layer(module, seed)
    found = {name: _numbers(make, module, redrawn, images, ranks) for name, make in MAPS.items()}
    half = {name: numbers["pixels with half"] for name, numbers in found.items()}
    accuracy = float(np.mean(trained.predict(dataset.X[unseen]) == dataset.y[unseen]))
    return {
        "accuracy": accuracy,
        "maps": found,
        "half, gradient x input minus gradient": half["gradient x input"] - half["gradient"],
        "half, IG minus gradient x input": half["IG"] - half["gradient x input"],
        "half, deep Taylor minus gradient x input": half["deep Taylor"] - half["gradient x input"],
    }


def _numbers(
    make: Map, module: nn.Module, redrawn: nn.Module, images: torch.Tensor, ranks: torch.Tensor
) -> dict[str, float]:
    """Describe one kind of map: how sharp it is, and what it depends on."""
    first, second, last = (make(module, images, ranks[:, k]) for k in (-1, -2, 0))
    size = first.abs()
    ordered = size.sort(dim=1, descending=True).values.cumsum(1) / size.sum(1, keepdim=True)
    numbers = {
        "pixels with half": ((ordered < 0.5).sum(1) + 1) / first.shape[1],
        "negative share": (size - first).sum(1) / 2 / size.sum(1),
        "like the second class": _correlation(first, second),
        "like the last class": _correlation(first, last),
        "like a redrawn last layer": _correlation(first, make(redrawn, images, ranks[:, -1])),
    }
    return {name: float(values.median()) for name, values in numbers.items()}


def _correlation(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the correlation of two maps for each image."""
    return functional.cosine_similarity(a - a.mean(1, True), b - b.mean(1, True))


def _with_another_last_layer(module: nn.Module, seed: int) -> nn.Module:
    """Return a copy whose last weights are drawn anew, normal and of the same size."""
    other = copy.deepcopy(module)
    last, generator = other[-1], torch.Generator().manual_seed(seed)
    drawn = torch.randn(last.weight.shape, generator=generator, dtype=last.weight.dtype)
    last.weight.data = drawn * last.weight.std()
    return other


# The maps


def _gradient(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    inputs = images.clone().requires_grad_()
    score = module(inputs).gather(1, target[:, None]).sum()
    return torch.autograd.grad(score, inputs)[0]


def _smooth_gradient(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros_like(images)
    for _ in range(SAMPLES):
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        total += _gradient(module, images + NOISE * noise, target)
    return total / SAMPLES


def _integrated(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    steps = (torch.arange(STEPS, dtype=images.dtype) + 0.5) / STEPS
    return images * sum(_gradient(module, step * images, target) for step in steps) / STEPS


def _times_input(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return images * _gradient(module, images, target)


def _epsilon(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    convolutional = module[1:].eval()  # captum's LRP has no rule for the layer that reshapes
    pixels = images.reshape(-1, 1, 28, 28).numpy()
    found = attribute("lrp", convolutional, pixels, target.numpy(), epsilon=EPSILON)
    return torch.tensor(found.values).reshape(images.shape)


def _deep_taylor(module: nn.Module, images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    # As shares of the score: a negative score would turn the whole map negative.
    score = module(images).detach().gather(1, target[:, None])
    return torch.tensor(deep_taylor(module, images, target.numpy())) / score


MAPS: dict[str, Map] = {
    "gradient": _gradient,
    "SmoothGrad": _smooth_gradient,
    "gradient x input": _times_input,
    "IG": _integrated,
    "LRP-epsilon": _epsilon,
    "deep Taylor": _deep_taylor,
}
