"""From configuration files to what the core is built with: nothing is lost, and no password is kept."""

from __future__ import annotations

import dataclasses
import json
import pickle
import shutil
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, SecretStr

from emergency.additional_data import Provider
from switch.config.lines import LineEntry
from switch.config.loader import default_config_dir, load_config
from switch.config.model import Config
from switch.config.prompts import Prompt, Prompts
from switch.configuration import Configuration, line_of, load, settings_of
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_MS, NS_PER_S, Address, Listener
from switch.routing.bans import BanSettings
from switch.routing.overload import OverloadSettings
from switch.routing.registrar import RegistrarLimits
from switch.routing.trunks import TrunkSettings
from switch.sdp.terms import SideTerms, Srtp
from switch.settings import CallLimits, Settings
from switch.sip.auth import ha1
from switch.sip.transaction.wire import Timing
from tests.torture.support import tables

PASSWORD = "correct-horse-battery"
M = TypeVar("M", bound=BaseModel)

SIP: dict[str, Any] = {
    "listen": [{"host": "192.0.2.1", "port": 5060}, {"host": "2001:db8::1", "port": 5062}],
    "domain": "voice.example",
    "realm": "belswitch",
    "advertised_host": "sip.voice.example",
    "user_agent": "switch/1",
    "digest": {"udp": ["SHA-256", "MD5"]},
    "nonce_ttl_s": 111,
    "register_min_s": 31,
    "register_max_s": 3333,
    "register_spread_percent": 20,
    "register_default_s": 1111,
    "t1_ms": 250,
    "t2_ms": 2000,
    "t4_ms": 2500,
}
MEDIA: dict[str, Any] = {
    "ports": {"first": 20_000, "last": 20_999},
    "hosts": [{"host": "192.0.2.2", "advertised_host": "198.51.100.2"}, {"host": "2001:db8::2"}],
    "relays": 3,
    "silence_s": 17,
    "learn": "any",
    "srtp": "offer",
}
CALLS: dict[str, Any] = {
    "ring_s": 21,
    "no_answer_s": 99,
    "max_s": 3601,
    "warning_tone": "both",
    "max_calls": 444,
    "max_per_line": 5,
    "max_rate": 250,
    "stop": "end",
    "stop_wait_s": 9,
}
BANS: dict[str, Any] = {
    "enabled": False,
    "trusted": ["192.0.2.128/25", "2001:db8:2::1"],
    "points": 7,
    "half_life_s": 333,
    "delay_ms": 1500,
    "flood_rate": 20,
    "flood_burst": 99,
}
PROVIDER: dict[str, Any] = {
    "name": "Example Telecom",
    "id": "0123.456.789",
    "id_series": "KBO",
    "contact": "tel:+3221234567",
    "languages": ["nl", "de"],
}
TRUNK: dict[str, Any] = {
    "name": "abroad",
    "host": "sip.carrier.example",
    "port": 5070,
    "sources": ["198.51.100.0/28", "2001:db8:1::/64"],
    "username": "belswitch",
    "password": PASSWORD,
    "probe_s": 13,
    "reply_ms": 1500,
    "max_calls": 60,
    "prefixes": ["+33", "+49"],
    "international": True,
    "psap": True,
    "priority": 5,
    "weight": 3,
    "max_rate": 7,
    "numbers": "national",
    "diversion": "history-info",
    "early_media": True,
    "srtp": "require",
    "codecs": ["PCMA", "opus"],
}
PROMPTS = Prompts({("nl", "congestion"): Prompt("/prompts/nl/congestion.wav", 2500)})
NOT_FOR_THE_CORE = {
    "sip.tls",
    *(f"sip.connections.{key}" for key in ("most", "most_per_host", "message_s", "idle_s")),
    "media.relays",
    "calls.max_per_line",  # of lines that do not say, when they are imported
    "calls.stop",
    "calls.stop_wait_s",
    "lines.quarantine_days",  # of removing lines
    *(f"store.{key}" for key in ("directory", "queue_max", "commit_ms", "hold_ms")),
    *(f"admin.{key}" for key in ("host", "port", "socket")),
    *(f"notices.{key}" for key in ("webhook", "secret")),
    *(f"log.{key}" for key in ("level", "format")),
    *(f"trace.{key}" for key in ("keep_s", "most_mib", "hep")),
}


def _read(model: type[M], values: dict[str, Any]) -> M:
    """As files are read: lists are taken for tuples, everything else strictly."""
    return model.model_validate_json(json.dumps(values))


def configured(**changes: Any) -> Configuration:
    """A configuration in which nothing is as it is by default."""
    sections = {
        "sip": SIP,
        "media": MEDIA,
        "calls": CALLS,
        "lines": {"devices": "listed", "quarantine_days": 30},
        "bans": BANS,
        "emergency": {"unknown_sources": "never", "provider": PROVIDER},
        "trunks": [TRUNK],
    }
    return Configuration(Path("config"), _read(Config, {**sections, **changes}), *tables(), PROMPTS)


# --- settings -----------------------------------------------------------------------------------------------


def test_every_field_arrives() -> None:
    book, directory = tables()
    v4, v6 = Address("192.0.2.1", 5060), Address("2001:db8::1", 5062)
    settings = settings_of(configured())
    barred = settings.media.barred
    assert settings == Settings(
        listen=(Listener("udp", v4), Listener("udp", v6)),
        advertised={v4: Address("sip.voice.example", 5060), v6: Address("sip.voice.example", 5062)},
        domain="voice.example",
        realm="belswitch",
        media=MediaSettings(
            hosts={4: "192.0.2.2", 6: "2001:db8::2"},
            advertised={4: "198.51.100.2", 6: "2001:db8::2"},
            silence_ms=17_000,
            learn_any=True,
            barred=barred,
            srtp=Srtp.OFFER,
        ),
        media_ports=(20_000, 20_999),
        tariffs=book,
        emergency=directory,
        trunks=(
            TrunkSettings(
                name="abroad",
                host="sip.carrier.example",
                port=5070,
                sources=(ip_network("198.51.100.0/28"), ip_network("2001:db8:1::/64")),
                credentials=("belswitch", PASSWORD),
                probe_ns=13 * NS_PER_S,
                reply_ns=1500 * NS_PER_MS,
                max_calls=60,
                prefixes=("+33", "+49"),
                international=True,
                psap=True,
                priority=5,
                weight=3,
                max_rate=7,
                numbers="national",
                diversion=("History-Info",),
                early_media=True,
                terms=SideTerms(Srtp.REQUIRE, frozenset({"PCMA", "OPUS"})),
            ),
        ),
        limits=CallLimits(
            ring_ns=21 * NS_PER_S, no_answer_ns=99 * NS_PER_S, max_s=3601, max_calls=444, warned_sides=(0, 1)
        ),
        registrar=RegistrarLimits(31, 3333, 1111, listed_only=True, spread_percent=20),
        bans=BanSettings(
            enabled=False,
            trusted=(ip_network("192.0.2.128/25"), ip_network("2001:db8:2::1")),
            points=7,
            half_life_ns=333 * NS_PER_S,
            delay_ns=1500 * NS_PER_MS,
            rate=20,
            burst=99,
            proof_ns=3393 * NS_PER_S,
        ),
        overload=OverloadSettings(250),
        timing=Timing(250 * NS_PER_MS, 2000 * NS_PER_MS, 2500 * NS_PER_MS),
        nonce_ttl_s=111,
        algorithms={"udp": ("SHA-256", "MD5"), **dict.fromkeys(("tcp", "tls", "ws", "wss"), ("MD5",))},
        user_agent="switch/1",
        emergency_without_digest="never",
        provider=Provider("Example Telecom", "0123.456.789", "KBO", "tel:+3221234567", ("nl", "de")),
        prompts=PROMPTS,
    )


def leaves(model: BaseModel, path: str = "") -> Iterator[tuple[str, BaseModel, str]]:
    """Every key of the configuration: its name, and the section in which it stands."""
    for key in type(model).model_fields:
        value = getattr(model, key)
        name = f"{path}{key}"
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{name}.")
        elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            yield from leaves(value[0], f"{name}.")
        else:
            yield name, model, key


def test_no_key_is_without_effect() -> None:
    """Each by itself, set to nothing that was ever valid: the settings are others, or cannot be made."""
    whole = configured()
    base = settings_of(whole)
    idle = set()
    for name, _, _ in leaves(whole.config):
        changed = dataclasses.replace(whole, config=whole.config.model_copy(deep=True))
        section, key = next((section, key) for other, section, key in leaves(changed.config) if other == name)
        object.__setattr__(section, key, _other_than(getattr(section, key)))
        try:
            if settings_of(changed) == base:
                idle.add(name)
        except (TypeError, ValueError, LookupError, AttributeError):
            pass  # it was looked at
    assert idle == NOT_FOR_THE_CORE


def _other_than(value: object) -> object:
    match value:
        case bool():
            return not value
        case int():
            return value + 2
        case str():
            return f"{value}x"
        case SecretStr():
            return SecretStr("other")
    return None


def test_a_switch_is_called_by_the_address_it_listens_on_unless_told_otherwise() -> None:
    sip = {key: value for key, value in SIP.items() if key != "advertised_host"}
    settings = settings_of(configured(sip=sip))
    assert settings.advertised == {address: address for _, address in settings.listen}


def test_a_trunk_without_a_password_has_no_credentials() -> None:
    plain = {"name": "plain", "host": "192.0.2.9"}
    (trunk,) = settings_of(configured(trunks=[plain])).trunks
    assert trunk.credentials is None
    assert trunk.sources == ()


def test_trunks_keep_the_order_of_the_file() -> None:
    trunks = [{"name": name, "host": "192.0.2.9"} for name in ("c", "a", "b")]
    assert [one.name for one in settings_of(configured(trunks=trunks)).trunks] == ["c", "a", "b"]


# --- the whole directory ------------------------------------------------------------------------------------


def test_what_comes_along_is_without_fault() -> None:
    configuration, faults = load(default_config_dir())
    assert faults == []
    assert configuration is not None
    settings = settings_of(configuration)
    assert settings.domain == "127.0.0.1"
    assert settings.prompts.find("congestion", "nl") is not None


def test_a_configuration_without_prompts_says_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "config"
    shutil.copytree(default_config_dir(), directory, ignore=shutil.ignore_patterns("prompts"))
    configuration, faults = load(directory)
    assert faults == []
    assert configuration is not None
    assert settings_of(configuration).prompts == Prompts()


def test_faults_of_all_files_come_at_once_and_nothing_is_built(tmp_path: Path) -> None:
    directory = tmp_path / "config"
    shutil.copytree(default_config_dir(), directory)
    for name, old, new in (
        ("switch.toml", "max_s = 7200", "max_s = 0"),
        ("trunks.toml", "port = 5080", "port = 0"),
        ("tariffs/2026-01-01.toml", 'monthly = "22.29"', 'monthly = "cheap"'),
        ("emergency/gateways.toml", "port = 5090", "port = 0"),
        ("fraud.toml", "more_than = 3", "more_than = -3"),
    ):
        text = (directory / name).read_text()
        assert old in text
        (directory / name).write_text(text.replace(old, new, 1))
    (directory / "prompts" / "nl" / "congestion.wav").write_text("no sound")
    configuration, faults = load(directory)
    assert configuration is None
    named = {fault.partition(":")[0].rpartition("/")[2] for fault in faults}
    read = {"switch.toml", "trunks.toml", "2026-01-01.toml", "gateways.toml", "congestion.wav", "fraud.toml"}
    assert named == read


def test_rules_against_fraud_arrive(tmp_path: Path) -> None:
    """A directory without their file has none."""
    directory = tmp_path / "config"
    shutil.copytree(default_config_dir(), directory)
    configuration, _ = load(directory)
    assert configuration is not None
    assert settings_of(configuration).fraud == configuration.fraud != ()
    (directory / "fraud.toml").unlink()
    configuration, _ = load(directory)
    assert configuration is not None
    assert settings_of(configuration).fraud == ()


# --- lines --------------------------------------------------------------------------------------------------


def entry(**changes: Any) -> LineEntry:
    values: dict[str, Any] = {
        "number": "+3216234567",
        "numbers": ["+3216234568"],
        "user": "desk",
        "password": PASSWORD,
        "sources": ["192.0.2.0/28"],
        "algorithms": ["SHA-256", "MD5"],
        "lenient": True,
        "kind": "dect",
        "plan": "classic",
        "options": ["anytime"],
        "max_contacts": 3,
        "max_calls": 7,
        "state": "limited",
        "address": {
            "postcode": "3001",
            "municipality": "Leuven",
            "street": "Naamsesteenweg",
            "number": "12",
            "name": "Bakkerij Peeters BV",
            "language": "nl",
        },
    }
    return _read(LineEntry, {**values, **changes})


def test_a_line_keeps_every_field_of_its_entry() -> None:
    line = line_of(entry(), configured().config)
    assert (line.user, line.numbers, line.number) == (
        "desk",
        ("+3216234567", "+3216234568"),
        "+3216234567",
    )
    assert (line.plan, line.options, line.state, line.kind) == ("classic", ("anytime",), "limited", "dect")
    assert (line.max_contacts, line.max_calls, line.sources) == (3, 7, ("192.0.2.0/28",))
    assert (line.account.algorithms, line.account.lenient) == (("SHA-256", "MD5"), True)
    assert line.address is not None
    assert line.address["municipality"] == "Leuven"
    assert line.address["box"] == ""


def test_a_password_becomes_a_digest_for_each_algorithm() -> None:
    line = line_of(entry(), configured().config)
    assert line.account.ha1 == {name: ha1(name, "desk", "belswitch", PASSWORD) for name in ("MD5", "SHA-256")}


@pytest.mark.parametrize("show", [repr, str, pickle.dumps, dataclasses.asdict])
def test_no_password_is_kept_anywhere_in_a_line(show: Any) -> None:
    line = line_of(entry(), configured().config)
    assert PASSWORD not in str(show(line))


def test_equipment_known_by_its_address_has_no_digest() -> None:
    assert line_of(entry(password=None), configured().config).account.ha1 == {}


def test_a_line_without_limits_of_its_own_has_the_switchs() -> None:
    line = line_of(entry(max_calls=None, algorithms=None), configured().config)
    assert line.max_calls == 5
    assert line.account.algorithms == ()


def test_a_trunks_password_is_not_shown_where_the_configuration_is_printed() -> None:
    configuration = configured()
    assert PASSWORD not in repr(configuration.config)
    assert PASSWORD not in str(configuration.config)


def test_the_lab_reads_like_any_other_configuration() -> None:
    assert load_config(default_config_dir()).faults == ()
