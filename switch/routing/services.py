"""What a subscriber has set for a line: where its calls are forwarded to, whether it takes anonymous ones.

Phones set it with feature codes, operators with `belswitch forward`; it is kept over a restart. Whether a
forwarding may be set and used is for the gate to say (R-POL-02).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from switch.ports import NS_PER_S, Append, ServicesSaved

CONDITIONS = ("always", "busy", "no-answer", "unreachable")
"""When a call is forwarded, in the order in which they are asked."""

SHORTEST_RING_S, LONGEST_RING_S, RING_S = 5, 60, 20


@dataclass(frozen=True, slots=True)
class LineServices:
    """The services of one line; numbers are normalised, '' where nothing is set. `ring_s` is how long its
    phones ring before a call is forwarded for want of an answer."""

    always: str = ""
    busy: str = ""
    no_answer: str = ""
    unreachable: str = ""
    ring_s: int = RING_S
    reject_anonymous: bool = False

    @property
    def ring_ns(self) -> int:
        """`ring_s` in nanoseconds."""
        return self.ring_s * NS_PER_S

    def target(self, condition: str) -> str:
        """The number that calls are forwarded to on a condition, '' for none."""
        return str(getattr(self, condition.replace("-", "_")))

    def forwarding(self, condition: str, number: str, ring_s: int | None = None) -> LineServices:
        """The same with calls forwarded to `number` on `condition` ('' for no more), or on `all` of them."""
        conditions = CONDITIONS if condition == "all" else (condition,)
        changes: dict[str, Any] = {one.replace("-", "_"): number for one in conditions}
        changed = replace(self, **changes)
        if ring_s is None:
            return changed
        return replace(changed, ring_s=min(max(ring_s, SHORTEST_RING_S), LONGEST_RING_S))


NO_SERVICES = LineServices()
_NAMES = frozenset(field.name for field in fields(LineServices))


class ServiceTable:
    """The services of every line that has any, by user."""

    def __init__(self, append: Callable[[Append], None]) -> None:
        self._append = append
        self._services: dict[str, LineServices] = {}

    def of(self, user: str) -> LineServices:
        """The services of a line."""
        return self._services.get(user, NO_SERVICES)

    def set(self, user: str, services: LineServices) -> None:
        """Change them; the change is journalled."""
        if services == self.of(user):
            return
        if services == NO_SERVICES:
            self._services.pop(user, None)
        else:
            self._services[user] = services
        self._append(Append(ServicesSaved(user, asdict(services)), hold=True))

    def restore(self, stored: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        """Take up what was journalled; a name that nobody knows any more is passed over."""
        for user, values in stored:
            known = {name: value for name, value in values.items() if name in _NAMES}
            self._services[user] = LineServices(**known)

    def forget(self, users: Iterable[str]) -> None:
        """Lines that are gone take their services with them."""
        for user in users:
            self.set(user, NO_SERVICES)

    def everything(self) -> list[tuple[str, LineServices]]:
        """Every line that has set anything, by user."""
        return sorted(self._services.items())
