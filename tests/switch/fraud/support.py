"""A watch with a clock of its own, and facts in few words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from rating.loader import legal_holidays
from rating.zone import DestinationClass
from switch.fraud.loader import load
from switch.fraud.rules import Rule
from switch.fraud.watch import Finding, FraudWatch
from switch.ports import NS_PER_S, Moment
from tests.rating.support import CONFIG, local_ns

ABROAD = DestinationClass.INTERNATIONAL
ZONE_A = DestinationClass.ZONE_A
TUESDAY = "2026-11-24 10:00:00"
"""In office hours."""


@cache
def delivered() -> dict[str, Rule]:
    """The rules that come along, by name."""
    loaded = load(CONFIG)
    assert loaded.faults == ()
    return {rule.id: rule for rule in loaded.rules}


class Beat:
    """A watch and what it found, the facts dated by `wait`."""

    def __init__(self, rules: Iterable[Rule], at: str = TUESDAY) -> None:
        self.watch = FraudWatch(rules, legal_holidays(range(2026, 2028)))
        self.mono_ns = 0
        self.wall_ns = local_ns(at)
        self.found: list[Finding] = []
        self._calls = 0

    @property
    def now(self) -> Moment:
        return Moment(self.mono_ns, self.wall_ns)

    @property
    def told(self) -> list[str]:
        """The rules that fired, in order."""
        return [finding.rule_id for finding in self.found]

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.mono_ns += round(seconds * NS_PER_S)
        self.wall_ns += round(seconds * NS_PER_S)

    def place(
        self,
        number: str = "+385123456789",
        *,
        user: str = "alice",
        cls: DestinationClass = ABROAD,
        country: str = "HR",
    ) -> str:
        """A call is set up; its id."""
        self._calls += 1
        call_id = f"call-{self._calls}"
        self.found += self.watch.placed(user, call_id, number, cls, country, self.now)
        return call_id

    def answer(
        self,
        number: str = "+385123456789",
        *,
        user: str = "alice",
        cls: DestinationClass = ABROAD,
        country: str = "HR",
        forwarded: bool = False,
    ) -> str:
        """A call is set up and answered at once."""
        call_id = self.place(number, user=user, cls=cls, country=country)
        self.found += self.watch.answered(user, call_id, number, cls, country, forwarded, self.now)
        return call_id

    def end(
        self,
        call_id: str,
        number: str = "+385123456789",
        *,
        user: str = "alice",
        cls: DestinationClass = ABROAD,
        seconds: int = 60,
        bundle_s: int = 0,
    ) -> None:
        """A call is over."""
        self.found += self.watch.ended(user, call_id, number, cls, seconds, bundle_s, self.now)

    def register(self, host: str, user: str = "alice") -> None:
        """The line registers."""
        self.found += self.watch.registered(user, host, self.now)

    def look(self) -> None:
        """The running calls are looked at."""
        self.found += self.watch.look(self.now)
