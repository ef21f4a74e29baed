"""Transactions over a connection: nothing is repeated, and what only waits for repetitions ends at once (RFC
3261 section 17: timers A, E and G do not run, D, I, J and K are zero)."""

from __future__ import annotations

from switch.sip.message import respond
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.transaction.invite_server import InviteServer
from switch.sip.transaction.server import ServerTransaction
from tests.switch.sip.support import FLOW, RecordingUser, RecordingWire, make_request, make_response

TCP = FLOW._replace(transport="tcp")
INVITE = make_request("INVITE", "sip:bob@example.com")
KEY = ("z9hG4bK-1", "INVITE")
LATE_MS = 40_000


def test_a_request_is_sent_once_and_over_with_its_answer() -> None:
    wire, user = RecordingWire(), RecordingUser()
    transaction = ClientTransaction(wire, KEY, b"the request", TCP, user)
    wire.run_to(10_000)
    transaction.receive(make_response(200, {"CSeq": "1 BYE"}))
    assert (len(wire.sent), user.told, wire.forgotten) == (1, [200], [KEY])
    assert len(wire.timers) == 0


def test_a_request_without_answer_still_times_out() -> None:
    wire, user = RecordingWire(), RecordingUser()
    ClientTransaction(wire, KEY, b"the request", TCP, user)
    wire.run_to(LATE_MS)
    assert (len(wire.sent), user.told, wire.forgotten) == (1, ["timeout"], [KEY])


def test_a_refused_invite_is_acknowledged_and_over() -> None:
    wire, user = RecordingWire(), RecordingUser()
    transaction = InviteClient(wire, KEY, INVITE, TCP, user)
    wire.run_to(10_000)
    assert len(wire.sent) == 1
    transaction.receive(make_response(486))
    assert [data.split()[0] for _, data, _ in wire.sent] == [b"INVITE", b"ACK"]
    assert (user.told, wire.forgotten, len(wire.timers)) == ([486], [KEY], 0)


def test_an_invite_whose_connection_ends_has_failed_even_when_it_rings() -> None:
    wire, user = RecordingWire(), RecordingUser()
    transaction = InviteClient(wire, KEY, INVITE, TCP, user)
    transaction.receive(make_response(180))
    transaction.broken()
    assert (user.told, wire.forgotten, len(wire.timers)) == ([180, "timeout"], [KEY], 0)


def test_an_answered_invite_does_not_mind_the_end_of_its_connection() -> None:
    wire, user = RecordingWire(), RecordingUser()
    transaction = InviteClient(wire, KEY, INVITE, TCP, user)
    transaction.receive(make_response(200))
    transaction.broken()
    assert user.told == [200]


def test_a_refusal_is_sent_once_and_over_with_its_ack() -> None:
    wire = RecordingWire()
    transaction = InviteServer(wire, KEY, INVITE, TCP)
    transaction.respond(respond(INVITE, 486, tag="t"))
    wire.run_to(10_000)
    assert (len(wire.sent), wire.forgotten) == (1, [])
    transaction.receive(make_request("ACK", "sip:bob@example.com"))
    assert (wire.forgotten, len(wire.timers)) == ([KEY], 0)


def test_an_answered_request_is_over() -> None:
    wire = RecordingWire()
    transaction = ServerTransaction(wire, KEY, TCP)
    transaction.respond(respond(make_request("BYE", "sip:bob@example.com"), 200, tag="t"))
    assert (len(wire.sent), wire.forgotten, len(wire.timers)) == (1, [KEY], 0)
