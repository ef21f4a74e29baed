"""What a line may spend: bundle, cap and state shared by its calls, cuts on the paid second, their tones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.ports import ThresholdCrossed
from switch.record import Cdr
from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_hardening import set_line
from tests.sim.parties import Party
from tests.sim.simulate import local_s
from tests.sim.talk import Talk
from tests.sim.world import tables, with_bundle

FRANCE = "0033145678901"
CROATIA = "00385123456789"
FRANCE_RATE = 5_800
OFF_PEAK_S = local_s("2026-11-24 20:00:00")


def evening(bundle_s: int, cap: str = "none") -> Scene:
    """A world after 16:00, in which alice has a bundle and a cap."""
    return Scene(start_wall_s=OFF_PEAK_S, caps={"alice": cap}, tariffs=with_bundle(tables()[0], bundle_s))


def call(world: Scene, alice: Party, carrier: Party, number: str, lasts_ms: int) -> Talk:
    """A call that alice ends after so much talk, unless it has ended before."""
    world.up(alice, carrier, number)
    talk = alice.talk
    alice.after(lasts_ms, talk.hang_up)
    return talk


def payers(cdr: Cdr) -> list[tuple[str, int]]:
    return [(segment.source, segment.seconds) for segment in cdr.segments]


def thresholds(world: Scene) -> list[str]:
    return [entry.kind for entry in world.machine.journal.disk if isinstance(entry, ThresholdCrossed)]


def in_order(world: Scene) -> list[Cdr]:
    return sorted(world.cdrs, key=lambda cdr: cdr.invited_ms)


def test_two_calls_draw_one_bundle_to_its_last_second() -> None:
    """R-BUN-03, field.md test 3: never more than there is, and no second charged while there is some."""
    world = evening(bundle_s=40)
    alice, carrier = world.phone("alice"), world.carrier()
    call(world, alice, carrier, FRANCE, 60_000)
    world.run(9_000)
    call(world, alice, carrier, FRANCE, 60_000)
    world.run(70_000)
    world.rest()
    first, second = in_order(world)
    drawn = [dict(payers(cdr))["bundle"] for cdr in (first, second)]
    assert sum(drawn) == 40
    assert drawn[0] - drawn[1] in (9, 10, 11)
    assert (first.setup_fee, second.setup_fee) == (0, 0)
    for cdr in (first, second):
        assert [payer for payer, _ in payers(cdr)] == ["bundle", "tariff"]
    assert thresholds(world) == ["bundle-80", "bundle-100"]


def test_an_unanswered_call_draws_nothing() -> None:
    """field.md test 7; the reservation of its first second is given back."""
    world = evening(bundle_s=10)
    alice, carrier = world.phone("alice"), world.carrier()
    alice.invite(FRANCE)
    world.run(3000)
    carrier.talk.reject(486)
    world.run(1000)
    call(world, alice, carrier, FRANCE, 9_900)
    world.run(12_000)
    world.rest()
    busy, answered = in_order(world)
    assert (busy.outcome, busy.amount) == ("busy", 0)
    assert payers(answered) == [("bundle", 10)]


def test_a_cap_ends_a_call_on_the_last_second_it_pays_for() -> None:
    """R-CAP-04: from 0, 20 EUR buy 0.08 and 850 s at 1.16; one tone 60 s and one 10 s before."""
    world = Scene(caps={"alice": "20.00"})
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, CROATIA)
    world.run(900_000)
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.duration_s, cdr.flags, cdr.released_by) == (850, ("cap",), "switch")
    assert 121 * cdr.amount <= 100 * 200_000 < 121 * (cdr.amount + 193)
    assert cdr.answered_ms is not None
    assert cdr.released_ms - cdr.answered_ms == 850_000
    answered_ns = cdr.answered_ms * 1_000_000 - world.wall_offset_ns
    tones = world.machine.relay.tones
    assert [(tone.at_ns - answered_ns) // 10**9 for tone in tones] == [790, 840]
    assert {tone.side for tone in tones} == {0}
    assert thresholds(world) == ["cap-80", "cap-100"]
    core = world.machine.core
    assert core is not None
    assert (core.sums.cuts_asked, core.sums.cuts_done) == ({"cap": 1}, {"cap": 1})


def test_after_the_cap_what_costs_is_refused_and_what_does_not_goes_on() -> None:
    """R-CAP-03: free, incoming and emergency calls continue."""
    world = Scene(caps={"alice": "0.30"})
    alice, carrier, (centre, _) = world.phone("alice"), world.carrier(), world.centres()
    answers(centre, 100)
    answers(alice, 100)
    world.up(alice, carrier, CROATIA)
    world.run(20_000)
    refused = alice.invite(CROATIA)
    world.run(500)
    assert refused.heard == ["403"]
    answers(carrier, 100)
    for number in ("080012345", "112"):
        talk = alice.invite(number)
        world.run(2_000)
        assert talk.up, number
        talk.hang_up()
    incoming = carrier.invite(alice.number)
    world.run(2_000)
    assert incoming.up
    incoming.hang_up()
    world.rest()
    assert {cdr.verdict for cdr in world.cdrs if cdr.outcome == "refused"} == {"cap-reached"}


def test_a_call_being_placed_holds_what_its_first_second_costs() -> None:
    """A running call is cut in time for it, not found to have talked for nothing afterwards."""
    world = Scene(caps={"alice": "0.40"})
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, CROATIA)
    world.run(3_000)
    alice.invite(CROATIA)
    world.run(15_000)
    carrier.talk.reject(486)
    world.rest()
    running, busy = in_order(world)
    assert (running.flags, busy.outcome) == (("cap",), "busy")
    held = 800 + 193
    assert running.amount + held <= 100 * 4_000 // 121 < running.amount + held + 194
    assert running.answered_ms is not None
    assert running.released_ms - running.answered_ms == 1000 * running.duration_s


def test_two_calls_on_one_cap_never_exceed_it() -> None:
    world = Scene(caps={"alice": "1.00"})
    alice, carrier = world.phone("alice"), world.carrier()
    for number in (CROATIA, FRANCE):
        world.up(alice, carrier, number)
        world.run(2_000)
    world.run(60_000)
    world.rest()
    total = sum(cdr.amount for cdr in world.cdrs)
    cap = 100 * 10_000 // 121
    assert {cdr.flags for cdr in world.cdrs} == {("cap",)}
    assert cap - 193 < total <= cap


def test_an_answer_that_nobody_can_pay_for_any_more_is_not_passed_on() -> None:
    """In the bundle when it was placed, and the bundle spent when it was answered."""
    world = evening(bundle_s=20, cap="0.00")
    alice, carrier = world.phone("alice"), world.carrier()
    call(world, alice, carrier, FRANCE, 30_000)
    late = alice.invite(FRANCE)
    world.run(25_000)
    carrier.talk.answer()
    world.run(2_000)
    assert late.heard[-1] == "403"
    assert "BYE" in carrier.talk.heard
    world.rest()
    first, second = in_order(world)
    assert (payers(first), first.flags) == ([("bundle", 20)], ("cap",))
    assert (second.outcome, second.amount, second.flags) == ("refused", 0, ("cap",))


def test_a_line_limited_in_mid_call_ends_what_it_is_charged_for(world: Scene) -> None:
    """R-RAT-05, R-SUS-01: state is checked again while the call runs; the second begun is still paid."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, CROATIA)
    world.run(5_300)
    set_line(world, "alice", lambda line: replace(line, state="limited"))
    world.run(2_000)
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.flags, cdr.released_by) == (("limited",), "switch")
    assert cdr.duration_s * 1000 == cdr.released_ms - (cdr.answered_ms or 0)


def test_a_new_month_in_mid_call_brings_a_new_bundle() -> None:
    """R-BUN-01, R-BUN-02: at local midnight of the first, and nothing is carried over."""
    world = Scene(start_wall_s=local_s("2026-11-30 23:59:30"), tariffs=with_bundle(tables()[0], 15))
    alice, carrier = world.phone("alice"), world.carrier()
    call(world, alice, carrier, FRANCE, 60_000)
    world.run(65_000)
    world.rest()
    (cdr,) = world.cdrs
    assert [payer for payer, _ in payers(cdr)] == ["bundle", "tariff", "bundle", "tariff"]
    assert [segment.month for segment in cdr.segments] == ["2026-11", "2026-11", "2026-12", "2026-12"]
    assert (payers(cdr)[0][1], payers(cdr)[2][1], cdr.setup_fee) == (15, 15, 0)


@pytest.mark.parametrize("kill_after_ms", [5_000, 70_000])
def test_a_restart_rebuilds_what_was_used(kill_after_ms: int) -> None:
    """Nothing is written by the slice, and yet the bundle is as it was."""
    world = evening(bundle_s=60)
    alice, carrier = world.phone("alice"), world.carrier()
    call(world, alice, carrier, FRANCE, 10_000)
    world.run(12_000)
    world.up(alice, carrier, FRANCE)
    world.run(kill_after_ms)
    world.machine.kill()
    world.machine.start()
    core = world.machine.core
    assert core is not None
    account = core.charging.ledger.find("alice")
    assert account is not None
    used_s = account.books.book("2026-11").bundle_s
    world.run(5_000)
    ended, orphan = in_order(world)
    left_s = 60 - ended.duration_s
    assert "restart" in orphan.flags
    assert payers(orphan)[0] == ("bundle", min(orphan.duration_s, left_s))
    assert used_s == ended.duration_s + min(orphan.duration_s, left_s)
    alice.talk.hang_up()
    world.rest()


def test_what_will_happen_is_seen_while_the_call_runs() -> None:
    world = evening(bundle_s=30, cap="0.50")
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, FRANCE)
    world.run(10_000)
    core = world.machine.core
    assert core is not None
    (view,) = core.view_calls(world.moment())
    assert (view["source"], view["per_minute"], view["amount"]) == ("bundle", 0, 0)
    assert view["bundle_left_s"] == 30 - view["seconds"] - 1
    affordable_s = 100 * 5_000 // 121 * 60 // FRANCE_RATE
    assert (view["next_change_s"], view["cut_s"], view["cut_reason"]) == (30, 30 + affordable_s, "cap")
    world.run(25_000)
    (view,) = core.view_calls(world.moment())
    assert (view["source"], view["per_minute"], view["bundle_left_s"]) == ("tariff", FRANCE_RATE, 0)
    alice.talk.bye()
    world.rest()


def test_a_line_limited_while_its_call_rings_is_not_charged_for_it(world: Scene) -> None:
    """The account of a call that only rings learns of the new state too."""
    alice, carrier = world.phone("alice"), world.carrier()
    late = alice.invite(CROATIA)
    world.run(2_000)
    set_line(world, "alice", lambda line: replace(line, state="limited"))
    carrier.talk.answer()
    world.run(2_000)
    assert late.heard[-1] == "403"
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.amount, cdr.flags) == ("refused", 0, ("limited",))
