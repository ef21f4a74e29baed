"""A whole switch on virtual time, for messages that nobody should send."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path

from emergency.loader import load as load_emergency
from emergency.psap import Directory
from rating.loader import load as load_rating
from rating.tariff import TariffBook
from switch.core import Switch
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_S, Address, Datagram, Flow, Listener, Moment, Order, Transmit
from switch.routing.lines import Line
from switch.routing.trunks import TrunkSettings
from switch.settings import Settings
from switch.sip.auth import Account, ha1
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from tests.switch.sip.support import HERE, WALL_NS, Chance, at

CONFIG = Path(__file__).parents[2] / "config"
DOMAIN = "example.com"
STRANGER = Address("203.0.113.66", 5060)
EQUIPMENT = Address("203.0.113.77", 5060)
CARRIER = Address("203.0.113.88", 5060)
ALICE, OFFICE = "+3216234567", "+3222345678"
QUIET_S = 600
"""Longer than everything a single message may set going: ringing, no answer, transactions."""


@lru_cache(maxsize=1)
def tables() -> tuple[TariffBook, Directory]:
    """The tables of the delivered configuration, read once."""
    rating, emergency = load_rating(CONFIG), load_emergency(CONFIG)
    assert rating.book is not None, rating.faults
    assert emergency.directory is not None, emergency.faults
    quiet = replace(emergency.directory.failover, probe_ns=0)
    return rating.book, replace(emergency.directory, failover=quiet)


def settings() -> Settings:
    """One carrier without probes, forty relay ports."""
    book, directory = tables()
    return Settings(
        listen=(Listener("udp", HERE),),
        advertised={},
        domain=DOMAIN,
        realm=DOMAIN,
        media=MediaSettings(hosts={4: HERE.host}, advertised={4: HERE.host}, silence_ms=30_000),
        media_ports=(40_000, 40_080),
        tariffs=book,
        emergency=directory,
        trunks=(TrunkSettings("carrier", CARRIER.host, 5060, sources=(ip_network(CARRIER.host),)),),
    )


def lines(equipment_user: str = "office") -> list[Line]:
    """Alice proves herself by digest; the office's equipment is known by its address."""
    secrets = {name: ha1(name, "alice", DOMAIN, "secret") for name in ("MD5", "SHA-256")}
    return [
        Line("alice", (ALICE,), Account(secrets, ("MD5",)), "classic"),
        Line(equipment_user, (OFFICE,), Account({}, ()), "classic", sources=(EQUIPMENT.host,)),
    ]


class Subject:
    """A switch, what it sent, and a clock in seconds."""

    def __init__(self, equipment_user: str = "office") -> None:
        self.switch = Switch(settings(), lines(equipment_user), Chance(), at(0))
        self.orders: list[Order] = []
        self._at_rest = self.switch.sizes()
        self._now = at(0)

    def receive(self, data: bytes, remote: Address = STRANGER) -> None:
        self.switch.receive(Datagram(Flow("udp", HERE, remote), data), self._now)
        self.orders += self.switch.drain()

    def wait(self, seconds: int = QUIET_S) -> None:
        """Let time pass, every timer at its own instant."""
        end_ns = self._now.mono_ns + seconds * NS_PER_S
        while (due_ns := self.switch.next_deadline()) is not None and due_ns <= end_ns:
            self._now = Moment(due_ns, WALL_NS + due_ns)
            self.switch.advance(self._now)
            self.orders += self.switch.drain()
        self._now = Moment(end_ns, WALL_NS + end_ns)

    def sent(self) -> list[tuple[Address, bytes]]:
        return [(order.flow.remote, order.data) for order in self.orders if isinstance(order, Transmit)]

    def statuses(self) -> list[int]:
        """Of the responses sent; those to broken requests repeat what is broken and cannot be parsed."""
        return [int(data[8:11]) for _, data in self.sent() if data.startswith(b"SIP/2.0 ")]

    def messages(self) -> list[Request | Response]:
        """What was sent; it must all be readable."""
        messages = []
        for _, data in self.sent():
            message = parse_datagram(data)
            assert isinstance(message, Request | Response), data
            messages.append(message)
        return messages

    def assert_unharmed(self) -> None:
        """No fault of ours happened."""
        assert self.switch.counters["internal_error"] == 0, self.orders

    def assert_at_rest(self) -> None:
        """Nothing is left of whatever went on, but bindings."""
        assert self.switch.sizes() | {"bindings": 0} == self._at_rest
