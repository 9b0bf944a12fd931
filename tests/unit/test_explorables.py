"""What an explorable's page is made of: data that fit, and the library's own numbers."""

import base64
import io
import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from xai_course import data
from xai_course.book import explorables, load_model
from xai_course.book.explorables import question_cube, regions_toy, walk_to_facet


@pytest.fixture(scope="module")
def circles():
    rows, test_rows, _, _ = data.co_circles().split()
    return load_model("co_circles").network, rows, test_rows


def read(html):
    """Return an explorable's data and its still picture, as a browser does."""
    found = re.fullmatch(
        r'<div class="explorable" data-explorable="[a-z-]+">'
        r'<script type="application/json">([^<]*)</script><div class="still">(.*)</div></div>',
        html,
    )
    return json.loads(found[1]), found[2]


def unpacked(packed):
    numbers = np.frombuffer(base64.b64decode(packed["numbers"]), "<f4")
    ends = np.cumsum([np.prod(shape) for shape in packed["shapes"]])[:-1]
    return [
        part.reshape(shape)
        for part, shape in zip(np.split(numbers, ends), packed["shapes"], strict=True)
    ]


def test_nothing_in_the_data_closes_their_element():
    page = explorables.frame("toy", {"words": "</script><b>"}, "<svg></svg>", 'an "a" & <b>')
    found, still = read(page)
    assert found == {"words": "</script><b>"}
    assert still == '<svg role="img" aria-label="an &quot;a&quot; &amp; &lt;b&gt;"></svg>'


def test_a_figure_is_kept_sharp_and_shown_once():
    fig, ax = plt.subplots(figsize=(3.2, 2.4))
    ax.plot([0, 1])
    _, still = read(explorables.frame("toy", {}, fig, "a line"))
    assert still.startswith('<img alt="a line" width="320" src="data:image/webp;base64,')
    assert not plt.fignum_exists(fig.number)
    picture = plt.imread(io_of(still), format="webp")
    assert picture.shape[:2] == (480, 640)


def io_of(still):
    encoded = still.partition("base64,")[2].partition('"')[0]
    return io.BytesIO(base64.b64decode(encoded))


@pytest.mark.parametrize(("size", "fits"), [(59_000, True), (61_000, False)])
def test_a_page_takes_no_more_than_it_can_carry(size, fits):
    if fits:
        explorables.frame("toy", {"words": "a" * size}, "<svg></svg>", "a picture")
    else:
        with pytest.raises(ValueError, match=r"toy has 610\d\d bytes of data; at most 60000"):
            explorables.frame("toy", {"words": "a" * size}, "<svg></svg>", "a picture")


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="Out of range"):
        explorables.frame("toy", {"a": float("nan")}, "<svg></svg>", "a picture")


def test_the_cell_shows_html_and_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda what, raw: shown.append((what, raw)))
    explorables.explorable("toy", {}, "<svg></svg>", alt="A picture of it.")
    page = explorables.frame("toy", {}, "<svg></svg>", "A picture of it.")
    assert shown == [({"text/html": page, "text/plain": "A picture of it."}, True)]


# The three explorables


def test_the_toy_is_the_papers_network_and_its_still_has_every_region():
    toy, found = regions_toy.network(), regions_toy.data()
    for mine, given in zip(
        toy.weights + toy.biases, found["weights"] + found["biases"], strict=True
    ):
        assert mine.tolist() == given
    still = regions_toy.still()
    assert still.count("<polygon") == len(toy.enumerate_regions(regions_toy.BOX)) == 22
    assert still.count("<circle") == 2 * 9
    assert still.count("stroke-dasharray") == 3  # neurons 3, 4 and 5 are off
    assert read(explorables.frame("regions-toy", found, still, "a square"))[0] == found


def test_a_packed_network_has_the_same_regions(circles):
    network, rows, test_rows = circles
    found = walk_to_facet.data(network, rows, test_rows, [[-1.5, 1.5]] * 2)
    layers = unpacked(found["network"])
    for mine, given in zip(network.weights + network.biases, layers, strict=True):
        np.testing.assert_array_equal(mine.astype(np.float32), given)
    near = type(network)(layers[:5], layers[5:])
    assert len(near.enumerate_regions(found["box"])) == 6404
    np.testing.assert_array_equal(near.activation_pattern(rows), network.activation_pattern(rows))
    explorables.frame("walk-to-facet", found, "<svg></svg>", "a map")


def test_the_cube_has_rows_and_questions(circles):
    network, rows, _ = circles
    found = question_cube.data(network, rows[::20], np.zeros((40, 2)))
    np.testing.assert_allclose(found["rows"], rows[::20], atol=5e-5)
    offsets = np.array(found["offsets"])
    assert offsets.shape == (question_cube.DRAWS, 3, 2)
    assert np.abs(offsets).max() <= 0.5
    assert np.abs(np.linalg.det(offsets[:, :2])).min() > 1e-4  # two equations for two slopes
    explorables.frame("question-cube", found, "<svg></svg>", "a map")
