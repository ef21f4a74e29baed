"""The warning tone that a party hears in place of the other one: 1400 Hz (ITU-T E.180/Q.35) at -15 dBm0 as
G.711, put into the RTP packets that pass, or sent in packets of our own where none come.

A packet in passing keeps its header and its length, so that to the receiver one stream goes on: what tells
the place in the wave is its timestamp, and 7 periods of 1400 Hz are 40 samples of 8 kHz exactly. The wave is
there beforehand, and a packet's worth is one slice of it. Payload types that are not G.711 (telephone events,
comfort noise, other codecs) pass as they are, and so does what is no RTP.
"""

from __future__ import annotations

from collections.abc import Mapping

from switch.relay.rtp import HEADER_SIZE, Reception
from switch.relay.sound import PACKET_SAMPLES, Sound, of_g711

PERIOD = 40  # samples until the wave repeats
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


class Tone(Sound):
    """One tone: `spoken` is what comes from the other party, `ends_ns` is when it is over."""

    __slots__ = ("_began_ns", "_ends_ns", "_length_ns", "_spoken", "_waves")

    def __init__(self, codecs: Mapping[int, str], spoken: Reception, now_ns: int, ends_ns: int) -> None:
        super().__init__(of_g711(codecs))
        self._waves = {payload_type: WAVES[codec] for payload_type, codec in codecs.items()}
        self._spoken = spoken
        self._length_ns = ends_ns - now_ns
        self.begin(now_ns)

    def begin(self, now_ns: int) -> None:
        """It is heard from now on, for as long as it was to be."""
        self._began_ns = now_ns
        self._ends_ns = now_ns + self._length_ns

    def over(self, now_ns: int) -> bool:
        """Whether its time has passed."""
        return now_ns >= self._ends_ns

    def fill(self, packet: memoryview) -> int | None:
        """Put the tone in place of the samples of a packet, if it has any; all packets pass."""
        if len(packet) < HEADER_SIZE or packet[0] & 0xC0 != 0x80:
            return len(packet)
        wave = self._waves.get(packet[1] & 0x7F)
        if wave is None:
            return len(packet)
        begin, end = (HEADER_SIZE, len(packet)) if packet[0] == 0x80 else _payload(packet)
        if begin < end:
            phase = int.from_bytes(packet[4:8]) % PERIOD
            packet[begin:end] = wave[phase : phase + end - begin]
        return len(packet)

    def beat(self, now_ns: int, beats: int) -> bytes | None:
        """A packet of the relay's own; None while the other party is heard."""
        self._pass_time(beats)
        if now_ns - max(self._began_ns, self._spoken.last_ns) < QUIET_NS:
            self._rest()
            return None
        phase = self._timestamp % PERIOD
        return self._packet(self._waves[self._payload_type][phase : phase + PACKET_SAMPLES])


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
