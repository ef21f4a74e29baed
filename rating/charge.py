"""What a call costs: a pure function of terms, answer date, seconds and bundle left (R-RAT-01 to -04).

Second *k* starts at `answer + k` and is priced by the state of the world at that instant: peak, calendar
month, tariff version, bundle remaining (R-RAT-02). All of these change at whole seconds only, so the
function jumps from one boundary to the next and the sub-second part of the answer date decides nothing. The
sharing of one bundle between calls, and caps, are the ledger's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rating.calendar import NEVER_S, NS_PER_S, Calendar, month_at
from rating.money import Rounding, divide
from rating.tariff import Period


class Source(StrEnum):
    """Who pays for a second."""

    PRICE = "price"
    BUNDLE = "bundle"
    FREE = "free"  # its rate is nothing: included, helpline, emergency


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call is priced by, from admission to its end: its price row under this version and later ones.

    `periods` is never empty; the first one also stands for any time before it.
    """

    calendar: Calendar
    periods: tuple[Period, ...]


class Segment(NamedTuple):
    """Consecutive seconds of one price; `per_minute` is 0 unless `source` is the price."""

    start_s: int
    seconds: int
    per_minute: int
    source: Source
    month: str
    version: str


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of `seconds` of a call, excluding VAT, rounded once; `bundle_s` is what it drew, by month."""

    seconds: int
    setup: int
    amount: int
    segments: tuple[Segment, ...]
    bundle_s: tuple[tuple[str, int], ...]


def charge(terms: Terms, answered_wall_ns: int, seconds: int, bundle_left_s: int = 0) -> Charge:
    """The charge of an answered call of so many whole seconds; nothing when there are none.

    `bundle_left_s` is what remained at answer, in the month of the answer; a new month starts with its full
    allowance.
    """
    if seconds <= 0:
        return Charge(0, 0, 0, (), ())
    segments, setup = _segments(terms, answered_wall_ns // NS_PER_S, seconds, bundle_left_s)
    due = 0
    drawn: dict[str, int] = {}
    for segment in segments:
        if segment.source is Source.BUNDLE:
            drawn[segment.month] = drawn.get(segment.month, 0) + segment.seconds
        else:
            due += segment.seconds * segment.per_minute
    amount = setup + divide(due, 60, Rounding.HALF_UP)
    return Charge(seconds, setup, amount, tuple(segments), tuple(drawn.items()))


def _segments(terms: Terms, answer_s: int, seconds: int, bundle_left_s: int) -> tuple[list[Segment], int]:
    """The segments of a call, in order, and the set-up fee its first second entails (R-RAT-03)."""
    segments: list[Segment] = []
    setup = 0
    at, end = answer_s, answer_s + seconds
    month, month_end = month_at(at)
    period, period_end = _period_at(terms.periods, at)
    while at < end:
        if at >= period_end:
            period, period_end = _period_at(terms.periods, at)
        if at >= month_end:
            month, month_end = month_at(at)
            bundle_left_s = period.bundle_s
        peak, edge = (False, NEVER_S) if period.price.flat else terms.calendar.peak_until(at)
        rate, bundled = period.price.at(peak)
        stop = min(end, edge, month_end, period_end)
        if rate.free:
            source, per_minute = Source.FREE, 0
        elif bundled and bundle_left_s > 0:
            stop = min(stop, at + bundle_left_s)
            bundle_left_s -= stop - at
            source, per_minute = Source.BUNDLE, 0
        else:
            source, per_minute = Source.PRICE, rate.per_minute
            if at == answer_s:
                setup = rate.setup
        _extend(segments, Segment(at - answer_s, stop - at, per_minute, source, month, period.version))
        at = stop
    return segments, setup


def _extend(segments: list[Segment], segment: Segment) -> None:
    """Add a segment, as one with the last where nothing but the time differs."""
    if segments and segments[-1][2:] == segment[2:]:
        last = segments[-1]
        segments[-1] = last._replace(seconds=last.seconds + segment.seconds)
    else:
        segments.append(segment)


def _period_at(periods: tuple[Period, ...], at: int) -> tuple[Period, int]:
    """The period in force at an instant, and the second at which the next one takes over."""
    current = periods[0]
    for period in periods[1:]:
        if period.from_s > at:
            return current, period.from_s
        current = period
    return current, NEVER_S
