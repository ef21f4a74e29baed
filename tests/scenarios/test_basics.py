"""Registration and simple calls, after the flows of RFC 3665."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import Scene


def test_register(world: Scene) -> None:
    world.phone("alice")
    world.rest()
    world.compare("register", world.ladder("REGISTER"))
    world.compare("register_in_full", world.full("alice", "SIP/2.0"))


def test_register_with_wrong_password(world: Scene) -> None:
    mallory = world.party("mallory", line="alice", password="guess")
    mallory.register()
    world.rest()
    assert (mallory.registered, mallory.refused) == (False, 403)
    world.compare("register_wrong_password", world.ladder("REGISTER"))


def test_register_too_briefly(world: Scene) -> None:
    alice = world.party("alice")
    alice.register(expires_s=5)
    world.rest()
    assert alice.refused == 423
    world.compare("register_too_brief", world.ladder("REGISTER"))


def test_unregister(world: Scene) -> None:
    alice = world.phone("alice")
    alice.register(expires_s=0)
    world.rest()
    assert world.sizes()["bindings"] == 0


def test_line_to_line(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob, "022345678")
    world.run(59_900)
    alice.talk.bye()
    cdr = world.close("line_to_line")
    assert (cdr.outcome, cdr.status, cdr.released_by, cdr.cause) == ("answered", 200, "caller", 16)
    assert (cdr.caller, cdr.dialled, cdr.called) == (alice.number, "022345678", bob.number)
    assert cdr.duration_s == 60
    assert cdr.amount == 1700


def test_called_side_hangs_up(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(3500)
    bob.talk.bye()
    cdr = world.close("called_side_hangs_up")
    assert (cdr.released_by, cdr.duration_s) == ("callee", 4)


def test_both_hang_up_at_once(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(2000)
    world.together(alice.talk.bye, bob.talk.bye)
    cdr = world.close("both_hang_up_at_once")
    assert cdr.outcome == "answered"
    assert {"bye-200"} <= set(alice.talk.heard) & set(bob.talk.heard)


def test_caller_cancels(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number)
    world.run(100)
    bob.talk.ring()
    world.run(3000)
    call.cancel()
    cdr = world.close("caller_cancels")
    assert (cdr.outcome, cdr.status, cdr.released_by, cdr.amount) == ("cancelled", 487, "caller", 0)
    assert cdr.post_dial_delay_ms is not None
    assert "487" in call.heard


def test_busy(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.reject(486)
    call = alice.invite(bob.number)
    cdr = world.close("busy")
    assert (cdr.outcome, cdr.status, cdr.released_by) == ("busy", 486, "callee")
    assert call.heard[-1] == "486"


def test_declined(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.reject(603, [("Reason", "Q.850;cause=21")])
    alice.invite(bob.number)
    cdr = world.close("declined")
    assert (cdr.outcome, cdr.status, cdr.cause) == ("rejected", 603, 21)


def test_no_answer(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.ring()
    call = alice.invite(bob.number)
    world.run(61_000)
    cdr = world.close("no_answer")
    assert (cdr.outcome, cdr.status, cdr.cause) == ("no-answer", 480, 19)
    assert cdr.released_ms - cdr.invited_ms == pytest.approx(60_000, abs=50)
    assert call.heard[-1] == "480"


def test_phone_switched_off(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.die()
    alice.invite(bob.number)
    cdr = world.close("phone_switched_off")
    assert (cdr.outcome, cdr.status, cdr.duration_s) == ("no-answer", 480, 0)


def test_nobody_registered(world: Scene) -> None:
    alice = world.phone("alice")
    alice.invite("022345678")
    cdr = world.close("nobody_registered")
    assert (cdr.outcome, cdr.status, cdr.verdict) == ("refused", 480, "not-registered")


def test_number_that_is_none(world: Scene) -> None:
    alice = world.phone("alice")
    alice.invite("0112")
    cdr = world.close("number_that_is_none")
    assert (cdr.outcome, cdr.status) == ("refused", 404)


def test_wrong_password_makes_no_call(world: Scene) -> None:
    world.phone("bob")
    mallory = world.party("mallory", line="alice", password="guess")
    call = mallory.invite("022345678")
    world.rest()
    world.compare("wrong_password_makes_no_call", world.ladder())
    assert call.heard == ["403"]
    assert world.cdrs == []


def test_refusal_without_ack(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.reject(486)
    alice.acks_refusals = False
    alice.invite(bob.number)
    cdr = world.close("refusal_without_ack")
    assert cdr.outcome == "busy"


def test_options_is_answered(world: Scene) -> None:
    from tests.sim.text import Sip

    alice = world.party("alice")
    answers: list[int] = []
    sender = f"<sip:alice@{alice.domain}>;tag=x"
    rows = [
        ("From", sender),
        ("To", f"<sip:{alice.domain}>"),
        ("Call-ID", alice.token("o")),
        ("CSeq", "1 OPTIONS"),
    ]
    alice.request(
        Sip(f"OPTIONS sip:{alice.domain} SIP/2.0", rows),
        lambda response: answers.append(response.status if response is not None else 0),
    )
    world.rest()
    assert answers == [200]
