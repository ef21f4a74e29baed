"""`fraud.toml`: the delivered rules are section 12's, and what is wrong in a file is said with its line."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from rating.zone import DestinationClass
from switch.config.loader import FRAUD_FILE
from switch.fraud.loader import load
from switch.fraud.rules import Action, Kind, OfficeHours, Rule
from tests.rating.support import CONFIG

GOOD = """\
[rule.answers]
kind = "answers-abroad"
more_than = 10
window_s = 3600
action = "alert"
"""


def rules_of(tmp_path: Path, text: str) -> tuple[Rule, ...]:
    (tmp_path / FRAUD_FILE).write_text(text)
    loaded = load(tmp_path)
    assert loaded.faults == ()
    return loaded.rules


def faults_of(tmp_path: Path, text: str) -> list[str]:
    (tmp_path / FRAUD_FILE).write_text(text)
    loaded = load(tmp_path)
    assert loaded.rules == ()
    return [str(fault) for fault in loaded.faults]


def test_delivered_rules_have_the_thresholds_of_section_12() -> None:
    loaded = load(CONFIG)
    assert loaded.faults == ()
    alerts = {rule.kind: (rule.threshold, rule.window_s) for rule in loaded.rules if rule.action == "alert"}
    assert alerts == {
        Kind.AT_ONCE: (3, 3600),
        Kind.ANSWERS: (10, 3600),
        Kind.MINUTES: (30 * 60, 3600),
        Kind.NEW_COUNTRY: (0, 3600),
        Kind.NUMBER_BLOCK: (4, 600),
        Kind.FORWARDED: (0, 3600),
        Kind.NEW_NETWORK: (1, 3600),
        Kind.DIGESTS: (5, 60),
        Kind.RISING: (5, 600),
        Kind.BUNDLE: (600 * 60, 86_400),
    }
    assert {rule.action for rule in loaded.rules} == set(Action)


def test_every_key_arrives(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        """\
[rule.minutes]
kind = "minutes"
classes = ["ZONE_A", "INTERNATIONAL"]
more_than_min = 2
window_s = 60
action = "suspend"
[rule.night]
kind = "new-country-after-hours"
office_days = ["sat", "sun"]
office_hours = "07:30-24:00"
window_s = 60
action = "block"
[rule.block]
kind = "number-block"
last_digits = 3
at_least = 5
window_s = 60
action = "alert"
[rule.network]
kind = "new-network-then-abroad"
at_least = 1
ipv4_prefix = 24
ipv6_prefix = 48
window_s = 60
action = "alert"
[rule.rising]
kind = "short-calls-to-rising-numbers"
shorter_than_s = 5
more_than = 7
window_s = 60
action = "alert"
""",
    )
    minutes, night, block, network, rising = rules
    assert minutes == Rule(
        "minutes",
        Kind.MINUTES,
        Action.SUSPEND,
        120,
        60,
        classes=frozenset({DestinationClass.ZONE_A, DestinationClass.INTERNATIONAL}),
    )
    assert night.office == OfficeHours(frozenset({5, 6}), time(7, 30), time.max)
    assert (block.threshold, block.last_digits) == (4, 3)
    assert (network.threshold, network.ipv4_prefix, network.ipv6_prefix) == (0, 24, 48)
    assert (rising.threshold, rising.shorter_than_s) == (7, 5)


def test_a_disabled_rule_is_read_and_left_out(tmp_path: Path) -> None:
    assert rules_of(tmp_path, GOOD + "enabled = false\n") == ()
    assert len(rules_of(tmp_path, GOOD + "enabled = true\n")) == 1
    assert faults_of(tmp_path, GOOD.replace("10", "-1") + "enabled = false\n")


def test_the_delivered_rules_disabled_are_silent(tmp_path: Path) -> None:
    text = (CONFIG / FRAUD_FILE).read_text()
    assert rules_of(tmp_path, text.replace("\nkind = ", "\nenabled = false\nkind = ")) == ()


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert (loaded.rules, loaded.faults) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "faults"),
    [
        ("= 10", "= -1", ["fraud.toml:3: rule.answers.more_than: must be a whole number from 0 to 1000"]),
        ("= 10", "= 1.5", ["fraud.toml:3: rule.answers.more_than: must be a whole number from 0 to 1000"]),
        ("= 10", "= true", ["fraud.toml:3: rule.answers.more_than: must be a whole number from 0 to 1000"]),
        ("more_than = 10\n", "", ["fraud.toml:1: rule.answers.more_than: is missing"]),
        (
            "more_than = 10",
            "more_than = 10\nat_least = 5",
            ["fraud.toml:4: rule.answers.at_least: there is more_than as well; one of them is expected"],
        ),
        (
            "more_than = 10",
            "at_least = 0",
            ["fraud.toml:3: rule.answers.at_least: must be a whole number from 1 to 1000"],
        ),
        ("3600", "0", ["fraud.toml:4: rule.answers.window_s: must be a whole number from 1 to 2678400"]),
        (
            '"alert"',
            '"shoot"',
            ["fraud.toml:5: rule.answers.action: must be one of alert, block, suspend, not shoot"],
        ),
        ("more_than", "mre_than", None),
        ("action", "office_hours = 1\naction", ["fraud.toml:5: rule.answers.office_hours: unknown key"]),
        ("[rule.answers]", "[rules.answers]", ["fraud.toml:1: rules: unknown key"]),
        ("[rule.answers]", "[rule.Answers]", None),
        ("[rule.answers]", "[rule.answers", None),
    ],
)
def test_faults(tmp_path: Path, old: str, new: str, faults: list[str] | None) -> None:
    assert old in GOOD
    found = faults_of(tmp_path, GOOD.replace(old, new))
    assert found
    if faults is not None:
        assert found == faults


def test_without_a_kind_nothing_else_is_said(tmp_path: Path) -> None:
    (found,) = faults_of(tmp_path, GOOD.replace("answers-abroad", "answers"))
    assert found.startswith("fraud.toml:2: rule.answers.kind: must be one of calls-abroad-at-once, ")


@pytest.mark.parametrize(
    ("kind", "rest", "fault"),
    [
        (
            "minutes",
            'more_than_min = 1\nclasses = ["BE_MOBILE"]',
            "classes: must be a list of INTERNATIONAL,",
        ),
        ("minutes", "more_than_min = 1", "classes: must be a list of INTERNATIONAL,"),
        ("new-country-after-hours", 'office_hours = "18:00-08:00"', "must be like 08:00-18:00, not 18:00"),
        ("new-country-after-hours", 'office_days = ["monday"]', "office_days: must be a list of mon, tue"),
        ("number-block", "at_least = 5\nlast_digits = 9", "last_digits: must be a whole number from 1 to 6"),
    ],
)
def test_faults_of_particulars(tmp_path: Path, kind: str, rest: str, fault: str) -> None:
    (found,) = faults_of(tmp_path, f'[rule.one]\nkind = "{kind}"\nwindow_s = 60\naction = "alert"\n{rest}\n')
    assert fault in found


@pytest.mark.parametrize("action", ["block", "suspend"])
def test_strangers_cannot_close_a_line(tmp_path: Path, action: str) -> None:
    """Wrong passwords in a line's name cost nothing to send."""
    text = GOOD.replace("answers-abroad", "failed-digests").replace('"alert"', f'"{action}"')
    (found,) = faults_of(tmp_path, text)
    assert found.startswith('fraud.toml:5: rule.answers.action: must be "alert"')
