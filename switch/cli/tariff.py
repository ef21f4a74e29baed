"""`belswitch tariff`: the versions of the tariff, and the next one by the index (R-IDX-01)."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    MISUSED,
    ConfigOption,
    JsonOption,
    config_directory,
    console,
    fail,
    fail_with_faults,
    print_json,
)

if TYPE_CHECKING:
    from rating.tariff import TariffBook

group = typer.Typer(help="The tariff and its versions.", no_args_is_help=True)

Index = Annotated[str, typer.Option(metavar="INDEX", help="A consumer price index, 133.00.")]


@group.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Every version with its plans."""
    from switch.cli.rate import tariff_book

    rows = _rows(tariff_book(config_directory(config)))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import tariffs_table

    console().print(tariffs_table(rows))


@group.command()
def index(
    cpi_old: Index,
    cpi_new: Index,
    valid_from: Annotated[
        str, typer.Option("--from", metavar="DATE", help="The day from whose midnight it is valid.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print it, and write nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the next version: every price times new index / old index, to the decimals that it has now.

    Special numbers keep their prices, which are not ours, and caps and bundles their size. A running switch
    takes the version over with SIGHUP.
    """
    from rating.indexation import Unfit, indexed

    directory = config_directory(config)
    try:
        day = date.fromisoformat(valid_from)
        name, text = indexed(directory, cpi_old, cpi_new, day)
    except ValueError:
        fail(f"--from must be a date like 2027-01-01, not {valid_from}", MISUSED)
    except Unfit as error:
        fail_with_faults([str(fault) for fault in error.faults])
    if (notice := (day - date.today()).days) < 31:
        print(
            f"belswitch: {notice} days from now: customers have a month's notice (R-CHG-01)", file=sys.stderr
        )
    if dry_run:
        print(text, end="")
        return
    path = directory / name
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail(f"{path} is there already")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    print(f"wrote {path}")


def _rows(book: TariffBook) -> list[dict[str, Any]]:
    return [
        {
            "version": tariff.version,
            "valid_from": tariff.valid_from.isoformat(),
            "plans": {
                plan.id: {
                    "label": plan.label,
                    "monthly": plan.monthly,
                    "pack_monthly": plan.pack_monthly,
                    "bundle_s": plan.bundle_s,
                    "options": list(plan.options),
                }
                for plan in tariff.plans.values()
            },
        }
        for tariff in book.tariffs
    ]
