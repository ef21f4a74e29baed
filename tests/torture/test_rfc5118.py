"""IPv6 in SIP, after RFC 5118: the cases of its section 4, through a whole switch."""

from __future__ import annotations

import pytest

from switch.ports import Address, Datagram, Flow, Transmit
from switch.sdp.description import parse as parse_sdp
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from switch.sip.uri import parse_name_addr, parse_uri
from tests.switch.sip.support import at
from tests.torture.support import Subject

HERE6 = Address("2001:db8::10", 5060)
PHONE6 = Address("2001:db8::9:1", 5060)


def crlf(text: str) -> bytes:
    return text.strip().replace("\n", "\r\n").encode()


def register(uri: str) -> bytes:
    return (
        crlf(f"""
REGISTER {uri} SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::1]>
CSeq: 98176 REGISTER
Content-Length: 0
""")
        + b"\r\n\r\n"
    )


def ask(data: bytes) -> tuple[list[Response], list[Address]]:
    subject = Subject()
    subject.switch.receive(Datagram(Flow("udp", HERE6, PHONE6), data), at(0))
    sent = [order for order in subject.switch.drain() if isinstance(order, Transmit)]
    responses = [message for order in sent if isinstance(message := parse_datagram(order.data), Response)]
    assert len(responses) == len(sent)
    subject.assert_unharmed()
    subject.assert_at_rest()
    return responses, [order.flow.remote for order in sent]


@pytest.mark.parametrize("uri", ["sip:[2001:db8::10]", "sip:[2001:db8::10:5070]", "sip:[2001:db8::10]:5070"])
def test_a_reference_in_brackets_is_valid(uri: str) -> None:
    """Sections 4.1, 4.3 and 4.4."""
    responses, remotes = ask(register(uri))
    assert [response.status for response in responses] == [401]
    assert remotes == [PHONE6]
    assert "received" not in responses[0].via.params


def test_a_port_is_one_only_behind_the_brackets() -> None:
    """Sections 4.3 and 4.4."""
    ambiguous, clear = parse_uri("sip:[2001:db8::10:5070]"), parse_uri("sip:[2001:db8::10]:5070")
    assert (ambiguous.host, ambiguous.port) == ("2001:db8::10:5070", 0)
    assert (clear.host, clear.port) == ("2001:db8::10", 5070)


def test_a_reference_without_brackets_is_400() -> None:
    """Section 4.2."""
    responses, _ = ask(register("sip:2001:db8::10"))
    assert [response.status for response in responses] == [400]


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_received_may_have_brackets_or_none(received: str) -> None:
    """Section 4.5: the grammar of RFC 3261 has none, practice has both."""
    bye = crlf(f"""
BYE sip:[2001:db8::10] SIP/2.0
To: sip:user@example.com;tag=bd76ya
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3-111
Call-ID: SSG9559905523997077@hlau_4100
Max-Forwards: 70
CSeq: 321 BYE
Content-Length: 0
""")
    request = parse_datagram(bye + b"\r\n\r\n")
    assert isinstance(request, Request)
    assert request.via.params["received"] == received
    responses, remotes = ask(bye + b"\r\n\r\n")
    assert [response.status for response in responses] == [481]
    assert remotes == [PHONE6]
    assert responses[0].via.params["received"] == PHONE6.host, "what we saw, not what was said"


def test_vias_of_both_families_come_back() -> None:
    """Section 4.7."""
    bye = crlf("""
BYE sip:user@host.example.net SIP/2.0
Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111
Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144
Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200
Call-ID: 997077@lau_4100
Max-Forwards: 70
CSeq: 89187 BYE
To: sip:user@example.net;tag=9817--94
From: sip:user@example.com;tag=81x2
Content-Length: 0
""")
    responses, remotes = ask(bye + b"\r\n\r\n")
    assert len(responses[0].rows("Via")) == 3
    assert remotes == [Address(PHONE6.host, 6050)]


def test_media_of_both_families() -> None:
    """Sections 4.6 and 4.8."""
    description = parse_sdp(
        crlf("""
v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP6 2001:db8::1
m=video 6024 RTP/AVP 107
c=IN IP4 192.0.2.1
""")
    )
    assert [media.host for media in description.media] == ["2001:db8::1", "192.0.2.1"]


def test_ipv4_mapped_addresses_are_kept() -> None:
    """Section 4.9."""
    contact = parse_name_addr("<sip:user@[::ffff:192.0.2.10]:19823>")
    uri = parse_uri(contact.uri)
    assert (uri.host, uri.port) == ("::ffff:192.0.2.10", 19823)
    description = parse_sdp(
        crlf("v=0\no=- 1 1 IN IP6 ::1\ns=\nc=IN IP6 ::ffff:192.0.2.10\nt=0 0\nm=audio 22334 RTP/AVP 0\n")
    )
    assert description.media[0].host == "::ffff:192.0.2.10"


def test_a_third_colon_is_forgiven() -> None:
    """Section 4.10: the grammar of RFC 3261 let it be written."""
    options = crlf("""
OPTIONS sip:user@[2001:db8:::192.0.2.1] SIP/2.0
To: sip:user@[2001:db8:::192.0.2.1]
From: sip:user@example.com;tag=810x2
Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111
Call-ID: SSG95523997077@hlau_4100
Max-Forwards: 70
Contact: "Caller" <sip:caller@[2001:db8::9:1]>
CSeq: 921 OPTIONS
Content-Length: 0
""")
    responses, _ = ask(options + b"\r\n\r\n")
    assert [response.status for response in responses] == [200]
