"""`belswitch calls`, `registrations`, `status`, `end`, `bans` and `unban`: a running switch, through the
operator's socket."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import (
    MISUSED,
    ConfigOption,
    JsonOption,
    ask_switch,
    console,
    fail,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from switch.config.model import Config

REFRESH_S = 0.5


def calls(
    config: ConfigOption = None,
    json: JsonOption = False,
    once: Annotated[bool, typer.Option("--once", help="The table of this moment, then end.")] = False,
) -> None:
    """The running calls with their price, live until Ctrl-C.

    In JSON amounts are ten-thousandths of a euro.
    """
    _, settings = load_config(config)
    if json:
        print_json(run(ask_switch(settings, "calls")))
    elif once or not sys.stdout.isatty():
        from switch.cli.tables import calls_table

        console().print(calls_table(run(ask_switch(settings, "calls"))))
    else:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_watch(settings))


async def _watch(settings: Config) -> None:
    from rich.live import Live

    from switch.cli.tables import calls_table

    with Live(console=console(), auto_refresh=False, transient=True) as screen:
        while True:
            rows = await ask_switch(settings, "calls")
            screen.update(calls_table(rows, title=f"calls: {len(rows)} - Ctrl-C ends"), refresh=True)
            await asyncio.sleep(REFRESH_S)


def registrations(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Where every line is registered now."""
    rows: list[dict[str, Any]] = run(ask_switch(load_config(config)[1], "registrations"))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import registrations_table

    console().print(registrations_table(rows))


def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Whether the switch takes calls, and how much it has on its hands."""
    facts: dict[str, Any] = run(ask_switch(load_config(config)[1], "status"))
    if json:
        print_json(facts)
        return
    from switch.cli.tables import facts_table

    console().print(facts_table({name: _legible(value) for name, value in facts.items()}))


def _legible(value: Any) -> Any:
    """Facts within a fact in one row."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {one}" for name, one in value.items()) or "-"
    return value


def end(
    call_id: Annotated[str, typer.Argument(help="As `belswitch calls --json` names it.")],
    config: ConfigOption = None,
) -> None:
    """End a running call; its record says that the operator did."""
    run(ask_switch(load_config(config)[1], "end", call_id=call_id))
    print(f"ended {call_id}")


def bans(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Who is slowed or ignored now, and why; the latest first."""
    rows: list[dict[str, Any]] = run(ask_switch(load_config(config)[1], "bans"))
    if json:
        print_json(rows)
        return
    from switch.cli.tables import bans_table

    console().print(bans_table(rows))


def unban(
    source: Annotated[str, typer.Argument(help="As `belswitch bans` shows it, or an address in it.")] = "",
    user: Annotated[str, typer.Option(metavar="USER", help="Only the ban of this user at that source.")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Every ban there is.")] = False,
    config: ConfigOption = None,
) -> None:
    """Lift the bans of a source and of the users at it; what they did is forgotten."""
    if bool(source) == everybody or (user and everybody):
        fail("unban takes a SOURCE, with or without --user, or --all", MISUSED)
    lifted = run(ask_switch(load_config(config)[1], "unban", source=source, user=user))
    print(f"{lifted} ban{'' if lifted == 1 else 's'} lifted")
