"""Feature codes: what a subscriber dials to set a service of his line, after ETSI ETS 300 738 and 3GPP TS
22.030.

    *21*NUMBER#  #21#    forward all calls, and no more
    *67*NUMBER#  #67#    when busy
    *61*NUMBER#  #61#    when nobody answers; *61*NUMBER*SECONDS# after so many seconds
    *62*NUMBER#  #62#    when no phone is registered
    ##002#               forward nothing any more
    *77#         #77#    refuse calls without a number, and take them again
    *39#                 mark the last call that came in as malicious (R-MAL-01)
    *31*NUMBER           call without showing one's number; #31#NUMBER the same
    *31#NUMBER           call showing it

The `#` at the end may be missing: some phones take it for "dial now".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORWARDING = {"21": "always", "67": "busy", "61": "no-answer", "62": "unreachable", "002": "all"}
_SET = re.compile(r"\*(21|67|61|62)\*(\+?[0-9]{3,20})(?:\*([0-9]{1,2}))?#?\Z")
_CLEAR = re.compile(r"##?(21|67|61|62|002)#?\Z")
_ANONYMOUS = re.compile(r"([*#])77#?\Z")
_MARK = re.compile(r"\*39#?\Z")
_HIDDEN = re.compile(r"(?:\*31\*|#31#)(\+?[0-9]{3,20})#?\Z")
_SHOWN = re.compile(r"\*31#(\+?[0-9]{3,20})#?\Z")


@dataclass(frozen=True, slots=True)
class Feature:
    """What a code asks for. `action` is one of `forward` (to `number` on `condition`, after `ring_s` where
    that is given), `forward-nothing`, `reject-anonymous`, `take-anonymous`, `mark`, `call` (`number`, with or
    without showing one's own) and `unknown`."""

    action: str
    number: str = ""
    condition: str = ""
    ring_s: int | None = None
    withhold: bool = False


def feature_of(dialled: str) -> Feature | None:
    """The service that a dialled string asks for; None when it is no feature code."""
    if dialled[:1] not in ("*", "#"):
        return None
    if match := _SET.match(dialled):
        return Feature("forward", match[2], _FORWARDING[match[1]], int(match[3]) if match[3] else None)
    if match := _CLEAR.match(dialled):
        return Feature("forward-nothing", condition=_FORWARDING[match[1]])
    if match := _ANONYMOUS.match(dialled):
        return Feature("reject-anonymous" if match[1] == "*" else "take-anonymous")
    if _MARK.match(dialled):
        return Feature("mark")
    if match := _HIDDEN.match(dialled):
        return Feature("call", match[1], withhold=True)
    if match := _SHOWN.match(dialled):
        return Feature("call", match[1])
    return Feature("unknown")
