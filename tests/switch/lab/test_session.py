from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from switch.lab.session import Session
from switch.lab.tone import PCMA, PCMU
from switch.malformed import Malformed
from switch.ports import Address
from switch.sdp.description import parse


@pytest_asyncio.fixture
async def session() -> AsyncIterator[Session]:
    one = Session("127.0.0.1", 1)
    yield one
    one.close()


def offer(media: str = "m=audio 40000 RTP/AVP 0 8 101", *lines: str, host: str = "127.0.0.9") -> bytes:
    head = ["v=0", "o=- 1 1 IN IP4 127.0.0.9", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "\r\n".join([*head, media, *lines, ""]).encode()


async def test_it_offers_both_laws_and_keys(session: Session) -> None:
    media = parse(session.offer()).media
    assert [(m.kind, m.port, m.formats) for m in media] == [("audio", session.stream.port, "8 0 101")]


async def test_it_takes_the_first_codec_it_knows(session: Session) -> None:
    answer = parse(
        session.answer(offer("m=audio 40000 RTP/AVP 9 0 8 96", "a=rtpmap:96 telephone-event/8000"))
    )
    assert answer.media[0].formats == "0 96"
    assert session.stream.payload_type == PCMU
    assert session.stream.remote == Address("127.0.0.9", 40000)
    assert session.stream.playing


@pytest.mark.parametrize(
    ("line", "host", "answered", "playing"),
    [
        ("a=sendrecv", "127.0.0.9", "sendrecv", True),
        ("a=sendonly", "127.0.0.9", "recvonly", False),
        ("a=recvonly", "127.0.0.9", "sendonly", True),
        ("a=inactive", "127.0.0.9", "inactive", False),
        ("a=sendrecv", "0.0.0.0", "sendrecv", False),
    ],
)
async def test_hold_stops_the_tone_and_resume_brings_it_back(
    line: str, host: str, answered: str, playing: bool, session: Session
) -> None:
    answer = parse(session.answer(offer("m=audio 40000 RTP/AVP 8", line, host=host)))
    assert answer.media[0].direction == answered
    assert session.stream.playing is playing
    session.answer(offer())
    assert session.stream.playing


async def test_other_media_are_declined_in_their_place(session: Session) -> None:
    answer = parse(
        session.answer(offer("m=video 5000 RTP/AVP 96", "m=audio 40000 RTP/AVP 8", "m=text 5002 RTP/AVP 98"))
    )
    assert [(m.kind, m.port) for m in answer.media] == [
        ("video", 0),
        ("audio", session.stream.port),
        ("text", 0),
    ]
    assert session.stream.payload_type == PCMA


async def test_every_description_is_a_new_version(session: Session) -> None:
    versions = [session.offer().split()[3], session.answer(offer()).split()[3]]
    assert versions == [b"1", b"2"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"hello", 400),
        (offer("m=audio 40000 RTP/AVP 9"), 488),
        (offer("m=audio 0 RTP/AVP 8"), 488),
        (offer("m=video 40000 RTP/AVP 96"), 488),
    ],
)
async def test_what_it_cannot_talk_with(body: bytes, status: int, session: Session) -> None:
    with pytest.raises(Malformed) as raised:
        session.answer(body)
    assert raised.value.status == status


async def test_an_answer_is_obeyed(session: Session) -> None:
    session.offer()
    session.take_answer(offer("m=audio 41000 RTP/AVP 8"))
    assert (session.stream.remote, session.stream.playing) == (Address("127.0.0.9", 41000), True)
