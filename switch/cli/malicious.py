"""`belswitch malicious`: the restricted record of calls that subscribers marked (R-MAL-01)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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


def malicious(
    reason: Annotated[
        str, typer.Option(prompt="Who asks, and under which reference", help="Kept in the log with the time.")
    ],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Calls that subscribers marked as malicious, with the caller's true number (R-MAL-01).

    For the ombudsman only: each look is logged with its reason.
    """
    if not reason.strip():
        fail("a reason is needed", MISUSED)
    rows = run(_marked(config, reason))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import marked_table

    console().print(marked_table(rows))


async def _marked(config: Path | None, reason: str) -> list[dict[str, Any]]:
    async with database(load_config(config)[1]) as store:
        rows = await store.marked_calls()
        await store.note_look("marked_call", reason, len(rows))
        return rows
