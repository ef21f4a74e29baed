"""A call has a price before it is placed, or it is refused with the reason (R-TAR-14)."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from rating.quote import Quote, Refusal, RefusalReason, quote
from rating.tariff import Rate, TariffBook
from rating.zone import Destination, DestinationClass, NumberRow
from tests.rating.support import local_ns, quoted

TUESDAY = local_ns("2026-11-24 10:00:00")
EVENING = local_ns("2026-11-24 20:00:00")


@pytest.mark.parametrize(
    ("plan", "options", "number", "wall_ns", "rate", "bundled", "cut_s"),
    [
        ("classic", [], "+3222345678", TUESDAY, Rate(1_700), False, None),
        ("classic", [], "+3222345678", EVENING, Rate(0), False, None),
        ("classic", ["24-belgium"], "+3222345678", TUESDAY, Rate(0), False, None),
        ("classic", ["anytime"], "+32478123456", TUESDAY, Rate(1_700), True, None),
        ("classic", ["anytime", "24-belgium"], "+32478123456", TUESDAY, Rate(0), False, None),
        ("classic", [], "+33123456789", TUESDAY, Rate(5_800, 800), False, None),
        ("classic", [], "+33123456789", EVENING, Rate(5_800, 800), True, None),
        ("classic-in-klik", [], "+212661234567", EVENING, Rate(8_300, 800), False, None),
        ("classic-in-klik", [], "+3290212345", EVENING, Rate(8_264), False, 600),
        ("classic-in-klik", [], "+3270123456", EVENING, Rate(2_479), False, None),
        ("classic", [], "+3290512345", EVENING, Rate(0, 16_528), False, None),
    ],
)
def test_the_first_second_as_quoted(
    book: TariffBook,
    plan: str,
    options: Collection[str],
    number: str,
    wall_ns: int,
    rate: Rate,
    bundled: bool,
    cut_s: int | None,
) -> None:
    answer = quoted(book, plan, options, number, wall_ns)
    phase = answer.terms.phase_at(wall_ns // 10**9)
    assert Rate(phase.per_minute, phase.setup) == rate
    assert (phase.bundled, answer.cut_s, answer.version) == (bundled, cut_s, "2026-01")
    assert (answer.plan, answer.options, answer.destination.number) == (plan, tuple(options), number)


@pytest.mark.parametrize(
    ("plan", "options", "when", "reason"),
    [
        ("classic", [], "2025-12-31 23:59:59", RefusalReason.NO_TARIFF),
        ("classic", [], "2041-01-01 00:00:00", RefusalReason.NO_CALENDAR),
        ("two-go", [], "2026-11-24 10:00:00", RefusalReason.UNKNOWN_PLAN),
        ("classic", ["international-calling"], "2026-11-24 10:00:00", RefusalReason.NOT_ORDERABLE),
        ("classic-in-klik", ["anytime"], "2026-11-24 10:00:00", RefusalReason.NOT_ORDERABLE),
        ("classic-in-klik", ["24-belgium"], "2026-11-24 10:00:00", RefusalReason.NOT_ORDERABLE),
        ("classic", ["unheard-of"], "2026-11-24 10:00:00", RefusalReason.NOT_ORDERABLE),
    ],
)
def test_what_has_no_price_is_refused_but_never_an_emergency_call(
    book: TariffBook, plan: str, options: list[str], when: str, reason: RefusalReason
) -> None:
    def ask(number: str) -> Quote | Refusal:
        destination = book.destinations.classify(number)
        assert destination is not None
        return quote(book, plan, options, destination, local_ns(when))

    refusal = ask("+33123456789")
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert refusal.detail
    for number in ("112", "+3270245245", "+3280012345"):
        free = ask(number)
        assert isinstance(free, Quote)
        phase = free.terms.phase_at(local_ns(when) // 10**9)
        assert (phase.per_minute, phase.setup) == (0, 0)


def test_a_destination_without_a_price_row_is_refused_never_free(book: TariffBook) -> None:
    row = NumberRow(DestinationClass.INTERNATIONAL, "moon", "XX")
    refusal = quote(book, "classic", [], Destination("+99912345678", row), TUESDAY)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.NO_PRICE


def test_a_call_placed_before_a_new_price_knows_it(indexed_book: TariffBook) -> None:
    before = quoted(indexed_book, "classic", [], "+33123456789", local_ns("2026-11-30 23:59:59"))
    after = quoted(indexed_book, "classic", [], "+33123456789", local_ns("2026-12-01 00:00:00"))
    assert [period.version for period in before.terms.periods] == ["2026-01", "2026-12"]
    assert [period.version for period in after.terms.periods] == ["2026-12"]
    assert [period.price.peak for period in before.terms.periods] == [Rate(5_800, 800), Rate(6_000, 900)]
