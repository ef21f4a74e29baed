"""The running price of one answered call: its seconds, each priced by the state of the world at its start
(R-RAT-01 to -04).

Second *k* starts at `answer + k` and is priced by peak, calendar month, tariff version and what the bundle
has left at that instant (R-RAT-02). The meter takes seconds by the phase, not one by one, and takes each
second once: looking at it in between changes nothing. The live view, the cut of a spent call, the record and
the what-if answer are all this one function, `Meter.advance`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rating.books import Books
from rating.calendar import NS_PER_S
from rating.charge import NOTHING, Charge, Segment, Source, Use
from rating.money import Rounding, divide
from rating.terms import Phase, Terms

_TARIFF, _BUNDLE, _INCLUDED = Source.TARIFF, Source.BUNDLE, Source.INCLUDED


def billed_seconds(talked_ms: int) -> int:
    """Whole seconds charged for an answered call: rounded up, at least one."""
    return max(1, divide(talked_ms, 1000, Rounding.UP))


class Meter:
    """A call's terms, its answer date (UTC nanoseconds), and what its first `seconds` have cost."""

    __slots__ = ("_answered_s", "_due", "_phase", "_segments", "_uses", "amount", "seconds", "setup", "terms")

    def __init__(self, terms: Terms, answered_wall_ns: int) -> None:
        self.terms = terms
        self.seconds = 0
        self.setup = 0
        self.amount = 0
        self._answered_s = answered_wall_ns // NS_PER_S
        self._due = 0  # sixtieths of the amount above set-up: divided once, when it is asked for
        self._phase = terms.phase_at(self._answered_s)
        self._segments: list[list[Any]] = []
        self._uses: list[list[Any]] = []

    @property
    def phase(self) -> Phase:
        """What the next second is priced by."""
        at = self._answered_s + self.seconds
        if at >= self._phase.until_s:
            self._phase = self.terms.phase_at(at)
        return self._phase

    @property
    def phase_left_s(self) -> int:
        """Seconds from the next one on to which this phase applies."""
        return self.phase.until_s - self._answered_s - self.seconds

    def advance(self, seconds: int, books: Books) -> bool:
        """Take the seconds up to `seconds`, at the expense of `books`; False when one cannot be paid for:
        the call ends before it."""
        while self.seconds < seconds:
            at_s, phase = self._answered_s + self.seconds, self._phase
            if at_s >= phase.until_s:
                phase = self._phase = self.terms.phase_at(at_s)
            book = books.months.get(phase.month) or books.book(phase.month)
            wanted = min(seconds - self.seconds, phase.until_s - at_s)
            per_minute, amount = phase.per_minute, self.amount
            if not (per_minute or phase.setup):
                source = _INCLUDED
            elif phase.bundled and (left := phase.bundle_s - book.bundle_s) > 0:
                source, per_minute = _BUNDLE, 0
                wanted = min(wanted, left)
                book.bundle_s += wanted
                book.allowance_s = phase.bundle_s
            else:
                source = _TARIFF
                setup = self.setup if self.seconds else phase.setup
                wanted = books.affordable(book, self._due, amount, setup, per_minute, wanted)
                if not wanted:
                    return False
                self.setup = setup
                self._due += wanted * per_minute
                self.amount = setup + (2 * self._due + 60) // 120  # half up
                book.amount += self.amount - amount
            book.seconds += wanted
            self._take(wanted, per_minute, source, phase, self.amount - amount)
        return True

    def charge(self) -> Charge:
        """What the seconds taken so far cost."""
        if not self.seconds:
            return NOTHING
        return Charge(
            self.seconds,
            self.setup,
            self.amount,
            tuple([Segment._make(segment) for segment in self._segments]),
            tuple([Use._make(use) for use in self._uses]),
        )

    @property
    def price(self) -> tuple[Source, int]:
        """Who pays for the last second taken, and how much a minute."""
        last = self._segments[-1]
        return last[3], last[2]

    def fork(self) -> Meter:
        """A meter that goes on from here, to reckon ahead with; its segments begin with the next second."""
        fork = Meter.__new__(Meter)
        fork.terms = self.terms
        fork.seconds, fork.setup, fork.amount = self.seconds, self.setup, self.amount
        fork._answered_s, fork._due, fork._phase = self._answered_s, self._due, self._phase
        fork._segments, fork._uses = [], []
        return fork

    def change_from(self, price: tuple[Source, int]) -> int | None:
        """Of the seconds this meter took, the first that has another payer or price than this."""
        for segment in self._segments:
            if (segment[3], segment[2]) != price:
                return int(segment[0])
        return None

    @property
    def months(self) -> list[str]:
        """The calendar months it has taken seconds in."""
        uses = self._uses
        return [uses[0][0]] if len(uses) == 1 else [use[0] for use in uses]

    def cut_to(self, seconds: int, books: Books) -> None:
        """Give back to `books` what was taken beyond `seconds`: the call ended earlier than was known."""
        if seconds >= self.seconds:
            return
        for month, talked, bundle_s, amount in self._uses:
            book = books.book(month)
            book.seconds -= talked
            book.bundle_s -= bundle_s
            book.amount -= amount
        kept = replayed(self.terms, self._answered_s * NS_PER_S, self._payers(seconds))
        self.seconds, self.setup, self.amount, self._due = kept.seconds, kept.setup, kept.amount, kept._due
        self._phase, self._segments, self._uses = kept._phase, kept._segments, kept._uses
        for month, talked, bundle_s, amount in self._uses:
            book = books.book(month)
            book.seconds += talked
            book.bundle_s += bundle_s
            book.amount += amount

    def _payers(self, seconds: int) -> Iterable[tuple[int, Source]]:
        """Who paid for the first so many seconds."""
        for start_s, length, _, source, *_ in self._segments:
            if start_s < seconds:
                yield min(length, seconds - start_s), source

    def _take(self, seconds: int, per_minute: int, source: Source, phase: Phase, amount: int) -> None:
        """Note seconds of one price, as one segment with the last where nothing but the time differs."""
        peak, month, version = phase.peak, phase.month, phase.version
        segments, uses = self._segments, self._uses
        last = segments[-1] if segments else None
        if last is not None and last[2:] == [per_minute, source, peak, month, version]:
            last[1] += seconds
        else:
            segments.append([self.seconds, seconds, per_minute, source, peak, month, version])
        if not uses or uses[-1][0] != month:
            uses.append([month, 0, 0, 0])
        use = uses[-1]
        use[1] += seconds
        if source is _BUNDLE:
            use[2] += seconds
        use[3] += amount
        self.seconds += seconds


def charge(terms: Terms, answered_wall_ns: int, seconds: int, books: Books | None = None) -> Charge:
    """The charge of a call of so many whole seconds that was alone on its account; nothing when there are
    none. Where `books` cannot pay for all of them it is that of the seconds they can pay for."""
    meter = Meter(terms, answered_wall_ns)
    meter.advance(seconds, books if books is not None else Books())
    return meter.charge()


def replayed(terms: Terms, answered_wall_ns: int, payers: Iterable[tuple[int, Source]]) -> Meter:
    """A call priced again from its record: its seconds in order, with who paid for them."""
    meter = Meter(terms, answered_wall_ns)
    for seconds, source in payers:
        end_s = meter.seconds + seconds
        while meter.seconds < end_s:
            books, phase = Books(), meter.phase
            step_s = min(end_s - meter.seconds, meter.phase_left_s)
            left_s = step_s if source is _BUNDLE else 0  # else it is gone, so that the tariff pays
            books.book(phase.month).bundle_s = phase.bundle_s - left_s
            meter.advance(meter.seconds + step_s, books)
    return meter
