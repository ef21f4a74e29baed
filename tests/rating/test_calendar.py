"""Peak hours, holidays and months in Belgian local time (R-PEAK-01 to -03)."""

from __future__ import annotations

from datetime import date

import pytest

from rating.calendar import NEVER_S, compile_calendar, local_midnight_s, month_at
from rating.tariff import TariffBook
from tests.rating.support import local_ns

HOLIDAYS_2026 = "01-01 04-06 05-01 05-14 05-25 07-21 08-15 11-01 11-11 12-25"
HOLIDAYS_2027 = "01-01 03-29 05-01 05-06 05-17 07-21 08-15 11-01 11-11 12-25"


def seconds(text: str) -> int:
    return local_ns(text) // 1_000_000_000


@pytest.mark.parametrize(
    ("when", "peak"),
    [
        ("2026-11-24 07:59:59", False),
        ("2026-11-24 08:00:00", True),
        ("2026-11-24 15:59:59", True),
        ("2026-11-24 16:00:00", False),
        ("2026-11-27 16:00:00", False),  # Friday evening, until
        ("2026-11-28 10:00:00", False),
        ("2026-11-29 10:00:00", False),
        ("2026-11-30 07:59:59", False),
        ("2026-11-30 08:00:00", True),  # Monday morning
        ("2026-11-11 10:00:00", False),  # holiday
        ("2026-11-10 15:59:59", True),
        ("2026-11-10 16:00:00", False),
        ("2026-11-12 08:00:00", True),
        ("2026-07-11 10:00:00", False),  # a Saturday
        ("2027-09-27 10:00:00", True),  # community day
        ("2026-11-02 10:00:00", True),
        ("2027-11-15 10:00:00", True),
        ("2028-12-26 10:00:00", True),
        ("2027-03-30 06:30:00+00:00", True),  # 08:30 summer time
        ("2026-11-24 06:30:00+00:00", False),  # 07:30 winter time
    ],
)
def test_peak(book: TariffBook, when: str, peak: bool) -> None:
    assert book.calendar.is_peak(local_ns(when)) is peak
    assert book.calendar.is_peak(local_ns(when) + 999_999_999) is peak


@pytest.mark.parametrize(("year", "days"), [(2026, HOLIDAYS_2026), (2027, HOLIDAYS_2027)])
def test_the_ten_legal_holidays(book: TariffBook, year: int, days: str) -> None:
    expected = {date.fromisoformat(f"{year}-{day}") for day in days.split()}
    assert {day for day in book.calendar.holidays if day.year == year} == expected


@pytest.mark.parametrize(
    ("when", "peak", "until"),
    [
        ("2026-11-24 07:00:00", False, "2026-11-24 08:00:00"),
        ("2026-11-24 08:00:00", True, "2026-11-24 16:00:00"),
        ("2026-11-27 16:00:00", False, "2026-11-30 08:00:00"),
        ("2026-11-10 16:00:00", False, "2026-11-12 08:00:00"),
        ("2027-03-26 16:00:00", False, "2027-03-30 08:00:00"),  # Easter, and the clocks go forward
        ("2026-10-23 16:00:00", False, "2026-10-26 08:00:00"),  # the clocks go back
    ],
)
def test_the_next_edge(book: TariffBook, when: str, peak: bool, until: str) -> None:
    assert book.calendar.peak_until(seconds(when)) == (peak, seconds(until))


@pytest.mark.parametrize(
    ("when", "month", "ends"),
    [
        ("2026-11-24 10:00:00", "2026-11", "2026-12-01 00:00:00"),
        ("2026-12-31 23:59:59", "2026-12", "2027-01-01 00:00:00"),
        ("2026-12-31 23:00:00+00:00", "2027-01", "2027-02-01 00:00:00"),
        ("2026-06-30 22:00:00+00:00", "2026-07", "2026-08-01 00:00:00"),
        ("2027-03-01 00:00:00", "2027-03", "2027-04-01 00:00:00"),
    ],
)
def test_the_local_month(when: str, month: str, ends: str) -> None:
    assert month_at(seconds(when)) == (month, seconds(ends))


def test_days_of_23_and_25_hours() -> None:
    assert local_midnight_s(date(2027, 3, 29)) - local_midnight_s(date(2027, 3, 28)) == 23 * 3600
    assert local_midnight_s(date(2026, 10, 26)) - local_midnight_s(date(2026, 10, 25)) == 25 * 3600


def test_outside_its_years_nothing_is_peak_and_nothing_is_covered() -> None:
    calendar = compile_calendar((), range(2026, 2027))
    assert calendar.covers(local_ns("2026-01-01 00:00:00"))
    assert calendar.covers(local_ns("2026-12-31 23:59:59"))
    for when in ("2025-12-31 10:00:00", "2027-01-04 10:00:00"):
        assert not calendar.covers(local_ns(when))
        assert not calendar.is_peak(local_ns(when))
    assert calendar.peak_until(seconds("2027-01-04 10:00:00")) == (False, NEVER_S)
