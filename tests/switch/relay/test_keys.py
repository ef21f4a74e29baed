"""Keys as telephone events (RFC 4733): in packets that pass, and in packets of the relay's own."""

from __future__ import annotations

from itertools import pairwise
from struct import pack, unpack
from typing import NamedTuple

import pytest

from switch.relay.keys import LAST_REPEATS, MOST_WAITING, SIGNALS, Pressed
from switch.relay.rtp import Reception

EVENT_TYPE = 101
MS = 1_000_000
START = 5000


class Told(NamedTuple):
    """An event packet: of which key, whether it ends, for how long now; its marker, place and source."""

    key: str
    end: bool
    duration: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int


def read(packet: bytes) -> Told | None:
    first, second, sequence, timestamp, ssrc = unpack("!BBHII", packet[:12])
    if second & 0x7F != EVENT_TYPE:
        return None
    assert (first, len(packet)) == (0x80, 16)
    event, flags, duration = unpack("!BBH", packet[12:])
    assert flags & 0x7F == 10, "the volume"
    return Told(SIGNALS[event], bool(flags & 0x80), duration, bool(second & 0x80), sequence, timestamp, ssrc)


def pressed(*keys: tuple[str, int], rate: int = 8000) -> Pressed:
    sound = Pressed(EVENT_TYPE, rate, Reception(), 0)
    for key, duration_ms in keys:
        sound.press(key, duration_ms)
    return sound


def voice(index: int, samples: int = 160, first: int = 0x80) -> bytes:
    return pack("!BBHII", first, 8, 100 + index, START + index * samples, 0xCAFE) + bytes(samples)


def passed(sound: Pressed, packets: list[bytes]) -> list[bytes]:
    """What becomes of packets that pass."""
    out = []
    for packet in packets:
        buffer = bytearray(packet)
        size = sound.fill(memoryview(buffer))
        out.append(bytes(buffer[:size]))
    return out


def test_a_key_in_a_stream_that_passes() -> None:
    sound = pressed(("5", 100))
    got = passed(sound, [voice(index) for index in range(10)])
    events = [one for packet in got if (one := read(packet)) is not None]
    assert [(one.duration, one.end) for one in events] == [
        (160, False),
        (320, False),
        (480, False),
        (640, False),
        (800, True),
        (800, True),
        (800, True),
    ]
    assert [one.marker for one in events] == [True] + [False] * 6
    assert {(one.key, one.timestamp, one.ssrc) for one in events} == {("5", START, 0xCAFE)}
    assert [one.sequence for one in events] == list(range(100, 107)), "no hole in the sequence"
    assert got[7:] == [voice(index) for index in range(7, 10)], "and then the voice again"
    assert sound.over(0)


@pytest.mark.parametrize("key", SIGNALS)
def test_every_key(key: str) -> None:
    (packet,) = passed(pressed((key, 100)), [voice(0)])
    told = read(packet)
    assert told is not None
    assert told.key == key


def test_two_keys_are_heard_as_two() -> None:
    got = [read(packet) for packet in passed(pressed(("1", 40), ("1", 40)), [voice(n) for n in range(20)])]
    begun = [one.sequence for one in got if one is not None and one.marker]
    assert len(begun) == 2
    assert None in got[: begun[1] - 100], "voice between them"
    ends = [one for one in got if one is not None and one.end]
    assert len(ends) == 2 * LAST_REPEATS


def test_the_duration_follows_the_clock_of_the_stream() -> None:
    """Packets of 30 ms and of 10 ms, and a clock of 48 kHz."""
    got = [read(one) for one in passed(pressed(("7", 90)), [voice(index, 240) for index in range(4)])]
    assert [one.duration for one in got if one is not None] == [160, 400, 640, 720]
    got = [read(one) for one in passed(pressed(("7", 60)), [voice(index, 80) for index in range(6)])]
    assert [one.duration for one in got if one is not None] == [160, 240, 320, 400, 480, 480]
    sound = pressed(("7", 40), rate=48_000)
    durations = [read(one) for one in passed(sound, [voice(index, 960) for index in range(2)])]
    assert [one.duration for one in durations if one is not None] == [960, 1920]


@pytest.mark.parametrize(("asked_ms", "samples"), [(1, 320), (40, 320), (160, 1280), (99_999, 16_000)])
def test_no_key_is_too_short_to_be_heard_or_stuck(asked_ms: int, samples: int) -> None:
    got = [read(packet) for packet in passed(pressed(("5", asked_ms)), [voice(n) for n in range(200)])]
    assert max(one.duration for one in got if one is not None) == samples


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(pack("!BBHI", 0x80, 200, 6, 1) + bytes(20), id="RTCP"),
        pytest.param(bytes([0, 1]) + bytes(18), id="STUN"),
        pytest.param(b"", id="nothing"),
        pytest.param(voice(0)[:12], id="no room"),
    ],
)
def test_what_is_no_voice_passes(packet: bytes) -> None:
    assert passed(pressed(("5", 100)), [packet]) == [packet]


def test_sources_and_extension_of_a_packet_go() -> None:
    got = passed(pressed(("5", 100)), [voice(0, first=0xB2)])
    assert read(got[0]) is not None


def test_where_nothing_passes_the_relay_sends() -> None:
    spoken = Reception()
    sound = Pressed(EVENT_TYPE, 8000, spoken, 0)
    sound.press("9", 60)
    assert sound.beat(20 * MS, 1) is None, "perhaps something passes yet"
    beats = [sound.beat(n * 20 * MS, 1) for n in range(3, 12)]
    got = [read(one) for one in beats if one is not None]
    events = [one for one in got if one is not None]
    assert [(one.duration, one.end) for one in events] == [(160, False), (320, False)] + [(480, True)] * 3
    assert len({(one.timestamp, one.ssrc) for one in events}) == 1
    assert [(b.sequence - a.sequence) & 0xFFFF for a, b in pairwise(events)] == [1] * 4
    assert sound.over(0)


def test_waiting_keys_are_bounded() -> None:
    sound = pressed(*[("1", 40)] * (MOST_WAITING + 50))
    got = [read(packet) for packet in passed(sound, [voice(n) for n in range(1000)])]
    assert sum(one.marker for one in got if one is not None) == MOST_WAITING


@pytest.mark.parametrize("key", ["", "55", "E", "x", "!"])
def test_no_such_key(key: str) -> None:
    with pytest.raises(ValueError, match="no such key"):
        pressed((key, 100))


@pytest.mark.parametrize(
    ("payload_type", "rate"), [(128, 8000), (72, 8000), (-1, 8000), (101, 0), (101, 11_025)]
)
def test_no_such_stream(payload_type: int, rate: int) -> None:
    with pytest.raises(ValueError, match=r"payload type|clock rate"):
        Pressed(payload_type, rate, Reception(), 0)
