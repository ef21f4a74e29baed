"""What a line may call, by how the call comes about (domain guide sections 8 and 11): the one function that
every leg passes before anything is sent.

A leg is dialled, or caused: forwarded by what the line has set, redirected by a phone's 302, transferred by
REFER, started by the voicemail platform. Causing a leg takes more than dialling it (R-POL-02), and voicemail
causes none (R-POL-01). Nothing here knows of SIP; whether the line can pay and where the call goes is the
gate's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rating.zone import Destination, DestinationClass
from switch.routing.lines import Line
from switch.routing.numbers import COUNTRY

MOST_DIVERSIONS = 5
"""How often a call may be sent on (R-POL-11)."""


class Origin(StrEnum):
    """How a leg comes about."""

    DIALLED = "dialled"
    FORWARD = "forward"
    REDIRECT = "redirect"
    TRANSFER = "transfer"
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"
    """Voicemail calls back whoever left a message."""


SENT_ON = frozenset({Origin.FORWARD, Origin.REDIRECT, Origin.TRANSFER})
"""Origins where a line causes a leg that somebody else talks on."""

FROM_VOICEMAIL = frozenset({Origin.VOICEMAIL, Origin.CALLBACK})

CLOSED_STATES = frozenset({"restricted", "suspended", "terminated", "quarantine"})
"""States in which a line calls emergency numbers and helplines only."""


def objection(origin: Origin, line: Line, destination: Destination, passed: Iterable[str] = ()) -> str:
    """Why this line may not cause this leg, as a reason code; '' when it may. `passed` are the numbers that
    the call was sent on from already."""
    cls = destination.cls
    sent_on = origin in SENT_ON
    if origin in FROM_VOICEMAIL:
        return "voicemail"  # R-POL-01, whatever it calls
    if cls is DestinationClass.EMERGENCY:
        return f"{origin}-emergency" if sent_on else ""
    if line.state in CLOSED_STATES and cls is not DestinationClass.FREE:
        return f"line-{line.state}"
    if cls is DestinationClass.BE_PREMIUM:
        if sent_on:
            return f"{origin}-premium"
        if not line.premium:
            return "barred-premium"  # R-SPC-04
    if destination.international:
        if not line.abroad:
            return "barred-international"
        if sent_on and not (line.agreement and line.guarantee):
            return f"{origin}-international"  # R-POL-02: both, or neither will do
    numbers = tuple(passed)
    if len(numbers) > MOST_DIVERSIONS:
        return "too-many-diversions"
    if origin in (Origin.FORWARD, Origin.REDIRECT) and destination.number in numbers:
        return "diversion-loop"
    return ""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody on the other side of a leg: `number` as far as it is known, `line` where it is one of ours.
    `abroad`: his carrier is an international one, whatever number he gives. `hidden`: nobody but the switch
    may know his number. `voicemail`: nobody is there but the voicemail platform."""

    number: str
    line: Line | None
    abroad: bool = False
    hidden: bool = False
    voicemail: bool = False

    @property
    def outside(self) -> bool:
        """Whether he is no line of this switch."""
        return self.line is None

    @property
    def international(self) -> bool:
        """Whether he is reached abroad (R-POL-02: anything not +32)."""
        return self.outside and (
            self.abroad or (self.number[:1] == "+" and not self.number.startswith(COUNTRY))
        )


def join_objection(line: Line, one: Party, other: Party) -> str:
    """Why a line may not join two parties it talks to and leave them (R-POL-02); '' when it may."""
    if one.voicemail or other.voicemail:
        return "voicemail"  # R-POL-01: it is no way from one to the other
    if line.state in CLOSED_STATES:
        return f"line-{line.state}"
    between_outsiders = one.outside and other.outside
    abroad = one.international or other.international
    if between_outsiders and abroad and not (line.agreement and line.guarantee):
        return "transfer-joins-international"
    return ""
