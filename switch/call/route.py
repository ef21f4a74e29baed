"""The way of a call: to the phones of a line, to voicemail or over the carriers, and the names shown there.

Identity on the wire is decided here (R-POL-06, R-POL-07): a carrier is told a number of the line that pays,
a phone of ours who really calls, and neither more than the caller lets be known.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from rating.zone import Destination
from switch.call.counted import trunk_name
from switch.ports import Address, Moment
from switch.routing.lines import Line
from switch.routing.numbers import national
from switch.routing.plan import Stage, Target, line_stage, trunk_stage
from switch.routing.registrar import Registrar
from switch.routing.services import LineServices
from switch.routing.trunks import Trunks
from switch.settings import Settings
from switch.sip.history import Diverted, sent_on
from switch.sip.message import Fields
from switch.sip.uri import bracketed

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
VOICEMAIL_ROW = "voicemail"
"""The price row of the numbers that the voicemail platform answers."""


class Routes:
    """Makes the stages of calls; `running` counts the calls of a trunk by name."""

    def __init__(
        self, *, settings: Settings, registrar: Registrar, trunks: Trunks, running: Callable[[str], int]
    ) -> None:
        self.settings = settings
        self._registrar = registrar
        self._trunks = trunks
        self._running = running

    def sender(self, caller: str, withheld: bool) -> str:
        """The From value that presents a number."""
        if withheld or not caller:
            return ANONYMOUS
        return f'"{national(caller)}" <sip:{caller}@{self.settings.domain};user=phone>'

    def to_line(
        self,
        line: Line,
        services: LineServices,
        called: str,
        now: Moment,
        *,
        hops: int,
        chain: tuple[Diverted, ...] = (),
        urgent: bool = False,
    ) -> Stage | None:
        """All contacts of a line; equipment admitted by address is called there when it is not registered.
        None when there is nothing to ring. Where the secret is out nobody knows whose contacts they are: an
        `urgent` call, of a centre that calls back, rings them all the same."""
        recipient = f"<sip:{called}@{self.settings.domain};user=phone>"
        fields = self._fields(called, hops, chain)
        ring_ns = self.settings.limits.ring_ns
        if services.no_answer:
            ring_ns = min(ring_ns, services.ring_ns)
        bindings = self._registrar.bindings(line.user, now)
        if bindings and (urgent or not line.secret_out):
            return line_stage(bindings, line.number, recipient, fields, ring_ns)
        for source in line.sources:
            host = source.partition("/")[0]
            flow = self._trunks.flow_to(Address(host, 5060)) if _is_single(source) else None
            if flow is not None:
                target = Target(
                    line.number, f"sip:{called}@{bracketed(host)}", recipient, flow, False, fields
                )
                return Stage((target,), reply_ns=0, provisional_ns=0, ring_ns=ring_ns)
        return None

    def outside(
        self,
        destination: Destination,
        caller: str,
        withheld: bool,
        *,
        hops: int,
        chain: tuple[Diverted, ...] = (),
    ) -> tuple[Stage, ...]:
        """Over the trunks in order. RFC 3325: the carrier is trusted with the number, and told when it must
        not go further."""
        called = destination.number
        fields = self._fields(called, hops, chain) | {
            "P-Asserted-Identity": [f"<sip:{caller}@{self.settings.domain};user=phone>"]
        }
        if withheld:
            fields["Privacy"] = ["id"]
        stages: list[Stage] = []
        voicemail = destination.price == VOICEMAIL_ROW
        for trunk in self._trunks.candidates(
            called, lambda name: self._running(trunk_name(name)), voicemail=voicemail
        ):
            for flow in self._trunks.flows_to(trunk):
                name = bracketed(trunk.settings.host)
                stages.append(
                    trunk_stage(trunk, flow, called, name, fields, self.settings.limits.no_answer_ns)
                )
        return tuple(stages)

    def _fields(self, called: str, hops: int, chain: tuple[Diverted, ...]) -> Fields:
        return {"Max-Forwards": [str(max(hops - 1, 1))], **sent_on(chain, called, self.settings.domain)}


def _is_single(source: str) -> bool:
    host, slash, bits = source.partition("/")
    return not slash or int(bits) == ip_address(host).max_prefixlen
