"""The audit of every line's call for help while the switch runs: at start, once a day, and when asked.

It shares the loop with the calls, a line at a time: half a millisecond, then a longer pause. A thread would
keep the interpreter for five before it gave way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from switch.call.audit import Audit, auditing, summed
from switch.call.help import Setup
from switch.net.rounds import Rounds
from switch.ports import NS_PER_S, Moment
from switch.routing.lines import Line

EVERY_S = 86_400.0
PAUSE_S = 0.01
MOST_NAMED = 20
"""Lines that the log names; `belswitch emergency audit` lists them all."""


class Auditor(Rounds):
    """Runs the audit and keeps the last result."""

    def __init__(
        self,
        *,
        lines: Callable[[], Iterable[Line]],
        setup: Callable[[], Setup],
        now: Callable[[], Moment],
        log: Any,
    ) -> None:
        super().__init__("auditor")
        self.last: Audit | None = None
        self._lines = lines
        self._setup = setup
        self._now = now
        self._log = log
        self._ended = now()

    @property
    def age_s(self) -> float:
        """How long ago the last audit ended."""
        return (self._now().mono_ns - self._ended.mono_ns) / NS_PER_S

    @property
    def pause_s(self) -> float:
        """Seconds between two rounds."""
        return EVERY_S

    async def _round(self) -> None:
        try:
            await self._audit()
        except Exception as error:  # tomorrow is another day; until then the age of the last one tells
            self._log.error("emergency_audit_failed", error=repr(error))

    async def _audit(self) -> None:
        results = []
        for result in auditing(tuple(self._lines()), self._setup(), self._now().wall_ns):
            results.append(result)
            await asyncio.sleep(PAUSE_S)
        self.last = summed(results)
        self._ended = self._now()
        self._tell(self.last)

    def _tell(self, audit: Audit) -> None:
        say = self._log.warning if audit.findings else self._log.info
        if audit.without_route:
            say = self._log.error
        worst = sorted(audit.findings, key=lambda finding: finding.routed)
        say(
            "emergency_audit",
            checked=audit.checked,
            without_route=audit.without_route,
            with_alarm=len(audit.findings),
            lines=[finding.number for finding in worst[:MOST_NAMED]],
        )
