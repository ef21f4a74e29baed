"""The price of a call while it runs and after it: one question to the rating package, at any moment
(R-RAT-01, R-RAT-04)."""

from __future__ import annotations

from rating.charge import Charge
from rating.meter import Meter
from switch.record import Segment


class Metering:
    """A meter that may be absent: incoming calls cost nothing. Talk time is monotonic, the answer date is
    wall time."""

    __slots__ = ("_meter",)

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter

    def charge(self, talked_ms: int) -> Charge | None:
        """The whole charge after so much talk time; None where there is nothing to charge."""
        return self._meter.price_at(talked_ms) if self._meter is not None else None

    def amount(self, talked_ms: int) -> int:
        """The amount in ten-thousandths of a euro."""
        return self._meter.amount_at(talked_ms) if self._meter is not None else 0

    def next_change_s(self, talked_ms: int) -> int | None:
        """The second of the call at which its price changes next, if any does."""
        return self._meter.next_change_s(talked_ms // 1000) if self._meter is not None else None


def recorded(charge: Charge | None) -> tuple[int, int, tuple[Segment, ...]]:
    """Set-up fee, amount and segments of a charge as the record holds them."""
    if charge is None:
        return 0, 0, ()
    segments = tuple(
        Segment(s.start_s, s.seconds, s.per_minute, s.source.value, s.month, s.version)
        for s in charge.segments
    )
    return charge.setup, charge.amount, segments
