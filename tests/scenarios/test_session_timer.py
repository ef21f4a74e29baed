"""Session timers (RFC 4028) and UPDATE (RFC 3311), each leg by itself."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_help import psap_world
from tests.sim.parties import Party
from tests.sim.talk import Talk

Rows = list[tuple[str, str]]
TIMER: Rows = [("Supported", "timer")]
UPDATES: Rows = [("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")]


def asking(session: str, *more: tuple[str, str]) -> Rows:
    return [("Session-Expires", session), *TIMER, *more]


def called(world: Scene, rows: Rows) -> tuple[Party, Party, Talk]:
    """alice calls bob, who answers at once."""
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob)
    talk = alice.invite(bob.number, rows=rows)
    assert world.run_until(lambda: talk.up)
    world.run(200)
    return alice, bob, talk


def refreshes(talk: Talk) -> list[str]:
    return [word for word in talk.heard if word in ("INVITE", "UPDATE")]


# --- who refreshes ------------------------------------------------------------------------------------------


def test_who_asks_for_no_timer_gets_none(world: Scene) -> None:
    _, _, talk = called(world, TIMER)
    assert talk.granted == [""]
    talk.bye()
    world.rest()


@pytest.mark.parametrize(
    ("rows", "granted"),
    [
        (asking("1800"), "1800;refresher=uac"),
        (asking("90;refresher=uac"), "90;refresher=uac"),
        (asking("600;refresher=uas"), "600;refresher=uas"),
        ([("Session-Expires", "600")], "600;refresher=uas"),
        ([("x", "600"), ("Require", "timer")], "600;refresher=uac"),
    ],
)
def test_what_is_granted(world: Scene, rows: Rows, granted: str) -> None:
    """Table 2 of section 9: a caller that does not know timers itself (a proxy asked) is refreshed by us."""
    _, _, talk = called(world, rows)
    assert talk.granted == [granted]
    assert talk.response is not None
    assert talk.response.get("Require") == ("timer" if granted.endswith("uac") else "")
    talk.bye()
    world.rest()


def test_too_short_an_interval_is_422(world: Scene) -> None:
    alice = world.phone("alice")
    talk = alice.invite("022345678", rows=asking("89"))
    world.run(500)
    assert talk.heard[-1] == "422"
    assert talk.response is not None
    assert talk.response.get("Min-SE") == "90"
    world.rest()


def test_who_promised_to_refresh_and_does_not_has_gone(world: Scene) -> None:
    """Section 10: a BYE as much before the end as a third of the interval, at most 32 s."""
    _, bob, talk = called(world, asking("90"))
    world.run(59_000)
    assert (talk.over, bob.talk.over) == (False, False)
    world.run(1500)
    assert (talk.over, bob.talk.over) == (True, True)
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.duration_s) == ("answered", 60)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_who_refreshes_goes_on_talking(world: Scene, method: str) -> None:
    _, bob, talk = called(world, asking("90"))
    for _ in range(4):
        world.run(45_000)
        if method == "UPDATE":
            talk.update(rows=asking("90;refresher=uac"))
        else:
            talk.modify(rows=asking("90;refresher=uac"))
    world.run(1000)
    assert (talk.over, bob.talk.over) == (False, False)
    assert "re-INVITE" not in bob.talk.heard
    talk.bye()
    world.rest()


def test_a_refresh_without_a_timer_ends_it(world: Scene) -> None:
    _, _, talk = called(world, asking("90"))
    talk.update()
    world.run(300_000)
    assert not talk.over
    talk.bye()
    world.rest()


@pytest.mark.parametrize(("allowed", "method"), [(UPDATES, "UPDATE"), ([], "INVITE")])
def test_we_refresh_where_we_have_to(world: Scene, allowed: Rows, method: str) -> None:
    """At half of the interval, with what the party takes; the session stays as it is."""
    _, bob, talk = called(world, [("Session-Expires", "100"), *allowed])
    talk.timer_rows = [("Session-Expires", "100;refresher=uac")]
    heard = talk.agreed
    world.run(49_000)
    assert refreshes(talk) == []
    world.run(2000)
    assert refreshes(talk) == [method]
    world.run(50_000)
    assert refreshes(talk) == [method, method]
    assert refreshes(bob.talk) == ["INVITE"]
    assert (talk.over, bob.talk.over) == (False, False)
    talk.bye()
    world.rest()
    assert heard is talk.agreed or method == "INVITE"


def test_the_called_side_may_have_us_refresh(world: Scene) -> None:
    """Our INVITE says that we know timers; its 2xx asks for one."""
    alice, bob = world.phone("alice"), world.phone("bob")
    rows = [("Session-Expires", "100;refresher=uac"), ("Require", "timer"), *UPDATES]

    def pick_up(talk: Talk) -> None:
        talk.timer_rows = rows
        talk.ring()
        talk.answer()

    bob.on_call = pick_up
    talk = alice.invite(bob.number)
    assert world.run_until(lambda: talk.up)
    assert talk.granted == [""]
    world.run(170_000)
    assert refreshes(bob.talk) == ["INVITE", "UPDATE", "UPDATE", "UPDATE"]
    bob.talk.timer_rows = UPDATES  # no timer any more
    world.run(200_000)
    assert refreshes(bob.talk) == ["INVITE"] + ["UPDATE"] * 4
    talk.bye()
    world.rest()


def test_a_party_that_knows_nothing_of_the_call_any_more_ends_it(world: Scene) -> None:
    _, bob, talk = called(world, [("Session-Expires", "100"), *UPDATES])
    talk.over = True  # it answers 481 from now on
    world.run(51_000)
    assert bob.talk.over
    world.rest()


def test_a_call_for_help_is_not_given_up_for_a_refresh() -> None:
    """R-EMG-04; nor refused for an interval that is too short."""
    world = psap_world()
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    talk = alice.invite("112", rows=asking("20"))
    assert world.run_until(lambda: talk.up)
    assert talk.granted == ["90;refresher=uac"]
    world.run(200_000)
    assert (talk.over, centre.talk.over) == (False, False)
    talk.bye()
    world.rest()


# --- UPDATE -------------------------------------------------------------------------------------------------


def test_an_update_changes_the_session(world: Scene) -> None:
    """The other side, which may take none, is asked by a re-INVITE."""
    _, bob, talk = called(world, [])
    talk.update("sendonly")
    world.run(1000)
    assert talk.heard[-1] == "up-200"
    assert refreshes(bob.talk) == ["INVITE", "INVITE"]
    assert "a=sendonly" in bob.talk.agreed
    talk.update("sendrecv")
    world.run(1000)
    talk.bye()
    world.rest()


def test_an_update_that_the_other_side_declines_changes_nothing(world: Scene) -> None:
    _, bob, talk = called(world, [])
    bob.talk.answers_modify = 488
    talk.update("sendonly")
    world.run(1000)
    assert talk.heard[-1] == "up-488"
    talk.bye()
    world.rest()


def test_updates_of_both_at_once(world: Scene) -> None:
    """One is asked to wait, as with re-INVITEs."""
    _, bob, talk = called(world, [])
    talk.update("sendonly")
    bob.talk.update("sendonly")
    world.run(2000)
    told = [word for word in (*talk.heard, *bob.talk.heard) if word.startswith("up-")]
    assert sorted(told) in (["up-200", "up-491"], ["up-491", "up-491"])
    talk.bye()
    world.rest()


def test_an_update_before_the_answer(world: Scene) -> None:
    """Without an offer it is a sign of life; with one it comes too early (RFC 3311 section 5.2)."""
    alice, bob = world.phone("alice"), world.phone("bob")
    bob.on_call = Talk.ring
    talk = alice.invite(bob.number)
    assert world.run_until(lambda: "180" in talk.heard)
    assert talk.response is not None
    talk.remote_tag = talk.response.tag("To")
    talk.update()
    world.run(200)
    assert talk.heard[-1] == "up-200"
    talk.update("sendrecv")
    world.run(200)
    assert talk.heard[-1] == "up-500"
    talk.cancel()
    world.rest()
