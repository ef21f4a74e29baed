"""Samples as octets and back (ITU-T G.711): A-law and mu-law, from 16-bit samples as files hold them.

Each law cuts the range of magnitudes into 8 segments of 16 steps each, twice as wide from segment to segment
(A-law's first two are alike), so that a table of all 65 536 samples is a few hundred runs of one octet, and
encoding a recording is one look-up a sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

PCMA, PCMU = "PCMA", "PCMU"
SILENCE = {PCMA: 0xD5, PCMU: 0xFF}
"""The octet of sample 0, by codec."""

_HALF = 32_768
_BIAS = 132  # mu-law's segments begin at powers of two when it is added (16-bit scale)


def encode(codec: str, samples: Iterable[int]) -> bytes:
    """16-bit samples as octets of a codec. Raises KeyError for a codec that there is no table of."""
    return bytes(map(_TABLES[codec]().__getitem__, samples))


def decode(codec: str, octet: int) -> int:
    """The 16-bit sample of one octet. Raises KeyError for an unknown codec."""
    return _DECODERS[codec](octet)


@cache
def _alaw() -> bytes:
    widths = [8 * (2 << max(0, segment - 1)) for segment in range(8) for _ in range(16)]
    up = b"".join(bytes([code ^ 0xD5]) * width for code, width in enumerate(widths))
    return up + bytes(octet ^ 0x80 for octet in reversed(up))  # -1 is the mirror of 0


@cache
def _mulaw() -> bytes:
    widths = [8 << segment for segment in range(8) for _ in range(16)]
    widths[0] -= _BIAS - 128
    widths[-1] += _HALF + 1 - sum(widths)  # what is beyond the last step is clipped
    up = b"".join(bytes([0xFF - code]) * width for code, width in enumerate(widths))
    return up[:_HALF] + bytes(octet ^ 0x80 for octet in reversed(up[1:]))  # -1 is the mirror of 1


_TABLES = {PCMA: _alaw, PCMU: _mulaw}
"""Octets by sample, those of negative samples counted from the end, as Python's indices are."""


def _decode_alaw(octet: int) -> int:
    octet ^= 0x55
    segment, step = octet >> 4 & 7, octet & 0x0F
    magnitude = (step << 4) + 8 if segment == 0 else (step << 4) + 264 << (segment - 1)
    return magnitude if octet & 0x80 else -magnitude


def _decode_mulaw(octet: int) -> int:
    octet = ~octet & 0xFF
    magnitude = ((octet & 0x0F) << 3) + _BIAS << (octet >> 4 & 7)
    return _BIAS - magnitude if octet & 0x80 else magnitude - _BIAS


_DECODERS = {PCMA: _decode_alaw, PCMU: _decode_mulaw}
