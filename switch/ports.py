"""The words spoken across the boundary of the core: moments, flows, inputs and orders.

The core (`switch.core.Switch`) takes one *input* and one *moment*, changes, and leaves *orders*. It reads
no clock, draws no chance and touches no socket; whoever drives it (`switch.net.driver` on real sockets,
`tests.sim` on virtual time) supplies all three. Everything here is a plain value, so both sides can be
tested apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from rating.charge import Use
from switch.record import Cdr

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000


class Moment(NamedTuple):
    """One reading of both clocks: `mono_ns` orders and measures, `wall_ns` (UTC since the epoch) only
    dates."""

    mono_ns: int
    wall_ns: int


class Address(NamedTuple):
    """A transport address; `host` is an IPv4 or IPv6 literal without brackets."""

    host: str
    port: int


class Flow(NamedTuple):
    """Transport, local and remote address: the way a message came and the way back (RFC 5626 section 2)."""

    transport: str
    local: Address
    remote: Address

    @property
    def reliable(self) -> bool:
        """Whether what is sent arrives or the flow breaks: no repetition is needed (RFC 3261 section 17)."""
        return self.transport != "udp"


class Listener(NamedTuple):
    """Where SIP is spoken: transport (`udp`, `tcp`, `tls`, `ws`, `wss`) and local address."""

    transport: str
    address: Address


class Lookup(NamedTuple):
    """A trunk's host name that is to be resolved: to addresses with this port, or, with a `service`
    (`_sip._udp`), to those that its SRV records name (RFC 3263 section 4.2)."""

    trunk: str
    host: str
    port: int
    service: str = ""


class Entropy(Protocol):
    """Where chance comes from: `secrets` in service, a seeded generator in tests."""

    def token(self, bits: int) -> str:
        """A fresh token of at least `bits` bits, of characters allowed in a SIP token."""

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""


# --- inputs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram that arrived on a flow, or one message cut from a stream."""

    flow: Flow
    data: bytes


@dataclass(frozen=True, slots=True)
class FlowFailed:
    """A message could not be sent on this flow (unroutable, forbidden, socket or connection gone)."""

    flow: Flow
    data: bytes
    error: str


@dataclass(frozen=True, slots=True)
class FlowClosed:
    """A connection is over: nothing more comes from it or gets to it (RFC 5626 section 4.2)."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class TargetsResolved:
    """Where a trunk's host name leads now, best first; empty when it does not resolve."""

    trunk: str
    targets: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class RelayMessage:
    """What the media relay says: `failed`, `silent` or `report`, as `switch.relay` documents them."""

    kind: str
    session: int
    detail: Any = None


@dataclass(frozen=True, slots=True)
class RelayDied:
    """A relay process ended; the sessions it held carry no media any more."""

    worker: int
    workers: int


@dataclass(frozen=True, slots=True)
class JournalState:
    """Whether the journal still takes records: when `full`, new calls are refused and running ones go on."""

    full: bool


@dataclass(frozen=True, slots=True)
class Strained:
    """Whether more comes in than is done; then new calls and registrations are put off."""

    now: bool


@dataclass(frozen=True, slots=True)
class EndCall:
    """An operator ends a call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class EndLine:
    """All calls of a line end now but those for help (R-SUS-04)."""

    user: str


@dataclass(frozen=True, slots=True)
class LiftBans:
    """An operator lifts the bans of a source, or of one user at it; of all where both are empty."""

    host: str = ""
    user: str = ""


@dataclass(frozen=True, slots=True)
class StopCalls:
    """Take no more calls; with `end`, end the running ones too, and with `emergency` those for help as
    well."""

    end: bool
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class LiftMeasures:
    """Somebody takes back whatever was done to a line for fraud."""

    user: str
    by: str


Input = (
    Datagram
    | FlowFailed
    | FlowClosed
    | TargetsResolved
    | RelayMessage
    | RelayDied
    | JournalState
    | Strained
    | EndCall
    | EndLine
    | LiftBans
    | StopCalls
    | LiftMeasures
)


# --- orders -------------------------------------------------------------------------------------------------


class Transmit(NamedTuple):
    """Send `data` on `flow`."""

    flow: Flow
    data: bytes


class Relay(NamedTuple):
    """One command to the media relay that holds `session` (`switch.relay.command` lists them)."""

    session: int
    command: list[Any]


class Append(NamedTuple):
    """Write `entry` to the journal. With `hold`, the datagrams of the same drain wait until it is on disk,
    for as long as the configuration allows (`store.hold_ms`): they promise what the entry records."""

    entry: Entry
    hold: bool


class Note(NamedTuple):
    """A fact for the log: an event name and its values, free of secrets."""

    event: str
    facts: Mapping[str, Any]


class Traced(NamedTuple):
    """The SIP call with this Call-ID is a part of the call with this record: for who looks at both."""

    call_id: str
    sip_call_id: str


Order = Transmit | Relay | Append | Note | Traced


# --- journal entries ----------------------------------------------------------------------------------------


class PaidBy(NamedTuple):
    """The account of a call, what might be charged to it in a month when the call was answered (None: any
    amount; nothing when `barred`), and the longest the call may last (0: for ever)."""

    account: str
    cap: int | None
    barred: bool
    limit_s: int


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A call was answered: all that is needed to end it and to record it after a restart.

    `dialogs` holds for each leg what a BYE needs; `pending` is the record as known at the answer; `paid_by`
    the account it runs on, if any.
    """

    call_id: str
    answered: Moment
    pending: Cdr
    dialogs: tuple[Mapping[str, Any], ...]
    paid_by: PaidBy | None = None


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The record of an attempt that is over, answered or not. It replaces the call's `CallAnswered`; `uses`
    is what it took from `account`, by month, and is what balances are rebuilt from."""

    cdr: Cdr
    account: str = ""
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaMeasured:
    """What the relay counted for a call, added to its record after the end."""

    call_id: str
    media: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BindingSaved:
    """A contact registered or refreshed; `(user, contact)` identifies it."""

    user: str
    contact: str
    expires_wall_ns: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BindingRemoved:
    """A contact removed or expired."""

    user: str
    contact: str


@dataclass(frozen=True, slots=True)
class ThresholdCrossed:
    """An account crossed a threshold (`rating.account.Threshold`): told once, whatever happens in between.
    `used` of `allowed`, in ten-thousandths of a euro or in seconds."""

    account: str
    line: str
    kind: str
    month: str
    used: int
    allowed: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class EmergencyLogged:
    """A call for help that is over (R-EMG-12), apart from its record. `attempts` has for each gateway
    `gateway`, `tried_ms`, `heard_ms` (more than 100), `status` and `ended_ms`; these and `answered_ms` and
    `released_ms` count from the INVITE at `at_ms` (UTC). `place` is the documents as they were sent."""

    call_id: str
    at_ms: int
    account: str
    number: str
    service: str
    centre: str
    reason: str
    alarm: str
    place: str
    attempts: tuple[Mapping[str, Any], ...]
    outcome: str
    answered_ms: int | None
    released_ms: int


@dataclass(frozen=True, slots=True)
class ServicesSaved:
    """What a subscriber has set for a line now, all of it (`switch.routing.services.LineServices`)."""

    user: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallerWithheld:
    """The number of a caller who does not want it shown (R-MAL-01): kept apart from the records."""

    call_id: str
    number: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class CallMarked:
    """A subscriber marks a call as malicious (R-MAL-01): `number` is the true one, '' when no carrier told
    it; `call_at_ms` is when the call came, `at_ms` when it was marked, both UTC."""

    call_id: str
    account: str
    line: str
    number: str
    withheld: bool
    trunk: str
    call_at_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class LineMeasure:
    """A rule of section 12 found something about a line, and this was done: `alert` (no more than saying so),
    `block` or `suspend`. `facts` are plain values; `secret` marks the secret that the line had
    (`switch.fraud.measures.secret_mark`)."""

    user: str
    number: str
    rule: str
    action: str
    at_ms: int
    facts: Mapping[str, Any]
    secret: str = ""

    @property
    def id(self) -> str:
        """What names it: a rule finds one thing at a time about a line."""
        return f"fraud:{self.user}:{self.rule}:{self.at_ms}"


@dataclass(frozen=True, slots=True)
class MeasureLifted:
    """What was done to a line, by `LineMeasure.id`, was taken back by somebody."""

    user: str
    at_ms: int
    by: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstSeen:
    """A line was seen with something for the first time ever: `kind` is `country` or `network`."""

    user: str
    kind: str
    value: str
    at_ms: int


Entry = (
    CallAnswered
    | CallEnded
    | MediaMeasured
    | BindingSaved
    | BindingRemoved
    | ThresholdCrossed
    | EmergencyLogged
    | ServicesSaved
    | CallerWithheld
    | CallMarked
    | LineMeasure
    | MeasureLifted
    | FirstSeen
)
