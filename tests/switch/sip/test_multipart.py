"""Bodies of several parts (RFC 2046 section 5.1, RFC 5621)."""

from __future__ import annotations

import time

import pytest

from switch.sip.multipart import DEPTH, find_part

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
