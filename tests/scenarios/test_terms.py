"""What trunks take: codecs and encryption of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.sdp.terms import SideTerms, Srtp
from tests.scenarios.scene import Scene, answers
from tests.sim.world import settings


def scene(carrier: SideTerms, reserve: SideTerms) -> Scene:
    terms = {"carrier": carrier, "reserve": reserve}
    trunks = tuple(replace(one, probe_ns=0, terms=terms[one.name]) for one in settings().trunks)
    return Scene(trunks=trunks)


@pytest.mark.parametrize(
    "picky", [SideTerms(Srtp.ACCEPT, frozenset({"G729"})), SideTerms(Srtp.ACCEPT, frozenset({"OPUS"}))]
)
def test_a_trunk_that_takes_none_of_the_codecs_is_passed_over(picky: SideTerms) -> None:
    world = scene(picky, SideTerms(Srtp.ACCEPT, frozenset({"PCMA"})))
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    answers(reserve, 0)
    call = alice.invite("0478123456")
    world.run(3000)
    assert call.up
    assert carrier.talks == []
    assert "RTP/AVP 8 101" in reserve.talk.offers[0], "only what it takes, and digits"
    call.bye()
    world.rest()


def test_where_no_trunk_takes_it_the_caller_is_told() -> None:
    picky = SideTerms(Srtp.ACCEPT, frozenset({"G729"}))
    world = scene(picky, picky)
    alice = world.phone("alice")
    call = alice.invite("0478123456")
    world.run(3000)
    assert call.heard[-1] == "488"
    world.rest()


def test_a_trunk_that_wants_srtp_gets_it() -> None:
    world = scene(SideTerms(Srtp.REQUIRE), SideTerms(Srtp.ACCEPT))
    alice, carrier = world.phone("alice"), world.carrier()
    carrier.srtp = True
    answers(carrier, 0)
    call = alice.invite("0478123456")
    world.run(1000)
    assert call.up
    assert "RTP/SAVP" in carrier.talk.offers[0]
    assert "RTP/AVP" in call.offers[0]
    port = carrier.talk.media_target[1]
    assert world.machine.relay.keys_at(port)[1:] == [carrier.talk.told_key, carrier.talk.crypto[1]]
    call.bye()
    world.rest()
