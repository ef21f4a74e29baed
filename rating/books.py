"""The books of one account: what was used in each calendar month, and what may still be (R-BUN-01, R-CAP-01).

Amounts exclude VAT. A month that nobody has used has no book yet: its bundle is full (R-BUN-02: nothing is
carried over) and its cap untouched.
"""

from __future__ import annotations


class Book:
    """One month: seconds talked, seconds drawn from the bundle, amount charged. `allowance_s` is what the
    bundle held in all when it was last drawn; `told` the thresholds spoken of, each with what was allowed.
    """

    __slots__ = ("allowance_s", "amount", "bundle_s", "seconds", "told")

    def __init__(self, seconds: int = 0, bundle_s: int = 0, amount: int = 0) -> None:
        self.seconds = seconds
        self.bundle_s = bundle_s
        self.amount = amount
        self.allowance_s = 0
        self.told: dict[str, int] = {}

    def copy(self) -> Book:
        """A book to reckon ahead with."""
        return Book(self.seconds, self.bundle_s, self.amount)


class Books:
    """All months of an account. `cap` is the most that may be charged in a month (None: any amount), `held`
    what calls not yet answered have reserved of it; with `barred` nothing may be charged at all (R-SUS-01).
    """

    __slots__ = ("barred", "cap", "held", "months")

    def __init__(self, cap: int | None = None, *, barred: bool = False) -> None:
        self.months: dict[str, Book] = {}
        self.cap = cap
        self.held = 0
        self.barred = barred

    def book(self, month: str) -> Book:
        """The book of a month, opened when it is new."""
        book = self.months.get(month)
        if book is None:
            book = self.months[month] = Book()
        return book

    def affordable(self, book: Book, due: int, amount: int, setup: int, per_minute: int, wanted: int) -> int:
        """How many of `wanted` more seconds a call can be charged for in this month, set-up included.

        The call has run up `amount`, of which `due` sixtieths are by the minute; `setup` is that of the whole
        call once these seconds are charged.
        """
        if self.barred:
            return 0
        if self.cap is None:
            return wanted
        most = self.cap - book.amount - self.held + amount - setup
        if most < 0:
            return 0
        if not per_minute:
            return wanted
        # The amount after n seconds is half-up of (due + n * per_minute) / 60: the largest n that keeps it.
        return max(0, min(wanted, (60 * most + 29 - due) // per_minute))

    def copy(self) -> Books:
        """Books to reckon ahead with; the originals stay as they are."""
        copy = Books(self.cap, barred=self.barred)
        copy.held = self.held
        copy.months = {month: book.copy() for month, book in self.months.items()}
        return copy


def net_of(gross: int, vat_percent: int) -> int:
    """The highest amount excluding VAT that with it does not exceed `gross`: 20 EUR -> 16.5289."""
    return 100 * gross // (100 + vat_percent)
