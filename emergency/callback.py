"""Whether a call is an emergency centre calling back (R-EMG-09, RFC 7090).

Such a call rings all phones of the line and passes forwarding, do-not-disturb, voicemail, inbound blocks and
suspension; doing so is left to the call.
"""

from __future__ import annotations

from collections.abc import Iterable

WINDOW_NS = 30 * 60 * 1_000_000_000
CAPACITY = 16_384


class CallbackWindow:
    """The lines that called an emergency service lately, oldest first; at most `capacity` of them.

    Wall time, because the window outlives a restart. A clock that was set back in between does not close it.
    """

    __slots__ = ("_called", "_capacity", "_window_ns")

    def __init__(self, window_ns: int = WINDOW_NS, capacity: int = CAPACITY) -> None:
        self._window_ns = window_ns
        self._capacity = capacity
        self._called: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._called)

    def record(self, line: str, wall_ns: int) -> None:
        """An emergency call of this line begins or ends: its window starts anew."""
        self._called.pop(line, None)
        self._called[line] = wall_ns
        while len(self._called) > self._capacity or not self._is_open(next(iter(self._called)), wall_ns):
            del self._called[next(iter(self._called))]

    def is_callback(self, line: str, wall_ns: int, priority: str | None, *, from_psap: bool) -> bool:
        """Whether an incoming call for this line is a callback.

        Args:
            line: the called line.
            wall_ns: now, UTC nanoseconds since the epoch.
            priority: the call's Priority header field, if it has one.
            from_psap: it came over a trunk of an emergency centre. From anywhere else nothing is a callback:
                any stranger can write a header, or know that somebody has called for help.
        """
        if not from_psap:
            return False
        marked = priority is not None and priority.strip().lower() == "psap-callback"
        return marked or self._is_open(line, wall_ns)

    def snapshot(self) -> tuple[tuple[str, int], ...]:
        """Line and time of its last emergency call, oldest first, to be kept over a restart."""
        return tuple(self._called.items())

    def restore(self, entries: Iterable[tuple[str, int]]) -> None:
        """Take up what `snapshot` gave, in place of what is here."""
        self._called = dict(sorted(entries, key=lambda entry: entry[1])[-self._capacity :])

    def _is_open(self, line: str, wall_ns: int) -> bool:
        called_ns = self._called.get(line)
        return called_ns is not None and abs(wall_ns - called_ns) <= self._window_ns
