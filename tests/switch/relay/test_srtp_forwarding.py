"""SRTP through a real relay process, on one side or on both."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from switch.relay.srtp import Contexts, Srtp
from switch.sdp.crypto import SUITES
from tests.switch.relay.harness import Party, Relay, Stream, open_stream, rtcp, rtp
from tests.switch.relay.test_srtp import opened

AES, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"


def keys(suite: str, fill: int) -> list[str]:
    """The suite, the relay's key and the party's."""
    return [suite, *(b64encode(bytes([fill + i]) * SUITES[suite]).decode() for i in (0, 1))]


class Phone(Party):
    """A party that has SRTP."""

    def __init__(self, suite: str = AES, fill: int = 1) -> None:
        super().__init__()
        self.keys = keys(suite, fill)
        self.srtp = Srtp((self.keys[0], self.keys[2], self.keys[1]), Contexts())

    def talk(self, packet: bytes, to: tuple[str, int]) -> None:
        self.send(self.srtp.seal(packet), to)

    def hear(self) -> bytes:
        return opened(self.srtp, self.receive()[0])


def aim(relay: Relay, session: int, side: int, party: Party, learn: str | None = None) -> None:
    rest: list[Any] = [8000, party.keys] if isinstance(party, Phone) else []
    relay.tell("aim", session, 0, side, party.host, party.port, party.host, 0, learn, *rest)


def linked(relay: Relay, session: int, caller: Party, callee: Party) -> Stream:
    stream = open_stream(relay, session)
    aim(relay, session, 0, caller)
    aim(relay, session, 1, callee)
    relay.settled()
    return stream


@pytest.mark.parametrize("suite", SUITES)
def test_srtp_here_and_rtp_there(relay: Relay, session: int, suite: str) -> None:
    caller, callee = Phone(suite), Party()
    stream = linked(relay, session, caller, callee)
    for sequence in range(5):
        caller.talk(rtp(sequence, b"from caller"), stream.caller)
        assert callee.receive() == (rtp(sequence, b"from caller"), stream.callee)
        callee.send(rtp(sequence, b"from callee"), stream.callee)
        assert caller.hear() == rtp(sequence, b"from callee")
    caller.talk(rtcp(), stream.caller)
    assert callee.receive()[0] == rtcp()
    callee.send(rtcp(), stream.callee)
    assert caller.hear() == rtcp()
    stats = relay.ask("close", session)[2][0]
    assert [(side["packets"], side["unauthentic"], side["lost"]) for side in stats] == [(5, 0, 0), (5, 0, 0)]


def test_other_keys_on_either_side(relay: Relay, session: int) -> None:
    caller, callee = Phone(AES, 1), Phone(GCM, 7)
    stream = linked(relay, session, caller, callee)
    caller.talk(rtp(1, b"from caller"), stream.caller)
    assert callee.hear() == rtp(1, b"from caller")
    callee.talk(rtp(1, b"from callee"), stream.callee)
    assert caller.hear() == rtp(1, b"from callee")


def test_nobody_without_the_key_is_heard_or_latched_onto(relay: Relay, session: int) -> None:
    """From the very address that may be learnt: only the key makes a packet the party's."""
    caller, callee, stranger = Phone(), Party(), Party()
    stream = open_stream(relay, session)
    relay.tell("aim", session, 0, 0, caller.host, 9, caller.host, 0, caller.host, 8000, caller.keys)
    aim(relay, session, 1, callee)
    relay.settled()
    stranger.send(rtp(1, bytes(40)), stream.caller)
    stranger.send(caller.srtp.seal(rtp(5))[:-1] + b"\0", stream.caller)
    for junk in (b"\0", b"", bytes([0, 1]) + bytes(18), b"\x80\x00"):  # among them what looks like STUN
        stranger.send(junk, stream.caller)
    assert callee.hears_nothing()
    caller.talk(rtp(6), stream.caller)
    assert callee.receive()[0] == rtp(6)
    callee.send(rtp(1), stream.callee)
    assert caller.hear() == rtp(1)
    assert relay.ask("peek", session)[2][0][0]["unauthentic"] == 6


def test_an_unencrypted_packet_of_a_known_party_is_dropped(relay: Relay, session: int) -> None:
    caller, callee = Phone(), Party()
    stream = linked(relay, session, caller, callee)
    caller.talk(rtp(1), stream.caller)
    callee.receive()
    caller.send(rtp(2), stream.caller)
    assert callee.hears_nothing()
    caller.talk(rtp(3), stream.caller)
    assert callee.receive()[0] == rtp(3)


def test_aiming_anew_with_the_same_keys_goes_on(relay: Relay, session: int) -> None:
    """A hold, a move to another address: what was sent before is a replay still."""
    caller, callee = Phone(), Party()
    stream = linked(relay, session, caller, callee)
    old = caller.srtp.seal(rtp(1))
    caller.send(old, stream.caller)
    callee.receive()
    aim(relay, session, 0, caller, learn=caller.host)
    relay.settled()
    caller.send(old, stream.caller)
    assert callee.hears_nothing()
    caller.talk(rtp(2), stream.caller)
    assert callee.receive()[0] == rtp(2)


def test_with_new_keys_the_old_ones_are_nothing(relay: Relay, session: int) -> None:
    caller, callee = Phone(), Party()
    stream = linked(relay, session, caller, callee)
    moved = Phone(fill=50)
    relay.tell("aim", session, 0, 0, caller.host, caller.port, caller.host, 0, None, 8000, moved.keys)
    relay.settled()
    caller.talk(rtp(1), stream.caller)
    assert callee.hears_nothing()
    caller.send(moved.srtp.seal(rtp(2)), stream.caller)
    assert callee.receive()[0] == rtp(2)


def test_a_tone_is_encrypted(relay: Relay, session: int) -> None:
    caller, callee = Phone(), Party()
    stream = linked(relay, session, caller, callee)
    caller.talk(rtp(1), stream.caller)
    callee.receive()
    relay.tell("tone", session, 0, 0, 200, {"8": "PCMA"})
    heard = caller.hear()
    assert (heard[1] & 0x7F, len(heard)) == (8, 172)
    callee.send(rtp(9, b"\xd5" * 160), stream.callee)
    while (heard := caller.hear())[2:4] != rtp(9)[2:4]:
        pass
    assert heard[12:] not in (b"\xd5" * 160, b""), "the tone took its place"


def test_keys_are_never_told(relay: Relay, session: int) -> None:
    """An order that fails is told in words, without them."""
    relay.tell("aim", session, 0, 0, "127.0.0.1", 9, "127.0.0.1", 0, None, 8000, keys(AES, 1))
    relay.tell("aim", session, 0, 0, "127.0.0.1", 9, "127.0.0.1", 0, None, 8000, [AES, "secret"])
    for _ in range(2):
        kind, text = relay.hear()
        assert kind == "error"
        assert not any(one in text for one in (*keys(AES, 1)[1:], "secret"))
