"""The warning tone through a real relay process: in packets that pass, and in its own where none do."""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import pack, unpack

import pytest

from switch.lab.tone import PCMA, PCMU
from switch.relay.tone import WAVES
from tests.switch.relay.harness import PATIENCE_S, Party, Relay, Stream, aim, open_stream, rtcp, rtp
from tests.switch.relay.sound import is_warning, samples

V4, V6 = "127.0.0.1", "::1"
CALLER, CALLEE = 0, 1
LONG_MS = 60_000
NAMES = {PCMA: "PCMA", PCMU: "PCMU"}
SPEECH = bytes(range(160))
SSRC = bytes.fromhex("0000cafe")


def heard_as(data: bytes, party: Party) -> bytes:
    """What a party hears of a packet; those that the relay sent of its own before it are passed over."""
    while (heard := party.receive()[0])[:12] != data[:12]:
        pass
    return heard


class Talk:
    """A stream with two parties who multiplex RTCP and have both latched."""

    def __init__(self, relay: Relay, session: int, hosts: tuple[str, str] = (V4, V4)) -> None:
        self.relay, self.session = relay, session
        self.stream: Stream = open_stream(relay, session, hosts=hosts)
        self.parties = Party(hosts[0]), Party(hosts[1])
        for side in (CALLER, CALLEE):
            aim(relay, session, side, self.parties[side])
        relay.settled()
        for side in (CALLER, CALLEE):
            assert self.said(side, rtp(0)) == rtp(0)

    def said(self, side: int, data: bytes) -> bytes:
        """What the other party hears when `side` sends `data`."""
        self.parties[side].send(data, (self.stream.caller, self.stream.callee)[side])
        return heard_as(data, self.parties[1 - side])

    def play(self, side: int, duration_ms: int = LONG_MS, *kinds: int) -> None:
        codecs = {str(kind): NAMES[kind] for kind in kinds or (PCMA, PCMU)}
        self.relay.tell("tone", self.session, 0, side, duration_ms, codecs)
        self.relay.settled()


@pytest.fixture
def talk(relay: Relay, session: int) -> Talk:
    return Talk(relay, session)


def speech(sequence: int, kind: int = PCMA, payload: bytes = SPEECH) -> bytes:
    return pack("!BBHI", 0x80, kind, sequence, sequence * 160) + SSRC + payload


def until(true: Callable[[], bool]) -> None:
    """Wait for something that comes with time."""
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


@pytest.mark.parametrize("hosts", [(V4, V4), (V6, V4)])
@pytest.mark.parametrize("kind", [PCMA, PCMU])
@pytest.mark.parametrize("hearing", [CALLER, CALLEE])
def test_one_side_hears_the_tone_in_the_stream_of_the_other(
    relay: Relay, session: int, hosts: tuple[str, str], kind: int, hearing: int
) -> None:
    talk = Talk(relay, session, hosts)
    talk.play(hearing)
    heard = [talk.said(1 - hearing, speech(n, kind)) for n in range(1, 11)]
    assert [data[:12] for data in heard] == [speech(n, kind)[:12] for n in range(1, 11)]
    assert is_warning(kind, samples(heard))
    assert samples(heard) == WAVES[NAMES[kind]][:1600]
    assert talk.said(hearing, speech(1, kind)) == speech(1, kind), "the other side hears the party on"


def test_both_sides_hear_it(talk: Talk) -> None:
    talk.play(CALLER)
    talk.play(CALLEE)
    for speaking in (CALLER, CALLEE):
        assert is_warning(PCMA, samples([talk.said(speaking, speech(1))]))


def test_what_is_no_such_speech_passes_as_it_is(talk: Talk) -> None:
    talk.play(CALLEE, LONG_MS, PCMA)
    for data in (
        speech(1, 101, b"\x05\x0a\x03\x20"),
        speech(2, 13, b"\x40"),
        speech(3, PCMU),
        rtcp(),
        bytes([0, 1]) + bytes(18),
    ):
        assert talk.said(CALLER, data) == data
    assert talk.said(CALLER, speech(4)) != speech(4)


def test_it_ends_after_its_time(talk: Talk) -> None:
    talk.play(CALLEE, 400)
    assert talk.said(CALLER, speech(1)) != speech(1)
    until(lambda: talk.said(CALLER, speech(3)) == speech(3))


@pytest.mark.parametrize("kind", [PCMA, PCMU])
def test_where_nobody_speaks_the_relay_does(talk: Talk, kind: int) -> None:
    begun_s = time.monotonic()
    talk.play(CALLEE, LONG_MS, kind, PCMA + PCMU - kind)
    heard = [talk.parties[CALLEE].receive() for _ in range(10)]
    assert time.monotonic() - begun_s > 0.2, "60 ms of silence and ten packets of 20 ms, less the last"
    assert {source for _, source in heard} == {talk.stream.callee}
    heads = [unpack("!BBHII", data[:12]) for data, _ in heard]
    assert {(first, second & 0x7F, ssrc) for first, second, _, _, ssrc in heads} == {
        (0x80, kind, heads[0][4])
    }
    assert [(head[2] - heads[0][2]) & 0xFFFF for head in heads] == [*range(10)]
    assert is_warning(kind, samples([heard[0][0]]))
    assert talk.parties[CALLER].hears_nothing()


def test_its_own_packets_end_when_the_other_party_speaks(talk: Talk) -> None:
    talk.play(CALLEE)
    assert talk.parties[CALLEE].receive()[0][8:12] != SSRC
    heard: list[bytes] = []
    for sequence in range(1, 21):
        talk.parties[CALLER].send(speech(sequence), talk.stream.caller)
        time.sleep(0.01)
    while not heard or heard[-1][:12] != speech(20)[:12]:
        heard.append(talk.parties[CALLEE].receive()[0])
    own = sum(data[8:12] != SSRC for data in heard)
    assert own < 5, "it would have sent ten; a few where this machine stood still for 60 ms"


def test_its_own_packets_end_with_the_tone(talk: Talk) -> None:
    talk.play(CALLEE, 400)
    assert is_warning(PCMA, samples([talk.parties[CALLEE].receive()[0]]))
    until(talk.parties[CALLEE].hears_nothing)
    assert talk.said(CALLER, speech(1)) == speech(1)


def test_a_party_that_never_sent_hears_it_too(relay: Relay, session: int) -> None:
    """Through the door: there is no line before the party has latched."""
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    aim(relay, session, CALLER, caller)
    aim(relay, session, CALLEE, callee)
    relay.tell("tone", session, 0, CALLEE, LONG_MS, {"8": "PCMA"})
    relay.settled()
    caller.send(speech(1), stream.caller)
    assert heard_as(speech(1), callee) == speech(1)[:12] + WAVES["PCMA"][:160]
    callee.send(speech(1), stream.callee)
    assert caller.receive()[0] == speech(1)
    caller.send(speech(2), stream.caller)
    assert heard_as(speech(2), callee) == speech(2)[:12] + WAVES["PCMA"][:160]


def test_it_follows_a_party_that_moves_and_waits_for_one_that_holds(talk: Talk) -> None:
    talk.play(CALLEE)
    moved = Party("127.0.0.2")
    aim(talk.relay, talk.session, CALLEE, moved)
    talk.relay.settled()
    talk.parties[CALLER].send(speech(1), talk.stream.caller)
    assert heard_as(speech(1), moved) == speech(1)[:12] + WAVES["PCMA"][:160]
    talk.relay.tell("aim", talk.session, 0, CALLEE, "0.0.0.0", 0, "0.0.0.0", 0, None)
    talk.relay.settled()
    until(moved.hears_nothing)
    time.sleep(0.1)
    assert moved.hears_nothing(), "held, however long nobody speaks"
    aim(talk.relay, talk.session, CALLEE, moved)
    assert is_warning(PCMA, samples([moved.receive()[0]]))


def test_another_stream_of_the_session_is_left_alone(talk: Talk) -> None:
    second = open_stream(talk.relay, talk.session, 1)
    caller, callee = Party(), Party()
    aim(talk.relay, talk.session, CALLER, caller, stream=1)
    aim(talk.relay, talk.session, CALLEE, callee, stream=1)
    talk.play(CALLEE)
    caller.send(speech(1), second.caller)
    assert callee.receive()[0] == speech(1)


def test_a_call_that_closes_meanwhile_leaves_nothing(talk: Talk) -> None:
    before = talk.relay.settled()
    talk.play(CALLER)
    talk.play(CALLEE)
    talk.parties[CALLEE].receive()
    talk.relay.ask("close", talk.session)
    after = talk.relay.settled()
    assert (after["tones"] - before["tones"], after["ports"], after["send_errors"]) == (2, 0, 0)
    until(talk.parties[CALLEE].hears_nothing)
    spent_us = talk.relay.settled()["cpu_us"]
    time.sleep(0.2)
    assert talk.relay.settled()["cpu_us"] - spent_us < 100_000, "the loop sleeps again"


def test_what_it_sends_is_not_taken_for_the_voice_of_a_party(talk: Talk) -> None:
    """Nobody speaks: the call is silent all the same, and its report does not count the tone."""
    talk.play(CALLEE)
    for _ in range(3):
        talk.parties[CALLEE].receive()
    assert [side["packets"] for side in talk.relay.ask("peek", talk.session)[2][0]] == [1, 1]
    talk.relay.tell("watch", talk.session, 1)
    assert talk.relay.hear() == ["silent", talk.session]


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param([1, CALLER, 500, {"8": "PCMA"}], id="no such stream"),
        pytest.param([0, 2, 500, {"8": "PCMA"}], id="no such side"),
        pytest.param([0, -1, 500, {"8": "PCMA"}], id="a side below zero"),
        pytest.param([0, CALLER, -1, {"8": "PCMA"}], id="time below zero"),
        pytest.param([0, CALLER, 500, {}], id="no codec"),
        pytest.param([0, CALLER, 500, {"9": "G722"}], id="a codec without a wave"),
        pytest.param([0, CALLER, 500, {"8": ["PCMA"]}], id="a codec that is no name"),
        pytest.param([0, CALLER, 500, {"voice": "PCMA"}], id="a payload type in words"),
        pytest.param([0, CALLER, 500, {"72": "PCMA"}], id="a payload type that says RTCP"),
        pytest.param([0, CALLER, 500, ["PCMA"]], id="no map"),
        pytest.param([0, CALLER], id="cut short"),
    ],
)
def test_a_bad_order_is_an_error_and_changes_nothing(talk: Talk, rest: list[object]) -> None:
    before = talk.relay.settled()["tones"]
    assert talk.relay.ask("tone", talk.session, *rest)[0] == "error"
    assert talk.relay.settled()["tones"] == before
    assert talk.said(CALLEE, speech(1)) == speech(1)


def test_an_unknown_session_is_an_error(relay: Relay) -> None:
    kind, text = relay.ask("tone", 424242, 0, CALLER, 500, {"8": "PCMA"})
    assert kind == "error"
    assert "no session" in text
