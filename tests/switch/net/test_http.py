"""Metrics and health over HTTP, within the switch's own loop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from switch.net.http import HttpListener


class Operations:
    """A listener, and why the switch takes no calls ('' when it does)."""

    def __init__(self) -> None:
        self.why = ""
        self.registry = CollectorRegistry()
        Counter("belswitch_things", "Things.", ["kind"], registry=self.registry).labels("odd").inc(3)
        self.listener = HttpListener(self.registry, lambda: self.why)
        self.port = 0

    async def ask(self, request: str) -> tuple[int, dict[str, str], bytes]:
        """Status, header and body of the answer to `GET /healthz` and the like."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.read(), 2)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *rows = head.decode().split("\r\n")
        return int(first.split()[1]), dict(row.lower().split(": ", 1) for row in rows), body


@pytest.fixture
async def operations() -> AsyncIterator[Operations]:
    operations = Operations()
    operations.port = await operations.listener.start("127.0.0.1", 0)
    yield operations
    await operations.listener.close()


async def test_metrics_can_be_read_by_prometheus(operations: Operations) -> None:
    status, header, body = await operations.ask("GET /metrics")
    assert status == 200
    assert header["content-type"].startswith("text/plain; version=")
    family = next(iter(text_string_to_metric_families(body.decode())))
    assert (family.name, family.type, family.documentation) == ("belswitch_things", "counter", "Things.")
    assert [(sample.name, sample.labels, sample.value) for sample in family.samples] == [
        ("belswitch_things_total", {"kind": "odd"}, 3.0)
    ]


async def test_who_asks_with_head_gets_the_header_alone(operations: Operations) -> None:
    _, _, whole = await operations.ask("GET /metrics")
    status, header, body = await operations.ask("HEAD /metrics")
    assert (status, body) == (200, b"")
    assert int(header["content-length"]) == len(whole)


async def test_health_is_that_the_loop_turns(operations: Operations) -> None:
    operations.why = "journal full"
    status, _, body = await operations.ask("GET /healthz")
    assert (status, body) == (200, b"ok\n")


async def test_readiness_says_why_not(operations: Operations) -> None:
    status, _, body = await operations.ask("GET /readyz")
    assert (status, body) == (200, b"ready\n")
    operations.why = "stopping"
    status, _, body = await operations.ask("GET /readyz")
    assert (status, body) == (503, b"stopping\n")
    operations.why = ""
    assert (await operations.ask("GET /readyz"))[0] == 200


@pytest.mark.parametrize("path", ["/", "/metrics/", "/docs", "/readyz/x", "/%2e%2e/metrics"])
async def test_there_is_nothing_else(path: str, operations: Operations) -> None:
    status, _, body = await operations.ask(f"GET {path}")
    assert (status, body) == (404, b"not found\n")


async def test_what_is_no_http_is_refused_and_nothing_stops(operations: Operations) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", operations.port)
    writer.write(b"INVITE sip:+3216234567@example.com SIP/2.0\r\n\r\n")
    assert b"400" in await asyncio.wait_for(reader.read(), 2)
    writer.close()
    assert (await operations.ask("GET /healthz"))[0] == 200


async def test_a_port_in_use_is_named(operations: Operations) -> None:
    second = HttpListener(CollectorRegistry(), lambda: "")
    with pytest.raises(OSError, match="in use") as caught:
        await second.start("127.0.0.1", operations.port)
    assert caught.value.filename == f"http 127.0.0.1 port {operations.port}"
    await second.close()


async def test_signals_stay_the_switchs_own() -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    listener = HttpListener(CollectorRegistry(), lambda: "")
    await listener.start("127.0.0.1", 0)
    assert [signal.getsignal(number) for number in numbers] == before
    await listener.close()


async def stalled(port: int) -> Callable[[], None]:
    """A client that asks a lot and reads nothing; how to be rid of it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    await loop.sock_sendall(client, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 500)
    await asyncio.sleep(0.05)
    return client.close


@pytest.mark.parametrize("disturb", [False, True], ids=["idle", "with a client that reads nothing"])
async def test_close_frees_the_port_in_good_time(disturb: bool) -> None:
    operations = Operations()
    counter = Counter("belswitch_many", "Many.", ["kind"], registry=operations.registry)
    for number in range(200):
        counter.labels(str(number)).inc()
    operations.port = await operations.listener.start("127.0.0.1", 0)
    close_client = await stalled(operations.port) if disturb else lambda: None
    async with asyncio.timeout(3):
        await operations.listener.close()
    with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
        sock.connect(("127.0.0.1", operations.port))
    close_client()
    await asyncio.sleep(0.01)


async def test_close_of_a_listener_that_never_started_is_nothing() -> None:
    await HttpListener(CollectorRegistry(), lambda: "").close()
