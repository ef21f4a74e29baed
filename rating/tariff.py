"""Tariffs: what plans and options cost and what their calls cost, by version (domain section 2; R-IDX-01).

A *price row* is a line of the price sheet ("zone_a"), with a rate for peak and one for off-peak and whether
the bundle may be drawn; an option changes some rows of its plan. A `Tariff` is one version of all of it, a
`TariffBook` holds every version with the calendar and the numbering tables, and is what a call keeps from
admission to record. The prices are data, read by `rating.loader`; applying them to time is `rating.charge`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from rating.calendar import NEVER_S, NS_PER_S, Calendar
from rating.licence import UNLIMITED, Licence
from rating.zone import Destinations


class Rate(NamedTuple):
    """What a second costs: an amount per minute and, for a call that begins with it, per call (R-RAT-03)."""

    per_minute: int
    setup: int = 0

    @property
    def free(self) -> bool:
        return not (self.per_minute or self.setup)


@dataclass(frozen=True, slots=True)
class Price:
    """A price row. A free rate never draws the bundle; `cut_s` ends the call after so many seconds."""

    peak: Rate
    off_peak: Rate
    peak_bundle: bool = False
    off_peak_bundle: bool = False
    cut_s: int | None = None

    def at(self, peak: bool) -> tuple[Rate, bool]:
        """The rate, and whether the bundle pays for it while it lasts."""
        if peak:
            return self.peak, self.peak_bundle and not self.peak.free
        return self.off_peak, self.off_peak_bundle and not self.off_peak.free


@dataclass(frozen=True, slots=True)
class Change:
    """What an option makes of one price row: other rates, or the bundle where it could not be drawn."""

    peak: Rate | None = None
    off_peak: Rate | None = None
    peak_bundle: bool = False
    off_peak_bundle: bool = False

    def of(self, price: Price) -> Price:
        return Price(
            self.peak or price.peak,
            self.off_peak or price.off_peak,
            self.peak_bundle or price.peak_bundle,
            self.off_peak_bundle or price.off_peak_bundle,
            price.cut_s,
        )


FREE_PRICE = Price(Rate(0), Rate(0))


@dataclass(frozen=True, slots=True)
class Option:
    """An option, `monthly` per line; `bundle_s` is the monthly bundle it brings (never a second one)."""

    id: str
    label: str
    monthly: int
    bundle_s: int
    changes: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan: `monthly` per line, `pack_monthly` per contract, one-off fees, the options orderable on it."""

    id: str
    label: str
    monthly: int
    pack_monthly: int
    bundle_s: int
    options: tuple[str, ...]
    prices: Mapping[str, Price]
    one_off: Mapping[str, int]
    capped: bool = False
    """Whether the out-of-bundle cap holds for it (R-CAP-01)."""
    licence: Licence = UNLIMITED
    longest_s: int = 0
    """How long one of its calls may last (R-LIM-01); 0: as long as the switch lets any."""


class Cap(NamedTuple):
    """The out-of-bundle cap a month, including VAT, of contracts concluded after a day (None: the others)."""

    concluded_after: date | None
    amount: int


@dataclass(frozen=True, slots=True)
class Period:
    """The price row of one call under one tariff version, in force from `from_s` (UTC seconds)."""

    from_s: int
    version: str
    price: Price
    bundle_s: int  # the allowance of a new month


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of all plans, options and special-number prices, from local midnight of `valid_from`."""

    version: str
    valid_from: date
    from_s: int
    vat_percent: int
    plans: Mapping[str, Plan]
    options: Mapping[str, Option]
    special: Mapping[str, Price]
    caps: tuple[Cap, ...] = ()
    """In the order of their days."""
    until_s: int = NEVER_S
    """The second at which it ends, where no later version has taken over by then."""

    def cap(self, plan_id: str, concluded: date | None) -> int | None:
        """The out-of-bundle cap of a contract, including VAT; None for none. A contract without a date counts
        as a new one (R-CAP-01)."""
        plan = self.plans.get(plan_id)
        if plan is None or not plan.capped:
            return None
        found = None
        for after, amount in self.caps:
            if concluded is None or after is None or concluded > after:
                found = amount
        return found

    def orderable(self, plan_id: str, options: Collection[str]) -> bool:
        """Whether this plan exists and takes all of these options (R-OPT-01 to -03)."""
        plan = self.plans.get(plan_id)
        return plan is not None and all(option in plan.options for option in options)

    def period(self, plan_id: str, options: Collection[str], row: str) -> Period | None:
        """The terms of a price row for an orderable plan and options, or None: it has no price (R-TAR-14)."""
        plan = self.plans[plan_id]
        price = plan.prices.get(row) or self.special.get(row)
        if price is None:
            return None
        if options:
            for option_id in plan.options:
                if option_id in options and (change := self.options[option_id].changes.get(row)) is not None:
                    price = change.of(price)
        return Period(self.from_s, self.version, price, self.bundle_s(plan_id, options))

    def bundle_s(self, plan_id: str, options: Collection[str]) -> int:
        """The seconds that a month brings under a plan and options: the larger bundle, never two."""
        plan = self.plans.get(plan_id)
        if plan is None:
            return 0
        chosen = (self.options[one].bundle_s for one in options if one in plan.options)
        return max((plan.bundle_s, *chosen))


class TariffBook:
    """Every tariff version in order, with the calendar and the numbering tables; fixed once built."""

    __slots__ = ("_starts", "calendar", "destinations", "tariffs")

    def __init__(self, tariffs: Collection[Tariff], calendar: Calendar, destinations: Destinations) -> None:
        self.tariffs = tuple(sorted(tariffs, key=lambda tariff: tariff.from_s))
        self.calendar = calendar
        self.destinations = destinations
        self._starts = tuple(tariff.from_s for tariff in self.tariffs)

    def version_at(self, wall_ns: int) -> Tariff | None:
        """The tariff in force at an instant (UTC nanoseconds), or None before the first."""
        versions, at = self.versions_from(wall_ns), wall_ns // NS_PER_S
        return versions[0] if versions and versions[0].from_s <= at < versions[0].until_s else None

    def versions_from(self, wall_ns: int) -> tuple[Tariff, ...]:
        """The tariff in force at an instant, if any, and all the later ones."""
        return self.tariffs[max(0, bisect_right(self._starts, wall_ns // NS_PER_S) - 1) :]
