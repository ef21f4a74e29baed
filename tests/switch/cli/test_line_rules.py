"""`belswitch line add`, `set` and `import` refuse what the rules do, all at once and with the rule's id."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.net.store import FILE
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_line import PASSWORD, SHOP, WHERE

pytestmark = pytest.mark.usefixtures("plans_to_come")

SECOND = "+3216999889"


def add(belswitch: Command, *more: str) -> str:
    """Add the shop with these options; what it was refused for, '' when it was not."""
    result = belswitch(*SHOP, *WHERE, *more, stdin=f"{PASSWORD}\n")
    assert result.exit_code == (2 if result.stderr else 0)
    return result.stderr


def with_numbers(count: int, users: int) -> list[str]:
    """A Multi line with so many numbers and end users."""
    more = [f"--number=+3216{500_000 + number}" for number in range(count - 1)]
    return ["--plan=multi", f"--end-users={users}", *more]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([f"--number={SECOND}"], "numbers: classic has at most 1 number a licence, not 2 (R-NUM-01)"),
        (["--plan=2-go", f"--number={SECOND}"], "numbers: 2-go has at most 1 number a licence, not 2"),
        (with_numbers(4, 1), "numbers: multi has at most 3 numbers with 1 end user, not 4 (R-NUM-02)"),
        (with_numbers(13, 10), "numbers: multi has at most 12 numbers with 10 end users, not 13 (R-NUM-02)"),
        (with_numbers(12, 11), "end_users: multi has at most 10 end users, not 11 (R-NUM-03)"),
        (["--plan=2-go", "--end-users=11"], "end_users: 2-go has at most 10 end users, not 11 (R-NUM-03)"),
        (["--plan=multi", "--number=+33145674567"], "+33145674567 is no Belgian number"),
        (["--postcode=1000"], "+3216999888 is of zone 016, postcode 1000 in zone 02 (R-NUM-05)"),
        (["--house-number=twelve"], "such as 12 or 12-14 (letters are the suffix) (R-NUM-04)"),
        (["--end-user="], "end_user: nobody is named as its end user (R-EUS-01)"),
        (["--end-user= "], "end_user: nobody is named as its end user (R-EUS-01)"),
        (["--device=T46"], "'T46' is no MAC, no URN and too short for a part of a User-Agent (R-EQP-01)"),
        (["--device=00:15:65:ab:cd:ef", "--device=001565ABCDEF"], "001565ABCDEF is there already (R-EQP-01)"),
        (["--source=192.0.2.7"], "sources: classic is not for a PABX, gateway or grouped lines"),
        (["--max-contacts=2"], "max_contacts: classic has at most 1 device at a time, not 2 (R-POL-08)"),
        (["--max-calls=3"], "max_calls: classic has at most 2 calls at a time, not 3 (R-POL-08)"),
    ],
)  # fmt: skip
def test_a_line_is_not_added_against_a_rule(
    more: list[str], said: str, belswitch: Command, directory: Path
) -> None:
    assert said in add(belswitch, *more)
    assert not (directory.parent / "data").exists()


@pytest.mark.parametrize("number", ["+3280012345", "+3270123456", "+3278123456", "+3290212345"])
def test_a_main_number_must_be_one_that_may_be_shown(number: str, belswitch: Command) -> None:
    """R-POL-06; as a further number it is as good as any."""
    result = belswitch(*["line", "add", number, *SHOP[3:]], *WHERE, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 2
    assert f"shop: {number} may not be shown to the called party: no main number (R-POL-06)" in result.stderr
    assert add(belswitch, "--plan=multi", f"--number={number}") == ""


def test_everything_is_said_at_once(belswitch: Command) -> None:
    said = add(belswitch, f"--number={SECOND}", "--option=safespot", "--postcode=1000", "--end-user= ")
    assert [line.rpartition(" ")[2] for line in said.splitlines()] == [
        "24-belgium",  # what classic has, instead of safespot
        "(R-EUS-01)",
        "(R-NUM-01)",
        "(R-NUM-05)",
        "(R-NUM-05)",
    ]


def test_multi_with_ten_users_has_twelve_numbers(belswitch: Command, as_json: Callable[..., Any]) -> None:
    assert add(belswitch, *with_numbers(12, 10)) == ""
    line = as_json("line", "show", "shop")
    assert (len(line["numbers"]), line["end_users"]) == (12, 10)


def test_a_mobile_number_is_at_home_anywhere(belswitch: Command) -> None:
    result = belswitch("line", "add", "+32478123456", *SHOP[3:], *WHERE, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr


def test_what_is_given_comes_back_and_its_absence_too(
    belswitch: Command, as_json: Callable[..., Any]
) -> None:
    given = ["--end-user=An Peeters", "--device=00:15:65:ab:cd:ef", "--device=Gigaset", "--agreement"]
    assert add(belswitch, *given, "--guarantee", "--no-abroad", "--withhold", "--disputed") == ""
    facts = ("end_user", "devices", "agreement", "guarantee", "abroad", "withhold", "disputed")
    line = as_json("line", "show", "shop")
    assert [line[name] for name in facts] == [
        "An Peeters",
        ["00:15:65:ab:cd:ef", "Gigaset"],
        True,
        True,
        False,
        True,
        True,
    ]
    taken_back = ["--device=-", "--no-agreement", "--no-guarantee", "--abroad", "--show-number"]
    assert belswitch("line", "set", "shop", *taken_back, "--undisputed").exit_code == 0
    line = as_json("line", "show", "shop")
    assert [line[name] for name in facts] == ["An Peeters", [], False, False, True, False, False]


def test_without_an_end_user_the_subscriber_is(belswitch: Command, as_json: Callable[..., Any]) -> None:
    """R-EUS-01: the name of the address stands for one who is not named, also when it changes."""
    assert add(belswitch) == ""
    assert as_json("line", "show", "shop")["end_user"] == "Winkel BV"
    assert belswitch("line", "set", "shop", "--name=Winkel NV").exit_code == 0
    assert as_json("line", "show", "shop")["end_user"] == "Winkel NV"
    assert belswitch("line", "set", "shop", "--end-user=An").exit_code == 0
    assert belswitch("line", "set", "shop", "--name=Winkel VZW").exit_code == 0
    assert as_json("line", "show", "shop")["end_user"] == "An"
    result = belswitch("line", "set", "shop", "--end-user=")
    assert (result.exit_code, "(R-EUS-01)" in result.stderr) == (2, True)


def test_a_move_keeps_the_number_within_its_zone(belswitch: Command, as_json: Callable[..., Any]) -> None:
    """R-NUM-06."""
    assert add(belswitch) == ""
    assert belswitch("line", "set", "shop", "--postcode=3020", "--municipality=Herent").exit_code == 0
    result = belswitch("line", "set", "shop", "--postcode=1000", "--municipality=Brussel")
    assert result.exit_code == 2
    assert result.stderr == "shop: +3216999888 is of zone 016, postcode 1000 in zone 02 (R-NUM-06)\n"
    assert as_json("line", "show", "shop")["address"]["postcode"] == "3020"


def test_who_says_nothing_of_calls_gets_what_the_plan_has(
    belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    path = directory / "switch.toml"
    path.write_text(path.read_text().replace("max_per_line = 2", "max_per_line = 30"))
    assert add(belswitch) == ""
    assert as_json("line", "show", "shop")["max_calls"] == 2
    assert belswitch("line", "remove", "shop").exit_code == 0
    assert add(belswitch, "--plan=multi") == ""
    assert as_json("line", "show", "shop")["max_calls"] == 30


def test_a_line_from_before_a_rule_changes_in_all_else(
    belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    """A customer picks another cap at any time (R-CAP-02), whatever else is wrong with the line."""
    assert add(belswitch, "--plan=multi", f"--number={SECOND}", "--source=192.0.2.7") == ""
    with sqlite3.connect(directory.parent / "data" / FILE) as connection:
        connection.execute("UPDATE line SET body = replace(body, '\"multi\"', '\"classic\"')")
    connection.close()
    assert belswitch("line", "set", "shop", "--cap=10").exit_code == 0
    line = as_json("line", "show", "shop")
    assert (line["plan"], line["cap"], len(line["numbers"])) == ("classic", "10", 2)
    result = belswitch("line", "set", "shop", f"--number={SECOND}", "--number=+3216999890")
    assert (result.exit_code, "(R-NUM-01)" in result.stderr) == (2, True)
    assert belswitch("line", "set", "shop", "--number=-", "--source=-").exit_code == 0


@pytest.mark.parametrize("replace", [[], ["--replace"]])
def test_an_import_is_held_against_the_same_rules(
    replace: list[str], belswitch: Command, directory: Path, tmp_path: Path
) -> None:
    text = (directory / "lab" / "lines.toml").read_text()
    text = text.replace('user = "desk"', 'user = "desk"\nnumbers = ["+3222999888"]\nend_user = ""')
    text = text.replace('user = "dect"', 'user = "dect"\nmax_calls = 9\ndevices = ["x"]')
    file = tmp_path / "lines.toml"
    file.write_text(text)
    result = belswitch("line", "import", *replace, str(file))
    assert result.exit_code == 2
    found = [(line.partition(":")[0], line.rpartition("(")[2]) for line in result.stderr.splitlines()]
    assert found == [
        ("desk", "R-EUS-01)"),
        ("desk", "R-NUM-01)"),
        ("desk", "R-NUM-05)"),
        ("dect", "R-POL-08)"),
        ("dect", "R-EQP-01)"),
    ]
    assert not (directory.parent / "data").exists()


def test_a_faulty_table_of_zones_is_told_with_its_line(belswitch: Command, directory: Path) -> None:
    path = directory / "numbering" / "zones.csv"
    path.write_text("first,last,zones\n1000,999,02\n")
    fault = "numbering/zones.csv:2: last '999': a postcode has four digits, 1000-9999"
    assert fault in add(belswitch)
    result = belswitch("check")
    assert (result.exit_code, fault in result.stderr) == (2, True)
