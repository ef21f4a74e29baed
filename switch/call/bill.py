"""What one call costs and until when it may run: who pays, the deadline, the settlement (R-CAP-04, R-LIM-01).

Between the call and the account it runs on: the account reckons (`switch.call.charging`), the deadline cuts,
the call only says when it was answered and when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rating.charge import Charge
from rating.grant import Outlook, StopReason
from rating.meter import billed_seconds
from switch.call.admission import Admission
from switch.call.charging import Charging
from switch.call.deadline import Deadline
from switch.call.sums import CallSums
from switch.ports import PaidBy
from switch.timers import TimerQueue


class Bill:
    """The bill of one call. Where nobody pays (calls that come in, calls for help) it has a deadline only."""

    __slots__ = ("_admission", "_charging", "_cut", "_deadline", "_sums", "_timers", "_warn", "id", "payer")

    def __init__(
        self,
        call_id: str,
        admission: Admission,
        *,
        charging: Charging,
        sums: CallSums,
        timers: TimerQueue,
        warn: Callable[[], None],
        cut: Callable[[str, int], None],
    ) -> None:
        """`warn` is told when a cut is near, `cut` when it is time: why, and the instant (monotonic)."""
        self.id = call_id
        self.payer = admission.line if admission.quote is not None else None
        self._admission = admission
        self._charging = charging
        self._sums = sums
        self._timers = timers
        self._warn = warn
        self._cut = cut
        self._deadline: Deadline | None = None

    def begin(self) -> StopReason | None:
        """The called side took the call: from now on it runs; or why it may not."""
        deadline = Deadline(
            self._timers,
            self._timers.now.mono_ns,
            warn=self._warn,
            cut=lambda reason: self._cut(reason, deadline.due_ns),
        )
        self._deadline = deadline
        if self.payer is not None:
            return self._charging.begin(self, self.payer, self._admission.limit_s)
        if self._admission.line is not None and not self._admission.emergency:
            self._sums.unrated += 1
        self.on_outlook(Outlook())
        return None

    def on_outlook(self, outlook: Outlook) -> None:
        """The account has been reckoned anew: the call is cut at its limit, or before when it is not paid
        for."""
        limit_s = self._admission.limit_s
        if self._deadline is None:
            return
        if outlook.stop_s is not None and outlook.reason is not None:
            self._deadline.set(outlook.stop_s, outlook.reason.value)
        else:
            self._deadline.set(limit_s or None, "limit" if limit_s else "")

    def counted_ms(self, talked_ms: int) -> int:
        """Talk time that counts: the alarm that cuts a call may be late, the bill is not."""
        if self._deadline is None or self._deadline.second is None:
            return talked_ms
        return min(talked_ms, 1000 * self._deadline.second)

    def paid_by(self) -> PaidBy | None:
        """What a restart needs to know of who pays."""
        if self.payer is None:
            return None
        return self._charging.paid_by(self.payer, self._admission.limit_s)

    def settle(self, talked_ms: int, *, answered: bool) -> Charge | None:
        """The call is over: what it comes to; None where nobody is charged."""
        if self._deadline is not None:
            self._deadline.clear()
        if self.payer is None:
            return None
        if not answered:
            self._charging.release(self.id, self.payer)
            return None
        return self._charging.settle(self.id, self.payer, billed_seconds(talked_ms))

    def revoke(self) -> None:
        """It began, but the call is not put through after all: nobody is charged."""
        if self._deadline is not None:
            self._deadline.clear()
        self._deadline = None
        if self.payer is not None:
            self._charging.revoke(self.id, self.payer)

    def view(self, *, answered: bool) -> dict[str, Any]:
        """Price now, what is left of the bundle, the next change and the cut, as an operator sees them."""
        deadline = self._deadline if answered else None
        price = self._charging.view(self.id, self.payer) if answered and self.payer is not None else {}
        return {
            "amount": 0,
            "per_minute": 0,
            "source": "",
            "bundle_left_s": None,
            "next_change_s": None,
            "cut_s": deadline.second if deadline is not None else None,
            "cut_reason": deadline.reason if deadline is not None else "",
        } | price
