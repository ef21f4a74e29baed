"""Calls for help: open to every known line, never priced, never cut, on to the next gateway whatever the
first one says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.ports import JournalState, StopCalls
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.weather import CALM


def helping(centre: Party) -> None:
    """A centre that answers with a menu first (R-EMG-07)."""
    answers(centre, ring=183, media=True)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("112", "sip:112@voice.example"),
        ("urn", "urn:service:sos"),
        ("police", "sip:+32101@voice.example"),
        ("hidden", "sip:*31*112@voice.example"),
        ("hidden_too", "sip:%2331%23112@voice.example"),
        ("tel", "tel:112"),
    ],
)
def test_help_without_password(world: Scene, name: str, uri: str) -> None:
    """R-EMG-04: a line that is known by name needs no password and no registration."""
    alice, (centre, _) = world.party("alice"), world.centres()
    helping(centre)
    call = alice.invite("112", uri=uri)
    world.run(5000)
    call.bye()
    cdr = world.close(f"emergency_{name}")
    assert (cdr.emergency, cdr.outcome, cdr.amount, cdr.trunk) == (True, "answered", 0, "centre1")
    assert "401" not in call.heard
    assert "183" in call.heard


def test_what_the_gateway_reads(world: Scene) -> None:
    """R-EMG-08: a callable number, no privacy, priority, the service URN."""
    alice, (centre, _) = world.party("alice"), world.centres()
    helping(centre)
    call = alice.invite("112", uri="sip:112@voice.example", rows=[("Privacy", "id")])
    world.run(2000)
    call.bye()
    world.rest()
    world.compare("emergency_in_full", world.full("centre1", "INVITE"))


@pytest.mark.parametrize("status", [403, 486, 503, 603])
def test_every_refusal_leads_on(world: Scene, status: int) -> None:
    """R-EMG-06."""
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = lambda talk: talk.reject(status)
    helping(second)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(5000)
    call.bye()
    cdr = world.close(f"emergency_failover_on_{status}")
    assert (cdr.outcome, cdr.trunk) == ("answered", "centre2")


def test_silent_gateway_leads_on_after_two_seconds(world: Scene) -> None:
    alice, (first, second) = world.party("alice"), world.centres()
    first.die()
    helping(second)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(5000)
    call.bye()
    cdr = world.close("emergency_failover_on_silence")
    assert cdr.trunk == "centre2"
    assert cdr.post_dial_delay_ms == 2020


def test_gateway_that_only_says_100_leads_on_after_six_seconds(world: Scene) -> None:
    alice, (_, second) = world.party("alice"), world.centres()
    helping(second)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(9000)
    call.bye()
    cdr = world.close("emergency_failover_on_100_alone")
    assert (cdr.outcome, cdr.trunk) == ("answered", "centre2")
    assert cdr.post_dial_delay_ms == 6020


def test_no_centre_answers(world: Scene) -> None:
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = second.on_call = lambda talk: talk.reject(503)
    call = alice.invite("112", uri="sip:112@voice.example")
    cdr = world.close("emergency_no_centre_answers")
    assert (cdr.emergency, cdr.outcome) == (True, "failed")
    assert call.heard[-1] == "503"


def test_caller_gives_up(world: Scene) -> None:
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = lambda talk: talk.ring()
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(2000)
    call.cancel()
    cdr = world.close("emergency_cancelled")
    assert cdr.outcome == "cancelled"
    assert second.talks == []


def test_no_limit_of_time(world: Scene) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    helping(centre)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(7_300_000)
    assert not call.over
    call.bye()
    world.rest()
    assert world.cdrs[0].duration_s > 7200


def test_nothing_in_the_way(world: Scene) -> None:
    """A full journal, a shutdown under way and every call of the line in use refuse nobody who calls for
    help."""
    alice, bob, (centre, _) = world.phone("alice"), world.phone("bob"), world.centres()
    helping(centre)
    bob.on_call = lambda talk: talk.answer()
    for _ in range(6):
        alice.invite(bob.number)
        world.run(200)
    world.machine.feed(JournalState(full=True))
    world.machine.feed(StopCalls(end=False))
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(3000)
    assert call.up
    for talk in alice.talks:
        talk.hang_up()
    world.machine.feed(JournalState(full=False))
    world.rest()


@pytest.mark.parametrize("state", ["limited", "restricted", "suspended"])
def test_line_in_arrears_may_call_for_help(world: Scene, state: str) -> None:
    """R-EMG-13."""
    alice, (centre, _) = world.party("alice"), world.centres()
    helping(centre)
    world.machine.replace_lines(
        replace(line, state=state) if line.user == "alice" else line for line in world.machine.lines
    )
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(3000)
    assert call.up
    call.bye()
    world.rest()


@pytest.mark.parametrize("address", [None, {}, {"postcode": "9"}])
def test_bad_address_leads_to_the_default_centre(world: Scene, address: dict[str, str] | None) -> None:
    """R-EMG-03: never refuse."""
    alice, (centre, _) = world.party("alice"), world.centres()
    helping(centre)
    world.machine.replace_lines(
        replace(line, address=address) if line.user == "alice" else line for line in world.machine.lines
    )
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(3000)
    assert call.up
    call.bye()
    world.rest()
    assert world.cdrs[0].verdict.startswith("emergency-address")


def test_unknown_caller_is_asked_for_a_password(world: Scene) -> None:
    """Policy `known_aor` (R-EMG-05)."""
    mallory, _ = world.party("mallory", line="nobody"), world.centres()
    call = mallory.invite("112", uri="sip:112@voice.example")
    world.rest()
    assert call.heard == ["401"]
    assert world.cdrs == []


def test_late_offer(world: Scene) -> None:
    """R-EMG-05: a missing SDP stops nobody."""
    alice, (centre, _) = world.party("alice"), world.centres()
    centre.on_call = lambda talk: talk.answer()
    call = alice.invite("112", uri="sip:112@voice.example", offer=False, rows=[("Require", "something")])
    world.run(3000)
    assert call.up
    call.bye()
    cdr = world.close("emergency_late_offer")
    assert cdr.outcome == "answered"


def test_no_ports_left() -> None:
    """R-EMG-04: another call of the same line makes room."""
    world = Scene(replace(CALM, relay_pairs=4))
    alice, bob, carol = (world.phone(name) for name in ("alice", "bob", "carol"))
    centre, _ = world.centres()
    helping(centre)
    answers(bob, 0)
    answers(carol, 0)
    own, other = alice.invite(bob.number), bob.invite(carol.number)
    world.run(1000)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(3000)
    assert (call.up, own.over, other.over) == (True, True, False)
    call.bye()
    other.bye()
    world.rest()
    world.compare("emergency_makes_room", world.ladder())
    assert [cdr.cause for cdr in world.cdrs if "preempted" in cdr.flags] == [8]


def test_no_ports_left_for_a_late_offer() -> None:
    world = Scene(replace(CALM, relay_pairs=2))
    alice, bob, (centre, _) = world.phone("alice"), world.phone("bob"), world.centres()
    helping(centre)
    world.up(alice, bob)
    call = alice.invite("112", uri="sip:112@voice.example", offer=False)
    world.run(3000)
    assert call.up
    call.bye()
    world.rest()


def test_relay_dies_while_it_rings(world: Scene) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre, 3000)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(1000)
    world.machine.kill_relay()
    world.run(10_000)
    assert call.up
    call.bye()
    cdr = world.close("emergency_relay_dies")
    assert cdr.flags == ("relay-restarted",)
