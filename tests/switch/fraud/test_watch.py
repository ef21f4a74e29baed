"""Each rule of section 12 as it is delivered: quiet at its threshold, firing above it, once, and only within
its window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.zone import DestinationClass
from switch.fraud.rules import Action, Rule
from switch.fraud.watch import MOST_BLOCKS, First
from tests.switch.fraud.support import TUESDAY, ZONE_A, Beat, delivered

BELGIUM = DestinationClass.BE_MOBILE
MOROCCO = DestinationClass.MOROCCO_TURKEY


def only(name: str, at: str = TUESDAY) -> Beat:
    """A watch with one rule."""
    return Beat([delivered()[name]], at)


# --- calls at once ------------------------------------------------------------------------------------------


def test_more_than_three_calls_abroad_at_once() -> None:
    beat = only("calls-abroad-at-once")
    for _ in range(3):
        beat.place()
    beat.place("+32478123456", cls=BELGIUM, country="BE")
    beat.place(user="bob")
    assert beat.told == []
    beat.place("+33145678901", cls=ZONE_A, country="FR")
    (finding,) = beat.found
    assert (finding.user, finding.rule_id, finding.action) == ("alice", "calls-abroad-at-once", Action.ALERT)
    assert finding.facts == {"number": "+33145678901", "country": "FR", "calls": 4}


def test_calls_one_after_the_other_are_not_at_once() -> None:
    beat = only("calls-abroad-at-once")
    for _ in range(20):
        beat.end(beat.answer())
    assert (beat.told, beat.watch.sizes()["running"]) == ([], 0)


def test_ends_told_twice_or_of_nobody_change_no_count() -> None:
    beat = only("calls-abroad-at-once")
    first = beat.place()
    for _ in range(5):
        beat.end(first)
        beat.end("never placed")
    assert beat.watch.sizes()["running"] == 0
    for _ in range(4):
        beat.place()
    assert beat.told == ["calls-abroad-at-once"]


# --- answers and minutes ------------------------------------------------------------------------------------


def test_more_than_ten_answers_abroad_an_hour() -> None:
    beat = only("answers-abroad")
    for _ in range(10):
        beat.end(beat.answer())
        beat.wait(1)
    beat.place()  # only rings
    beat.end(beat.answer("+32478123456", cls=BELGIUM, country="BE"), cls=BELGIUM)
    assert beat.told == []
    beat.answer()
    assert beat.told == ["answers-abroad"]


@pytest.mark.parametrize(("last_s", "fires"), [(3599.999999999, True), (3600, False)])
def test_the_edge_of_the_window(last_s: float, fires: bool) -> None:
    beat = only("answers-abroad")
    for _ in range(10):
        beat.answer()
    beat.wait(last_s)
    beat.answer()
    assert bool(beat.told) == fires


def test_a_rule_fires_once_until_its_window_has_passed() -> None:
    beat = only("answers-abroad")
    for _ in range(30):
        beat.answer()
    assert beat.told == ["answers-abroad"]
    beat.wait(3600)
    for _ in range(11):
        beat.answer()
    assert beat.told == 2 * ["answers-abroad"]


def test_after_it_was_lifted_a_rule_counts_anew() -> None:
    beat = only("answers-abroad")
    for _ in range(11):
        beat.answer()
    beat.watch.lifted("alice", beat.now)
    for _ in range(10):
        beat.answer()
    assert len(beat.told) == 1
    beat.answer()
    assert len(beat.told) == 2


@pytest.mark.parametrize("cls", [MOROCCO, DestinationClass.INTERNATIONAL])
def test_more_than_thirty_minutes_an_hour_at_the_dear_rates(cls: DestinationClass) -> None:
    beat = only("minutes")
    call = beat.answer(cls=cls)
    beat.wait(1800.9)
    beat.end(call, cls=cls, seconds=1801)
    assert beat.told == []
    call = beat.answer(cls=cls)
    beat.wait(0.1)
    beat.end(call, cls=cls, seconds=1)
    assert beat.told == ["minutes"]
    assert beat.found[0].facts == {"seconds": 1801}


def test_minutes_elsewhere_are_not_counted() -> None:
    beat = only("minutes")
    call = beat.answer(cls=ZONE_A, country="FR")
    beat.wait(7200)
    beat.look()
    beat.end(call, cls=ZONE_A, seconds=7200)
    assert beat.told == []


def test_minutes_of_two_calls_at_once_add_up_while_they_run() -> None:
    """Nobody waits for a call of two hours to end."""
    beat = only("minutes")
    beat.answer()
    beat.answer(cls=MOROCCO)
    beat.wait(900)
    beat.look()
    assert beat.told == []
    beat.wait(1)
    beat.look()
    assert beat.told == ["minutes"]


def test_minutes_leave_the_window() -> None:
    beat = only("minutes")
    for _ in range(3):
        call = beat.answer()
        beat.wait(1200)
        beat.end(call, seconds=1200)
        beat.wait(2400)
    assert beat.told == []


# --- countries ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "fires"),
    [
        ("2026-11-24 07:59:59", True),
        ("2026-11-24 08:00:00", False),
        ("2026-11-24 17:59:59", False),
        ("2026-11-24 18:00:00", True),
        ("2026-11-28 12:00:00", True),  # Saturday
        ("2026-11-11 12:00:00", True),  # Armistice Day, a Wednesday
        ("2027-03-29 12:00:00", True),  # Easter Monday
        ("2026-07-01 08:00:00", False),  # summer time: 06:00 UTC
        ("2026-07-01 07:59:59", True),
        ("2026-07-21 12:00:00", True),  # National Day
        ("2026-07-11 12:00:00", True),  # a Saturday
        ("2027-07-12 12:00:00", False),
    ],
)
def test_first_call_ever_to_a_country_after_hours(at: str, fires: bool) -> None:
    beat = only("new-country", at)
    beat.answer()
    assert beat.told == (["new-country"] if fires else [])


def test_a_country_is_new_once_and_for_one_line() -> None:
    beat = only("new-country", "2026-11-24 20:00:00")
    beat.place()  # not answered: it has not been reached
    beat.answer()
    beat.answer()
    beat.answer(user="bob")
    assert [finding.user for finding in beat.found] == ["alice", "bob"]
    assert beat.watch.take_first() == [First("alice", "country", "HR"), First("bob", "country", "HR")]
    assert beat.watch.take_first() == []


def test_a_country_stays_known_however_long_the_line_is_idle() -> None:
    """First ever means ever: what was restored counts too."""
    beat = only("new-country", "2026-11-24 20:00:00")
    beat.watch.seen.restore([("alice", "country", "HR")])
    beat.answer()
    beat.wait(400 * 86_400)
    beat.answer()
    assert beat.told == []


@pytest.mark.parametrize(
    ("after_s", "forwarded", "country", "fires"),
    [
        (3599, True, "HR", True),
        (3600, True, "HR", False),
        (60, False, "HR", False),
        (60, True, "FR", False),  # known
    ],
)
def test_forwarding_set_and_used_to_a_new_country(
    after_s: int, forwarded: bool, country: str, fires: bool
) -> None:
    beat = only("forwarded-to-new-country")
    beat.end(beat.answer(country="FR", cls=ZONE_A), cls=ZONE_A)
    beat.watch.forward_set("alice", "+385123456789", beat.now)
    beat.wait(after_s)
    beat.answer(country=country, forwarded=forwarded)
    assert bool(beat.told) == fires
    if fires:
        assert beat.found[0].facts["forward"] == "+385123456789"


def test_forwarded_without_a_forwarding_that_was_set() -> None:
    beat = only("forwarded-to-new-country")
    beat.answer(forwarded=True)
    assert beat.told == []


# --- numbers ------------------------------------------------------------------------------------------------


def test_five_calls_to_one_block() -> None:
    beat = only("number-block")
    for last in range(4):
        beat.place(f"+3851234567{last}1")
        beat.place(f"+385123455{last}01")
    for _ in range(9):
        beat.place("112")
    assert beat.told == []
    beat.place("+38512345699")  # one digit less: another block
    assert beat.told == []
    beat.place("+385123456799")
    assert beat.told == ["number-block"]
    assert beat.found[0].facts["block"] == "+3851234567"


@pytest.mark.parametrize(("last_s", "fires"), [(599, True), (600, False)])
def test_the_window_of_a_block(last_s: int, fires: bool) -> None:
    beat = only("number-block")
    for _ in range(4):
        beat.place()
    beat.wait(last_s)
    beat.place()
    assert bool(beat.told) == fires


def test_blocks_of_a_line_are_bounded() -> None:
    beat = only("number-block")
    for number in range(10 * MOST_BLOCKS):
        beat.place(f"+3851{number:05}00")
    line = beat.watch._lines["alice"]
    assert len(line.windows["number-block"]) == MOST_BLOCKS
    for _ in range(5):
        beat.place(f"+3851{10 * MOST_BLOCKS - 1:05}00")
    assert beat.told == ["number-block"]


def dial(beat: Beat, number: int, seconds: int) -> None:
    beat.end(beat.place(f"+38512345{number}"), f"+38512345{number}", seconds=seconds)
    beat.wait(5)


def test_short_calls_to_rising_numbers() -> None:
    beat = only("rising-numbers")
    for number in (6000, 6001, 6010, 6100, 6101):
        dial(beat, number, 9)
        dial(beat, 5000, 10)  # not short: no part of the series
        dial(beat, 5000, 0)  # not answered
    assert beat.told == []
    dial(beat, 6102, 1)
    assert beat.told == ["rising-numbers"]


@pytest.mark.parametrize(
    "numbers", [(6001, 6000, 6002, 6001, 6003, 6002), (6001,) * 9, range(6009, 6000, -1)]
)
def test_numbers_that_do_not_rise(numbers: tuple[int, ...]) -> None:
    beat = only("rising-numbers")
    for number in numbers:
        dial(beat, number, 3)
    assert beat.told == []


def test_rising_numbers_within_ten_minutes_only() -> None:
    beat = only("rising-numbers")
    for number in range(6000, 6020):
        dial(beat, number, 3)
        beat.wait(115)
    assert beat.told == []


# --- networks and passwords ---------------------------------------------------------------------------------


def test_a_new_network_and_then_calls_abroad() -> None:
    beat = only("new-network")
    beat.register("192.0.2.11")
    beat.wait(86_400)
    beat.register("192.0.77.1")  # the same /16
    beat.place()
    beat.place()
    assert beat.told == []
    beat.register("198.51.100.7")
    beat.place()
    beat.place("+32478123456", cls=BELGIUM, country="BE")
    assert beat.told == []
    beat.place()
    assert beat.told == ["new-network"]
    assert beat.found[0].facts["network"] == "198.51.0.0/16"
    assert [first.value for first in beat.watch.take_first()] == ["192.0.0.0/16", "198.51.0.0/16"]


def test_home_is_no_new_network_in_either_family() -> None:
    beat = only("new-network")
    for host in ("192.0.2.11", "2001:db8:1::1", "2001:db8:9::2"):
        beat.register(host)
        beat.place()
        beat.place()
    assert beat.told == []
    beat.register("2001:db9::1")
    beat.place()
    beat.place()
    assert beat.told == ["new-network"]


@pytest.mark.parametrize(("after_s", "fires"), [(3599, True), (3600, False)])
def test_the_window_of_a_new_network(after_s: int, fires: bool) -> None:
    beat = only("new-network")
    beat.register("192.0.2.11")
    beat.register("198.51.100.7")
    beat.wait(after_s)
    beat.place()
    beat.place()
    assert bool(beat.told) == fires


def test_more_than_five_failed_digests_a_minute() -> None:
    beat = only("failed-digests")
    for _ in range(5):
        beat.found += beat.watch.digest_failed("alice", "203.0.113.66", beat.now)
        beat.wait(11)
    assert beat.told == []
    beat.found += beat.watch.digest_failed("alice", "203.0.113.66", beat.now)
    assert beat.told == ["failed-digests"]
    assert beat.found[0].facts == {"host": "203.0.113.66", "failures": 6}
    beat.wait(5)
    slow = only("failed-digests")
    for _ in range(60):
        slow.found += slow.watch.digest_failed("alice", "203.0.113.66", slow.now)
        slow.wait(12)
    assert slow.told == []


# --- the bundle ---------------------------------------------------------------------------------------------


def test_more_than_six_hundred_minutes_of_the_bundle_a_day() -> None:
    beat = only("bundle-drained")
    for _ in range(5):
        beat.end(beat.answer(cls=ZONE_A), cls=ZONE_A, seconds=7200, bundle_s=7200)
        beat.wait(7200)
    beat.end(beat.answer(cls=ZONE_A), cls=ZONE_A, seconds=7200)  # charged by the minute
    assert beat.told == []
    beat.end(beat.answer(cls=ZONE_A), cls=ZONE_A, seconds=60, bundle_s=1)
    assert beat.told == ["bundle-drained"]
    assert beat.found[0].facts == {"bundle_s": 36_001}


def test_the_bundle_of_yesterday_is_out_of_it() -> None:
    beat = only("bundle-drained")
    beat.end(beat.answer(cls=ZONE_A), cls=ZONE_A, seconds=7200, bundle_s=36_000)
    beat.wait(86_400)
    beat.end(beat.answer(cls=ZONE_A), cls=ZONE_A, seconds=60, bundle_s=36_000)
    assert beat.told == []


# --- rules as data ------------------------------------------------------------------------------------------


def everything(beat: Beat) -> None:
    """What sets off every rule."""
    beat.register("192.0.2.11")
    beat.register("198.51.100.7")
    beat.watch.forward_set("alice", "+385123456789", beat.now)
    for number in range(12):
        beat.answer(f"+38512345670{number % 10}", forwarded=True)
        beat.found += beat.watch.digest_failed("alice", "203.0.113.66", beat.now)
    beat.wait(1000)
    beat.look()
    for number in range(6):
        beat.end("-", f"+38512345{number}", seconds=1, bundle_s=7200)


def test_every_rule_is_silent_when_it_is_not_there() -> None:
    rules = {name: rule for name, rule in delivered().items() if rule.action is Action.ALERT}
    whole = Beat(rules.values(), "2026-11-24 20:00:00")
    everything(whole)
    assert set(whole.told) == set(rules)
    for name in rules:
        beat = Beat([rule for rule in rules.values() if rule.id != name], "2026-11-24 20:00:00")
        everything(beat)
        assert set(beat.told) == set(rules) - {name}


def test_without_rules_nothing_is_remembered() -> None:
    beat = Beat([])
    everything(beat)
    assert beat.watch.sizes() == {"lines": 0, "running": 0, "seen": 0}


def test_steps_are_rules_of_one_kind() -> None:
    first = delivered()["answers-abroad"]
    second = replace(first, id="second", threshold=12, action=Action.SUSPEND)
    beat = Beat([first, second])
    for _ in range(13):
        beat.answer()
    assert [finding.action for finding in beat.found] == [Action.ALERT, Action.SUSPEND]


def test_other_rules_leave_the_windows_of_those_that_stay() -> None:
    answers, block = delivered()["answers-abroad"], delivered()["number-block"]
    beat = Beat([answers, block])
    for number in range(4):
        beat.answer(f"+38512345670{number}")
    beat.watch.replace([replace(block, threshold=3), answers], frozenset())
    beat.answer()
    assert beat.told == []  # the changed rule counts anew
    for _ in range(6):
        beat.answer("+4912345678")
    assert set(beat.told) == {"answers-abroad", "number-block"}


# --- memory -------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_lines_are_forgotten_when_they_are_idle() -> None:
    beat = Beat(delivered().values())
    for number in range(100_000):
        user = f"user-{number}"
        beat.end(beat.answer(user=user, cls=ZONE_A, country="FR"), user=user, cls=ZONE_A)
        beat.wait(0.001)
    assert beat.watch.sizes() == {"lines": 100_000, "running": 0, "seen": 100_000}
    talking = beat.answer(user="user-0")
    beat.wait(86_401)
    beat.place(user="another")
    assert beat.watch.sizes()["lines"] == 2
    beat.end(talking, user="user-0")
    assert beat.watch.sizes()["running"] == 1


def test_a_busy_line_stays_small() -> None:
    beat = Beat(delivered().values())
    for number in range(5_000):
        beat.end(beat.answer(f"+3851{number:06}"), seconds=1, bundle_s=1)
        beat.found += beat.watch.digest_failed("alice", "203.0.113.66", beat.now)
        beat.register(f"10.{number % 250}.0.1")
        beat.wait(0.5)
    line = beat.watch._lines["alice"]
    sizes = {name: len(window) for name, window in line.windows.items() if hasattr(window, "__len__")}
    assert max(sizes.values()) <= 512
    assert beat.watch.sizes()["seen"] <= 1 + 64


# --- against a naive model ----------------------------------------------------------------------------------

FACTS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["alice", "bob"]), st.integers(0, 3), st.booleans()),
    max_size=80,
)


@given(FACTS)
@settings(max_examples=60, deadline=None)
def test_findings_are_those_of_a_model_that_keeps_everything(
    facts: list[tuple[int, str, int, bool]],
) -> None:
    rules = [
        replace(delivered()["answers-abroad"], threshold=3),
        replace(delivered()["number-block"], threshold=2),
        replace(delivered()["calls-abroad-at-once"], threshold=2, window_s=500),
    ]
    beat = Beat(rules)
    model = _Model(rules)
    open_calls: list[tuple[str, str]] = []
    for seconds, user, block, ends in facts:
        beat.wait(seconds)
        if ends and open_calls:
            owner, call_id = open_calls.pop(0)
            beat.end(call_id, user=owner)
            model.running[owner].discard(call_id)
        number = f"+38512345{block}00"
        call_id = beat.answer(number, user=user)
        model.running.setdefault(user, set()).add(call_id)
        open_calls.append((user, call_id))
        model.answered(user, number, beat.mono_ns)
    assert [(finding.user, finding.rule_id) for finding in beat.found] == model.told
    assert beat.watch.sizes()["running"] == sum(map(len, model.running.values()))


class _Model:
    """Keeps every fact and looks at all of them each time."""

    def __init__(self, rules: list[Rule]) -> None:
        self.answers, self.blocks, self.at_once = rules
        self.running: dict[str, set[str]] = {}
        self.told: list[tuple[str, str]] = []
        self._facts: list[tuple[str, str, int]] = []
        self._quiet: dict[tuple[str, str], int] = {}

    def answered(self, user: str, number: str, now_ns: int) -> None:
        self._facts.append((user, number, now_ns))
        own = [(number, at) for owner, number, at in self._facts if owner == user]
        counts = [
            (self.at_once, len(self.running[user])),
            (
                self.blocks,
                sum(n[:-2] == number[:-2] and at > now_ns - self.blocks.window_ns for n, at in own),
            ),
            (self.answers, sum(at > now_ns - self.answers.window_ns for _, at in own)),
        ]
        for rule, count in counts:
            if count > rule.threshold and self._quiet.get((user, rule.id), 0) <= now_ns:
                self._quiet[user, rule.id] = now_ns + rule.window_ns
                self.told.append((user, rule.id))
