"""Every line asked what its call for help would do: the daily audit of a switch, and an operator's.

The answer is that of the call path (`switch.call.help.dispatch_for`), judged by `emergency.audit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emergency.audit import Verdict, verdict
from emergency.numbers import Service
from emergency.psap import Directory
from switch.call.help import Setup, address_of, dispatch_for
from switch.routing.lines import Line

TOKEN = "audit"
"""In the ids of documents that are never sent."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that somebody must look at; `routed`: its call does reach the centre of its address."""

    user: str
    number: str
    state: str
    routed: bool
    alarms: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found; `findings` only of lines where something is wrong."""

    checked: int
    findings: tuple[Finding, ...]

    @property
    def without_route(self) -> int:
        """Lines whose call would not reach the centre of their address: must be 0."""
        return sum(not finding.routed for finding in self.findings)


def audit(lines: Iterable[Line], setup: Setup, wall_ns: int) -> Audit:
    """All lines at once."""
    return summed(auditing(lines, setup, wall_ns))


def auditing(lines: Iterable[Line], setup: Setup, wall_ns: int) -> Iterator[Finding | None]:
    """Line by line, so that whoever asks can give way in between: what is wrong with it, or None. A
    terminated line cannot call and is passed over."""
    services = _services(setup.directory)
    for line in lines:
        if not line.gone:
            yield _finding(line, services, setup, wall_ns)


def summed(results: Iterable[Finding | None]) -> Audit:
    """What `auditing` gave, in one."""
    all_results = tuple(results)
    return Audit(len(all_results), tuple(one for one in all_results if one is not None))


def _finding(line: Line, services: list[Service], setup: Setup, wall_ns: int) -> Finding | None:
    """To the centres of each network. The main number stands for all: they share the address, and whose
    number it is decides nothing."""
    address = address_of(line)
    verdicts: list[Verdict] = []
    for service in services:
        found = dispatch_for(line, service, line.number, setup, token=TOKEN, wall_ns=wall_ns)
        verdicts.append(verdict(found, address, setup.directory))
    alarms = tuple(dict.fromkeys(one.alarm for one in verdicts if one.alarm))
    reasons = tuple(dict.fromkeys(one.reason for one in verdicts if one.reason))
    routed = all(one.routed for one in verdicts)
    return Finding(line.user, line.number, line.state, routed, alarms, reasons) if alarms else None


def _services(directory: Directory) -> list[Service]:
    """One service of each network of centres."""
    return list(
        {one.network: one for one in reversed(directory.numbers.services) if one.is_emergency}.values()
    )
