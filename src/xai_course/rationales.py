"""Rationales: a selector picks words of a text, and a reader decides from them alone.

Explained in the chapter *masks-and-rationales*.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from xai_course._validation import check_number, check_whole

__all__ = ["Reader", "Selector", "rationale_price", "train_reader", "train_selector"]

_BATCH, _RATE, _SAMPLES = 64, 5e-3, 4


class Selector(nn.Module):
    """Gives each word of a text the log-odds that it is kept; it sees three words to each side.

    Parameters
    ----------
    n_words : int
        Size of the vocabulary; word 0 is the padding.
    """

    def __init__(self, n_words: int) -> None:
        super().__init__()
        self.meaning = nn.Embedding(n_words, 16, padding_idx=0)
        self.context = nn.Conv1d(16, 32, 7, padding=3)
        self.score = nn.Conv1d(32, 1, 1)

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """Return log-odds, shape (n_texts, length), for `codes` of that shape."""
        seen = self.context(self.meaning(codes).transpose(1, 2)).relu()
        return self.score(seen)[:, 0]

    def select(self, codes: ArrayLike) -> np.ndarray:
        """Return which words are kept, bool, like `codes`: those with a chance above one half."""
        codes = torch.as_tensor(np.asarray(codes))
        with torch.no_grad():
            return ((self(codes) > 0) & (codes > 0)).numpy()


class Reader(nn.Module):
    """Decides between two classes from the words that are kept; the others are empty places.

    Parameters
    ----------
    n_words : int
        Size of the vocabulary; word 0 is the padding.
    """

    def __init__(self, n_words: int) -> None:
        super().__init__()
        self.meaning = nn.Embedding(n_words, 16, padding_idx=0)
        self.context = nn.Conv1d(16, 32, 5, padding=2)
        self.decide = nn.Linear(32, 2)

    def forward(self, codes: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (n_texts, 2); `keep` is 1 for a word that is read, else 0."""
        read = self.meaning(codes) * keep[..., None]
        return self.decide(self.context(read.transpose(1, 2)).relu().amax(2))

    def predict(self, codes: ArrayLike, keep: ArrayLike) -> np.ndarray:
        """Return the classes, shape (n_texts,)."""
        codes, keep = torch.as_tensor(np.asarray(codes)), torch.as_tensor(np.asarray(keep))
        with torch.no_grad():
            return self(codes, keep.float()).argmax(1).numpy()


def rationale_price(keep: torch.Tensor, length_price: float, break_price: float) -> torch.Tensor:
    """Return the price of rationales: for each word, and for each end of a piece.

    Parameters
    ----------
    keep : tensor, shape (n_texts, length)
        1 for a word that is kept, else 0.
    length_price, break_price : float
        The lambda_1 and lambda_2 of Lei, Barzilay and Jaakkola (2016), equation 2. What lies before
        the first and after the last word counts as not kept, so that a piece always has two ends.

    Returns
    -------
    tensor, shape (n_texts,)

    Notes
    -----
    Explained in the chapter *masks-and-rationales*.
    """
    ends = nn.functional.pad(keep, (1, 1)).diff(dim=1).abs().sum(1)
    return length_price * keep.sum(1) + break_price * ends


def train_reader(
    codes: ArrayLike, y: ArrayLike, n_words: int, *, epochs: int = 12, seed: int = 0
) -> Reader:
    """Train a reader that serves no selector: it learns from words that are dropped at random.

    Parameters
    ----------
    codes : array_like of int, shape (n_texts, length)
        Word numbers, 0 after the end.
    y : array_like of int, shape (n_texts,)
        0 or 1.
    n_words : int
        Size of the vocabulary.
    epochs : int
    seed : int

    Returns
    -------
    Reader

    Notes
    -----
    The share of words that a text keeps is drawn anew each time, uniformly from 0 to 1, so that
    short and long rationales are both familiar.

    Explained in the chapter *masks-and-rationales*.
    """
    codes, y = _texts(codes, y, n_words)
    check_whole(epochs, "epochs", 1)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        reader = Reader(n_words)
        optimizer = torch.optim.Adam(reader.parameters(), _RATE)
        for rows in _batches(len(codes), epochs):
            share = torch.rand(len(rows), 1).expand(-1, codes.shape[1])
            keep = torch.bernoulli(share) * (codes[rows] > 0)
            loss = nn.functional.cross_entropy(reader(codes[rows], keep), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return reader.eval()


def train_selector(
    codes: ArrayLike,
    y: ArrayLike,
    n_words: int,
    *,
    length_price: float = 0.02,
    break_price: float = 0.1,
    reader: Reader | None = None,
    epochs: int = 10,
    seed: int = 0,
) -> tuple[Selector, Reader]:
    """Train a selector by REINFORCE, together with its reader or for a given one.

    Parameters
    ----------
    codes : array_like of int, shape (n_texts, length)
        Word numbers, 0 after the end.
    y : array_like of int, shape (n_texts,)
        0 or 1.
    n_words : int
        Size of the vocabulary.
    length_price, break_price : float
        See `rationale_price`. The first rises to its value in the first quarter of the training,
        the second in the second half: from the start it would hold all words together.
    reader : Reader, optional
        It stays as it is. By default a new one learns beside the selector.
    epochs : int
    seed : int

    Returns
    -------
    selector : Selector
    reader : Reader

    Raises
    ------
    ValueError
        If texts, labels or an option do not fit.

    Notes
    -----
    Lei, Barzilay and Jaakkola (2016), section 4, with words kept independently of each other. They
    use recurrent networks. Here a selection's cost is compared with the mean cost of the four
    selections that are drawn for each text: less noise, and 3/4 of the selector's gradient.

    Explained in the chapter *masks-and-rationales*.
    """
    codes, y = _texts(codes, y, n_words)
    for value, name in ((length_price, "length_price"), (break_price, "break_price")):
        check_number(value, name, least=0)
    check_whole(epochs, "epochs", 1)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        selector, learner = Selector(n_words), reader or Reader(n_words)
        weights = [*selector.parameters(), *([] if reader else learner.parameters())]
        optimizer = torch.optim.Adam(weights, _RATE)
        n_steps = epochs * -(-len(codes) // _BATCH)
        for step, rows in enumerate(_batches(len(codes), epochs)):
            done = step / n_steps
            prices = min(1, 4 * done) * length_price, max(0, 2 * done - 1) * break_price
            loss = _surrogate(selector, learner, codes[rows], y[rows], prices, learns=not reader)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return selector.eval(), learner.eval()


def _surrogate(
    selector: Selector,
    reader: Reader,
    codes: torch.Tensor,
    y: torch.Tensor,
    prices: tuple[float, float],
    learns: bool = True,
) -> torch.Tensor:
    """Return a number whose gradient is on average the expected cost's (selector: 3/4 of it).

    The selections are drawn, so the error's own gradient is the reader's alone.
    """
    odds = selector(codes).repeat(_SAMPLES, 1)
    codes, y = codes.repeat(_SAMPLES, 1), y.repeat(_SAMPLES)
    real = (codes > 0).float()
    keep = torch.bernoulli(odds.sigmoid().detach()) * real
    with torch.set_grad_enabled(learns):
        error = nn.functional.cross_entropy(reader(codes, keep), y, reduction="none")
    cost = (error + rationale_price(keep, *prices)).detach().view(_SAMPLES, -1)
    better = (cost - cost.mean(0)).flatten()
    chance = nn.functional.binary_cross_entropy_with_logits(odds, keep, reduction="none")
    return (error - better * (chance * real).sum(1)).mean()


def _batches(n: int, epochs: int) -> list[torch.Tensor]:
    return [rows for _ in range(epochs) for rows in torch.randperm(n).split(_BATCH)]


def _texts(codes: ArrayLike, y: ArrayLike, n_words: int) -> tuple[torch.Tensor, torch.Tensor]:
    codes, y = np.asarray(codes), np.asarray(y)
    if codes.ndim != 2 or codes.dtype.kind not in "iu" or not codes.size:
        raise ValueError(f"codes must be rows of word numbers, got {codes.dtype} {codes.shape}.")
    if codes.min() < 0 or codes.max() >= n_words:
        raise ValueError(
            f"codes must lie from 0 to n_words - 1 = {n_words - 1}, got {codes.min()} to "
            f"{codes.max()}."
        )
    if y.shape != codes.shape[:1] or not np.isin(y, (0, 1)).all():
        raise ValueError(f"y must hold a 0 or a 1 for each of the {len(codes)} texts.")
    return torch.as_tensor(codes.astype(np.int64)), torch.as_tensor(y.astype(np.int64))
