"""Calls for help at the gate: who may place one (everybody who can be known), and what is sent (R-EMG).

Nothing here refuses a call of a known line. The route and the documents are `emergency`'s; which of them a
gateway takes, in which order gateways are tried and how it looks in SIP is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Any
from urllib.parse import unquote

from emergency.additional_data import Caller, Provider
from emergency.answer import test_answer
from emergency.callback import CallbackWindow
from emergency.dispatch import Dispatch, dispatch
from emergency.location import Address as CivicAddress
from emergency.numbers import Service
from emergency.psap import Directory, Gateway
from switch.call.admission import HelpFacts
from switch.call.counted import UNPROVEN
from switch.malformed import Malformed
from switch.ports import Flow, Moment
from switch.routing.identity import Challenge, Identity, claimed_user
from switch.routing.lines import Line
from switch.routing.numbers import normalise
from switch.routing.plan import RoutePlan, Stage, Target
from switch.routing.registrar import Registrar
from switch.routing.trunks import Trunk, Trunks, TrunkSettings
from switch.sdp.terms import centre_terms
from switch.settings import Settings
from switch.sip.message import Fields, Request
from switch.sip.multipart import BY_REFERENCE, Part, identified

MOST_UNPROVEN = 32
"""Emergency calls at a time of callers who proved nothing; the next ones are asked for their password, so
that nobody can take every port in a known line's name."""

RESOURCE_PRIORITY = "esnet.1"
PIDF = "application/pidf+xml"
MOST_LOCATIONS = 4
LARGEST_LOCATION = 4_096
LONGEST_URI = 512
"""What a phone may send along of its place: documents and references, bytes of each."""


class HelpDesk:
    """Decides about calls for help."""

    def __init__(
        self,
        *,
        settings: Settings,
        identity: Identity,
        registrar: Registrar,
        gateways: Trunks,
        running: Callable[[str], int],
    ) -> None:
        """`gateways` knows which of them answer, by `gateway_name`."""
        self.settings = settings
        self._identity = identity
        self._registrar = registrar
        self._gateways = gateways
        self._running = running
        self.callbacks = CallbackWindow()

    def caller(self, request: Request, flow: Flow, now: Moment) -> tuple[Line | None, bool] | Challenge:
        """Who calls for help, and whether that is proven. A line that is known by name needs no password
        (R-EMG-04, R-EMG-05) and a wrong one is no reason to turn it away: the location sent is its own
        (R-EMG-03), so names go before addresses.
        """
        lines = self._identity.lines
        try:
            known = self._identity.identify(request, flow, now, urgent=True)
            spoken_for = self._identity.user_of(request)
        except Malformed:  # From is no address
            known, spoken_for = self._identity.challenge(None, flow, now), ""
        user = claimed(request)
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
        if line is not None and line.gone:
            line = None
        policy = self.settings.emergency_without_digest
        crowded = self._running(UNPROVEN) >= MOST_UNPROVEN
        by_name = line is not None and (policy == "known_aor" or line.secret_out)  # it cannot prove itself
        if not crowded and (policy == "any" or by_name):
            return line, at_address is not None
        return known if isinstance(known, Challenge) else self._identity.challenge(line, flow, now)

    def calls_back(self, line: Line, trunk: Trunk, request: Request, now: Moment) -> bool:
        """Whether a call that comes in is a centre calling back somebody who has called for help
        (R-EMG-09)."""
        priority, psap = request.get("Priority"), trunk.settings.psap
        return self.callbacks.is_callback(line.user, now.wall_ns, priority, from_psap=psap)

    def dispatch(self, service: Service, line: Line | None, number: str, now: Moment, token: str) -> Dispatch:
        """Where a call of this line goes, presenting `number`, and what travels with it; `token` makes the
        ids of the documents."""
        setup = setup_of(self.settings)
        return dispatch_for(line, service, number, setup, token=token, wall_ns=now.wall_ns)

    def rehearse(self, uri: str, line: Line, now: Moment) -> str | None:
        """What a test call of this line is told: centre and place; None for a service that there is not."""
        service = self.settings.emergency.numbers.recognise(uri.lower().replace(":test.", ":", 1))
        if service is None or not service.is_emergency:
            return None
        found = self.dispatch(service, line, line.number, now, "test")
        return test_answer(found, civic(line.address) if line.address is not None else None)

    def plan(self, found: Dispatch, request: Request, caller: str, hops: int, token: str) -> RoutePlan:
        """The gateways in the order to try them: those that do not answer probes last, but never left out
        (R-EMG-06)."""
        fields: Fields = {
            "Max-Forwards": [str(max(hops - 1, 1))],
            "Priority": ["emergency"],
            "Resource-Priority": [RESOURCE_PRIORITY],
        }
        if caller:
            fields["P-Asserted-Identity"] = [f"<sip:{caller}@{self.settings.domain};user=phone>"]
        documents, with_documents = self._documents(found, request, token)
        gateways = sorted(found.route.gateways, key=lambda gateway: not self._is_up(gateway))
        stages = []
        for gateway in gateways:
            way = self._gateways.get(gateway_name(gateway))
            for flow in self._gateways.flows_to(way) if way is not None else ():
                more = with_documents if gateway.body else {}
                parts = documents if gateway.body else ()
                stages.append(self._stage(found, gateway, flow, {**fields, **more}, parts))
        return RoutePlan(tuple(stages), emergency=True)

    def _stage(
        self, found: Dispatch, gateway: Gateway, flow: Flow, fields: Fields, parts: tuple[Part, ...]
    ) -> Stage:
        service, failover = found.route.service, found.route.failover
        target = Target(
            gateway.id,
            gateway.request_uri(service),
            f"<sip:{service.number}@{self.settings.domain};user=phone>",
            flow,
            False,
            fields,
            parts=parts,
        )
        return Stage(
            (target,),
            failover.trying_timeout_ns,
            failover.provisional_timeout_ns,
            ring_ns=0,
            trunk=gateway.id,
            terms=centre_terms(self.settings.media.srtp),
        )

    def _documents(self, found: Dispatch, request: Request, token: str) -> tuple[tuple[Part, ...], Fields]:
        """What travels in the body, and the fields that point to it: our own location first, then what the
        phone said of its place (RFC 6442), then the additional data (RFC 7852 section 6)."""
        own = [Part(part.content_type, part.content, part.content_id, BY_REFERENCE) for part in found.parts]
        places = [f"<cid:{part.content_id}>" for part in found.locations]
        theirs, told = self._told_by_phone(request, token)
        fields: Fields = {
            "Call-Info": [
                f"<cid:{part.content_id}>;purpose={part.purpose}" for part in found.parts if part.purpose
            ]
        }
        if places or told:
            fields["Geolocation"] = [*places, *told]
            fields["Geolocation-Routing"] = ["yes"]
        return (*own, *theirs), fields

    def _told_by_phone(self, request: Request, token: str) -> tuple[list[Part], list[str]]:
        """Locations that the phone sends itself: a reference as it is, a document under an id of ours; no
        more of them than leave the INVITE one that arrives."""
        inside = identified(request.body, request.get("Content-Type") or "")
        parts: list[Part] = []
        values: list[str] = []
        for value in dict.fromkeys(request.values("Geolocation")):
            uri = value.strip().partition(">")[0].lstrip("<").strip()
            if len(values) == MOST_LOCATIONS or len(uri) > LONGEST_URI:
                continue
            if uri.lower().startswith("cid:"):
                kind, content = inside.pop(unquote(uri[4:]), ("", b""))
                if kind == PIDF and 0 < len(content) <= LARGEST_LOCATION:
                    content_id = f"phone{len(parts) + 1}.{token}@{self.settings.domain}"
                    parts.append(Part(PIDF, content, content_id, BY_REFERENCE))
                    values.append(f"<cid:{content_id}>")
            elif uri.partition(":")[0].lower() in ("http", "https", "sip", "sips", "pres"):
                values.append(f"<{uri}>")
        return parts, values

    def _is_up(self, gateway: Gateway) -> bool:
        way = self._gateways.get(gateway_name(gateway))
        return way is not None and way.up


@dataclass(frozen=True, slots=True)
class Setup:
    """What of the configuration decides about a call for help."""

    directory: Directory
    provider: Provider
    domain: str


def setup_of(settings: Settings) -> Setup:
    """Out of all that a core is built with."""
    return Setup(settings.emergency, settings.provider, settings.domain)


def dispatch_for(
    line: Line | None, service: Service, number: str, setup: Setup, *, token: str, wall_ns: int
) -> Dispatch:
    """Where a call of this line goes, presenting `number`, and with what: the answer for a call on the wire,
    the audit and the what-if."""
    address = address_of(line)
    return dispatch(
        service,
        caller_of(line, address, number),
        address,
        setup.directory,
        setup.provider,
        token=token,
        domain=setup.domain,
        wall_ns=wall_ns,
    )


def address_of(line: Line | None) -> CivicAddress | None:
    """The registered address of a line; None where there is none."""
    return civic(line.address) if line is not None and line.address is not None else None


def gateway_name(gateway: Gateway) -> str:
    """What a gateway is called among those that are probed; a trunk may bear the same id."""
    return f"gateway {gateway.id}"


def gateway_settings(settings: Settings) -> list[TrunkSettings]:
    """The gateways to the centres, as what is probed and resolved in the background."""
    directory = settings.emergency
    gateways = dict.fromkeys(gateway for way in directory.gateways.values() for gateway in way)
    every_ns = directory.failover.probe_ns
    return [
        TrunkSettings(gateway_name(one), one.host, one.port, probe_ns=every_ns, transport=one.transport)
        for one in gateways
    ]


def facts_of(found: Dispatch) -> HelpFacts:
    """A decision in words."""
    route = found.route
    return HelpFacts(
        service=route.service.number,
        centre=route.centre.id,
        centre_name=route.centre.name,
        reason=route.reason,
        alarm=route.alarm.value if route.alarm is not None else "",
        place="\n".join(part.content.decode() for part in found.locations),
        documents=len(found.parts),
    )


def caller_of(line: Line | None, address: CivicAddress | None, number: str) -> Caller:
    """The line as a centre is told of it."""
    return Caller(
        number,
        address.name if address is not None else "",
        address.language if address is not None else "",
        "Nomadic" if line is not None and line.nomadic else "Fixed",
    )


def civic(address: Mapping[str, Any]) -> CivicAddress:
    """The stored address whatever it lacks: a gap is a fault of the address, not of the call (R-EMG-03)."""
    return CivicAddress(**{item.name: str(address.get(item.name, "")) for item in fields_of(CivicAddress)})


def claimed(request: Request) -> str:
    """The user in From, '' when it has none that can be read: no reason to turn away a call for help
    (R-EMG-05)."""
    try:
        return claimed_user(request)
    except Malformed:
        return ""
