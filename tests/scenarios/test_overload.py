"""More comes than can be done: new calls wait, those that run go on, and help is reached."""

from __future__ import annotations

import pytest

from switch.ports import Strained
from switch.routing.bucket import Bucket
from switch.routing.overload import OverloadSettings
from tests.scenarios.scene import Scene, answers


def test_a_flood_from_one_host_leaves_others_their_share() -> None:
    world = Scene(overload=OverloadSettings(5))
    alice = world.phone("alice")
    office = world.party("office")
    answers(world.carrier(), 0)
    for _ in range(30):
        office.invite("0478123456")
    world.run(200)
    statuses = [talk.response.status for talk in office.talks if talk.response is not None]
    assert (statuses.count(200), statuses.count(503)) == (4, 26)
    retry = {talk.response.get("Retry-After") for talk in office.talks if talk.response is not None}
    assert retry <= {"", "1", "2", "3", "4"}
    world.run(1000)
    call = alice.invite("0478123456")
    world.run(500)
    assert call.up
    call.bye()
    for talk in office.talks:
        talk.hang_up()
    world.rest()


@pytest.mark.parametrize("number", ["112", "sip:112@voice.example", "urn:service:sos"])
def test_help_is_reached_whatever_comes(number: str) -> None:
    world = Scene(overload=OverloadSettings(1))
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre, 0)
    world.machine.feed(Strained(True))
    for _ in range(5):
        alice.invite("0478123456")
    call = alice.invite(number, uri=number if ":" in number else "")
    world.run(1000)
    assert call.up
    call.bye()
    world.rest()


def test_running_calls_go_on_while_new_ones_wait(world: Scene) -> None:
    alice, bob, carol = (world.phone(name) for name in ("alice", "bob", "carol"))
    world.up(alice, bob)
    world.machine.feed(Strained(True))
    alice.talk.hold()
    alice.talk.info()
    world.run(500)
    assert "re-200" in alice.talk.heard
    assert bob.talk.infos
    talks = [carol.invite("0478123456") for _ in range(200)]
    world.run(2000)
    assert sum("503" in talk.heard for talk in talks) > 150
    world.machine.feed(Strained(False))
    later = carol.invite(bob.number)
    world.run(500)
    assert "503" not in later.heard
    for talk in (*talks, later):
        talk.hang_up()
    alice.talk.bye()
    world.rest()


def test_registrations_are_put_off_and_come_again(world: Scene) -> None:
    core = world.machine.core
    assert core is not None
    world.machine.feed(Strained(True))
    core.overload._registers = Bucket(1)
    core.overload._registers.take(core.timers.now.mono_ns)
    alice = world.party("alice")
    alice.register()
    world.run(100)
    assert alice.refused == 503
    world.run(3000)
    alice.register()
    assert world.run_until(lambda: alice.registered)
