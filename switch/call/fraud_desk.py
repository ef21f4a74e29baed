"""Fraud at the switch: tells the watch what calls and phones do, and does what a finding asks for at once
(domain guide section 12; R-SUS-04).

Facts are told from the midst of a call's own doing, so what they lead to is carried out after it, within the
same input: no call is ended by what it is just saying. A fault in here stops no call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from datetime import date

from rating.zone import Destination
from switch.call.admission import Admission
from switch.call.call import Call
from switch.call.charging import is_exempt
from switch.call.running import RunningCalls
from switch.call.sums import CallSums
from switch.fraud.measures import Measure, Measures, secret_mark
from switch.fraud.rules import Action, Rule
from switch.fraud.watch import Finding, FraudWatch
from switch.ports import NS_PER_MS, Append, FirstSeen, LineMeasure, MeasureLifted, Note
from switch.record import Cdr
from switch.routing.lines import Line, LineTable
from switch.timers import TimerQueue

FLAG = "fraud"
"""The flag of a call that was ended for it."""

BUNDLE = "bundle"


class FraudDesk:
    """Watch and measures of one switch (`switch.call.context.CallObserver`, `switch.registration.Watching`).
    Calls for help and to helplines are not told to it, and nothing it does reaches them."""

    def __init__(
        self,
        *,
        rules: Iterable[Rule],
        holidays: Collection[date],
        timers: TimerQueue,
        sums: CallSums,
        calls: RunningCalls,
        append: Callable[[Append], None],
        note: Callable[[Note], None],
        table: Callable[[], LineTable],
    ) -> None:
        """`table` gives the lines as they are in effect."""
        self.watch = FraudWatch(rules, holidays)
        self.measures = Measures()
        self._timers = timers
        self._sums = sums
        self._calls = calls
        self._append = append
        self._note = note
        self._table = table
        self._pending: deque[Finding] = deque()

    # --- facts ----------------------------------------------------------------------------------------------

    def placed(self, call_id: str, admission: Admission) -> None:
        """A call is being set up."""
        if (watched := _watched(admission)) is not None:
            line, to = watched
            place, now = place_of(to), self._timers.now
            self._tell(lambda: self.watch.placed(line.user, call_id, to.number, to.cls, place, now))

    def answered(self, call_id: str, admission: Admission, *, forwarded: bool = False) -> None:
        """It was answered; `forwarded` when a forwarding placed it and not the line itself."""
        if (watched := _watched(admission)) is not None:
            line, to = watched
            place, now = place_of(to), self._timers.now
            self._tell(
                lambda: self.watch.answered(line.user, call_id, to.number, to.cls, place, forwarded, now)
            )

    def ended(self, call_id: str, admission: Admission, cdr: Cdr) -> None:
        """It is over, answered or not."""
        if (watched := _watched(admission)) is not None:
            line, to = watched
            bundle_s = sum(segment.seconds for segment in cdr.segments if segment.source == BUNDLE)
            talked_s, now = cdr.duration_s, self._timers.now
            self._tell(
                lambda: self.watch.ended(line.user, call_id, to.number, to.cls, talked_s, bundle_s, now)
            )

    def registered(self, line: Line, host: str) -> None:
        """A phone of the line is registered from this address."""
        self._tell(lambda: self.watch.registered(line.user, host, self._timers.now))

    def digest_failed(self, user: str, host: str) -> None:
        """Somebody gave a wrong password in this name. Names of nobody are not watched, and where the secret
        is out the line's own phone goes on trying."""
        line = self._table().by_user.get(user)
        if line is not None and not line.secret_out:
            self._tell(lambda: self.watch.digest_failed(user, host, self._timers.now))

    def forward_set(self, line: Line, number: str) -> None:
        """The line has its calls forwarded from now on."""
        self._tell(lambda: self.watch.forward_set(line.user, number, self._timers.now))

    def look(self) -> None:
        """From time to time: what running calls have come to, and what may be forgotten."""
        self._tell(lambda: self.watch.look(self._timers.now))

    def _tell(self, fact: Callable[[], list[Finding]]) -> None:
        try:
            self._pending += fact()
            for first in self.watch.take_first():
                entry = FirstSeen(first.user, first.kind, first.value, self._now_ms())
                self._append(Append(entry, hold=False))
        except Exception as error:  # a call is not ended for what is only known about it
            self._note(Note("internal_error", {"error": repr(error), "part": "fraud"}))

    # --- what is done ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Carry out what was found since the last time, and what ending those calls leads to."""
        while self._pending:
            self._act(self._pending.popleft())

    def _act(self, finding: Finding) -> None:
        user, action = finding.user, finding.action
        line = self._table().by_user.get(user)
        if line is None or self.measures.has(user, finding.rule_id, action):
            return
        self._sums.fraud[finding.rule_id, action.value] += 1
        stored = self.measures.stored(line)
        entry = LineMeasure(
            user,
            line.number,
            finding.rule_id,
            action.value,
            self._now_ms(),
            finding.facts,
            secret_mark(stored),
        )
        self._append(Append(entry, hold=False))
        self._note(
            Note(
                "fraud",
                {"line": line.number, "rule": finding.rule_id, "action": action.value, **finding.facts},
            )
        )
        if action is not Action.ALERT:
            self.measures.add(user, _measure(entry))
            self._enforce(stored)

    def _enforce(self, stored: Line) -> None:
        """The line is under its measures from now on, and the calls that it has."""
        line = self.measures.applied(stored)
        self._table().put(line)
        for call in self._calls.of_line(line):
            if _may_not_go_on(call, line):
                call.end(FLAG)

    def lift(self, user: str, by: str) -> None:
        """Take back whatever is in force against a line; its windows begin anew."""
        measures, line = self.measures.lift(user)
        if not measures:
            return
        if line is not None and user in self._table().by_user:
            self._table().put(line)
        now = self._timers.now
        self.watch.lifted(user, now)
        ids = tuple(measure.id for measure in measures)
        self._append(Append(MeasureLifted(user, self._now_ms(), by, ids), hold=False))
        number = line.number if line is not None else user
        rules = [measure.rule for measure in measures]
        self._note(Note("fraud_lifted", {"line": number, "rules": rules, "by": by}))

    # --- what may change in between -------------------------------------------------------------------------

    def replace_rules(self, rules: Iterable[Rule], holidays: Collection[date]) -> None:
        """Other rules from now on; what was done by the old ones stays done."""
        self.watch.replace(rules, holidays)

    def effective(self, lines: Iterable[Line]) -> list[Line]:
        """Stored lines as they are under their measures."""
        return self.measures.effective(lines)

    def forget(self, users: Iterable[str]) -> None:
        """Lines that are no more."""
        for user in users:
            self.watch.forget(user)
            self.measures.lift(user)

    def restore(self, measures: Iterable[LineMeasure], seen: Iterable[FirstSeen]) -> None:
        """After a start: what was done is still done, what was seen is not new. The windows begin empty."""
        for entry in measures:
            line = self._table().by_user.get(entry.user)
            if line is not None:
                self.measures.add(entry.user, _measure(entry))
                self._table().put(self.measures.applied(self.measures.stored(line)))
        self.watch.seen.restore((one.user, one.kind, one.value) for one in seen)

    def _now_ms(self) -> int:
        return self._timers.now.wall_ns // NS_PER_MS


def place_of(destination: Destination) -> str:
    """What counts as one country: the code that the numbering tables have. Where they have none (satellites,
    global services) it is what they call the range, else its price row: never a guess by the digits."""
    return destination.country or destination.label or destination.price


def _watched(admission: Admission) -> tuple[Line, Destination] | None:
    """Whose call it is and where it goes, if it is one that the line places itself and pays for."""
    line, destination = admission.line, admission.destination
    if line is None or destination is None or _stays_open(admission):
        return None
    return line, destination


def _stays_open(admission: Admission) -> bool:
    """Calls for help, centres calling back, helplines: open in every state of a line (section 8)."""
    return admission.urgent or (admission.quote is not None and is_exempt(admission.quote))


def _may_not_go_on(call: Call, line: Line) -> bool:
    """Whether the line's measures end a running call of it: suspended, all but those that stay open; blocked,
    those it has abroad."""
    if _stays_open(call.admission):
        return False
    if line.state == "suspended":
        return True
    return not line.abroad and any(
        link.admission.line is not None
        and link.admission.line.user == line.user
        and link.admission.destination is not None
        and link.admission.destination.international
        for link in call.links
    )


def _measure(entry: LineMeasure) -> Measure:
    return Measure(entry.id, entry.rule, Action(entry.action), entry.at_ms, entry.secret)
