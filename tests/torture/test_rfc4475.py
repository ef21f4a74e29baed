"""RFC 4475: every torture message through a whole switch, answered as `rfc4475/INDEX.tsv` expects."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from switch.ports import Address
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from switch.sip.uri import NameAddr, parse_name_addr, parse_uri
from tests.torture.support import CARRIER, DOMAIN, EQUIPMENT, STRANGER, Subject

FOLDER = Path(__file__).parent / "rfc4475"
SILENCE = 0

EXPECTED: dict[str, set[int]] = {
    # 3.1.1 valid messages
    "wsinv": {401, 481},  # its To has a tag: a dialog that does not exist
    "intmeth": {501},
    "esc01": {401},
    "escnull": {401},
    "esc02": {501},
    "lwsdisp": {200},
    "longreq": {401},
    "dblreq": {401},
    "semiuri": {200},
    "transports": {200},
    "mpart01": {405},
    "unreason": {SILENCE},
    "noreason": {SILENCE},
    # 3.1.2 invalid messages
    "badinv01": {400},
    "clerr": {400},
    "ncl": {400},
    "scalar02": {400},
    "scalarlg": {SILENCE},
    "quotbal": {400},
    "ltgtruri": {400},
    "lwsruri": {400},
    "lwsstart": {400},
    "trws": {400},
    "escruri": {400, 401},  # the escaped header is ignored
    "baddate": {401},
    "regbadct": {400, 401},  # the Contact of a stranger is not looked at; see below
    "badaspec": {400},
    "baddn": {400},
    "badvers": {505},
    "mismatch01": {400},
    "mismatch02": {400, 501},
    "bigcode": {SILENCE},
    # 3.2 transaction layer
    "badbranch": {200},  # falls back to RFC 2543 and keeps no state
    # 3.3 application layer
    "insuf": {400},
    "unkscm": {416},
    "novelsc": {416},
    "unksm2": {400, 401, 403, 404},
    "bext01": {420},
    "invut": {415},
    "regaut01": {401},
    "multi01": {400},
    "mcl01": {400},
    "bcast": {SILENCE},
    "zeromf": {200, 483},
    "cparam01": {401},
    "cparam02": {401},
    "regescrt": {401},
    "sdp01": {400, 406},
    # 3.4 backward compatibility, and a file the RFC does not describe
    "inv2543": {400, 401},
    "test": {400, SILENCE},
}


def message(name: str) -> bytes:
    return (FOLDER / f"{name}.dat").read_bytes()


def parsed(name: str) -> Request:
    request = parse_datagram(message(name))
    assert isinstance(request, Request)
    return request


def test_no_file_is_forgotten() -> None:
    with (FOLDER / "INDEX.tsv").open(encoding="utf-8") as index:
        indexed = {row["file"].removesuffix(".dat") for row in csv.DictReader(index, delimiter="\t")}
    assert indexed == {path.stem for path in FOLDER.glob("*.dat")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_stranger_is_answered_as_expected_and_leaves_nothing(name: str) -> None:
    subject = Subject()
    subject.receive(message(name))
    assert len(subject.sent()) <= 1
    assert (subject.statuses() or [SILENCE])[0] in EXPECTED[name]
    subject.assert_unharmed()
    subject.assert_at_rest()


@pytest.mark.parametrize("name", EXPECTED)
def test_an_answer_goes_back_to_its_source_alone(name: str) -> None:
    subject = Subject()
    subject.receive(message(name))
    assert {remote.host for remote, _ in subject.sent()} <= {STRANGER.host}


@pytest.mark.parametrize("remote", [EQUIPMENT, CARRIER], ids=["equipment", "carrier"])
@pytest.mark.parametrize("name", EXPECTED)
def test_those_whom_we_trust_do_no_harm_either(name: str, remote: Address) -> None:
    subject = Subject()
    subject.receive(message(name), remote)
    subject.receive(message(name), remote)
    subject.wait()
    subject.assert_unharmed()
    subject.assert_at_rest()


# --- what the messages mean, where that can be seen ---------------------------------------------------------


def only_response(name: str) -> Response:
    subject = Subject()
    subject.receive(message(name))
    (response,) = subject.messages()
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(("name", "vias"), [("transports", 5), ("longreq", 34), ("wsinv", 3)])
def test_every_via_comes_back_in_order(name: str, vias: int) -> None:
    theirs, ours = parsed(name).values("Via"), only_response(name).values("Via")
    assert len(ours) == vias
    assert ours[0].endswith(f";received={STRANGER.host}")
    assert ours[1:] == theirs[1:]


def test_a_well_formed_but_ugly_invite_is_understood() -> None:
    """Section 3.1.1.1."""
    request = parsed("wsinv")
    assert request.cseq == (9, "INVITE")
    assert request.sender.display == 'J Rosenberg \\\\\\"'
    assert request.sender.tag == "98asjd8"
    assert request.recipient.tag == "1918181833n"
    assert request.rows("Unknownheaderwithunusualvalue") == [";;,,;;,;"]
    assert request.rows("Newfangledheader") == ["newfangled value continued newfangled value"]
    assert request.rows("Subject") == [""]


def test_an_unknown_method_is_told_what_we_know() -> None:
    """Section 3.1.1.2."""
    assert "INVITE" in only_response("intmeth").rows("Allow")[0]


def test_escapes_outside_uris_are_no_escapes() -> None:
    """Section 3.1.1.5."""
    request = parsed("esc02")
    assert request.method == "RE%47IST%45R"
    assert len(request.rows("Contact")) == 2
    assert request.rows("C%6fntact") == ["<sip:alias2@host2.example.com>"]


def test_a_second_message_in_a_datagram_is_ignored() -> None:
    """Section 3.1.1.8."""
    response = only_response("dblreq")
    assert response.cseq[1] == "REGISTER"


def test_a_semicolon_belongs_to_the_user() -> None:
    """Section 3.1.1.9."""
    uri = parse_uri(parsed("semiuri").uri)
    assert (uri.user, uri.host) == ("user;par=u%40example.net", "example.com")


def test_a_binary_part_is_no_string() -> None:
    """Section 3.1.1.11."""
    request = parsed("mpart01")
    assert b"\0" in request.body
    assert len(request.body) == int(request.rows("Content-Length")[0])


def test_reason_phrases_are_any_text_or_none() -> None:
    """Sections 3.1.1.12 and 3.1.1.13."""
    unreason, noreason = parse_datagram(message("unreason")), parse_datagram(message("noreason"))
    assert isinstance(unreason, Response)
    assert isinstance(noreason, Response)
    assert unreason.reason.startswith("= 2**3 * 5**2 ")
    assert noreason.reason == ""


def test_unknown_extensions_are_named() -> None:
    """Section 3.3.5."""
    tags = only_response("bext01").rows("Unsupported")[0].split(", ")
    assert {"nothingsupportsthis", "nothingsupportsthiseither"} <= set(tags)


def test_an_unknown_scheme_of_authorization_is_no_credentials() -> None:
    """Section 3.3.7."""
    (challenge,) = only_response("regaut01").rows("WWW-Authenticate")
    assert challenge.startswith(f'Digest realm="{DOMAIN}"')


def register(name: str, user: str) -> Subject:
    """The REGISTER of a file, from equipment that may register that user."""
    subject = Subject(equipment_user=user)
    subject.receive(message(name), EQUIPMENT)
    return subject


def bound(subject: Subject) -> list[NameAddr]:
    """The contacts that the answer tells."""
    assert subject.statuses() == [200]
    return [parse_name_addr(contact) for contact in subject.messages()[0].values("Contact")]


@pytest.mark.parametrize(
    ("name", "user", "uri", "params"),
    [
        ("cparam01", "watson", "sip:+19725552222@gw1.example.net", {"unknownparam": None, "expires": "3600"}),
        ("cparam02", "watson", "sip:+19725552222@gw1.example.net;unknownparam", {"expires": "3600"}),
        ("regescrt", "user", "sip:user@example.com?Route=%3Csip:sip.example.com%3E", {"expires": "3600"}),
    ],
)
def test_a_contact_is_bound_as_it_was_meant(
    name: str, user: str, uri: str, params: dict[str, str | None]
) -> None:
    """Sections 3.3.12 to 3.3.14."""
    (address,) = bound(register(name, user))
    assert (address.uri, address.params) == (uri, params)


def test_escaped_nulls_are_characters_like_others() -> None:
    """Section 3.1.1.4."""
    uris = {contact.uri for contact in bound(register("escnull", "null-\0-null"))}
    assert uris == {"sip:%00@host5.example.com", "sip:%00%00@host5.example.com"}


@pytest.mark.parametrize("name", ["regbadct", "scalar02"])
def test_a_bad_registration_of_a_known_user_is_400(name: str) -> None:
    """Sections 3.1.2.13 and 3.1.2.4."""
    subject = register(name, "user")
    assert subject.statuses() == [400]
    assert subject.switch.registrar.count() == 0
