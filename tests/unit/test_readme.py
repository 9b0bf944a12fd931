"""The pieces of code in the README run, in their order."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
PIECES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
MODULE = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
ROWS = np.random.default_rng(0).uniform(size=(50, 3))


@pytest.fixture(scope="module")
def names():
    """Run all pieces; the first finds a module and rows of the reader's own."""
    found = {"module": MODULE, "X": ROWS}
    for piece in PIECES:
        exec(piece, found)
    return found


def test_the_local_models_are_the_network(names):
    values = np.einsum("rof,rf->ro", names["coef"], ROWS) + names["intercept"]
    expected = MODULE(torch.tensor(ROWS, dtype=torch.float32))
    np.testing.assert_allclose(values, expected.detach().numpy(), atol=1e-5)


def test_the_explanation_is_a_polynomial_of_five_terms(names):
    assert 1 <= len(names["explanation"].coef) <= 5
    assert names["explanation"](ROWS).shape == (50,)


def test_the_network_of_a_pipeline_keeps_the_names(names):
    unwrapper, pipeline, X = names["unwrapper"], names["pipeline"], names["X"]
    rows = pipeline[:-1].transform(X)
    assert list(unwrapper.feature_names_in_) == list(X.columns)
    np.testing.assert_array_equal(unwrapper.predict(rows), pipeline.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        unwrapper.predict(rows[rows.columns[::-1]])


def test_attributions_of_a_convolutional_network_add_up(names):
    module, images = names["convolutional"], names["images"]
    change = (module(images) - module(0 * images))[:, 3].detach().numpy()
    sums = names["attributions"].sum(axis=(1, 2, 3))
    np.testing.assert_allclose(sums, change, rtol=0, atol=1e-12)
    assert names["sampled"].completeness_error.max() > 1e-6
