"""Host names of trunks to addresses, in the background, so that no call waits for DNS.

SRV and NAPTR records are asked for by dnspython, which keeps them as long as their TTL says; addresses by the
system, which knows /etc/hosts too. The transport of a trunk is configured, so of NAPTR records those of that
transport count, and where there are none the name of its SRV records is as RFC 3263 section 4.2 has it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from functools import cache

from dns.asyncresolver import Resolver as DnsResolver
from dns.exception import DNSException
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV
from dns.resolver import LRUCache

from switch.net.rounds import Rounds
from switch.ports import Address, Lookup, TargetsResolved

_NAPTR_SERVICES = {"_sip._udp": b"SIP+D2U", "_sip._tcp": b"SIP+D2T", "_sips._tcp": b"SIPS+D2T"}

EVERY_S = 60
ASK_S = 5.0
"""How long name servers may take."""


class Resolver(Rounds):
    """Asks again and again for what it is given, and at once after `ask_now`; a name that does not resolve
    keeps its last addresses."""

    def __init__(
        self,
        lookups: Callable[[], list[Lookup]],
        feed: Callable[[TargetsResolved], None],
        chance: Callable[[int], int],
    ) -> None:
        super().__init__("resolver")
        self._lookups = lookups
        self._feed = feed
        self._chance = chance

    @property
    def pause_s(self) -> float:
        """Seconds between two rounds."""
        return EVERY_S

    async def _round(self) -> None:
        for lookup in self._lookups():
            self._feed(TargetsResolved(lookup.trunk, await resolve(lookup, self._chance)))


async def resolve(lookup: Lookup, chance: Callable[[int], int]) -> tuple[Address, ...]:
    """Where a name leads, the best first; nowhere when there is no such name."""
    places = [(lookup.host, lookup.port)]
    if lookup.service:
        places = in_order(await _services(await _service_name(lookup)), chance)
    found = [Address(host, port) for name, port in places for host in await addresses(name)]
    return tuple(dict.fromkeys(found))


async def addresses(host: str) -> tuple[str, ...]:
    """The addresses of a host name, IPv4 and IPv6, in the resolver's order; none when it has none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def in_order(records: Iterable[SRV], chance: Callable[[int], int]) -> list[tuple[str, int]]:
    """Host and port of SRV records by priority; within one by lot, as often as their weights say (RFC 2782).
    The root as target says that there is no such service."""
    left = sorted(records, key=lambda record: (record.priority, record.weight))
    ordered = []
    while left:
        same = [record for record in left if record.priority == left[0].priority]
        lot = chance(sum(record.weight for record in same) + 1)
        for record in same:  # those of weight 0 come first
            lot -= record.weight
            if lot <= 0:
                break
        left.remove(record)
        host = record.target.to_text(omit_final_dot=True)
        if host != ".":
            ordered.append((host, record.port))
    return ordered


async def _service_name(lookup: Lookup) -> str:
    """Where the SRV records are (RFC 3263 section 4.1)."""
    usual = f"{lookup.service}.{lookup.host}"
    try:
        records: list[NAPTR] = list(await _dns().resolve(lookup.host, "NAPTR", search=False))
    except DNSException:
        return usual
    wanted = _NAPTR_SERVICES[lookup.service]
    fitting = [one for one in records if one.flags.lower() == b"s" and one.service.upper() == wanted]
    if not fitting:
        return usual
    best = min(fitting, key=lambda record: (record.order, record.preference))
    return str(best.replacement.to_text(omit_final_dot=True))


async def _services(name: str) -> list[SRV]:
    try:
        return list(await _dns().resolve(name, "SRV", search=False))
    except DNSException:
        return []


@cache
def _dns() -> DnsResolver:
    """The name servers of the system, and a cache that obeys TTLs.

    Raises:
        DNSException: the system names none.
    """
    resolver = DnsResolver()
    resolver.lifetime = ASK_S
    resolver.cache = LRUCache(1000)
    return resolver
