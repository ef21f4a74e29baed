"""Recordings: WAV files of 8 kHz, 16 bit, one channel, as octets of G.711 in whole packets.

`read` is also what a configuration is checked with, so what passes there is played here. It reads RIFF by
itself, since the `wave` of the standard library raises RuntimeError at some broken files. The relay reads a
file once and keeps it as long as it stays the same on disk (`Shelf`): media waits while one is encoded, 36 ns
a sample, so 2 ms for a prompt of 6 s.
"""

from __future__ import annotations

import os
import stat
import sys
from array import array
from collections import OrderedDict
from struct import Struct

from switch.relay.g711 import SILENCE, encode
from switch.relay.sound import PACKET_SAMPLES

RATE = 8000  # Hz
WIDTH = 2  # octets of a sample
LONGEST_S = 20
LARGEST_FILE = 1_000_000  # octets read of a file: the longest recording, and twice that of other chunks
SHELF_OCTETS = 8_000_000  # the prompts that come along take 6.6 million, all in both codecs

_CHUNK = Struct("<4sI")
_FORMAT = Struct("<HHIIHH")
_LINEAR = 1


class Recording:
    """The sound of one file."""

    __slots__ = ("_octets", "samples")

    def __init__(self, samples: array[int]) -> None:
        self.samples = samples
        self._octets: dict[str, bytes] = {}

    @property
    def duration_ms(self) -> int:
        """How long it is, rounded up to a millisecond."""
        return -(-len(self.samples) * 1000 // RATE)

    @property
    def size(self) -> int:
        """The octets that it takes at most."""
        return len(self.samples) * (WIDTH + len(SILENCE))

    def octets(self, codec: str) -> bytes:
        """Whole packets of it, filled up with silence. Raises KeyError for an unknown codec."""
        found = self._octets.get(codec)
        if found is None:
            missing = -len(self.samples) % PACKET_SAMPLES
            found = encode(codec, self.samples) + bytes([SILENCE[codec]]) * missing
            self._octets[codec] = found
        return found


def read(path: str) -> Recording:
    """Read a file. Raises OSError when it cannot be read, ValueError when it is no such recording."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("is not a file")  # a pipe would stall whoever opens it
    with open(path, "rb") as file:
        octets = file.read(LARGEST_FILE)
    if octets[:4] != b"RIFF" or octets[8:12] != b"WAVE":
        raise ValueError("is not a WAV file")
    known = False
    at = 12
    while at + _CHUNK.size <= len(octets):
        name, size = _CHUNK.unpack_from(octets, at)
        at += _CHUNK.size
        if name == b"fmt " and min(size, len(octets) - at) >= _FORMAT.size:
            _check_format(*_FORMAT.unpack_from(octets, at))
            known = True
        elif name == b"data" and known:
            return Recording(_samples(octets[at : at + size], size))
        at += size + size % 2
    raise ValueError("is cut short")


def _check_format(law: int, channels: int, rate: int, _speed: int, _block: int, bits: int) -> None:
    if law != _LINEAR:
        raise ValueError(f"must hold linear samples (PCM, format {_LINEAR}); it is format {law}")
    if (rate, bits, channels) != (RATE, 8 * WIDTH, 1):
        said = f"{rate} Hz, {bits} bit, {channels} channel{'s' if channels != 1 else ''}"
        raise ValueError(f"must be {RATE} Hz, {8 * WIDTH} bit, 1 channel; it is {said}")


def _samples(octets: bytes, size: int) -> array[int]:
    count = size // WIDTH
    if not count:
        raise ValueError("holds no sound")
    if count > LONGEST_S * RATE:
        raise ValueError(f"must not be longer than {LONGEST_S} s; it is {-(-count // RATE)} s")
    if len(octets) < size:
        raise ValueError("is cut short")
    samples = array("h", octets[: count * WIDTH])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


class Shelf:
    """The recordings used last, `most_octets` of them at most; the one used longest ago goes first."""

    def __init__(self, most_octets: int = SHELF_OCTETS) -> None:
        self._most_octets = most_octets
        self._held: OrderedDict[str, tuple[tuple[int, int], Recording]] = OrderedDict()
        self._octets = 0

    def take(self, path: str) -> Recording:
        """The recording at `path` as it is on disk now. Raises as `read` does."""
        about = os.stat(path)
        version = about.st_mtime_ns, about.st_size
        held = self._held.get(path)
        if held is not None and held[0] == version:
            self._held.move_to_end(path)
            return held[1]
        recording = read(path)
        self._drop(path)
        self._held[path] = version, recording
        self._octets += recording.size
        while self._octets > self._most_octets and len(self._held) > 1:
            self._drop(next(iter(self._held)))
        return recording

    def _drop(self, path: str) -> None:
        held = self._held.pop(path, None)
        if held is not None:
            self._octets -= held[1].size
