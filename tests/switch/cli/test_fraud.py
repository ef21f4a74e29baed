"""`belswitch fraud`: what was found, what is in force, and one word that takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.net.fraud_log import findings, measures_in_force
from switch.net.journal import Journal
from switch.net.store import Store
from switch.ports import LineMeasure, MeasureLifted
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.switch.cli.conftest import Command
from tests.switch.net.support import NOW, Log

AT_MS = 1_795_532_400_000
"""16:00 on 24 November 2026 in Belgium."""
DESK = Line("desk", ("+3216234567", "+3216234568"), Account({}, ()), "classic")
DECT = Line("dect", ("+3222345678",), Account({}, ()), "classic")
OLD = LineMeasure("desk", DESK.number, "minutes-suspend", "suspend", AT_MS - 9000, {"seconds": 14_401})
FOUND = [
    OLD,
    LineMeasure("desk", DESK.number, "answers-abroad", "alert", AT_MS, {"answers": 11, "country": "HR"}),
    LineMeasure("desk", DESK.number, "answers-abroad-block", "block", AT_MS + 1000, {"answers": 41}),
    LineMeasure("desk", DESK.number, "minutes-suspend", "suspend", AT_MS + 2000, {"seconds": 14_402}),
]


@pytest.fixture
def data(directory: Path) -> Path:
    """A database in which lines have been found at it."""

    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
        await store.put_lines([DESK, DECT], replace=False)
        journal = Journal(
            store, queue_max=99, commit_s=0, now=lambda: NOW, on_full=lambda _full: None, log=Log()
        )
        journal.start()
        for entry in FOUND:
            journal.append(entry)
        journal.append(MeasureLifted("desk", AT_MS - 8000, "operator", (OLD.id,)))
        await journal.close(5)
        await store.close()

    asyncio.run(fill())
    return directory.parent / "data"


def read(data: Path) -> tuple[list[LineMeasure], list[dict[str, Any]]]:
    async def ask() -> tuple[list[LineMeasure], list[dict[str, Any]]]:
        store = await Store.open(data)
        try:
            return await measures_in_force(store), await findings(store, 10)
        finally:
            await store.close()

    return asyncio.run(ask())


@pytest.mark.usefixtures("data")
def test_what_is_in_force_and_what_was_found(as_json: Callable[..., Any]) -> None:
    answer = as_json("fraud")
    assert [(one["rule"], one["action"]) for one in answer["measures"]] == [
        ("answers-abroad-block", "block"),
        ("minutes-suspend", "suspend"),
    ]
    assert answer["measures"][0] == {
        "user": "desk",
        "line": "+3216234567",
        "rule": "answers-abroad-block",
        "action": "block",
        "at_ms": AT_MS + 1000,
        "facts": {"answers": 41},
    }
    assert [one["at_ms"] - AT_MS for one in answer["findings"]] == [2000, 1000, 0, -9000]
    assert (answer["findings"][3]["lifted_ms"], answer["findings"][3]["lifted_by"]) == (
        AT_MS - 8000,
        "operator",
    )
    assert len(as_json("fraud", "--limit=1")["findings"]) == 1


@pytest.mark.usefixtures("data")
def test_as_tables(belswitch: Command) -> None:
    result = belswitch("fraud")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["in", "force:", "2"] in rows
    assert ["2026-11-24", "16:00:01", "+3216234567", "block", "answers-abroad-block", "answers", "41"] in rows
    assert [
        *[
            "2026-11-24",
            "16:00:00",
            "+3216234567",
            "alert",
            "answers-abroad",
            "answers",
            "11,",
            "country",
            "HR",
        ]
    ] in rows
    assert any(row[-5:] == ["14401", "2026-11-24", "15:59:52", "by", "operator"] for row in rows)


@pytest.mark.parametrize("name", ["desk", "+3216234568"])
def test_lifted_where_no_switch_is_running(name: str, data: Path, belswitch: Command) -> None:
    result = belswitch("fraud", "lift", name)
    assert (result.exit_code, result.stdout) == (0, "lifted +3216234567: 2 measures\n")
    in_force, found = read(data)
    assert in_force == []
    assert [one["lifted_by"] for one in found if one["action"] != "alert"] == 3 * ["operator"]
    assert found[3]["lifted_ms"] == AT_MS - 8000  # long ago, and not again
    again = belswitch("fraud", "lift", name)
    assert (again.exit_code, again.stdout) == (1, "")
    assert again.stderr == "belswitch: nothing is in force against +3216234567\n"


@pytest.mark.usefixtures("data")
def test_lines_of_which_there_is_nothing_to_lift(belswitch: Command) -> None:
    for name, why in (
        ("dect", "nothing is in force against +3222345678"),
        ("nobody", "there is no line nobody"),
    ):
        result = belswitch("fraud", "lift", name)
        assert (result.exit_code, result.stderr) == (1, f"belswitch: {why}\n")


def test_without_a_database_it_fails_and_makes_none(belswitch: Command, directory: Path) -> None:
    result = belswitch("fraud")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no database" in result.stderr
    assert not (directory.parent / "data").exists()
