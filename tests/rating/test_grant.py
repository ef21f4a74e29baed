"""Calls that share a bundle and a cap, against a model that gives out one second at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from rating.account import Account, Standing
from rating.calendar import BRUSSELS
from rating.charge import Charge, Source
from rating.grant import RunningCall
from rating.meter import Meter
from rating.tariff import TariffBook
from tests.rating.support import quoted
from tests.rating.test_charge import EDGES, EXAMPLES, FULL, NUMBERS, sheet

SECOND = 10**9


@dataclass(slots=True)
class Talk:
    """A call of the model: when it begins and ends by the monotonic clock, from 0 at `wall_ns`."""

    number: str
    begins_ns: int
    ends_ns: int
    order: int = 0
    due: int = 0
    setup: int = 0
    seconds: int = 0
    amount: int = 0
    payers: list[Source] = field(default_factory=list)
    stopped: bool = False


def model(
    book: TariffBook, talks: list[Talk], wall_ns: int, drawn: dict[str, int], cap: int | None, barred: bool
) -> None:
    """Every second of every call in the order of their beginning, priced by the sheet read aloud."""
    charged: dict[str, int] = {}
    starts = []
    for talk in talks:
        seconds = max(1, -((talk.begins_ns - talk.ends_ns) // SECOND))
        starts += [(talk.begins_ns + k * SECOND, k > 0, talk.order, talk) for k in range(seconds)]
    for at_ns, later, _, talk in sorted(starts, key=lambda one: one[:3]):
        if talk.stopped:
            continue
        answered_s = (wall_ns + talk.begins_ns) // SECOND
        instant = datetime.fromtimestamp(answered_s + (at_ns - talk.begins_ns) // SECOND, BRUSSELS)
        month, raised = f"{instant:%Y-%m}", (instant.year, instant.month) >= (2026, 12)
        peak = (
            instant.weekday() < 5 and instant.date() not in book.calendar.holidays and 8 <= instant.hour < 16
        )
        per_minute, setup, bundled = sheet(NUMBERS[talk.number], "classic", (), peak, raised)
        rate, fee = round(10_000 * float(per_minute)), round(10_000 * float(setup))
        if not rate and not fee:
            talk.payers.append(Source.INCLUDED)
        elif bundled and drawn.get(month, 0) < (60 if raised else FULL):
            drawn[month] = drawn.get(month, 0) + 1
            talk.payers.append(Source.BUNDLE)
        else:
            once = talk.setup if later else fee
            amount = once + (2 * (talk.due + rate) + 60) // 120
            spent = charged.get(month, 0) + amount - talk.amount
            if barred or (cap is not None and spent > cap):
                talk.stopped = True
                continue
            charged[month] = spent
            talk.due, talk.setup, talk.amount = talk.due + rate, once, amount
            talk.payers.append(Source.TARIFF)
        talk.seconds += 1


def played(
    book: TariffBook,
    talks: list[Talk],
    wall_ns: int,
    left_s: int,
    standing: Standing,
    looks: list[int],
) -> tuple[Account, dict[int, Charge]]:
    """The same calls at an account that is looked at now and then."""
    account = Account(standing)
    charges: dict[int, Charge] = {}
    running: dict[int, RunningCall] = {}
    events = [(talk.begins_ns, 0, talk.order, talk) for talk in talks]
    events += [(max(talk.ends_ns, talk.begins_ns), 1, talk.order, talk) for talk in talks]
    events += [(look, 2, -1, None) for look in looks]  # type: ignore[misc]
    first_month = month_of(book, wall_ns)
    allowance_s = 60 if first_month >= "2026-12" else FULL
    account.books.book(first_month).bundle_s = allowance_s - left_s
    for at_ns, kind, order, talk in sorted(events, key=lambda one: one[:3]):
        account.advance(at_ns)
        if kind == 0:
            answered = wall_ns + talk.begins_ns
            terms = quoted(book, "classic", (), talk.number, answered).terms
            call = RunningCall(str(order), Meter(terms, answered), talk.begins_ns)
            if account.begin(call) is None:
                running[order] = call
        elif kind == 1 and order in running:
            seconds = max(1, -((talk.begins_ns - at_ns) // SECOND))
            charges[order] = account.end(running.pop(order), seconds)
        else:
            account.look_ahead()
    return account, charges


def month_of(book: TariffBook, wall_ns: int) -> str:
    return book.calendar.month_at(wall_ns // SECOND)[0]


@EXAMPLES
@given(
    edge=st.sampled_from(EDGES),
    offset_ms=st.integers(-60_000, 5_000),
    calls=st.lists(
        st.tuples(
            st.sampled_from(sorted(NUMBERS)),
            st.integers(0, 60_000),
            st.integers(0, 90_000),
        ),
        min_size=1,
        max_size=4,
    ),
    left_s=st.sampled_from([0, 1, 2, 3, 30, 59, 100, FULL]),
    cap=st.sampled_from([None, 0, 28, 1000, 2500, 10_000, 165_289]),
    barred=st.booleans(),
    looks=st.lists(st.integers(0, 150_000).map(lambda ms: ms * 1_000_000), max_size=4),
)
def test_agrees_with_granting_every_second_by_itself(
    indexed_book: TariffBook,
    edge: int,
    offset_ms: int,
    calls: list[tuple[str, int, int]],
    left_s: int,
    cap: int | None,
    barred: bool,
    looks: list[int],
) -> None:
    """R-BUN-03: never more than the allowance, and no second that the bundle could have paid is charged.
    R-CAP-04: seconds are granted until the next one would exceed the cap."""
    wall_ns = edge + offset_ms * 1_000_000
    talks = [
        Talk(number, begins * 1_000_000, (begins + lasts) * 1_000_000) for number, begins, lasts in calls
    ]
    talks.sort(key=lambda talk: talk.begins_ns)
    for order, talk in enumerate(talks):
        talk.order = order
    first_month = month_of(indexed_book, wall_ns)
    allowance_s = 60 if first_month >= "2026-12" else FULL
    left_s = min(left_s, allowance_s)
    drawn = {first_month: allowance_s - left_s}
    model(indexed_book, talks, wall_ns, drawn, cap, barred)
    account, charges = played(indexed_book, talks, wall_ns, left_s, Standing(cap, barred), looks)
    for talk in talks:
        if not talk.seconds:
            assert talk.order not in charges
            continue
        charge = charges[talk.order]
        assert (charge.seconds, charge.amount, charge.setup) == (talk.seconds, talk.amount, talk.setup)
        payers = [segment.source for segment in charge.segments for _ in range(segment.seconds)]
        assert payers == talk.payers
    assert {month: book.bundle_s for month, book in account.books.months.items() if book.bundle_s} == {
        month: seconds for month, seconds in drawn.items() if seconds
    }
    assert not account.calls


@EXAMPLES
@given(
    offset_s=st.integers(-200, 60),
    numbers=st.lists(st.sampled_from(sorted(NUMBERS)), min_size=1, max_size=3),
    left_s=st.integers(0, 300),
    cap=st.sampled_from([None, 0, 1000, 2500, 10_000]),
    edge=st.sampled_from(EDGES),
)
def test_what_is_foreseen_comes_to_pass(
    indexed_book: TariffBook,
    offset_s: int,
    numbers: list[str],
    left_s: int,
    cap: int | None,
    edge: int,
) -> None:
    """Where no other call begins or ends, each stops when its outlook said it would, and changes its price
    then."""
    wall_ns = edge + offset_s * SECOND
    account = Account(Standing(cap))
    first_month = month_of(indexed_book, wall_ns)
    allowance_s = 60 if first_month >= "2026-12" else FULL
    account.books.book(first_month).bundle_s = allowance_s - min(left_s, allowance_s)
    calls = []
    for index, number in enumerate(numbers):
        terms = quoted(indexed_book, "classic", (), number, wall_ns).terms
        call = RunningCall(str(index), Meter(terms, wall_ns), 0, limit_s=600)
        if account.begin(call) is None:
            calls.append(call)
    account.look_ahead()
    foreseen = {call.id: call.outlook for call in calls}
    prices = {call.id: call.meter.price for call in calls}
    account.advance(601 * SECOND)
    for call in calls:
        outlook = foreseen[call.id]
        assert call.meter.seconds == (outlook.stop_s if outlook.stop_s is not None else 600)
        assert (call.stop_s, call.reason) == (outlook.stop_s, outlook.reason)
        assert call.meter.change_from(prices[call.id]) == outlook.change_s
