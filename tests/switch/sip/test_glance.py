"""What a glance sees, the parser sees too; and it never raises."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import glance
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from switch.sip.transaction.key import client_key, server_key
from tests.switch.sip.support import request_bytes, response_bytes

TAGS = {"From": "<sip:a@x>;tag=f1", "To": "Bob <sip:b@x;tag=no>;tag=t1", "Call-ID": "call@x"}


@pytest.mark.parametrize("method", ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"])
def test_a_request_is_found_where_the_parser_finds_it(method: str) -> None:
    data = request_bytes(method, "sip:b@x", "", TAGS)
    request = parse_datagram(data)
    assert isinstance(request, Request)
    assert glance.request_line(data) == (method, "sip:b@x")
    assert ("call@x", "t1") in glance.dialogs(data)
    keys = glance.transaction(data)
    assert keys is not None
    assert keys[1] == server_key(request)


def test_a_response_is_found_where_the_parser_finds_it() -> None:
    data = response_bytes(200, TAGS)
    response = parse_datagram(data)
    assert isinstance(response, Response)
    assert glance.request_line(data) == ("", "")
    assert ("call@x", "f1") in glance.dialogs(data)
    keys = glance.transaction(data)
    assert keys is not None
    assert keys[0] == client_key(response)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\r\n" + data,
        lambda data: data.replace(b"\r\n", b"\n"),
        lambda data: data.replace(b"Via:", b"v :").replace(b"Call-ID: ", b"i:\t"),
        lambda data: data.replace(b"CSeq: ", b"CSEQ:  00"),
        lambda data: data.replace(b";rport", b";rport, SIP/2.0/UDP y;branch=z9hG4bK-2"),
    ],
)
def test_other_spellings(change: object) -> None:
    assert callable(change)
    data = change(request_bytes("BYE", "sip:b@x", "", TAGS))
    request = parse_datagram(data)
    assert isinstance(request, Request)
    assert glance.request_line(data) == ("BYE", "sip:b@x")
    assert ("call@x", "t1") in glance.dialogs(data)
    keys = glance.transaction(data)
    assert keys is not None
    assert keys[1] == server_key(request)


@given(st.one_of(st.binary(), st.text(alphabet="\r\n:;, iv=tagbrnchCSeqSIP/2.019").map(str.encode)))
def test_bytes_never_raise(data: bytes) -> None:
    glance.request_line(data)
    glance.dialogs(data)
    glance.transaction(data)
    head = b"\nVia: " + data[:20] + b"\nCSeq: 1 BYE\ni:" + data[20:]
    glance.dialogs(head)
    glance.transaction(head)


def test_an_answer_without_parsing() -> None:
    data = (
        b"INVITE sip:1@h SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5070;rport;branch=z9hG4bKa\r\n"
        b"v: SIP/2.0/UDP 10.0.0.2\r\nf: <sip:a@h>;tag=1\r\nTo: <sip:1@h>\r\ni: c1\r\n"
        b"CSeq: 1\r\n INVITE\r\nSubject: To: nobody\r\n\r\nTo: <sip:body@h>\r\n"
    )
    answer = glance.refusal(data, ("192.0.2.9", 6000), "503 Service Unavailable", "abc", "Retry-After: 3")
    assert answer == (
        b"SIP/2.0 503 Service Unavailable\r\n"
        b"Via: SIP/2.0/UDP 10.0.0.1:5070;rport=6000;received=192.0.2.9;branch=z9hG4bKa\r\n"
        b"v: SIP/2.0/UDP 10.0.0.2\r\nTo: <sip:1@h>;tag=abc\r\nf: <sip:a@h>;tag=1\r\ni: c1\r\n"
        b"CSeq: 1\r\n INVITE\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
    )
    parsed = parse_datagram(answer)
    assert isinstance(parsed, Response)
    assert (parsed.status, parsed.call_id, parsed.cseq) == (503, "c1", (1, "INVITE"))


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_no_answer_where_a_row_is_missing(missing: str) -> None:
    rows = ["Via: SIP/2.0/UDP h;branch=z9hG4bKa", "From: <sip:a@h>;tag=1", "To: <sip:b@h>", "Call-ID: c"]
    rows = [row for row in [*rows, "CSeq: 1 INVITE"] if not row.startswith(missing)]
    data = ("INVITE sip:1@h SIP/2.0\r\n" + "\r\n".join(rows) + "\r\n\r\n").encode()
    assert (
        glance.refusal(data, ("192.0.2.9", 6000), "503 Service Unavailable", "abc", "Retry-After: 3") is None
    )


@given(st.binary(max_size=400))
def test_garbage_gets_no_answer_or_a_harmless_one(garbage: bytes) -> None:
    answer = glance.refusal(garbage, ("192.0.2.9", 6000), "503 Service Unavailable", "abc", "Retry-After: 3")
    assert answer is None or answer.startswith(b"SIP/2.0 503 ")


@pytest.mark.parametrize(
    ("row", "proof"),
    [("Authorization: Digest x", True), ("proxy-authorization : y", True), ("X-Authorization: z", False)],
)
def test_credentials(row: str, proof: bool) -> None:
    assert glance.has_credentials(f"INVITE sip:1@h SIP/2.0\r\n{row}\r\n\r\n".encode()) is proof


@pytest.mark.parametrize("name", [b"Call-ID", b"Via"])
def test_a_row_of_blanks_costs_next_to_nothing(name: bytes) -> None:
    """It is looked at for everything that a banned sender sends: twenty of them are seen in no time."""
    data = b"OPTIONS sip:x SIP/2.0\r\n" + name + b":" + b" " * 4_000 + b"\r\nCSeq: 1 OPTIONS\r\n\r\n"
    started = time.process_time()
    for _ in range(20):
        assert glance.dialogs(data) == []
        assert glance.transaction(data) is None
    assert time.process_time() - started < 0.25
