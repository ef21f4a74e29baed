"""The commands that ask a running switch, against an operator's socket with known answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest_asyncio
from typer.testing import Result

from switch.net.operator import OperatorError, OperatorListener
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_line import PASSWORD, SHOP, WHERE
from tests.switch.cli.test_tables import BAN, CALL

STATUS = {
    "ready": "ready",
    "calls": 1,
    "trunks": {"carrier": "up", "other": "unregistered"},
    "audit": {},
}


class Operator:
    """Answers as a switch with one call would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.ends_lines = True
        self.listener = OperatorListener(
            {
                "calls": self._with([CALL]),
                "registrations": self._with([]),
                "status": self._with(STATUS),
                "reload_lines": self._with(1),
                "end": self._end,
                "end_line": self._end_line,
                "bans": self._with([BAN]),
                "unban": self._unban,
            }
        )

    def _with(self, answer: Any) -> Any:
        async def handle(request: Mapping[str, Any]) -> Any:
            self.asked.append(request["do"])
            return answer

        return handle

    async def _end_line(self, request: Mapping[str, Any]) -> int:
        if not self.ends_lines:
            raise OperatorError("unknown request")  # as one that knows no such request
        self.asked.append(f"end_line {request['user']}")
        return 1

    async def _unban(self, request: Mapping[str, Any]) -> int:
        self.asked.append(f"unban {request['source']}/{request['user']}")
        if request["source"] == "192.0.2.9":
            raise OperatorError("there is no ban of 192.0.2.9")
        return 2 if not request["user"] else 1

    async def _end(self, request: Mapping[str, Any]) -> str:
        if request["call_id"] != "c1":
            raise OperatorError(f"no call {request['call_id']} is running")
        return "c1"


@pytest_asyncio.fixture
async def operator(directory: Path) -> AsyncIterator[Operator]:
    (directory.parent / "data").mkdir()
    operator = Operator()
    await operator.listener.start(directory.parent / "data" / "belswitch.sock")
    yield operator
    await operator.listener.close()


async def ask(belswitch: Command, *arguments: str, stdin: str = "") -> Result:
    """The command in a thread: it has an event loop of its own."""
    return await asyncio.to_thread(belswitch, *arguments, stdin=stdin)


async def test_calls_in_a_table_where_there_is_no_terminal(operator: Operator, belswitch: Command) -> None:
    result = await ask(belswitch, "calls")
    assert result.exit_code == 0
    assert "0.9792" in result.stdout
    assert operator.asked == ["calls"]


async def test_calls_as_json_are_what_the_switch_says(operator: Operator, belswitch: Command) -> None:
    result = await ask(belswitch, "calls", "--json")
    assert json.loads(result.stdout) == [CALL]
    assert operator.asked == ["calls"]


async def test_status_and_registrations(operator: Operator, belswitch: Command) -> None:
    assert json.loads((await ask(belswitch, "status", "--json")).stdout) == STATUS
    rows = [line.split(maxsplit=1) for line in (await ask(belswitch, "status")).stdout.splitlines()]
    assert {name: value.strip() for name, value in rows} == {
        "ready": "ready",
        "calls": "1",
        "trunks": "carrier up, other unregistered",
        "audit": "-",
    }
    assert json.loads((await ask(belswitch, "registrations", "--json")).stdout) == []
    assert operator.asked == ["status", "status", "registrations"]


async def test_end_ends_one_call(operator: Operator, belswitch: Command) -> None:
    assert (await ask(belswitch, "end", "c1")).stdout == "ended c1\n"
    result = await ask(belswitch, "end", "c2")
    assert (result.exit_code, result.stderr) == (1, "belswitch: no call c2 is running\n")


async def test_bans_in_a_table_and_as_json(operator: Operator, belswitch: Command) -> None:
    assert json.loads((await ask(belswitch, "bans", "--json")).stdout) == [BAN]
    assert "192.0.2.66" in (await ask(belswitch, "bans")).stdout
    assert operator.asked == ["bans", "bans"]


async def test_unban_lifts_those_of_a_source_of_a_user_there_or_all(
    operator: Operator, belswitch: Command
) -> None:
    assert (await ask(belswitch, "unban", "192.0.2.66")).stdout == "2 bans lifted\n"
    assert (await ask(belswitch, "unban", "192.0.2.66", "--user", "desk")).stdout == "1 ban lifted\n"
    assert (await ask(belswitch, "unban", "--all")).stdout == "2 bans lifted\n"
    assert operator.asked == ["unban 192.0.2.66/", "unban 192.0.2.66/desk", "unban /"]
    result = await ask(belswitch, "unban", "192.0.2.9")
    assert (result.exit_code, result.stderr) == (1, "belswitch: there is no ban of 192.0.2.9\n")
    for wrong in ([], ["192.0.2.66", "--all"], ["--user", "desk"], ["--all", "--user", "desk"]):
        assert (await ask(belswitch, "unban", *wrong)).exit_code == 2


async def test_a_changed_line_is_told_to_the_running_switch(operator: Operator, belswitch: Command) -> None:
    result = await ask(belswitch, *SHOP, *WHERE, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    assert (await ask(belswitch, "line", "remove", "shop")).exit_code == 0
    assert operator.asked == ["reload_lines", "reload_lines"]


def test_without_a_switch_they_fail_and_say_so(belswitch: Command, directory: Path) -> None:
    for command in (
        ["calls"],
        ["calls", "--json"],
        ["registrations"],
        ["status"],
        ["end", "c1"],
        ["bans"],
        ["unban", "--all"],
    ):
        result = belswitch(*command)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert (
            result.stderr
            == f"belswitch: no switch is running at {directory.parent / 'data' / 'belswitch.sock'}\n"
        )


async def test_a_switch_is_told_to_end_the_calls_of_a_line_suspended_at_once(
    operator: Operator, belswitch: Command
) -> None:
    """R-SUS-04: first the line is another one, then its calls end. For bills they go on."""
    await ask(belswitch, *SHOP, *WHERE, stdin=f"{PASSWORD}\n")
    operator.asked.clear()
    for reason, asked in (("unpaid", ["reload_lines"]), ("fraud", ["reload_lines", "end_line shop"])):
        result = await ask(belswitch, "line", "suspend", "+3216999888", f"--reason={reason}")
        assert (result.exit_code, result.stderr) == (0, "")
        assert operator.asked == asked
        operator.asked.clear()
    for command in (["resume"], ["restrict"], ["terminate"]):
        assert (await ask(belswitch, "line", *command, "shop")).exit_code == 0
    assert operator.asked == ["reload_lines"] * 3


async def test_a_switch_that_cannot_end_the_calls_of_a_line_suspends_it_all_the_same(
    operator: Operator, belswitch: Command, as_json: Any
) -> None:
    await ask(belswitch, *SHOP, *WHERE, stdin=f"{PASSWORD}\n")
    operator.ends_lines = False
    result = await ask(belswitch, "line", "suspend", "shop", "--reason=integrity")
    assert (result.exit_code, result.stdout) == (0, "suspended +3216999888, integrity\n")
    assert "its running calls were not ended: unknown request" in result.stderr
    line = await asyncio.to_thread(as_json, "line", "show", "shop")
    assert (line["state"], line["state_reason"]) == ("suspended", "integrity")
