"""Reads `config/tariffs` and `config/numbering` into one frozen `TariffBook`, or says all that is wrong.

Holidays come from the `holidays` library, asked once and cut down to the ten legal ones (R-PEAK-03); it
takes half a second and some memory to import, so only a load pays for it. What the files hold is
`rating.tariff_file`'s and `rating.numbering_file`'s; here they are checked against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rating.calendar import compile_calendar
from rating.fault import Fault
from rating.numbering_file import Numbering, read_numbering
from rating.tariff import Tariff, TariffBook
from rating.tariff_file import read_tariffs
from rating.zone import FREE_ROW, Destinations

YEARS_AHEAD = 10
LAST_YEAR = 2100
"""The last one whose holidays the library knows."""

LEGAL_HOLIDAYS = (
    "New Year's Day",
    "Easter Monday",
    "Labor Day",
    "Ascension Day",
    "Pentecost Monday",
    "National Day",
    "Assumption Day",
    "All Saints' Day",
    "Armistice Day",
    "Christmas Day",
)
"""The ten of R-PEAK-03 by the library's English names; it also lists Easter Sunday and Pentecost."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The book, or None and why not."""

    book: TariffBook | None
    faults: tuple[Fault, ...]


def load(config_dir: Path, years: range | None = None) -> Loaded:
    """Read the tariffs and numbering of a configuration folder; all faults come at once, by file and line.

    `years` are those whose peak hours must be known: by default from the first tariff's to ten after the
    last one's. A call outside them is refused, so a service that keeps running gives the years around its
    own date.
    """
    faults: list[Fault] = []
    numbering = read_numbering(config_dir, faults)
    tariffs = read_tariffs(config_dir, numbering.premium, faults)
    _check_rows(numbering, tariffs, faults)
    if faults or not tariffs:
        return Loaded(None, tuple(sorted(faults)))
    first = min(tariff.valid_from.year for tariff in tariffs)
    last = max(tariff.valid_from.year for tariff in tariffs)
    years = years or range(first, min(last + YEARS_AHEAD, LAST_YEAR) + 1)
    calendar = compile_calendar(legal_holidays(years), years)
    return Loaded(TariffBook(tariffs, calendar, Destinations(numbering.exact, numbering.prefixes)), ())


def legal_holidays(years: range) -> frozenset[date]:
    """The ten legal Belgian holidays of each year (R-PEAK-03)."""
    import holidays

    listed = holidays.country_holidays("BE", years=years, language="en_US")
    found = [
        day for day in listed for name in listed.get_list(day) if name in LEGAL_HOLIDAYS and day.year in years
    ]
    assert len(found) == len(LEGAL_HOLIDAYS) * len(years), (
        "the holidays library names the Belgian ones otherwise"
    )
    return frozenset(found)


def _check_rows(numbering: Numbering, tariffs: list[Tariff], faults: list[Fault]) -> None:
    """Every price row that numbers name needs a price somewhere, and every price a number to apply to."""
    if not tariffs or not (numbering.exact or numbering.prefixes):
        return
    priced: set[str] = {FREE_ROW}
    for tariff in tariffs:
        priced.update(tariff.special, *(plan.prices for plan in tariff.plans.values()))
    for row, (source, line) in numbering.priced_at.items():
        if row not in priced:
            source.fault(line, f"no tariff has a price row {row!r}")
    unused = sorted(priced - set(numbering.priced_at) - {FREE_ROW})
    faults.extend(Fault("tariffs", 0, f"no number has the price row {row!r}") for row in unused)
