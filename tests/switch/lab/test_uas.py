"""The called party, spoken to over a real socket by a caller who does everything by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count

import pytest
import pytest_asyncio

from switch.lab.party import Party
from switch.lab.port import Port
from switch.lab.uas import Behaviour, Pace, behaviour_of
from switch.ports import Address
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram

QUICK = Pace(ring_s=0.02, answer_s=0.05)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"
)


class Caller:
    """Sends what it is told, keeps what comes."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self._port = Port(Address("127.0.0.1", 0), self._receive)
        self._branches = count(1)
        self._inbox: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.tag = ""

    def send(
        self,
        method: str,
        uri: str = "sip:+3227654321@carrier",
        *,
        body: bytes = b"",
        branch: str = "",
        cseq: int = 1,
    ) -> str:
        """A request; its branch."""
        branch = branch or f"z9hG4bK{next(self._branches)}"
        host, port = self._port.address
        to = f"<sip:+3227654321@carrier>{f';tag={self.tag}' if self.tag else ''}"
        fields = {
            "Via": [f"SIP/2.0/UDP {host}:{port};branch={branch}"],
            "From": ["<sip:+3216234567@switch>;tag=a"],
            "To": [to],
            "Call-ID": ["call-1"],
            "CSeq": [f"{cseq} {method}"],
            "Contact": [f"<sip:switch@{host}:{port}>"],
            **({"Content-Type": ["application/sdp"]} if body else {}),
        }
        self._port.send(Request(method, uri, fields, body).encode(), self.party.address)
        return branch

    async def next(self) -> Request | Response:
        return await asyncio.wait_for(self._inbox.get(), 2)

    async def statuses(self, number: int) -> list[int]:
        """The next responses."""
        found = []
        for _ in range(number):
            message = await self.next()
            assert isinstance(message, Response)
            found.append(message.status)
            self.tag = message.recipient.tag or self.tag
        return found

    async def answered(self) -> None:
        """Call, and be answered."""
        self.send("INVITE", body=SDP)
        assert await self.statuses(3) == [100, 180, 200]
        self.send("ACK")

    async def nothing_more(self) -> None:
        await asyncio.sleep(0.05)
        assert self._inbox.empty()

    def close(self) -> None:
        self._port.close()

    def _receive(self, data: bytes, _remote: Address) -> None:
        message = parse_datagram(data)
        assert isinstance(message, Request | Response)
        self._inbox.put_nowait(message)


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[Caller]:
    party = Party("carrier", Address("127.0.0.1", 0), QUICK)
    one = Caller(party)
    yield one
    one.close()
    party.close()
    assert party.legs == {}


@pytest.mark.parametrize(
    ("uri", "behaviour"),
    [
        ("sip:+3227654321@carrier", Behaviour.ANSWER),
        ("sip:+3227654399@carrier;user=phone", Behaviour.BUSY),
        ("tel:+3227654398", Behaviour.SILENT),
        ("sip:+3227654397@carrier", Behaviour.OUT),
        ("urn:service:sos", Behaviour.ANSWER),
        ("sip:112@gateway", Behaviour.ANSWER),
    ],
)
def test_the_number_decides(uri: str, behaviour: Behaviour) -> None:
    assert behaviour_of(uri) is behaviour


async def test_it_rings_answers_plays_and_is_hung_up_on(caller: Caller) -> None:
    await caller.answered()
    leg = caller.party.legs["call-1"]
    assert leg.talking
    assert leg.session.stream.playing
    caller.send("BYE", cseq=2)
    assert await caller.statuses(1) == [200]
    assert leg.over
    assert caller.party.answered == 1


async def test_busy_is_acknowledged_and_forgotten(caller: Caller) -> None:
    branch = caller.send("INVITE", "sip:+3227654399@carrier", body=SDP)
    assert await caller.statuses(2) == [100, 486]
    caller.send("ACK", branch=branch)
    await caller.nothing_more()
    assert caller.party.legs == {}


async def test_out_of_service_says_so_at_once(caller: Caller) -> None:
    branch = caller.send("INVITE", "sip:+3227654397@carrier", body=SDP)
    assert await caller.statuses(2) == [100, 503]
    caller.send("ACK", branch=branch)


async def test_one_that_never_answers_can_be_cancelled(caller: Caller) -> None:
    branch = caller.send("INVITE", "sip:+3227654398@carrier", body=SDP)
    assert await caller.statuses(2) == [100, 180]
    await caller.nothing_more()
    caller.send("CANCEL", branch=branch)
    assert sorted(await caller.statuses(2)) == [200, 487]
    caller.send("ACK", branch=branch)
    await caller.nothing_more()
    assert caller.party.legs == {}


async def test_a_cancel_that_comes_too_late_changes_nothing(caller: Caller) -> None:
    branch = caller.send("INVITE", body=SDP)
    await caller.statuses(3)
    caller.send("CANCEL", branch=branch)
    assert await caller.statuses(1) == [200]
    caller.send("ACK")
    await caller.nothing_more()
    assert caller.party.legs["call-1"].talking


async def test_a_repeated_invite_gets_the_last_response_again(caller: Caller) -> None:
    branch = caller.send("INVITE", body=SDP)
    caller.send("INVITE", body=SDP, branch=branch)
    assert await caller.statuses(4) == [100, 100, 180, 200]
    caller.send("INVITE", body=SDP, branch=branch)
    assert await caller.statuses(1) == [200]
    caller.send("ACK")
    assert caller.party.invited == 1


async def test_200_is_repeated_until_the_ack(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switch.lab.leg.T1_S", 0.03)
    caller.send("INVITE", body=SDP)
    assert await caller.statuses(5) == [100, 180, 200, 200, 200]
    caller.send("ACK")
    await asyncio.sleep(0.01)
    caller._inbox = asyncio.Queue()
    await asyncio.sleep(0.15)
    await caller.nothing_more()


async def test_without_any_ack_it_hangs_up(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switch.lab.leg.T1_S", 0.001)
    monkeypatch.setattr("switch.lab.leg.T2_S", 0.002)
    caller.send("INVITE", body=SDP)
    while isinstance(message := await caller.next(), Response):
        pass
    assert message.method == "BYE"
    assert message.recipient.tag == "a"
    assert caller.party.legs == {}


async def test_hold_and_resume(caller: Caller) -> None:
    await caller.answered()
    stream = caller.party.legs["call-1"].session.stream
    for cseq, line, playing in ((2, b"a=sendonly\r\n", False), (3, b"a=sendrecv\r\n", True)):
        caller.send("INVITE", body=SDP + line, cseq=cseq)
        assert await caller.statuses(1) == [200]
        caller.send("ACK", cseq=cseq)
        assert stream.playing is playing


async def test_without_an_offer_it_makes_one_and_takes_the_answer_from_the_ack(caller: Caller) -> None:
    caller.send("INVITE")
    assert await caller.statuses(2) == [100, 180]
    message = await caller.next()
    assert b"m=audio" in message.body
    caller.tag = message.recipient.tag or ""
    caller.send("ACK", body=SDP)
    await caller.nothing_more()
    assert caller.party.legs["call-1"].session.stream.remote == Address("127.0.0.1", 40000)


async def test_nothing_to_talk_with(caller: Caller) -> None:
    branch = caller.send("INVITE", body=SDP.replace(b"8 0", b"9"))
    assert await caller.statuses(3) == [100, 180, 488]
    caller.send("ACK", branch=branch)


async def test_what_is_within_and_without_a_call(caller: Caller) -> None:
    caller.send("OPTIONS")
    caller.send("BYE")
    caller.send("ACK")
    assert await caller.statuses(2) == [200, 481]
    caller.tag = ""
    await caller.answered()
    for method, status in (("INFO", 200), ("UPDATE", 501), ("REFER", 405)):
        caller.send(method, cseq=5)
        assert await caller.statuses(1) == [status]
    assert caller.party.probed == 1


async def test_it_hangs_up_when_it_closes(caller: Caller) -> None:
    await caller.answered()
    caller.party.close()
    message = await caller.next()
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("BYE", f"sip:switch@127.0.0.1:{caller._port.address.port}")
