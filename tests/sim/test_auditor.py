"""The auditor earns its keep: each fault put into the switch is found within some tens of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from switch.call import link
from switch.call.attempts import Attempts
from switch.call.help import HelpDesk
from switch.call.leg import Leg
from switch.call.outgoing import OutgoingLeg
from switch.call.recording import record_of
from switch.core import Switch
from switch.media.anchor import Anchor
from switch.media.port_pool import PortPool
from switch.ports import Append, CallEnded
from tests.sim.simulate import simulate

Spoil = Callable[[pytest.MonkeyPatch], None]


def forget_a_bye(patch: pytest.MonkeyPatch) -> None:
    original = Leg.bye

    def bye(self: Leg, cause: int | None, text: str = "") -> None:
        if not isinstance(self, OutgoingLeg):
            original(self, cause, text)

    patch.setattr(Leg, "bye", bye)


def leak_ports(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PortPool, "give", lambda self, ports: None)


def share_ports(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PortPool, "take", lambda self, count, **_: [20_000 + 2 * i for i in range(count)])


def leave_the_relay_open(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Anchor, "close", lambda self: None)


def record_twice(patch: pytest.MonkeyPatch) -> None:
    original = Switch._append

    def append(self: Switch, order: Append) -> None:
        original(self, order)
        if isinstance(order.entry, CallEnded):
            original(self, order)

    patch.setattr(Switch, "_append", append)


def record_nothing(patch: pytest.MonkeyPatch) -> None:
    original = Switch._append

    def append(self: Switch, order: Append) -> None:
        if not isinstance(order.entry, CallEnded) or order.entry.cdr.outcome != "cancelled":
            original(self, order)

    patch.setattr(Switch, "_append", append)


def overcharge(patch: pytest.MonkeyPatch) -> None:
    original = record_of

    def record(*args: Any, **kwargs: Any) -> Any:
        cdr = original(*args, **kwargs)
        return replace(cdr, amount=cdr.amount + 1) if cdr.amount else cdr

    patch.setattr(link, "record_of", record)


def refuse_help(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        HelpDesk,
        "caller",
        lambda self, request, flow, now: self._identity.identify(request, flow, now),
    )


def keep_the_dialog(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Leg, "_finish", lambda self: None)


def let_the_user_agent_through(patch: pytest.MonkeyPatch) -> None:
    original = OutgoingLeg.invite

    def invite(self: OutgoingLeg, sdp: bytes) -> None:
        if isinstance(self.user, Attempts):
            self._invitation.fields["Subject"] = [self.user._admission.device + " "]
        original(self, sdp)

    patch.setattr(OutgoingLeg, "invite", invite)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (forget_a_bye, "no BYE in time"),
        (leak_ports, "left over"),
        (share_ports, "which is odd or another's"),
        (leave_the_relay_open, "left over"),
        (record_twice, "2 records of call"),
        (record_nothing, "a record is missing"),
        (overcharge, "its segments"),
        (refuse_help, "a call for help"),
        (keep_the_dialog, "left over"),
        (let_the_user_agent_through, "is shown something of"),
    ],
)
def test_a_fault_is_found(spoil: Spoil, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch)
    assert any(found in problem for seed in range(1, 41) for problem in simulate(seed).problems)
