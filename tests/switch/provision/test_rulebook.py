"""All rules at once: a new line, one that changes, one that moves, one that takes over a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switch.provision.rulebook import Rulebook
from switch.routing.lines import Line
from tests.switch.provision.support import LEUVEN, line, numbers, refused, rules

BRUSSELS = {**LEUVEN, "postcode": "1000"}
HERENT = {**LEUVEN, "postcode": "3020"}


def changed(old: Line, **changes: Any) -> list[str]:
    return refused(*rules().changes(old, replace(old, **changes)))


def test_a_right_line_has_no_objection() -> None:
    assert rules().objections(line()) == ()
    assert rules().objections(line(plan="multi", numbers=numbers(12), end_users=10)) == ()


def test_all_objections_come_at_once() -> None:
    wrong = line(
        numbers=("+3270123456", "+3222345678"), end_user=" ", max_calls=9, devices=("x",), sources=("::1",)
    )
    expected = ["R-EUS-01", "R-POL-06", "R-NUM-01", "R-POL-08", "R-POL-08", "R-EQP-01", "R-NUM-05"]
    assert refused(*rules().objections(wrong)) == expected


def test_a_line_of_a_plan_that_is_not_there_is_refused_elsewhere() -> None:
    assert rules().objections(line(plan="platinum", numbers=numbers(3))) == ()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"cap": "35.00"}, []),
        ({"numbers": numbers(2)}, ["R-NUM-01"]),
        ({"numbers": ("+3222345678",)}, ["R-NUM-05"]),
        ({"address": HERENT}, []),
        ({"address": BRUSSELS}, ["R-NUM-06"]),
        ({"address": BRUSSELS, "numbers": ("+3222345678",)}, []),
        ({"address": BRUSSELS, "numbers": ("+3232345678",)}, ["R-NUM-05"]),
        ({"address": None}, []),  # refused for the address itself
        ({"end_user": ""}, ["R-EUS-01"]),
        ({"max_contacts": 2}, ["R-POL-08"]),
        ({"state": "suspended", "disputed": True}, ["R-SUS-05"]),
    ],
)
def test_a_change(changes: dict[str, Any], expected: list[str]) -> None:
    assert changed(line(), **changes) == expected


def test_a_disputed_line_is_not_suspended_by_a_change_of_its_state() -> None:
    disputed = line(disputed=True)
    assert changed(disputed, state="suspended") == ["R-SUS-05"]
    assert changed(disputed, state="suspended", state_reason="fraud") == []
    assert changed(disputed, state="suspended", disputed=False) == []
    assert changed(replace(disputed, state="suspended"), cap="none") == []


def test_what_was_wrong_before_stops_no_other_change() -> None:
    """A rule that came later must not keep a customer from lowering the cap (R-CAP-02)."""
    old = line(numbers=(*numbers(2), "+3222345678"), max_calls=30, sources=("192.0.2.7/32",))
    assert len(rules().objections(old)) == 4
    assert changed(old, cap="10.00") == []
    assert changed(old, numbers=old.numbers[:2]) == ["R-NUM-01"]  # better, and still wrong: said anew
    assert changed(old, numbers=old.numbers[:1]) == []
    assert changed(old, max_calls=31) == ["R-POL-08"]
    assert changed(replace(old, end_user=""), cap="10.00") == ["R-EUS-01"]


def port_in(old: Line, number: str, holder: str = "Bakkerij Peeters BV") -> list[str]:
    new = replace(old, numbers=(*old.numbers, number))
    return refused(*rules().port_in(old, new, number, holder))


def test_a_number_is_ported_into_its_zone_by_its_holder() -> None:
    multi = line(plan="multi", end_users=2, numbers=numbers(3))
    assert port_in(multi, "+3216999888") == []
    assert port_in(multi, "+32478123456") == []
    assert port_in(multi, "+3222345678") == ["R-POR-05"]
    assert port_in(multi, "+3216999888", "Somebody else") == ["R-POR-01"]
    assert port_in(multi, "+33145674567") == ["R-NUM-04"]
    assert port_in(line(plan="multi", end_users=1, numbers=numbers(3)), "+3216999888") == ["R-NUM-02"]
    assert port_in(line(), "+3222345678", "Nobody") == ["R-POR-01", "R-POR-05", "R-NUM-01"]


def test_the_rulebook_is_a_value() -> None:
    assert rules() == Rulebook(rules().tariff, rules().destinations, rules().zones)
