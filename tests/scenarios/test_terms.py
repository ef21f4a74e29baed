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


def test_a_trunk_over_its_rate_is_passed_over() -> None:
    trunks = tuple(
        replace(one, probe_ns=0, max_rate=2 if one.name == "carrier" else 0) for one in settings().trunks
    )
    world = Scene(trunks=trunks)
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    answers(carrier, 0)
    answers(reserve, 0)
    calls = [alice.invite("0478123456") for _ in range(5)]
    world.run(1000)
    assert all(call.up for call in calls)
    assert (len(carrier.talks), len({talk.call_id for talk in reserve.talks})) == (2, 3)
    for call in calls:
        call.bye()
    world.rest()


def test_a_trunk_with_too_much_to_do_is_spared() -> None:
    """RFC 3261 section 21.5.4: 503 with Retry-After."""
    world = Scene()
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503, [("Retry-After", "20")])
    answers(reserve, 0)
    for wait_ms, asked in ((1000, 1), (20_000, 1), (1000, 2)):
        call = alice.invite("0478123456")
        world.run(500)
        assert call.up
        call.bye()
        assert len(carrier.talks) == asked
        world.run(wait_ms)
    world.rest()


def test_early_media_that_a_carrier_bars_is_not_heard(world: Scene) -> None:
    """RFC 5009: `inactive` says that what comes now is not for the caller."""
    alice, carrier = world.phone("alice"), world.carrier()
    call = alice.invite("0478123456")
    world.run(100)
    carrier.talk.ring_rows = [("P-Early-Media", "inactive")]
    carrier.talk.ring(183, media=True)
    world.run(500)
    assert call.offers == []
    carrier.talk.ring_rows = [("P-Early-Media", "sendrecv")]
    carrier.talk.ring(183, media=True)
    world.run(500)
    assert len(call.offers) == 1
    carrier.talk.answer()
    world.run(500)
    call.bye()
    world.rest()
