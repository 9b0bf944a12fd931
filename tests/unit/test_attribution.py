"""One face over captum, shap, lime and the exact answers.

Each method is compared with its definition, written out here in NumPy; whatever a library would
answer wrongly without a word is refused.
"""

import copy
import itertools
import math
import random
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from random_networks import piecewise, random_network
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn import functional

from xai_course import exact
from xai_course.approximation import approximate
from xai_course.attribution import METHODS, Attribution, attribute

NETWORK = random_network([4, 6, 5, 3])
X = np.random.default_rng(1).normal(size=(5, 4))
TARGETS = np.array([2, 0, 1, 2, 2])
BASELINE = np.array([0.3, -0.2, 0.1, 0.5])
BACKGROUND = np.random.default_rng(2).normal(size=(6, 4))
ROWS = np.arange(5)


def f(rows, target=None):
    """Return each row's own output."""
    return NETWORK.forward(rows)[np.arange(len(rows)), TARGETS if target is None else target]


def close(found, expected, tolerance=1e-10):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def gradients(rows=X, network=NETWORK, targets=TARGETS):
    coef, _ = network.local_linear_models(network.activation_pattern(rows))
    return coef[np.arange(len(rows)), targets]


def hidden(network, rows):
    """Return the input of each hidden layer."""
    return list(network._preactivations(rows))[:-1]


def coalitions(function, row, background):
    """Return Shapley values by their definition: the mean over all orders of the features."""
    n = row.size
    value = {}
    for size in range(n + 1):
        for members in itertools.combinations(range(n), size):
            mixed = background.copy()
            mixed[:, list(members)] = row[list(members)]
            value[frozenset(members)] = function(mixed).mean()
    phi = np.zeros(n)
    for order in itertools.permutations(range(n)):
        for i, feature in enumerate(order):
            before = frozenset(order[:i])
            phi[feature] += (value[before | {feature}] - value[before]) / math.factorial(n)
    return phi


SHAPLEY = np.array(
    [
        coalitions(lambda m, t=t: NETWORK.forward(m)[:, t], row, BACKGROUND)
        for row, t in zip(X, TARGETS, strict=True)
    ]
)


class Pictures(nn.Module):
    """A small convolutional network, whose last maps are averaged."""

    def __init__(self, pool=None, dtype=torch.float64):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.act1 = nn.ReLU()
        self.pool = nn.AvgPool2d(2) if pool is None else pool
        self.second = nn.Conv2d(4, 5, 3)
        self.act2 = nn.ReLU()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(5, 3)
        self.to(dtype).eval()

    def forward(self, x):
        """Return three logits."""
        maps = self.act2(self.second(self.pool(self.act1(self.first(x)))))
        return self.last(self.mean(maps).flatten(1))


IMAGES = np.random.default_rng(3).random((3, 1, 8, 8))
CLASSES = np.array([1, 0, 2])


def dense(*layers, dtype=torch.float64):
    torch.manual_seed(0)
    return nn.Sequential(*layers).to(dtype).eval()


def ask_module(module, rows):
    return module(torch.tensor(rows)).detach().numpy()


class Calls(nn.Module):
    """Two layers, and whatever is called between them."""

    def __init__(self, between, **parts):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.between = nn.Linear(4, 6), nn.Linear(6, 2), between
        for name, part in parts.items():
            setattr(self, name, part)
        self.double().eval()

    def forward(self, x):
        """Return two logits."""
        return self.b(self.between(self, self.a(x)))


# --- each method is what its definition says ------------------------------------------------------


def test_saliency_is_the_gradient():
    close(attribute("saliency", NETWORK, X, TARGETS).values, gradients())
    step = 1e-6 * np.eye(4)
    by_difference = [[(f(X + e)[i] - f(X - e)[i]) / 2e-6 for e in step] for i in ROWS]
    close(attribute("saliency", NETWORK, X, TARGETS).values, by_difference, 1e-6)
    close(attribute("saliency", NETWORK, X, TARGETS, abs=True).values, np.abs(gradients()))


def test_input_x_gradient():
    close(attribute("input_x_gradient", NETWORK, X, TARGETS).values, X * gradients())


def test_smoothgrad_comes_to_the_closed_form():
    network = random_network([3, 5, 1])
    found = attribute("smoothgrad", network, X[:2, :3], sigma=0.5, n_samples=20_000).values
    expected = exact.smoothgrad(network, X[:2, :3], 0.5)
    close(found, expected, 0.05)
    assert np.abs(found - gradients(X[:2, :3], network, 0)).max() > 0.2


def test_integrated_gradients_by_the_mean_of_gradients():
    found = attribute("integrated_gradients", NETWORK, X, TARGETS, baseline=BASELINE, n_steps=500)
    steps = (np.arange(20_000) + 0.5) / 20_000
    for i in ROWS:
        path = BASELINE + steps[:, None] * (X[i] - BASELINE)
        mean = gradients(path, targets=np.full(len(path), TARGETS[i])).mean(axis=0)
        close(found.values[i], mean * (X[i] - BASELINE), 5e-3)
    assert found.completeness_error.max() < 5e-3
    few = attribute("integrated_gradients", NETWORK, X, TARGETS, baseline=BASELINE, n_steps=3)
    assert few.completeness_error.max() > 10 * found.completeness_error.max()
    in_parts = attribute(
        *("integrated_gradients", NETWORK, X, TARGETS),
        **{"baseline": BASELINE, "n_steps": 500, "internal_batch_size": 50},
    )
    close(in_parts.values, found.values)


def relevance(network, row, target, epsilon):
    """Return the epsilon rule's relevance, layer by layer from the output."""
    signals = [row, *(np.maximum(z[0], 0) for z in hidden(network, row[None]))]
    shares = np.eye(network.n_outputs)[target] * network.forward(row[None])[0]
    for weight, bias, signal in reversed(
        list(zip(network.weights, network.biases, signals, strict=True))
    ):
        z = weight @ signal + bias
        shares = signal * (weight.T @ (shares / (z + epsilon * np.where(z < 0, -1, 1))))
    return shares


@pytest.mark.parametrize("epsilon", [1e-9, 0.5])
def test_lrp_is_the_epsilon_rule(epsilon):
    found = attribute("lrp", NETWORK, X, TARGETS, epsilon=epsilon)
    expected = [relevance(NETWORK, X[i], TARGETS[i], epsilon) for i in ROWS]
    close(found.values, expected, 1e-6)
    assert found.completeness_error is None  # biases have their share


def test_lrp_without_epsilon_is_input_x_gradient():
    found = attribute("lrp", Pictures(nn.MaxPool2d(2)), IMAGES, CLASSES).values
    close(
        found,
        attribute("input_x_gradient", Pictures(nn.MaxPool2d(2)), IMAGES, CLASSES).values,
        1e-6,
    )


def rescale(network, row, base, target):
    """Return DeepLIFT's rescale rule for one hidden layer."""
    z, z_base = (hidden(network, r[None])[0][0] for r in (row, base))
    slope = (np.maximum(z, 0) - np.maximum(z_base, 0)) / (z - z_base)
    return (network.weights[1][target] * slope) @ network.weights[0] * (row - base)


def test_deeplift_is_the_rescale_rule():
    network = random_network([4, 7, 3])
    base = np.random.default_rng(9).normal(size=X.shape)
    found = attribute("deeplift", network, X, TARGETS, baseline=base)
    close(found.values, [rescale(network, X[i], base[i], TARGETS[i]) for i in ROWS])
    assert found.completeness_error.max() < 1e-12


@pytest.mark.parametrize("method", ["deeplift_shap", "shap_deep"])
@pytest.mark.parametrize("n_rows", [1, 6])
def test_deeplift_over_a_background(method, n_rows):
    network, background = random_network([4, 7, 3]), BACKGROUND[:n_rows]
    found = attribute(method, network, X, TARGETS, baseline=background)
    expected = [
        np.mean([rescale(network, X[i], b, TARGETS[i]) for b in background], axis=0) for i in ROWS
    ]
    close(found.values, expected, 1e-8)
    assert found.completeness_error.max() < 1e-8


@pytest.mark.parametrize(
    ("method", "options"),
    [("gradient_shap", {"n_samples": 6000}), ("shap_gradient", {"nsamples": 6000})],
)
def test_expected_gradients(method, options):
    found = attribute(method, NETWORK, X[:2], TARGETS[:2], baseline=BACKGROUND, **options)
    rows = np.repeat(X[:2], 6, axis=0)
    paths = exact.integrated_gradients(
        NETWORK, rows, np.tile(BACKGROUND, (2, 1)), np.repeat(TARGETS[:2], 6)
    )
    expected = paths.reshape(2, 6, 4).mean(axis=1)
    assert np.abs(found.values - expected).max() < 0.08 * np.abs(expected).max()
    assert found.completeness_error.max() < 0.3


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution"])
def test_guided_gradients(method):
    signal = np.eye(3)[TARGETS] @ NETWORK.weights[2]
    for layer in (1, 0):
        gate = signal > 0
        if method == "guided_backprop":
            gate &= hidden(NETWORK, X)[layer] > 0
        signal = (signal * gate) @ NETWORK.weights[layer]
    close(attribute(method, NETWORK, X, TARGETS).values, signal)


def maps_of(module, layer):
    """Return the maps of a layer and the gradients of each image's class there."""
    kept = []
    getattr(module, layer).register_forward_hook(lambda part, given, made: kept.append(made))
    logits = module(torch.tensor(IMAGES))
    logits = logits[ROWS[:3], CLASSES].sum()
    (slopes,) = torch.autograd.grad(logits, kept[0])
    return kept[0].detach().numpy(), slopes.numpy()


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("layer", ["act1", "act2"])
def test_grad_cam(layer, relu):
    maps, slopes = maps_of(Pictures(), layer)
    heat = (slopes.mean(axis=(2, 3))[:, :, None, None] * maps).sum(axis=1)
    heat = np.maximum(heat, 0) if relu else heat
    large = functional.interpolate(torch.tensor(heat[:, None]), (8, 8), mode="bilinear").numpy()
    found = attribute("grad_cam", Pictures(), IMAGES, CLASSES, layer=layer, relu=relu)
    close(found.values, large)


def test_cam():
    module = Pictures()
    maps, _ = maps_of(module, "act2")
    heat = np.einsum("nkhw,nk->nhw", maps, module.last.weight.detach().numpy()[CLASSES])
    found = attribute("cam", module, IMAGES, CLASSES, layer=module.act2, interpolate="nearest")
    large = functional.interpolate(torch.tensor(heat[:, None]), (8, 8), mode="nearest").numpy()
    close(found.values, large)
    close(heat.mean(axis=(1, 2)) + module.last.bias.detach().numpy()[CLASSES], found.output)


def test_cam_needs_the_mean_and_one_linear_layer():
    with pytest.raises(ValueError, match="the ReLU, not the convolution"):
        attribute("cam", Pictures(), IMAGES, CLASSES, layer="second")
    with pytest.raises(ValueError, match="layer must be one of first, act1"):
        attribute("cam", Pictures(), IMAGES, CLASSES, layer="third")
    for module in (NETWORK, NETWORK.to_torch()):
        with pytest.raises(ValueError, match="needs images"):
            attribute("grad_cam", module, X, 1, layer="1")
    with pytest.raises(TypeError, match="needed: layer"):
        attribute("grad_cam", Pictures(), IMAGES, 1)


@pytest.mark.parametrize("stride", [1, 2])
def test_occlusion_by_a_loop(stride):
    module = Pictures()
    found = attribute("occlusion", module, IMAGES, 1, baseline=0.5, window=2, stride=stride).values
    fall, count = np.zeros(IMAGES.shape), np.zeros(IMAGES.shape)
    for i, j in itertools.product(range(0, 7, stride), repeat=2):
        covered = IMAGES.copy()
        covered[:, :, i : i + 2, j : j + 2] = 0.5
        difference = (ask_module(module, IMAGES) - ask_module(module, covered))[:, 1]
        fall[:, :, i : i + 2, j : j + 2] += difference[:, None, None, None]
        count[:, :, i : i + 2, j : j + 2] += 1
    close(found, fall / count, 1e-6)  # captum counts in float32


def test_feature_ablation_and_occlusion_of_a_table():
    expected = np.zeros(X.shape)
    for j in range(4):
        without = X.copy()
        without[:, j] = BASELINE[j]
        expected[:, j] = f(X) - f(without)
    for method in ("feature_ablation", "occlusion"):
        close(attribute(method, NETWORK, X, TARGETS, baseline=BASELINE).values, expected, 1e-6)
    pairs = attribute("feature_ablation", NETWORK, X, TARGETS, groups=[0, 0, 1, 1]).values
    without = X * [0, 0, 1, 1]
    close(pairs[:, :2], np.repeat((f(X) - f(without))[:, None], 2, axis=1), 1e-6)
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        attribute("feature_ablation", NETWORK, X, TARGETS, groups=[0, 1])


@pytest.mark.parametrize(
    "method", ["shap_kernel", "shap_exact", "exact_shapley", "shap_permutation"]
)
@pytest.mark.parametrize("kind", ["network", "module", "function"])
def test_shapley_values(method, kind):
    model = {"network": NETWORK, "module": NETWORK.to_torch(), "function": NETWORK.forward}[kind]
    options = {"n_permutations": 2000} if method == "shap_permutation" else {}
    n_rows = 1 if options else 5
    found = attribute(method, model, X[:n_rows], TARGETS[:n_rows], baseline=BACKGROUND, **options)
    close(found.values, SHAPLEY[:n_rows], 0.02 if options else 1e-8)
    assert found.completeness_error.max() < 1e-10


def test_partition_of_independent_features_is_near():
    """With two features every hierarchy has the Shapley values; with more they are Owen's."""
    two = random_network([2, 6, 1])
    background = BACKGROUND[:, :2]
    found = attribute("shap_partition", two, X[:, :2], baseline=background)
    expected = [coalitions(lambda m: two.forward(m)[:, 0], row, background) for row in X[:, :2]]
    close(found.values, expected)
    assert found.completeness_error.max() < 1e-10
    with pytest.raises(ValueError, match="3 rows"):
        attribute("shap_partition", two, X[:, :2], baseline=background[:2])


def test_no_background_is_cut_down():
    rows = np.random.default_rng(5).normal(size=(150, 4))
    rows[0] = 100.0  # the mean hangs on a single row
    for method in ("shap_exact", "shap_partition"):
        found = attribute(method, NETWORK, X[:1], 1, baseline=rows)
        assert found.completeness_error.max() < 1e-8 * np.abs(found.values).max()


def test_kernel_keeps_every_feature():
    coef = np.arange(1.0, 21)
    rows = np.random.default_rng(6).normal(size=(4, 20))
    found = attribute("shap_kernel", lambda r: r @ coef, rows[:1], baseline=rows[1:], nsamples=100)
    close(found.values, coef * (rows[:1] - rows[1:].mean(axis=0)), 1e-6)
    assert (found.values != 0).all()


TREES = np.random.default_rng(7).normal(size=(60, 3))
LABELS = (TREES[:, 0] * TREES[:, 1] > 0.1).astype(int)


@pytest.mark.parametrize("target", [0, 1])
def test_trees_of_a_forest_vote_with_probabilities(target):
    model = RandomForestClassifier(5, max_depth=3, random_state=0).fit(TREES, LABELS)
    with pytest.raises(ValueError, match="say output='probabilities'"):
        attribute("shap_tree", model, TREES[:2], target, baseline=TREES[:9])
    how = {"baseline": TREES[:9], "output": "probabilities"}
    found = attribute("shap_tree", model, TREES[:2], target, **how)
    expected = [
        coalitions(lambda r: model.predict_proba(r)[:, target], row, TREES[:9]) for row in TREES[:2]
    ]
    close(found.values, expected, 1e-6)
    assert found.completeness_error.max() < 1e-6


def test_boosted_trees_have_logits():
    model = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(TREES, LABELS)
    found = attribute("shap_tree", model, TREES[:2], baseline=TREES[:9])
    expected = [coalitions(model.decision_function, row, TREES[:9]) for row in TREES[:2]]
    close(found.values, expected, 1e-6)
    with pytest.raises(ValueError, match="only rescales"):
        attribute("shap_tree", model, TREES[:2], 1, baseline=TREES[:9], output="probabilities")


def test_trees_of_a_regression_with_and_without_a_background():
    model = RandomForestRegressor(5, max_depth=3, random_state=0).fit(TREES, TREES[:, 0])
    found = attribute("shap_tree", model, TREES[:2], baseline=TREES[:9])
    close(found.values, [coalitions(model.predict, row, TREES[:9]) for row in TREES[:2]], 1e-5)
    alone = attribute("shap_tree", model, TREES[:2])
    assert alone.baseline is None
    assert alone.completeness_error is None
    gaps = alone.output - alone.values.sum(axis=1)
    close(gaps[0], gaps[1], 1e-5)  # the tree's own expectation


def test_lime_tabular_is_a_weighted_ridge_regression():
    """Without the quarters: noise around the mean, a kernel of the distance, a ridge of 1."""
    background = BACKGROUND * [1, 5, 0.1, 2] + 1
    found = attribute(
        *("lime_tabular", NETWORK, X[:1], 1),
        **{"baseline": background, "discretize": False, "num_samples": 400, "random_state": 3},
    )
    mean, scale = background.mean(axis=0), background.std(axis=0)
    noise = np.random.RandomState(3).normal(size=(400, 4))
    rows = noise * scale + mean
    rows[0] = X[0]
    units = (rows - mean) / scale
    distance = np.sqrt(((units - units[0]) ** 2).sum(axis=1))
    weight = np.sqrt(np.exp(-(distance**2) / (0.75 * 2) ** 2))
    ridge = Ridge(alpha=1).fit(units, NETWORK.forward(rows)[:, 1], sample_weight=weight)
    close(found.values[0], ridge.coef_, 1e-8)
    assert found.completeness_error is None


def test_lime_tabular_finds_a_linear_function():
    coef = np.array([1.0, -2.0, 0.5, 0.0])
    model = LinearRegression().fit(BACKGROUND, BACKGROUND @ coef)
    how = {"baseline": BACKGROUND, "discretize": False, "around": True}
    found = attribute("lime_tabular", model, X[:2], **how).values
    close(found, np.tile(coef * BACKGROUND.std(axis=0), (2, 1)), 1e-2)
    in_quarters = attribute("lime_tabular", model, X[:2], baseline=BACKGROUND).values
    assert np.abs(in_quarters - found).max() > 0.1


def test_lime_image_gives_each_superpixel_its_weight():
    segments = np.repeat(np.repeat([[7, 3], [5, 9]], 4, axis=0), 4, axis=1)
    weights = np.arange(64.0)
    model = lambda rows: rows.reshape(len(rows), -1) @ weights  # noqa: E731
    parts = [segments == number for number in (7, 3, 5, 9)]
    for rows in (IMAGES, IMAGES.reshape(3, 64), IMAGES[:, 0]):
        found = attribute("lime_image", model, rows, segments=segments, hide_color=0.0)
        assert found.values.shape == rows.shape
        for image, values in zip(IMAGES, found.values, strict=True):
            for part in parts:
                falls = (weights.reshape(8, 8) * image[0])[part].sum()
                close(values.reshape(8, 8)[part], np.full(16, falls), 0.05)


def test_lime_image_with_colours_and_bad_segments():
    colours = np.random.default_rng(8).random((1, 3, 8, 8))
    segments = np.arange(64).reshape(8, 8) // 16
    found = attribute("lime_image", lambda r: r[:, 1].sum(axis=(1, 2)), colours, segments=segments)
    assert np.abs(found.values).max() < 0.2  # a hidden superpixel keeps its mean
    with pytest.raises(ValueError, match="single superpixel"):
        attribute("lime_image", lambda r: r.sum(axis=(1, 2, 3)), colours, segments=0 * segments)
    with pytest.raises(ValueError, match=r"shape \(8, 8\)"):
        attribute("lime_image", lambda r: r.sum(axis=(1, 2, 3)), colours, segments=segments[:3])
    with pytest.raises(ValueError, match="square number"):
        attribute("lime_image", NETWORK, X, 1)


TEXTS = ["good film, good end", "a bad film"]


def judge(texts):
    """Return a score that is linear in the words."""
    words = [set(text.replace(",", "").split()) for text in texts]
    scores = [2.0 * ("good" in w) - 3.0 * ("bad" in w) for w in words]
    return np.column_stack([scores, np.zeros(len(texts))])


def test_lime_text_gives_each_word_its_weight():
    found = attribute("lime_text", judge, TEXTS, 0)
    assert found.words == [["good", "film", "good", "end"], ["a", "bad", "film"]]
    close(found.values[0], [2, 0, 2, 0], 0.05)
    close(found.values[1], [0, -3, 0], 0.05)
    close(found.output, [2, -3])
    drawn = found.plot(1, ax=plt.figure().add_subplot()).texts
    assert [text.get_text() for text in drawn] == ["a", "bad", "film"]
    colors = [text.get_bbox_patch().get_facecolor()[:3] for text in drawn]
    assert np.argmin([sum(color) for color in colors]) == 1  # nothing is as dark as "bad"
    plt.close("all")


def test_lime_text_of_a_pipeline():
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression())
    pipeline.fit(["good film", "good end", "bad film", "bad end"], [1, 1, 0, 0])
    found = attribute("lime_text", pipeline, ["good film end"])
    close(found.output, pipeline.decision_function(["good film end"]))
    weight = pipeline[-1].coef_[0][pipeline[0].vocabulary_["good"]]
    close(found.values[0], [weight, 0, 0], 0.05)
    shares = attribute("lime_text", pipeline, ["good film end"], 0, output="probabilities")
    assert shares.values[0].argmin() == 0
    assert shares.values[0][0] < 0


@pytest.mark.parametrize("kind", ["network", "module"])
def test_exact_answers(kind):
    model = NETWORK if kind == "network" else NETWORK.to_torch()
    given = (NETWORK, X, BASELINE, TARGETS)
    found = attribute("exact_integrated_gradients", model, X, TARGETS, baseline=BASELINE)
    close(found.values, exact.integrated_gradients(*given))
    assert found.completeness_error.max() < 1e-12
    found = attribute("exact_contributions", model, X, TARGETS, baseline=BASELINE)
    close(found.values, gradients() * (X - BASELINE))
    assert found.completeness_error is None


# --- what it says beside the values ---------------------------------------------------------------


def settings_for(method):
    return {"sigma": 0.1} if method == "smoothgrad" else {}


TABULAR = [
    name
    for name, entry in METHODS.items()
    if entry.takes in ("module", "network", "function")
    and name not in ("cam", "grad_cam", "lime_image")
]


def ask(method, model=NETWORK, rows=X, target=TARGETS, **more):
    base = {"baseline": BACKGROUND} if METHODS[method].baseline == "background" else {}
    return attribute(method, model, rows, target, **base, **settings_for(method), **more)


@pytest.mark.parametrize("method", TABULAR)
def test_record_of_every_method(method):
    rows, n_kept = X.copy(), random.getstate()
    found = ask(method)
    assert isinstance(found, Attribution)
    assert found.values.shape == X.shape
    assert found.values.dtype == np.float64
    assert found.method == method
    close(found.output, f(X))
    np.testing.assert_array_equal(found.target, TARGETS)
    entry = METHODS[method]
    assert found.settings == entry.options | settings_for(method) | {
        "output": "logits",
        "random_state": 0,
    }
    assert found.seconds > 0
    assert (found.completeness_error is not None) == entry.complete
    if entry.complete:
        base = BACKGROUND if entry.baseline == "background" else 0 * X[:1]
        first = NETWORK.forward(base).mean(axis=0)[TARGETS]
        close(found.completeness_error, np.abs(found.values.sum(axis=1) - (f(X) - first)), 1e-9)
    np.testing.assert_array_equal(rows, X)
    assert random.getstate() == n_kept


@pytest.mark.parametrize("method", TABULAR)
def test_values_depend_on_the_random_state_only(method):
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    first = ask(method).values
    after = np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    assert (before[0] == after[0]).all()
    assert (before[1] == after[1]).all()
    np.random.seed(6)  # noqa: NPY002
    torch.manual_seed(6)
    random.seed(6)
    with torch.no_grad():
        np.testing.assert_array_equal(ask(method).values, first)
    sampled = ("smoothgrad", "gradient_shap", "shap_gradient", "lime_tabular")
    if method in sampled:
        assert (ask(method, random_state=1).values != first).any()


@pytest.mark.parametrize("method", TABULAR)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_module_stays_as_it_is(method, dtype):
    module = NETWORK.to_torch(dtype)
    module[0].weight.requires_grad_(False)
    module[2].register_forward_hook(lambda part, given, made: None)
    kept = copy.deepcopy(module.state_dict())
    names = {name: set(vars(part)) for name, part in module.named_modules()}
    hooks = [len(part._forward_hooks) for part in module.modules()]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = ask(method, module)
    # LIME and gradients at random points may fall on another side of a kink in float32.
    close(found.values, ask(method).values, 1e-9 if dtype == torch.float64 else 1e-3)
    assert all(torch.equal(value, kept[name]) for name, value in module.state_dict().items())
    assert {name: set(vars(part)) for name, part in module.named_modules()} == names
    assert [len(part._forward_hooks) for part in module.modules()] == hooks
    assert [p.requires_grad for p in module.parameters()][:2] == [False, True]
    assert all(p.grad is None for p in module.parameters())
    assert not module.training


@pytest.mark.parametrize("method", TABULAR)
def test_single_outputs_need_no_target(method):
    network = random_network([4, 5, 1])
    found = ask(method, network, target=None)
    np.testing.assert_array_equal(found.target, np.zeros(5))
    np.testing.assert_array_equal(found.values, ask(method, network, target=0).values)


@pytest.mark.parametrize(
    "method", ["lrp", "shap_deep", "deeplift_shap", "shap_gradient", "occlusion"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_images(method, dtype):
    base = {"baseline": IMAGES[1:]} if METHODS[method].baseline == "background" else {}
    found = attribute(method, Pictures(dtype=dtype), IMAGES, CLASSES, **base)
    assert found.values.shape == IMAGES.shape
    if method in ("shap_deep", "deeplift_shap"):
        assert found.completeness_error.max() < 1e-5


@pytest.mark.parametrize("method", ["deeplift", "lrp", "guided_backprop"])
def test_images_that_come_as_rows(method):
    module = dense(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    small = IMAGES[:, :, :3, :3]
    of_rows = nn.Sequential(nn.Unflatten(1, (1, 3, 3)), *module).eval()
    found = attribute(method, of_rows, small.reshape(3, 9), CLASSES)
    close(found.values, attribute(method, module, small, CLASSES).values.reshape(3, 9))


def test_functions_of_images():
    module = dense(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    small = IMAGES[:, :, :3, :3]
    found = attribute("shap_exact", module, small, CLASSES, baseline=small[:2])
    again = attribute(
        *("exact_shapley", lambda rows: ask_module(module, rows.reshape(-1, 1, 3, 3))),
        *(small.reshape(3, 9), CLASSES),
        baseline=small[:2].reshape(2, 9),
    )
    close(found.values.reshape(3, 9), again.values, 1e-8)


def test_estimators_say_what_is_explained():
    model = LogisticRegression().fit(TREES, LABELS)
    found = attribute("shap_exact", model, TREES[:2], baseline=TREES)
    close(found.values, model.coef_ * (TREES[:2] - TREES.mean(axis=0)), 1e-8)
    shares = attribute("shap_exact", model, TREES[:2], 1, baseline=TREES, output="probabilities")
    close(shares.output, model.predict_proba(TREES[:2])[:, 1])


def test_columns_of_an_estimator_have_their_names():
    import pandas as pd

    frame = pd.DataFrame(TREES, columns=["a", "b", "c"])
    model = LinearRegression().fit(frame, TREES[:, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = attribute("shap_exact", model, frame[:2], baseline=frame)
    close(found.values, model.coef_ * (TREES[:2] - TREES.mean(axis=0)), 1e-8)


# --- pictures -------------------------------------------------------------------------------------


@pytest.fixture
def ax():
    yield plt.figure().add_subplot()
    plt.close("all")


def test_bars(ax):
    found = attribute("saliency", NETWORK, X, TARGETS)
    assert found.plot(2, names=["a", "b", "c", "d"], ax=ax) is ax
    order = np.argsort(-np.abs(found.values[2]))
    assert [label.get_text() for label in ax.get_yticklabels()] == [*np.array([*"abcd"])[order]]
    close([bar.get_width() for bar in ax.patches], found.values[2][order])
    assert ax.get_xlabel() == "saliency"
    bare = found.plot(2, ax=plt.figure().add_subplot())
    assert {label.get_text() for label in bare.get_yticklabels()} == {"x1", "x2", "x3", "x4"}


@pytest.mark.parametrize("shape", [(2, 64), (2, 8, 8), (2, 1, 8, 8), (2, 3, 8, 8)])
def test_signed_maps(ax, shape):
    values = np.random.default_rng(0).normal(size=shape)
    Attribution(values, "any", None, np.zeros(2), np.zeros(2), {}, 0.0).plot(1, ax=ax)
    (drawn,) = ax.images
    close(drawn.get_array(), values[1].reshape(-1, 8, 8).sum(axis=0))
    assert drawn.norm.vmin == -drawn.norm.vmax


def test_a_flat_row_with_names_is_a_table(ax):
    found = Attribution(np.ones((1, 64)), "any", None, np.zeros(1), np.zeros(1), {}, 0.0)
    found.plot(names=[str(i) for i in range(64)], ax=ax)
    assert not ax.images


# --- what is refused ------------------------------------------------------------------------------

RULED = ["deeplift", "deeplift_shap", "shap_deep", "guided_backprop", "deconvolution"]


@pytest.mark.parametrize("method", RULED)
@pytest.mark.parametrize(
    "between",
    [
        lambda self, z: functional.relu(z),
        lambda self, z: torch.relu(z),
        lambda self, z: z.relu(),
        lambda self, z: z.relu_(),
        lambda self, z: functional.relu(z, inplace=True),
    ],
)
def test_functional_relu_is_refused(method, between):
    with pytest.raises(ValueError, match=r"function relu.*module of its own"):
        ask(method, Calls(between), target=1)


def test_the_traps_are_real():
    """What is refused would be wrong: captum's plain answers do not add up, or are gradients."""
    from captum.attr import DeepLift, GuidedBackprop

    module = Calls(lambda self, z: functional.relu(z))
    rows, base = torch.tensor(X), torch.zeros(5, 4, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        how = {"target": 1, "return_convergence_delta": True}
        _, delta = DeepLift(module).attribute(rows, base, **how)
        guided = GuidedBackprop(module).attribute(rows, target=1).numpy()
        pooled = Pictures(nn.MaxPool2d(2))
        _, pool_delta = DeepLift(pooled).attribute(torch.tensor(IMAGES), 0.3, **how)
    assert delta.abs().max() > 1e-2
    assert pool_delta.abs().max() > 1e-3
    close(guided, ask("saliency", module, target=1).values)


def test_lrp_sees_through_functional_relu():
    by_function = ask("lrp", Calls(lambda self, z: functional.relu(z)), target=1)
    by_module = ask("lrp", Calls(lambda self, z: self.act(z), act=nn.ReLU()), target=1)
    close(by_function.values, by_module.values)


@pytest.mark.parametrize("method", ["deeplift", "deeplift_shap"])
def test_max_pooling_has_a_way_out(method):
    module = Pictures(nn.MaxPool2d(2))
    base = {"baseline": IMAGES[1:]} if method == "deeplift_shap" else {}
    with pytest.raises(ValueError, match=r"MaxPool2d.*use shap_deep"):
        attribute(method, module, IMAGES, CLASSES, **base)
    found = attribute("shap_deep", module, IMAGES, CLASSES, baseline=IMAGES[1:])
    assert found.completeness_error.max() < 1e-10


@pytest.mark.parametrize("method", ["deeplift", "deeplift_shap", "shap_deep"])
def test_activations_used_twice_are_refused(method):
    act = nn.ReLU()
    module = dense(nn.Linear(4, 6), act, nn.Linear(6, 6), act, nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"ReLU\(\) is used 2 times.*module of its own"):
        ask(method, module, target=1)


@pytest.mark.parametrize("method", ["guided_backprop", "deconvolution", "lrp"])
def test_activations_used_twice_where_it_is_right(method):
    act, first, second, last = nn.ReLU(), nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)
    twice = dense(first, act, second, act, last)
    once = dense(first, nn.ReLU(), second, nn.ReLU(), last)
    close(ask(method, twice, target=1).values, ask(method, once, target=1).values)


def test_layers_used_twice_under_lrp_are_refused():
    same = nn.Linear(6, 6)
    module = dense(nn.Linear(4, 6), nn.ReLU(), same, nn.ReLU(), same, nn.ReLU(), nn.Linear(6, 2))
    with pytest.raises(ValueError, match="used 2 times"):
        ask("lrp", module, target=1)
    for method in ("deeplift", "shap_deep"):  # to which they are sums like any other
        assert ask(method, module, target=1).completeness_error.max() < 1e-8


def test_flatten_under_lrp_is_rewritten():
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Identity()
    module = dense(*layers, nn.Linear(36, 3))
    found = attribute("lrp", module, IMAGES, CLASSES).values
    close(found, attribute("input_x_gradient", module, IMAGES, CLASSES).values, 1e-6)


@pytest.mark.parametrize(
    ("method", "layer"),
    [
        ("lrp", nn.Sigmoid()),
        ("lrp", nn.LeakyReLU()),
        ("deeplift", nn.Hardtanh()),
        ("shap_deep", nn.ReLU6()),
        ("guided_backprop", nn.LeakyReLU()),
        ("deconvolution", nn.Tanh()),
        ("deeplift", type("ReLU", (nn.ReLU,), {"forward": nn.ReLU.forward})()),
    ],
)
def test_layers_without_a_rule_are_refused(method, layer):
    with pytest.raises(ValueError, match="no right rule"):
        ask(method, dense(nn.Linear(4, 6), layer, nn.Linear(6, 2)), target=1)


@pytest.mark.parametrize("method", ["deeplift", "shap_deep"])
@pytest.mark.parametrize(
    "layer", [nn.LeakyReLU(), nn.ELU(), nn.Sigmoid(), nn.Tanh(), nn.Softplus()]
)
def test_layers_with_a_rule_add_up(method, layer):
    found = ask(method, dense(nn.Linear(4, 6), layer, nn.Linear(6, 2)), target=1)
    assert found.completeness_error.max() < 1e-8


@pytest.mark.parametrize("method", ["deeplift", "shap_deep"])
def test_in_place_activations_are_no_trap(method):
    for inplace in (False, True):
        module = dense(nn.Linear(4, 6), nn.ReLU(inplace=inplace), nn.Linear(6, 2))
        assert ask(method, module, target=1).completeness_error.max() < 1e-8
        assert module[1].inplace is inplace


def test_sums_under_lrp_are_refused():
    residual = Calls(lambda self, z: z + self.act(self.c(z)), act=nn.ReLU(), c=nn.Linear(6, 6))
    with pytest.raises(ValueError, match="Addition_Module"):
        ask("lrp", residual, target=1)
    for method in ("deeplift", "shap_deep"):
        assert ask(method, residual, target=1).completeness_error.max() < 1e-8


@pytest.mark.parametrize(
    "between",
    [
        lambda self, z: z + self.act(z),
        lambda self, z: self.c(z) + self.act(z),
        lambda self, z: self.act(z) - z.mean(1, keepdim=True),
    ],
)
def test_activations_whose_input_is_read_elsewhere(between):
    """captum hooks the tensor that a ReLU reads: its other readers get the wrong gradient."""
    from captum.attr import DeepLift

    module = Calls(between, act=nn.ReLU(), c=nn.Linear(6, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        how = {"target": 1, "return_convergence_delta": True}
        _, delta = DeepLift(module).attribute(torch.tensor(X), 0.0, **how)
    assert delta.abs().max() > 1e-3
    for method in ("deeplift", "deeplift_shap", "guided_backprop", "deconvolution"):
        with pytest.raises(ValueError, match=r"self\.act\(z\.clone\(\)\), or use shap_deep"):
            ask(method, module, target=1)
    shaped = Calls(lambda self, z: self.act(z).view(z.size(0), z.shape[1]), act=nn.ReLU())
    plain = dense(shaped.a, nn.ReLU(), shaped.b)
    for method in ("deeplift", "guided_backprop", "lrp"):
        close(ask(method, shaped, target=1).values, ask(method, plain, target=1).values)
    copied = Calls(lambda self, z: z + self.act(z.clone()), act=nn.ReLU())
    assert ask("deeplift", copied, target=1).completeness_error.max() < 1e-12
    assert ask("shap_deep", module, target=1).completeness_error.max() < 1e-8


def test_sums_as_modules_under_lrp():
    """A plain relevance of ratios: with a tiny epsilon it is the input times the gradient."""
    from captum.attr._utils.custom_modules import Addition_Module

    parts = {"act": nn.ReLU(), "c": nn.Linear(6, 6), "sum": Addition_Module()}
    residual = Calls(lambda self, z: self.sum(z, self.act(self.c(z))), **parts)
    expected = ask("input_x_gradient", residual, target=1).values
    close(ask("lrp", residual, target=1).values, expected, 1e-6)


def test_what_cannot_be_followed_is_refused():
    module = Calls(lambda self, z: self.act(z) if z.sum() > 0 else self.act(-z), act=nn.ReLU())
    with pytest.raises(ValueError, match=r"torch\.fx cannot follow"):
        ask("deeplift", module, target=1)
    assert ask("saliency", module, target=1).values.shape == X.shape


def test_other_activations_of_a_network_need_another_method():
    network = piecewise([4, 6, 2], approximate("tanh", 5))
    with pytest.raises(ValueError, match="no right rule for the function"):
        ask("deeplift", network, target=1)
    close(ask("saliency", network, target=1).values, gradients(X, network, 1))


@pytest.mark.parametrize(
    "module",
    [
        dense(nn.Linear(4, 1), nn.Sigmoid()),
        dense(nn.Linear(4, 3), nn.Softmax(dim=1)),
        dense(nn.Linear(4, 3), nn.LogSoftmax(dim=1)),
        dense(nn.Sequential(nn.Linear(4, 1), nn.Sigmoid()), nn.Flatten()),
        Calls(lambda self, z: functional.relu(z)),
    ],
)
def test_probabilities_are_refused_unless_asked_for(module):
    if isinstance(module, Calls):
        forward = module.forward
        module.forward = lambda x: torch.softmax(forward(x), dim=1)
    with pytest.raises(ValueError, match=r"split_link.*output='probabilities'"):
        attribute("saliency", module, X, 0)
    found = attribute("saliency", module, X, 0, output="probabilities")
    close(found.output, module(torch.tensor(X)).detach().numpy()[:, 0])


def test_probabilities_of_a_function_are_refused_unless_asked_for():
    model = LogisticRegression().fit(TREES, LABELS)
    for function in (model.predict_proba, model.predict_log_proba):
        with pytest.raises(ValueError, match="adds up to 1"):
            attribute("shap_exact", function, TREES[:2], 1, baseline=TREES)
        found = attribute(
            "shap_exact", function, TREES[:2], 1, baseline=TREES, output="probabilities"
        )
        assert found.completeness_error.max() < 1e-8


@pytest.mark.parametrize("method", ["saliency", "exact_contributions", "shap_exact"])
def test_training_mode_is_refused(method):
    module = NETWORK.to_torch()
    module[1].train()
    with pytest.raises(ValueError, match=r"call \.eval\(\)"):
        ask(method, module)


@pytest.mark.parametrize(
    ("target", "piece"),
    [
        (None, "say which to explain"),
        (3, "from 0 to 2"),
        (-1, "from 0 to 2"),
        ([0, 1], "or 5 of them"),
        (1.0, "whole number"),
        (True, "whole number"),
    ],
)
def test_bad_targets(target, piece):
    with pytest.raises(ValueError, match=piece):
        attribute("saliency", NETWORK, X, target)


@pytest.mark.parametrize(
    ("method", "baseline", "piece"),
    [
        ("deeplift", np.zeros(3), r"\(4,\) of an input or \(5, 4\) of all, got \(3,\)"),
        ("deeplift", np.zeros((1, 4)), r"got \(1, 4\)"),
        ("shap_exact", None, r"\(n_background, 4\), rows to average over"),
        ("shap_exact", 0.0, "n_background"),
        ("shap_exact", np.zeros((0, 4)), "n_background"),
        ("shap_exact", np.zeros((2, 3)), "n_background"),
        ("deeplift", np.full(4, np.nan), "finite"),
        ("saliency", 0.0, "no baseline"),
    ],
)
def test_bad_baselines(method, baseline, piece):
    with pytest.raises(ValueError, match=piece):
        attribute(method, NETWORK, X, 1, baseline=baseline)


def test_a_background_of_one_row():
    one = attribute("shap_exact", NETWORK, X, 1, baseline=BASELINE)
    again = attribute("shap_exact", NETWORK, X, 1, baseline=BASELINE[None])
    np.testing.assert_array_equal(one.values, again.values)
    assert one.baseline.shape == (1, 4)


def test_bad_inputs():
    bad = X.copy()
    bad[0, 0] = np.nan
    with pytest.raises(ValueError, match="1 NaN"):
        attribute("saliency", NETWORK, bad, 1)
    with pytest.raises(ValueError, match=r"X\[None\]"):
        attribute("saliency", NETWORK, X[0], 1)
    for method, model, nothing in [("saliency", NETWORK, X[:0]), ("lime_text", judge, [])]:
        with pytest.raises(ValueError, match="at least one row"):
            attribute(method, model, nothing, 1)
    with pytest.raises(TypeError, match="sequence of texts"):
        attribute("lime_text", judge, "one text", 0)
    with pytest.raises(TypeError, match="sequence of texts"):
        attribute("lime_text", judge, ["a", " "], 0)


def test_bad_models():
    for method, model, piece in [
        ("saliency", NETWORK.forward, "torch module"),
        ("exact_contributions", NETWORK.forward, "torch module"),
        ("saliency", LinearRegression().fit(X, X[:, 0]), "torch module"),
        ("shap_tree", NETWORK, "made of trees"),
        ("shap_kernel", "network", "estimator or a function, got str"),
    ]:
        with pytest.raises(TypeError, match=piece):
            ask(method, model) if method != "shap_tree" else attribute(method, model, X, 1)
    with pytest.raises(TypeError, match="list of texts"):
        attribute("lime_text", NETWORK.to_torch(), TEXTS)
    flat = Calls(lambda self, z: functional.relu(z))
    forward = flat.forward
    flat.forward = lambda x: forward(x)[:, 0]
    with pytest.raises(ValueError, match="unsqueeze"):
        attribute("saliency", flat, X)
    with pytest.raises(ValueError, match="finite"):
        attribute("shap_exact", lambda r: np.full(len(r), np.inf), X, baseline=X)


def test_bad_options():
    with pytest.raises(ValueError, match="method must be 'saliency', 'input_x_gradient'"):
        attribute("gradient", NETWORK, X, 1)
    with pytest.raises(TypeError, match=r"are: n_steps, internal_batch_size; .* Got: steps"):
        attribute("integrated_gradients", NETWORK, X, 1, steps=5)
    with pytest.raises(TypeError, match="needed: sigma"):
        attribute("smoothgrad", NETWORK, X, 1)
    for bad in ({"sigma": 0.0}, {"sigma": np.nan}):
        with pytest.raises(ValueError, match="sigma must be"):
            attribute("smoothgrad", NETWORK, X, 1, **bad)
    with pytest.raises(ValueError, match="output must be 'logits' or 'probabilities'"):
        attribute("saliency", NETWORK, X, 1, output="class")
    with pytest.raises(ValueError, match="random_state"):
        attribute("saliency", NETWORK, X, 1, random_state=None)
    with pytest.raises(ValueError, match="window must be"):
        attribute("occlusion", NETWORK, X, 1, window=5)
    with pytest.raises(ValueError, match="coalitions of 16 features"):
        attribute("shap_exact", lambda r: r[:, 0], np.ones((1, 16)), baseline=np.ones((1, 16)))
