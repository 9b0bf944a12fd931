"""What a page says about a subject, or glues into its prose, can be collected."""

import pytest

from tools.answers import glued, of_cells
from xai_course.book import answer, glue


@pytest.fixture
def shown(monkeypatch):
    """The outputs that a cell would have."""
    outputs = []

    def display(data, raw, metadata):
        outputs.append({"data": data, "metadata": metadata})

    monkeypatch.setattr("IPython.display.display", display)
    return outputs


def test_an_answer_is_shown_as_a_sentence_and_collected(shown):
    answer("patient", "The mass\n is malignant.")
    answer("garment", "it is a shirt.")
    answer("patient", "The nearest mass is benign.")
    assert shown[0]["data"] == {
        "text/plain": "One patient: The mass is malignant.",
        "text/markdown": "**One patient.** The mass is malignant.",
    }
    assert of_cells([{"source": "text only"}, {"outputs": shown}]) == {
        "patient": ["The mass is malignant.", "The nearest mass is benign."],
        "garment": ["It is a shirt."],
    }


def test_a_glued_value_is_collected_as_the_prose_shows_it(shown):
    glue("gain", "+0.50 ± 0.02")
    glue("n", 7)
    assert glued([{"source": "text only"}, {"outputs": shown}]) == {
        "gain": "+0.50 ± 0.02",
        "n": "7",
    }


def test_another_subject_or_half_a_sentence_is_refused():
    with pytest.raises(ValueError, match="'patient', 'applicant' or 'garment', got 'doctor'"):
        answer("doctor", "It is a shirt.")
    with pytest.raises(ValueError, match="full stop, got 'a shirt'"):
        answer("garment", "a shirt")
