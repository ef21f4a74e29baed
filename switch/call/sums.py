"""What calls add up to, for metrics: plain counters, integers only."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from rating.charge import Charge
from switch.ports import EmergencyLogged
from switch.record import Cdr


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
    transfers: Counter[str] = field(default_factory=Counter)
    """Transfers by how they went: `blind`, `attended`, `failed`."""
    help_outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls for help by number and outcome."""
    help_alarms: Counter[str] = field(default_factory=Counter)
    help_fallbacks: int = 0
    help_first_ms: Histogram = field(
        default_factory=lambda: Histogram((100, 250, 500, 1000, 2000, 4000, 8000, 16000))
    )
    test_calls: int = 0
    fraud: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Findings by rule and action."""
    cut_delay_ms: Histogram = field(
        default_factory=lambda: Histogram((10, 50, 100, 250, 500, 1000, 5000, 33000))
    )
    post_dial_delay_ms: Histogram = field(
        default_factory=lambda: Histogram((50, 100, 250, 500, 1000, 2000, 4000, 8000, 16000))
    )
    duration_s: Histogram = field(
        default_factory=lambda: Histogram((5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200))
    )

    def add(self, cdr: Cdr, charge: Charge | None) -> None:
        """A call is over."""
        self.outcomes[cdr.outcome, cdr.destination_class] += 1
        for flag in cdr.flags:
            self.flags[flag] += 1
        if cdr.answered_ms is not None:
            self.duration_s.add(cdr.duration_s)
            self.seconds[cdr.destination_class] += cdr.duration_s
            self.amounts[cdr.destination_class] += cdr.amount
        if charge is not None:
            self.charges[cdr.zone, "setup"] += charge.setup
            self.charges[cdr.zone, "tariff"] += charge.amount - charge.setup
            for segment in charge.segments:
                self.rated_s[cdr.zone, segment.source.value] += segment.seconds

    def add_help(self, entry: EmergencyLogged) -> None:
        """A call for help is over."""
        self.help_outcomes[entry.service, entry.outcome] += 1
        self.help_fallbacks += max(0, len(entry.attempts) - 1)
        if entry.alarm:
            self.help_alarms[entry.alarm] += 1
