"""SIP over UDP: sockets prepared here, made a stream by asyncio-dgram, read as they fill, written directly.

A datagram goes to the core in the turn of the event loop that finds it, together with what has come behind
it; asyncio-dgram's queue would take a task and another turn for each. A backlog stays in the kernel, bounded
and counted there. Sending is one `sendto` on the same non-blocking socket: a full buffer or an unroutable
address fails that one datagram only.
"""

from __future__ import annotations

import asyncio
import socket
from array import array
from collections.abc import Callable
from typing import Any

import asyncio_dgram

from switch.ports import Address, Datagram, Flow, FlowFailed

READ_SIZE = 65_535
AT_ONCE = 32
"""Datagrams read in one turn of the event loop; timers, records and media wait no longer than that."""
BUFFER = 4 * 1024 * 1024
SO_MEMINFO = (
    55  # asm-generic/socket.h: bytes that wait to be read, and how many may; not in the socket module
)


class UdpListener:
    """One listening socket."""

    transport = "udp"

    def __init__(self, sock: socket.socket, address: Address) -> None:
        self.address = address
        self.dropped = 0
        self._sock = sock
        self._stream: Any = None

    @classmethod
    def bind(cls, address: Address) -> UdpListener:
        """Bind a socket.

        Raises:
            OSError: the address is taken or not ours.
        """
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            sock.bind(tuple(address))
        except OSError as error:
            sock.close()
            raise OSError(error.errno, error.strerror, f"udp {address.host} port {address.port}") from error
        return cls(sock, Address(*sock.getsockname()[:2]))

    async def start(
        self, feed: Callable[[Datagram], None], _peer_of: object = None, _name_of: object = None
    ) -> None:
        """Begin to read; every datagram goes to `feed`. There are no peers to connect to."""
        self._stream = await asyncio_dgram.from_socket(self._sock)
        transport = self._stream._transport
        transport.max_size = READ_SIZE
        transport.set_protocol(_Reader(self._sock, self.address, feed))

    def send(self, flow: Flow, data: bytes) -> FlowFailed | None:
        """Send one datagram; what could not be sent comes back as the input that says so."""
        try:
            self._sock.sendto(data, flow.remote)
        except BlockingIOError:
            self.dropped += 1  # as if the network had lost it: SIP repeats
        except (OSError, OverflowError, ValueError) as error:
            return FlowFailed(flow, data, str(error))
        return None

    @property
    def backlog(self) -> float:
        """How full the receive buffer is, 0 to 1, as the kernel counts it."""
        words = array("I", self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 8))
        return words[0] / words[1] if len(words) == 2 and words[1] else 0.0

    async def close(self) -> None:
        """Stop reading and free the port."""
        if self._stream is not None:
            self._stream.close()
        self._sock.close()


class _Reader(asyncio.DatagramProtocol):
    """Feeds what comes. The error of an earlier datagram is nothing to it: the socket itself goes on."""

    def __init__(self, sock: socket.socket, local: Address, feed: Callable[[Datagram], None]) -> None:
        self._sock = sock
        self._local = local
        self._feed = feed

    def datagram_received(self, data: bytes, remote: tuple[Any, ...]) -> None:
        """One datagram that was waited for, and what waits behind it."""
        self._pass_on(data, remote)
        for _ in range(AT_ONCE - 1):
            try:
                data, remote = self._sock.recvfrom(READ_SIZE)
            except OSError:  # nothing is left, or an error of an earlier datagram
                return
            self._pass_on(data, remote)

    def _pass_on(self, data: bytes, remote: tuple[Any, ...]) -> None:
        self._feed(Datagram(Flow("udp", self._local, Address(remote[0], remote[1])), data))
