"""Bytes never raise and leave nothing; parsing and printing agree."""

from __future__ import annotations

import string

from hypothesis import example, given, settings
from hypothesis import strategies as st

from switch.malformed import Malformed
from switch.ports import Address
from switch.sdp.description import parse as parse_sdp
from switch.sdp.description import print_with
from switch.sip.headers import Via, parse_cseq, parse_via, print_via
from switch.sip.message import Request, Response
from switch.sip.multipart import find_part
from switch.sip.parser import parse_datagram
from switch.sip.uri import parse_name_addr, parse_uri, split_params, split_values
from tests.torture.accidents import SPLICES, Accident, after
from tests.torture.conversation import STEPS
from tests.torture.corpus import EVERYDAY, SDP, TORTURE
from tests.torture.support import CARRIER, EQUIPMENT, STRANGER, Subject

some = settings(max_examples=150, deadline=None, derandomize=True)
many = settings(max_examples=400, deadline=None, derandomize=True)

ACCIDENT = st.tuples(
    st.integers(0, 4),
    st.integers(0, 1000),
    st.integers(0, 40),
    st.binary(max_size=8),
    st.sampled_from(SPLICES),
)
ACCIDENTS = st.lists(ACCIDENT, min_size=1, max_size=3)


def mutants() -> st.SearchStrategy[bytes]:
    """A real message after a few accidents."""
    return st.builds(after, ACCIDENTS, st.sampled_from(EVERYDAY + TORTURE))


def assert_harmless(data: bytes, remote: Address) -> Subject:
    subject = Subject()
    subject.receive(data, remote)
    subject.assert_unharmed()
    return subject


# --- bytes never raise --------------------------------------------------------------------------------------


@many
@given(
    st.one_of(
        st.binary(max_size=400), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_are_harmless_and_leave_nothing(data: bytes) -> None:
    subject = assert_harmless(data, STRANGER)
    assert len(subject.sent()) <= 1
    subject.assert_at_rest()


@many
@given(mutants())
@example(EVERYDAY[2])
def test_a_mutant_from_a_stranger_is_harmless(data: bytes) -> None:
    subject = assert_harmless(data, STRANGER)
    subject.wait()
    subject.assert_unharmed()
    subject.assert_at_rest()


@some
@given(mutants(), st.sampled_from([EQUIPMENT, CARRIER]))
def test_a_mutant_from_those_whom_we_trust_is_harmless(data: bytes, remote: Address) -> None:
    """Some of these start calls; all come to rest."""
    subject = assert_harmless(data, remote)
    for _, sent in subject.sent():
        assert isinstance(parse_datagram(sent), Request | Response) or sent.startswith(
            (b"SIP/2.0 4", b"SIP/2.0 505", b"\r\n")
        )
    subject.wait()
    subject.assert_unharmed()
    subject.assert_at_rest()
    assert subject.switch.pool.taken == 0


@many
@given(st.integers(0, len(STEPS) - 1), ACCIDENTS, st.booleans())
def test_an_accident_to_any_message_of_a_call_does_no_harm(
    index: int, accidents: list[Accident], twice: bool
) -> None:
    """Instead of the message as it was meant, or before it."""
    subject = Subject()
    for number, step in enumerate(STEPS):
        data, remote = step(subject)
        if number == index:
            subject.receive(after(accidents, data), remote)
            if not twice:
                continue
        subject.receive(data, remote)
    subject.assert_unharmed()
    subject.wait(3 * 3600)
    subject.assert_unharmed()
    subject.assert_at_rest()
    assert subject.switch.pool.taken == 0


@many
@given(st.text(max_size=60))
def test_values_are_read_or_malformed(text: str) -> None:
    for read in (parse_uri, parse_name_addr, parse_via, parse_cseq, split_params, split_values):
        try:
            read(text)
        except Malformed as error:
            assert error.status in (400, 416, 505)  # noqa: PT017 - either is right, an accident is not


@some
@given(st.binary(max_size=200), st.text(max_size=40))
def test_any_body_of_several_parts_is_harmless(body: bytes, content_type: str) -> None:
    assert isinstance(find_part(body, f"multipart/mixed;{content_type}", "application/sdp"), bytes)
    assert find_part(b"--b\r\n" + body, "multipart/mixed;boundary=b", "x/y") in b"\n" + body.replace(
        b"\r\n", b"\n"
    )


@some
@given(
    st.lists(
        st.sampled_from([*SDP.encode().split(b"\r\n"), b"c=IN IP4 0.0.0.0", b"m=video 0 RTP/AVP 31", b"a=x"])
    )
)
def test_any_lines_of_sdp_are_read_or_malformed(lines: list[bytes]) -> None:
    try:
        description = parse_sdp(b"\r\n".join([b"v=0", *lines]))
    except Malformed as error:
        assert error.status in (400, 488)  # noqa: PT017
        return
    ports = [40_000 if media.relayed else 0 for media in description.media]
    again = parse_sdp(
        b"v=0\r\n" + print_with(description, "192.0.2.1", ports).encode("utf-8", "surrogateescape")
    )
    assert [media.port for media in again.media] == ports
    assert [media.direction for media in again.media] == [media.direction for media in description.media]
    assert {media.host for media in again.media} <= {"192.0.2.1", "0.0.0.0", ""}


# --- parsing and printing agree -----------------------------------------------------------------------------

TOKEN = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), max_size=20
)  # what a row may hold anywhere
URI = st.builds("sip:{}@{}.example".format, TOKEN, st.text(string.ascii_lowercase, min_size=1, max_size=8))
HOST = st.one_of(
    st.from_regex(r"\A[a-z][a-z0-9.-]{0,15}[a-z]\Z"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
PORT = st.integers(0, 65_535)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    method = draw(TOKEN.filter(lambda text: "/" not in text))
    fields = {
        "Via": draw(st.lists(st.builds(print_via, TOKEN, HOST, PORT, TOKEN), min_size=1, max_size=3)),
        "From": [f"<{draw(URI)}>;tag={draw(TOKEN)}"],
        "To": [f"<{draw(URI)}>"],
        "Call-ID": [draw(TOKEN)],
        "CSeq": [f"{draw(st.integers(0, 0xFFFF_FFFF))} {method}"],
    }
    for name in draw(
        st.lists(st.sampled_from(["Subject", "Contact", "X-Other", "Route", "User-Agent"]), unique=True)
    ):
        fields[name] = draw(st.lists(TEXT, min_size=1, max_size=3))
    return Request(method, draw(URI), fields, draw(st.binary(max_size=40)))


@some
@given(requests())
def test_a_request_that_is_printed_reads_the_same(request: Request) -> None:
    copy = parse_datagram(request.encode())
    assert isinstance(copy, Request)
    assert copy.fields.pop("Content-Length") == [str(len(request.body))]
    assert (copy.method, copy.uri, copy.fields, copy.body) == (
        request.method,
        request.uri,
        request.fields,
        request.body,
    )
    assert copy.encode() == request.encode()


@some
@given(requests(), st.integers(100, 699), TEXT)
def test_a_response_that_is_printed_reads_the_same(request: Request, status: int, reason: str) -> None:
    response = Response(status, reason, request.fields, request.body)
    copy = parse_datagram(response.encode())
    assert isinstance(copy, Response)
    assert (copy.status, copy.reason, copy.body) == (status, reason, request.body)
    assert copy.encode() == response.encode()


@some
@given(TOKEN, HOST, PORT, TOKEN)
def test_a_via_that_is_printed_reads_the_same(transport: str, host: str, port: int, branch: str) -> None:
    params = {"branch": branch, "rport": None}
    assert parse_via(print_via(transport, host, port, branch)) == Via(
        transport.upper(), host, port, branch, params
    )


@some
@given(st.dictionaries(TOKEN.map(str.lower), st.one_of(st.none(), TOKEN)))
def test_parameters_read_the_same_with_and_without_spaces(params: dict[str, str | None]) -> None:
    """The short way through the parser and the long one."""
    plain = "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())
    spaced = "".join(
        f" ; {name} " if value is None else f" ; {name} = {value} " for name, value in params.items()
    )
    assert split_params(plain) == split_params(spaced) == params


@some
@given(st.one_of(st.just(""), TOKEN), URI, st.dictionaries(TOKEN.map(str.lower), TOKEN, max_size=3))
def test_an_address_reads_the_same_with_and_without_spaces(
    display: str, uri: str, params: dict[str, str]
) -> None:
    tail = "".join(f";{name}={value}" for name, value in params.items())
    plain, spaced = (
        parse_name_addr(f"{display} <{uri}>{tail}"),
        parse_name_addr(f" {display}\t<{uri}> {tail} "),
    )
    assert plain == spaced == (display, uri, params)


@some
@given(st.lists(st.one_of(TOKEN, st.just('"a, \\"b"'), st.just("<sip:a,b@c>")), min_size=1))
def test_values_joined_by_commas_come_apart_again(values: list[str]) -> None:
    assert split_values(", ".join(values)) == values
