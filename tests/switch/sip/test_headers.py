"""Field names; Via, CSeq, Reason, small numbers (RFC 3261 section 20, RFC 3326, RFC 3581)."""

from __future__ import annotations

import time

import pytest

from switch.malformed import Malformed
from switch.sip.headers import (
    canonical,
    parse_cseq,
    parse_small_number,
    parse_via,
    print_via,
    q850_cause,
    token_set,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Via", "Via"),
        ("v", "Via"),
        ("V", "Via"),
        ("call-id", "Call-ID"),
        ("CALL-ID", "Call-ID"),
        ("i", "Call-ID"),
        ("cseq", "CSeq"),
        ("www-authenticate", "WWW-Authenticate"),
        ("mime-version", "MIME-Version"),
        ("P-CALLED-PARTY-ID", "P-Called-Party-ID"),
        ("Content-Length ", "Content-Length"),
        ("x-my-header", "X-My-Header"),
        ("NewFangledHeader", "Newfangledheader"),
        ("extensionHeader-!.%*+_`'~", "Extensionheader-!.%*+_`'~"),
    ],
)
def test_names_have_one_spelling(name: str, expected: str) -> None:
    assert canonical(name) == expected


@pytest.mark.parametrize("name", ["", " ", "Two Words", "Naïve", "a@b", "a\0"])
def test_a_name_that_is_no_token_is_400(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        canonical(name)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP h;branch=z9hG4bK1", "UDP", "h", 0, "z9hG4bK1"),
        ("SIP/2.0/UDP 192.0.2.2:5061;branch=z9hG4bK1", "UDP", "192.0.2.2", 5061, "z9hG4bK1"),
        ("sip/2.0/udp h:1", "UDP", "h", 1, ""),
        ("SIP / 2.0 / UDP h : 5070 ; branch = x", "UDP", "h", 5070, "x"),
        ("SIP/2.0/UDP [2001:DB8::9:1];branch=z9", "UDP", "2001:db8::9:1", 0, "z9"),
        (
            "SIP/2.0/UDP [2001:db8::9:1]:5070;received=[2001:db8::9:255];branch=z9",
            "UDP",
            "2001:db8::9:1",
            5070,
            "z9",
        ),
        ("SIP/2.0/TLS h:5061;rport;branch=z9hG4bK1;ttl=1", "TLS", "h", 5061, "z9hG4bK1"),
        ("SIP/2.0/UNKNOWN h;branch=z9", "UNKNOWN", "h", 0, "z9"),
    ],
)
def test_via(text: str, transport: str, host: str, port: int, branch: str) -> None:
    via = parse_via(text)
    assert (via.transport, via.host, via.port, via.branch) == (transport, host, port, branch)


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0 h", "UDP h", "SIP/2.0/UDP h:", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h:99999",
     "SIP/2.0/UDP [2001:DB8::1]:65536", "SIP/2.0/UDP h;;branch=1", "SIP/2.0/UDP h,",
     "SIP/2.0/UDP h:\u0665\u0660\u0666\u0660",
     "SIP/2.0/UDP [::1"],
)  # fmt: skip
def test_a_bad_via_is_400(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_via(text)
    assert caught.value.status == 400


def test_a_via_of_another_version_is_505() -> None:
    with pytest.raises(Malformed) as caught:
        parse_via("SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw")
    assert caught.value.status == 505


def test_our_via_reads_back_and_asks_for_rport() -> None:
    via = parse_via(print_via("udp", "2001:db8::1", 5060, "z9hG4bKx"))
    assert (via.transport, via.host, via.port, via.branch) == ("UDP", "2001:db8::1", 5060, "z9hG4bKx")
    assert via.params["rport"] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 INVITE", (1, "INVITE")),
        ("0009\tINVITE", (9, "INVITE")),
        ("  4294967295   ACK ", (4294967295, "ACK")),
        ("0" * 5000 + "7 BYE", (7, "BYE")),
        ("0 OPTIONS", (0, "OPTIONS")),
    ],
)
def test_cseq(text: str, expected: tuple[int, str]) -> None:
    assert parse_cseq(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "INVITE", "1", "1INVITE", "-1 INVITE", "4294967296 ACK", "\u0663 ACK", "² ACK", "9" * 5000 + " ACK"],
)
def test_a_bad_cseq_is_400(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_cseq(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, 70), ("", 70), ("abc", 70), ("-1", 70), ("3", 3), (" 0012 ", 12), ("300", 255),
     ("1" + "0" * 100, 255), ("0" * 6000 + "4", 4), ("²", 70)],
)  # fmt: skip
def test_small_numbers_default_and_stop_at_the_ceiling(text: str | None, expected: int) -> None:
    assert parse_small_number(text, 70, 255) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        (["Q.850;cause=16"], 16),
        (['Q.850 ;cause=17 ;text="User busy"'], 17),
        (['SIP;cause=200;text="Call completed elsewhere"', "q.850;CAUSE = 31"], 31),
        (['SIP;cause=600, Q.850;text="x";cause=21'], 21),
        (["SIP;cause=200"], None),
        (["Q.850;cause=128"], None),
        (["Q.850;cause=1600"], None),
        (["SIP;text=Q.850"], None),
    ],
)
def test_q850_cause(rows: list[str], expected: int | None) -> None:
    assert q850_cause(rows) == expected


def test_a_hostile_reason_is_read_in_no_time() -> None:
    started = time.process_time()
    assert q850_cause(["Q.850;" * 10_000]) is None
    assert time.process_time() - started < 0.5


def test_option_tags_in_lower_case() -> None:
    assert token_set(["Path, 100rel", "", "PATH,,timer"]) == {"path", "100rel", "timer"}
    assert token_set([]) == frozenset()
