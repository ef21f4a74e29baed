"""What lines are held against before they are stored: every fault, with the rule that makes it one.

Plans and options by the tariff in force (before the first, by that one), addresses by `emergency`, the rest
by `switch.provision`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from switch.cli.common import fail_with_faults

if TYPE_CHECKING:
    from rating.tariff import TariffBook
    from switch.config.lines import LineEntry
    from switch.config.model import Config
    from switch.provision.objection import Objection
    from switch.provision.rulebook import Rulebook
    from switch.routing.lines import Line


def rulebook(directory: Path) -> Rulebook:
    """The rules of a configuration; its faults end the command."""
    return rules_and_book(directory)[0]


def rules_and_book(directory: Path) -> tuple[Rulebook, TariffBook]:
    """The rules, and all the tariffs with their calendar."""
    from rating.loader import load
    from switch.net.clock import SystemClock
    from switch.provision.rulebook import Rulebook
    from switch.provision.zones import read_zones

    rating = load(directory)
    zones, faults = read_zones(directory)
    if rating.book is None or faults:
        fail_with_faults([str(fault) for fault in (*rating.faults, *faults)])
    tariff = rating.book.versions_from(SystemClock().moment().wall_ns)[0]
    return Rulebook(tariff, rating.book.destinations, zones), rating.book


def lines_of(entries: Iterable[LineEntry], settings: Config, rules: Rulebook) -> list[Line]:
    """Entries as lines to store. Where one does not say how many calls at a time, switch and plan do."""
    from switch.configuration import line_of

    lines = []
    for entry in entries:
        line, limit = line_of(entry, settings), rules.licence(entry.plan).max_calls
        if entry.max_calls is None and limit is not None:
            line = replace(line, max_calls=min(line.max_calls, limit))
        lines.append(line)
    return lines


def check(rules: Rulebook, lines: Iterable[Line], old: Line | None = None) -> None:
    """End the command with all that is wrong with these lines; of a stored one, with what `old` was not
    wrong in."""
    faults: list[str] = []
    for line in lines:
        faults += _of_plan(line, rules)
        faults += [f"{line.user}: address: {fault} (R-NUM-04)" for fault in address_faults(line)]
        found = rules.objections(line) if old is None else rules.changes(old, line)
        faults += told(line, found)
    if faults:
        fail_with_faults(faults)


def told(line: Line, objections: Iterable[Objection]) -> list[str]:
    """Objections to a line as faults are shown."""
    return [f"{line.user}: {objection}" for objection in objections]


def address_faults(line: Line) -> tuple[str, ...]:
    """What `emergency` objects to in a line's address."""
    from dataclasses import fields

    from emergency.location import Address

    stored = dict.fromkeys((field.name for field in fields(Address)), "") | dict(line.address or {})
    return Address(**stored).faults()


def _of_plan(line: Line, rules: Rulebook) -> list[str]:
    plan = rules.tariff.plans.get(line.plan)
    if plan is None:
        return [f"{line.user}: plan: must be {' or '.join(rules.tariff.plans)}"]
    allowed = " or ".join(plan.options) or "none"
    wrong = [name for name in line.options if name not in plan.options]
    return [f"{line.user}: options: {plan.id} has no {name}, but {allowed}" for name in wrong]
