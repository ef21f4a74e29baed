"""Lines to import: the lab's own, and every way in which a file of lines is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from switch.config.loader import default_config_dir, load_lines

LINE = """\
[[line]]
number = "+3216234567"
user = "desk"
password = "desk-secret"
plan = "classic"
[line.address]
postcode = "3001"
municipality = "Leuven"
street = "Naamsesteenweg"
number = "12"
name = "Bakkerij Peeters BV"
language = "nl"
"""
OTHER = LINE.replace("+3216234567", "+3216234568").replace('"desk"', '"dect"')


def _faults(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "lines.toml"
    path.write_text(text, encoding="utf-8")
    lines, faults = load_lines(path)
    assert bool(faults) != bool(lines)
    return [str(fault) for fault in faults]


def test_the_lab_has_three_phones_in_three_provinces() -> None:
    lines, faults = load_lines(default_config_dir() / "lab" / "lines.toml")
    assert not faults
    assert [line.kind for line in lines] == ["desk", "dect", "softphone"]
    assert [line.address.municipality for line in lines] == ["Leuven", "Bruxelles", "Namur"]


def test_a_line_has_sober_defaults(tmp_path: Path) -> None:
    path = tmp_path / "lines.toml"
    path.write_text(LINE, encoding="utf-8")
    (line,), faults = load_lines(path)
    assert not faults
    assert (line.state, line.max_contacts, line.algorithms, line.lenient) == ("active", 1, None, False)
    assert line.password is not None
    assert line.password.get_secret_value() == "desk-secret"


def test_cap_and_contract_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.toml"
    contract = '"classic"\ncap = "35.00"\nconcluded = 2020-06-30'
    path.write_text(LINE.replace('"classic"', contract) + OTHER, encoding="utf-8")
    (first, second), faults = load_lines(path)
    assert not faults
    assert (first.cap, first.concluded) == ("35.00", date(2020, 6, 30))
    assert (second.cap, second.concluded) == (None, None)


def test_equipment_admitted_by_address_needs_no_password(tmp_path: Path) -> None:
    assert _faults(tmp_path, LINE.replace('password = "desk-secret"', 'sources = ["192.0.2.7"]')) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"+3216234567"', '"016234567"', "2: line[0].number: must be a number like +3216234567"),
        ('"desk"', '"desk@home"', "3: line[0].user: must be 1-64 characters A-Z a-z 0-9 _ . + ~ * ! -"),
        ('"desk-secret"', '"1234567"', "4: line[0].password: must have at least 8 characters"),
        ('password = "desk-secret"', "", "1: line[0].password: is missing; a line without sources needs one"),
        ('"3001"', '"30001"', "7: line[0].address.postcode: must be four digits, 1000-9999"),
        ('"3001"', "3001", "7: line[0].address.postcode: must be four digits, 1000-9999"),
        ('"nl"', '"en"', '12: line[0].address.language: must be "nl" or "fr" or "de"'),
        (
            'plan = "classic"',
            "",
            "1: line[0].plan: is missing; must be a name of 1-40 characters a-z 0-9 _ . -",
        ),
        (
            'plan = "classic"',
            'plan = "classic"\noptions = ["anytime", "anytime"]',
            "6: line[0].options[1]: anytime is there already",
        ),
        ('plan = "classic"', 'plan = "classic"\nmax_contacts = 0', "6: line[0].max_contacts: must be 1-32"),
        (
            'plan = "classic"',
            'plan = "classic"\nstate = "gone"',
            '6: line[0].state: must be "active" or "limited"',
        ),
        (
            'plan = "classic"',
            'plan = "classic"\ncap = 35.00',
            '6: line[0].cap: must be an amount in euros like "35.00", or "none"',
        ),
        *(
            (
                'plan = "classic"',
                f'plan = "classic"\nconcluded = {day}',
                "6: line[0].concluded: must be a date like 2026-11-25, without quotes",
            )
            for day in ('"2020-06-30"', "2020", "2020-06-30T10:00:00", "10:00:00", "true", '["2020"]', "[]")
        ),
    ],
)
def test_a_wrong_line_is_refused_where_it_stands(tmp_path: Path, old: str, new: str, fault: str) -> None:
    (found,) = _faults(tmp_path, LINE.replace(old, new, 1))
    assert found.startswith(f"lines.toml:{fault}")


def test_what_belongs_to_one_line_is_refused_to_another(tmp_path: Path) -> None:
    first = LINE.replace('"classic"', '"classic"\nnumbers = ["+3216000001"]\nsources = ["192.0.2.0/24"]')
    second = LINE.replace('"classic"', '"classic"\nnumbers = ["+3216000001"]\nsources = ["192.0.2.9"]')
    assert _faults(tmp_path, first + second) == [
        "lines.toml:16: line[1].number: +3216234567 is taken already",
        "lines.toml:17: line[1].user: desk is the user of an earlier line",
        "lines.toml:20: line[1].numbers[0]: +3216000001 is taken already",
        "lines.toml:21: line[1].sources: overlap those of +3216234567",
    ]


def test_two_lines_stand_side_by_side(tmp_path: Path) -> None:
    assert _faults(tmp_path, LINE + OTHER) == []


def test_no_password_shows(tmp_path: Path) -> None:
    path = tmp_path / "lines.toml"
    path.write_text(LINE.replace("desk-secret", "geheim!"), encoding="utf-8")
    _, faults = load_lines(path)
    assert faults
    assert "geheim" not in repr(faults)
    path.write_text(LINE, encoding="utf-8")
    assert "desk-secret" not in repr(load_lines(path))
