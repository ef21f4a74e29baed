"""Configuration files to frozen values, or all their faults at once: file, line, key and what is allowed.

`load_config` reads a directory (`switch.toml`, `trunks.toml`), `load_lines` lines to import. Bounds and
checks within a section are `switch.config.model`'s, those between sections are here and run once the keys are
right by themselves. Tariffs, numbering and emergency data in the same directory belong to `rating` and
`emergency`. No fault repeats what may be a secret.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from switch.config.keys import Key, key_lines
from switch.config.lines import LineEntry, LinesFile
from switch.config.model import (
    PORTS_PER_STREAM,
    REFUSED,
    Config,
    Model,
    Objection,
    Settings,
    TrunksFile,
    collide,
)
from switch.relay.srtp import AVAILABLE

SETTINGS_FILE = "switch.toml"
TRUNKS_FILE = "trunks.toml"
FRAUD_FILE = "fraud.toml"
"""Read by `switch.fraud.loader`."""

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a configuration file. `line` counts from 1, 0 is the file as a whole."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without fault, or none and the faults."""

    config: Config | None
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the keys of one file stand."""

    file: str
    lines: Mapping[Key, int]

    def fault(self, key: Key, message: str) -> Fault:
        """A fault against `key`: on its line or, where there is none, on that of the table it belongs to."""
        line = next((self.lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in self.lines), 0)
        return Fault(self.file, line, show_key(key), message)


def default_config_dir() -> Path:
    """The configuration that comes with belswitch, in a checkout or in an installed wheel."""
    packaged = Path(__file__).parents[1] / "_config"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "config"


def load_config(directory: Path, environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read every configuration file of `directory`; what is `env:NAME` comes from `environ`."""
    if not directory.is_dir():
        return Loaded(None, (Fault(str(directory), 0, "", "is not a directory"),))
    known = f"{SETTINGS_FILE}, {TRUNKS_FILE} and {FRAUD_FILE}"
    faults = [
        Fault(path.name, 0, "", f"is not read; the files known are {known}")
        for path in directory.glob("*.toml")
        if path.name not in (SETTINGS_FILE, TRUNKS_FILE, FRAUD_FILE)
    ]
    settings, settings_places, found = _read(directory / SETTINGS_FILE, Settings)
    faults += found
    trunks, trunk_places = TrunksFile(), _Places(TRUNKS_FILE, {})
    if (directory / TRUNKS_FILE).exists():
        read, trunk_places, found = _read(directory / TRUNKS_FILE, TrunksFile)
        trunks = read or trunks
        faults += found
    if settings is not None:
        faults += (settings_places.fault(*objection) for objection in _between_sections(settings))
        faults += (trunk_places.fault(*objection) for objection in _own_address(settings, trunks))
        secret = _secret(settings.notices.secret, directory, environ)
        if isinstance(secret, str):
            faults.append(settings_places.fault(("notices", "secret"), secret))
        else:
            notices = settings.notices.model_copy(update={"secret": secret})
            settings = settings.model_copy(update={"notices": notices})
    revealed = []
    for index, trunk in enumerate(trunks.trunk):
        secret = _secret(trunk.password, directory, environ)
        if isinstance(secret, str):
            faults.append(trunk_places.fault(("trunk", index, "password"), secret))
        else:
            revealed.append(trunk.model_copy(update={"password": secret}))
    if faults or settings is None:
        return Loaded(None, tuple(sorted(faults)))
    return Loaded(Config(**dict(settings), trunks=tuple(revealed)), ())


def load_lines(path: Path) -> tuple[tuple[LineEntry, ...], tuple[Fault, ...]]:
    """Read a file of lines to import: all of them, or none and every fault."""
    read, _, faults = _read(path, LinesFile)
    return (read.line if read is not None else ()), tuple(sorted(faults))


def show_key(key: Key) -> str:
    """A key path as people write it: `sip.listen[0].port`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).removeprefix(".")


# --- one file -----------------------------------------------------------------------------------------------


def _read(path: Path, model: type[_M]) -> tuple[_M | None, _Places, list[Fault]]:
    nowhere = _Places(path.name, {})
    try:
        text = path.read_bytes().decode()
        document = tomllib.loads(text)
    except OSError as error:
        return None, nowhere, [Fault(path.name, 0, "", f"cannot be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return None, nowhere, [Fault(path.name, line, "", "is not UTF-8")]
    except ValueError as error:
        return None, nowhere, [_syntax_fault(path.name, text, str(error))]
    places = _Places(path.name, key_lines(text))
    value, faults = validate(document, model, path.name, places.lines)
    return value, places, faults


def validate(
    document: Mapping[str, Any], model: type[_M], file: str = "", lines: Mapping[Key, int] | None = None
) -> tuple[_M | None, list[Fault]]:
    """What a document says by a model, or every fault; `lines` tells where the keys stand in `file`."""
    try:
        # Strict JSON takes a list for a tuple and text for an address, and nothing else in their place.
        # It knows no dates: as a list of a text they are refused by all keys but those of a `Day`.
        return model.model_validate_json(json.dumps(document, default=lambda date: [str(date)])), []
    except ValidationError as error:
        places = _Places(file, lines or {})
        schema = model.model_json_schema()
        details = error.errors(include_url=False, include_input=False)
        told = [detail for detail in details if not _follows(detail, details)]
        return None, [fault for detail in told for fault in _faults(places, schema, detail)]


def _follows(detail: ErrorDetails, details: list[ErrorDetails]) -> bool:
    """Whether an error only follows from others: pydantic does not count the faulty entries of a list, nor
    computes a default beside a fault."""
    key = detail["loc"]
    below = any(len(other["loc"]) > len(key) and other["loc"][: len(key)] == key for other in details)
    return detail["type"] == "default_factory_not_called" or (detail["type"] == "too_short" and below)


def _syntax_fault(file: str, text: str, message: str) -> Fault:
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message)
    if match is None:
        return Fault(file, 0, "", f"is not TOML: {message}")
    return Fault(file, int(match[2] or text.count("\n") + 1), "", f"is not TOML: {match[1]}")


def _faults(places: _Places, schema: Mapping[str, Any], detail: ErrorDetails) -> Iterator[Fault]:
    key = detail["loc"]
    if detail["type"] == REFUSED:
        for below, message in detail["ctx"]["objections"]:
            yield places.fault((*key, *below), message)
    elif detail["type"] == "extra_forbidden":
        known = ", ".join(_schema_at(schema, key[:-1]).get("properties", {}))
        yield places.fault(key, f"unknown key; known here: {known}")
    else:
        missing = "is missing; " if detail["type"] == "missing" else ""
        kind = "a whole number, " if detail["type"].startswith("int_") else ""
        yield places.fault(key, f"{missing}must be {kind}{_allowed(_schema_at(schema, key))}")


def _schema_at(schema: Mapping[str, Any], key: Key) -> Mapping[str, Any]:
    node = schema
    for part in (*key, None):
        if "anyOf" in node:
            node = next(choice for choice in node["anyOf"] if choice.get("type") != "null")
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rpartition("/")[2]]
        if part is not None:
            node = node["items"] if isinstance(part, int) else node["properties"][part]
    return node


def _allowed(node: Mapping[str, Any]) -> str:
    """What a schema allows, in words."""
    match node:
        case {"enum": choices}:
            return " or ".join(f'"{choice}"' for choice in choices)
        case {"const": choice}:
            return f'"{choice}"'
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"{least}-{most}"
        case {"type": "object"}:
            return "a table"
        case {"type": "array", "minItems": least, "maxItems": most}:
            return f"a list of {least}-{most}"
        case {"type": "array"}:
            return "a list"
        case {"type": "boolean"}:
            return "true or false"
        case {"description": words}:
            return str(words)
    return "text"


# --- between sections and files -----------------------------------------------------------------------------


def _between_sections(settings: Settings) -> Iterator[Objection]:
    ports = settings.media.ports
    calls = len(ports.pairs) * 2 // PORTS_PER_STREAM
    if calls < settings.calls.max_calls:
        allowed = f"must be at most {calls}: media.ports {ports.first}-{ports.last} carries no more calls"
        yield ("calls", "max_calls"), allowed
    if settings.store.hold_ms >= settings.sip.t1_ms:  # a retransmission would overtake what is held
        yield ("store", "hold_ms"), f"must be less than sip.t1_ms, {settings.sip.t1_ms}"
    for index, listen in enumerate(settings.sip.listen):
        shared = any(collide(listen.host, media.host) for media in settings.media.hosts)
        if shared and listen.transport == "udp" and ports.first <= listen.port <= ports.last:
            yield ("sip", "listen", index, "port"), f"lies within media.ports, {ports.first}-{ports.last}"

    srtp = settings.media.srtp
    if srtp not in (None, "through") and not AVAILABLE:
        yield ("media", "srtp"), f"{srtp} needs pylibsrtp: pip install 'belswitch[media]'"


def _own_address(settings: Settings, trunks: TrunksFile) -> Iterator[Objection]:
    own = {(listen.host, listen.port) for listen in settings.sip.listen}
    spoken = {listen.transport for listen in settings.sip.listen}
    for index, trunk in enumerate(trunks.trunk):
        if (trunk.host, trunk.port) in own:
            yield ("trunk", index, "host"), "is this switch itself, by sip.listen"
        if trunk.transport not in spoken:
            yield ("trunk", index, "transport"), f"no address of sip.listen speaks {trunk.transport}"
        if trunk.srtp != "accept" and not settings.media.decrypts:
            yield (
                ("trunk", index, "srtp"),
                f"{trunk.srtp} needs media.srtp in switch.toml, and not through",
            )


def _secret(given: SecretStr | None, directory: Path, environ: Mapping[str, str]) -> SecretStr | str | None:
    """The secret itself, or why it is not to be had, naming nothing: it may be the secret after all."""
    if given is None:
        return None
    secret = given.get_secret_value()
    scheme, _, name = secret.partition(":")
    if scheme == "env":
        secret = environ.get(name, "")
    elif scheme == "file":
        try:
            secret = (directory / name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            return f"the file it names cannot be read: {reason}"
    return SecretStr(secret) if secret else "is empty, or names an empty or missing variable or file"
