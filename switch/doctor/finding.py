"""One row of a report: what was looked at, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`told` says how it is. `remedy` says what to do, and is there unless the state is `ok`."""

    what: str
    state: State
    told: str
    remedy: str = ""


def ok(what: str, told: str) -> Finding:
    """Nothing to do."""
    return Finding(what, "ok", told)


def warning(what: str, told: str, remedy: str) -> Finding:
    """The switch runs; something will be missed, or nobody knows."""
    return Finding(what, "warning", told, remedy)


def fault(what: str, told: str, remedy: str) -> Finding:
    """The switch does not start, or calls fail."""
    return Finding(what, "fault", told, remedy)


def worst(findings: Iterable[Finding]) -> State:
    """The state of the whole."""
    states = {finding.state for finding in findings}
    if "fault" in states:
        return "fault"
    return "warning" if "warning" in states else "ok"
