from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from switch.config.model import Calls, Config, Listen, Media, Sip
from switch.doctor.finding import Finding, State, fault, ok, warning, worst
from switch.doctor.machine import (
    DatabaseFacts,
    DirectoryFacts,
    FileLimits,
    clock_against,
    clock_synchronised,
    data_directory,
    database,
    open_files,
    packages,
    receive_buffer,
    time_zone,
)

BUFFER = 4 << 20
NOW_MS = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp() * 1000)


def config(max_calls: int = 1000, relays: int = 1, *transports: str) -> Config:
    listen = [{"host": "127.0.0.1", "port": 5060 + n, "transport": t} for n, t in enumerate(transports)]
    return Config(
        sip=Sip(
            listen=tuple(Listen.model_validate(one) for one in listen or [{"host": "127.0.0.1"}]),
            domain="x.y",
        ),
        media=Media(relays=relays),
        calls=Calls(max_calls=max_calls),
    )


def test_the_worst_of_all_counts() -> None:
    good, middling, bad = ok("a", "b"), warning("a", "b", "c"), fault("a", "b", "c")
    cases: list[tuple[list[Finding], State]] = [
        ([], "ok"),
        ([good], "ok"),
        ([good, middling], "warning"),
        ([bad, middling], "fault"),
    ]
    for findings, state in cases:
        assert worst(findings) == state


@pytest.mark.parametrize(
    ("relays", "soft", "hard", "state"),
    [
        (1, 1024, 4099, "fault"),
        (1, 1024, 4100, "warning"),
        (1, 1024, 8099, "warning"),
        (1, 1024, 8100, "ok"),
        (1, 99, 8100, "warning"),
        (4, 1024, 2100, "ok"),
    ],
)
def test_files_that_calls_take(relays: int, soft: int, hard: int, state: str) -> None:
    finding = open_files(config(1000, relays), FileLimits(soft, hard))
    assert finding.state == state
    assert ("LimitNOFILE=" in finding.remedy) == (state != "ok")


def test_files_that_connections_take() -> None:
    finding = open_files(config(100, 1, "udp", "tcp"), FileLimits(1024, 524_288))
    assert finding.state == "warning"
    assert "up to 4100" in finding.told


@pytest.mark.parametrize(("allowed", "state"), [(None, "warning"), (212_992, "warning"), (BUFFER, "ok")])
def test_what_a_socket_may_keep_unread(allowed: int | None, state: str) -> None:
    assert receive_buffer(allowed, BUFFER).state == state


@pytest.mark.parametrize(("synchronised", "state"), [(True, "ok"), (False, "warning"), (None, "warning")])
def test_a_clock_is_kept_right(synchronised: bool | None, state: str) -> None:
    assert clock_synchronised(synchronised).state == state


def test_a_clock_that_is_behind_its_own_records_is_wrong() -> None:
    assert clock_against(NOW_MS, None).state == "ok"
    assert clock_against(NOW_MS, NOW_MS + 5000).state == "ok"
    finding = clock_against(NOW_MS, NOW_MS + 3_600_000)
    assert finding.state == "fault"
    assert finding.told == "is 3600 s behind the latest entry, of 2026-11-25 13:00:00 UTC"


@pytest.mark.parametrize(
    ("zone", "state"),
    [
        (ZoneInfo("Europe/Brussels"), "ok"),
        (None, "fault"),
        (timezone(timedelta(hours=1)), "fault"),
        (ZoneInfo("America/New_York"), "fault"),
    ],
)
def test_summer_time_of_all_years_asked_about(zone: tzinfo | None, state: str) -> None:
    assert time_zone(zone, range(2026, 2037)).state == state


DIRECTORY = DirectoryFacts(
    path=Path("/var/lib/belswitch"),
    exists=True,
    is_directory=True,
    writable=True,
    mode=0o700,
    free_bytes=10 << 30,
    free_inodes=100_000,
)


@pytest.mark.parametrize(
    ("changed", "states"),
    [
        ({}, ["ok", "ok"]),
        ({"free_inodes": None}, ["ok", "ok"]),
        ({"exists": False, "mode": 0o755}, ["ok", "ok"]),
        ({"exists": False, "writable": False}, ["fault", "ok"]),
        ({"is_directory": False}, ["fault", "ok"]),
        ({"writable": False}, ["fault", "ok"]),
        ({"mode": 0o750}, ["warning", "ok"]),
        ({"mode": 0o707}, ["warning", "ok"]),
        ({"free_bytes": 500 << 20}, ["ok", "warning"]),
        ({"free_bytes": 50 << 20}, ["ok", "fault"]),
        ({"free_inodes": 10}, ["ok", "warning"]),
    ],
)
def test_the_data_directory_and_its_disk(changed: dict[str, Any], states: list[str]) -> None:
    assert [one.state for one in data_directory(replace(DIRECTORY, **changed))] == states


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (lambda path: DatabaseFacts(path, exists=False), "ok"),
        (lambda path: DatabaseFacts(path, True, 3, 3), "ok"),
        (lambda path: DatabaseFacts(path, True, 0, 3), "ok"),
        (lambda path: DatabaseFacts(path, True, 4, 3), "fault"),
        (lambda path: DatabaseFacts(path, True, 3, 3, "database disk image is malformed"), "fault"),
        (lambda path: DatabaseFacts(path, True, 3, 3, finished=False), "warning"),
    ],
)
def test_the_database(facts: Callable[[Path], DatabaseFacts], state: str) -> None:
    assert database(facts(Path("/data/belswitch.sqlite"))).state == state


def test_what_is_installed_besides_is_told() -> None:
    assert "can end" in packages(True).told
    assert "passes through" in packages(False).told
