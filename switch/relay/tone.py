"""The warning tone that a party hears in place of the other one: 1400 Hz (ITU-T E.180/Q.35) at -15 dBm0 as
G.711, put into the RTP packets that pass, or sent in packets of our own where none come.

A packet in passing keeps its header and its length, so that to the receiver one stream goes on: what tells
the place in the wave is its timestamp, and 7 periods of 1400 Hz are 40 samples of 8 kHz exactly. The wave is
there beforehand, and a packet's worth is one slice of it. Payload types that are not G.711 (telephone events,
comfort noise, other codecs) pass as they are, and so does what is no RTP.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from struct import Struct

from switch.relay.rtp import HEADER_SIZE, Reception

PERIOD = 40  # samples until the wave repeats
PACKET_SAMPLES = 160
PACKET_NS = 20_000_000
QUIET_NS = 60_000_000  # nothing from the other party for so long: the relay sends packets itself

_LONGEST = 65_536  # samples, and octets, of one packet
WAVES = {
    name: bytes.fromhex(octets) * (_LONGEST // PERIOD + 2)
    for name, octets in {
        "PCMA": "d5999c761b13e69a97691a69979ae6131b769c99d5191cf69b93661a17e99ae9171a66939bf61c19",
        "PCMU": "ffb2b5583138caafbc412f41bcafca383158b5b2ff3235d8b1b84a2f3cc1afc13c2f4ab8b1d83532",
    }.items()
}
"""The wave of each codec, long enough to cut any packet from it at any of the first `PERIOD` samples."""

_HEADER = Struct("!BBHII")
_MARKER = 0x80  # of the first packet after a silence (RFC 3551 section 4.1)


class Tone:
    """One tone towards one party: `codecs` names the codec of each payload type that the party takes,
    `spoken` is what comes from the other party, `ends_ns` is when it is over.

    Raises ValueError for a codec that there is no wave of, a payload type that is none, and no codec at all.
    """

    __slots__ = (
        "_began_ns",
        "_marker",
        "_payload_type",
        "_sequence",
        "_spoken",
        "_ssrc",
        "_timestamp",
        "_waves",
        "ends_ns",
    )

    def __init__(self, codecs: Mapping[int, str], spoken: Reception, now_ns: int, ends_ns: int) -> None:
        if not codecs:
            raise ValueError("a tone without a codec")
        for payload_type, codec in codecs.items():
            if codec not in WAVES:
                raise ValueError(f"codec {codec}")
            if not 0 <= payload_type < 128 or payload_type & 0x60 == 0x40:  # RFC 5761 section 4: it says RTCP
                raise ValueError(f"payload type {payload_type}")
        self.ends_ns = ends_ns
        self._waves = {payload_type: WAVES[codec] for payload_type, codec in codecs.items()}
        self._payload_type = next(iter(codecs))
        self._spoken = spoken
        self._began_ns = now_ns
        self._marker = _MARKER
        chance = os.urandom(10)  # RFC 3550 section 5.1: where a stream of our own begins
        self._ssrc = int.from_bytes(chance[:4])
        self._timestamp = int.from_bytes(chance[4:8])
        self._sequence = int.from_bytes(chance[8:])

    def fill(self, packet: memoryview) -> None:
        """Put the tone in place of the samples of a packet."""
        if len(packet) < HEADER_SIZE or packet[0] & 0xC0 != 0x80:
            return
        wave = self._waves.get(packet[1] & 0x7F)
        if wave is None:
            return
        begin, end = (HEADER_SIZE, len(packet)) if packet[0] == 0x80 else _payload(packet)
        if begin < end:
            phase = int.from_bytes(packet[4:8]) % PERIOD
            packet[begin:end] = wave[phase : phase + end - begin]

    def beat(self, now_ns: int, beats: int) -> bytes | None:
        """The packet to send `beats` packets after the last look; None while the other party is heard."""
        self._timestamp = (self._timestamp + beats * PACKET_SAMPLES) & 0xFFFFFFFF
        if now_ns - max(self._began_ns, self._spoken.last_ns) < QUIET_NS:
            self._marker = _MARKER
            return None
        self._sequence = (self._sequence + 1) & 0xFFFF
        second = self._marker | self._payload_type
        self._marker = 0
        phase = self._timestamp % PERIOD
        header = _HEADER.pack(0x80, second, self._sequence, self._timestamp, self._ssrc)
        return header + self._waves[self._payload_type][phase : phase + PACKET_SAMPLES]


def _payload(packet: memoryview) -> tuple[int, int]:
    """Where the samples begin and end: behind contributing sources and extension, before the padding (RFC
    3550 sections 5.1 and 5.3.1). The end is not behind the beginning when there are none."""
    begin = HEADER_SIZE + 4 * (packet[0] & 0x0F)
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    if packet[0] & 0x10:
        if begin + 4 > end:
            return begin, begin
        begin += 4 + 4 * (packet[begin + 2] << 8 | packet[begin + 3])
    return begin, end
