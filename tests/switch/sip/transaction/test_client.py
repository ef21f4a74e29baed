"""Non-INVITE client transaction: RFC 3261 section 17.1.2; timers E, F and K."""

from __future__ import annotations

import pytest

from switch.sip.transaction.client import ClientTransaction, State
from tests.switch.sip.support import FLOW, RecordingUser, RecordingWire, make_response

KEY = ("z9hG4bK-1", "BYE")
TIMEOUT_MS = 32_000


class Caller:
    """One BYE on a wire that remembers."""

    def __init__(self) -> None:
        self.wire = RecordingWire()
        self.user = RecordingUser()
        self.transaction = ClientTransaction(self.wire, KEY, b"the request", FLOW, self.user)

    def receive(self, *statuses: int) -> None:
        for status in statuses:
            self.transaction.receive(make_response(status, {"CSeq": "1 BYE"}))


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.mark.parametrize(
    ("before", "status", "after", "told"),
    [
        ((), 100, State.PROCEEDING, [100]),
        ((), 200, State.COMPLETED, [200]),
        ((), 481, State.COMPLETED, [481]),
        ((100,), 183, State.PROCEEDING, [183]),
        ((100,), 200, State.COMPLETED, [200]),
        ((100,), 503, State.COMPLETED, [503]),
        ((200,), 200, State.COMPLETED, []),
        ((200,), 100, State.COMPLETED, []),
        ((200,), 481, State.COMPLETED, []),
    ],
)
def test_a_response_in_each_state(
    caller: Caller, before: tuple[int, ...], status: int, after: State, told: list[int | str]
) -> None:
    caller.receive(*before)
    told_before = len(caller.user.told)
    caller.receive(status)
    assert caller.transaction.state is after
    assert caller.user.told[told_before:] == told
    assert len(caller.wire.sent) == 1


def test_timer_e_doubles_to_t2_until_timer_f(caller: Caller) -> None:
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.wire.times_ms == [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    assert caller.wire.repeats == [False] + [True] * 10
    assert caller.user.told == ["timeout"]
    assert caller.wire.forgotten == [KEY]
    assert len(caller.wire.timers) == 0


def test_after_a_provisional_response_timer_e_is_t2_and_timer_f_goes_on(caller: Caller) -> None:
    """RFC 3261 section 17.1.2.2: set to T2 when it fires in PROCEEDING."""
    caller.receive(100)
    caller.wire.run_to(TIMEOUT_MS)
    assert caller.wire.times_ms == [0, 500, 4500, 8500, 12_500, 16_500, 20_500, 24_500, 28_500]
    assert caller.user.told == [100, "timeout"]


def test_a_final_response_stops_repeating_and_timer_k_absorbs_for_t4(caller: Caller) -> None:
    caller.wire.run_to(700)
    caller.receive(200)
    caller.wire.run_to(700 + 4_999)
    assert caller.wire.forgotten == []
    caller.receive(200)
    caller.wire.run_to(700 + 5_000)
    assert caller.transaction.state is State.TERMINATED
    assert caller.wire.forgotten == [KEY]
    assert caller.wire.times_ms == [0, 500]
    assert caller.user.told == [200]
    assert len(caller.wire.timers) == 0


@pytest.mark.parametrize("before", [(), (100,)])
def test_a_failed_flow_is_a_timeout_at_once(caller: Caller, before: tuple[int, ...]) -> None:
    caller.receive(*before)
    caller.transaction.fail()
    caller.transaction.fail()
    assert caller.user.told == [*before, "timeout"]
    assert caller.wire.forgotten == [KEY]
    assert len(caller.wire.timers) == 0


def test_a_failed_flow_after_the_final_response_changes_nothing(caller: Caller) -> None:
    caller.receive(200)
    caller.transaction.fail()
    assert caller.user.told == [200]
    assert caller.transaction.state is State.COMPLETED


def test_nobody_needs_to_care() -> None:
    wire = RecordingWire()
    transaction = ClientTransaction(wire, KEY, b"the request", FLOW, None)
    transaction.receive(make_response(100, {"CSeq": "1 BYE"}))
    transaction.receive(make_response(200, {"CSeq": "1 BYE"}))
    assert transaction.state is State.COMPLETED
    ClientTransaction(wire, KEY, b"the request", FLOW, None)
    wire.run_to(TIMEOUT_MS)
    assert wire.forgotten == [KEY, KEY]
