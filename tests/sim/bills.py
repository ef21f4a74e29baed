"""Every bill reckoned again, one second at a time, from what was on the wire and on disk.

The model knows the price sheet by heart and nothing of `rating`: it walks through the seconds of all calls of
an account in the order in which they began, takes each from the bundle, at the tariff or not at all, and
compares the payers, the amount and the set-up fee with the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from switch.ports import NS_PER_MS, NS_PER_S, CallAnswered, CallEnded
from switch.record import Cdr
from switch.routing.lines import Line
from tests.sim.world import World

_BRUSSELS = ZoneInfo("Europe/Brussels")
_HOLIDAYS = {date(2026, 11, 1), date(2026, 11, 11), date(2026, 12, 25), date(2027, 1, 1), date(2027, 3, 29)}
_PREMIUM = {"+32903": 12_396, "+3270": 2_479}
_FREE = ("+3270245245", "+32800")


@dataclass(slots=True)
class Bill:
    """A call of an account, with what the model grants it."""

    cdr: Cdr
    began_ns: int
    began_wall_s: int
    order: int
    """Its place among everything that was written."""
    ended_ns: int
    ended_order: int
    payers: list[str] = field(default_factory=list)
    months: list[str] = field(default_factory=list)
    due: int = 0
    setup: int = 0
    amount: int = 0
    stopped: bool = False

    def amount_with(self, per_minute: int, setup: int) -> int:
        """What it would come to with one more second."""
        return setup + (2 * (self.due + per_minute) + 60) // 120


def problems(world: World, *, bundle_s: int) -> Iterator[str]:
    """What is wrong with the bills of every line of the world, whose plans bring so much of a bundle."""
    for line in world.machine.lines:
        yield from _of_account(world, line, bundle_s if line.plan == "classic" else 0)


def _of_account(world: World, line: Line, bundle_s: int) -> Iterator[str]:
    journal = world.machine.journal
    bills = list(_bills(world, line.user))
    most = 100 * round(10_000 * float(line.cap)) // 121 if line.cap not in ("", "none") else None
    drawn: dict[str, int] = {}
    charged: dict[str, int] = {}
    for bill in bills:
        for entry in journal.disk:
            if isinstance(entry, CallEnded) and entry.cdr is bill.cdr:
                for use in entry.uses:
                    drawn[use.month] = drawn.get(use.month, 0) + use.bundle_s
                    charged[use.month] = charged.get(use.month, 0) + use.amount
    if any(seconds > bundle_s for seconds in drawn.values()):
        yield f"{line.user} drew {drawn} of a bundle of {bundle_s} s"
    if most is not None and any(amount > most for amount in charged.values()):
        yield f"{line.user} was charged {charged} with a cap of {most}"
    lost = {entry.account for entry in journal.lost if isinstance(entry, CallEnded)}
    lost |= {e.paid_by.account for e in journal.lost if isinstance(e, CallAnswered) and e.paid_by}
    if line.user in lost:
        return  # what a power cut took had its share while it ran, and none in the books
    _grant(bills, bundle_s, most)
    for bill in bills:
        yield from _differences(bill)


def _bills(world: World, account: str) -> Iterator[Bill]:
    """The charged calls of an account, as they are on disk."""
    taken = world.machine.journal.taken
    began: dict[str, tuple[int, CallAnswered]] = {}
    for order, entry in enumerate(taken):
        if isinstance(entry, CallAnswered):
            began.setdefault(entry.call_id, (order, entry))  # written again when a side is another
    for order, entry in enumerate(taken):
        if not isinstance(entry, CallEnded) or entry.account != account or entry not in _disk(world):
            continue
        if entry.cdr.answered_ms is None or entry.cdr.call_id not in began:
            continue
        begun_order, answered = began[entry.cdr.call_id]
        lasted_ns = (entry.cdr.released_ms - entry.cdr.answered_ms) * NS_PER_MS
        yield Bill(
            entry.cdr,
            answered.answered.mono_ns,
            answered.answered.wall_ns // NS_PER_S,
            begun_order,
            answered.answered.mono_ns + lasted_ns,
            order,
        )


def _disk(world: World) -> list[object]:
    return list(world.machine.journal.disk)


def _grant(bills: list[Bill], bundle_s: int, most: int | None) -> None:
    """Walk through the seconds of all calls; a call that ended gives back what was granted beyond its end."""
    drawn: dict[str, int] = {}
    charged: dict[str, int] = {}
    steps: list[tuple[int, int, int, int, Bill]] = []
    for bill in bills:
        seconds = max(1, -((bill.began_ns - bill.ended_ns) // NS_PER_S))
        steps += [
            (bill.began_ns + k * NS_PER_S, int(k > 0), bill.order, k, bill) for k in range(min(seconds, 30))
        ]
        steps.append((bill.ended_ns, 0, bill.ended_order, -1, bill))
    for _, _, _, k, bill in sorted(steps, key=lambda step: step[:3]):
        if k < 0:
            _give_back(bill, drawn, charged)
        elif not bill.stopped:
            _grant_one(bill, k, drawn, charged, bundle_s, most)


def _grant_one(
    bill: Bill, k: int, drawn: dict[str, int], charged: dict[str, int], bundle_s: int, most: int | None
) -> None:
    at = datetime.fromtimestamp(bill.began_wall_s + k, _BRUSSELS)
    month = f"{at:%Y-%m}"
    per_minute, setup, bundled = _sheet(bill.cdr, at)
    if not per_minute and not setup:
        payer = "included"
    elif bundled and drawn.get(month, 0) < bundle_s:
        drawn[month] = drawn.get(month, 0) + 1
        payer = "bundle"
    else:
        setup = bill.setup if k else setup
        more = bill.amount_with(per_minute, setup) - bill.amount
        if most is not None and charged.get(month, 0) + more > most:
            bill.stopped = True
            return
        charged[month] = charged.get(month, 0) + more
        bill.due, bill.setup, bill.amount = bill.due + per_minute, setup, bill.amount + more
        payer = "tariff"
    bill.payers.append(payer)
    bill.months.append(month)


def _give_back(bill: Bill, drawn: dict[str, int], charged: dict[str, int]) -> None:
    """The record has fewer seconds than were granted: a party was not heard of any more."""
    granted, billed = len(bill.payers), bill.cdr.duration_s
    if billed >= granted:
        return
    for payer, month in zip(bill.payers[billed:], bill.months[billed:], strict=True):
        if payer == "bundle":
            drawn[month] -= 1
    before = bill.amount
    bill.payers, bill.months = bill.payers[:billed], bill.months[:billed]
    rate = _sheet(bill.cdr, datetime.fromtimestamp(bill.began_wall_s, _BRUSSELS))[0]
    bill.due = (
        sum(segment.seconds * segment.per_minute for segment in bill.cdr.segments) if rate else bill.due
    )
    bill.amount = bill.setup + (2 * bill.due + 60) // 120 if bill.payers.count("tariff") else 0
    if bill.months:
        charged[bill.months[-1]] = charged.get(bill.months[-1], 0) + bill.amount - before


def _differences(bill: Bill) -> Iterator[str]:
    cdr = bill.cdr
    payers = [segment.source for segment in cdr.segments for _ in range(segment.seconds)]
    if payers != bill.payers:
        yield f"{cdr.call_id} of {cdr.line}: paid by {_runs(payers)}, should be {_runs(bill.payers)}"
    elif (cdr.setup_fee, cdr.amount) != (bill.setup, bill.amount):
        yield f"{cdr.call_id} of {cdr.line}: {cdr.amount}, should be {bill.amount}"


def _runs(payers: list[str]) -> list[tuple[str, int]]:
    runs: list[tuple[str, int]] = []
    for payer in payers:
        if runs and runs[-1][0] == payer:
            runs[-1] = (payer, runs[-1][1] + 1)
        else:
            runs.append((payer, 1))
    return runs


def _sheet(cdr: Cdr, at: datetime) -> tuple[int, int, bool]:
    """The price sheet: a minute, set-up, and whether the bundle pays, of a call at a local time."""
    number = cdr.called
    peak = at.weekday() < 5 and at.date() not in _HOLIDAYS and 8 <= at.hour < 16
    klik = cdr.plan == "classic-in-klik"
    if not number.startswith("+") or number.startswith(_FREE):
        return 0, 0, False
    for prefix, per_minute in _PREMIUM.items():
        if number.startswith(prefix):
            return per_minute, 0, False
    if number.startswith("+32"):
        free = klik or not peak or "24-belgium" in cdr.options
        return (0, 0, False) if free else (1_700, 0, False)
    if number.startswith("+33"):
        return 5_800, 800, not klik and not peak
    if number.startswith("+212"):
        return (8_300 if klik else 11_600), 800, False
    return 11_600, 800, False
