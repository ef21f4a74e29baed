"""The voicemail platform takes messages and plays them to their owner; it causes no call (R-POL-01)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.routing.trunks import TrunkSettings
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.world import HOSTS, settings

VOICEMAIL = "1233"
PARTNER = "+32478123456"


@pytest.fixture
def story() -> tuple[Scene, Party]:
    """A world with a voicemail platform; the office's address is its."""
    own = tuple(replace(trunk, probe_ns=0) for trunk in settings().trunks)
    platform = TrunkSettings("voicemail", HOSTS["mallory"], 5060, voicemail=True)
    world = Scene(trunks=(*own, platform))
    voicemail = world.party("mallory", number="+32470000000", password="")
    answers(voicemail)
    return world, voicemail


Story = tuple[Scene, Party]


def test_a_message_is_left(story: Story) -> None:
    world, voicemail = story
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.ring()
    world.forward("bob", "no-answer", VOICEMAIL, 10)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    assert voicemail.talk.invite is not None
    assert f"<sip:{bob.number}@" in voicemail.talk.invite.get("Diversion")
    call.bye()
    world.rest()
    forwarded = next(cdr for cdr in world.cdrs if cdr.origin == "forward")
    assert (forwarded.trunk, forwarded.amount, forwarded.zone) == ("voicemail", 0, "voicemail")


def test_the_owner_listens(story: Story) -> None:
    world, voicemail = story
    alice = world.phone("alice")
    call = alice.invite(VOICEMAIL)
    assert world.run_until(lambda: call.up)
    world.run(30_000)
    assert voicemail.talk.up
    call.bye()
    world.rest()
    assert world.cdrs[0].amount == 0


@pytest.mark.parametrize("called", [PARTNER, "+3216234567", "112", "107", VOICEMAIL])
def test_it_starts_no_call(called: str, story: Story) -> None:
    world, voicemail = story
    world.phone("alice")
    call = voicemail.invite(called)
    world.rest()
    assert call.heard[-1] == "403"
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.verdict, cdr.trunk) == ("refused", "voicemail", "voicemail")
    assert world.machine.core is not None
    assert world.machine.core.sums.refusals["voicemail"] == 1


def test_it_redirects_none(story: Story) -> None:
    world, voicemail = story
    alice, carrier = world.phone("alice"), world.carrier()
    voicemail.on_call = lambda talk: talk.reject(302, [("Contact", f"<sip:{PARTNER}@x>")])
    call = alice.invite(VOICEMAIL)
    world.rest()
    assert call.heard[-1] == "480"
    assert not carrier.talks
    assert sorted(cdr.verdict for cdr in world.cdrs) == ["allowed", "voicemail"]


@pytest.mark.parametrize("target", [PARTNER, "+3222345678"])
def test_it_transfers_none(target: str, story: Story) -> None:
    """The call-back to whoever left a message that holes other systems (fusionpbx#2439)."""
    world, voicemail = story
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob)
    call = alice.invite(VOICEMAIL)
    assert world.run_until(lambda: call.up)
    voicemail.talk.refer(target)
    world.run(2000)
    assert "refer-403" in voicemail.talk.heard
    assert not bob.talks
    assert not call.over
    call.bye()
    world.rest()
    refused = next(cdr for cdr in world.cdrs if cdr.outcome == "refused")
    assert (refused.verdict, refused.origin, refused.line) == ("voicemail", "voicemail", alice.number)


def test_nobody_is_transferred_out_of_it(story: Story) -> None:
    """An attended transfer cannot make it a way out either."""
    world, voicemail = story
    alice, carol = world.phone("alice"), world.phone("carol")
    answers(carol)
    one = alice.invite(VOICEMAIL)
    assert world.run_until(lambda: one.up)
    other = alice.invite(carol.number)
    assert world.run_until(lambda: other.up)
    other.refer(VOICEMAIL, replaces=one)
    world.run(2000)
    assert "refer-403" in other.heard
    one.bye()
    other.bye()
    world.rest()
    assert voicemail.talk.over


def test_ordinary_calls_do_not_go_there(story: Story) -> None:
    world, voicemail = story
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    call = alice.invite(PARTNER)
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()
    assert not voicemail.talks
