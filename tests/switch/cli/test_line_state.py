"""`belswitch line suspend`, `restrict`, `resume`, `terminate` and what a date makes of an ended line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from switch.cli.common import today
from switch.net.store import FILE
from switch.provision.porting import port_out_until
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_line import PASSWORD, SHOP, WHERE

QUARANTINE_DAYS = 90


@pytest.fixture
def shop(belswitch: Command) -> str:
    result = belswitch(*SHOP, *WHERE, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    return "shop"


def state(as_json: Callable[..., Any]) -> tuple[str, str, str]:
    line = as_json("line", "show", "shop")
    return line["state"], line["state_reason"], line["terminated_on"]


@pytest.mark.parametrize("reason", ["unpaid", "fraud", "misuse", "integrity"])
def test_a_line_is_suspended_and_taken_into_use_again(
    reason: str, shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    before = as_json("line", "show", shop)
    result = belswitch("line", "suspend", "+3216999888", f"--reason={reason}")
    assert (result.exit_code, result.stdout) == (0, f"suspended +3216999888, {reason}\n")
    assert result.stderr == ""  # no switch is running: there are no calls to end
    assert state(as_json) == ("suspended", reason, "")
    assert belswitch("line", "resume", shop).stdout == "resumed +3216999888\n"
    assert as_json("line", "show", shop) == before


def test_a_suspension_has_a_reason(shop: str, belswitch: Command) -> None:
    assert belswitch("line", "suspend", shop).exit_code == 2
    assert belswitch("line", "suspend", shop, "--reason=mood").exit_code == 2


def test_a_line_is_restricted_for_bills(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    assert belswitch("line", "restrict", shop).stdout == "restricted +3216999888\n"
    assert state(as_json) == ("restricted", "unpaid", "")


@pytest.mark.parametrize(
    "command", [["restrict"], ["suspend", "--reason=unpaid"], ["set", "--state=suspended"]]
)
def test_not_for_bills_while_one_is_disputed(
    command: list[str], shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    """R-SUS-05; fraud is another matter (R-SUS-04)."""
    assert belswitch("line", "set", shop, "--disputed").exit_code == 0
    result = belswitch("line", command[0], shop, *command[1:])
    assert result.exit_code == 2
    assert "shop: a bill is disputed and the rest paid" in result.stderr
    assert "(R-SUS-05)" in result.stderr
    assert state(as_json) == ("active", "", "")
    assert belswitch("line", "suspend", shop, "--reason=fraud").exit_code == 0
    assert belswitch("line", "set", shop, "--undisputed").exit_code == 0


@pytest.mark.parametrize("name", ["suspend", "restrict", "resume", "terminate"])
def test_of_a_line_that_is_not_there(name: str, shop: str, belswitch: Command) -> None:
    more = ["--reason=fraud"] if name == "suspend" else []
    result = belswitch("line", name, "nobody", *more)
    assert (result.exit_code, result.stderr) == (1, "belswitch: there is no line nobody\n")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["suspend", "--reason=fraud"], "suspended"),
        (["restrict"], "restricted"),
        (["terminate"], "terminated"),
        (["set", "--state=suspended"], "suspended"),
        (["set", "--state=terminated"], "terminated"),
    ],
)
@pytest.mark.parametrize("address", [None, {"postcode": "99", "street": ""}])
def test_a_faulty_address_is_in_the_way_of_none(
    command: list[str],
    expected: str,
    address: dict[str, str] | None,
    shop: str,
    belswitch: Command,
    directory: Path,
    as_json: Callable[..., Any],
) -> None:
    """They change the state and nothing else."""
    spoil(directory, address)
    result = belswitch("line", command[0], shop, *command[1:])
    assert result.exit_code == 0, result.stderr
    line = as_json("line", "show", shop)
    assert (line["state"], line["address"]) == (expected, address)
    result = belswitch("line", "resume", shop)
    assert result.exit_code == 0
    assert "shop: address: postcode" in result.stderr
    assert "(R-NUM-04): to be corrected" in result.stderr
    assert as_json("line", "show", shop)["state"] == "active"


def spoil(directory: Path, address: dict[str, str] | None) -> None:
    """Put an address into the database that no command would have let in."""
    with sqlite3.connect(directory.parent / "data" / FILE) as connection:
        ((body,),) = connection.execute("SELECT body FROM line").fetchall()
        connection.execute("UPDATE line SET body = ?", (json.dumps(json.loads(body) | {"address": address}),))
    connection.close()


def test_nobody_calls_without_an_end_user(shop: str, belswitch: Command, directory: Path) -> None:
    """R-EUS-01: a line from before, with nobody's name anywhere, is not taken into use."""
    spoil(directory, None)
    with sqlite3.connect(directory.parent / "data" / FILE) as connection:
        connection.execute("UPDATE line SET body = replace(body, '\"Winkel BV\"', '\"\"')")
    connection.close()
    assert belswitch("line", "suspend", shop, "--reason=misuse").exit_code == 0
    result = belswitch("line", "resume", shop)
    assert (result.exit_code, "(R-EUS-01)" in result.stderr) == (2, True)


# --- the end of a contract ----------------------------------------------------------------------------------


def test_a_line_is_terminated_today(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    day, until = today(), port_out_until(today())
    said = belswitch("line", "terminate", shop).stdout
    assert said == f"terminated +3216999888 on {day}; to be ported out until {until}\n"
    assert state(as_json) == ("terminated", "", day.isoformat())
    line = as_json("line", "show", shop)
    assert line["port_out_until"] == until.isoformat()
    assert line["quarantine_until"] == (until + timedelta(days=QUARANTINE_DAYS)).isoformat()


@pytest.mark.parametrize("command", ["terminate", "set"])
def test_the_first_day_of_an_end_stays(
    command: str, shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    """Until another is given."""
    assert belswitch("line", "terminate", shop, "--on=2026-01-31").exit_code == 0
    if command == "set":
        assert belswitch("line", "set", shop, "--state=terminated").exit_code == 0
        assert state(as_json)[2] == "2026-01-31"
    else:
        assert belswitch("line", "terminate", shop, "--on=2026-02-01").exit_code == 0
        assert state(as_json)[2] == "2026-02-01"
    assert belswitch("line", "resume", shop).exit_code == 0
    assert state(as_json) == ("active", "", "")


@pytest.mark.parametrize("state", ["suspended", "terminated"])
def test_set_dates_an_end_as_well(
    state: str, shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    assert belswitch("line", "set", shop, f"--state={state}", "--cap=none").exit_code == 0
    ended = as_json("line", "show", shop)["terminated_on"]
    assert ended == (today().isoformat() if state == "terminated" else "")


@pytest.mark.parametrize("day", ["2026-02-30", "soon"])
def test_an_end_has_a_date(day: str, shop: str, belswitch: Command) -> None:
    result = belswitch("line", "terminate", shop, f"--on={day}")
    assert (result.exit_code, result.stderr) == (2, f"--on: must be a date like 2026-11-25, not {day}\n")


def test_an_end_is_not_to_come(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    tomorrow = today() + timedelta(days=1)
    result = belswitch("line", "terminate", shop, f"--on={tomorrow}")
    assert result.exit_code == 2
    assert f"--on: {tomorrow} is yet to come" in result.stderr
    assert state(as_json)[0] == "active"


def test_what_has_ended_is_not_suspended(shop: str, belswitch: Command) -> None:
    belswitch("line", "terminate", shop)
    result = belswitch("line", "suspend", shop, "--reason=fraud")
    assert (result.exit_code, "(R-SUS-02)" in result.stderr) == (2, True)


def ended(belswitch: Command, end: date) -> None:
    assert belswitch("line", "terminate", "shop", f"--on={end}").exit_code == 0


def last_end() -> date:
    """The latest end whose month has passed."""
    end = today()
    while port_out_until(end) >= today():
        end -= timedelta(days=1)
    return end


@pytest.mark.usefixtures("shop")
def test_after_a_month_its_number_is_in_quarantine(belswitch: Command, as_json: Callable[..., Any]) -> None:
    """R-POR-03, by the date alone: no job comes round to say so."""
    ended(belswitch, last_end() + timedelta(days=1))
    assert state(as_json)[0] == "terminated"
    ended(belswitch, last_end())
    assert state(as_json)[0] == "quarantine"
    assert [line["state"] for line in as_json("line", "list")] == ["quarantine"]
    assert "quarantine" in belswitch("line", "list").stdout


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("days", [0, 7])
def test_an_ended_line_is_removed_once_its_number_is_free(
    days: int, belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    path = directory / "switch.toml"
    path.write_text(path.read_text().replace("quarantine_days = 90", f"quarantine_days = {days}"))
    free = last_end()
    while port_out_until(free) + timedelta(days=days) >= today():
        free -= timedelta(days=1)
    for end, said in ((today(), "can be ported out until"), (last_end(), "is in quarantine until")):
        if end == free:
            break
        ended(belswitch, end)
        result = belswitch("line", "remove", "shop")
        assert result.exit_code == 2
        assert said in result.stderr
        assert "(R-POR-03)" in result.stderr
        assert len(as_json("line", "list")) == 1
    ended(belswitch, free)
    assert belswitch("line", "remove", "shop").exit_code == 0
    assert as_json("line", "list") == []


def test_it_is_removed_by_force(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    belswitch("line", "terminate", shop)
    assert belswitch("line", "remove", shop).exit_code == 2
    assert belswitch("line", "remove", shop, "--force").exit_code == 0
    assert as_json("line", "list") == []
