"""Host names to addresses in the background: asked again and again, and what fails leaves what was known."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from dns.asyncresolver import Resolver as DnsResolver

from switch.net import resolver as module
from switch.net.resolver import Resolver, in_order, resolve
from switch.ports import Address, Lookup, TargetsResolved
from tests.switch.net.support import until

Found = dict[str, list[str]]


def first(_bound: int) -> int:
    """No chance at all."""
    return 0


def places(*hosts: str, port: int = 5060) -> tuple[Address, ...]:
    return tuple(Address(host, port) for host in hosts)


@pytest.fixture
def names() -> Found:
    """What the name service knows, changed by the tests as they go."""
    return {"sip.carrier.example": ["192.0.2.1", "2001:db8::1", "192.0.2.1"]}


@pytest.fixture
async def asked(names: Found, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name service in place of the system's; what it was asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, _port: None, *, type: int) -> list[tuple[Any, ...]]:
        assert type == socket.SOCK_DGRAM
        asked.append(host)
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in names[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


class Trunks:
    """Trunks by name, and what is told of them."""

    def __init__(self) -> None:
        self.names = [Lookup("carrier", "sip.carrier.example", 5060)]
        self.told: list[TargetsResolved] = []
        self.resolver = Resolver(lambda: self.names, self.told.append, first)


@pytest.fixture
async def trunks(asked: list[str]) -> AsyncIterator[Trunks]:
    trunks = Trunks()
    yield trunks
    await trunks.resolver.close()


async def test_addresses_come_once_each_in_the_order_of_the_name_service(asked: list[str]) -> None:
    assert await resolve(Lookup("carrier", "sip.carrier.example", 5070), first) == places(
        "192.0.2.1", "2001:db8::1", port=5070
    )


async def test_a_name_that_nobody_knows_has_no_address(asked: list[str]) -> None:
    assert await resolve(Lookup("x", "nowhere.example", 5060), first) == ()


async def test_the_system_resolves_names() -> None:
    found = await resolve(Lookup("x", "localhost", 5060), first)
    assert found
    assert set(found) <= set(places("127.0.0.1", "::1"))


async def test_every_trunk_is_told_of_its_addresses_in_the_background(
    trunks: Trunks, asked: list[str]
) -> None:
    trunks.names = [Lookup("dead", "nowhere.example", 5060), *trunks.names]
    trunks.resolver.start()
    assert trunks.told == []
    await until(lambda: len(trunks.told) == 2)
    assert trunks.told == [
        TargetsResolved("dead", ()),  # which leaves its last addresses (`Trunks.resolved`)
        TargetsResolved("carrier", places("192.0.2.1", "2001:db8::1")),
    ]


async def test_names_are_asked_for_again(
    trunks: Trunks, names: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    trunks.resolver.start()
    await until(lambda: trunks.told)
    names["sip.carrier.example"] = ["192.0.2.9"]
    await until(lambda: trunks.told[-1].targets == places("192.0.2.9"))
    del names["sip.carrier.example"]
    await until(lambda: trunks.told[-1].targets == ())
    names["sip.carrier.example"] = ["192.0.2.10"]
    await until(lambda: trunks.told[-1].targets == places("192.0.2.10"))


async def test_new_names_need_not_wait_for_their_turn(trunks: Trunks, asked: list[str]) -> None:
    trunks.resolver.start()
    await until(lambda: trunks.told)
    trunks.names.append(Lookup("other", "nowhere.example", 5060))
    trunks.resolver.ask_now()
    await until(lambda: len(trunks.told) == 3)
    assert trunks.told[-1] == TargetsResolved("other", ())
    await asyncio.sleep(0.01)
    assert len(asked) == 3


async def test_close_ends_the_asking(trunks: Trunks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    trunks.resolver.start()
    await until(lambda: trunks.told)
    await trunks.resolver.close()
    told = len(trunks.told)
    await asyncio.sleep(0.01)
    assert len(trunks.told) == told


async def test_close_does_not_wait_for_a_name_service_that_hangs(
    trunks: Trunks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_args: Any, **_named: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    trunks.resolver.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await trunks.resolver.close()


# --- SRV ----------------------------------------------------------------------------------------------------


class NameServer(asyncio.DatagramProtocol):
    """A name server on loopback; `zone` has the SRV records of a name, `services` its NAPTR records."""

    def __init__(self, zone: dict[str, list[str]]) -> None:
        self.zone = zone
        self.services: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.dead = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        if kind == "SRV":
            self.asked.append(name)
        if self.dead:
            return
        answer = dns.message.make_response(query)
        known = {"SRV": self.zone, "NAPTR": self.services}[kind].get(name)
        if known:
            answer.answer.append(dns.rrset.from_text(f"{name}.", 300, "IN", kind, *known))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), peer)


@pytest.fixture
async def name_server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    zone = {"_sip._udp.carrier.example": ["20 0 5080 backup.example.", "10 0 5070 sip.carrier.example."]}
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone), local_addr=("127.0.0.1", 0)
    )
    module._dns.cache_clear()
    monkeypatch.setattr(module, "ASK_S", 0.3)
    resolver = DnsResolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], transport.get_extra_info("sockname")[1]
    monkeypatch.setattr(module, "DnsResolver", lambda: resolver)
    yield server
    transport.close()
    module._dns.cache_clear()


SRV_LOOKUP = Lookup("carrier", "carrier.example", 5060, "_sip._udp")


async def test_srv_records_lead_to_addresses_and_ports(
    asked: list[str], names: Found, name_server: NameServer
) -> None:
    names["backup.example"] = ["192.0.2.7"]
    expected = (*places("192.0.2.1", "2001:db8::1", port=5070), *places("192.0.2.7", port=5080))
    assert await resolve(SRV_LOOKUP, first) == expected
    assert await resolve(SRV_LOOKUP, first) == expected
    assert name_server.asked == ["_sip._udp.carrier.example"], "kept as long as its TTL"


async def test_without_srv_records_there_is_nobody(asked: list[str], name_server: NameServer) -> None:
    assert await resolve(SRV_LOOKUP._replace(service="_sips._tcp"), first) == ()


async def test_a_name_server_that_is_silent_is_nobody(asked: list[str], name_server: NameServer) -> None:
    name_server.dead = True
    async with asyncio.timeout(5):
        assert await resolve(SRV_LOOKUP, first) == ()


def records(*texts: str) -> list[Any]:
    return list(dns.rrset.from_text("x.", 300, "IN", "SRV", *texts))


def test_priority_comes_before_weight_and_lots_are_drawn_within_it() -> None:
    """RFC 2782: three times as often where the weight is three times as much."""
    found = records("1 10 1 a.", "1 30 2 b.", "0 0 3 z.", "2 99 4 c.")
    random = Random(1)
    orders = Counter(tuple(host for host, _ in in_order(found, random.randrange)) for _ in range(2000))
    assert set(orders) == {("z", "a", "b", "c"), ("z", "b", "a", "c")}
    assert 0.70 < orders["z", "b", "a", "c"] / 2000 < 0.80


def test_the_root_says_that_there_is_no_such_service() -> None:
    assert in_order(records("0 0 0 ."), first) == []


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ("_sip._udp", places("192.0.2.7", port=5071)),
        ("_sip._tcp", places("192.0.2.8", port=5072)),
        ("_sips._tcp", ()),
    ],
)
async def test_naptr_records_say_where_the_service_is(
    asked: list[str], names: Found, name_server: NameServer, service: str, found: tuple[Address, ...]
) -> None:
    """Those of the transport, the lowest order and preference first; one that leads elsewhere does not."""
    name_server.services["carrier.example"] = [
        '20 10 "s" "SIP+D2U" "" last.example.',
        '10 20 "s" "SIP+D2U" "" second.example.',
        '10 10 "S" "sip+d2u" "" udp.example.',
        '10 10 "u" "E2U+sip" "!^.*$!sip:x@example!" .',
        '10 30 "s" "SIP+D2T" "" tcp.example.',
    ]
    name_server.zone |= {"udp.example": ["1 0 5071 u.example."], "tcp.example": ["1 0 5072 t.example."]}
    names |= {"u.example": ["192.0.2.7"], "t.example": ["192.0.2.8"]}
    assert await resolve(Lookup("carrier", "carrier.example", 5060, service), first) == found
