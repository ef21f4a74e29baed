"""The same stories with the k-th datagram lost, doubled or refused by the host, for every k; likewise with
the power cut after it. Whatever k is, all comes to rest and the books are right."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.scene import Scene, answers

Story = Callable[[Scene], None]


def call(world: Scene) -> None:
    """A call with a hold in it."""
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob)
    talk = alice.invite(bob.number)
    alice.after(4000, talk.hold)
    alice.after(8000, talk.info)
    alice.after(12_000, talk.bye)


def cancelled(world: Scene) -> None:
    """A call given up while it rings on two phones."""
    alice, bob, second = world.phone("alice"), world.phone("bob"), world.phone("bob2", line="bob")
    for phone in (bob, second):
        phone.on_call = lambda talk: talk.ring()
    talk = alice.invite(bob.number)
    alice.after(3000, talk.cancel)


def failover(world: Scene) -> None:
    """A late offer over the second carrier, ended by the called side."""
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503)
    answers(reserve)
    alice.invite("0478123456", offer=False)
    reserve.after(6000, lambda: reserve.talk.hang_up() if reserve.talks else None)


def help_(world: Scene) -> None:
    """A call for help that the first gateway refuses."""
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = lambda talk: talk.reject(503)
    answers(second, ring=183, media=True)
    talk = alice.invite("112", uri="sip:112@voice.example")
    alice.after(6000, talk.hang_up)


STORIES = {"call": call, "cancelled": cancelled, "failover": failover, "help": help_}


def settle(world: Scene) -> None:
    """Whoever is still in a call a minute later hangs up."""
    world.run(60_000)
    for _ in range(4):
        for party in world.parties.values():
            for talk in party.talks:
                talk.hang_up()
        world.run(40_000)
    world.run(30_000)
    world.rest()


def length(story: Story) -> int:
    """How many datagrams the undisturbed story has."""
    world = Scene()
    story(world)
    settle(world)
    return len(world.network.hops)


@pytest.mark.parametrize("fate", ["lost", "twice", "refused"])
@pytest.mark.parametrize("name", STORIES)
def test_kth_datagram(name: str, fate: str) -> None:
    for k in range(length(STORIES[name])):
        world = Scene()
        world.network.kth = {k: fate}
        try:
            STORIES[name](world)
            settle(world)
        except AssertionError as error:
            raise AssertionError(f"{name}: datagram {k} {fate}: {error}") from error


@pytest.mark.parametrize("name", STORIES)
def test_power_cut_after_the_kth_datagram(name: str) -> None:
    for k in range(length(STORIES[name])):
        world = Scene()
        STORIES[name](world)
        while len(world.network.hops) <= k:
            world.run(1)
        world.machine.kill()
        world.run(200)
        world.machine.start()
        try:
            settle(world)
        except AssertionError as error:
            raise AssertionError(f"{name}: cut after datagram {k}: {error}") from error
