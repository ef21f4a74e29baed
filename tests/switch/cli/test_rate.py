"""`belswitch rate`: one question or many, answered as a call on the wire would be charged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.switch.cli.conftest import Command, change

ROW_10 = ["--plan=classic", "--to=+33123456789", "--at=2026-11-24T15:59:00", "--seconds=120"]
"""Row 10 of section 6: a minute at peak, a minute out of the bundle."""
QUESTION = {"plan": "classic", "to": "+33123456789", "at": "2026-11-24T10:00:00", "seconds": 100}


@pytest.fixture
def batch(belswitch: Command, tmp_path: Path) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Asks questions from a file; exit code and answers."""

    def ask(*questions: Any) -> tuple[int, list[dict[str, Any]]]:
        file = tmp_path / "questions.jsonl"
        lines = [one if isinstance(one, str) else json.dumps(one) for one in questions]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return answers(belswitch("rate", "--batch", str(file)))

    return ask


def answers(result: Result) -> tuple[int, list[dict[str, Any]]]:
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()]


# --- one question -------------------------------------------------------------------------------------------


def test_one_answer_in_full(as_json: Callable[..., Any]) -> None:
    assert as_json("rate", *ROW_10) == {
        "charge": "0.6600",
        "setup": "0.0800",
        "seconds": 120,
        "segments": [
            {
                "start": 0,
                "seconds": 60,
                "per_minute": "0.5800",
                "source": "tariff",
                "period": "peak",
                "month": "2026-11",
                "tariff": "2026-01",
            },
            {
                "start": 60,
                "seconds": 60,
                "per_minute": "0.0000",
                "source": "bundle",
                "period": "off-peak",
                "month": "2026-11",
                "tariff": "2026-01",
            },
        ],
        "bundle_used_s": 60,
        "allowed_s": 7200,
        "tariff": "2026-01",
        "number": "+33123456789",
        "zone": "ZONE_A",
        "row": "zone_a",
    }


def test_one_answer_as_a_table(belswitch: Command) -> None:
    result = belswitch("rate", *ROW_10)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["0:00", "60", "0.5800", "tariff", "peak", "2026-11", "2026-01"] in rows
    assert ["1:00", "60", "0.0000", "bundle", "off-peak", "2026-11", "2026-01"] in rows
    assert ["charge", "0.6600", "EUR,", "of", "it", "0.0800", "set-up"] in rows
    assert ["may", "last", "2:00:00"] in rows


def test_an_emergency_call_may_last_for_ever(belswitch: Command, as_json: Callable[..., Any]) -> None:
    call = ["--plan=classic", "--to=112", "--at=2026-11-24T10:00:00", "--seconds=9999", "--cap-left=0.00"]
    answer = as_json("rate", *call)
    assert (answer["charge"], answer["seconds"], answer["allowed_s"]) == ("0.0000", 9999, None)
    assert "without limit" in belswitch("rate", *call).stdout


@pytest.mark.parametrize(
    ("changed", "charge", "bundle_used_s"),
    [
        (["--option=anytime"], "0.0000", 120),
        (["--option=anytime", "--option=24-belgium"], "0.0000", 120),
        (["--bundle-left=0"], "1.2400", 0),
        (["--bundle-left=20"], "1.0467", 20),
        (["--at=2026-11-24T14:59:00Z"], "0.6600", 60),
        (["--at=2026-11-24T16:59:00+02:00"], "0.6600", 60),
        (["--at=2026-11-24 15:59:00"], "0.6600", 60),
        (["--to=0033123456789"], "0.6600", 60),
        (["--to=0478123456"], "0.1700", 0),
        (["--plan=classic-in-klik"], "1.2400", 0),
        (["--seconds=0"], "0.0000", 0),
        (["--cap-left=0.20", "--bundle-left=0"], "0.1573", 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_option_counts(
    as_json: Callable[..., Any], changed: list[str], charge: str, bundle_used_s: int
) -> None:
    names = {option.partition("=")[0] for option in changed}
    kept = [option for option in ROW_10 if option.partition("=")[0] not in names]
    answer = as_json("rate", *kept, *changed)
    assert (answer["charge"], answer["bundle_used_s"]) == (charge, bundle_used_s)


def test_the_limit_is_that_of_the_configuration(directory: Path, as_json: Callable[..., Any]) -> None:
    change(directory, "max_s = 7200", "max_s = 600")
    answer = as_json("rate", *ROW_10[:-1], "--seconds=100000")
    assert (answer["allowed_s"], answer["seconds"]) == (600, 600)


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ("--plan=platinum", {"refused": "unknown-plan", "zone": "ZONE_A", "row": "zone_a"}),
        ("--option=international-calling", {"refused": "not-orderable", "zone": "ZONE_A", "row": "zone_a"}),
        ("--at=2025-06-01T10:00:00", {"refused": "no-tariff", "zone": "ZONE_A", "row": "zone_a"}),
        ("--cap-left=0.05", {"refused": "cap-reached", "zone": "ZONE_A", "row": "zone_a"}),
        ("--to=+999123456", {"refused": "no-destination", "number": "+999123456"}),
        ("--to=hello", {"refused": "bad-number", "number": "hello"}),
    ],
)
def test_a_call_that_would_be_refused_is_answered_with_the_reason(
    belswitch: Command, as_json: Callable[..., Any], changed: str, answer: dict[str, str]
) -> None:
    name = changed.partition("=")[0]
    question = [option for option in ROW_10 if not option.startswith(name)] + [changed]
    assert as_json("rate", *question) == {"number": "+33123456789", **answer}
    result = belswitch("rate", *question)
    assert result.exit_code == 0
    assert ["refused", answer["refused"]] in [line.split() for line in result.stdout.splitlines()]


# --- wrong use ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--plan, --to, --at, --seconds: needed, unless there is a --batch"),
        (ROW_10[:-1], "--seconds: needed, unless there is a --batch"),
        ([*ROW_10, "--at=yesterday"], "at: must be like 2026-11-24T15:59:30, not 'yesterday'"),
        ([*ROW_10, "--at=2026-02-30T10:00:00"], "at: must be like"),
        ([*ROW_10, "--seconds=-1"], "seconds: must be a whole number, 0-"),
        ([*ROW_10, "--seconds=31622401"], "seconds: must be a whole number, 0-31622400"),
        ([*ROW_10, "--bundle-left=-1"], "bundle_left_s: must be a whole number"),
        ([*ROW_10, "--cap-left=20,00"], 'cap_left: must be an amount in euros like "20.00"'),
        ([*ROW_10, "--cap-left=-1"], "cap_left: must be an amount"),
        ([*ROW_10, "--cap-left=1e3"], "cap_left: must be an amount"),
        ([*ROW_10, "--plan="], "plan: must be a text"),
        (["--batch=nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        (["--batch=/"], "/: Is a directory"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) and value else None,
)
def test_a_question_that_makes_no_sense_is_wrong_use(
    belswitch: Command, arguments: list[str], said: str
) -> None:
    result = belswitch("rate", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"belswitch: {said}")


def test_wrong_types_are_wrong_use_too(belswitch: Command) -> None:
    assert belswitch("rate", *ROW_10, "--seconds=ten").exit_code == 2
    assert belswitch("rate", *ROW_10, "--price=1").exit_code == 2


def test_a_configuration_with_faults_answers_nothing(belswitch: Command, directory: Path) -> None:
    tariff = directory / "tariffs" / "2026-01-01.toml"
    tariff.write_text(tariff.read_text().replace('"0.58"', "0.58"))
    result = belswitch("rate", *ROW_10)
    assert (result.exit_code, result.stdout) == (2, "")
    assert 'prices are strings, write "0.58"' in result.stderr


# --- many questions -----------------------------------------------------------------------------------------


def test_a_batch_is_answered_a_line_each_in_order(
    batch: Callable[..., tuple[int, list[dict[str, Any]]]],
) -> None:
    code, answers = batch(
        QUESTION,
        QUESTION | {"options": ["anytime"]},
        "",
        QUESTION | {"at": "2026-11-27T17:00:00", "bundle_left_s": 45},
        QUESTION | {"plan": "platinum"},
        QUESTION | {"cap_left": "20.00", "seconds": 9999},
        QUESTION | {"to": "112"},
    )
    assert code == 0
    assert [one.get("charge", one.get("refused")) for one in answers] == [
        "1.0467",
        "0.0000",
        "0.5317",
        "unknown-plan",
        "16.5230",
        "0.0000",
    ]


def test_a_batch_says_the_same_as_the_questions_one_by_one(
    batch: Callable[..., tuple[int, list[dict[str, Any]]]], as_json: Callable[..., Any]
) -> None:
    question = {"plan": "classic", "to": "+33123456789", "at": "2026-11-24T15:59:00", "seconds": 120}
    assert batch(question) == (0, [as_json("rate", *ROW_10)])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON: "),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('"classic"', "not a JSON object"),
        ("[" * 200_000, "not JSON: "),
        ("9" * 5000, "not JSON: "),
        ({**QUESTION, "price": 1}, "price: not known; there are at, bundle_left_s, cap_left, options, plan"),
        ({**QUESTION, "plan": None}, "plan: is missing"),
        ({key: value for key, value in QUESTION.items() if key != "to"}, "to: is missing"),
        ({**QUESTION, "to": 112}, "to: must be a text"),
        ({**QUESTION, "at": "noon"}, "at: must be like 2026-11-24T15:59:30, not 'noon'"),
        ({**QUESTION, "seconds": 1.5}, "seconds: must be a whole number"),
        ({**QUESTION, "seconds": True}, "seconds: must be a whole number"),
        ({**QUESTION, "seconds": "60"}, "seconds: must be a whole number"),
        ({**QUESTION, "seconds": 10**20}, "seconds: must be a whole number"),
        ({**QUESTION, "bundle_left_s": -1}, "bundle_left_s: must be a whole number"),
        ({**QUESTION, "options": "anytime"}, "options: must be a list of texts"),
        ({**QUESTION, "options": [1]}, "options: must be a list of texts"),
        ({**QUESTION, "cap_left": True}, "cap_left: must be an amount"),
        ({**QUESTION, "cap_left": 1.23456}, "cap_left: must be an amount"),
        ('{"seconds": NaN, "plan": "classic", "to": "112", "at": "2026-11-24"}', "seconds: must be a whole"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_line_is_answered_in_its_place_and_the_others_are_too(
    batch: Callable[..., tuple[int, list[dict[str, Any]]]], line: Any, said: str
) -> None:
    code, (first, bad, last) = batch(QUESTION, line, QUESTION)
    assert code == 1
    assert list(bad) == ["error"]
    assert bad["error"].startswith(said)
    assert first == last
    assert first["charge"] == "1.0467"


@pytest.mark.parametrize(
    ("cap", "charge"), [(20, "16.5230"), (20.0, "16.5230"), ("20", "16.5230"), (0.2, "0.1573")]
)
def test_an_amount_may_be_a_number_and_is_read_digit_by_digit(
    batch: Callable[..., tuple[int, list[dict[str, Any]]]], cap: Any, charge: str
) -> None:
    """0.2 + 0.1 is not 0.3 in binary: no amount passes through it."""
    _, (answer,) = batch(QUESTION | {"seconds": 7200, "cap_left": cap})
    assert answer["charge"] == charge


def test_null_is_not_given(batch: Callable[..., tuple[int, list[dict[str, Any]]]]) -> None:
    nulls = {"bundle_left_s": None, "cap_left": None, "options": None}
    code, (plain, with_nulls) = batch(QUESTION, QUESTION | nulls)
    assert (code, with_nulls) == (0, plain)


def test_text_that_is_none_does_not_stop_a_batch(belswitch: Command, tmp_path: Path) -> None:
    """A byte order mark, bytes that are not UTF-8, half a surrogate pair: each line by itself."""
    file = tmp_path / "questions.jsonl"
    good = json.dumps(QUESTION).encode()
    odd = json.dumps(QUESTION | {"to": "\ud800"}).encode()
    unknown = json.dumps(QUESTION | {"\udfff": 1}).encode()
    file.write_bytes(b"\n".join([b"\xef\xbb\xbf" + good, b'{"plan": "\xff"}', odd, unknown, good]) + b"\r\n")
    code, told = answers(belswitch("rate", "--batch", str(file)))
    assert code == 1
    assert told[0]["charge"] == told[4]["charge"] == "1.0467"
    assert told[1]["error"].startswith("not JSON: ")
    assert told[2] == {"refused": "bad-number", "number": "\ud800"}
    assert told[3]["error"].startswith("\udfff: not known")


def test_a_batch_from_standard_input(belswitch: Command) -> None:
    code, told = answers(belswitch("rate", "--batch=-", stdin=f"{json.dumps(QUESTION)}\n\nnonsense\n"))
    assert (code, told[0]["charge"], list(told[1])) == (1, "1.0467", ["error"])
    assert answers(belswitch("rate", "--batch=-", stdin="")) == (0, [])
