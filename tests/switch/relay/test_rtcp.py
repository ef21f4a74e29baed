"""What is read of RTCP on its way: loss and jitter as a party reports them, and the round trip (RFC 3550
section 6.4.1)."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.relay.rtcp import Reports
from tests.switch.relay.harness import Party, Relay
from tests.switch.relay.test_forwarding import linked

MS = 1_000_000
STAMP = 0x1234_5678


def sender_report(stamp: int = STAMP, blocks: bytes = b"") -> bytes:
    count = len(blocks) // 24
    head = pack("!BBHI", 0x80 | count, 200, 6 + 6 * count, 0xA)
    return head + pack("!QIII", stamp << 16, 160, 1, 160) + blocks


def block(*, lost: int = 0, jitter: int = 0, stamp: int = 0, delay_ms: int = 0) -> bytes:
    return pack("!IIIIII", 0xB, lost & 0xFFFFFF, 7, jitter, stamp, delay_ms * 65_536 // 1000)


def receiver_report(blocks: bytes) -> bytes:
    count = len(blocks) // 24
    return pack("!BBHI", 0x80 | count, 201, 1 + 6 * count, 0xB) + blocks


def read(by: Reports, packet: bytes, now_ms: int, other: Reports) -> None:
    buffer = bytearray(2048)
    buffer[: len(packet)] = packet
    by.read(buffer, len(packet), now_ms * MS, other)


def figures(reports: Reports) -> tuple[int, int, int]:
    return reports.lost, reports.jitter, reports.rtt_ms


def test_the_round_trip_is_what_the_party_did_not_wait() -> None:
    caller, callee = Reports(), Reports()
    read(caller, sender_report(), 1000, callee)
    read(callee, receiver_report(block(lost=3, jitter=16, stamp=STAMP, delay_ms=2000)), 3045, caller)
    assert figures(callee) == (3, 16, 45)
    assert figures(caller) == (-1, -1, -1), "it has reported nothing"


def test_a_report_within_a_sender_report_and_a_compound_packet() -> None:
    caller, callee = Reports(), Reports()
    read(caller, sender_report(), 1000, callee)
    words = pack("!BBHI", 0x81, 202, 2, 0xB) + b"\1\2me\0\0\0\0"
    packet = words[:12] + sender_report(7, block(lost=-2, stamp=STAMP, delay_ms=10))
    read(callee, packet, 1030, caller)
    assert figures(callee) == (-2, 0, 20)


@pytest.mark.parametrize(
    ("stamp", "delay_ms", "now_ms"),
    [
        pytest.param(0, 0, 1100, id="it has had none"),
        pytest.param(STAMP + 1, 0, 1100, id="one that never was"),
        pytest.param(STAMP, 500, 1100, id="it waited longer than there was time"),
        pytest.param(STAMP, 0, 62_000, id="a minute"),
    ],
)
def test_a_round_trip_that_cannot_be(stamp: int, delay_ms: int, now_ms: int) -> None:
    caller, callee = Reports(), Reports()
    read(caller, sender_report(), 1000, callee)
    read(callee, receiver_report(block(stamp=stamp, delay_ms=delay_ms)), now_ms, caller)
    assert figures(callee) == (0, 0, -1)


def test_of_many_sender_reports_the_last_few_are_known() -> None:
    caller, callee = Reports(), Reports()
    for number in range(1, 1000):
        read(caller, sender_report(number), number, callee)
    assert len(callee._known) <= 8
    read(callee, receiver_report(block(stamp=999)), 1010, caller)
    assert callee.rtt_ms == 11


@given(st.binary(max_size=120))
def test_garbage_is_passed_over(garbage: bytes) -> None:
    one, other = Reports(), Reports()
    read(one, garbage, 1, other)
    read(one, b"\x81\xc9\x00\x07" + garbage, 1, other)
    assert len(other._known) <= 8


def test_through_a_relay(relay: Relay, session: int) -> None:
    """Read where it passes, and passed as it was."""
    stream, caller, callee = linked(relay, session)
    parties: list[tuple[Party, tuple[str, int], Party, bytes]] = [
        (caller, stream.caller, callee, sender_report()),
        (callee, stream.callee, caller, receiver_report(block(lost=4, jitter=80, stamp=STAMP))),
    ]
    for sender, at, receiver, packet in parties:
        sender.send(packet, at)
        assert receiver.receive()[0] == packet
    of_caller, of_callee = relay.ask("peek", session)[2][0]
    assert (of_callee["reported_lost"], of_callee["reported_jitter_ms"]) == (4, 10)
    assert 0 <= of_callee["rtt_ms"] < 1000
    assert of_caller["rtt_ms"] == -1
