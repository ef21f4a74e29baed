"""What a licence gives: those of the tariff, that of a plan not sold yet, and every fault of a table."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rating.licence import UNLIMITED, Licence
from rating.loader import load
from tests.rating.support import CONFIG

TARIFF = "tariffs/2026-01-01.toml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for folder in ("tariffs", "numbering"):
        shutil.copytree(CONFIG / folder, tmp_path / folder)
    return tmp_path


def licences(config: Path) -> dict[str, Licence]:
    loaded = load(config)
    assert loaded.book is not None, loaded.faults
    return {name: plan.licence for name, plan in loaded.book.tariffs[0].plans.items()}


def add_plan(config: Path, licence: str) -> int:
    """A further plan with this licence; returns the line of its table."""
    path = config / TARIFF
    text = path.read_text(encoding="utf-8")
    plan = '\n[plan.other]\nlabel = "Other"\nmonthly = "0.00"\nprices_of = "classic"\n'
    path.write_text(f"{text}{plan}\n{licence}", encoding="utf-8")
    return f"{text}{plan}\n".count("\n") + 1


def test_the_plans_that_are_sold_have_one_number_and_no_pabx(config: Path) -> None:
    """R-NUM-01, R-POL-08."""
    one = Licence(numbers=1, max_calls=2, max_contacts=1)
    assert licences(config) == {"classic": one, "classic-in-klik": one, "clic-bureau": one}


def test_spare_numbers_go_with_end_users(config: Path) -> None:
    """R-NUM-02, R-NUM-03, as Multi has it."""
    add_plan(config, "[plan.other.licence]\nspare_numbers = 2\nend_users = 10\npabx = true\n")
    other = licences(config)["other"]
    assert other == Licence(spare_numbers=2, end_users=10, pabx=True)
    assert [other.most_numbers(users) for users in (1, 10)] == [3, 12]


def test_a_plan_that_does_not_say_limits_nothing(config: Path) -> None:
    add_plan(config, "")
    assert licences(config)["other"] is UNLIMITED
    assert UNLIMITED.most_numbers(1) is None


@pytest.mark.parametrize(
    ("table", "at", "said"),
    [
        ("numbers = 0", 1, "numbers: must be at least 1; left out, there is no limit"),
        ("max_contacts = 0", 1, "max_contacts: must be at least 1; left out, there is no limit"),
        ("max_calls = -1", 1, "max_calls: must be a whole number, not negative"),
        ('pabx = "no"', 1, "pabx: must be true or false"),
        ("users = 3", 1, "users: unknown key"),
        (
            "numbers = 1\nspare_numbers = 2",
            2,
            "spare_numbers: go with end users; a licence has so many numbers or these, not both",
        ),
    ],
)
def test_faults_are_told_with_their_line(config: Path, table: str, at: int, said: str) -> None:
    line = add_plan(config, f"[plan.other.licence]\n{table}\n")
    faults = [str(fault) for fault in load(config).faults]
    assert f"{TARIFF}:{line + at}: plan.other.licence.{said}" in faults


def test_a_licence_is_a_table(config: Path) -> None:
    line = add_plan(config, "")
    path = config / TARIFF
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\nlicence = 3\n", encoding="utf-8")
    (fault,) = load(config).faults
    assert (fault.file, fault.message) == (TARIFF, "plan.other.licence: must be a table")
    assert fault.line == line - 1
