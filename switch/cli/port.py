"""`belswitch port`: numbers that come from another operator, and that go to one (R-POR-01 to -06).

Only what becomes of lines here: the exchange of orders with the other operator is not the switch's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from switch.cli import line_check, line_store
from switch.cli.common import ConfigOption, fail, fail_with_faults, load_config, run, today
from switch.cli.line_state import Since
from switch.cli.line_typed import typed_date

if TYPE_CHECKING:
    from rating.calendar import Calendar
    from switch.provision.rulebook import Rulebook
    from switch.routing.lines import Line

group = typer.Typer(help="Numbers ported in and out.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="+3216234567, or as it is dialled.")]


@group.command("in")
def in_(
    number: Number,
    line: Annotated[str, typer.Option(help="The line that gets it: its user, or one of its numbers.")],
    holder: Annotated[str, typer.Option(help="Who holds the number at the other operator.")],
    config: ConfigOption = None,
    replace_main: Annotated[
        bool, typer.Option("--replace-main", help="It takes the place of the main number.")
    ] = False,
    requested: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="When it was asked for: tells what is due if it is late."),
    ] = None,
    on: Since = None,
) -> None:
    """Give a line a number that its customer had elsewhere."""
    day = _past("--on", on)
    asked = _past("--requested", requested)
    directory, settings = load_config(config)
    rules, book = line_check.rules_and_book(directory)
    old, number = run(line_store.find(settings, line)), _e164(number)
    if old.gone:
        fail(f"{old.number} is terminated")
    if number in old.numbers:
        fail(f"{old.number} has {number} already")
    kept = old.numbers[1:] if replace_main else old.numbers
    new = replace(old, numbers=(number, *kept) if replace_main else (*kept, number))
    if faults := line_check.told(old, rules.port_in(old, new, number, holder)):
        fail_with_faults(faults)
    run(line_store.write(settings, [new], replace_them=True))
    print(f"ported in {number}, to {new.user}")
    if requested is not None:
        print(_compensation(asked, day, book.calendar))


@group.command()
def out(number: Number, config: ConfigOption = None, on: Since = None) -> None:
    """Take a number that has gone to another operator from its line; its last number ends the line."""
    from switch.provision.porting import port_out_objections

    day = _past("--on", on)
    directory, settings = load_config(config)
    number = _e164(number)
    old = run(line_store.find(settings, number))
    rules = line_check.rulebook(directory)
    new = _without(old, number, day, rules)
    objections = list(port_out_objections(old, day))
    if not new.ported:
        objections += rules.changes(old, new)
    if objections:
        fail_with_faults(line_check.told(old, objections))
    run(line_store.write(settings, [new], replace_them=True))
    print(f"ported out {number}" + (f"; the line {new.user} has ended" if new.ported else ""))


def _without(line: Line, number: str, day: date, rules: Rulebook) -> Line:
    """A line without a number; one that may be shown to others becomes its main number (R-POL-06). The last
    one stays with it, as what its records are found by, and ends it (R-POR-04)."""
    from switch.provision.numbers import may_be_shown
    from switch.provision.porting import ported_out

    left = [one for one in line.numbers if one != number]
    if not left:
        return ported_out(line, day)
    left.sort(key=lambda one: not may_be_shown(one, rules.destinations))
    return replace(line, numbers=tuple(left))


def _compensation(requested: date, ported: date, calendar: Calendar) -> str:
    from rating.money import show
    from switch.provision.porting import compensation, free_until

    free = free_until(requested, calendar.holidays)
    due = compensation(requested, ported, 1, calendar.holidays)
    return f"ported on {ported}, free until {free}: EUR {show(due)} are due on request (R-POR-06)"


def _past(name: str, text: str | None) -> date:
    """A day that was typed, today by default; one that is yet to come ends the command."""
    day = today() if text is None else typed_date(name, text)
    if day > today():
        fail_with_faults([f"{name}: {day} is yet to come"])
    return day


def _e164(number: str) -> str:
    from switch.routing.numbers import normalise

    return normalise(number) or number
