"""Numbers with their registered addresses, written for the national number database (R-EMG-02).

One flat record a number, as CSV with a header row (RFC 4180) or as a JSON object a line, both in UTF-8. How
they are handed over is the operator's affair.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emergency.location import Address
from rating.calendar import BRUSSELS

if TYPE_CHECKING:
    from switch.net.store import Registered

HOUSE_NUMBER = "house_number"
"""The field `number` of an address; `number` is the telephone number here."""

_PLACE = {field.name: HOUSE_NUMBER if field.name == "number" else field.name for field in fields(Address)}
COLUMNS = (
    "action",
    "number",
    "name",
    *(name for name in _PLACE.values() if name != "name"),
    "nomadic",
    "valid_from",
)


def record_of(registered: Registered) -> dict[str, Any]:
    """What is told of one number: all of it (`set`), or that it is in use no more (`remove`)."""
    valid_from = datetime.fromtimestamp(registered.since_ms // 1000, BRUSSELS).isoformat()
    entry = registered.entry
    if entry is None:
        return {"action": "remove", "number": registered.number, "valid_from": valid_from}
    address = entry["address"] or {}
    told = {
        "action": "set",
        "number": registered.number,
        "nomadic": entry["nomadic"],
        "valid_from": valid_from,
    }
    told |= {column: str(address.get(name, "")) for name, column in _PLACE.items()}
    return {column: told[column] for column in COLUMNS}


def as_csv(records: Iterable[dict[str, Any]]) -> str:
    """A header row and a row a record; nomadic is `yes` or `no`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for record in records:
        nomadic = {"nomadic": "yes" if record["nomadic"] else "no"} if "nomadic" in record else {}
        writer.writerow(record | nomadic)
    return out.getvalue()


def as_jsonl(records: Iterable[dict[str, Any]]) -> str:
    """An object a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def day_start_ms(day: date) -> int:
    """When a day begins in Belgium, UTC milliseconds."""
    return int(datetime.combine(day, time(), BRUSSELS).timestamp()) * 1000


def write_whole(file: Path, text: str) -> None:
    """The file with this text, for its owner only; never half of it under that name.

    Raises:
        OSError.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with open(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
        ) as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise
