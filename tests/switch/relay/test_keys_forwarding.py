"""Keys through a real relay process."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.switch.relay.harness import Party, Relay, open_stream, rtp
from tests.switch.relay.test_forwarding import linked
from tests.switch.relay.test_keys import EVENT_TYPE, Told, read


def press(relay: Relay, session: int, key: str = "5", *, event_type: int = EVENT_TYPE) -> None:
    relay.tell("press", session, 0, 1, event_type, 8000, key, 60)


def test_a_key_is_heard_by_the_other_party(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    caller.send(rtp(1, bytes(160)), stream.caller)
    callee.receive()
    press(relay, session)
    relay.settled()
    for sequence in range(2, 6):
        caller.send(rtp(sequence, bytes(160)), stream.caller)
    heard = [read(callee.receive()[0]) for _ in range(4)]
    assert [(one.key, one.sequence) for one in heard if one is not None] == [("5", n) for n in range(2, 6)]
    assert caller.hears_nothing()
    assert relay.settled()["keys"] >= 1


def test_a_party_that_says_nothing_is_spoken_for(relay: Relay, session: int) -> None:
    _, _, callee = linked(relay, session)
    press(relay, session, "#")
    told = [read(callee.receive()[0]) for _ in range(5)]
    assert {one.key for one in told if one is not None} == {"#"}
    assert callee.hears_nothing()


def test_who_sends_events_himself_is_counted_and_not_helped(relay: Relay, session: int) -> None:
    """Some phones tell a key both ways; it was pressed once."""
    stream = open_stream(relay, session)
    caller, callee = Party(), Party()
    for side, party in enumerate((caller, callee)):
        more: list[Any] = [8000, None, EVENT_TYPE]
        relay.tell("aim", session, 0, side, party.host, party.port, party.host, 0, None, *more)
    relay.settled()
    for second in (0x80 | EVENT_TYPE, EVENT_TYPE, EVENT_TYPE, 0x80 | EVENT_TYPE):
        event = bytearray(rtp(1, b"\5\x0a\0\xa0"))
        event[1] = second
        caller.send(bytes(event), stream.caller)
        assert callee.receive()[0] == event
    press(relay, session)
    assert callee.hears_nothing()
    assert [side["events"] for side in relay.ask("peek", session)[2][0]] == [2, 0]


@pytest.mark.parametrize(("key", "event_type"), [("E", EVENT_TYPE), ("5", 200)])
def test_a_key_that_is_none_is_an_error_that_does_not_tell_it(
    relay: Relay, session: int, key: str, event_type: int
) -> None:
    linked(relay, session)
    press(relay, session, key, event_type=event_type)
    kind, text = relay.hear()
    assert kind == "error"
    assert f"'{key}'" not in text


def test_a_tone_waits_until_the_key_has_ended(relay: Relay, session: int) -> None:
    stream, caller, callee = linked(relay, session)
    press(relay, session, "1")
    press(relay, session, "2")
    relay.tell("tone", session, 0, 1, 100, {"8": "PCMA"})
    relay.settled()
    heard = []
    for sequence in range(2, 40):
        caller.send(rtp(sequence, bytes(160)), stream.caller)
        heard.append(callee.receive()[0])
        time.sleep(0.005)
    told = [one for packet in heard if (one := read(packet)) is not None]
    assert [one.key for one in told if one.end] == ["1"] * 3 + ["2"] * 3
    toned = [n for n, packet in enumerate(heard) if len(packet) == 172 and packet[12:] != bytes(160)]
    ended = max(n for n, packet in enumerate(heard) if read(packet) is not None)
    assert toned
    assert min(toned) > ended


def test_a_key_waits_until_the_tone_has_ended(relay: Relay, session: int) -> None:
    _, _, callee = linked(relay, session)
    relay.tell("tone", session, 0, 1, 100, {"8": "PCMA"})
    press(relay, session, "7")
    kinds: list[Told | None] = []
    while not kinds or kinds[-1] is None or not kinds[-1].end:
        kinds.append(read(callee.receive()[0]))
    assert kinds[0] is None, "the tone"
    assert kinds[-1] is not None
    assert kinds[-1].key == "7"


def test_the_relays_own_packets_are_one_stream(relay: Relay, session: int) -> None:
    """Each source costs a receiver, and SRTP, a state of its own."""
    _, _, callee = linked(relay, session)
    sources = set()
    for key in "123":
        press(relay, session, key)
        heard = [read(callee.receive()[0]) for _ in range(5)]
        sources |= {one.ssrc for one in heard if one is not None}
        assert {one.key for one in heard if one is not None} == {key}
    assert len(sources) == 1
