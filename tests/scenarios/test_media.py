"""Offers and answers through the switch: early media, late offer, hold, glare, and what becomes of a silent
call."""

from __future__ import annotations

from dataclasses import replace

from switch.media.anchor import MediaSettings
from tests.scenarios.scene import Scene, answers
from tests.sim.weather import CALM
from tests.sim.world import MEDIA_HOST


def test_early_media(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    call = alice.invite("0478123456")
    world.run(100)
    carrier.talk.ring(183, media=True)
    world.run(2000)
    assert call.media_target[0] == MEDIA_HOST
    carrier.talk.answer()
    world.run(3000)
    call.bye()
    cdr = world.close("early_media")
    assert cdr.post_dial_delay_ms == 80
    assert len(set(call.offers)) == 1 or call.offers[0].split("m=")[1] == call.offers[1].split("m=")[1]


def test_ringing_after_early_media(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    call = alice.invite("0478123456")
    world.run(100)
    carrier.talk.ring(183, media=True)
    world.run(500)
    carrier.talk.ring(180)
    world.run(500)
    carrier.talk.answer()
    world.run(500)
    call.bye()
    cdr = world.close("early_media_then_ringing")
    assert call.heard[:4] == ["100", "183", "180", "200"]
    assert cdr.post_dial_delay_ms == 80


def test_183_and_200_together(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, 0, ring=183, media=True)
    call = alice.invite("0478123456")
    world.run(2000)
    call.bye()
    cdr = world.close("183_and_200_together")
    assert cdr.outcome == "answered"


def test_late_offer(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, ring=0)
    call = alice.invite("0478123456", offer=False)
    world.run(5000)
    assert call.media_target[0] == MEDIA_HOST
    assert carrier.talk.media_target[0] == MEDIA_HOST
    call.bye()
    cdr = world.close("late_offer")
    assert cdr.outcome == "answered"


def test_late_offer_never_acknowledged(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, ring=0)
    call = alice.invite("0478123456", offer=False)
    call.acks = False
    world.run(40_000)
    cdr = world.close("late_offer_never_acknowledged")
    assert cdr.flags == ("lost",)
    assert "ACK" in carrier.talk.heard
    assert "BYE" in carrier.talk.heard


def test_hold_and_resume(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(5000)
    assert "a=sendonly" in bob.talk.offers[-1]
    assert "a=recvonly" in alice.talk.offers[-1]
    alice.talk.resume()
    world.run(5000)
    assert "a=sendrecv" in bob.talk.offers[-1]
    alice.talk.bye()
    cdr = world.close("hold_and_resume")
    assert cdr.duration_s == 11


def test_silence_on_hold_ends_nothing(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(100)
    alice.talk.hush()
    bob.talk.hush()
    world.run(120_000)
    assert alice.talk.up
    assert not alice.talk.over
    alice.talk.bye()
    cdr = world.close("silence_on_hold")
    assert cdr.flags == ()


def test_offerless_reinvite(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    bob.talk.modify(offer=False)
    world.run(2000)
    assert "re-200" in bob.talk.heard
    alice.talk.bye()
    world.close("reinvite_without_offer")


def test_reinvite_refused(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    bob.talk.answers_modify = 488
    alice.talk.modify("sendonly")
    world.run(2000)
    assert "re-488" in alice.talk.heard
    alice.talk.bye()
    cdr = world.close("reinvite_refused")
    assert cdr.outcome == "answered"


def test_reinvite_of_a_dead_dialog_ends_the_call(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    bob.talk.answers_modify = 481
    alice.talk.modify("sendonly")
    world.run(2000)
    cdr = world.close("reinvite_answered_481")
    assert cdr.flags == ("lost",)
    assert "BYE" in alice.talk.heard


def test_silence_ends_the_call(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(10_000)
    alice.die()
    bob.die()
    world.run(60_000)
    cdr = world.close("silence_ends_the_call")
    assert cdr.flags == ("no-media",)
    assert cdr.released_by == "switch"
    assert cdr.duration_s == 11  # to the last packet, not to the BYE


def test_ringing_longer_than_the_silence_limit(world: Scene) -> None:
    """Nobody speaks while it rings; that is no reason to give up."""
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, 90_000)
    alice.invite("0478123456")
    world.run(95_000)
    alice.talk.bye()
    cdr = world.close("ringing_longer_than_the_silence_limit")
    assert cdr.outcome == "answered"


def test_one_side_silent_ends_nothing(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hush()
    world.run(120_000)
    alice.talk.bye()
    cdr = world.close("one_side_silent")
    assert cdr.flags == ()


def test_no_ports_left() -> None:
    world = Scene(replace(CALM, relay_pairs=2))
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.up(alice, bob)
    refused = carol.invite(alice.number)
    world.run(1000)
    assert refused.heard[-1] == "503"
    assert refused.response is not None
    assert refused.response.get("Retry-After") == "10"
    alice.talk.bye()
    world.rest()
    world.compare("no_ports_left", world.ladder())
    refusal, call = sorted(world.cdrs, key=lambda cdr: cdr.duration_s)
    assert (refusal.outcome, refusal.status, refusal.flags) == ("refused", 503, ("no-ports",))
    assert call.outcome == "answered"


def test_relay_cannot_open() -> None:
    world = Scene(replace(CALM, relay_fails=1000))
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number)
    cdr = world.close("relay_cannot_open")
    assert (cdr.status, cdr.flags) == (503, ("relay-failed",))
    assert call.heard[-1] == "503"


def test_relay_dies(world: Scene) -> None:
    """Its successor carries on with the same ports and parties; nobody is told."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(5000)
    (before,) = world.machine.relay.sessions.values()
    world.machine.kill_relay()
    (after,) = world.machine.relay.sessions.values()
    assert (after.ports, after.aims, after.silence_ms) == (before.ports, before.aims, before.silence_ms)
    world.run(5000)
    assert "BYE" not in alice.talk.heard + bob.talk.heard
    alice.talk.bye()
    cdr = world.close("relay_dies")
    assert cdr.flags == ("relay-restarted",)
    assert cdr.duration_s == 11


def test_media_is_measured(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.bye()
    world.rest()
    (cdr,) = world.cdrs
    media = world.machine.journal.measured()[cdr.call_id].media
    assert media["0"]["caller"]["packets"] == 500


def test_without_a_silence_limit_nothing_is_watched() -> None:
    quiet = MediaSettings({4: MEDIA_HOST}, {4: MEDIA_HOST}, silence_ms=0)
    world = Scene(media=quiet)
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.bye()
    world.rest()
    assert all(command[0] != "watch" for command in world.machine.relay.commands)
