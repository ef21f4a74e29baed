"""A phone is reached elsewhere in the middle of a call."""

from __future__ import annotations

import pytest

from switch.ports import Address
from tests.scenarios.scene import Scene
from tests.sim.parties import Party
from tests.sim.world import HOSTS


def test_the_address_behind_nat_changes(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The phone says so with its next registration, and the other party's BYE reaches it."""
    inside = property(lambda party: f"<sip:{party.user}@{HOSTS[party.name]}:5060>")
    monkeypatch.setattr(Party, "contact", inside)
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.address = Address(alice.address.host, 40_123)
    world.network.attach("alice", alice.address, alice.receive)
    alice.register()
    world.run(500)
    bob.talk.bye()
    world.run(2000)
    assert "bye-200" in bob.talk.heard
    assert alice.talk.over
    bye = next(hop for hop in reversed(world.network.hops) if hop.data.startswith(b"BYE sip:alice@"))
    assert bye.target == alice.address
    world.rest()
