"""What is kept of a call for help, how a centre calls back, how a phone rehearses (R-EMG-09, -11, -12)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.ports import EmergencyLogged
from tests.scenarios.scene import STRANGER, Scene, answers
from tests.scenarios.test_hardening import set_line
from tests.sim.world import settings


def logged(world: Scene) -> EmergencyLogged:
    (entry,) = [entry for entry in world.machine.journal.disk if isinstance(entry, EmergencyLogged)]
    return entry


def with_psap_trunk() -> Scene:
    """Centres call back over the carrier's trunk."""
    world = Scene()
    core = world.machine.core
    assert core is not None
    trunks = tuple(replace(trunk, probe_ns=0, psap=trunk.name == "carrier") for trunk in settings().trunks)
    core.replace_settings(replace(world.machine.settings, trunks=trunks))
    return world


def test_the_log_has_each_gateway_with_its_times(world: Scene) -> None:
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = lambda talk: talk.reject(503)
    answers(second, 1000, ring=183, media=True)
    call = alice.invite("112", uri="sip:112@voice.example")
    world.run(5000)
    call.bye()
    world.rest()
    entry = logged(world)
    assert (entry.account, entry.number, entry.service) == ("alice", alice.number, "112")
    assert (entry.centre, entry.alarm, entry.outcome) == ("112-flemish-brabant", "", "answered")
    assert "<ca:PC>3001</ca:PC>" in entry.place
    assert [(one["gateway"], one["tried_ms"], one["heard_ms"], one["status"]) for one in entry.attempts] == [
        ("centre1", 0, None, 503),
        ("centre2", 20, 40, 200),
    ]
    assert entry.answered_ms == 1040
    core = world.machine.core
    assert core is not None
    assert (core.sums.help_fallbacks, core.sums.help_outcomes) == (1, {("112", "answered"): 1})


def test_a_call_nobody_could_take_is_logged_too(world: Scene) -> None:
    alice, centres = world.party("alice"), world.centres()
    for centre in centres:
        centre.on_call = lambda talk: talk.reject(486)
    alice.invite("112", uri="sip:112@voice.example")
    world.run(3000)
    world.rest()
    entry = logged(world)
    assert [one["status"] for one in entry.attempts] == [486, 486]
    assert (entry.answered_ms, entry.outcome) == (None, "busy")


@pytest.mark.parametrize("restart", [False, True])
def test_a_centre_calls_back_whatever_the_line_may_do(restart: bool) -> None:
    """R-EMG-09: within half an hour, over a restart as well; suspension and the limit of calls give way."""
    world = with_psap_trunk()
    alice, carrier, (centre, _) = world.phone("alice"), world.carrier(), world.centres()
    answers(centre, 100)
    answers(alice, 100)
    talk = alice.invite("112", uri="sip:112@voice.example")
    world.run(2000)
    talk.bye()
    world.run(1000)
    set_line(world, "alice", lambda line: replace(line, state="suspended", max_calls=1))
    if restart:
        world.machine.kill()
        world.machine.start()
        core = world.machine.core
        assert core is not None
        trunks = tuple(replace(one, probe_ns=0, psap=one.name == "carrier") for one in settings().trunks)
        core.replace_settings(replace(world.machine.settings, trunks=trunks))
        set_line(world, "alice", lambda line: replace(line, state="suspended", max_calls=1))
    world.run(29 * 60_000)
    back = carrier.invite(alice.number)
    world.run(3000)
    assert back.up
    back.bye()
    world.run(4 * 60_000)
    late = carrier.invite(alice.number)
    world.run(3000)
    assert late.heard[-1] == "480"
    world.rest()


def test_from_an_ordinary_trunk_nobody_calls_back(world: Scene) -> None:
    alice, carrier, (centre, _) = world.phone("alice"), world.carrier(), world.centres()
    answers(centre, 100)
    talk = alice.invite("112", uri="sip:112@voice.example")
    world.run(2000)
    talk.bye()
    set_line(world, "alice", lambda line: replace(line, state="suspended"))
    back = carrier.invite(alice.number, rows=[("Priority", "psap-callback")])
    world.run(3000)
    assert back.heard[-1] == "480"
    world.rest()
    assert carrier.number == STRANGER


@pytest.mark.parametrize(
    ("uri", "says"),
    [("urn:service:test.sos", "112"), ("urn:service:TEST.SOS.police", "101")],
)
def test_a_rehearsal_is_told_centre_and_place_and_rings_nobody(world: Scene, uri: str, says: str) -> None:
    alice, centres = world.phone("alice"), world.centres()
    call = alice.invite("", uri=uri)
    world.run(3000)
    assert call.response is not None
    assert call.response.status == 200
    assert call.response.get("Content-Type") == "text/plain;charset=utf-8"
    assert f"A call to {says} is answered by:" in call.response.body
    assert "Location: Bakkerij Peeters BV, Naamsesteenweg 12, 3001 Leuven" in call.response.body
    assert "BYE" in call.heard
    assert [centre.talks for centre in centres] == [[], []]
    core = world.machine.core
    assert core is not None
    assert core.sums.test_calls == 1
    assert not core.reception._rehearsing
    world.rest()
    assert world.cdrs == []


def test_a_rehearsal_of_what_there_is_not_is_unknown(world: Scene) -> None:
    alice = world.phone("alice")
    call = alice.invite("", uri="urn:service:test.counseling")
    world.run(500)
    assert call.heard[-1] == "404"
    world.rest()


def test_one_rehearsal_of_a_line_at_a_time(world: Scene) -> None:
    alice = world.phone("alice")
    first = alice.invite("", uri="urn:service:test.sos")
    first.acks = False
    world.run(500)
    second = alice.invite("", uri="urn:service:test.sos")
    world.run(500)
    assert second.heard[-1] == "486"
    world.run(40_000)
    core = world.machine.core
    assert core is not None
    assert not core.reception._rehearsing
