"""When an answered call is cut, and the tones that announce it (R-LIM-01, R-CAP-04).

The deadline is a second of the call, counted from the answer: neither hold nor re-INVITE moves it. It may
come nearer or go further as other calls of the line begin and end; what was announced and does not come to
pass is announced again.
"""

from __future__ import annotations

from collections.abc import Callable

from switch.ports import NS_PER_S
from switch.timers import Timer, TimerQueue

WARNINGS_S = (60, 10)
"""How long before the cut the parties are warned."""


class Deadline:
    """The cut of one call. `second` is None while nothing ends it, `reason` then ''."""

    __slots__ = ("_answered_ns", "_cut", "_timers", "_timing", "_warn", "reason", "second")

    def __init__(
        self,
        timing: TimerQueue,
        answered_ns: int,
        *,
        warn: Callable[[], None],
        cut: Callable[[str], None],
    ) -> None:
        """Of a call answered at `answered_ns` (monotonic): `warn` is told when the parties are to be warned,
        `cut` the reason when it is time."""
        self._timing = timing
        self._answered_ns = answered_ns
        self._warn = warn
        self._cut = cut
        self._timers: list[Timer] = []
        self.second: int | None = None
        self.reason = ""

    def set(self, second: int | None, reason: str) -> None:
        """Cut the call before this second, or not at all."""
        if (second, reason) == (self.second, self.reason):
            return
        self.clear()
        self.second, self.reason = second, reason
        if second is None:
            return
        left_ns = self.due_ns - self._timing.now.mono_ns
        for warning_s in WARNINGS_S:
            if (in_ns := left_ns - warning_s * NS_PER_S) >= 0:
                self._timers.append(self._timing.start(in_ns, self._warn))
        self._timers.append(self._timing.start(max(0, left_ns), lambda: self._cut(reason)))

    def clear(self) -> None:
        """Neither cut nor tone any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers = []

    @property
    def due_ns(self) -> int:
        """The monotonic instant of the cut, when there is one."""
        return self._answered_ns + (self.second or 0) * NS_PER_S
