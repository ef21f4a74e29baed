"""Messages as values: reading, printing, answering them (RFC 3261 sections 7 and 8.2.6)."""

from __future__ import annotations

import pytest

from switch.sip.message import Request, Response, respond
from switch.sip.parser import Unparsable, parse_datagram
from tests.switch.sip.support import make_request, request_bytes


def again(data: bytes) -> Request | Response:
    message = parse_datagram(data)
    assert isinstance(message, Request | Response)
    return message


def test_a_request_prints_as_it_was_read() -> None:
    request = make_request(
        "INVITE", body="v=0\r\n", fields={"Route": ["<sip:p1;lr>", "<sip:p2;lr>"], "X-A": "ü"}
    )
    copy = again(request.encode())
    assert isinstance(copy, Request)
    assert (copy.method, copy.uri, copy.fields, copy.body) == (
        request.method,
        request.uri,
        request.fields,
        request.body,
    )


def test_content_length_is_always_that_of_the_body() -> None:
    request = Request("INFO", "sip:b@h", {"Content-Length": ["999"]}, "é".encode())
    assert b"Content-Length: 2\r\n\r\n" in request.encode()
    assert request.encode().count(b"Content-Length") == 1


def test_a_message_without_body_says_so() -> None:
    assert Request("BYE", "sip:b@h", {}).encode() == b"BYE sip:b@h SIP/2.0\r\nContent-Length: 0\r\n\r\n"


def test_the_core_values_of_a_built_message_are_read_from_its_fields() -> None:
    message = Response(
        200,
        "OK",
        {
            "Via": ["SIP/2.0/UDP h:1;branch=z9hG4bK1, SIP/2.0/UDP i"],
            "From": ["<sip:a@h>;tag=1"],
            "To": ["<sip:b@h>;tag=2"],
            "Call-ID": ["x"],
            "CSeq": ["7 BYE"],
        },
    )
    assert message.via.host == "h"
    assert (message.sender.tag, message.recipient.tag) == ("1", "2")
    assert message.cseq == (7, "BYE")
    assert message.get("Contact") is None
    assert message.rows("Contact") == message.values("Contact") == []


def test_a_response_copies_what_names_the_transaction() -> None:
    """RFC 3261 section 8.2.6.2."""
    request = make_request(
        "INVITE",
        fields={
            "Via": ["SIP/2.0/UDP h;branch=z9hG4bK1", "SIP/2.0/UDP i;branch=z9hG4bK2, SIP/2.0/TCP j"],
            "Contact": "<sip:a@h>",
            "Record-Route": ["<sip:p1;lr>", "<sip:p2;lr>"],
            "Subject": "x",
        },
    )
    response = again(respond(request, 200, tag="t").encode())
    assert isinstance(response, Response)
    assert response.reason == "OK"
    for name in ("Via", "From", "Call-ID", "CSeq", "Record-Route"):
        assert response.rows(name) == request.rows(name)
    assert response.rows("To") == ["<sip:bob@example.com>;tag=t"]
    assert "Subject" not in response.fields
    assert "Contact" not in response.fields


def test_the_request_is_left_as_it_was() -> None:
    request = make_request("INVITE")
    before = request.encode()
    respond(request, 180, tag="t", fields={"Contact": ["<sip:x@y>"]})
    assert request.encode() == before


@pytest.mark.parametrize("status", [300, 404, 486])
def test_a_refusal_has_no_record_route(status: int) -> None:
    request = make_request("INVITE", fields={"Record-Route": "<sip:p1;lr>"})
    assert "Record-Route" not in respond(request, status, tag="t").fields


def test_100_has_no_tag_and_no_route_but_the_timestamp() -> None:
    """RFC 3261 sections 8.2.6.1 and 12.1.1."""
    request = make_request("INVITE", fields={"Timestamp": "54.2", "Record-Route": "<sip:p1;lr>"})
    response = respond(request, 100, tag="t")
    assert response.rows("To") == request.rows("To")
    assert response.rows("Timestamp") == ["54.2"]
    assert "Record-Route" not in response.fields
    assert "Timestamp" not in respond(request, 180, tag="t").fields


def test_a_tag_in_to_is_kept() -> None:
    request = make_request(fields={"To": "<sip:b@h> ; tag = theirs"})
    assert respond(request, 481, tag="ours").rows("To") == request.rows("To")


def test_a_tag_in_the_to_of_a_broken_request_is_kept() -> None:
    message = parse_datagram(request_bytes("BYE", "sip:b@h", "", {"From": "<sip:a", "To": "<sip:b@h>;tag=1"}))
    assert isinstance(message, Unparsable)
    assert message.request is not None
    assert respond(message.request, 400, tag="ours").rows("To") == ["<sip:b@h>;tag=1"]


def test_reason_phrases() -> None:
    request = make_request()
    assert respond(request, 486).reason == "Busy Here"
    assert respond(request, 400, reason="Bad CSeq").reason == "Bad CSeq"
    assert respond(request, 499).reason == "Unknown"


SDP = "v=0\r\n"
PARTS = (
    "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
    f"--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("content_type", "body", "sdp"),
    [
        (None, "", b""),
        ("application/sdp", "", b""),
        ("application/sdp", SDP, b"v=0\r\n"),
        ("Application/SDP; charset=utf-8", SDP, b"v=0\r\n"),
        ("application/dtmf-relay", "Signal=1", b""),
        (None, SDP, b""),
        ("multipart/mixed;boundary=b", PARTS, b"v=0\n"),
        ("multipart/mixed;boundary=other", PARTS, b""),
        ("multipart/mixed", PARTS, b""),
    ],
)
def test_the_session_description_of_a_message(content_type: str | None, body: str, sdp: bytes) -> None:
    assert make_request("INVITE", body=body, fields={"Content-Type": content_type}).sdp == sdp


def test_messages_show_what_they_are() -> None:
    assert repr(Request("BYE", "sip:b@h", {})) == "<BYE sip:b@h>"
    assert repr(Response(200, "OK", {})) == "<200 OK>"
