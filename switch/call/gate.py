"""The gate: every INVITE that would start a call passes here, once, and leaves with an `Admission` or a
`Refusal`.

The order is the law's: emergency first, then who it is, what was dialled, whether there is a price for it,
and only then limits and the way there (R-EMG-04, R-TAR-14, R-POL-06). Nothing is sent and nothing changes
here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from ipaddress import ip_address
from typing import Any

from emergency.decide import EmergencyRoute, decide
from emergency.location import Address as CivicAddress
from emergency.numbers import Service
from rating.grant import StopReason
from rating.quote import Quote, quote
from rating.zone import Destination, DestinationClass
from switch.call.admission import Admission, Refusal
from switch.call.charging import CLOSED_STATES, Charging, is_exempt
from switch.call.running import UNPROVEN, line_name, trunk_name
from switch.malformed import Malformed
from switch.ports import Flow, Moment
from switch.routing.identity import Challenge, Denied, Identity, claimed_user
from switch.routing.lines import Line
from switch.routing.numbers import COUNTRY, dialled_digits, national, normalise
from switch.routing.plan import RoutePlan, Stage, Target, line_stage, trunk_stage
from switch.routing.registrar import Registrar
from switch.routing.trunks import Trunk, Trunks
from switch.settings import Settings
from switch.sip.headers import parse_small_number
from switch.sip.message import Fields, Request
from switch.sip.uri import bracketed, parse_name_addr, parse_uri

MOST_UNPROVEN = 32
"""Emergency calls at a time of callers who proved nothing; the next ones are asked for their password, so
that nobody can take every port in a known line's name."""

UNPAID = {
    StopReason.CAP: "cap-reached",
    StopReason.LIMITED: "line-limited",
    StopReason.CLOSED: "line-closed",
}
"""The reason code of a call that the line's account does not pay for (R-CAP-03, R-SUS-01)."""

BELGIAN_MOBILE = tuple(f"{COUNTRY}4{digit}" for digit in "56789")


class Gate:
    """Decides about calls with the tables of the switch; `running` counts the calls of a line or trunk by
    name."""

    def __init__(
        self,
        *,
        settings: Settings,
        identity: Identity,
        registrar: Registrar,
        trunks: Trunks,
        charging: Charging,
        running: Callable[[str], int],
        closed: Callable[[], str],
    ) -> None:
        self.settings = settings
        self._identity = identity
        self._registrar = registrar
        self._trunks = trunks
        self._charging = charging
        self._running = running
        self._closed = closed

    def admit(self, request: Request, flow: Flow, now: Moment) -> Admission | Refusal | Challenge | Denied:
        """The decision about a call.

        Raises:
            Malformed: the request cannot be understood far enough to decide.
        """
        hops = parse_small_number(request.get("Max-Forwards"), 70, 255)
        service = self.settings.emergency.numbers.recognise(request.uri)
        if hops == 0 and not (service is not None and service.is_emergency):
            raise Malformed(483, "Too Many Hops")
        trunk = self._trunks.admitted_from(flow.remote)
        if trunk is not None:
            return self._from_trunk(trunk, request, now, hops)
        if service is not None and service.is_emergency:
            caller = self._emergency_caller(request, flow, now)
            if isinstance(caller, Challenge):
                return caller
            return self._emergency(service, caller[0], request, hops, proven=caller[1])
        line = self._identity.identify(request, flow, now)
        if isinstance(line, Challenge | Denied):
            return line
        return self._from_line(line, service, request, now, hops)

    # --- from a line ----------------------------------------------------------------------------------------

    def _from_line(
        self, line: Line, service: Service | None, request: Request, now: Moment, hops: int
    ) -> Admission | Refusal:
        dialled = service.number if service is not None else dialled_digits(parse_uri(request.uri))
        called = service.number if service is not None else normalise(dialled)
        if called is None:
            return Refusal(404, "bad-number")
        destination = self.settings.tariffs.destinations.classify(called)
        if destination is None:
            return Refusal(404, "no-destination")
        if line.state in CLOSED_STATES and service is None:
            return Refusal(403, f"line-{line.state}")
        if destination.cls is DestinationClass.BE_PREMIUM and not line.premium:
            return Refusal(403, "barred-premium")  # R-SPC-04
        priced = quote(self.settings.tariffs, line.plan, line.options, destination, now.wall_ns)
        if not isinstance(priced, Quote):
            return Refusal(403, priced.reason.value)
        if not is_exempt(priced):
            unpaid = self._charging.objection(line, priced.terms, now)
            if unpaid is not None:
                return Refusal(403, UNPAID[unpaid])
        callee = self._identity.lines.by_number.get(called)
        if callee is not None and (shut := _shut(callee)):
            return shut
        if closed := self._closed():
            return Refusal(503, closed, {"Retry-After": ["30"]})
        if self._running(line_name(line)) >= line.max_calls:
            return Refusal(486, "line-calls")
        if callee is not None and self._running(line_name(callee)) >= callee.max_calls:
            return Refusal(486, "callee-calls")
        caller = self._own_number(line, request)
        withheld = _wants_privacy(request)
        stages = self._stages(called, destination, caller, withheld, now, hops)
        if not stages:
            return Refusal(503 if callee is None else 480, "no-route")
        return Admission(
            origin="line",
            line=line,
            trunk="",
            device=(request.get("User-Agent") or "")[:64],
            caller=caller,
            sender=self._sender(caller, withheld),
            dialled=dialled,
            called=called,
            destination=destination,
            quote=priced,
            plan=RoutePlan(stages),
            emergency=False,
            proven=True,
            verdict="allowed",
            limit_s=min(filter(None, (self.settings.limits.max_s, priced.cut_s)), default=0),
        )

    def _stages(
        self, called: str, destination: Destination, caller: str, withheld: bool, now: Moment, hops: int
    ) -> tuple[Stage, ...]:
        """To a line of ours, or over the trunks in order."""
        line = self._identity.lines.by_number.get(called)
        if line is not None:
            stage = self._to_line(line, called, now, hops)
            return (stage,) if stage is not None else ()
        fields = self._towards_trunk(caller, withheld, hops)
        stages: list[Stage] = []
        for trunk in self._trunks.candidates(called, lambda name: self._running(trunk_name(name))):
            for host in trunk.hosts:
                flow = self._trunks.flow_to(host, trunk.settings.port)
                if flow is not None:
                    name = bracketed(trunk.settings.host)
                    stages.append(
                        trunk_stage(trunk, flow, called, name, fields, self.settings.limits.no_answer_ns)
                    )
        return tuple(stages)

    def _to_line(self, line: Line, called: str, now: Moment, hops: int) -> Stage | None:
        """All contacts of a line; equipment admitted by address is called there when it is not registered."""
        recipient = f"<sip:{called}@{self.settings.domain};user=phone>"
        fields: Fields = {"Max-Forwards": [str(hops - 1)]}
        ring_ns = self.settings.limits.ring_ns
        bindings = self._registrar.bindings(line.user, now)
        if bindings:
            return line_stage(bindings, line.number, recipient, fields, ring_ns)
        for source in line.sources:
            host = source.partition("/")[0]
            flow = self._trunks.flow_to(host, 5060) if _is_single(source) else None
            if flow is not None:
                target = Target(
                    line.number, f"sip:{called}@{bracketed(host)}", recipient, flow, False, fields
                )
                return Stage((target,), reply_ns=0, provisional_ns=0, ring_ns=ring_ns)
        return None

    # --- from a trunk ---------------------------------------------------------------------------------------

    def _from_trunk(self, trunk: Trunk, request: Request, now: Moment, hops: int) -> Admission | Refusal:
        """To a line of ours only: the switch relays nothing from one carrier to another."""
        dialled = dialled_digits(parse_uri(request.uri))
        called = normalise(dialled)
        line = self._identity.lines.by_number.get(called) if called is not None else None
        if line is None or called is None:
            return Refusal(404, "no-line")
        if shut := _shut(line):
            return shut
        if closed := self._closed():
            return Refusal(503, closed, {"Retry-After": ["30"]})
        if self._running(line_name(line)) >= line.max_calls:
            return Refusal(486, "line-calls")
        stage = self._to_line(line, called, now, hops)
        if stage is None:
            return Refusal(480, "not-registered")
        caller = _asserted(request)
        if trunk.settings.international and caller.startswith(COUNTRY):  # R-POL-10
            if not caller.startswith(BELGIAN_MOBILE):
                return Refusal(403, "belgian-caller")
            caller = ""  # roaming perhaps, but nobody has confirmed it
        return Admission(
            origin="trunk",
            line=None,
            trunk=trunk.settings.name,
            device="",
            caller=caller,
            sender=self._sender(caller, _wants_privacy(request) or not caller),
            dialled=dialled,
            called=called,
            destination=None,
            quote=None,
            plan=RoutePlan((stage,)),
            emergency=False,
            proven=True,
            verdict="allowed",
            limit_s=self.settings.limits.max_s,
        )

    # --- emergency ------------------------------------------------------------------------------------------

    def _emergency_caller(
        self, request: Request, flow: Flow, now: Moment
    ) -> tuple[Line | None, bool] | Challenge:
        """Who calls for help, and whether that is proven. A line that is known by name needs no password
        (R-EMG-04, R-EMG-05) and a wrong one is no reason to turn it away: the location sent is its own
        (R-EMG-03), so names go before addresses.
        """
        lines = self._identity.lines
        try:
            known = self._identity.identify(request, flow, now)
            spoken_for = self._identity.user_of(request)
        except Malformed:  # From is no address
            known, spoken_for = self._identity.challenge(None, flow, now), ""
        user = _claimed(request)
        named = lines.by_user.get(user) or lines.by_number.get(normalise(user) or user)
        at_address = lines.admitted_from(flow.remote.host)
        if isinstance(known, Line) and known is not at_address:
            return known, True
        if at_address is not None and (named is None or named is at_address):
            return at_address, True
        line = named or lines.by_user.get(spoken_for)
        if line is not None and self._registrar.is_reached_by(line.user, flow):
            return line, True
        if line is None:
            owner = self._registrar.owner_of(flow)
            if owner is not None and owner in lines.by_user:
                return lines.by_user[owner], True
        if line is not None and line.state == "terminated":
            line = None
        policy = self.settings.emergency_without_digest
        crowded = self._running(UNPROVEN) >= MOST_UNPROVEN
        if not crowded and (policy == "any" or (policy == "known_aor" and line is not None)):
            return line, at_address is not None
        return known if isinstance(known, Challenge) else self._identity.challenge(line, flow, now)

    def _emergency(
        self, service: Service, line: Line | None, request: Request, hops: int, *, proven: bool
    ) -> Admission:
        """Never refused: to the centre of the line's registered address, then to the default centre
        (R-EMG-03, R-EMG-06)."""
        settings = self.settings
        address = _civic(line.address) if line is not None and line.address is not None else None
        route = decide(service, address, settings.emergency)
        caller = self._own_number(line, request) if line is not None else ""
        destination = settings.tariffs.destinations.classify(service.number)
        return Admission(
            origin="line",
            line=line,
            trunk="",
            device=(request.get("User-Agent") or "")[:64],
            caller=caller,
            sender=self._sender(caller, not caller),
            dialled=service.number,
            called=service.number,
            destination=destination,
            quote=None,
            plan=RoutePlan(self._emergency_stages(route, caller, hops), emergency=True),
            emergency=True,
            proven=proven,
            verdict=f"emergency-{route.centre.id}"
            if route.alarm is None
            else f"emergency-{route.alarm.value}",
            limit_s=0,
        )

    def _emergency_stages(self, route: EmergencyRoute, caller: str, hops: int) -> tuple[Stage, ...]:
        fields: Fields = {"Max-Forwards": [str(max(hops - 1, 1))], "Priority": ["emergency"]}
        if caller:
            fields["P-Asserted-Identity"] = [f"<sip:{caller}@{self.settings.domain};user=phone>"]
        stages = []
        number = route.service.number
        for gateway in route.gateways:
            flow = self._trunks.flow_to(gateway.host, gateway.port)
            if flow is None:
                continue
            target = Target(
                gateway.id,
                gateway.request_uri(route.service),
                f"<sip:{number}@{self.settings.domain};user=phone>",
                flow,
                False,
                fields,
            )
            failover = route.failover
            stages.append(
                Stage(
                    (target,),
                    failover.trying_timeout_ns,
                    failover.provisional_timeout_ns,
                    ring_ns=0,
                    trunk=gateway.id,
                )
            )
        return tuple(stages)

    # --- identity on the wire -------------------------------------------------------------------------------

    def _own_number(self, line: Line, request: Request) -> str:
        """The line's number that the phone asks to present, or its main number (R-POL-06)."""
        claimed = normalise(_claimed(request))
        return claimed if claimed in line.numbers and claimed is not None else line.number

    def _sender(self, caller: str, withheld: bool) -> str:
        if withheld:
            return '"Anonymous" <sip:anonymous@anonymous.invalid>'
        return f'"{national(caller)}" <sip:{caller}@{self.settings.domain};user=phone>'

    def _towards_trunk(self, caller: str, withheld: bool, hops: int) -> Fields:
        """RFC 3325: the carrier is trusted with the number, and told when it must not go further."""
        fields: Fields = {
            "Max-Forwards": [str(hops - 1)],
            "P-Asserted-Identity": [f"<sip:{caller}@{self.settings.domain};user=phone>"],
        }
        if withheld:
            fields["Privacy"] = ["id"]
        return fields


def _shut(line: Line) -> Refusal | None:
    """Why nobody can call a line (domain guide section 8)."""
    match line.state:
        case "terminated":
            return Refusal(404, "no-line")
        case "suspended":
            return Refusal(480, "line-suspended")
    return None


def _claimed(request: Request) -> str:
    """The user in From, '' when it has none that can be read: no reason to turn away a call for help
    (R-EMG-05)."""
    try:
        return claimed_user(request)
    except Malformed:
        return ""


def _wants_privacy(request: Request) -> bool:
    """Privacy (RFC 3323), or an anonymous From."""
    if any(
        part.strip().lower() in ("id", "user", "header")
        for row in request.rows("Privacy")
        for part in row.split(";")
    ):
        return True
    return "anonymous" in request.sender.uri.lower()


def _asserted(request: Request) -> str:
    """The caller's number as a carrier gives it: P-Asserted-Identity, else From; '' when neither holds a
    number."""
    for text in [*request.values("P-Asserted-Identity"), request.sender.uri]:
        try:
            number = normalise(parse_uri(parse_name_addr(text).uri).number())
        except Malformed:
            continue
        if number is not None:
            return number
    return ""


def _civic(address: Mapping[str, Any]) -> CivicAddress:
    """The stored address whatever it lacks: a gap is a fault of the address, not of the call (R-EMG-03)."""
    return CivicAddress(**{item.name: str(address.get(item.name, "")) for item in fields_of(CivicAddress)})


def _is_single(source: str) -> bool:
    host, slash, bits = source.partition("/")
    return not slash or int(bits) == ip_address(host).max_prefixlen
