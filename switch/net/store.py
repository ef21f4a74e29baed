"""The database: lines, bindings, running calls and records, in SQLite (WAL, synchronous FULL).

`Store` opens it and reads; the switch itself writes through `switch.net.journal` only, on this one
connection. The command line opens the same file for lines and records while a switch is running: WAL lets
it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import aiosqlite

from rating.charge import Use
from switch.net.clock import SystemClock
from switch.ports import NS_PER_MS, CallAnswered, CallMarked, Moment, PaidBy, ThresholdCrossed
from switch.record import Cdr
from switch.routing.lines import Line
from switch.sip.auth import Account

SCHEMA_VERSION = 3
FILE = "belswitch.sqlite"

_PLAIN = (
    "end_user",
    "end_users",
    "agreement",
    "guarantee",
    "abroad",
    "withhold",
    "state_reason",
    "disputed",
    "terminated_on",
)
"""What of a line is stored under its own name as it is."""

_JSON_FIELDS = ("options", "segments", "diversions", "flags")
CDR_FIELDS = tuple(field.name for field in fields(Cdr))
_INTEGERS = frozenset(f.name for f in fields(Cdr) if "int" in str(f.type) or str(f.type) == "bool")
_MARKED = ", ".join(field.name for field in fields(CallMarked))
_THRESHOLD = ", ".join(field.name for field in fields(ThresholdCrossed))
_CDR_COLUMNS = ", ".join(
    f"{name} {'INTEGER' if name in _INTEGERS else 'TEXT'}{' PRIMARY KEY' if name == 'call_id' else ''}"
    for name in CDR_FIELDS
)

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE line (user TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE line_number (
    number TEXT PRIMARY KEY, user TEXT NOT NULL REFERENCES line ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE registered (number TEXT PRIMARY KEY, entry TEXT, since_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX registered_by_time ON registered (since_ms);
CREATE TABLE binding (
    user TEXT, contact TEXT, expires_ns INTEGER, state TEXT, PRIMARY KEY (user, contact)
) WITHOUT ROWID;
CREATE TABLE running_call (
    call_id TEXT PRIMARY KEY, mono_ns INTEGER, wall_ns INTEGER, pending TEXT, dialogs TEXT, paid_by TEXT
);
CREATE TABLE usage (
    call_id TEXT, month TEXT, account TEXT, seconds INTEGER, bundle_s INTEGER, amount INTEGER,
    PRIMARY KEY (call_id, month)
) WITHOUT ROWID;
CREATE INDEX usage_by_month ON usage (month, account, seconds, bundle_s, amount);
CREATE TABLE threshold (
    id TEXT PRIMARY KEY, account TEXT, line TEXT, kind TEXT, month TEXT, used INTEGER, allowed INTEGER,
    at_ms INTEGER, delivered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE emergency_call (
    call_id TEXT PRIMARY KEY, at_ms INTEGER, account TEXT, body TEXT
) WITHOUT ROWID;
CREATE TABLE service (user TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
CREATE TABLE withheld_caller (call_id TEXT PRIMARY KEY, number TEXT, at_ms INTEGER) WITHOUT ROWID;
CREATE TABLE marked_call (
    call_id TEXT, account TEXT, line TEXT, number TEXT, withheld INTEGER, trunk TEXT, call_at_ms INTEGER,
    at_ms INTEGER, PRIMARY KEY (call_id, account)
) WITHOUT ROWID;
CREATE TABLE looked_at (at_ms INTEGER, what TEXT, reason TEXT, entries INTEGER);
CREATE INDEX emergency_call_by_time ON emergency_call (at_ms);
CREATE INDEX threshold_undelivered ON threshold (at_ms) WHERE NOT delivered;
CREATE TABLE fraud_finding (
    id TEXT PRIMARY KEY, user TEXT, number TEXT, rule TEXT, action TEXT, at_ms INTEGER, facts TEXT,
    secret TEXT, lifted_ms INTEGER, lifted_by TEXT, delivered INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX fraud_finding_by_time ON fraud_finding (at_ms);
CREATE INDEX fraud_finding_in_force ON fraud_finding (user) WHERE lifted_ms IS NULL AND action <> 'alert';
CREATE INDEX fraud_finding_undelivered ON fraud_finding (at_ms) WHERE NOT delivered;
CREATE TABLE first_seen (
    user TEXT, kind TEXT, value TEXT, at_ms INTEGER, PRIMARY KEY (user, kind, value)
) WITHOUT ROWID;
CREATE TABLE cdr ({_CDR_COLUMNS}, media TEXT);
CREATE INDEX cdr_by_time ON cdr (invited_ms);
CREATE INDEX cdr_by_line ON cdr (line, invited_ms);
PRAGMA user_version = {SCHEMA_VERSION};
"""


@dataclass(frozen=True, slots=True)
class Registered:
    """A number and where it is registered, as the national database wants to know (R-EMG-02): `entry` holds
    `address` and `nomadic`, and is None once the number is in use no more; `since_ms` is when it became so,
    UTC."""

    number: str
    entry: dict[str, Any] | None
    since_ms: int


class StoreError(Exception):
    """The database cannot be used; the message says why and what would help."""


class Clash(Exception):
    """A line's user or number is taken by another line."""


class Store:
    """One connection to the database of a data directory."""

    def __init__(self, connection: aiosqlite.Connection, path: Path, now: Callable[[], Moment]) -> None:
        self.connection = connection
        self.path = path
        self._now = now

    @classmethod
    async def open(cls, directory: Path, now: Callable[[], Moment] | None = None) -> Store:
        """Open the database, creating directory and file when they are missing, readable by their owner only;
        `now` dates the changes of lines.

        Raises:
            StoreError.
        """
        path = directory / FILE
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = await aiosqlite.connect(path, isolation_level=None, timeout=10)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{path}: {error}") from error
        try:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                await connection.execute(f"PRAGMA {pragma}")
            await cls._migrate(connection)
        except (sqlite3.Error, StoreError) as error:
            await connection.close()
            raise StoreError(f"{path}: {error}") from error
        return cls(connection, path, now or SystemClock().moment)

    @staticmethod
    async def _migrate(connection: aiosqlite.Connection) -> None:
        await connection.execute("BEGIN IMMEDIATE")
        async with connection.execute("PRAGMA user_version") as cursor:
            row = await cursor.fetchone()
        version = row[0] if row is not None else 0
        if version == 0:
            for statement in _SCHEMA.split(";\n"):
                if statement.strip():
                    await connection.execute(statement)
        elif version != SCHEMA_VERSION:
            raise StoreError(
                f"the database has version {version}; this belswitch knows version {SCHEMA_VERSION}"
            )
        await connection.commit()

    async def close(self) -> None:
        """Close the connection; its thread would keep the process alive."""
        await self.connection.close()

    # --- lines ----------------------------------------------------------------------------------------------

    async def lines(self) -> list[Line]:
        """Every line."""
        async with self.connection.execute("SELECT user, body FROM line ORDER BY user") as cursor:
            return [line_of(user, json.loads(body)) async for user, body in cursor]

    async def put_lines(self, lines: Iterable[Line], *, replace: bool) -> None:
        """Add lines, all or none; with `replace`, a line with the same user is written over.

        Raises:
            Clash: a user (without `replace`) or a number is taken.
        """
        connection = self.connection
        await connection.execute("BEGIN IMMEDIATE")
        try:
            for line in lines:
                if replace:
                    await self._unregister(line.user, keep=() if line.gone else line.numbers)
                    await connection.execute("DELETE FROM line WHERE user = ?", (line.user,))
                try:
                    await connection.execute(
                        "INSERT INTO line VALUES (?, ?)", (line.user, json.dumps(body_of(line)))
                    )
                except sqlite3.IntegrityError as error:
                    raise Clash(f"user {line.user} exists already") from error
                for number in line.numbers:
                    try:
                        await connection.execute("INSERT INTO line_number VALUES (?, ?)", (number, line.user))
                    except sqlite3.IntegrityError as error:
                        raise Clash(f"number {number} belongs to another line") from error
                if not line.gone:
                    await self._register(line)
        except BaseException:
            await connection.rollback()
            raise
        await connection.commit()

    async def remove_line(self, user: str) -> bool:
        """Remove a line with its bindings and all that was done to it for fraud: another line may be called
        so some day. False when there is none. Its records stay."""
        connection = self.connection
        await connection.execute("BEGIN IMMEDIATE")
        try:
            await self._unregister(user)
            cursor = await connection.execute("DELETE FROM line WHERE user = ?", (user,))
            await connection.execute("DELETE FROM binding WHERE user = ?", (user,))
            await connection.execute("DELETE FROM service WHERE user = ?", (user,))
            await connection.execute("DELETE FROM first_seen WHERE user = ?", (user,))
            await connection.execute(
                "UPDATE fraud_finding SET lifted_ms = ?, lifted_by = 'line removed'"
                " WHERE user = ? AND lifted_ms IS NULL AND action <> 'alert'",
                (self._now_ms(), user),
            )
        except BaseException:
            await connection.rollback()
            raise
        await connection.commit()
        return cursor.rowcount > 0

    # --- registered addresses -------------------------------------------------------------------------------

    async def registered(self, since_ms: int = 0) -> list[Registered]:
        """Numbers with their registered addresses, and those in use no more; with `since_ms`, what has
        changed from then on."""
        query = "SELECT number, entry, since_ms FROM registered WHERE since_ms >= ? ORDER BY number"
        async with self.connection.execute(query, (since_ms,)) as cursor:
            return [
                Registered(number, json.loads(entry) if entry is not None else None, changed_ms)
                async for number, entry, changed_ms in cursor
            ]

    async def _register(self, line: Line) -> None:
        """Its numbers are at its address; a time is only written where that is new."""
        entry = json.dumps({"address": line.address, "nomadic": line.nomadic}, sort_keys=True)
        await self.connection.executemany(
            "INSERT INTO registered VALUES (?, ?, ?) ON CONFLICT (number) DO UPDATE"
            " SET entry = excluded.entry, since_ms = excluded.since_ms WHERE entry IS NOT excluded.entry",
            [(number, entry, self._now_ms()) for number in line.numbers],
        )

    async def _unregister(self, user: str, keep: Sequence[str] = ()) -> None:
        """The numbers of a stored line are in use no more, but for those it keeps. One that was not (of a
        terminated line) keeps its time."""
        query = "SELECT number FROM line_number WHERE user = ?"
        async with self.connection.execute(query, (user,)) as cursor:
            gone = [number async for (number,) in cursor if number not in keep]
        await self.connection.executemany(
            "UPDATE registered SET entry = NULL, since_ms = ? WHERE number = ? AND entry IS NOT NULL",
            [(self._now_ms(), number) for number in gone],
        )

    def _now_ms(self) -> int:
        return self._now().wall_ns // NS_PER_MS

    # --- what a start needs ---------------------------------------------------------------------------------

    async def bindings(self) -> list[tuple[str, str, int, dict[str, Any]]]:
        """User, contact, expiry and state of every stored binding."""
        async with self.connection.execute("SELECT user, contact, expires_ns, state FROM binding") as cursor:
            return [
                (user, contact, expires_ns, json.loads(state))
                async for user, contact, expires_ns, state in cursor
            ]

    async def running_calls(self) -> list[CallAnswered]:
        """Calls that were answered and have no record: a restart ended them."""
        async with self.connection.execute("SELECT * FROM running_call") as cursor:
            return [
                CallAnswered(
                    call_id,
                    Moment(mono_ns, wall_ns),
                    Cdr.from_dict(json.loads(pending)),
                    tuple(json.loads(dialogs)),
                    PaidBy(*json.loads(paid_by)) if json.loads(paid_by) is not None else None,
                )
                async for call_id, mono_ns, wall_ns, pending, dialogs, paid_by in cursor
            ]

    async def uses(self, month: str, account: str | None = None) -> list[tuple[str, Use]]:
        """What each account has used from this month on, settled calls only, by account and month."""
        where, values = ("AND account = ?", [account]) if account is not None else ("", [])
        query = (
            "SELECT account, month, SUM(seconds), SUM(bundle_s), SUM(amount) FROM usage"
            f" WHERE month >= ? {where} GROUP BY account, month ORDER BY account, month"
        )
        async with self.connection.execute(query, [month, *values]) as cursor:
            return [(row[0], Use(*row[1:])) async for row in cursor]

    async def thresholds(self, month: str) -> list[ThresholdCrossed]:
        """The thresholds crossed from this month on, oldest first."""
        query = f"SELECT {_THRESHOLD} FROM threshold WHERE month >= ? ORDER BY at_ms, id"
        async with self.connection.execute(query, [month]) as cursor:
            return [ThresholdCrossed(*row) async for row in cursor]

    async def emergency_calls(self, since_ms: int, limit: int = 100_000) -> list[dict[str, Any]]:
        """The log of calls for help begun since then (R-EMG-12), newest first."""
        query = "SELECT body FROM emergency_call WHERE at_ms >= ? ORDER BY at_ms DESC, call_id LIMIT ?"
        async with self.connection.execute(query, [since_ms, limit]) as cursor:
            return [json.loads(row[0]) async for row in cursor]

    async def services(self) -> list[tuple[str, dict[str, Any]]]:
        """What subscribers have set, by user."""
        async with self.connection.execute("SELECT user, body FROM service ORDER BY user") as cursor:
            return [(user, json.loads(body)) async for user, body in cursor]

    async def marked_calls(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Calls that were marked as malicious, with the caller's true number (R-MAL-01), newest first."""
        query = f"SELECT {_MARKED} FROM marked_call ORDER BY at_ms DESC, call_id LIMIT ?"
        async with self.connection.execute(query, [limit]) as cursor:
            return [asdict(CallMarked(*row)) | {"withheld": bool(row[4])} async for row in cursor]

    async def note_look(self, what: str, reason: str, entries: int) -> None:
        """Somebody looks at what is not for everybody: kept with the reason he gives."""
        row = (self._now_ms(), what, printable(reason)[:500], entries)
        await self.write([("INSERT INTO looked_at VALUES (?, ?, ?, ?)", [row])])

    # --- the outbox of notices ------------------------------------------------------------------------------

    async def undelivered(self, limit: int) -> list[tuple[str, dict[str, Any]]]:
        """Thresholds and findings of fraud that the operator's endpoint has not been told of: id and body,
        oldest first."""
        query = f"SELECT id, {_THRESHOLD} FROM threshold WHERE NOT delivered ORDER BY at_ms, id LIMIT ?"
        async with self.connection.execute(query, [limit]) as cursor:
            crossed = [(row[0], asdict(ThresholdCrossed(*row[1:]))) async for row in cursor]
        query = (
            "SELECT id, user, number, rule, action, at_ms, facts FROM fraud_finding"
            " WHERE NOT delivered ORDER BY at_ms, id LIMIT ?"
        )
        async with self.connection.execute(query, [limit]) as cursor:
            found = [(row[0], _fraud_notice(*row[1:])) async for row in cursor]
        return sorted([*crossed, *found], key=lambda notice: notice[1]["at_ms"])[:limit]

    async def delivered(self, ids: Sequence[str]) -> None:
        """They have been told."""
        rows = [(one,) for one in ids]
        tables = ("threshold", "fraud_finding")  # no id is in both
        await self.write([(f"UPDATE {table} SET delivered = 1 WHERE id = ?", rows) for table in tables])

    async def alive(self) -> Moment:
        """When the switch last wrote that it lives, by its own clocks; zeros for never."""
        async with self.connection.execute("SELECT value FROM meta WHERE key = 'alive'") as cursor:
            row = await cursor.fetchone()
        mono_ns, wall_ns = row[0].split() if row is not None else ("0", "0")
        return Moment(int(mono_ns), int(wall_ns))

    async def write(self, statements: list[tuple[str, list[Any]]]) -> None:
        """Carry out statements, each for many rows, in one transaction and one visit to the connection's
        thread.

        Raises:
            sqlite3.Error: nothing was written.

        """

        def carry_out() -> None:
            raw = self.connection._conn
            raw.execute("BEGIN IMMEDIATE")
            try:
                for sql, rows in statements:
                    raw.executemany(sql, rows)
                raw.execute("COMMIT")
            except BaseException:
                raw.rollback()
                raise

        await self.connection._execute(carry_out)  # type: ignore[no-untyped-call]

    # --- records --------------------------------------------------------------------------------------------

    async def cdrs(self, *, line: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """The latest records, newest first, with their media counts."""
        where, values = ("WHERE line = ?", [line]) if line else ("", [])
        columns = ", ".join((*CDR_FIELDS, "media"))
        query = f"SELECT {columns} FROM cdr {where} ORDER BY invited_ms DESC, call_id LIMIT ?"
        async with self.connection.execute(query, [*values, limit]) as cursor:
            return [_cdr_row(row) async for row in cursor]

    async def family(self, call_id: str) -> list[dict[str, Any]]:
        """The record of a call with those that it caused and that caused it, in the order of the calls."""
        found = await self._cdrs_where("call_id = ?", call_id)
        while found and found[0]["caused_by"]:
            cause = await self._cdrs_where("call_id = ?", found[0]["caused_by"])
            if not cause:
                break
            found = cause
        if not found:
            return []
        first = found[0]
        within = first["invited_ms"], first["released_ms"]
        names = {first["call_id"]}
        for row in await self._cdrs_where("caused_by <> '' AND invited_ms BETWEEN ? AND ?", *within):
            if row["caused_by"] in names:
                names.add(row["call_id"])
                found.append(row)
        return found

    async def _cdrs_where(self, condition: str, *values: Any) -> list[dict[str, Any]]:
        columns = ", ".join((*CDR_FIELDS, "media"))
        query = f"SELECT {columns} FROM cdr WHERE {condition} ORDER BY invited_ms, call_id"
        async with self.connection.execute(query, values) as cursor:
            return [_cdr_row(row) async for row in cursor]


def cdr_values(cdr: Cdr) -> list[Any]:
    """A record as the values of its row, in the order of `CDR_FIELDS`."""
    values = cdr.as_dict()
    return [_listed(value) if name in _JSON_FIELDS else storable(value) for name, value in values.items()]


def threshold_id(crossed: ThresholdCrossed) -> str:
    """One account is told of one threshold once a month, and again where what is allowed has changed."""
    return f"{crossed.account}:{crossed.month}:{crossed.kind}:{crossed.allowed}"


def _fraud_notice(user: str, number: str, rule: str, action: str, at_ms: int, facts: str) -> dict[str, Any]:
    """A finding as the operator's endpoint is told of it, like a threshold as far as it goes."""
    return {
        "account": user,
        "line": number,
        "kind": f"fraud:{rule}",
        "action": action,
        "facts": json.loads(facts),
        "at_ms": at_ms,
    }


def printable(text: str) -> str:
    """Text as SQLite can hold it. What a phone sends need not be UTF-8; bytes that are not stay readable as
    escapes, rather than being refused by the database for ever."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _listed(value: Any) -> str:
    """A list as JSON; most of them are empty."""
    return json.dumps(value) if value else "[]"


def storable(value: Any) -> Any:
    """A value as SQLite can hold it."""
    return printable(value) if isinstance(value, str) else value


def _cdr_row(row: Any) -> dict[str, Any]:
    record = dict(zip((*CDR_FIELDS, "media"), row, strict=True))
    for name in (*_JSON_FIELDS, "media"):
        record[name] = json.loads(record[name]) if record[name] else None
    record["emergency"] = bool(record["emergency"])
    return record


def body_of(line: Line) -> dict[str, Any]:
    """A line as JSON can hold it, without its user."""
    return {
        "numbers": list(line.numbers),
        "ha1": dict(line.account.ha1),
        "algorithms": list(line.account.algorithms),
        "lenient": line.account.lenient,
        "plan": line.plan,
        "options": list(line.options),
        "state": line.state,
        "kind": line.kind,
        "address": line.address,
        "max_contacts": line.max_contacts,
        "max_calls": line.max_calls,
        "sources": list(line.sources),
        "cap": line.cap,
        "concluded": line.concluded,
        "premium": line.premium,
        **{name: getattr(line, name) for name in _PLAIN},
        "devices": list(line.devices),
    }


def line_of(user: str, body: dict[str, Any]) -> Line:
    """The inverse of `body_of`."""
    return Line(
        user=user,
        numbers=tuple(body["numbers"]),
        account=Account(body["ha1"], tuple(body["algorithms"]), body["lenient"]),
        plan=body["plan"],
        options=tuple(body["options"]),
        state=body["state"],
        kind=body["kind"],
        address=body["address"],
        max_contacts=body["max_contacts"],
        max_calls=body["max_calls"],
        sources=tuple(body["sources"]),
        cap=body.get("cap", ""),
        concluded=body.get("concluded", ""),
        premium=body.get("premium", False),
        devices=tuple(body.get("devices", ())),
        **{name: body[name] for name in _PLAIN if name in body},
    )
