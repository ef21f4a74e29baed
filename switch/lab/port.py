"""A UDP socket on the event loop: bytes come to a function, bytes go out at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from switch.ports import Address

AT_ONCE = 32
LARGEST = 65_535


class Port:
    """One bound socket. With `port` 0 the kernel chooses; `even` wants an even one, as RTP does."""

    def __init__(
        self, address: Address, receive: Callable[[bytes, Address], None], *, even: bool = False
    ) -> None:
        """Bind.

        Raises:
            OSError: the address is taken or not ours; `filename` names it.
        """
        self._loop = asyncio.get_running_loop()
        self._receive = receive
        self._sock = _bind(address)
        while even and self._sock.getsockname()[1] % 2:
            odd, self._sock = self._sock, _bind(address)
            odd.close()
        self.address = Address(*self._sock.getsockname()[:2])
        self._loop.add_reader(self._sock, self._readable)

    def send(self, data: bytes, remote: Address) -> None:
        """Send one datagram; one that cannot be sent is lost, as on any network."""
        if self._sock.fileno() >= 0:
            try:
                self._sock.sendto(data, remote)
            except OSError:
                return

    def close(self) -> None:
        """Free the port."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            try:
                data, remote = self._sock.recvfrom(LARGEST)
            except OSError:  # nothing more, closed meanwhile, or an ICMP answer to an earlier datagram
                return
            self._receive(data, Address(*remote[:2]))


def _bind(address: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(tuple(address))
    except OSError as error:
        sock.close()
        raise OSError(error.errno, error.strerror, f"udp {address.host} port {address.port}") from error
    return sock
