"""The timer queue: order, cancelling, ties, memory."""

from __future__ import annotations

import random
from functools import partial

from switch.ports import Moment
from switch.timers import TimerQueue


def queue_at(mono_ns: int = 0) -> TimerQueue:
    return TimerQueue(Moment(mono_ns, 0))


def fire_due(queue: TimerQueue, mono_ns: int) -> None:
    queue.now = Moment(mono_ns, 0)
    while (fire := queue.pop_due()) is not None:
        fire()


def test_timers_fire_in_the_order_of_their_instants_once() -> None:
    queue, fired = queue_at(), list[str]()
    for name, delay_ns in (("late", 30), ("early", 10), ("middle", 20)):
        queue.start(delay_ns, partial(fired.append, name))
    fire_due(queue, 20)
    assert fired == ["early", "middle"]
    fire_due(queue, 100)
    assert fired == ["early", "middle", "late"]
    fire_due(queue, 200)
    assert len(fired) == 3
    assert len(queue) == 0
    assert queue.next_deadline() is None


def test_delays_count_from_the_present_moment() -> None:
    queue = queue_at(1000)
    queue.start(5, lambda: None)
    assert queue.next_deadline() == 1005


def test_equal_instants_fire_in_the_order_of_starting() -> None:
    queue, fired = queue_at(), list[int]()
    for number in range(20):
        queue.start(7, partial(fired.append, number))
    fire_due(queue, 7)
    assert fired == list(range(20))


def test_equal_instants_are_shuffled_by_a_seed_and_by_it_alone() -> None:
    def order(seed: int) -> list[int]:
        queue, fired = TimerQueue(Moment(0, 0), lambda: chance.randrange(1 << 30)), list[int]()
        chance = random.Random(seed)
        for number in range(20):
            queue.start(7, partial(fired.append, number))
        fire_due(queue, 7)
        return fired

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_timer_started_by_a_timer_fires_in_the_same_round_when_it_is_due() -> None:
    queue, fired = queue_at(), list[str]()

    def first() -> None:
        fired.append("first")
        queue.start(0, lambda: fired.append("second"))

    queue.start(1, first)
    fire_due(queue, 1)
    assert fired == ["first", "second"]


def test_a_cancelled_timer_never_fires_and_lets_go_of_its_call_back() -> None:
    queue, fired = queue_at(), list[str]()
    timer = queue.start(1, lambda: fired.append("no"))
    queue.start(2, lambda: fired.append("yes"))
    timer.cancel()
    assert timer.fire is None
    assert len(queue) == 1
    assert queue.next_deadline() == 2
    fire_due(queue, 5)
    assert fired == ["yes"]


def test_cancelling_twice_or_after_firing_changes_nothing() -> None:
    queue = queue_at()
    fired_one = queue.start(1, lambda: None)
    cancelled = queue.start(9, lambda: None)
    queue.start(10, lambda: None)
    fire_due(queue, 1)
    fired_one.cancel()
    cancelled.cancel()
    cancelled.cancel()
    assert len(queue) == 1
    assert queue.next_deadline() == 10


def test_a_timer_may_cancel_another_that_is_due_at_the_same_instant() -> None:
    queue, fired = queue_at(), list[str]()
    queue.start(1, lambda: second.cancel())
    second = queue.start(1, lambda: fired.append("second"))
    fire_due(queue, 1)
    assert fired == []
    assert len(queue) == 0


def test_memory_follows_the_live_timers() -> None:
    queue, fired = queue_at(), list[int]()
    live = 10
    for number in range(live):
        queue.start(1_000_000 + number, partial(fired.append, number))
    for _ in range(20_000):
        queue.start(500, lambda: fired.append(-1)).cancel()
    assert len(queue) == live
    assert len(queue._heap) <= 2 * TimerQueue.COMPACT_FROM + live
    fire_due(queue, 2_000_000)
    assert fired == list(range(live))
