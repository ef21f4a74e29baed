"""The relay processes, seen from asyncio: start them, pass commands and reports, restart one that dies.

A session always goes to the same process (`session % workers`), so its commands stay in order. The words
spoken are those of `switch.relay.command`. When a process dies its sessions are gone with it: the core is
told `["died", worker]` once, and what it sends afterwards waits for the successor. The other way round, a
relay ends by itself when this process does, since that closes its command socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

Report = Callable[[list[Any]], None]

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once; `json.dumps` makes one for each call

BACKLOG = 10_000  # commands kept for one relay; a relay that leaves more unread hangs, and is killed
LARGEST = 212_992  # bytes of one report
AT_ONCE = 64
STATS_EVERY_S = 1.0
RESTART_EVERY_S = 1.0
START_WITHIN_S = 15.0
END_WITHIN_S = 2.0
HELD = ("sessions", "streams", "ports")  # figures that end with the process; the others are sums for ever


class RelayPool:
    """A fixed number of relay processes.

    `on_report` gets every message of theirs as a list, except the answers to `["stats"]`, which `stats`
    merges; and `["died", worker]`. It is called from the event loop and must not raise.
    """

    def __init__(self, on_report: Report) -> None:
        self._on_report = on_report
        self.workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, workers: int) -> None:
        """Start the processes and wait until each has answered. Raises RuntimeError when one does not."""
        self.workers = [Worker(index, self._on_report) for index in range(workers)]
        self._tasks = [asyncio.create_task(worker.run()) for worker in self.workers]
        self._tasks.append(asyncio.create_task(self._ask()))
        try:
            async with asyncio.timeout(START_WITHIN_S):
                for worker in self.workers:
                    await worker.ready.wait()
        except TimeoutError:
            await self.close()
            raise RuntimeError(f"a media relay did not start within {START_WITHIN_S:.0f} s") from None

    def send(self, session: int, command: list[Any]) -> None:
        """Pass a command to the process of `session`. Never waits."""
        self.workers[session % len(self.workers)].send(command)

    def stats(self) -> dict[str, int]:
        """The sums over all processes, about a second old, with `workers` alive and `restarts` so far."""
        merged: Counter[str] = Counter()
        for worker in self.workers:
            merged.update(worker.past)
            merged.update(worker.latest)
        return dict(merged)

    async def close(self) -> None:
        """End all processes; sessions still open end without a report."""
        await asyncio.gather(*(worker.end() for worker in self.workers))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            for worker in self.workers:
                worker.send(["stats"])
            await asyncio.sleep(STATS_EVERY_S)


class Worker:
    """One relay process and its successors."""

    def __init__(self, index: int, on_report: Report) -> None:
        self.index = index
        self.ready = asyncio.Event()
        self.latest: Counter[str] = Counter()  # of the present process
        self.past: Counter[str] = Counter(restarts=0)  # of the dead ones
        self._on_report = on_report
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._unsent: deque[bytes] = deque()
        self._ending = False

    @property
    def pid(self) -> int:
        """The process id; 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def run(self) -> None:
        """Keep a process running until `end`."""
        while True:
            started_s = self._loop.time()
            try:
                await self._run_once()
            except OSError:  # no process or descriptor to be had now: as good as dead
                self._hang_up()
            if self._ending:
                return
            for name in HELD:
                del self.latest[name]
            del self.latest["workers"]
            self.past.update(self.latest)
            self.past["restarts"] += 1
            self.latest.clear()
            self._unsent.clear()
            self._on_report(["died", self.index])
            await asyncio.sleep(started_s + RESTART_EVERY_S - self._loop.time())

    def send(self, command: list[Any]) -> None:
        """Send at once, or as soon as the process reads."""
        message = _encode(command).encode()
        if self._sock is not None and not self._unsent and self._send_now(message):
            return
        self._unsent.append(message)
        if self._sock is not None:
            self._loop.add_writer(self._sock, self._writable)
        if len(self._unsent) > BACKLOG:
            self._unsent.clear()
            self._kill()

    async def end(self) -> None:
        """Close the command socket, at which the process ends; kill it if it does not."""
        self._ending = True
        self._hang_up()
        if self._process is not None:
            try:
                async with asyncio.timeout(END_WITHIN_S):
                    await self._process.wait()
            except TimeoutError:
                self._kill()
                await self._process.wait()

    async def _run_once(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            self._sock = ours
            self._loop.add_reader(ours, self._readable)
            self._loop.add_writer(ours, self._writable)
            self._process = await _spawn(theirs.fileno())
        if self._ending:
            self._hang_up()
        await self._process.wait()
        if self._sock is not None:
            self._readable()  # its last words
        self._hang_up()

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            if self._sock is None:
                return
            try:
                message = self._sock.recv(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._hang_up()
                if not self._ending:
                    self._kill()  # in case it lives on without its ear
                return
            report = json.loads(message)
            if report[0] == "stats":
                self.latest = Counter(report[1], workers=1)
                self.ready.set()
            else:
                self._on_report(report)

    def _writable(self) -> None:
        while self._unsent and self._send_now(self._unsent[0]):
            self._unsent.popleft()
        if not self._unsent and self._sock is not None:
            self._loop.remove_writer(self._sock)

    def _send_now(self, message: bytes) -> bool:
        if self._sock is None:
            return False
        try:
            self._sock.send(message)
        except BlockingIOError:
            return False
        except OSError:  # it has died, which `run` is about to notice
            pass
        return True

    def _hang_up(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._sock = None

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


async def _spawn(descriptor: int) -> asyncio.subprocess.Process:
    """A relay on the inherited `descriptor`, importing the very package this one belongs to."""
    package_root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "switch.relay",
        "--fd",
        str(descriptor),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        pass_fds=(descriptor,),
        env={**os.environ, "PYTHONPATH": path},
    )
