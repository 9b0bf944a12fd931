"""The shared plots: what they draw is what they were given."""

import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from PIL import Image

from xai_course import plotting
from xai_course.networks import PiecewiseLinearNetwork

BOX = [[-1, 1], [-2, 2]]


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    mpl.use("Agg")
    yield
    plt.close("all")


def cross():
    """Return a network whose four regions are the quadrants."""
    return PiecewiseLinearNetwork([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])


def test_style_is_packaged():
    with mpl.rc_context():
        plotting.use_style()
        assert mpl.rcParams["figure.constrained_layout.use"]


def test_a_notebook_draws_twice_the_pixels():
    with mpl.rc_context():
        mpl.use("module://matplotlib_inline.backend_inline")
        shell = InteractiveShell.instance()
        plotting.use_style()
        png, size = shell.display_formatter.formatters["image/png"](plt.subplots(figsize=(2, 1))[0])
    assert Image.open(io.BytesIO(base64.b64decode(png))).width // 2 == size["width"]


def test_regions_are_drawn_where_they_are():
    ax = plotting.plot_regions(cross().activation_pattern, BOX, resolution=8)
    tints, edges = ax.images[0].get_array(), ax.images[-1].get_array()[..., 3]
    assert ax.images[0].get_extent() == [-1, 1, -2, 2]
    assert np.array_equal(tints, np.kron([[0, 1], [1, 2]], np.ones((4, 4))))
    on_edge = np.zeros((8, 8), dtype=bool)
    on_edge[3:5] = on_edge[:, 3:5] = True
    assert np.array_equal(edges > 0, on_edge)


def test_unseen_regions_are_dark():
    ax = plotting.plot_regions(cross().activation_pattern, BOX, seen=[[1, 1]], resolution=8)
    cover = ax.images[1].get_array()[..., 3]
    assert (cover[4:, 4:] == 0).all()
    assert (cover > 0).sum() == 48


def test_regions_are_flat_tints_with_white_lines_between():
    """Matplotlib 3.10.0 takes an array for `alpha` as opaque, so that all was edge."""
    figure, ax = plt.subplots()
    plotting.plot_regions(cross().activation_pattern, BOX, seen=[[1, 1]], resolution=80, ax=ax)
    ax.set_axis_off()
    figure.canvas.draw()
    inside = ax.get_window_extent().expanded(0.98, 0.98).get_points().astype(int)
    (left, low), (right, high) = inside
    drawn = np.asarray(figure.canvas.buffer_rgba())[::-1, :, :3][low:high, left:right]
    lines = (drawn == 255).all(axis=-1)
    assert 0.01 < lines.mean() < 0.1
    assert lines[:, lines.shape[1] // 2].all()
    assert lines[lines.shape[0] // 2].all()
    colors, counts = np.unique(drawn[~lines], axis=0, return_counts=True)
    flat = {tuple(color) for color in colors[counts > 0.05 * counts.sum()]}
    tint = mpl.colors.to_rgba_array(plotting.TINTS.colors)[2, :3]
    assert flat == {(102,) * 3, tuple((255 * tint).round().astype(int))}


def test_signed_field_is_centred_at_zero():
    _, ax = plt.subplots()
    plotting.plot_signed_field(lambda X: X[:, 0] + 3, BOX, label="value", resolution=10, ax=ax)
    low, high = ax.images[0].get_clim()
    assert low == -high == pytest.approx(-3.9)
    assert ax.figure.axes[1].get_ylabel() == "value"


def test_contributions_are_sorted_and_complete():
    ax = plotting.plot_contributions(list("abcd"), [1.0, -3.0, 0.5, 0.25], unit="u", n_shown=2)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    widths = [bar.get_width() for bar in ax.patches]
    assert labels == ["b", "a", "sum of the other 2"]
    assert widths == [-3.0, 1.0, 0.75]
    assert ax.patches[0].get_facecolor() == mpl.colors.to_rgba(plotting.NEGATIVE)
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False, False, True]


def test_a_waterfall_ends_where_everything_is_added():
    ax = plotting.plot_contributions("abc", [1.0, -3.0, 0.5], unit="u", n_shown=2, start=4.0)
    assert [(bar.get_x(), bar.get_width()) for bar in ax.patches] == [(4, -3), (1, 1), (2, 0.5)]


def test_contributions_need_one_name_each():
    with pytest.raises(ValueError, match="Got 1 names for 2 values"):
        plotting.plot_contributions(["a"], [1.0, 2.0], unit="u")


def test_neighbours_differ_in_tint():
    """Whoever crosses one line switches one neuron."""
    rng = np.random.default_rng(0)
    normals, offsets, seen = rng.normal(size=(9, 2)), rng.normal(size=9), []

    def pattern(X):
        seen.append(X @ normals.T + offsets > 0)
        return seen[0]

    tints = plotting.plot_regions(pattern, BOX, resolution=200).images[0].get_array()
    on = seen[0].reshape(200, 200, 9)
    n_switched = (on[:, 1:] != on[:, :-1]).sum(axis=-1)
    differ = tints[:, 1:] != tints[:, :-1]
    assert len(np.unique(tints)) > 3
    assert differ[n_switched == 1].all()
    assert not differ[n_switched == 0].any()


def test_words_stand_in_their_order_and_lines_break() -> None:
    words = ["the", "$5", "film", "was", "bad", "and", "far", "too", "long", "to", "watch", "twice"]
    ax = plt.figure(figsize=(3, 3)).add_subplot()
    plotting.plot_words(words, np.linspace(-1, 1, len(words)), unit="share", ax=ax)
    assert [text.get_text() for text in ax.texts] == words
    places = [text.get_position() for text in ax.texts]
    assert places == sorted(places, key=lambda place: (-place[1], place[0]))
    assert len({top for _, top in places}) > 1
    ends = [text.get_window_extent().transformed(ax.transAxes.inverted()).x1 for text in ax.texts]
    assert max(ends) <= 1
    with pytest.raises(ValueError, match="2 words for 3 values"):
        plotting.plot_words(["a", "b"], [1, 2, 3], unit="share", ax=ax)
    plt.close("all")
