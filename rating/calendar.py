"""Peak and off-peak, and the calendar month, in Belgian local time (R-PEAK-01, -02, -03; R-BUN-01).

Peak is Monday to Friday, not a legal holiday, from 08:00:00 to before 16:00:00 in Europe/Brussels. The
edges of all the years covered, of peak hours and of months, are compiled once into whole UTC seconds, so
that a question is one binary search and daylight saving is settled beforehand. Where the holidays come from
is the loader's concern.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

BRUSSELS = ZoneInfo("Europe/Brussels")
PEAK_FROM = time(8)
PEAK_UNTIL = time(16)

NS_PER_S = 1_000_000_000
NEVER_S = 1 << 62

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def local_midnight_s(day: date) -> int:
    """The UTC second at which `day` begins in Belgium."""
    return _utc_s(day, time())


def month_at(utc_s: int) -> tuple[str, int]:
    """The local calendar month (`"2026-12"`) of an instant, and the UTC second the next one begins."""
    local = datetime.fromtimestamp(utc_s, BRUSSELS)
    return _month_name(local), local_midnight_s(_next_month(local))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The peak hours of a span of years, made by `compile_calendar`. `_s` is UTC seconds since the epoch."""

    holidays: frozenset[date]
    from_s: int
    until_s: int
    _edges: tuple[int, ...]  # peak begins at the even positions and ends at the odd ones
    _months: tuple[int, ...]  # where each month of the span begins, and at the last position the span ends
    _names: tuple[str, ...]

    def is_peak(self, wall_ns: int) -> bool:
        """Whether a second that starts at this instant is charged at peak; always False outside the span."""
        return bisect_right(self._edges, wall_ns // NS_PER_S) & 1 == 1

    def peak_until(self, utc_s: int) -> tuple[bool, int]:
        """Whether it is peak, and the second at which that changes (`NEVER_S`: no more in the span)."""
        index = bisect_right(self._edges, utc_s)
        return index & 1 == 1, self._edges[index] if index < len(self._edges) else NEVER_S

    def month_at(self, utc_s: int) -> tuple[str, int]:
        """The local calendar month of an instant, and the second the next one begins; known outside the span
        as well."""
        index = bisect_right(self._months, utc_s)
        if 0 < index < len(self._months):
            return self._names[index - 1], self._months[index]
        return month_at(utc_s)

    def covers(self, wall_ns: int) -> bool:
        """Whether the holidays of this instant's year are known."""
        return self.from_s <= wall_ns // NS_PER_S < self.until_s


def compile_calendar(holidays: Iterable[date], years: range) -> Calendar:
    """The calendar of `years` (consecutive, local) with these public holidays."""
    frozen = frozenset(holidays)
    first, after = date(years[0], 1, 1), date(years[-1] + 1, 1, 1)
    edges: list[int] = []
    for ordinal in range(first.toordinal(), after.toordinal()):
        day = date.fromordinal(ordinal)
        if day.weekday() < 5 and day not in frozen:
            edges += (_utc_s(day, PEAK_FROM), _utc_s(day, PEAK_UNTIL))
    months = [date(year, month, 1) for year in years for month in range(1, 13)]
    starts = tuple(local_midnight_s(day) for day in (*months, after))
    names = tuple(map(_month_name, months))
    return Calendar(frozen, starts[0], starts[-1], tuple(edges), starts, names)


def _month_name(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}"


def _next_month(day: date) -> date:
    return date(day.year, day.month + 1, 1) if day.month < 12 else date(day.year + 1, 1, 1)


def _utc_s(day: date, at: time) -> int:
    return (datetime.combine(day, at, BRUSSELS) - _EPOCH) // _SECOND
