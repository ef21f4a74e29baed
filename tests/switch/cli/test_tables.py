from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from switch.cli import tables

CALL = {
    "call_id": "c1",
    "line": "+3216234567",
    "caller": "+3216234567",
    "called": "+212612345678",
    "class": "MOROCCO_TURKEY",
    "trunk": "carrier",
    "state": "answered",
    "seconds": 65,
    "amount": 9792,
    "per_minute": 8300,
    "source": "tariff",
    "bundle_left_s": None,
    "next_change_s": 3725,
    "cut_s": 7200,
    "cut_reason": "limit",
    "emergency": False,
}
BAN = {
    "source": "192.0.2.66",
    "user": "desk[bold]",
    "state": "ignored",
    "points": 10.4,
    "since_ms": 1_795_233_639_824,
    "seen_ms": 1_795_233_699_824,
    "why": "digest",
}
RECORD = {
    "invited_ms": 1_795_233_639_824,
    "caller": "+3216234567",
    "called": "+3227654321",
    "dialled": "027654321",
    "destination_class": "BE_FIXED",
    "emergency": False,
    "outcome": "answered",
    "status": 200,
    "verdict": "allowed",
    "answered_ms": 1_795_233_640_824,
    "duration_s": 3725,
    "post_dial_delay_ms": 302,
    "amount": 1700,
    "flags": ["limit"],
    "media": {"0": {"caller": {"mos_x100": 438}, "callee": {"mos_x100": 407}}},
}


def drawn(table: Table) -> str:
    console = Console(width=160, highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def row_of(table: Table) -> list[str]:
    return next(line for line in drawn(table).splitlines() if "+3216" in line).split()


def test_a_running_call_with_its_price_in_four_decimals() -> None:
    row = "+3216234567 +212612345678 MOROCCO_TURKEY carrier answered 1:05 0.9792 0.8300 1:02:05 2:00:00 limit"
    assert row_of(tables.calls_table([CALL])) == row.split()


def test_an_unanswered_call_has_no_time_and_no_price_yet() -> None:
    ringing = CALL | {
        "state": "ringing",
        "seconds": 0,
        "next_change_s": None,
        "cut_s": None,
        "cut_reason": "",
    }
    assert row_of(tables.calls_table([ringing]))[-1] == "ringing"


def test_a_call_out_of_the_bundle_says_how_much_is_left_of_it() -> None:
    bundled = {"amount": 0, "per_minute": 0, "source": "bundle", "bundle_left_s": 1190, "cut_reason": "cap"}
    row = row_of(tables.calls_table([CALL | bundled]))
    assert row[-6:] == ["0.0000", "bundle", "19:50", "1:02:05", "2:00:00", "cap"]


def test_an_emergency_call_is_called_so() -> None:
    assert "emergency" in drawn(tables.calls_table([CALL | {"emergency": True, "class": "EMERGENCY"}]))


def test_calls_stand_longest_first() -> None:
    lines = drawn(
        tables.calls_table([CALL, CALL | {"call_id": "c2", "called": "+31201234567", "seconds": 90}])
    )
    assert lines.index("+31201234567") < lines.index("+212612345678")


def test_a_record_with_local_time_and_the_worse_of_both_marks() -> None:
    row = "2026-11-21 05:00:39 +3216234567 +3227654321 BE_FIXED answered 1:02:05 302 ms 0.1700 4.07 limit"
    assert row_of(tables.records_table([RECORD])) == row.split()


def test_a_refused_attempt_says_why() -> None:
    refused: dict[str, Any] = {
        "outcome": "refused",
        "status": 403,
        "verdict": "line-suspended",
        "answered_ms": None,
        "called": "",
        "post_dial_delay_ms": None,
        "media": None,
        "flags": None,
    }
    row = row_of(tables.records_table([RECORD | refused]))
    assert row[3] == "027654321"
    assert row[-3:] == ["refused", "403", "line-suspended"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0:00"),
        (59, "0:59"),
        (60, "1:00"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (90_061, "25:01:01"),
    ],
)
def test_clock(seconds: int | None, text: str) -> None:
    assert tables.clock(seconds) == text


def test_registrations_and_lines_fit_a_row_each() -> None:
    binding = {
        "line": "+3216234567",
        "user": "desk",
        "from": "127.0.0.1:40000",
        "device": "Phone 1.0",
        "contact": "sip:desk@127.0.0.1:40000",
        "expires_s": 3599,
    }
    assert row_of(tables.registrations_table([binding]))[-1] == "59:59"
    line = {
        "numbers": ["+3216234567", "+3216234568"],
        "user": "desk",
        "kind": "desk",
        "plan": "classic",
        "options": ["anytime", "24-belgium"],
        "state": "active",
        "address": None,
    }
    row = row_of(tables.lines_table([line]))
    assert row == ["+3216234567", "(+1)", "desk", "desk", "classic", "anytime,", "24-belgium", "active"]


def test_a_ban_says_who_since_when_and_why() -> None:
    row = next(line for line in drawn(tables.bans_table([BAN])).splitlines() if "192.0.2.66" in line)
    assert row.split() == [
        *("192.0.2.66", "desk[bold]", "ignored", "10.4"),
        *("2026-11-21", "05:00:39", "2026-11-21", "05:01:39", "digest"),
    ]
    whole = drawn(tables.bans_table([BAN | {"user": "", "state": "slowed", "why": "users"}]))
    assert "192.0.2.66   -      slowed" in whole
