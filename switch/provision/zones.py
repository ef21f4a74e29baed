"""The telephone zones of a postcode (R-NUM-04, R-NUM-05), read from `config/numbering/zones.csv`.

The file has a row for a range of postcodes and the zones that serve addresses there: several where a zone
border runs through. Zones are written as numbers name them (`rating.zone`): "016".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rating.fault import DataFile, Fault, csv_rows

FILE = "numbering/zones.csv"
_POSTCODE = re.compile(r"[1-9][0-9]{3}")
_ZONE = re.compile(r"0[1-9][0-9]?")
_COLUMNS = frozenset({"first", "last", "zones"})


class Range(NamedTuple):
    """Postcodes `first` to `last`, both included, and their zones."""

    first: int
    last: int
    zones: tuple[str, ...]


class ZoneTable:
    """Ranges of postcodes that do not overlap; a look-up is one binary search."""

    __slots__ = ("_firsts", "_ranges")

    def __init__(self, ranges: Iterable[Range]) -> None:
        self._ranges = sorted(ranges)
        self._firsts = [one.first for one in self._ranges]

    def of(self, postcode: str) -> tuple[str, ...]:
        """The zones of a postcode; none for one that is no postcode or in no range."""
        if not _POSTCODE.fullmatch(postcode):
            return ()
        number = int(postcode)
        at = bisect_right(self._firsts, number) - 1
        return self._ranges[at].zones if at >= 0 and number <= self._ranges[at].last else ()

    def __len__(self) -> int:
        return len(self._ranges)


def read_zones(config_dir: Path) -> tuple[ZoneTable, tuple[Fault, ...]]:
    """The table of a configuration folder, and every fault of its file."""
    faults: list[Fault] = []
    source = DataFile(config_dir, FILE, faults)
    ranges: list[Range] = []
    for line, row in csv_rows(source, _COLUMNS, frozenset({"label"})):
        if (read := _range(source, line, row)) is None:
            continue
        if ranges and read.first <= ranges[-1].last:
            source.fault(line, f"{read.first} is not after {ranges[-1].last}, where the range before ends")
        else:
            ranges.append(read)
    if not ranges and not faults:
        source.fault(0, "holds no range of postcodes")
    return ZoneTable(ranges), tuple(sorted(faults))


def _range(source: DataFile, line: int, row: dict[str, str]) -> Range | None:
    wrong = [f"{key} {row[key]!r}" for key in ("first", "last") if not _POSTCODE.fullmatch(row[key])]
    zones = tuple(row["zones"].split())
    if wrong:
        source.fault(line, f"{' and '.join(wrong)}: a postcode has four digits, 1000-9999")
    elif row["last"] < row["first"]:
        source.fault(line, f"the range ends at {row['last']}, before {row['first']}")
    elif not zones or not all(map(_ZONE.fullmatch, zones)):
        source.fault(line, f"zones {row['zones']!r}: must be zones like 02 or 016, with blanks between them")
    else:
        return Range(int(row["first"]), int(row["last"]), zones)
    return None
