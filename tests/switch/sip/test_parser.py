"""Bytes to messages (RFC 3261 sections 7, 18.3 and 20; RFC 5626 section 3.5.1)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from switch.sip.message import Request, Response
from switch.sip.parser import KEEP_ALIVE, MAX_HEADERS, Unparsable, parse_datagram
from tests.switch.sip.support import Row, make_request, make_response, request_bytes, response_bytes

TORTURE = sorted((Path(__file__).parents[2] / "torture" / "rfc4475").glob("*.dat"))
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\n"
INVITE = request_bytes("INVITE", "sip:bob@example.com", SDP, {"Contact": "<sip:alice@192.0.2.2>"})


def broken(data: bytes) -> Unparsable:
    message = parse_datagram(data)
    assert isinstance(message, Unparsable), message
    return message


def test_a_request_as_it_stands() -> None:
    request = parse_datagram(INVITE)
    assert isinstance(request, Request)
    assert (request.method, request.uri) == ("INVITE", "sip:bob@example.com")
    assert request.call_id == "call-1"
    assert request.cseq == (1, "INVITE")
    assert request.via.branch == "z9hG4bK-1"
    assert request.sender.tag == "a1"
    assert request.recipient.tag is None
    assert request.body == SDP.encode()


def test_a_response_as_it_stands() -> None:
    response = make_response(183, {"Reason": "Q.850;cause=16"})
    assert (response.status, response.reason) == (183, "Whatever")
    assert response.cseq == (1, "INVITE")
    assert response.recipient.tag == "b1"
    assert response.get("Reason") == "Q.850;cause=16"


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0"])
def test_a_keep_alive_is_no_message(data: bytes) -> None:
    assert parse_datagram(data) is KEEP_ALIVE


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n\r\n\r\n\r\n"])
def test_line_ends_before_the_start_line_are_ignored(before: bytes) -> None:
    """RFC 3261 section 7.5."""
    request = parse_datagram(before + INVITE)
    assert isinstance(request, Request)
    assert request.body == SDP.encode()


def test_compact_and_odd_names_are_the_same_fields() -> None:
    request = parse_datagram(
        b"OPTIONS sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@h>;tag=1\r\n"
        b"T:<sip:b@h>\r\ni : x@y\r\ncSeQ: 2 OPTIONS\r\nl: 0\r\n\r\n"
    )
    assert isinstance(request, Request)
    assert list(request.fields) == ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length"]


def test_folded_rows_are_joined_by_one_space() -> None:
    """RFC 3261 section 7.3.1."""
    request = make_request(fields={"Subject": "I know\r\n \t you are there,\r\n   pick up"})
    assert request.get("Subject") == "I know you are there, pick up"


def test_bare_line_feeds_are_tolerated() -> None:
    request = parse_datagram(request_bytes("OPTIONS", "sip:b@h", "", {}).replace(b"\r\n", b"\n"))
    assert isinstance(request, Request)
    assert request.call_id == "call-1"


def test_rows_of_a_field_keep_their_order() -> None:
    request = make_request(fields={"Route": ["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"]})
    assert request.values("Route") == ["<sip:p1;lr>", "<sip:p2;lr>", "<sip:p3;lr>"]
    assert request.rows("Route") == ["<sip:p1;lr>, <sip:p2;lr>", "<sip:p3;lr>"]


def test_bytes_behind_the_content_length_are_ignored() -> None:
    """RFC 3261 section 18.3."""
    request = parse_datagram(INVITE + b"INVITE sip:other@example.com SIP/2.0\r\n")
    assert isinstance(request, Request)
    assert request.body == SDP.encode()


def test_without_content_length_the_body_is_the_rest() -> None:
    data = INVITE.replace(f"Content-Length: {len(SDP)}\r\n".encode(), b"")
    request = parse_datagram(data)
    assert isinstance(request, Request)
    assert request.body == SDP.encode()


def test_any_bytes_survive_in_fields_and_body() -> None:
    data = INVITE.replace(b"Max-Forwards: 70", b"X-Any: \xff\xfe\x80 \xe2\x82\xac")
    request = parse_datagram(data)
    assert isinstance(request, Request)
    assert b"X-Any: \xff\xfe\x80 \xe2\x82\xac" in request.encode()


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("OPTIONS sip:b@h SIP/2.0 ", 400),
        ("OPTIONS  sip:b@h SIP/2.0", 400),
        ("OPTIONS sip:b@h  SIP/2.0", 400),
        ("OPTIONS <sip:b@h> SIP/2.0", 400),
        ("OPTIONS sip:b@h; lr SIP/2.0", 400),
        ("OPTIONS  SIP/2.0", 400),
        ("OPTIONS sip:b@h SIP/7.0", 505),
        ("OPTIONS sip:b@h SIP/2.1", 505),
    ],
)
def test_a_request_line_that_is_wrong_is_answered(first: str, status: int) -> None:
    data = request_bytes("OPTIONS", "sip:b@h", "", {}).replace(b"OPTIONS sip:b@h SIP/2.0", first.encode(), 1)
    answer = broken(data)
    assert answer.status == status
    assert answer.request is not None


@pytest.mark.parametrize(
    "first",
    [
        "OPTIONS",
        "OPTIONS sip:b@h",
        "OPTI(ONS sip:b@h SIP/2.0",
        "GET / HTTP/1.1",
        " SIP/2.0 200 OK",
        "SIP/3.0 200 OK",
    ],
)
def test_what_is_no_sip_at_all_gets_no_answer(first: str) -> None:
    data = request_bytes("OPTIONS", "sip:b@h", "", {}).replace(b"OPTIONS sip:b@h SIP/2.0", first.encode(), 1)
    assert broken(data).request is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"From": None}, "Missing From"),
        ({"To": ""}, "Missing To"),
        ({"Call-ID": None}, "Missing Call-ID"),
        ({"CSeq": None}, "Missing CSeq"),
        ({"CSeq": "1 INVITE"}, "CSeq method differs"),
        ({"CSeq": "x OPTIONS"}, "Bad CSeq"),
        ({"From": "<sip:a@h"}, "Bad name-addr"),
        ({"To": '"b <sip:b@h>'}, "Unterminated quote"),
        ({"Via": "SIP/2.0/UDP h;;branch=z9hG4bK1"}, "Bad parameter"),
        ({"Via": "nonsense"}, "Bad Via"),
        ({"To": ["<sip:b@h>", "<sip:c@h>"]}, "Repeated To"),
        ({"From": ["<sip:b@h>", "<sip:b@h>"]}, "Repeated From"),
        ({"Call-ID": ["x", "x"]}, "Repeated Call-ID"),
        ({"CSeq": ["1 OPTIONS", "2 OPTIONS"]}, "Repeated CSeq"),
        ({"Max-Forwards": ["70", "5"]}, "Repeated Max-Forwards"),
        ({"Content-Length": "5"}, "Repeated Content-Length"),
        ({"Bad Name": "x"}, "Bad header name"),
        ({"Subject": "x\r\nno colon here"}, "Bad header"),
    ],
)  # fmt: skip
def test_a_request_that_breaks_a_rule_is_answered_400(fields: dict[str, Row], reason: str) -> None:
    answer = broken(request_bytes("OPTIONS", "sip:b@h", "", fields))
    assert (answer.status, answer.reason) == (400, reason)
    assert answer.request is not None


@pytest.mark.parametrize("length", ["-999", "9999", "five", "1 0", "\u0665", "9" * 400])
def test_a_content_length_that_cannot_be_true_is_400(length: str) -> None:
    data = INVITE.replace(f"Content-Length: {len(SDP)}".encode(), f"Content-Length: {length}".encode())
    answer = broken(data)
    assert answer.status == 400
    assert answer.request is not None


@pytest.mark.parametrize("subject", ["a\rEvil: b", "a\r", "\ra"])
def test_a_lone_carriage_return_is_400(subject: str) -> None:
    assert broken(request_bytes("OPTIONS", "sip:b@h", "", {"Subject": subject})).status == 400


def test_the_same_content_length_twice_is_tolerated() -> None:
    data = INVITE.replace(b"Max-Forwards: 70", f"Content-Length: {len(SDP)}".encode())
    assert isinstance(parse_datagram(data), Request)


def test_a_first_row_that_continues_nothing_is_400() -> None:
    data = request_bytes("OPTIONS", "sip:b@h", "", {}).replace(b"Via:", b" Via:", 1)
    assert broken(data).status == 400


def test_without_a_via_there_is_no_way_to_answer() -> None:
    assert broken(request_bytes("OPTIONS", "sip:b@h", "", {"Via": None})).request is None


def test_an_ack_is_never_answered() -> None:
    assert broken(request_bytes("ACK", "sip:b@h", "", {"CSeq": "1 INVITE"})).request is None


def test_thousands_of_rows_are_not_even_read() -> None:
    answer = broken(request_bytes("OPTIONS", "sip:b@h", "", {"X": ["y"] * MAX_HEADERS}))
    assert answer.status == 513


@pytest.mark.parametrize(
    "first",
    [
        "SIP/2.0 99 Low",
        "SIP/2.0 700 High",
        "SIP/2.0 4294967301 Big",
        "SIP/2.0 abc",
        "SIP/2.0 ",
        "SIP/2.0 1²³ Odd",
        "SIP/2.0 2\u0660\u0660 Odd",
    ],
)
def test_a_response_with_no_such_status_is_dropped(first: str) -> None:
    answer = broken(response_bytes(200).replace(b"SIP/2.0 200 Whatever", first.encode(), 1))
    assert answer.request is None


@pytest.mark.parametrize(
    "fields",
    [{"Via": None}, {"Via": "x"}, {"From": None}, {"To": None}, {"To": "<sip:b"}, {"Call-ID": None},
     {"CSeq": None}, {"CSeq": "x"}, {"To": ["<sip:b@h>", "<sip:c@h>"]}, {"Content-Length": "77"}],
)  # fmt: skip
def test_a_response_that_breaks_a_rule_is_dropped(fields: dict[str, Row]) -> None:
    assert broken(response_bytes(200, fields)).request is None


def test_a_response_needs_no_reason_phrase() -> None:
    for first in (b"SIP/2.0 200 ", b"SIP/2.0 200", b"sip/2.0 200 "):
        response = parse_datagram(response_bytes(200).replace(b"SIP/2.0 200 Whatever", first, 1))
        assert isinstance(response, Response)
        assert response.status == 200


@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem)
def test_no_prefix_of_a_message_raises(path: Path) -> None:
    data = path.read_bytes()
    for end in range(len(data)):
        parse_datagram(data[:end])


@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem)
def test_no_flipped_byte_raises(path: Path) -> None:
    data, chance = path.read_bytes(), random.Random(path.stem)
    for _ in range(300):
        flipped = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
        message = parse_datagram(bytes(flipped))
        if isinstance(message, Request | Response):
            message.encode()
