"""What every call of a switch shares: the tools it works with. Handed in, never imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from switch.call.charging import Charging
from switch.call.sums import CallSums
from switch.media.anchor import Anchor
from switch.ports import Append, Entropy, Note
from switch.routing.lines import Line
from switch.sip.endpoint import Endpoint
from switch.timers import TimerQueue


@dataclass(slots=True)
class CallContext:
    """Tools of a call. `anchor` makes its media session; `make_room` ends an ordinary call for one of a line
    that calls for help; `charging` is where it is paid for; `entered` is told by its id which trunk it tries,
    `ended` takes it out of the tables."""

    endpoint: Endpoint
    timers: TimerQueue
    entropy: Entropy
    anchor: Callable[[], Anchor]
    append: Callable[[Append], None]
    note: Callable[[Note], None]
    make_room: Callable[[Line | None], bool]
    charging: Charging
    entered: Callable[[str, str], None]
    ended: Callable[[str], None]
    sums: CallSums
    warned_sides: tuple[int, ...] = (0,)
    """Who hears that a call is about to be cut: 0 the caller, 1 the called side."""
