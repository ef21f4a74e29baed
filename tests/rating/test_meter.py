"""The running price: talk time to billed seconds, and when the price next changes."""

from __future__ import annotations

import pytest

from rating.meter import billed_seconds
from rating.tariff import TariffBook
from tests.rating.support import local_ns, metered

BE = "+3222345678"
FR = "+33123456789"


@pytest.mark.parametrize(
    ("talked_ms", "seconds"),
    [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_999, 60), (60_000, 60), (60_001, 61)],
)
def test_every_second_begun_is_billed_and_at_least_one(talked_ms: int, seconds: int) -> None:
    assert billed_seconds(talked_ms) == seconds


def test_the_first_second_brings_the_setup_fee(book: TariffBook) -> None:
    meter = metered(book, "classic", [], FR, local_ns("2026-11-24 10:00:00"))
    assert [meter.amount_at(ms) for ms in (0, 1000, 1001, 60_000)] == [897, 897, 993, 6600]


def test_the_counter_on_the_screen_is_the_amount_of_the_record(book: TariffBook) -> None:
    meter = metered(book, "classic", [], BE, local_ns("2026-11-24 15:59:30"))
    assert [meter.amount_at(1000 * s) for s in (10, 30, 31, 600)] == [283, 850, 850, 850]
    assert meter.price_at(600_000).amount == 850


def test_the_sub_second_of_the_answer_date_decides_nothing(book: TariffBook) -> None:
    """Second k starts at answer + k: 15:59:59.999 is peak, one second later is not."""
    at = local_ns("2026-11-24 15:59:59")
    for fraction_ns in (0, 1, 999_999_999):
        result = metered(book, "classic", [], BE, at + fraction_ns).price_at(60_000)
        assert [(s.start_s, s.seconds, s.source) for s in result.segments] == [
            (0, 1, "price"),
            (1, 59, "free"),
        ]


@pytest.mark.parametrize(
    ("plan", "number", "answered", "left_s", "changes"),
    [
        ("classic", BE, "2026-11-24 15:59:30", 0, [30, 30 + 16 * 3600]),
        ("classic", FR, "2026-11-24 15:59:00", 20, [60, 80, None]),  # bundle at 16:00, spent 20 s later
        ("classic", FR, "2026-12-31 23:59:30", 10, [10, 30]),
        ("classic-klik", BE, "2026-11-24 15:59:30", 0, [None]),
        ("classic", "+38591234567", "2026-11-24 15:59:30", 0, [None]),  # one price at all times
        ("classic", "112", "2026-11-30 23:59:30", 0, [None]),  # nor is a new month a change
        ("classic", BE, "2026-11-27 16:00:00", 0, [None]),  # none until Monday: beyond the day looked ahead
    ],
)
def test_the_next_change_of_price(
    book: TariffBook, plan: str, number: str, answered: str, left_s: int, changes: list[int | None]
) -> None:
    meter = metered(book, plan, [], number, local_ns(answered), left_s)
    elapsed = 0
    for expected in changes:
        found = meter.next_change_s(elapsed)
        assert found == expected
        elapsed = found or elapsed


def test_the_next_change_is_the_same_from_anywhere_before_it(book: TariffBook) -> None:
    meter = metered(book, "classic", [], BE, local_ns("2026-11-24 15:59:30"))
    assert {meter.next_change_s(elapsed) for elapsed in range(30)} == {30}
