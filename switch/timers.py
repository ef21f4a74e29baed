"""Every timer of the switch in one heap, and the current moment.

Cancelled timers stay in the heap until they surface or until they are the greater part of it; then it is
rebuilt. So both starting and cancelling cost what a heap costs and nothing more, and memory follows the
live timers.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from switch.ports import Moment


class Timer:
    """One pending call-back; `cancel` is harmless at any time and any number of times."""

    __slots__ = ("_queue", "due_ns", "fire")

    def __init__(self, queue: TimerQueue, due_ns: int, fire: Callable[[], None]) -> None:
        self._queue = queue
        self.due_ns = due_ns
        self.fire: Callable[[], None] | None = fire

    def cancel(self) -> None:
        """Forget the call-back, and all that it holds on to, at once."""
        if self.fire is not None:
            self.fire = None
            self._queue._cancelled += 1


class TimerQueue:
    """The heap of timers. `now` is set by the core from each input's moment; nothing here reads a clock.

    `order` breaks ties between equal instants: the order of starting in service, shuffled by the seed in
    simulation.
    """

    __slots__ = ("_cancelled", "_count", "_heap", "_order", "now")

    COMPACT_FROM = 1024

    def __init__(self, now: Moment, order: Callable[[], int] | None = None) -> None:
        self.now = now
        self._heap: list[tuple[int, int, Timer]] = []
        self._cancelled = 0
        self._count = 0
        self._order = order

    def start(self, delay_ns: int, fire: Callable[[], None]) -> Timer:
        """Call `fire` once, `delay_ns` from now."""
        due_ns = self.now.mono_ns + delay_ns
        timer = Timer(self, due_ns, fire)
        self._count += 1  # below the shuffled part: no two keys are equal
        key = self._count if self._order is None else self._order() << 64 | self._count
        heappush(self._heap, (due_ns, key, timer))
        if self._cancelled > self.COMPACT_FROM and self._cancelled * 2 > len(self._heap):
            self._compact()
        return timer

    def next_deadline(self) -> int | None:
        """The monotonic instant of the earliest pending timer, or None."""
        heap = self._heap
        while heap:
            if heap[0][2].fire is not None:
                return heap[0][0]
            heappop(heap)
            self._cancelled -= 1
        return None

    def pop_due(self) -> Callable[[], None] | None:
        """Take the earliest timer that is due now, or None."""
        heap = self._heap
        while heap:
            due_ns, _, timer = heap[0]
            if timer.fire is None:
                heappop(heap)
                self._cancelled -= 1
                continue
            if due_ns > self.now.mono_ns:
                return None
            heappop(heap)
            fire, timer.fire = timer.fire, None
            return fire
        return None

    def __len__(self) -> int:
        """How many timers are pending."""
        return len(self._heap) - self._cancelled

    def _compact(self) -> None:
        self._heap = [item for item in self._heap if item[2].fire is not None]
        heapify(self._heap)
        self._cancelled = 0
