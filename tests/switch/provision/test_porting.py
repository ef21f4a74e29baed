"""Numbers that come and go, by date: R-POR-01, R-POR-03, R-POR-04, R-POR-06."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from rating.loader import legal_holidays
from rating.money import EURO, show
from switch.provision.porting import (
    compensation,
    free_until,
    holder_objections,
    port_out_objections,
    port_out_until,
    ported_out,
    quarantine_until,
    removal_objections,
    working_day_after,
)
from switch.routing.lines import LineTable
from tests.switch.provision.support import line, refused

HOLIDAYS = legal_holidays(range(2026, 2028))
ENDED = line(state="terminated", terminated_on="2026-01-31")


# --- R-POR-03 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminated", "until"),
    [
        ("2026-01-31", "2026-02-28"),
        ("2028-01-31", "2028-02-29"),
        ("2026-01-28", "2026-02-28"),
        ("2026-02-28", "2026-03-28"),
        ("2028-02-29", "2028-03-29"),
        ("2026-05-31", "2026-06-30"),
        ("2026-11-30", "2026-12-30"),
        ("2026-12-31", "2027-01-31"),
    ],
)
def test_a_month_after_termination(terminated: str, until: str) -> None:
    assert port_out_until(date.fromisoformat(terminated)).isoformat() == until


def test_the_month_never_ends_earlier_for_a_later_end() -> None:
    days = [date(2027, 1, 1) + timedelta(days=number) for number in range(800)]
    ends = [port_out_until(day) for day in days]
    assert ends == sorted(ends)
    assert all(28 <= (end - day).days <= 31 for day, end in zip(days, ends, strict=True))


@pytest.mark.parametrize(
    ("day", "rules"),
    [("2026-01-31", []), ("2026-02-28", []), ("2026-03-01", ["R-POR-03"]), ("2027-01-31", ["R-POR-03"])],
)
def test_ported_out_until_then(day: str, rules: list[str]) -> None:
    assert refused(*port_out_objections(ENDED, date.fromisoformat(day))) == rules


def test_a_number_goes_out_once_and_only_from_a_known_end() -> None:
    today = date(2026, 2, 1)
    assert refused(*port_out_objections(line(), today)) == []
    assert refused(*port_out_objections(ported_out(line(), today), today)) == ["R-POR-03"]
    assert refused(*port_out_objections(line(state="quarantine"), today)) == ["R-POR-03"]


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2026-02-28", "its number can be ported out until 2026-02-28 (R-POR-03)"),
        ("2026-03-01", "its number is in quarantine until 2026-03-30 (R-POR-03)"),
        ("2026-03-30", "its number is in quarantine until 2026-03-30 (R-POR-03)"),
        ("2026-03-31", None),
    ],
)
def test_a_terminated_line_stays_until_its_number_is_free(day: str, said: str | None) -> None:
    assert quarantine_until(date(2026, 1, 31), 30) == date(2026, 3, 30)
    found = [str(one) for one in removal_objections(ENDED, date.fromisoformat(day), 30)]
    assert found == ([said] if said else [])


def test_no_quarantine_is_the_month_alone() -> None:
    assert list(removal_objections(ENDED, date(2026, 3, 1), 0)) == []


def test_what_never_ended_or_is_another_operators_is_removed_at_any_time() -> None:
    today = date(2026, 2, 1)
    assert list(removal_objections(line(), today, 90)) == []
    assert list(removal_objections(ported_out(ENDED, today), today, 90)) == []
    assert refused(*removal_objections(line(state="terminated"), today, 90)) == ["R-POR-03"]


# --- R-POR-04 -----------------------------------------------------------------------------------------------


def test_the_last_number_ported_out_ends_the_line() -> None:
    gone = ported_out(line(), date(2026, 2, 1))
    assert (gone.state, gone.terminated_on, gone.ported) == ("terminated", "2026-02-01", True)
    assert ported_out(ENDED, date(2026, 2, 1)).terminated_on == "2026-01-31"


def test_a_number_that_was_ported_out_is_called_over_trunks() -> None:
    table = LineTable.of([ported_out(line(), date(2026, 2, 1))])
    assert table.by_number == {}
    assert set(table.by_user) == {"bakery"}


# --- R-POR-01 -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holder", ["Bakkerij Peeters BV", "BAKKERIJ PEETERS B.V.", " bakkerij  peeters bv", "Zoë Peeters"]
)
def test_the_subscriber_or_the_end_user_may_port_in(holder: str) -> None:
    assert refused(*holder_objections(line(end_user="Zoe Peeters"), holder)) == []


@pytest.mark.parametrize("holder", ["", "-", "Bakkerij Janssens BV", "Peeters"])
def test_nobody_else_may(holder: str) -> None:
    assert refused(*holder_objections(line(), holder)) == ["R-POR-01"]
    assert refused(*holder_objections(line(end_user="", address=None), holder)) == ["R-POR-01"]


# --- R-POR-06 -----------------------------------------------------------------------------------------------


def test_the_worked_example() -> None:
    """Asked for on Tuesday 2026-12-01: free until the 15th; ported on the 18th, 3 days, 15 EUR."""
    requested, ported = date(2026, 12, 1), date(2026, 12, 18)
    assert free_until(requested, HOLIDAYS) == date(2026, 12, 15)
    assert show(compensation(requested, ported, 1, HOLIDAYS)) == "15.0000"
    assert compensation(requested, ported, 4, HOLIDAYS) == 60 * EURO


@pytest.mark.parametrize(
    ("ported", "euros"),
    [("2026-12-01", 0), ("2026-12-15", 0), ("2026-12-16", 5), ("2026-12-20", 25), ("2026-12-31", 80)],
)
def test_every_day_counts_once_it_is_late(ported: str, euros: int) -> None:
    due = compensation(date(2026, 12, 1), date.fromisoformat(ported), 1, HOLIDAYS)
    assert due == euros * EURO


@pytest.mark.parametrize(
    ("requested", "until"),
    [
        ("2026-12-18", "2027-01-05"),  # Christmas and New Year's Day are Fridays
        ("2026-12-19", "2027-01-05"),  # a Saturday counts from Monday, as the Friday before it does
        ("2026-04-03", "2026-04-20"),  # Easter Monday
        ("2026-11-10", "2026-11-25"),  # Armistice Day is a Wednesday
    ],
)
def test_neither_weekends_nor_holidays_are_working_days(requested: str, until: str) -> None:
    assert free_until(date.fromisoformat(requested), HOLIDAYS).isoformat() == until


def test_working_days_are_counted_one_by_one() -> None:
    day = date(2026, 1, 1)
    for number in range(1, 200):
        after = working_day_after(day, number, HOLIDAYS)
        assert after == working_day_after(working_day_after(day, number - 1, HOLIDAYS), 1, HOLIDAYS)
        assert after.weekday() < 5
        assert after not in HOLIDAYS
