"""Short messages to a shop, and the words of each that decide its label.

Explained in the chapter *masks-and-rationales*.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from xai_course._validation import check_number, check_whole

__all__ = ["Messages", "shop_messages"]

_GOOD = ("good", "great", "perfect", "lovely", "fine")
_BAD = ("bad", "awful", "poor", "terrible", "wrong")
_TOPICS = {
    "fit": ("fit", "size", "cut"),
    "colour": ("colour", "print", "pattern"),
    "delivery": ("delivery", "shipping", "courier"),
}
_OPENINGS = ("the", "this", "its")
_VERBS = ("is", "was", "seems")
_ADVERBS = ("", "really", "quite", "so")
_ASIDES = (
    "i ordered it last week",
    "my sister has one too",
    "i wore it to work",
    "bought for a trip",
    "this is my second order",
    "will see after a wash",
)
_WORDS = sorted(
    {*_GOOD, *_BAD, *_OPENINGS, *_VERBS, *_ADVERBS, "not"}
    | {noun for nouns in _TOPICS.values() for noun in nouns}
    | {word for aside in _ASIDES for word in aside.split()}
)  # the empty adverb comes first and is the padding


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages with their labels, and the truth about both.

    Attributes
    ----------
    words : list of list of str
    y : ndarray of int64, shape (n_messages,)
        1 if the fit is praised, 0 if it is not.
    phrases : list of ndarray of bool
        For each message, which of its words are the phrase about the fit: no other word matters.
    vocabulary : list of str
        The word of each code; the first is the padding.
    """

    words: list[list[str]]
    y: np.ndarray
    phrases: list[np.ndarray]
    vocabulary: list[str]

    @cached_property
    def codes(self) -> np.ndarray:
        """The number of each word, 0 after the end; int64, shape (n_messages, length)."""
        number = {word: code for code, word in enumerate(self.vocabulary)}
        return _padded([[number[word] for word in words] for words in self.words], np.int64)

    @cached_property
    def truth(self) -> np.ndarray:
        """The phrases, False after the end; bool, like `codes`."""
        return _padded(self.phrases, bool)


# Three phrases of at most six words and two asides of at most five.
_LENGTH = 28


def shop_messages(n: int = 1000, agreement: float = 0.5, seed: int = 0) -> Messages:
    """Draw messages about garments; the label is what they say of the fit.

    Each message says in three phrases what it thinks of the fit, the colour and the delivery, in
    the same words, and something else besides, all in random order. A phrase may say *not*, which
    turns its adjective round.

    Parameters
    ----------
    n : int
    agreement : float
        Probability that colour (and, by itself, delivery) gets the same verdict as the fit; at 0.5
        they say nothing about the label.
    seed : int

    Returns
    -------
    Messages

    Raises
    ------
    ValueError
        If `n` is no whole number from 1 on, or `agreement` no probability.

    Notes
    -----
    Explained in the chapter *masks-and-rationales*.

    Examples
    --------
    >>> messages = shop_messages(n=1)
    >>> " ".join(messages.words[0][:9])
    'this is my second order this fit is not'
    """
    check_whole(n, "n", 1)
    check_number(agreement, "agreement", least=0, most=1)
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    drawn = [_message(rng, bool(praised), agreement) for praised in y]
    words, phrases = zip(*drawn, strict=True)
    return Messages(list(words), y, list(phrases), list(_WORDS))


def _message(
    rng: np.random.Generator, praised: bool, agreement: float
) -> tuple[list[str], np.ndarray]:
    parts = [(_phrase(rng, "fit", praised), True)]
    for topic in ("colour", "delivery"):
        parts.append((_phrase(rng, topic, praised == (rng.random() < agreement)), False))
    asides = rng.choice(len(_ASIDES), size=rng.integers(1, 3), replace=False)
    parts += [(_ASIDES[i].split(), False) for i in asides]
    order = [parts[i] for i in rng.permutation(len(parts))]
    words = [word for part, _ in order for word in part]
    return words, np.repeat([fit for _, fit in order], [len(part) for part, _ in order])


def _phrase(rng: np.random.Generator, topic: str, praised: bool) -> list[str]:
    negated = rng.random() < 0.3
    kinds = [_OPENINGS, _TOPICS[topic], _VERBS, ("not",) if negated else ("",), _ADVERBS]
    words = [
        kind[rng.integers(len(kind))] for kind in [*kinds, _GOOD if praised != negated else _BAD]
    ]
    return [word for word in words if word]


def _padded(rows: list, kind: type) -> np.ndarray:
    padded = np.zeros((len(rows), _LENGTH), kind)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded
