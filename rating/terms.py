"""The state of the world at a second, as far as it decides what a call costs (R-RAT-02).

Peak or off-peak, calendar month and tariff version change at whole seconds only. A `Phase` says what they are
at one of them and until when that holds, so that pricing jumps from one boundary to the next and every
boundary is the same case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rating.calendar import NEVER_S, Calendar
from rating.tariff import Period


class Phase(NamedTuple):
    """Consecutive seconds in which only the bundle can change who pays. `until_s` is a UTC second; `bundled`:
    the bundle pays while it lasts; `bundle_s` is what a whole month brings."""

    until_s: int
    per_minute: int
    setup: int
    bundled: bool
    peak: bool
    month: str
    bundle_s: int
    version: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a call is priced by, from admission to its end: its price row under this version and later ones.

    `periods` is never empty; the first one also stands for any time before it.
    """

    calendar: Calendar
    periods: tuple[Period, ...]

    @property
    def bundled(self) -> bool:
        """Whether a bundle may ever pay for a second."""
        return any(period.price.peak_bundle or period.price.off_peak_bundle for period in self.periods)

    @property
    def free(self) -> bool:
        """Whether no second ever costs anything."""
        return all(period.price.peak.free and period.price.off_peak.free for period in self.periods)

    def phase_at(self, utc_s: int) -> Phase:
        """What a second that begins at this instant is priced by, and until when that stays so."""
        period, period_end = self._period_at(utc_s)
        calendar = self.calendar
        month, month_end = calendar.month_at(utc_s)
        peak, edge = calendar.peak_until(utc_s)
        rate, bundled = period.price.at(peak)
        return Phase(
            min(edge, month_end, period_end),
            rate.per_minute,
            rate.setup,
            bundled,
            peak,
            month,
            period.bundle_s,
            period.version,
        )

    def _period_at(self, utc_s: int) -> tuple[Period, int]:
        """The period in force at an instant, and the second at which the next one takes over."""
        periods = self.periods
        if len(periods) == 1:
            return periods[0], NEVER_S
        current = periods[0]
        for period in periods[1:]:
            if period.from_s > utc_s:
                return current, period.from_s
            current = period
        return current, NEVER_S
