"""What a line may do under its measures, and that it is as it was without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from switch.fraud.measures import REASON, Measure, Measures, secret_mark
from switch.fraud.rules import Action
from switch.routing.lines import Line, LineTable
from switch.sip.auth import Account

LINE = Line(
    "alice", ("+3216234567",), Account({"MD5": "a" * 32}, ("MD5",)), "classic", sources=("192.0.2.1",)
)
OTHER = Line("bob", ("+3222345678",), Account({"MD5": "b" * 32}, ("MD5",)), "classic")


def measure(action: Action, rule: str = "rule", line: Line = LINE) -> Measure:
    return Measure(f"fraud:{line.user}:{rule}:1", rule, action, 1, secret_mark(line))


def under(*actions: Action) -> Measures:
    measures = Measures()
    for action in actions:
        measures.add("alice", measure(action, rule=action.value))
    return measures


def test_blocked_it_calls_nobody_abroad_and_proves_nothing() -> None:
    blocked = under(Action.BLOCK).applied(LINE)
    assert blocked == replace(LINE, abroad=False, account=Account({}, ("MD5",)), secret_out=True)


def test_suspended_it_is_suspended() -> None:
    assert under(Action.SUSPEND).applied(LINE) == replace(LINE, state="suspended", state_reason=REASON)


def test_an_alert_changes_nothing() -> None:
    measures = under(Action.ALERT)
    assert measures.applied(LINE) is LINE
    assert measures.of("alice") == ()


def test_both_and_others_are_left_alone() -> None:
    measures = under(Action.BLOCK, Action.SUSPEND)
    first, second = measures.effective([LINE, OTHER])
    assert (first.state, first.abroad, first.secret_out) == ("suspended", False, True)
    assert second is OTHER
    assert measures.counts() == {Action.BLOCK: 1, Action.SUSPEND: 1}


@pytest.mark.parametrize("state", ["terminated", "quarantine"])
def test_a_contract_that_has_ended_does_not_come_back_as_suspended(state: str) -> None:
    """A suspended line may still be called back by a centre."""
    assert under(Action.SUSPEND).applied(replace(LINE, state=state)).state == state


def test_lifted_it_is_as_it_was() -> None:
    measures = under(Action.BLOCK, Action.SUSPEND)
    assert measures.applied(LINE) != LINE
    taken_back, line = measures.lift("alice")
    assert {one.action for one in taken_back} == {Action.BLOCK, Action.SUSPEND}
    assert line is LINE
    assert measures.applied(LINE) is LINE
    assert measures.lift("alice") == ((), None)
    assert measures.users() == ()


def test_another_secret_is_believed_and_the_block_stays() -> None:
    """The way back for a customer whose password is out: a new one first, calls abroad later."""
    fresh = replace(LINE, account=Account({"MD5": "c" * 32}, ("MD5",)))
    blocked = under(Action.BLOCK).applied(fresh)
    assert blocked == replace(fresh, abroad=False)


def test_a_change_of_the_stored_line_is_what_comes_back() -> None:
    measures = under(Action.SUSPEND)
    measures.applied(LINE)
    measures.effective([replace(LINE, cap="35.00")])
    assert measures.lift("alice")[1] == replace(LINE, cap="35.00")


def test_one_line_of_a_table_is_put_in_place_of_what_it_was() -> None:
    table = LineTable.of(
        [LINE, OTHER, replace(OTHER, user="net", numbers=("+3281234567",), sources=("10.0.0.0/8",))]
    )
    for line in (replace(LINE, abroad=False), replace(table.by_user["net"], abroad=False)):
        table.put(line)
        assert table.by_user[line.user] is line
        assert table.by_number[line.number] is line
    assert not (table.admitted_from("192.0.2.1") or LINE).abroad
    assert not (table.admitted_from("10.1.2.3") or LINE).abroad
    assert table.by_number["+3222345678"] is OTHER
