"""Reads `config/fraud.toml`: a table for each rule, and every fault of it with its line.

[rule.NAME]
kind = "answers-abroad"     # one of `Kind`
more_than = 10              # or at_least; of minutes, more_than_min
window_s = 3600
action = "alert"            # or "block", "suspend"
enabled = true
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from rating.fault import DataFile, Fault, Table, toml_table
from rating.zone import ABROAD, DestinationClass
from switch.config.loader import FRAUD_FILE
from switch.fraud.rules import Action, Kind, OfficeHours, Rule

LONGEST_WINDOW_S = 31 * 86_400
MOST_CALLS = 1_000
MOST_MINUTES = 100_000
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_COUNTED = frozenset(
    {Kind.AT_ONCE, Kind.ANSWERS, Kind.NUMBER_BLOCK, Kind.NEW_NETWORK, Kind.DIGESTS, Kind.RISING}
)
_TIMED = frozenset({Kind.MINUTES, Kind.BUNDLE})
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The enabled rules in the order of the file, or all the faults that stand in their way."""

    rules: tuple[Rule, ...]
    faults: tuple[Fault, ...]


def load(config_dir: Path) -> Loaded:
    """The rules of a configuration directory; none where it has no such file."""
    if not (config_dir / FRAUD_FILE).exists():
        return Loaded((), ())
    faults: list[Fault] = []
    source = DataFile(config_dir, FRAUD_FILE, faults)
    root = toml_table(source) if not faults else None
    rules: list[Rule] = []
    if root is not None:
        for name, table in root.tables("rule").items():
            rule, enabled = _rule(name, table)
            if rule is not None and enabled:
                rules.append(rule)
        root.close()
    return Loaded(() if faults else tuple(rules), tuple(sorted(faults)))


def _rule(name: str, table: Table) -> tuple[Rule | None, bool]:
    """One rule, and whether it is in force; what is wrong in it has been noted. Which keys it may have
    depends on its kind, so without one nothing else is said."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", name):
        table.fault("", "a rule's name is lower-case letters, digits and '-', at most 40")
    kind = _word(table, "kind", Kind)
    if kind is None:
        return None, False
    action = _word(table, "action", Action) or Action.ALERT
    enabled = table.flag("enabled", default=True)
    window_s = table.whole("window_s", 1, LONGEST_WINDOW_S)
    if kind is Kind.DIGESTS and action is not Action.ALERT:
        table.fault("action", 'must be "alert": anybody can send wrong passwords in a line\'s name')
    rule = Rule(name, kind, action, _threshold(table, kind), window_s, **_particulars(table, kind))
    table.close()
    return rule, enabled


def _threshold(table: Table, kind: Kind) -> int:
    """The most that is still in order; what the other kinds look at happens once."""
    if kind in _TIMED:
        return 60 * table.whole("more_than_min", 1, MOST_MINUTES)
    if kind not in _COUNTED:
        return 0
    if "at_least" not in table:
        return table.whole("more_than", 0, MOST_CALLS)
    if "more_than" in table:
        table.fault("at_least", "there is more_than as well; one of them is expected")
        table.whole("more_than", 0, MOST_CALLS)
    return table.whole("at_least", 1, MOST_CALLS) - 1


def _particulars(table: Table, kind: Kind) -> Mapping[str, Any]:
    """What only some kinds know."""
    match kind:
        case Kind.MINUTES:
            return {"classes": _classes(table)}
        case Kind.NEW_COUNTRY:
            return {"office": _office(table)}
        case Kind.NUMBER_BLOCK:
            return {"last_digits": table.whole("last_digits", 1, 6, 2)}
        case Kind.RISING:
            return {"shorter_than_s": table.whole("shorter_than_s", 1, 3600, 10)}
        case Kind.NEW_NETWORK:
            return {
                "ipv4_prefix": table.whole("ipv4_prefix", 8, 32, 16),
                "ipv6_prefix": table.whole("ipv6_prefix", 16, 128, 32),
            }
    return {}


def _classes(table: Table) -> frozenset[DestinationClass]:
    names = table.texts("classes")
    known = {cls.value: cls for cls in DestinationClass if cls in ABROAD and cls != "REFUSED"}
    if not names or not set(names) <= set(known):
        table.fault("classes", f"must be a list of {', '.join(sorted(known))}")
    return frozenset(known[name] for name in names if name in known)


def _office(table: Table) -> OfficeHours:
    days = table.texts("office_days") if "office_days" in table else DAYS[:5]
    if not set(days) <= set(DAYS):
        table.fault("office_days", f"must be a list of {', '.join(DAYS)}")
    text = table.text("office_hours", "08:00-18:00")
    found = _HOURS.fullmatch(text)
    opens_min, closes_min = 0, 0
    if found is not None:
        hour, minute, until_hour, until_minute = map(int, found.groups())
        opens_min, closes_min = 60 * hour + minute, 60 * until_hour + until_minute
    if text and not opens_min < closes_min <= 1440:
        table.fault("office_hours", f"must be like 08:00-18:00, not {text}")
    weekdays = frozenset(DAYS.index(day) for day in days if day in DAYS)
    return OfficeHours(weekdays, _time(opens_min), _time(closes_min))


def _time(minutes: int) -> time:
    """A time of day; the end of it for 24:00, which no clock shows."""
    return time(minutes // 60, minutes % 60) if minutes < 1440 else time.max


def _word(table: Table, key: str, words: type[_Word]) -> _Word | None:
    text = table.text(key)
    try:
        return words(text)
    except ValueError:
        if text:
            table.fault(key, f"must be one of {', '.join(words)}, not {text}")
        return None
