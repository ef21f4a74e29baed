"""The running calls: found by whatever they are looked up by, and counted without drift."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from switch.call.call import Call, State
from switch.call.running import RunningCalls, line_name, trunk_name
from tests.switch.routing.support import make_line

LINES = [line_name(make_line(user)) for user in ("alice", "bob", "carrier")]
TRUNKS = ["carrier", "reserve"]


def call(number: int, state: State = State.TRYING) -> Call:
    """As much of a call as the table looks at."""
    named = SimpleNamespace(
        id=f"call-{number}", anchor=SimpleNamespace(session=number), trunk="", state=state
    )
    return cast(Call, named)


def enter(calls: RunningCalls, one: Call, trunk: str) -> None:
    """As `Call` does: the table first, then its own note."""
    calls.enter(one.id, trunk)
    one.trunk = trunk


def test_a_call_is_found_by_id_and_by_relay_session() -> None:
    calls, one = RunningCalls(), call(7)
    calls.add(one, LINES[:1])
    assert calls.get("call-7") is one
    assert calls.of_session(7) is one
    assert "call-7" in calls
    assert list(calls) == [one]
    assert calls.remove("call-7") is one
    assert calls.get("call-7") is None
    assert calls.of_session(7) is None
    assert "call-7" not in calls
    assert len(calls) == 0


def test_a_call_that_is_gone_is_gone_once() -> None:
    calls = RunningCalls()
    calls.add(call(1), LINES)
    calls.remove("call-1")
    assert calls.remove("call-1") is None
    assert [calls.count(name) for name in LINES] == [0, 0, 0]


def test_a_call_of_a_line_to_itself_counts_once() -> None:
    calls = RunningCalls()
    calls.add(call(1), [LINES[0], LINES[0]])
    assert calls.count(LINES[0]) == 1


def test_a_call_counts_at_the_trunk_it_tries_and_no_longer_at_the_one_before() -> None:
    calls, one = RunningCalls(), call(1)
    calls.add(one, LINES[:1])
    enter(calls, one, "carrier")
    assert calls.count(trunk_name("carrier")) == 1
    enter(calls, one, "reserve")
    assert (calls.count(trunk_name("carrier")), calls.count(trunk_name("reserve"))) == (0, 1)
    enter(calls, one, "")
    assert calls.count(trunk_name("reserve")) == 0
    assert calls.count(LINES[0]) == 1


def test_a_line_and_a_trunk_called_alike_are_counted_apart() -> None:
    calls, one = RunningCalls(), call(1)
    calls.add(one, [line_name(make_line("alice"))])
    enter(calls, one, "carrier")
    assert calls.count(line_name(make_line("carrier"))) == 0
    assert calls.count(trunk_name("carrier")) == 1


def test_answered_calls_are_those_in_that_state() -> None:
    calls = RunningCalls()
    for number, state in enumerate(State):
        calls.add(call(number, state), ())
    assert calls.answered() == 1


def test_calls_may_end_while_they_are_gone_through() -> None:
    calls = RunningCalls()
    for number in range(5):
        calls.add(call(number), LINES)
    for one in calls:
        calls.remove(one.id)
    assert len(calls) == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "enter", "remove"]),
        st.integers(0, 5),
        st.sets(st.sampled_from(LINES)),
        st.sampled_from(["", *TRUNKS]),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_count_is_what_counting_by_hand_gives(
    steps: list[tuple[str, int, set[str], str]],
) -> None:
    calls = RunningCalls()
    by_hand: dict[str, tuple[Call, set[str]]] = {}
    for step, number, names, trunk in steps:
        held = by_hand.get(f"call-{number}")
        if step == "add" and held is None:
            one = call(number)
            calls.add(one, names)
            by_hand[one.id] = one, names
        elif step == "enter" and held is not None:
            enter(calls, held[0], trunk)
        elif step == "remove":
            assert (calls.remove(f"call-{number}") is not None) is (held is not None)
            by_hand.pop(f"call-{number}", None)
        assert len(calls) == len(by_hand)
        for name in LINES:
            assert calls.count(name) == sum(name in names for _, names in by_hand.values())
        for name in TRUNKS:
            assert calls.count(trunk_name(name)) == sum(one.trunk == name for one, _ in by_hand.values())
    for name in list(by_hand):
        calls.remove(name)
    assert (calls._by_id, calls._by_session, calls._by_name, calls._names) == ({}, {}, {}, {})
