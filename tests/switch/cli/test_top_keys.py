"""Bytes of a terminal to keys, and the terminal as it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
from collections.abc import Iterator

import pytest

from switch.cli.top_keys import ESCAPE_S, GONE, Decoder, Keyboard
from tests.switch.net.support import until


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"jq", ["j", "q"]),
        (b"\x1b[A\x1b[B\x1bOC\x1bOD", ["up", "down", "right", "left"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["pgup", "pgdn", "home", "end"]),
        (b"\r\n\x7f\x08", ["enter", "enter", "backspace", "backspace"]),
        ("é+".encode(), ["é", "+"]),
        (b"\x1b[1;5Aj", ["j"]),  # Ctrl-Up is no key of ours, nor are its parts
        (b"\x1b[200~j", ["j"]),
        (b"\x1b\x1b[A", ["esc", "up"]),
        (b"\x1bxj", ["j"]),  # Alt-x
        (b"\xff\x00\x01j", ["j"]),
        (b"\x1b[" + b"1" * 40, list("1" * 26)),  # no sequence is as long
    ],
)
def test_keys_have_names_and_whatever_else_comes_has_none(data: bytes, keys: list[str]) -> None:
    assert Decoder().feed(data) == keys


def test_a_key_may_come_in_pieces() -> None:
    decoder = Decoder()
    assert [decoder.feed(bytes([one])) for one in b"\x1b[5~"] == [[], [], [], ["pgup"]]
    assert [decoder.feed(bytes([one])) for one in "é".encode()] == [[], ["é"]]
    assert not decoder.waits


def test_an_escape_is_a_key_when_nothing_follows() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.waits
    assert decoder.flush() == ["esc"]
    assert (decoder.waits, decoder.flush()) == (False, [])


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends: who types, and what is typed at."""
    master, slave = os.openpty()
    yield master, slave
    for descriptor in (master, slave):
        with contextlib.suppress(OSError):
            os.close(descriptor)


async def test_keys_come_at_once_and_unseen_and_then_the_terminal_is_as_it_was(
    terminal: tuple[int, int],
) -> None:
    master, slave = terminal
    before, keys = termios.tcgetattr(slave), list[str]()
    with Keyboard(slave, keys.append):
        assert not termios.tcgetattr(slave)[3] & (termios.ECHO | termios.ICANON)
        assert termios.tcgetattr(slave)[3] & termios.ISIG  # Ctrl-C goes on being one
        os.write(master, b"j\x1b[A")
        await until(lambda: keys == ["j", "up"])
        os.write(master, b"\x1b")
        await asyncio.sleep(ESCAPE_S / 5)
        os.write(master, b"[B\x1b")
        await until(lambda: keys == ["j", "up", "down", "esc"])
    assert termios.tcgetattr(slave) == before


async def test_after_a_fault_too(terminal: tuple[int, int]) -> None:
    _, slave = terminal
    before = termios.tcgetattr(slave)
    with pytest.raises(RuntimeError, match="fault"), Keyboard(slave, lambda _key: None):
        raise RuntimeError("fault")
    assert termios.tcgetattr(slave) == before


async def test_a_terminal_that_goes_away_is_told_once(terminal: tuple[int, int]) -> None:
    master, slave = terminal
    keys = list[str]()
    with Keyboard(slave, keys.append):
        os.close(master)
        await until(lambda: keys)
        await asyncio.sleep(0.05)
    assert keys == [GONE]
