"""Sliding windows against a model that keeps everything and counts it anew each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switch.fraud.windows import MOST_POINTS, Amounts, Occasions, Rising, Talk

WINDOW = 60
STEPS = st.lists(st.integers(0, 25), max_size=60)


def instants(steps: list[int]) -> list[int]:
    """Rising instants, several of them equal."""
    now = 0
    return [now := now + step for step in steps]


@given(STEPS, st.integers(0, 6))
def test_occasions(steps: list[int], threshold: int) -> None:
    window, times = Occasions(threshold), list[int]()
    for now in instants(steps):
        window.add(now)
        times.append(now)
        for later in (now, now + 1, now + WINDOW):
            count = sum(later - WINDOW < at <= later for at in times)
            assert window.exceeded(later, WINDOW) == (count > threshold)
            assert window.live(later, WINDOW) == (count > 0)


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 100)), max_size=60))
def test_amounts(facts: list[tuple[int, int]]) -> None:
    window, kept = Amounts(), list[tuple[int, int]]()
    for now, (_, amount) in zip(instants([step for step, _ in facts]), facts, strict=True):
        window.add(amount, now)
        kept.append((now, amount))
        assert window.total(now, WINDOW) == sum(amount for at, amount in kept if at > now - WINDOW)


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 4), st.booleans()), max_size=60))
def test_talk(events: list[tuple[int, int, bool]]) -> None:
    """Calls begin, end, overlap, run on; an end of what did not begin is nothing."""
    talk, spans = Talk(), dict[str, list[list[int]]]()
    for now, (_, call, begins) in zip(instants([step for step, _, _ in events]), events, strict=True):
        name = f"call-{call}"
        of_call = spans.setdefault(name, [])
        running = bool(of_call) and len(of_call[-1]) == 1
        if begins and not running:
            of_call.append([now])
            talk.begin(name, now)
        elif not begins:
            if running:
                of_call[-1].append(now)
            talk.end(name, now)
        wanted = sum(
            max(0, (span[1] if len(span) > 1 else now) - max(span[0], now - WINDOW))
            for all_of_it in spans.values()
            for span in all_of_it
        )
        assert talk.total_ns(now, WINDOW) == wanted
    assert {name for name, of_call in spans.items() if of_call and len(of_call[-1]) == 1} == talk.running


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(1, 30)), max_size=40), st.integers(0, 3))
def test_rising(facts: list[tuple[int, int]], threshold: int) -> None:
    window, kept = Rising(threshold), list[tuple[int, str]]()
    for now, (_, number) in zip(instants([step for step, _ in facts]), facts, strict=True):
        text = f"+3224{number}"
        if kept and (len(text) != len(kept[-1][1]) or text <= kept[-1][1]):
            kept.clear()
        kept.append((now, text))
        window.add(text, now)
        count = sum(at > now - WINDOW for at, _ in kept)
        assert window.exceeded(now, WINDOW) == (count > threshold)


def test_a_fact_as_old_as_the_window_is_out_of_it() -> None:
    window = Occasions(1)
    window.add(0)
    window.add(59)
    assert window.exceeded(59, WINDOW)
    assert not window.exceeded(60, WINDOW)


def test_running_calls_are_counted_while_they_run() -> None:
    talk = Talk()
    talk.begin("one", 0)
    talk.begin("two", 10)
    assert talk.total_ns(30, WINDOW) == 30 + 20
    assert talk.total_ns(1000, WINDOW) == 2 * WINDOW


def test_talk_begins_anew_and_running_calls_go_on() -> None:
    talk = Talk()
    talk.begin("one", 0)
    talk.restart(50)
    assert talk.total_ns(70, WINDOW) == 20
    talk.end("one", 80)
    assert talk.total_ns(90, WINDOW) == 30
    talk.restart(90)
    assert talk.total_ns(95, WINDOW) == 0


def test_nothing_grows_without_end() -> None:
    """A window that is full draws its oldest facts together; the sum stays right but for its far edge."""
    amounts, talk = Amounts(), Talk()
    many = 4 * MOST_POINTS
    for now in range(many):
        amounts.add(1, now)
        talk.begin(f"{now}", now)
        talk.end(f"{now}", now + 1)
    assert len(amounts) <= MOST_POINTS
    assert len(talk) <= MOST_POINTS
    assert amounts.total(many, 10 * many) == many
    assert talk.total_ns(many, 10 * many) == many
    assert talk.total_ns(many, 100) == 100
