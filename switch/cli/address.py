"""`belswitch address`: registered addresses, before lines are made of them (R-EMG-02, R-NUM-04).

An address passes here if and only if `line add` and `line import` take it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    FAILED,
    MISUSED,
    ConfigOption,
    JsonOption,
    console,
    fail,
    load_config,
    print_json,
)

if TYPE_CHECKING:
    from emergency.location import Address, Provinces

LINE = "line"
"""The optional column that says whose address it is; `number` is the house number, as in an address."""

group = typer.Typer(help="Registered addresses.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Registered addresses."""


@group.command()
def check(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV in UTF-8 with a header row, separated by commas or semicolons. Columns: the fields of"
            " an address (postcode, street, number, ...; without country it is BE), and 'line' as a name."
        ),
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Check a file of addresses: every fault with its row, and how many are in which province."""
    from switch.cli.emergency import emergency_directory

    directory, _ = load_config(config)
    provinces = emergency_directory(directory).provinces
    rows = [_checked(row, provinces) for row in _rows(file)]
    faulty = [row for row in rows if row["faults"]]
    by_province = Counter(row["province"] or "none" for row in rows)
    if json:
        print_json(
            {
                "checked": len(rows),
                "faulty": len(faulty),
                "provinces": dict(sorted(by_province.items())),
                "rows": rows,
            }
        )
    else:
        from switch.cli.tables import addresses_table

        if faulty:
            console().print(addresses_table(faulty))
        print(f"{len(rows)} addresses checked, {len(faulty)} with a fault")
        for province, count in sorted(by_province.items()):
            print(f"{count:7} in {province if province != 'none' else 'no province'}")
    if faulty:
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Row:
    """One address of the file; `at` counts rows from 1, the header among them, as a spreadsheet does."""

    at: int
    line: str
    address: Address
    faults: tuple[str, ...]


def _checked(row: _Row, provinces: Provinces) -> dict[str, Any]:
    province = provinces.of(row.address.postcode) if row.address.country == "BE" else None
    faults = [*row.faults, *faults_of(row.address)]
    if province is None and not faults:
        faults.append(f"no province has postcode {row.address.postcode}")
    return {
        "row": row.at,
        "line": row.line,
        "province": province.iso if province is not None else None,
        "faults": faults,
    }


def faults_of(address: Address) -> tuple[str, ...]:
    """What `emergency` objects to; where that is nothing, what a file of lines would be refused for."""
    from switch.config.lines import LineAddress
    from switch.config.loader import validate

    _, others = validate(asdict(address), LineAddress)
    return address.faults() or tuple(f"{fault.key}: {fault.message}" for fault in others)


def _rows(file: Path) -> Iterator[_Row]:
    """The addresses of a file; that it cannot be read, or has a column nobody knows, ends the command."""
    from emergency.location import Address

    known = tuple(field.name for field in fields(Address))
    rows = _cells(file)
    header = [name.strip() for name in next(rows, (0, []))[1]]
    if not header:
        fail(f"{file}: no header row", MISUSED)
    if wrong := [name for name in header if name not in (*known, LINE)]:
        fail(
            f"{file}: unknown column {', '.join(map(repr, wrong))}; known are {', '.join((LINE, *known))}",
            MISUSED,
        )
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        fail(f"{file}: column {', '.join(twice)} is there twice", MISUSED)
    default = dict.fromkeys(known, "") | {"country": "BE"}
    for at, cells in rows:
        values = dict(zip(header, cells, strict=False))
        line = values.pop(LINE, "")
        faults = (f"{len(cells)} cells, not {len(header)}",) if len(cells) != len(header) else ()
        yield _Row(at, line, Address(**default | values), faults)


def _cells(file: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, with their place in the file."""
    try:
        text = file.read_text("utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","
        for at, cells in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
        ):
            if any(cell.strip() for cell in cells):
                yield at, cells
    except OSError as error:
        fail(f"{file}: {error.strerror}", MISUSED)
    except UnicodeDecodeError:
        fail(f"{file}: not UTF-8", MISUSED)
    except csv.Error as error:
        fail(f"{file}: no CSV: {error}", MISUSED)
