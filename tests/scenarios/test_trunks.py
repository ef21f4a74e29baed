"""Calls over carriers: failover, passwords, calls that come in."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.talk import Talk
from tests.sim.text import digest_right
from tests.sim.world import HOSTS, TRUNK_PASSWORD

OUTSIDE = "0478123456"


def test_out_and_back(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, OUTSIDE)
    world.run(30_000)
    alice.talk.bye()
    cdr = world.close("trunk_out")
    assert (cdr.trunk, cdr.called, cdr.zone) == ("carrier", "+32478123456", "be_mobile")
    assert (cdr.duration_s, cdr.amount) == (31, 878)


def test_in(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(carrier, alice, "+3216234567")
    world.run(5000)
    carrier.talk.bye()
    cdr = world.close("trunk_in")
    assert (cdr.origin, cdr.trunk, cdr.line, cdr.caller) == ("trunk", "carrier", "", carrier.number)
    assert (cdr.called, cdr.amount) == (alice.number, 0)


def test_in_to_nobody(world: Scene) -> None:
    carrier = world.carrier()
    call = carrier.invite("+3299999999")
    cdr = world.close("trunk_in_to_nobody")
    assert call.heard == ["404"]
    assert (cdr.outcome, cdr.verdict) == ("refused", "no-line")


@pytest.mark.parametrize("status", [408, 500, 503])
def test_refusal_of_the_network_moves_on(world: Scene, status: int) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(status)
    answers(reserve, ring=0)
    call = alice.invite(OUTSIDE)
    world.run(3000)
    call.bye()
    cdr = world.close(f"trunk_failover_on_{status}")
    assert (cdr.outcome, cdr.trunk) == ("answered", "reserve")
    assert str(status) not in call.heard


@pytest.mark.parametrize("status", [404, 486, 603])
def test_word_of_the_called_party_does_not_move_on(world: Scene, status: int) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(status)
    call = alice.invite(OUTSIDE)
    cdr = world.close(f"trunk_refuses_with_{status}")
    assert (cdr.status, cdr.trunk, reserve.talks) == (status, "carrier", [])
    assert call.heard[-1] == str(status)


def test_silent_trunk_moves_on(world: Scene) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.die()
    answers(reserve, ring=0)
    call = alice.invite(OUTSIDE)
    world.run(8000)
    call.bye()
    cdr = world.close("trunk_failover_on_silence")
    assert (cdr.outcome, cdr.trunk) == ("answered", "reserve")


def test_unreachable_trunk_moves_on_at_once(world: Scene) -> None:
    alice, reserve = world.phone("alice"), world.carrier("reserve")
    world.network.unroutable.add(HOSTS["carrier"])
    answers(reserve, ring=0)
    call = alice.invite(OUTSIDE)
    world.run(2000)
    call.bye()
    cdr = world.close("trunk_failover_on_transport_error")
    assert (cdr.outcome, cdr.trunk) == ("answered", "reserve")
    assert cdr.setup_ms is not None
    assert cdr.setup_ms < 1500


def test_no_trunk_left(world: Scene) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503, [("Retry-After", "120")])
    reserve.on_call = lambda talk: talk.reject(500)
    call = alice.invite(OUTSIDE)
    cdr = world.close("trunk_none_left")
    assert (cdr.outcome, cdr.status) == ("failed", 500)
    assert call.heard[-1] == "500"


def challenging(reserve: Party) -> None:
    """A carrier that wants a password."""

    def on_call(talk: Talk) -> None:
        assert talk.invite is not None
        credentials = talk.invite.get("Proxy-Authorization")
        if credentials and digest_right(credentials, "INVITE", *TRUNK_PASSWORD):
            reserve.after(500, talk.answer)
        else:
            talk.challenge("8f3a")

    reserve.on_call = on_call


def test_trunk_wants_a_password(world: Scene) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503)
    challenging(reserve)
    call = alice.invite(OUTSIDE)
    world.run(3000)
    call.bye()
    cdr = world.close("trunk_digest")
    assert (cdr.outcome, cdr.trunk) == ("answered", "reserve")
    world.compare("trunk_digest_in_full", world.full("reserve", "INVITE"))


def test_trunk_refuses_the_password(world: Scene) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503)
    reserve.on_call = lambda talk: talk.challenge("8f3a")
    call = alice.invite(OUTSIDE)
    cdr = world.close("trunk_digest_refused")
    assert cdr.outcome == "failed"
    assert call.heard[-1] == "500"


def test_redirection_is_not_followed(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    carrier.on_call = lambda talk: talk.reject(302, [("Contact", "<sip:+33145678901@198.51.100.9>")])
    call = alice.invite(OUTSIDE)
    cdr = world.close("trunk_redirects")
    assert cdr.outcome == "no-answer"
    assert call.heard[-1] == "480"


def test_exchange_known_by_its_address(world: Scene) -> None:
    office, carrier = world.party("office"), world.carrier()
    world.up(office, carrier, OUTSIDE)
    office.talk.bye()
    cdr = world.close("peer_out")
    assert (cdr.line, cdr.caller) == (office.number, office.number)


def test_to_an_exchange_that_never_registered(world: Scene) -> None:
    office, carrier = world.party("office"), world.carrier()
    world.up(carrier, office, office.number)
    carrier.talk.bye()
    cdr = world.close("peer_in")
    assert (cdr.outcome, cdr.called) == ("answered", office.number)


def test_record_route_of_the_carrier_is_followed(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(carrier, alice, alice.number)
    alice.talk.bye()
    world.rest()
    bye = world.sent_to("carrier", "BYE")[0]
    assert b"BYE sip:carrier@198.51.100.1:5060 SIP/2.0" in bye.data
