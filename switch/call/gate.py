"""The gate: every INVITE that would start a call passes here, once, and leaves with an `Admission` or a
`Refusal`.

The order is the law's: emergency first, then who it is, what was dialled, whether there is a price for it,
and only then limits and the way there (R-EMG-04, R-TAR-14, R-POL-06). Nothing is sent and nothing changes
here.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address

from emergency.numbers import Service
from rating.grant import StopReason
from rating.quote import Quote, quote
from rating.zone import Destination, DestinationClass
from switch.call.admission import Admission, Refusal
from switch.call.charging import CLOSED_STATES, Charging, is_exempt
from switch.call.help import HelpDesk, claimed, facts_of
from switch.call.running import line_name, trunk_name
from switch.malformed import Malformed
from switch.ports import Flow, Moment
from switch.routing.identity import Challenge, Denied, Identity
from switch.routing.lines import Line
from switch.routing.numbers import COUNTRY, dialled_digits, national, normalise
from switch.routing.plan import RoutePlan, Stage, Target, line_stage, trunk_stage
from switch.routing.registrar import Registrar
from switch.routing.trunks import Trunk, Trunks
from switch.settings import Settings
from switch.sip.headers import parse_small_number
from switch.sip.message import Fields, Request
from switch.sip.uri import bracketed, parse_name_addr, parse_uri

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
        help_desk: HelpDesk,
        running: Callable[[str], int],
        closed: Callable[[], str],
        token: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.help = help_desk
        self._token = token
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
            caller = self.help.caller(request, flow, now)
            if isinstance(caller, Challenge):
                return caller
            return self._emergency(service, caller[0], request, now, hops, proven=caller[1])
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
        if line is None or called is None or line.gone:
            return Refusal(404, "no-line")
        calls_back = self.help.calls_back(line, trunk, request, now)
        if not calls_back:  # R-EMG-09: nothing keeps a centre from calling back
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
        if trunk.settings.international and not calls_back and caller.startswith(COUNTRY):  # R-POL-10
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
            verdict="psap-callback" if calls_back else "allowed",
            callback=calls_back,
            limit_s=0 if calls_back else self.settings.limits.max_s,
        )

    # --- emergency ------------------------------------------------------------------------------------------

    def _emergency(
        self, service: Service, line: Line | None, request: Request, now: Moment, hops: int, *, proven: bool
    ) -> Admission:
        """Never refused: to the centre of the line's registered address, then to the default centre
        (R-EMG-03, R-EMG-06)."""
        caller = self._own_number(line, request) if line is not None else ""
        token = self._token()
        found = self.help.dispatch(service, line, caller, now, token)
        alarm = found.route.alarm
        return Admission(
            origin="line",
            line=line,
            trunk="",
            device=(request.get("User-Agent") or "")[:64],
            caller=caller,
            sender=self._sender(caller, not caller),
            dialled=service.number,
            called=service.number,
            destination=self.settings.tariffs.destinations.classify(service.number),
            quote=None,
            plan=self.help.plan(found, request, caller, hops, token),
            emergency=True,
            proven=proven,
            verdict=f"emergency-{found.route.centre.id if alarm is None else alarm.value}",
            limit_s=0,
            help=facts_of(found),
        )

    # --- identity on the wire -------------------------------------------------------------------------------

    def _own_number(self, line: Line, request: Request) -> str:
        """The line's number that the phone asks to present, or its main number (R-POL-06)."""
        number = normalise(claimed(request))
        return number if number in line.numbers and number is not None else line.number

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
    if line.gone:
        return Refusal(404, "no-line")
    return Refusal(480, "line-suspended") if line.state == "suspended" else None


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


def _is_single(source: str) -> bool:
    host, slash, bits = source.partition("/")
    return not slash or int(bits) == ip_address(host).max_prefixlen
