"""The gate: every leg of every call passes here before anything is sent, and leaves with an `Admission` or a
`Refusal`, whether it was dialled, came in by a carrier, or was caused by a forwarding, a 302 or a REFER.

The order is the law's: emergency first, then who it is, what may be called (`switch.call.policy`), whether
there is a price for it and money, and only then limits and the way there (R-EMG-04, R-TAR-14, R-POL-06).
Nothing is sent and nothing changes here, so `belswitch explain` asks the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from emergency.numbers import Service as HelpService
from rating.grant import StopReason
from rating.quote import Quote, quote
from rating.zone import Destination
from switch.call.admission import Admission, Refusal
from switch.call.charging import Charging, is_exempt
from switch.call.counted import line_name, sent_on_name
from switch.call.features import Feature, feature_of
from switch.call.help import HelpDesk, claimed, facts_of
from switch.call.policy import CLOSED_STATES, Origin, Party, join_objection, objection
from switch.call.reasons import refusal
from switch.call.route import Routes
from switch.malformed import Malformed
from switch.ports import Flow, Moment
from switch.routing.identity import Challenge, Identity, Unproven
from switch.routing.lines import Line
from switch.routing.numbers import COUNTRY, dialled_digits, normalise
from switch.routing.plan import RoutePlan, Stage
from switch.routing.registrar import Registrar
from switch.routing.services import ServiceTable
from switch.routing.trunks import Trunk, Trunks
from switch.settings import Settings
from switch.sip.headers import parse_small_number
from switch.sip.history import Diverted, chain_of
from switch.sip.message import Request
from switch.sip.uri import parse_name_addr, parse_uri

UNPAID = {
    StopReason.CAP: "cap-reached",
    StopReason.LIMITED: "line-limited",
    StopReason.CLOSED: "line-closed",
}
"""The reason code of a call that the line's account does not pay for (R-CAP-03, R-SUS-01)."""

BELGIAN_MOBILE = tuple(f"{COUNTRY}4{digit}" for digit in "56789")

REASON_OF_DIVERSION = {
    "always": "unconditional",
    "busy": "user-busy",
    "no-answer": "no-answer",
    "unreachable": "unavailable",
    "redirect": "deflection",
    "transfer": "unconditional",
}
"""Why a call is sent on, in the words of RFC 5806."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A leg that a line wants to cause: what is called, as it was dialled; the number of the line that is
    presented; what the call has behind it. `shown` is who a phone of ours is told will be on the other end
    where that is not the line: '' for an anonymous caller. `running`: it is part of a call that goes on, not
    one of its own.
    """

    origin: Origin
    line: Line
    dialled: str
    caller: str
    withheld: bool = False
    chain: tuple[Diverted, ...] = ()
    hops: int = 70
    device: str = ""
    shown: str | None = None
    running: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """A line asks for one of its services and not for a call."""

    line: Line
    feature: Feature


class Gate:
    """Decides about calls with the tables of the switch; `running` counts the calls of a line or trunk by
    name, `closed` says why no call is taken at all ('' when it is)."""

    def __init__(
        self,
        *,
        settings: Settings,
        identity: Identity,
        registrar: Registrar,
        trunks: Trunks,
        services: ServiceTable,
        charging: Charging,
        help_desk: HelpDesk,
        running: Callable[[str], int],
        closed: Callable[[], str],
        token: Callable[[], str],
    ) -> None:
        self._settings = settings
        self.help = help_desk
        self._token = token
        self._identity = identity
        self._routes = Routes(settings=settings, registrar=registrar, trunks=trunks, running=running)
        self._trunks = trunks
        self._services = services
        self._charging = charging
        self._running = running
        self._closed = closed

    def replace_settings(self, settings: Settings) -> None:
        """A new configuration for new calls."""
        self._settings = self._routes.settings = self.help.settings = settings

    @property
    def records_refusals(self) -> bool:
        """Whether there is room for records of what comes to nothing, which anybody can ask for as often as
        he likes."""
        return self._closed() != "journal-full"

    def admit(self, request: Request, flow: Flow, now: Moment) -> Admission | Service | Refusal | Unproven:
        """The decision about an INVITE that would start a call.

        Raises:
            Malformed: the request cannot be understood far enough to decide.
        """
        hops = parse_small_number(request.get("Max-Forwards"), 70, 255)
        service = self.service_of(request.uri)
        if hops == 0 and not (service is not None and service.is_emergency):
            raise Malformed(483, "Too Many Hops")
        trunk = self._trunks.admitted_from(flow)
        if trunk is not None:
            return self._from_trunk(trunk, request, now, hops)
        if service is not None and service.is_emergency:
            caller = self.help.caller(request, flow, now)
            if isinstance(caller, Challenge):
                return caller
            return self._emergency(service, caller[0], request, now, hops, proven=caller[1])
        line = self._identity.identify(request, flow, now)
        if not isinstance(line, Line):
            return line
        return self._from_line(line, service, request, now, hops)

    def service_of(self, uri: str) -> HelpService | None:
        """The emergency number or helpline that a Request-URI or dialled digits ask for, with or without a
        code before it that shows or hides the caller's number."""
        recognise = self._settings.emergency.numbers.recognise
        service = recognise(uri)
        if service is None and "31" in uri:
            with contextlib.suppress(Malformed):
                feature = feature_of(parse_uri(uri).number() if ":" in uri else uri)
                if feature is not None and feature.action == "call":
                    return recognise(feature.number)
        return service

    # --- from a line ----------------------------------------------------------------------------------------

    def _from_line(
        self, line: Line, service: HelpService | None, request: Request, now: Moment, hops: int
    ) -> Admission | Service | Refusal:
        dialled = service.number if service is not None else dialled_digits(parse_uri(request.uri))
        feature = feature_of(_user_of(request.uri))
        withheld = line.withhold or _wants_privacy(request)
        if feature is not None:
            if feature.action != "call":
                code = f"line-{line.state}" if line.state in CLOSED_STATES else ""
                return refusal(code) if code else Service(line, feature)
            dialled = dialled if service is not None else feature.number
            withheld = feature.withhold
        passed = chain_of(request)
        caller = self._own_number(line, request)
        origin = Origin.DIALLED
        if passed:
            origin = Origin.FORWARD  # R-POL-02: the phone, or what stands behind it, sends a call on
        elif "Referred-By" in request.fields:
            origin = Origin.TRANSFER
        chain = tuple(Diverted(caller, "unconditional") for _ in passed[:1])
        chain += tuple(Diverted(one, "unconditional") for one in passed[1:])
        ask = Ask(
            origin,
            line,
            dialled,
            caller,
            withheld,
            chain=chain,
            hops=hops,
            device=(request.get("User-Agent") or "")[:64],
        )
        return self.leave(ask, now)

    def leave(self, ask: Ask, now: Moment) -> Admission | Refusal:
        """The decision about a leg that a line causes, dialled or not."""
        priced = self.decide(ask, now)
        if isinstance(priced, Refusal):
            return priced
        line, destination = ask.line, priced.destination
        callee = self._identity.lines.by_number.get(destination.number)
        stages: tuple[Stage, ...] = ()
        diverts, blocked = "", None
        shown = "" if ask.withheld else ask.caller
        if callee is not None:
            shown = shown if ask.shown is None else ask.shown
            shut = self._shut(callee, anonymous=not shown)
            if shut is not None:
                return shut
        if closed := self._closed():
            return refusal(closed)
        if self._has_all_its_calls(ask):
            return refusal("line-calls")
        if callee is not None:
            stages, diverts, blocked = self._reach(
                callee, destination.number, now, ask.hops, ask.chain, "callee-calls"
            )
            if blocked is not None and not diverts:
                return blocked
        else:
            stages = self._routes.outside(
                destination, ask.caller, ask.withheld, hops=ask.hops, chain=ask.chain
            )
            if not stages:
                return refusal("no-route")
        return Admission(
            origin="line" if ask.origin is Origin.DIALLED else ask.origin.value,
            line=line,
            trunk="",
            device=ask.device,
            caller=ask.caller,
            sender=self._routes.sender(shown, not shown),
            dialled=ask.dialled,
            called=destination.number,
            destination=destination,
            quote=priced,
            plan=RoutePlan(stages),
            emergency=False,
            proven=True,
            verdict="allowed",
            limit_s=min(filter(None, (self._longest_s(line, now), priced.cut_s)), default=0),
            callee=callee,
            diverts=diverts,
            blocked=blocked,
            chain=ask.chain,
            hops=ask.hops - 1,
            withheld=ask.withheld,
        )

    def decide(self, ask: Ask, now: Moment) -> Quote | Refusal:
        """Whether the line may cause this leg and can pay for it: its price, or why not."""
        destination = self.classify(ask.dialled)
        if isinstance(destination, Refusal):
            return destination
        passed = tuple(one.number for one in ask.chain)
        if code := objection(ask.origin, ask.line, destination, passed):
            return refusal(code)
        priced = quote(self._settings.tariffs, ask.line.plan, ask.line.options, destination, now.wall_ns)
        if not isinstance(priced, Quote):
            return refusal(priced.reason.value)
        if not is_exempt(priced):
            unpaid = self._charging.objection(ask.line, priced.terms, now)
            if unpaid is not None:
                return refusal(UNPAID[unpaid])
        return priced

    def classify(self, dialled: str) -> Destination | Refusal:
        """What was dialled, as a destination that there is."""
        called = normalise(dialled)
        service = self._settings.emergency.numbers.recognise(dialled)
        if service is not None:
            called = service.number
        if called is None:
            return refusal("bad-number")
        destination = self._settings.tariffs.destinations.classify(called)
        return destination if destination is not None else refusal("no-destination")

    def send_on(
        self,
        admission: Admission,
        line: Line,
        origin: Origin,
        condition: str,
        target: str,
        now: Moment,
        *,
        shown: str,
    ) -> Admission | Refusal:
        """The decision about a leg in place of one that this line has: forwarded on a `condition`, redirected
        by its phone, transferred. It is an outgoing call of the line (R-POL-02, R-POL-11); a phone of ours
        is `shown` who will be on the other end, '' for an anonymous caller."""
        current = self._identity.lines.by_user.get(line.user)  # as it is now, not when the call began
        if current is None:
            return refusal("no-line")
        line = current
        if admission.hops <= 0:
            return refusal("too-many-diversions")
        number = admission.called if admission.called in line.numbers else line.number
        why = REASON_OF_DIVERSION[condition]
        ask = Ask(
            origin,
            line,
            target,
            number,
            withheld=line.withhold,
            chain=(Diverted(number, why), *admission.chain),
            hops=admission.hops,
            shown=shown,
            running=True,
        )
        return self.leave(ask, now)

    def join(self, line: Line, one: Party, other: Party) -> Refusal | None:
        """Whether a line may join two parties that it talks to (R-POL-02); None when it may."""
        current = self._identity.lines.by_user.get(line.user)
        code = join_objection(current, one, other) if current is not None else "no-line"
        return refusal(code) if code else None

    def _longest_s(self, line: Line, now: Moment) -> int:
        """How long an answered call of a line may last: its plan's word, else the switch's (R-LIM-01)."""
        tariff = self._settings.tariffs.version_at(now.wall_ns)
        plan = tariff.plans.get(line.plan) if tariff is not None else None
        return (plan.longest_s if plan is not None else 0) or self._settings.limits.max_s

    def _has_all_its_calls(self, ask: Ask) -> bool:
        """Whether the line's limit is reached (R-POL-08); what it sends on counts by itself, for the call
        that is sent on counts as one of its calls already. An INVITE of its own is one more call, whatever
        it says of where it comes from."""
        name = sent_on_name(ask.line) if ask.running else line_name(ask.line)
        return self._running(name) >= ask.line.max_calls

    # --- to a line ------------------------------------------------------------------------------------------

    def _shut(self, line: Line, *, anonymous: bool) -> Refusal | None:
        """Why nobody, or not this caller, can call a line (domain guide section 8)."""
        if line.gone:
            return refusal("no-line")
        if line.state == "suspended":
            return refusal("callee-suspended")
        if anonymous and self._services.of(line.user).reject_anonymous:
            return refusal("anonymous-rejected")
        return None

    def _reach(
        self,
        line: Line,
        called: str,
        now: Moment,
        hops: int,
        chain: tuple[Diverted, ...],
        busy_code: str,
    ) -> tuple[tuple[Stage, ...], str, Refusal | None]:
        """The stages that ring a line, the condition on which its calls are forwarded at once ('' for none),
        and why it cannot be rung (None when it can)."""
        services = self._services.of(line.user)
        stage = self._routes.to_line(line, services, called, now, hops=hops, chain=chain)
        stages = (stage,) if stage is not None else ()
        blocked, condition = None, ""
        if self._running(line_name(line)) >= line.max_calls:
            blocked, condition, stages = refusal(busy_code), "busy", ()
        elif stage is None:
            blocked, condition = refusal("not-registered"), "unreachable"
        if services.always:
            return stages, "always", blocked
        return stages, condition if condition and services.target(condition) else "", blocked

    # --- from a trunk ---------------------------------------------------------------------------------------

    def _from_trunk(self, trunk: Trunk, request: Request, now: Moment, hops: int) -> Admission | Refusal:
        """To a line of ours only: the switch relays nothing from one carrier to another."""
        if trunk.settings.voicemail:
            return refusal("voicemail")
        dialled = dialled_digits(parse_uri(trunk.called(request)))
        called = normalise(dialled)
        line = self._identity.lines.by_number.get(called) if called is not None else None
        if line is None or called is None or line.gone:
            return refusal("no-line")
        calls_back = self.help.calls_back(line, trunk, request, now)
        caller = _asserted(request)
        hidden = not caller or _wants_privacy(request)
        if trunk.settings.international and not calls_back and caller.startswith(COUNTRY):  # R-POL-10
            if not caller.startswith(BELGIAN_MOBILE):
                return refusal("belgian-caller")
            hidden = True  # roaming perhaps, but nobody has confirmed it
        chain = tuple(Diverted(number, "unconditional") for number in chain_of(request))
        stages: tuple[Stage, ...]
        diverts, blocked = "", None
        if calls_back:  # R-EMG-09: nothing keeps a centre from calling back
            stage = self._routes.to_line(line, self._services.of(""), called, now, hops=hops, urgent=True)
            if stage is None:
                return refusal("not-registered")
            stages = (stage,)
        else:
            if shut := self._shut(line, anonymous=hidden):
                return shut
            if closed := self._closed():
                return refusal(closed)
            stages, diverts, blocked = self._reach(line, called, now, hops, chain, "line-calls")
            if blocked is not None and not diverts:
                return blocked
        return Admission(
            origin="trunk",
            line=None,
            trunk=trunk.settings.name,
            device="",
            caller="" if hidden else caller,
            sender=self._routes.sender(caller, hidden),
            dialled=dialled,
            called=called,
            destination=None,
            quote=None,
            plan=RoutePlan(stages),
            emergency=False,
            proven=True,
            verdict="psap-callback" if calls_back else "allowed",
            callback=calls_back,
            limit_s=0 if calls_back else self._longest_s(line, now),
            callee=line,
            diverts=diverts,
            blocked=blocked,
            chain=chain,
            hops=hops - 1,
            withheld=hidden,
            restricted=caller if hidden else "",
        )

    # --- emergency ------------------------------------------------------------------------------------------

    def _emergency(
        self,
        service: HelpService,
        line: Line | None,
        request: Request,
        now: Moment,
        hops: int,
        *,
        proven: bool,
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
            sender=self._routes.sender(caller, not caller),
            dialled=service.number,
            called=service.number,
            destination=self._settings.tariffs.destinations.classify(service.number),
            quote=None,
            plan=self.help.plan(found, request, caller, hops, token),
            emergency=True,
            proven=proven,
            verdict=f"emergency-{found.route.centre.id if alarm is None else alarm.value}",
            limit_s=0,
            help=facts_of(found),
        )

    def _own_number(self, line: Line, request: Request) -> str:
        """The line's number that the phone asks to present, or its main number (R-POL-06)."""
        number = normalise(claimed(request))
        return number if number in line.numbers and number is not None else line.number


def _user_of(uri: str) -> str:
    """The user part of a Request-URI; '' for one without, as a URN is."""
    try:
        return parse_uri(uri).number()
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
