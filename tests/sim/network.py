"""The virtual network: every datagram of a run passes here, is written down, and is delayed, lost, doubled or
overtaken."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from switch.ports import NS_PER_MS, Address
from tests.sim.weather import Weather

Receiver = Callable[[bytes, Address], None]


class Hop(NamedTuple):
    """One datagram as it was sent; `fate` is '', 'lost', 'twice' or 'refused'."""

    at_ns: int
    source: Address
    target: Address
    data: bytes
    fate: str


class Network:
    """Delivers by address; `names` says for ladders who is who."""

    def __init__(self, random: Random, later: Callable[[int, Callable[[], None]], None]) -> None:
        self.weather = Weather()
        self.hops: list[Hop] = []
        self.names: dict[Address, str] = {}
        self.unroutable: set[str] = set()
        self.drop: Callable[[Hop], bool] | None = None
        """A scenario's own loss: true for a datagram that is not to arrive."""
        self.kth: dict[int, str] = {}
        """The fate of certain datagrams, by their number in this run."""
        self._random = random
        self._later = later
        self._receivers: dict[Address, Receiver] = {}
        self._on_sent: list[Callable[[Hop], None]] = []
        self._on_arrival: list[Callable[[Hop], None]] = []

    def attach(self, name: str, address: Address, receive: Receiver) -> None:
        """Let somebody be reached at an address."""
        self.names[address] = name
        self._receivers[address] = receive

    def watch(self, on_sent: Callable[[Hop], None], on_arrival: Callable[[Hop], None]) -> None:
        """Tell of every datagram when it is sent, and when it arrives."""
        self._on_sent.append(on_sent)
        self._on_arrival.append(on_arrival)

    def send(
        self, at_ns: int, source: Address, target: Address, data: bytes, *, may_fail: bool = False
    ) -> bool:
        """Send one datagram; False when the sender's own host refuses it, which only `may_fail` allows by
        chance."""
        weather = self.weather
        fate = self._fate(may_fail, weather, target)
        hop = Hop(at_ns, source, target, data, fate)
        if not fate and self.drop is not None and self.drop(hop):
            hop = hop._replace(fate="lost")
        self.hops.append(hop)
        for told in self._on_sent:
            told(hop)
        for _ in range({"lost": 0, "refused": 0, "twice": 2}.get(hop.fate, 1)):
            delay_ms = self._random.randint(*weather.delay_ms)
            self._later(delay_ms * NS_PER_MS, lambda: self._arrive(hop))
        return hop.fate != "refused"

    def _fate(self, may_fail: bool, weather: Weather, target: Address) -> str:
        fate = self.kth.get(len(self.hops), "")
        if fate:
            return fate if may_fail or fate != "refused" else "lost"
        if may_fail and (target.host in self.unroutable or self._by_chance(weather.send_fails)):
            return "refused"
        if self._by_chance(weather.loss):
            return "lost"
        return "twice" if self._by_chance(weather.twice) else ""

    def _by_chance(self, per_mille: int) -> bool:
        return bool(per_mille) and self._random.randrange(1000) < per_mille

    def _arrive(self, hop: Hop) -> None:
        for told in self._on_arrival:
            told(hop)
        receive = self._receivers.get(hop.target)
        if receive is not None:
            receive(hop.data, hop.source)
