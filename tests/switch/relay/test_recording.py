"""Recordings: which files are played, in what octets, and how many of them are kept."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from struct import pack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switch.relay.g711 import encode
from switch.relay.recording import RATE, Shelf, read
from tests.switch.relay.sound import record, sine

SECOND = sine(400, RATE)


def test_a_recording_is_its_octets_in_whole_packets(tmp_path: Path) -> None:
    recording = read(str(record(tmp_path / "a.wav", SECOND[:333])))
    assert recording.duration_ms == 42
    assert recording.octets("PCMA") == encode("PCMA", SECOND[:333]) + b"\xd5" * 147
    assert recording.octets("PCMU") == encode("PCMU", SECOND[:333]) + b"\xff" * 147


def test_whole_packets_are_not_filled_up(tmp_path: Path) -> None:
    assert len(read(str(record(tmp_path / "a.wav", SECOND[:320]))).octets("PCMA")) == 320


def test_20_seconds_are_the_most(tmp_path: Path) -> None:
    assert read(str(record(tmp_path / "a.wav", SECOND * 20))).duration_ms == 20_000
    with pytest.raises(ValueError, match=r"not be longer than 20 s; it is 21 s"):
        read(str(record(tmp_path / "a.wav", [*SECOND * 20, 0])))


@pytest.mark.parametrize(
    ("rate", "width", "channels", "said"),
    [
        (8000, 2, 2, "it is 8000 Hz, 16 bit, 2 channels"),
        (44_100, 2, 1, "it is 44100 Hz, 16 bit, 1 channel"),
        (8000, 1, 1, "it is 8000 Hz, 8 bit, 1 channel"),
        (48_000, 3, 2, "it is 48000 Hz, 24 bit, 2 channels"),
    ],
)
def test_other_formats_are_refused_with_all_that_differs(
    tmp_path: Path, rate: int, width: int, channels: int, said: str
) -> None:
    path = record(tmp_path / "a.wav", SECOND, rate=rate, width=width, channels=channels)
    with pytest.raises(ValueError, match=f"must be 8000 Hz, 16 bit, 1 channel; {said}$"):
        read(str(path))


def test_what_is_no_recording(tmp_path: Path) -> None:
    whole = record(tmp_path / "a.wav", SECOND).read_bytes()
    mulaw = whole[:20] + b"\x07\x00" + whole[22:]
    cases = {
        b"": "is not a WAV file",
        b"#!/bin/sh\n" * 10: "is not a WAV file",
        mulaw: "must hold linear samples",
        whole[:-2]: "is cut short",
        whole[:42]: "is cut short",
        whole[:30]: "is cut short",
        whole[:12] + whole[36:]: "is cut short",
        record(tmp_path / "b.wav", []).read_bytes(): "holds no sound",
    }
    for octets, said in cases.items():
        (tmp_path / "c.wav").write_bytes(octets)
        with pytest.raises(ValueError, match=said):
            read(str(tmp_path / "c.wav"))


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "none.wav"))
    os.mkfifo(tmp_path / "pipe.wav")  # to open it would wait for a writer
    for path in (tmp_path, tmp_path / "pipe.wav"):
        with pytest.raises(ValueError, match="is not a file"):
            read(str(path))


HEAD = b"".join(
    (b"RIFF", pack("<I", 64), b"WAVE", b"fmt ", pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16), b"data")
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(HEAD)), st.binary(max_size=60))
def test_whatever_a_file_holds_is_read_or_refused(tmp_path: Path, kept: int, rest: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(HEAD[:kept] + rest)
    with suppress(ValueError):
        assert read(str(path)).samples


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    """Studios leave notes: LIST, bext, an odd one with its pad octet."""
    whole = record(tmp_path / "a.wav", SECOND).read_bytes()
    path = tmp_path / "b.wav"
    notes = b"LIST" + pack("<I", 3) + b"abc\0" + b"fact" + pack("<I", 4) + bytes(4)
    path.write_bytes(whole[:12] + notes + whole[12:36] + notes + whole[36:] + notes)
    assert list(read(str(path)).samples) == SECOND


def test_a_file_is_read_once_as_long_as_it_stays_the_same(tmp_path: Path) -> None:
    shelf, path = Shelf(), record(tmp_path / "a.wav", SECOND)
    first = shelf.take(str(path))
    assert shelf.take(str(path)) is first
    record(path, SECOND[:800])
    second = shelf.take(str(path))
    assert second.duration_ms == 100
    os.utime(path, ns=(1, 1))
    third = shelf.take(str(path))
    assert third is not second
    assert shelf.take(str(path)) is third


def test_a_file_that_has_gone_is_not_played_from_memory(tmp_path: Path) -> None:
    shelf, path = Shelf(), record(tmp_path / "a.wav", SECOND)
    shelf.take(str(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        shelf.take(str(path))


def test_the_recording_used_longest_ago_makes_room(tmp_path: Path) -> None:
    one, two, three = (str(record(tmp_path / f"{name}.wav", SECOND)) for name in "123")
    shelf = Shelf(2 * read(one).size)
    first, second = shelf.take(one), shelf.take(two)
    assert shelf.take(one) is first
    shelf.take(three)
    assert shelf.take(one) is first
    assert shelf.take(two) is not second


def test_what_it_holds_is_bounded_however_much_is_asked_for(tmp_path: Path) -> None:
    shelf = Shelf(40_000)
    for round_ in range(3):
        for name in "123456":
            shelf.take(str(record(tmp_path / f"{name}.wav", SECOND[: 1000 * int(name) + round_])))
            held = [recording for _, recording in shelf._held.values()]
            assert sum(recording.size for recording in held) == shelf._octets <= 40_000
    big = str(record(tmp_path / "big.wav", SECOND * 2))
    assert shelf.take(big) is shelf.take(big), "larger than the shelf: alone on it"
    assert len(shelf._held) == 1


def test_its_size_is_what_it_takes_with_both_codecs(tmp_path: Path) -> None:
    recording = read(str(record(tmp_path / "a.wav", SECOND)))
    octets = sum(len(recording.octets(codec)) for codec in ("PCMA", "PCMU"))
    assert recording.size == len(recording.samples) * recording.samples.itemsize + octets
