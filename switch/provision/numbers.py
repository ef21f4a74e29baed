"""Which numbers a line may have at its address (R-NUM-04 to -06, R-POR-05), and which may be its main one.

The main number is what a call shows when the phone asks for no other: a Belgian fixed or mobile number, for
0800, 070, 078, 090x and short numbers may not be presented (R-POL-06).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rating.zone import DestinationClass
from switch.provision.objection import Objection

if TYPE_CHECKING:
    from rating.zone import Destinations
    from switch.provision.zones import ZoneTable
    from switch.routing.lines import Line

FOREIGN_ZONE = "R-NUM-05"
MOVED = "R-NUM-06"
PORTED_IN = "R-POR-05"

MAIN = frozenset({DestinationClass.BE_FIXED, DestinationClass.BE_MOBILE})
GIVEN = MAIN | {DestinationClass.BE_FREEPHONE, DestinationClass.BE_078, DestinationClass.BE_PREMIUM}
"""What a line may be called by; only fixed numbers have a zone (R-NUM-04)."""


def number_objections(line: Line, destinations: Destinations) -> Iterator[Objection]:
    """Numbers that are nobody's to have, and a main number that may not be shown."""
    for number in line.numbers:
        found = destinations.classify(number)
        if found is None or found.cls not in GIVEN:
            yield Objection("R-NUM-04", f"{number} is no Belgian number that a line may have")
        elif number == line.number and not may_be_shown(number, destinations):
            told = f"{number} may not be shown to the called party: no main number"
            yield Objection("R-POL-06", told)


def zone_objections(
    numbers: Iterable[str], postcode: str, destinations: Destinations, zones: ZoneTable, rule: str
) -> Iterator[Objection]:
    """Fixed numbers whose zone does not serve a postcode, refused by `rule`; for a postcode that is none, the
    address is at fault and nothing is said here."""
    fixed = {number: zone for number in numbers if (zone := zone_of(number, destinations))}
    served = zones.of(postcode)
    if fixed and not served and len(postcode) == 4:
        yield Objection("R-NUM-04", f"no telephone zone is known for postcode {postcode}")
    for number, zone in fixed.items():
        if served and zone not in served:
            where = f"postcode {postcode} in zone {' or '.join(served)}"
            yield Objection(rule, f"{number} is of zone {zone}, {where}")


def may_be_shown(number: str, destinations: Destinations) -> bool:
    """Whether a number may be presented as who calls (R-POL-06)."""
    found = destinations.classify(number)
    return found is not None and found.cls in MAIN


def zone_of(number: str, destinations: Destinations) -> str:
    """The telephone zone of a fixed number; '' for any other."""
    found = destinations.classify(number)
    return found.zone if found is not None and found.cls is DestinationClass.BE_FIXED else ""


def postcode_of(line: Line) -> str:
    """The postcode of a line's registered address, as it is stored."""
    return str((line.address or {}).get("postcode", ""))
