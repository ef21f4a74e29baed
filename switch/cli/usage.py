"""`belswitch usage`: what each line has used this month of its bundle and its cap (R-USE-01)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    MISUSED,
    ConfigOption,
    JsonOption,
    console,
    database,
    fail,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from pathlib import Path

    from rating.charge import Use
    from rating.tariff import TariffBook
    from switch.config.model import Config
    from switch.ports import ThresholdCrossed
    from switch.routing.lines import Line

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def usage(
    month: Annotated[
        str | None, typer.Option(metavar="YYYY-MM", help="Another month than the present one.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What each line has used of its bundle and its cap in a month; calls still running are not in it.

    In JSON amounts are ten-thousandths of a euro excluding VAT.
    """
    if month is not None and not _MONTH.fullmatch(month):
        fail(f"--month must be like 2026-11, not {month}", MISUSED)
    directory, settings = load_config(config)
    rows = run(_read(directory, settings, month))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import usage_table

    console().print(usage_table(rows))


async def _read(directory: Path, settings: Config, month: str | None) -> list[dict[str, Any]]:
    from rating.calendar import NS_PER_S, month_at
    from switch.cli.rate import tariff_book
    from switch.net.clock import SystemClock

    now_ns = SystemClock().moment().wall_ns
    month = month or month_at(now_ns // NS_PER_S)[0]
    book = tariff_book(directory)
    async with database(settings) as store:
        lines = await store.lines()
        uses = {user: use for user, use in await store.uses(month) if use.month == month}
        crossed = [one for one in await store.thresholds(month) if one.month == month]
    return [_row(line, uses.get(line.user), crossed, book, now_ns, month) for line in lines]


def _row(
    line: Line,
    use: Use | None,
    crossed: list[ThresholdCrossed],
    book: TariffBook,
    now_ns: int,
    month: str,
) -> dict[str, Any]:
    from switch.call.charging import standing_of

    tariff = book.version_at(now_ns)
    bundle_s = tariff.bundle_s(line.plan, line.options) if tariff is not None else 0
    drawn_s = use.bundle_s if use is not None else 0
    return {
        "line": line.number,
        "plan": line.plan,
        "month": month,
        "seconds": use.seconds if use is not None else 0,
        "bundle_s": bundle_s,
        "bundle_used_s": drawn_s,
        "bundle_left_s": max(0, bundle_s - drawn_s),
        "charged": use.amount if use is not None else 0,
        "cap": standing_of(line, book, now_ns).cap,
        "told": [one.kind for one in crossed if one.account == line.user],
    }
