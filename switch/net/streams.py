"""SIP over TCP, TLS and WebSocket: connections that come in, and those made to carriers and gateways.

A connection is known to the core by its flow alone: messages come as `Datagram`, its end as `FlowClosed`.
Whoever has a connection is answered on it (RFC 5923); for a flow that has none, one is made in the background
if it leads to a carrier or gateway, and what is to be sent waits. All of it is bounded: connections, those of
one host, how long a message may take to come, and what a peer leaves unread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from switch.net.tls import proves
from switch.ports import Address, Datagram, Flow, FlowClosed, FlowFailed, Listener
from switch.sip.framing import Framer

DIAL_S = 4.0
"""How long a connection may take to be made, TLS included."""
HANDSHAKE_S = 10.0
MOST_UNREAD = 256 * 1024
"""Octets that a peer may leave unread before its connection is given up."""
MOST_WAITING = 64
"""Messages that wait for a connection that is being made."""
LOOK_EVERY_S = 5.0

Feed = Callable[[Datagram | FlowFailed | FlowClosed], None]
PeerOf = Callable[[Flow], tuple[Address, str] | None]
NameOf = Callable[[Flow], str]


class Channel(Protocol):
    """How messages lie in the octets of one connection."""

    @property
    def broken(self) -> str:
        """Why nothing more can be read; '' while it can."""

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and not ended."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets; the messages that are complete with them."""

    def wrap(self, message: bytes) -> bytes:
        """A message as octets."""

    def output(self) -> bytes:
        """What is to be sent beside messages."""


class PlainChannel(Framer):
    """TCP and TLS: one message after the other."""

    __slots__ = ()

    def wrap(self, message: bytes) -> bytes:
        """As it is."""
        return message

    def output(self) -> bytes:
        """Nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """`switch.config.model.Connections`, times in seconds."""

    most: int = 4000
    most_per_host: int = 200
    message_s: float = 20
    idle_s: float = 3700


class StreamListener:
    """One listening address of a stream transport, with all its connections."""

    def __init__(
        self,
        sock: socket.socket,
        listener: Listener,
        limits: StreamLimits,
        *,
        channel: Callable[[], Channel] = PlainChannel,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.transport, self.address = listener
        self.limits = limits
        self.dropped = 0
        """Messages that no connection took, for too many waited or the peer did not read."""
        self.closed: Counter[str] = Counter()
        """Connections that we ended, by reason."""
        self._sock = sock
        self._channel = channel
        self._server_tls = server_tls
        self._client_tls = client_tls
        self._connections: dict[Address, Connection] = {}
        self._of_host: Counter[str] = Counter()
        self._dials: dict[Address, _Dial] = {}
        self._server: asyncio.Server | None = None
        self._look: asyncio.TimerHandle | None = None
        self._feed: Feed
        self._peer_of: PeerOf
        self._name_of: NameOf | None

    @classmethod
    def bind(cls, listener: Listener, limits: StreamLimits, **how: Any) -> StreamListener:
        """Bind a socket.

        Raises:
            OSError: the address is taken or not ours.
        """
        transport, address = listener
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(tuple(address))
        except OSError as error:
            sock.close()
            text = f"{transport} {address.host} port {address.port}"
            raise OSError(error.errno, error.strerror, text) from error
        return cls(sock, Listener(transport, Address(*sock.getsockname()[:2])), limits, **how)

    async def start(self, feed: Feed, peer_of: PeerOf, name_of: NameOf | None = None) -> None:
        """Begin to accept; what comes goes to `feed`. `peer_of` tells where a flow is to be connected,
        `name_of` which name whoever connects has to prove over TLS, '' for none."""
        self._feed, self._peer_of, self._name_of = feed, peer_of, name_of
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self),
            sock=self._sock,
            backlog=1024,
            ssl=self._server_tls,
            ssl_handshake_timeout=HANDSHAKE_S if self._server_tls is not None else None,
        )
        self._look = loop.call_later(LOOK_EVERY_S, self._look_around)

    async def close(self) -> None:
        """Stop accepting and end every connection, once what was said to it is on its way."""
        if self._look is not None:
            self._look.cancel()
        for dial in self._dials.values():
            dial.task.cancel()
        if self._server is not None:
            self._server.close()
        self._sock.close()
        for connection in list(self._connections.values()):
            connection.end()
        await asyncio.sleep(0)

    def __len__(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    # --- sending --------------------------------------------------------------------------------------------

    def send(self, flow: Flow, data: bytes) -> FlowFailed | None:
        """Send on the connection of a flow; what cannot be sent comes back as the input that says so."""
        connection = self._open_to(flow.remote)
        if connection is None:
            peer = self._peer_of(flow) if self.transport in ("tcp", "tls") else None
            if peer is None:
                return FlowFailed(flow, data, "the connection is gone")
            connection = self._open_to(peer[0])
            if connection is None:
                return self._wait(flow, data, *peer)
        if connection.send(data):
            return None
        self.dropped += 1
        return FlowFailed(flow, data, "the peer does not read")

    def _open_to(self, remote: Address) -> Connection | None:
        connection = self._connections.get(remote)
        return None if connection is None or connection.is_closing else connection

    def _wait(self, flow: Flow, data: bytes, address: Address, name: str) -> FlowFailed | None:
        dial = self._dials.get(address)
        if dial is None:
            task = asyncio.get_running_loop().create_task(self._connect(address, name), name=f"dial {name}")
            dial = self._dials[address] = _Dial(task, [])
        if len(dial.waiting) >= MOST_WAITING:
            self.dropped += 1
            return FlowFailed(flow, data, "too much waits for the connection")
        dial.waiting.append((flow, data))
        return None

    async def _connect(self, address: Address, name: str) -> None:
        """Make a connection; then send what waits for it, or say why not."""
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        why = ""
        try:
            async with asyncio.timeout(DIAL_S):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, dialled=address),
                    address.host,
                    address.port,
                    ssl=self._client_tls,
                    local_addr=(self.address.host, 0),
                    server_hostname=name if self._client_tls is not None else None,
                )
        except TimeoutError:
            why = "no connection in time"
        except (OSError, ValueError) as error:
            why = str(error)
        for flow, data in self._dials.pop(address).waiting:
            if connection is None or not connection.send(data):
                self._feed(FlowFailed(flow, data, why or "the connection is gone"))

    # --- connections ----------------------------------------------------------------------------------------

    def opened(self, connection: Connection) -> str:
        """A connection is there; why it cannot stay, '' when it can."""
        remote = connection.flow.remote
        if not connection.dialled:
            if len(self._connections) >= self.limits.most:
                return "too_many"
            if self._of_host[remote.host] >= self.limits.most_per_host:
                return "too_many_of_host"
            name = self._name_of(connection.flow) if self._name_of is not None else ""
            if name and not proves(connection.certificate, name):
                return "unproven"
        self._connections[remote] = connection
        self._of_host[remote.host] += 1
        return ""

    def lost(self, connection: Connection) -> None:
        """A connection is over."""
        remote = connection.flow.remote
        if not connection.counted:
            return
        self._of_host[remote.host] -= 1
        if not self._of_host[remote.host]:
            del self._of_host[remote.host]
        if self._connections.get(remote) is connection:
            del self._connections[remote]
            self._feed(FlowClosed(connection.flow))

    def new_channel(self) -> Channel:
        """How messages lie in a connection's octets."""
        return self._channel()

    def received(self, flow: Flow, message: bytes) -> None:
        """A message came."""
        self._feed(Datagram(flow, message))

    def _look_around(self) -> None:
        """End the connections that keep us waiting, and those that are not used."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        for connection in list(self._connections.values()):
            why = connection.overdue(now_s)
            if why:
                connection.end(why)
        self._look = loop.call_later(LOOK_EVERY_S, self._look_around)


@dataclass(frozen=True, slots=True)
class _Dial:
    """A connection that is being made, and what waits for it."""

    task: asyncio.Task[None]
    waiting: list[tuple[Flow, bytes]]


class Connection(asyncio.Protocol):
    """One connection. `dialled` is where we made it to; None when it came in."""

    def __init__(self, owner: StreamListener, dialled: Address | None = None) -> None:
        self._owner = owner
        self._channel = owner.new_channel()
        self._transport: asyncio.Transport
        self._since_s = 0.0
        self._heard = False
        self._late = False
        self.dialled = dialled
        self.counted = False
        self.flow: Flow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there, TLS included."""
        self._transport = cast("asyncio.Transport", transport)
        owner = self._owner
        remote = self.dialled or Address(*transport.get_extra_info("peername")[:2])
        self.flow = Flow(owner.transport, owner.address, remote)
        self._since_s = asyncio.get_running_loop().time()
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        why = owner.opened(self)
        self.counted = not why
        if why:
            self.end(why)

    @property
    def certificate(self) -> Mapping[str, Any] | None:
        """What the peer has shown over TLS, verified; None when it showed none."""
        shown: Mapping[str, Any] | None = self._transport.get_extra_info("peercert")
        return shown

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._transport.is_closing():
            return
        channel = self._channel
        was_waiting = channel.waiting
        messages = channel.feed(data)
        if output := channel.output():
            self._transport.write(output)
        if messages or (channel.waiting and not was_waiting):
            self._since_s = asyncio.get_running_loop().time()
            self._heard = self._heard or bool(messages)
        for message in messages:
            self._owner.received(self.flow, message)
        if channel.broken:
            self.end(channel.broken.replace(" ", "_").lower())

    def connection_lost(self, _error: Exception | None) -> None:
        """It is over, whoever ended it."""
        self._owner.lost(self)

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._transport.is_closing()

    def send(self, message: bytes) -> bool:
        """Send a message; False when the connection is over or its peer reads nothing."""
        if self.is_closing:
            return False
        if self._transport.get_write_buffer_size() > MOST_UNREAD:
            self._owner.closed["unread"] += 1
            self._transport.abort()
            return False
        self._transport.write(self._channel.wrap(message))
        return True

    def overdue(self, now_s: float) -> str:
        """Why it is to be ended now; '' when it may go on. What is closing for too long is cut."""
        limits = self._owner.limits
        if self._transport.is_closing():
            if self._late:
                self._transport.abort()
            self._late = True
            return ""
        silent_s = now_s - self._since_s
        if (self._channel.waiting or not (self._heard or self.dialled)) and silent_s > limits.message_s:
            return "slow"
        return "idle" if silent_s > limits.idle_s else ""

    def end(self, why: str = "") -> None:
        """End it, once what was said is on its way."""
        if why:
            self._owner.closed[why] += 1
        self._transport.close()
