"""Calls at the ledger: who pays, for how long, and what it comes to (R-RAT, R-BUN, R-CAP, R-SUS-01).

The gate asks whether a call could be paid for, the core reserves, the call begins with its answer and settles
with its end. In between each account in use is looked at once a slice: seconds begun are granted, the outlook
of its calls is told to them, thresholds it crossed are journalled. Nothing depends on when that happens; the
ledger grants every second at its own start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from rating import money
from rating.account import Standing, Threshold
from rating.books import net_of
from rating.charge import Charge, Use
from rating.grant import Outlook, StopReason
from rating.ledger import Ledger
from rating.quote import Quote, quote
from rating.tariff import TariffBook
from rating.terms import Terms
from rating.zone import DestinationClass
from switch.call.policy import CLOSED_STATES
from switch.call.sums import CallSums
from switch.ports import (
    NS_PER_MS,
    NS_PER_S,
    Append,
    CallAnswered,
    Moment,
    Note,
    PaidBy,
    ThresholdCrossed,
)
from switch.routing.lines import Line
from switch.timers import Timer, TimerQueue

SLICE_NS = 60 * NS_PER_S
"""How often an account in use is looked at (R-RAT-05: its state is checked again with every slice)."""


class Paying(Protocol):
    """A call, as its charging sees it."""

    id: str

    def on_outlook(self, outlook: Outlook) -> None:
        """What becomes of the call has been reckoned anew."""


@dataclass(slots=True)
class _Open:
    """An account in use: the line it belongs to, its calls, and when it is looked at next."""

    line: Line
    calls: dict[str, Paying]
    timer: Timer | None = None


class Charging:
    """The ledger of a switch, and the calls that run on it."""

    def __init__(
        self,
        *,
        tariffs: TariffBook,
        timers: TimerQueue,
        sums: CallSums,
        append: Callable[[Append], None],
        note: Callable[[Note], None],
    ) -> None:
        self.tariffs = tariffs
        self.ledger = Ledger()
        self._timers = timers
        self._sums = sums
        self._append = append
        self._note = note
        self._open: dict[str, _Open] = {}

    # --- a call's life --------------------------------------------------------------------------------------

    def objection(self, line: Line, terms: Terms, now: Moment) -> StopReason | None:
        """Why the line could not pay for a call placed now; None when it could."""
        standing = self._standing(line)
        if self.ledger.stand(line.user, standing, now.mono_ns):  # a new tariff has another cap
            self._renew(line.user)
        return self.ledger.objection(line.user, standing, terms, now.wall_ns, now.mono_ns)

    def reserve(self, call_id: str, line: Line, quote: Quote, for_ns: int) -> StopReason | None:
        """Hold the first second of a call being set up, for `for_ns` at most; or why it cannot be had."""
        now = self._timers.now
        refused = self.ledger.reserve(
            line.user,
            self._standing(line),
            call_id,
            quote.terms,
            wall_ns=now.wall_ns,
            mono_ns=now.mono_ns,
            for_ns=for_ns,
            exempt=is_exempt(quote),
        )
        if refused is not None:
            self._sums.reservations_refused[refused.value] += 1
        self._renew(line.user)  # what is held here is not there for the calls that run
        return refused

    def begin(self, call: Paying, line: Line, limit_s: int) -> StopReason | None:
        """A call with a reservation was answered; or why it may not begin."""
        now = self._timers.now
        refused = self.ledger.begin(
            call.id,
            answered_mono_ns=now.mono_ns,
            answered_wall_ns=now.wall_ns,
            limit_s=limit_s,
        )
        if refused is not None:
            self._sums.reservations_refused[refused.value] += 1
            return refused
        opened = self._open.setdefault(line.user, _Open(line, {}))
        opened.calls[call.id] = call
        self._renew(line.user)
        return None

    def paid_by(self, line: Line, limit_s: int) -> PaidBy:
        """What a restart needs to know of a call that has begun."""
        standing = self._standing(line)
        return PaidBy(line.user, standing.cap, standing.barred, limit_s)

    def settle(self, call_id: str, line: Line, seconds: int) -> Charge:
        """The charge of a call that is over after so many whole seconds."""
        charge = self.ledger.settle(call_id, seconds, self._timers.now.mono_ns)
        opened = self._open.get(line.user)
        if opened is not None:
            opened.calls.pop(call_id, None)
            self._renew(line.user)
        return charge

    def revoke(self, call_id: str, line: Line) -> None:
        """A call that began is not put through after all: it draws nothing."""
        self.ledger.revoke(call_id, self._timers.now.mono_ns)
        opened = self._open.get(line.user)
        if opened is not None:
            opened.calls.pop(call_id, None)
            self._renew(line.user)

    def release(self, call_id: str, line: Line) -> None:
        """A call that was not answered draws nothing."""
        self.ledger.release(call_id, self._timers.now.mono_ns)
        self._renew(line.user)

    def view(self, call_id: str, line: Line) -> dict[str, Any]:
        """What a running call has cost by now, and what becomes of it."""
        running = self.ledger.running(call_id, self._timers.now.mono_ns)
        account = self.ledger.find(line.user)
        if running is None or account is None:
            return {}
        meter = running.meter
        source, per_minute = meter.price
        return {
            "amount": meter.amount,
            "per_minute": per_minute,
            "source": source.value,
            "bundle_left_s": account.bundle_left_s(meter.phase),
            "next_change_s": running.outlook.change_s,
        }

    # --- what may change in between -------------------------------------------------------------------------

    def replace_lines(self, by_user: Mapping[str, Line]) -> None:
        """Lines have another state or cap: from now on that holds for their running calls too."""
        for user in self.ledger.names():  # those whose calls still ring as well
            line = by_user.get(user)
            standing = self._standing(line) if line is not None else Standing(closed=True)
            self.ledger.stand(user, standing, self._timers.now.mono_ns)
            if line is not None and user in self._open:
                self._open[user].line = line
            self._renew(user)

    def sweep(self) -> None:
        """From time to time: reservations nobody came back for, and the books of months long past."""
        expired = self.ledger.expire(self._timers.now.mono_ns)
        self._sums.reservations_expired += expired
        month, _ = self.tariffs.calendar.month_at(self._timers.now.wall_ns // NS_PER_S)
        self.ledger.turn_to(month_before(month))

    def _slice(self, user: str) -> None:
        """Time to look at an account in use."""
        self._open[user].timer = None
        self._renew(user, everyone=True)

    def _renew(self, user: str, *, everyone: bool = False) -> None:
        """Look at an account: what its calls may expect, and which thresholds it has crossed."""
        opened = self._open.get(user)
        if opened is None:
            return
        for running in self.ledger.renew(user, self._timers.now.mono_ns, everyone=everyone):
            if running.id in opened.calls:
                opened.calls[running.id].on_outlook(running.outlook)
        for threshold in self.ledger.take_crossed(user):
            self._cross(opened.line, threshold)
        if not opened.calls:
            if opened.timer is not None:
                opened.timer.cancel()
            del self._open[user]
        elif opened.timer is None:
            opened.timer = self._timers.start(SLICE_NS, lambda: self._slice(user))

    def _cross(self, line: Line, crossed: Threshold) -> None:
        kind, month, used, allowed = crossed
        self._sums.thresholds[kind] += 1
        at_ms = self._timers.now.wall_ns // NS_PER_MS
        entry = ThresholdCrossed(line.user, line.number, kind, month, used, allowed, at_ms)
        self._append(Append(entry, hold=False))
        self._note(
            Note(
                "threshold",
                {"line": line.number, "kind": kind, "month": month, "used": used, "allowed": allowed},
            )
        )

    def _standing(self, line: Line) -> Standing:
        return standing_of(line, self.tariffs, self._timers.now.wall_ns)

    # --- after a restart ------------------------------------------------------------------------------------

    def restore(
        self, uses: Iterable[tuple[str, Use]], crossed: Iterable[ThresholdCrossed], lines: Mapping[str, Line]
    ) -> None:
        """Balances as they were: what was settled, by account, and which thresholds were told."""
        for user, use in uses:
            self.ledger.restore(user, [use], [], self._restored_standing(lines.get(user)))
        for one in crossed:
            told = Threshold(one.kind, one.month, one.used, one.allowed)
            self.ledger.restore(one.account, [], [told], self._restored_standing(lines.get(one.account)))

    def _restored_standing(self, line: Line | None) -> Standing:
        return self._standing(line) if line is not None else Standing(closed=True)

    def charge_orphans(self, orphans: Iterable[CallAnswered], alive: Moment) -> dict[str, Charge]:
        """What calls cost that were running when the switch died, up to its last sign of life.

        They are granted their seconds in the order in which these began, from what the settled calls left:
        so each gets what it had been given before, without anything having been written by the slice.
        """
        orphans = sorted(orphans, key=lambda one: (one.answered.mono_ns, one.call_id))
        begun = [one for one in orphans if self._begin_again(one)]
        charges: dict[str, Charge] = {}
        for orphan in begun:
            ended_ns = max(alive.mono_ns, orphan.answered.mono_ns)
            seconds = -((orphan.answered.mono_ns - ended_ns) // NS_PER_S)
            charges[orphan.call_id] = self.ledger.settle(orphan.call_id, seconds, ended_ns)
        return charges

    def _begin_again(self, orphan: CallAnswered) -> bool:
        """Open a call of the process that died, by its clock; False where there was nothing to charge by."""
        pending = orphan.pending
        destination = self.tariffs.destinations.classify(pending.called)
        payer = orphan.paid_by
        if destination is None or payer is None:
            return False
        priced = quote(self.tariffs, pending.plan, pending.options, destination, orphan.answered.wall_ns)
        if not isinstance(priced, Quote):
            return False
        mono_ns, wall_ns = orphan.answered
        self.ledger.reserve(  # what it was granted is granted again, whatever the line may do by now
            payer.account,
            Standing(payer.cap, payer.barred),
            orphan.call_id,
            priced.terms,
            wall_ns=wall_ns,
            mono_ns=mono_ns,
            for_ns=0,
            exempt=True,
        )
        refused = self.ledger.begin(
            orphan.call_id, answered_mono_ns=mono_ns, answered_wall_ns=wall_ns, limit_s=payer.limit_s
        )
        return refused is None


def standing_of(line: Line, tariffs: TariffBook, wall_ns: int) -> Standing:
    """What a line may do by its state and its cap, its own or its plan's (section 8, R-CAP-01, R-CAP-02)."""
    cap: int | None = None
    tariff = tariffs.version_at(wall_ns)
    if tariff is not None and line.cap != "none":
        if line.cap:
            cap = money.parse(line.cap)
        else:
            cap = tariff.cap(line.plan, date.fromisoformat(line.concluded) if line.concluded else None)
        cap = net_of(cap, tariff.vat_percent) if cap is not None else None
    return Standing(cap, line.state == "limited", line.state in CLOSED_STATES)


def is_exempt(quote: Quote) -> bool:
    """Whether a call goes on in every state of the line: helplines do (section 8)."""
    return quote.destination.cls in (DestinationClass.FREE, DestinationClass.EMERGENCY)


def month_before(month: str) -> str:
    """`2026-12` for `2027-01`."""
    year, number = map(int, month.split("-"))
    return f"{year:04d}-{number - 1:02d}" if number > 1 else f"{year - 1:04d}-12"
