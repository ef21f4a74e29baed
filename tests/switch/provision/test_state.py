"""States: R-SUS-04, R-SUS-05, R-EUS-01, and the quarantine that a date makes (R-POR-03)."""

from __future__ import annotations

from datetime import date

import pytest

from switch.provision.reason import Reason
from switch.provision.state import end_user_objections, entered, state_objections, state_on
from tests.switch.provision.support import line, refused

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize("reason", ["", "unpaid"])
@pytest.mark.parametrize("state", ["restricted", "suspended"])
def test_nothing_for_bills_while_one_is_disputed(state: str, reason: str) -> None:
    assert refused(*state_objections(line(disputed=True), state, reason)) == ["R-SUS-05"]
    assert refused(*state_objections(line(), state, reason)) == []


@pytest.mark.parametrize("reason", [Reason.FRAUD, Reason.MISUSE, Reason.INTEGRITY])
def test_a_dispute_does_not_shield_from_fraud(reason: Reason) -> None:
    assert reason.at_once
    assert refused(*state_objections(line(disputed=True), "suspended", reason)) == []


def test_unpaid_bills_need_notice() -> None:
    assert not Reason.UNPAID.at_once


@pytest.mark.parametrize("state", ["active", "limited", "terminated"])
def test_a_dispute_is_in_the_way_of_nothing_else(state: str) -> None:
    assert refused(*state_objections(line(disputed=True), state, "")) == []


def test_what_has_ended_is_not_suspended_any_more() -> None:
    ended = line(state="terminated", terminated_on="2026-11-01")
    assert refused(*state_objections(ended, "suspended", "fraud")) == ["R-SUS-02"]
    assert refused(*state_objections(ended, "active", "")) == []
    ported = line(state="terminated", state_reason="ported", terminated_on="2026-11-01")
    assert refused(*state_objections(ported, "active", "")) == ["R-POR-04"]


@pytest.mark.parametrize(("name", "rules"), [("", ["R-EUS-01"]), (" ", ["R-EUS-01"]), ("An", [])])
def test_somebody_is_the_end_user(name: str, rules: list[str]) -> None:
    assert refused(*end_user_objections(line(end_user=name))) == rules


def test_entering_a_state_dates_an_end_and_takes_the_date_back() -> None:
    ended = entered(line(), "terminated", "", TODAY)
    assert (ended.state, ended.terminated_on) == ("terminated", "2026-11-25")
    assert entered(ended, "terminated", "", date(2026, 12, 24)).terminated_on == "2026-11-25"
    assert entered(ended, "active", "", TODAY) == line()
    suspended = entered(line(), "suspended", "fraud", TODAY)
    assert (suspended.state_reason, suspended.terminated_on) == ("fraud", "")


@pytest.mark.parametrize(
    ("today", "state"),
    [
        (date(2026, 1, 31), "terminated"),
        (date(2026, 2, 28), "terminated"),
        (date(2026, 3, 1), "quarantine"),
        (date(2027, 3, 1), "quarantine"),
    ],
)
def test_after_the_month_a_number_is_in_quarantine(today: date, state: str) -> None:
    assert state_on(line(state="terminated", terminated_on="2026-01-31"), today) == state


def test_no_quarantine_without_a_date_nor_for_another_operators_number() -> None:
    assert state_on(line(state="terminated"), TODAY) == "terminated"
    ported = line(state="terminated", terminated_on="2026-01-31", state_reason="ported")
    assert state_on(ported, TODAY) == "terminated"
    assert state_on(line(state="suspended", terminated_on="2026-01-31"), TODAY) == "suspended"
