"""One thing that a rule of the domain guide refuses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Objection:
    """What is refused and by which rule (`R-NUM-01`), whose id stands at the end when it is shown."""

    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.rule})"
