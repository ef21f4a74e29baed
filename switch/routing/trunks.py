"""Carriers: where they are now, whether they answer, and how many calls they carry.

A trunk's host name is resolved in the background and its health is learnt from OPTIONS probes and from
calls; a call never waits for either. A trunk thought to be down is tried last, not left out: probing can
be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address

from switch.ports import NS_PER_S, Address, Entropy, Flow, Listener, Lookup, Note
from switch.routing.bucket import Bucket
from switch.routing.enrolment import Enrolment, called_at, domain_of
from switch.sdp.terms import ANY_TERMS, SideTerms
from switch.sip.endpoint import Endpoint
from switch.sip.message import Request, Response
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.uri import bracketed

NOWHERE = Address("", 0)
SERVICES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
"""Of SRV records, by transport."""

LONGEST_REST_S = 600
"""No trunk is spared longer than that, whatever it asks for."""

DOWN_AFTER = 2
"""Probes in a row without an answer before a trunk counts as down."""


@dataclass(frozen=True, slots=True)
class TrunkSettings:
    """One carrier, as configured. `sources` are the networks its calls come from."""

    name: str
    host: str
    port: int
    sources: tuple[IPv4Network | IPv6Network, ...] = ()
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    probe_ns: int = 0
    reply_ns: int = 4 * NS_PER_S
    max_calls: int | None = None
    prefixes: tuple[str, ...] = ()
    international: bool = False
    psap: bool = False
    """Whether emergency centres call back over it (R-EMG-09)."""
    voicemail: bool = False
    """Whether it is the voicemail platform, which takes calls and starts none (R-POL-01)."""
    transport: str = "udp"
    register_s: int = 0
    """The expiry to ask for where calls come by our registration; 0: there is none to be made."""
    prack: bool = False
    """Whether it may have us acknowledge that it rings (RFC 3262)."""
    priority: int | None = None
    """Lower ones are tried first; None: its place in the order of the trunks."""
    weight: int = 1
    """How often it comes first among those of its priority, beside their weights."""
    max_rate: int = 0
    """Calls a second that it takes; 0: any number."""
    numbers: str = "e164"
    """How the called number is written to it (`switch.routing.plan`)."""
    diversion: tuple[str, ...] = ("Diversion", "History-Info")
    """The fields that tell it where a call was sent on from."""
    early_media: bool = False
    """Whether it wants to be told that early media is passed on (RFC 5009)."""
    terms: SideTerms = ANY_TERMS
    """What it is offered: encryption and codecs."""
    srv: bool = False
    """Whether SRV records say where `host` is reached (RFC 3263)."""

    @property
    def shown_port(self) -> str:
        """The port as it stands in URIs: none where SRV records have it."""
        return "" if self.srv else f":{self.port}"


class Trunk:
    """One carrier, as it is. Replaced settings keep its health."""

    def __init__(self, settings: TrunkSettings) -> None:
        self.settings = settings
        self.targets: tuple[Address, ...] = ()
        if _is_literal(settings.host):
            self.targets = (Address(settings.host, settings.port),)
        self.missed = 0
        self.registered = False
        self.resting_ns = 0
        """Until when it asked to be spared new calls (503 with Retry-After, RFC 3261 section 21.5.4)."""
        self._bucket = Bucket(settings.max_rate) if settings.max_rate else None

    def takes_call(self, now_ns: int) -> bool:
        """Whether it takes one more call this second; if so, that one is counted."""
        return self._bucket is None or self._bucket.take(now_ns)

    @property
    def name(self) -> str:
        """What the operator calls it."""
        return self.settings.name

    @property
    def domain(self) -> str:
        """Its host as in URIs, with transport."""
        return domain_of(self.settings.host, self.settings.transport)

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password; empty where there are none."""
        return self.settings.credentials or ("", "")

    @property
    def up(self) -> bool:
        """Whether it answered lately, or was never asked, and knows us where it has to."""
        return self.answers and (self.registered or not self.settings.register_s)

    @property
    def answers(self) -> bool:
        """Whether it answered lately, or was never asked."""
        return self.missed < DOWN_AFTER and bool(self.targets)

    def called(self, request: Request) -> str:
        """The URI with the number that somebody dialled who calls over it."""
        return called_at(request, self.credentials[0]) if self.settings.register_s else request.uri

    def carries(self, number: str) -> bool:
        """Whether calls to this number may go here; without prefixes all may."""
        prefixes = self.settings.prefixes
        return not prefixes or number.startswith(prefixes)


class Trunks:
    """All carriers in the order of the configuration."""

    def __init__(
        self,
        settings: Iterable[TrunkSettings],
        endpoint: Endpoint,
        listeners: Iterable[Listener],
        entropy: Entropy,
        note: Callable[[Note], None] = lambda _note: None,
    ) -> None:
        self._endpoint = endpoint
        self._entropy = entropy
        self._note = note
        self._locals = {
            (transport, ":" in address.host): address for transport, address in reversed(list(listeners))
        }
        self._trunks: dict[str, Trunk] = {}
        self._by_address: dict[tuple[str, Address], Trunk] = {}
        self._networks: list[tuple[IPv4Network | IPv6Network, Trunk]] = []
        self._generation = 0
        self.replace(settings)

    def all(self) -> list[Trunk]:
        """Every trunk, in order."""
        return list(self._trunks.values())

    def get(self, name: str) -> Trunk | None:
        """A trunk by name."""
        return self._trunks.get(name)

    def replace(self, settings: Iterable[TrunkSettings]) -> None:
        """Take over a new configuration; probing starts afresh, health and addresses of unchanged hosts
        stay."""
        old = self._trunks
        self._trunks = {}
        self._generation += 1
        for one in settings:
            trunk = Trunk(one)
            before = old.get(one.name)
            if before is not None and _where(before.settings) == _where(one):
                trunk.targets, trunk.missed = before.targets, before.missed
                trunk.resting_ns = before.resting_ns
                trunk.registered = before.registered and before.settings.credentials == one.credentials
            self._trunks[one.name] = trunk
            if one.register_s:
                self._enrol(trunk, self._generation)
            if one.probe_ns:
                self._endpoint.timers.start(0, _Probe(self, trunk, self._generation).send)
        self._index()

    def resolved(self, name: str, targets: tuple[Address, ...]) -> None:
        """Where a trunk's host name leads; nowhere leaves the last known addresses."""
        trunk = self._trunks.get(name)
        if trunk is not None and targets:
            trunk.targets = targets
            self._index()

    def names_to_resolve(self) -> list[Lookup]:
        """What is to be looked up for the trunks that are configured by name."""
        return [
            Lookup(name, one.host, one.port, SERVICES[one.transport] if one.srv else "")
            for name, one in ((name, trunk.settings) for name, trunk in self._trunks.items())
            if not _is_literal(one.host)
        ]

    def admitted_from(self, flow: Flow) -> Trunk | None:
        """The trunk whose calls come on this flow: from its own host and port, of a connection from any port
        of its host, or from any port of its `sources`."""
        trunk = self._by_address.get((flow.transport, _origin(flow)))
        if trunk is None and self._networks:
            address = ip_address(flow.remote.host.partition("%")[0])
            return next((owner for network, owner in self._networks if address in network), None)
        return trunk

    def is_at(self, host: str) -> bool:
        """Whether a trunk is reached at this address, or its calls may come from there, whatever the port."""
        if any(host == target.host for trunk in self._trunks.values() for target in trunk.targets):
            return True
        if not self._networks:
            return False
        address = ip_address(host.partition("%")[0])
        return any(address in network for network, _ in self._networks)

    def candidates(
        self, number: str, running: Callable[[str], int], *, voicemail: bool = False
    ) -> list[Trunk]:
        """The trunks to try for a number, in order, those thought to be down last; full ones are left out.
        Among those of one priority the first is found by lot, by their weights (as RFC 2782 has it).
        Voicemail is reached over its platform only, where there is one, and nothing else is."""
        platform = voicemail and any(trunk.settings.voicemail for trunk in self._trunks.values())
        able = [
            (trunk, place if (given := trunk.settings.priority) is None else given)
            for place, (name, trunk) in enumerate(self._trunks.items())
            if trunk.settings.voicemail == platform
            and trunk.carries(number)
            and (trunk.settings.max_calls is None or running(name) < trunk.settings.max_calls)
        ]
        now_ns = self._endpoint.timers.now.mono_ns
        left = sorted(
            (
                (not trunk.up or trunk.resting_ns > now_ns, priority, trunk)
                for trunk, priority in able
                if trunk.targets
            ),
            key=lambda one: one[:2],
        )
        ordered = []
        while left:
            same = [one for one in left if one[:2] == left[0][:2]]
            chosen = same[0] if len(same) == 1 else self._by_lot(same)
            left.remove(chosen)
            ordered.append(chosen[2])
        return ordered

    def _by_lot(self, same: list[tuple[bool, int, Trunk]]) -> tuple[bool, int, Trunk]:
        lot = self._entropy.below(sum(trunk.settings.weight for *_, trunk in same))
        for one in same:
            lot -= one[2].settings.weight
            if lot < 0:
                break
        return one

    def spare(self, name: str, seconds: int) -> None:
        """A trunk has too much to do: for so long it is tried last."""
        trunk = self._trunks.get(name)
        if trunk is not None:
            trunk.resting_ns = self._endpoint.timers.now.mono_ns + min(seconds, LONGEST_REST_S) * NS_PER_S

    def takes_call(self, name: str) -> bool:
        """Whether a trunk takes one more call this second; who is no trunk does."""
        trunk = self._trunks.get(name)
        return trunk is None or trunk.takes_call(self._endpoint.timers.now.mono_ns)

    def flow_to(self, remote: Address, transport: str = "udp") -> Flow | None:
        """A flow to an address, from the first listener of its family and transport."""
        local = self._locals.get((transport, ":" in remote.host))
        return Flow(transport, local, remote) if local is not None else None

    def flows_to(self, trunk: Trunk) -> Iterator[Flow]:
        """Flows to a trunk, the one to be tried first before the others."""
        for target in trunk.targets:
            flow = self.flow_to(target, trunk.settings.transport)
            if flow is not None:
                yield flow

    def peer_of(self, flow: Flow) -> tuple[Address, str] | None:
        """Where a connection is to be made for a flow that has none, and by which name the peer has to prove
        itself over TLS; None when that is not one of these."""
        for trunk in self._trunks.values():
            if trunk.settings.transport == flow.transport:
                near = [target for target in trunk.targets if target.host == flow.remote.host]
                if near:
                    return (flow.remote if flow.remote in near else near[0]), trunk.settings.host
        return None

    def _enrol(self, trunk: Trunk, generation: int) -> None:
        """Register with a carrier from now on; of several hosts with the next one each time."""

        def way(tries: int) -> Flow | None:
            flows = list(self.flows_to(trunk))
            return flows[tries % len(flows)] if flows else None

        enrolment = Enrolment(
            trunk,
            self._endpoint,
            self._entropy,
            self._note,
            expires_s=trunk.settings.register_s,
            way=way,
            goes_on=lambda: generation == self._generation,
        )
        self._endpoint.timers.start(0, enrolment.start)

    def probe(self, trunk: Trunk, generation: int) -> bool:
        """Send one OPTIONS; False when the trunk is not configured any more."""
        if generation != self._generation:
            return False
        settings = trunk.settings
        flow = next(self.flows_to(trunk), None)
        if flow is None:
            trunk.missed += 1
            return True
        over = "" if settings.transport == "udp" else f";transport={settings.transport}"
        uri = f"sip:{bracketed(settings.host)}{settings.shown_port}{over}"
        host = self._endpoint.host(flow)
        fields = {
            "From": [f"<sip:{host}>;tag={self._entropy.token(64)}"],
            "To": [f"<{uri}>"],
            "Call-ID": [self._entropy.token(96)],
            "CSeq": ["1 OPTIONS"],
            "Contact": [self._endpoint.contact(flow)],
            "Accept": ["application/sdp"],
        }
        self._endpoint.request(Request("OPTIONS", uri, fields), flow, _ProbeAnswer(trunk))
        return True

    def _index(self) -> None:
        self._by_address = {}
        for trunk in self._trunks.values():
            if not trunk.settings.sources:
                for target in trunk.targets:
                    at = Flow(trunk.settings.transport, NOWHERE, target)
                    self._by_address.setdefault((at.transport, _origin(at)), trunk)
        self._networks = [(network, t) for t in self._trunks.values() for network in t.settings.sources]


class _Probe:
    """The repeated asking of one trunk."""

    __slots__ = ("_generation", "_trunk", "_trunks")

    def __init__(self, trunks: Trunks, trunk: Trunk, generation: int) -> None:
        self._trunks = trunks
        self._trunk = trunk
        self._generation = generation

    def send(self) -> None:
        """Ask now, and again after the configured time."""
        if self._trunks.probe(self._trunk, self._generation):
            self._trunks._endpoint.timers.start(self._trunk.settings.probe_ns, self.send)


class _ProbeAnswer:
    """What an OPTIONS says of a trunk: any final response but 503 means that somebody is there (RFC 3261
    section 11)."""

    __slots__ = ("_trunk",)

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        if response.status >= 200:
            self._trunk.missed = self._trunk.missed + 1 if response.status == 503 else 0

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        self._trunk.missed += 1


def _where(settings: TrunkSettings) -> tuple[str, str, int, bool]:
    return settings.transport, settings.host, settings.port, settings.srv


def _origin(flow: Flow) -> Address:
    """What tells who sends on a flow: of a connection the host alone, for the port is anybody's guess."""
    return Address(flow.remote.host, 0) if flow.reliable else flow.remote


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
