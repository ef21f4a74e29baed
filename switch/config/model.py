"""What can be configured: frozen values, their defaults, their bounds and the checks within a section.

Covers `switch.toml` (`Settings`) and `trunks.toml` (`TrunksFile`): R-EMG-05 (unknown sources), R-EQP-01
(rented devices), R-LIM-01 (the longest call), R-POL-08 (limits of a line), R-POL-10 (international trunks
apart). Reading files, the lines of faults and checks between sections are left to `switch.config.loader`.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from switch.relay.srtp import AVAILABLE

Objection = tuple[tuple[str | int, ...], str]
Network = IPv4Network | IPv6Network

REFUSED = "refused"
PORTS_PER_STREAM = 4
_VISIBLE = re.compile(r"[\x21-\x7e]{1,2000}")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")


def is_literal(host: str) -> bool:
    """Whether a host is an address and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_wildcard(host: str) -> bool:
    """Whether a literal address stands for all addresses of its family."""
    return ip_address(host).is_unspecified


def collide(host: str, other: str) -> bool:
    """Whether one port cannot be bound on both literal addresses."""
    same_family = ip_address(host).version == ip_address(other).version
    return host == other or (same_family and (is_wildcard(host) or is_wildcard(other)))


def repeated(values: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Index and value of every value that stands earlier in the sequence too."""
    seen: Counter[str] = Counter()
    for index, value in enumerate(values):
        if seen[value]:
            yield index, value
        seen[value] += 1


def web_url(text: str) -> str:
    """An http or https URL as it stands. A user in it is refused: it would show wherever the URL does.

    Raises:
        ValueError: it is none; the message repeats nothing of it.
    """
    with contextlib.suppress(ValueError):  # what `urlsplit` and `_host` raise repeats what they were given
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and "@" not in parts.netloc and "#" not in text
        if plain and _VISIBLE.fullmatch(text) and parts.port != 0 and _host(parts.hostname or ""):
            return text
    raise ValueError("not an http or https URL without user")


def _literal(text: str) -> str:
    return str(ip_address(text))


def _host(text: str) -> str:
    try:
        return _literal(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        if len(text) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
            raise ValueError("not a host") from None
        return text.lower()


def _network(value: object) -> Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    if not isinstance(value, str):
        raise ValueError("not a network")
    return ip_network(value)


def _day(value: object) -> date:
    """A TOML date: it comes as a list of its text (`switch.config.loader.validate`)."""
    match value:
        case [str(text)]:
            return date.fromisoformat(text)
    raise ValueError("not a date")


def text(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=rf"^(?:{pattern})$")


def allowed(words: str) -> WithJsonSchema:
    """What a fault says is allowed, where the bounds of the type do not say it themselves."""
    return WithJsonSchema({"type": "string", "description": words})


IpLiteral = Annotated[str, AfterValidator(_literal), allowed("an IPv4 or IPv6 address")]
Host = Annotated[str, AfterValidator(_host), allowed("a host name or an IP address")]
Source = Annotated[
    Network,
    PlainValidator(_network),
    PlainSerializer(str),
    allowed("an IP address or a network, 192.0.2.0/24"),
]
WebUrl = Annotated[
    str,
    AfterValidator(web_url),
    allowed("an http or https URL without user, https://example.com/notices"),
]
Day = Annotated[
    date,
    PlainValidator(_day),
    PlainSerializer(date.isoformat),
    allowed("a date like 2026-11-25, without quotes"),
]
Directory = Annotated[Path, allowed("a directory")]
Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
SecondsOrOff = Annotated[int, Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Text = Annotated[str, text(r"[^\x00-\x1f\x7f]{1,100}"), allowed("text of 1-100 characters")]
OptionalText = Annotated[str, text(r"[^\x00-\x1f\x7f]{0,100}"), allowed("text of at most 100 characters")]
Name = Annotated[str, text(r"[a-z0-9][a-z0-9_.-]{0,39}"), allowed("a name of 1-40 characters a-z 0-9 _ . -")]
User = Annotated[str, text(r"[A-Za-z0-9_.+~*!-]{1,64}"), allowed("1-64 characters A-Z a-z 0-9 _ . + ~ * ! -")]
Quotable = Annotated[
    str, text(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}"), allowed('1-100 ASCII characters but " \\')
]
E164 = Annotated[str, text(r"\+[1-9][0-9]{6,14}"), allowed("a number like +3216234567")]
Prefix = Annotated[str, text(r"\+[1-9][0-9]{0,14}"), allowed("the first digits of numbers, like +32")]
Codec = Annotated[
    str,
    text(r"[A-Za-z0-9-]{1,32}"),
    AfterValidator(str.upper),
    allowed("the encoding name of a codec, like PCMA or opus"),
]
Algorithm = Literal["MD5", "SHA-256"]
Algorithms = Annotated[tuple[Algorithm, ...], Field(min_length=1, max_length=2)]


class Model(BaseModel):
    """Nothing is guessed, nothing unknown is passed over, and no input is repeated in an error.

    Once its fields are valid by themselves, a model yields from `_objections` all that does not fit together,
    each against a key below it.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if found := tuple(self._objections()):
            raise PydanticCustomError(REFUSED, "does not fit", {"objections": found})
        return self

    def _objections(self) -> Iterator[Objection]:
        yield from ()


# --- switch.toml --------------------------------------------------------------------------------------------


class Listen(Model):
    """One address on which SIP is spoken: UDP, TCP, TLS, or WebSocket without TLS and with (RFC 7118)."""

    host: IpLiteral
    port: Port = 5060
    transport: Literal["udp", "tcp", "tls", "ws", "wss"] = "udp"


class Digest(Model):
    """Algorithms offered on each transport, in the order of the challenges (RFC 8760 section 2.4); `ws` holds
    for WebSocket with TLS too."""

    udp: Algorithms = ("MD5",)
    tcp: Algorithms = ("MD5",)
    tls: Algorithms = ("MD5",)
    ws: Algorithms = ("MD5",)


class Tls(Model):
    """Who we are over TLS, and whom we believe: PEM files, beside the configuration unless absolute, and read
    again at every reload. `trust` proves carriers and gateways; else those do whom the system trusts. With
    `carriers_prove` that holds for those who connect from their addresses, too."""

    certificate: Directory
    key: Directory
    trust: Directory | None = None
    carriers_prove: bool = False


class Connections(Model):
    """Limits of TCP, TLS and WebSocket connections: how many there may be at each address of `listen`, and
    how many of one host; `message_s` is the longest that one message may take to come, and the first of a
    connection; one that brings none for `idle_s` is closed."""

    most: Count = 4000
    most_per_host: Count = 200
    message_s: Annotated[int, Field(ge=1, le=600)] = 20
    idle_s: Seconds = 3700


class Sip(Model):
    """The SIP endpoint. `realm` enters every stored HA1: change it and every line needs a new password."""

    listen: Annotated[tuple[Listen, ...], Field(min_length=1, max_length=32)]
    domain: Host
    realm: Quotable = Field(default_factory=lambda known: known.get("domain", ""))
    advertised_host: Host | None = None
    user_agent: Quotable = "belswitch"
    digest: Digest = Digest()
    tls: Tls | None = None
    connections: Connections = Connections()
    nonce_ttl_s: Seconds = 300
    register_min_s: Seconds = 60
    register_max_s: Seconds = 3600
    register_default_s: Seconds = 3600
    register_spread_percent: Annotated[int, Field(ge=0, le=50)] = 10
    t1_ms: Annotated[int, Field(ge=10, le=10_000)] = 500
    t2_ms: Annotated[int, Field(ge=10, le=60_000)] = 4000
    t4_ms: Annotated[int, Field(ge=10, le=60_000)] = 5000

    def _objections(self) -> Iterator[Objection]:
        for index, listen in enumerate(self.listen):
            if is_wildcard(listen.host) and self.advertised_host is None:
                yield (
                    ("listen", index, "host"),
                    f"{listen.host} is every address: sip.advertised_host is needed",
                )
            for earlier in self.listen[:index]:
                same = (listen.transport == "udp") is (earlier.transport == "udp")
                if same and listen.port == earlier.port and collide(listen.host, earlier.host):
                    yield ("listen", index), f"{listen.host} port {listen.port} is taken by an earlier entry"
                    break
            if listen.transport in ("tls", "wss") and self.tls is None:
                yield ("listen", index, "transport"), f"{listen.transport} needs a certificate: sip.tls"
        if self.advertised_host in ("0.0.0.0", "::"):
            yield ("advertised_host",), "must be an address that others can reach"
        for transport, algorithms in self.digest:
            for index, algorithm in repeated(algorithms):
                yield ("digest", transport, index), f"{algorithm} is there already"
        if not self.register_min_s <= self.register_default_s <= self.register_max_s:
            bounds = f"{self.register_min_s}-{self.register_max_s}"
            yield ("register_default_s",), f"must be {bounds}, register_min_s to register_max_s"
        if self.t1_ms > self.t2_ms:
            yield ("t1_ms",), f"must be at most t2_ms, {self.t2_ms}"


class PortRange(Model):
    """UDP ports for media, in pairs: RTP on the even port, RTCP on the next (RFC 3550 section 11)."""

    first: Annotated[int, Field(ge=1024, le=65_534)] = 16_384
    last: Annotated[int, Field(ge=1025, le=65_535)] = 32_767

    @property
    def pairs(self) -> range:
        """The even ports of the range, one for each pair."""
        return range(self.first, self.last, 2)

    def _objections(self) -> Iterator[Objection]:
        if self.first % 2:
            yield ("first",), "must be even, as RTP ports are"
        if not self.last % 2:
            yield ("last",), "must be odd: the RTCP port of the last pair"
        least = self.first + PORTS_PER_STREAM - 1
        if self.last < least:
            yield ("last",), f"must be at least {least}: a call takes {PORTS_PER_STREAM} ports"


class MediaHost(Model):
    """One address on which media is relayed, and the one told in SDP where they differ."""

    host: IpLiteral
    advertised_host: IpLiteral | None = None

    @property
    def advertised(self) -> str:
        """The address that SDP names."""
        return self.advertised_host or self.host


MediaHosts = Annotated[tuple[MediaHost, ...], Field(min_length=1, max_length=2)]


class Media(Model):
    """The RTP relays. A stream that does not come from its signalled address may be learnt from the host that
    signalled, or from `any`. `silence_s` without a packet either way ends a call.

    `srtp`: keys in SDP (SDES) pass `through`, are `accept`ed, so that the media is decrypted here, `offer`ed
    to phones over TLS, or `require`d of them. Not set: `accept` where pylibsrtp is installed, else `through`.
    """

    ports: PortRange = PortRange()
    hosts: MediaHosts = (MediaHost(host="127.0.0.1"),)
    relays: Annotated[int, Field(ge=1, le=64)] = 1
    silence_s: SecondsOrOff = 60
    learn: Literal["signalling", "any"] = "signalling"
    srtp: Literal["through", "accept", "offer", "require"] | None = None

    @property
    def decrypts(self) -> bool:
        """Whether SRTP ends at the switch."""
        return AVAILABLE if self.srtp is None else self.srtp != "through"

    def _objections(self) -> Iterator[Objection]:
        families = [ip_address(host.host).version for host in self.hosts]
        for index, (entry, family) in enumerate(zip(self.hosts, families, strict=True)):
            told = ip_address(entry.advertised)
            if family in families[:index]:
                yield ("hosts", index, "host"), f"one IPv{family} address is there already"
            if told.version != family:
                yield ("hosts", index, "advertised_host"), f"must be an IPv{family} address, as host is"
            elif told.is_unspecified and entry.advertised_host is None:
                yield ("hosts", index, "host"), f"{entry.host} is every address: advertised_host is needed"
            elif told.is_unspecified:
                yield ("hosts", index, "advertised_host"), "must be an address that others can reach"


class Calls(Model):
    """Limits of calls: `ring_s` to lines, `no_answer_s` to trunks, `max_s` once answered (R-LIM-01). Before a
    call is cut, `warning_tone` says who hears so. Of new calls at most `max_rate` a second are taken, 0: as
    many as come; the rest is put off with 503. With `announce` a phone is told in words why its call is
    refused.

    At a stop the switch waits for running calls, at most `stop_wait_s`, or ends them.
    """

    ring_s: Seconds = 60
    no_answer_s: Seconds = 180
    max_s: Seconds = 7200
    warning_tone: Literal["caller", "called", "both", "none"] = "caller"
    max_calls: Count = 2000
    max_per_line: Count = 2
    max_rate: Annotated[int, Field(ge=0, le=100_000)] = 0
    announce: bool = False
    stop: Literal["wait", "end"] = "wait"
    stop_wait_s: SecondsOrOff = 30


class Lines(Model):
    """What holds for every line: which `devices` may register desk and DECT lines, any or only those listed
    for the line (R-EQP-01), and how long the number of a terminated one stays in quarantine after the month
    in which it can be ported out (R-POR-03)."""

    devices: Literal["any", "listed"] = "any"
    quarantine_days: Annotated[int, Field(ge=0, le=3650)] = 90


class Store(Model):
    """Where records are kept and how they get there. With `queue_max` of them waiting, new calls are refused;
    a datagram that promises something waits for its record at most `hold_ms`."""

    directory: Directory = Path("belswitch-data")
    queue_max: Count = 10_000
    commit_ms: Annotated[int, Field(ge=1, le=1000)] = 20
    hold_ms: Annotated[int, Field(ge=0, le=2000)] = 250


class Admin(Model):
    """Metrics and health over HTTP, and the operator's Unix socket within the data directory."""

    host: IpLiteral = "127.0.0.1"
    port: Port = 9090
    socket: Name = "belswitch.sock"


class Bans(Model):
    """Who is slowed and then ignored (`switch.routing.bans`): from `points` wrong passwords or users tried
    on, and from twice as many; half of them are forgotten every `half_life_s`. Without proof of a password a
    source may send `flood_burst` requests at once and `flood_rate` a second. Networks that are `trusted` are
    never limited."""

    enabled: bool = True
    trusted: tuple[Source, ...] = ()
    points: Annotated[int, Field(ge=1, le=1000)] = 5
    half_life_s: Seconds = 600
    delay_ms: Annotated[int, Field(ge=0, le=10_000)] = 1000
    flood_rate: Annotated[int, Field(ge=1, le=100_000)] = 50
    flood_burst: Count = 1000


class EmergencyProvider(Model):
    """The operator of this switch, as a centre is told (RFC 7852 section 4.1): `id` is of `id_series`, and
    `contact` reaches people who help a centre day and night."""

    name: Text
    id: Text
    id_series: Text = "domain"
    contact: Annotated[str, text(r"(?:sips?|tel|mailto|https?):\S{1,200}"), allowed("a URI, tel:+3221234567")]
    languages: Annotated[tuple[Literal["nl", "fr", "de", "en"], ...], Field(min_length=1)] = ("nl", "fr")


class Emergency(Model):
    """Whose emergency calls are taken without digest (R-EMG-05), and who the centres are told sends them."""

    unknown_sources: Literal["never", "known_aor", "any"] = "known_aor"
    provider: EmergencyProvider | None = None


class Notices(Model):
    """Where notices are posted to, and what they are signed with (`switch.net.webhook`).

    `secret` may be `file:NAME` or `env:NAME`; the loader puts the secret in its place. The URL is not shown
    either: its path or query may hold a token.
    """

    webhook: Annotated[WebUrl | None, Field(repr=False)] = None
    secret: SecretStr | None = None

    def _objections(self) -> Iterator[Objection]:
        if self.secret is not None and self.webhook is None:
            yield ("secret",), "signs nothing: webhook is missing"


class CaptureServer(Model):
    """A server that takes HEP3 over UDP, such as Homer; `capture_id` is what it knows us by."""

    host: IpLiteral
    port: Port = 9060
    capture_id: Annotated[int, Field(ge=1, le=4_294_967_295)] = 2001


class Trace(Model):
    """How much of what was said on the wire is kept in memory for `belswitch trace`: for `keep_s`, and never
    more than `most_mib` MiB; 0: nothing. Every message may go to a capture server as well (`hep`)."""

    keep_s: Seconds = 3600
    most_mib: Annotated[int, Field(ge=0, le=4096)] = 16
    hep: CaptureServer | None = None


class Log(Model):
    """What is logged, and whether for machines or for people."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class Settings(Model):
    """`switch.toml`."""

    sip: Sip
    media: Media = Media()
    calls: Calls = Calls()
    lines: Lines = Lines()
    store: Store = Store()
    admin: Admin = Admin()
    bans: Bans = Bans()
    emergency: Emergency = Emergency()
    notices: Notices = Notices()
    trace: Trace = Trace()
    log: Log = Log()


# --- trunks.toml --------------------------------------------------------------------------------------------


class Trunk(Model):
    """A carrier. Trunks are tried in the order of the file, or by `priority`, the lowest first; those of one
    priority share calls by `weight`. `prefixes` limit one to numbers that start so, `max_rate` to so many
    calls a second. `numbers` says how it reads called numbers, `diversion` how it learns that a call was sent
    on, and with `early_media` it is told that we pass that on (RFC 5009).

    Calls from `sources` are this trunk's; without any, those from what `host` resolves to. With `srv` its SRV
    records have the place of `port`. With `register_s` we register there as `username`, for that long at a
    time, and are called by it. After `reply_ms` without a reply the next trunk is tried. Over a `psap` trunk
    emergency centres call back. A `voicemail` platform takes the calls to its short code and starts none
    (R-POL-01). It may be offered `srtp`, and is offered and may use only `codecs`, where any are named.
    `password` may be `file:NAME` or `env:NAME`; the loader puts the secret in its place.
    """

    name: Name
    host: Host
    port: Port = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    sources: tuple[Source, ...] = ()
    username: Quotable | None = None
    password: SecretStr | None = None
    srv: bool = False
    prack: bool = False
    register_s: SecondsOrOff = 0
    probe_s: SecondsOrOff = 30
    reply_ms: Annotated[int, Field(ge=100, le=32_000)] = 4000
    max_calls: Count | None = None
    prefixes: tuple[Prefix, ...] = ()
    international: bool = False
    psap: bool = False
    voicemail: bool = False
    priority: Annotated[int, Field(ge=0, le=1000)] | None = None
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    max_rate: Annotated[int, Field(ge=0, le=10_000)] = 0
    numbers: Literal["e164", "00", "national"] = "e164"
    diversion: Literal["both", "diversion", "history-info", "none"] = "both"
    early_media: bool = False
    srtp: Literal["accept", "offer", "require"] = "accept"
    codecs: tuple[Codec, ...] = ()

    def _objections(self) -> Iterator[Objection]:
        if (self.username is None) != (self.password is None):
            yield ("username" if self.username else "password",), "username and password belong together"
        if self.srv and is_literal(self.host):
            yield ("srv",), "needs a host name, whose SRV records say where it is reached"
        if self.register_s and self.username is None:
            yield ("register_s",), "who registers needs username and password"


class TrunksFile(Model):
    """`trunks.toml`."""

    trunk: tuple[Trunk, ...] = ()

    def _objections(self) -> Iterator[Objection]:
        for index, name in repeated([trunk.name for trunk in self.trunk]):
            yield ("trunk", index, "name"), f"{name} is the name of an earlier trunk"
        for index, trunk in enumerate(self.trunk):
            for earlier in self.trunk[:index]:
                if trunk.international != earlier.international and overlap(trunk.sources, earlier.sources):
                    yield (
                        ("trunk", index, "sources"),
                        f"overlap those of {earlier.name}: one is international",
                    )


def overlap(sources: tuple[Network, ...], others: tuple[Network, ...]) -> bool:
    return any(
        source.version == other.version and source.overlaps(other) for source in sources for other in others
    )


class Config(Settings):
    """The whole configuration, as the switch is built with it."""

    trunks: tuple[Trunk, ...] = ()
