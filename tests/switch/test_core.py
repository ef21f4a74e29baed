"""The switch as one object: its answers outside calls, the order of its orders, and what a fault, a reload or
a restart leave standing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.ports import (
    NS_PER_S,
    Address,
    Append,
    BindingRemoved,
    CallAnswered,
    CallEnded,
    EndCall,
    Input,
    JournalState,
    MediaMeasured,
    Moment,
    Note,
    Order,
    PaidBy,
    Relay,
    RelayMessage,
    StopCalls,
    Traced,
    Transmit,
)
from switch.record import Cdr
from switch.sip.message import Request, Response
from tests.scenarios.scene import Scene, answers
from tests.sim.text import sdp
from tests.switch.net.support import cdr
from tests.switch.sip.support import WALL_NS, Row, at, request_bytes
from tests.torture.support import ALICE, CARRIER, DOMAIN, EQUIPMENT, OFFICE, STRANGER, Subject, settings

OFFER = sdp("office", "203.0.113.77", 30_000, 1)


class Desk(Subject):
    """A switch, with the office's equipment at the other end of the wire."""

    def feed(self, event: Input) -> None:
        self.switch.receive(event, self._now)
        self.orders += self.switch.drain()

    def ask(
        self,
        method: str,
        uri: str,
        fields: dict[str, Row] | None = None,
        *,
        body: str = "",
        remote: Address = EQUIPMENT,
        branch: str = "1",
    ) -> list[int]:
        """One request from a new transaction; the statuses of the answers."""
        self.orders.clear()
        self.receive(self._request(method, uri, fields, body, remote, branch), remote)
        return self.statuses()

    def _request(
        self,
        method: str,
        uri: str,
        fields: dict[str, Row] | None,
        body: str,
        remote: Address,
        branch: str,
    ) -> bytes:
        defaults: dict[str, Row] = {
            "Via": f"SIP/2.0/UDP {remote.host}:{remote.port};branch=z9hG4bK-{branch};rport",
            "From": f"<sip:{OFFICE}@{DOMAIN}>;tag=a1",
            "Contact": f"<sip:office@{remote.host}>",
            "Call-ID": f"call-{branch}",
        }
        if body:
            defaults["Content-Type"] = "application/sdp"
        return request_bytes(method, uri, body, {**defaults, **(fields or {})})

    def invite(
        self,
        uri: str = f"sip:0478123456@{DOMAIN}",
        fields: dict[str, Row] | None = None,
        *,
        remote: Address = EQUIPMENT,
        branch: str = "1",
    ) -> list[int]:
        """An INVITE with an offer."""
        return self.ask("INVITE", uri, fields, body=OFFER, remote=remote, branch=branch)

    def records(self) -> list[Cdr]:
        """Of what was ordered last."""
        entries = [order.entry for order in self.orders if isinstance(order, Append)]
        return [entry.cdr for entry in entries if isinstance(entry, CallEnded)]

    def answer(self) -> Response:
        """The one answer that was sent last."""
        (message,) = self.messages()
        assert isinstance(message, Response)
        return message


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- outside calls ------------------------------------------------------------------------------------------


def test_options_are_answered_with_what_we_can_do(desk: Desk) -> None:
    """RFC 3261 section 11.2; anybody may ask, and no state is kept."""
    assert desk.ask("OPTIONS", f"sip:{DOMAIN}", remote=STRANGER) == [200]
    answer = desk.answer()
    assert answer.rows("Allow") == ["INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, REGISTER"]
    assert answer.rows("Accept") == ["application/sdp"]
    desk.assert_at_rest()


@pytest.mark.parametrize("field", ["Require", "Proxy-Require"])
@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_an_extension_that_is_required_and_not_known_is_named(field: str, method: str, desk: Desk) -> None:
    assert desk.ask(method, f"sip:0478123456@{DOMAIN}", {field: "gruu, replaces"}) == [420]
    assert desk.answer().rows("Unsupported") == ["gruu, replaces"]
    desk.assert_at_rest()


@pytest.mark.parametrize("method", ["BYE", "INFO"])
def test_a_request_of_no_dialog_is_told_so(method: str, desk: Desk) -> None:
    assert desk.ask(method, f"sip:0478123456@{DOMAIN}") == [481]
    desk.assert_at_rest()


UNACCEPTABLE: list[tuple[dict[str, Row], int]] = [
    ({"Require": "replaces"}, 420),
    ({"Session-Expires": "30"}, 422),
    ({"Content-Type": "application/pidf+xml"}, 415),
    ({"Content-Encoding": "gzip"}, 415),
    ({"Accept": "text/plain"}, 406),
    ({"Contact": None}, 400),
]


@pytest.mark.parametrize(("fields", "status"), UNACCEPTABLE)
def test_an_invite_that_cannot_be_taken_up_is_refused_without_a_record(
    fields: dict[str, Row], status: int, desk: Desk
) -> None:
    """RFC 3261 section 8.2."""
    assert desk.invite(fields=fields) == [status]
    assert desk.records() == []
    desk.assert_at_rest()


@pytest.mark.parametrize(("fields", "status"), UNACCEPTABLE)
def test_none_of_that_stops_a_call_for_help(fields: dict[str, Row], status: int, desk: Desk) -> None:
    """R-EMG-05."""
    assert status not in desk.invite(f"sip:112@{DOMAIN}", fields)
    assert [message.method for message in desk.messages() if isinstance(message, Request)] == ["INVITE"]
    desk.assert_unharmed()


# --- refusals -----------------------------------------------------------------------------------------------


def test_a_refused_attempt_is_recorded_once_however_often_it_is_repeated(desk: Desk) -> None:
    assert desk.invite("sip:+999123456@x") == [404]
    (record,) = desk.records()
    assert (record.line, record.outcome, record.verdict) == (OFFICE, "refused", "no-destination")
    assert desk.invite("sip:+999123456@x") == [404]
    assert desk.records() == []
    assert desk.switch.sums.refusals == {"no-destination": 1}


def test_a_refused_call_of_a_carrier_is_recorded_under_its_trunk(desk: Desk) -> None:
    """And answered once, whatever its From says."""
    assert desk.invite("sip:+33123456789@x", {"From": "<mailto:a@b>;tag=1"}, remote=CARRIER) == [404]
    (record,) = desk.records()
    assert (record.origin, record.trunk, record.line, record.caller) == ("trunk", "carrier", "", "mailto:a@b")


def test_with_a_full_journal_refusals_are_counted_and_not_recorded(desk: Desk) -> None:
    """There is no room for what costs nothing."""
    desk.feed(JournalState(full=True))
    assert desk.invite() == [503]
    assert desk.records() == []
    assert desk.switch.sums.refusals == {"journal-full": 1}
    desk.feed(JournalState(full=False))
    assert 503 not in desk.invite(branch="2")


def test_the_switch_has_so_many_calls_and_no_more(desk: Desk) -> None:
    limits = replace(settings().limits, max_calls=1)
    desk.switch.replace_settings(replace(settings(), limits=limits))
    assert desk.invite(branch="1") == [100]
    assert desk.invite(branch="2") == [503]
    assert desk.records()[0].verdict == "switch-calls"
    assert 503 not in desk.invite(f"sip:112@{DOMAIN}", branch="3")


def test_a_call_whose_contact_cannot_be_read_never_was(desk: Desk) -> None:
    assert desk.invite(fields={"Contact": '"unclosed <sip:a@b>'}) == [400]
    desk.assert_at_rest()


# --- orders -------------------------------------------------------------------------------------------------


def test_orders_come_journal_first_then_relay_then_datagrams_then_notes() -> None:
    world = Scene()
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, 100)
    core = world.machine.core
    assert core is not None
    drains: list[list[Order]] = []
    drain = core.drain

    def watched() -> list[Order]:
        drains.append(orders := drain())
        return orders

    core.drain = watched  # type: ignore[method-assign]
    alice.invite("0478123456")
    world.run(5000)
    alice.talk.bye()
    world.rest()
    ranks = {Append: 0, Relay: 1, Transmit: 2, Note: 3, Traced: 3}
    kinds = set()
    for orders in drains:
        order_of = [ranks[type(order)] for order in orders]
        assert order_of == sorted(order_of)
        kinds |= {type(order) for order in orders}
    assert kinds | {Note} == set(ranks)
    traced = [order for orders in drains for order in orders if isinstance(order, Traced)]
    (cdr,) = world.cdrs
    assert traced == [
        Traced(cdr.call_id, alice.talk.call_id),
        Traced(cdr.call_id, carrier.talk.call_id),
    ]
    promises = [
        (type(order.entry), order.hold)
        for orders in drains
        for order in orders
        if isinstance(order, Append) and not isinstance(order.entry, MediaMeasured)
    ]
    assert promises == [(CallAnswered, True), (CallEnded, True)]


def test_what_is_drained_is_gone(desk: Desk) -> None:
    desk.ask("OPTIONS", f"sip:{DOMAIN}")
    assert desk.switch.drain() == []


def test_a_call_for_help_holds_nothing_up() -> None:
    """Its entries are no promises that anything waits for."""
    world = Scene()
    alice, (centre, _) = world.phone("alice"), world.centres()
    alice.invite("112")
    assert world.run_until(lambda: bool(centre.talks))
    core = world.machine.core
    assert core is not None
    holds: list[bool] = []
    append = core._append

    def watched(order: Append) -> None:
        holds.append(order.hold)
        append(order)

    core._context.append = watched
    centre.talk.answer()
    world.run(3000)
    alice.talk.bye()
    world.rest()
    assert holds == [False, False, False]  # answer, record, log


# --- faults of our own --------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_noted_and_the_switch_lives_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_args: object) -> None:
        raise LookupError("sip:+32478123456@secret")

    with monkeypatch.context() as patch:
        patch.setattr(desk.switch.gate, "admit", wrong)
        desk.invite()
    (note,) = [order for order in desk.orders if isinstance(order, Note)]
    assert note.event == "internal_error"
    assert note.facts["error"] == "LookupError"
    assert "test_core.py" in note.facts["place"]
    assert "secret" not in str(note.facts)
    assert desk.switch.counters["internal_error"] == 1
    assert desk.ask("OPTIONS", f"sip:{DOMAIN}") == [200]


def test_a_timer_that_goes_wrong_stops_no_other(desk: Desk) -> None:
    fired: list[str] = []

    def wrong() -> None:
        raise AssertionError

    desk.switch.timers.start(NS_PER_S, wrong)
    desk.switch.timers.start(NS_PER_S, lambda: fired.append("right"))
    desk.wait(2)
    assert fired == ["right"]
    assert desk.switch.counters["internal_error"] == 1


@pytest.mark.parametrize(
    "event",
    [
        EndCall("no-such-call"),
        RelayMessage("silent", 99),
        RelayMessage("failed", 99, "no buffer space"),
        RelayMessage("report", 99, []),
        RelayMessage("something new", 99),
    ],
)
def test_news_of_what_is_no_more_change_nothing(event: Input, desk: Desk) -> None:
    desk.feed(event)
    assert desk.orders == []
    desk.assert_at_rest()
    desk.assert_unharmed()


# --- replacing ----------------------------------------------------------------------------------------------


def register(desk: Desk, branch: str = "r") -> list[int]:
    return desk.ask(
        "REGISTER",
        f"sip:{DOMAIN}",
        {"To": f"<sip:office@{DOMAIN}>", "CSeq": "1 REGISTER"},
        branch=branch,
    )


def test_a_line_that_is_gone_takes_its_registrations_along(desk: Desk) -> None:
    assert register(desk) == [200]
    desk.orders.clear()
    desk.switch.replace_lines([desk.switch.lines.by_user["alice"]], at(0))
    desk.orders += desk.switch.drain()
    entries = [order.entry for order in desk.orders if isinstance(order, Append)]
    assert entries == [BindingRemoved("office", f"sip:office@{EQUIPMENT.host}")]
    assert desk.invite() == [401]  # its equipment is nobody's


def test_a_line_that_stays_keeps_its_registrations(desk: Desk) -> None:
    assert register(desk) == [200]
    lines = [replace(line, plan="classic-in-klik") for line in desk.switch.lines.by_user.values()]
    desk.switch.replace_lines(lines, at(0))
    assert desk.switch.sizes()["bindings"] == 1
    desk.invite()
    (call,) = desk.switch.calls
    assert call.admission.line is not None
    assert call.admission.line.plan == "classic-in-klik"


def test_new_settings_are_for_new_calls(desk: Desk) -> None:
    desk.invite(branch="before")
    limits = replace(settings().limits, max_s=600)
    desk.switch.replace_settings(replace(settings(), limits=limits, trunks=()))
    assert desk.invite(branch="after") == [503]  # no trunk any more
    (call,) = desk.switch.calls
    assert call.admission.limit_s == 7200
    assert desk.invite("sip:+33123456789@x", remote=CARRIER, branch="in") == [401]  # a stranger now


# --- after a restart ----------------------------------------------------------------------------------------


def stored(desk: Desk) -> list[tuple[str, str, int, dict[str, object]]]:
    """What the journal would have kept of a registration."""
    register(desk)
    ((user, binding),) = desk.switch.registrar.everything(at(0))
    return [(user, binding.contact, binding.expires_ns, binding.state())]


def test_registrations_of_lines_that_are_there_go_on(desk: Desk) -> None:
    bindings = stored(desk)
    again = Desk()
    strangers = [("nobody", *row[1:]) for row in bindings]
    again.switch.restore([*bindings, *strangers], [], Moment(0, 0))
    (row,) = again.switch.view_registrations(at(1000))
    assert row == {
        "line": OFFICE,
        "user": "office",
        "contact": f"sip:office@{EQUIPMENT.host}",
        "device": "",
        "from": f"{EQUIPMENT.host}:{EQUIPMENT.port}",
        "expires_s": 3599,
    }


def test_what_expired_meanwhile_or_came_by_a_socket_that_is_no_more_does_not_go_on(desk: Desk) -> None:
    ((user, _, expires_ns, state),) = stored(desk)
    again = Desk()
    elsewhere = {**state, "flow": ["udp", "192.0.2.99", 5060, EQUIPMENT.host, EQUIPMENT.port]}
    again.switch.restore(
        [(user, "sip:expired@x", WALL_NS - 1, state), (user, "sip:elsewhere@x", expires_ns, elsewhere)],
        [],
        Moment(0, 0),
    )
    assert again.switch.view_registrations(at(0)) == []


def test_calls_that_were_running_are_ended_and_recorded(desk: Desk) -> None:
    answered = Moment(500 * NS_PER_S, WALL_NS - 60 * NS_PER_S)
    pending = cdr("orphan", released_by="", cause=None, options=(), duration_s=1, amount=0, segments=())
    never = ["udp", "192.0.2.99", 5060, STRANGER.host, STRANGER.port]
    sides = ({"dialog": None, "flow": never}, {"dialog": {}, "flow": never})
    orphan = CallAnswered("orphan", answered, pending, sides, PaidBy("office", None, False, 7200))
    desk.switch.restore([], [orphan], answered._replace(mono_ns=530 * NS_PER_S))
    desk.orders += desk.switch.drain()
    (record,) = desk.records()
    assert (record.call_id, record.duration_s, record.amount) == ("orphan", 30, 850)
    assert record.flags == ("no-media", "restart")
    assert desk.sent() == []  # there is no way to either side
    desk.assert_at_rest()


# --- the end ------------------------------------------------------------------------------------------------


def test_a_switch_that_stops_takes_no_call_and_ends_those_it_is_told_to() -> None:
    world = Scene()
    alice, bob, (centre, _) = world.phone("alice"), world.phone("bob"), world.centres()
    answers(centre, 100)
    world.up(alice, bob)
    bob.invite("112")
    world.run(1000)
    world.machine.feed(StopCalls(end=False))
    assert alice.invite(bob.number).heard == []
    world.run(500)
    assert alice.talk.heard == ["503"]
    core = world.machine.core
    assert core is not None
    assert len(core.calls) == 2
    world.machine.feed(StopCalls(end=True))
    assert [call.admission.emergency for call in core.calls] == [True]
    world.machine.feed(StopCalls(end=True, emergency=True))
    assert len(core.calls) == 0
    world.rest()


# --- views --------------------------------------------------------------------------------------------------


def test_a_running_call_is_seen_with_its_price() -> None:
    world = Scene()
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "00385123456789")
    world.run(29_900)
    core = world.machine.core
    assert core is not None
    (view,) = core.view_calls(world.moment())
    assert {key: view[key] for key in ("line", "caller", "called", "class", "trunk", "state")} == {
        "line": ALICE,
        "caller": ALICE,
        "called": "+385123456789",
        "class": "INTERNATIONAL",
        "trunk": "carrier",
        "state": "answered",
    }
    due = 11_600 * (view["seconds"] + 1)
    assert 30_000 <= world.moment().wall_ns // 1_000_000 - view["since_ms"] < 35_000  # it rang before
    assert view["amount"] == 800 + (2 * due + 60) // 120
    assert (view["per_minute"], view["source"], view["next_change_s"]) == (11_600, "tariff", None)
    assert (view["cut_s"], view["cut_reason"], view["emergency"]) == (7200, "limit", False)
    alice.talk.bye()
    world.rest()


def test_a_switch_at_rest_holds_nothing(desk: Desk) -> None:
    sizes = desk.switch.sizes()
    assert sizes.pop("lines") == 2
    assert sizes.pop("timers") == 1  # the sweep
    assert set(sizes.values()) == {0}
    assert desk.switch.next_deadline() is not None


def test_what_the_sweep_finds_expired_is_removed_from_the_journal_too(desk: Desk) -> None:
    register(desk)
    desk.orders.clear()
    desk.wait(3700)
    entries = [order.entry for order in desk.orders if isinstance(order, Append)]
    assert entries == [BindingRemoved("office", f"sip:office@{EQUIPMENT.host}")]
    desk.assert_at_rest()
