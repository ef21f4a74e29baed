"""What crosses on the wire: the races of RFC 5407, lost datagrams, glare, and parties with bad manners."""

from __future__ import annotations

from tests.scenarios.scene import Scene
from tests.sim.parties import Party


def ringing(world: Scene) -> tuple[Party, Party]:
    """A call that rings."""
    alice, bob = world.phone("alice"), world.phone("bob")
    alice.invite(bob.number)
    world.run(100)
    bob.talk.ring()
    world.run(1000)
    return alice, bob


def talking(world: Scene) -> tuple[Party, Party]:
    """A call that is up."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(1000)
    return alice, bob


def test_cancel_crosses_200(world: Scene) -> None:
    """RFC 5407 section 3.1.2: the caller's CANCEL and the callee's 200 meet in the switch."""
    alice, bob = ringing(world)
    world.together(alice.talk.cancel, bob.talk.answer)
    cdr = world.close("cancel_crosses_200")
    assert (cdr.outcome, cdr.amount) == ("cancelled", 0)
    assert bob.talk.heard == ["INVITE", "ACK", "BYE"]


def test_200_arrives_before_cancel(world: Scene) -> None:
    alice, bob = ringing(world)
    bob.talk.answer()
    world.run(5)
    alice.talk.cancel()
    cdr = world.close("200_before_cancel")
    assert cdr.outcome == "answered"
    assert "BYE" in bob.talk.heard


def test_cancel_before_any_provisional(world: Scene) -> None:
    """Section 9.1 of RFC 3261: our CANCEL waits for a first provisional response."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.lose("100", to="switch")
    call = alice.invite(bob.number)
    world.run(45)
    call.cancel()
    world.run(600)
    bob.talk.ring()
    cdr = world.close("cancel_before_any_provisional")
    assert cdr.outcome == "cancelled"
    assert bob.talk.heard == ["INVITE", "CANCEL"]


def test_bye_in_early_dialog(world: Scene) -> None:
    """RFC 3261 section 15: a caller may give up with BYE."""
    alice, bob = ringing(world)
    alice.talk.remote_tag = alice.talk.response.tag("To") if alice.talk.response is not None else ""
    alice.talk.bye()
    cdr = world.close("bye_in_early_dialog")
    assert cdr.outcome == "cancelled"
    assert bob.talk.heard == ["INVITE", "CANCEL"]


def test_bye_crosses_reinvite(world: Scene) -> None:
    """RFC 5407 section 3.1.4."""
    alice, bob = talking(world)
    world.together(alice.talk.bye, bob.talk.hold)
    cdr = world.close("bye_crosses_reinvite")
    assert cdr.outcome == "answered"
    assert "re-481" in bob.talk.heard


def test_bye_while_the_reinvite_is_open(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.modify_ms = 3000
    alice.talk.hold()
    world.run(1000)
    alice.talk.bye()
    cdr = world.close("bye_while_reinvite_is_open")
    assert cdr.outcome == "answered"
    assert "BYE" in bob.talk.heard


def test_callee_hangs_up_while_the_reinvite_is_open(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.modify_ms = 3000
    alice.talk.hold()
    world.run(1000)
    bob.talk.bye()
    cdr = world.close("callee_bye_while_reinvite_is_open")
    assert cdr.released_by == "callee"
    assert "re-487" in alice.talk.heard


def test_reinvite_glare(world: Scene) -> None:
    """RFC 5407 section 3.1.5: both put each other on hold at once."""
    alice, bob = talking(world)
    world.together(alice.talk.hold, bob.talk.hold)
    world.run(2000)
    alice.talk.bye()
    cdr = world.close("reinvite_glare")
    assert cdr.outcome == "answered"
    assert "re-491" in alice.talk.heard
    assert "re-491" in bob.talk.heard


def test_reinvite_cancelled(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.modify_ms = 3000
    alice.talk.hold()
    world.run(1000)
    alice.talk.cancel_modify()
    world.run(5000)
    assert "re-487" in alice.talk.heard
    alice.talk.bye()
    cdr = world.close("reinvite_cancelled")
    assert cdr.outcome == "answered"


def test_reinvite_cancel_crosses_its_200(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.modify_ms = 1000
    alice.talk.hold()
    world.run(1000)
    alice.talk.cancel_modify()
    world.run(5000)
    assert "re-200" in alice.talk.heard
    alice.talk.bye()
    world.close("reinvite_cancel_crosses_200")


def test_reinvite_before_the_first_ack(world: Scene) -> None:
    """RFC 5407 section 3.1.6: the callee changes the session while the caller's ACK is under way."""
    alice, bob = ringing(world)
    world.lose("ACK", to="switch")
    bob.talk.answer()
    world.run(40)
    bob.talk.hold()
    world.run(3000)
    alice.talk.bye()
    cdr = world.close("reinvite_before_first_ack")
    assert cdr.outcome == "answered"
    assert "re-491" in bob.talk.heard


def test_lost_ack(world: Scene) -> None:
    """The 200 is repeated, the ACK comes again, and the call goes on."""
    alice, bob = ringing(world)
    world.lose("ACK", to="switch")
    bob.talk.answer()
    world.run(3000)
    alice.talk.bye()
    cdr = world.close("lost_ack")
    assert cdr.outcome == "answered"


def test_second_200_after_ack(world: Scene) -> None:
    """RFC 5407 section 3.1.1: the switch's ACK is lost, the callee repeats its 200, the same ACK goes out
    again."""
    _alice, bob = ringing(world)
    world.lose("ACK", to="bob")
    bob.talk.answer()
    world.run(3000)
    bob.talk.bye()
    cdr = world.close("second_200_after_ack")
    assert cdr.outcome == "answered"
    assert "ACK" in bob.talk.heard


def test_ack_never_comes(world: Scene) -> None:
    alice, bob = ringing(world)
    alice.talk.acks = False
    bob.talk.answer()
    world.run(40_000)
    cdr = world.close("ack_never_comes")
    assert (cdr.outcome, cdr.flags) == ("answered", ("lost",))
    assert "BYE" in bob.talk.heard
    assert "BYE" in alice.talk.heard


def test_caller_hangs_up_before_its_ack(world: Scene) -> None:
    """RFC 5407 section 3.1.3: BYE overtakes ACK."""
    alice, bob = ringing(world)
    alice.talk.acks = False
    bob.talk.answer()
    world.run(30)
    alice.talk.bye()
    cdr = world.close("bye_before_ack")
    assert (cdr.outcome, cdr.released_by) == ("answered", "caller")


def test_callee_hangs_up_before_the_ack(world: Scene) -> None:
    """Our BYE to the caller waits for its ACK (RFC 3261 section 15)."""
    alice, bob = ringing(world)
    alice.talk.acks = False
    bob.talk.answer()
    world.run(20)
    bob.talk.bye()
    world.run(700)
    alice.talk.acks = True
    cdr = world.close("callee_bye_before_ack")
    assert cdr.released_by == "callee"
    assert "BYE" in alice.talk.heard


def test_lost_bye_is_repeated(world: Scene) -> None:
    alice, bob = talking(world)
    world.lose("BYE", times=3)
    alice.talk.bye()
    cdr = world.close("lost_bye")
    assert cdr.outcome == "answered"
    assert "BYE" in bob.talk.heard


def test_bye_is_never_answered(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.answers_bye = False
    alice.talk.bye()
    cdr = world.close("bye_never_answered")
    assert cdr.released_by == "caller"


def test_party_drops_dead(world: Scene) -> None:
    """field.md, test 1: one side cannot be reached when the call ends; the other still gets its BYE."""
    alice, bob = talking(world)
    bob.die()
    alice.talk.bye()
    cdr = world.close("party_drops_dead")
    assert (cdr.outcome, cdr.released_by) == ("answered", "caller")


def test_callee_answers_long_after_cancel(world: Scene) -> None:
    """A phone that ignores the CANCEL and answers: acknowledged and ended at once."""
    alice, bob = ringing(world)
    bob.on_message = lambda message: message.method == "CANCEL"
    alice.talk.cancel()
    world.run(3000)
    bob.talk.answer()
    cdr = world.close("answer_long_after_cancel")
    assert (cdr.outcome, cdr.amount) == ("cancelled", 0)
    assert "BYE" in bob.talk.heard


def test_info_both_ways(world: Scene) -> None:
    alice, bob = talking(world)
    alice.talk.info("Signal=1\r\n")
    world.run(500)
    bob.talk.info("Signal=2\r\n")
    world.run(500)
    alice.talk.bye()
    world.close("info_both_ways")
    assert bob.talk.infos == ["Signal=1\r\n"]
    assert alice.talk.infos == ["Signal=2\r\n"]
    assert "info-200" in alice.talk.heard
    assert "info-200" in bob.talk.heard


def test_info_that_nobody_understands(world: Scene) -> None:
    alice, bob = talking(world)
    bob.talk.answers_info = 415
    alice.talk.info()
    world.run(500)
    assert "info-415" in alice.talk.heard
    alice.talk.bye()
    world.close("info_refused")


def test_info_crosses_bye(world: Scene) -> None:
    alice, bob = talking(world)
    world.together(alice.talk.info, bob.talk.bye)
    cdr = world.close("info_crosses_bye")
    assert cdr.released_by == "callee"
    assert "info-481" in alice.talk.heard or "info-200" in alice.talk.heard


def test_invite_repeated_by_an_impatient_phone(world: Scene) -> None:
    """Every answer to the first INVITE is lost; what comes again makes no second call."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.lose("100", "180", times=2, to="alice")
    alice.invite(bob.number)
    world.run(100)
    bob.talk.ring()
    world.run(3000)
    bob.talk.answer()
    world.run(1000)
    alice.talk.bye()
    world.close("invite_repeated")
    assert len(bob.talks) == 1
