"""The host of the switch: what `switch.net.driver` does on real sockets, done here on virtual time, with a
power switch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from switch.core import Switch
from switch.ports import (
    NS_PER_MS,
    Address,
    Append,
    CallAnswered,
    Datagram,
    Entry,
    Flow,
    FlowFailed,
    Input,
    JournalState,
    Moment,
    Note,
    Relay,
    RelayDied,
    RelayMessage,
    Transmit,
)
from switch.routing.lines import Line
from switch.settings import Settings
from tests.sim.journal import Journal
from tests.sim.network import Network
from tests.sim.relay import VirtualRelay
from tests.sim.weather import Weather

HOLD_MS = 250
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


class Chance:
    """`switch.ports.Entropy` from a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def token(self, bits: int) -> str:
        """Five bits a character, as a lazy implementation would."""
        return "".join(self._random.choices(_ALPHABET[:32], k=-(-bits // 5)))

    def below(self, bound: int) -> int:
        """A whole number below `bound`."""
        return self._random.randrange(bound)


class Machine:
    """Feeds the core, carries out its orders, keeps one alarm. `kill` and `start` are the power switch."""

    def __init__(
        self,
        *,
        settings: Settings,
        lines: list[Line],
        random: Random,
        moment: Callable[[], Moment],
        later: Callable[[int, Callable[[], None]], None],
        network: Network,
        quiet_ms: Callable[[tuple[str, int]], int],
        shuffle: bool,
    ) -> None:
        self.settings = settings
        self.lines = lines
        self.core: Switch | None = None
        self.notes: list[Note] = []
        self.unbacked: set[str] = set()
        """Calls whose answer left before it was on disk, because the disk took longer than the hold
        allows."""
        self.lives = 0
        self.deaths: list[Moment] = []
        self.journal = Journal(random, later, lambda full: self.feed(JournalState(full)))
        self.relay = VirtualRelay(random, later, self._hear, quiet_ms, lambda: moment().mono_ns)
        self._random = random
        self._moment = moment
        self._later = later
        self._network = network
        self._shuffle = shuffle
        self._alarm = 0
        for _, address in settings.listen:
            network.attach("switch", address, self._receiver(address))

    def blow(self, weather: Weather) -> None:
        """Take over what can go wrong from now on."""
        self.journal.weather = self.relay.weather = weather

    # --- power ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new process with what is on disk."""
        self.lives += 1
        now = self._moment()
        shuffle = (lambda: self._random.randrange(1 << 16)) if self._shuffle else None
        self.core = Switch(self.settings, self.lines, Chance(self._random), now, shuffle=shuffle)
        alive = self.deaths[-1] if self.deaths else now
        self.core.restore(
            list(self.journal.bindings()),
            self.journal.orphans(),
            alive,
            self.journal.uses(),
            self.journal.crossed(),
            self.journal.helped(),
            self.journal.services(),
            self.journal.measures(),
            self.journal.seen(),
        )
        self.settle()

    def kill(self) -> None:
        """No more than the disk is left; the relay goes with its parent."""
        self.core = None
        self.journal.cut()
        self.relay.die()
        self._alarm += 1
        self.deaths.append(self._moment())

    def kill_relay(self) -> None:
        """The relay process alone."""
        self.relay.die()
        self.feed(RelayDied(0, 1))

    def replace_lines(self, lines: Iterable[Line]) -> None:
        """Another set of lines, as a reload brings it."""
        if self.core is not None:
            self.core.replace_lines(lines, self._moment())
            self.settle()

    # --- the driver ----------------------------------------------------------------------------------------

    def feed(self, event: Input) -> None:
        """One input, then everything it ordered."""
        if self.core is not None:
            self.core.receive(event, self._moment())
            self.settle()

    def _wake(self) -> None:
        if self.core is not None:
            self.core.advance(self._moment())
            self.settle()

    def settle(self) -> None:
        """Carry out what the core ordered."""
        assert self.core is not None
        orders = self.core.drain()
        last = max((i for i, order in enumerate(orders) if isinstance(order, Append)), default=-1)
        held = [order.entry for order in orders if isinstance(order, Append) and order.hold]
        datagrams = [order for order in orders if isinstance(order, Transmit)]
        release = self._hold(datagrams, held) if held else None
        for index, order in enumerate(orders):
            match order:
                case Append(entry):
                    self.journal.append(entry, release if index == last else None)
                case Relay(session, command):
                    self.relay.command(session, command)
                case Note():
                    self.notes.append(order)
                case Transmit() if release is None:
                    self._send(order)
        self._set_alarm()

    def _hold(self, datagrams: list[Transmit], entries: list[Entry]) -> Callable[[], None]:
        """The datagrams leave when the journal has what they promise, or when the hold is over."""
        life, waiting = self.lives, list(datagrams)

        def release() -> None:
            if life == self.lives and self.core is not None:
                for order in waiting:
                    self._send(order)
                waiting.clear()

        def give_up() -> None:
            if waiting and life == self.lives:
                self.unbacked |= {entry.call_id for entry in entries if isinstance(entry, CallAnswered)}
            release()

        self._later(HOLD_MS * NS_PER_MS, give_up)
        return release

    def _send(self, order: Transmit) -> None:
        flow, data = order
        if not self._network.send(self._moment().mono_ns, flow.local, flow.remote, data, may_fail=True):
            self._later(0, lambda: self.feed(FlowFailed(flow, data, "network is unreachable")))

    def _set_alarm(self) -> None:
        assert self.core is not None
        self._alarm += 1
        alarm, deadline = self._alarm, self.core.next_deadline()
        if deadline is not None:
            self._later(
                max(0, deadline - self._moment().mono_ns),
                lambda: self._wake() if alarm == self._alarm else None,
            )

    def _receiver(self, local: Address) -> Callable[[bytes, Address], None]:
        return lambda data, source: self.feed(Datagram(Flow("udp", local, source), data))

    def _hear(self, message: RelayMessage) -> None:
        self.feed(message)

    def sizes(self) -> dict[str, Any]:
        """What the core holds, with the tables that only its own eyes see."""
        assert self.core is not None
        core = self.core
        return {
            **core.sizes(),
            "sessions": len(core.calls._by_session),
            "measuring": len(core.calls._measuring),
            "watched_calls": core.fraud.watch.sizes()["running"],
            "running": len(core.calls._by_name),
            "relay_sessions": len(self.relay.sessions),
        }
