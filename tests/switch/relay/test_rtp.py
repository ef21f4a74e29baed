"""Loss (RFC 3550 A.1, A.3) and jitter (A.8) of a received stream."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.relay.rtp import Reception

FRAME_NS = 20_000_000
FRAME_UNITS = 160
SSRC = 0xCAFE


def rtp(sequence: int, timestamp: int = 0, ssrc: int = SSRC, first: int = 0x80) -> bytearray:
    return bytearray(pack("!BBHII", first, 8, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)) + bytes(160)


def received(sequences: list[int]) -> Reception:
    reception = Reception()
    for sequence in sequences:
        reception.receive(rtp(sequence), 172, 0)
    return reception


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([7], 0, id="one"),
        pytest.param([7, 8, 9], 0, id="in order"),
        pytest.param([7, 9], 1, id="gap"),
        pytest.param([7, 9, 8], 0, id="reordered"),
        pytest.param([7, 8, 8, 9], 0, id="duplicate"),
        pytest.param([7, 8, 8, 8, 10], 0, id="duplicates hide a loss, as in A.3"),
        pytest.param([65534, 65535, 0, 1], 0, id="wrap"),
        pytest.param([65534, 1], 2, id="loss across a wrap"),
        pytest.param([65534, 0, 65535, 1], 0, id="reordered across a wrap"),
        pytest.param([65535, 0, *range(1, 65536), 0, 2], 1, id="two wraps"),
        pytest.param([0, 2999], 2998, id="largest gap that is a loss"),
        pytest.param([0, 3000], 0, id="a single far packet counts for nothing"),
        pytest.param([0, 1, 30000, 30001, 30002], 0, id="jump: a new series"),
        pytest.param([0, 2, 30000, 30001, 30003], 2, id="losses of both series add up"),
        pytest.param([1000, 900, 1001], 0, id="back by a hundred is a jump, not late"),
        pytest.param([1000, 901, 1001], 0, id="late by less"),
    ],
)
def test_loss(sequences: list[int], lost: int) -> None:
    reception = received(sequences)
    assert reception.lost == lost
    assert reception.packets == len(sequences)


def test_a_changed_ssrc_opens_a_new_series() -> None:
    reception = received([5, 6, 8])
    for sequence in (40000, 40001, 40003):
        reception.receive(rtp(sequence, ssrc=0xBEEF), 172, 0)
    assert (reception.lost, reception.ssrc_changes, reception.packets) == (2, 1, 6)


def test_an_ssrc_that_changes_without_a_gap_is_seen_at_the_next_sample() -> None:
    reception = received([30, 31])
    for sequence in range(32, 70):
        reception.receive(rtp(sequence, ssrc=0xBEEF), 172, 0)
    assert (reception.lost, reception.ssrc_changes) == (0, 1)


def test_what_is_not_rtp_is_counted_but_not_measured() -> None:
    reception = received([7, 8])
    reception.receive(rtp(4711, first=0), 172, 0)  # STUN
    reception.receive(rtp(0xFEFD, first=22), 172, 0)  # DTLS
    reception.receive(rtp(9), 172, 0)
    assert (reception.lost, reception.packets, reception.bytes) == (0, 5, 5 * 172)


def test_first_and_last_arrival() -> None:
    reception = Reception()
    for index in range(3):
        reception.receive(rtp(index), 172, 100 + index)
    assert (reception.first_ns, reception.last_ns) == (100, 102)


def run(delays_ns: list[int], clock_rate: int = 8000, start: int = 65500) -> Reception:
    """A stream of 20 ms frames of which the n-th is delayed by `delays_ns[n]`."""
    reception = Reception(clock_rate)
    units = clock_rate // 50
    for index, delay_ns in enumerate(delays_ns):
        packet = rtp(start + index, 0xFFFFF000 + index * units)
        reception.receive(packet, 172, 1_000_000_000 + index * FRAME_NS + delay_ns)
    return reception


def test_an_even_stream_has_no_jitter() -> None:
    assert run([5_000_000] * 500).jitter == 0


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
def test_jitter_tends_to_the_mean_difference_of_neighbours(clock_rate: int) -> None:
    """Every other packet 10 ms late: each pair differs by 10 ms, and so does the estimate in the end."""
    reception = run([10_000_000 * (index % 2) for index in range(6400)], clock_rate)
    assert reception.jitter == pytest.approx(clock_rate // 100, abs=clock_rate // 500)
    assert reception.jitter_ms in (9, 10)


def test_jitter_agrees_with_the_text_of_a8_pair_by_pair() -> None:
    delays_ns = [(index * 7919 % 13) * 1_000_000 for index in range(3200)]
    expected16 = 0
    start = 65500
    for index in range(1, len(delays_ns)):
        if (start + index) & 31 == 1:
            difference = abs(
                ((FRAME_NS + delays_ns[index] - delays_ns[index - 1]) * 8000 // 1_000_000_000) - FRAME_UNITS
            )
            expected16 += difference - ((expected16 + 8) >> 4)
    assert run(delays_ns, start=start).jitter == expected16 >> 4


def test_one_event_with_one_timestamp_is_no_jitter() -> None:
    """RFC 4733: the packets of a long event repeat the timestamp of its start."""
    reception = Reception()
    for index in range(320):
        reception.receive(rtp(index, 4000), 172, index * FRAME_NS)
    assert reception.jitter == 0


@given(st.lists(st.integers(0, 65535), max_size=60), st.binary(min_size=12, max_size=40))
def test_any_sequence_and_any_bytes_leave_sane_figures(sequences: list[int], noise: bytes) -> None:
    reception = received(sequences)
    reception.receive(bytearray(noise), len(noise), 5)
    assert reception.packets == len(sequences) + 1
    assert reception.lost >= 0
    assert 0 <= reception.jitter <= 8000


@given(st.integers(0, 65535), st.sets(st.integers(1, 400), max_size=200))
def test_every_missing_packet_is_a_lost_one(start: int, missing: set[int]) -> None:
    assert received([start + n for n in range(402) if n not in missing]).lost == len(missing)
