"""`/metrics`, `/healthz` and `/readyz` over HTTP: a bare ASGI application in uvicorn, inside the switch's
own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from switch.net.metrics import render

CLOSE_WITHIN_S = 1
"""A client that does not read its answer holds up a stop no longer than this."""

Message = MutableMapping[str, Any]


class _Server(uvicorn.Server):
    """Signals stay the switch's own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class HttpListener:
    """The operations listener. `ready` says why the switch takes no calls now, '' when it does."""

    def __init__(self, registry: CollectorRegistry, ready: Callable[[], str]) -> None:
        self._registry = registry
        self._ready = ready
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (given by the kernel when `port` is 0).

        Raises:
            OSError: the address is taken or not ours.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            raise OSError(error.errno, error.strerror, f"http {host} port {port}") from error
        config = uvicorn.Config(
            self._answer,
            log_config=None,
            lifespan="off",
            access_log=False,
            interface="asgi3",
            http="httptools",
            ws="none",
            timeout_graceful_shutdown=CLOSE_WITHIN_S,
        )
        self._server = _Server(config)
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[sock]), name="http")
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.01)
        return int(sock.getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)

    async def _answer(
        self, scope: Message, _receive: object, send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        status, kind, body = 404, "text/plain", b"not found\n"
        if scope["path"] == "/metrics":
            status, kind, body = 200, CONTENT_TYPE_LATEST, await render(self._registry)
        elif scope["path"] == "/healthz":
            status, body = 200, b"ok\n"
        elif scope["path"] == "/readyz":
            why = self._ready()
            status, body = (503, f"{why}\n".encode()) if why else (200, b"ready\n")
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
