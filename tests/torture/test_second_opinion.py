"""What we print, read by parsers that nobody here wrote: `sipmessage` and `sdp-transform`."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sdp_transform
import sipmessage
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.media.anchor import Anchor, MediaSettings
from switch.media.port_pool import PortPool
from switch.sip.auth import answer, parse_digest
from tests.switch.sip.support import HERE, Chance
from tests.torture.conversation import CALLED, STEPS
from tests.torture.corpus import EVERYDAY, SDP
from tests.torture.support import ALICE, CARRIER, DOMAIN, EQUIPMENT, OFFICE, STRANGER, Subject

Read = sipmessage.Request | sipmessage.Response
THEIRS = re.compile(r"10\.0\.0\.|Phone/1|SIP Call|;ob>|urn:uuid")


def read(data: bytes) -> Read:
    """Every field that `sipmessage` knows of, read by it."""
    message = sipmessage.Message.parse(
        data.replace(b"INVITE urn:service:sos ", b"INVITE sip:sos@urn ")
    )  # sip and tel
    assert message.content_length == len(message.body)
    assert message.via
    assert message.from_address.uri.host
    assert message.to_address.uri.host
    assert message.cseq.sequence >= 0
    assert message.call_id
    for contact in message.contact:
        assert contact.uri is not None
        assert contact.uri.host == HERE.host
    if message.body:
        assert message.content_type is not None
        assert message.content_type.mime_type in (
            "application/sdp",
            "application/media_control+xml",
            "multipart/mixed",
        )
    return message


@pytest.fixture(scope="module")
def call() -> Subject:
    """A whole call."""
    subject = Subject()
    for step in STEPS:
        subject.receive(*step(subject))
    subject.wait()
    subject.assert_unharmed()
    subject.assert_at_rest()
    return subject


def test_every_message_of_a_call_is_read(call: Subject) -> None:
    messages = [read(data) for _, data in call.sent()]
    to_carrier = [
        message.method
        for message, (remote, _) in zip(messages, call.sent(), strict=True)
        if isinstance(message, sipmessage.Request) and remote == CARRIER
    ]
    assert to_carrier == ["INVITE", "ACK", "INFO", "INVITE", "ACK", "BYE"]


def test_the_invite_of_a_call_says_what_it_should(call: Subject) -> None:
    invite = next(read(data) for remote, data in call.sent() if remote == CARRIER)
    assert isinstance(invite, sipmessage.Request)
    assert (invite.uri.user, invite.uri.host, invite.uri.port) == (CALLED, CARRIER.host, 5060)
    assert invite.from_address.uri.user == OFFICE
    assert invite.max_forwards == 69
    (via,) = invite.via
    assert (via.transport, via.host, via.port) == ("UDP", HERE.host, HERE.port)
    assert invite.headers.getlist("P-Asserted-Identity") == [f"<sip:{OFFICE}@{DOMAIN};user=phone>"]


def test_nothing_of_one_side_leaks_to_the_other(call: Subject) -> None:
    call_ids = set()
    for remote, data in call.sent():
        if remote == CARRIER:
            assert not THEIRS.search(data.decode()), data
            call_ids.add(read(data).call_id)
    assert len(call_ids) == 1
    assert "call-1" not in call_ids


def described(data: bytes) -> dict[str, Any]:
    description: dict[str, Any] = sdp_transform.parse(data.decode())
    return description


def test_every_description_of_a_call_is_read(call: Subject) -> None:
    bodies = [body for _, data in call.sent() if (body := read(data).body).startswith(b"v=")]
    assert len(bodies) == 5
    for body in bodies:
        description = described(body)
        assert description["origin"]["address"] == description["connection"]["ip"] == HERE.host
        (audio,) = description["media"]
        assert 40_000 <= audio["port"] <= 40_080
        assert audio["payloads"] == "8 0 101"
        assert [rtp["codec"] for rtp in audio["rtp"]] == ["PCMA", "telephone-event"]
        assert audio["ptime"] == 20
        assert "rtcp" not in audio
    versions = [described(body)["origin"]["sessionVersion"] for body in bodies]
    assert versions == sorted(versions)
    assert [described(body)["media"][0]["direction"] for body in bodies[-2:]] == ["sendonly", "recvonly"]


@pytest.mark.parametrize("data", EVERYDAY, ids=lambda data: data[:20].decode())
@pytest.mark.parametrize("remote", [STRANGER, EQUIPMENT, CARRIER], ids=["stranger", "equipment", "carrier"])
def test_whatever_is_sent_is_read(data: bytes, remote: Any) -> None:
    subject = Subject()
    subject.receive(data, remote)
    for _, sent in subject.sent():
        if sent != b"\r\n":
            read(sent)


def test_our_challenge_and_our_credentials_are_read() -> None:
    subject = Subject()
    subject.receive(EVERYDAY[0])
    challenge = read(subject.sent()[0][1]).www_authenticate
    assert challenge is not None
    assert challenge.parameters["realm"] == DOMAIN
    rows = read(subject.sent()[0][1]).headers.getlist("WWW-Authenticate")
    value = answer(rows, "INVITE", f"sip:{ALICE}@{DOMAIN}", "alice", "secret", "0a4f113b")
    assert value is not None
    credentials = sipmessage.AuthCredentials.parse(value)
    assert credentials.scheme == "Digest"
    assert credentials.parameters is not None
    ours = parse_digest(value)
    assert ours is not None
    assert {name: str(text) for name, text in credentials.parameters.items()} == ours


MEDIA = st.lists(
    st.tuples(
        st.sampled_from(["audio", "video", "image"]),
        st.integers(0, 65_535),
        st.sampled_from(["RTP/AVP", "RTP/SAVPF", "udptl", "TCP/MSRP"]),
        st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MEDIA, st.sampled_from([4, 6]))
def test_any_description_we_pass_on_is_read(media: list[tuple[str, int, str, str]], family: int) -> None:
    hosts = {4: HERE.host, 6: "2001:db8::1"}
    anchor = Anchor(
        1, PortPool(40_000, 40_100, Chance()), MediaSettings(hosts, hosts, 0), Chance(), lambda _: None
    )
    anchor.place(1, "192.0.2.9" if family == 4 else "2001:db8::9")
    head = SDP[: SDP.index("m=")]
    text = head + "".join(f"m={kind} {port} {proto} 8\r\na={way}\r\n" for kind, port, proto, way in media)
    description = described(anchor.relay(0, text.encode()))
    assert description["connection"] == {"version": family, "ip": hosts[family]}
    assert description["origin"]["ipVer"] == family
    for (kind, port, proto, way), section in zip(media, description["media"], strict=True):
        assert (section["type"], section["protocol"], section["direction"]) == (kind, proto, way)
        assert bool(section["port"]) is bool(port and proto != "TCP/MSRP")
