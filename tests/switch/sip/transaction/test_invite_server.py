"""INVITE server transaction: RFC 3261 section 17.2.1, RFC 6026 section 7.1; timers G, H, I and L."""

from __future__ import annotations

import pytest

from switch.sip.message import Request, respond
from switch.sip.transaction.invite_server import InviteServer, State
from tests.switch.sip.support import FLOW, RecordingWire, make_request

KEY = ("z9hG4bK-1", "198.51.100.7", "5060", "INVITE", "1")
TIMEOUT_MS = 32_000
T4_MS = 5_000
INVITE = make_request("INVITE")
ACK = make_request("ACK", fields={"CSeq": "1 ACK"})
CANCEL = make_request("CANCEL", fields={"CSeq": "1 CANCEL"})


class Callee:
    """One INVITE from a wire that remembers."""

    def __init__(self) -> None:
        self.wire = RecordingWire()
        self.cancelled: list[Request] = []
        self.transaction = InviteServer(self.wire, KEY, INVITE, FLOW)
        self.transaction.user = self

    def on_cancel(self, request: Request) -> None:
        self.cancelled.append(request)

    def respond(self, *statuses: int) -> None:
        for status in statuses:
            self.transaction.respond(respond(INVITE, status, tag="ours"))

    @property
    def state(self) -> State:
        return self.transaction.state

    @property
    def statuses(self) -> list[int]:
        return [int(data[8:11]) for _, data, _ in self.wire.sent]


@pytest.fixture
def callee() -> Callee:
    return Callee()


def bring_to(callee: Callee, state: State) -> None:
    match state:
        case State.PROCEEDING:
            callee.respond(180)
        case State.COMPLETED:
            callee.respond(486)
        case State.CONFIRMED:
            callee.respond(486)
            callee.transaction.receive(ACK)
        case State.ACCEPTED:
            callee.respond(200)
        case State.TERMINATED:
            callee.respond(486)
            callee.wire.run_to(TIMEOUT_MS)
    assert callee.state is state


@pytest.mark.parametrize(
    ("state", "request_", "after", "sent"),
    [
        (State.PROCEEDING, INVITE, State.PROCEEDING, [180]),
        (State.PROCEEDING, ACK, State.PROCEEDING, []),
        (State.COMPLETED, INVITE, State.COMPLETED, [486]),
        (State.COMPLETED, ACK, State.CONFIRMED, []),
        (State.CONFIRMED, INVITE, State.CONFIRMED, []),
        (State.CONFIRMED, ACK, State.CONFIRMED, []),
        (State.ACCEPTED, INVITE, State.ACCEPTED, []),
        (State.ACCEPTED, ACK, State.ACCEPTED, []),
        (State.TERMINATED, INVITE, State.TERMINATED, []),
        (State.TERMINATED, ACK, State.TERMINATED, []),
    ],
)
def test_a_request_in_each_state(
    callee: Callee, state: State, request_: Request, after: State, sent: list[int]
) -> None:
    bring_to(callee, state)
    before = len(callee.wire.sent)
    callee.transaction.receive(request_)
    assert callee.state is after
    assert callee.statuses[before:] == sent
    assert callee.wire.repeats[before:] == [True] * len(sent)


@pytest.mark.parametrize(
    ("state", "status", "after", "sent"),
    [
        (State.PROCEEDING, 183, State.PROCEEDING, [183]),
        (State.PROCEEDING, 200, State.ACCEPTED, [200]),
        (State.PROCEEDING, 302, State.COMPLETED, [302]),
        (State.PROCEEDING, 600, State.COMPLETED, [600]),
        (State.COMPLETED, 180, State.COMPLETED, []),
        (State.COMPLETED, 200, State.COMPLETED, []),
        (State.CONFIRMED, 200, State.CONFIRMED, []),
        (State.ACCEPTED, 486, State.ACCEPTED, []),
        (State.ACCEPTED, 180, State.ACCEPTED, []),
        (State.TERMINATED, 200, State.TERMINATED, []),
    ],
)
def test_a_response_in_each_state(
    callee: Callee, state: State, status: int, after: State, sent: list[int]
) -> None:
    bring_to(callee, state)
    before = len(callee.wire.sent)
    callee.respond(status)
    assert callee.state is after
    assert callee.statuses[before:] == sent


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        (State.PROCEEDING, True),
        (State.COMPLETED, False),
        (State.CONFIRMED, False),
        (State.ACCEPTED, False),
        (State.TERMINATED, False),
    ],
)
def test_cancel_is_heard_before_the_final_response_only(callee: Callee, state: State, heard: bool) -> None:
    """RFC 3261 section 9.2."""
    bring_to(callee, state)
    callee.transaction.cancelled(CANCEL)
    assert callee.cancelled == ([CANCEL] if heard else [])


def test_nothing_is_repeated_before_there_is_a_response(callee: Callee) -> None:
    callee.transaction.receive(INVITE)
    assert callee.wire.sent == []


def test_a_repeated_invite_gets_the_latest_provisional(callee: Callee) -> None:
    callee.respond(100, 180, 183)
    callee.transaction.receive(INVITE)
    assert callee.statuses == [100, 180, 183, 183]


def test_timer_g_repeats_a_refusal_until_timer_h(callee: Callee) -> None:
    callee.respond(486)
    callee.wire.run_to(TIMEOUT_MS)
    assert callee.wire.times_ms == [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    assert callee.wire.repeats == [False] + [True] * 10
    assert callee.state is State.TERMINATED
    assert callee.wire.forgotten == [KEY]
    assert len(callee.wire.timers) == 0


def test_an_ack_stops_timer_g_and_timer_i_absorbs_for_t4(callee: Callee) -> None:
    callee.respond(486)
    callee.wire.run_to(600)
    callee.transaction.receive(ACK)
    callee.wire.run_to(600 + T4_MS - 1)
    assert callee.wire.forgotten == []
    callee.wire.run_to(600 + T4_MS)
    assert callee.state is State.TERMINATED
    assert callee.wire.times_ms == [0, 500]
    assert callee.wire.forgotten == [KEY]
    assert len(callee.wire.timers) == 0


def test_a_2xx_is_sent_once_and_timer_l_absorbs_invites(callee: Callee) -> None:
    callee.respond(200)
    callee.wire.run_to(TIMEOUT_MS - 1)
    callee.transaction.receive(INVITE)
    assert callee.wire.forgotten == []
    callee.wire.run_to(TIMEOUT_MS)
    assert callee.state is State.TERMINATED
    assert callee.wire.times_ms == [0]
    assert callee.wire.forgotten == [KEY]
    assert len(callee.wire.timers) == 0


def test_after_a_2xx_the_transaction_knows_the_dialog_its_ack_belongs_to(callee: Callee) -> None:
    assert callee.transaction.tag == ""
    callee.respond(200)
    assert callee.transaction.tag == "ours"


@pytest.mark.parametrize("status", [200, 486])
def test_a_settled_transaction_holds_on_to_nothing_above(callee: Callee, status: int) -> None:
    callee.respond(status)
    assert callee.transaction.user is None
    assert callee.transaction.request is None
