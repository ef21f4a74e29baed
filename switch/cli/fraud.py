"""`belswitch fraud`: what was found of fraud, what was done about it, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli import line_store
from switch.cli.common import ConfigOption, JsonOption, console, database, fail, load_config, print_json, run

if TYPE_CHECKING:
    from switch.config.model import Config

BY = "operator"

group = typer.Typer(help="Patterns of fraud that were found, and what was done about them.")


@group.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    config: ConfigOption = None,
    json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Findings to show, the latest.")] = 50,
) -> None:
    """What is in force against lines, and the latest findings."""
    if context.invoked_subcommand is not None:
        return
    measures, found = run(_read(load_config(config)[1], limit))
    if json:
        print_json({"measures": measures, "findings": found})
        return
    from switch.cli.tables import fraud_report

    console().print(fraud_report(measures, found))


async def _read(settings: Config, limit: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    from switch.net.fraud_log import findings, measures_in_force

    async with database(settings) as store:
        measures = [
            {
                "user": one.user,
                "line": one.number,
                "rule": one.rule,
                "action": one.action,
                "at_ms": one.at_ms,
                "facts": one.facts,
            }
            for one in await measures_in_force(store)
        ]
        return measures, await findings(store, limit)


@group.command()
def lift(
    line: Annotated[str, typer.Argument(metavar="LINE", help="The line's user, or one of its numbers.")],
    config: ConfigOption = None,
) -> None:
    """Take back at once whatever was done to a line; it is as it was, its password included."""
    settings = load_config(config)[1]
    found = run(line_store.find(settings, line))
    count = run(_lift(settings, found.user))
    if not count:
        fail(f"nothing is in force against {found.number}")
    print(f"lifted {found.number}: {count} {'measure' if count == 1 else 'measures'}")


async def _lift(settings: Config, user: str) -> int:
    """By the running switch, which knows at once; in the database where none is running."""
    from switch.net import fraud_log
    from switch.net.clock import SystemClock
    from switch.net.operator import NotRunning, OperatorError, ask
    from switch.ports import NS_PER_MS

    try:
        return int(await ask(settings.store.directory / settings.admin.socket, "lift", user=user, by=BY))
    except NotRunning:
        async with database(settings) as store:
            return await fraud_log.lift(store, user, SystemClock().moment().wall_ns // NS_PER_MS, BY)
    except OperatorError as error:
        fail(str(error))
