"""Reads `config/numbering/*.csv` into exact and prefix rows (domain sections 4, 5 and 9).

A file whose first column is `prefix` holds E.164 prefixes without the plus; one whose first column is
`number` holds whole numbers, `+...` or bare short codes. Both give a class; `price` may name another price
row than the class's own, `digits` the length allowed, the country code included (`10` or `7-15`).
`zones.csv` is about addresses, not numbers: `switch.provision.zones` reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rating.fault import DataFile, Fault, csv_rows
from rating.zone import ABROAD, FREE_ROW, PRICE_ROW, DestinationClass, NumberRow

NOT_NUMBERS = ("zones.csv",)
_OPTIONAL = frozenset({"price", "country", "zone", "label"})


class _Kind(NamedTuple):
    """What distinguishes the two kinds of file."""

    column: str
    form: re.Pattern[str]
    optional: frozenset[str]


_EXACT = _Kind("number", re.compile(r"\+[1-9][0-9]{6,14}|[1-9][0-9]{2,5}"), _OPTIONAL)
_PREFIXES = _Kind("prefix", re.compile(r"[1-9][0-9]{0,14}"), _OPTIONAL | {"digits"})
_DIGITS = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))?")


@dataclass(slots=True)
class Numbering:
    """The rows read so far, and for each price row the first place that names it."""

    exact: dict[str, NumberRow] = field(default_factory=dict)
    prefixes: dict[str, NumberRow] = field(default_factory=dict)
    priced_at: dict[str, tuple[DataFile, int]] = field(default_factory=dict)
    premium: set[str] = field(default_factory=set)  # price rows of BE_PREMIUM numbers


def read_numbering(config_dir: Path, faults: list[Fault]) -> Numbering:
    """Every CSV file of `config_dir/numbering`, in the order of their names."""
    numbering = Numbering()
    paths = (config_dir / "numbering").glob("*.csv")
    names = sorted(f"numbering/{path.name}" for path in paths if path.name not in NOT_NUMBERS)
    if not names:
        faults.append(Fault("numbering", 0, "holds no .csv file"))
    for name in names:
        source = DataFile(config_dir, name, faults)
        if re.search(r"^number\b", source.text, re.MULTILINE):
            _read(source, _EXACT, numbering.exact, numbering)
        else:
            _read(source, _PREFIXES, numbering.prefixes, numbering)
    return numbering


def _read(source: DataFile, kind: _Kind, into: dict[str, NumberRow], numbering: Numbering) -> None:
    shared: dict[NumberRow, NumberRow] = {}
    for line, row in csv_rows(source, frozenset({kind.column, "class"}), kind.optional):
        name = row[kind.column]
        if not kind.form.fullmatch(name):
            source.fault(line, f"{name!r} is not a {kind.column}")
        elif name in into:
            source.fault(line, f"{kind.column} {name} is listed twice")
        elif (number_row := _number_row(source, line, row)) is not None:
            into[name] = shared.setdefault(number_row, number_row)
            if number_row.cls is not DestinationClass.REFUSED:
                numbering.priced_at.setdefault(number_row.price, (source, line))
            if number_row.cls is DestinationClass.BE_PREMIUM:
                numbering.premium.add(number_row.price)


def _number_row(source: DataFile, line: int, row: dict[str, str]) -> NumberRow | None:
    try:
        cls = DestinationClass(row["class"])
    except ValueError:
        source.fault(line, f"unknown class {row['class']!r}, one of {', '.join(DestinationClass)}")
        return None
    price = row["price"] or PRICE_ROW.get(cls, "")
    if not price and cls is not DestinationClass.REFUSED:
        source.fault(line, f"class {cls} needs a price row")
        return None
    if (price == FREE_ROW) != (PRICE_ROW.get(cls) == FREE_ROW):
        source.fault(line, f"class {cls} cannot have price row {price!r}")
        return None
    shortest, longest = 7, 15
    if digits := row.get("digits"):
        found = _DIGITS.fullmatch(digits)
        shortest, longest = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= shortest <= longest <= 15:
            source.fault(line, f"digits {digits!r} is neither a length nor a range of them up to 15")
            return None
    country = row["country"] or ("" if cls in ABROAD else "BE")
    return NumberRow(cls, price, country, row["zone"], row["label"], shortest, longest)
