"""Announcements through a real relay process: what a party hears is the file, and the file alone."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from struct import pack, unpack

import pytest

from switch.relay.g711 import decode, encode
from tests.switch.relay.harness import PATIENCE_S, Party, Relay, aim, open_stream, rtcp, rtp
from tests.switch.relay.sound import record, samples, sine

CALLER, CALLEE = 0, 1
CODECS = {8: "PCMA", 0: "PCMU"}
SPEECH = sine(440, 1600)
"""Ten packets."""


class Talk:
    """A stream with two parties who have both latched; `announced` is the file."""

    def __init__(self, relay: Relay, session: int, path: Path, host: str = "127.0.0.1") -> None:
        self.relay, self.session, self.path = relay, session, path
        self.stream = open_stream(relay, session, hosts=(host, host))
        self.parties = Party(host), Party(host)
        for side in (CALLER, CALLEE):
            aim(relay, session, side, self.parties[side])
        relay.settled()
        for side in (CALLER, CALLEE):
            self.send(side, rtp(0))
            assert self.parties[1 - side].receive()[0] == rtp(0)

    def send(self, side: int, data: bytes) -> None:
        self.parties[side].send(data, (self.stream.caller, self.stream.callee)[side])

    def say(self, side: int, times: int = 1, *kinds: int) -> None:
        codecs = {str(kind): CODECS[kind] for kind in kinds or CODECS}
        self.relay.tell("say", self.session, 0, side, codecs, str(self.path), times)
        self.relay.settled()

    def hush(self, side: int) -> None:
        self.relay.tell("say", self.session, 0, side, {}, "", 0)
        self.relay.settled()

    def heard(self, side: int, count: int) -> list[bytes]:
        return [self.parties[side].receive()[0] for _ in range(count)]


@pytest.fixture
def talk(relay: Relay, session: int, tmp_path: Path) -> Talk:
    return Talk(relay, session, record(tmp_path / "prompt.wav", SPEECH))


def decoded(kind: int, packets: Iterable[bytes]) -> list[int]:
    return [decode(CODECS[kind], octet) for octet in samples(packets)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("kind", [8, 0])
@pytest.mark.parametrize("side", [CALLER, CALLEE])
def test_one_side_hears_the_file(
    relay: Relay, session: int, tmp_path: Path, host: str, kind: int, side: int
) -> None:
    talk = Talk(relay, session, record(tmp_path / "prompt.wav", SPEECH), host)
    talk.say(side, 1, kind)
    heard = talk.heard(side, 10)
    sequences = [unpack("!H", data[2:4])[0] for data in heard]
    assert [(one - sequences[0]) & 0xFFFF for one in sequences] == [*range(10)]
    assert samples(heard) == encode(CODECS[kind], SPEECH)
    worst = max(abs(was - now) for was, now in zip(SPEECH, decoded(kind, heard), strict=True))
    assert worst <= 8 + 8000 // 32
    assert talk.parties[side].hears_nothing()
    assert talk.parties[1 - side].hears_nothing()


def test_it_lasts_as_long_as_it_says(talk: Talk) -> None:
    began_s = time.monotonic()
    talk.say(CALLER, 2)
    assert samples(talk.heard(CALLER, 20)) == 2 * encode("PCMA", SPEECH)
    assert time.monotonic() - began_s > 0.39, "20 packets of 20 ms, the first after 20 ms"


def test_what_the_other_party_sends_meanwhile_is_not_heard(talk: Talk) -> None:
    talk.say(CALLEE, 2)
    for sequence in range(1, 21):
        talk.send(CALLER, rtp(sequence, bytes(160)))
        talk.send(CALLER, pack("!BBHII", 0x80, 101, sequence, 1, 0xCAFE) + b"\x05\x0a\x03\x20")
    talk.send(CALLER, rtcp())
    heard = talk.heard(CALLEE, 21)
    assert rtcp() in heard, "a report of the other party is no sound"
    heard.remove(rtcp())
    assert samples(heard) == 2 * encode("PCMA", SPEECH)
    assert len({data[8:12] for data in heard}) == 1
    assert talk.parties[CALLEE].hears_nothing()


def test_the_other_direction_is_left_alone(talk: Talk) -> None:
    talk.say(CALLEE, 0)
    talk.send(CALLEE, rtp(1))
    assert talk.parties[CALLER].receive()[0] == rtp(1)


def test_afterwards_the_parties_hear_each_other(talk: Talk) -> None:
    talk.say(CALLEE)
    talk.heard(CALLEE, 10)
    assert talk.parties[CALLEE].hears_nothing()
    talk.send(CALLER, rtp(1))
    assert talk.parties[CALLEE].receive()[0] == rtp(1)


def test_it_goes_round_until_it_is_called_off(talk: Talk) -> None:
    talk.say(CALLEE, 0)
    assert samples(talk.heard(CALLEE, 25)) == (3 * encode("PCMA", SPEECH))[: 25 * 160]
    talk.hush(CALLEE)
    end_s = time.monotonic() + PATIENCE_S
    while not talk.parties[CALLEE].hears_nothing():
        assert time.monotonic() < end_s
    talk.send(CALLER, rtp(1))
    assert talk.parties[CALLEE].receive()[0] == rtp(1)
    spent_us = talk.relay.settled()["cpu_us"]
    time.sleep(0.2)
    assert talk.relay.settled()["cpu_us"] - spent_us < 100_000, "the loop sleeps again"


def test_a_caller_alone_hears_it(talk: Talk, session: int) -> None:
    """Early media of the switch itself: the other side was never aimed, this one has not sent."""
    relay = talk.relay
    open_stream(relay, session, 1)
    caller = Party()
    aim(relay, session, CALLER, caller, stream=1)
    relay.tell("say", session, 1, CALLER, {"0": "PCMU"}, str(talk.path), 1)
    assert samples(caller.receive()[0] for _ in range(10)) == encode("PCMU", SPEECH)


def test_it_is_counted_and_is_nobodys_voice(talk: Talk) -> None:
    before = talk.relay.settled()
    talk.say(CALLEE)
    talk.heard(CALLEE, 10)
    after = talk.relay.settled()
    assert after["announcements"] - before["announcements"] == 1
    assert after["tones"] == before["tones"]
    assert [side["packets"] for side in talk.relay.ask("peek", talk.session)[2][0]] == [1, 1]


def test_a_file_that_was_replaced_is_heard_as_it_is_now(talk: Talk) -> None:
    talk.say(CALLER)
    talk.heard(CALLER, 10)
    record(talk.path, sine(1000, 480))
    talk.say(CALLER)
    assert samples(talk.heard(CALLER, 3)) == encode("PCMA", sine(1000, 480))


def test_a_file_that_cannot_be_played_is_told_and_does_no_harm(talk: Talk, tmp_path: Path) -> None:
    stereo = record(tmp_path / "stereo.wav", SPEECH, channels=2)
    (tmp_path / "text.wav").write_text("no sound")
    for path, said in {
        tmp_path / "none.wav": "No such file",
        stereo: "2 channels",
        tmp_path / "text.wav": "is not a WAV file",
        tmp_path: "is not a file",
        "a\0b": "null",
    }.items():
        kind, text = talk.relay.ask("say", talk.session, 0, CALLEE, {"8": "PCMA"}, str(path), 1)
        assert (kind, said in text) == ("error", True), text
    talk.send(CALLER, rtp(1))
    assert talk.parties[CALLEE].receive()[0] == rtp(1)


@pytest.mark.parametrize(
    ("stream", "side", "codecs", "times"),
    [
        pytest.param(1, CALLER, {"8": "PCMA"}, 1, id="no such stream"),
        pytest.param(0, 2, {"8": "PCMA"}, 1, id="no such side"),
        pytest.param(0, CALLER, {}, 1, id="no codec"),
        pytest.param(0, CALLER, {"9": "G722"}, 1, id="a codec without a table"),
        pytest.param(0, CALLER, {"72": "PCMA"}, 1, id="a payload type that says RTCP"),
        pytest.param(0, CALLER, {"voice": "PCMA"}, 1, id="a payload type in words"),
        pytest.param(0, CALLER, {"8": "PCMA"}, -1, id="less than never"),
        pytest.param(0, CALLER, {"8": "PCMA"}, "often", id="a number in words"),
        pytest.param(0, CALLER, ["PCMA"], 1, id="no map"),
    ],
)
def test_a_bad_order_is_an_error_and_changes_nothing(
    talk: Talk, stream: int, side: int, codecs: object, times: object
) -> None:
    before = talk.relay.settled()["announcements"]
    order = ["say", talk.session, stream, side, codecs, str(talk.path), times]
    assert talk.relay.ask(*order)[0] == "error"
    assert talk.relay.settled()["announcements"] == before
    talk.send(CALLEE, rtp(1))
    assert talk.parties[CALLER].receive()[0] == rtp(1)


def test_an_unknown_session_is_an_error(relay: Relay) -> None:
    kind, text = relay.ask("say", 424242, 0, CALLER, {"8": "PCMA"}, "", 1)
    assert (kind, "no session" in text) == ("error", True)
