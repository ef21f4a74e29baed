"""What a call would cost: the worked examples of section 6, what a cap buys (R-CAP-04), where a call ends."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from rating.charge import NOTHING
from rating.money import Rounding, divide, parse, show
from rating.tariff import TariffBook
from rating.whatif import Answer, Question, what_if
from tests.rating.support import local_ns
from tests.rating.test_charge import BE, FR, FULL, LINE, WORKED

OTHER = "+38591234567"  # 1.16 a minute
TUESDAY = "2026-11-24 10:00:00"  # peak
SATURDAY = "2026-11-28 10:00:00"
TWO_HOURS = 7200


def asked(
    book: TariffBook,
    number: str,
    at: str,
    seconds: int,
    *,
    line: str = "Classic",
    left_s: int | None = None,
    cap: str | None = None,
    limit_s: int = 0,
) -> Answer | str:
    """The answer for a call of a line of the table of section 6."""
    plan, options = LINE[line]
    destination = book.destinations.classify(number)
    assert destination is not None, number
    cap_left = parse(cap) if cap is not None else None
    return what_if(
        book, Question(plan, options, destination, local_ns(at), seconds, left_s, cap_left, limit_s)
    )


def answered(book: TariffBook, number: str, at: str, seconds: int, **more: int | str | None) -> Answer:
    """The answer for a call that has one."""
    answer = asked(book, number, at, seconds, **more)  # type: ignore[arg-type]
    assert isinstance(answer, Answer), answer
    return answer


# --- the worked examples ------------------------------------------------------------------------------------

ROWS = [re.split(r"\s{2,}", line.strip()) for line in WORKED.strip().split("\n")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_worked_examples(book: TariffBook, row: list[str]) -> None:
    """With what is left of the bundle given, and a cap that pays for more than all of it."""
    _, line, at, number, seconds, left, amount, *drawn = row
    talked_s = int(seconds)
    left_s = FULL if left == "full" else int(left)
    answer = answered(book, number, at, talked_s, line=line, left_s=left_s, cap="200.00")
    charge = answer.charge
    assert (show(charge.amount), [f"{use.month} {use.bundle_s}" for use in charge.uses if use.bundle_s]) == (
        amount,
        drawn,
    )
    assert charge.seconds == talked_s
    assert answer.version == "2026-01"


def test_without_a_word_on_the_bundle_all_of_it_is_left(book: TariffBook) -> None:
    assert answered(book, FR, SATURDAY, 600).charge.bundle_s == 600
    left = answered(book, FR, SATURDAY, FULL + 60)
    assert (left.charge.bundle_s, show(left.charge.amount)) == (FULL, "0.5800")


def test_a_bundle_never_has_more_left_than_the_month_brings(book: TariffBook) -> None:
    assert answered(book, FR, SATURDAY, FULL + 60, left_s=2 * FULL).charge.bundle_s == FULL
    assert answered(book, FR, SATURDAY, 60, line="KLIK", left_s=FULL).charge.bundle_s == 0


# --- how long it may last -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "cap", "allowed_s", "amount", "with_vat"),
    [
        (FR, "20.00", 1701, "16.5230", "19.99"),
        (OTHER, "20.00", 850, "16.5133", "19.98"),
        (FR, "0.12", 1, "0.0897", "0.11"),
        (FR, "50.00", 4266, "41.3180", "49.99"),
    ],
)
def test_a_cap_buys_whole_seconds_and_the_call_ends_before_the_next_would_exceed_it(
    book: TariffBook, number: str, cap: str, allowed_s: int, amount: str, with_vat: str
) -> None:
    """R-CAP-04: asked for less, the answer is for less; asked for more, for what is allowed."""
    shorter = answered(book, number, TUESDAY, allowed_s - 1, left_s=0, cap=cap)
    exact = answered(book, number, TUESDAY, allowed_s, left_s=0, cap=cap)
    longer = answered(book, number, TUESDAY, allowed_s + 1000, left_s=0, cap=cap)
    assert [one.allowed_s for one in (shorter, exact, longer)] == [allowed_s] * 3
    assert longer.charge == exact.charge
    assert shorter.charge.seconds == allowed_s - 1
    assert (exact.charge.seconds, show(exact.charge.amount)) == (allowed_s, amount)
    cents = divide(121 * exact.charge.amount, 10_000, Rounding.HALF_UP)
    assert f"{cents // 100}.{cents % 100:02}" == with_vat
    one_more = answered(book, number, TUESDAY, allowed_s + 1, left_s=0)
    assert 121 * one_more.charge.amount > 100 * parse(cap)


def test_a_cap_is_touched_only_when_the_bundle_is_spent(book: TariffBook) -> None:
    """From the bundle into the cap without set-up: 100 s and what 0.12 EUR buys at 0.58."""
    answer = answered(book, FR, SATURDAY, 1000, left_s=100, cap="0.12")
    assert (answer.allowed_s, answer.charge.bundle_s, answer.charge.setup) == (110, 100, 0)
    assert show(answer.charge.amount) == "0.0967"
    assert answered(book, BE, SATURDAY, 1000, cap="0.00").allowed_s is None


def test_a_free_evening_call_ends_where_its_price_begins(book: TariffBook) -> None:
    """Nothing may be charged: a call to Belgium from before eight has until eight."""
    answer = answered(book, BE, "2026-11-25 07:00:00", TWO_HOURS, cap="0.00")
    assert (answer.allowed_s, answer.charge.seconds, answer.charge.amount) == (3600, 3600, 0)


def test_a_cap_that_ends_with_the_month_lasts_into_the_next(book: TariffBook) -> None:
    """Each month has its own: what is left of it is said of every month of the call."""
    answer = answered(book, OTHER, "2026-11-30 23:59:00", TWO_HOURS, cap="1.60", limit_s=TWO_HOURS)
    months = {use.month: show(use.amount) for use in answer.charge.uses}
    assert list(months) == ["2026-11", "2026-12"]
    assert all(121 * parse(amount) <= 100 * parse("1.60") for amount in months.values())


@pytest.mark.parametrize(
    ("number", "limit_s", "cap", "allowed_s"),
    [
        (FR, 0, None, None),
        (FR, TWO_HOURS, None, TWO_HOURS),
        (FR, TWO_HOURS, "20.00", 1701),
        (FR, 600, "20.00", 600),
        ("+3290212345", 0, None, 600),  # per-minute 090x, R-SPC-04
        ("+3290212345", TWO_HOURS, None, 600),
        ("+3290212345", 300, None, 300),
        ("+3290212345", TWO_HOURS, "5.00", 300),
        ("+3280012345", TWO_HOURS, "0.00", TWO_HOURS),
        ("+3270245245", 0, "0.00", None),  # a helpline
    ],
)
def test_whichever_comes_first_ends_the_call(
    book: TariffBook, number: str, limit_s: int, cap: str | None, allowed_s: int | None
) -> None:
    assert answered(book, number, TUESDAY, 10, left_s=0, cap=cap, limit_s=limit_s).allowed_s == allowed_s


def test_seconds_beyond_what_is_allowed_are_not_charged(book: TariffBook) -> None:
    """R-LIM-01: 0.08 + 7200 x 1.16 / 60."""
    answer = answered(book, OTHER, SATURDAY, 10_000, limit_s=TWO_HOURS)
    assert (answer.charge.seconds, show(answer.charge.amount)) == (TWO_HOURS, "139.2800")
    cut = answered(book, "+3290212345", SATURDAY, 10_000, line="KLIK")
    assert (cut.charge.seconds, show(cut.charge.amount)) == (600, "8.2640")


def test_no_seconds_cost_nothing_and_how_long_it_may_last_is_said_all_the_same(book: TariffBook) -> None:
    answer = answered(book, FR, TUESDAY, 0, left_s=0, cap="20.00")
    assert (answer.charge, answer.allowed_s) == (NOTHING, 1701)


def test_an_emergency_call_has_no_limit_and_no_price(book: TariffBook) -> None:
    """Whatever is asked: R-EMG, never priced and never cut."""
    for number in ("112", "100", "101"):
        answer = answered(book, number, TUESDAY, 100_000, left_s=0, cap="0.00", limit_s=TWO_HOURS)
        assert (answer.charge.seconds, answer.charge.amount, answer.allowed_s) == (100_000, 0, None)


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "options", "at", "reason"),
    [
        ("platinum", (), TUESDAY, "unknown-plan"),
        ("classic", ("international-calling",), TUESDAY, "not-orderable"),
        ("classic-in-klik", ("anytime",), TUESDAY, "not-orderable"),
        ("classic", (), "2025-12-31 23:59:59", "no-tariff"),
        ("classic", (), "2060-01-01 00:00:00", "no-calendar"),
    ],
)
def test_a_call_without_a_quote_is_refused_with_the_reason(
    book: TariffBook, plan: str, options: tuple[str, ...], at: str, reason: str
) -> None:
    destination = book.destinations.classify(FR)
    assert destination is not None
    assert what_if(book, Question(plan, options, destination, local_ns(at), 60)) == reason


def test_a_row_that_the_plan_does_not_price_is_refused_never_free(book: TariffBook) -> None:
    """R-TAR-14."""
    france = book.destinations.classify(FR)
    assert france is not None
    moon = replace(france, row=replace(france.row, price="moon"))
    assert what_if(book, Question("classic", (), moon, local_ns(TUESDAY), 60)) == "no-price"


def test_emergency_calls_are_answered_under_no_plan_and_no_tariff(book: TariffBook) -> None:
    destination = book.destinations.classify("112")
    assert destination is not None
    answer = what_if(book, Question("platinum", ("gold",), destination, local_ns("1999-01-01 00:00:00"), 60))
    assert isinstance(answer, Answer)
    assert (answer.charge.amount, answer.version) == (0, "")


@pytest.mark.parametrize("cap", ["0.00", "0.10"])
def test_a_cap_that_does_not_pay_for_the_first_second_refuses_the_call(book: TariffBook, cap: str) -> None:
    """0.08 + 0.58 / 60 is 0.1085 with VAT."""
    assert asked(book, FR, TUESDAY, 60, cap=cap) == "cap-reached"
    assert asked(book, FR, SATURDAY, 60, left_s=0, cap=cap) == "cap-reached"
    assert isinstance(asked(book, FR, SATURDAY, 60, left_s=1, cap=cap), Answer)
    assert isinstance(asked(book, FR, TUESDAY, 60, cap="0.11"), Answer)
