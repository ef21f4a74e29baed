"""The power goes: what was promised is on disk, and after the restart it is kept."""

from __future__ import annotations

from tests.scenarios.scene import Scene


def test_restart_in_mid_call(world: Scene) -> None:
    """Both sides get a BYE, the call is recorded up to the last sign of life, registrations go on."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    world.run(30_000)
    world.machine.kill()
    world.run(5000)
    world.machine.start()
    cdr = world.close("restart_in_mid_call")
    assert (cdr.outcome, cdr.flags, cdr.released_by, cdr.cause) == ("answered", ("restart",), "switch", 41)
    assert (cdr.duration_s, cdr.amount) == (31, 878)
    assert "BYE" in alice.talk.heard
    assert "BYE" in carrier.talk.heard
    assert world.sizes()["bindings"] == 1


def test_killed_between_200_and_ack(world: Scene) -> None:
    """field.md, test 2."""
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number)
    world.run(100)
    bob.talk.answer()
    world.run_until(lambda: call.up)
    world.machine.kill()
    world.run(50)
    world.machine.start()
    cdr = world.close("killed_between_200_and_ack")
    assert (cdr.outcome, cdr.flags, cdr.duration_s) == ("answered", ("restart",), 1)
    assert "BYE" in bob.talk.heard


def test_killed_before_the_answer_is_on_disk(world: Scene) -> None:
    """The 200 has not left: nobody was promised anything, and nothing is recorded."""
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number)
    world.run(100)
    bob.talk.answer()
    world.run(11)
    world.machine.kill()
    world.run(50)
    world.machine.start()
    world.run(40_000)
    assert "200" not in call.heard
    world.rest()
    assert world.cdrs == []


def test_killed_while_it_rings(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number)
    world.run(100)
    bob.talk.ring()
    world.run(1000)
    world.machine.kill()
    world.machine.start()
    world.run(2000)
    call.cancel()
    bob.talk.reject(480)
    world.rest()
    assert world.cdrs == []


def test_killed_twice(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(3000)
    world.machine.kill()
    world.machine.start()
    world.machine.kill()
    world.run(1000)
    world.machine.start()
    world.rest()
    (cdr,) = world.cdrs
    assert cdr.flags == ("restart",)


def test_call_to_a_binding_that_outlived_the_restart(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.machine.kill()
    world.machine.start()
    world.up(alice, bob)
    alice.talk.bye()
    world.rest()
    assert world.cdrs[0].outcome == "answered"


def test_call_on_hold_when_the_power_goes(world: Scene) -> None:
    """re-INVITEs since the answer are not on disk; the BYE's CSeq is beyond them all the same."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(1000)
    world.machine.kill()
    world.machine.start()
    world.rest()
    assert "BYE" in bob.talk.heard
    assert "BYE" in alice.talk.heard


def test_clock_stepped_before_the_restart(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    world.run(10_000)
    world.step_clock(30_000)
    world.machine.kill()
    world.machine.start()
    world.rest()
    assert world.cdrs[0].duration_s == 11
