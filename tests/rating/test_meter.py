"""The running price: seconds taken once, whenever one looks, given back, and priced again from the record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.books import Books
from rating.charge import Source
from rating.meter import Meter, billed_seconds, charge, replayed
from rating.tariff import TariffBook
from tests.rating.support import charged, local_ns, quoted
from tests.rating.test_charge import EDGES, EXAMPLES, LINES, NUMBERS

BE = "+3222345678"
FR = "+33123456789"


def meter_of(book: TariffBook, number: str, answered: str) -> Meter:
    wall_ns = local_ns(answered)
    return Meter(quoted(book, "classic", [], number, wall_ns).terms, wall_ns)


@pytest.mark.parametrize(
    ("talked_ms", "seconds"),
    [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_999, 60), (60_000, 60), (60_001, 61)],
)
def test_every_second_begun_is_billed_and_at_least_one(talked_ms: int, seconds: int) -> None:
    assert billed_seconds(talked_ms) == seconds


def test_the_first_second_brings_the_setup_fee(book: TariffBook) -> None:
    meter, books = meter_of(book, FR, "2026-11-24 10:00:00"), Books()
    amounts = []
    for seconds in (1, 2, 60):
        meter.advance(seconds, books)
        amounts.append(meter.amount)
    assert amounts == [897, 993, 6600]
    assert meter.setup == 800


def test_the_counter_on_the_screen_is_the_amount_of_the_record(book: TariffBook) -> None:
    meter, books = meter_of(book, BE, "2026-11-24 15:59:30"), Books()
    amounts = []
    for seconds in (10, 30, 31, 600):
        meter.advance(seconds, books)
        amounts.append(meter.amount)
    assert amounts == [283, 850, 850, 850]
    assert meter.charge().amount == 850


def test_the_sub_second_of_the_answer_date_decides_nothing(book: TariffBook) -> None:
    """Second k starts at answer + k: 15:59:59.999 is peak, one second later is not."""
    at = local_ns("2026-11-24 15:59:59")
    terms = quoted(book, "classic", [], BE, at).terms
    for fraction_ns in (0, 1, 999_999_999):
        result = charge(terms, at + fraction_ns, 60)
        assert [(s.start_s, s.seconds, s.source) for s in result.segments] == [
            (0, 1, Source.TARIFF),
            (1, 59, Source.INCLUDED),
        ]


def test_what_changes_next(book: TariffBook) -> None:
    meter, books = meter_of(book, FR, "2026-11-24 15:59:00"), Books()
    meter.advance(1, books)
    fork = meter.fork()
    fork.advance(200, books.copy())
    assert fork.change_from(meter.price) == 60
    assert fork.change_from((Source.BUNDLE, 0)) == 1
    assert meter.seconds == 1
    assert books.book("2026-11").bundle_s == 0


CALLS = {
    "line": st.sampled_from(LINES),
    "number": st.sampled_from(sorted(NUMBERS)),
    "edge": st.sampled_from(EDGES),
    "offset_s": st.integers(-300, 60),
    "seconds": st.integers(1, 600),
    "left_s": st.sampled_from([0, 1, 59, 200, 120_000]),
}


@EXAMPLES
@given(**CALLS, looks=st.lists(st.integers(0, 600)))
def test_looking_at_a_call_changes_nothing(
    indexed_book: TariffBook,
    line: tuple[str, tuple[str, ...]],
    number: str,
    edge: int,
    offset_s: int,
    seconds: int,
    left_s: int,
    looks: list[int],
) -> None:
    answered = edge + offset_s * 10**9
    whole = charged(indexed_book, *line, number, answered, seconds, left_s)
    terms = quoted(indexed_book, *line, number, answered).terms
    meter, books = Meter(terms, answered), Books()
    phase = meter.phase
    books.book(phase.month).bundle_s = phase.bundle_s - left_s
    for look in sorted(looks):
        meter.advance(min(look, seconds), books)
    meter.advance(seconds, books)
    assert meter.charge() == whole


@EXAMPLES
@given(**CALLS)
def test_the_parts_are_the_whole_and_the_record_prices_itself_again(
    indexed_book: TariffBook,
    line: tuple[str, tuple[str, ...]],
    number: str,
    edge: int,
    offset_s: int,
    seconds: int,
    left_s: int,
) -> None:
    answered = edge + offset_s * 10**9
    terms = quoted(indexed_book, *line, number, answered).terms
    meter, books = Meter(terms, answered), Books()
    phase = meter.phase
    books.book(phase.month).bundle_s = phase.bundle_s - left_s
    meter.advance(seconds, books)
    result = meter.charge()
    due = sum(segment.seconds * segment.per_minute for segment in result.segments)
    assert result.amount == result.setup + (2 * due + 60) // 120
    assert sum(segment.seconds for segment in result.segments) == result.seconds == seconds
    assert sum(use.amount for use in result.uses) == result.amount
    assert sum(use.seconds for use in result.uses) == seconds
    drawn = sum(segment.seconds for segment in result.segments if segment.source is Source.BUNDLE)
    assert result.bundle_s == drawn
    debited = sum(book.amount for book in books.months.values())
    assert debited == result.amount
    again = replayed(terms, answered, [(s.seconds, s.source) for s in result.segments])
    assert again.charge() == result


@EXAMPLES
@given(**CALLS, shorter=st.integers(1, 600))
def test_a_call_that_ended_earlier_than_was_known_gives_the_rest_back(
    indexed_book: TariffBook,
    line: tuple[str, tuple[str, ...]],
    number: str,
    edge: int,
    offset_s: int,
    seconds: int,
    left_s: int,
    shorter: int,
) -> None:
    answered = edge + offset_s * 10**9
    terms = quoted(indexed_book, *line, number, answered).terms
    meter, books = Meter(terms, answered), Books()
    phase = meter.phase
    books.book(phase.month).bundle_s = phase.bundle_s - left_s
    meter.advance(seconds, books)
    meter.cut_to(shorter, books)
    talked_s = min(seconds, shorter)
    assert meter.charge() == charged(indexed_book, *line, number, answered, talked_s, left_s)
    uses = {use.month: use for use in meter.charge().uses}
    for month, book in books.months.items():
        drawn_before = phase.bundle_s - left_s if month == phase.month else 0
        use = uses.get(month)
        assert book.bundle_s == drawn_before + (use.bundle_s if use else 0)
        assert (book.amount, book.seconds) == ((use.amount, use.seconds) if use else (0, 0))
