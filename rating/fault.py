"""What is wrong with the data files, as data: every fault with its file and line, none of them raised.

The readers of `rating.tariff_file` and `rating.numbering_file` go on after a fault to find the next one.
CSV files may hold comment lines (`#`) and blank ones; the first other line names the columns. TOML tables
are read key by key, so that what nobody asked for is a fault as well.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from rating import money

_KEY = r"""(?:"[^"]*"|'[^']*'|[\w-]+)"""
_PATH = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER_LINE = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_KEY_LINE = re.compile(rf"\s*({_PATH})\s*=")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong; `file` is relative to the configuration folder, `line` counts from 1 (0: all)."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class DataFile:
    """One file being read, and the list its faults go to."""

    __slots__ = ("_faults", "name", "text")

    def __init__(self, folder: Path, name: str, faults: list[Fault]) -> None:
        """Read `folder/name`; a file that cannot be read is a fault and empty."""
        self.name = name
        self._faults = faults
        self.text = ""
        try:
            self.text = (folder / name).read_text(encoding="utf-8-sig")
        except OSError as error:
            self.fault(0, f"cannot be read: {error.strerror}")
        except UnicodeDecodeError as error:
            self.fault(0, f"is not UTF-8: {error.reason}")

    def fault(self, line: int, message: str) -> None:
        self._faults.append(Fault(self.name, line, message))


def csv_rows(
    source: DataFile, required: frozenset[str], optional: frozenset[str]
) -> list[tuple[int, dict[str, str]]]:
    """The lines of a CSV file by number and column, fields stripped; a column it lacks is empty."""
    rows: list[tuple[int, dict[str, str]]] = []
    lacking = dict.fromkeys(optional, "")
    columns: list[str] | None = None
    for line, text in enumerate(source.text.splitlines(), start=1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            fields = [field.strip() for field in next(csv.reader([text]))]
        except csv.Error as error:
            source.fault(line, str(error))
            continue
        if columns is None:
            columns = fields
            wrong = [f"no column {name}" for name in sorted(required - set(columns))]
            wrong += [f"unknown column {name!r}" for name in columns if name not in required | optional]
            if wrong or len(set(columns)) < len(columns):
                source.fault(line, "; ".join(wrong) or "a column is named twice")
                return []
        elif len(fields) != len(columns):
            source.fault(line, f"{len(fields)} fields where {len(columns)} are named")
        else:
            rows.append((line, lacking | dict(zip(columns, fields, strict=True))))
    return rows


def toml_table(source: DataFile) -> Table | None:
    """The root table of a TOML file, or None with a fault when it does not parse."""
    try:
        root = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        source.fault(int(found[1]) if found else 0, f"is not TOML: {error}")
        return None
    return Table(source, _toml_lines(source.text), (), root)


class Table:
    """A TOML table being read. Each reader takes its key; `close` reports the keys that were never taken."""

    __slots__ = ("_lines", "_path", "_source", "_values")

    def __init__(
        self,
        source: DataFile,
        lines: Mapping[tuple[str, ...], int],
        path: tuple[str, ...],
        values: dict[str, Any],
    ) -> None:
        self._source = source
        self._lines = lines
        self._path = path
        self._values = dict(values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def line(self, *key: str) -> int:
        """The line of a key, or of the table that holds it."""
        path = self._path + key
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def fault(self, key: str, message: str) -> None:
        name = ".".join((*self._path, key))
        self._source.fault(self.line(key), f"{name}: {message}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._take(key, default)
        if isinstance(value, str) and value:
            return value
        if value is not None:
            self.fault(key, "must be a text")
        return ""

    def date(self, key: str) -> date | None:
        value = self._take(key, None)
        if type(value) is date:
            return value
        if value is not None:
            self.fault(key, "must be a date like 2026-01-01")
        return None

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number, not negative."""
        value = self._take(key, default)
        if type(value) is int and value >= 0:
            return value
        if value is not None:
            self.fault(key, "must be a whole number, not negative")
        return 0

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from `low` to `high`."""
        value = self._take(key, default)
        if type(value) is int and low <= value <= high:
            return value
        if value is not None:
            self.fault(key, f"must be a whole number from {low} to {high}")
        return low

    def flag(self, key: str, *, default: bool = False) -> bool:
        """True or false; the default when the key is absent."""
        value = self._take(key, default)
        if isinstance(value, bool):
            return value
        self.fault(key, "must be true or false")
        return False

    def amount(self, key: str, default: str | None = None) -> int:
        """An amount in euros, written as a string: a TOML number would pass through binary floating point."""
        value = self._take(key, default)
        if isinstance(value, str):
            try:
                return money.parse(value)
            except ValueError as error:
                self.fault(key, str(error))
        elif value is not None:
            self.fault(key, f'prices are strings, write "{value}"')
        return 0

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings; none when the key is absent."""
        value = self._take(key, [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self.fault(key, "must be a list of texts")
        return ()

    def tables(self, key: str) -> dict[str, Table]:
        """The named sub-tables of a table, in their order; none when the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
            self.fault(key, "must be a table of tables")
            return {}
        return {
            name: Table(self._source, self._lines, (*self._path, key, name), item)
            for name, item in value.items()
        }

    def table(self, key: str) -> Table | None:
        """A sub-table; None when the key is absent."""
        if key not in self._values:
            return None
        value = self._values.pop(key)
        if not isinstance(value, dict):
            self.fault(key, "must be a table")
            return None
        return Table(self._source, self._lines, (*self._path, key), value)

    def amounts(self, key: str) -> dict[str, int]:
        """A table of amounts by name; none when the key is absent."""
        value = self._take(key, {})
        if not isinstance(value, dict):
            self.fault(key, "must be a table of prices")
            return {}
        table = Table(self._source, self._lines, (*self._path, key), value)
        return {name: table.amount(name) for name in value}

    def close(self) -> None:
        for key in self._values:
            self.fault(key, "unknown key")

    def _take(self, key: str, default: Any) -> Any:
        value = self._values.pop(key, default)
        if value is None:
            self.fault(key, "is missing")
        return value


def _toml_lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of every table header and key that begins one; good for messages, not a TOML parser."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER_LINE.match(line):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := _KEY_LINE.match(line):
            lines.setdefault(table + _parts(key[1]), number)
    return lines


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, path))
