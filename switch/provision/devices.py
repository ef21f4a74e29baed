"""The identities of rented equipment (R-EQP-01), and whether a REGISTER names one of them.

An identity is a MAC address (twelve hexadecimal digits, separated or not), a URN as in `+sip.instance`
(RFC 5626), or a text that the User-Agent must contain. A phone tells all of them itself: this keeps other
equipment from being plugged in, it does not keep out who forges an identity; passwords do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from switch.provision.objection import Objection

if TYPE_CHECKING:
    from switch.routing.lines import Line

RULE = "R-EQP-01"
SHORTEST = 4
"""Of a text in the User-Agent: a shorter one would be found in any."""

_PAIRS = r"[0-9a-f]{2}([:-]?)[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}"
_FOURS = r"[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}"
_MAC = re.compile(rf"(?<![0-9a-f])(?:{_PAIRS}|{_FOURS})(?![0-9a-f])")
_SEPARATED = re.compile(r"[0-9a-f](?:[ :.\-]*[0-9a-f]){11}")
_URN = re.compile(r"<?(urn:[^<>]+)>?")


def normalised(identity: str) -> str:
    """An identity as it is compared: a MAC as twelve digits, a URN without brackets, all in small letters."""
    text = " ".join(identity.lower().split())
    if _SEPARATED.fullmatch(text):
        return re.sub(r"[^0-9a-f]", "", text)
    urn = _URN.fullmatch(text)
    return urn[1] if urn is not None else text


def is_listed(devices: Iterable[str], user_agent: str, instance: str) -> bool:
    """Whether a User-Agent and a `+sip.instance` (either may be '') are those of one of these devices."""
    agent, urn = " ".join(user_agent.lower().split()), normalised(instance)
    told = set(_macs(agent)) | ({urn[-12:]} if urn.startswith("urn:uuid:") else set()) | set(_macs(urn))
    for device in map(normalised, devices):
        if _is_mac(device):
            if device in told:
                return True
        elif device.startswith("urn:"):
            if device == urn:
                return True
        elif len(device) >= SHORTEST and device in agent:
            return True
    return False


def device_objections(line: Line) -> Iterator[Objection]:
    """Identities that tell nothing, and those that are listed twice."""
    seen: set[str] = set()
    for device in line.devices:
        plain = normalised(device)
        if len(plain) < SHORTEST:
            told = f"devices: {device!r} is no MAC, no URN and too short for a part of a User-Agent"
            yield Objection(RULE, told)
        elif plain in seen:
            yield Objection(RULE, f"devices: {device} is there already")
        seen.add(plain)


def _macs(text: str) -> Iterator[str]:
    for found in _MAC.finditer(text):
        yield re.sub(r"[^0-9a-f]", "", found[0])


def _is_mac(text: str) -> bool:
    return len(text) == 12 and all(letter in "0123456789abcdef" for letter in text)
