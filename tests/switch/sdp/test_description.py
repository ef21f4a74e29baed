"""SDP in, SDP out: RFC 8866, RFC 3264, RFC 3605, RFC 5761, RFC 8839.

The golden bodies have holes: `<host>` is our address, `<port0>`, `<port1>` ... are our ports.
"""

from __future__ import annotations

import pytest

from switch.malformed import Malformed
from switch.sdp.description import MAX_MEDIA, Description, parse, print_with

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
PORTS = [40_000, 40_002, 40_004]

HEAD = "v=0\no=alice 1 1 IN IP4 10.0.0.5\ns=Alice's call\nc=IN IP4 10.0.0.5\nt=0 0\n"
AUDIO = (
    "m=audio 49170 RTP/AVP 8 0 101\na=rtpmap:8 PCMA/8000\n"
    "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n"
)


def described(text: str) -> Description:
    return parse(text.replace("\n", "\r\n").encode())


def printed(text: str, host: str = HOST4) -> str:
    """What the other side sees, with holes; the session's first two lines are the anchor's."""
    description = described(text)
    ports = [PORTS[index] if media.relayed else 0 for index, media in enumerate(description.media)]
    out = print_with(description, host, ports)
    assert out.endswith("\r\n")
    for index, port in enumerate(ports):
        if port:
            out = out.replace(f" {port} ", f" <port{index}> ")
    return out.replace("\r\n", "\n").replace(host, "<host>")


GOLDEN = {
    "one audio stream": (
        HEAD + AUDIO,
        "s=-\nc=IN IP4 <host>\nt=0 0\n" + AUDIO.replace("49170", "<port0>"),
    ),
    "every line we do not know is kept in its place": (
        HEAD
        + "b=AS:128\nz=0 0\na=tool:thing 1.0\na=group:LS 1 2\n"
        + AUDIO
        + "a=x-unknown:1\ni=title\nb=TIAS:64000\na=ptime:20\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\nb=AS:128\nz=0 0\na=tool:thing 1.0\na=group:LS 1 2\n"
        + AUDIO.replace("49170", "<port0>")
        + "a=x-unknown:1\ni=title\nb=TIAS:64000\na=ptime:20\n",
    ),
    "held by direction": (
        HEAD + AUDIO + "a=sendonly\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\n" + AUDIO.replace("49170", "<port0>") + "a=sendonly\n",
    ),
    "held by 0.0.0.0, as before RFC 3264": (
        HEAD.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0") + AUDIO,
        "s=-\nc=IN IP4 0.0.0.0\nt=0 0\n" + AUDIO.replace("49170", "<port0>"),
    ),
    "one medium held, one not": (
        HEAD + AUDIO + "m=video 51372 RTP/AVP 31\nc=IN IP4 0.0.0.0\na=inactive\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\n"
        + AUDIO.replace("49170", "<port0>")
        + "m=video <port1> RTP/AVP 31\nc=IN IP4 0.0.0.0\na=inactive\n",
    ),
    "each medium with an address of its own": (
        "v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\nm=audio 5004 RTP/AVP 0\nc=IN IP4 10.0.0.5\n"
        "m=video 5006 RTP/SAVP 31\nc=IN IP4 10.0.0.6\n",
        "s=-\nt=0 0\nm=audio <port0> RTP/AVP 0\nc=IN IP4 <host>\n"
        "m=video <port1> RTP/SAVP 31\nc=IN IP4 <host>\n",
    ),
    "a rejected medium stays rejected": (
        HEAD + "m=video 0 RTP/AVP 31\n" + AUDIO,
        "s=-\nc=IN IP4 <host>\nt=0 0\nm=video 0 RTP/AVP 31\n" + AUDIO.replace("49170", "<port1>"),
    ),
    "a medium that cannot be relayed is rejected": (
        HEAD + AUDIO + "m=message 2855 TCP/MSRP *\na=path:msrp://10.0.0.5:2855/x;tcp\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\n" + AUDIO.replace("49170", "<port0>") + "m=message 0 TCP/MSRP *\n",
    ),
    "T.38": (
        HEAD + "m=image 49170 udptl t38\na=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\nm=image <port0> udptl t38\n"
        "a=T38FaxVersion:0\na=T38FaxUdpEC:t38UDPRedundancy\n",
    ),
    "ICE and a=rtcp are ours to say": (
        HEAD
        + "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=ice-options:trickle\na=ice-lite\n"
        + AUDIO
        + "a=candidate:1 1 UDP 2130706431 10.0.0.5 49170 typ host\n"
        "a=remote-candidates:1 10.0.0.5 9\na=end-of-candidates\n"
        "a=rtcp:49171 IN IP4 10.0.0.5\na=alt:1 1 : x y 10.0.0.5 9\na=rtcp-mux\n"
        "a=rtcp-fb:* nack\na=setup:actpass\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\n"
        + AUDIO.replace("49170", "<port0>")
        + "a=rtcp-mux\na=rtcp-fb:* nack\na=setup:actpass\n",
    ),
    "a number of ports is one port": (
        HEAD + "m=audio 49170/2 RTP/AVP 0\n",
        "s=-\nc=IN IP4 <host>\nt=0 0\nm=audio <port0> RTP/AVP 0\n",
    ),
}


@pytest.mark.parametrize(("body", "expected"), GOLDEN.values(), ids=GOLDEN.keys())
def test_golden(body: str, expected: str) -> None:
    assert printed(body) == expected


@pytest.mark.parametrize(("body", "expected"), GOLDEN.values(), ids=GOLDEN.keys())
def test_no_address_of_theirs_gets_through(body: str, expected: str) -> None:
    assert "10.0.0." not in expected
    assert "alice" not in printed(body)


def test_from_ipv4_to_ipv6() -> None:
    assert printed(HEAD + AUDIO, HOST6) == "s=-\nc=IN IP6 <host>\nt=0 0\n" + AUDIO.replace("49170", "<port0>")
    held = printed(HEAD.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0") + AUDIO, HOST6)
    assert "c=IN IP6 ::\n" in held


def test_from_ipv6_to_ipv4() -> None:
    body = "v=0\no=- 1 1 IN IP6 2001:db8::20\ns=-\nc=IN IP6 2001:DB8::20\nt=0 0\n" + AUDIO
    assert described(body).media[0].host == "2001:db8::20"
    assert printed(body) == "s=-\nc=IN IP4 <host>\nt=0 0\n" + AUDIO.replace("49170", "<port0>")
    assert "c=IN IP4 0.0.0.0\n" in printed(body.replace("c=IN IP6 2001:DB8::20", "c=IN IP6 ::"))


@pytest.mark.parametrize(
    ("session", "media", "direction", "held", "talking"),
    [
        ("", "", "sendrecv", False, True),
        ("", "a=sendrecv\n", "sendrecv", False, True),
        ("", "a=sendonly\n", "sendonly", True, False),
        ("", "a=recvonly\n", "recvonly", False, False),
        ("", "a=inactive\n", "inactive", True, False),
        ("a=sendonly\n", "", "sendonly", True, False),
        ("a=inactive\n", "a=sendrecv\n", "sendrecv", False, True),
        ("", "c=IN IP4 0.0.0.0\n", "sendrecv", True, False),
        ("", "c=IN IP6 ::\n", "sendrecv", True, False),
    ],
)
def test_the_styles_of_hold(session: str, media: str, direction: str, held: bool, talking: bool) -> None:
    description = described(HEAD + session + "m=audio 49170 RTP/AVP 0\n" + media)
    assert description.media[0].direction == direction
    assert description.media[0].held is held
    assert description.talking is talking


def test_talking_needs_one_medium_both_ways() -> None:
    assert described(HEAD + "m=audio 49170 RTP/AVP 0\na=inactive\nm=video 49172 RTP/AVP 31\n").talking
    assert not described(HEAD + "m=audio 0 RTP/AVP 0\n").talking
    assert not described(HEAD).talking


def test_where_each_medium_is_to_be_sent() -> None:
    description = described(HEAD + AUDIO + "m=video 51372 RTP/SAVPF 31\nc=IN IP4 10.0.0.6/127\na=rtcp-mux\n")
    audio, video = description.media
    assert (audio.kind, audio.host, audio.port, audio.mux) == ("audio", "10.0.0.5", 49170, False)
    assert (video.kind, video.host, video.port, video.mux) == ("video", "10.0.0.6", 51372, True)
    assert audio.formats == "8 0 101"


@pytest.mark.parametrize(
    ("line", "port", "host"),
    [
        ("a=rtcp:53020", 53020, ""),
        ("a=rtcp:53020 IN IP4 10.0.0.9", 53020, "10.0.0.9"),
        ("a=rtcp:0", 0, ""),
        ("a=rtcp:65536", 0, ""),
        ("a=rtcp:000001999999", 0, ""),
        ("a=rtcp:x", 0, ""),
        ("a=rtcp:", 0, ""),
        ("a=rtcp-xr:rcvr-rtt=all", 0, ""),
    ],
)
def test_where_rtcp_is_to_be_sent(line: str, port: int, host: str) -> None:
    media = described(HEAD + "m=audio 49170 RTP/AVP 0\n" + line + "\n").media[0]
    assert (media.rtcp_port, media.rtcp_host) == (port, host)


@pytest.mark.parametrize(
    ("proto", "port", "relayed", "rtp"),
    [
        ("RTP/AVP", 5004, True, True),
        ("RTP/SAVPF", 5004, True, True),
        ("UDP/TLS/RTP/SAVPF", 5004, True, True),
        ("udptl", 5004, True, False),
        ("UDP", 5004, True, False),
        ("TCP/MSRP", 5004, False, False),
        ("TCP", 5004, False, False),
        ("RTP/AVP", 0, False, True),
    ],
)
def test_what_is_relayed(proto: str, port: int, relayed: bool, rtp: bool) -> None:
    media = described(HEAD + f"m=x {port} {proto} 0\n").media[0]
    assert (media.relayed, media.rtp) == (relayed, rtp)


def test_line_feeds_alone_and_blank_ends_are_tolerated() -> None:
    lf = parse((HEAD + AUDIO + "\n\n").encode())
    assert lf == described(HEAD + AUDIO)


def test_any_bytes_in_a_line_are_kept() -> None:
    body = (HEAD + "i=").encode() + b"\xff\xfe \xe2\x82\xac\r\n"
    assert b"i=\xff\xfe \xe2\x82\xac\r\n" in print_with(parse(body), HOST4, []).encode(
        "utf-8", "surrogateescape"
    )


def test_more_media_than_we_relay_is_488() -> None:
    described(HEAD + "m=audio 0 RTP/AVP 0\n" * MAX_MEDIA)
    with pytest.raises(Malformed) as caught:
        described(HEAD + "m=audio 0 RTP/AVP 0\n" * (MAX_MEDIA + 1))
    assert caught.value.status == 488


@pytest.mark.parametrize(
    "body",
    [
        "",
        "rubbish",
        "o=- 1 1 IN IP4 h\nv=0\n",
        "v=1\n",
        HEAD + "no equals sign\n",
        HEAD + "a\n",
        HEAD + "\n" + AUDIO,
        HEAD + "m=audio\n",
        HEAD + "m=audio 49170 RTP/AVP\n",
        HEAD + "m=audio x RTP/AVP 0\n",
        HEAD + "m=audio -1 RTP/AVP 0\n",
        HEAD + "m=audio 65536 RTP/AVP 0\n",
        HEAD + "m=audio \u0665 RTP/AVP 0\n",
        "v=0\ns=-\nm=audio 49170 RTP/AVP 0\n",
        "v=0\ns=-\nc=IN IP4\n",
        "v=0\ns=-\nc=IN IP5 10.0.0.5\n",
        "v=0\ns=-\nc=IN IP4 10.0.0.5 x\n",
        "v=0\ns=-\nc=IN IP4 10.0.0.5;evil\n",
        "v=0\ns=-\nc=IN IP4 /127\n",
    ],
)
def test_what_is_no_sdp_is_400(body: str) -> None:
    with pytest.raises(Malformed) as caught:
        described(body)
    assert caught.value.status == 400


def test_a_rejected_medium_needs_no_address() -> None:
    assert described("v=0\ns=-\nm=audio 0 RTP/AVP 0\n").media[0].host == ""


@pytest.mark.parametrize("end", range(0, len(HEAD + AUDIO), 7))
def test_no_prefix_raises_anything_else(end: int) -> None:
    try:
        parse((HEAD + AUDIO)[:end].encode())
    except Malformed as error:
        assert error.status in (400, 488)  # noqa: PT017 - either is right, an accident is not


@pytest.mark.parametrize(
    ("section", "takes"),
    [
        ("RTP/AVP 0 8", {0: "PCMU", 8: "PCMA"}),
        ("RTP/AVP 8 0 18 101", {8: "PCMA", 0: "PCMU"}),
        ("RTP/AVPF 8", {8: "PCMA"}),
        ("RTP/AVP 8\na=rtpmap:8 PCMA/8000", {8: "PCMA"}),
        ("RTP/AVP 96 97\na=rtpmap:97 pcma/8000/1\na=rtpmap:96 PCMU/8000", {96: "PCMU", 97: "PCMA"}),
        ("RTP/AVP 96\na=rtpmap:96 PCMA/16000", {}),
        ("RTP/AVP 96\na=rtpmap:96 PCMA/8000/2", {}),
        ("RTP/AVP 96\na=rtpmap:96 PCMA", {}),
        ("RTP/AVP 96\na=rtpmap:9 PCMA/8000", {}),
        ("RTP/AVP 9 13 18", {}),
        ("RTP/AVP 72 128 x -8 \u0668\na=rtpmap:72 PCMA/8000\na=rtpmap:128 PCMA/8000", {}),
        ("RTP/SAVP 8", {}),
        ("UDP/TLS/RTP/SAVPF 8", {}),
        ("udptl t38", {}),
        ("TCP/MSRP *", {}),
    ],
)
def test_payload_types_that_are_g711(section: str, takes: dict[int, str]) -> None:
    """RFC 3551 section 6 and a=rtpmap, in the order of preference."""
    found = described(HEAD + f"m=audio 49170 {section}\n").media[0].g711
    assert list(found.items()) == list(takes.items())
