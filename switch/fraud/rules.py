"""The rules as values: what is counted, how much of it is too much, and what then happens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from ipaddress import ip_address, ip_network

from rating.calendar import BRUSSELS
from rating.zone import DestinationClass
from switch.ports import NS_PER_S


class Action(StrEnum):
    """The steps of section 12, each with what those before it do but for the log."""

    ALERT = "alert"
    BLOCK = "block"
    """No calls abroad, and the line's secret is believed no more."""
    SUSPEND = "suspend"
    """The line is suspended (section 8)."""


class Kind(StrEnum):
    """What a rule looks at; the value is what the file calls it. "Abroad" is all that is not Belgian."""

    AT_ONCE = "calls-abroad-at-once"
    """Calls abroad that are being placed or talked at the same time."""
    ANSWERS = "answers-abroad"
    """Calls abroad that were answered."""
    MINUTES = "minutes"
    """Seconds talked to certain classes of destination, those of running calls included."""
    NEW_COUNTRY = "new-country-after-hours"
    """A line's first answered call ever to a country, outside office hours."""
    NUMBER_BLOCK = "number-block"
    """Calls to one block of numbers: those that differ in their last digits only."""
    FORWARDED = "forwarded-to-new-country"
    """A forwarding was set, and soon a forwarded call is answered in a country new to the line."""
    NEW_NETWORK = "new-network-then-abroad"
    """Registered from a network new to the line, and then calls abroad."""
    DIGESTS = "failed-digests"
    """Wrong passwords in the line's name."""
    RISING = "short-calls-to-rising-numbers"
    """Answered calls that end at once, each to a higher number than the one before."""
    BUNDLE = "bundle-drained"
    """Seconds drawn from the line's bundle."""


@dataclass(frozen=True, slots=True)
class OfficeHours:
    """When somebody is there: weekdays (Monday is 0), no legal holidays (R-PEAK-03), from `opens` to before
    `closes`, Belgian time."""

    days: frozenset[int] = frozenset(range(5))
    opens: time = time(8)
    closes: time = time(18)

    def contain(self, wall_ns: int, holidays: Collection[date]) -> bool:
        """Whether an instant (UTC) lies within them."""
        local = datetime.fromtimestamp(wall_ns // NS_PER_S, BRUSSELS)
        day = local.date()
        return (
            day.weekday() in self.days
            and day not in holidays
            and self.opens <= local.time().replace(tzinfo=None) < self.closes
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `threshold` is the most that is still in order, a count or seconds; `window_s` the sliding
    window it is counted in and the time before the rule fires again for the same line. The rest concerns the
    kinds that name it: `classes` MINUTES, `office` NEW_COUNTRY, `last_digits` NUMBER_BLOCK, `shorter_than_s`
    RISING, the prefix lengths NEW_NETWORK."""

    id: str
    kind: Kind
    action: Action
    threshold: int
    window_s: int
    classes: frozenset[DestinationClass] = frozenset()
    office: OfficeHours = field(default_factory=OfficeHours)
    last_digits: int = 2
    shorter_than_s: int = 10
    ipv4_prefix: int = 16
    ipv6_prefix: int = 32

    @property
    def window_ns(self) -> int:
        return self.window_s * NS_PER_S

    def block_of(self, number: str) -> str:
        """The block an E.164 number belongs to; '' for a short code, which belongs to none."""
        return number[: -self.last_digits] if number[:1] == "+" else ""

    def network_of(self, host: str) -> str:
        """The network of an address. There is no map of countries or operators to ask: a prefix of this
        length stands for one."""
        address = ip_address(host.partition("%")[0])
        bits = self.ipv4_prefix if address.version == 4 else self.ipv6_prefix
        return str(ip_network((address, bits), strict=False))
