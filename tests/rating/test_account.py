"""Thresholds that are told and no more: abnormal use and use far above the average (R-CAP-05, R-CAP-06)."""

from __future__ import annotations

from rating.account import Account, Standing
from rating.charge import Use
from rating.grant import RunningCall
from rating.ledger import Ledger
from rating.meter import Meter
from rating.tariff import TariffBook
from tests.rating.support import local_ns, quoted

SECOND = 10**9
EVENING = "2026-11-24 20:00:00"


def talk(book: TariffBook, account: Account, seconds: int) -> None:
    wall_ns = local_ns(EVENING)
    terms = quoted(book, "classic", [], "+3222345678", wall_ns).terms
    call = RunningCall("call", Meter(terms, wall_ns), 0)
    assert account.begin(call) is None
    account.advance(seconds * SECOND)
    account.end(call, seconds)


def test_use_of_more_than_6000_minutes_is_told_and_costs_nothing_more(book: TariffBook) -> None:
    """R-CAP-06: off for these plans."""
    account = Account(Standing())
    account.books.book("2026-11").seconds = 6000 * 60 - 100
    talk(book, account, 100)
    assert account.crossed == []
    talk(book, account, 1)
    assert [crossed.kind for crossed in account.crossed] == ["abnormal-use"]
    assert account.books.book("2026-11").amount == 0


def test_three_times_the_average_of_last_month_is_told_once(book: TariffBook) -> None:
    """R-CAP-05: the average of the lines that called at all."""
    ledger = Ledger()
    for name, seconds in (("one", 50), ("other", 150)):
        ledger.restore(name, [Use("2026-10", seconds, 0, 0)], [], Standing())
    ledger.turn_to("2026-10")
    account = ledger.account("one", Standing())
    talk(book, account, 300)
    assert ledger.take_crossed("one") == []
    talk(book, account, 1)
    talk(book, account, 60)
    (crossed,) = ledger.take_crossed("one")
    assert (crossed.kind, crossed.used, crossed.allowed) == ("above-average", 301, 300)


def test_without_a_month_before_there_is_no_average(book: TariffBook) -> None:
    ledger = Ledger()
    ledger.turn_to("2026-10")
    account = ledger.account("one", Standing())
    talk(book, account, 5000)
    assert account.crossed == []


def test_books_of_months_long_past_are_closed() -> None:
    ledger = Ledger()
    ledger.restore("one", [Use("2026-08", 1, 0, 0), Use("2026-10", 1, 0, 0)], [], Standing())
    ledger.restore("other", [Use("2026-08", 1, 0, 0)], [], Standing())
    ledger.turn_to("2026-10")
    one = ledger.find("one")
    assert one is not None
    assert list(one.books.months) == ["2026-10"]
    assert ledger.find("other") is None
