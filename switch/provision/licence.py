"""What a line may have by the licence of its plan (R-NUM-01 to -03, R-POL-08)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from switch.provision.objection import Objection

if TYPE_CHECKING:
    from rating.licence import Licence
    from switch.routing.lines import Line


def licence_objections(line: Line, licence: Licence) -> Iterator[Objection]:
    """Numbers, end users, calls, devices and equipment beyond the licence."""
    yield from _numbers(line, licence)
    if licence.end_users is not None and line.end_users > licence.end_users:
        most = _count(licence.end_users, "end user")
        yield Objection("R-NUM-03", f"end_users: {line.plan} has at most {most}, not {line.end_users}")
    for key, limit, noun in (
        ("max_calls", licence.max_calls, "call"),
        ("max_contacts", licence.max_contacts, "device"),
    ):
        asked: int = getattr(line, key)
        if limit is not None and asked > limit:
            told = f"{key}: {line.plan} has at most {_count(limit, noun)} at a time, not {asked}"
            yield Objection("R-POL-08", told)
    if line.sources and not licence.pabx:
        told = f"sources: {line.plan} is not for a PABX, gateway or grouped lines admitted by address"
        yield Objection("R-POL-08", told)


def _numbers(line: Line, licence: Licence) -> Iterator[Objection]:
    most = licence.most_numbers(line.end_users)
    if most is None or len(line.numbers) <= most:
        return
    told = f"numbers: {line.plan} has at most {_count(most, 'number')}"
    if licence.spare_numbers is None:
        yield Objection("R-NUM-01", f"{told} a licence, not {len(line.numbers)}")
    else:
        users = _count(line.end_users, "end user")
        yield Objection("R-NUM-02", f"{told} with {users}, not {len(line.numbers)}")


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
