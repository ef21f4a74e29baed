"""Facts in, findings out: what a line does, held against the rules (domain guide section 12).

Every fact costs the same however long the switch has run. A line takes memory while it has a call running or
did something within the longest window, and what it may take is bounded (`switch.fraud.windows`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rating.zone import ABROAD, DestinationClass
from switch.fraud.rules import Action, Kind, Rule
from switch.fraud.seen import COUNTRY, NETWORK, Seen
from switch.fraud.windows import Amounts, Occasions, Rising, Talk
from switch.ports import NS_PER_S, Moment

MOST_LINES = 200_000
"""Lines with something in their windows; beyond, the one that was quiet longest is forgotten early."""

MOST_BLOCKS = 64
"""Number blocks watched of one line, the latest ones."""

_WINDOWS: Mapping[Kind, Callable[[Rule], Any]] = {
    Kind.ANSWERS: lambda rule: Occasions(rule.threshold),
    Kind.DIGESTS: lambda rule: Occasions(rule.threshold),
    Kind.RISING: lambda rule: Rising(rule.threshold),
    Kind.MINUTES: lambda rule: Talk(),
    Kind.BUNDLE: lambda rule: Amounts(),
    Kind.NUMBER_BLOCK: lambda rule: {},
}
"""What a rule is counted in; the kinds that are missing need no window, or make theirs themselves."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule found something about a line; `facts` are plain values that say what."""

    user: str
    rule_id: str
    action: Action
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class First:
    """A line was seen with a country or a network for the first time ever."""

    user: str
    kind: str
    value: str


@dataclass(slots=True)
class _Newcomer:
    """A network the line came from for the first time, and the calls abroad since."""

    network: str
    since_ns: int
    calls: Occasions


@dataclass(slots=True)
class _Line:
    """What is remembered of one line: when it did something last, its windows, and what was told, by rule."""

    last_ns: int
    windows: dict[str, Any] = field(default_factory=dict)
    told_until_ns: dict[str, int] = field(default_factory=dict)
    forward: tuple[int, str] | None = None

    def window(self, rule: Rule) -> Any:
        """The window of a rule, made when it is first wanted."""
        window = self.windows.get(rule.id)
        if window is None:
            window = self.windows[rule.id] = _WINDOWS[rule.kind](rule)
        return window

    def talks(self) -> bool:
        """Whether a call is running whose minutes are counted."""
        return any(isinstance(window, Talk) and window.running for window in self.windows.values())


class FraudWatch:
    """The rules and what is remembered of every line. Every method that is told a fact returns the findings
    it leads to; each rule fires once per line until its window has passed or `lifted` was told."""

    def __init__(self, rules: Iterable[Rule] = (), holidays: Collection[date] = frozenset()) -> None:
        self.seen = Seen()
        self._lines: OrderedDict[str, _Line] = OrderedDict()
        self._abroad: dict[str, set[str]] = {}
        """The running calls abroad of those lines that have any."""
        self._talking: set[str] = set()
        self._first: list[First] = []
        self._rules: dict[str, Rule] = {}
        self.replace(rules, holidays)

    def replace(self, rules: Iterable[Rule], holidays: Collection[date]) -> None:
        """Other rules from now on; those that stay as they were go on with what they have counted."""
        old, self._rules = self._rules, {rule.id: rule for rule in rules}
        self._holidays = holidays
        self._of = {kind: [rule for rule in self._rules.values() if rule.kind is kind] for kind in Kind}
        self._longest_ns = max((rule.window_ns for rule in self._rules.values()), default=0)
        changed = [name for name, rule in old.items() if self._rules.get(name) != rule]
        for line in self._lines.values():
            for name in changed:
                line.windows.pop(name, None)
                line.told_until_ns.pop(name, None)

    # --- calls ----------------------------------------------------------------------------------------------

    def placed(
        self,
        user: str,
        call_id: str,
        number: str,
        cls: DestinationClass,
        country: str,
        now: Moment,
    ) -> list[Finding]:
        """A call that the line pays for is being set up; `number` is E.164 or a short code, `country` the
        code that the numbering tables have for it."""
        found: list[Finding] = []
        if not self._rules:
            return found
        line, now_ns = self._line(user, now), now.mono_ns
        facts = {"number": number, "country": country}
        if cls in ABROAD:
            running = self._abroad.setdefault(user, set())
            running.add(call_id)
            for rule in self._of[Kind.AT_ONCE]:
                if len(running) > rule.threshold:
                    self._tell(found, user, line, rule, now, facts | {"calls": len(running)})
            for rule in self._of[Kind.NEW_NETWORK]:
                new: _Newcomer | None = line.windows.get(rule.id)
                if new is not None and new.since_ns > now_ns - rule.window_ns:
                    new.calls.add(now_ns)
                    if new.calls.exceeded(now_ns, rule.window_ns):
                        self._tell(found, user, line, rule, now, facts | {"network": new.network})
        for rule in self._of[Kind.NUMBER_BLOCK]:
            if block := rule.block_of(number):
                calls = _block_window(line, rule, block, now_ns)
                calls.add(now_ns)
                if calls.exceeded(now_ns, rule.window_ns):
                    self._tell(found, user, line, rule, now, facts | {"block": block, "calls": len(calls)})
        return found

    def answered(
        self,
        user: str,
        call_id: str,
        number: str,
        cls: DestinationClass,
        country: str,
        forwarded: bool,
        now: Moment,
    ) -> list[Finding]:
        """A call that was `placed` is answered; `forwarded` when nobody of the line dialled it."""
        found: list[Finding] = []
        if not self._rules:
            return found
        line, now_ns = self._line(user, now), now.mono_ns
        facts = {"number": number, "country": country}
        for rule in self._of[Kind.MINUTES]:
            if cls in rule.classes:
                line.window(rule).begin(call_id, now_ns)
                self._talking.add(user)
        if cls not in ABROAD:
            return found
        for rule in self._of[Kind.ANSWERS]:
            answers: Occasions = line.window(rule)
            answers.add(now_ns)
            if answers.exceeded(now_ns, rule.window_ns):
                self._tell(found, user, line, rule, now, facts | {"answers": len(answers)})
        if self.seen.add(user, COUNTRY, country):
            self._first.append(First(user, COUNTRY, country))
            for rule in self._of[Kind.NEW_COUNTRY]:
                if not rule.office.contain(now.wall_ns, self._holidays):
                    self._tell(found, user, line, rule, now, facts)
            for rule in self._of[Kind.FORWARDED] if forwarded and line.forward is not None else ():
                assert line.forward is not None
                since_ns, target = line.forward
                if since_ns > now_ns - rule.window_ns:
                    self._tell(found, user, line, rule, now, facts | {"forward": target})
        return found

    def ended(
        self,
        user: str,
        call_id: str,
        number: str,
        cls: DestinationClass,
        duration_s: int,
        bundle_s: int,
        now: Moment,
    ) -> list[Finding]:
        """A call is over: `duration_s` talked (0: never answered), `bundle_s` of them out of the bundle."""
        found: list[Finding] = []
        if not self._rules:
            return found
        line, now_ns = self._line(user, now), now.mono_ns
        if (running := self._abroad.get(user)) is not None:
            running.discard(call_id)
            if not running:
                del self._abroad[user]
        for rule in self._of[Kind.MINUTES]:
            if cls in rule.classes:
                self._talked(found, user, line, rule, now)
                line.window(rule).end(call_id, now_ns)
        for rule in self._of[Kind.RISING] if duration_s else ():
            if duration_s < rule.shorter_than_s:
                series: Rising = line.window(rule)
                series.add(number, now_ns)
                if series.exceeded(now_ns, rule.window_ns):
                    self._tell(found, user, line, rule, now, {"number": number, "calls": len(series)})
        for rule in self._of[Kind.BUNDLE] if bundle_s else ():
            drawn: Amounts = line.window(rule)
            drawn.add(bundle_s, now_ns)
            total_s = drawn.total(now_ns, rule.window_ns)
            if total_s > rule.threshold:
                self._tell(found, user, line, rule, now, {"bundle_s": total_s})
        return found

    def look(self, now: Moment) -> list[Finding]:
        """What running calls have come to by now; to be asked from time to time, as nothing happens while
        somebody only talks."""
        found: list[Finding] = []
        for user in list(self._talking):
            line = self._lines.get(user)
            if line is None or not line.talks():
                self._talking.discard(user)
                continue
            for rule in self._of[Kind.MINUTES]:
                self._talked(found, user, line, rule, now)
        self._forget_idle(now)
        return found

    # --- registrations and settings -------------------------------------------------------------------------

    def registered(self, user: str, host: str, now: Moment) -> list[Finding]:
        """The line proved itself from an address, and a contact of it is bound. Where it came from first is
        its home, not a new network."""
        rules = self._of[Kind.NEW_NETWORK]
        networks = {rule.id: rule.network_of(host) for rule in rules}
        fresh = {one for one in networks.values() if not self.seen.has(user, NETWORK, one)}
        for rule in rules if fresh else ():
            network = networks[rule.id]
            if network in fresh and self._has_home(user, network):
                calls = Occasions(rule.threshold)
                self._line(user, now).windows[rule.id] = _Newcomer(network, now.mono_ns, calls)
        for network in sorted(fresh):
            self.seen.add(user, NETWORK, network)
            self._first.append(First(user, NETWORK, network))
        return []

    def digest_failed(self, user: str, host: str, now: Moment) -> list[Finding]:
        """Somebody gave a wrong password for the line; to be told of lines that exist only."""
        found: list[Finding] = []
        for rule in self._of[Kind.DIGESTS]:
            line = self._line(user, now)
            failures: Occasions = line.window(rule)
            failures.add(now.mono_ns)
            if failures.exceeded(now.mono_ns, rule.window_ns):
                self._tell(found, user, line, rule, now, {"host": host, "failures": len(failures)})
        return found

    def forward_set(self, user: str, number: str, now: Moment) -> list[Finding]:
        """The line had its calls forwarded to a number."""
        if self._of[Kind.FORWARDED]:
            self._line(user, now).forward = (now.mono_ns, number)
        return []

    # --- what is remembered ---------------------------------------------------------------------------------

    def take_first(self) -> list[First]:
        """What was seen for the first time since this was asked last."""
        first, self._first = self._first, []
        return first

    def lifted(self, user: str, now: Moment) -> None:
        """What was done to a line is taken back: its windows begin anew, and every rule may fire again."""
        line = self._lines.get(user)
        if line is not None:
            line.told_until_ns.clear()
            line.forward = None
            running = {name: talk for name, talk in line.windows.items() if isinstance(talk, Talk)}
            for talk in running.values():
                talk.restart(now.mono_ns)
            line.windows = running

    def forget(self, user: str) -> None:
        """The line is no more: another one may have its name some day."""
        self._lines.pop(user, None)
        self._abroad.pop(user, None)
        self._talking.discard(user)
        self.seen.forget(user)

    def sizes(self) -> dict[str, int]:
        """Lines with something in their windows, calls abroad that run, and values seen."""
        return {
            "lines": len(self._lines),
            "running": sum(map(len, self._abroad.values())),
            "seen": len(self.seen),
        }

    def _line(self, user: str, now: Moment) -> _Line:
        line = self._lines.get(user)
        if line is None:
            line = self._lines[user] = _Line(now.mono_ns)
            if len(self._lines) > MOST_LINES:
                self._lines.popitem(last=False)
            self._forget_idle(now)
        else:
            self._lines.move_to_end(user)
            line.last_ns = now.mono_ns
        return line

    def _forget_idle(self, now: Moment) -> None:
        """Those that were quiet longest stand first; one that talks comes to the end and stays."""
        lines = self._lines
        for _ in range(len(lines)):
            user, line = next(iter(lines.items()))
            if line.last_ns > now.mono_ns - self._longest_ns:
                return
            if user in self._abroad or line.talks():
                line.last_ns = now.mono_ns
                lines.move_to_end(user)
            else:
                del lines[user]

    # --- details --------------------------------------------------------------------------------------------

    def _has_home(self, user: str, network: str) -> bool:
        """Whether networks of this size are known of the line: after a change of the rule, none is new."""
        bits = network[network.index("/") :]
        like = [known for known in self.seen.of(user, NETWORK) if known.endswith(bits)]
        return any((":" in known) == (":" in network) for known in like)

    def _talked(self, found: list[Finding], user: str, line: _Line, rule: Rule, now: Moment) -> None:
        talk: Talk | None = line.windows.get(rule.id)
        if talk is not None:
            talked_s = talk.total_ns(now.mono_ns, rule.window_ns) // NS_PER_S
            if talked_s > rule.threshold:
                self._tell(found, user, line, rule, now, {"seconds": talked_s})

    def _tell(
        self, found: list[Finding], user: str, line: _Line, rule: Rule, now: Moment, facts: Mapping[str, Any]
    ) -> None:
        if line.told_until_ns.get(rule.id, 0) <= now.mono_ns:
            line.told_until_ns[rule.id] = now.mono_ns + rule.window_ns
            found.append(Finding(user, rule.id, rule.action, facts))


def _block_window(line: _Line, rule: Rule, block: str, now_ns: int) -> Occasions:
    """The calls to one block; where a line has called too many of them, the oldest give way."""
    blocks: dict[str, Occasions] = line.window(rule)
    calls = blocks.pop(block, None) or Occasions(rule.threshold)
    blocks[block] = calls  # the latest stands last
    oldest = next(iter(blocks))
    while len(blocks) > MOST_BLOCKS or (oldest != block and not blocks[oldest].live(now_ns, rule.window_ns)):
        del blocks[oldest]
        oldest = next(iter(blocks))
    return calls
