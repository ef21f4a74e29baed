"""A line in Leuven, and the rules of the delivered configuration with two plans that are not sold yet."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from rating.licence import Licence
from switch.provision.objection import Objection
from switch.provision.rulebook import Rulebook
from switch.provision.zones import ZoneTable, read_zones
from switch.routing.lines import Line
from tests.switch.routing.support import make_line
from tests.torture.support import CONFIG, tables

LEUVEN = {
    "country": "BE",
    "postcode": "3001",
    "municipality": "Leuven",
    "street": "Naamsesteenweg",
    "number": "12",
    "name": "Bakkerij Peeters BV",
    "language": "nl",
}
TWO_GO = Licence(numbers=1, end_users=10, max_calls=2, max_contacts=1)
MULTI = Licence(spare_numbers=2, end_users=10, max_calls=30, max_contacts=10, pabx=True)


@lru_cache(maxsize=1)
def zones() -> ZoneTable:
    """The table that comes along."""
    table, faults = read_zones(CONFIG)
    assert not faults, faults
    return table


@lru_cache(maxsize=1)
def rules() -> Rulebook:
    """The rules, with the plans `multi` and `2-go`."""
    book, _ = tables()
    tariff = book.tariffs[0]
    classic = tariff.plans["classic"]
    more = {
        "multi": replace(classic, id="multi", licence=MULTI),
        "2-go": replace(classic, id="2-go", licence=TWO_GO),
    }
    return Rulebook(replace(tariff, plans={**tariff.plans, **more}), book.destinations, zones())


def line(**changes: Any) -> Line:
    """A line that nothing is wrong with, but for the changes."""
    given = {
        "address": LEUVEN,
        "end_user": "Bakkerij Peeters BV",
        "max_contacts": 1,
        "numbers": numbers(1),
        **changes,
    }
    return make_line("bakery", **given)


def numbers(count: int, first: int = 0) -> tuple[str, ...]:
    """So many numbers of Leuven."""
    return tuple(f"+3216{100_000 + number}" for number in range(first, first + count))


def refused(*objections: Objection) -> list[str]:
    """The ids of the rules."""
    return [objection.rule for objection in objections]
