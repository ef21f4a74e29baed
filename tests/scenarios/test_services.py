"""What a subscriber does with his phone: feature codes, anonymous callers, a malicious call, prompts."""

from __future__ import annotations

import pytest

from switch.config.prompts import NAMES, Prompt, Prompts
from switch.ports import CallerWithheld, CallMarked
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.talk import Talk

PARTNER = "+32478123456"
PARIS = "+33142345678"
SPOKEN = Prompts(
    {
        (language, name): Prompt(f"/prompts/{language}/{name}.wav", 1500)
        for language in "nl fr"
        for name in NAMES
    }
    | {("nl", name): Prompt(f"/prompts/nl/{name}.wav", 1500) for name in NAMES}
    | {("fr", name): Prompt(f"/prompts/fr/{name}.wav", 2500) for name in NAMES}
    | {("tones", "ringback"): Prompt("/prompts/tones/ringback.wav", 4000)}
)


@pytest.fixture
def speaking() -> Scene:
    """A world whose switch has prompts and says why it refuses a call."""
    return Scene(prompts=SPOKEN, announce=True)


def dial(world: Scene, phone: Party, digits: str) -> Talk:
    """Dial and wait for the end."""
    talk = phone.invite(digits.replace("#", "%23"))
    assert world.run_until(lambda: talk.over, 20_000)
    world.run(100)
    return talk


def said(world: Scene) -> list[str]:
    return [one.path.removeprefix("/prompts/") for one in world.machine.relay.announcements]


# --- forwarding by the phone --------------------------------------------------------------------------------


def test_a_forwarding_is_set_used_and_taken_back(speaking: Scene) -> None:
    world = speaking
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    answers(carrier)
    answers(bob)
    dial(world, bob, f"*21*0{PARTNER[3:]}#")
    world.compare("feature_forward", world.ladder())
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    assert carrier.talk.up
    call.bye()
    dial(world, bob, "#21#")
    call = alice.invite(bob.number)
    assert world.run_until(lambda: call.up)
    assert bob.talk.up
    call.bye()
    world.rest()
    assert said(world) == ["nl/forward-set.wav", "nl/forward-removed.wav"]
    services = [cdr for cdr in world.cdrs if cdr.outcome == "service"]
    assert [(cdr.line, cdr.verdict, cdr.amount) for cdr in services] == [
        (bob.number, "feature-forward", 0),
        (bob.number, "feature-forward-nothing", 0),
    ]


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        ("0033142345678", "forward-international"),
        ("070123456", "forward-premium"),
        ("090012345", "forward-premium"),
        ("112", "forward-emergency"),
        ("022345678", "diversion-loop"),
        ("017123456", "no-destination"),
    ],
)
def test_what_is_refused_when_it_is_set(target: str, verdict: str, speaking: Scene) -> None:
    """R-POL-02: when set and when used."""
    world = speaking
    bob = world.phone("bob")
    talk = dial(world, bob, f"*21*{target}#")
    world.rest()
    assert talk.heard[-1] in ("403", "404", "482")
    assert "183" in talk.heard
    assert world.cdrs[0].verdict == verdict
    assert world.machine.core is not None
    assert world.machine.core.services.everything() == []


def test_with_both_papers_it_may_be_set_abroad(speaking: Scene) -> None:
    world = speaking
    bob = world.phone("bob")
    world.change("bob", agreement=True, guarantee=True)
    dial(world, bob, "*61*0033142345678*15#")
    assert world.machine.core is not None
    services = world.machine.core.services.of("bob")
    assert (services.no_answer, services.ring_s) == (PARIS, 15)
    dial(world, bob, "##002#")
    assert world.machine.core.services.of("bob").no_answer == ""


@pytest.mark.parametrize("state", ["restricted", "suspended"])
def test_a_line_that_is_closed_sets_nothing(state: str, speaking: Scene) -> None:
    world = speaking
    bob = world.phone("bob")
    world.change("bob", state=state)
    assert dial(world, bob, "*21*0478123456#").heard[-1] == "403"


def test_a_code_that_is_none(world: Scene) -> None:
    bob = world.phone("bob")
    assert dial(world, bob, "*99*7#").heard[-1] == "404"
    world.rest()
    assert world.cdrs[0].verdict == "feature-unknown"


def test_without_prompts_it_is_done_in_silence(world: Scene) -> None:
    bob = world.phone("bob")
    dial(world, bob, "*21*0478123456#")
    assert world.machine.core is not None
    assert world.machine.core.services.of("bob").always == PARTNER
    world.rest()
    assert world.cdrs[0].outcome == "service"


# --- prompts ------------------------------------------------------------------------------------------------


def test_a_refusal_is_spoken_in_the_language_of_the_line(speaking: Scene) -> None:
    world = speaking
    alice = world.phone("alice")
    address = next(line.address for line in world.machine.lines if line.user == "alice")
    world.change("alice", address={**(address or {}), "language": "fr"})
    talk = dial(world, alice, "070123456")
    world.rest()
    assert [*talk.heard][-2:] == ["183", "403"]
    assert said(world) == ["fr/premium-barred.wav"]
    world.compare("refusal_spoken", world.ladder())


def test_a_caller_who_does_not_want_to_hear_it(speaking: Scene) -> None:
    world = speaking
    alice = world.phone("alice")
    talk = alice.invite("070123456")
    assert world.run_until(lambda: "183" in talk.heard)
    talk.cancel()
    world.rest()
    assert talk.heard[-1] == "487"
    assert len(world.cdrs) == 1


def test_a_carrier_is_told_by_the_status_alone(speaking: Scene) -> None:
    world = speaking
    carrier = world.carrier()
    call = carrier.invite("+3299999999")
    world.rest()
    assert call.heard == ["404"]


def test_not_everybody_can_be_spoken_to_at_once(speaking: Scene) -> None:
    """Nobody takes the media ports by being refused."""
    world = speaking
    alice = world.phone("alice")
    calls = [alice.invite("070123456") for _ in range(50)]
    world.run(1000)
    assert sum("183" in call.heard for call in calls) == 32
    world.rest()
    assert all(call.heard[-1] == "403" for call in calls)


def test_whoever_waits_for_a_transfer_hears_it_ring(speaking: Scene) -> None:
    world = speaking
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.up(alice, bob)
    carol.on_call = lambda talk: talk.ring()
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: "refer-202" in bob.talk.heard)
    bob.talk.bye()
    world.run(2000)
    assert said(world)[-1] == "tones/ringback.wav"
    alice.talk.bye()
    world.rest()


# --- who calls ----------------------------------------------------------------------------------------------


def test_anonymous_calls_are_refused_and_taken_again(world: Scene) -> None:
    bob, carrier, alice = world.phone("bob"), world.carrier(), world.phone("alice")
    answers(bob)
    dial(world, bob, "*77#")
    hidden = [("From", '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=x')]
    refused = carrier.invite(bob.number, rows=[("Privacy", "id")])
    world.run(500)
    assert refused.heard[-1] == "433"
    inside = dial_hidden(world, alice, bob)
    assert inside.heard[-1] == "433"
    shown = carrier.invite(bob.number)
    assert world.run_until(lambda: shown.up)
    shown.bye()
    dial(world, bob, "#77#")
    taken = carrier.invite(bob.number, rows=[("Privacy", "id")])
    assert world.run_until(lambda: taken.up)
    taken.bye()
    world.rest()
    assert hidden
    assert [cdr.verdict for cdr in world.cdrs].count("anonymous-rejected") == 2


def dial_hidden(world: Scene, caller: Party, called: Party) -> Talk:
    """A call within the switch that shows no number."""
    talk = caller.invite(f"*31*0{called.number[3:]}")
    world.run(1000)
    return talk


@pytest.mark.parametrize("line", [{"withhold": True}, {}])
@pytest.mark.parametrize("prefix", ["", "*31*", "*31%23"])
def test_a_number_is_withheld_for_a_line_or_for_a_call(
    prefix: str, line: dict[str, bool], world: Scene
) -> None:
    """R-POL-07: towards parties; the carrier is told it in confidence (RFC 3325)."""
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    world.change("alice", **line)
    hides = prefix == "*31*" or (not prefix and bool(line))
    inside, outside = alice.invite(f"{prefix}022345678"), alice.invite(f"{prefix}0{PARTNER[3:]}")
    world.run(500)
    for party in (bob, carrier):
        assert party.talk.invite is not None
        assert ("anonymous.invalid" in party.talk.invite.get("From")) is hides
    assert carrier.talk.invite is not None
    assert alice.number in carrier.talk.invite.get("P-Asserted-Identity")
    assert (carrier.talk.invite.get("Privacy") == "id") is hides
    inside.cancel()
    outside.cancel()
    world.rest()


def test_a_malicious_call_is_marked_with_the_true_number(world: Scene) -> None:
    """R-MAL-01: the record shows nobody, the restricted one does."""
    bob, carrier = world.phone("bob"), world.carrier()
    answers(bob)
    rows = [("P-Asserted-Identity", f"<sip:{PARTNER}@x>"), ("Privacy", "id")]
    call = carrier.invite(bob.number, rows=rows)
    assert world.run_until(lambda: call.up)
    call.bye()
    world.run(1000)
    dial(world, bob, "*39#")
    world.rest()
    journal = world.machine.journal.disk
    (marked,) = [entry for entry in journal if isinstance(entry, CallMarked)]
    (withheld,) = [entry for entry in journal if isinstance(entry, CallerWithheld)]
    cdr = next(one for one in world.cdrs if one.origin == "trunk")
    assert (marked.number, marked.withheld, marked.line, marked.trunk) == (
        PARTNER,
        True,
        bob.number,
        "carrier",
    )
    assert marked.call_id == withheld.call_id == cdr.call_id
    assert (withheld.number, cdr.caller) == (PARTNER, "")


def test_without_a_call_there_is_nothing_to_mark(world: Scene) -> None:
    bob = world.phone("bob")
    assert dial(world, bob, "*39#").heard[-1] == "403"
    world.rest()
    assert world.cdrs[0].verdict == "feature-impossible"
