"""Who gets the next second: the calls of one account share its bundle and its cap (R-BUN-03, R-CAP-04).

Every second of every call is granted at its start, in the order in which they start, whichever call it
belongs to: from the bundle while it has any, else at the tariff while the cap allows it, else the call ends
there. That order alone decides, so it makes no difference how often anybody looks, whether a timer comes
late, or whether a restart reckons it all anew. Nothing is done by the second: in a *block* of rounds, in
which each call takes one second a round, nothing runs out, and one step takes them all.
"""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from rating.books import Books
from rating.calendar import NS_PER_S
from rating.meter import Meter

AHEAD_S = 86_400
"""How far ahead a call without a limit is reckoned."""


class StopReason(StrEnum):
    """Why an account pays for no further second."""

    CAP = "cap"  # R-CAP-03: what may be charged in a month is spent
    LIMITED = "limited"  # R-SUS-01: limited activation, nothing that is charged
    CLOSED = "closed"  # restricted, suspended or terminated


class Outlook(NamedTuple):
    """What becomes of a running call if no other one begins or ends: the second before which it must stop,
    and why; the second at which price or payer change next. Seconds count from the answer; None: not within
    its limit."""

    stop_s: int | None = None
    reason: StopReason | None = None
    change_s: int | None = None


class RunningCall:
    """A call being charged. `limit_s` is when it ends in any case (0: never); an `exempt` one, to a helpline,
    goes on in every state of the account. `stop_s`: it gets no second from this one on."""

    __slots__ = ("answered_ns", "exempt", "id", "limit_s", "meter", "outlook", "reason", "stop_s")

    def __init__(
        self, call_id: str, meter: Meter, answered_ns: int, *, limit_s: int = 0, exempt: bool = False
    ) -> None:
        """Answered at `answered_ns` of the monotonic clock."""
        self.id = call_id
        self.meter = meter
        self.answered_ns = answered_ns
        self.limit_s = limit_s
        self.exempt = exempt
        self.stop_s: int | None = None
        self.reason: StopReason | None = None
        self.outlook = Outlook()

    @property
    def next_ns(self) -> int:
        """When its next second begins."""
        return self.answered_ns + self.meter.seconds * NS_PER_S

    def wanted_s(self, until_ns: int | None) -> int:
        """How many seconds it takes in all by `until_ns` (the first one begins with the answer), or (None) by
        its limit."""
        if self.stop_s is not None:
            return self.stop_s
        if until_ns is None:
            return self.limit_s
        begun_s = max(1, -((self.answered_ns - until_ns) // NS_PER_S))
        return min(begun_s, self.limit_s) if self.limit_s else begun_s

    def stop(self, reason: StopReason) -> None:
        """No further second for this call."""
        self.stop_s, self.reason = self.meter.seconds, reason

    def fork(self) -> RunningCall:
        """The same call, to reckon ahead with; it has a limit in any case."""
        limit_s = self.limit_s or self.meter.seconds + AHEAD_S
        fork = RunningCall(self.id, self.meter.fork(), self.answered_ns, limit_s=limit_s, exempt=self.exempt)
        fork.stop_s, fork.reason = self.stop_s, self.reason
        return fork


def grant(calls: list[RunningCall], books: Books, until_ns: int | None) -> list[RunningCall]:
    """Grant every second that begins before `until_ns` (None: up to each call's limit) at the expense of
    `books`; returns the calls whose next second could not be paid for."""
    if len(calls) == 1:  # as most are: alone on its account
        return [] if calls[0].meter.advance(calls[0].wanted_s(until_ns), books) else calls
    spent: list[RunningCall] = []
    while True:
        due = [call for call in calls if call.meter.seconds < call.wanted_s(until_ns) and call not in spent]
        if not due:
            return spent
        if len(due) == 1:
            rounds = due[0].wanted_s(until_ns) - due[0].meter.seconds
        else:
            due.sort(key=attrgetter("next_ns"))
            rounds = _rounds(due, books, until_ns)
            if not rounds:
                due, rounds = due[:1], 1
        for call in due:
            if not call.meter.advance(call.meter.seconds + rounds, books):
                spent.append(call)


def _rounds(due: list[RunningCall], books: Books, until_ns: int | None) -> int:
    """How many seconds all of these calls can take in turn before anything changes for one of them; 0 when
    that has to be found out second by second."""
    if due[-1].next_ns - due[0].next_ns >= NS_PER_S:
        return 0  # they are not abreast
    rounds = min(call.wanted_s(until_ns) - call.meter.seconds for call in due)
    drawing: dict[str, int] = defaultdict(int)
    paying: dict[str, list[int]] = defaultdict(list)
    for call in due:
        phase = call.meter.phase
        rounds = min(rounds, call.meter.phase_left_s)
        if not (phase.per_minute or phase.setup):
            continue
        left_s = phase.bundle_s - books.book(phase.month).bundle_s if phase.bundled else 0
        if left_s > 0:
            drawing[phase.month] += 1
            rounds = min(rounds, left_s // drawing[phase.month])
        else:
            paying[phase.month].append(phase.per_minute)
    for month, rates in paying.items():
        if books.barred:
            return 0
        if books.cap is not None and (a_round := sum(rates)):
            left = books.cap - books.held - books.book(month).amount - len(rates)  # each rounds by itself
            rounds = min(rounds, max(0, 60 * left // a_round))
    return rounds
