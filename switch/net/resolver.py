"""Host names of trunks to addresses, in the background, so that no call waits for DNS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from switch.net.rounds import Rounds
from switch.ports import TargetsResolved

EVERY_S = 60


class Resolver(Rounds):
    """Asks again and again for the names it is given, and at once after `ask_now`; a name that does not
    resolve keeps its last addresses."""

    def __init__(
        self, names: Callable[[], list[tuple[str, str]]], feed: Callable[[TargetsResolved], None]
    ) -> None:
        super().__init__("resolver")
        self._names = names
        self._feed = feed

    @property
    def pause_s(self) -> float:
        """Seconds between two rounds."""
        return EVERY_S

    async def _round(self) -> None:
        for trunk, host in self._names():
            self._feed(TargetsResolved(trunk, await resolve(host)))


async def resolve(host: str) -> tuple[str, ...]:
    """The addresses of a host name, IPv4 and IPv6, in the resolver's order; none when it has none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
