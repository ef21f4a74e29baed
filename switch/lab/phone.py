"""The lab's side of its pyVoIP phone: starts the process, hears what happens, ends it whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from switch.ports import Address

END_WITHIN_S = 3.0


def installed() -> bool:
    """Whether pyVoIP can be used: it is an extra, and imports a module that Python 3.13 no longer has."""
    return importlib.util.find_spec("pyVoIP") is not None and importlib.util.find_spec("audioop") is not None


class Phone:
    """One phone process. `on_event` gets what it tells: a dict with `event` and its figures."""

    def __init__(self, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._on_event = on_event
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self, switch: Address, user: str, password: str, *, call: str, talk_s: int) -> None:
        """Have it register and call."""
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-P", "-m", "switch.lab.pyvoip_phone"]
        options = {"host": switch.host, "port": switch.port, "user": user, "call": call, "talk-s": talk_s}
        self._process = await asyncio.create_subprocess_exec(
            *command,
            *(f"--{name}={value}" for name, value in options.items()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the lab, which then ends the phone in order
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{password}\n".encode())
        self._task = asyncio.get_running_loop().create_task(self._listen(), name="phone")

    async def close(self) -> None:
        """End it."""
        if self._process is None or self._task is None:
            return
        self._closing = True
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()  # its threads would wait for one another
        async with asyncio.timeout(END_WITHIN_S):
            await self._process.wait()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            with contextlib.suppress(ValueError):
                self._on_event(json.loads(line))
        status = await self._process.wait()
        if not self._closing:
            self._on_event({"event": "exit", "status": status})
