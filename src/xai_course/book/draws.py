"""Instances and numbers that are drawn for one student, and are the same for all readers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

__all__ = ["for_student", "generator", "student_generator", "student_seed"]

_STUDENT: ContextVar[str] = ContextVar("student", default="")


@contextmanager
def for_student(name: str) -> Iterator[None]:
    """Draw for one student of a class list within the block; the empty name is every reader."""
    token = _STUDENT.set(_plain(name))
    try:
        yield
    finally:
        _STUDENT.reset(token)


def student_generator(seed: int | Sequence[int]) -> np.random.Generator:
    """Return the generator of a check's instances: of this seed, and of the student if one is set.

    Parameters
    ----------
    seed : int or sequence of int
        Tells the draws of one exercise apart.
    """
    return np.random.default_rng(student_seed(seed))


def student_seed(seed: int | Sequence[int]) -> int | Sequence[int]:
    """Return the seed itself for a reader, and another one for each student."""
    student = _STUDENT.get()
    return _digest(f"instances {seed}", student) if student else seed


def generator(key: str, student: str) -> np.random.Generator:
    """Return the generator of what belongs to this key and this student, in any spelling."""
    return np.random.default_rng(_digest(key, _plain(student)))


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()


def _digest(key: str, student: str) -> int:
    # 48 bits: torch and NumPy take it for a seed alike.
    return int.from_bytes(hashlib.sha256(f"{key}\n{student}".encode()).digest()[:6], "big")
