"""Keys that a phone tells by INFO: into the media where they are heard, on as INFO where they are not."""

from __future__ import annotations

import pytest

from switch.call.leg import Leg
from tests.scenarios.scene import Scene, answers


@pytest.mark.parametrize("presses", ["alice", "bob"])
def test_a_key_goes_into_the_media(world: Scene, presses: str) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    parties = {"alice": alice, "bob": bob}
    parties[presses].talk.press("7", 100)
    world.run(500)
    assert "info-200" in parties[presses].talk.heard
    assert alice.talk.infos == bob.talk.infos == []
    (pressed,) = world.machine.relay.pressed
    assert pressed[1:] == (1 if presses == "alice" else 0, "7")
    alice.talk.bye()
    world.rest()


def test_a_key_in_a_call_for_help(world: Scene) -> None:
    """R-EMG-07: the centre answers with a key menu."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre, 500)
    call = alice.invite("112")
    world.run(2000)
    call.press("1")
    world.run(500)
    assert [key for _, _, key in world.machine.relay.pressed] == ["1"]
    call.bye()
    world.rest()


def test_a_party_on_hold_hears_no_key(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    bob.talk.hold()
    world.run(500)
    alice.talk.press()
    world.run(500)
    assert world.machine.relay.pressed == []
    assert bob.talk.infos == ["Signal=5\r\nDuration=160\r\n"]
    alice.talk.bye()
    world.rest()


def test_a_session_refresh_may_bring_a_new_key(world: Scene) -> None:
    """The phone takes another SRTP key in its answer to a re-INVITE that changes nothing."""
    alice, bob = world.phone("alice"), world.phone("bob")
    alice.srtp = True
    world.up(alice, bob)
    world.run(100)
    port = alice.talk.media_target[1]
    assert world.machine.relay.keys_at(port)[2] == alice.talk.crypto[1]
    alice.talk.crypto = ("1", "Q" * 40)
    core = world.machine.core
    assert core is not None
    leg = core.endpoint.dialogs[alice.talk.call_id, alice.talk.remote_tag]
    assert isinstance(leg, Leg)
    leg._probe_harder()
    world.machine.settle()
    world.run(1000)
    assert world.machine.relay.keys_at(port)[2] == "Q" * 40
    alice.talk.bye()
    world.rest()


def test_after_the_death_of_a_relay_the_keys_are_new(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    alice.srtp = True
    world.up(alice, bob)
    before = alice.talk.told_key
    world.machine.kill_relay()
    world.run(3000)
    assert "INVITE" in alice.talk.heard
    assert "INVITE" not in bob.talk.heard[1:]
    assert alice.talk.told_key != before
    port = alice.talk.media_target[1]
    assert world.machine.relay.keys_at(port)[1:] == [alice.talk.told_key, alice.talk.crypto[1]]
    alice.talk.bye()
    world.rest()
