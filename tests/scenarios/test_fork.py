"""A line with several phones: all ring, the first answer wins, the others are told so."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import Scene
from tests.sim.parties import Party


@pytest.fixture
def phones(world: Scene) -> tuple[Party, Party, Party]:
    """Three phones of one line."""
    return world.phone("bob"), world.phone("bob2", line="bob"), world.phone("bob3", line="bob")


def test_first_answer_wins(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    call = alice.invite("022345678")
    world.run(100)
    for phone in phones:
        phone.talk.ring()
    world.run(2000)
    phones[1].talk.answer()
    world.run(5000)
    call.bye()
    cdr = world.close("fork_first_answer_wins")
    assert cdr.outcome == "answered"
    for loser in (phones[0], phones[2]):
        assert loser.talk.heard == ["INVITE", "CANCEL"]
        assert loser.talk.reasons == ['SIP;cause=200;text="Call completed elsewhere"']
    assert [line.count("180 Ringing") for line in call.heard] == [0] * len(call.heard)


def test_two_answers_at_once(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    call = alice.invite("022345678")
    world.run(100)
    world.together(phones[0].talk.answer, phones[2].talk.answer)
    world.run(5000)
    call.bye()
    cdr = world.close("fork_two_answers_at_once")
    assert cdr.outcome == "answered"
    assert phones[0].talk.heard[:2] == ["INVITE", "ACK"]
    assert phones[2].talk.heard == ["INVITE", "ACK", "BYE"]


def test_one_busy_the_others_ring_on(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    phones[0].on_call = lambda talk: talk.reject(486)
    phones[1].on_call = lambda talk: talk.ring()
    phones[2].on_call = lambda talk: talk.ring()
    call = alice.invite("022345678")
    world.run(3000)
    phones[2].talk.answer()
    world.run(1000)
    phones[2].talk.bye()
    cdr = world.close("fork_one_busy")
    assert (cdr.outcome, cdr.released_by) == ("answered", "callee")
    assert "486" not in call.heard


def test_all_busy(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    phones[0].on_call = lambda talk: talk.reject(480)
    phones[1].on_call = lambda talk: talk.reject(486)
    phones[2].on_call = lambda talk: talk.reject(500)
    call = alice.invite("022345678")
    cdr = world.close("fork_all_busy")
    assert (cdr.outcome, cdr.status) == ("no-answer", 480)
    assert call.heard[-1] == "480"


def test_one_declines_for_all(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    phones[1].on_call = lambda talk: talk.ring()
    phones[2].on_call = lambda talk: talk.ring()
    phones[0].on_call = lambda talk: phones[0].after(1000, lambda: talk.reject(603))
    alice.invite("022345678")
    cdr = world.close("fork_one_declines_for_all")
    assert (cdr.outcome, cdr.status) == ("rejected", 603)
    assert [phone.talk.heard[-1] for phone in phones[1:]] == ["CANCEL", "CANCEL"]


def test_caller_cancels_the_fork(world: Scene, phones: tuple[Party, Party, Party]) -> None:
    alice = world.phone("alice")
    for phone in phones[:2]:
        phone.on_call = lambda talk: talk.ring()
    phones[2].die()
    call = alice.invite("022345678")
    world.run(2000)
    call.cancel()
    cdr = world.close("fork_cancelled_with_one_phone_dead")
    assert cdr.outcome == "cancelled"
