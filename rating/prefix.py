"""The longest-prefix table that classes and price rows are found in (R-DST-05).

A dictionary probed at the lengths that occur, longest first: a look-up costs one probe per distinct length,
whatever the number of rows, so a full 170 000-row carrier table is as quick as a small one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class PrefixTable(Generic[T]):
    """Rows by prefix, fixed once built; a row is anything but None."""

    __slots__ = ("_lengths", "_rows")

    def __init__(self, rows: Mapping[str, T]) -> None:
        self._rows = dict(rows)
        self._lengths = tuple(sorted({len(prefix) for prefix in self._rows}, reverse=True))

    def find(self, digits: str) -> T | None:
        """The row of the longest prefix of `digits`, or None."""
        get = self._rows.get
        for length in self._lengths:
            row = get(digits[:length])
            if row is not None:
                return row
        return None

    def __len__(self) -> int:
        return len(self._rows)
