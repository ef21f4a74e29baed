"""What every call of a switch shares: the tools it works with and the sums it adds to. Handed in, never
imported."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from switch.media.anchor import Anchor
from switch.ports import Append, Entropy, Note
from switch.sip.endpoint import Endpoint
from switch.timers import TimerQueue

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.charging import Charging


class Histogram:
    """Counts by upper bound, for a metric; integers only, the last bucket is open."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0

    def add(self, value: int) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(slots=True)
class CallSums:
    """What calls add up to. Keys are from closed sets (outcomes, destination classes, reason codes), never
    from the wire."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    amounts: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    charges: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Amounts by price row and by what they were charged for: `setup` or `tariff`."""
    rated_s: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Seconds by price row and payer."""
    unrated: int = 0
    """Answered calls of a line that were to be charged and had no price: none, ever."""
    reservations_refused: Counter[str] = field(default_factory=Counter)
    reservations_expired: int = 0
    thresholds: Counter[str] = field(default_factory=Counter)
    cuts_asked: Counter[str] = field(default_factory=Counter)
    cuts_done: Counter[str] = field(default_factory=Counter)
    """Cuts by reason: asked when the deadline passed, done when both dialogs are closed."""
    help_outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls for help by number and outcome."""
    help_alarms: Counter[str] = field(default_factory=Counter)
    help_fallbacks: int = 0
    help_first_ms: Histogram = field(
        default_factory=lambda: Histogram((100, 250, 500, 1000, 2000, 4000, 8000, 16000))
    )
    test_calls: int = 0
    cut_delay_ms: Histogram = field(
        default_factory=lambda: Histogram((10, 50, 100, 250, 500, 1000, 5000, 33000))
    )
    post_dial_delay_ms: Histogram = field(
        default_factory=lambda: Histogram((50, 100, 250, 500, 1000, 2000, 4000, 8000, 16000))
    )
    duration_s: Histogram = field(
        default_factory=lambda: Histogram((5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200))
    )


@dataclass(slots=True)
class CallContext:
    """Tools of a call. `anchor` makes its media session; `make_room` ends an ordinary call for one that
    calls for help; `charging` is where it is paid for; `entered` is told by its id which trunk it tries,
    `ended` takes it out of the tables."""

    endpoint: Endpoint
    timers: TimerQueue
    entropy: Entropy
    anchor: Callable[[], Anchor]
    append: Callable[[Append], None]
    note: Callable[[Note], None]
    make_room: Callable[[Call], bool]
    charging: Charging
    entered: Callable[[str, str], None]
    ended: Callable[[str], None]
    sums: CallSums
    warned_sides: tuple[int, ...] = (0,)
    """Who hears that a call is about to be cut: 0 the caller, 1 the called side."""
