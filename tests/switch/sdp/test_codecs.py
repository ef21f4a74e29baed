"""Codecs that may be used, out of those that are named."""

from __future__ import annotations

import pytest

from switch.malformed import Malformed
from switch.sdp.codecs import kept_codecs
from switch.sdp.description import Media, parse

OFFER = (
    "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 5004 RTP/AVP 96 9 8 0 18 13 101\r\na=rtpmap:96 opus/48000/2\r\n"
    "a=fmtp:96 useinbandfec=1\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=rtcp-fb:96 nack\r\na=fmtp:18 annexb=no\r\na=ptime:20\r\n"
)


def section(text: str = OFFER) -> Media:
    return parse(text.encode()).media[0]


@pytest.mark.parametrize(
    ("allowed", "formats"),
    [
        ({"PCMA"}, "8 13 101"),
        ({"PCMA", "PCMU"}, "8 0 13 101"),
        ({"OPUS"}, "96 13 101"),
        ({"G729", "G722"}, "9 18 13 101"),
    ],
)
def test_its_own_order_digits_and_comfort_noise_stay(allowed: set[str], formats: str) -> None:
    assert kept_codecs(section(), allowed).formats == formats


def test_what_described_the_others_goes_with_them() -> None:
    kept = kept_codecs(section(), {"PCMA"})
    assert kept.lines == [
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
    ]


def test_where_all_may_stay_nothing_is_touched() -> None:
    whole = section()
    assert kept_codecs(whole, {"OPUS", "G722", "PCMA", "PCMU", "G729"}) is whole


@pytest.mark.parametrize("allowed", [{"GSM"}, {"TELEPHONE-EVENT"}, {"CN"}])
def test_none_of_them(allowed: set[str]) -> None:
    with pytest.raises(Malformed) as refused:
        kept_codecs(section(), allowed)
    assert refused.value.status == 488


@pytest.mark.parametrize(
    "line",
    ["m=audio 0 RTP/AVP 18", "m=image 5004 udptl t38", "m=video 5004 RTP/AVP 99", "m=audio 5004 udptl t38"],
)
def test_what_is_no_voice_passes(line: str) -> None:
    whole = section(f"v=0\r\nc=IN IP4 192.0.2.9\r\n{line}\r\n")
    assert kept_codecs(whole, {"PCMA"}) is whole
