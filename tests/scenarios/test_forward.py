"""Forwarding and redirection: legs that the called line causes and pays for (R-POL-02, R-POL-11)."""

from __future__ import annotations

import pytest

from switch.record import Cdr
from tests.scenarios.scene import STRANGER, Scene, answers
from tests.scenarios.test_help import psap_world
from tests.sim.talk import Talk

PARIS = "+33142345678"
PARTNER = "+32478123456"


def call_up(world: Scene, call: Talk) -> bool:
    """Whether a call is answered in time."""
    return world.run_until(lambda: call.up)


def by_origin(world: Scene) -> dict[str, Cdr]:
    return {cdr.origin: cdr for cdr in world.cdrs}


def test_every_call_is_forwarded_over_a_carrier(world: Scene) -> None:
    """The caller pays for his call, the line that forwards for its own; both run as long as they talk."""
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    answers(carrier)
    world.forward("bob", "always", PARTNER)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    world.run(29_900)
    call.bye()
    world.rest()
    world.compare("forward_always", world.ladder())
    world.compare("forward_always_in_full", world.full("carrier", "INVITE"))
    records = by_origin(world)
    own, forwarded = records["line"], records["forward"]
    assert not bob.talks
    assert (own.line, own.called, own.outcome) == (alice.number, bob.number, "answered")
    assert (forwarded.line, forwarded.called, forwarded.caller) == (bob.number, PARTNER, bob.number)
    assert (forwarded.caused_by, forwarded.diversions) == (own.call_id, (bob.number,))
    assert own.duration_s == forwarded.duration_s == 30
    assert own.amount == 850  # alice: 0.17 at peak
    assert forwarded.amount == 0  # bob has 24 Belgium


@pytest.mark.parametrize(
    ("condition", "status"), [("busy", 486), ("busy", 600), ("busy", 603), ("unreachable", 480)]
)
def test_a_phone_that_does_not_take_it(condition: str, status: int, world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    bob.on_call = lambda talk: talk.reject(status)
    answers(carol)
    world.forward("bob", condition, carol.number)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    assert "181" in call.heard
    call.bye()
    world.rest()
    assert by_origin(world)["forward"].called == carol.number


def test_nobody_answers_for_a_while(world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    bob.on_call = lambda talk: talk.ring()
    answers(carol)
    world.forward("bob", "no-answer", carol.number, 15)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    world.run(5000)
    call.bye()
    world.rest()
    world.compare("forward_no_answer", world.ladder())
    forwarded = by_origin(world)["forward"]
    assert forwarded.answered_ms is not None
    assert forwarded.answered_ms - world.cdrs[0].invited_ms == pytest.approx(16_000, abs=200)
    assert carol.talk.invite is not None
    assert alice.number in carol.talk.invite.get("From")  # a phone of ours is shown who really calls


def test_no_phone_is_registered(world: Scene) -> None:
    alice, carol = world.phone("alice"), world.phone("carol")
    answers(carol)
    world.forward("bob", "unreachable", carol.number)
    call = alice.invite("022345678")
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()
    assert by_origin(world)["forward"].outcome == "answered"


def test_all_calls_of_the_line_are_taken(world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.change("bob", max_calls=1)
    world.forward("bob", "busy", carol.number)
    world.up(alice, bob)
    answers(carol)
    second = alice.invite(bob.number)
    assert world.run_until(lambda: second.up)
    second.bye()
    alice.talks[0].bye()
    world.rest()
    assert by_origin(world)["forward"].called == carol.number


def test_a_forwarding_abroad_needs_both_papers(world: Scene) -> None:
    """R-POL-02: refused and recorded, and the phones ring as if nothing had been set."""
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    answers(bob)
    answers(carrier)
    world.forward("bob", "always", PARIS)
    for papers in ({}, {"agreement": True}, {"agreement": False, "guarantee": True}):
        world.change("bob", **papers)
        call = alice.invite(bob.number)
        assert call_up(world, call)
        call.bye()
        world.run(1000)
    assert not carrier.talks
    world.change("bob", agreement=True, guarantee=True)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()
    assert len(carrier.talks) == 1
    forwards = [cdr for cdr in world.cdrs if cdr.origin == "forward"]
    assert [cdr.verdict for cdr in forwards] == ["forward-international"] * 3 + ["allowed"]
    assert forwards[-1].amount == 897  # 0.08 and the first second
    assert [cdr.line for cdr in forwards] == [bob.number] * 4


@pytest.mark.parametrize(
    ("target", "verdict"),
    [("+3270123456", "premium"), ("112", "emergency"), ("101", "emergency"), (PARIS, "international")],
)
def test_a_phone_redirects_where_it_may_not(target: str, verdict: str, world: Scene) -> None:
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    bob.on_call = lambda talk: talk.reject(302, [("Contact", f"<sip:{target}@{bob.domain}>")])
    call = alice.invite(bob.number)
    world.rest()
    assert call.heard[-1] == "480"
    assert not carrier.talks
    refused = by_origin(world)["redirect"]
    assert (refused.outcome, refused.verdict) == ("refused", f"redirect-{verdict}")
    assert world.machine.core is not None
    assert world.machine.core.sums.refusals[f"redirect-{verdict}"] == 1


def test_a_phone_redirects(world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    bob.on_call = lambda talk: talk.reject(302, [("Contact", f"<tel:{carol.number}>")])
    answers(carol)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()
    world.compare("redirect", world.ladder())
    assert by_origin(world)["redirect"].called == carol.number


def test_a_carrier_may_not_redirect(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    carrier.on_call = lambda talk: talk.reject(302, [("Contact", f"<sip:{PARIS}@x>")])
    call = alice.invite(PARTNER)
    world.rest()
    assert call.heard[-1] == "480"
    assert len(world.cdrs) == 1


def test_lines_that_forward_to_each_other(world: Scene) -> None:
    """A loop is found, and the last line in it rings."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    answers(carol)
    world.forward("bob", "always", carol.number)
    world.forward("carol", "always", bob.number)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()
    verdicts = [(cdr.line, cdr.verdict) for cdr in world.cdrs if cdr.origin == "forward"]
    assert sorted(verdicts) == sorted([(bob.number, "allowed"), (carol.number, "diversion-loop")])


def test_the_sixth_diversion_is_refused(world: Scene) -> None:
    """R-POL-11; those that a carrier tells of count too."""
    bob, carol, carrier = world.phone("bob"), world.phone("carol"), world.carrier()
    answers(bob)
    answers(carol)
    world.forward("bob", "always", carol.number)
    for count, reached in ((4, carol), (5, bob)):
        rows = [("Diversion", f"<sip:+3247800000{index}@x>;reason=no-answer") for index in range(count)]
        call = carrier.invite(bob.number, rows=rows)
        assert call_up(world, call)
        assert reached.talk.up
        call.bye()
        world.run(1000)
    world.rest()
    assert [cdr.verdict for cdr in world.cdrs if cdr.origin == "forward"] == [
        "allowed",
        "too-many-diversions",
    ]


def test_a_phone_that_sends_a_call_on_itself(world: Scene) -> None:
    """An INVITE with Diversion, History-Info or Referred-By from a line is a forward of that line."""
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    history = f"<sip:{alice.number}@x>;index=1, <sip:{PARIS}@x;cause=302>;index=1.1"
    for row in (
        ("Diversion", f"<sip:{STRANGER}@x>;reason=deflection"),
        ("History-Info", history),
        ("Referred-By", "<sip:bob@x>"),
    ):
        call = alice.invite(PARIS, rows=[row])
        world.run(1000)
        assert call.heard[-1] == "403"
    world.rest()
    assert not carrier.talks
    verdicts = [cdr.verdict for cdr in world.cdrs]
    assert verdicts == ["forward-international", "forward-international", "transfer-international"]


def test_help_is_not_kept_by_a_diversion(world: Scene) -> None:
    """R-EMG-04: whatever else an INVITE says."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    call = alice.invite("112", rows=[("Diversion", f"<sip:{STRANGER}@x>")])
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()


def test_a_centre_that_calls_back_is_not_forwarded() -> None:
    """R-EMG-09: it rings the phones of the line that called for help."""
    world = psap_world()
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(alice)
    world.forward("alice", "always", PARTNER)
    world.change("alice", state="suspended")
    back = centre.invite(alice.number, rows=[("Priority", "psap-callback")])
    assert world.run_until(lambda: back.up)
    assert alice.talk.up
    back.bye()
    world.rest()


def test_what_is_forwarded_is_cut_when_the_line_cannot_pay_any_more() -> None:
    """The cap of the line that forwards ends the call; the caller's own record goes as far."""
    world = Scene(caps={"bob": "0.50"})
    carrier = world.carrier()
    answers(carrier)
    world.change("bob", agreement=True, guarantee=True)
    world.forward("bob", "always", PARIS)
    call = carrier.invite("+3222345678")
    assert world.run_until(lambda: call.up)
    world.run(120_000)
    assert call.over
    world.rest()
    records = by_origin(world)
    assert "cap" in records["forward"].flags
    assert records["forward"].amount <= 4132
    assert records["trunk"].duration_s == records["forward"].duration_s


def test_a_forwarding_survives_a_restart(world: Scene) -> None:
    alice, carol = world.phone("alice"), world.phone("carol")
    answers(carol)
    world.forward("bob", "always", carol.number)
    world.run(1000)
    world.machine.kill()
    world.machine.start()
    call = alice.invite("+3222345678")
    assert world.run_until(lambda: call.up)
    call.bye()
    world.rest()


def test_a_restart_ends_a_forwarded_call_with_both_records(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    world.forward("bob", "always", PARTNER)
    call = alice.invite("+3222345678")
    assert world.run_until(lambda: call.up)
    world.run(10_000)
    world.machine.kill()
    world.machine.start()
    world.rest()
    assert call.over
    assert carrier.talk.over
    records = by_origin(world)
    assert records["line"].duration_s == records["forward"].duration_s == 11
    assert records["forward"].flags == records["line"].flags == ("restart",)


def test_whoever_forwards_cannot_pay_any_more_when_it_is_answered() -> None:
    """Found by seed 700464: the caller's part had begun by then, and he was charged for nothing."""
    world = Scene(caps={"bob": "0.12", "alice": "none"})
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    world.change("bob", agreement=True, guarantee=True)
    world.forward("bob", "busy", PARIS)
    bob.on_call = lambda talk: talk.reject(486)
    carrier.on_call = lambda talk: talk.ring()
    call = alice.invite(bob.number)
    assert world.run_until(lambda: bool(carrier.talks) and carrier.talk.ringing)
    world.change("bob", state="limited")
    carrier.talk.answer()
    world.run(1000)
    assert call.heard[-1] == "403"
    assert carrier.talk.over
    world.rest()
    assert [(cdr.outcome, cdr.amount, cdr.answered_ms) for cdr in world.cdrs] == [("refused", 0, None)] * 2


def test_a_phone_redirects_to_a_line_that_cannot_be_reached(world: Scene) -> None:
    """Found by seed 710251: the call ended twice."""
    alice, bob, bob2 = world.phone("alice"), world.phone("bob"), world.phone("bob2", line="bob")
    bob.on_call = lambda talk: talk.reject(302, [("Contact", "<sip:+3281234567@x>")])
    bob2.on_call = lambda talk: talk.ring()
    world.forward("carol", "unreachable", PARIS)
    call = alice.invite(bob.number)
    world.rest()
    assert call.heard[-1] == "480"
    assert bob2.talk.over
    assert sorted((cdr.origin, cdr.outcome) for cdr in world.cdrs) == [
        ("forward", "refused"),
        ("line", "no-answer"),
        ("redirect", "no-answer"),
    ]
