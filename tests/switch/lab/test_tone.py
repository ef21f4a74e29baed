from __future__ import annotations

import asyncio
import struct
from itertools import pairwise

import pytest

from switch.lab import tone
from switch.lab.port import Port
from switch.ports import Address
from switch.relay.g711 import SILENCE, decode


@pytest.mark.parametrize("kind", [tone.PCMU, tone.PCMA])
def test_the_tone_is_425_hz_without_a_seam(kind: int) -> None:
    first, second = tone.tone(kind)
    samples = [decode(tone.NAMES[kind], octet) for octet in first + second + first]
    crossings = [n for n in range(1, 480) if samples[n - 1] < 0 <= samples[n]]
    assert len(first) == len(second) == tone.SAMPLES
    assert {b - a for a, b in pairwise(crossings)} == {18, 19}  # 8000 / 425 = 18.8
    assert 7500 < max(samples) < 8500


def test_loud_and_silent() -> None:
    for kind in (tone.PCMU, tone.PCMA):
        assert tone.is_loud(kind, tone.tone(kind)[0])
        assert not tone.is_loud(kind, bytes([SILENCE[tone.NAMES[kind]]]) * 160)
        assert not tone.is_loud(kind, b"")
    assert not tone.is_loud(101, b"\x01\x8a\x00\xa0")  # a key press is no sound


async def test_a_stream_sends_in_time_and_hears_what_comes() -> None:
    packets: list[bytes] = []
    far = Port(Address("127.0.0.1", 0), lambda data, _remote: packets.append(data), even=True)
    stream = tone.ToneStream("127.0.0.1", ssrc=7)
    stream.remote, stream.payload_type, stream.playing = far.address, tone.PCMU, True
    await asyncio.sleep(0.15)
    stream.playing = False
    for payload in (tone.tone(tone.PCMU)[0], b"\xff" * 160):
        far.send(struct.pack("!BBHII", 0x80, 0, 1, 160, 9) + payload, Address("127.0.0.1", stream.port))
    far.send(b"no RTP", Address("127.0.0.1", stream.port))
    await asyncio.sleep(0.05)
    stream.close()
    far.close()
    assert stream.port % 2 == 0
    assert 3 <= stream.sent == len(packets) <= 9
    heads = [struct.unpack("!BBHII", packet[:12]) for packet in packets]
    assert {(head[0], head[1], head[4]) for head in heads} == {(0x80, 0, 7)}
    assert [b[2] - a[2] for a, b in pairwise(heads)] == [1] * (len(heads) - 1)
    assert [b[3] - a[3] for a, b in pairwise(heads)] == [160] * (len(heads) - 1)
    assert (stream.received, stream.heard) == (2, 1)


async def test_a_port_that_is_taken_is_named() -> None:
    one = Port(Address("127.0.0.1", 0), lambda _data, _remote: None)
    with pytest.raises(OSError, match="in use") as raised:
        Port(one.address, lambda _data, _remote: None)
    assert raised.value.filename == f"udp 127.0.0.1 port {one.address.port}"
    one.send(b"into the void", Address("127.0.0.1", 0))
    one.close()
    one.send(b"too late", one.address)
