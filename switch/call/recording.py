"""Records of attempts that never became a call, and of calls that a restart ended (R-CDR-01)."""

from __future__ import annotations

from rating.charge import Charge
from rating.meter import billed_seconds
from switch.call.admission import Refusal
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
    call_id: str, request: Request, refusal: Refusal, now: Moment, *, line: Line | None, trunk: str
) -> Cdr:
    """The record of an attempt that the gate refused."""
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
        plan=line.plan if line else "",
        options=line.options if line else (),
        tariff="",
        setup_fee=0,
        amount=0,
        segments=(),
        diversions=(),
        flags=(),
    )


def _number(uri: str) -> str:
    """The user part, or all of what is no SIP URI: it was answered already, and is recorded as it came."""
    try:
        return parse_uri(uri).number()[:LONGEST]
    except Malformed:
        return uri[:LONGEST]


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
