"""One stretch of a call: somebody called, forwarded or transferred, and pays for what came of it.

A call has one for its caller and one more for everybody who sent it on. Each has its own admission, bill,
timeline and record, and all that are open end together: who forwarded a call pays for it as long as it lasts
(R-POL-02), and so does who transferred one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from rating.grant import StopReason
from switch.call.admission import Admission
from switch.call.bill import Bill
from switch.call.context import CallContext
from switch.call.leg import Leg
from switch.call.recording import Ending, Timeline, record_of
from switch.ports import NS_PER_MS, NS_PER_S, Append, CallAnswered, CallEnded, Moment, Note

SETTING_UP_NS = 3600 * NS_PER_S
"""Longer than any call rings, over all its trunks: a reservation that is still there then was forgotten."""


class LinkUser(Protocol):
    """The call that a link belongs to; a call that is joined to another one hands its links over."""

    def guard(self, act: Callable[[], None]) -> None:
        """Do something for this call."""

    def warn(self) -> None:
        """The call is about to be cut."""

    def cut(self, reason: str, due_ns: int) -> None:
        """It is time to cut it, since `due_ns` (monotonic)."""


class Link:
    """From whoever caused it to the number that was called. `reached` is the leg that answered for it,
    `trunk` the carrier that was tried last."""

    __slots__ = ("_context", "admission", "bill", "caused_by", "id", "owner", "reached", "times", "trunk")

    def __init__(
        self,
        context: CallContext,
        link_id: str,
        admission: Admission,
        owner: LinkUser,
        *,
        caused_by: str = "",
    ) -> None:
        """`caused_by` is the id of the link that was sent on, so that this one came about."""
        self._context = context
        self.id = link_id
        self.admission = admission
        self.owner = owner
        self.caused_by = caused_by
        self.trunk = ""
        self.reached: Leg | None = None
        self.times = Timeline(context.timers.now)
        self.bill = Bill(
            link_id,
            admission,
            charging=context.charging,
            sums=context.sums,
            timers=context.timers,
            warn=lambda: self.owner.guard(self.owner.warn),
            cut=lambda reason, due_ns: self.owner.guard(lambda: self.owner.cut(reason, due_ns)),
        )

    def reserve(self) -> StopReason | None:
        """Hold the first second of it; or why it cannot be paid for."""
        admission = self.admission
        if admission.line is None or admission.quote is None:
            return None
        return self._context.charging.reserve(self.id, admission.line, admission.quote, SETTING_UP_NS)

    def release(self) -> None:
        """It never came to anything, and is not even recorded."""
        self.bill.settle(0, answered=False)

    def placed(self) -> None:
        """Somebody is being sought for it."""
        self._context.observer.placed(self.id, self.admission)

    def rang(self) -> None:
        """The called side rings, or sends early media."""
        now = self._context.timers.now
        if self.times.ringing is None:
            self.times.ringing = now
            self._context.sums.post_dial_delay_ms.add(self.times.since_invite_ms(now) or 0)

    def begin(self, leg: Leg) -> StopReason | None:
        """The called side took the call: from now on it is paid for; or why it may not begin."""
        if unpaid := self.bill.begin():
            return unpaid
        self.reached = leg
        self.times.answered = self._context.timers.now
        forwarded = self.admission.origin in ("forward", "redirect")
        self._context.observer.answered(self.id, self.admission, forwarded=forwarded)
        return None

    def revoke(self) -> None:
        """Whoever answered is not talked to after all: nobody is charged, and it counts as unanswered."""
        if self.times.answered is not None:
            self.bill.revoke()
            self.times.answered = self.reached = None

    def save(self, sides: tuple[Mapping[str, Any], ...], flags: Iterable[str]) -> None:
        """Write what a restart needs to end this link and to record it, at the answer and whenever one of the
        `sides` is another. The answer waits for that."""
        answered = self.times.answered or self._context.timers.now
        pending = self._record(Ending("answered", "", 200, None), answered, flags)
        entry = CallAnswered(self.id, answered, pending, sides, self.bill.paid_by())
        self._context.append(Append(entry, hold=not self.admission.emergency))

    def end(self, ending: Ending, *, silent_ms: int, flags: Iterable[str]) -> None:
        """It is over: settle and record it. What follows the last sign of life, `silent_ms` ago, does not
        count."""
        context, now = self._context, self._context.timers.now
        answered = self.times.answered is not None
        talked_ms = self.bill.counted_ms(max(0, self.times.talked_ms(now) - silent_ms))
        charge = self.bill.settle(talked_ms, answered=answered)
        cdr = record_of(
            self.id,
            self.admission,
            self.trunk,
            self.times,
            ending,
            now,
            flags=flags,
            talked_ms=talked_ms,
            charge=charge,
            caused_by=self.caused_by,
        )
        context.sums.add(cdr, charge)
        promised = answered and not cdr.emergency and "preempted" not in cdr.flags
        account = self.bill.payer.user if self.bill.payer is not None else ""
        entry = CallEnded(cdr, account, charge.uses if charge is not None else ())
        context.append(Append(entry, hold=promised))
        context.observer.ended(self.id, self.admission, cdr)
        facts = {
            "call_id": self.id,
            "outcome": ending.outcome,
            "status": ending.status,
            "by": ending.by,
            "duration_s": cdr.duration_s,
        }
        context.note(Note("call", facts))

    def view(self, state: str, now: Moment) -> dict[str, Any]:
        """The link as an operator sees it, with its price now."""
        admission = self.admission
        return {
            "call_id": self.id,
            "origin": admission.origin,
            "line": admission.line.number if admission.line else "",
            "caller": admission.caller,
            "called": admission.called,
            "class": admission.destination.cls.value if admission.destination else "",
            "trunk": self.trunk,
            "state": state,
            "since_ms": self.times.invited.wall_ns // NS_PER_MS,
            "seconds": self.times.talked_ms(now) // 1000,
            "emergency": admission.emergency,
            **self.bill.view(answered=self.times.answered is not None),
        }

    def _record(self, ending: Ending, now: Moment, flags: Iterable[str]) -> Any:
        return record_of(
            self.id,
            self.admission,
            self.trunk,
            self.times,
            ending,
            now,
            flags=flags,
            caused_by=self.caused_by,
        )
