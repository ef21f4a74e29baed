"""What every line has been seen to do at least once: the countries it reached, the networks it came from.

Unlike the windows this outlives idleness and restarts, for "first ever" means ever.
"""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern

COUNTRY, NETWORK = "country", "network"
MOST = {COUNTRY: 512, NETWORK: 64}
"""Values kept of a line: all the countries there are, and the latest of its networks."""


class Seen:
    """Values by kind and line, as tuples of shared texts: most lines have two or three."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in MOST}

    def restore(self, facts: Iterable[tuple[str, str, str]]) -> None:
        """Take in user, kind and value, oldest first; what nobody knows any more is left out."""
        for user, kind, value in facts:
            if kind in MOST:
                self.add(user, kind, value)

    def of(self, user: str, kind: str) -> tuple[str, ...]:
        """The values of a line, oldest first."""
        return self._values[kind].get(user, ())

    def has(self, user: str, kind: str, value: str) -> bool:
        """Whether a line has been seen with a value."""
        return value in self._values[kind].get(user, ())

    def add(self, user: str, kind: str, value: str) -> bool:
        """A line is seen with a value; True when that is new."""
        values = self._values[kind]
        known = values.get(user, ())
        if value in known:
            return False
        values[user] = (*known, intern(value))[-MOST[kind] :]
        return True

    def forget(self, user: str) -> None:
        """The line is gone."""
        for values in self._values.values():
            values.pop(user, None)

    def __len__(self) -> int:
        return sum(len(known) for values in self._values.values() for known in values.values())
