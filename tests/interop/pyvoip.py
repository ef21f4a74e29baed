"""pyVoIP as a phone, from the side of the test: a process of its own and what it says (`pyvoip_phone`)."""

from __future__ import annotations

import json
import subprocess
import sys
from queue import Empty, Queue
from threading import Thread
from typing import Any

from tests.interop.network import free_port
from tests.interop.server import ROOT, Server

CALLER_HZ, CALLEE_HZ = 440, 1000
"""The tones that are listened for."""


class Phone:
    """A pyVoIP process and what it says."""

    def __init__(self, server: Server, host: str, user: str, own_hz: int, *arguments: str) -> None:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.interop.pyvoip_phone",
            server.host,
            str(server.port),
        ]
        command += [user, f"{user}-secret", host, str(free_port(host)), str(free_port(host))]
        command += [*arguments, "--tone", str(own_hz), "--listen-for", str(CALLER_HZ), str(CALLEE_HZ)]
        self._said: list[dict[str, Any]] = []
        self._queue: Queue[str] = Queue()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # pyVoIP has something to say itself
                self._queue.put(line)

    def says(self, event: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait for an event; it must be the next one."""
        try:
            said: dict[str, Any] = json.loads(self._queue.get(timeout=timeout_s))
        except Empty:
            raise AssertionError(f"the phone does not say {event}, after {self._said}") from None
        self._said.append(said)
        assert said["event"] == event, self._said
        return said

    def close(self) -> None:
        """End the process; its threads would not."""
        self._process.kill()
        self._process.communicate()
        self._reader.join()
