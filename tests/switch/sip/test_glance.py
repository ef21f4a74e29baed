"""What a glance sees, the parser sees too; and it never raises."""

from __future__ import annotations

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
