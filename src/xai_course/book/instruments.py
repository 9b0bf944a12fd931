"""What checks hand to an answer to see how it works; it travels to where an answer runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.expect import CheckFailed

__all__ = ["CountedRows"]


class CountedRows:
    """A table of rows that answers products only, and counts the columns of each.

    Parameters
    ----------
    table : ndarray
    count : callable
        Is told the number of columns of each product.
    """

    __array_ufunc__ = None  # an array on the left leaves the product to `__rmatmul__`

    def __init__(self, table: np.ndarray, count: Callable[[int], Any]) -> None:
        self.table, self.count = table, count
        self.shape, self.ndim = table.shape, 2

    def __deepcopy__(self, _: Any) -> CountedRows:
        return self  # a copy would count for itself

    @property
    def T(self) -> CountedRows:
        """The columns as rows."""
        return CountedRows(self.table.T, self.count)

    def __len__(self) -> int:
        return len(self.table)

    def __matmul__(self, other: Any) -> np.ndarray:
        other = other.table if isinstance(other, CountedRows) else np.asarray(other)
        result = self.table @ other
        self.count(1 if other.ndim == 1 else other.shape[1])
        return result

    def __rmatmul__(self, other: Any) -> np.ndarray:
        other = np.asarray(other)
        result = other @ self.table
        self.count(1 if other.ndim == 1 else len(other))
        return result

    def transpose(self) -> CountedRows:
        """Return the columns as rows."""
        return self.T

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise CheckFailed(
            "`rows` lies in a data base and answers products only: write them with @, such as "
            "rows.T @ rows."
        )

    def __getitem__(self, _: Any) -> Any:
        self.__array__()

    def __iter__(self) -> Any:
        self.__array__()
