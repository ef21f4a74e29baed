"""One bounded POST: whatever the other side does, there is a status or a reason, and in time."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from switch.net.post import LARGEST, Answer, Endpoint, NoAnswer, retry_after_s

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
TIME_OUT_S = 0.5


class Peer:
    """A server that plays a part written down byte by byte. `request` is the last one it was sent."""

    def __init__(self) -> None:
        self.port = 0
        self.request = b""
        self.connections = 0
        self._parts: list[asyncio.Task[None] | None] = []
        self._server: asyncio.Server | None = None

    async def start(self, play: Play, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._parts.append(asyncio.current_task())
            self.connections += 1
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split()[0])
                self.request = head + await reader.readexactly(length)
                await play(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # the other side has gone, or the test is over
            finally:
                writer.transport.abort()

        self._server = await asyncio.start_server(serve, host, 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        parts = [part for part in self._parts if part is not None]
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    await peer.close()


def says(*pieces: bytes, then: str = "wait") -> Play:
    """Send these bytes, each by itself, and then `wait` for the other side, `close`, or `drip` for ever."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)
        while then == "drip":
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)
        if then == "wait":
            await reader.read()

    return play


async def post(peer: Peer, target: str = "/", body: bytes = b"{}") -> Answer:
    endpoint = Endpoint(f"http://127.0.0.1:{peer.port}{target}", timeout_s=TIME_OUT_S)
    return await endpoint.post({"Content-Type": "application/json"}, body)


async def failure(peer: Peer) -> str:
    with pytest.raises(NoAnswer) as caught:
        await post(peer)
    return str(caught.value)


# --- the request --------------------------------------------------------------------------------------------


async def test_the_request_is_whole_and_asks_for_nothing_more(peer: Peer) -> None:
    await peer.start(says(OK))
    assert await post(peer, "/notices/?token=t", b'{"id": 1}') == Answer(200, "")
    assert peer.request.split(b"\r\n") == [
        b"POST /notices/?token=t HTTP/1.1",
        f"Host: 127.0.0.1:{peer.port}".encode(),
        b"User-Agent: belswitch",
        b"Connection: close",
        b"Content-Length: 9",
        b"Content-Type: application/json",
        b"",
        b'{"id": 1}',
    ]


@pytest.mark.parametrize(("target", "sent"), [("", b"/"), ("?a=b", b"/?a=b"), ("/%20/", b"/%20/")])
async def test_path_and_query_are_sent_as_they_stand(target: str, sent: bytes, peer: Peer) -> None:
    await peer.start(says(OK))
    await post(peer, target)
    assert peer.request.split()[1] == sent


async def test_a_proxy_in_the_environment_is_not_asked(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await peer.start(says(OK))
    assert (await post(peer)).status == 200


# --- the answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("play", "answer"),
    [
        (says(b"HTTP/1.1 204 No Content\r\n\r\n"), (204, "")),
        (says(*(bytes([byte]) for byte in OK)), (200, "")),
        (says(b"HTTP/1.0 200 OK\r\n\r\nread until the end", then="close"), (200, "")),
        (says(b"HTTP/1.1 503 Busy\r\nretry-AFTER: 7\r\nContent-Length: 0\r\n\r\n"), (503, "7")),
        (says(b"HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n", OK), (200, "")),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), (200, "")),
        (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"2\r\nok\r\n0\r\n\r\n"), (200, "")),
        (says(OK + b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"), (200, "")),
        (says(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), (302, "")),
    ],
)
async def test_the_status_of_the_final_response_counts(
    play: Play, answer: tuple[int, str], peer: Peer
) -> None:
    await peer.start(play)
    async with asyncio.timeout(TIME_OUT_S / 2):
        assert await post(peer) == answer
    assert peer.connections == 1


@pytest.mark.parametrize(
    ("rest", "then"),
    [(b"", "drip"), (b"", "wait"), (b"x" * LARGEST, "wait"), (b"not chunked\r\n", "wait")],
)
async def test_a_status_is_an_answer_however_its_body_goes_on(rest: bytes, then: str, peer: Peer) -> None:
    await peer.start(says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", rest, then=then))
    async with asyncio.timeout(TIME_OUT_S + 0.5):
        assert (await post(peer)).status == 200


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (says(), "no answer within 0.5 s"),
        (says(b"HTTP/1.1 200 OK\r\nX: ", then="drip"), "no answer within 0.5 s"),
        (says(then="close"), "closed without an answer|Connection reset by peer"),
        (says(b"HTTP/1.1 200 OK\r\n", then="close"), "closed without an answer|Connection reset by peer"),
        (says(b"SIP/2.0 200 OK\r\n\r\n"), "what it says is no HTTP"),
        (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2 * LARGEST), f"no answer within {LARGEST} bytes"),
        (
            says(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
            "what it says is no HTTP",
        ),
    ],
)
async def test_what_is_no_answer_says_why(play: Play, why: str, peer: Peer) -> None:
    await peer.start(play)
    async with asyncio.timeout(TIME_OUT_S + 0.5):
        found = await failure(peer)
    assert any(part in found for part in why.split("|")), found


async def test_where_nobody_listens_there_is_no_answer(peer: Peer) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        peer.port = sock.getsockname()[1]
        assert "Connect call failed" in await failure(peer)


# --- names --------------------------------------------------------------------------------------------------


async def test_a_host_is_looked_up_and_its_addresses_tried_in_turn(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await peer.start(says(OK))
    found = [(0, 0, 0, "", (address, 0)) for address in ("127.0.0.2", "127.0.0.2", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: found)
    endpoint = Endpoint(f"http://notices.example:{peer.port}/", timeout_s=TIME_OUT_S)
    assert (await endpoint.post({}, b"")).status == 200
    assert f"Host: notices.example:{peer.port}".encode() in peer.request


async def test_a_name_that_does_not_resolve_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: object, **_named: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NoAnswer, match="its name does not resolve"):
        await Endpoint("http://notices.example/", timeout_s=TIME_OUT_S).post({}, b"")


async def test_a_name_service_that_hangs_takes_one_thread_and_no_more_than_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, go_on = [], threading.Event()

    def hang(host: str, *_args: object, **_named: object) -> list[object]:
        asked.append(threading.current_thread())
        go_on.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    endpoint = Endpoint("http://notices.example/", timeout_s=0.05)
    for _ in range(3):
        with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
            await endpoint.post({}, b"")
    (thread,) = asked
    assert thread.daemon  # or the process could not end before it does
    endpoint.close()
    go_on.set()
    await asyncio.to_thread(thread.join)
    await asyncio.sleep(0)


# --- TLS ----------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate and its key that nobody has signed, for localhost."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    path = tmp_path / "localhost.pem"
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {path}.key"
    altname = ["-addext", "subjectAltName=DNS:localhost", "-out", str(path)]
    subprocess.run([*command.split(), *altname], check=True, capture_output=True)
    return path


def served(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, f"{certificate}.key")
    return context


async def test_a_certificate_that_nobody_signed_is_refused(peer: Peer, certificate: Path) -> None:
    await peer.start(says(OK), served(certificate))
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        await Endpoint(f"https://localhost:{peer.port}/", timeout_s=5).post({}, b"")
    assert peer.request == b""


async def test_a_certificate_that_is_trusted_must_be_the_hosts_own(peer: Peer, certificate: Path) -> None:
    await peer.start(says(OK), served(certificate))
    trusting = ssl.create_default_context(cafile=str(certificate))
    answer = await Endpoint(f"https://localhost:{peer.port}/", timeout_s=5, tls=trusting).post({}, b"")
    assert answer.status == 200
    with pytest.raises(NoAnswer, match="certificate verify failed"):
        await Endpoint(f"https://127.0.0.1:{peer.port}/", timeout_s=5, tls=trusting).post({}, b"")


async def test_plain_http_behind_https_is_no_answer(peer: Peer) -> None:
    await peer.start(says(OK))
    with pytest.raises(NoAnswer):
        await Endpoint(f"https://127.0.0.1:{peer.port}/", timeout_s=TIME_OUT_S).post({}, b"")


# --- Retry-After --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", 0),
        ("120", 120),
        ("0", 0),
        ("9" * 5000, 999_999_999_999),
        ("-5", 0),
        ("1.5", 0),
        ("²", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59),
        ("Friday, 31-Dec-99 23:59:59 GMT", 59),
        ("Fri Dec 31 23:59:59 1999", 59),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0),
        ("soon", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    at_23_59_s = 946_684_740.0
    assert retry_after_s(value, at_23_59_s) == seconds
