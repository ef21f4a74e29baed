"""A 425 Hz tone as RTP, and an ear for what comes back (RFC 3550, RFC 3551, ITU-T G.711).

425 Hz is the tone of European networks; 17 of its periods fill 320 samples exactly, so two packets of 20 ms
repeated make it without a seam.
"""

from __future__ import annotations

import asyncio
import math
import struct

from switch.lab.port import Port
from switch.ports import Address
from switch.relay.g711 import decode, encode

PCMU, PCMA = 0, 8
NAMES = {PCMU: "PCMU", PCMA: "PCMA"}
SAMPLES = 160
PACKET_S = 0.02
BEHIND_S = 0.2
"""How much of a stall is made up for."""
_HZ = 425
_RATE = 8000
_PEAK = 8000  # a quarter of full scale
_HEADER = struct.Struct("!BBHII")
_LOUD = 256  # on the scale of 16 bits; digital silence decodes to less than 10


def tone(payload_type: int) -> tuple[bytes, bytes]:
    """The two packets' worth of tone that repeat."""
    wave = [round(_PEAK * math.sin(2 * math.pi * _HZ * n / _RATE)) for n in range(2 * SAMPLES)]
    octets = encode(NAMES[payload_type], wave)
    return octets[:SAMPLES], octets[SAMPLES:]


_TONES = {kind: tone(kind) for kind in NAMES}


def is_loud(payload_type: int, payload: bytes) -> bool:
    """Whether there is more in a packet than silence."""
    codec = NAMES.get(payload_type)
    return codec is not None and any(abs(decode(codec, octet)) > _LOUD for octet in set(payload))


class ToneStream:
    """One RTP port that plays the tone to `remote` while `playing`, and counts what it is sent."""

    def __init__(self, host: str, ssrc: int) -> None:
        self.sent = 0
        self.received = 0
        self.heard = 0  # packets that were not silence
        self.remote: Address | None = None
        self.payload_type = PCMA
        self.playing = False
        self._ssrc = ssrc
        self._sequence = 0
        self._port = Port(Address(host, 0), self._on_packet, even=True)
        self._loop = asyncio.get_running_loop()
        self._next_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._tick()

    @property
    def port(self) -> int:
        """Where it receives."""
        return self._port.address.port

    def close(self) -> None:
        """Stop, and free the port."""
        if self._timer is not None:
            self._timer.cancel()
        self._port.close()

    def _tick(self) -> None:
        """One packet every 20 ms by the clock, not after the last one: no drift."""
        if self.playing and self.remote is not None:
            head = _HEADER.pack(
                0x80,
                self.payload_type,
                self._sequence & 0xFFFF,
                self._sequence * SAMPLES & 0xFFFFFFFF,
                self._ssrc,
            )
            self._port.send(head + _TONES[self.payload_type][self._sequence & 1], self.remote)
            self.sent += 1
        self._sequence += 1
        self._next_s = max(self._next_s + PACKET_S, self._loop.time() - BEHIND_S)
        self._timer = self._loop.call_at(self._next_s, self._tick)

    def _on_packet(self, data: bytes, _remote: Address) -> None:
        if len(data) < _HEADER.size or data[0] >> 6 != 2:
            return
        self.received += 1
        payload = data[_HEADER.size + 4 * (data[0] & 0x0F) :]
        if is_loud(data[1] & 0x7F, payload):
            self.heard += 1
