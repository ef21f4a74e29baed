"""What a party hears in place of the other one: a tone, or an announcement.

A sound is asked at each beat (`switch.relay.beat`) for a packet of the relay's own, and shown each packet on
its way to the party. Here is what all have in common: the codecs, and the RTP stream that the relay's own
packets make (RFC 3550, RFC 3551).
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from struct import Struct

from switch.relay.g711 import SILENCE

PACKET_SAMPLES = 160
PACKET_NS = 20_000_000

_HEADER = Struct("!BBHII")
_MARKER = 0x80  # of the first packet after a silence (RFC 3551 section 4.1)


Place = tuple[int, int, int]
"""Synchronization source, last sequence number and timestamp of the relay's own stream towards a party."""


def of_g711(codecs: Mapping[int, str]) -> Collection[int]:
    """The payload types of codecs by payload type. Raises ValueError for a codec that is not G.711."""
    for codec in codecs.values():
        if codec not in SILENCE:
            raise ValueError(f"codec {codec}")
    return codecs.keys()


class Sound(ABC):
    """A sound towards one party, in those of its `payload_types`, the first one for packets of the relay's
    own, with as many `samples` of the RTP clock in each.

    Raises ValueError for a payload type that is none, and for none at all.
    """

    __slots__ = ("_marker", "_payload_type", "_samples", "_sequence", "_ssrc", "_timestamp", "then")

    def __init__(self, payload_types: Collection[int], samples: int = PACKET_SAMPLES) -> None:
        if not payload_types:
            raise ValueError("a sound without a codec")
        for payload_type in payload_types:
            if not 0 <= payload_type < 128 or payload_type & 0x60 == 0x40:  # RFC 5761 section 4: it says RTCP
                raise ValueError(f"payload type {payload_type}")
        self._payload_type = next(iter(payload_types))
        self._samples = samples
        self._marker = _MARKER
        self.then: Sound | None = None
        """What is to be heard when it is over."""
        chance = os.urandom(10)  # RFC 3550 section 5.1: where a stream of our own begins
        self._ssrc = int.from_bytes(chance[:4])
        self._timestamp = int.from_bytes(chance[4:8])
        self._sequence = int.from_bytes(chance[8:])

    @property
    def place(self) -> Place:
        """How far its stream has come."""
        return self._ssrc, self._sequence, self._timestamp

    @place.setter
    def place(self, place: Place) -> None:
        self._ssrc, self._sequence, self._timestamp = place

    def begin(self, now_ns: int) -> None:  # noqa: B027  # for most it makes no difference
        """It is heard from now on."""

    @abstractmethod
    def over(self, now_ns: int) -> bool:
        """Whether all has been heard."""

    @abstractmethod
    def fill(self, packet: memoryview) -> int | None:
        """Put the sound in place of the other party's in a packet; how many octets of it are to be sent,
        None: it is held back."""

    @abstractmethod
    def beat(self, now_ns: int, beats: int) -> bytes | None:
        """The packet to send `beats` packets after the last look; None for none."""

    def _pass_time(self, beats: int) -> None:
        """The timestamp goes on whether packets are sent or not."""
        self._timestamp = (self._timestamp + beats * self._samples) & 0xFFFFFFFF

    def _rest(self) -> None:
        """The next packet is the first after a silence."""
        self._marker = _MARKER

    def _packet(self, samples: bytes) -> bytes:
        """The next packet of the relay's own stream."""
        second = self._marker | self._payload_type
        self._marker = 0
        return self._packet_at(second, self._timestamp, samples)

    def _packet_at(self, second: int, timestamp: int, payload: bytes) -> bytes:
        """The next packet of that stream, with another second octet and timestamp."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        return _HEADER.pack(0x80, second, self._sequence, timestamp, self._ssrc) + payload
