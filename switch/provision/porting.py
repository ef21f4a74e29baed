"""Numbers that come and go (R-POR-01, -03, -04), and what a late port costs (R-POR-06)."""

from __future__ import annotations

import unicodedata
from calendar import monthrange
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rating.money import EURO
from switch.provision.objection import Objection
from switch.provision.reason import PORTED

if TYPE_CHECKING:
    from switch.routing.lines import Line

FREE_WORKING_DAYS = 10
PER_LATE_DAY = 5 * EURO
"""A number and a day: the most that R-POR-06 gives."""


def port_out_until(terminated: date) -> date:
    """The last day on which the number of a terminated line can be ported out: the same day of the next
    month, or the last one that it has (31 January: 28 or 29 February; R-POR-03)."""
    year, month = (
        (terminated.year, terminated.month + 1) if terminated.month < 12 else (terminated.year + 1, 1)
    )
    return date(year, month, min(terminated.day, monthrange(year, month)[1]))


def quarantine_until(terminated: date, quarantine_days: int) -> date:
    """The last day on which a number that was not ported out may be given to nobody."""
    return port_out_until(terminated) + timedelta(days=quarantine_days)


def removal_objections(line: Line, today: date, quarantine_days: int) -> Iterator[Objection]:
    """Against removing a terminated line while its number may still be ported out, or is in quarantine."""
    if not line.gone or line.ported:
        return
    if not line.terminated_on:
        yield Objection(
            "R-POR-03", "it is not known since when it is terminated, nor how long its number stays"
        )
        return
    terminated = date.fromisoformat(line.terminated_on)
    if today <= (until := port_out_until(terminated)):
        yield Objection("R-POR-03", f"its number can be ported out until {until}")
    elif today <= (until := quarantine_until(terminated, quarantine_days)):
        yield Objection("R-POR-03", f"its number is in quarantine until {until}")


def port_out_objections(line: Line, day: date) -> Iterator[Objection]:
    """Against porting a number of this line out on a day."""
    if line.ported:
        yield Objection("R-POR-03", "its number has been ported out already")
    elif line.gone and not line.terminated_on:
        yield Objection("R-POR-03", "it is not known since when it is terminated")
    elif line.gone and day > (until := port_out_until(date.fromisoformat(line.terminated_on))):
        yield Objection("R-POR-03", f"its number could be ported out until {until}, and is in quarantine now")


def ported_out(line: Line, day: date) -> Line:
    """A line whose last number was ported out on a day: its contract ends, or had ended before (R-POR-04)."""
    ended = line.terminated_on if line.gone else day.isoformat()
    return replace(line, state="terminated", state_reason=PORTED, terminated_on=ended)


def holder_objections(line: Line, holder: str) -> Iterator[Objection]:
    """Only its holder may port a number in: the subscriber of the line, or its end user."""
    names = [line.end_user, str((line.address or {}).get("name", ""))]
    if _letters(holder) not in {letters for letters in map(_letters, names) if letters}:
        known = " or ".join(dict.fromkeys(filter(None, names))) or "nobody"
        yield Objection("R-POR-01", f"{holder} is not who has the line: {known}")


def working_day_after(day: date, count: int, holidays: Collection[date]) -> date:
    """The working day that is `count` of them after a day: Monday to Friday, no public holiday."""
    while count:
        day += timedelta(days=1)
        if day.weekday() < 5 and day not in holidays:
            count -= 1
    return day


def free_until(requested: date, holidays: Collection[date]) -> date:
    """The last day on which a number that was asked for on `requested` can be ported without compensation."""
    return working_day_after(requested, FREE_WORKING_DAYS, holidays)


def compensation(requested: date, ported: date, numbers: int, holidays: Collection[date]) -> int:
    """What a customer may ask for numbers that were ported late, in ten-thousandths of a euro (R-POR-06).

    Every day after the ten working days counts, working day or not. Asked for on 2026-12-01, free until the
    15th; ported on the 18th, 3 days, 15 EUR.
    """
    late = (ported - free_until(requested, holidays)).days
    return max(0, late) * numbers * PER_LATE_DAY


def _letters(name: str) -> str:
    """A name for comparing: neither case nor accents, blanks or dots tell two holders apart."""
    plain = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())
