"""INVITE client transaction: RFC 3261 section 17.1.1, RFC 6026 section 7.2; timers A, B, D and M."""

from __future__ import annotations

import pytest

from switch.sip.message import Request
from switch.sip.parser import parse_datagram
from switch.sip.transaction.invite_client import InviteClient, State
from tests.switch.sip.support import FLOW, RecordingUser, RecordingWire, make_request, make_response

KEY = ("z9hG4bK-1", "INVITE")
TIMEOUT_MS = 32_000


class Caller:
    """One INVITE on a wire that remembers."""

    def __init__(self) -> None:
        self.wire = RecordingWire()
        self.user = RecordingUser()
        self.request = make_request("INVITE", fields={"Route": "<sip:p1;lr>", "Contact": "<sip:a@h>"})
        self.transaction = InviteClient(self.wire, KEY, self.request, FLOW, self.user)

    def receive(self, *statuses: int) -> None:
        for status in statuses:
            self.transaction.receive(make_response(status))

    @property
    def state(self) -> State:
        return self.transaction.state

    def last_sent(self) -> Request:
        message = parse_datagram(self.wire.sent[-1][1])
        assert isinstance(message, Request)
        return message


@pytest.fixture
def caller() -> Caller:
    return Caller()


REACHED: dict[State, tuple[int, ...]] = {
    State.CALLING: (),
    State.PROCEEDING: (180,),
    State.COMPLETED: (486,),
    State.ACCEPTED: (200,),
}


@pytest.mark.parametrize(
    ("state", "status", "after", "told", "sent"),
    [
        (State.CALLING, 100, State.PROCEEDING, [100], 0),
        (State.CALLING, 180, State.PROCEEDING, [180], 0),
        (State.CALLING, 200, State.ACCEPTED, [200], 0),
        (State.CALLING, 302, State.COMPLETED, [302], 1),
        (State.CALLING, 486, State.COMPLETED, [486], 1),
        (State.CALLING, 503, State.COMPLETED, [503], 1),
        (State.CALLING, 603, State.COMPLETED, [603], 1),
        (State.PROCEEDING, 183, State.PROCEEDING, [183], 0),
        (State.PROCEEDING, 200, State.ACCEPTED, [200], 0),
        (State.PROCEEDING, 404, State.COMPLETED, [404], 1),
        (State.COMPLETED, 180, State.COMPLETED, [], 0),
        (State.COMPLETED, 200, State.COMPLETED, [], 0),
        (State.COMPLETED, 486, State.COMPLETED, [], 1),
        (State.ACCEPTED, 180, State.ACCEPTED, [], 0),
        (State.ACCEPTED, 200, State.ACCEPTED, [200], 0),
        (State.ACCEPTED, 486, State.ACCEPTED, [], 0),
    ],
)
def test_a_response_in_each_state(
    caller: Caller, state: State, status: int, after: State, told: list[int | str], sent: int
) -> None:
    caller.receive(*REACHED[state])
    assert caller.state is state
    told_before, sent_before = len(caller.user.told), len(caller.wire.sent)
    caller.receive(status)
    assert caller.state is after
    assert caller.user.told[told_before:] == told
    assert len(caller.wire.sent) - sent_before == sent
    assert caller.wire.forgotten == []


def test_timer_a_repeats_the_invite_at_doubling_intervals_until_timer_b(caller: Caller) -> None:
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.wire.times_ms == [0, 500, 1500, 3500, 7500, 15_500, 31_500]
    assert caller.wire.repeats == [False] + [True] * 6
    assert {data for _, data, _ in caller.wire.sent} == {caller.request.encode()}
    assert caller.user.told == ["timeout"]
    assert caller.state is State.TERMINATED
    assert caller.wire.forgotten == [KEY]
    assert len(caller.wire.timers) == 0


def test_a_provisional_response_stops_timers_a_and_b(caller: Caller) -> None:
    caller.wire.run_to(600)
    caller.receive(100)
    assert len(caller.wire.timers) == 0
    caller.wire.run_to(10 * TIMEOUT_MS)
    assert caller.wire.times_ms == [0, 500]
    assert caller.state is State.PROCEEDING


@pytest.mark.parametrize(
    ("status", "state"), [(486, State.COMPLETED), (200, State.ACCEPTED)], ids=["timer D", "timer M"]
)
def test_a_final_response_is_waited_for_again_until_timers_d_and_m(
    caller: Caller, status: int, state: State
) -> None:
    caller.receive(180, status)
    caller.wire.run_to(TIMEOUT_MS - 1)
    assert caller.state is state
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.state is State.TERMINATED
    assert caller.wire.forgotten == [KEY]
    assert caller.user.told == [180, status]
    assert len(caller.wire.timers) == 0


def test_the_ack_of_a_refusal_is_made_from_the_invite_and_the_response(caller: Caller) -> None:
    """RFC 3261 section 17.1.1.3."""
    caller.transaction.receive(make_response(486, {"To": "<sip:bob@example.com>;tag=theirs"}))
    ack = caller.last_sent()
    assert (ack.method, ack.uri) == ("ACK", caller.request.uri)
    assert ack.cseq == (1, "ACK")
    for name in ("Via", "From", "Call-ID", "Route"):
        assert ack.rows(name) == caller.request.rows(name)
    assert ack.recipient.tag == "theirs"
    assert ack.body == b""
    assert "Contact" not in ack.fields


def test_every_repeated_refusal_gets_the_same_ack(caller: Caller) -> None:
    caller.receive(486, 486, 486)
    acks = caller.wire.sent[1:]
    assert len({data for _, data, _ in acks}) == 1
    assert [again for _, _, again in acks] == [False, True, True]


def test_a_2xx_is_left_for_the_user_to_acknowledge_every_time(caller: Caller) -> None:
    caller.receive(200, 200, 200)
    assert caller.user.told == [200, 200, 200]
    assert len(caller.wire.sent) == 1


def test_cancel_waits_for_a_provisional_response(caller: Caller) -> None:
    """RFC 3261 section 9.1."""
    assert caller.transaction.cancel([]) is None
    caller.receive(100)
    cancel = caller.transaction.cancel(['SIP;cause=200;text="Call completed elsewhere"'])
    assert cancel is not None
    assert (cancel.method, cancel.uri) == ("CANCEL", caller.request.uri)
    assert cancel.cseq == (1, "CANCEL")
    for name in ("Via", "From", "To", "Call-ID", "Route"):
        assert cancel.rows(name) == caller.request.rows(name)
    assert cancel.rows("Reason") == ['SIP;cause=200;text="Call completed elsewhere"']
    assert "Contact" not in cancel.fields


@pytest.mark.parametrize("status", [200, 486])
def test_after_a_final_response_nothing_can_be_cancelled(caller: Caller, status: int) -> None:
    caller.receive(status)
    assert caller.transaction.cancel([]) is None


def test_a_cancelled_invite_waits_64_t1_for_its_final_response(caller: Caller) -> None:
    caller.receive(180)
    caller.transaction.cancel([])
    caller.wire.run_to(TIMEOUT_MS - 1)
    assert caller.state is State.PROCEEDING
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.user.told == [180, "timeout"]
    assert caller.wire.forgotten == [KEY]


def test_the_final_response_of_a_cancelled_invite_ends_the_waiting(caller: Caller) -> None:
    caller.receive(180)
    caller.transaction.cancel([])
    caller.receive(487)
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.user.told == [180, 487]


def test_a_failed_flow_is_a_timeout_at_once(caller: Caller) -> None:
    """RFC 3261 section 17.1.4."""
    caller.transaction.fail()
    assert caller.user.told == ["timeout"]
    assert caller.state is State.TERMINATED
    assert len(caller.wire.timers) == 0


def test_a_repetition_that_could_not_be_sent_is_no_failure(caller: Caller) -> None:
    """The first INVITE may have arrived, and its answer be on the way."""
    caller.wire.run_to(600)
    caller.transaction.fail()
    assert caller.user.told == []
    caller.receive(180)
    caller.transaction.fail()
    caller.receive(200)
    assert caller.user.told == [180, 200]


@pytest.mark.parametrize("status", [200, 486])
def test_a_failed_flow_after_the_final_response_changes_nothing(caller: Caller, status: int) -> None:
    caller.receive(status)
    caller.transaction.fail()
    assert caller.user.told == [status]
    assert caller.wire.forgotten == []
