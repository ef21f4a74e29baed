"""A stream cut into messages: whole, byte by byte, several at once, and what ends it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.framing import MAX_BODY, MAX_HEAD, PING, Framer


def message(body: bytes = b"", *, length: str | None = None, name: str = "Content-Length") -> bytes:
    """A message that says how long its body is."""
    said = str(len(body)) if length is None else length
    return f"OPTIONS sip:x SIP/2.0\r\n{name}: {said}\r\nTo: <sip:x>\r\n\r\n".encode() + body


def test_a_message_ends_where_its_length_says() -> None:
    framer = Framer()
    assert framer.feed(message(b"hello")) == [message(b"hello")]
    assert not framer.waiting


@pytest.mark.parametrize("name", ["Content-Length", "CONTENT-LENGTH", "l", "L", "Content-Length "])
@pytest.mark.parametrize("length", ["5", "005", " 5 ", "\t5"])
def test_spellings_of_the_length(name: str, length: str) -> None:
    whole = message(b"hello", length=length, name=name)
    assert Framer().feed(whole + message()) == [whole, message()]


def test_without_a_length_there_is_no_body() -> None:
    head = b"OPTIONS sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n"
    assert Framer().feed(head + message()) == [head, message()]


@given(
    st.lists(st.one_of(st.binary(max_size=40).map(message), st.just(PING)), max_size=6),
    st.lists(st.integers(1, 30), max_size=40),
)
def test_however_it_is_cut_on_its_way(messages: list[bytes], cuts: list[int]) -> None:
    stream, framer, found = b"".join(messages), Framer(), []
    for cut in cuts:
        found += framer.feed(stream[:cut])
        stream = stream[cut:]
    found += framer.feed(stream)
    assert found == messages
    assert not framer.broken
    assert not framer.waiting


def test_a_lone_line_end_is_passed_over() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n") == []
    assert framer.feed(message()) == [message()]


def test_a_ping_in_two_pieces() -> None:
    framer = Framer()
    assert framer.feed(b"\r\n\r") == []
    assert framer.feed(b"\n") == [PING]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (message(length="-1"), "bad Content-Length"),
        (message(length="5x"), "bad Content-Length"),
        (message(length=""), "bad Content-Length"),
        (message(length="1\r\nl: 2"), "bad Content-Length"),
        (message(length=str(MAX_BODY + 1)), "body too long"),
        (message(length="9" * 5000), "body too long"),
        (b"x" * (MAX_HEAD + 1), "head too long"),
        (b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", "head too long"),
    ],
)
def test_what_cannot_be_cut_for_sure_ends_the_stream(data: bytes, why: str) -> None:
    framer = Framer()
    assert framer.feed(message() + data) == [message()]
    assert framer.broken == why
    assert framer.feed(message()) == []
    assert not framer.waiting


def test_the_same_length_said_twice_is_one() -> None:
    whole = message(b"hello", length="5\r\nl: 5")
    assert Framer().feed(whole) == [whole]


@given(st.binary(max_size=300))
def test_any_octets_at_all(data: bytes) -> None:
    framer = Framer()
    for index in range(len(data)):
        framer.feed(data[index : index + 1])
    assert len(framer._buffer) <= len(data)


def test_a_slow_sender_costs_no_search_from_the_start() -> None:
    """A head that comes by the octet is searched once, not once for each."""
    framer = Framer()
    for _ in range(MAX_HEAD - 10):
        framer.feed(b"x")
    assert framer._searched > MAX_HEAD - 20


def test_a_hostile_length_is_refused_in_no_time() -> None:
    framer = Framer()
    started = time.process_time()
    assert framer.feed(message(length=f"5{' ' * 60_000}5")) == []
    assert time.process_time() - started < 0.5
    assert framer.broken == "bad Content-Length"
