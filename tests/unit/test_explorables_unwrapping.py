"""The data of three explorables, against the library and against the tables of the book."""

import re
from itertools import pairwise
from string import ascii_letters, ascii_lowercase

import numpy as np
import pytest

from xai_course.book import measured
from xai_course.book.explorables import frame, merging, p_values, waterfall
from xai_course.lines import line
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.plots import segment

SCRIPTS = {"merging": merging, "p-values": p_values}


@pytest.mark.parametrize("name", SCRIPTS)
def test_measured_data_fit_into_a_page(name):
    assert f'data-explorable="{name}"' in frame(name, SCRIPTS[name].data(), "<svg/>", "a picture")


# The waterfall


@pytest.fixture(scope="module")
def accounts():
    """Return two networks on three features, a row, two baselines and what the page shows."""
    rng = np.random.default_rng(0)
    networks = [
        PiecewiseLinearNetwork(
            [rng.normal(size=(8, 3)), rng.normal(size=(1, 8))], [rng.normal(size=8), [0.5]]
        )
        for _ in range(2)
    ]
    x, people = rng.normal(size=3), {"one": np.zeros(3), "another": rng.normal(size=3)}
    return networks, x, people, waterfall.data(networks, x, people, ["a", "b", "c"])


def test_a_waterfall_goes_piece_by_piece_from_one_answer_to_the_other(accounts):
    networks, x, people, found = accounts
    assert (found["names"], found["baselines"]) == (["a", "b", "c"], ["one", "another"])
    for network, shown in zip(networks, found["networks"], strict=True):
        assert shown["end"] == pytest.approx(network.forward(x[None])[0, 0], abs=1e-6)
        for start, baseline, shares in zip(
            shown["starts"], people.values(), shown["shares"], strict=True
        ):
            way = line(network, baseline, x)
            steps = np.diff(way.t)[:, None] * (x - baseline)
            assert shares == pytest.approx((way.gradients[:, 0] * steps).sum(axis=0), abs=1e-6)
            assert start == pytest.approx(way.values[0, 0], abs=1e-6)
            assert start + sum(shares) == pytest.approx(shown["end"], abs=1e-5)
    first, second = found["networks"][0]["shares"]
    assert max(abs(a - b) for a, b in zip(first, second, strict=True)) > 0.1


def test_the_still_waterfall_has_a_mark_for_each_share(accounts):
    *_, found = accounts
    figure = waterfall.still(found)
    marks = [one.get_xdata().tolist() for one in figure.axes[0].lines[:2]]
    for shares, drawn in zip(found["networks"][0]["shares"], marks, strict=True):
        assert sorted(shares) == pytest.approx(sorted(drawn))


# Merging by K


def pixels_of(training):
    """Read the picture as the script does: the piece of each pixel."""
    runs = re.findall(r"([a-zA-Z])(\d+)", training["picture"])
    return np.array([ascii_letters.index(letter) for letter, n in runs for _ in range(int(n))])


@pytest.fixture(scope="module")
def shown():
    return merging.data()


@pytest.mark.parametrize("k", [1, 6, 10, 20])
def test_the_pictures_of_the_books_network_are_those_of_its_merges(k, shown, circles):
    unwrapper, X, X_new, *_ = circles
    first = shown["trainings"][0]
    merged = unwrapper.merge(k, 5, 30, "l2")
    side = first["pixels"]
    axis = (np.arange(side) + 0.5) / side * 3 - 1.5
    square = np.stack(np.meshgrid(axis, axis[::-1]), axis=-1).reshape(-1, 2)
    cluster = np.array(first["clusters"][k - 1])[pixels_of(first)]
    assert (cluster == merged.apply(square)).all()
    for i, ends in enumerate(first["lines"][k - 1]):
        own = X[merged.labels_ == i]
        right = segment(merged.coef_[i, 0], merged.intercept_[i, 0], own, X.std(axis=0))
        assert (ends is None) == (right is None)
        assert ends is None or ends == pytest.approx(right.T.ravel(), abs=1e-3)
    alike = np.mean(merged.predict(X_new) == unwrapper.predict(X_new))
    assert first["same side"][k - 1] == pytest.approx(alike, abs=1e-6)


def test_the_losses_are_the_librarys(shown, circles):
    unwrapper, *_ = circles
    scores = unwrapper.merge(None, 5, 30, "l2").scores_
    first = shown["trainings"][0]
    assert np.array(first["loss"])[scores.index - 1] == pytest.approx(scores["mean"], abs=1e-6)
    assert first["best"] == scores["mean"].idxmin()  # so that the gaps are to the same K
    assert np.array(first["error"])[scores.index - 1] == pytest.approx(scores["gap_se"], abs=1e-6)


def test_the_marks_are_the_least_loss_and_the_smallest_k_that_is_as_good(shown):
    for training in shown["trainings"]:
        loss, gap, error = (np.array(training[key]) for key in ("loss", "gap", "error"))
        assert training["best"] == 1 + loss.argmin()
        assert gap == pytest.approx(loss - loss.min(), abs=2e-6)
        assert training["chosen"] == min(k for k in range(1, 21) if gap[k - 1] <= error[k - 1])


def test_the_trainings_differ(shown):
    assert [one["seed"] for one in shown["trainings"]] == [0, 1, 2]
    assert len({one["regions"] for one in shown["trainings"]}) == 3


def test_clusters_have_colours_of_their_own_and_keep_them(shown):
    for training in shown["trainings"]:
        pixels = pixels_of(training)
        pictures = []
        for clusters, colors in zip(training["clusters"], training["colors"], strict=True):
            assert len(set(colors)) == len(colors) == 1 + max(clusters)
            pictures.append(np.array(colors)[clusters][pixels])
        kept = [np.mean(coarse == fine) for coarse, fine in pairwise(pictures)]
        assert min(kept) > 0.5


def test_a_larger_part_keeps_the_colour(reproduce):
    colors = reproduce("unwrapping.sectors").colors
    one, two, three = [0] * 6, [0, 0, 0, 0, 1, 1], [1, 1, 2, 0, 0, 0]
    # Of three, the first holds rows of both halves, more of the second; the next takes colour 0.
    partitions = [np.array(labels) for labels in (one, two, three)]
    assert colors(partitions) == [[0], [0, 1], [1, 0, 2]]


# P-values


def test_letters_are_twentieths(reproduce):
    word = reproduce("unwrapping.p_values").word
    assert word([0.0, 0.049999, 0.05, 0.1, 0.16, 0.999999, 1.0]) == "aabcdtt"


def test_the_words_hold_the_tests_of_the_books_table():
    levels = measured("unwrapping_inference")["noise"]
    trainings = p_values.data()["trainings"]
    assert trainings.keys() == levels.keys()
    for n, kinds in trainings.items():
        lengths = []
        for kind, one in kinds.items():
            words = one["words"].split(" ")
            counts = [one["words"].count(letter) for letter in ascii_lowercase[:20]]
            assert counts == levels[n][kind]["histogram"]
            assert counts[0] / sum(counts) == pytest.approx(levels[n][kind]["share"], abs=1e-5)
            assert one["error"] == levels[n][kind]["error"]
            assert len(words) == 10 * p_values.DRAW
            lengths.append([len(word) for word in words])
        assert lengths[0] == lengths[1]  # the same clusters, tested twice


def test_the_words_are_those_of_the_experiment(reproduce):
    words = reproduce("unwrapping.p_values").words
    noise = measured("unwrapping_p_values")["noise"]
    for seed in range(3):
        for kind, word in words(seed, 25).items():
            assert noise["25"][kind].split(" ")[seed] == word
