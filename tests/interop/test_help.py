"""A call for help as it comes out of the wire at the centre (R-EMG-08), read by everybody but the switch:
a bare socket, SIPp, the mail reader of the standard library, and lxml with the schemas of the RFCs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from tests.emergency.support import civic, valid
from tests.interop.conftest import MakeServer
from tests.interop.network import free_port
from tests.interop.server import DECT, DESK, Server
from tests.interop.sipp import SippRunner
from tests.interop.wire import BodyPart, Message, Wire

pytestmark = pytest.mark.interop

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
PIDF = "application/pidf+xml"
BLOCKS = ["ProviderInfo", "ServiceInfo", "SubscriberInfo"]
OWN_PLACE = (
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:desk@phone.invalid">'
    b'<tuple id="t"><status/></tuple></presence>'
)


@pytest.fixture
def centre(server: Server) -> Iterator[Wire]:
    """The first gateway."""
    with Wire(server.gateways[0], (server.host, server.port)) as wire:
        yield wire


@pytest.fixture
def where(server: Server) -> tuple[str, int]:
    """Where the phone is."""
    host = server.network.host(11)
    return host, free_port(host)


@pytest.fixture
def phone(server: Server, where: tuple[str, int]) -> Iterator[Wire]:
    """A phone there."""
    server.forget_records()
    with Wire(where, (server.host, server.port)) as wire:
        yield wire


def answered(phone: Wire, centre: Wire) -> Message:
    """The centre answers, the phone hangs up: the INVITE that the centre received."""
    invite = centre.hear("INVITE ")
    centre.answer(invite, "100 Trying")
    centre.answer(invite, "200 OK", body=centre.sdp())
    phone.talk(phone.hear("SIP/2.0 200"))
    centre.answer(centre.hear("BYE "))
    phone.hear("SIP/2.0 200")
    return invite


def record_of(server: Server, line: str) -> None:
    """The call's record."""
    record = server.new_record()
    found = (record["outcome"], record["line"], record["called"], record["amount"], record["emergency"])
    assert found == ("answered", line, "112", 0, 1)
    server.assert_at_rest()


def places(invite: Message) -> list[BodyPart]:
    """The parts that Geolocation points to, in its order. All that points into the body finds one part, and
    no part is without such a pointer."""
    first, *others = invite.parts()
    assert first.kind == "application/sdp"
    by_id = {f"<cid:{part.content_id[1:-1]}>": part for part in others}
    assert len(by_id) == len(others)
    pointed = [value for value in invite.rows("Geolocation") if value.startswith("<cid:")]
    told = [row.partition(";purpose=") for row in invite.rows("Call-Info")]
    assert sorted(by_id) == sorted([*pointed, *(cid for cid, _, _ in told)])
    assert [purpose for _, _, purpose in told] == [f"EmergencyCallData.{name}" for name in BLOCKS]
    for cid, _, purpose in told:
        assert by_id[cid].kind == f"application/{purpose}+xml".lower()
        valid(by_id[cid].content, purpose.removeprefix("EmergencyCallData."))
    assert {by_id[cid].kind for cid in pointed} <= {PIDF}
    return [by_id[cid] for cid in pointed]


def test_the_whole_message(server: Server, sipp: SippRunner, where: tuple[str, int], centre: Wire) -> None:
    """The phone hides its caller, and claims a priority of its own: the centre is told the number, once, and
    nothing of that. The phone is known by its registration alone."""
    sipp.run("register", where, user="desk", keys={"expires": "60"})
    with Wire(where, (server.host, server.port)) as phone:
        wishes = [("Privacy", "id"), ("Resource-Priority", "ets.0, wps.1"), ("Priority", "non-urgent")]
        phone.invite("sip:112@voice.invalid", ANONYMOUS, wishes)
        invite = answered(phone, centre)
    assert invite.start == "INVITE urn:service:sos SIP/2.0"
    assert invite.row("P-Asserted-Identity") == f"<sip:{DESK}@{server.host};user=phone>"
    assert f"<sip:{DESK}@{server.host};user=phone>" in invite.row("From")
    assert invite.row("To") == f"<sip:112@{server.host};user=phone>"
    assert (invite.row("Priority"), invite.row("Resource-Priority")) == ("emergency", "esnet.1")
    assert invite.row("Geolocation-Routing") == "yes"
    assert invite.rows("Privacy") == []
    assert int(invite.row("Content-Length")) == len(invite.body)
    assert int(invite.row("Max-Forwards")) < 70
    for secret in (b"anonymous", where[0].encode(), b"voice.invalid", b"wire"):
        assert secret not in invite.data.lower()
    (place,) = places(invite)
    told = civic(valid(place.content, "pidf"))
    assert (told["lang"], told["PC"], told["A3"], told["RD"]) == ("nl", "3001", "Leuven", "Naamsesteenweg")
    assert (told["HNO"], told["HNS"], told["FLR"], told["UNIT"]) == ("12", "A", "2", "bus 3")
    assert invite.parts()[0].content.startswith(b"v=0\r\n")
    assert f"c=IN IP4 {server.host}\r\n".encode() in invite.parts()[0].content
    record_of(server, DESK)


def test_brussels_is_told_twice_and_sipp_can_read_it(
    server: Server, sipp: SippRunner, where: tuple[str, int]
) -> None:
    centre = sipp.start("centre", server.gateways[0], keys={"number": "22345678"})
    sipp.run("call-without-password", where, "-d", "100", user="dect", to="112")
    centre.finish()
    came = [text for text in centre.received() if text.startswith("INVITE ")]
    found = places(Message(came[0].replace("\n", "\r\n").encode()))
    told = [civic(valid(place.content, "pidf")) for place in found]
    assert [(one["lang"], one["A3"], one["RD"]) for one in told] == [
        ("fr", "Bruxelles", "Rue du Midi"),
        ("nl", "Brussel", "Zuidstraat"),
    ]
    record_of(server, DECT)


def test_places_that_the_phone_tells_follow_ours(server: Server, phone: Wire, centre: Wire) -> None:
    """RFC 6442: a reference goes on as it is, a document under an id of ours, what points nowhere not."""
    reference = "https://lis.invalid/held?token=3f"
    body = (
        b"--b\r\nContent-Type: application/sdp\r\n\r\n" + phone.sdp() + b"\r\n"
        b"--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <here@phone.invalid>\r\n\r\n"
        + OWN_PLACE
        + b"\r\n--b--\r\n"
    )
    rows = [
        ("Geolocation", f"<{reference}>, <cid:here@phone.invalid>"),
        ("Geolocation", "<cid:nowhere@phone.invalid>"),
        ("Geolocation-Routing", "no"),
    ]
    kind = "multipart/mixed; boundary=b"
    phone.invite("sip:112@voice.invalid", f"<sip:desk@{server.host}>", rows, kind=kind, body=body)
    invite = answered(phone, centre)
    ours, theirs = places(invite)
    assert civic(valid(ours.content, "pidf"))["PC"] == "3001"
    assert etree.canonicalize(theirs.content.decode()) == etree.canonicalize(OWN_PLACE.decode())
    assert invite.rows("Geolocation") == [
        f"<cid:{ours.content_id[1:-1]}>",
        f"<{reference}>",
        f"<cid:{theirs.content_id[1:-1]}>",
    ]
    assert invite.row("Geolocation-Routing") == "yes"
    assert b"nowhere" not in invite.data
    assert b"here@phone.invalid" not in invite.data
    record_of(server, DESK)


def test_a_gateway_that_takes_no_documents(make_server: MakeServer) -> None:
    """Digits and a session description, as gateways to the telephone network read them."""
    server = make_server(gateway={"request": "digits", "body": False})
    where, (host, port) = (server.network.host(11), free_port(server.network.host(11))), server.gateways[0]
    remote = server.host, server.port
    with Wire(where, remote) as phone, Wire((host, port), remote) as centre:
        phone.invite(
            "urn:service:sos", f"<sip:desk@{server.host}>", [("Geolocation", "<https://lis.invalid/1>")]
        )
        invite = answered(phone, centre)
    assert invite.start == f"INVITE sip:112@{host}:{port};user=phone SIP/2.0"
    assert invite.row("Content-Type") == "application/sdp"
    assert invite.body.startswith(b"v=0\r\n")
    assert invite.row("P-Asserted-Identity") == f"<sip:{DESK}@{server.host};user=phone>"
    for name in ("Geolocation", "Geolocation-Routing", "Call-Info", "Privacy"):
        assert invite.rows(name) == []
    record_of(server, DESK)
    assert server.stop() == 0
