"""One HTTP POST to a fixed endpoint, bounded in time and in what is read, never blocking the loop.

Covers what a client needs of RFC 9110 and RFC 9112: a connection for each request, interim responses
skipped, redirects reported and not followed, `Retry-After` in both its forms. TLS is verified against the
system's certificates (`SSL_CERT_FILE` names others). Proxies are not used, whatever the environment says.
What an answer means for the one who posted is left to that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from switch.config.model import web_url

LARGEST = 16_384  # bytes of an answer that are read, its head included
PIECE = 4096
ADDRESSES = 4  # of one host that are tried


class Answer(NamedTuple):
    """Status and `Retry-After`, '' where there is none."""

    status: int
    retry_after: str


class NoAnswer(Exception):
    """The endpoint did not answer in HTTP or in time; the message says why and holds no part of the URL but
    its host."""


class Endpoint:
    """Where to post to. `host` is all of the URL that may be shown: path and query may hold a token.

    Raises:
        ValueError: `url` is none that `switch.config.model.web_url` takes.
    """

    def __init__(self, url: str, *, timeout_s: float, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(web_url(url))
        self.host = parts.hostname or ""
        self._authority = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = (tls or ssl.create_default_context()) if parts.scheme == "https" else None
        self._timeout_s = timeout_s
        self._lookup: asyncio.Future[list[str]] | None = None

    async def post(self, header: Mapping[str, str], body: bytes) -> Answer:
        """Send `body` and wait for the answer: the name looked up, the connection and all that is read
        together take no longer than `timeout_s`.

        Raises:
            NoAnswer: there was none.
        """
        reply = _Reply()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._exchange(self._request(header, body), reply)
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s"
        except OSError as error:
            why = error.strerror or str(error) or type(error).__name__
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            why = "what it says is no HTTP"
        except Exception as error:  # no thread to be had, say: whatever it is, it is no answer
            why = type(error).__name__
        else:
            why = (
                f"no answer within {LARGEST} bytes" if reply.taken >= LARGEST else "closed without an answer"
            )
        if not reply.status:  # with a status it is an answer, however its body ended
            raise NoAnswer(why)
        return Answer(reply.status, reply.retry_after)

    def close(self) -> None:
        """Wait for no name any more."""
        if self._lookup is not None:
            self._lookup.cancel()

    def _request(self, header: Mapping[str, str], body: bytes) -> bytes:
        rows = {
            "Host": self._authority,
            "User-Agent": "belswitch",
            "Connection": "close",
            "Content-Length": str(len(body)),
            **header,
        }
        head = [f"POST {self._target} HTTP/1.1", *(f"{name}: {value}" for name, value in rows.items())]
        return "\r\n".join([*head, "", ""]).encode("ascii") + body

    async def _exchange(self, request: bytes, reply: _Reply) -> None:
        reader, writer = await self._connect()
        try:
            writer.write(request)
            await writer.drain()
            while not reply.complete and reply.taken < LARGEST:
                data = await reader.read(PIECE)
                if not data:
                    break
                reply.feed(data)
        finally:
            writer.transport.abort()  # a close would wait for the other side to end TLS

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To the first address that takes it; each has its share of the time, and so has the answer."""
        addresses = (await self._addresses())[:ADDRESSES]
        failure = OSError("its name does not resolve")
        name = self.host if self._tls is not None else None
        for address in addresses:
            try:
                async with asyncio.timeout(self._timeout_s / (len(addresses) + 1)):
                    return await asyncio.open_connection(
                        address, self._port, ssl=self._tls, server_hostname=name
                    )
            except TimeoutError:
                failure = OSError("no connection in time")
            except OSError as error:
                failure = error
        raise failure

    async def _addresses(self) -> list[str]:
        """In a thread of its own, of which there is never more than one: a name service that hangs would
        take up the threads that others need, and hold up the end of the process as well."""
        with contextlib.suppress(ValueError):
            return [str(ip_address(self.host))]
        if self._lookup is None or self._lookup.done():
            loop = asyncio.get_running_loop()
            future: asyncio.Future[list[str]] = loop.create_future()
            names = (loop, future, self.host, self._port)
            threading.Thread(target=_look_up, args=names, name="webhook-dns", daemon=True).start()
            self._lookup = future
        return await asyncio.shield(self._lookup)


def _look_up(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[list[str]], host: str, port: int
) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        found = []
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    with contextlib.suppress(RuntimeError):  # the loop is closed by now
        loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(addresses))


class _Reply:
    """What the parser tells of the final response; `status` is 0 until its head is there."""

    def __init__(self) -> None:
        self.status = 0
        self.retry_after = ""
        self.complete = False
        self.taken = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take bytes. Raises httptools.HttpParserError where they are no HTTP."""
        self.taken += len(data)
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.status and name.lower() == b"retry-after":
            self.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # RFC 9110 section 15.2: interim, the answer follows
            self.retry_after = ""
        elif not self.status:
            self.status = status

    def on_message_complete(self) -> None:
        self.complete = self.status > 0


def retry_after_s(value: str, wall_s: float) -> float:
    """What a `Retry-After` asks to wait from `wall_s` (Unix seconds) on, RFC 9110 section 10.2.3: seconds or
    a date. 0 where it asks nothing that can be read."""
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - wall_s)
