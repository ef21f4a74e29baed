"""The ledger against a model of plain dictionaries, giving out one second at a time (R-BUN-03, R-CAP-04)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rating.account import Standing, Threshold
from rating.calendar import BRUSSELS
from rating.charge import NOTHING, Charge, Source, Use
from rating.grant import StopReason
from rating.ledger import Ledger
from rating.tariff import TariffBook
from rating.terms import Terms
from tests.rating.support import local_ns, quoted
from tests.rating.test_charge import BE, EXAMPLES, FR, FULL, NUMBERS, sheet

SECOND = 10**9
OTHER = "+38591234567"
TUESDAY = local_ns("2026-11-24 10:00:00")  # peak
RICH, POOR = Standing(), Standing(cap=1000)  # 0.08 and two seconds at 0.58, or one at 1.16


def terms_of(book: TariffBook, number: str = FR, wall_ns: int = TUESDAY) -> Terms:
    return quoted(book, "classic", (), number, wall_ns).terms


class Desk:
    """A ledger with one account, asked at instants of one clock that starts at zero on a Tuesday at ten."""

    def __init__(self, book: TariffBook, standing: Standing = RICH) -> None:
        self.book = book
        self.ledger = Ledger()
        self.standing = standing

    def reserve(self, call_id: str, at_ns: int = 0, number: str = FR, for_ns: int = 60 * SECOND) -> object:
        return self.ledger.reserve(
            "desk",
            self.standing,
            call_id,
            terms_of(self.book, number),
            wall_ns=TUESDAY + at_ns,
            mono_ns=at_ns,
            for_ns=for_ns,
        )

    def begin(self, call_id: str, at_ns: int = 0, limit_s: int = 0) -> object:
        return self.ledger.begin(
            call_id, answered_mono_ns=at_ns, answered_wall_ns=TUESDAY + at_ns, limit_s=limit_s
        )

    @property
    def held(self) -> int:
        account = self.ledger.find("desk")
        return account.books.held if account is not None else 0

    def amount(self) -> int:
        account = self.ledger.find("desk")
        assert account is not None
        return account.books.book("2026-11").amount


# --- one by one ---------------------------------------------------------------------------------------------


def test_a_reservation_holds_the_first_second_and_gives_it_back(book: TariffBook) -> None:
    desk = Desk(book)
    assert desk.reserve("one") is None
    assert (desk.held, len(desk.ledger)) == (897, 1)
    desk.ledger.release("one", 0)
    assert (desk.held, len(desk.ledger)) == (0, 0)
    desk.ledger.release("one", 0)
    assert desk.held == 0


@pytest.mark.parametrize("company", [False, True])
@pytest.mark.parametrize("later_s", [0, 5])
def test_a_call_that_is_not_put_through_after_all_draws_nothing(
    later_s: int, company: bool, book: TariffBook
) -> None:
    """Revoked, whether or not another call of the line shares its cap; once is enough."""
    desk = Desk(book, Standing(cap=100_000))
    if company:
        desk.reserve("other")
        desk.begin("other")
    desk.reserve("one")
    desk.begin("one")
    for _ in range(2):
        desk.ledger.revoke("one", later_s * SECOND)
    assert desk.ledger.settle("one", 5, later_s * SECOND) == NOTHING
    if company:
        assert desk.ledger.settle("other", 6, 6 * SECOND).amount == 1380  # 0.08 and 6 s at 0.58
    assert desk.amount() == (1380 if company else 0)
    assert (desk.held, len(desk.ledger)) == (0, 0)


def test_what_one_call_holds_another_cannot(book: TariffBook) -> None:
    desk = Desk(book, POOR)
    assert desk.reserve("one") is None
    assert desk.reserve("two") is StopReason.CAP
    desk.ledger.release("one", 0)
    assert desk.reserve("two") is None


def test_what_is_held_for_a_ringing_call_is_not_given_to_one_that_talks(book: TariffBook) -> None:
    """However late anybody looks: the ringing call can be answered, the other ends where the money does."""
    desk = Desk(book, Standing(cap=2 * 897))
    desk.reserve("talks")
    desk.begin("talks")
    desk.reserve("rings")
    assert desk.begin("rings", 60 * SECOND) is None
    talked = desk.ledger.settle("talks", 60, 60 * SECOND)
    assert (talked.seconds, talked.amount) == (1, 897)


@pytest.mark.parametrize("end", ["expire", "settle"])
def test_money_that_comes_free_pays_from_then_on_and_not_before(book: TariffBook, end: str) -> None:
    desk = Desk(book, Standing(cap=2 * 897))
    desk.reserve("talks")
    desk.begin("talks")
    desk.reserve("rings", for_ns=30 * SECOND)
    if end == "expire":
        assert desk.ledger.expire(30 * SECOND) == 1
    else:
        assert desk.ledger.settle("rings", 0, 30 * SECOND) == NOTHING
    assert desk.held == 0
    assert desk.ledger.settle("talks", 30, 30 * SECOND).seconds == 1


def test_a_reservation_expires_at_its_time_and_not_before(book: TariffBook) -> None:
    desk = Desk(book)
    desk.reserve("one", for_ns=30 * SECOND)
    assert desk.ledger.expire(30 * SECOND - 1) == 0
    assert desk.ledger.expire(30 * SECOND) == 1
    assert (desk.held, len(desk.ledger)) == (0, 0)
    with pytest.raises(KeyError):
        desk.begin("one", 31 * SECOND)


def test_a_call_that_never_rang_cannot_begin(book: TariffBook) -> None:
    with pytest.raises(KeyError):
        Desk(book).begin("nobody")


def test_a_repeat_changes_nothing_and_answers_as_the_first_time(book: TariffBook) -> None:
    desk = Desk(book)
    for _ in range(2):
        assert desk.reserve("one") is None
        assert desk.held == 897
    for _ in range(2):
        assert desk.begin("one", 5 * SECOND) is None
        assert (desk.held, desk.amount(), len(desk.ledger)) == (0, 897, 1)
    assert desk.reserve("one", 6 * SECOND) is None
    assert (desk.held, len(desk.ledger)) == (0, 1)
    charge = desk.ledger.settle("one", 10, 15 * SECOND)
    assert charge.seconds == 10
    assert desk.ledger.settle("one", 99, 60 * SECOND) == charge
    assert desk.amount() == charge.amount


def test_a_call_that_is_over_neither_reserves_nor_begins_again(book: TariffBook) -> None:
    """A repeat that comes after the end would hold money until it expires."""
    desk = Desk(book)
    desk.reserve("one")
    desk.begin("one")
    desk.ledger.settle("one", 10, 10 * SECOND)
    assert desk.reserve("one", 11 * SECOND) is None
    assert desk.begin("one", 11 * SECOND) is None
    assert (desk.held, len(desk.ledger)) == (0, 0)


def test_a_settlement_is_for_as_much_as_was_talked_or_less(book: TariffBook) -> None:
    desk = Desk(book)
    for number, seconds in enumerate((60, 20, 1, 0)):
        call_id = f"call-{number}"
        desk.reserve(call_id)
        desk.begin(call_id)
        before = desk.amount() - 897
        charge = desk.ledger.settle(call_id, seconds, 60 * SECOND)
        assert charge.seconds == max(1, seconds)
        assert desk.amount() - before == charge.amount


def test_only_so_many_settlements_are_remembered(book: TariffBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rating.ledger.REMEMBERED", 2)
    desk = Desk(book)
    for call_id in ("one", "two", "three"):
        desk.reserve(call_id)
        desk.begin(call_id)
        desk.ledger.settle(call_id, 10, 10 * SECOND)
    charges = [desk.ledger.settle(call_id, 10, 20 * SECOND).seconds for call_id in ("one", "two", "three")]
    assert charges == [0, 10, 10]


@pytest.mark.parametrize(("seconds", "told"), [(1700, ["cap-80"]), (1701, ["cap-80", "cap-100"])])
def test_a_cap_is_reached_when_no_further_second_can_be_paid_for(
    book: TariffBook, seconds: int, told: list[str]
) -> None:
    """R-CAP-03: also when the call is closed before that second begins. 16.5289 is 20 EUR with VAT."""
    desk = Desk(book, Standing(cap=165_289))
    desk.reserve("one")
    desk.begin("one")
    desk.ledger.renew("desk", SECOND)
    desk.ledger.settle("one", seconds, seconds * SECOND)
    assert [threshold.kind for threshold in desk.ledger.take_crossed("desk")] == told
    assert desk.ledger.take_crossed("desk") == []


@pytest.mark.parametrize("cap", [2 * 800 + seconds * 97 for seconds in range(30, 50)])
def test_of_two_seconds_at_one_instant_the_elder_calls_comes_first(book: TariffBook, cap: int) -> None:
    """However often anybody looks; the calls began whole seconds apart."""
    found = []
    for looks in (range(0), range(11, 41)):
        desk = Desk(book, Standing(cap=cap))
        for call_id, at_s in (("elder", 0), ("younger", 10)):
            desk.reserve(call_id, at_s * SECOND)
            assert desk.begin(call_id, at_s * SECOND) is None
        for at_s in looks:
            desk.ledger.renew("desk", at_s * SECOND + 1)
        charges = [desk.ledger.settle(one, 99, 40 * SECOND + 1) for one in ("elder", "younger")]
        found.append([charge.seconds for charge in charges])
    assert found[0] == found[1]


def test_a_call_that_is_ended_because_its_line_was_closed_has_reached_no_cap(book: TariffBook) -> None:
    desk = Desk(book, Standing(cap=165_289))
    desk.reserve("one")
    desk.begin("one")
    desk.ledger.stand("desk", Standing(cap=165_289, closed=True), 10 * SECOND)
    desk.ledger.renew("desk", 10 * SECOND)
    assert desk.ledger.settle("one", 11, 11 * SECOND).seconds == 10
    assert desk.ledger.take_crossed("desk") == []


def test_a_limit_is_no_cap(book: TariffBook) -> None:
    """A call that was cut by its limit, and reported late, has not tried the seconds beyond it."""
    desk = Desk(book, Standing(cap=165_289))
    desk.reserve("one")
    desk.begin("one", limit_s=60)
    assert desk.ledger.settle("one", 5000, 5000 * SECOND).seconds == 60
    assert desk.ledger.take_crossed("desk") == []


def test_old_months_and_empty_accounts_are_forgotten(book: TariffBook) -> None:
    desk = Desk(book)
    desk.reserve("one")
    desk.ledger.turn_to("2027-01")
    assert desk.ledger.find("desk") is not None  # it holds a reservation
    desk.begin("one")
    desk.ledger.settle("one", 10, 10 * SECOND)
    desk.ledger.turn_to("2026-11")
    assert desk.amount()
    desk.ledger.turn_to("2026-12")
    assert desk.ledger.find("desk") is None


# --- in every order -----------------------------------------------------------------------------------------


class Second(NamedTuple):
    """What one second is priced by, or was."""

    month: str
    rate: int
    fee: int
    bundled: bool
    allowance_s: int


@lru_cache(maxsize=1 << 16)
def second_at(number: str, utc_s: int) -> Second:
    """The sheet at an instant; none of them is on a holiday."""
    instant = datetime.fromtimestamp(utc_s, BRUSSELS)
    raised = (instant.year, instant.month) >= (2026, 12)
    peak = instant.weekday() < 5 and 8 <= instant.hour < 16
    per_minute, setup, bundled = sheet(NUMBERS[number], "classic", (), peak, raised)
    rate, fee = round(10_000 * float(per_minute)), round(10_000 * float(setup))
    return Second(f"{instant:%Y-%m}", rate, fee, bundled, 60 if raised else FULL)


@dataclass(slots=True)
class Talk:
    """A call that has begun: who paid for each second, and what its amount rose by."""

    number: str
    answered_ns: int
    limit_s: int
    taken: list[tuple[Second, Source, int]] = field(default_factory=list)
    stopped: bool = False

    def charge(self) -> tuple[int, int, int, tuple[Use, ...]]:
        """Seconds, set-up, amount, uses."""
        months = dict.fromkeys(second.month for second, _, _ in self.taken)
        uses = []
        for month in months:
            inside = [(source, amount) for second, source, amount in self.taken if second.month == month]
            drawn = sum(source is Source.BUNDLE for source, _ in inside)
            uses.append(Use(month, len(inside), drawn, sum(amount for _, amount in inside)))
        return len(self.taken), self.setup, sum(use.amount for use in uses), tuple(uses)

    @property
    def setup(self) -> int:
        return self.taken[0][0].fee if self.taken and self.taken[0][1] is Source.TARIFF else 0


class Model:
    """One account: a dictionary of each thing there is."""

    def __init__(self, standing: Standing, base_ns: int) -> None:
        self.standing = standing
        self.base_ns = base_ns
        self.seconds: Counter[str] = Counter()
        self.bundle_s: Counter[str] = Counter()
        self.amount: Counter[str] = Counter()
        self.reached: set[str] = set()
        self.held: dict[str, tuple[str, int, int]] = {}  # number, amount, expiry
        self.running: dict[str, Talk] = {}
        self.settled: dict[str, tuple[int, int, int, tuple[Use, ...]]] = {}
        self.past: list[Use] = []
        """What was settled before the last restart, by calls that nobody remembers."""
        self.exact = True
        """Whether a restart gives each call what it had: nothing was given back, nothing held cut a call."""

    def holding(self) -> int:
        return sum(amount for _, amount, _ in self.held.values())

    def utc_s(self, ns: int) -> int:
        return (self.base_ns + ns) // SECOND

    def first_price(self, second: Second) -> int:
        if second.bundled and self.bundle_s[second.month] < second.allowance_s:
            return 0
        return second.fee + (2 * second.rate + 60) // 120

    def why(self) -> StopReason:
        return StopReason.LIMITED if self.standing.barred else StopReason.CAP

    def objection(self, number: str, now_ns: int) -> StopReason | None:
        second = second_at(number, self.utc_s(now_ns))
        price, cap = self.first_price(second), self.standing.cap
        if not price:
            return None
        over = cap is not None and self.amount[second.month] + self.holding() + price > cap
        reached = cap is not None and second.month in self.reached
        return self.why() if over or reached or self.standing.barred else None

    def next_second(self, talk: Talk) -> tuple[Second, Source, int] | None:
        """Who pays for it and how much; None when nobody does."""
        second = second_at(talk.number, self.utc_s(talk.answered_ns) + len(talk.taken))
        if not (second.rate or second.fee):
            return second, Source.INCLUDED, 0
        if second.bundled and self.bundle_s[second.month] < second.allowance_s:
            return second, Source.BUNDLE, 0
        due = second.rate + sum(one.rate for one, source, _ in talk.taken if source is Source.TARIFF)
        setup = talk.setup if talk.taken else second.fee
        amount = setup + (2 * due + 60) // 120 - sum(one for _, _, one in talk.taken)
        cap = self.standing.cap
        if self.standing.barred:
            return None
        if cap is not None and self.amount[second.month] + self.holding() + amount > cap:
            self.exact &= self.amount[second.month] + amount > cap
            self.reached.add(second.month)
            return None
        return second, Source.TARIFF, amount

    def take(self, talk: Talk) -> bool:
        taken = self.next_second(talk)
        if taken is None:
            talk.stopped = True
            return False
        talk.taken.append(taken)
        self.book(taken, 1)
        return True

    def book(self, taken: tuple[Second, Source, int], sign: int) -> None:
        second, source, amount = taken
        self.seconds[second.month] += sign
        self.bundle_s[second.month] += sign * (source is Source.BUNDLE)
        self.amount[second.month] += sign * amount

    def advance(self, now_ns: int) -> None:
        """Every second that has begun, in the order of their beginning."""
        while True:
            starts = [
                (talk.answered_ns + len(talk.taken) * SECOND, order, talk)
                for order, talk in enumerate(self.running.values())
                if not talk.stopped and not (talk.limit_s and len(talk.taken) >= talk.limit_s)
            ]
            due = [start for start in starts if start[0] < now_ns]
            if not due:
                return
            self.take(min(due, key=lambda start: start[:2])[2])

    def end(self, call_id: str, seconds: int) -> None:
        talk = self.running.pop(call_id)
        while len(talk.taken) > max(1, seconds):
            self.book(talk.taken.pop(), -1)
            self.exact = False
        self.settled[call_id] = talk.charge()

    def months(self) -> dict[str, tuple[int, int, int]]:
        found = {
            month: (self.seconds[month], self.bundle_s[month], self.amount[month])
            for month in self.seconds.keys() | self.bundle_s.keys() | self.amount.keys()
        }
        return {month: used for month, used in found.items() if any(used)}


ACCOUNTS = ("desk", "dect")
NAMES = st.sampled_from(["desk", "desk", "desk", "dect"])
BASES = {
    # where it begins, what is left of the bundle then
    local_ns("2026-11-24 15:59:00"): 45,
    local_ns("2026-11-30 23:59:10"): 30,
    local_ns("2026-12-30 23:59:00"): 25,
    local_ns("2026-12-31 23:59:10"): 0,
    local_ns("2026-11-25 07:59:30"): 90,
}
STANDINGS = st.builds(
    Standing,
    st.sampled_from([None, 0, 897, 1_500, 5_000, 20_000, 165_289]),
    barred=st.sampled_from([False, False, False, False, True]),
    closed=st.just(False),
)
TIMES_NS = st.one_of(
    st.sampled_from([0, 1, SECOND, 10 * SECOND]),
    st.integers(1, 5 * SECOND),
    st.integers(5 * SECOND, 40 * SECOND),
)


class LedgerMachine(RuleBasedStateMachine):
    """Anything may happen to any call at any time, and twice. Nobody looks at an account but when told to."""

    calls = Bundle("calls")

    def __init__(self, book: TariffBook) -> None:
        super().__init__()
        self.book = book
        self.now_ns = 0
        self.count = 0
        self.base_ns = 0
        self.ledger = Ledger()
        self.models: dict[str, Model] = {}
        self.told: dict[str, list[Threshold]] = {name: [] for name in ACCOUNTS}

    @initialize(base_ns=st.sampled_from(sorted(BASES)), standings=st.tuples(STANDINGS, STANDINGS))
    def open(self, base_ns: int, standings: tuple[Standing, Standing]) -> None:
        self.base_ns = base_ns
        second = second_at(FR, base_ns // SECOND)
        for name, standing in zip(ACCOUNTS, standings, strict=True):
            model = self.models[name] = Model(standing, base_ns)
            drawn = second.allowance_s - BASES[base_ns]
            model.past.append(Use(second.month, drawn, drawn, 0))
            model.seconds[second.month] = model.bundle_s[second.month] = drawn
            self.ledger.restore(name, model.past, [], standing)

    @rule(forward_ns=TIMES_NS)
    def wait(self, forward_ns: int) -> None:
        self.now_ns += forward_ns

    @rule(
        target=calls,
        name=NAMES,
        number=st.sampled_from([FR, FR, FR, OTHER, BE, "+32478123456"]),
        for_s=st.sampled_from([0, 10, 180]),
    )
    def reserve(self, name: str, number: str, for_s: int) -> tuple[str, str, str]:
        return self.placed(name, number, for_s)

    def placed(self, name: str, number: str, for_s: int) -> tuple[str, str, str]:
        """A new call."""
        self.count += 1
        call = (f"call-{self.count}", name, number)
        self.reserve_again(call, for_s)
        return call

    @rule(target=calls, name=NAMES, number=st.sampled_from([FR, FR, FR, OTHER]), wait_ns=TIMES_NS)
    def talk(self, name: str, number: str, wait_ns: int) -> tuple[str, str, str]:
        """A call that is answered at once, and a while of it."""
        call = self.placed(name, number, 180)
        self.begin(call, 0)
        self.wait(wait_ns)
        return call

    @rule(call=calls, for_s=st.sampled_from([0, 180]))
    def reserve_again(self, call: tuple[str, str, str], for_s: int) -> None:
        """A repeat, or once more for a call that holds nothing any more."""
        call_id, name, number = call
        model = self.models[name]
        expected = None
        if not (call_id in model.held or call_id in model.running or call_id in model.settled):
            model.advance(self.now_ns)
            expected = model.objection(number, self.now_ns)
            if expected is None:
                price = model.first_price(second_at(number, model.utc_s(self.now_ns)))
                model.held[call_id] = (number, price, self.now_ns + for_s * SECOND)
        wall_ns = self.base_ns + self.now_ns
        answer = self.ledger.reserve(
            name,
            model.standing,
            call_id,
            terms_of(self.book, number, wall_ns),
            wall_ns=wall_ns,
            mono_ns=self.now_ns,
            for_ns=for_s * SECOND,
        )
        assert answer is expected

    @rule(call=calls, limit_s=st.sampled_from([0, 0, 0, 1, 45]))
    def begin(self, call: tuple[str, str, str], limit_s: int) -> None:
        call_id, name, number = call
        model = self.models[name]
        moments = {"answered_mono_ns": self.now_ns, "answered_wall_ns": self.base_ns + self.now_ns}
        expected = None
        if not (call_id in model.running or call_id in model.settled):
            if call_id not in model.held:
                with pytest.raises(KeyError):
                    self.ledger.begin(call_id, **moments, limit_s=limit_s)
                return
            model.advance(self.now_ns)
            del model.held[call_id]
            talk = Talk(number, self.now_ns, limit_s)
            if model.take(talk):
                model.running[call_id] = talk
            else:
                expected = model.why()
        assert self.ledger.begin(call_id, **moments, limit_s=limit_s) is expected

    @rule(name=NAMES)
    def renew(self, name: str) -> None:
        """Somebody looks: what was granted is what the model has given out."""
        model = self.models[name]
        model.advance(self.now_ns)
        self.ledger.renew(name, self.now_ns, everyone=True)
        account = self.ledger.find(name)
        running = list(account.calls.values()) if account is not None else []
        assert [call.id for call in running] == list(model.running)
        for call in running:
            talk = model.running[call.id]
            charge = call.meter.charge()
            assert (charge.seconds, charge.setup, charge.amount, charge.uses) == talk.charge()
            assert (call.stop_s is not None) == talk.stopped
        self.compare(name)

    @rule(call=calls, back_s=st.sampled_from([0, 0, 0, 1, 20, 10_000]))
    def settle(self, call: tuple[str, str, str], back_s: int) -> None:
        """At the end of what was talked, or as of earlier; `back_s` 10000 is before the answer."""
        call_id, name, _ = call
        model = self.models[name]
        seconds = 0
        if call_id in model.running:
            model.advance(self.now_ns)
            talked_ns = self.now_ns - model.running[call_id].answered_ns
            seconds = max(0, -(-talked_ns // SECOND) - back_s)
            running, talk = self.ledger.running(call_id, self.now_ns), model.running[call_id]
            assert running is not None
            if running.outlook.reason is StopReason.CAP and max(1, seconds) >= (running.outlook.stop_s or 0):
                answered_s = model.utc_s(talk.answered_ns)  # it was to be cut there, as was foreseen
                model.reached.add(second_at(talk.number, answered_s + len(talk.taken)).month)
            model.end(call_id, seconds)
        elif call_id in model.held:
            model.advance(self.now_ns)
            del model.held[call_id]
        charge = self.ledger.settle(call_id, seconds, self.now_ns)
        expected = model.settled.get(call_id)
        if expected is None:
            assert charge == NOTHING
        else:
            self.check(charge, expected)

    @staticmethod
    def check(charge: Charge, expected: tuple[int, int, int, tuple[Use, ...]]) -> None:
        """The parts add up, and are what the model says."""
        assert (charge.seconds, charge.setup, charge.amount, charge.uses) == expected
        assert sum(segment.seconds for segment in charge.segments) == charge.seconds
        due = sum(segment.seconds * segment.per_minute for segment in charge.segments)
        assert charge.setup + (2 * due + 60) // 120 == charge.amount

    @rule(call=calls)
    def release(self, call: tuple[str, str, str]) -> None:
        call_id, name, _ = call
        model = self.models[name]
        if call_id in model.held:
            model.advance(self.now_ns)
            del model.held[call_id]
        self.ledger.release(call_id, self.now_ns)

    @rule()
    def expire(self) -> None:
        late = 0
        for model in self.models.values():
            for call_id in [one for one, held in model.held.items() if held[2] <= self.now_ns]:
                model.advance(self.now_ns)
                del model.held[call_id]
                late += 1
        assert self.ledger.expire(self.now_ns) == late

    @precondition(lambda self: all(model.exact for model in self.models.values()))
    @rule()
    def restart(self) -> None:
        """What was settled is restored; calls that were running begin again in the order of their answers."""
        for name in ACCOUNTS:
            self.renew(name)
            self.told[name] += self.ledger.take_crossed(name)
        if not all(model.exact for model in self.models.values()):
            return
        self.ledger = Ledger()
        for name, model in self.models.items():
            model.past += [use for *_, uses in model.settled.values() for use in uses]
            model.settled.clear()
            self.ledger.restore(name, model.past, self.told[name], model.standing)
            model.held.clear()
            for call_id, talk in model.running.items():
                at_ns = talk.answered_ns
                terms = terms_of(self.book, talk.number, self.base_ns + at_ns)
                self.ledger.reserve(
                    name,
                    Standing(),  # what it was granted is granted again, whatever is told by now
                    call_id,
                    terms,
                    wall_ns=self.base_ns + at_ns,
                    mono_ns=at_ns,
                    for_ns=0,
                )
                self.ledger.stand(name, model.standing, at_ns)
                answered = {"answered_mono_ns": at_ns, "answered_wall_ns": self.base_ns + at_ns}
                assert self.ledger.begin(call_id, **answered, limit_s=talk.limit_s) is None
        for name in ACCOUNTS:
            self.renew(name)

    def compare(self, name: str) -> None:
        """The books of an account that has been looked at."""
        account = self.ledger.find(name)
        assert account is not None
        books = {month: (b.seconds, b.bundle_s, b.amount) for month, b in account.books.months.items()}
        assert {month: used for month, used in books.items() if any(used)} == self.models[name].months()
        cap = account.standing.cap
        reached = {month for month, b in account.books.months.items() if b.told.get("cap-100", -1) == cap}
        assert reached == self.models[name].reached

    # --- always -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_overdrawn(self) -> None:
        for name, model in self.models.items():
            account = self.ledger.find(name)
            assert account is not None
            for month, book in account.books.months.items():
                assert 0 <= book.bundle_s <= (FULL if month == "2026-11" else 60)
                assert 0 <= book.bundle_s <= book.seconds
                assert book.amount >= 0
                if model.standing.cap is not None:
                    assert book.amount <= model.standing.cap
                if model.standing.barred:
                    assert book.amount == 0

    @invariant()
    def held_is_the_sum_of_what_is_reserved(self) -> None:
        for name, model in self.models.items():
            account = self.ledger.find(name)
            assert account is not None
            assert account.books.held == model.holding()
        reserved = sum(len(model.held) + len(model.running) for model in self.models.values())
        assert len(self.ledger) == reserved

    @invariant()
    def each_threshold_is_told_once(self) -> None:
        for name in self.models:
            self.told[name] += self.ledger.take_crossed(name)
            told = [(one.kind, one.month, one.allowed) for one in self.told[name]]
            assert len(set(told)) == len(told)

    def teardown(self) -> None:
        """At rest: every call settled, every reservation over, and the books are what was settled."""
        for name, model in self.models.items():
            for call_id, talk in list(model.running.items()):
                self.settle((call_id, name, talk.number), 0)
            for call_id, held in list(model.held.items()):
                self.release((call_id, name, held[0]))
            self.renew(name)
            account = self.ledger.find(name)
            assert account is not None
            assert (account.books.held, account.calls) == (0, {})
            total: Counter[str] = Counter()
            for use in [*model.past, *(use for *_, uses in model.settled.values() for use in uses)]:
                total[use.month] += use.amount
            charged = {month: book.amount for month, book in account.books.months.items() if book.amount}
            assert charged == {month: amount for month, amount in total.items() if amount}
        assert len(self.ledger) == 0


def test_the_ledger_agrees_with_the_model_in_every_order(indexed_book: TariffBook) -> None:
    """A failure is told as it was found: to shrink it would take minutes."""
    machine: Any = partial(LedgerMachine, indexed_book)
    run_state_machine_as_test(
        machine, settings=settings(EXAMPLES, stateful_step_count=50, phases=[Phase.reuse, Phase.generate])
    )
