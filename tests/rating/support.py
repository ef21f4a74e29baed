"""Words shared by the rating tests: local dates, the configuration folder, a call in one line."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from rating.books import Books
from rating.calendar import BRUSSELS
from rating.charge import Charge
from rating.meter import charge
from rating.quote import Quote, quote
from rating.tariff import TariffBook

CONFIG = Path(__file__).parents[2] / "config"


def local_ns(text: str) -> int:
    """UTC nanoseconds of `2026-11-24 15:59:30` in Belgium, or of an instant with its own offset."""
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=BRUSSELS)).timestamp()) * 1_000_000_000


def quoted(book: TariffBook, plan: str, options: Collection[str], number: str, wall_ns: int) -> Quote:
    """The quote of a call that has a price."""
    destination = book.destinations.classify(number)
    assert destination is not None, number
    answer = quote(book, plan, options, destination, wall_ns)
    assert isinstance(answer, Quote), answer
    return answer


def charged(
    book: TariffBook,
    plan: str,
    options: Collection[str],
    number: str,
    wall_ns: int,
    seconds: int,
    left_s: int = 0,
) -> Charge:
    """The charge of a call answered at the instant it was quoted, with so much of the month's bundle left."""
    terms = quoted(book, plan, options, number, wall_ns).terms
    phase = terms.phase_at(wall_ns // 1_000_000_000)
    books = Books()
    books.book(phase.month).bundle_s = phase.bundle_s - left_s
    return charge(terms, wall_ns, seconds, books)
