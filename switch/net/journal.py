"""The one writer: entries of the core into the database, in batches, never losing one and never holding up a
call.

Entries wait in memory until a batch is committed; a disk that is slow or full makes the queue longer, and
at `queue_max` the core is told to take no new calls. What was promised for calls already running is still
taken. Entries are written so that writing one twice changes nothing; a failed batch is simply tried again.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, astuple
from typing import Any

from switch.net.store import CDR_FIELDS, Store, cdr_values, printable, storable, threshold_id
from switch.ports import (
    BindingRemoved,
    BindingSaved,
    CallAnswered,
    CallEnded,
    CallerWithheld,
    CallMarked,
    EmergencyLogged,
    Entry,
    FirstSeen,
    LineMeasure,
    MeasureLifted,
    MediaMeasured,
    Moment,
    ServicesSaved,
    ThresholdCrossed,
)

BATCH = 500
ALIVE_EVERY_S = 5
_UNWRITABLE = (
    ValueError,
    TypeError,
    OverflowError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
)
_MARKS = ", ".join("?" * len(CDR_FIELDS))
_INSERT_CDR = f"INSERT OR IGNORE INTO cdr ({', '.join(CDR_FIELDS)}) VALUES ({_MARKS})"

_INSERT_FINDING = (
    "INSERT OR IGNORE INTO fraud_finding (id, user, number, rule, action, at_ms, facts, secret)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


class Journal:
    """Takes entries at once, writes them soon, says when they are on disk; `on_notice` is told when one is
    there for the operator's endpoint."""

    def __init__(
        self,
        store: Store,
        *,
        queue_max: int,
        commit_s: float,
        now: Callable[[], Moment],
        on_full: Callable[[bool], None],
        log: Any,
        on_notice: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._queue_max = queue_max
        self._commit_s = commit_s
        self._now = now
        self._on_full = on_full
        self._on_notice = on_notice
        self._log = log
        self._queue: deque[Entry] = deque()
        self._bindings: dict[tuple[str, str], BindingSaved | BindingRemoved] = {}
        self._bindings_leaving = 0
        self._waiting: list[Callable[[], None]] = []
        self._wanted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        self._running_calls: set[str] = set()
        self.full = False
        self.written = 0
        self.failures = 0
        self.set_aside = 0
        self.healthy = True

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="journal")

    @property
    def queued(self) -> int:
        """Entries not yet on disk, those being written included."""
        return len(self._queue) + len(self._bindings) + self._bindings_leaving

    def append(self, entry: Entry, on_disk: Callable[[], None] | None = None) -> None:
        """Take an entry; `on_disk` is called when it and everything before it is committed."""
        if isinstance(entry, BindingSaved | BindingRemoved):
            self._bindings[entry.user, entry.contact] = entry  # only the last state of a binding matters
        else:
            self._queue.append(entry)
        if on_disk is not None:
            self._waiting.append(on_disk)
        self._idle.clear()
        self._wanted.set()
        if not self.full and len(self._queue) >= self._queue_max:
            self.full = True
            self._on_full(True)

    async def flush(self) -> None:
        """Wait until everything taken so far is on disk."""
        await self._idle.wait()

    async def close(self, timeout_s: float) -> bool:
        """Write what is left and stop; False when that could not be done in time."""
        try:
            await asyncio.wait_for(self.flush(), timeout_s)
        except TimeoutError:
            self._log.error("journal_not_written", entries=self.queued)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        return self.queued == 0

    async def _run(self) -> None:
        """One batch after another, at most one every `commit_s`."""
        pause_s = self._commit_s
        while True:
            try:
                async with asyncio.timeout(ALIVE_EVERY_S):
                    await self._wanted.wait()
            except TimeoutError:
                if not self._running_calls:
                    continue
            else:
                await asyncio.sleep(pause_s)
            pause_s = self._commit_s if await self._write_batch() else min(max(2 * pause_s, 0.2), 5.0)

    async def _write_batch(self) -> bool:
        """Commit what is there, up to a batch; False when the database refused."""
        count = min(len(self._queue), BATCH)
        entries = [self._queue[index] for index in range(count)]
        bindings, self._bindings = self._bindings, {}
        self._bindings_leaving = len(bindings)
        waiting, self._waiting = (self._waiting, []) if count == len(self._queue) else ([], self._waiting)
        self._wanted.clear()
        try:
            await self._commit_all(entries, bindings)
        except Exception as error:  # whatever it is: nothing taken may be lost, and readiness says so
            self.failures += 1
            if self.healthy:
                self._log.error("journal_failing", error=str(error), queued=self.queued)
            self.healthy = False
            self._bindings, self._bindings_leaving = {**bindings, **self._bindings}, 0
            self._waiting = [*waiting, *self._waiting]
            self._wanted.set()
            return False
        if not self.healthy:
            self._log.info("journal_recovered", queued=self.queued)
        self.healthy = True
        self._bindings_leaving = 0
        self.written += count + len(bindings)
        for _ in range(count):
            self._queue.popleft()
        for on_disk in waiting:
            on_disk()
        if self.full and len(self._queue) <= self._queue_max // 2:
            self.full = False
            self._on_full(False)
        if self.queued:
            self._wanted.set()
        else:
            self._idle.set()
        return True

    async def _commit_all(
        self, entries: list[Entry], bindings: dict[tuple[str, str], BindingSaved | BindingRemoved]
    ) -> None:
        """One transaction for all; where the database cannot take one of them for what is in it, each
        alone, so that one bad row holds up no other. What cannot be written at all goes to the log, whole."""
        try:
            await self._commit(entries, bindings)
        except _UNWRITABLE:
            parts: list[tuple[list[Entry], dict[tuple[str, str], BindingSaved | BindingRemoved]]]
            parts = [([entry], {}) for entry in entries] + [([], {key: b}) for key, b in bindings.items()]
            for some, others in parts:
                try:
                    await self._commit(some, others)
                except _UNWRITABLE as error:
                    self.set_aside += 1
                    self._log.error(
                        "entry_set_aside", error=str(error), entry=ascii([*some, *others.values()])
                    )

    async def _commit(
        self, entries: list[Entry], bindings: dict[tuple[str, str], BindingSaved | BindingRemoved]
    ) -> None:
        """One transaction: few statements, each with many rows."""
        answered, ended, over, used, measured, crossed, helped = [], [], [], [], [], [], []
        set_services, withheld, marked = [], [], []
        found, lifted, seen = [], [], []
        for entry in entries:
            match entry:
                case CallAnswered():
                    pending = json.dumps(entry.pending.as_dict())
                    dialogs = json.dumps(entry.dialogs)
                    paid_by = json.dumps(entry.paid_by)
                    answered.append((entry.call_id, *entry.answered, pending, dialogs, paid_by))
                    self._running_calls.add(entry.call_id)
                case CallEnded():
                    ended.append(cdr_values(entry.cdr))
                    over.append((entry.cdr.call_id,))
                    used += [(entry.cdr.call_id, use.month, entry.account, *use[1:]) for use in entry.uses]
                    self._running_calls.discard(entry.cdr.call_id)
                case MediaMeasured():
                    measured.append((json.dumps(entry.media), entry.call_id))
                case EmergencyLogged():
                    body = json.dumps(asdict(entry))
                    helped.append((entry.call_id, entry.at_ms, entry.account, printable(body)))
                case ServicesSaved():
                    set_services.append((entry.user, json.dumps(entry.values)))
                case CallerWithheld():
                    withheld.append((entry.call_id, printable(entry.number), entry.at_ms))
                case CallMarked():
                    marked.append(tuple(map(storable, astuple(entry))))
                case LineMeasure():
                    facts = json.dumps(entry.facts)
                    values = (entry.user, entry.number, entry.rule, entry.action, entry.at_ms, facts)
                    found.append((entry.id, *values, entry.secret))
                case MeasureLifted():
                    lifted += [(entry.at_ms, entry.by, one) for one in entry.ids]
                case FirstSeen():
                    seen.append(astuple(entry))
                case ThresholdCrossed():
                    crossed.append((threshold_id(entry), *astuple(entry)))
        saved = [
            (b.user, printable(b.contact), b.expires_wall_ns, json.dumps(b.state))
            for b in bindings.values()
            if isinstance(b, BindingSaved)
        ]
        removed = [(b.user, printable(b.contact)) for b in bindings.values() if isinstance(b, BindingRemoved)]
        statements: list[tuple[str, list[Any]]] = [
            ("INSERT OR REPLACE INTO running_call VALUES (?, ?, ?, ?, ?, ?)", answered),
            (_INSERT_CDR, ended),
            ("INSERT OR IGNORE INTO usage VALUES (?, ?, ?, ?, ?, ?)", used),
            ("INSERT OR IGNORE INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", crossed),
            ("INSERT OR IGNORE INTO emergency_call VALUES (?, ?, ?, ?)", helped),
            ("INSERT OR REPLACE INTO service VALUES (?, ?)", set_services),
            ("INSERT OR IGNORE INTO withheld_caller VALUES (?, ?, ?)", withheld),
            ("INSERT OR IGNORE INTO marked_call VALUES (?, ?, ?, ?, ?, ?, ?, ?)", marked),
            (_INSERT_FINDING, found),
            (
                "UPDATE fraud_finding SET lifted_ms = ?, lifted_by = ? WHERE id = ? AND lifted_ms IS NULL",
                lifted,
            ),
            ("INSERT OR IGNORE INTO first_seen VALUES (?, ?, ?, ?)", seen),
            ("DELETE FROM running_call WHERE call_id = ?", over),
            ("UPDATE cdr SET media = ? WHERE call_id = ?", measured),
            ("INSERT OR REPLACE INTO binding VALUES (?, ?, ?, ?)", saved),
            ("DELETE FROM binding WHERE user = ? AND contact = ?", removed),
            ("INSERT OR REPLACE INTO meta VALUES ('alive', ?)", [("{} {}".format(*self._now()),)]),
        ]
        await self._store.write([(sql, rows) for sql, rows in statements if rows])
        if crossed or found:
            self._on_notice()
