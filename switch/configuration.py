"""Everything that is configured, read together: switch and trunks, prompts, tariffs and numbering, emergency
services, rules against fraud.

All faults of all files come at once; nothing is built from a configuration that has any.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from ipaddress import ip_address
from pathlib import Path

from emergency.additional_data import Provider
from emergency.loader import load as load_emergency
from emergency.psap import Directory
from rating.loader import load as load_rating
from rating.tariff import TariffBook
from switch.config.lines import LineEntry
from switch.config.loader import load_config
from switch.config.model import Config, Trunk
from switch.config.prompts import Prompts, load_prompts
from switch.fraud.loader import load as load_fraud
from switch.fraud.rules import Rule
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_MS, NS_PER_S, Address, Listener
from switch.provision.zones import read_zones
from switch.routing.bans import BanSettings
from switch.routing.lines import Line
from switch.routing.overload import OverloadSettings
from switch.routing.plan import DIVERSION_FIELDS
from switch.routing.registrar import RegistrarLimits
from switch.routing.trunks import TrunkSettings
from switch.sdp.terms import SideTerms, Srtp
from switch.settings import CallLimits, Settings
from switch.sip.auth import Account, ha1
from switch.sip.transaction.wire import Timing
from switch.sip.uri import bracketed

LATE_S = 60
"""A phone that renews its registration as late as it may is still known to be there."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole configuration without fault."""

    directory: Path
    config: Config
    tariffs: TariffBook
    emergency: Directory
    prompts: Prompts = field(default_factory=Prompts)
    fraud: tuple[Rule, ...] = ()


def load(directory: Path) -> tuple[Configuration | None, list[str]]:
    """Read a configuration directory: the configuration, or every fault as `file:line: key: what is
    allowed`."""
    loaded = load_config(directory)
    this_year = date.today().year
    rating = load_rating(directory, range(this_year - 1, this_year + 11))
    emergency = load_emergency(directory)
    _, zones = read_zones(directory)  # the command line asks it; what is wrong with it is said here too
    prompts, wrong_prompts = load_prompts(directory)
    fraud = load_fraud(directory)
    parts = (loaded.faults, rating.faults, emergency.faults, zones, wrong_prompts, fraud.faults)
    faults = [str(fault) for part in parts for fault in part]
    if faults or loaded.config is None or rating.book is None or emergency.directory is None:
        return None, faults
    built = Configuration(directory, loaded.config, rating.book, emergency.directory, prompts, fraud.rules)
    return built, []


def line_of(entry: LineEntry, config: Config) -> Line:
    """A line to be stored: the password becomes one digest for each algorithm, and is forgotten."""
    secrets: dict[str, str] = {}
    if entry.password is not None:
        password = entry.password.get_secret_value()
        secrets = {name: ha1(name, entry.user, config.sip.realm, password) for name in ("MD5", "SHA-256")}
    return Line(
        user=entry.user,
        numbers=(entry.number, *entry.numbers),
        account=Account(secrets, entry.algorithms or (), entry.lenient),
        plan=entry.plan,
        options=entry.options,
        state=entry.state,
        kind=entry.kind,
        address=entry.address.model_dump(),
        max_contacts=entry.max_contacts,
        max_calls=entry.max_calls or config.calls.max_per_line,
        sources=tuple(str(source) for source in entry.sources),
        cap=entry.cap or "",
        premium=entry.premium,
        concluded=entry.concluded.isoformat() if entry.concluded is not None else "",
        end_user=entry.address.name if entry.end_user is None else entry.end_user,
        end_users=entry.end_users,
        devices=entry.devices,
        agreement=entry.agreement,
        guarantee=entry.guarantee,
        abroad=entry.abroad,
        withhold=entry.withhold,
        state_reason=entry.state_reason,
        disputed=entry.disputed,
        terminated_on=entry.terminated_on.isoformat() if entry.terminated_on is not None else "",
    )


def settings_of(configuration: Configuration) -> Settings:
    """What the core is built with."""
    config = configuration.config
    sip, media, calls = config.sip, config.media, config.calls
    listen = tuple(Listener(one.transport, Address(one.host, one.port)) for one in sip.listen)
    families = {ip_address(one.host).version: one for one in media.hosts}
    return Settings(
        listen=listen,
        advertised={at: Address(sip.advertised_host or at.host, at.port) for _, at in listen},
        domain=sip.domain,
        realm=sip.realm,
        media=MediaSettings(
            hosts={family: one.host for family, one in families.items()},
            advertised={family: one.advertised for family, one in families.items()},
            silence_ms=1000 * media.silence_s,
            learn_any=media.learn == "any",
            barred=_sip_addresses(configuration),
            srtp=Srtp((media.srtp or "accept") if media.decrypts else "through"),
        ),
        media_ports=(media.ports.first, media.ports.last),
        tariffs=configuration.tariffs,
        emergency=configuration.emergency,
        trunks=tuple(_trunk(one, decrypts=media.decrypts) for one in config.trunks),
        limits=CallLimits(
            ring_ns=calls.ring_s * NS_PER_S,
            no_answer_ns=calls.no_answer_s * NS_PER_S,
            max_s=calls.max_s,
            max_calls=calls.max_calls,
            warned_sides=tuple(
                side for side, name in enumerate(("caller", "called")) if calls.warning_tone in (name, "both")
            ),
        ),
        registrar=RegistrarLimits(
            sip.register_min_s,
            sip.register_max_s,
            sip.register_default_s,
            listed_only=config.lines.devices == "listed",
            spread_percent=sip.register_spread_percent,
        ),
        bans=BanSettings(
            enabled=config.bans.enabled,
            trusted=config.bans.trusted,
            points=config.bans.points,
            half_life_ns=config.bans.half_life_s * NS_PER_S,
            delay_ns=config.bans.delay_ms * NS_PER_MS,
            rate=config.bans.flood_rate,
            burst=config.bans.flood_burst,
            proof_ns=(sip.register_max_s + LATE_S) * NS_PER_S,
        ),
        overload=OverloadSettings(calls.max_rate),
        timing=Timing(sip.t1_ms * NS_PER_MS, sip.t2_ms * NS_PER_MS, sip.t4_ms * NS_PER_MS),
        nonce_ttl_s=sip.nonce_ttl_s,
        algorithms={**dict(sip.digest), "wss": sip.digest.ws},
        user_agent=sip.user_agent,
        announce=calls.announce,
        emergency_without_digest=config.emergency.unknown_sources,
        fraud=configuration.fraud,
        provider=provider_of(config),
        prompts=configuration.prompts,
    )


def provider_of(config: Config) -> Provider:
    """The operator as configured, or by the name of the SIP domain."""
    told = config.emergency.provider
    if told is None:
        domain = config.sip.domain
        return Provider(domain, domain, "domain", f"sip:{bracketed(domain)}")
    return Provider(told.name, told.id, told.id_series, told.contact, told.languages)


def _sip_addresses(configuration: Configuration) -> frozenset[tuple[str, int]]:
    """Where SIP is spoken, as far as it is known by address."""
    config = configuration.config
    listen = [(one.host, one.port) for one in config.sip.listen]
    trunks = [(one.host, one.port) for one in config.trunks]
    gateways = [(one.host, one.port) for way in configuration.emergency.gateways.values() for one in way]
    return frozenset([*listen, *trunks, *gateways])


_DIVERSION = {
    "both": DIVERSION_FIELDS,
    "diversion": ("Diversion",),
    "history-info": ("History-Info",),
    "none": (),
}


def _trunk(trunk: Trunk, *, decrypts: bool) -> TrunkSettings:
    credentials = None
    if trunk.username is not None and trunk.password is not None:
        credentials = (trunk.username, trunk.password.get_secret_value())
    return TrunkSettings(
        name=trunk.name,
        host=trunk.host,
        port=trunk.port,
        transport=trunk.transport,
        register_s=trunk.register_s,
        srv=trunk.srv,
        prack=trunk.prack,
        sources=tuple(trunk.sources),
        credentials=credentials,
        probe_ns=trunk.probe_s * NS_PER_S,
        reply_ns=trunk.reply_ms * NS_PER_MS,
        max_calls=trunk.max_calls,
        prefixes=tuple(trunk.prefixes),
        international=trunk.international,
        psap=trunk.psap,
        voicemail=trunk.voicemail,
        priority=trunk.priority,
        weight=trunk.weight,
        max_rate=trunk.max_rate,
        numbers=trunk.numbers,
        diversion=_DIVERSION[trunk.diversion],
        early_media=trunk.early_media,
        terms=SideTerms(Srtp(trunk.srtp) if decrypts else Srtp.THROUGH, frozenset(trunk.codecs)),
    )
