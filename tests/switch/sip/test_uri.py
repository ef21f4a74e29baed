"""URIs, name-addr, parameters, lists of values (RFC 3261 sections 19.1 and 20.10, RFC 3966, RFC 5118)."""

from __future__ import annotations

import pytest

from switch.malformed import Malformed
from switch.sip.uri import (
    NameAddr,
    Uri,
    bracketed,
    parse_name_addr,
    parse_uri,
    split_host_port,
    split_params,
    split_values,
    unescape,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:example.com", Uri("sip", "", "example.com", 0, "", "")),
        ("sips:bob@example.com:5061", Uri("sips", "bob", "example.com", 5061, "", "")),
        ("SIP:bob@EXAMPLE.com", Uri("sip", "bob", "example.com", 0, "", "")),
        (
            "sip:+32470123456@example.com;user=phone",
            Uri("sip", "+32470123456", "example.com", 0, ";user=phone", ""),
        ),
        ("sip:bob:secret@example.com", Uri("sip", "bob", "example.com", 0, "", "")),
        (
            "sip:bob@example.com;a=b;lr?Subject=x",
            Uri("sip", "bob", "example.com", 0, ";a=b;lr", "?Subject=x"),
        ),
        ("sip:[2001:DB8::10]", Uri("sip", "", "2001:db8::10", 0, "", "")),
        ("sip:bob@[2001:db8::10]:5070", Uri("sip", "bob", "2001:db8::10", 5070, "", "")),
        ("sip:bob@[::ffff:192.0.2.2]", Uri("sip", "bob", "::ffff:192.0.2.2", 0, "", "")),
        (
            "sip:user;par=u%40example.net@example.com",
            Uri("sip", "user;par=u%40example.net", "example.com", 0, "", ""),
        ),
        ("tel:+32-2-555.12(12);isub=1", Uri("tel", "+32-2-555.12(12)", "", 0, ";isub=1", "")),
        ("TEL:112;phone-context=+32", Uri("tel", "112", "", 0, ";phone-context=+32", "")),
    ],
)
def test_uri_parts(text: str, expected: Uri) -> None:
    assert parse_uri(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@example.com",
        "sip:bob@",
        "sip:bob@example.com:99999",
        "sip:bob@example.com:5a",
        "sip:bob@example.com:\u0665\u0660\u0666\u0660",
        "sip:bob@exa mple.com",
        "sip:bob@example.com\t",
        "sip:bob@<example.com>",
        "sip:bob@[2001:db8::10",
        "sip:bob@[2001:db8::10]5060",
        "sip:bob@[]",
        "sip:bob@2001:db8::10",
        "sip:bob@ex[a]mple.com",
        "tel:+32 2",
        "1sip:bob@example.com",
        "://x",
    ],
)
def test_a_bad_uri_is_400(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_uri(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "text", ["http://example.com", "isbn:2983792873", "soap.beep://192.0.2.103:3002", "urn:service:sos"]
)
def test_another_scheme_is_416(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_uri(text)
    assert caught.value.status == 416


def test_number_is_unescaped_once_and_loses_subscriber_parameters() -> None:
    assert parse_uri("sip:%2B3222@h").number() == "+3222"
    assert parse_uri("sip:value%2541@h").number() == "value%41"
    assert parse_uri("sip:+3222;isub=9@h").number() == "+3222"
    assert parse_uri("sip:user;par=u%40example.net@example.com").number() == "user"
    assert unescape("a%00b") == "a\0b"
    assert unescape("%zz") == "%zz"


def test_uri_parameters_by_name_whatever_their_case() -> None:
    uri = parse_uri("sip:h;LR;Transport=TCP")
    assert split_params(uri.params) == {"lr": None, "transport": "TCP"}
    assert split_params(parse_uri("sip:h").params) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        (";lr", {"lr": None}),
        (";Tag=Abc", {"tag": "Abc"}),
        (' ; a = b ; c="d;e,\\"f" ; g', {"a": "b", "c": 'd;e,\\"f', "g": None}),
        (";a=1;a=2", {"a": "1"}),
        (";received=[2001:db8::9:255]", {"received": "[2001:db8::9:255]"}),
        (";a=", {"a": ""}),
    ],
)
def test_parameters(text: str, expected: dict[str, str | None]) -> None:
    assert split_params(text) == expected


@pytest.mark.parametrize("text", ["x", ";", ";;a", ";a;", ";=b", ';a="open', ";a=b c", ";a,b"])
def test_bad_parameters_are_400(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        split_params(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:a@b>", NameAddr("", "sip:a@b", {})),
        ("sip:a@b;tag=1", NameAddr("", "sip:a@b", {"tag": "1"})),
        ("  sip:a@b ; tag = 1 ", NameAddr("", "sip:a@b", {"tag": "1"})),
        ("<sip:a@b;x=y>;tag=1", NameAddr("", "sip:a@b;x=y", {"tag": "1"})),
        ("<sip:a@b?Route=%3C>;tag=1", NameAddr("", "sip:a@b?Route=%3C", {"tag": "1"})),
        ("caller<sip:a@b>", NameAddr("caller", "sip:a@b", {})),
        ("Alice Smith <sip:a@b>;tag=1", NameAddr("Alice Smith", "sip:a@b", {"tag": "1"})),
        ('"J \\"R\\" <x>, \\\\" <sip:a@b>', NameAddr('J \\"R\\" <x>, \\\\', "sip:a@b", {})),
        ("<tel:+3222>", NameAddr("", "tel:+3222", {})),
    ],
)
def test_name_addr(text: str, expected: NameAddr) -> None:
    assert parse_name_addr(text) == expected


def test_without_brackets_a_parameter_is_the_headers() -> None:
    """RFC 4475 section 3.3.12."""
    address = parse_name_addr("sip:watson@example.com;unknownparam")
    assert address.uri == "sip:watson@example.com"
    assert address.params == {"unknownparam": None}
    assert address.tag is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "<>",
        "<sip:a@b",
        "sip:a@b?Route=x",
        "sip:a@b,c",
        '"open <sip:a@b>',
        '"closed" sip:a@b',
        "< sip:a@b >",
        "<sip:a b@c>",
        "Bell, Alexander <sip:a@b>",
        "<sip:a@b> tag=1",
        "<sip:a@b>;;tag=1",
        "alice",
    ],
)
def test_a_bad_name_addr_is_400(text: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_name_addr(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        (" a , b ", ["a", "b"]),
        ('"x, y" <sip:a@b>, <sip:c,d@e>;q=1', ['"x, y" <sip:a@b>', "<sip:c,d@e>;q=1"]),
        ('"quote \\", comma" <sip:a@b>,c', ['"quote \\", comma" <sip:a@b>', "c"]),
        (",", ["", ""]),
        ("<open,a", ["<open,a"]),
        ('"open,a', ['"open,a']),
    ],
)
def test_values_are_split_outside_quotes_and_brackets(text: str, expected: list[str]) -> None:
    assert split_values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("H", ("h", 0)),
        ("h:1", ("h", 1)),
        ("h:65535", ("h", 65535)),
        ("[::1]", ("::1", 0)),
        ("[::1]:5", ("::1", 5)),
    ],
)
def test_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert split_host_port(text) == expected


def test_only_ipv6_hosts_get_brackets() -> None:
    assert bracketed("2001:db8::1") == "[2001:db8::1]"
    assert bracketed("192.0.2.1") == "192.0.2.1"
