"""The driver: one input, one full drain, carried out in order; what promises waits for the disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

from switch.core import Switch
from switch.net.clock import SystemClock
from switch.net.driver import RESOLUTION_NS, Driver
from switch.net.journal import Journal
from switch.net.trace import Trace
from switch.ports import (
    Address,
    Append,
    Datagram,
    Entry,
    Flow,
    FlowFailed,
    Input,
    Listener,
    Moment,
    Note,
    Order,
    Relay,
    Transmit,
)
from tests.switch.net.support import answered

HERE = Address("192.0.2.1", 5060)
FLOW = Flow("udp", HERE, Address("198.51.100.7", 5060))
ANYTHING = Datagram(FLOW, b"anything")
NOTE = Note("call", {"call_id": "call-1"})
HOLD_S = 0.03


class Core:
    """Takes the place of the switch: gives the orders it was told to give, remembers what it was told."""

    def __init__(self) -> None:
        self.inputs: list[Input] = []
        self.advanced: list[Moment] = []
        self.orders: list[Order] = []
        self.deadline: int | None = None

    def receive(self, event: Input, now: Moment) -> None:
        self.inputs.append(event)

    def advance(self, now: Moment) -> None:
        self.advanced.append(now)
        self.deadline = None

    def next_deadline(self) -> int | None:
        return self.deadline

    def drain(self) -> list[Order]:
        orders, self.orders = self.orders, []
        return orders


class Stage:
    """A driver over the core above; `done` is everything that was carried out, in order."""

    def __init__(self, hold_s: float = HOLD_S) -> None:
        self.core = Core()
        self.done: list[object] = []
        self.waiting: list[Callable[[], None]] = []
        self.unroutable = False
        self.trace = Trace(60, 1 << 20)
        self.driver = Driver(
            cast(Switch, self.core),
            clock=SystemClock(),
            senders={Listener("udp", HERE): self},
            journal=cast(Journal, self),
            relay=lambda session, commands: self.done.append(("relay", session, list(commands))),
            note=self.done.append,
            trace=self.trace,
            hold_s=hold_s,
        )

    def append(self, entry: Entry, on_disk: Callable[[], None] | None = None) -> None:
        """As the journal does."""
        self.done.append(entry)
        if on_disk is not None:
            self.waiting.append(on_disk)

    def send(self, flow: Flow, data: bytes) -> FlowFailed | None:
        """As a listener does."""
        self.done.append(data)
        return FlowFailed(flow, data, "unreachable") if self.unroutable else None

    def order(self, *orders: Order) -> list[object]:
        """One input, and what was carried out of these orders at once."""
        self.core.orders = list(orders)
        before = len(self.done)
        self.driver.feed(ANYTHING)
        return self.done[before:]

    def commit(self) -> None:
        """The disk has everything."""
        waiting, self.waiting = self.waiting, []
        for on_disk in waiting:
            on_disk()


@pytest.fixture
async def stage() -> Stage:
    return Stage()


def transmit(data: bytes) -> Transmit:
    return Transmit(FLOW, data)


def promise(call_id: str = "call-1") -> Append:
    return Append(answered(call_id), hold=True)


def record(call_id: str = "call-1") -> Append:
    return Append(answered(call_id), hold=False)


# --- order --------------------------------------------------------------------------------------------------


async def test_orders_are_carried_out_in_the_order_of_the_drain(stage: Stage) -> None:
    """Which is journal, relay, datagrams, notes (`Switch.drain`)."""
    done = stage.order(record(), Relay(1, ["open"]), transmit(b"one"), transmit(b"two"), NOTE)
    assert done == [answered(), ("relay", 1, [["open"]]), b"one", b"two", NOTE]


async def test_an_input_is_given_once_with_the_time_it_came(stage: Stage) -> None:
    stage.order()
    assert stage.core.inputs == [ANYTHING]


async def test_the_relay_gets_one_message_for_a_session_and_a_drain(stage: Stage) -> None:
    done = stage.order(
        Relay(1, ["open"]), Relay(1, ["aim"]), Relay(1, ["watch"]), Relay(2, ["close"]), transmit(b"200")
    )
    assert done == [("relay", 1, [["open"], ["aim"], ["watch"]]), ("relay", 2, [["close"]]), b"200"]


async def test_every_session_of_a_drain_gets_its_message(stage: Stage) -> None:
    done = stage.order(*(Relay(session, ["close", session]) for session in range(5)))
    assert done == [("relay", session, [["close", session]]) for session in range(5)]


async def test_orders_given_outside_an_input_are_carried_out(stage: Stage) -> None:
    stage.core.orders = [transmit(b"BYE after a restart")]
    stage.driver.settle()
    assert stage.done == [b"BYE after a restart"]
    assert stage.core.inputs == []


# --- failures -----------------------------------------------------------------------------------------------


async def test_a_datagram_that_cannot_be_sent_comes_back_as_an_input_of_its_own(stage: Stage) -> None:
    stage.unroutable = True
    stage.order(transmit(b"one"), transmit(b"two"), NOTE)
    assert stage.core.inputs == [ANYTHING]  # not from within
    await asyncio.sleep(0)
    assert stage.core.inputs[1:] == [
        FlowFailed(FLOW, b"one", "unreachable"),
        FlowFailed(FLOW, b"two", "unreachable"),
    ]


async def test_a_flow_without_a_socket_comes_back_too(stage: Stage) -> None:
    elsewhere = FLOW._replace(local=Address("203.0.113.9", 5060))
    assert stage.order(Transmit(elsewhere, b"lost"), transmit(b"sent")) == [b"sent"]
    await asyncio.sleep(0)
    assert stage.core.inputs[1:] == [FlowFailed(elsewhere, b"lost", "no socket")]


# --- holding ------------------------------------------------------------------------------------------------


async def test_what_promises_waits_until_it_is_on_disk(stage: Stage) -> None:
    done = stage.order(promise(), Relay(1, ["aim"]), transmit(b"200"), transmit(b"ACK"), NOTE)
    assert done == [answered(), ("relay", 1, [["aim"]]), NOTE]
    stage.commit()
    assert stage.done[3:] == [b"200", b"ACK"]
    await asyncio.sleep(2 * HOLD_S)
    assert len(stage.done) == 5
    assert stage.driver.late_holds == 0


async def test_what_promises_waits_for_every_entry_of_its_drain(stage: Stage) -> None:
    stage.order(promise("call-1"), record("call-2"), promise("call-3"), transmit(b"BYE"))
    first, second = stage.waiting
    first()
    assert b"BYE" not in stage.done
    second()
    assert stage.done[-1] == b"BYE"


async def test_a_slow_disk_holds_up_a_promise_for_a_time_and_no_longer(stage: Stage) -> None:
    started = time.monotonic()
    stage.order(promise(), transmit(b"200"))
    while b"200" not in stage.done:
        await asyncio.sleep(0.001)
    assert HOLD_S <= time.monotonic() - started < HOLD_S + 1
    assert stage.driver.late_holds == 1
    stage.commit()  # at last
    assert stage.done.count(b"200") == 1


async def test_without_a_promise_nothing_waits(stage: Stage) -> None:
    assert stage.order(record(), transmit(b"486")) == [answered(), b"486"]
    assert stage.waiting == []


async def test_an_emergency_call_does_not_wait(stage: Stage) -> None:
    """Its entries come without `hold` (`switch.call.call`); the drain of another call holds nothing up."""
    stage.order(promise("ordinary"), transmit(b"200 to the ordinary caller"))
    assert stage.order(record("emergency"), transmit(b"200 to the caller in need"))[-1] == (
        b"200 to the caller in need"
    )
    assert b"200 to the ordinary caller" not in stage.done
    stage.commit()


async def test_holding_can_be_switched_off() -> None:
    stage = Stage(hold_s=0)
    assert stage.order(promise(), transmit(b"200")) == [answered(), b"200"]
    assert stage.waiting == []


async def test_a_held_datagram_that_cannot_be_sent_comes_back(stage: Stage) -> None:
    stage.unroutable = True
    stage.order(promise(), transmit(b"200"))
    stage.commit()
    assert stage.core.inputs == [ANYTHING]
    await asyncio.sleep(0)
    assert stage.core.inputs[1:] == [FlowFailed(FLOW, b"200", "unreachable")]


# --- the alarm ----------------------------------------------------------------------------------------------


def in_ms(ms: int) -> int:
    return time.monotonic_ns() + ms * 1_000_000


async def test_the_core_is_woken_at_its_deadline_and_what_it_orders_then_is_done(stage: Stage) -> None:
    stage.core.deadline = due_ns = in_ms(20)
    stage.order()
    assert stage.core.advanced == []
    stage.core.orders = [transmit(b"INVITE again")]
    await asyncio.sleep(0.05)
    (at,) = stage.core.advanced
    assert at.mono_ns >= due_ns
    assert stage.done == [b"INVITE again"]


@pytest.mark.parametrize(("first_ms", "then_ms"), [(20, 50), (200, 30)], ids=["later", "earlier"])
async def test_a_deadline_that_moves_is_followed_by_one_alarm(
    first_ms: int, then_ms: int, stage: Stage
) -> None:
    stage.core.deadline = in_ms(first_ms)
    stage.order()
    stage.core.deadline = due_ns = in_ms(then_ms)
    stage.order()
    await asyncio.sleep(0.1)
    (at,) = stage.core.advanced
    assert at.mono_ns >= due_ns


async def test_a_deadline_that_is_no_more_wakes_nobody(stage: Stage) -> None:
    stage.core.deadline = in_ms(10)
    stage.order()
    stage.core.deadline = None
    stage.order()
    await asyncio.sleep(0.03)
    assert stage.core.advanced == []


async def test_a_deadline_that_is_past_is_met_at_once(stage: Stage) -> None:
    stage.core.deadline = in_ms(-1000)
    stage.order()
    await asyncio.sleep(0.01)
    assert len(stage.core.advanced) == 1


async def test_a_deadline_that_stays_is_not_armed_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def counted(delay_s: float, act: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        armed.append(delay_s)
        return call_later(delay_s, act, *args)

    monkeypatch.setattr(loop, "call_later", counted)
    stage.core.deadline = in_ms(60_000)
    for _ in range(100):
        stage.order()
    assert len(armed) == 1
    stage.driver.close()


async def test_deadlines_close_to_each_other_share_one_wake_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    armed: list[float] = []
    call_later = asyncio.get_running_loop().call_later

    def counted(delay_s: float, act: Callable[..., Any], *args: Any) -> asyncio.TimerHandle:
        armed.append(delay_s)
        return call_later(delay_s, act, *args)

    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", counted)
    tick_ns = (in_ms(50) // RESOLUTION_NS + 1) * RESOLUTION_NS
    for before_ns in (1, 2_000_000, 5_000_000, RESOLUTION_NS - 1):
        stage.core.deadline = tick_ns - before_ns
        stage.order()
    assert len(armed) == 1
    stage.driver.close()


async def test_close_ends_the_alarm(stage: Stage) -> None:
    stage.core.deadline = in_ms(10)
    stage.order()
    stage.driver.close()
    await asyncio.sleep(0.03)
    assert stage.core.advanced == []
