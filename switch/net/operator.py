"""The operator's socket: a Unix socket in the data directory, one JSON request and one JSON answer per line.

Who may open the file may operate the switch; it is created for its owner only. `belswitch calls`, `top`,
`registrations` and `line` speak through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

Handler = Callable[[Mapping[str, Any]], Awaitable[Any]]
LONGEST = 65_536


class OperatorError(Exception):
    """The switch refused a request, or cannot be reached; the message is for the operator."""


class NotRunning(OperatorError):
    """There is no switch to ask."""


class OperatorListener:
    """Serves requests `{"do": NAME, ...}` with handlers by name; answers `{"result": ...}` or `{"error":
    text}`."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self, path: Path) -> None:
        """Listen at `path`.

        Raises:
            AlreadyRunning: another switch is running on this data directory.
        """
        if path.is_socket():
            with contextlib.suppress(OperatorError):
                await ask(path, "ping")
                raise AlreadyRunning(f"another belswitch is running on {path.parent}")
            path.unlink()  # left by one that was killed
        old_mask = os.umask(0o177)
        try:
            with _short(path) as name:
                self._server = await asyncio.start_unix_server(self._serve, name, limit=LONGEST)
        finally:
            os.umask(old_mask)
        self._path = path

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is None or self._path is None:
            return
        self._server.close()
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            while line := await reader.readline():
                answer = json.dumps(await self._answer(line), ensure_ascii=False)
                writer.write(answer.encode("utf-8", "replace") + b"\n")  # what phones say may be no UTF-8
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # the client went away, sent too long a line, or we stop
        finally:
            self._clients.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError):
            return {"error": "unknown request"}
        try:
            return {"result": await handler(request)}
        except OperatorError as error:
            return {"error": str(error)}


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket that fits into its address (108 bytes, unix(7)), however deep its folder lies."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


class AlreadyRunning(Exception):
    """Another switch uses this data directory."""


async def ask(path: Path, do: str, **values: Any) -> Any:
    """Ask a running switch.

    Raises:
        NotRunning: there is none.
        OperatorError: it refused, or does not answer.
    """
    try:
        with _short(path) as name:
            reader, writer = await asyncio.open_unix_connection(name, limit=64 * 1024 * 1024)
    except OSError as error:
        raise NotRunning(f"no switch is running at {path}") from error
    try:
        writer.write(json.dumps({"do": do, **values}).encode() + b"\n")
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 10)
    except (OSError, TimeoutError) as error:
        raise OperatorError(f"the switch at {path} does not answer") from error
    finally:
        writer.close()
    if not line:
        raise OperatorError(f"the switch at {path} does not answer")
    answer = json.loads(line)
    if "error" in answer:
        raise OperatorError(answer["error"])
    return answer["result"]
