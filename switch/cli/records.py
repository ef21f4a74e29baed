"""`belswitch cdr`: the records in the database, of a running switch or of one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import ConfigOption, JsonOption, console, database, load_config, print_json, run

if TYPE_CHECKING:
    from switch.config.model import Config


def cdr(
    line: Annotated[str | None, typer.Option(metavar="NUMBER", help="Only those of this line.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many, the newest.")] = 50,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The records of calls, newest first.

    In JSON every field: times are UTC milliseconds, amounts ten-thousandths of a euro.
    """
    _, settings = load_config(config)
    records = run(_read(settings, line, limit))
    if json:
        print_json(records)
        return
    from switch.cli.tables import records_table

    console().print(records_table(records))


async def _read(settings: Config, line: str | None, limit: int) -> list[dict[str, Any]]:
    async with database(settings) as store:
        return await store.cdrs(line=line, limit=limit)
