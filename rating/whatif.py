"""What a call would cost, asked without placing it: the same quote, account and meter as a call on the wire.

A question is a plan, a number, an instant and a length; the answer is what the record of that call would say,
had it been alone on its account, and how long it might have lasted.
"""

from __future__ import annotations

from dataclasses import dataclass

from rating.account import Account, Standing
from rating.books import net_of
from rating.calendar import NS_PER_S
from rating.charge import NOTHING, Charge
from rating.grant import RunningCall, StopReason
from rating.meter import Meter
from rating.quote import Refusal, quote
from rating.tariff import TariffBook
from rating.zone import Destination, DestinationClass

_CALL = "what-if"

CAP_REACHED = {StopReason.CAP: "cap-reached", StopReason.LIMITED: "line-limited"}
"""The reason code of a call that an account does not pay for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A call that might be placed. `bundle_left_s` is what is left in the month of the first second (None:
    all of it), `cap_left` the amount including VAT that may still be charged (None: any), `limit_s` the
    longest a call may last (0: for ever)."""

    plan: str
    options: tuple[str, ...]
    destination: Destination
    wall_ns: int
    seconds: int
    bundle_left_s: int | None = None
    cap_left: int | None = None
    limit_s: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """`charge` is that of the seconds asked for, or of the `allowed_s` that it may last if those are fewer
    (None: no limit); `version` the tariff of its first second."""

    charge: Charge
    allowed_s: int | None
    version: str


def what_if(book: TariffBook, question: Question) -> Answer | str:
    """The answer, or the reason code why the call would be refused."""
    destination, wall_ns = question.destination, question.wall_ns
    priced = quote(book, question.plan, question.options, destination, wall_ns)
    if isinstance(priced, Refusal):
        return priced.reason.value
    if destination.cls is DestinationClass.EMERGENCY:  # never priced, never cut
        meter = Meter(priced.terms, wall_ns)
        meter.advance(question.seconds, Account(Standing()).books)
        return Answer(meter.charge(), None, priced.version)
    account = _account(book, question)
    terms = priced.terms
    phase = terms.phase_at(wall_ns // NS_PER_S)
    if question.bundle_left_s is not None:
        account.books.book(phase.month).bundle_s = max(0, phase.bundle_s - question.bundle_left_s)
    refused = account.objection(phase)
    if refused is not None:
        return CAP_REACHED[refused]
    limit_s = min(filter(None, (question.limit_s, priced.cut_s)), default=0)
    call = RunningCall(_CALL, Meter(terms, wall_ns), 0, limit_s=limit_s)
    account.begin(call)
    account.look_ahead()
    allowed_s = call.outlook.stop_s or limit_s or None
    account.advance(question.seconds * NS_PER_S)
    charge = account.end(call, question.seconds) if question.seconds else NOTHING
    return Answer(charge, allowed_s, priced.version)


def _account(book: TariffBook, question: Question) -> Account:
    """The account of the question: it may charge what its cap has left."""
    tariff = book.version_at(question.wall_ns)
    if question.cap_left is None or tariff is None:
        return Account(Standing())
    return Account(Standing(net_of(question.cap_left, tariff.vat_percent)))
