"""The running price of one answered call: talk time in, charge out (R-RAT-01).

A meter remembers nothing between questions and asks no clock: the live view, the cut of a spent call and
the final record call the same function, so that the counter on the screen is the amount on the invoice.
"""

from __future__ import annotations

from dataclasses import dataclass

from rating.charge import Charge, Terms, charge
from rating.money import Rounding, divide

HORIZON_S = 86_400


def billed_seconds(talked_ms: int) -> int:
    """Whole seconds charged for an answered call: rounded up, at least one."""
    return max(1, divide(talked_ms, 1000, Rounding.UP))


@dataclass(frozen=True, slots=True)
class Meter:
    """A call's terms, its answer date (UTC nanoseconds) and the bundle it found at answer (seconds)."""

    terms: Terms
    answered_wall_ns: int
    bundle_left_s: int = 0

    def price_at(self, elapsed_ms: int) -> Charge:
        """The whole charge, were the call to end after `elapsed_ms` of talk."""
        return charge(self.terms, self.answered_wall_ns, billed_seconds(elapsed_ms), self.bundle_left_s)

    def amount_at(self, elapsed_ms: int) -> int:
        """The amount of `price_at`."""
        return self.price_at(elapsed_ms).amount

    def next_change_s(self, elapsed_s: int) -> int | None:
        """The first second after `elapsed_s` with another price or payer, or None: none within a day.

        Seconds count from the answer, the first one being 0.
        """
        ahead = charge(self.terms, self.answered_wall_ns, elapsed_s + HORIZON_S, self.bundle_left_s)
        current = None
        for segment in ahead.segments:
            price = segment.source, segment.per_minute
            if current is not None and segment.start_s > elapsed_s and price != current:
                return segment.start_s
            current = price
        return None
