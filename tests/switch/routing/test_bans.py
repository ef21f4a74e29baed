"""Who is slowed and who is ignored, and who never is (field guide, acceptance 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.ports import NS_PER_MS, NS_PER_S, Address, Moment, Note
from switch.routing import bans as rules
from switch.routing.bans import Bans, BanSettings
from tests.switch.sip.support import at

SCANNER, OFFICE = Address("192.0.2.66", 5060), Address("192.0.2.7", 5060)
HALF_LIFE_S = 600


class Watch:
    """Bans, with a clock, what they noted and what they put off."""

    def __init__(self, **changes: object) -> None:
        self.now_ns = 0
        self.notes: list[Note] = []
        self.later: list[Callable[[], None]] = []
        self.spared: set[str] = set()
        self.bans = Bans(
            replace(BanSettings(), **changes),  # type: ignore[arg-type]
            spared=lambda host: host in self.spared,
            start=lambda _delay_ns, fire: self.later.append(fire),
            note=self.notes.append,
        )

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * NS_PER_S)

    def ask(self, remote: Address = SCANNER, user: str = "alice") -> None:
        """A request without credentials."""
        self.bans.asked(remote, user, self.now_ns)

    def fail(self, remote: Address = SCANNER, user: str = "alice", times: int = 1) -> None:
        """A challenge answered wrongly."""
        for _ in range(times):
            self.ask(remote, user)
            self.bans.failed(remote, user, self.now_ns)

    def prove(self, remote: Address = OFFICE, user: str = "alice") -> None:
        """A challenge answered rightly."""
        self.ask(remote, user)
        self.bans.proved(remote, user, self.now_ns)

    def answers(self, remote: Address = SCANNER, user: str = "alice") -> str:
        """What becomes of an answer: `now`, `late` or `never`."""
        sent: list[bool] = []
        before = len(self.later)
        if not self.bans.held:
            return "now"
        self.bans.answer(remote, user, lambda: sent.append(True), self.now_ns)
        return "now" if sent else "late" if len(self.later) > before else "never"

    def states(self) -> dict[tuple[str, str], str]:
        return {
            (ban["source"], ban["user"]): ban["state"]
            for ban in self.bans.view(Moment(self.now_ns, self.now_ns))
        }


@pytest.fixture
def watch() -> Watch:
    return Watch()


# --- a user at a source -------------------------------------------------------------------------------------


def test_a_first_register_without_credentials_is_no_failure(watch: Watch) -> None:
    for _ in range(1000):
        watch.prove()
    assert not watch.bans.held
    assert watch.notes == []


def test_five_wrong_ones_slow_that_user_there_and_ten_shut_it_out(watch: Watch) -> None:
    watch.fail(times=4)
    assert watch.answers() == "now"
    watch.fail()
    assert watch.states() == {("192.0.2.66", "alice"): "slowed"}
    assert watch.answers() == "late"
    assert watch.answers(user="bob") == "now"
    assert watch.answers(OFFICE) == "now"
    watch.fail(times=5)
    assert watch.states() == {("192.0.2.66", "alice"): "ignored"}
    assert watch.answers() == "never"
    assert watch.bans.withholds(SCANNER, "alice", watch.now_ns)
    assert not watch.bans.withholds(SCANNER, "bob", watch.now_ns)


def test_one_answer_at_a_time_to_the_slowed(watch: Watch) -> None:
    """Or guesses could be made side by side."""
    watch.fail(times=5)
    assert watch.answers() == "late"
    assert watch.bans.withholds(SCANNER, "alice", watch.now_ns)
    assert watch.answers() == "never"
    watch.later.pop()()
    assert not watch.bans.withholds(SCANNER, "alice", watch.now_ns)
    assert watch.answers() == "late"


def test_the_right_password_wipes_the_slate(watch: Watch) -> None:
    watch.fail(times=9)
    watch.prove(SCANNER)
    assert watch.states() == {}
    watch.fail(times=4)
    assert watch.states() == {}


def test_a_ban_fades(watch: Watch) -> None:
    watch.fail(times=10)
    watch.wait(HALF_LIFE_S - 1)
    assert watch.states() == {("192.0.2.66", "alice"): "ignored"}
    watch.wait(HALF_LIFE_S / 16 + 1)
    assert watch.states() == {("192.0.2.66", "alice"): "slowed"}
    watch.wait(HALF_LIFE_S)
    assert watch.states() == {}
    assert [note.facts["state"] for note in watch.notes] == ["slowed", "ignored", "slowed", "lifted"]


def test_one_wrong_password_a_minute_is_stopped_and_one_in_ten_is_not(watch: Watch) -> None:
    for _ in range(30):
        watch.fail()
        watch.wait(60)
    assert watch.states()
    watch.bans.lift()
    for _ in range(30):
        watch.fail()
        watch.wait(600)
    assert watch.states() == {}


def test_users_are_told_apart_by_what_a_user_may_be(watch: Watch) -> None:
    """A name of a whole datagram is not kept."""
    watch.fail(user="x" * 60_000)
    watch.fail(user="x" * 60_001)
    assert watch.bans.sizes()["pairs"] == 1


# --- a source -----------------------------------------------------------------------------------------------


def test_an_office_with_one_wrong_phone_is_not_locked_out(watch: Watch) -> None:
    wrong, right = OFFICE._replace(port=1024), OFFICE._replace(port=1025)
    watch.prove(right, "bob")
    watch.fail(wrong, "alice", times=50)
    assert watch.states() == {("192.0.2.7", "alice"): "ignored"}
    assert watch.bans.shuts_out(right, watch.now_ns) == ""
    assert watch.answers(right, "bob") == watch.answers(OFFICE, "carol") == "now"


def test_a_phone_that_was_right_keeps_its_user_though_another_is_wrong(watch: Watch) -> None:
    """Two phones of one line in one office; or a stranger who writes the office's address as his own."""
    right = OFFICE._replace(port=1025)
    watch.prove(right, "alice")
    watch.fail(OFFICE, "alice", times=10)
    assert watch.bans.withholds(OFFICE, "alice", watch.now_ns)
    assert not watch.bans.withholds(right, "alice", watch.now_ns)
    watch.fail(right, "alice")  # its password has been changed
    assert watch.bans.withholds(right, "alice", watch.now_ns)


@pytest.mark.parametrize("pace_s", [0, 1, 20])
def test_a_scan_shuts_the_source_out_at_any_pace(pace_s: int, watch: Watch) -> None:
    """Whoever asks for one user after another and answers no challenge; the last few may still be open."""
    for number in range(40):
        watch.ask(user=f"user{number}")
        watch.wait(pace_s)
    watch.wait(10)
    watch.bans.sweep(watch.now_ns)
    assert watch.states() == {("192.0.2.66", ""): "ignored"}
    assert watch.bans.shuts_out(SCANNER, watch.now_ns) == "source"
    assert watch.bans.shuts_out(OFFICE, watch.now_ns) == ""


def test_wrong_passwords_of_many_users_shut_the_source_out(watch: Watch) -> None:
    for number in range(10):
        watch.fail(user=f"user{number}")
    assert watch.states() == {("192.0.2.66", ""): "ignored"}


def test_who_has_an_account_guesses_no_faster_for_it(watch: Watch) -> None:
    """His own digest, right before every guess at another's, buys him nothing."""
    for _ in range(20):
        watch.prove(OFFICE, "mallory")
        watch.fail(OFFICE, "alice")
    assert watch.states() == {("192.0.2.7", "alice"): "ignored"}
    watch.prove(OFFICE, "mallory")
    assert watch.bans.withholds(OFFICE, "alice", watch.now_ns)
    assert not watch.bans.withholds(OFFICE, "mallory", watch.now_ns)


def test_a_scan_from_an_office_shuts_nobody_else_out(watch: Watch) -> None:
    watch.prove(OFFICE)
    for number in range(100):
        watch.fail(OFFICE._replace(port=666), user=f"user{number}")
    assert watch.states() == {}
    watch.wait(3700)  # the phone is there no more
    for number in range(100):
        watch.fail(OFFICE._replace(port=666), user=f"user{number}")
    assert watch.states()["192.0.2.7", ""] == "ignored"


def test_a_phone_that_never_answers_its_challenge_is_let_be(watch: Watch) -> None:
    for _ in range(200):
        watch.ask()
        watch.wait(30)
    assert watch.states() == {}


def test_the_same_question_over_and_over_is_a_storm(watch: Watch) -> None:
    for _ in range(150):
        watch.ask()
        watch.wait(0.1)
    assert watch.states() == {("192.0.2.66", ""): "ignored"}


def test_what_cannot_be_parsed_counts(watch: Watch) -> None:
    for _ in range(20):
        watch.bans.request(SCANNER, watch.now_ns, "unparsable")
    assert watch.states() == {("192.0.2.66", ""): "ignored"}


def test_a_load_that_begins_at_once_is_no_storm(watch: Watch) -> None:
    """Hundreds of calls of one line, from where none ever came, before the first password is there."""
    for _ in range(500):
        watch.ask()
    watch.wait(0.5)
    for _ in range(500):
        watch.bans.proved(SCANNER, "alice", watch.now_ns)
    watch.wait(60)
    watch.bans.sweep(watch.now_ns)
    assert watch.notes == []


def test_a_whole_office_that_starts_at_once_is_no_scan(watch: Watch) -> None:
    """Two hundred phones after a power cut, none of which was ever here."""
    phones = [(OFFICE._replace(port=port), f"user{port}") for port in range(2000, 2200)]
    for phone in phones:
        watch.ask(*phone)
    watch.wait(0.5)
    for phone in phones:
        watch.prove(*phone)
    watch.wait(60)
    watch.bans.sweep(watch.now_ns)
    assert watch.notes == []


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:1:2:3:4", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
    ],
)
def test_a_source_is_a_host_or_a_slash_64(host: str, source: str, watch: Watch) -> None:
    assert watch.bans.source(host) == source


def test_addresses_of_one_slash_64_are_one_source(watch: Watch) -> None:
    for number in range(10):
        watch.fail(Address(f"2001:db8::{number}", 5060))
    assert watch.states() == {("2001:db8::/64", "alice"): "ignored"}


# --- a flood ------------------------------------------------------------------------------------------------


def test_a_flood_is_dropped_and_then_its_source(watch: Watch) -> None:
    dropped = 0
    for _ in range(3000):
        rule = watch.bans.shuts_out(SCANNER, watch.now_ns)
        if rule:
            watch.bans.dropped(SCANNER, rule, watch.now_ns)
            dropped += 1
        else:
            watch.bans.request(SCANNER, watch.now_ns)
        watch.now_ns += NS_PER_MS
    assert watch.states() == {("192.0.2.66", ""): "ignored"}
    assert 1000 < 3000 - dropped < 1200
    assert watch.bans.counters["ignored_flood"] > 0 < watch.bans.counters["ignored_source"]


def test_load_that_is_proved_never_runs_dry(watch: Watch) -> None:
    """A thousand calls a second from one address, every challenge of them answered, its ACK included."""
    for _ in range(30_000):
        watch.bans.request(SCANNER, watch.now_ns, "ack")
        watch.prove(SCANNER)
        watch.now_ns += NS_PER_MS
    assert watch.notes == []


def test_a_flood_out_of_an_office_leaves_its_phones_alone(watch: Watch) -> None:
    phone, flooder = OFFICE._replace(port=1), OFFICE._replace(port=2)
    watch.prove(phone)
    for _ in range(2000):
        watch.bans.request(flooder, watch.now_ns)
    assert watch.bans.shuts_out(flooder, watch.now_ns) == "flood"
    assert watch.bans.shuts_out(phone, watch.now_ns) == ""
    assert watch.answers(OFFICE, "bob") == "now"
    assert watch.states() == {("192.0.2.7", ""): "slowed"}
    watch.wait(40)
    assert watch.bans.shuts_out(flooder, watch.now_ns) == ""
    assert watch.states() == {}
    assert not watch.bans.shut


# --- never --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["trusted", "spared", "disabled"])
def test_nobody_who_is_trusted_is_limited(how: str) -> None:
    watch = Watch(
        trusted=(ip_network("192.0.2.64/26"),) if how == "trusted" else (), enabled=how != "disabled"
    )
    if how == "spared":
        watch.spared.add(SCANNER.host)
    watch.fail(times=100)
    for number in range(2000):
        watch.ask(user=f"user{number}")
    watch.bans.sweep(watch.now_ns + 60 * NS_PER_S)
    assert not watch.bans.held
    assert not watch.bans.shut
    assert watch.notes == []


def test_who_becomes_trusted_is_limited_no_more(watch: Watch) -> None:
    watch.fail(times=10)
    for number in range(20):
        watch.fail(user=f"user{number}")
    assert watch.bans.shuts_out(SCANNER, watch.now_ns) == "source"
    watch.spared.add(SCANNER.host)
    assert watch.bans.shuts_out(SCANNER, watch.now_ns) == ""
    assert not watch.bans.withholds(SCANNER, "alice", watch.now_ns)


# --- the operator -------------------------------------------------------------------------------------------


def test_what_the_operator_sees(watch: Watch) -> None:
    watch.fail(times=5)
    watch.wait(2)
    watch.fail()
    (row,) = watch.bans.view(at(2000))
    assert row == {
        "source": "192.0.2.66",
        "user": "alice",
        "state": "slowed",
        "points": 6.0,
        "since_ms": at(0).wall_ns // NS_PER_MS,
        "seen_ms": at(2000).wall_ns // NS_PER_MS,
        "why": "digest",
    }


def test_bans_are_lifted_one_by_one_by_source_or_all() -> None:
    watch = Watch(points=1)
    for host in ("192.0.2.1", "192.0.2.2"):
        for user in ("alice", "bob"):
            watch.fail(Address(host, 5060), user)
    assert len(watch.states()) == 6
    assert watch.bans.lift("192.0.2.1", "alice") == 1
    assert watch.bans.lift("192.0.2.1", "alice") == 0
    assert watch.bans.lift("192.0.2.1") == 2
    assert watch.bans.lift("192.0.2.9") == 0
    assert set(watch.states()) == {("192.0.2.2", user) for user in ("", "alice", "bob")}
    assert watch.bans.lift() == 3
    assert (watch.bans.held, watch.bans.shut, watch.states()) == (False, {}, {})


def test_a_new_password_forgives_the_old_ones(watch: Watch) -> None:
    watch.fail(times=10)
    watch.fail(user="bob", times=10)
    watch.bans.forgive(["alice", "carol"])
    assert watch.states() == {("192.0.2.66", "bob"): "ignored"}


def test_a_note_says_who_and_why_when_a_ban_comes_and_goes(watch: Watch) -> None:
    watch.fail(times=5)
    watch.bans.lift()
    facts = {"source": "192.0.2.66", "user": "alice", "rule": "digest"}
    assert watch.notes == [
        Note("ban", {**facts, "state": "slowed"}),
        Note("ban", {**facts, "state": "lifted"}),
    ]


def test_a_new_configuration_holds_at_once(watch: Watch) -> None:
    watch.fail(times=6)
    watch.bans.replace(replace(watch.bans.settings, points=3))
    watch.fail()
    assert watch.states() == {("192.0.2.66", "alice"): "ignored"}
    watch.bans.replace(replace(watch.bans.settings, enabled=False))
    assert watch.states() == {}
    assert not watch.bans.held


# --- memory -------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_sources_take_no_more_room_than_ten_thousand(watch: Watch) -> None:
    """And the worst of them is not forgotten for it."""
    watch.fail(times=10)
    for number in range(100_000):
        remote = Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 5060)
        watch.ask(remote, f"user{number}")
        watch.bans.failed(remote, f"user{number}", watch.now_ns)
        watch.now_ns += NS_PER_MS
    sizes = watch.bans.sizes()
    assert sizes["sources"] <= rules.MOST_SCORES
    assert sizes["pairs"] <= rules.MOST_SCORES
    assert sizes["open"] <= rules.MOST_OPEN
    assert watch.bans.counters["evicted"] >= 180_000
    assert watch.states()["192.0.2.66", "alice"] == "ignored"
    watch.wait(5 * HALF_LIFE_S)
    watch.bans.sweep(watch.now_ns)
    watch.bans.sweep(watch.now_ns)
    assert set(watch.bans.sizes().values()) == {0}


def test_proofs_are_bounded_too(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switch.routing.proofs.MOST_PROOFS", 100)
    for number in range(300):
        watch.bans.proved(Address(f"10.0.{number >> 8}.{number & 255}", 5060), "alice", watch.now_ns)
    assert watch.bans.sizes() == {"sources": 0, "pairs": 0, "open": 0, "homes": 100, "ports": 100}
    watch.wait(3700)
    watch.bans.sweep(watch.now_ns)
    assert set(watch.bans.sizes().values()) == {0}


# --- against a naive model ----------------------------------------------------------------------------------

LIMIT, FADES_IN_S = 5, 600


class Model:
    """The same rules for wrong and right digests, told simply: every failure is kept, and a score is reckoned
    anew from all of them whenever somebody asks."""

    def __init__(self) -> None:
        self.failures: dict[tuple[str, str], list[int]] = {}
        """By source and user; by source alone for the users that were tried there."""
        self.tried: set[tuple[str, str]] = set()
        self.home_s: dict[str, int] = {}
        self.was: dict[tuple[str, str], str] = {}

    def fail(self, source: str, user: str, now_s: int) -> None:
        self.failures.setdefault((source, user), []).append(now_s)
        if (source, user) not in self.tried and not self.is_home(source, now_s):
            self.tried.add((source, user))
            self.failures.setdefault((source, ""), []).append(now_s)

    def prove(self, source: str, user: str, now_s: int) -> None:
        self.home_s[source] = now_s
        self.tried.discard((source, user))
        for key in ((source, user), (source, "")):
            self.failures.pop(key, None)

    def is_home(self, source: str, now_s: int) -> bool:
        return source in self.home_s and now_s - self.home_s[source] < 3660

    def forget(self, now_s: int, kept: set[tuple[str, str]]) -> None:
        """What is not kept any more was quiet for long, and may be forgotten here too."""
        for key in set(self.failures) - kept:
            assert now_s - self.failures.pop(key)[-1] >= 4 * FADES_IN_S
            self.tried.discard(key)

    def judge(self, now_s: int, actual: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
        """Who is banned; on the edge between two states, where steps and rounding decide, as it is."""
        states = {}
        for key, times in self.failures.items():
            points = 0.0
            for then_s, next_s in zip(times, [*times[1:], now_s], strict=True):
                points = min(points + 1, 4 * LIMIT) * 2 ** -((next_s - then_s) / FADES_IN_S)
            edges = (LIMIT / 2, LIMIT, 2 * LIMIT)
            if any(abs(points - edge) < edge / 10 for edge in edges):
                states[key] = actual.get(key, "calm")
            elif points > 2 * LIMIT or (points > LIMIT and self.was.get(key) == "ignored"):
                states[key] = "ignored"
            elif points > (LIMIT if self.was.get(key, "calm") == "calm" else LIMIT / 2):
                states[key] = "slowed"
        self.was = states
        return {key: state for key, state in states.items() if state != "calm"}


def hold_against(model: Model, watch: Watch) -> None:
    """Both say the same."""
    now_s, actual = watch.now_ns // NS_PER_S, watch.states()
    kept = {(source, "") for source, _ in watch.bans._sources.items()}
    model.forget(now_s, kept | {pair for pair, _ in watch.bans._pairs.items()})
    assert actual == model.judge(now_s, actual)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fail", "fail", "fail", "prove"]),
            st.sampled_from(["192.0.2.1", "192.0.2.2"]),
            st.sampled_from([f"user{number}" for number in range(12)]),
            st.sampled_from([0, 0, 0, 1, 30, 300, 1000, 4000]),
            st.integers(1, 12),
        ),
        max_size=60,
    )
)
def test_it_agrees_with_a_naive_model(acts: list[tuple[str, str, str, int, int]]) -> None:
    watch, model = Watch(), Model()
    for act, host, user, wait_s, times in acts:
        now_s = watch.now_ns // NS_PER_S
        for _ in range(times):
            if act == "fail":
                watch.bans.failed(Address(host, 5060), user, watch.now_ns)
                model.fail(host, user, now_s)
            else:
                watch.bans.proved(Address(host, 5060), user, watch.now_ns)
                model.prove(host, user, now_s)
            hold_against(model, watch)
        watch.wait(wait_s)
        hold_against(model, watch)
