"""What the checks of exercises are made of: comparisons whose messages help a learner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any
from unittest import mock

import numpy as np

__all__ = [
    "CheckFailed",
    "Counted",
    "assert_close",
    "assert_equal",
    "close_to",
    "expect_array",
    "expect_number",
    "expect_parts",
    "forbid",
    "forbidden",
    "plain",
    "precision",
    "shown",
]


class CheckFailed(AssertionError):
    """An answer is wrong.

    Parameters
    ----------
    message : str
        What is wrong, without what is right.
    told : str, optional
        The same with the right value, for who has tried long enough. Defaults to `message`.
    """

    def __init__(self, message: str, told: str | None = None) -> None:
        super().__init__(message)
        self.told = message if told is None else told

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a learner needs the message, not the library's call stack.
        return [f"CheckFailed: {self}"]


def assert_equal(actual: Any, expected: Any, what: str) -> None:
    """Raise `CheckFailed` unless two values, or all entries of two lists, are equal.

    Parameters
    ----------
    actual, expected : object
        `actual` comes from the learner. A list, a tuple and an array of equal entries are equal; a
        truth value equals no number.
    what : str
        What is compared, as the subject of the message.
    """
    if not _same(actual, np.asarray(expected)):
        told = f"{what} should be {shown(expected)}, got {shown(actual)}."
        raise CheckFailed(f"{what}: {shown(actual)} is not right.", told)


def _same(actual: Any, expected: np.ndarray) -> bool:
    try:
        found = np.asarray(plain(actual))
    except ValueError:  # a ragged list
        return False
    if found.shape != expected.shape or (found.dtype == bool and expected.dtype != bool):
        return False
    return bool(np.all(found == expected))


def assert_close(actual: Any, expected: Any, what: str, tolerance: float = 1e-9) -> None:
    """Raise `CheckFailed` unless two arrays have one shape and agree to a tolerance.

    Parameters
    ----------
    actual, expected : array_like
        `actual` comes from the learner.
    what : str
        What is compared, as the subject of the message.
    tolerance : float
        Largest allowed absolute difference, relative to ``1 + abs(expected)``. It is never smaller
        than the `precision` of `actual`.
    """
    found, expected = _numbers(actual), np.asarray(expected, dtype=float)
    if found is None:
        raise CheckFailed(
            f"{what} should be numbers, got {shown(actual)} of type {type(actual).__name__}."
        )
    if found.shape != expected.shape:
        raise CheckFailed(f"{what} should have shape {expected.shape}, got {found.shape}.")
    tolerance = max(tolerance, precision(found))
    # Equal infinities have no difference.
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected) / (1 + np.abs(expected))
    difference = np.where(found == expected, 0, np.where(np.isnan(difference), np.inf, difference))
    if difference.size and difference.max() > tolerance:
        worst = np.unravel_index(difference.argmax(), difference.shape)
        where = f" at index {tuple(map(int, worst))}" if worst else ""
        n_wrong = int((difference > tolerance).sum())
        wrong = f"{what}: {n_wrong} of {difference.size} value(s) differ"
        got, right = _apart(found[worst], expected[worst])
        raise CheckFailed(
            f"{wrong}, most of all{where}: got {got}." if worst else f"{what}: {got} is not right.",
            f"{wrong}. The largest difference is{where}: got {got}, expected {right}.",
        )


def close_to(found: Any, value: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Tell whether an answer has the shape and the numbers of `value`, such as a usual slip."""
    found = _numbers(found)
    return (
        found is not None
        and found.shape == np.shape(value)
        and np.allclose(found, value, rtol, atol)
    )


def precision(found: Any) -> float:
    """Return how far apart numbers of this kind may be: about 1e-5 for float32, else nothing."""
    return 1e-5 if _is_single(found) else 0.0


def expect_parts(found: Any, n: int, what: str) -> list[Any]:
    """Return the parts of a tuple, list or array of `n`.

    Parameters
    ----------
    found : object
        From the learner.
    n : int
    what : str
        What the function should return, such as ``"two things, coef and intercept"``.

    Raises
    ------
    CheckFailed
        If there are no parts, or another number of them.
    """
    if not isinstance(found, tuple | list | np.ndarray) or len(found) != n:
        raise CheckFailed(f"Return {what}; got {shown(found)}.")
    return list(found)


def expect_array(found: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return floating numbers of this shape; `what` says what they are, as in `expect_parts`."""
    array = _numbers(found)
    if array is None or array.shape != shape:
        raise CheckFailed(f"Return {what}; got {shown(found)}.")
    return array


def expect_number(found: Any, what: str) -> np.floating:
    """Return one number that is no truth value; `what` is the subject of the message."""
    array = _numbers(found)
    if array is None or array.shape or isinstance(found, bool | np.bool_):
        raise CheckFailed(f"{what} should be one number, got {shown(found)}.")
    return array[()]


_FORBIDDEN: list[tuple[str, str]] = []


@contextmanager
def forbid(name: str, message: str) -> Iterator[None]:
    """Let the call of a name of the library, ``module.Class.attribute``, fail within the block."""
    _FORBIDDEN.append((name, message))
    try:
        with mock.patch(name, side_effect=CheckFailed(message)):
            yield
    finally:
        _FORBIDDEN.pop()


def forbidden() -> list[tuple[str, str]]:
    """Return what is forbidden now and what is said of it, for answers in another process."""
    return list(_FORBIDDEN)


def shown(value: Any) -> str:
    """Return a value as a message shows it: plain numbers, and not too many."""
    text = repr(_bare(value))
    return text if len(text) <= 80 else f"{text[:60]} ... ({type(value).__name__})"


def _bare(value: Any) -> Any:
    if type(value) in (tuple, list):
        return type(value)(map(_bare, value))
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _numbers(found: Any) -> np.ndarray | None:
    """Return an array of floating numbers, or None where there are none."""
    try:
        found = plain(found)
        array = np.asarray(found)
    except ValueError:  # a ragged list
        return None
    if array.dtype == object and all(isinstance(number, Real) for number in array.flat):
        array = array.astype(float)  # fractions and the like
    if array.dtype.kind not in "biuf":
        return None
    return array.astype(np.float32 if _is_single(found) else float)


def _is_single(found: Any) -> bool:
    """Tell whether anything in it is float32, which no other number makes more exact."""
    if isinstance(found, tuple | list):
        return any(map(_is_single, found))
    return getattr(found, "dtype", None) == np.float32


def _apart(found: float, expected: float) -> tuple[str, str]:
    """Return both numbers with so many digits that they differ."""
    for digits in (6, 9, 12, 17):
        pair = f"{found:.{digits}g}", f"{expected:.{digits}g}"
        if pair[0] != pair[1]:
            break
    return pair


def plain(result: Any) -> Any:
    """Return tensors and tables as arrays, and arrays without a dimension as numbers."""
    if type(result) in (tuple, list):
        return type(result)(map(plain, result))
    if hasattr(result, "detach"):  # a tensor; torch is not imported for those who have none
        result = result.detach().cpu().numpy()
    elif hasattr(result, "to_numpy"):
        result = result.to_numpy()
    return result[()] if isinstance(result, np.ndarray) else result


class Counted:
    """A function of rows that counts the rows it was asked about."""

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]) -> None:
        self.function, self.asked = function, 0

    def __call__(self, X: Any) -> np.ndarray:
        """Return the function's values."""
        X = np.asarray(X, dtype=float)
        self.asked += len(X)
        return self.function(X)
