"""Bodies of several parts (RFC 2046 section 5.1, RFC 5621), read and written."""

from __future__ import annotations

import time
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.multipart import BY_REFERENCE, DEPTH, Part, find_part, mixed

SDP = "application/sdp"


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


MIXED = crlf(
    "preamble\n--b1\nContent-Type: application/pidf+xml\nContent-ID: <loc1>\n\n<presence/>\n"
    "--b1\nContent-Type: application/SDP; charset=utf-8\nContent-Disposition: session\n\nv=0\no=x\n"
    "--b1--\nepilogue"
)


@pytest.mark.parametrize(
    "content_type",
    ["multipart/mixed;boundary=b1", 'multipart/mixed; boundary="b1"', "Multipart/Mixed ; x=y; Boundary=b1"],
)
def test_the_part_of_the_wanted_type_is_found(content_type: str) -> None:
    assert find_part(MIXED, content_type, SDP) == b"v=0\no=x"
    assert find_part(MIXED, content_type, "application/pidf+xml") == b"<presence/>"
    assert find_part(MIXED, content_type, "text/plain") == b""


def test_lf_line_ends_are_tolerated() -> None:
    assert find_part(MIXED.replace(b"\r\n", b"\n"), "multipart/mixed;boundary=b1", SDP) == b"v=0\no=x"


def test_a_part_without_fields_is_plain_text() -> None:
    body = crlf("--b\n\nhello\n--b--")
    assert find_part(body, "multipart/mixed;boundary=b", "text/plain") == b"hello"


def test_nothing_counts_after_the_closing_delimiter() -> None:
    body = crlf("--b\n\nx\n--b--\n--b\nContent-Type: application/sdp\n\nv=0\n--b--")
    assert find_part(body, "multipart/mixed;boundary=b", SDP) == b""


def test_a_missing_closing_delimiter_is_tolerated() -> None:
    assert find_part(crlf("--b\nc: application/sdp\n\nv=0"), "multipart/mixed;boundary=b", SDP) == b"v=0"


def test_a_longer_boundary_is_another_one() -> None:
    body = crlf("--b\nContent-Type: application/sdp\n\nv=0\n--bb\nnot a delimiter\n--b--")
    assert find_part(body, "multipart/mixed;boundary=b", SDP) == b"v=0\n--bb\nnot a delimiter"


def test_a_folded_content_type_is_one_row() -> None:
    inner = "--i\nContent-Type: application/sdp\n\nv=0\n--i--"
    body = crlf(f"--b\nContent-Type: multipart/alternative;\n boundary=i\n\n{inner}\n--b--")
    assert find_part(body, "multipart/mixed;boundary=b", SDP) == b"v=0"


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/mixed",
        "multipart/mixed;",
        "multipart/mixed;boundary",
        "multipart/mixed;boundary=",
        "multipart/mixed;;boundary=b1",
        'multipart/mixed;boundary="b1',
    ],
)
def test_without_a_readable_boundary_there_are_no_parts(content_type: str) -> None:
    assert find_part(MIXED, content_type, SDP) == b""


@pytest.mark.parametrize(("levels", "found"), [(DEPTH, b"v=0"), (DEPTH + 1, b"")])
def test_parts_are_looked_for_only_so_deep(levels: int, found: bytes) -> None:
    body, kind = "v=0", SDP
    for level in range(levels):
        body = f"--b{level}\nContent-Type: {kind}\n\n{body}\n--b{level}--"
        kind = f"multipart/mixed;boundary=b{level}"
    assert find_part(crlf(body), kind, SDP) == found


def test_deep_nesting_costs_no_time() -> None:
    body = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(1000)
    )
    started = time.process_time()
    assert find_part(body, "multipart/mixed; boundary=b0", SDP) == b""
    assert time.process_time() - started < 0.1


OFFER = Part(SDP, b"v=0\r\no=x\r\n")
PLACE = Part(
    "application/pidf+xml", "<presence>Liège</presence>".encode(), "loc1@switch.example", BY_REFERENCE
)


def read_by_email(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Header fields and content of each part, as Python's own reader of mail sees them."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    assert message.defects == []
    parts = []
    for part in message.walk():
        if part is not message:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            parts.append((dict(part.items()), content))
    return parts


def test_a_body_is_written_in_order_with_its_header_fields() -> None:
    assert mixed([OFFER, PLACE], "b1") == (
        "multipart/mixed;boundary=b1",
        crlf(
            "--b1\nContent-Type: application/sdp\n\nv=0\no=x\n\n"
            "--b1\nContent-Type: application/pidf+xml\nContent-ID: <loc1@switch.example>\n"
            "Content-Disposition: by-reference;handling=optional\n\n<presence>Liège</presence>\n--b1--\n"
        ),
    )


def test_what_is_written_is_read_again() -> None:
    content_type, body = mixed([OFFER, PLACE], "b1")
    assert find_part(body, content_type, SDP) == b"v=0\no=x\n"
    assert find_part(body, content_type, "application/pidf+xml") == PLACE.content
    assert [content for _, content in read_by_email(content_type, body)] == [OFFER.content, PLACE.content]


@pytest.mark.parametrize("content", [b"--b", b"x\r\n--b--\r\n--b-1\r\n", b"a=--b-1--b-2--b"])
def test_a_boundary_that_a_part_holds_is_not_used(content: bytes) -> None:
    content_type, body = mixed([Part("text/plain", content), PLACE], "b")
    assert [read for _, read in read_by_email(content_type, body)] == [content, PLACE.content]
    assert find_part(body, content_type, "application/pidf+xml") == PLACE.content


@given(st.lists(st.lists(st.sampled_from([b"--b", b"-1", b"\r\n", b"x", b"\xff"])), min_size=1, max_size=4))
def test_no_part_is_cut_in_two(pieces: list[list[bytes]]) -> None:
    contents = [b"".join(piece) for piece in pieces]
    content_type, body = mixed([Part(f"text/x-{n}", content) for n, content in enumerate(contents)], "b")
    for number, content in enumerate(contents):
        assert find_part(body, content_type, f"text/x-{number}") == content.replace(b"\r\n", b"\n")
