"""Non-INVITE server transaction: RFC 3261 section 17.2.2; timer J."""

from __future__ import annotations

import pytest

from switch.sip.message import respond
from switch.sip.transaction.server import ServerTransaction, State
from tests.switch.sip.support import FLOW, RecordingWire, make_request

KEY = ("z9hG4bK-1", "198.51.100.7", "5060", "BYE", "1")
TIMEOUT_MS = 32_000
BYE = make_request("BYE")


class Callee:
    """One BYE from a wire that remembers."""

    def __init__(self) -> None:
        self.wire = RecordingWire()
        self.transaction = ServerTransaction(self.wire, KEY, FLOW)

    def respond(self, *statuses: int) -> None:
        for status in statuses:
            self.transaction.respond(respond(BYE, status, tag="ours"))

    @property
    def statuses(self) -> list[int]:
        return [int(data[8:11]) for _, data, _ in self.wire.sent]


@pytest.mark.parametrize(
    ("before", "state", "repeated"),
    [
        ((), State.TRYING, []),
        ((100,), State.PROCEEDING, [100]),
        ((100, 182), State.PROCEEDING, [182]),
        ((200,), State.COMPLETED, [200]),
        ((100, 481), State.COMPLETED, [481]),
    ],
)
def test_a_repeated_request_in_each_state(before: tuple[int, ...], state: State, repeated: list[int]) -> None:
    callee = Callee()
    callee.respond(*before)
    assert callee.transaction.state is state
    sent = len(callee.wire.sent)
    callee.transaction.receive(BYE)
    assert callee.statuses[sent:] == repeated
    assert callee.wire.repeats[sent:] == [True] * len(repeated)


def test_a_second_final_response_is_dropped() -> None:
    callee = Callee()
    callee.respond(200, 481, 100)
    assert callee.statuses == [200]


def test_timer_j_answers_repetitions_for_64_t1() -> None:
    callee = Callee()
    callee.respond(100)
    callee.wire.run_to(1_000)
    callee.respond(200)
    callee.wire.run_to(1_000 + TIMEOUT_MS - 1)
    callee.transaction.receive(BYE)
    assert callee.statuses == [100, 200, 200]
    callee.wire.run_to(1_000 + TIMEOUT_MS)
    assert callee.transaction.state is State.TERMINATED
    assert callee.wire.forgotten == [KEY]
    callee.transaction.receive(BYE)
    callee.respond(200)
    assert callee.statuses == [100, 200, 200]
    assert len(callee.wire.timers) == 0
