"""The pool of relay processes: commands reach the right one, reports come back, a dead one is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from switch.net import relays
from switch.net.relays import RelayPool
from tests.switch.relay.harness import Party, free_pair, rtp

PATIENCE_S = 5.0


class Reports:
    """What the pool reported, to be waited for."""

    def __init__(self) -> None:
        self.all: list[list[Any]] = []
        self._new = asyncio.Event()

    def __call__(self, report: list[Any]) -> None:
        self.all.append(report)
        self._new.set()

    async def until(self, wanted: Callable[[list[Any]], bool]) -> list[Any]:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [report for report in self.all if wanted(report)]):
                self._new.clear()
                await self._new.wait()
        return found[0]

    async def of(self, *start: Any) -> list[Any]:
        return await self.until(lambda report: report[: len(start)] == list(start))


@pytest.fixture
async def reports() -> Reports:
    return Reports()


@pytest.fixture
async def pool(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RelayPool]:
    monkeypatch.setattr(relays, "RESTART_EVERY_S", 0.05)
    monkeypatch.setattr(relays, "STATS_EVERY_S", 0.05)
    pool = RelayPool(reports)
    await pool.start(2)
    yield pool
    await pool.close()


def pids(pool: RelayPool) -> list[int]:
    return [worker.pid for worker in pool.workers]


async def settle(pool: RelayPool, wanted: Callable[[dict[str, int]], bool]) -> dict[str, int]:
    async with asyncio.timeout(PATIENCE_S):
        while not wanted(stats := pool.stats()):
            await asyncio.sleep(0.01)
    return stats


def open_stream(pool: RelayPool, session: int) -> tuple[str, int]:
    """A stream between two parties; the relay's address for the caller."""
    caller, callee = free_pair("127.0.0.1"), free_pair("127.0.0.1")
    while abs(caller - callee) < 2:
        callee = free_pair("127.0.0.1")
    pool.send(session, ["open", session, 0, "127.0.0.1", caller, "127.0.0.1", callee, True])
    return "127.0.0.1", caller


async def test_commands_go_out_and_reports_come_back(pool: RelayPool, reports: Reports) -> None:
    caller, callee = Party(), Party()
    for session in (4, 5):
        address = open_stream(pool, session)
        for side, party in enumerate((caller, callee)):
            pool.send(session, ["aim", session, 0, side, party.host, party.port, party.host, 0, None])
        pool.send(session, ["peek", session])
        await reports.of("peek", session)
        caller.send(rtp(), address)
        assert (await asyncio.to_thread(callee.receive))[0] == rtp()
        pool.send(session, ["close", session])
        kind, number, streams = await reports.of("report", session)
        assert (kind, number, streams[0][0]["packets"]) == ("report", session, 1)
    assert [report for report in reports.all if report[0] == "stats"] == []


async def test_sessions_are_spread_over_the_processes_and_stats_add_up(pool: RelayPool) -> None:
    for session in range(5):
        open_stream(pool, session)
    stats = await settle(pool, lambda stats: stats["sessions"] == 5)
    assert (stats["workers"], stats["restarts"], stats["ports"], stats["packets"]) == (2, 0, 20, 0)
    assert sorted(worker.latest["sessions"] for worker in pool.workers) == [2, 3]


async def test_what_the_relay_refuses_is_reported(pool: RelayPool, reports: Reports) -> None:
    pool.send(3, ["open", 3, 0, "192.0.2.1", 4000, "127.0.0.1", 4002, True])
    assert (await reports.of("failed", 3, 0))[3]
    pool.send(3, ["fly"])
    await reports.of("error")


async def test_a_dead_relay_is_told_and_replaced(pool: RelayPool, reports: Reports) -> None:
    for session in range(4):
        open_stream(pool, session)
    await settle(pool, lambda stats: stats["sessions"] == 4)
    lost, kept = pids(pool)
    os.kill(lost, signal.SIGKILL)
    await reports.of("died", 0)
    open_stream(pool, 6)  # sent while there is no process: waits for the successor
    stats = await settle(pool, lambda stats: stats["workers"] == 2 and stats["sessions"] == 3)
    assert stats["restarts"] == 1
    assert pids(pool)[1] == kept
    assert pids(pool)[0] != lost
    assert reports.all.count(["died", 0]) == 1


async def test_totals_do_not_fall_when_a_relay_dies(pool: RelayPool, reports: Reports) -> None:
    address = open_stream(pool, 2)
    party = Party()
    await settle(pool, lambda stats: stats["sessions"] == 1)
    for sequence in range(3):
        party.send(rtp(sequence), address)
    await settle(pool, lambda stats: stats["strangers"] == 3)
    os.kill(pids(pool)[0], signal.SIGKILL)
    await reports.of("died", 0)
    stats = await settle(pool, lambda stats: stats["workers"] == 2)
    assert (stats["strangers"], stats["sessions"]) == (3, 0)


async def test_a_relay_that_reads_nothing_is_killed(
    pool: RelayPool, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "BACKLOG", 100)
    os.kill(pids(pool)[1], signal.SIGSTOP)
    sent = 0
    while ["died", 1] not in reports.all:
        assert sent < 20_000
        pool.send(1, ["peek", 1])
        sent += 1
        if sent % 500 == 0:
            await asyncio.sleep(0.01)
    stats = await settle(pool, lambda stats: stats["workers"] == 2)
    assert stats["restarts"] == 1


async def test_more_commands_than_the_socket_holds_arrive_in_order(pool: RelayPool, reports: Reports) -> None:
    for session in range(0, 6000, 2):
        pool.send(session, ["peek", session])
    await reports.of("peek", 5998)
    assert reports.all == [["peek", session, []] for session in range(0, 6000, 2)]


async def test_close_ends_every_process(reports: Reports) -> None:
    pool = RelayPool(reports)
    await pool.start(2)
    ended = pids(pool)
    await pool.close()
    for pid in ended:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert reports.all == []


async def test_close_kills_a_process_that_does_not_end(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "END_WITHIN_S", 0.05)
    pool = RelayPool(reports)
    await pool.start(1)
    [pid] = pids(pool)
    os.kill(pid, signal.SIGSTOP)
    await pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_relay_that_cannot_start_is_an_error(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "START_WITHIN_S", 0.2)
    monkeypatch.setattr("sys.executable", "/bin/false")
    pool = RelayPool(reports)
    with pytest.raises(RuntimeError, match="did not start"):
        await pool.start(1)
