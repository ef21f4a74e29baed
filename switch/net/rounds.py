"""Work done again and again in the background: at start, after every pause, and at once when asked."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress


class Rounds(ABC):
    """One task that does a round, then waits `pause_s` seconds or for `ask_now`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    @abstractmethod
    def pause_s(self) -> float:
        """Seconds between two rounds."""

    @abstractmethod
    async def _round(self) -> None:
        """Do it once. What it raises ends the rounds."""

    def start(self) -> None:
        """Do the first round now."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    def ask_now(self) -> None:
        """Something has changed: do a round at once, or again after the one that runs."""
        self._asked.set()

    async def close(self) -> None:
        """No more rounds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._asked.clear()
            await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pause_s):
                    await self._asked.wait()
