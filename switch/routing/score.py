"""Points that fade, kept for so many keys and no more: what `switch.routing.bans` counts with.

Points are integers, in thousandths. They halve every half-life, in sixteen steps of it, and are brought up to
date when somebody looks: nothing ticks. Whoever has a state is kept rather than whoever has none; among
equals, whoever was heard of lately.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

POINT = 1000
"""Thousandths in a point."""

_STEPS = 16
_FADING = (
    *(65536, 62757, 60097, 57549, 55109, 52773, 50535, 48393),
    *(46341, 44376, 42495, 40693, 38968, 37316, 35734, 34219),
)
"""2^(-n/16) in 65536ths."""

_K = TypeVar("_K")


class State(IntEnum):
    """What is done about somebody."""

    CALM = 0
    SLOWED = 1
    IGNORED = 2


class Score:
    """The points of one key, as of `at_ns`, and what came of them. All instants are monotonic nanoseconds;
    `since_ns` is when its state began, `seen_ns` when points were last added, `why` for which rule.

    `full_ns` is when its bucket of tokens is full again, `flooded` whether it ran dry; `tried` whether it
    has counted as one user more that was tried.
    """

    __slots__ = ("at_ns", "flooded", "full_ns", "milli", "seen_ns", "since_ns", "state", "tried", "why")

    def __init__(self, now_ns: int) -> None:
        self.milli = 0
        self.at_ns = self.since_ns = self.seen_ns = self.full_ns = now_ns
        self.state = State.CALM
        self.why = ""
        self.flooded = False
        self.tried = False

    def fade(self, now_ns: int, half_life_ns: int) -> None:
        """Bring the points up to date."""
        steps = (now_ns - self.at_ns) * _STEPS // half_life_ns
        if steps > 0:
            self.milli = (self.milli * _FADING[steps % _STEPS] >> 16) >> min(steps // _STEPS, 64)
            self.at_ns += steps * half_life_ns // _STEPS

    def judge(self, limit: int) -> State:
        """The state that the points make. From `limit` thousandths on slowed, from twice as many ignored;
        a state is left at half of what it takes to come into it."""
        if self.milli >= 2 * limit or (self.state is State.IGNORED and self.milli >= limit):
            return State.IGNORED
        enough = limit if self.state is State.CALM else limit // 2
        return State.SLOWED if self.milli >= enough or self.flooded else State.CALM


class Scores(Generic[_K]):
    """The scores of at most `most` keys. One too many pushes out the one heard of longest ago, and tells so:
    of those that are calm, else slowed, else ignored."""

    def __init__(self, most: int, evicted: Callable[[_K, Score], None]) -> None:
        self.most = most
        self._evicted = evicted
        self._scores: dict[_K, Score] = {}
        self._shelves: tuple[OrderedDict[_K, None], ...] = tuple(OrderedDict() for _ in State)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._scores)

    def items(self) -> list[tuple[_K, Score]]:
        """All of them, as they are now."""
        return list(self._scores.items())

    def count(self, state: State) -> int:
        """How many are in a state."""
        return len(self._shelves[state])

    def banned(self) -> list[tuple[_K, Score]]:
        """Those slowed or ignored, as they are now."""
        keys = [*self._shelves[State.SLOWED], *self._shelves[State.IGNORED]]
        return [(key, self._scores[key]) for key in keys]

    def find(self, key: _K) -> Score | None:
        """The score of a key, if it has one."""
        return self._scores.get(key)

    def touch(self, key: _K, now_ns: int) -> Score:
        """The score of a key that was heard of, a fresh one if need be."""
        score = self._scores.get(key)
        if score is not None:
            self._shelves[score.state].move_to_end(key)
            return score
        if len(self._scores) >= self.most:
            oldest = next(iter(next(filter(None, self._shelves))))
            self._evicted(oldest, self.drop(oldest))
        score = self._scores[key] = Score(now_ns)
        self._shelves[State.CALM][key] = None
        return score

    def move(self, key: _K, score: Score, state: State, now_ns: int) -> None:
        """Another state from now on."""
        del self._shelves[score.state][key]
        self._shelves[state][key] = None
        score.state, score.since_ns = state, now_ns

    def drop(self, key: _K) -> Score:
        """Forget a key; what it had.

        Raises:
            KeyError: it had nothing.
        """
        score = self._scores.pop(key)
        del self._shelves[score.state][key]
        return score

    def forget(self, before_ns: int, now_ns: int) -> None:
        """Drop calm ones that nobody added to since `before_ns`, when their bucket is full."""
        shelf = self._shelves[State.CALM]
        while shelf:
            key = next(iter(shelf))
            score = self._scores[key]
            if score.seen_ns >= before_ns or score.full_ns > now_ns:
                return
            self.drop(key)
