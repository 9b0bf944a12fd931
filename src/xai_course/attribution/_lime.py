"""LIME for rows, images and texts."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

from xai_course.attribution._inputs import as_image
from xai_course.attribution._question import Method, Question, flat


def _tabular(
    question: Question, num_samples: int, discretize: bool, around: bool, kernel_width: float | None
) -> list[np.ndarray]:
    from lime.lime_tabular import LimeTabularExplainer

    explainer = LimeTabularExplainer(
        flat(question.baseline),
        mode="regression",  # of one output, be it a logit or a probability
        discretize_continuous=discretize,
        sample_around_instance=around,
        kernel_width=kernel_width,
        feature_selection="none",
        random_state=question.random_state,
    )
    how = {"num_features": question.X[0].size, "num_samples": num_samples}
    return [
        _in_order(explainer.explain_instance(row, question.ask_flat, **how).local_exp[1])
        for row in flat(question.X)
    ]


def _image(
    question: Question, num_samples: int, segments: Any, hide_color: float | None
) -> list[np.ndarray]:
    from lime.lime_image import LimeImageExplainer

    first = as_image(question.X[0])
    if first is None or len(first) not in (1, 3):
        raise ValueError(
            "lime_image needs rows of shape (height, width) or (1 or 3, height, width), or with a "
            f"square number of pixels, got {question.X.shape[1:]}."
        )
    n_channels, *size = first.shape
    if segments is not None and np.shape(segments) != tuple(size):
        raise ValueError(f"segments must have shape {tuple(size)}, got {np.shape(segments)}.")

    def outputs(pictures: np.ndarray) -> np.ndarray:
        return question.ask_flat(np.moveaxis(pictures, -1, 1)[:, :n_channels])[:, None]

    explainer = LimeImageExplainer(feature_selection="none", random_state=question.random_state)
    how = {"labels": (0,), "top_labels": None, "hide_color": hide_color, "num_samples": num_samples}
    if segments is not None:
        numbers = np.unique(segments, return_inverse=True)[1].reshape(size)
        how["segmentation_fn"] = lambda picture: numbers
    answers = []
    for row in question.X:
        picture = np.moveaxis(np.broadcast_to(as_image(row), (3, *size)), 0, -1).copy()
        with patch("lime.lime_image.tqdm", iter):  # which has no switch
            found = explainer.explain_instance(picture, outputs, **how)
        if len(np.unique(found.segments)) < 2:
            raise ValueError(
                "lime_image found a single superpixel, so that there is nothing to compare; give "
                "segments, as from skimage.segmentation.slic(picture, n_segments=50)."
            )
        weights = _in_order(found.local_exp[0])[found.segments]
        answers.append(np.broadcast_to(weights, first.shape))
    return answers


def _text(
    question: Question, num_samples: int, kernel_width: float
) -> list[list[tuple[str, float]]]:
    from lime.lime_text import LimeTextExplainer

    explainer = LimeTextExplainer(
        kernel_width=kernel_width, feature_selection="none", random_state=question.random_state
    )
    how = {"labels": (question.target,), "num_samples": num_samples}
    answers = []
    for text in question.X:
        found = explainer.explain_instance(text, question.ask, num_features=len(text), **how)
        weights = dict(found.as_list(label=question.target))
        parts = map(str, found.domain_mapper.indexed_string.as_list)
        answers.append([(word, float(weights[word])) for word in parts if word in weights])
    return answers


def _in_order(pairs: list[tuple[int, float]]) -> np.ndarray:
    return np.array([weight for _, weight in sorted(pairs)])


METHODS = {
    "lime_tabular": Method(
        _tabular,
        "lime.lime_tabular",
        "function",
        "background",
        options={"num_samples": 5000, "discretize": True, "around": False, "kernel_width": None},
    ),
    "lime_image": Method(
        _image,
        "lime.lime_image",
        "function",
        options={"num_samples": 1000, "segments": None, "hide_color": None},
    ),
    "lime_text": Method(
        _text, "lime.lime_text", "texts", options={"num_samples": 5000, "kernel_width": 25.0}
    ),
}
