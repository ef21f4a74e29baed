"""Records of attempts that never became a call, and of calls that outlived their switch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rating.meter import billed_seconds, charge
from rating.quote import Quote, quote
from switch.call.admission import Refusal
from switch.call.charging import Charging
from switch.call.recording import LONGEST, orphaned, recorded, refused
from switch.call.sums import CallSums
from switch.ports import NS_PER_MS, NS_PER_S, CallAnswered, Moment, PaidBy
from switch.record import Cdr, Segment
from switch.timers import TimerQueue
from tests.switch.net.support import cdr
from tests.switch.routing.support import make_line
from tests.switch.sip.support import WALL_NS, Row, at, make_request
from tests.torture.support import tables

ANSWERED = Moment(500 * NS_PER_S, WALL_NS - 60 * NS_PER_S)
"""A minute before off-peak."""


def refusal_of(fields: dict[str, Row] | None = None, uri: str = "sip:0478123456@example.com") -> Cdr:
    request = make_request("INVITE", uri, "", fields)
    line = make_line(options=("anytime",))
    return refused("call-1", request, Refusal(403, "line-suspended"), at(1500), line=line, trunk="")


def test_a_refusal_is_recorded_with_who_what_and_why() -> None:
    record = refusal_of({"From": "<sip:alice@example.com>;tag=a1", "User-Agent": "Desk phone 1.0"})
    assert (record.line, record.plan, record.options) == ("+3216234567", "classic", ("anytime",))
    assert (record.origin, record.trunk) == ("line", "")
    assert (record.caller, record.dialled, record.device) == ("alice", "0478123456", "Desk phone 1.0")
    assert (record.outcome, record.status, record.verdict) == ("refused", 403, "line-suspended")
    assert record.released_by == "switch"
    assert record.invited_ms == record.released_ms == WALL_NS // NS_PER_MS + 1500
    assert (record.answered_ms, record.duration_s, record.amount, record.segments) == (None, 0, 0, ())


def test_a_refused_call_of_a_trunk_belongs_to_no_line() -> None:
    request = make_request("INVITE", "sip:0478123456@example.com")
    record = refused("call-1", request, Refusal(404, "no-line"), at(0), line=None, trunk="carrier")
    assert (record.origin, record.trunk, record.line, record.plan) == ("trunk", "carrier", "", "")


@pytest.mark.parametrize("field", ["caller", "dialled", "device"])
def test_what_a_phone_may_choose_freely_is_cut(field: str) -> None:
    long = "9" * 500
    record = refusal_of(
        {"From": f"<sip:{long}@example.com>;tag=a1", "User-Agent": long}, f"sip:{long}@example.com"
    )
    assert getattr(record, field) == long[:LONGEST]


def test_names_that_are_no_sip_are_recorded_as_they_came() -> None:
    record = refusal_of({"From": "<mailto:a@example.com>;tag=a1"}, "urn:service:nothing")
    assert (record.caller, record.dialled) == ("mailto:a@example.com", "urn:service:nothing")


def test_a_charge_is_recorded_with_its_segments() -> None:
    book, _ = tables()
    destination = book.destinations.classify("+32478123456")
    assert destination is not None
    priced = quote(book, "classic", (), destination, ANSWERED.wall_ns)
    assert isinstance(priced, Quote)
    assert recorded(charge(priced.terms, ANSWERED.wall_ns, 90)) == (
        0,
        1700,
        (
            Segment(0, 60, 1700, "tariff", True, "2026-11", "2026-01"),
            Segment(60, 30, 0, "included", False, "2026-11", "2026-01"),
        ),
    )


def test_no_charge_is_recorded_as_nothing() -> None:
    assert recorded(None) == (0, 0, ())


# --- after a restart ----------------------------------------------------------------------------------------


def orphan(called: str = "+32478123456", **changes: object) -> CallAnswered:
    """A call as it was answered: nothing charged yet, nobody has released it."""
    pending = cdr(
        called=called,
        released_by="",
        cause=None,
        released_ms=1_795_532_340_000,
        duration_s=1,
        amount=0,
        segments=(),
        options=(),
        flags=("relay-restarted",),
    )
    changed = replace(pending, **changes)  # type: ignore[arg-type]
    return CallAnswered("call-1", ANSWERED, changed, (), PaidBy("alice", None, False, 0))


def restarted(orphan: CallAnswered, alive: Moment) -> Cdr:
    """The record that a restart makes of it."""
    charging = Charging(
        tariffs=tables()[0],
        timers=TimerQueue(at(0)),
        sums=CallSums(),
        append=lambda _: None,
        note=lambda _: None,
    )
    return orphaned(orphan, alive, charging.charge_orphans([orphan], alive).get(orphan.call_id))


def alive_after(ms: int) -> Moment:
    return Moment(ANSWERED.mono_ns + ms * NS_PER_MS, ANSWERED.wall_ns + ms * NS_PER_MS)


@pytest.mark.parametrize("called", ["+32478123456", "+385123456789", "+3270123456", "+3280012345"])
@pytest.mark.parametrize("talked_ms", [0, 1, 999, 1000, 1001, 30_500, 60_000, 90_000, 7_200_000])
def test_a_call_is_charged_as_if_it_had_ended_when_the_switch_last_lived(called: str, talked_ms: int) -> None:
    book, _ = tables()
    destination = book.destinations.classify(called)
    assert destination is not None
    priced = quote(book, "classic", (), destination, ANSWERED.wall_ns)
    assert isinstance(priced, Quote)
    due = charge(priced.terms, ANSWERED.wall_ns, billed_seconds(talked_ms))
    record = restarted(orphan(called), alive_after(talked_ms))
    assert (record.setup_fee, record.amount, record.segments) == recorded(due)
    assert record.duration_s == max(1, -(-talked_ms // 1000))
    assert record.duration_s == sum(segment.seconds for segment in record.segments)


def test_an_orphan_says_that_a_restart_ended_it() -> None:
    record = restarted(orphan(), alive_after(30_000))
    assert (record.released_by, record.cause, record.flags) == ("switch", 41, ("relay-restarted", "restart"))
    assert record.released_ms == 1_795_532_340_000 + 30_000
    assert (record.outcome, record.answered_ms) == ("answered", orphan().pending.answered_ms)


def test_a_stepped_clock_changes_no_bill() -> None:
    stepped = alive_after(30_000)._replace(wall_ns=1)
    assert restarted(orphan(), stepped) == restarted(orphan(), alive_after(30_000))


def test_a_switch_that_died_before_it_said_so_charges_the_first_second() -> None:
    """The last sign of life may be older than the answer."""
    record = restarted(orphan(), Moment(0, 0))
    assert (record.duration_s, record.amount) == (1, 28)


@pytest.mark.parametrize(
    "changes",
    [{"plan": "withdrawn"}, {"called": "+999123456"}],
    ids=["a plan that is no more", "a number that is no more"],
)
def test_where_there_is_nothing_to_charge_by_nothing_is_charged(changes: dict[str, str]) -> None:
    record = restarted(orphan(**changes), alive_after(30_000))
    assert (record.duration_s, record.setup_fee, record.amount, record.segments) == (30, 0, 0, ())
