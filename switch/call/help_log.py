"""What is kept of a call for help, apart from the customer's records (R-EMG-12): who, where, which gateways
were tried and how long each took."""

from __future__ import annotations

from typing import Any

from switch.call.admission import Admission
from switch.ports import NS_PER_MS, EmergencyLogged, Moment


class HelpLog:
    """The log of one call, written while it is placed. Times are milliseconds since its INVITE."""

    __slots__ = ("_attempts", "_invited")

    def __init__(self, invited: Moment) -> None:
        self._invited = invited
        self._attempts: list[dict[str, Any]] = []

    def tried(self, gateway: str, now: Moment) -> None:
        """An INVITE leaves for a gateway."""
        self._attempts.append(
            {
                "gateway": gateway,
                "tried_ms": self._ms(now),
                "heard_ms": None,
                "status": None,
                "ended_ms": None,
            }
        )

    def heard(self, now: Moment) -> bool:
        """The gateway says more than 100; True the first time that any does."""
        first = all(attempt["heard_ms"] is None for attempt in self._attempts)
        if self._attempts and self._attempts[-1]["heard_ms"] is None:
            self._attempts[-1]["heard_ms"] = self._ms(now)
        return first

    def settled(self, status: int, now: Moment) -> None:
        """The gateway took the call, refused it or ran out of time; told once."""
        if self._attempts and self._attempts[-1]["status"] is None:
            self._attempts[-1] |= {"status": status, "ended_ms": self._ms(now)}

    def entry(
        self, call_id: str, admission: Admission, outcome: str, answered: Moment | None, now: Moment
    ) -> EmergencyLogged:
        """The whole log, once the call is over."""
        facts = admission.help
        assert facts is not None
        return EmergencyLogged(
            call_id=call_id,
            at_ms=self._invited.wall_ns // NS_PER_MS,
            account=admission.line.user if admission.line is not None else "",
            number=admission.caller,
            service=facts.service,
            centre=facts.centre,
            reason=facts.reason,
            alarm=facts.alarm,
            place=facts.place,
            attempts=tuple(self._attempts),
            outcome=outcome,
            answered_ms=self._ms(answered) if answered is not None else None,
            released_ms=self._ms(now),
        )

    def _ms(self, moment: Moment) -> int:
        return (moment.mono_ns - self._invited.mono_ns) // NS_PER_MS
