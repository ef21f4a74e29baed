"""One virtual world: clock, network, host, lines, carriers and emergency centre, all from one seed.

Time stands still but for `run`; nothing in here waits or looks at the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from heapq import heappop, heappush
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

from emergency.loader import load as load_emergency
from emergency.psap import Directory, Gateway
from rating.loader import load as load_rating
from rating.tariff import TariffBook
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_MS, NS_PER_S, Address, Listener, Moment
from switch.record import Cdr
from switch.routing.lines import Line
from switch.routing.trunks import TrunkSettings
from switch.sdp.terms import SideTerms, Srtp
from switch.settings import CallLimits, Settings
from switch.sip.auth import Account, ha1
from tests.sim.machine import Machine
from tests.sim.network import Network
from tests.sim.parties import Party
from tests.sim.weather import CALM, Weather

CONFIG = Path(__file__).parents[2] / "config"
REALM = "belswitch"
DOMAIN = "voice.example"
SWITCH = Address("203.0.113.1", 5060)
MEDIA_HOST = "203.0.113.2"
START_WALL_S = 1_795_510_800
"""Tuesday 24 November 2026, 10:00 in Belgium: peak."""

NUMBERS = {"alice": "+3216234567", "bob": "+3222345678", "carol": "+3281234567", "office": "+3292345678"}
OPTIONS = {"bob": ("24-belgium",)}
CAPS = {"alice": "none"}
ADDRESS = {
    "country": "BE",
    "postcode": "3001",
    "municipality": "Leuven",
    "street": "Naamsesteenweg",
    "number": "12",
    "name": "Bakkerij Peeters BV",
    "language": "nl",
}
HOSTS = {
    "alice": "192.0.2.11",
    "bob": "192.0.2.21",
    "bob2": "192.0.2.22",
    "bob3": "192.0.2.23",
    "carol": "192.0.2.31",
    "office": "192.0.2.41",
    "mallory": "192.0.2.66",
    "carrier": "198.51.100.1",
    "reserve": "198.51.100.2",
    "centre1": "198.51.100.111",
    "centre2": "198.51.100.112",
}
TRUNK_PASSWORD = ("belswitch-9", "trunk-secret")


@lru_cache(maxsize=1)
def tables() -> tuple[TariffBook, Directory]:
    """The tables of the delivered configuration, read once."""
    rating, emergency = load_rating(CONFIG), load_emergency(CONFIG)
    assert rating.book is not None, rating.faults
    assert emergency.directory is not None, emergency.faults
    gateways = tuple(Gateway(name, HOSTS[name], 5060) for name in ("centre1", "centre2"))
    directory = replace(
        emergency.directory,
        gateways=dict.fromkeys(emergency.directory.centres, gateways),
        failover=replace(emergency.directory.failover, probe_ns=0),
    )
    return rating.book, directory


def settings(weather: Weather = CALM, **changes: Any) -> Settings:
    """The settings of the simulated switch; `changes` replace some of them."""
    book, directory = tables()
    trunks = tuple(
        TrunkSettings(
            name,
            HOSTS[name],
            5060,
            sources=(ip_network(HOSTS[name]),) if name == "reserve" else (),
            credentials=TRUNK_PASSWORD if name == "reserve" else None,
            probe_ns=30 * NS_PER_S,
            terms=SideTerms(Srtp.ACCEPT),
        )
        for name in ("carrier", "reserve")
    )
    base = Settings(
        listen=(Listener("udp", SWITCH),),
        advertised={},
        domain=DOMAIN,
        realm=REALM,
        media=MediaSettings({4: MEDIA_HOST}, {4: MEDIA_HOST}, silence_ms=60_000, srtp=Srtp.ACCEPT),
        media_ports=(20_000, 20_000 + 2 * weather.relay_pairs),
        tariffs=book,
        emergency=directory,
        trunks=trunks,
        limits=CallLimits(),
    )
    return replace(base, **changes)


def lines(caps: Mapping[str, str] = CAPS, papers: Collection[str] = ()) -> list[Line]:
    """Four lines: three with phones and one with a customer's own exchange that is known by its address."""
    return [
        Line(
            user=name,
            numbers=(number,),
            account=Account({"MD5": ha1("MD5", name, REALM, f"{name}-secret")}, ("MD5",)),
            plan="classic-in-klik" if name == "carol" else "classic",
            options=OPTIONS.get(name, ()),
            address=ADDRESS,
            max_contacts=4,
            max_calls=30 if name == "office" else 6,
            sources=(HOSTS["office"],) if name == "office" else (),
            cap=caps.get(name, ""),
            premium=name != "alice",
            agreement=name in papers,
            guarantee=name in papers,
        )
        for name, number in NUMBERS.items()
    ]


def with_bundle(book: TariffBook, seconds: int) -> TariffBook:
    """The same tariffs with another bundle in the plan that has one."""
    tariffs = [
        replace(tariff, plans={**tariff.plans, "classic": replace(tariff.plans["classic"], bundle_s=seconds)})
        for tariff in book.tariffs
    ]
    return TariffBook(tariffs, book.calendar, book.destinations)


class World:
    """Everything, with its clock."""

    def __init__(
        self,
        seed: int = 0,
        weather: Weather = CALM,
        *,
        shuffle: bool = False,
        start_wall_s: int = START_WALL_S,
        caps: Mapping[str, str] = CAPS,
        papers: Collection[str] = (),
        **changes: Any,
    ) -> None:
        """Lines in `papers` may have their calls sent on abroad."""
        self.random = Random(seed)
        self.weather = weather
        self.relay_pairs = weather.relay_pairs
        self.mono_ns = 1_000 * NS_PER_S
        self.wall_offset_ns = start_wall_s * NS_PER_S - self.mono_ns
        self.parties: dict[str, Party] = {}
        self._speaking: dict[tuple[str, int], int | None] = {}
        """Where media comes from: None while somebody speaks there, then when the last of it was heard."""
        self._shuffle = shuffle
        self._heap: list[tuple[int, int, int, Callable[[], None]]] = []
        self._count = 0
        self._next_port = 40_000
        self.network = Network(self.random, self.later)
        self.machine = Machine(
            settings=settings(weather, **changes),
            lines=lines(caps, papers),
            random=self.random,
            moment=self.moment,
            later=self.later,
            network=self.network,
            quiet_ms=self._quiet_ms,
            shuffle=shuffle,
        )
        self.blow(weather)

    # --- time ----------------------------------------------------------------------------------------------

    def moment(self) -> Moment:
        """Both clocks now."""
        return Moment(self.mono_ns, self.mono_ns + self.wall_offset_ns)

    def step_clock(self, seconds: int) -> None:
        """Somebody sets the wall clock; time goes on as it did."""
        self.wall_offset_ns += seconds * NS_PER_S

    def later(self, delay_ns: int, fire: Callable[[], None]) -> None:
        """Call `fire` after so much virtual time; equal instants come in order, or shuffled."""
        self._count += 1
        tie = self.random.randrange(1 << 16) if self._shuffle else 0
        heappush(self._heap, (self.mono_ns + delay_ns, tie, self._count, fire))

    def run(self, ms: int) -> None:
        """Let virtual time pass."""
        until_ns = self.mono_ns + ms * NS_PER_MS
        while self._heap and self._heap[0][0] <= until_ns:
            self.mono_ns, _, _, fire = heappop(self._heap)
            fire()
        self.mono_ns = until_ns

    def run_until(self, condition: Callable[[], bool], at_most_ms: int = 60_000) -> bool:
        """Let time pass until something is so; false when it is not so in time."""
        until_ns = self.mono_ns + at_most_ms * NS_PER_MS
        while not condition():
            if not self._heap or self._heap[0][0] > until_ns:
                return False
            self.mono_ns, _, _, fire = heappop(self._heap)
            fire()
        return True

    # --- who is there --------------------------------------------------------------------------------------

    def blow(self, weather: Weather) -> None:
        """Change what can go wrong from now on."""
        self.weather = weather
        self.network.weather = weather
        self.machine.blow(weather)

    def party(self, name: str, *, line: str = "", password: str | None = None, number: str = "") -> Party:
        """A party at its own address; of a line when it has its name, or `line`'s. Carriers, centres and the
        office's exchange are known by address and have no password."""
        line = line or name
        if password is None:
            password = f"{line}-secret" if line in ("alice", "bob", "carol") else ""
        party = Party(
            self,
            name,
            Address(HOSTS[name], 5060),
            SWITCH,
            user=line,
            password=password,
            number=number or NUMBERS.get(line, ""),
            domain=DOMAIN,
        )
        self.parties[name] = party
        return party

    def speak(self, host: str, port: int) -> None:
        """Somebody sends media from there now."""
        self._speaking[host, port] = None

    def hush(self, host: str, port: int) -> None:
        """Nobody does any more."""
        if self._speaking.get((host, port), 0) is None:
            self._speaking[host, port] = self.mono_ns

    def _quiet_ms(self, source: tuple[str, int]) -> int:
        last_ns = self._speaking.get(source, 0)
        return 0 if last_ns is None else (self.mono_ns - last_ns) // NS_PER_MS

    def media_port(self) -> int:
        """A port that nobody else in this world uses for media."""
        self._next_port += 2
        return self._next_port

    # --- what is known afterwards --------------------------------------------------------------------------

    @property
    def cdrs(self) -> list[Cdr]:
        """The records on disk."""
        return self.machine.journal.cdrs()

    def sizes(self) -> Mapping[str, int]:
        """What the switch still holds."""
        return self.machine.sizes()
