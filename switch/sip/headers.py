"""Header field names and the values every message carries: Via, CSeq, Max-Forwards, Reason (RFC 3261
section 20, RFC 3326)."""

from __future__ import annotations

import re
from typing import NamedTuple

from switch.malformed import Malformed
from switch.sip.uri import bracketed, plain_params, split_host_port, split_params

COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_NAMES = """
Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events
Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding
Content-Language Content-Length Content-Type CSeq Date Diversion Error-Info Event Expires From
Geolocation Geolocation-Routing History-Info Identity In-Reply-To Join Max-Forwards Min-Expires
Min-SE MIME-Version Organization P-Asserted-Identity P-Called-Party-ID P-Early-Media
P-Preferred-Identity Path Priority Privacy Proxy-Authenticate Proxy-Authorization Proxy-Require RAck
RSeq Reason Record-Route Refer-To Referred-By Reject-Contact Replaces Reply-To Request-Disposition
Require Resource-Priority Retry-After Route Server Service-Route Session-Expires Subject
Subscription-State Supported Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate
"""
_KNOWN = tuple(_NAMES.split())

SPELLINGS = (
    {name: name for name in _KNOWN}
    | {name.lower(): name for name in _KNOWN}
    | COMPACT
    | {k.upper(): v for k, v in COMPACT.items()}
)
_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")

SINGLETONS = frozenset({"Call-ID", "Content-Length", "Content-Type", "CSeq", "From", "Max-Forwards", "To"})
"""Fields that may stand only once; a second one makes the request ambiguous (RFC 4475 section 3.3.8)."""


def canonical(name: str) -> str:
    """The one spelling of a field name used as key, compact forms included (RFC 3261 section 7.3.1, 7.3.3).

    Raises:
        Malformed: when it is no token (400).
    """
    known = SPELLINGS.get(name)
    if known is not None:
        return known
    name = name.strip(" \t")
    if not _NAME.match(name):
        raise Malformed(400, "Bad header name")
    lower = name.lower()
    return SPELLINGS.get(lower) or "-".join(part.capitalize() for part in lower.split("-"))


class Via(NamedTuple):
    """One Via value. `branch` is '' when absent (RFC 2543); `port` 0 means the transport's default."""

    transport: str
    host: str
    port: int
    branch: str
    params: dict[str, str | None]


_VIA = re.compile(
    r"\s*SIP\s*/\s*(\S+?)\s*/\s*([A-Za-z0-9.!%*_+`'~\-]+)\s+"
    r"(\[[^\]]*\]|[^\s;:,]+)\s*(?::\s*([0-9]{1,5})\s*)?(;.*|)\Z",
    re.I | re.S,
)
_COMMON_VIA = re.compile(r"SIP/2\.0/(UDP|TCP|TLS|WS|WSS) ([A-Za-z0-9.\-]+)(?::([0-9]{1,5}))?(;[^,\"\s]*|)\Z")


def parse_via(text: str) -> Via:
    """The first value of a Via row.

    Raises:
        Malformed: 400 for bad syntax, 505 for another version.
    """
    common = _COMMON_VIA.match(text)
    if common is not None:
        transport, host, port_text, tail = common.groups()
    else:
        match = _VIA.match(text)
        if match is None:
            raise Malformed(400, "Bad Via")
        version, transport, host, port_text, tail = match.groups()
        if version != "2.0":
            raise Malformed(505, "Version Not Supported")
        host, _ = split_host_port(host)
        transport = transport.upper()
    port = int(port_text or 0)
    if port > 65535:
        raise Malformed(400, "Bad Via")
    params = plain_params(tail) if common is not None else split_params(tail.rstrip())
    return Via(transport, host, port, params.get("branch") or "", params)


def print_via(transport: str, host: str, port: int, branch: str) -> str:
    """A Via value of our own; rport is always asked for (RFC 3581)."""
    return f"SIP/2.0/{transport.upper()} {bracketed(host)}:{port};branch={branch};rport"


_CSEQ = re.compile(r"\s*0*([0-9]{1,10})\s+(\S+)\s*\Z")


def parse_cseq(text: str) -> tuple[int, str]:
    """CSeq as number and method.

    Raises:
        Malformed: 400; also for a number above 2**32 - 1 (RFC 3261 section 8.1.1.5 wants it below 2**31).
    """
    match = _CSEQ.match(text)
    if match is None or (number := int(match[1])) > 0xFFFF_FFFF:
        raise Malformed(400, "Bad CSeq")
    return number, match[2]


def parse_small_number(text: str | None, default: int, ceiling: int) -> int:
    """A header's whole number; `default` where it is absent or no number, at most `ceiling` (tolerates 101
    digits)."""
    if text is None:
        return default
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        return default
    return min(int(text[-20:]), ceiling) if len(text.lstrip("0")) <= 18 else ceiling


_Q850 = re.compile(r"Q\.850\s*;(?:[^,]*;)?\s*cause\s*=\s*([0-9]{1,3})\b", re.I)
_REASON_LENGTH = 1024  # matching is quadratic in the length of a hostile row


def q850_cause(reason_rows: list[str]) -> int | None:
    """The Q.850 cause among Reason header rows (RFC 3326), or None."""
    for row in reason_rows:
        match = _Q850.search(row[:_REASON_LENGTH])
        if match is not None and int(match[1]) < 128:
            return int(match[1])
    return None


def token_set(rows: list[str]) -> frozenset[str]:
    """Option tags of Require, Supported and the like, in lower case."""
    return frozenset(tag for row in rows for part in row.split(",") if (tag := part.strip().lower()))
