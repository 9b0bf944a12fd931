"""Whether a reader who took no part in the training can decide from rationales.

Every draw takes other messages and trains every network anew; a standard error is over draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency._draws import over_draws
from xai_course.data import Messages, shop_messages
from xai_course.rationales import Reader, train_reader, train_selector

DRAWS = 8
MESSAGES = 2000
AGREEMENTS = (0.5, 0.8)
PRICES = {"length": (0.02, 0.0), "length and breaks": (0.02, 0.1)}

Numbers = dict[str, float]


def table() -> dict[str, Any]:
    """Return for each agreement how rationales compare with the phrases that decide."""
    found = {
        str(agreement): over_draws([_draw(number, agreement) for number in range(DRAWS)])
        for agreement in AGREEMENTS
    }
    return {"draws": DRAWS, "messages": MESSAGES, **found}


def _draw(draw: int, agreement: float) -> dict[str, Numbers]:
    seen = shop_messages(MESSAGES, agreement, 2 * draw)
    fresh = shop_messages(MESSAGES, 0.5, 2 * draw + 1)
    how = seen.codes, seen.y, len(seen.vocabulary)
    judge, teacher = (train_reader(*how, seed=1000 + 2 * draw + i) for i in (0, 1))
    whole = fresh.codes > 0
    found = {
        "whole message": {"judge": float((judge.predict(fresh.codes, whole) == fresh.y).mean())}
    }
    for prices_name, (length, breaks) in PRICES.items():
        for reader_name, reader in (("together", None), ("fixed reader", teacher)):
            prices = {"length_price": length, "break_price": breaks}
            selector, own = train_selector(*how, reader=reader, seed=draw, **prices)
            keep = selector.select(fresh.codes)
            name = f"{reader_name}, {prices_name}"
            right = own.predict(fresh.codes, keep) == fresh.y
            found[name] = _judged(keep, fresh.truth) | {
                "own": float(right.mean()),
                "judge": _told(judge, fresh, keep),
                "empty and right": float((right & ~keep.any(1)).mean()),
            }
            found[name]["gap"] = found[name]["own"] - found[name]["judge"]
    return found


def _judged(keep: np.ndarray, truth: np.ndarray) -> Numbers:
    """Return how selections compare with the phrases that decide."""
    hits = (keep & truth).sum()
    ends = np.diff(np.pad(keep, ((0, 0), (1, 1))).astype(int), axis=1)
    return {
        "words": float(keep.sum(1).mean()),
        "pieces": float((ends == 1).sum(1).mean()),
        "empty": float((~keep.any(1)).mean()),
        "precision": float(hits / max(keep.sum(), 1)),
        "recall": float(hits / truth.sum()),
    }


def _told(judge: Reader, messages: Messages, keep: np.ndarray) -> float:
    """Return the share that a stranger gets right; where nothing was kept, it can only guess."""
    right = judge.predict(messages.codes, keep) == messages.y
    return float(np.where(keep.any(1), right, 0.5).mean())
