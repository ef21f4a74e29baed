"""The attempts of a call, in order: stages tried one after the other, each with targets called at the same
time."""

from __future__ import annotations

from dataclasses import dataclass, field

from switch.ports import Flow
from switch.routing.numbers import national
from switch.routing.registrar import Binding
from switch.routing.trunks import Trunk
from switch.sdp.terms import SideTerms
from switch.sip.message import Fields
from switch.sip.multipart import Part

DIVERSION_FIELDS = ("Diversion", "History-Info")


@dataclass(frozen=True, slots=True)
class Target:
    """One place to send an INVITE. `name` says in records where it went: a trunk, a gateway, or the line
    called.

    `follows_flow`: the party is a phone, to be reached where its requests come from.
    """

    name: str
    uri: str
    recipient: str
    flow: Flow
    follows_flow: bool
    fields: Fields
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = ()
    """What travels in the body behind the SDP."""
    reliable: bool = False
    """Whether it may send reliably that it rings (RFC 3262)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Targets called together. `reply_ns`: no response at all in that time fails the stage;
    `provisional_ns`: nothing but 100 does; `ring_ns`: no answer does. 0 means no such limit."""

    targets: tuple[Target, ...]
    reply_ns: int
    provisional_ns: int
    ring_ns: int
    trunk: str = ""
    terms: SideTerms | None = None
    """On what terms the called side takes part; None: as phones do."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """Stages in order, and whether they lead to an emergency centre, where every refusal leads on
    (R-EMG-06)."""

    stages: tuple[Stage, ...]
    emergency: bool = False


def written(number: str, style: str) -> str:
    """A number in E.164 form as a carrier wants to read it: `e164` as it is, `00` with that in place of the
    plus, `national` as it is dialled in Belgium."""
    if style == "e164" or not number.startswith("+"):
        return number
    return national(number) if style == "national" else f"00{number[1:]}"


def line_stage(bindings: list[Binding], name: str, recipient: str, fields: Fields, ring_ns: int) -> Stage:
    """All contacts of a line at once."""
    targets = tuple(Target(name, b.contact, recipient, b.flow, True, fields) for b in bindings)
    return Stage(targets, reply_ns=0, provisional_ns=0, ring_ns=ring_ns)


def trunk_stage(trunk: Trunk, flow: Flow, number: str, host: str, fields: Fields, ring_ns: int) -> Stage:
    """One carrier, in its own style."""
    settings = trunk.settings
    number = written(number, settings.numbers)
    fields = {
        name: rows
        for name, rows in fields.items()
        if name not in DIVERSION_FIELDS or name in settings.diversion
    }
    if settings.early_media:
        fields["P-Early-Media"] = ["supported"]
    over = "" if settings.transport == "udp" else f";transport={settings.transport}"
    uri = f"sip:{number}@{host}{settings.shown_port};user=phone{over}"
    target = Target(
        settings.name,
        uri,
        f"<sip:{number}@{host};user=phone>",
        flow,
        False,
        fields,
        settings.credentials,
        reliable=settings.prack,
    )
    return Stage(
        (target,),
        reply_ns=settings.reply_ns,
        provisional_ns=0,
        ring_ns=ring_ns,
        trunk=settings.name,
        terms=settings.terms,
    )


def moves_on(emergency: bool, status: int, local: bool) -> bool:
    """Whether the next stage is tried after this outcome: time-outs, transport failures and server
    failures of the network do; what the called party itself said does not. An emergency call goes on after
    every refusal but 487."""
    if emergency:
        return status != 487
    return local or status == 408 or 500 <= status < 600
