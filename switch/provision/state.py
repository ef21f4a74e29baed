"""States of a contract (domain section 8): why it is suspended, and what a date makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from switch.provision.objection import Objection
from switch.provision.porting import port_out_until
from switch.provision.reason import Reason

if TYPE_CHECKING:
    from switch.routing.lines import Line


def state_objections(line: Line, state: str, reason: str) -> Iterator[Objection]:
    """Against another state of a line: for bills, while one is disputed and the rest paid (a state without a
    reason is for bills); any that would give it back what its contract, having ended, does not."""
    if line.ported:
        yield Objection("R-POR-04", "its contract ended when its numbers were ported out")
    elif line.gone and state in ("restricted", "suspended"):
        yield Objection("R-SUS-02", f"its contract has ended: not to be {state} any more")
    if line.disputed and state in ("restricted", "suspended") and reason in ("", Reason.UNPAID):
        yield Objection("R-SUS-05", f"a bill is disputed and the rest paid: not to be {state} for bills")


def entered(line: Line, state: str, reason: str, day: date) -> Line:
    """A line in another state since `day`; one that had ended keeps the day on which it did."""
    new = replace(line, state=state, state_reason=reason, terminated_on="")
    return replace(new, terminated_on=line.terminated_on or day.isoformat()) if new.gone else new


def end_user_objections(line: Line) -> Iterator[Objection]:
    """Every licence has an identified end user before it can call."""
    if not line.end_user.strip():
        yield Objection("R-EUS-01", "end_user: nobody is named as its end user")


def state_on(line: Line, today: date) -> str:
    """The state of a line: once its number cannot be ported out any more, a terminated one is in quarantine
    (R-POR-03). A number that was ported out is another operator's, and in none."""
    if line.state == "terminated" and line.terminated_on and not line.ported:
        until = port_out_until(date.fromisoformat(line.terminated_on))
        return "quarantine" if today > until else line.state
    return line.state
