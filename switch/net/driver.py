"""The thin shell around the core: feeds it, carries out what it ordered, sleeps until its next deadline.

One input is one change and one full drain. Datagrams of a drain that holds a journal entry marked `hold`
wait until the entry is on disk, or for `hold_ms` when the disk is slow; so an answered call is known after
a crash, and a bad disk delays an answer a little and never stops one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from switch.core import Switch
from switch.net.hep import Hep
from switch.net.journal import Journal
from switch.net.trace import Trace
from switch.ports import (
    NS_PER_MS,
    Append,
    Datagram,
    FlowFailed,
    Input,
    Listener,
    Moment,
    Note,
    Order,
    Relay,
    Traced,
    Transmit,
)

RESOLUTION_NS = 10 * NS_PER_MS
"""How late a deadline may be met, so that deadlines close to each other share one wake-up."""


class Clock(Protocol):
    """Where moments come from."""

    def moment(self) -> Moment:
        """Both clocks, now."""


class Sender(Protocol):
    """What carries datagrams away."""

    def send(self, flow: Any, data: bytes) -> FlowFailed | None:
        """Send, or say why not."""


class Driver:
    """Runs one `Switch` on real time and real sockets."""

    def __init__(
        self,
        core: Switch,
        *,
        clock: Clock,
        senders: Mapping[Listener, Sender],
        journal: Journal,
        relay: Callable[[int, list[list[Any]]], None],
        note: Callable[[Note], None],
        trace: Trace,
        hep: Hep | None = None,
        hold_s: float,
    ) -> None:
        self.core = core
        self.clock = clock
        self.late_holds = 0
        self._senders = senders
        self._journal = journal
        self._relay = relay
        self._note = note
        self._trace = trace
        self._hep = hep
        self._hold_s = hold_s
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ns = 0

    def feed(self, event: Input) -> None:
        """Give the core one input."""
        now = self.clock.moment()
        if isinstance(event, Datagram):
            self._trace.add(now, event.flow, event.data, sent=False)
            if self._hep is not None:
                self._hep.add(now, event.flow, event.data, sent=False)
        self.core.receive(event, now)
        self._settle()

    def settle(self) -> None:
        """Carry out what the core ordered outside an input (at start)."""
        self._settle()

    def close(self) -> None:
        """No more deadlines."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _wake(self) -> None:
        self._alarm = None
        now, deadline_ns = self.clock.moment(), self.core.next_deadline()
        if deadline_ns is not None and deadline_ns <= now.mono_ns:
            self.core.advance(now)
            self._settle()
        else:
            self._set_alarm()

    def _settle(self) -> None:
        orders = self.core.drain()
        if orders:
            self._perform(orders)
        self._set_alarm()

    def _perform(self, orders: list[Order]) -> None:
        """Carry out one drain, in its order: journal, relay (one message for a session), datagrams, notes."""
        held: _Held | None = None
        commands: list[list[Any]] = []
        for index, order in enumerate(orders):
            if isinstance(order, Transmit):
                if held is None:
                    self._send(order)
                else:
                    held.orders.append(order)
            elif isinstance(order, Relay):
                commands.append(order.command)
                follower = orders[index + 1] if index + 1 < len(orders) else None
                if not isinstance(follower, Relay) or follower.session != order.session:
                    self._relay(order.session, commands)
                    commands = []
            elif isinstance(order, Append):
                if order.hold and self._hold_s:
                    held = held or _Held(self)
                    held.wait_for(self._journal, order)
                else:
                    self._journal.append(order.entry)
            elif isinstance(order, Traced):
                self._trace.belongs(order)
            else:
                self._note(order)
        if held is not None:
            held.arm(self._loop, self._hold_s)

    def _send(self, order: Transmit) -> None:
        now = self.clock.moment()
        self._trace.add(now, order.flow, order.data, sent=True)
        if self._hep is not None:
            self._hep.add(now, order.flow, order.data, sent=True)
        sender = self._senders.get(Listener(order.flow.transport, order.flow.local))
        failure = (
            sender.send(order.flow, order.data)
            if sender is not None
            else FlowFailed(order.flow, order.data, "no socket")
        )
        if failure is not None:
            self._loop.call_soon(self.feed, failure)  # not from within: one change, one drain

    def _set_alarm(self) -> None:
        """An alarm that is too early stays: most deadlines move away before they come."""
        deadline_ns = self.core.next_deadline()
        if deadline_ns is None:
            return
        if self._alarm is not None:
            if self._alarm_ns < deadline_ns + RESOLUTION_NS:
                return
            self._alarm.cancel()
        self._alarm_ns = -(-deadline_ns // RESOLUTION_NS) * RESOLUTION_NS
        delay_ns = max(0, self._alarm_ns - self.clock.moment().mono_ns)
        self._alarm = self._loop.call_later(delay_ns / 1e9, self._wake)


class _Held:
    """Datagrams that wait for the entries they promise."""

    __slots__ = ("_driver", "_missing", "_timeout", "orders")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._missing = 0
        self._timeout: asyncio.TimerHandle | None = None
        self.orders: list[Transmit] = []

    def wait_for(self, journal: Journal, order: Append) -> None:
        self._missing += 1
        journal.append(order.entry, self._on_disk)

    def arm(self, loop: asyncio.AbstractEventLoop, hold_s: float) -> None:
        self._timeout = loop.call_later(hold_s, self._late)

    def _on_disk(self) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._release()

    def _late(self) -> None:
        self._driver.late_holds += 1
        self._release()

    def _release(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        orders, self.orders = self.orders, []
        for order in orders:
            self._driver._send(order)
