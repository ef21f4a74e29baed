"""The ledger: every account, what calls have reserved of it, and what they settle (R-BUN-03, R-CAP-04).

A call *reserves* its first second when it is placed; while it rings the money is held. When it is answered it
`begin`s, and from then on seconds are granted as they start (`rating.grant`), slice by slice as the ledger is
asked to `renew`. At the end it *settles*, for as much as it talked or less; one that was not answered
*releases*, and a reservation nobody came back for *expires*. Ids make repeats harmless: the same call
reserves, begins and settles once, and asking again answers as the first time.

Balances live here; what is settled is written elsewhere (`Use` by call and month) and brought back by
`restore` after a restart. Amounts are ten-thousandths of a euro excluding VAT, times nanoseconds: `mono_ns`
of the monotonic clock, `wall_ns` UTC.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from rating.account import Account, Standing, Threshold
from rating.calendar import NS_PER_S
from rating.charge import NOTHING, Charge, Use
from rating.grant import RunningCall, StopReason
from rating.meter import Meter
from rating.terms import Terms

REMEMBERED = 4096
"""Settled calls whose charge is kept, for a settlement that comes twice."""


class Reservation(NamedTuple):
    """What a call not yet answered holds of an account."""

    account: str
    terms: Terms
    amount: int
    expires_ns: int
    exempt: bool


class Ledger:
    """All accounts by name. An account is opened by the first call of its line, or by `restore`."""

    __slots__ = ("_accounts", "_average", "_owners", "_reservations", "_settled")

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._average = ("", 0)  # the month before, and what accounts talked in it on average
        self._reservations: dict[str, Reservation] = {}
        self._owners: dict[str, str] = {}  # of running calls
        self._settled: OrderedDict[str, Charge] = OrderedDict()

    # --- accounts -------------------------------------------------------------------------------------------

    def account(self, name: str, standing: Standing) -> Account:
        """The account of a line, opened when it is new."""
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account(standing, self._average[1])
        return account

    def find(self, name: str) -> Account | None:
        """The account of a line, if it has ever been used."""
        return self._accounts.get(name)

    def names(self) -> list[str]:
        """Every account there is."""
        return list(self._accounts)

    def stand(self, name: str, standing: Standing, mono_ns: int) -> bool:
        """The state or cap of a line is this from now on; whether that is a change. Unknown accounts learn of
        it when they are opened."""
        account = self._accounts.get(name)
        if account is None or account.standing == standing:
            return False
        account.advance(mono_ns)
        account.stand(standing)
        return True

    def restore(self, name: str, uses: Iterable[Use], told: Iterable[Threshold], standing: Standing) -> None:
        """Bring back what was settled, and which thresholds were told, before a restart."""
        books = self.account(name, standing).books
        for use in uses:
            book = books.book(use.month)
            book.seconds += use.seconds
            book.bundle_s += use.bundle_s
            book.amount += use.amount
        for threshold in told:
            books.book(threshold.month).told[threshold.kind] = threshold.allowed

    def turn_to(self, last_month: str) -> None:
        """A month is over: what was talked in it is the measure of the next, and the books of earlier ones
        are closed, as are accounts that have nothing left."""
        if self._average[0] != last_month:
            talked = [
                book.seconds
                for account in self._accounts.values()
                if (book := account.books.months.get(last_month)) is not None
            ]
            self._average = last_month, sum(talked) // len(talked) if talked else 0
            for account in self._accounts.values():
                account.average_s = self._average[1]
            self._close_before(last_month)

    def _close_before(self, month: str) -> None:
        reserved = {reservation.account for reservation in self._reservations.values()}
        for name, account in list(self._accounts.items()):
            months = account.books.months
            for old in [one for one in months if one < month]:
                del months[old]
            if not (months or account.calls or account.crossed or name in reserved):
                del self._accounts[name]

    def take_crossed(self, name: str) -> list[Threshold]:
        """The thresholds an account has crossed since the last time, each once."""
        account = self._accounts.get(name)
        if account is None or not account.crossed:
            return []
        crossed, account.crossed = account.crossed, []
        return crossed

    # --- calls ----------------------------------------------------------------------------------------------

    def objection(
        self, name: str, standing: Standing, terms: Terms, wall_ns: int, mono_ns: int
    ) -> StopReason | None:
        """Why a call could not be charged now; None when it could. Reserves nothing."""
        account = self._at(name, standing, mono_ns) or Account(standing)
        return account.objection(terms.phase_at(wall_ns // NS_PER_S))

    def _at(self, name: str, standing: Standing, mono_ns: int) -> Account | None:
        """An account as it stands now, if it has ever been used."""
        account = self._accounts.get(name)
        if account is not None:
            if standing == account.standing:
                account.advance_shared(mono_ns)
            else:
                account.advance(mono_ns)
                account.stand(standing)
        return account

    def reserve(
        self,
        name: str,
        standing: Standing,
        call_id: str,
        terms: Terms,
        *,
        wall_ns: int,
        mono_ns: int,
        for_ns: int,
        exempt: bool = False,
    ) -> StopReason | None:
        """Hold the first second of a call, set-up included, for `for_ns` at most; or why it cannot be had.
        An `exempt` call, to a helpline, may be placed in every state of the account."""
        if call_id in self._reservations or call_id in self._owners or call_id in self._settled:
            return None
        account = self._at(name, standing, mono_ns) or self.account(name, standing)
        phase = terms.phase_at(wall_ns // NS_PER_S)
        if not exempt and (refused := account.objection(phase)) is not None:
            return refused
        amount = account.first_price(phase)
        account.hold(amount)
        self._reservations[call_id] = Reservation(name, terms, amount, mono_ns + for_ns, exempt)
        return None

    def release(self, call_id: str, mono_ns: int) -> None:
        """A call that was not answered draws nothing; what it held until now was nobody else's."""
        reservation = self._reservations.pop(call_id, None)
        if reservation is not None:
            account = self._accounts[reservation.account]
            account.advance_shared(mono_ns)
            account.hold(-reservation.amount)

    def expire(self, mono_ns: int) -> int:
        """Release the reservations whose time is over; how many there were."""
        late = [call_id for call_id, one in self._reservations.items() if one.expires_ns <= mono_ns]
        for call_id in late:
            self.release(call_id, mono_ns)
        return len(late)

    def begin(
        self,
        call_id: str,
        *,
        answered_mono_ns: int,
        answered_wall_ns: int,
        limit_s: int = 0,
    ) -> StopReason | None:
        """A call with a reservation was answered: its first second is granted, at the price of this instant;
        or why it may not begin.

        Raises:
            KeyError: it has no reservation.
        """
        if call_id in self._owners or call_id in self._settled:
            return None
        reservation = self._reservations[call_id]
        account = self._accounts[reservation.account]
        self.release(call_id, answered_mono_ns)
        meter = Meter(reservation.terms, answered_wall_ns)
        call = RunningCall(call_id, meter, answered_mono_ns, limit_s=limit_s, exempt=reservation.exempt)
        refused = account.begin(call)
        if refused is None:
            self._owners[call_id] = reservation.account
        return refused

    def renew(self, name: str, mono_ns: int, *, everyone: bool = False) -> list[RunningCall]:
        """Grant the seconds begun since the last time to the calls that share, or to `everyone`; the calls
        whose outlook has been reckoned anew."""
        account = self._accounts.get(name)
        if account is None:
            return []
        if everyone:
            account.advance(mono_ns)
        else:
            account.advance_shared(mono_ns)
        account.look_ahead()
        return account.take_fresh()

    def running(self, call_id: str, mono_ns: int) -> RunningCall | None:
        """A call that has begun and not settled, with the seconds begun by now."""
        owner = self._owners.get(call_id)
        if owner is None:
            return None
        account = self._accounts[owner]
        call = account.calls[call_id]
        account.advance_one(call, mono_ns)
        return call

    def settle(self, call_id: str, seconds: int, mono_ns: int) -> Charge:
        """The charge of a call that ended after so many whole seconds, at least one; of one that never began,
        nothing."""
        owner = self._owners.pop(call_id, None)
        if owner is None:
            self.release(call_id, mono_ns)
            return self._settled.get(call_id, NOTHING)
        account = self._accounts[owner]
        account.advance_shared(mono_ns)
        charge = account.end(account.calls[call_id], max(1, seconds))
        self._settled[call_id] = charge
        if len(self._settled) > REMEMBERED:
            self._settled.popitem(last=False)
        return charge

    def revoke(self, call_id: str, mono_ns: int) -> None:
        """A call that began was not put through after all: it draws nothing, and is forgotten."""
        owner = self._owners.pop(call_id, None)
        if owner is not None:
            account = self._accounts[owner]
            account.advance_shared(mono_ns)
            account.revoke(account.calls[call_id])

    def __len__(self) -> int:
        """Reservations and running calls: 0 at rest."""
        return len(self._reservations) + len(self._owners)
