"""What is remembered of the wire: which messages, for how long, and what is hidden."""

from __future__ import annotations

import time
from typing import Any

import pytest

from switch.net.trace import OVERHEAD, Trace, messages_of, without_secrets
from switch.ports import NS_PER_S, Address, Flow, Moment, Traced

FLOW = Flow("tcp", Address("192.0.2.1", 5060), Address("198.51.100.7", 40_000))
MIB = 1 << 20


def at(seconds: float) -> Moment:
    return Moment(0, int(seconds * NS_PER_S))


def message(call_id: str = "c1", method: str = "INVITE", more: str = "", body: str = "") -> bytes:
    rows = f"Via: SIP/2.0/UDP x\r\nCall-ID: {call_id}\r\n{more}CSeq: 1 {method}\r\n"
    return f"{method} sip:x SIP/2.0\r\n{rows}\r\n{body}".encode()


def of(trace: Trace, *names: str, at_s: float = 5) -> list[dict[str, Any]]:
    return messages_of(trace.copy(at(at_s)), names)


def test_the_messages_of_a_call_in_their_order() -> None:
    trace = Trace(60, MIB)
    trace.add(at(1), FLOW, message("a"), sent=False)
    trace.belongs(Traced("call-1", "a"))
    trace.add(at(2.5), FLOW, message("b"), sent=True)
    trace.belongs(Traced("call-1", "b"))
    trace.add(at(3), FLOW, message("other"), sent=True)
    trace.add(at(4), FLOW, message("a", "BYE"), sent=False)
    rows = of(trace, "call-1")
    assert [(row["at_ms"], row["sent"]) for row in rows] == [(1000, False), (2500, True), (4000, False)]
    assert rows[0]["source"] == ["198.51.100.7", 40_000] == rows[1]["target"]
    assert rows[0]["target"] == ["192.0.2.1", 5060] == rows[1]["source"]
    assert rows[0]["transport"] == "tcp"
    assert of(trace, "other")[0]["message"].startswith("INVITE")
    assert of(trace, "nobody") == []


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS"])
def test_what_belongs_to_no_call_is_not_kept(method: str) -> None:
    trace = Trace(60, MIB)
    trace.add(at(1), FLOW, message("a", method), sent=False)
    trace.add(at(1), FLOW, message("a", method).replace(method.encode(), b"SIP/2.0", 1), sent=True)
    trace.add(at(1), FLOW, b"\r\n\r\n", sent=False)
    assert (len(trace), trace.bytes) == (0, 0)


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS"])
def test_who_allows_a_method_is_kept(method: str) -> None:
    trace = Trace(60, MIB)
    trace.add(at(1), FLOW, message(more=f"Allow: INVITE, {method}\r\n"), sent=False)
    assert len(trace) == 1


def test_the_oldest_is_forgotten_by_age_and_by_size() -> None:
    size = len(message("a")) + OVERHEAD
    trace = Trace(10, 3 * (size + OVERHEAD))
    for second, name in enumerate("abcd"):
        trace.add(at(second), FLOW, message(name), sent=False)
        trace.belongs(Traced(f"call-{name}", name))
    assert of(trace, "call-a") == []
    assert [len(of(trace, f"call-{name}")) for name in "bcd"] == [1, 1, 1]
    assert [len(of(trace, f"call-{name}", at_s=12.5)) for name in "bcd"] == [0, 0, 1]
    assert of(trace, "call-d", at_s=100) == []
    assert (len(trace), trace.bytes) == (0, 0)


def test_memory_is_bounded_whatever_comes() -> None:
    trace = Trace(3600, 20_000)
    for number in range(1000):
        trace.add(at(number), FLOW, message(f"{number}", body="x" * (number % 500)), sent=False)
        trace.belongs(Traced(f"call-{number}", f"{number}"))
        assert trace.bytes <= 20_000 + OVERHEAD
    assert len(trace) < 50


def test_switched_off_nothing_is_kept() -> None:
    trace = Trace(60, 0)
    trace.add(at(1), FLOW, message(), sent=False)
    trace.belongs(Traced("call", "c1"))
    assert len(trace) == 0
    trace.replace(60, MIB)
    trace.add(at(1), FLOW, message(), sent=False)
    assert len(trace) == 1
    trace.replace(60, 0)
    assert (len(trace), trace.bytes) == (0, 0)


@pytest.mark.parametrize(
    "more",
    [
        'Authorization: Digest username="a", response="SECRET"\r\n',
        'PROXY-AUTHORIZATION : Digest username="a",\r\n\tresponse="SECRET"\r\n',
        'authorization:Digest response="SECRET",\r\n qop=auth, cnonce="SECRET"\r\n',
    ],
)
def test_proofs_of_passwords_are_hidden(more: str) -> None:
    shown = without_secrets(message(more=more))
    assert b"SECRET" not in shown
    assert b"uthorization" in shown or b"AUTHORIZATION" in shown
    assert b"Call-ID: c1\r\n" in shown
    assert b"\r\nCSeq: 1 INVITE\r\n" in shown


def test_keys_pressed_and_keys_of_media_are_hidden() -> None:
    assert b"Signal" not in without_secrets(message(method="INFO", body="Signal=5\r\nDuration=160\r\n"))
    key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET|2^20"
    body = f"v=0\r\nm=audio 1 RTP/SAVP 8\r\n{key}\r\na=sendrecv\r\n"
    shown = without_secrets(message(body=body))
    assert b"SECRET" not in shown
    assert b"a=sendrecv" in shown
    two = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:SECRET;inline:OTHER"  # RFC 4568 section 9.1
    assert b"SECRET" not in without_secrets(message(body=f"v=0\r\n{two}\r\n"))
    plain = message(body="v=0\r\nm=audio 1 RTP/AVP 8\r\n")
    assert without_secrets(plain) == plain


def test_hostile_rows_are_shown_in_no_time() -> None:
    """Of these a trace holds thousands."""
    trace = Trace(60, MIB)
    for number in range(20):
        trace.add(at(number), FLOW, b"BYE sip:x SIP/2.0\r\ni:" + b" " * 4_000 + b"\r\n\r\n", sent=False)
    started = time.process_time()
    assert of(trace, "a") == []
    without_secrets(b"BYE sip:x SIP/2.0\r\n\r\n" + b"a=crypto:" * 7_000)
    assert time.process_time() - started < 0.25


def test_what_is_no_text_is_shown_all_the_same() -> None:
    trace = Trace(60, MIB)
    trace.add(at(1), FLOW, message("a") + b"\xff\xfe", sent=False)
    assert of(trace, "a")[0]["message"].endswith("��")
