"""A recording that a party hears in place of the other one, from its beginning and to its end.

All of it is sent in packets of the relay's own, one at each beat, so that it sounds the same whatever the
other party sends, or nothing at all; the other party's RTP is held back meanwhile, whatever its payload, for
no receiver can play two streams at once. RTCP passes. A packet is one slice of what was encoded beforehand.

A beat that was missed delays what follows instead of cutting a hole in a word; the timestamp tells the
receiver of the gap. While the party holds the call time goes on unheard.
"""

from __future__ import annotations

from collections.abc import Mapping

from switch.relay.recording import Recording
from switch.relay.rtp import HEADER_SIZE
from switch.relay.sound import PACKET_SAMPLES, Sound, of_g711


class Announcement(Sound):
    """A recording, heard `times` times over (0: until told otherwise).

    Raises ValueError as `Sound` does, and for `times` below zero.
    """

    __slots__ = ("_at", "_octets", "_played", "_times")

    def __init__(self, codecs: Mapping[int, str], recording: Recording, times: int) -> None:
        super().__init__(of_g711(codecs))
        if times < 0:
            raise ValueError(f"{times} times")
        self._octets = recording.octets(codecs[self._payload_type])
        self._at = 0
        self._played = 0
        self._times = times

    def over(self, now_ns: int) -> bool:
        """Whether it was heard often enough."""
        return self._played == self._times != 0

    def fill(self, packet: memoryview) -> int | None:
        """RTP does not pass, and RFC 5761 section 4 tells RTCP from it."""
        passes = len(packet) < HEADER_SIZE or packet[0] & 0xC0 != 0x80 or packet[1] & 0x60 == 0x40
        return len(packet) if passes else None

    def beat(self, now_ns: int, beats: int) -> bytes:
        """The next packet of it."""
        self._pass_time(beats)
        begin, self._at = self._at, self._at + PACKET_SAMPLES
        if self._at >= len(self._octets):
            self._at = 0
            self._played += 1
        return self._packet(self._octets[begin : begin + PACKET_SAMPLES])
