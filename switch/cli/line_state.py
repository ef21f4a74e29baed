"""`belswitch line suspend`, `restrict`, `resume` and `terminate`: the states of domain section 8.

They change the state and nothing else, so that a line whose stored address or licence is not right can be
suspended too. A running switch is told; what a line may do then is `switch.call`'s.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from switch.cli import line_store
from switch.cli.common import ConfigOption, fail_with_faults, load_config, run, today
from switch.cli.line_check import address_faults, told
from switch.cli.line_typed import Which, typed_date
from switch.provision.reason import Reason

if TYPE_CHECKING:
    from switch.config.model import Config
    from switch.routing.lines import Line

Since = Annotated[
    str | None, typer.Option("--on", metavar="DATE", help="The day, 2026-11-25; by default today.")
]


def suspend(
    line: Which,
    reason: Annotated[Reason, typer.Option(help="Why; all but 'unpaid' end its calls at once (R-SUS-04).")],
    config: ConfigOption = None,
) -> None:
    """Suspend a line: emergency calls, free helplines and the centre's call back only."""
    _, settings = load_config(config)
    old = enter(settings, line, "suspended", reason.value)
    print(f"suspended {old.number}, {reason.value}")
    if reason.at_once and (error := run(line_store.end_calls(settings, old.user))):
        told_why = "`belswitch calls` lists them, `belswitch end` ends one"
        print(f"belswitch: its running calls were not ended: {error}; {told_why}", file=sys.stderr)


def restrict(line: Which, config: ConfigOption = None) -> None:
    """Restrict a line whose bills are not paid: emergency calls, free helplines and incoming calls only."""
    _, settings = load_config(config)
    print(f"restricted {enter(settings, line, 'restricted', Reason.UNPAID.value).number}")


def resume(line: Which, config: ConfigOption = None) -> None:
    """Take a line into use again."""
    _, settings = load_config(config)
    old = enter(settings, line, "active")
    print(f"resumed {old.number}")
    for fault in address_faults(old):
        print(f"{old.user}: address: {fault} (R-NUM-04): to be corrected", file=sys.stderr)


def terminate(line: Which, config: ConfigOption = None, on: Since = None) -> None:
    """End the contract of a line; its numbers can be ported out for a month, then are in quarantine."""
    from switch.provision.porting import port_out_until

    day = today() if on is None else typed_date("--on", on)
    if day > today():
        fail_with_faults([f"--on: {day} is yet to come; a contract is ended on the day it ends"])
    _, settings = load_config(config)
    old = enter(settings, line, "terminated", on=day.isoformat())
    until = port_out_until(day)
    print(f"terminated {old.number} on {day}; to be ported out until {until}")


def enter(settings: Config, name: str, state: str, reason: str = "", *, on: str = "") -> Line:
    """Bring the line of a user or number into another state, `on` a day if it ends; what it was before. What
    the rules object to ends the command."""
    from switch.provision.state import end_user_objections, entered, state_objections

    def to(old: Line) -> Line:
        new = entered(old, state, reason, today())
        if on:
            new = replace(new, terminated_on=on)
        if not new.end_user:
            new = replace(new, end_user=str((new.address or {}).get("name", "")))
        objections = list(state_objections(old, state, reason))
        if state == "active":
            objections += end_user_objections(new)
        if objections:
            fail_with_faults(told(old, objections))
        return new

    return run(line_store.change(settings, name, to))
