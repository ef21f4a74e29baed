"""What a call cost, as plain values: segments, the months they fall in, the amount (R-RAT-04, R-CDR-01).

They are made by `rating.meter`. The parts always add up: the seconds of the segments are the call's, set-up
and segments are the amount, and what the months say is what was debited and drawn.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Source(StrEnum):
    """Who pays for a second."""

    TARIFF = "tariff"
    BUNDLE = "bundle"
    INCLUDED = "included"  # its rate is nothing: unlimited, freephone, helpline


class Segment(NamedTuple):
    """Consecutive seconds of one price, `start_s` after the answer; `per_minute` is 0 unless the tariff
    pays."""

    start_s: int
    seconds: int
    per_minute: int
    source: Source
    peak: bool
    month: str
    version: str


class Use(NamedTuple):
    """What a call used in one calendar month: seconds talked, seconds of them out of the bundle, amount."""

    month: str
    seconds: int
    bundle_s: int
    amount: int


class Charge(NamedTuple):
    """The price of `seconds` of a call, excluding VAT, rounded once; `uses` by month, in their order."""

    seconds: int
    setup: int
    amount: int
    segments: tuple[Segment, ...]
    uses: tuple[Use, ...]

    @property
    def bundle_s(self) -> int:
        """Seconds drawn from the bundle, of all months."""
        return sum(use.bundle_s for use in self.uses)


NOTHING = Charge(0, 0, 0, (), ())
"""The charge of an attempt that was not answered."""
