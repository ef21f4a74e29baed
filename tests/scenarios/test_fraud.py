"""What fraud looks like to the whole switch: found, acted on at once, on disk, lifted by one word, and help
is reached all the while."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rating.zone import Destination
from switch.call.fraud_desk import FLAG, place_of
from switch.fraud.rules import Action, OfficeHours, Rule
from switch.ports import FirstSeen, LiftMeasures, LineMeasure, MeasureLifted
from switch.sip.auth import Account, ha1
from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_hardening import set_line
from tests.scenarios.test_help import CALLBACK, HELP, psap_world
from tests.sim.parties import Party
from tests.sim.world import REALM, settings, tables
from tests.switch.fraud.support import delivered

CROATIA, FRANCE, MOBILE = "00385123456789", "0033145678901", "0478123456"
ONE_CALL = replace(delivered()["calls-abroad-at-once"], threshold=1)


def acting(action: Action, rule: Rule = ONE_CALL) -> Rule:
    return replace(rule, action=action)


def entries(world: Scene, kind: type[Any]) -> list[Any]:
    return [entry for entry in world.machine.journal.disk if isinstance(entry, kind)]


def notes(world: Scene, event: str) -> list[Any]:
    return [note.facts for note in world.machine.notes if note.event == event]


def lift(world: Scene, user: str = "alice") -> None:
    world.machine.feed(LiftMeasures(user, "operator"))
    world.run(100)


def fraud(action: Action) -> tuple[Scene, Party, Party]:
    """A world in which alice shows the pattern of one rule, and what was done about it has been done."""
    world = Scene(fraud=(acting(action),))
    alice, carrier = world.phone("alice"), world.carrier()
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(200)
    for talk in alice.talks:
        talk.hang_up()
    world.run(1000)
    return world, alice, carrier


def is_turned_away(world: Scene, alice: Party, action: Action) -> bool:
    """Who is blocked cannot prove who it is; who is suspended can, and is refused for it."""
    if action is Action.BLOCK:
        alice.register()
        world.run(1000)
        return alice.refused == 403
    refused = alice.invite(CROATIA)
    world.run(1000)
    return refused.heard[-1] == "403"


# --- what is done -------------------------------------------------------------------------------------------


def test_blocked_in_mid_call() -> None:
    """Calls abroad end, those that ring too; one in the country goes on."""
    world = Scene(fraud=(acting(Action.BLOCK),))
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, MOBILE)
    inland = alice.talk
    world.up(alice, carrier, FRANCE)
    abroad = alice.talk
    ringing = alice.invite(CROATIA)
    world.run(500)
    assert (inland.over, abroad.over) == (False, True)
    assert ringing.heard[-1] == "503"
    (measure,) = entries(world, LineMeasure)
    assert (measure.user, measure.number, measure.rule) == ("alice", "+3216234567", ONE_CALL.id)
    assert (measure.action, measure.facts["calls"]) == ("block", 2)
    assert notes(world, "fraud") == [
        {"line": "+3216234567", "rule": ONE_CALL.id, "action": "block", **measure.facts}
    ]
    core = world.machine.core
    assert core is not None
    assert core.sums.fraud == {(ONE_CALL.id, "block"): 1}
    inland.bye()
    world.rest()
    flags = {cdr.called: cdr.flags for cdr in world.cdrs}
    assert flags == {"+32478123456": (), "+33145678901": (FLAG,), "+385123456789": (FLAG,)}


def test_an_alert_changes_nothing() -> None:
    world, alice, carrier = fraud(Action.ALERT)
    assert [measure.action for measure in entries(world, LineMeasure)] == ["alert"]
    world.up(alice, carrier, CROATIA)
    alice.talk.bye()
    world.rest()


def test_suspended_while_somebody_talks_for_long() -> None:
    """Minutes of running calls are looked at every 30 s; all calls of the line end, also those that came in
    and those to its own country."""
    rule = acting(Action.SUSPEND, replace(delivered()["minutes"], threshold=60))
    world = Scene(fraud=(rule,))
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    for number in (CROATIA, MOBILE):
        world.up(alice, carrier, number)
    world.up(bob, alice)
    world.up(bob, carrier, MOBILE)
    world.run(95_000)
    assert [talk.over for talk in alice.talks] == [True, True, True]
    assert [measure.user for measure in entries(world, LineMeasure)] == ["alice"]
    bob.talk.bye()
    refused = bob.invite(alice.number)
    alice.invite(MOBILE)
    world.run(1000)
    assert (refused.heard[-1], alice.talk.heard[-1]) == ("480", "403")
    world.rest()
    assert {cdr.verdict for cdr in world.cdrs if cdr.outcome == "refused"} == {
        "line-suspended",
        "callee-suspended",
    }
    ended = [cdr for cdr in world.cdrs if FLAG in cdr.flags]
    assert sorted(cdr.called for cdr in ended) == ["+3216234567", "+32478123456", "+385123456789"]


def test_who_is_blocked_proves_nothing_until_the_secret_is_another() -> None:
    world, alice, carrier = fraud(Action.BLOCK)
    alice.registered = False
    alice.register()
    world.run(1000)
    assert (alice.registered, alice.refused) == (False, 403)
    bob = world.phone("bob")
    unreached = bob.invite(alice.number)
    world.run(1000)
    assert unreached.heard[-1] == "480"
    alice.password = "another-secret"
    fresh = Account({"MD5": ha1("MD5", "alice", REALM, alice.password)}, ("MD5",))
    assert world.sizes()["bindings"] == 2
    set_line(world, "alice", lambda line: replace(line, account=fresh))
    assert world.sizes()["bindings"] == 1  # whose phone it was nobody knows
    alice.register()
    world.run(1000)
    assert alice.registered
    refused = alice.invite(FRANCE)
    world.run(1000)
    assert refused.heard[-1] == "403"
    world.up(alice, carrier, MOBILE)
    alice.talk.bye()
    world.rest()
    refusals = {cdr.verdict for cdr in world.cdrs if cdr.outcome == "refused"}
    assert refusals == {"not-registered", "barred-international"}


def test_one_rule_acts_once_and_another_adds_to_it() -> None:
    """Equipment known by its address needs no secret, and is barred all the same."""
    steps = (acting(Action.BLOCK), replace(delivered()["number-block"], action=Action.SUSPEND))
    world = Scene(fraud=steps)
    office = world.party("office")
    for _ in range(9):
        office.invite(CROATIA)
        world.run(100)
    assert office.talk.heard[-1] == "403"
    for _ in range(5):
        office.invite(MOBILE)
        world.run(100)
    assert office.talk.heard[-1] == "503"
    office.invite(MOBILE)
    world.run(100)
    assert office.talk.heard[-1] == "403"
    world.rest()
    assert [measure.action for measure in entries(world, LineMeasure)] == ["block", "suspend"]


def test_wrong_passwords_in_a_lines_name() -> None:
    """From two places, for each of them alone is slowed before it comes to that (`switch.routing.bans`)."""
    world = Scene(fraud=(delivered()["failed-digests"],))
    guessers = [world.party(name, line="alice", password="guess") for name in ("mallory", "bob2")]
    for _ in range(4):
        for guesser in guessers:
            guesser.register()
            world.run(1000)
    (found,) = entries(world, LineMeasure)
    assert (found.user, found.facts["failures"], found.action) == ("alice", 6, "alert")
    stranger = world.party("bob", line="nobody-here")
    stranger.password = "guess"
    for _ in range(7):
        stranger.register()
        world.run(1000)
    world.rest()
    assert len(entries(world, LineMeasure)) == 1


def test_the_phone_of_a_blocked_line_that_goes_on_trying_is_no_news() -> None:
    world = Scene(fraud=(acting(Action.BLOCK), delivered()["failed-digests"]))
    alice = world.phone("alice")
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(200)
    for _ in range(20):
        alice.register()
        world.run(1000)
    world.rest()
    assert alice.refused == 403
    assert [measure.rule for measure in entries(world, LineMeasure)] == [ONE_CALL.id]


@pytest.mark.parametrize("remedy", ["another secret", "lifted"])
def test_whose_block_ends_is_not_kept_out_by_a_ban(remedy: str) -> None:
    """The phone of a blocked line fails until it is ignored; once the operator has mended that, it is heard
    at its next REGISTER."""
    world, alice, _ = fraud(Action.BLOCK)
    core = world.machine.core
    assert core is not None
    for _ in range(20):
        alice.register()
        world.run(4000)
    assert [(ban["user"], ban["state"]) for ban in core.bans.view(world.moment())] == [("alice", "ignored")]
    if remedy == "lifted":
        lift(world)
    else:
        alice.password = "another-secret"
        fresh = Account({"MD5": ha1("MD5", "alice", REALM, alice.password)}, ("MD5",))
        set_line(world, "alice", lambda line: replace(line, account=fresh))
    alice.registered = False
    alice.register()
    world.run(1000)
    assert alice.registered
    assert core.bans.view(world.moment()) == []
    world.rest()


def test_a_new_network_then_calls_abroad() -> None:
    world = Scene(fraud=(acting(Action.BLOCK, delivered()["new-network"]),))
    core = world.machine.core
    assert core is not None
    core.fraud.watch.seen.add("alice", "network", "198.18.0.0/16")
    alice = world.phone("alice")
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(500)
    assert alice.talk.heard[-1] == "503"
    (found,) = entries(world, LineMeasure)
    assert found.facts["network"] == "192.0.0.0/16"
    world.rest()


def test_without_rules_nothing_is_found(world: Scene) -> None:
    alice = world.phone("alice")
    for _ in range(6):
        alice.invite(CROATIA)
        world.run(100)
    for talk in alice.talks:
        talk.hang_up()
    world.rest()
    assert entries(world, LineMeasure) == entries(world, FirstSeen) == []


def test_calls_to_helplines_are_nobodys_business() -> None:
    world = Scene(fraud=(replace(delivered()["number-block"], threshold=0),))
    alice, carrier = world.phone("alice"), world.carrier()
    for number in ("080032123", "107", "112"):
        alice.invite(number)
        world.run(500)
        alice.talk.hang_up()
    assert carrier.talks
    world.rest()
    assert entries(world, LineMeasure) == []


def test_a_fault_of_the_watch_stops_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Scene(fraud=(ONE_CALL,))
    core = world.machine.core
    assert core is not None

    def broken(*_facts: object) -> None:
        raise ZeroDivisionError

    for fact in ("placed", "answered", "ended"):
        monkeypatch.setattr(core.fraud.watch, fact, broken)
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, CROATIA)
    alice.talk.bye()
    world.run(1000)
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.flags) == ("answered", ())
    assert [facts["part"] for facts in notes(world, "internal_error")] == 3 * ["fraud"]


def test_other_rules_hold_from_the_reload_on() -> None:
    world = Scene()
    core = world.machine.core
    assert core is not None
    alice = world.phone("alice")
    core.replace_settings(settings(fraud=(acting(Action.BLOCK),), trunks=world.machine.settings.trunks))
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(200)
    assert len(entries(world, LineMeasure)) == 1
    core.replace_settings(settings(trunks=world.machine.settings.trunks))
    assert core.fraud.measures.of("alice")
    world.rest()


# --- taken back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Action.BLOCK, Action.SUSPEND])
def test_lifted_the_line_is_as_it_was(action: Action) -> None:
    world, alice, carrier = fraud(action)
    assert is_turned_away(world, alice, action)
    lift(world)
    (measure,) = entries(world, LineMeasure)
    (lifted,) = entries(world, MeasureLifted)
    assert (lifted.user, lifted.by, lifted.ids) == ("alice", "operator", (measure.id,))
    assert notes(world, "fraud_lifted") == [{"line": "+3216234567", "rules": [ONE_CALL.id], "by": "operator"}]
    core = world.machine.core
    assert core is not None
    assert core.lines.by_user["alice"] is world.machine.lines[0]
    alice.register()
    world.run(1000)
    world.up(alice, carrier, CROATIA)
    lift(world)  # once more: nothing is there, and nothing happens
    assert not alice.talk.over
    alice.talk.bye()
    world.rest()
    assert len(entries(world, MeasureLifted)) == 1


def test_what_was_changed_in_between_is_kept() -> None:
    world, _, _ = fraud(Action.SUSPEND)
    set_line(world, "alice", lambda line: replace(line, cap="35.00"))
    core = world.machine.core
    assert core is not None
    assert core.lines.by_user["alice"].state == "suspended"
    lift(world)
    line = core.lines.by_user["alice"]
    assert (line.state, line.cap) == ("active", "35.00")
    world.rest()


def test_a_line_that_is_removed_comes_back_without_measures() -> None:
    world, _, _ = fraud(Action.SUSPEND)
    world.machine.replace_lines(line for line in world.machine.lines if line.user != "alice")
    world.machine.replace_lines(world.machine.lines)
    core = world.machine.core
    assert core is not None
    assert core.lines.by_user["alice"].state == "active"
    world.rest()


# --- restarts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Action.BLOCK, Action.SUSPEND])
def test_a_restart_keeps_what_was_done(action: Action) -> None:
    world, alice, _ = fraud(action)
    world.machine.kill()
    world.machine.start()
    assert is_turned_away(world, alice, action)
    core = world.machine.core
    assert core is not None
    assert [measure.action for measure in core.fraud.measures.of("alice")] == [action]
    lift(world)
    world.machine.kill()
    world.machine.start()
    core = world.machine.core
    assert core is not None
    assert core.lines.by_user["alice"] is world.machine.lines[0]
    world.rest()


def test_first_ever_means_ever() -> None:
    night = replace(delivered()["new-country"], office=OfficeHours(days=frozenset()))
    world = Scene(fraud=(night,))
    alice, carrier = world.phone("alice"), world.carrier()
    for life in range(2):
        world.up(alice, carrier, CROATIA)
        alice.talk.bye()
        world.run(1000)
        world.machine.kill()
        world.machine.start()
        world.run(7_200_000 if life == 0 else 0)
        alice.register()
        world.run(1000)
    world.rest()
    assert len(entries(world, LineMeasure)) == 1
    assert [(one.kind, one.value) for one in entries(world, FirstSeen)] == [("country", "HR")]


# --- calls for help -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["known_aor", "any", "never"])
@pytest.mark.parametrize("action", [Action.BLOCK, Action.SUSPEND])
@pytest.mark.parametrize("registered", [True, False])
def test_help_is_reached_whatever_was_done(action: Action, policy: str, registered: bool) -> None:
    """R-EMG-04, R-EMG-13: also where callers who prove nothing are turned away, for this line cannot."""
    world = Scene(fraud=(acting(action),), emergency_without_digest=policy)
    alice, (centre, _) = world.phone("alice"), world.centres()
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(200)
    if not registered:
        core = world.machine.core
        assert core is not None
        core.registrar.forget(["alice"])
    answers(centre, 100)
    for uri in ("sip:112@voice.example", HELP, "tel:101"):
        call = alice.invite("112", uri=uri)
        world.run(2000)
        assert call.up, (uri, call.heard)
        call.bye()
    for talk in alice.talks:
        talk.hang_up()
    if policy != "never":  # where the suspended line is asked for its password, as it was before
        world.rest()
    world.run(5000)
    assert sum(cdr.emergency for cdr in world.cdrs) == 3
    for cdr in world.cdrs:
        assert not cdr.emergency or (cdr.outcome, cdr.line) == ("answered", "+3216234567")


def test_help_is_reached_from_equipment_known_by_its_address() -> None:
    world = Scene(fraud=(acting(Action.SUSPEND),))
    office, (centre, _) = world.party("office"), world.centres()
    for _ in range(2):
        office.invite(CROATIA)
        world.run(200)
    answers(centre, 100)
    call = office.invite("112", uri=HELP)
    world.run(2000)
    assert call.up
    call.bye()
    world.rest()


@pytest.mark.parametrize("number", ["112", "107"])
def test_a_call_for_help_goes_on_while_its_line_is_suspended(number: str) -> None:
    """Helplines are open in every state as well."""
    world = Scene(fraud=(acting(Action.SUSPEND),))
    alice, carrier, (centre, _) = world.phone("alice"), world.carrier(), world.centres()
    answers(centre, 100)
    answers(carrier, 100)
    call = alice.invite(number)
    world.run(2000)
    carrier.on_call = None
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(500)
    assert [talk.heard[-1] for talk in alice.talks[1:]] == ["503", "503"]
    assert (call.up, call.over) == (True, False)
    call.bye()
    world.rest()


@pytest.mark.parametrize("action", [Action.BLOCK, Action.SUSPEND])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_centre_calls_back_whatever_was_done(action: Action, restarted: bool) -> None:
    """R-EMG-09: a phone that is registered still rings for it, and for nobody else."""
    world = psap_world(fraud=(acting(action),))
    alice, carrier, (centre, _) = world.phone("alice"), world.carrier("reserve"), world.centres()
    for _ in range(2):
        alice.invite(CROATIA)
        world.run(500)
    answers(alice, 0)
    if restarted:
        world.machine.kill()
        world.machine.start()
        world.run(1000)
    ordinary = carrier.invite(alice.number)
    world.run(1000)
    assert ordinary.heard[-1] == "480"
    back = centre.invite(alice.number, rows=CALLBACK)
    world.run(2000)
    assert back.up, back.heard
    back.bye()
    world.rest()


# --- countries ----------------------------------------------------------------------------------------------


def test_a_country_is_what_the_numbering_tables_call_it() -> None:
    destinations = tables()[0].destinations
    named = {
        number: place_of(found)
        for number in ("+33145678901", "+441534123456", "+441481123456", "+18095551234", "+12125551234")
        if (found := destinations.classify(number)) is not None
    }
    assert named == {
        "+33145678901": "FR",
        "+441534123456": "JE",
        "+441481123456": "GG",
        "+18095551234": "DO",
        "+12125551234": "US",
    }


def test_where_the_tables_name_no_country_it_is_the_range() -> None:
    found = tables()[0].destinations.classify("+385123456789")
    assert found is not None
    for label, place in (("Iridium", "Iridium"), ("", "international")):
        row = replace(found.row, country="", label=label)
        assert place_of(Destination("+88161234567", row)) == place


def test_a_forwarding_set_and_used_to_a_new_country() -> None:
    """Section 12: set by the phone, used within the hour; the forwarded call of a blocked line ends."""
    world = Scene(fraud=(acting(Action.BLOCK, delivered()["forwarded-to-new-country"]),))
    alice, carrier = world.phone("alice"), world.carrier()
    world.machine.lines = [
        replace(line, agreement=True, guarantee=True) if line.user == "bob" else line
        for line in world.machine.lines
    ]
    world.machine.replace_lines(world.machine.lines)
    bob = world.phone("bob")
    set_up = bob.invite("*21*0033145678901%23")
    assert world.run_until(lambda: set_up.over)
    carrier.on_call = lambda talk: talk.answer()
    call = alice.invite(bob.number)
    world.run(1000)
    assert call.over
    (measure,) = entries(world, LineMeasure)
    assert (measure.user, measure.action) == ("bob", "block")
    again = alice.invite(bob.number)
    world.run(1000)
    assert len(carrier.talks) == 1
    again.hang_up()
    world.rest()
    assert "barred-international" in {cdr.verdict for cdr in world.cdrs}
