"""A carrier that we register with: it sends calls to our Contact (RFC 3261 section 10.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.scene import Scene, answers
from tests.sim.world import DOMAIN, TRUNK_PASSWORD, settings

US = TRUNK_PASSWORD[0]


@pytest.fixture
def world() -> Scene:
    """The carrier knows us by registration."""
    first, *others = (replace(trunk, probe_ns=0) for trunk in settings().trunks)
    return Scene(trunks=(replace(first, credentials=TRUNK_PASSWORD, register_s=600), *others))


def rest(world: Scene) -> None:
    """Rest, once nobody is registered with any more: that would go on for ever."""
    core = world.machine.core
    assert core is not None
    core.trunks.replace(replace(trunk.settings, register_s=0) for trunk in core.trunks.all())
    world.rest()


@pytest.mark.parametrize("field", ["Request-URI", "P-Called-Party-ID"])
def test_its_calls_reach_the_number_that_was_dialled(world: Scene, field: str) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    answers(alice)
    if field == "Request-URI":
        talk = carrier.invite(alice.number)
    else:
        rows = [(field, f"<sip:{alice.number}@{DOMAIN}>")]
        talk = carrier.invite("", uri=f"sip:{US}@{DOMAIN}", rows=rows)
    assert world.run_until(lambda: talk.up)
    talk.bye()
    rest(world)
    (cdr,) = world.cdrs
    assert (cdr.called, cdr.trunk, cdr.outcome) == (alice.number, "carrier", "answered")


def test_what_stands_nowhere_is_no_line(world: Scene) -> None:
    carrier = world.carrier()
    talk = carrier.invite("", uri=f"sip:{US}@{DOMAIN}")
    world.run(500)
    assert talk.heard[-1] == "404"
    rest(world)


def test_until_it_knows_us_others_are_tried_first(world: Scene) -> None:
    alice, reserve = world.phone("alice"), world.carrier("reserve")
    answers(reserve)
    talk = alice.invite("0478123456")
    assert world.run_until(lambda: talk.up)
    talk.bye()
    rest(world)
    assert [cdr.trunk for cdr in world.cdrs] == ["reserve"]
