"""Keys of SRTP in session descriptions: the a=crypto line (SDES, RFC 4568; RFC 7714 for GCM)."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterable
from dataclasses import dataclass, field

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AEAD_AES_256_GCM": 44,
    "AEAD_AES_128_GCM": 28,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""What the relay can encrypt with, and the octets of master key and salt together."""

SECURE_PROFILES = {"RTP/SAVP": "RTP/AVP", "RTP/SAVPF": "RTP/AVP"}
"""The profiles of SRTP (RFC 3711, RFC 5124), and what everybody takes without encryption."""

PLAIN_PROFILES = {"RTP/AVP": "RTP/SAVP", "RTP/AVPF": "RTP/SAVPF"}
"""The profiles without it, and what they are with it."""

MARK = "a=crypto:"
KEYS_OF_ANY_KIND = (MARK, "a=fingerprint:", "a=setup:")
"""Lines of keys that are not passed on where SRTP ends here."""

_LINE = re.compile(
    r"a=crypto:(?P<tag>[1-9]\d{0,8}) +(?P<suite>[A-Za-z0-9_]+) +inline:(?P<key>[A-Za-z0-9+/=]+)"
    r"(?P<behind>(?:\|[^ ;|]*){0,2})(?P<parameters>(?: +\S+)*) *",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Crypto:
    """One a=crypto line: the master key and salt, base64, with which its *sender* encrypts."""

    tag: int
    suite: str
    key: str = field(repr=False)

    @property
    def line(self) -> str:
        """As it stands in a description."""
        return f"{MARK}{self.tag} {self.suite} inline:{self.key}"


def cryptos_of(lines: Iterable[str]) -> list[Crypto]:
    """Those of a section's keys that can be used, in its sender's order (RFC 4568 section 7.1.2).

    Left out are unknown suites, keys of a wrong length, more than one key in a line or one with an index
    (MKI), and session parameters that change what is encrypted. A lifetime is not counted down: none of these
    keys wears out within a call.
    """
    return [crypto for line in lines if line.startswith(MARK) and (crypto := _read(line)) is not None]


def _read(line: str) -> Crypto | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    suite, key = found["suite"].upper(), found["key"]
    changed = any(not one.upper().startswith("WSH=") for one in found["parameters"].split())
    if ":" in found["behind"] or changed:
        return None
    try:
        octets = b64decode(key, validate=True)
    except Error:
        return None
    return Crypto(int(found["tag"]), suite, key) if len(octets) == SUITES.get(suite) else None
