"""The switch's own answer to an offer (RFC 3264 section 6): what it takes, and what it rejects."""

from __future__ import annotations

import pytest
import sdp_transform

from switch.malformed import Malformed
from switch.sdp.answer import answer_alone
from switch.sdp.description import parse, print_with

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
HEAD = "v=0\no=alice 1 1 IN IP4 10.0.0.5\ns=Alice's call\nc=IN IP4 10.0.0.5\n"


def answered(media: str, host: str = HOST4, times: str = "t=0 0\n") -> tuple[int, list[str]]:
    """The stream taken and the lines behind o=, taken streams with port 40000 on."""
    index, answer = answer_alone(parse((HEAD + times + media).encode()), host)
    ports = [40_000 + 2 * place if one.port else 0 for place, one in enumerate(answer.media)]
    assert [place for place, port in enumerate(ports) if port] == [index]
    return index, print_with(answer, host, ports).split("\r\n")[:-1]


def test_g711_and_telephone_events_are_taken_in_the_order_of_the_offer() -> None:
    offer = (
        "m=audio 49170 RTP/AVP 96 9 0 8 97 101 13\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\n"
        "a=rtpmap:0 PCMU/8000\na=rtpmap:97 PCMA/8000\na=rtpmap:101 Telephone-Event/8000\na=fmtp:101 0-16\n"
        "a=rtpmap:13 CN/8000\na=ptime:20\na=rtcp-mux\na=candidate:1 1 UDP 1 10.0.0.5 49170 typ host\n"
    )
    assert answered(offer) == (
        0,
        [
            "s=-",
            f"c=IN IP4 {HOST4}",
            "t=0 0",
            "m=audio 40000 RTP/AVP 0 8 97 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:97 PCMA/8000",
            "a=rtpmap:101 Telephone-Event/8000",
            "a=fmtp:101 0-16",
            "a=sendrecv",
        ],
    )


def test_events_of_another_clock_are_not_taken() -> None:
    offer = "m=audio 49170 RTP/AVP 8 100\na=rtpmap:100 telephone-event/48000\n"
    assert answered(offer)[1][3:] == ["m=audio 40000 RTP/AVP 8", "a=sendrecv"]


def test_every_other_stream_is_rejected_in_its_place() -> None:
    """RFC 3264 section 6: as many m-lines, in the same order."""
    offer = (
        "m=video 49168 RTP/AVP 31\na=rtpmap:31 H261/90000\nm=audio 0 RTP/AVP 8\nm=audio 49170 RTP/AVP 8\n"
        "m=audio 49172 RTP/AVP 0\nm=image 49174 udptl t38\n"
    )
    index, lines = answered(offer)
    assert index == 2
    assert lines[3:] == [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/AVP 8",
        "m=audio 40004 RTP/AVP 8",
        "a=sendrecv",
        "m=audio 0 RTP/AVP 0",
        "m=image 0 udptl t38",
    ]


@pytest.mark.parametrize(
    ("offered", "told"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive", "inactive"),
    ],
)
def test_the_direction_fits_that_of_the_offer(offered: str, told: str) -> None:
    """RFC 3264 section 6.1."""
    assert answered(f"m=audio 49170 RTP/AVP 8\na={offered}\n")[1][-1] == f"a={told}"


def test_the_time_is_that_of_the_offer() -> None:
    """RFC 3264 section 6: t= of the answer equals that of the offer."""
    audio = "m=audio 49170 RTP/AVP 8\n"
    assert answered(audio, times="t=2873397496 2873404696\n")[1][2] == "t=2873397496 2873404696"
    assert answered(audio, times="")[1][2] == "t=0 0"


def test_nothing_of_the_offer_but_formats_is_repeated() -> None:
    offer = "a=group:BUNDLE 0\nb=AS:64\nm=audio 49170 RTP/AVPF 8\ni=title\na=mid:0\na=rtcp-fb:8 nack\n"
    assert answered(offer, HOST6)[1] == [
        "s=-",
        f"c=IN IP6 {HOST6}",
        "t=0 0",
        "m=audio 40000 RTP/AVPF 8",
        "a=sendrecv",
    ]


@pytest.mark.parametrize(
    "media",
    [
        "",
        "m=audio 0 RTP/AVP 8\n",
        "m=audio 49170 RTP/AVP 9 18 101\na=rtpmap:101 telephone-event/8000\n",
        "m=audio 49170 RTP/SAVP 8\n",
        "m=audio 49170 RTP/AVP 8\na=rtpmap:8 PCMA/16000\n",
        "m=video 49170 RTP/AVP 8\n",
    ],
)
def test_an_offer_without_g711_is_refused(media: str) -> None:
    with pytest.raises(Malformed) as refused:
        answered(media)
    assert refused.value.status == 488


def test_another_parser_reads_it_alike() -> None:
    index, lines = answered(
        "m=video 5000 RTP/AVP 31\nm=audio 49170 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n"
    )
    read = sdp_transform.parse("\r\n".join(["v=0", f"o=- 1 1 IN IP4 {HOST4}", *lines, ""]))
    assert [(one["type"], one["port"]) for one in read["media"]] == [("video", 0), ("audio", 40_002)]
    taken = read["media"][index]
    assert (taken["payloads"], taken["direction"]) == ("8 101", "sendrecv")
    assert read["connection"] == {"version": 4, "ip": HOST4}
