"""`belswitch emergency`: what a call for help would do, line by line, without placing one (R-EMG).

Every answer comes from the function that decides about a call on the wire (`emergency.dispatch`).
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli import line_store
from switch.cli.common import (
    FAILED,
    MISUSED,
    ConfigOption,
    JsonOption,
    console,
    database,
    fail,
    fail_with_faults,
    load_config,
    print_json,
    run,
)

if TYPE_CHECKING:
    from emergency.psap import Directory
    from switch.call.help import Setup
    from switch.config.model import Config
    from switch.net.store import Registered

TOKEN = "what-if"
"""In the ids of documents that are shown and never sent."""

TEST_URN = "urn:service:test.sos"

group = typer.Typer(
    help="Calls for help: where they go, what centres are told; nothing is ever sent.", no_args_is_help=True
)

LineOption = Annotated[str, typer.Option("--line", metavar="LINE", help="Its user, or one of its numbers.")]


@group.command()
def route(
    line: LineOption,
    dial: Annotated[str, typer.Option(metavar="NUMBER", help="What is dialled: 112, a URI, a service URN.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Where a call for help from a line goes, and with which documents."""
    settings, setup = configured(config)
    facts = _route(settings, setup, line, dial)
    if json:
        print_json(facts)
        return
    from switch.cli.tables import emergency_report

    console().print(emergency_report(facts))


@group.command("test")
def told(line: LineOption, config: ConfigOption = None, json: JsonOption = False) -> None:
    """What a test call of a line is told: the centre, and the location in words."""
    settings, setup = configured(config)
    facts = _test(settings, setup, line)
    if json:
        print_json(facts)
    else:
        print(facts["text"], end="")


@group.command()
def audit(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Ask every line that is not terminated where its call for help goes; 1 when any has an alarm.

    The same is done by a running switch, at start and once a day.
    """
    from dataclasses import asdict

    from switch.call.audit import audit as audited
    from switch.net.clock import SystemClock

    settings, setup = configured(config)
    result = audited(run(line_store.read(settings)), setup, SystemClock().moment().wall_ns)
    findings = [asdict(finding) for finding in result.findings]
    if json:
        print_json({"checked": result.checked, "without_route": result.without_route, "lines": findings})
    else:
        from switch.cli.tables import findings_table

        if findings:
            console().print(findings_table(findings))
        print(
            f"{result.checked} lines checked, {len(findings)} with an alarm, {result.without_route} without a"
            " route to the centre of their address"
        )
    if findings:
        raise typer.Exit(FAILED)


@group.command()
def export(
    format_: Annotated[str, typer.Option("--format", metavar="csv|jsonl", help="How it is written.")] = "csv",
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Only what changed from that day on, 2026-11-25; by default all."),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="By default standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Numbers with their registered addresses, and those in use no more, for the national database."""
    from switch.cli.registered import as_csv, as_jsonl, record_of, write_whole

    if format_ not in ("csv", "jsonl"):
        fail(f"--format must be csv or jsonl, not {format_}", MISUSED)
    since_ms = _since_ms(since)
    _, settings = load_config(config)
    records = [record_of(one) for one in run(_registered(settings, since_ms))]
    text = as_csv(records) if format_ == "csv" else as_jsonl(records)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        write_whole(output, text)
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    removed = sum(record["action"] == "remove" for record in records)
    print(f"wrote {len(records) - removed} numbers and {removed} removals to {output}")


@group.command()
def log(
    days: Annotated[int, typer.Option(min=1, max=3660, help="How far back.")] = 30,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The calls for help that there were, newest first: numbers, centre, place sent, gateways and times.

    Kept apart from the records of calls (R-EMG-12). In JSON times are milliseconds, after the INVITE but for
    `at_ms`.
    """
    from switch.net.clock import SystemClock
    from switch.ports import NS_PER_MS

    _, settings = load_config(config)
    calls = run(_logged(settings, SystemClock().moment().wall_ns // NS_PER_MS - days * 86_400_000))
    if json:
        print_json(calls)
        return
    from switch.cli.tables import help_table

    console().print(help_table(calls))


async def _logged(settings: Config, since_ms: int) -> list[dict[str, Any]]:
    async with database(settings) as store:
        return await store.emergency_calls(since_ms)


def _since_ms(text: str | None) -> int:
    from switch.cli.registered import day_start_ms

    try:
        return day_start_ms(date.fromisoformat(text)) if text is not None else 0
    except (ValueError, OverflowError):
        fail(f"--since must be a date like 2026-11-25, not {text}", MISUSED)


async def _registered(settings: Config, since_ms: int) -> list[Registered]:
    async with database(settings) as store:
        return await store.registered(since_ms)


def _route(settings: Config, setup: Setup, name: str, dialled: str) -> dict[str, Any]:
    from switch.call.help import dispatch_for
    from switch.net.clock import SystemClock

    line = run(line_store.find(settings, name))
    number = name if name in line.numbers else line.number
    facts: dict[str, Any] = {"line": line.user, "number": number, "state": line.state, "dialled": dialled}
    service = setup.directory.numbers.recognise(dialled)
    if service is None:
        return facts | {"class": "test" if dialled.strip().lower() == TEST_URN else "ordinary"}
    facts |= {"class": service.kind, "service": service.number, "urn": service.urn, "label": service.label}
    if not service.is_emergency:
        return facts
    found = dispatch_for(line, service, number, setup, token=TOKEN, wall_ns=SystemClock().moment().wall_ns)
    route = found.route
    return facts | {
        "centre": {"id": route.centre.id, "name": route.centre.name},
        "gateways": [
            {
                "id": gateway.id,
                "host": gateway.host,
                "port": gateway.port,
                "request_uri": gateway.request_uri(service),
                "documents": gateway.body,
            }
            for gateway in route.gateways
        ],
        "locations": [part.content.decode() for part in found.locations],
        "alarm": route.alarm.value if route.alarm is not None else "",
        "reason": route.reason,
    }


def _test(settings: Config, setup: Setup, name: str) -> dict[str, Any]:
    from emergency.answer import test_answer
    from switch.call.help import address_of, dispatch_for
    from switch.net.clock import SystemClock

    line = run(line_store.find(settings, name))
    service = setup.directory.numbers.recognise("112")
    assert service is not None  # the loader wants it
    number = name if name in line.numbers else line.number
    wall_ns = SystemClock().moment().wall_ns
    found = dispatch_for(line, service, number, setup, token=TOKEN, wall_ns=wall_ns)
    route = found.route
    return {
        "line": line.user,
        "number": number,
        "centre": {"id": route.centre.id, "name": route.centre.name},
        "alarm": route.alarm.value if route.alarm is not None else "",
        "text": test_answer(found, address_of(line)),
    }


def configured(given: Path | None) -> tuple[Config, Setup]:
    """The switch's configuration and what of it decides about calls for help; faults end the command."""
    from switch.call.help import Setup
    from switch.configuration import provider_of

    directory, settings = load_config(given)
    return settings, Setup(emergency_directory(directory), provider_of(settings), settings.sip.domain)


def emergency_directory(directory: Path) -> Directory:
    """The centres and gateways of a configuration; their faults end the command."""
    from emergency.loader import load

    loaded = load(directory)
    if loaded.directory is None:
        fail_with_faults([str(fault) for fault in loaded.faults])
    return loaded.directory
