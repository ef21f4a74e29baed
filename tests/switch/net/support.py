"""Words shared by the tests of the shell: a log that remembers, records, a disk with moods, patience."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from switch.net.store import Store
from switch.ports import CallAnswered, Moment
from switch.record import Cdr, Segment

PATIENCE_S = 5.0
NOW = Moment(1_000_000_000, 1_795_532_400_000_000_000)
Statements = list[tuple[str, list[Any]]]


class Log:
    """Takes the place of a structlog logger; `events` is what was said."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    def debug(self, event: str, **facts: Any) -> None:
        self.events.append(("debug", event, facts))

    def info(self, event: str, **facts: Any) -> None:
        self.events.append(("info", event, facts))

    def warning(self, event: str, **facts: Any) -> None:
        self.events.append(("warning", event, facts))

    def error(self, event: str, **facts: Any) -> None:
        self.events.append(("error", event, facts))

    def facts(self, event: str) -> list[dict[str, Any]]:
        """What was said under one name, in order."""
        return [facts for _, name, facts in self.events if name == event]


class Disk:
    """Stands before `Store.write`: lets batches through, holds them up, or refuses them.

    `batches` are those that were committed. A batch waits while `free` is not set; `faults` are raised one
    after the other, `late_faults` after the batch has been committed all the same.
    """

    def __init__(self, store: Store) -> None:
        self.batches: list[Statements] = []
        self.free = asyncio.Event()
        self.free.set()
        self.asked = 0
        self.faults: list[Exception] = []
        self.late_faults: list[Exception] = []
        self._write = store.write

    async def write(self, statements: Statements) -> None:
        self.asked += 1
        await self.free.wait()
        if self.faults:
            raise self.faults.pop(0)
        await self._write(statements)
        self.batches.append(statements)
        if self.late_faults:
            raise self.late_faults.pop(0)

    def recorded(self) -> list[list[str]]:
        """The call ids of the records of each batch."""
        return [
            [row[0] for sql, rows in batch if "INTO cdr" in sql for row in rows] for batch in self.batches
        ]


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that happens elsewhere in the loop."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


def cdr(call_id: str = "call-1", **changes: Any) -> Cdr:
    """The record of an answered call of twelve seconds."""
    values: dict[str, Any] = {
        "call_id": call_id,
        "line": "+3216234567",
        "origin": "line",
        "trunk": "carrier",
        "device": "Desk phone 1.0",
        "caller": "+3216234567",
        "dialled": "0478123456",
        "called": "+32478123456",
        "destination_class": "BE_MOBILE",
        "zone": "be_mobile",
        "emergency": False,
        "verdict": "allowed",
        "outcome": "answered",
        "status": 200,
        "cause": 16,
        "released_by": "caller",
        "invited_ms": 1_795_532_400_000,
        "ringing_ms": 1_795_532_401_000,
        "answered_ms": 1_795_532_402_000,
        "released_ms": 1_795_532_414_000,
        "post_dial_delay_ms": 1000,
        "setup_ms": 2000,
        "duration_s": 12,
        "plan": "classic",
        "options": ("anytime",),
        "tariff": "2026-01",
        "setup_fee": 0,
        "amount": 340,
        "segments": (Segment(0, 12, 1700, "tariff", True, "2026-11", "2026-01"),),
        "diversions": (),
        "flags": ("no-media",),
    }
    return Cdr(**{**values, **changes})


def answered(call_id: str = "call-1") -> CallAnswered:
    """The entry of a call that has been answered."""
    return CallAnswered(call_id, NOW, cdr(call_id, outcome="answered", amount=0), ({"dialog": None}, {}))
