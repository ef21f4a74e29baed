"""Transfers in which somebody does something else at the wrong moment: nobody is left alone, deaf or unbilled
(RFC 5589, RFC 3261 section 14, RFC 3264 section 8)."""

from __future__ import annotations

import pytest

from switch.ports import EndCall, JournalState
from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_transfer import Office, consulted, linked, of_origin, office
from tests.sim.parties import Party
from tests.sim.talk import Talk
from tests.sim.text import read
from tests.sim.world import SWITCH

__all__ = ["office"]


def hears(world: Scene, talk: Talk) -> int:
    """The relay session that a party sends its media to; 0 when nobody is there."""
    return world.machine.relay.session_of(talk.media_target[1])


def nobody_alone(world: Scene) -> bool:
    """Whether every call has two sides, but for one in the middle of a transfer."""
    core = world.machine.core
    assert core is not None
    return all(call.transfer is not None or None not in (call.a, call.b) for call in core.calls)


def versions_tell(world: Scene) -> bool:
    """Whether a party is never told two things under one version of its session (RFC 3264 section 8)."""
    told: dict[tuple[str, str, str], str] = {}
    for hop in world.network.hops:
        if hop.source == SWITCH and hop.data.strip() and (sdp := read(hop.data).sdp):
            origin = next(line for line in sdp.split("\r\n") if line.startswith("o=")).split(" ")
            key = read(hop.data).call_id, origin[1], origin[2]
            if told.setdefault(key, sdp) != sdp:
                return False
    return True


def begun(office: Office, *, attended: bool = False, slow_ms: int = 0) -> tuple[Talk, Talk | None]:
    """Bob has asked for a transfer of alice, who takes `slow_ms` to turn to the new session."""
    world, alice, bob, carol = consulted(office) if attended else office
    alice.talk.modify_ms = slow_ms
    first, consult = bob.talks[0], bob.talks[1] if attended else None
    first.refer(carol.number, replaces=consult)
    assert world.run_until(lambda: "refer-202" in first.heard)
    return first, consult


# --- nobody is left alone -----------------------------------------------------------------------------------


def test_the_other_call_is_ended_when_bob_has_left(office: Office) -> None:
    """Alice was kept in a call with nobody, and paid for it."""
    world, alice, _, carol = office
    first, consult = begun(office, attended=True, slow_ms=3000)
    assert consult is not None
    first.bye()
    world.run(500)
    core = world.machine.core
    assert core is not None
    world.machine.feed(EndCall(next(call.id for call in core.calls if None not in (call.a, call.b))))
    world.run(8000)
    assert nobody_alone(world)
    assert alice.talk.over
    assert consult.over
    assert carol.talk.over
    world.rest()


def test_the_other_call_is_ended_and_bob_is_told(office: Office) -> None:
    """And alice is his again, in the session that they had."""
    world, alice, _, carol = office
    first, _ = begun(office, attended=True, slow_ms=3000)
    world.run(500)
    core = world.machine.core
    assert core is not None
    world.machine.feed(EndCall(list(core.calls)[1].id))
    world.run(8000)
    assert carol.talk.over
    assert first.progress[-1] == "480 Temporarily Unavailable"
    assert hears(world, alice.talk) == hears(world, first) != 0
    first.bye()
    world.rest()


@pytest.mark.parametrize("both", [False, True])
def test_bob_has_left_and_alice_declines(both: bool, office: Office) -> None:
    """Carol was kept in a call with nobody."""
    world, alice, _, carol = office
    alice.talk.answers_modify = 488
    first, consult = begun(office, attended=True, slow_ms=1000)
    assert consult is not None
    if both:
        first.bye()
    consult.bye()
    world.run(5000)
    assert nobody_alone(world)
    assert carol.talk.over
    assert alice.talk.over is both
    first.hang_up()
    world.rest()


def test_bob_has_left_carol_and_alice_hangs_up(office: Office) -> None:
    world, alice, _, carol = office
    _, consult = begun(office, attended=True, slow_ms=3000)
    assert consult is not None
    consult.bye()
    world.run(1000)
    alice.talk.bye()
    world.run(3000)
    assert nobody_alone(world)
    assert carol.talk.over
    world.rest()


def test_alice_never_answers_the_reinvite(office: Office) -> None:
    """A 100 and nothing else: carol was kept waiting, and bob paid, for as long as she liked."""
    world, alice, bob, carol = office
    alice.talk.answers_modify = 0
    begun(office)
    world.run(60_000)
    assert carol.talk.over
    assert bob.talk.progress[-1] == "408 Request Timeout"
    assert not bob.talk.over
    bob.talk.bye()
    world.rest()
    (moved,) = of_origin(world, "transfer")
    assert moved.duration_s == 32


# --- nobody is left deaf ------------------------------------------------------------------------------------


@pytest.mark.parametrize("slow_ms", [440, 470, 476, 480, 484, 488, 500, 1500])
def test_carol_hangs_up_while_alice_is_asked(slow_ms: int, office: Office) -> None:
    """Her 200 may cross our CANCEL: she has turned to a session that is gone, and is turned back."""
    world, alice, bob, carol = office
    alice.talk.modify_ms = slow_ms
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: carol.talks != [] and carol.talk.up)
    world.run(470)
    carol.talk.bye()
    world.run(6000)
    assert nobody_alone(world)
    if not bob.talk.over:
        assert linked(world, alice, bob)
        bob.talk.hold()
        world.run(1000)
        assert linked(world, alice, bob)
    assert versions_tell(world)
    alice.talk.bye()
    world.rest()


@pytest.mark.parametrize("slow_ms", [1950, 1970, 1974, 1978, 1982, 1986, 1990, 2000, 2500])
def test_alice_hangs_up_while_carol_is_asked(slow_ms: int, office: Office) -> None:
    """Bob has carol again, and she him."""
    world, alice, bob, carol = consulted(office)
    first, consult = bob.talks
    carol.talk.modify_ms = slow_ms
    first.refer(carol.number, replaces=consult)
    world.run(2000)
    alice.talk.bye()
    world.run(6000)
    assert nobody_alone(world)
    if not consult.over:
        assert hears(world, consult) == hears(world, carol.talk) != 0
    assert versions_tell(world)
    carol.talk.bye()
    world.rest()


def test_alice_changes_her_session_after_she_was_moved(office: Office) -> None:
    """She was answered in the session that was about to be closed."""
    world, alice, bob, carol = consulted(office)
    first, consult = bob.talks
    carol.talk.modify_ms = 2000
    first.refer(carol.number, replaces=consult)
    world.run(1000)
    alice.talk.modify()
    world.run(10_000)
    assert first.over
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_bob_puts_alice_on_hold_and_transfers_her_before_she_has_answered(office: Office) -> None:
    """Her answer to his re-INVITE was taken for one to the new session, which she never heard of."""
    world, alice, bob, carol = office
    answers(carol, 0, ring=0)
    alice.talk.modify_ms = 1500
    bob.talk.hold()
    world.run(100)
    bob.talk.refer(carol.number)
    assert world.run_until(lambda: bob.talk.over)
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_the_relay_dies_while_two_calls_are_joined(office: Office) -> None:
    """Found by seed 900094: the new session was opened twice, once for each of the calls."""
    world, alice, _, carol = office
    begun(office, attended=True, slow_ms=3000)
    world.run(1000)
    world.machine.kill_relay()
    world.run(8000)
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


# --- what the one who stays asks for meanwhile --------------------------------------------------------------


def test_alice_presses_hold_while_carol_rings_and_bob_has_left(office: Office) -> None:
    """Nobody answered her, so the transfer failed and she was cut off."""
    world, alice, bob, carol = office
    answers(carol, 8000)
    begun(office)
    bob.talk.bye()
    world.run(500)
    alice.talk.hold()
    assert world.run_until(lambda: carol.talks != [] and carol.talk.up)
    world.run(5000)
    assert "re-491" in alice.talk.heard
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_bob_leaves_and_owes_alice_an_answer(office: Office) -> None:
    """To a re-INVITE and a key press that he has not answered yet."""
    world, alice, bob, carol = office
    answers(carol, 3000)
    bob.talk.modify_ms, bob.talk.answers_info = 1500, 0
    alice.talk.hold()
    alice.talk.info()
    world.run(100)
    begun(office)
    bob.talk.bye()
    world.run(2000)
    assert {"re-491", "info-480"} <= set(alice.talk.heard)
    world.run(10_000)
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_keys_pressed_with_nobody_there_end_no_dialog(office: Office) -> None:
    """481 would (RFC 5057 section 5.1)."""
    world, alice, bob, carol = office
    begun(office, slow_ms=1500)
    bob.talk.bye()
    world.run(200)
    alice.talk.info()
    assert world.run_until(lambda: carol.talks != [] and carol.talk.up)
    world.run(100)
    carol.talk.info()
    world.run(500)
    assert "info-480" in alice.talk.heard
    assert "info-491" in carol.talk.heard
    world.run(8000)
    assert linked(world, alice, carol)
    alice.talk.bye()
    world.rest()


def test_a_transfer_before_the_answer_to_our_offer(world: Scene) -> None:
    """Alice made no offer and has yet to answer ours: there is nothing that carol could be offered."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    answers(carol, 200)
    answers(bob)
    call = alice.invite(bob.number, offer=False)
    call.acks = False
    assert world.run_until(lambda: call.up)
    bob.talk.refer(carol.number)
    world.run(2000)
    assert "refer-491" in bob.talk.heard
    assert not carol.talks
    call.hang_up()
    world.rest()


# --- what is told -------------------------------------------------------------------------------------------


def test_versions_while_the_old_session_goes_on(office: Office) -> None:
    """Bob holds and resumes while carol rings: the new offer comes after what alice was told last."""
    world, alice, bob, carol = office
    answers(carol, 5000)
    begun(office)
    bob.talk.hold()
    world.run(1000)
    bob.talk.resume()
    assert world.run_until(lambda: bob.talk.over)
    assert versions_tell(world)
    alice.talk.bye()
    world.rest()


def test_versions_after_an_offer_in_vain(office: Office) -> None:
    world, alice, bob, _ = office
    alice.talk.answers_modify = 488
    begun(office)
    world.run(5000)
    alice.talk.answers_modify = 200
    bob.talk.hold()
    world.run(1000)
    assert versions_tell(world)
    bob.talk.bye()
    world.rest()


def test_without_subscription_the_202_says_so(office: Office) -> None:
    """RFC 4488 section 4."""
    world, alice, bob, carol = office
    bob.talk.refer(carol.number, rows=[("Refer-Sub", "false")])
    assert world.run_until(lambda: bob.talk.over)
    (hop,) = world.sent_to("bob", "SIP/2.0 202")
    assert read(hop.data).get("Refer-Sub") == "false"
    alice.talk.bye()
    world.rest()


@pytest.mark.parametrize("hangs_up", ["alice", "carol"])
def test_who_released_a_call_that_bob_was_called_in(hangs_up: str, office: Office) -> None:
    """Carol called bob: whoever talks to her in his place is the called side of her record."""
    world, _, bob, carol = office
    bob.talk.hold()
    world.run(500)
    answers(bob)
    call = carol.invite(bob.number)
    assert world.run_until(lambda: call.up)
    first, consult = bob.talks
    first.refer(carol.number, replaces=consult)
    assert world.run_until(lambda: first.over and consult.over)
    world.parties[hangs_up].talk.bye()
    world.rest()
    by = {cdr.line: cdr.released_by for cdr in world.cdrs}
    assert by[carol.number] == ("callee" if hangs_up == "alice" else "caller")


def test_what_is_refused_is_not_recorded_while_records_cannot_be_kept(office: Office) -> None:
    """As for calls; each REFER was one more entry in a queue that nobody emptied."""
    world, alice, bob, _ = office
    world.machine.feed(JournalState(True))
    before = len(world.machine.journal.taken)
    for _ in range(5):
        bob.talk.refer("+33142345678")
        world.run(100)
    assert "refer-403" in bob.talk.heard
    assert len(world.machine.journal.taken) == before
    world.machine.feed(JournalState(False))
    bob.talk.refer("+33142345678")
    alice.talk.bye()
    world.rest()
    assert len(of_origin(world, "transfer")) == 1


# --- the power goes -----------------------------------------------------------------------------------------


def everybody(*parties: Party) -> list[Talk]:
    return [talk for party in parties for talk in party.talks]


@pytest.mark.parametrize(
    "at_ms", [0, 10, 15, 25, 35, 320, 330, 340, 345, 350, 355, 360, 370, 1040, 1060, 2000]
)
@pytest.mark.parametrize("attended", [False, True])
def test_the_power_goes(attended: bool, at_ms: int, office: Office) -> None:
    """Whoever is up is hung up on, those who have yet to hear that they may leave as well."""
    world, alice, bob, carol = consulted(office) if attended else office
    alice.talk.modify_ms = 300
    first = bob.talks[0]
    first.refer(carol.number, replaces=bob.talks[1] if attended else None)
    world.run(at_ms)
    world.machine.kill()
    world.machine.start()
    world.run(40_000)
    for talk in everybody(alice, bob, carol):
        if talk.ringing:
            talk.reject(480)  # a phone whose INVITE nobody remembers
        assert talk.over or not talk.up
    world.rest()
