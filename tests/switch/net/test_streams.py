"""SIP over connections, on loopback: what goes out, what comes in, and who is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from switch.net import streams
from switch.net.streams import MOST_UNREAD, MOST_WAITING, StreamLimits, StreamListener
from switch.net.tls import Certificates, TlsError, proves
from switch.net.websocket import WebSocketChannel
from switch.ports import Address, Datagram, Flow, FlowClosed, FlowFailed, Listener
from tests.switch.cli.conftest import free_port
from tests.switch.net.support import PATIENCE_S, until

MESSAGE = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
ANSWER = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
NOWHERE = Address("127.0.0.1", 1)


class Peer:
    """One end of a connection, in words of octets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hear(self, count: int) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(count)

    async def is_cut(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


class Net:
    """Listeners, and what they told the core. `peers` are where connections may be made to."""

    def __init__(self) -> None:
        self.told: list[Datagram | FlowFailed | FlowClosed] = []
        self.peers: dict[str, Address] = {}
        self.names: dict[str, str] = {}
        """Who has to prove a name over TLS, by address."""
        self.listeners: list[StreamListener] = []
        self._ends: list[Peer] = []

    async def connect(self, listener: StreamListener, **how: Any) -> Peer:
        peer = Peer(*await asyncio.open_connection(*listener.address, **how))
        self._ends.append(peer)
        return peer

    async def close(self) -> None:
        for listener in self.listeners:
            await listener.close()
        for peer in self._ends:
            peer.writer.close()
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()
        await asyncio.sleep(0.01)

    async def listen(
        self, transport: str = "tcp", limits: StreamLimits | None = None, host: str = "127.0.0.1", **how: Any
    ) -> StreamListener:
        listener = StreamListener.bind(Listener(transport, Address(host, 0)), limits or StreamLimits(), **how)
        self.listeners.append(listener)
        await listener.start(self.told.append, self.peer_of, self.name_of)
        return listener

    def peer_of(self, flow: Flow) -> tuple[Address, str] | None:
        at = self.peers.get(flow.remote.host)
        return (at, "carrier.example") if at is not None else None

    def name_of(self, flow: Flow) -> str:
        return self.names.get(flow.remote.host, "")

    def messages(self) -> list[bytes]:
        return [one.data for one in self.told if isinstance(one, Datagram)]

    async def flow(self) -> Flow:
        """The flow that the first message came on."""
        await until(self.messages)
        return next(one.flow for one in self.told if isinstance(one, Datagram))


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    net = Net()
    yield net
    await net.close()


class Carrier:
    """Somebody that can be connected to."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.peers: list[Peer] = []
        self.server: asyncio.Server

    async def open(self, tls: ssl.SSLContext | None = None) -> Address:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        return Address(*self.server.sockets[0].getsockname()[:2])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peers.append(Peer(reader, writer))
        while data := await reader.read(65_536):
            self.heard.append(data)
        writer.close()


# --- who connects to us -------------------------------------------------------------------------------------


async def test_messages_come_whole_and_are_answered_on_their_connection(net: Net) -> None:
    listener = await net.listen()
    peer = await net.connect(listener)
    peer.writer.write(MESSAGE[:20])
    await asyncio.sleep(0.02)
    peer.writer.write(MESSAGE[20:] + MESSAGE + b"\r\n\r\n")
    await until(lambda: len(net.messages()) == 3)
    assert net.messages() == [MESSAGE, MESSAGE, b"\r\n\r\n"]
    flow = await net.flow()
    assert flow == Flow("tcp", listener.address, Address(*peer.writer.get_extra_info("sockname")))
    assert listener.send(flow, ANSWER) is None
    assert await peer.hear(len(ANSWER)) == ANSWER
    peer.writer.close()
    await until(lambda: FlowClosed(flow) in net.told)
    assert len(listener) == 0
    failed = listener.send(flow, ANSWER)
    assert failed == FlowFailed(flow, ANSWER, "the connection is gone")


async def test_what_cannot_be_cut_ends_the_connection(net: Net) -> None:
    listener = await net.listen()
    peer = await net.connect(listener)
    peer.writer.write(MESSAGE + b"OPTIONS sip:x SIP/2.0\r\nContent-Length: all\r\n\r\n" + MESSAGE)
    assert await peer.is_cut()
    assert net.messages() == [MESSAGE]
    assert listener.closed == {"bad_content-length": 1}


@pytest.mark.parametrize(("said", "why"), [(b"", "slow"), (MESSAGE[:-1], "slow"), (MESSAGE, "idle")])
async def test_who_keeps_us_waiting_is_cut(
    net: Net, monkeypatch: pytest.MonkeyPatch, said: bytes, why: str
) -> None:
    monkeypatch.setattr(streams, "LOOK_EVERY_S", 0.02)
    listener = await net.listen(limits=StreamLimits(message_s=0.1, idle_s=0.4))
    peer = await net.connect(listener)
    peer.writer.write(said)
    assert await peer.is_cut()
    assert listener.closed == {why: 1}
    await until(lambda: len(listener) == 0)


async def test_a_sender_by_the_octet_gains_no_time(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LOOK_EVERY_S", 0.02)
    listener = await net.listen(limits=StreamLimits(message_s=0.2, idle_s=60))
    peer = await net.connect(listener)
    for octet in MESSAGE:
        if listener.closed:
            break
        peer.writer.write(bytes([octet]))
        await asyncio.sleep(0.02)
    assert listener.closed == {"slow": 1}


@pytest.mark.parametrize(
    ("limits", "why"),
    [(StreamLimits(most=2), "too_many"), (StreamLimits(most_per_host=2), "too_many_of_host")],
)
async def test_more_connections_than_allowed_are_turned_away(
    net: Net, limits: StreamLimits, why: str
) -> None:
    listener = await net.listen(limits=limits)
    first = await net.connect(listener)
    await net.connect(listener)
    assert await (await net.connect(listener)).is_cut()
    assert listener.closed == {why: 1}
    first.writer.close()
    await until(lambda: len(listener) == 1)
    third = await net.connect(listener)
    third.writer.write(MESSAGE)
    await until(net.messages)


async def test_who_reads_nothing_is_given_up(net: Net) -> None:
    listener = await net.listen()
    peer = await net.connect(listener)
    peer.writer.write(MESSAGE)
    flow = await net.flow()
    failure, sent = None, 0
    while failure is None and sent < 1000:
        failure = listener.send(flow, b"x" * 65_536)
        sent += 1
    assert failure is not None
    assert failure.error == "the peer does not read"
    assert (listener.dropped, listener.closed) == (1, {"unread": 1})
    assert sent * 65_536 > MOST_UNREAD
    await until(lambda: FlowClosed(flow) in net.told)


# --- whom we connect to -------------------------------------------------------------------------------------


async def test_a_connection_is_made_to_a_carrier_and_used_again(net: Net) -> None:
    listener, carrier = await net.listen(), Carrier()
    at = net.peers["127.0.0.1"] = await carrier.open()
    flow = Flow("tcp", listener.address, at)
    for _ in range(3):
        assert listener.send(flow, MESSAGE) is None
    await until(lambda: b"".join(carrier.heard) == 3 * MESSAGE)
    assert listener.send(flow._replace(remote=Address("127.0.0.1", 40_000)), MESSAGE) is None
    await until(lambda: b"".join(carrier.heard) == 4 * MESSAGE)
    assert len(carrier.peers) == 1
    carrier.peers[0].writer.write(ANSWER)
    assert await net.flow() == flow
    carrier.peers[0].writer.close()
    await until(lambda: FlowClosed(flow) in net.told)
    listener.send(flow, MESSAGE)
    await until(lambda: len(carrier.peers) == 2)
    carrier.server.close()


async def test_what_waits_for_a_connection_that_fails_comes_back(net: Net) -> None:
    listener = await net.listen()
    gone = net.peers["127.0.0.1"] = Address("127.0.0.1", free_port())
    flow = Flow("tcp", listener.address, gone)
    for _ in range(MOST_WAITING):
        assert listener.send(flow, MESSAGE) is None
    assert listener.send(flow, MESSAGE) == FlowFailed(flow, MESSAGE, "too much waits for the connection")
    await until(lambda: len(net.told) == MOST_WAITING)
    assert all(isinstance(one, FlowFailed) and one.flow == flow for one in net.told)


async def test_no_connection_is_made_to_anybody_else(net: Net) -> None:
    listener, carrier = await net.listen(), Carrier()
    at = await carrier.open()
    flow = Flow("tcp", listener.address, at)
    assert listener.send(flow, MESSAGE) == FlowFailed(flow, MESSAGE, "the connection is gone")
    assert not carrier.peers
    carrier.server.close()


# --- TLS ----------------------------------------------------------------------------------------------------


class Pki:
    """An authority, and certificates of it on disk."""

    def __init__(self, directory: Path) -> None:
        self.authority = trustme.CA()
        self.directory = directory
        self.trust = directory / "trust.pem"
        self.authority.cert_pem.write_to_path(str(self.trust))

    def issue(self, name: str) -> tuple[Path, Path]:
        issued = self.authority.issue_cert(name)
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        for index, blob in enumerate(issued.cert_chain_pems):
            blob.write_to_path(str(certificate), append=index > 0)
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def server(self, name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue(name))
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.trust))


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


def secured(net: Net, certificates: Certificates) -> Any:
    return net.listen("tls", server_tls=certificates.server, client_tls=certificates.client)


async def test_tls_shows_the_certificate_and_another_after_a_reload(net: Net, pki: Pki) -> None:
    certificate, key = pki.issue("switch.example")
    certificates = Certificates(certificate, key, pki.trust)
    listener = await secured(net, certificates)
    peer = await net.connect(listener, ssl=pki.client(), server_hostname="switch.example")
    peer.writer.write(MESSAGE)
    flow = await net.flow()
    assert flow.transport == "tls"
    listener.send(flow, ANSWER)
    assert await peer.hear(len(ANSWER)) == ANSWER
    other, other_key = pki.issue("other.example")
    certificate.write_bytes(other.read_bytes())
    with pytest.raises(TlsError, match="no certificate with its key"):
        certificates.load(certificate, key, pki.trust)
    await net.connect(listener, ssl=pki.client(), server_hostname="switch.example")
    key.write_bytes(other_key.read_bytes())
    certificates.load(certificate, key, pki.trust)
    await net.connect(listener, ssl=pki.client(), server_hostname="other.example")
    listener.send(flow, ANSWER)  # the first connection goes on
    assert await peer.hear(len(ANSWER)) == ANSWER


async def test_old_tls_is_not_spoken(net: Net, pki: Pki) -> None:
    listener = await secured(net, Certificates(*pki.issue("switch.example"), pki.trust))
    old = pki.client()
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await net.connect(listener, ssl=old, server_hostname="switch.example")


@pytest.mark.parametrize(("name", "good"), [("carrier.example", True), ("impostor.example", False)])
async def test_a_carrier_proves_its_name(net: Net, pki: Pki, name: str, good: bool) -> None:
    listener = await secured(net, Certificates(*pki.issue("switch.example"), pki.trust))
    carrier = Carrier()
    at = net.peers["127.0.0.1"] = await carrier.open(pki.server(name))
    flow = Flow("tls", listener.address, at)
    listener.send(flow, MESSAGE)
    await until(lambda: carrier.heard or net.told)
    if good:
        assert carrier.heard == [MESSAGE]
    else:
        (failed,) = net.told
        assert isinstance(failed, FlowFailed)
        assert "certificate" in failed.error
        assert not carrier.heard
    carrier.server.close()


@pytest.mark.parametrize(
    ("shown", "why"),
    [("carrier.example", ""), ("impostor.example", "unproven"), ("", "unproven")],
)
async def test_a_carrier_that_connects_proves_its_name(net: Net, pki: Pki, shown: str, why: str) -> None:
    """Others need not show anything."""
    certificates = Certificates(*pki.issue("switch.example"), pki.trust, asks=True)
    listener = await secured(net, certificates)
    client = pki.client()
    if shown:
        client.load_cert_chain(*pki.issue(shown))
    for name in ("", "carrier.example"):
        net.names["127.0.0.1"] = name
        peer = await net.connect(listener, ssl=client, server_hostname="switch.example")
        if name and why:
            assert await peer.is_cut()
            assert listener.closed == {why: 1}
        else:
            peer.writer.write(MESSAGE)
            await until(lambda count=1 + bool(name): len(net.messages()) == count)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("names", "name", "proven"),
    [
        ((("DNS", "carrier.example"),), "carrier.example", True),
        ((("DNS", "Carrier.Example"),), "carrier.example", True),
        ((("DNS", "other.example"), ("DNS", "carrier.example")), "carrier.example", True),
        ((("DNS", "*.carrier.example"),), "sip.carrier.example", True),
        ((("DNS", "*.carrier.example"),), "a.sip.carrier.example", False),
        ((("DNS", "*.example"),), "example", False),
        ((("DNS", "carrier.example.evil"),), "carrier.example", False),
        ((("IP Address", "192.0.2.1"),), "192.0.2.1", True),
        ((("IP Address", "2001:DB8:0:0:0:0:0:1"),), "2001:db8::1", True),
        ((("IP Address", "192.0.2.1"),), "192.0.2.2", False),
        ((("URI", "sip:carrier.example"),), "carrier.example", False),
        ((), "carrier.example", False),
    ],
)
def test_whose_certificate_it_is(names: tuple[tuple[str, str], ...], name: str, proven: bool) -> None:
    assert proves({"subjectAltName": names}, name) is proven
    assert not proves(None, name)


@pytest.mark.parametrize("missing", ["certificate", "key", "trust"])
def test_which_file_is_missing_is_told(pki: Pki, missing: str) -> None:
    certificate, key = pki.issue("switch.example")
    files = {"certificate": certificate, "key": key, "trust": pki.trust}
    files[missing].unlink()
    with pytest.raises(TlsError, match=f"{files[missing].name} cannot be read"):
        Certificates(certificate, key, pki.trust)


def test_files_that_hold_something_else_are_told(pki: Pki) -> None:
    certificate, key = pki.issue("switch.example")
    pki.trust.write_text("nothing")
    with pytest.raises(TlsError, match=r"trust\.pem holds no certificates"):
        Certificates(certificate, key, pki.trust)


# --- WebSocket ----------------------------------------------------------------------------------------------

SIP = Subprotocol("sip")


@pytest.fixture
async def websocket(net: Net) -> Callable[..., Any]:
    listener = await net.listen("ws", channel=WebSocketChannel)
    host, port = listener.address
    return partial(connect, f"ws://{host}:{port}/", compression=None, proxy=None)


async def test_messages_in_frames(net: Net, websocket: Callable[..., Any]) -> None:
    """RFC 7118 section 5: text or binary, whole or in fragments; a ping is answered."""
    async with websocket(subprotocols=[SIP]) as client:
        assert client.subprotocol == "sip"
        await client.send(MESSAGE.decode())
        await client.send(MESSAGE)
        await client.send([MESSAGE[:7], MESSAGE[7:20], MESSAGE[20:]])
        await (await client.ping())
        assert net.messages() == [MESSAGE] * 3
        flow = await net.flow()
        assert flow.transport == "ws"
        (listener,) = net.listeners
        listener.send(flow, ANSWER)
        assert await client.recv() == ANSWER.decode()
        listener.send(flow, b"SIP/2.0 200 \xff\r\n\r\n")
        assert await client.recv() == b"SIP/2.0 200 \xff\r\n\r\n"
    await until(lambda: FlowClosed(flow) in net.told)
    assert listener.send(flow, ANSWER) == FlowFailed(flow, ANSWER, "the connection is gone")


@pytest.mark.parametrize("offered", [None, [Subprotocol("chat")]])
async def test_who_speaks_no_sip_is_refused(
    net: Net, websocket: Callable[..., Any], offered: list[Subprotocol] | None
) -> None:
    with pytest.raises(InvalidStatus):
        async with websocket(subprotocols=offered):
            pass
    await until(lambda: len(net.listeners[0]) == 0)
    assert net.listeners[0].closed == {"bad_handshake": 1}


async def test_a_message_without_end_is_cut_off(net: Net, websocket: Callable[..., Any]) -> None:
    async with websocket(subprotocols=[SIP]) as client:
        await client.send("x" * 400_000)
        await client.wait_closed()
        assert client.close_code == 1009
    assert net.messages() == []


async def test_what_is_no_websocket_is_refused(net: Net) -> None:
    listener = await net.listen("ws", channel=WebSocketChannel)
    peer = await net.connect(listener)
    peer.writer.write(MESSAGE)
    assert await peer.is_cut()
    assert listener.closed == {"bad_handshake": 1}
    assert net.messages() == []
