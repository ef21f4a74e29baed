"""Records: of calls, of attempts that never became one, and of calls that a restart ended (R-CDR-01)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rating.charge import Charge
from rating.meter import billed_seconds
from switch.call.admission import Admission, Refusal
from switch.call.policy import Origin
from switch.malformed import Malformed
from switch.ports import NS_PER_MS, CallAnswered, Moment
from switch.record import Cdr, Segment
from switch.routing.lines import Line
from switch.sip.message import Request
from switch.sip.uri import parse_uri

LONGEST = 64
"""Characters kept of what a phone may choose freely."""

INTERWORKING_FAILURE = 41
"""Q.850 "temporary failure": what a restart gives as cause."""


def refused(
    call_id: str,
    request: Request,
    refusal: Refusal,
    now: Moment,
    *,
    line: Line | None,
    trunk: str,
    outcome: str = "refused",
) -> Cdr:
    """The record of an attempt that the gate refused, or that asked for a service and no call."""
    wall_ms = now.wall_ns // NS_PER_MS
    return Cdr(
        call_id=call_id,
        line=line.number if line else "",
        origin="trunk" if trunk else "line",
        trunk=trunk,
        device=(request.get("User-Agent") or "")[:LONGEST],
        caller=_number(request.sender.uri),
        dialled=_number(request.uri),
        called="",
        destination_class="",
        zone="",
        emergency=False,
        verdict=refusal.verdict,
        outcome=outcome,
        status=refusal.status,
        cause=None,
        released_by="switch",
        invited_ms=wall_ms,
        ringing_ms=None,
        answered_ms=None,
        released_ms=wall_ms,
        post_dial_delay_ms=None,
        setup_ms=None,
        duration_s=0,
        plan=line.plan if line else "",
        options=line.options if line else (),
        tariff="",
        setup_fee=0,
        amount=0,
        segments=(),
        diversions=(),
        flags=(),
        end_user=line.end_user if line else "",
    )


def refused_link(
    record_id: str, cause: Caused, line: Line, origin: Origin, target: str, refusal: Refusal, now: Moment
) -> Cdr:
    """The record of a leg that a line wanted to cause, in a call that goes on without it."""
    admission, wall_ms = cause.admission, now.wall_ns // NS_PER_MS
    chain = tuple(one.number for one in admission.chain)
    return Cdr(
        call_id=record_id,
        line=line.number,
        origin=origin.value,
        trunk="",
        device="",
        caller=line.number,
        dialled=target[:LONGEST],
        called="",
        destination_class="",
        zone="",
        emergency=False,
        verdict=refusal.verdict,
        outcome="refused",
        status=refusal.status,
        cause=None,
        released_by="switch",
        invited_ms=wall_ms,
        ringing_ms=None,
        answered_ms=None,
        released_ms=wall_ms,
        post_dial_delay_ms=None,
        setup_ms=None,
        duration_s=0,
        plan=line.plan,
        options=line.options,
        tariff="",
        setup_fee=0,
        amount=0,
        segments=(),
        diversions=(line.number, *chain),
        flags=(),
        end_user=line.end_user,
        caused_by=cause.id,
    )


def _number(uri: str) -> str:
    """The user part, or all of what is no SIP URI: it was answered already, and is recorded as it came."""
    try:
        return parse_uri(uri).number()[:LONGEST]
    except Malformed:
        return uri[:LONGEST]


class Caused(Protocol):
    """What a leg was to be caused by (`switch.call.link.Link`)."""

    id: str
    admission: Admission


@dataclass(slots=True)
class Timeline:
    """When a call was placed, rang first and was answered. Dates after the INVITE are its wall time plus
    monotonic differences, so that a stepped clock changes no duration and no bill."""

    invited: Moment
    ringing: Moment | None = None
    answered: Moment | None = None

    def since_invite_ms(self, moment: Moment | None) -> int | None:
        """Milliseconds from the INVITE to a moment."""
        return None if moment is None else (moment.mono_ns - self.invited.mono_ns) // NS_PER_MS

    def date_ms(self, moment: Moment | None) -> int | None:
        """The UTC date of a moment, in milliseconds."""
        since_ms = self.since_invite_ms(moment)
        return None if since_ms is None else self.invited.wall_ns // NS_PER_MS + since_ms

    def talked_ms(self, now: Moment) -> int:
        """Talk time until now, begun milliseconds included; 0 before the answer."""
        return -((self.answered.mono_ns - now.mono_ns) // NS_PER_MS) if self.answered is not None else 0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended: outcome, who released it, the SIP status and the Q.850 cause that were given."""

    outcome: str
    by: str
    status: int
    cause: int | None


def record_of(
    call_id: str,
    admission: Admission,
    trunk: str,
    timeline: Timeline,
    ending: Ending,
    now: Moment,
    *,
    flags: Iterable[str],
    talked_ms: int = 0,
    charge: Charge | None = None,
    caused_by: str = "",
) -> Cdr:
    """The record of a call as things stand; `talked_ms` is the talk time that counts, `caused_by` the id of
    the call that was sent on."""
    quote, destination = admission.quote, admission.destination
    duration_s = charge.seconds if charge is not None else billed_seconds(talked_ms)
    setup_fee, amount, segments = recorded(charge)
    return Cdr(
        call_id=call_id,
        line=admission.line.number if admission.line else "",
        origin=admission.origin,
        trunk=trunk or admission.trunk,
        device=admission.device,
        caller=admission.caller,
        dialled=admission.dialled,
        called=admission.called,
        destination_class=destination.cls.value if destination else "",
        zone=destination.price if destination else "",
        emergency=admission.emergency,
        verdict=admission.verdict,
        outcome=ending.outcome,
        status=ending.status,
        cause=ending.cause,
        released_by=ending.by,
        invited_ms=timeline.invited.wall_ns // NS_PER_MS,
        ringing_ms=timeline.date_ms(timeline.ringing),
        answered_ms=timeline.date_ms(timeline.answered),
        released_ms=timeline.date_ms(now) or 0,
        post_dial_delay_ms=timeline.since_invite_ms(timeline.ringing),
        setup_ms=timeline.since_invite_ms(timeline.answered),
        duration_s=duration_s if timeline.answered is not None else 0,
        plan=quote.plan if quote else "",
        options=quote.options if quote else (),
        tariff=quote.version if quote else "",
        setup_fee=setup_fee,
        amount=amount,
        segments=segments,
        diversions=tuple(one.number for one in admission.chain),
        flags=tuple(flags),
        end_user=admission.line.end_user if admission.line else "",
        caused_by=caused_by,
    )


def recorded(charge: Charge | None) -> tuple[int, int, tuple[Segment, ...]]:
    """Set-up fee, amount and segments of a charge as the record holds them."""
    if charge is None:
        return 0, 0, ()
    segments = tuple(
        Segment(s.start_s, s.seconds, s.per_minute, s.source.value, s.peak, s.month, s.version)
        for s in charge.segments
    )
    return charge.setup, charge.amount, segments


def orphaned(call: CallAnswered, alive: Moment, charge: Charge | None) -> Cdr:
    """The record of a call that was running when the switch died, charged up to the last sign of life of the
    switch. Both moments are of the process that died, so the monotonic clock measures between them, as it
    does in service."""
    pending = call.pending
    talked_ms = max(0, alive.mono_ns - call.answered.mono_ns) // NS_PER_MS
    if charge is not None:  # it was cut before the end, and only the record of that was lost
        talked_ms = min(talked_ms, 1000 * charge.seconds)
    setup_fee, amount, segments = recorded(charge)
    return Cdr.from_dict(
        pending.as_dict()
        | {
            "released_ms": pending.released_ms + talked_ms,
            "duration_s": charge.seconds if charge is not None else billed_seconds(talked_ms),
            "released_by": "switch",
            "cause": INTERWORKING_FAILURE,
            "setup_fee": setup_fee,
            "amount": amount,
            "segments": [segment.as_dict() for segment in segments],
            "flags": [*pending.flags, "restart"],
        }
    )
