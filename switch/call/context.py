"""What every call of a switch shares: the tools it works with. Handed in, never imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from switch.call.admission import Admission
from switch.call.charging import Charging
from switch.call.gate import Gate
from switch.call.sums import CallSums
from switch.media.anchor import Anchor
from switch.ports import Append, Entropy, Flow, Note
from switch.record import Cdr
from switch.routing.lines import Line
from switch.routing.services import ServiceTable
from switch.routing.trunks import Trunks
from switch.sdp.terms import SideTerms, Srtp, phone_terms
from switch.sip.endpoint import Endpoint
from switch.timers import TimerQueue

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.leg import Leg


class CallTables(Protocol):
    """Where running calls are found and counted (`switch.call.running`)."""

    def opened(self, call: Call, link_id: str, names: Iterable[str]) -> None:
        """A call has one more link, which counts towards these lines and trunks."""

    def tried(self, link_id: str, trunk: str) -> None:
        """A link tries a trunk: it counts there, and no longer at the one before."""

    def closed(self, link_id: str) -> None:
        """A link is over before its call is."""

    def call_of(self, leg: Leg) -> Call | None:
        """The call that a leg belongs to."""

    def media_added(self, call: Call, anchor: Anchor) -> None:
        """A call has one more media session."""

    def media_over(self, anchor: Anchor, record_id: str) -> None:
        """A media session is over before its call is; its figures belong to this record."""

    def media_removed(self, anchor: Anchor) -> None:
        """A media session came to nothing."""

    def absorbed(self, call: Call, other: Call) -> None:
        """The links of `other` go on in `call`."""

    def ended(self, call_id: str) -> None:
        """A call is over."""


class CallObserver(Protocol):
    """Is told how calls go, and has no say in it: it neither raises nor ends the call that tells it."""

    def placed(self, call_id: str, admission: Admission) -> None:
        """A call is being set up."""

    def answered(self, call_id: str, admission: Admission, *, forwarded: bool = False) -> None:
        """It was answered."""

    def ended(self, call_id: str, admission: Admission, cdr: Cdr) -> None:
        """It is over; told of every call that was placed, once."""


@dataclass(slots=True)
class CallContext:
    """Tools of a call. `anchor` makes its media session; `make_room` ends an ordinary call for one of a line
    that calls for help; `charging` is where it is paid for; `gate` decides about legs that are caused and not
    dialled. `tables` is where running calls are found; `traced` is told which SIP calls belong to which of
    ours."""

    endpoint: Endpoint
    timers: TimerQueue
    entropy: Entropy
    anchor: Callable[[], Anchor]
    append: Callable[[Append], None]
    note: Callable[[Note], None]
    traced: Callable[[str, str], None]
    make_room: Callable[[Line | None], bool]
    charging: Charging
    gate: Gate
    services: ServiceTable
    trunks: Trunks
    tables: CallTables
    sums: CallSums
    observer: CallObserver
    warned_sides: tuple[int, ...] = (0,)
    """Who hears that a call is about to be cut: 0 the caller, 1 the called side."""
    ringback: str = ""
    """The recording of a ringing tone, '' for none."""
    srtp: Srtp = Srtp.THROUGH
    """What phones are offered."""

    def terms(self, flow: Flow, trunk: str, *, urgent: bool) -> SideTerms:
        """On what terms a caller takes part who comes over a trunk, or is a phone."""
        found = self.trunks.get(trunk)
        return found.settings.terms if found is not None else phone_terms(self.srtp, (flow,), urgent=urgent)

    def is_voicemail(self, trunk: str) -> bool:
        """Whether a trunk leads to the voicemail platform."""
        found = self.trunks.get(trunk)
        return found is not None and found.settings.voicemail

    def is_abroad(self, trunk: str) -> bool:
        """Whether a trunk brings calls from abroad (R-POL-10)."""
        found = self.trunks.get(trunk)
        return found is not None and found.settings.international
