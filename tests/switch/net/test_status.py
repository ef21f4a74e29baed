"""What an operator is told of a running switch: true to what happens to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from switch.call.audit import Audit, Finding
from switch.net.status import status_of
from switch.routing.trunks import DOWN_AFTER, Trunk, TrunkSettings
from tests.scenarios.scene import Scene


class Observer:
    """A world whose switch is asked."""

    def __init__(self) -> None:
        self.world = Scene()
        assert self.world.machine.core is not None
        self.core = self.world.machine.core
        self.app: Any = SimpleNamespace(
            core=self.core, journal=SimpleNamespace(queued=5), auditor=SimpleNamespace(last=None)
        )

    def status(self, why_not_ready: str = "") -> dict[str, Any]:
        return status_of(self.app, why_not_ready)


@pytest.fixture
def observer() -> Observer:
    return Observer()


def test_of_a_switch_at_rest_nothing_is_wrong(observer: Observer) -> None:
    status = observer.status()
    assert (status["ready"], status["queued"], status["strained"]) == ("ready", 5, False)
    assert set(status["trunks"].values()) == {"up"}
    assert set(status["gateways"].values()) == {"up"}
    assert not [name for name in status["gateways"] if name.startswith("gateway ")]
    assert (status["bans"], status["fraud"]) == ({"slowed": 0, "ignored": 0}, {"block": 0, "suspend": 0})
    assert status["audit"] == {}  # not 0 before the first has ended
    assert observer.status("journal full")["ready"] == "journal full"


@pytest.mark.parametrize(
    ("register_s", "registered", "missed", "state"),
    [
        (0, False, 0, "up"),
        (0, False, DOWN_AFTER, "down"),
        (300, True, 0, "registered"),
        (300, False, 0, "unregistered"),
        (300, True, DOWN_AFTER, "down"),
    ],
)
def test_a_carrier_is_up_registered_or_neither(
    register_s: int, registered: bool, missed: int, state: str, observer: Observer
) -> None:
    trunk = Trunk(TrunkSettings("one", "192.0.2.7", 5060, register_s=register_s))
    trunk.registered, trunk.missed = registered, missed
    observer.core.trunks.all = lambda: [trunk]  # type: ignore[method-assign]
    assert observer.status()["trunks"] == {"one": state}


def test_calls_and_refusals_are_counted_once_and_go_on_counting_when_they_end(observer: Observer) -> None:
    world = observer.world
    before = observer.status()["sums"]
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "00385123456789")
    during = observer.status()["sums"]
    assert (during["attempts"] - before["attempts"], during["refused"] - before["refused"]) == (1, 0)
    alice.talk.bye()
    world.rest()
    assert observer.status()["sums"]["attempts"] == during["attempts"]

    observer.core.overload.refused["REGISTER"] += 1
    observer.core.registration.refused["device"] += 1
    observer.core.sums.refusals["barred-premium"] += 1
    assert observer.status()["sums"]["refused"] == during["refused"] + 3


def test_lines_whose_call_for_help_would_go_astray_are_told(observer: Observer) -> None:
    findings = tuple(
        Finding("u", "+3216234567", "active", routed, ("no-address",), ()) for routed in (True, False)
    )
    observer.app.auditor.last = Audit(7, findings)
    assert observer.status()["audit"] == {"checked": 7, "without_route": 1, "with_alarm": 2}


def test_strain_is_told(observer: Observer) -> None:
    observer.core.overload.strained = True
    assert observer.status()["strained"]
