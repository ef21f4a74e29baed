"""What a party hears in place of the other one: a tone, or an announcement.

A sound is asked at each beat (`switch.relay.beat`) for a packet of the relay's own, and shown each packet on
its way to the party. Here is what all have in common: the codecs, and the RTP stream that the relay's own
packets make (RFC 3550, RFC 3551).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from struct import Struct

from switch.relay.g711 import SILENCE

PACKET_SAMPLES = 160
PACKET_NS = 20_000_000

_HEADER = Struct("!BBHII")
_MARKER = 0x80  # of the first packet after a silence (RFC 3551 section 4.1)


class Sound(ABC):
    """A sound towards one party: `codecs` names the codec of each payload type that the party takes, the
    first one for packets of the relay's own.

    Raises ValueError for a codec that is not G.711, a payload type that is none, and no codec at all.
    """

    __slots__ = ("_marker", "_payload_type", "_sequence", "_ssrc", "_timestamp")

    def __init__(self, codecs: Mapping[int, str]) -> None:
        if not codecs:
            raise ValueError("a sound without a codec")
        for payload_type, codec in codecs.items():
            if codec not in SILENCE:
                raise ValueError(f"codec {codec}")
            if not 0 <= payload_type < 128 or payload_type & 0x60 == 0x40:  # RFC 5761 section 4: it says RTCP
                raise ValueError(f"payload type {payload_type}")
        self._payload_type = next(iter(codecs))
        self._marker = _MARKER
        chance = os.urandom(10)  # RFC 3550 section 5.1: where a stream of our own begins
        self._ssrc = int.from_bytes(chance[:4])
        self._timestamp = int.from_bytes(chance[4:8])
        self._sequence = int.from_bytes(chance[8:])

    @abstractmethod
    def over(self, now_ns: int) -> bool:
        """Whether all has been heard."""

    @abstractmethod
    def fill(self, packet: memoryview) -> bool:
        """Put the sound in place of the other party's in a packet; whether the packet is to pass at all."""

    @abstractmethod
    def beat(self, now_ns: int, beats: int) -> bytes | None:
        """The packet to send `beats` packets after the last look; None for none."""

    def _pass_time(self, beats: int) -> None:
        """The timestamp goes on whether packets are sent or not."""
        self._timestamp = (self._timestamp + beats * PACKET_SAMPLES) & 0xFFFFFFFF

    def _rest(self) -> None:
        """The next packet is the first after a silence."""
        self._marker = _MARKER

    def _packet(self, samples: bytes) -> bytes:
        """The next packet of the relay's own stream."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        second = self._marker | self._payload_type
        self._marker = 0
        return _HEADER.pack(0x80, second, self._sequence, self._timestamp, self._ssrc) + samples
