"""An announcement itself: its packets, how often it is heard, and what it holds back."""

from __future__ import annotations

from array import array
from struct import pack, unpack

import pytest

from switch.relay.announcement import Announcement
from switch.relay.g711 import encode
from switch.relay.recording import Recording
from tests.switch.relay.harness import rtcp, rtp
from tests.switch.relay.sound import samples, sine

PCMU, PCMA = {0: "PCMU"}, {8: "PCMA"}
SPEECH = array("h", sine(440, 800))


def announcement(codecs: dict[int, str] | None = None, times: int = 1) -> Announcement:
    return Announcement(codecs or PCMA, Recording(SPEECH), times)


def heads(packets: list[bytes]) -> list[tuple[int, ...]]:
    return [unpack("!BBHII", packet[:12]) for packet in packets]


@pytest.mark.parametrize("codecs", [PCMA, PCMU, {97: "PCMU", 8: "PCMA"}])
def test_its_packets_are_one_talkspurt_in_the_codec_liked_best(codecs: dict[int, str]) -> None:
    """RFC 3550 section 5.1; RFC 3551 section 4.1: the marker is on the first packet."""
    playing, packets = announcement(codecs), []
    while not playing.over(0):
        packets.append(playing.beat(0, 1))
    kind, codec = next(iter(codecs.items()))
    assert samples(packets) == encode(codec, SPEECH)
    seen = heads(packets)
    _, _, sequence, timestamp, ssrc = seen[0]
    assert seen == [
        (
            0x80,
            kind | (0 if step else 0x80),
            sequence + step & 0xFFFF,
            timestamp + 160 * step & 0xFFFFFFFF,
            ssrc,
        )
        for step in range(5)
    ]


def test_what_is_no_whole_packet_ends_in_silence() -> None:
    playing = Announcement(PCMU, Recording(SPEECH[:200]), 1)
    assert samples([playing.beat(0, 1), playing.beat(0, 1)]) == encode("PCMU", SPEECH[:200]) + b"\xff" * 120
    assert playing.over(0)


def test_it_is_heard_as_often_as_was_asked() -> None:
    playing, packets = announcement(times=3), []
    while not playing.over(0):
        packets.append(playing.beat(0, 1))
    assert samples(packets) == 3 * encode("PCMA", SPEECH)


def test_without_a_number_it_goes_on() -> None:
    playing = announcement(times=0)
    packets = [playing.beat(0, 1) for _ in range(5 * 200)]
    assert not playing.over(0)
    assert samples(packets) == 200 * encode("PCMA", SPEECH)


def test_missed_beats_cut_nothing_out_and_show_in_the_timestamp() -> None:
    playing = announcement()
    packets = [playing.beat(0, 1), playing.beat(0, 4), playing.beat(0, 1)]
    assert samples(packets) == encode("PCMA", SPEECH[:480])
    (_, _, first, began, _), (_, _, second, resumed, _), (_, _, third, on, _) = heads(packets)
    assert ((second - first) & 0xFFFF, (third - second) & 0xFFFF) == (1, 1)
    assert ((resumed - began) & 0xFFFFFFFF, (on - resumed) & 0xFFFFFFFF) == (640, 160)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(rtp(1), id="speech"),
        pytest.param(pack("!BBHII", 0x80, 101, 1, 1, 1) + b"\x05\x0a\x03\x20", id="telephone-event"),
        pytest.param(pack("!BBHII", 0x80, 0x80 | 9, 1, 1, 1) + bytes(160), id="another codec"),
    ],
)
def test_the_other_partys_stream_is_held_back(data: bytes) -> None:
    assert announcement().fill(memoryview(bytearray(data))) is None


@pytest.mark.parametrize(
    "data", [rtcp(), bytes([0, 1]) + bytes(18), bytes([22, 0x08]) + bytes(40), b"", b"\x80"]
)
def test_what_is_no_rtp_passes_untouched(data: bytes) -> None:
    packet = bytearray(data)
    assert announcement().fill(memoryview(packet)) == len(data)
    assert packet == data


@pytest.mark.parametrize(
    ("codecs", "times", "said"),
    [
        ({}, 1, "without a codec"),
        ({9: "G722"}, 1, "codec G722"),
        ({72: "PCMA"}, 1, "payload type 72"),
        (PCMA, -1, "-1 times"),
    ],
)
def test_what_cannot_be_played(codecs: dict[int, str], times: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Announcement(codecs, Recording(SPEECH), times)
