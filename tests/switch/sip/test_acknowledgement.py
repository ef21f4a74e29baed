"""Repeating a 2xx until its ACK comes: RFC 3261 section 13.3.1.4."""

from __future__ import annotations

from switch.sip.acknowledgement import Acknowledgement
from tests.switch.sip.support import FLOW, RecordingWire


def test_a_2xx_is_repeated_at_t1_doubling_to_t2_for_64_t1() -> None:
    wire, missing = RecordingWire(), list[int]()
    Acknowledgement(wire, FLOW, b"200", 7, lambda: missing.append(wire.now_ms))
    wire.run_to(60_000)
    assert wire.times_ms == [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    assert all(wire.repeats)
    assert missing == [32_000]
    assert len(wire.timers) == 0


def test_the_ack_ends_it() -> None:
    wire, missing = RecordingWire(), list[int]()
    wait = Acknowledgement(wire, FLOW, b"200", 7, lambda: missing.append(wire.now_ms))
    assert wait.cseq == 7
    wire.run_to(600)
    wait.stop()
    wait.stop()
    wire.run_to(60_000)
    assert wire.times_ms == [500]
    assert missing == []
    assert len(wire.timers) == 0
