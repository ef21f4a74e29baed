"""What was found of fraud and done about it, in the database: read for a start and for the operator, lifted
here when no switch is running. A running switch writes through `switch.net.journal`."""

from __future__ import annotations

import json
from typing import Any

from switch.fraud.seen import MOST
from switch.net.store import Store
from switch.ports import FirstSeen, LineMeasure

_COLUMNS = "user, number, rule, action, at_ms, facts, secret"
_IN_FORCE = "lifted_ms IS NULL AND action <> 'alert'"


async def measures_in_force(store: Store) -> list[LineMeasure]:
    """What was done to lines and not taken back, oldest first."""
    query = f"SELECT {_COLUMNS} FROM fraud_finding WHERE {_IN_FORCE} ORDER BY at_ms, id"
    async with store.connection.execute(query) as cursor:
        return [
            LineMeasure(user, number, rule, action, at_ms, json.loads(facts), secret)
            async for user, number, rule, action, at_ms, facts, secret in cursor
        ]


async def first_seen(store: Store) -> list[FirstSeen]:
    """What lines were seen with, oldest first, as much of each kind as is remembered of a line."""
    rows: list[FirstSeen] = []
    for kind, most in MOST.items():
        query = (
            "SELECT user, kind, value, at_ms FROM (SELECT *, ROW_NUMBER() OVER"
            " (PARTITION BY user ORDER BY at_ms DESC, value) AS place FROM first_seen WHERE kind = ?)"
            " WHERE place <= ? ORDER BY at_ms, value"
        )
        async with store.connection.execute(query, (kind, most)) as cursor:
            rows += [FirstSeen(*row) async for row in cursor]
    return rows


async def findings(store: Store, limit: int) -> list[dict[str, Any]]:
    """The latest findings, newest first; `lifted_ms` is None where nothing was taken back."""
    query = (
        "SELECT user, number, rule, action, at_ms, facts, lifted_ms, lifted_by FROM fraud_finding"
        " ORDER BY at_ms DESC, id LIMIT ?"
    )
    names = ("user", "line", "rule", "action", "at_ms", "facts", "lifted_ms", "lifted_by")
    async with store.connection.execute(query, (limit,)) as cursor:
        rows = [dict(zip(names, row, strict=True)) async for row in cursor]
    return [row | {"facts": json.loads(row["facts"])} for row in rows]


async def lift(store: Store, user: str, at_ms: int, by: str) -> int:
    """Take back whatever is in force against a line while no switch is running; how much that was."""
    query = f"UPDATE fraud_finding SET lifted_ms = ?, lifted_by = ? WHERE user = ? AND {_IN_FORCE}"
    cursor = await store.connection.execute(query, (at_ms, by, user))
    return cursor.rowcount
