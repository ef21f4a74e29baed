"""Provisional responses that have to arrive (RFC 3262), each leg by itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.scenarios.scene import Scene, answers
from tests.sim.talk import Talk
from tests.sim.world import settings

RELIABLY = [("Require", "100rel")]


def reliable_world() -> Scene:
    """The carrier may send reliably that it rings."""
    first, *others = (replace(trunk, probe_ns=0) for trunk in settings().trunks)
    return Scene(trunks=(replace(first, prack=True), *others))


# --- who calls us -------------------------------------------------------------------------------------------


def test_a_caller_who_wants_it_hears_reliably_that_it_rings(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = Talk.ring
    talk = carrier.invite(alice.number, rows=RELIABLY)
    assert world.run_until(lambda: "180" in talk.heard)
    assert talk.response is not None
    number = int(talk.response.get("RSeq"))
    world.run(10_000)
    assert talk.heard == ["100", "180", "prack-200"], "and once only"
    alice.talk.ring(183, media=True)
    world.run(1000)
    assert talk.heard == ["100", "180", "prack-200", "183", "prack-200"]
    assert int(talk.response.get("RSeq")) == number + 1
    alice.talk.answer()
    assert world.run_until(lambda: talk.up)
    talk.bye()
    world.close("reliable_caller")


def test_nobody_else_does(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob)
    talk = alice.invite(bob.number, rows=[("Supported", "100rel")])
    assert world.run_until(lambda: talk.up)
    assert "prack-200" not in talk.heard
    talk.bye()
    world.rest()


def test_a_caller_who_does_not_acknowledge_is_refused(world: Scene) -> None:
    """Repeated at T1, ever more seldom, for 64 * T1; then the INVITE gets a 504."""
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = Talk.ring
    talk = carrier.invite(alice.number, rows=RELIABLY)
    talk.pracks = False
    world.run(31_000)
    sent = world.sent_to("carrier", "SIP/2.0 180")
    gaps = [round((b.at_ns - a.at_ns) / 1e9, 1) for a, b in pairwise(sent)]
    assert gaps == [0.5, 1.0, 2.0, 4.0, 8.0]
    world.run(3000)
    assert talk.heard[-1] == "504"
    assert "CANCEL" in alice.talk.heard
    world.rest()


def test_one_at_a_time_and_the_last_that_waited(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = Talk.ring
    talk = carrier.invite(alice.number, rows=RELIABLY)
    talk.pracks = False
    assert world.run_until(lambda: "180" in talk.heard)
    assert talk.response is not None
    number, tag = int(talk.response.get("RSeq")), talk.response.tag("To")
    alice.talk.ring(183, media=True)
    world.run(200)
    assert "183" not in talk.heard
    talk.remote_tag = tag
    for wrong in (f"{number + 1} 1 INVITE", f"{number} 2 INVITE", f"{number} 1 UPDATE", "", "x"):
        talk.prack(wrong)
        world.run(100)
        assert talk.heard[-1] == "prack-481"
    talk.pracks = True
    talk.prack(f"{number} 1 INVITE")
    world.run(200)
    assert sorted(talk.heard[-3:]) == ["183", "prack-200", "prack-200"]
    talk.prack(f"{number} 1 INVITE")
    world.run(200)
    assert talk.heard[-1] == "prack-481", "nothing waits for it any more"
    talk.cancel()
    world.rest()


def test_an_offer_in_a_prack_is_declined(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = Talk.ring
    talk = carrier.invite(alice.number, rows=RELIABLY)
    talk.pracks = False
    assert world.run_until(lambda: "180" in talk.heard)
    assert talk.response is not None
    talk.remote_tag = talk.response.tag("To")
    talk.prack(f"{talk.response.get('RSeq')} 1 INVITE", talk._sdp("sendrecv"))
    world.run(200)
    assert talk.heard[-1] == "prack-488"
    alice.talk.answer()
    assert world.run_until(lambda: talk.up)
    talk.bye()
    world.rest()


def test_the_answer_does_not_wait_for_a_prack(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = Talk.ring
    talk = carrier.invite(alice.number, rows=RELIABLY)
    talk.pracks = False
    assert world.run_until(lambda: "180" in talk.heard)
    alice.talk.answer()
    assert world.run_until(lambda: talk.up)
    world.run(40_000)
    assert not talk.over
    assert len(world.sent_to("carrier", "SIP/2.0 180")) == 1
    talk.bye()
    world.rest()


# --- whom we call -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("media", [True, False])
def test_a_carrier_rings_reliably(media: bool) -> None:
    """Its answer may have been told with the 183 already, and not again with the 2xx."""
    world = reliable_world()
    alice, carrier = world.phone("alice"), world.carrier()
    talk = alice.invite("0478123456")
    assert world.run_until(lambda: bool(carrier.talks) and carrier.talk.ringing)
    callee = carrier.talk
    assert callee.invite is not None
    assert callee.invite.get("Supported") == "timer, 100rel"
    callee.ring_rows = [*RELIABLY, ("RSeq", "77")]
    callee.ring(180)
    world.run(500)
    assert callee.racks == ["77 1 INVITE"]
    callee.ring(180)  # again, as if the PRACK had been lost
    callee.ring_rows = [*RELIABLY, ("RSeq", "79")]
    callee.ring(182)  # out of order
    world.run(500)
    assert callee.racks == ["77 1 INVITE"]
    assert "182" not in talk.heard
    callee.ring_rows = [*RELIABLY, ("RSeq", "78")]
    callee.ring(183, media=True)
    world.run(500)
    assert callee.racks == ["77 1 INVITE", "78 1 INVITE"]
    callee.answer(media=media)
    assert world.run_until(lambda: talk.up)
    world.run(3000)
    talk.bye()
    assert world.run_until(lambda: callee.over)
    assert callee.heard == ["INVITE", "PRACK", "PRACK", "ACK", "BYE"]
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.duration_s) == ("answered", 4)


def test_a_carrier_that_may_not_is_not_told_so(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    talk = alice.invite("0478123456")
    assert world.run_until(lambda: talk.up)
    assert carrier.talk.invite is not None
    assert carrier.talk.invite.get("Supported") == "timer"
    talk.bye()
    world.rest()


def test_an_offer_is_not_asked_for_reliably() -> None:
    """It would want its answer in the PRACK."""
    world = reliable_world()
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    talk = alice.invite("0478123456", offer=False)
    assert world.run_until(lambda: talk.up)
    assert carrier.talk.invite is not None
    assert carrier.talk.invite.get("Supported") == "timer"
    talk.bye()
    world.rest()
