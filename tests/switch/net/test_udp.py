"""SIP's sockets, on loopback: what goes out, what comes in, and that nothing ends the reading."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from switch.net.udp import AT_ONCE, UdpListener
from switch.ports import Address, Datagram, Flow, FlowFailed
from tests.switch.net.support import PATIENCE_S, until

LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("::1", 0))
        except OSError:
            return False
        return True


NEEDS_IPV6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
BOTH = pytest.mark.parametrize("family", [4, pytest.param(6, marks=NEEDS_IPV6)])


@pytest.fixture
def heard() -> list[Datagram]:
    return []


@pytest.fixture
async def listen(heard: list[Datagram]) -> AsyncIterator[Callable[[str], asyncio.Future[UdpListener]]]:
    """Makes a listener that puts what it hears into `heard`."""
    listeners: list[UdpListener] = []

    async def make(host: str) -> UdpListener:
        listener = UdpListener.bind(Address(host, 0))
        listeners.append(listener)
        await listener.start(heard.append)
        return listener

    yield lambda host: asyncio.ensure_future(make(host))
    for listener in listeners:
        await listener.close()


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(2)
        yield sock


Listen = Callable[[str], "asyncio.Future[UdpListener]"]


@BOTH
async def test_datagrams_come_in_and_go_out_on_one_flow(
    family: int, listen: Listen, heard: list[Datagram]
) -> None:
    host = LOOPBACK[family]
    listener = await listen(host)
    with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((host, 0))
        phone.settimeout(2)
        phone.sendto(b"ping", tuple(listener.address))
        await until(lambda: heard)
        (ping,) = heard
        remote = Address(*phone.getsockname()[:2])
        assert ping == Datagram(Flow("udp", listener.address, remote), b"ping")
        assert listener.send(ping.flow, b"pong") is None
        assert phone.recvfrom(100)[0] == b"pong"


async def test_the_kernel_chooses_a_port_and_the_address_tells_it(listen: Listen) -> None:
    listener = await listen("127.0.0.1")
    assert listener.address.host == "127.0.0.1"
    assert listener.address.port > 0


@pytest.mark.parametrize(
    "remote",
    [
        Address("255.255.255.255", 5060),
        Address("127.0.0.1", 70_000),
        Address("127.0.0.1", 0),
        Address("::1", 5060),
    ],
    ids=["forbidden", "no such port", "port 0", "other family"],
)
async def test_an_address_that_cannot_be_reached_fails_that_datagram_only(
    remote: Address, listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    flow = Flow("udp", listener.address, remote)
    failure = listener.send(flow, b"lost")
    assert isinstance(failure, FlowFailed)
    assert (failure.flow, failure.data) == (flow, b"lost")
    assert failure.error
    back = Flow("udp", listener.address, Address(*peer.getsockname()))
    assert listener.send(back, b"still here") is None
    assert peer.recv(100) == b"still here"
    peer.sendto(b"you too", tuple(listener.address))
    await until(lambda: heard)


async def test_a_port_where_nobody_listens_stops_nothing(
    listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        nowhere = Flow("udp", listener.address, Address(*gone.getsockname()))
    for _ in range(3):
        assert listener.send(nowhere, b"hello?") is None
    await asyncio.sleep(0.01)
    peer.sendto(b"here", tuple(listener.address))
    await until(lambda: heard)


async def test_a_datagram_too_long_to_send_fails(listen: Listen) -> None:
    listener = await listen("127.0.0.1")
    failure = listener.send(Flow("udp", listener.address, listener.address), bytes(70_000))
    assert failure is not None
    assert "too long" in failure.error


async def test_the_longest_datagram_is_read_whole(
    listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    peer.sendto(b"x" * 65_000, tuple(listener.address))
    peer.sendto(b"", tuple(listener.address))
    await until(lambda: len(heard) == 2)
    assert [len(datagram.data) for datagram in heard] == [65_000, 0]


async def test_a_burst_is_read_to_its_end_in_order(
    listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    async with asyncio.timeout(PATIENCE_S):
        for number in range(5000):
            peer.sendto(b"%d" % number, tuple(listener.address))
            while number % 100 == 99 and len(heard) <= number:  # the smallest kernel buffer holds so many
                await asyncio.sleep(0)
    assert [datagram.data for datagram in heard] == [b"%d" % number for number in range(5000)]


async def test_what_waits_is_read_in_one_turn_of_the_loop_up_to_a_bound(
    listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    for number in range(2 * AT_ONCE):
        peer.sendto(b"%d" % number, tuple(listener.address))
    sizes = []
    while len(heard) < 2 * AT_ONCE:
        await asyncio.sleep(0)
        sizes.append(len(heard))
    assert AT_ONCE in sizes
    assert [datagram.data for datagram in heard] == [b"%d" % number for number in range(2 * AT_ONCE)]


async def test_what_the_kernel_cannot_hold_of_a_burst_is_lost_and_no_more(
    listen: Listen, heard: list[Datagram], peer: socket.socket
) -> None:
    listener = await listen("127.0.0.1")
    listener._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    for _ in range(5000):
        peer.sendto(b"INVITE sip:everybody SIP/2.0\r\n" * 20, tuple(listener.address))
    await until(lambda: heard)
    await asyncio.sleep(0.01)
    assert len(heard) < 5000

    def heard_again() -> bool:
        peer.sendto(b"after", tuple(listener.address))
        return heard[-1].data == b"after"

    await until(heard_again)


async def test_a_full_send_buffer_drops_and_counts(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    class FullBuffer:
        def sendto(self, _data: bytes, _remote: Address) -> int:
            raise BlockingIOError

        def close(self) -> None:
            """Nothing to close."""

    listener = await listen("127.0.0.1")
    with monkeypatch.context() as patch:
        patch.setattr(listener, "_sock", FullBuffer())
        assert listener.send(Flow("udp", listener.address, listener.address), b"x") is None
    assert listener.dropped == 1


async def test_a_port_in_use_is_named(listen: Listen) -> None:
    taken = (await listen("127.0.0.1")).address
    with pytest.raises(OSError, match="Address already in use") as caught:
        UdpListener.bind(taken)
    assert caught.value.filename == f"udp 127.0.0.1 port {taken.port}"


async def test_close_frees_the_port_and_ends_the_reading(heard: list[Datagram], peer: socket.socket) -> None:
    listener = UdpListener.bind(Address("127.0.0.1", 0))
    await listener.start(heard.append)
    await listener.close()
    successor = UdpListener.bind(listener.address)
    peer.sendto(b"for the successor", tuple(listener.address))
    await asyncio.sleep(0.01)
    assert heard == []
    await successor.close()


async def test_close_of_a_listener_that_never_started_frees_the_port() -> None:
    listener = UdpListener.bind(Address("127.0.0.1", 0))
    await listener.close()
    await UdpListener.bind(listener.address).close()
