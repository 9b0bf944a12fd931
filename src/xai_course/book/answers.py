"""What a method says about one of the three subjects, in one sentence of the page that asks it."""

from __future__ import annotations

from xai_course._validation import check_choice

__all__ = ["SUBJECTS", "answer"]

SUBJECTS = {"patient": "One patient", "applicant": "One loan applicant", "garment": "One garment"}


def answer(subject: str, sentence: str) -> None:
    """Show what a method says about a subject, and keep it for the page that compares them all.

    Parameters
    ----------
    subject : str
        ``"patient"``, ``"applicant"`` or ``"garment"``, as in `cases`.
    sentence : str
        One whole sentence, or a few; its numbers are computed on the page.

    Raises
    ------
    ValueError
        If there is no such subject, or the sentence does not end like one.

    Notes
    -----
    ``python -m tools.answers`` collects the sentences from the executed pages.
    """
    from IPython.display import display

    check_choice(subject, "subject", SUBJECTS)
    sentence = " ".join(sentence.split())
    if not sentence.endswith((".", "!", "?")):
        raise ValueError(f"sentence must end with a full stop, got {sentence[-20:]!r}.")
    sentence = sentence[0].upper() + sentence[1:]
    display(
        {
            "text/plain": f"{SUBJECTS[subject]}: {sentence}",
            "text/markdown": f"**{SUBJECTS[subject]}.** {sentence}",
        },
        raw=True,
        metadata={"xai_course": {"subject": subject, "answer": sentence}},
    )
