"""One account: its standing, its books, and the calls that run on them (R-BUN, R-CAP, R-SUS-01)."""

from __future__ import annotations

from typing import NamedTuple

from rating.books import Book, Books
from rating.charge import Charge
from rating.grant import Outlook, RunningCall, StopReason, grant
from rating.meter import Meter
from rating.terms import Phase

EARLY_WARNING_PERCENT = 80
"""R-CAP-04: of the cap, and of the bundle as well."""

ABOVE_AVERAGE = 3
"""R-CAP-05: so many times what the lines used on average in the month before is told as well."""

ABNORMAL_S = 6000 * 60
"""R-CAP-06: more talk in a month is abnormal use; it is told, not charged."""


class Standing(NamedTuple):
    """What an account may do: the most that may be charged to it in a month excluding VAT (None: any amount),
    whether nothing may be charged (limited activation), whether it is closed to all but exempt calls."""

    cap: int | None = None
    barred: bool = False
    closed: bool = False


class Threshold(NamedTuple):
    """A threshold that an account has crossed, told once a month: `cap-80`, `cap-100`, `bundle-80`,
    `bundle-100`, `abnormal-use`, `above-average`. `used` of `allowed`, in ten-thousandths of a euro or in
    seconds."""

    kind: str
    month: str
    used: int
    allowed: int


class Account:
    """The books of a line and the calls that run on them. Times are monotonic nanoseconds; whoever changes
    something calls `advance_shared` with the present time first.

    Calls that neither a bundle nor a cap can touch have nothing to share: each is reckoned by itself, when it
    begins and when it ends, however many there are.
    """

    __slots__ = (
        "_fresh",
        "_shared",
        "_stale",
        "_unsorted",
        "average_s",
        "books",
        "calls",
        "crossed",
        "standing",
    )

    def __init__(self, standing: Standing, average_s: int = 0) -> None:
        """`average_s` is what accounts talked last month on average; 0 where that is not known."""
        self.books = Books(standing.cap, barred=standing.barred)
        self.calls: dict[str, RunningCall] = {}
        self.crossed: list[Threshold] = []
        """Thresholds crossed and not yet told; whoever tells them takes them away."""
        self.standing = standing
        self.average_s = average_s
        self._shared: dict[str, RunningCall] = {}
        self._fresh: list[RunningCall] = []
        self._stale = False
        self._unsorted = False  # whether calls that have nothing to share may be among those that do

    def stand(self, standing: Standing) -> None:
        """Another state or cap, from the next second on; `advance` comes first."""
        if standing == self.standing:
            return
        self.standing = standing
        self.books.cap, self.books.barred = standing.cap, standing.barred
        for call in self.calls.values():
            if standing.closed and not call.exempt and call.stop_s is None:
                call.stop(StopReason.CLOSED)
        self._shared = dict(self.calls)
        self._stale = self._unsorted = True

    # --- calls ----------------------------------------------------------------------------------------------

    def begin(self, call: RunningCall) -> StopReason | None:
        """A call is answered: its first second is granted; or it may not begin, and why."""
        if self.standing.closed and not call.exempt:
            return StopReason.CLOSED
        if not call.meter.advance(1, self.books):
            return self._spent(call)
        self.calls[call.id] = call
        if self._shares(call):
            self._shared[call.id] = call
            self._stale = True
        else:
            self._reckon([call])
        return None

    def end(self, call: RunningCall, seconds: int) -> Charge:
        """A call is over after so many whole seconds; what was granted beyond is given back."""
        del self.calls[call.id]
        if self._shared.pop(call.id, None) is not None:
            self._stale = True
        else:
            call.meter.advance(min(filter(None, (seconds, call.limit_s, call.stop_s))), self.books)
            self._watch(call.meter)
        stop_s, reason, _ = call.outlook
        if stop_s is not None and reason is StopReason.CAP and seconds >= stop_s:
            self._spent(call)  # cut in time: before the second that could not be paid for had begun
        call.meter.cut_to(seconds, self.books)
        return call.meter.charge()

    def revoke(self, call: RunningCall) -> None:
        """A call began and was not put through after all: all it was granted is given back."""
        del self.calls[call.id]
        if self._shared.pop(call.id, None) is not None:
            self._stale = True
        call.meter.cut_to(0, self.books)

    def advance(self, now_ns: int) -> None:
        """Grant every second that has begun by now."""
        self.advance_shared(now_ns)
        for call in self.calls.values():
            if call.id not in self._shared:
                self.advance_one(call, now_ns)

    def advance_one(self, call: RunningCall, now_ns: int) -> None:
        """The same for one call; those that share with it go along."""
        if call.id in self._shared:
            self.advance_shared(now_ns)
        else:
            grant([call], self.books, now_ns)
            self._watch(call.meter)

    def advance_shared(self, now_ns: int) -> None:
        """The same for the calls that share bundle or cap."""
        if not self._shared:
            return
        calls = list(self._shared.values())
        for call in grant(calls, self.books, now_ns):
            call.stop(self._spent(call))
        for call in calls:
            self._watch(call.meter)

    def hold(self, amount: int) -> None:
        """Reserve an amount, or give one back when it is negative."""
        if amount:
            self.books.held += amount
            self._stale = True

    def look_ahead(self) -> None:
        """Reckon what becomes of the calls that share, where anything has changed since the last time."""
        if not self._stale:
            return
        self._stale = False
        self._reckon(list(self._shared.values()))
        if self._unsorted:
            self._unsorted = False
            self._shared = {call.id: call for call in self._shared.values() if self._shares(call)}

    def take_fresh(self) -> list[RunningCall]:
        """The calls whose outlook has been reckoned anew since the last time."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _shares(self, call: RunningCall) -> bool:
        """Whether what other calls do can change what becomes of this one."""
        terms, standing = call.meter.terms, self.standing
        if standing.barred or standing.cap is not None:
            return not terms.free
        return terms.bundled

    def _reckon(self, calls: list[RunningCall]) -> None:
        forks = [call.fork() for call in calls]
        for fork in grant(forks, self.books.copy(), None):
            fork.stop(self._why())
        for fork in forks:
            call = self.calls[fork.id]
            call.outlook = Outlook(fork.stop_s, fork.reason, fork.meter.change_from(call.meter.price))
            self._fresh.append(call)

    def bundle_left_s(self, phase: Phase) -> int | None:
        """Seconds left of the bundle in the month of `phase`; None for an account without one."""
        if not phase.bundle_s:
            return None
        book = self.books.months.get(phase.month)
        return max(0, phase.bundle_s - (book.bundle_s if book is not None else 0))

    # --- admission ------------------------------------------------------------------------------------------

    def objection(self, phase: Phase) -> StopReason | None:
        """Why the first second of a new call could not be paid for in this phase; None when it could."""
        if self.standing.closed:
            return StopReason.CLOSED
        if not self.first_price(phase):
            return None
        book = self.books.months.get(phase.month) or Book()
        reached = self.standing.cap is not None and book.told.get("cap-100") == self.standing.cap
        if reached or not self.books.affordable(book, 0, 0, phase.setup, phase.per_minute, 1):
            return self._why()
        return None

    def first_price(self, phase: Phase) -> int:
        """What the first second of a call costs, set-up included; 0 while the bundle pays."""
        if phase.bundled and self.bundle_left_s(phase):
            return 0
        return phase.setup + (2 * phase.per_minute + 60) // 120

    # --- thresholds -----------------------------------------------------------------------------------------

    def _why(self) -> StopReason:
        return StopReason.LIMITED if self.standing.barred else StopReason.CAP

    def _spent(self, call: RunningCall) -> StopReason:
        """A second could not be paid for; if for the cap, that is reached (R-CAP-03)."""
        cap = self.standing.cap
        if not self.standing.barred and cap is not None:
            month = call.meter.phase.month
            book = self.books.book(month)
            self._cross(book, "cap-100", month, book.amount, cap)
        return self._why()

    def _watch(self, meter: Meter) -> None:
        """See whether a threshold has been crossed by the seconds taken."""
        cap = self.standing.cap
        for month in meter.months:
            book = self.books.book(month)
            if cap and 100 * book.amount >= EARLY_WARNING_PERCENT * cap:
                self._cross(book, "cap-80", month, book.amount, cap)
            allowed_s, used_s = book.allowance_s, book.bundle_s
            gone = book.told.get("bundle-100") == allowed_s  # told already, as it is from then on
            if allowed_s and not gone and 100 * used_s >= EARLY_WARNING_PERCENT * allowed_s:
                self._cross(book, "bundle-80", month, used_s, allowed_s)
                if used_s >= allowed_s:
                    self._cross(book, "bundle-100", month, used_s, allowed_s)
            if book.seconds > ABNORMAL_S:
                self._cross(book, "abnormal-use", month, book.seconds, ABNORMAL_S)
            if self.average_s and book.seconds > (usual_s := ABOVE_AVERAGE * self.average_s):
                self._cross(book, "above-average", month, book.seconds, usual_s)

    def _cross(self, book: Book, kind: str, month: str, used: int, allowed: int) -> None:
        if book.told.get(kind) != allowed:
            book.told[kind] = allowed
            self.crossed.append(Threshold(kind, month, used, allowed))
