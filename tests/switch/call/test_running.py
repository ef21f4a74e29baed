"""The running calls: found by whatever they are looked up by, and counted without drift."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from switch.call.call import Call, State
from switch.call.counted import line_name, trunk_name
from switch.call.link import Link
from switch.call.running import RunningCalls
from tests.switch.routing.support import make_line

LINES = [line_name(make_line(user)) for user in ("alice", "bob", "carrier")]
TRUNKS = ["carrier", "reserve"]


def call(number: int, state: State = State.TRYING) -> Call:
    """As much of a call as the table looks at."""
    anchor = SimpleNamespace(session=number, used=True)
    name = f"call-{number}"
    named = SimpleNamespace(
        id=name,
        anchor=anchor,
        anchors=[anchor],
        links=[SimpleNamespace(id=name)],
        media_of=name,
        state=state,
    )
    return cast(Call, named)


def running() -> RunningCalls:
    """A table that nobody listens to."""
    return RunningCalls(lambda call: None)


def test_a_call_is_found_by_id_and_by_relay_session() -> None:
    calls, one = running(), call(7)
    calls.add(one, LINES[:1])
    assert calls.get("call-7") is one
    assert calls.of_session(7) is one
    assert "call-7" in calls
    assert list(calls) == [one]
    calls.remove(one)
    assert calls.get("call-7") is None
    assert calls.of_session(7) is None
    assert "call-7" not in calls
    assert len(calls) == 0


def test_a_call_that_is_gone_is_gone_once() -> None:
    calls = running()
    calls.add(one := call(1), LINES)
    calls.remove(one)
    calls.remove(one)
    assert [calls.count(name) for name in LINES] == [0, 0, 0]


def test_a_call_of_a_line_to_itself_counts_once() -> None:
    calls = running()
    calls.add(call(1), [LINES[0], LINES[0]])
    assert calls.count(LINES[0]) == 1


def test_a_call_counts_at_the_trunk_it_tries_and_no_longer_at_the_one_before() -> None:
    calls, one = running(), call(1)
    calls.add(one, LINES[:1])
    calls.tried(one.id, "carrier")
    assert calls.count(trunk_name("carrier")) == 1
    calls.tried(one.id, "reserve")
    assert (calls.count(trunk_name("carrier")), calls.count(trunk_name("reserve"))) == (0, 1)
    calls.tried(one.id, "")
    assert calls.count(trunk_name("reserve")) == 0
    assert calls.count(LINES[0]) == 1


def test_a_line_and_a_trunk_called_alike_are_counted_apart() -> None:
    calls, one = running(), call(1)
    calls.add(one, [line_name(make_line("alice"))])
    calls.tried(one.id, "carrier")
    assert calls.count(line_name(make_line("carrier"))) == 0
    assert calls.count(trunk_name("carrier")) == 1


def test_answered_calls_are_those_in_that_state() -> None:
    calls = running()
    for number, state in enumerate(State):
        calls.add(call(number, state), ())
    assert calls.answered() == 1


def test_calls_may_end_while_they_are_gone_through() -> None:
    calls = running()
    for number in range(5):
        calls.add(call(number), LINES)
    for one in calls:
        calls.remove(one)
    assert len(calls) == 0


def test_a_link_is_counted_until_it_is_closed_and_finds_its_call() -> None:
    calls, one = running(), call(1)
    calls.add(one, LINES[:1])
    one.links.append(cast(Link, SimpleNamespace(id="forwarded")))
    calls.opened(one, "forwarded", LINES[:2])
    calls.tried("forwarded", "carrier")
    assert calls.get("forwarded") is one
    assert (len(calls), calls.links()) == (1, 2)
    assert [calls.count(name) for name in LINES] == [2, 1, 0]
    calls.closed("forwarded")
    assert calls.links() == 1
    assert calls.get("forwarded") is None
    assert [calls.count(name) for name in (*LINES, trunk_name("carrier"))] == [1, 0, 0, 0]


def test_a_call_that_is_absorbed_goes_on_under_its_links() -> None:
    calls, one, other = running(), call(1), call(2)
    calls.add(one, LINES[:1])
    calls.add(other, LINES[1:2])
    one.links.extend(other.links)
    calls.absorbed(one, other)
    assert len(calls) == 1
    assert calls.get("call-2") is one
    assert calls.of_session(2) is None
    assert calls.reported(2) == "call-2"
    calls.ended("call-1")
    assert calls.reported(1) == "call-1"
    assert [calls.count(name) for name in LINES] == [0, 0, 0]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "open", "try", "close", "remove"]),
        st.integers(0, 5),
        st.integers(0, 2),
        st.sets(st.sampled_from(LINES)),
        st.sampled_from(["", *TRUNKS]),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_count_is_what_counting_by_hand_gives(
    steps: list[tuple[str, int, int, set[str], str]],
) -> None:
    calls = running()
    there: dict[int, Call] = {}
    links: dict[str, tuple[set[str], str]] = {}
    for step, number, index, names, trunk in steps:
        held = there.get(number)
        link_id = f"call-{number}-{index}"
        if step == "add" and held is None:
            there[number] = call(number)
            calls.add(there[number], names)
            links[f"call-{number}"] = names, ""
        elif step == "open" and held is not None and link_id not in links:
            held.links.append(cast(Link, SimpleNamespace(id=link_id)))
            calls.opened(held, link_id, names)
            links[link_id] = names, ""
        elif step == "try" and link_id in links:
            calls.tried(link_id, trunk)
            links[link_id] = links[link_id][0], trunk
        elif step == "close" and link_id in links:
            calls.closed(link_id)
            del links[link_id]
        elif step == "remove" and held is not None:
            calls.remove(held)
            del there[number]
            for one in [key for key in links if key.startswith(f"call-{number}")]:
                del links[one]
        assert len(calls) == len(there)
        for name in LINES:
            assert calls.count(name) == sum(name in names for names, _ in links.values())
        for name in TRUNKS:
            assert calls.count(trunk_name(name)) == sum(one == name for _, one in links.values())
    for held in there.values():
        calls.remove(held)
    assert (calls._by_id, calls._by_session, calls._by_name, calls._names) == ({}, {}, {}, {})
    assert (calls._by_link, calls._trunk_of) == ({}, {})
