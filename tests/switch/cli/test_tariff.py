"""`belswitch tariff`: the versions there are, and the next one written by the index (R-IDX-01, R-CHG-01)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from rating.loader import load
from tests.switch.cli.conftest import Command

INDEX = ["tariff", "index", "--cpi-old=133.00", "--cpi-new=136.42", "--from=2099-01-01"]


def files(directory: Path) -> dict[str, str]:
    """Every tariff file with its text."""
    return {path.name: path.read_text(encoding="utf-8") for path in (directory / "tariffs").iterdir()}


def test_the_versions_with_their_plans(as_json: Callable[..., Any]) -> None:
    (version,) = as_json("tariff", "list")
    assert (version["version"], version["valid_from"]) == ("2026-01", "2026-01-01")
    assert version["plans"]["classic"] == {
        "label": "Voice Pro Classic",
        "monthly": 222_900,
        "pack_monthly": 0,
        "bundle_s": 120_000,
        "options": ["anytime", "24-belgium"],
    }
    assert list(version["plans"]) == ["classic", "classic-in-klik", "clic-bureau"]


def test_the_versions_as_a_table(belswitch: Command) -> None:
    result = belswitch("tariff", "list")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["2026-01", "2026-01-01", "classic", "22.2900", "33:20:00", "anytime,", "24-belgium"] in rows
    assert ["2026-01", "2026-01-01", "classic-in-klik", "11.4500", "international-calling"] in rows
    assert [row[3] for row in rows if "clic-bureau" in row] == ["69.6400"]


def test_the_next_version_is_written_and_takes_its_place_in_the_list(
    belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    before = files(directory)
    result = belswitch(*INDEX)
    path = directory / "tariffs" / "2099-01-01.toml"
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"wrote {path}\n", "")
    after = files(directory)
    assert 'monthly = "22.86" # every line alike' in after.pop(path.name)
    assert after == before
    assert load(directory).faults == ()
    versions = as_json("tariff", "list")
    assert [(one["version"], one["plans"]["classic"]["monthly"]) for one in versions] == [
        ("2026-01", 222_900),
        ("2099-01", 228_600),
    ]
    assert belswitch("check").exit_code == 0


def test_a_dry_run_prints_the_version_and_writes_nothing(belswitch: Command, directory: Path) -> None:
    before = files(directory)
    result = belswitch(*INDEX, "--dry-run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert files(directory) == before
    belswitch(*INDEX)
    assert result.stdout == files(directory)["2099-01-01.toml"]


def test_what_is_there_is_not_written_over(belswitch: Command, directory: Path) -> None:
    """The version is of a day that is gone by; a file of that name is something else's."""
    path = directory / "tariffs" / "2099-01-01.toml"
    text = (directory / "tariffs" / "2026-01-01.toml").read_text()
    path.write_text(text.replace("2026-01-01", "2027-01-01").replace('"2026-01"', '"2027-01"'))
    before = files(directory)
    result = belswitch(*INDEX)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"belswitch: {path} is there already\n"
    assert files(directory) == before


def test_the_same_day_twice_is_refused(belswitch: Command, directory: Path) -> None:
    belswitch(*INDEX)
    before = files(directory)
    result = belswitch(*INDEX)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "--from: must be after 2099-01-01, when 2099-01 began\n"
    assert files(directory) == before


def test_a_folder_that_cannot_be_written_is_named(
    belswitch: Command, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rating.indexation.indexed", lambda *_arguments: ("nowhere/2099-01-01.toml", "text"))
    result = belswitch(*INDEX)
    assert result.exit_code == 1
    assert result.stderr == f"belswitch: {directory / 'nowhere/2099-01-01.toml'}: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--cpi-old=133.00", "--cpi-new=136.42", "--from=tomorrow"],
            "--from must be a date like 2027-01-01, not tomorrow",
        ),
        (
            ["--cpi-old=133.00", "--cpi-new=136.42", "--from=2027-02-30"],
            "--from must be a date like 2027-01-01, not 2027-02-30",
        ),
        (
            ["--cpi-old=133.00", "--cpi-new=136.42", "--from=2025-01-01"],
            "--from: must be after 2026-01-01, when 2026-01 began",
        ),
        (
            ["--cpi-old=133,00", "--cpi-new=136.42", "--from=2099-01-01"],
            "--cpi-old: must be an index like 133.00, not 133,00",
        ),
        (
            ["--cpi-old=133.00", "--cpi-new=0", "--from=2099-01-01"],
            "--cpi-new: must be an index like 133.00, not 0",
        ),
        (["--cpi-old=133.00", "--cpi-new=136.42"], "--from"),
        (["--cpi-old=133.00", "--from=2099-01-01"], "--cpi-new"),
    ],
)
def test_wrong_use_writes_nothing(
    belswitch: Command, directory: Path, arguments: list[str], said: str
) -> None:
    before = files(directory)
    result = belswitch("tariff", "index", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert files(directory) == before


def test_a_folder_with_faults_has_no_next_version(belswitch: Command, directory: Path) -> None:
    path = directory / "tariffs" / "2026-01-01.toml"
    path.write_text(path.read_text().replace('"6.20"', "6.20"))
    result = belswitch(*INDEX)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("tariffs/2026-01-01.toml:")
    assert belswitch("tariff", "list").exit_code == 2


@pytest.mark.parametrize(("days", "warned"), [(1, True), (30, True), (31, False)])
def test_customers_have_a_months_notice(belswitch: Command, days: int, warned: bool) -> None:
    """R-CHG-01: it is said, and written all the same."""
    day = date.today() + timedelta(days=days)
    result = belswitch(
        "tariff", "index", "--cpi-old=133.00", "--cpi-new=136.42", f"--from={day.isoformat()}", "--dry-run"
    )
    assert result.exit_code == 0
    said = f"belswitch: {days} days from now: customers have a month's notice (R-CHG-01)\n"
    assert result.stderr == (said if warned else "")
