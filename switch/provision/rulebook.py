"""Everything a line is held against: `Rulebook.objections` of a new line, `changes` of one that was there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rating.licence import UNLIMITED, Licence
from switch.provision.devices import device_objections
from switch.provision.licence import licence_objections
from switch.provision.numbers import (
    FOREIGN_ZONE,
    MOVED,
    PORTED_IN,
    number_objections,
    postcode_of,
    zone_objections,
)
from switch.provision.objection import Objection
from switch.provision.porting import holder_objections
from switch.provision.state import end_user_objections, state_objections

if TYPE_CHECKING:
    from rating.tariff import Tariff
    from rating.zone import Destinations
    from switch.provision.zones import ZoneTable
    from switch.routing.lines import Line


@dataclass(frozen=True, slots=True)
class Rulebook:
    """The rules with their data: the tariff in force, the numbering, the zones of addresses."""

    tariff: Tariff
    destinations: Destinations
    zones: ZoneTable

    def licence(self, plan: str) -> Licence:
        """That of a plan; one that the tariff does not have is refused elsewhere."""
        known = self.tariff.plans.get(plan)
        return known.licence if known is not None else UNLIMITED

    def objections(self, line: Line) -> tuple[Objection, ...]:
        """All that is wrong with a line, whatever it was before."""
        return (*self._of_itself(line), *self._zones(line.numbers, line, FOREIGN_ZONE))

    def changes(self, old: Line, new: Line) -> tuple[Objection, ...]:
        """What is wrong with a changed line and was not before: a rule that came later must not keep anybody
        from changing a cap. Only an end user is asked for in any case. A number that no longer fits because
        the line moved is refused by R-NUM-06."""
        moves = postcode_of(old) != postcode_of(new)
        kept = [number for number in new.numbers if number in old.numbers] if moves else []
        others = [number for number in new.numbers if number not in kept]
        found = [
            *self._of_itself(new),
            *self._zones(kept, new, MOVED),
            *self._zones(others, new, FOREIGN_ZONE),
        ]
        if new.state != old.state:
            told = replace(old, disputed=new.disputed)
            found += state_objections(told, new.state, new.state_reason)
        known = {one for one in self.objections(old) if one.rule != "R-EUS-01"}
        return tuple(dict.fromkeys(one for one in found if one not in known))

    def port_in(self, old: Line, new: Line, number: str, holder: str) -> tuple[Objection, ...]:
        """What is wrong with a line that has taken over `number`, asked for by `holder`."""
        rest = [one for one in self.changes(old, new) if one.rule != FOREIGN_ZONE]
        return (*holder_objections(new, holder), *self._zones([number], new, PORTED_IN), *rest)

    def _of_itself(self, line: Line) -> Iterator[Objection]:
        yield from end_user_objections(line)
        yield from number_objections(line, self.destinations)
        yield from licence_objections(line, self.licence(line.plan))
        yield from device_objections(line)

    def _zones(self, numbers: Iterable[str], line: Line, rule: str) -> Iterator[Objection]:
        yield from zone_objections(numbers, postcode_of(line), self.destinations, self.zones, rule)
