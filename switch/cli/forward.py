"""`belswitch forward`: where the calls of a line go instead of its phones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from switch.cli.common import (
    ConfigOption,
    JsonOption,
    ask_switch,
    console,
    database,
    load_config,
    print_json,
    run,
)

Which = Annotated[str, typer.Argument(metavar="LINE", help="The line's user, or one of its numbers.")]

group = typer.Typer(
    help="Where the calls of a line are forwarded to; its phones set the same with *21*NUMBER# and friends.",
    no_args_is_help=True,
)


@group.command("set")
def set_(
    line: Which,
    condition: Annotated[str, typer.Argument(metavar="always|busy|no-answer|unreachable")],
    number: Annotated[str, typer.Argument(help="Where the calls go, 0478123456 or +32478123456.")],
    after: Annotated[int | None, typer.Option(metavar="SECONDS", help="No answer for so long: 5-60.")] = None,
    config: ConfigOption = None,
) -> None:
    """Have calls forwarded; refused where a forward may not go (R-POL-02)."""
    run(
        ask_switch(
            load_config(config)[1], "forward", line=line, condition=condition, number=number, ring_s=after
        )
    )
    print(f"{line}: {condition} to {number}")


@group.command("clear")
def clear(
    line: Which,
    condition: Annotated[str, typer.Argument(metavar="always|busy|no-answer|unreachable|all")] = "all",
    config: ConfigOption = None,
) -> None:
    """Forward no more."""
    run(ask_switch(load_config(config)[1], "forward", line=line, condition=condition, number="", ring_s=None))
    print(f"{line}: {condition} to nowhere")


@group.command("list")
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Every line that has set anything."""
    rows = run(_services(config))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import services_table

    console().print(services_table(rows))


async def _services(config: Path | None) -> list[dict[str, Any]]:
    async with database(load_config(config)[1]) as store:
        return [{"line": user, **values} for user, values in await store.services()]
