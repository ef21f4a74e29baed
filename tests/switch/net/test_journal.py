"""The journal: nothing taken is lost, nothing is out of order, nothing is called on disk that is not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rating.charge import Use
from switch.net import journal as module
from switch.net.journal import Journal
from switch.net.store import Store
from switch.ports import (
    BindingRemoved,
    BindingSaved,
    CallEnded,
    CallerWithheld,
    CallMarked,
    MediaMeasured,
    Moment,
    ServicesSaved,
    ThresholdCrossed,
)
from tests.switch.net.support import NOW, Disk, Log, answered, cdr, until

DISK_FULL = "database or disk is full"


class Bench:
    """A journal over a real database, with its disk, its log, and what it said of being full."""

    def __init__(self, store: Store, disk: Disk) -> None:
        self.store = store
        self.disk = disk
        self.log = Log()
        self.full: list[bool] = []
        self.now = NOW
        self.closed = False
        self.journal = Journal(
            store,
            queue_max=10,
            commit_s=0.001,
            now=lambda: self.now,
            on_full=self.full.append,
            log=self.log,
        )
        self.journal.start()

    def end(self, *call_ids: str) -> None:
        """Calls end."""
        for call_id in call_ids:
            self.journal.append(CallEnded(cdr(call_id)))

    async def close(self, timeout_s: float) -> bool:
        """Stop; whether everything was written."""
        self.closed = True
        return await self.journal.close(timeout_s)

    async def hold(self) -> None:
        """Make the disk as slow as can be, and see the writer wait for it with one entry in hand."""
        self.disk.free.clear()
        asked = self.disk.asked
        self.end("in-hand")
        await until(lambda: self.disk.asked > asked)


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    store = await Store.open(tmp_path / "data")
    disk = Disk(store)
    monkeypatch.setattr(store, "write", disk.write)
    bench = Bench(store, disk)
    yield bench
    disk.free.set()
    if not bench.closed:
        await bench.close(5)
    await store.close()


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]


def saved(contact: str = "sip:desk@192.0.2.1", cseq: int = 1) -> BindingSaved:
    return BindingSaved("desk", contact, 1_795_536_000_000_000_000, {"cseq": cseq})


# --- order and batches --------------------------------------------------------------------------------------


async def test_entries_are_written_in_order_and_in_batches(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 50)
    calls = names("call", 120)
    bench.end(*calls)
    assert bench.journal.queued == 120
    await bench.journal.flush()
    assert bench.disk.recorded() == [calls[:50], calls[50:100], calls[100:]]
    assert (bench.journal.written, bench.journal.queued) == (120, 0)
    assert len(await bench.store.cdrs(limit=1000)) == 120


async def test_a_disk_that_takes_its_time_loses_nothing_and_keeps_order(bench: Bench) -> None:
    await bench.hold()
    calls = names("late", 8)
    bench.end(*calls)
    assert bench.journal.queued == 9
    assert bench.disk.batches == []
    bench.disk.free.set()
    await bench.journal.flush()
    assert bench.disk.recorded() == [["in-hand"], calls]


async def test_a_full_disk_loses_nothing_and_keeps_order(bench: Bench) -> None:
    bench.disk.faults = [sqlite3.OperationalError(DISK_FULL)]
    bench.end("first", "second")
    await until(lambda: bench.journal.failures)
    assert not bench.journal.healthy
    assert bench.journal.queued == 2
    bench.end("third")
    await bench.journal.flush()
    assert bench.disk.recorded() == [["first", "second", "third"]]
    assert (bench.journal.healthy, bench.journal.failures, bench.journal.written) == (True, 1, 3)
    assert bench.log.events == [
        ("error", "journal_failing", {"error": DISK_FULL, "queued": 2}),
        ("info", "journal_recovered", {"queued": 3}),
    ]


async def test_a_fault_that_nobody_foresaw_does_not_stop_the_writer(bench: Bench) -> None:
    bench.disk.faults = [RuntimeError("cannot be")]
    bench.end("call-1")
    await bench.journal.flush()
    assert bench.disk.recorded() == [["call-1"]]


async def test_an_entry_that_no_database_can_take_goes_to_the_log_and_holds_up_no_other(bench: Bench) -> None:
    bench.end("before")
    bench.journal.append(CallEnded(cdr("impossible", duration_s=1 << 70)))
    bench.journal.append(saved())
    bench.end("after")
    await bench.journal.flush()
    assert sorted(record["call_id"] for record in await bench.store.cdrs()) == ["after", "before"]
    assert len(await bench.store.bindings()) == 1
    assert (bench.journal.set_aside, bench.journal.queued) == (1, 0)
    (told,) = bench.log.facts("entry_set_aside")
    assert "impossible" in told["entry"]
    assert str(1 << 70) in told["entry"]


async def test_a_batch_that_was_committed_although_it_failed_is_written_twice_and_changes_nothing(
    bench: Bench,
) -> None:
    bench.disk.late_faults = [sqlite3.OperationalError("disk I/O error")]
    journal = bench.journal
    journal.append(answered("running"))
    journal.append(answered("over"))
    bench.end("over")
    journal.append(MediaMeasured("over", {"0": {"caller": {"packets": 5}}}))
    journal.append(saved())
    await journal.flush()
    assert len(bench.disk.batches) == 2
    (record,) = await bench.store.cdrs()
    assert record["call_id"] == "over"
    assert record["media"] == {"0": {"caller": {"packets": 5}}}
    assert [call.call_id for call in await bench.store.running_calls()] == ["running"]
    assert len(await bench.store.bindings()) == 1


async def test_a_record_once_written_is_never_altered(bench: Bench) -> None:
    bench.journal.append(CallEnded(cdr("call-1", amount=100)))
    await bench.journal.flush()
    bench.journal.append(CallEnded(cdr("call-1", amount=999)))
    await bench.journal.flush()
    (record,) = await bench.store.cdrs()
    assert record["amount"] == 100


async def test_bytes_of_a_phone_that_are_no_text_stop_nothing(bench: Bench) -> None:
    """A User-Agent in Latin-1 is read with surrogate escapes, which SQLite does not take."""
    contact = "sip:caf\udce9@192.0.2.1"
    bench.journal.append(CallEnded(cdr("call-1", device="Caf\udce9 é")))
    bench.journal.append(saved(contact))
    await bench.journal.flush()
    (record,) = await bench.store.cdrs()
    assert record["device"] == "Caf\\udce9 é"
    assert len(await bench.store.bindings()) == 1
    bench.journal.append(BindingRemoved("desk", contact))
    await bench.journal.flush()
    assert await bench.store.bindings() == []
    assert bench.journal.failures == 0


# --- usage and thresholds -----------------------------------------------------------------------------------

NOVEMBER, DECEMBER = Use("2026-11", 10, 10, 0), Use("2026-12", 20, 0, 1933)


def ended(call_id: str, *uses: Use, account: str = "desk") -> CallEnded:
    """A call with what it took from an account."""
    return CallEnded(cdr(call_id), account, uses)


def crossed(kind: str = "cap-80", used: int = 132_300, allowed: int = 165_289) -> ThresholdCrossed:
    return ThresholdCrossed("desk", "+3216234567", kind, "2026-11", used, allowed, 1_795_532_400_000)


async def test_what_a_call_used_is_written_by_month_with_its_record(bench: Bench) -> None:
    bench.journal.append(ended("call-1", NOVEMBER, DECEMBER))
    bench.journal.append(ended("call-2", NOVEMBER))
    bench.journal.append(ended("call-3", NOVEMBER, account="dect"))
    bench.journal.append(ended("free"))
    await bench.journal.flush()
    assert await bench.store.uses("2026-11") == [
        ("dect", NOVEMBER),
        ("desk", Use("2026-11", 20, 20, 0)),
        ("desk", DECEMBER),
    ]


async def test_use_is_counted_once_whatever_is_repeated(bench: Bench) -> None:
    """A batch that was committed although it failed, a record that comes again, one that says otherwise."""
    bench.disk.late_faults = [sqlite3.OperationalError("disk I/O error")]
    bench.journal.append(ended("call-1", NOVEMBER, DECEMBER))
    bench.journal.append(ended("call-1", NOVEMBER, DECEMBER))
    await bench.journal.flush()
    assert len(bench.disk.batches) == 2
    bench.journal.append(ended("call-1", NOVEMBER, DECEMBER))
    bench.journal.append(ended("call-1", Use("2026-11", 99, 99, 99)))
    await bench.journal.flush()
    assert await bench.store.uses("2026-11") == [("desk", NOVEMBER), ("desk", DECEMBER)]


async def test_a_use_that_cannot_be_written_leaves_that_of_the_others(bench: Bench) -> None:
    bench.journal.append(ended("before", NOVEMBER))
    bench.journal.append(ended("impossible", Use("2026-11", 1 << 70, 0, 0)))
    bench.journal.append(ended("after", NOVEMBER))
    await bench.journal.flush()
    assert await bench.store.uses("2026-11") == [("desk", Use("2026-11", 20, 20, 0))]
    assert bench.journal.set_aside == 1
    assert sorted(record["call_id"] for record in await bench.store.cdrs()) == ["after", "before"]


async def test_a_threshold_is_one_notice_however_often_it_is_told(bench: Bench) -> None:
    bench.disk.late_faults = [sqlite3.OperationalError("disk I/O error")]
    bench.journal.append(crossed())
    bench.journal.append(crossed(used=140_000))
    bench.journal.append(crossed("cap-100"))
    await bench.journal.flush()
    waiting = await bench.store.undelivered(10)
    assert [body["kind"] for _, body in waiting] == ["cap-100", "cap-80"]
    assert waiting[1][1]["used"] == 132_300  # as it was told first
    await bench.store.delivered([name for name, _ in waiting])
    bench.journal.append(crossed())
    await bench.journal.flush()
    assert await bench.store.undelivered(10) == []


async def test_another_cap_is_another_threshold(bench: Bench) -> None:
    """R-CAP-02: the customer may pick a higher one, and reach that too."""
    bench.journal.append(crossed())
    bench.journal.append(crossed(allowed=289_256))
    await bench.journal.flush()
    assert [one.allowed for one in await bench.store.thresholds("2026-11")] == [165_289, 289_256]


async def test_a_notice_is_announced_when_it_is_on_disk_and_not_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced: list[int] = []
    monkeypatch.setattr(bench.journal, "_on_notice", lambda: announced.append(len(bench.disk.batches)))
    bench.disk.faults = [sqlite3.OperationalError(DISK_FULL)]
    bench.journal.append(crossed())
    await until(lambda: bench.journal.failures)
    assert announced == []
    await bench.journal.flush()
    assert announced == [1]
    bench.end("call-1")
    await bench.journal.flush()
    assert announced == [1]


# --- full ---------------------------------------------------------------------------------------------------


async def test_full_is_raised_at_the_limit_and_once(bench: Bench) -> None:
    await bench.hold()
    bench.end(*names("call", 8))
    assert bench.full == []
    bench.end("one-more")
    bench.end("promised-before")
    assert bench.full == [True]
    assert bench.journal.full
    assert bench.journal.queued == 11


async def test_full_is_lowered_at_half(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    left: list[int] = []
    monkeypatch.setattr(bench.journal, "_on_full", lambda _full: left.append(bench.journal.queued))
    bench.end(*names("call", 12))
    await bench.journal.flush()
    assert left == [10, 3]
    assert not bench.journal.full
    assert [call for batch in bench.disk.recorded() for call in batch] == names("call", 12)


# --- on disk ------------------------------------------------------------------------------------------------


async def test_on_disk_is_called_after_the_commit_and_not_before(bench: Bench) -> None:
    committed: list[int] = []
    bench.disk.free.clear()
    bench.journal.append(answered(), lambda: committed.append(len(bench.disk.batches)))
    await until(lambda: bench.disk.asked)
    assert committed == []
    bench.disk.free.set()
    await bench.journal.flush()
    assert committed == [1]


async def test_on_disk_waits_through_a_failure(bench: Bench) -> None:
    committed: list[int] = []
    bench.disk.faults = [sqlite3.OperationalError(DISK_FULL)]
    bench.journal.append(answered(), lambda: committed.append(len(bench.disk.batches)))
    await until(lambda: bench.journal.failures)
    assert committed == []
    await bench.journal.flush()
    assert committed == [1]


async def test_on_disk_means_everything_before_it_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    done: list[tuple[str, int]] = []

    def committed(call: str) -> None:
        done.append((call, bench.journal.written))

    for call in names("call", 5):
        bench.journal.append(CallEnded(cdr(call)), partial(committed, call))
    await bench.journal.flush()
    assert [call for call, _ in done] == names("call", 5)
    for call, written in done:
        assert written > int(call[-4:])


async def test_on_disk_of_an_entry_taken_during_a_commit_waits_for_the_next(bench: Bench) -> None:
    committed: list[int] = []
    await bench.hold()
    bench.journal.append(answered(), lambda: committed.append(len(bench.disk.batches)))
    bench.disk.free.set()
    await bench.journal.flush()
    assert committed == [2]


# --- bindings -----------------------------------------------------------------------------------------------


async def test_of_a_binding_only_the_last_state_is_kept(bench: Bench) -> None:
    await bench.hold()
    for cseq in range(1000):
        bench.journal.append(saved(cseq=cseq))
    bench.journal.append(saved("sip:other@192.0.2.1"))
    bench.journal.append(BindingRemoved("desk", "sip:other@192.0.2.1"))
    assert bench.journal.queued == 3
    assert not bench.journal.full
    bench.disk.free.set()
    await bench.journal.flush()
    ((user, contact, expires_ns, state),) = await bench.store.bindings()
    assert (user, contact, state) == ("desk", "sip:desk@192.0.2.1", {"cseq": 999})
    assert expires_ns == 1_795_536_000_000_000_000


async def test_a_failed_binding_does_not_overwrite_a_newer_one(bench: Bench) -> None:
    bench.disk.free.clear()
    bench.journal.append(saved(cseq=1))
    await until(lambda: bench.disk.asked)
    bench.journal.append(saved(cseq=2))
    bench.disk.faults = [sqlite3.OperationalError(DISK_FULL)]
    bench.disk.free.set()
    await bench.journal.flush()
    ((_, _, _, state),) = await bench.store.bindings()
    assert state == {"cseq": 2}


# --- what a restart finds -----------------------------------------------------------------------------------


async def test_a_restart_finds_calls_that_were_answered_and_not_ended(bench: Bench, tmp_path: Path) -> None:
    bench.journal.append(answered("ended"))
    bench.journal.append(answered("running"))
    bench.end("ended", "never-answered")
    bench.now = Moment(7, 8)
    bench.journal.append(answered("younger"))
    await bench.journal.flush()
    again = await Store.open(tmp_path / "data")
    assert await again.running_calls() == [answered("running"), answered("younger")]
    assert await again.alive() == Moment(7, 8)
    await again.close()


async def test_the_switch_writes_that_it_lives_while_a_call_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALIVE_EVERY_S", 0.01)
    bench.journal.append(answered())
    await bench.journal.flush()
    bench.now = Moment(9_000_000_000, 1)
    await until(lambda: len(bench.disk.batches) > 2)
    assert (await bench.store.alive()).mono_ns == 9_000_000_000
    bench.end("call-1")
    await bench.journal.flush()
    batches = len(bench.disk.batches)
    await asyncio.sleep(0.05)
    assert len(bench.disk.batches) == batches  # nobody runs, nothing to measure by


async def test_media_is_added_to_the_record_of_its_call(bench: Bench) -> None:
    media: dict[str, Any] = {"0": {"caller": {"packets": 500, "lost": 5}, "callee": {"packets": 498}}}
    bench.end("call-1", "call-2")
    await bench.journal.flush()
    bench.journal.append(MediaMeasured("call-1", media))
    bench.journal.append(MediaMeasured("no-such-call", media))
    await bench.journal.flush()
    assert {record["call_id"]: record["media"] for record in await bench.store.cdrs()} == {
        "call-1": media,
        "call-2": None,
    }


# --- the end ------------------------------------------------------------------------------------------------


async def test_close_writes_what_is_left(bench: Bench) -> None:
    bench.end(*names("call", 9))
    assert await bench.close(5)
    assert bench.disk.recorded() == [names("call", 9)]


async def test_close_says_how_much_a_slow_disk_has_left_unwritten(bench: Bench) -> None:
    await bench.hold()
    bench.end("behind")
    assert not await bench.close(0.02)
    assert bench.log.facts("journal_not_written") == [{"entries": 2}]


async def test_close_counts_bindings_in_the_writers_hand(bench: Bench) -> None:
    bench.disk.free.clear()
    bench.journal.append(saved())
    await until(lambda: bench.disk.asked)
    assert bench.journal.queued == 1
    assert not await bench.close(0.02)
    assert bench.log.facts("journal_not_written") == [{"entries": 1}]


async def test_close_of_a_journal_with_nothing_to_write_is_immediate(bench: Bench) -> None:
    assert await bench.close(0.02)
    assert bench.disk.batches == []


async def test_what_a_subscriber_set_is_kept_as_it_is_now(bench: Bench) -> None:
    for always in ("+32478123456", "", "1233"):
        bench.journal.append(ServicesSaved("alice", {"always": always}))
    await bench.journal.flush()
    assert await bench.store.services() == [("alice", {"always": "1233"})]


async def test_a_mark_is_kept_apart_with_the_true_number_and_once(bench: Bench) -> None:
    """R-MAL-01."""
    mark = CallMarked("call-1", "alice", "+3216234567", "+32478123456", True, "carrier", 1000, 2000)
    bench.journal.append(CallerWithheld("call-1", "+32478123456", 1000))
    for _ in range(2):
        bench.journal.append(mark)
    await bench.journal.flush()
    assert await bench.store.marked_calls() == [asdict(mark)]
    await bench.store.note_look("marked_call", "ombudsman 2026/17", 1)
    async with bench.store.connection.execute("SELECT what, reason, entries FROM looked_at") as cursor:
        assert [tuple(row) async for row in cursor] == [("marked_call", "ombudsman 2026/17", 1)]
    async with bench.store.connection.execute("SELECT number FROM withheld_caller") as cursor:
        assert [row[0] async for row in cursor] == ["+32478123456"]
