"""An ear for what the relay plays, and the recordings it is given."""

from __future__ import annotations

import cmath
import math
import struct
import wave
from collections.abc import Iterable, Sequence
from pathlib import Path

from switch.relay.g711 import PCMA, PCMU, decode


def spectrum(heard: Sequence[int], hz: float) -> float:
    """The share of the energy of `heard` (8 kHz, whole periods) that is at `hz`: 0 to 1."""
    energy = sum(sample * sample for sample in heard) * len(heard)
    turn = -2j * math.pi * hz / 8000
    at_hz = sum(sample * cmath.exp(turn * place) for place, sample in enumerate(heard))
    return 2 * abs(at_hz) ** 2 / energy if energy else 0.0


def samples(packets: Iterable[bytes]) -> bytes:
    """The payloads of RTP packets without list of sources or extension, one behind the other."""
    return b"".join(packet[12:] for packet in packets)


def is_warning(payload_type: int, octets: bytes) -> bool:
    """Whether the octets are 1400 Hz and hardly anything else, without a seam."""
    heard = [decode({0: PCMU, 8: PCMA}[payload_type], octet) for octet in octets]
    return spectrum(heard, 1400) > 0.99


def sine(hz: float, count: int, peak: int = 8000) -> list[int]:
    """16-bit samples of a tone at 8 kHz."""
    return [round(peak * math.sin(2 * math.pi * hz * n / 8000)) for n in range(count)]


def record(
    path: Path, samples: Sequence[int], *, rate: int = 8000, width: int = 2, channels: int = 1
) -> Path:
    """Write a WAV file; samples of other widths than 16 bit are all zero."""
    octets = struct.pack(f"<{len(samples)}h", *samples) if width == 2 else bytes(width * len(samples))
    with wave.open(str(path), "wb") as file:
        file.setframerate(rate)
        file.setsampwidth(width)
        file.setnchannels(channels)
        file.writeframes(octets)
    return path
