"""Host names of trunks to addresses, in the background, so that no call waits for DNS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from switch.ports import TargetsResolved

EVERY_S = 60


class Resolver:
    """Asks again and again for the names it is given, and at once after `ask_now`; a name that does not
    resolve keeps its last addresses."""

    def __init__(
        self, names: Callable[[], list[tuple[str, str]]], feed: Callable[[TargetsResolved], None]
    ) -> None:
        self._names = names
        self._feed = feed
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="resolver")

    def ask_now(self) -> None:
        """The names may have changed: do not wait until it is time to ask again."""
        self._changed.set()

    async def close(self) -> None:
        """Stop asking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            for trunk, host in self._names():
                self._feed(TargetsResolved(trunk, await resolve(host)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()


async def resolve(host: str) -> tuple[str, ...]:
    """The addresses of a host name, IPv4 and IPv6, in the resolver's order; none when it has none."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
