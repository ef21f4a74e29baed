"""Where a call was sent on from before it came here: Diversion (RFC 5806) and History-Info (RFC 7044).

Both are read, and both are written, for carriers know the one or the other. The chain holds numbers or URIs,
the last diversion first, as Diversion has it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from switch.malformed import Malformed
from switch.sip.message import Fields, Request
from switch.sip.uri import parse_name_addr, parse_uri, unescape

MOST_READ = 16
"""Entries looked at; what is longer than this was sent on too often in any case."""

_PLAIN = re.compile(r"[A-Za-z0-9+*._~!-]{1,64}\Z")
"""A user that may stand in a SIP URI as it is."""

_CAUSES = {"unconditional": 302, "user-busy": 486, "no-answer": 408, "unavailable": 503, "deflection": 480}
"""Why a call is sent on, in the words of RFC 5806 section 4, and in those of RFC 4458 (SIP causes)."""


class Diverted(NamedTuple):
    """One diversion: the number that the call was sent on from, and why (RFC 5806's diversion-reason)."""

    number: str
    reason: str


def chain_of(request: Request) -> tuple[str, ...]:
    """The users or numbers that a request was sent on from, the last one first; of the two fields the one
    that tells more."""
    diversion = [_user(value) for value in request.values("Diversion")[:MOST_READ]]
    history = request.values("History-Info")[:MOST_READ]
    retargeted = [_user(value) for value, after in pairwise(history) if _caused(after)]
    return tuple(diversion if len(diversion) >= len(retargeted) else reversed(retargeted))


def sent_on(chain: tuple[Diverted, ...], target: str, domain: str) -> Fields:
    """The fields that tell of a chain, the last diversion first, and of the number called now."""
    if not chain:
        return {}

    def uri(number: str, params: str = "") -> str:
        if not number:
            return f"<sip:anonymous@anonymous.invalid{params}>"
        return f"<sip:{number}@{domain};user=phone{params}>"

    rows = [
        f"{uri(one.number)};reason={one.reason};counter=1"  # each for itself: they are summed up (RFC 7544)
        for one in chain
    ]
    entries, cause, index = [], "", "1"
    for one in reversed(chain):
        entries.append(f"{uri(one.number, cause)};index={index}")
        cause, index = f";cause={_CAUSES.get(one.reason, 302)}", f"{index}.1"
    entries.append(f"{uri(target, cause)};index={index}")
    return {"Diversion": rows, "History-Info": entries}


def _caused(value: str) -> bool:
    """Whether a History-Info entry says that the call was sent on to it, and not merely routed (RFC 7044
    section 5, RFC 4458)."""
    lower = unescape(value).lower()
    return ";cause=" in lower or ";mp=" in lower


def _user(value: str) -> str:
    """The user part of a name-addr; '' for what cannot be read, which counts as an entry all the same, as
    does what would be another header field once it is written into ours (`%0D%0A`)."""
    try:
        user = parse_uri(parse_name_addr(value).uri).number()
    except Malformed:
        return ""
    return user if _PLAIN.match(user) else ""
