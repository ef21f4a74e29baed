"""What the switch ends or refuses by itself: two hours, limits, a full journal, an operator, a shutdown."""

from __future__ import annotations

from dataclasses import replace

from switch.ports import EndCall, JournalState, StopCalls
from tests.scenarios.scene import Scene
from tests.sim.weather import CALM


def test_two_hours(world: Scene) -> None:
    """R-LIM-01; hold and re-INVITE do not restart it."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "00385123456789")
    world.run(3_600_000)
    alice.talk.hold()
    world.run(60_000)
    alice.talk.resume()
    world.run(3_600_000)
    cdr = world.close("two_hours")
    assert (cdr.duration_s, cdr.flags, cdr.released_by) == (7200, ("limit",), "switch")
    assert cdr.amount == 139_280 * 10
    assert "BYE" in alice.talk.heard
    assert "BYE" in carrier.talk.heard


def test_two_hours_with_one_side_unreachable(world: Scene) -> None:
    """field.md, test 1."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    world.run(7_190_000)
    alice.dead = True
    world.run(20_000)
    cdr = world.close("two_hours_one_side_unreachable")
    assert cdr.duration_s == 7200
    assert "BYE" in carrier.talk.heard


def test_too_many_calls_of_a_line(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = lambda talk: talk.answer()
    for _ in range(6):
        alice.invite(bob.number)
        world.run(200)
    seventh = alice.invite(bob.number)
    world.run(200)
    assert seventh.heard == ["486"]
    for talk in alice.talks:
        talk.hang_up()
    world.rest()
    assert [cdr.verdict for cdr in world.cdrs if cdr.outcome == "refused"] == ["line-calls"]
    assert len(world.cdrs) == 7


def test_journal_full(world: Scene) -> None:
    """New calls are refused, the running one goes on and is recorded."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.up(alice, bob)
    world.machine.feed(JournalState(full=True))
    refused = carol.invite(alice.number)
    world.run(1000)
    assert refused.heard == ["503"]
    assert refused.response is not None
    assert refused.response.get("Retry-After") == "30"
    world.machine.feed(JournalState(full=False))
    alice.talk.bye()
    world.close("journal_full")


def test_slow_disk_delays_an_answer_and_no_more(world: Scene) -> None:
    """field.md, test 16: the answer waits as long as the hold allows, then it goes."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.blow(replace(CALM, commit_ms=(750, 750)))
    world.up(alice, bob)
    alice.talk.bye()
    cdr = world.close("slow_disk")
    assert cdr.outcome == "answered"
    assert world.machine.unbacked == {cdr.call_id}


def test_operator_ends_a_call(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    assert world.machine.core is not None
    (call,) = world.machine.core.calls
    world.machine.feed(EndCall(call.id))
    cdr = world.close("operator_ends_a_call")
    assert (cdr.released_by, cdr.flags) == ("switch", ("operator",))


def test_shutdown(world: Scene) -> None:
    """No new calls, the running ones end, one that rings is refused."""
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    world.up(alice, bob)
    ringing = carol.invite(alice.number)
    world.run(100)
    world.machine.feed(StopCalls(end=True))
    world.run(100)
    late = carol.invite(bob.number)
    world.rest()
    world.compare("shutdown", world.ladder())
    assert (ringing.heard[-1], late.heard[-1]) == ("503", "503")
    assert sorted(cdr.outcome for cdr in world.cdrs) == ["answered", "failed", "refused"]


def test_line_removed_in_mid_call(world: Scene) -> None:
    """The call goes on and is paid for; its line counts no calls afterwards."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.machine.replace_lines(line for line in world.machine.lines if line.user != "bob")
    world.run(3000)
    alice.talk.bye()
    cdr = world.close("line_removed_in_mid_call")
    assert cdr.outcome == "answered"


def test_clock_steps_change_no_bill(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    world.run(20_000)
    world.step_clock(30_000)
    world.run(20_000)
    world.step_clock(-86_400)
    world.run(19_900)
    alice.talk.bye()
    cdr = world.close("clock_steps")
    assert (cdr.duration_s, cdr.amount) == (60, 1700)
    assert cdr.answered_ms is not None
    assert cdr.released_ms - cdr.answered_ms == 59_922


def test_call_over_the_peak_edge(world: Scene) -> None:
    """Tuesday 15:59:30: thirty seconds at 0.17, thirty free."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.run(6 * 3_600_000 - 29_900 - 1_182)
    world.up(alice, carrier, "0478123456")
    world.run(59_900)
    alice.talk.bye()
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.duration_s, cdr.amount) == (60, 850)
    assert [(s.seconds, s.per_minute) for s in cdr.segments] == [(30, 1700), (30, 0)]
