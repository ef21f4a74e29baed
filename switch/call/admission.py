"""What the switch decided about a call before placing it: who calls whom, who pays at what price, and by
which way."""

from __future__ import annotations

from dataclasses import dataclass

from rating.quote import Quote
from rating.zone import Destination
from switch.routing.lines import Line
from switch.routing.plan import RoutePlan
from switch.sip.history import Diverted
from switch.sip.message import Fields


@dataclass(frozen=True, slots=True)
class HelpFacts:
    """What is logged of a call for help (R-EMG-12), and what a test call is told (R-EMG-11)."""

    service: str
    centre: str
    centre_name: str
    reason: str
    alarm: str
    place: str
    documents: int


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may be placed.

    `line` pays, and is None for a call that came in by `trunk`. `caller` is the number that is presented,
    '' when it is not known; `sender` the From value that says so. `quote` is None where nothing can be
    charged. `proven`: the caller is who he says he is. `limit_s` is when an answered call is cut
    (R-LIM-01), 0 for never. `help` is there for a call to the emergency services, `callback` says that one
    calls back (R-EMG-09).

    `callee` is the line of ours that is called. Where its calls are forwarded at once, `diverts` is the
    condition that holds, and `blocked` what the caller is told when that comes to nothing. `chain` are the
    numbers that the call was sent on from, the last one first; `hops` how many more it may take. `withheld`:
    nobody but the switch may know the caller. `restricted` is his true number then (R-MAL-01).
    """

    origin: str
    line: Line | None
    trunk: str
    device: str
    caller: str
    sender: str
    dialled: str
    called: str
    destination: Destination | None
    quote: Quote | None
    plan: RoutePlan
    emergency: bool
    proven: bool
    verdict: str
    limit_s: int
    help: HelpFacts | None = None
    callback: bool = False
    callee: Line | None = None
    diverts: str = ""
    blocked: Refusal | None = None
    chain: tuple[Diverted, ...] = ()
    hops: int = 70
    withheld: bool = False
    restricted: str = ""

    @property
    def urgent(self) -> bool:
        """Whether somebody's life may depend on it: a call for help, or a centre calling back."""
        return self.emergency or self.callback


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that may not be placed: the status to answer, and the reason code for the record."""

    status: int
    verdict: str
    fields: Fields | None = None
