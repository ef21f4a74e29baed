"""`belswitch usage`: what each line has used of its bundle and its cap (R-USE-01)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.net.clock import SystemClock
from switch.net.store import Store
from switch.ports import Moment
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.rating.support import local_ns
from tests.switch.cli.conftest import Command

NOBODY = Account({}, ())
LINES = [
    Line("desk", ("+3216234567",), NOBODY, "classic"),
    Line(
        "dect",
        ("+3222345678",),
        NOBODY,
        "classic-in-klik",
        ("international-calling",),
        concluded="2020-05-01",
    ),
    Line("soft", ("+3281234567",), NOBODY, "classic-in-klik", cap="none"),
    Line("shop", ("+3292345678",), NOBODY, "classic", cap="35.00"),
]
USES = [
    # call, month, line, seconds, of them out of the bundle, amount
    ("c1", "2026-10", "desk", 9999, 9999, 90_000),
    ("c2", "2026-11", "desk", 600, 600, 0),
    ("c3", "2026-11", "desk", 60, 0, 6600),
    ("c4", "2026-11", "dect", 120_000, 120_000, 0),
    ("c5", "2026-12", "desk", 7, 7, 0),
    ("c6", "2026-11", "gone", 60, 0, 1700),
]
THRESHOLDS = [
    ("dect", "bundle-80", "2026-11", 96_000, 120_000, 1),
    ("dect", "bundle-100", "2026-11", 120_000, 120_000, 2),
    ("dect", "cap-80", "2026-12", 1, 1, 3),
]


@pytest.fixture
def filled(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with records, looked at on 25 November 2026."""

    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
        await store.put_lines(LINES, replace=False)
        told = [
            [f"{account}:{month}:{kind}", account, "", kind, month, used, allowed, at_ms]
            for account, kind, month, used, allowed, at_ms in THRESHOLDS
        ]
        await store.write(
            [
                ("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?)", [list(use) for use in USES]),
                ("INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", told),
            ]
        )
        await store.close()

    asyncio.run(fill())
    moment = Moment(0, local_ns("2026-11-25 12:00:00"))
    monkeypatch.setattr(SystemClock, "moment", lambda _clock: moment)
    return directory


@pytest.mark.usefixtures("filled")
def test_every_line_with_what_it_used_this_month(as_json: Callable[..., Any]) -> None:
    rows = {row["line"]: row for row in as_json("usage")}
    assert list(rows) == ["+3222345678", "+3216234567", "+3292345678", "+3281234567"]  # by user
    assert rows["+3216234567"] == {
        "line": "+3216234567",
        "plan": "classic",
        "month": "2026-11",
        "seconds": 660,
        "bundle_s": 120_000,
        "bundle_used_s": 600,
        "bundle_left_s": 119_400,
        "charged": 6600,
        "cap": 165_289,
        "told": [],
    }
    assert rows["+3222345678"] == {
        "line": "+3222345678",
        "plan": "classic-in-klik",
        "month": "2026-11",
        "seconds": 120_000,
        "bundle_s": 120_000,
        "bundle_used_s": 120_000,
        "bundle_left_s": 0,
        "charged": 0,
        "cap": 413_223,
        "told": ["bundle-80", "bundle-100"],
    }


@pytest.mark.usefixtures("filled")
def test_a_line_that_did_not_call_has_used_nothing(as_json: Callable[..., Any]) -> None:
    """Without a bundle, or with a cap of its own: 35 EUR with VAT are 28.9256."""
    rows = {row["line"]: row for row in as_json("usage")}
    soft, shop = rows["+3281234567"], rows["+3292345678"]
    assert (soft["seconds"], soft["bundle_s"], soft["bundle_left_s"], soft["cap"]) == (0, 0, 0, None)
    assert (shop["seconds"], shop["charged"], shop["bundle_left_s"], shop["cap"]) == (0, 0, 120_000, 289_256)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("month", "desk", "told"),
    [
        ("2026-10", (9999, 9999, 90_000), []),
        ("2026-12", (7, 7, 0), ["cap-80"]),
        ("2027-01", (0, 0, 0), []),
    ],
)
def test_another_month(
    as_json: Callable[..., Any], month: str, desk: tuple[int, int, int], told: list[str]
) -> None:
    rows = {row["line"]: row for row in as_json("usage", f"--month={month}")}
    row = rows["+3216234567"]
    assert (row["month"], row["seconds"], row["bundle_used_s"], row["charged"]) == (month, *desk)
    assert rows["+3222345678"]["told"] == told


@pytest.mark.usefixtures("filled")
def test_as_a_table(belswitch: Command) -> None:
    result = belswitch("usage")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["+3216234567", "classic", "11:00", "10:00", "33:10:00", "0.6600", "16.5289"] in rows
    assert ["+3281234567", "classic-in-klik", "0:00", "0.0000", "none"] in rows
    dect = next(row for row in rows if row[:1] == ["+3222345678"])
    assert dect[-3:] == ["41.3223", "bundle-80", "bundle-100"]


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("month", ["november", "2026-13", "2026-1", "26-11", "2026-11-01", ""])
def test_a_month_that_is_none_is_wrong_use(belswitch: Command, month: str) -> None:
    result = belswitch("usage", f"--month={month}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"belswitch: --month must be like 2026-11, not {month}\n"


def test_without_a_database_it_fails_and_makes_none(belswitch: Command, directory: Path) -> None:
    result = belswitch("usage")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "there is no database" in result.stderr
    assert not (directory.parent / "data").exists()
