"""Whether more comes in than is done: by how late the event loop runs, and how much waits in the sockets.

Strain begins when that was seen twice in a row, for a single stall is no overload; it ends only when both are
small again, so that it does not flicker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from switch.net.rounds import Rounds
from switch.ports import Strained

EVERY_S = 0.1
LATE_S, EARLY_S = 0.25, 0.05
LOOKS = 2
FULL, EMPTY = 0.25, 0.02
"""Of a socket's receive buffer. A quarter of it holds some two thousand requests, or a second's work."""


class Backlogged(Protocol):
    """A listener whose socket can hold messages that nobody has read."""

    @property
    def backlog(self) -> float:
        """How full its receive buffer is, 0 to 1."""


class Strain(Rounds):
    """Looks ten times a second and tells `feed` of a change. `lag_s` is how late the last look was."""

    def __init__(self, listeners: Sequence[Backlogged], feed: Callable[[Strained], None]) -> None:
        super().__init__("strain")
        self.lag_s = 0.0
        self._listeners = listeners
        self._feed = feed
        self._due = 0.0
        self._strained = False
        self._bad_looks = 0

    @property
    def pause_s(self) -> float:
        """Seconds between two looks."""
        return EVERY_S

    async def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        self.lag_s = max(0.0, now - self._due) if self._due else 0.0
        self._due = now + EVERY_S
        backlog = max((listener.backlog for listener in self._listeners), default=0.0)
        strained = self._strained
        self._bad_looks = self._bad_looks + 1 if self.lag_s > LATE_S or backlog > FULL else 0
        if self._bad_looks >= LOOKS:
            strained = True
        elif self.lag_s < EARLY_S and backlog < EMPTY:
            strained = False
        if strained is not self._strained:
            self._strained = strained
            self._feed(Strained(strained))
