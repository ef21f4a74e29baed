"""Transfer by REFER, blind and attended, carried out by the switch (RFC 5589, R-POL-02, R-POL-11)."""

from __future__ import annotations

import pytest

from switch.record import Cdr
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.text import media_in

PARIS = "+33142345678"
PARTNER = "+32478123456"
CLIENT = "+32475999888"


def of_origin(world: Scene, origin: str) -> list[Cdr]:
    return [cdr for cdr in world.cdrs if cdr.origin == origin]


def linked(world: Scene, one: Party, other: Party) -> bool:
    """Whether two parties send their media to the same relay session."""
    sessions = {world.machine.relay.session_of(party.talk.media_target[1]) for party in (one, other)}
    return len(sessions) == 1 and None not in sessions


@pytest.fixture
def office(world: Scene) -> tuple[Scene, Party, Party, Party]:
    """Alice talks to bob; carol is there."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.up(alice, bob)
    answers(carol)
    return world, alice, bob, carol


Office = tuple[Scene, Party, Party, Party]


def test_the_called_side_transfers_blind(office: Office) -> None:
    """Bob pays for the call to carol, and alice for hers to bob, as long as alice and carol talk."""
    world, alice, bob, carol = office
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    assert bob.talk.progress == ["100 Trying", "180 Ringing", "200 OK"]
    assert linked(world, alice, carol)
    world.run(20_000)
    carol.talk.bye()
    world.rest()
    assert alice.talk.over
    world.compare("transfer_blind_by_callee", world.ladder())
    (own,), (moved,) = of_origin(world, "line"), of_origin(world, "transfer")
    assert (moved.line, moved.called, moved.caused_by) == (bob.number, carol.number, own.call_id)
    assert (own.released_by, moved.released_by) == ("callee", "callee")
    assert own.duration_s > moved.duration_s > 19
    assert "BYE" not in alice.talk.heard[:-1]


def test_the_caller_transfers_blind(office: Office) -> None:
    """Whoever called and transferred pays for both legs that he caused until they end."""
    world, alice, bob, carol = office
    alice.talk.refer(carol.number)
    assert world.run_until(lambda: alice.talk.over)
    assert linked(world, bob, carol)
    world.run(20_000)
    bob.talk.bye()
    world.rest()
    assert carol.talk.over
    world.compare("transfer_blind_by_caller", world.ladder())
    (own,), (moved,) = of_origin(world, "line"), of_origin(world, "transfer")
    assert own.line == moved.line == alice.number
    assert own.amount > moved.amount > 0
    assert (own.released_by, moved.released_by) == ("callee", "caller")


def test_a_call_on_hold_is_transferred(office: Office) -> None:
    world, alice, bob, carol = office
    bob.talk.hold()
    world.run(2000)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    assert "a=sendrecv" in alice.talk.offers[-1]
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_the_one_who_transfers_leaves_at_once(office: Office) -> None:
    world, alice, bob, carol = office
    answers(carol, 5000)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: "refer-202" in bob.talk.heard)
    bob.talk.bye()
    assert world.run_until(lambda: carol.talks != [] and carol.talk.up)
    world.run(1000)
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_he_leaves_and_nobody_takes_it(office: Office) -> None:
    world, alice, bob, carol = office
    carol.on_call = lambda talk: talk.reject(486)
    bob.talk.refer(carol.number)
    bob.talk.bye()
    world.rest()
    assert alice.talk.over
    (moved,) = of_origin(world, "transfer")
    assert (moved.outcome, moved.amount) == ("busy", 0)


def test_the_target_is_busy(office: Office) -> None:
    """Nothing has changed for those who talk."""
    world, alice, bob, carol = office
    carol.on_call = lambda talk: talk.reject(486)
    bob.talk.refer(carol.number)
    world.run(2000)
    assert bob.talk.progress == ["100 Trying", "486 Busy Here"]
    assert alice.talk.up
    assert not alice.talk.over
    assert linked(world, alice, bob)
    alice.talk.info()
    world.run(1000)
    assert bob.talk.infos
    alice.talk.bye()
    world.rest()
    world.compare("transfer_target_busy", world.ladder())


def test_the_party_that_stays_does_not_take_the_new_session(office: Office) -> None:
    world, alice, bob, carol = office
    alice.talk.answers_modify = 488
    bob.talk.refer(carol.number)
    world.run(5000)
    assert bob.talk.progress[-1] == "488 Not Acceptable Here"
    assert carol.talk.over
    assert not bob.talk.over
    assert len(world.machine.relay.sessions) == 1
    bob.talk.bye()
    world.rest()
    (moved,) = of_origin(world, "transfer")
    assert (moved.outcome, moved.duration_s, moved.flags) == ("answered", 1, ("transfer-failed",))


def test_glare_while_the_party_is_moved(office: Office) -> None:
    """The party that stays asks for something at the same instant: 491, and once more (RFC 3261 14.1)."""
    world, alice, bob, carol = office
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: carol.talks != [] and carol.talk.up)
    alice.talk.hold()
    world.run(15_000)
    assert bob.talk.over
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_the_party_that_stays_hangs_up(office: Office) -> None:
    world, alice, bob, carol = office
    carol.on_call = lambda talk: talk.ring()
    bob.talk.refer(carol.number)
    world.run(2000)
    alice.talk.bye()
    world.rest()
    assert carol.talk.over
    assert bob.talk.over
    (moved,) = of_origin(world, "transfer")
    assert (moved.outcome, moved.amount) == ("cancelled", 0)


@pytest.mark.parametrize(
    ("target", "code"),
    [
        (PARIS, "transfer-international"),
        ("tel:+212661123456", "transfer-international"),
        ("+3270123456", "transfer-premium"),
        ("112", "transfer-emergency"),
        ("+999123456", "no-destination"),
        ("nobody", "bad-number"),
    ],
)
def test_where_nobody_may_be_transferred(target: str, code: str, office: Office) -> None:
    """R-POL-02: the REFER is refused, and the call goes on as it was."""
    world, alice, bob, _ = office
    carrier = world.carrier()
    bob.talk.refer(target)
    world.run(3000)
    status = "404" if code.startswith(("no-", "bad")) else "403"
    assert f"refer-{status}" in bob.talk.heard
    assert bob.talk.progress == []
    assert not carrier.talks
    assert not alice.talk.over
    assert linked(world, alice, bob)
    alice.talk.bye()
    world.rest()
    (refused,) = of_origin(world, "transfer")
    assert (refused.outcome, refused.verdict, refused.line) == ("refused", code, bob.number)


def test_with_both_papers_a_call_is_transferred_abroad(office: Office) -> None:
    world, alice, bob, _ = office
    carrier = world.carrier()
    answers(carrier)
    world.change("bob", agreement=True, guarantee=True)
    bob.talk.refer(PARIS)
    assert world.run_until(lambda: bob.talk.over)
    world.run(60_000)
    alice.talk.bye()
    world.rest()
    (moved,) = of_origin(world, "transfer")
    assert (moved.line, moved.zone) == (bob.number, "zone_a")
    assert moved.amount > 6600  # 0.08 and a minute at 0.58


def test_a_carrier_transfers_nothing(world: Scene) -> None:
    bob, carrier = world.phone("bob"), world.carrier()
    answers(bob)
    call = carrier.invite(bob.number)
    assert world.run_until(lambda: call.up)
    call.refer(PARTNER)
    world.run(1000)
    assert "refer-403" in call.heard
    call.bye()
    world.rest()
    assert of_origin(world, "transfer")[0].verdict == "transfer-not-yours"


def test_a_call_for_help_is_not_transferred(world: Scene) -> None:
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    call = alice.invite("112")
    assert world.run_until(lambda: call.up)
    call.refer(PARTNER)
    world.run(1000)
    assert "refer-403" in call.heard
    assert not call.over
    call.bye()
    world.rest()


def test_who_is_in_no_call_transfers_nothing(world: Scene) -> None:
    alice = world.phone("alice")
    talk = alice.invite(PARTNER, rows=[])
    world.run(100)
    talk.cancel()
    talk.up, talk.over = True, False
    talk.refer(PARIS)
    world.run(500)
    assert any(heard in ("refer-403", "refer-481") for heard in talk.heard)
    talk.over = True
    world.rest()


# --- attended -----------------------------------------------------------------------------------------------


def consulted(office: Office) -> Office:
    """Bob has put alice on hold and talks to carol."""
    world, _, bob, carol = office
    bob.talk.hold()
    world.run(1000)
    consult = bob.invite(carol.number)
    assert world.run_until(lambda: consult.up)
    world.run(5000)
    return office


def test_attended(office: Office) -> None:
    """Both calls become one: whoever called pays on for what he called, and nobody else."""
    world, alice, bob, carol = consulted(office)
    first, consult = bob.talks
    first.refer(carol.number, replaces=consult)
    assert world.run_until(lambda: first.over and consult.over)
    assert first.progress == ["100 Trying", "200 OK"]
    assert linked(world, alice, carol)
    assert world.sizes()["calls"] == 1
    world.run(10_000)
    alice.talk.info()
    world.run(100)
    assert carol.talk.infos
    alice.talk.bye()
    world.rest()
    assert carol.talk.over
    world.compare("transfer_attended", world.ladder())
    own, consulted_ = sorted(world.cdrs, key=lambda cdr: cdr.invited_ms)
    assert (own.line, consulted_.line) == (alice.number, bob.number)
    assert own.released_ms == consulted_.released_ms
    assert (own.released_by, consulted_.released_by) == ("caller", "caller")


def test_attended_by_the_caller_of_both(world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    answers(bob)
    answers(carol)
    one = alice.invite(bob.number)
    assert world.run_until(lambda: one.up)
    one.hold()
    world.run(500)
    other = alice.invite(carol.number)
    assert world.run_until(lambda: other.up)
    other.refer(bob.number, replaces=one)
    assert world.run_until(lambda: one.over and other.over)
    assert linked(world, bob, carol)
    world.run(5000)
    bob.talk.bye()
    world.rest()
    assert [cdr.line for cdr in world.cdrs] == [alice.number] * 2


def test_attended_and_the_target_declines(office: Office) -> None:
    """The party that stays has turned to the new session already: it is turned back."""
    world, alice, bob, carol = consulted(office)
    first, consult = bob.talks
    carol.talk.answers_modify = 488
    first.refer(carol.number, replaces=consult)
    world.run(5000)
    assert first.progress[-1] == "488 Not Acceptable Here"
    assert not first.over
    assert not consult.over
    port = media_in(alice.talk.offers[-1])[1]
    assert world.machine.relay.session_of(port) == world.machine.relay.session_of(
        media_in(first.offers[-1])[1]
    )
    first.bye()
    consult.bye()
    world.rest()


@pytest.mark.parametrize("papers", [False, True])
@pytest.mark.parametrize("abroad_calls", [False, True])
def test_two_outsiders_are_joined(abroad_calls: bool, papers: bool, world: Scene) -> None:
    """R-POL-02: one of them abroad takes both papers, whoever of them called."""
    bob, carrier = world.phone("bob"), world.carrier()
    answers(bob)
    answers(carrier)
    if papers:
        world.change("bob", agreement=True, guarantee=True)
    caller, called = (PARIS, PARTNER) if abroad_calls else (CLIENT, PARIS)
    incoming = carrier.invite(bob.number, rows=[("P-Asserted-Identity", f"<sip:{caller}@x>")])
    assert world.run_until(lambda: incoming.up)
    first = bob.talk
    first.hold()
    world.run(500)
    consult = bob.invite(called)
    assert world.run_until(lambda: consult.up)
    first.refer(called, replaces=consult)
    world.run(3000)
    assert first.over is consult.over is papers
    assert ("refer-202" if papers else "refer-403") in first.heard
    incoming.bye()
    consult.hang_up()
    world.rest()
    refused = [cdr.verdict for cdr in of_origin(world, "transfer")]
    assert refused == ([] if papers else ["transfer-joins-international"])


def test_an_outsider_abroad_is_handed_to_a_colleague(world: Scene) -> None:
    bob, carol, carrier = world.phone("bob"), world.phone("carol"), world.carrier()
    answers(bob)
    answers(carol)
    incoming = carrier.invite(bob.number, rows=[("P-Asserted-Identity", f"<sip:{PARIS}@x>")])
    assert world.run_until(lambda: incoming.up)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    assert linked(world, carrier, carol)
    incoming.bye()
    world.rest()


def test_nobody_joins_a_call_that_is_not_his(office: Office) -> None:
    world, alice, bob, carol = office
    other = carol.invite("office", uri=f"sip:{PARTNER}@{carol.domain}")
    carrier = world.carrier()
    answers(carrier)
    assert world.run_until(lambda: other.up or "408" in other.heard, 40_000)
    bob.talk.refer(PARTNER, replaces=other)
    world.run(2000)
    assert "refer-403" in bob.talk.heard or "refer-481" in bob.talk.heard
    assert not other.over
    other.bye()
    alice.talk.bye()
    world.rest()


def test_replaces_that_names_nothing(office: Office) -> None:
    world, alice, bob, carol = office
    bob.talk.refer(f"sip:{carol.number}@x?Replaces=nothing%3Bto-tag%3Da%3Bfrom-tag%3Db")
    world.run(1000)
    assert "refer-481" in bob.talk.heard
    bob.talk.refer(f"sip:{carol.number}@x?Replaces=nothing")
    world.run(1000)
    assert "refer-400" in bob.talk.heard
    alice.talk.bye()
    world.rest()


# --- limits and restarts ------------------------------------------------------------------------------------


def test_two_hours_count_from_the_first_answer(office: Office) -> None:
    """R-LIM-01: neither hold nor transfer begins them anew."""
    world, alice, bob, carol = office
    world.run(3_600_000)
    carol.register()
    world.run(100)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    world.run(3_600_000)
    world.rest()
    assert alice.talk.over
    assert carol.talk.over
    (own,), (moved,) = of_origin(world, "line"), of_origin(world, "transfer")
    assert own.duration_s == 7200
    assert "limit" in own.flags
    assert "limit" in moved.flags
    assert moved.duration_s < 3600


def test_a_restart_after_a_transfer_ends_both_sides(office: Office) -> None:
    world, alice, bob, carol = office
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    world.run(5000)
    world.machine.kill()
    world.machine.start()
    world.rest()
    assert alice.talk.over
    assert carol.talk.over
    assert len(world.cdrs) == 2


def test_a_second_transfer_waits_for_the_first(office: Office) -> None:
    world, alice, bob, carol = office
    carol.on_call = lambda talk: talk.ring()
    bob.talk.refer(carol.number)
    world.run(500)
    bob.talk.refer(PARTNER)
    world.run(500)
    assert "refer-491" in bob.talk.heard
    alice.talk.bye()
    world.rest()


def test_a_transfer_of_a_transfer(office: Office) -> None:
    """Everybody who sent the call on pays for what he caused."""
    world, alice, bob, carol = office
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    answers(bob)
    carol.talk.refer(bob.number)
    assert world.run_until(lambda: carol.talk.over)
    assert linked(world, alice, bob)
    bob.talk.bye()
    world.rest()
    moved = of_origin(world, "transfer")
    assert {cdr.line for cdr in moved} == {bob.number, carol.number}
    assert max(len(cdr.diversions) for cdr in moved) == 2


def test_the_target_forwards_its_calls(office: Office) -> None:
    world, alice, bob, carol = office
    carrier = world.carrier()
    answers(carrier)
    world.forward("carol", "always", PARTNER)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    assert linked(world, alice, carrier)
    alice.talk.bye()
    world.rest()
    (forwarded,) = of_origin(world, "forward")
    assert (forwarded.line, forwarded.called) == (carol.number, PARTNER)


def test_without_subscription(office: Office) -> None:
    """RFC 4488: whoever wants to hear nothing of it is told nothing, and released."""
    world, alice, bob, carol = office
    bob.talk.refer(carol.number, rows=[("Refer-Sub", "false")])
    assert world.run_until(lambda: bob.talk.over)
    assert bob.talk.progress == []
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()
