"""What the core is built with and what a reload replaces, as plain values. `switch.app` makes it from the
configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emergency.additional_data import Provider
from emergency.psap import Directory
from rating.tariff import TariffBook
from switch.config.prompts import Prompts
from switch.fraud.rules import Rule
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_S, Address, Listener
from switch.routing.bans import BanSettings
from switch.routing.overload import OverloadSettings
from switch.routing.registrar import RegistrarLimits
from switch.routing.trunks import TrunkSettings
from switch.sip.transaction.wire import Timing


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Times in nanoseconds unless named otherwise; `max_s` is R-LIM-01's cut."""

    ring_ns: int = 60 * NS_PER_S
    no_answer_ns: int = 180 * NS_PER_S
    max_s: int = 7200
    max_calls: int = 2000
    warned_sides: tuple[int, ...] = (0,)
    """Who hears the tones before a call is cut: 0 the caller, 1 the called side."""


NOBODY = Provider("belswitch", "belswitch.invalid", "domain", "sip:operator@belswitch.invalid")
"""The operator of a switch that has none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that may differ between two switches. `listen` are our addresses, `advertised` what we
    call them."""

    listen: tuple[Listener, ...]
    advertised: Mapping[Address, Address]
    domain: str
    realm: str
    media: MediaSettings
    media_ports: tuple[int, int]
    tariffs: TariffBook
    emergency: Directory
    trunks: tuple[TrunkSettings, ...] = ()
    limits: CallLimits = field(default_factory=CallLimits)
    registrar: RegistrarLimits = field(default_factory=RegistrarLimits)
    bans: BanSettings = field(default_factory=BanSettings)
    overload: OverloadSettings = field(default_factory=OverloadSettings)
    timing: Timing = field(default_factory=Timing)
    nonce_ttl_s: int = 300
    algorithms: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: dict.fromkeys(("udp", "tcp", "tls", "ws", "wss"), ("MD5",))
    )
    user_agent: str = "belswitch"
    emergency_without_digest: str = "known_aor"
    fraud: tuple[Rule, ...] = ()
    provider: Provider = NOBODY
    """The operator of this switch, as an emergency centre is told (RFC 7852)."""
    announce: bool = False
    """Whether a refusal is spoken to the phone before it is sent."""
    prompts: Prompts = field(default_factory=Prompts)
    """What the switch can say itself; nothing by default."""
