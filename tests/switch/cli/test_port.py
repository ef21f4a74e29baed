"""`belswitch port in` and `port out`: R-POR-01, -03 to -06."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from switch.cli.common import today
from switch.provision.porting import port_out_until
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_line import PASSWORD, SHOP, WHERE

pytestmark = pytest.mark.usefixtures("plans_to_come")

NUMBER = "+3216555444"
IN = ["port", "in", NUMBER, "--line=shop", "--holder=Winkel BV"]


@pytest.fixture(params=["multi"])
def shop(belswitch: Command, plans_to_come: None, request: pytest.FixtureRequest) -> str:
    more = [f"--plan={request.param}", "--end-user=An Peeters"]
    result = belswitch(*SHOP, *WHERE, *more, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    return "shop"


def numbers(as_json: Callable[..., Any]) -> list[str]:
    found: list[str] = as_json("line", "show", "shop")["numbers"]
    return found


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("number", [NUMBER, "016555444", "003216555444"])
def test_a_number_is_ported_in(number: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    result = belswitch("port", "in", number, *IN[3:])
    assert (result.exit_code, result.stdout) == (0, f"ported in {NUMBER}, to shop\n")
    assert numbers(as_json) == ["+3216999888", NUMBER]
    assert as_json("line", "show", "shop")["password"] == "set"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("holder", ["WINKEL B.V.", "an peeters"])
def test_by_the_subscriber_or_the_end_user(holder: str, belswitch: Command) -> None:
    assert belswitch(*IN, f"--holder={holder}").exit_code == 0


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--holder=Somebody"], "shop: Somebody is not who has the line: An Peeters or Winkel BV (R-POR-01)"),
        (["--line=nobody"], "belswitch: there is no line nobody"),
        (["--on=2999-01-01"], "--on: 2999-01-01 is yet to come"),
        (["--requested=never"], "--requested: must be a date like 2026-11-25, not never"),
    ],
)
def test_a_port_that_is_refused(
    more: list[str], said: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    result = belswitch(*IN, *more)
    assert result.exit_code != 0
    assert said in result.stderr
    assert numbers(as_json) == ["+3216999888"]


@pytest.mark.usefixtures("shop")
def test_only_inside_the_zone_and_within_the_licence(belswitch: Command, as_json: Callable[..., Any]) -> None:
    result = belswitch("port", "in", "+3222345678", *IN[3:])
    assert result.exit_code == 2
    assert result.stderr == "shop: +3222345678 is of zone 02, postcode 3000 in zone 016 (R-POR-05)\n"
    for number in ("+3216555441", "+3216555442"):
        assert belswitch("port", "in", number, *IN[3:]).exit_code == 0
    result = belswitch(*IN)
    assert result.exit_code == 2
    assert result.stderr == ("shop: numbers: multi has at most 3 numbers with 1 end user, not 4 (R-NUM-02)\n")
    assert len(numbers(as_json)) == 3


@pytest.mark.parametrize("shop", ["classic"], indirect=True)
def test_where_there_is_one_number_it_takes_the_place_of_that(
    shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    result = belswitch(*IN)
    assert (result.exit_code, "(R-NUM-01)" in result.stderr) == (2, True)
    assert belswitch(*IN, "--replace-main").exit_code == 0
    assert numbers(as_json) == [NUMBER]


@pytest.mark.usefixtures("shop")
def test_a_number_that_is_here_already(belswitch: Command) -> None:
    result = belswitch("port", "in", "+3216999888", *IN[3:])
    assert (result.exit_code, result.stderr) == (1, "belswitch: +3216999888 has +3216999888 already\n")
    other = ["--user=other", "--plan=multi"]
    add = ["line", "add", NUMBER, *SHOP[3:], *WHERE, *other]
    assert belswitch(*add, stdin=f"{PASSWORD}\n").exit_code == 0
    result = belswitch(*IN)
    assert (result.exit_code, result.stderr) == (1, f"belswitch: number {NUMBER} belongs to another line\n")


def test_nothing_is_ported_to_what_has_ended(shop: str, belswitch: Command) -> None:
    belswitch("line", "terminate", shop)
    result = belswitch(*IN)
    assert (result.exit_code, result.stderr) == (1, "belswitch: +3216999888 is terminated\n")


@pytest.mark.usefixtures("shop")
def test_what_is_due_for_a_late_port(belswitch: Command) -> None:
    """R-POR-06. Tuesday 2026-09-01: free until Tuesday the 15th; on Friday the 18th, 3 days."""
    result = belswitch(*IN, "--requested=2026-09-01", "--on=2026-09-18")
    assert "ported on 2026-09-18, free until 2026-09-15: EUR 15.0000 are due on request" in result.stdout


# --- out ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_one_of_several_numbers_leaves(belswitch: Command, as_json: Callable[..., Any]) -> None:
    belswitch(*IN)
    result = belswitch("port", "out", NUMBER)
    assert (result.exit_code, result.stdout) == (0, f"ported out {NUMBER}\n")
    assert numbers(as_json) == ["+3216999888"]
    assert as_json("line", "show", "shop")["state"] == "active"


@pytest.mark.usefixtures("shop")
def test_the_next_one_that_may_be_shown_becomes_the_main_number(
    belswitch: Command, as_json: Callable[..., Any]
) -> None:
    belswitch("line", "set", "shop", "--number=+3280012345", f"--number={NUMBER}")
    assert belswitch("port", "out", "+3216999888").exit_code == 0
    assert numbers(as_json) == [NUMBER, "+3280012345"]
    result = belswitch("port", "out", NUMBER)  # what is left could not be shown to anybody
    assert (result.exit_code, "(R-POL-06)" in result.stderr) == (2, True)
    assert numbers(as_json) == [NUMBER, "+3280012345"]


@pytest.mark.usefixtures("shop")
def test_the_last_number_ends_the_line(belswitch: Command, as_json: Callable[..., Any]) -> None:
    """R-POR-04; its number is another operator's then, in no quarantine."""
    day = today() - timedelta(days=200)
    result = belswitch("port", "out", "016999888", f"--on={day}")
    assert result.stdout == "ported out +3216999888; the line shop has ended\n"
    line = as_json("line", "show", "shop")
    facts = ("state", "state_reason", "terminated_on", "port_out_until", "quarantine_until")
    assert [line[name] for name in facts] == ["terminated", "ported", day.isoformat(), "", ""]
    for command, rule in (
        (["port", "out", "+3216999888"], "R-POR-03"),
        (["line", "resume", "shop"], "R-POR-04"),
    ):
        result = belswitch(*command)
        assert (result.exit_code, f"({rule})" in result.stderr) == (2, True)
    assert belswitch("line", "remove", "shop").exit_code == 0


@pytest.mark.usefixtures("shop")
def test_within_a_month_of_the_end_and_not_later(belswitch: Command, as_json: Callable[..., Any]) -> None:
    """R-POR-03."""
    end = today()
    while port_out_until(end) >= today():
        end -= timedelta(days=1)
    belswitch("line", "terminate", "shop", f"--on={end}")
    result = belswitch("port", "out", "+3216999888")
    assert result.exit_code == 2
    assert f"could be ported out until {port_out_until(end)}" in result.stderr
    assert "(R-POR-03)" in result.stderr
    assert belswitch("port", "out", "+3216999888", f"--on={port_out_until(end)}").exit_code == 0
    line = as_json("line", "show", "shop")
    assert (line["state_reason"], line["terminated_on"]) == ("ported", end.isoformat())


def test_a_number_that_is_nobodys(shop: str, belswitch: Command) -> None:
    result = belswitch("port", "out", NUMBER)
    assert (result.exit_code, result.stderr) == (1, f"belswitch: there is no line {NUMBER}\n")
