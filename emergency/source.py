"""TOML files as rows that know their file and line, so that every fault of a configuration names its place.

`tomllib` says where a syntax error is but not where a value stands; a scan for table headers and keys at the
start of a line finds that again. It needs the plain layout of hand-written files: one key a line, no dotted
keys.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*\"?([A-Za-z0-9_-]+)\"?\s*=")
_SYNTAX_LINE = re.compile(r"\(at line (\d+)")
_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a data file; `line` counts from 1, 0 means the file or folder as a whole."""

    file: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class Row:
    """One table of a file: reads its values by type and notes in `faults` whatever is missing or wrong.

    Readers give an empty value after a fault, so that one reading finds all of them.
    """

    __slots__ = ("_faults", "_lines", "_read", "_values", "file", "line")

    def __init__(
        self,
        file: Path,
        line: int,
        values: Mapping[str, object],
        lines: Mapping[str, int],
        faults: list[Fault],
    ) -> None:
        self.file = file
        self.line = line
        self._values = values
        self._lines = lines
        self._faults = faults
        self._read: set[str] = set()

    def fault(self, message: str, key: str = "") -> None:
        """Note a fault at the line of `key`, or at the table's own."""
        self._faults.append(Fault(self.file, self._lines.get(key, self.line), message))

    def names(self) -> tuple[str, ...]:
        """The keys that are there, in the order of the file."""
        return tuple(self._values)

    def text(self, key: str) -> str:
        """A string that is not blank."""
        value = self._take(key)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None:
            self.fault(f"{key} = {value!r}: a string that is not blank is expected", key)
        return ""

    def texts(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of strings, at least one; the default when the key is not there."""
        if default is not None and key not in self._values:
            self._read.add(key)
            return default
        value = self._take(key)
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return tuple(value)
        if value is not None:
            self.fault(f"{key} = {value!r}: a list of strings is expected", key)
        return ()

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self.fault(f"{key} = {value!r}: true or false is expected", key)
        return default

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        if value is not None:
            self.fault(f"{key} = {value!r}: a whole number from {low} to {high} is expected", key)
        return low

    def choice(self, key: str, allowed: tuple[_Choice, ...], default: _Choice | None = None) -> _Choice:
        """One of the allowed words."""
        value = self._take(key, default)
        for word in allowed:
            if word == value:
                return word
        if value is not None:
            self.fault(f"{key} = {value!r}: one of {', '.join(allowed)} is expected", key)
        return allowed[0]

    def pairs(self, key: str) -> dict[str, str]:
        """An inline table of strings."""
        value = self._take(key)
        if isinstance(value, dict) and all(isinstance(item, str) and item for item in value.values()):
            return dict(value)
        if value is not None:
            self.fault(f"{key} = {value!r}: a table of strings is expected", key)
        return {}

    def finish(self) -> None:
        """Every key that nobody asked for is a fault."""
        for key in self._values:
            if key not in self._read:
                self.fault(f"unknown key {key}; known are {', '.join(sorted(self._read))}", key)

    def _take(self, key: str, default: object = None) -> object:
        self._read.add(key)
        value = self._values.get(key, default)
        if value is None:
            self.fault(f"{key} is missing")
        return value


def read(files: Iterable[Path], tables: Iterable[str], faults: list[Fault]) -> dict[str, list[Row]]:
    """The rows of the files by table name, `[name]` and `[[name]]` alike; every name of `tables` is a key."""
    rows: dict[str, list[Row]] = {table: [] for table in tables}
    for file in files:
        try:
            text = file.read_text("utf-8")
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = _SYNTAX_LINE.search(str(error))
            faults.append(Fault(file, int(place[1]) if place else 0, str(error)))
            continue
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(file, 0, f"cannot be read: {error}"))
            continue
        places = _scan(text)
        for table, value in document.items():
            entries = value if isinstance(value, list) else [value]
            for index, entry in enumerate(entries):
                line, keys = places.get((table, index), (0, {}))
                if table not in rows or not isinstance(entry, dict):
                    line = line or places[("", 0)][1].get(table, 0)
                    faults.append(Fault(file, line, f"unknown table {table}; known are {', '.join(rows)}"))
                else:
                    rows[table].append(Row(file, line, entry, keys, faults))
    return rows


def _scan(text: str) -> dict[tuple[str, int], tuple[int, dict[str, int]]]:
    """Line of each table's header and of its keys, by (table, how many of that name came before)."""
    keys: dict[str, int] = {}
    places = {("", 0): (0, keys)}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            index = sum(table == header[1] for table, _ in places)
            keys = {}
            places[(header[1], index)] = (number, keys)
        elif key := _KEY.match(line):
            keys.setdefault(key[1], number)
    return places
