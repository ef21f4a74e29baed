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
    post_dial_delay_ms: Histogram = field(
        default_factory=lambda: Histogram((50, 100, 250, 500, 1000, 2000, 4000, 8000, 16000))
    )
    duration_s: Histogram = field(
        default_factory=lambda: Histogram((5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200))
    )


@dataclass(slots=True)
class CallContext:
    """Tools of a call. `anchor` makes its media session; `make_room` ends an ordinary call for one that
    calls for help; `entered` is told by its id which trunk it tries, `ended` takes it out of the tables."""

    endpoint: Endpoint
    timers: TimerQueue
    entropy: Entropy
    anchor: Callable[[], Anchor]
    append: Callable[[Append], None]
    note: Callable[[Note], None]
    make_room: Callable[[Call], bool]
    entered: Callable[[str, str], None]
    ended: Callable[[str], None]
    sums: CallSums
