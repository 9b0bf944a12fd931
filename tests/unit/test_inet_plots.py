"""The two drawings of the chapter networks-as-data say the right numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from test_inet_lambda_nets import random_nets

from xai_course.inet import SparsePolynomial
from xai_course.inet.plots import plot_output_layer, plot_translation

G = SparsePolynomial([0.5, -2], [[1, 0, 2], [0, 0, 0]])


def texts(ax):
    return [text.get_text() for text in ax.texts]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_translation_shows_weights_and_both_halves():
    _, ax = plt.subplots()
    nets = random_nets(1, 6, 3)
    assert plot_translation(nets, G, ax=ax) is ax
    found = texts(ax)
    assert {"0.50", "-2.00", "7", "19"} <= set(found)
    assert any("31 weights" in text for text in found)
    assert any(G.to_latex(2) in text for text in found)
    cells = np.ma.filled(ax.images[0].get_array(), np.nan).ravel()
    assert np.array_equal(cells[:31], nets.parameters()[0])
    assert np.isnan(cells[31:]).all()


def test_output_layer_counts_its_neurons():
    _, ax = plt.subplots()
    plot_output_layer(5, 3, 5, ax=ax)
    assert "5 + 5 x 56 = 285 outputs" in texts(ax)
    assert len(ax.patches) == 1 + 5 * 56


def test_drawings_refuse():
    with pytest.raises(ValueError, match=r"got 2 network\(s\) of 3"):
        plot_translation(random_nets(2), G)
    with pytest.raises(ValueError, match="polynomial in 3"):
        plot_translation(random_nets(1, 4, 2), G)
    with pytest.raises(ValueError, match="sparsity must be a whole number"):
        plot_output_layer(2, 3, 0)
