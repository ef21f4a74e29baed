"""Points that fade, and tables of them that do not grow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.ports import NS_PER_S
from switch.routing.score import POINT, Score, Scores, State

HALF_LIFE_NS = 600 * NS_PER_S


@pytest.mark.parametrize(("half_lives", "left"), [(0, 8000), (1, 4000), (2, 2000), (3, 1000), (20, 0)])
def test_points_halve_every_half_life(half_lives: int, left: int) -> None:
    score = Score(0)
    score.milli = 8 * POINT
    score.fade(half_lives * HALF_LIFE_NS, HALF_LIFE_NS)
    assert score.milli == left


def test_they_halve_however_often_somebody_looks() -> None:
    score = Score(0)
    score.milli = 8 * POINT
    for second in range(0, 601, 7):
        score.fade(second * NS_PER_S, HALF_LIFE_NS)
    score.fade(HALF_LIFE_NS, HALF_LIFE_NS)
    assert 3980 <= score.milli <= 4000


@given(
    st.integers(0, 1_000_000),
    st.lists(st.integers(0, 10**13), min_size=1, max_size=30),
    st.integers(1, 86_400).map(lambda seconds: seconds * NS_PER_S),
)
def test_they_only_ever_fall(milli: int, waits: list[int], half_life_ns: int) -> None:
    score = Score(0)
    score.milli, now_ns, before = milli, 0, milli
    for wait_ns in waits:
        now_ns += wait_ns
        score.fade(now_ns, half_life_ns)
        assert 0 <= score.milli <= before
        assert score.at_ns <= now_ns
        assert now_ns - score.at_ns <= half_life_ns // 16 + 1
        before = score.milli


@pytest.mark.parametrize(
    ("milli", "was", "is_now"),
    [
        (4999, State.CALM, State.CALM),
        (5000, State.CALM, State.SLOWED),
        (9999, State.SLOWED, State.SLOWED),
        (10_000, State.SLOWED, State.IGNORED),
        (5000, State.IGNORED, State.IGNORED),
        (4999, State.IGNORED, State.SLOWED),
        (2500, State.SLOWED, State.SLOWED),
        (2499, State.SLOWED, State.CALM),
        (2499, State.IGNORED, State.CALM),
    ],
)
def test_a_state_is_left_later_than_it_is_entered(milli: int, was: State, is_now: State) -> None:
    score = Score(0)
    score.milli, score.state = milli, was
    assert score.judge(5 * POINT) is is_now


def test_one_too_many_pushes_out_the_calm_before_the_slowed_before_the_ignored() -> None:
    gone: list[str] = []
    scores: Scores[str] = Scores(3, lambda key, _score: gone.append(key))
    states = {"ignored": State.IGNORED, "slowed": State.SLOWED, "calm": State.CALM}
    for key, state in states.items():
        scores.move(key, scores.touch(key, 0), state, 0)
    for number in range(3):
        fresh = f"fresh{number}"
        scores.move(fresh, scores.touch(fresh, 0), State.IGNORED, 0)
    assert gone == ["calm", "slowed", "ignored"]
    assert len(scores) == 3


def test_among_equals_the_one_not_heard_of_goes() -> None:
    gone: list[str] = []
    scores: Scores[str] = Scores(2, lambda key, _score: gone.append(key))
    for key in ("first", "second", "first", "third"):
        scores.touch(key, 0)
    assert gone == ["second"]
    assert scores.find("second") is None


def test_what_is_calm_and_old_is_forgotten() -> None:
    scores: Scores[str] = Scores(10, lambda *_: None)
    scores.touch("old", 0)
    scores.move("banned", scores.touch("banned", 0), State.SLOWED, 0)
    scores.touch("new", 100)
    scores.forget(before_ns=50, now_ns=100)
    assert [key for key, _ in scores.items()] == ["banned", "new"]
