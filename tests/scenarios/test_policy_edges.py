"""Ways around the rules of the call policy, and that none of them leads anywhere (R-POL, R-EMG-04)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_voicemail import VOICEMAIL, Story, story

__all__ = ["story"]

PARIS = "+33142345678"
PARTNER = "+32478123456"
CLIENT = "+32475999888"

# --- codes before a number ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dialled",
    ["*31*112", "*31#112#", "*%331*112", "#%331%23112", "*31*+32112", "*31*0032112#", "%2A%33%31%2A112"],
)
def test_a_code_does_not_lead_away_from_help(dialled: str, world: Scene) -> None:
    """R-EMG-04: whoever shows or hides his number by a code, escaped or not, reaches a centre."""
    alice, (centre, _), carrier = world.phone("alice"), world.centres(), world.carrier()
    answers(centre)
    call = alice.invite(dialled)
    assert world.run_until(lambda: call.up, 5000)
    assert centre.talk.up
    assert not carrier.talks
    call.bye()
    world.rest()


@pytest.mark.parametrize("dialled", ["*31*107", "#31#107", "%2A31%2A107", "*31*+3226499555"])
def test_a_helpline_is_not_told_a_hidden_number(dialled: str, world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    call = alice.invite(dialled)
    assert world.run_until(lambda: call.up)
    assert carrier.talk.invite is not None
    assert carrier.talk.invite.get("Privacy") == "id"
    assert "anonymous.invalid" in carrier.talk.invite.get("From")
    call.bye()
    world.rest()
    assert world.cdrs[0].amount == 0


# --- what an INVITE says of where it comes from -------------------------------------------------------------


@pytest.mark.parametrize("row", [("Diversion", f"<sip:{CLIENT}@x>"), ("Referred-By", "<sip:bob@x>")])
def test_a_diversion_is_no_way_around_the_limit_of_a_line(row: tuple[str, str], world: Scene) -> None:
    """R-POL-08: such calls were held against a count that nobody kept."""
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    world.change("alice", max_calls=1)
    one = alice.invite(PARTNER, rows=[row])
    assert world.run_until(lambda: one.up)
    two = alice.invite(PARTNER, rows=[row])
    world.run(3000)
    assert two.heard[-1] == "486"
    one.bye()
    world.run(1000)
    three = alice.invite(PARTNER, rows=[row])
    assert world.run_until(lambda: three.up)
    three.bye()
    world.rest()


SMUGGLED = "<sip:a%0D%0AP-Asserted-Identity:%20%3Csip:+3222222222@x%3E%0D%0AX:@x>;reason=no-answer"


def test_a_diversion_smuggles_no_header_field_to_a_carrier(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier)
    call = alice.invite(PARTNER, rows=[("Diversion", f"<sip:{CLIENT}@x>"), ("Diversion", SMUGGLED)])
    assert world.run_until(lambda: call.up)
    assert carrier.talk.invite is not None
    assert carrier.talk.invite.all("P-Asserted-Identity") == [
        f"<sip:{alice.number}@voice.example;user=phone>"
    ]
    assert [row.partition("@")[0] for row in carrier.talk.invite.all("Diversion")] == [
        f"<sip:{alice.number}",
        "<sip:anonymous",
    ]
    call.bye()
    world.rest()


@pytest.mark.parametrize("name", ["Diversion", "History-Info"])
def test_a_diversion_smuggles_no_header_field_to_a_phone(name: str, world: Scene) -> None:
    bob, carrier = world.phone("bob"), world.carrier()
    answers(bob)
    value = SMUGGLED if name == "Diversion" else f"{SMUGGLED};index=1, <sip:+3222@x;cause=302>;index=1.1"
    call = carrier.invite(bob.number, rows=[(name, value)])
    assert world.run_until(lambda: call.up)
    assert bob.talk.invite is not None
    assert bob.talk.invite.all("P-Asserted-Identity") == []
    assert len(bob.talk.invite.all("Diversion")) == 1
    call.bye()
    world.rest()


def test_diversions_are_summed_up(world: Scene) -> None:
    """RFC 7544: each entry counts for itself, and a carrier adds them."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    carrier = world.carrier()
    answers(carrier)
    world.forward("bob", "always", carol.number)
    world.forward("carol", "always", PARTNER)
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    assert carrier.talk.invite is not None
    assert [row.rpartition(";")[2] for row in carrier.talk.invite.all("Diversion")] == ["counter=1"] * 2
    call.bye()
    world.rest()


# --- transfers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [PARTNER, "+3222345678"])
def test_nobody_hands_the_voicemail_on(target: str, story: Story) -> None:
    """R-POL-01: not even its owner; a blind transfer was a way out of it."""
    world, voicemail = story
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    call = alice.invite(VOICEMAIL)
    assert world.run_until(lambda: call.up)
    call.refer(target)
    world.run(2000)
    assert "refer-403" in call.heard
    assert voicemail.talk.up
    assert not bob.talks
    assert not carrier.talks
    call.bye()
    world.rest()
    refused = next(cdr for cdr in world.cdrs if cdr.outcome == "refused")
    assert (refused.verdict, refused.line) == ("voicemail", alice.number)


@pytest.mark.parametrize("asks", [0, 1])
def test_nobody_joins_the_voicemail_to_another_call(asks: int, story: Story) -> None:
    """R-POL-01: on whichever of his calls the REFER comes."""
    world, _ = story
    alice, carol = world.phone("alice"), world.phone("carol")
    answers(carol)
    calls = alice.invite(VOICEMAIL), alice.invite(carol.number)
    assert world.run_until(lambda: calls[0].up and calls[1].up)
    calls[asks].refer(carol.number, replaces=calls[1 - asks])
    world.run(2000)
    assert "refer-403" in calls[asks].heard
    for call in calls:
        call.bye()
    world.rest()


def test_a_hidden_number_stays_hidden_over_two_transfers(world: Scene) -> None:
    """Who is joined to another call is its caller no more, and was shown to whoever was rung next."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    office = world.party("office")
    for one in (bob, carol, office):
        answers(one)
    call = alice.invite(bob.number, rows=[("Privacy", "id")])
    assert world.run_until(lambda: call.up)
    first = bob.talk
    consult = bob.invite(carol.number)
    assert world.run_until(lambda: consult.up)
    consult.refer(alice.number, replaces=first)
    assert world.run_until(lambda: first.over and consult.over)
    carol.talk.refer(office.number)
    assert world.run_until(lambda: bool(office.talks) and office.talk.up)
    assert office.talk.invite is not None
    assert "anonymous.invalid" in office.talk.invite.get("From")
    alice.talk.bye()
    world.rest()


@pytest.mark.parametrize("papers", [False, True])
@pytest.mark.parametrize("abroad_calls", [False, True])
def test_a_blind_transfer_joins_outsiders_under_the_same_rule(
    abroad_calls: bool, papers: bool, world: Scene
) -> None:
    """R-POL-02: what an attended transfer may not join, a blind one to the same number may not either."""
    bob, carrier = world.phone("bob"), world.carrier()
    answers(bob)
    answers(carrier)
    if papers:
        world.change("bob", agreement=True, guarantee=True)
    if abroad_calls:
        call = carrier.invite(bob.number, rows=[("P-Asserted-Identity", f"<sip:{PARIS}@x>")])
        assert world.run_until(lambda: call.up)
        asks = bob.talk
    else:
        asks = bob.invite(PARIS)
        assert world.run_until(lambda: asks.up)
        call = carrier.talk
    asks.refer(PARTNER)
    world.run(3000)
    assert asks.over is papers
    call.bye()
    world.rest()
    verdicts = [cdr.verdict for cdr in world.cdrs if cdr.origin == "transfer"]
    assert verdicts == ["allowed" if papers else "transfer-joins-international"]


@pytest.mark.parametrize("hides", ["alice", "bob", ""])
def test_who_takes_no_anonymous_calls_is_asked_about_the_caller(hides: str, world: Scene) -> None:
    """And not about the line that forwards: what counts is who would be shown."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    answers(bob)
    answers(carol)
    core = world.machine.core
    assert core is not None
    core.services.set("carol", replace(core.services.of("carol"), reject_anonymous=True))
    world.forward("bob", "always", carol.number)
    if hides == "bob":
        world.change("bob", withhold=True)
    call = alice.invite(bob.number, rows=[("Privacy", "id")] if hides == "alice" else [])
    assert world.run_until(lambda: call.up)
    assert bool(carol.talks) is (hides != "alice")
    call.bye()
    world.rest()
    verdicts = [cdr.verdict for cdr in world.cdrs if cdr.origin == "forward"]
    assert verdicts == ["anonymous-rejected" if hides == "alice" else "allowed"]
