"""Sliding windows, exact to the nanosecond: a fact as old as the window is long is out of it.

They hold what the question needs and no more: how many is answered from the last few instants, how long from
the points where a running sum bends. Where a window would still outgrow its bound, its oldest facts are drawn
together, which blurs its far edge and nothing else. Lists and not deques: an empty one of these takes as much
memory as all that is known of most lines. Instants are monotonic nanoseconds.
"""

from __future__ import annotations

MOST_POINTS = 512
"""Facts that one window of sums holds: more than a line makes in an hour, a few tens of kilobytes."""


class Occasions:
    """How often something happened: only whether it was more than `threshold` times is known, and so the last
    `threshold + 1` instants are all that is kept, in a ring."""

    __slots__ = ("_oldest", "_size", "_times")

    def __init__(self, threshold: int) -> None:
        self._size = threshold + 1
        self._times: list[int] = []
        self._oldest = 0

    def add(self, now_ns: int) -> None:
        """It happened once more."""
        if len(self._times) < self._size:
            self._times.append(now_ns)
        else:
            self._times[self._oldest] = now_ns
            self._oldest = (self._oldest + 1) % self._size

    def exceeded(self, now_ns: int, window_ns: int) -> bool:
        """Whether it happened more than `threshold` times within the window that ends now."""
        return len(self._times) == self._size and self._times[self._oldest] > now_ns - window_ns

    def live(self, now_ns: int, window_ns: int) -> bool:
        """Whether anything is left in the window."""
        return bool(self._times) and self._times[self._oldest - 1] > now_ns - window_ns

    def clear(self) -> None:
        """As if it had never happened."""
        self._times.clear()
        self._oldest = 0

    def __len__(self) -> int:
        return len(self._times)


class Amounts:
    """The sum of amounts that fell due at instants."""

    __slots__ = ("_facts", "_total")

    def __init__(self) -> None:
        self._facts: list[tuple[int, int]] = []
        self._total = 0

    def add(self, amount: int, now_ns: int) -> None:
        """An amount fell due."""
        self._facts.append((now_ns, amount))
        self._total += amount
        if len(self._facts) > MOST_POINTS:
            (_, oldest), (at_ns, older) = self._facts[:2]
            self._facts[:2] = [(at_ns, oldest + older)]

    def total(self, now_ns: int, window_ns: int) -> int:
        """The sum within the window that ends now."""
        while self._facts and self._facts[0][0] <= now_ns - window_ns:
            self._total -= self._facts.pop(0)[1]
        return self._total

    def __len__(self) -> int:
        return len(self._facts)


class Talk:
    """How long was talked, by all calls together, those that run now included.

    The sum since the beginning is a line that bends where a call begins or ends; its rise over the window is
    the talk in it. How steep it is follows from the set of running calls.
    """

    __slots__ = ("_points", "running")

    def __init__(self) -> None:
        self._points: list[tuple[int, int]] = []
        self.running: set[str] = set()

    def begin(self, call_id: str, now_ns: int) -> None:
        """A call was answered."""
        self._bend(now_ns)
        self.running.add(call_id)

    def end(self, call_id: str, now_ns: int) -> None:
        """A call is over; one that did not begin changes nothing."""
        if call_id in self.running:
            self._bend(now_ns)
            self.running.discard(call_id)

    def restart(self, now_ns: int) -> None:
        """As if nobody had talked until now; calls that run go on."""
        self._points.clear()
        self._bend(now_ns)

    def total_ns(self, now_ns: int, window_ns: int) -> int:
        """The talk within the window that ends now."""
        points, left_ns = self._points, now_ns - window_ns
        while len(points) > 1 and points[1][0] <= left_ns:
            points.pop(0)
        return self._sum_at(now_ns) - self._sum_before(left_ns, now_ns)

    def _bend(self, now_ns: int) -> None:
        self._points.append((now_ns, self._sum_at(now_ns)))
        if len(self._points) > MOST_POINTS:
            self._points.pop(1)

    def _sum_at(self, now_ns: int) -> int:
        if not self._points:
            return 0
        at_ns, talked_ns = self._points[-1]
        return talked_ns + len(self.running) * (now_ns - at_ns)

    def _sum_before(self, left_ns: int, now_ns: int) -> int:
        """The sum at the far edge: on the straight line between the points around it."""
        if not self._points:
            return 0
        at_ns, talked_ns = self._points[0]
        if left_ns <= at_ns:
            return talked_ns
        then_ns, more_ns = self._points[1] if len(self._points) > 1 else (now_ns, self._sum_at(now_ns))
        return talked_ns + (more_ns - talked_ns) * (left_ns - at_ns) // (then_ns - at_ns)

    def __len__(self) -> int:
        return len(self._points)


class Rising:
    """The last calls of a series in which every number is higher than the one before, and as long."""

    __slots__ = ("_last", "_times")

    def __init__(self, threshold: int) -> None:
        self._times = Occasions(threshold)
        self._last = ""

    def add(self, number: str, now_ns: int) -> None:
        """A call to a number; one that does not rise begins a new series."""
        if len(number) != len(self._last) or number <= self._last:
            self._times.clear()
        self._last = number
        self._times.add(now_ns)

    def exceeded(self, now_ns: int, window_ns: int) -> bool:
        """Whether the series has more than `threshold` calls within the window that ends now."""
        return self._times.exceeded(now_ns, window_ns)

    def __len__(self) -> int:
        return len(self._times)
