"""What was done to lines, and what they may still do. Stored lines are never altered: a measure is laid over
the line, and when it is taken back the line is as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from switch.fraud.rules import Action
from switch.routing.lines import Line

REASON = "fraud"
"""The `state_reason` of a line that is suspended here (R-SUS-04)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that was done to a line: by which rule, when (UTC), and the `secret_mark` of the secret the
    line had then. `id` names it in the journal."""

    id: str
    rule: str
    action: Action
    at_ms: int
    secret: str = ""


class Measures:
    """The measures in force by user and rule, and the lines they are laid over as they were."""

    def __init__(self) -> None:
        self._by_user: dict[str, dict[str, Measure]] = {}
        self._stored: dict[str, Line] = {}

    def add(self, user: str, measure: Measure) -> None:
        """A measure is in force from now on; an alert is none."""
        if measure.action is not Action.ALERT:
            self._by_user.setdefault(user, {})[measure.rule] = measure

    def has(self, user: str, rule: str, action: Action) -> bool:
        """Whether a rule has done this to a line already."""
        measure = self._by_user.get(user, {}).get(rule)
        return measure is not None and measure.action is action

    def of(self, user: str) -> tuple[Measure, ...]:
        """Everything in force against a line."""
        return tuple(self._by_user.get(user, {}).values())

    def users(self) -> tuple[str, ...]:
        """Every line against which something is in force."""
        return tuple(self._by_user)

    def lift(self, user: str) -> tuple[tuple[Measure, ...], Line | None]:
        """Take everything back: what it was, and the line as it is without."""
        return tuple(self._by_user.pop(user, {}).values()), self._stored.pop(user, None)

    def counts(self) -> dict[Action, int]:
        """How many lines are under each action."""
        under: dict[Action, int] = {action: 0 for action in Action if action is not Action.ALERT}
        for measures in self._by_user.values():
            for action in {measure.action for measure in measures.values()}:
                under[action] += 1
        return under

    def effective(self, lines: Iterable[Line]) -> list[Line]:
        """These lines as they are under their measures; what they are without is kept for `lift`."""
        self._stored.clear()
        return [self.applied(line) for line in lines]

    def applied(self, line: Line) -> Line:
        """A stored line as it is under its measures: blocked, it calls nobody abroad and no digest of the
        secret it had is believed; suspended, it is in that state. A line whose contract has ended stays
        so."""
        measures = self._by_user.get(line.user)
        if not measures:
            return line
        self._stored[line.user] = line
        for measure in measures.values():
            if measure.action is Action.BLOCK:
                line = replace(line, abroad=False)
                if measure.secret == secret_mark(self._stored[line.user]):
                    line = replace(line, account=replace(line.account, ha1={}), secret_out=True)
            elif not line.gone:
                line = replace(line, state="suspended", state_reason=REASON)
        return line

    def stored(self, line: Line) -> Line:
        """The line as it is without measures, given as it is in effect."""
        return self._stored.get(line.user, line)


def secret_mark(line: Line) -> str:
    """What tells one secret of a line from its next one, without telling the secret."""
    digests = "\n".join(f"{name}:{value}" for name, value in sorted(line.account.ha1.items()))
    return hashlib.blake2b(digests.encode(), digest_size=16).hexdigest()
