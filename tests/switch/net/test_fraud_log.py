"""Findings in the database: written once, lifted by name, told once, and gone with their line."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from switch.fraud.seen import MOST, NETWORK
from switch.net.fraud_log import findings, first_seen, lift, measures_in_force
from switch.net.journal import Journal
from switch.net.store import Store
from switch.ports import Entry, FirstSeen, LineMeasure, MeasureLifted, ThresholdCrossed
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.switch.net.support import NOW, Disk, Log

AT_MS = 1_795_532_400_000
BLOCK = LineMeasure(
    "desk", "+3216234567", "answers", "block", AT_MS, {"answers": 41, "country": "HR"}, "mark"
)
ALERT = LineMeasure("desk", "+3216234567", "minutes", "alert", AT_MS + 1, {"seconds": 1801})
SUSPEND = LineMeasure("dect", "+3222345678", "minutes", "suspend", AT_MS + 2, {"seconds": 14_401})
LIFTED = MeasureLifted("desk", AT_MS + 9, "operator", (BLOCK.id,))


class Desk:
    """A journal over a real database."""

    def __init__(self, store: Store, disk: Disk) -> None:
        self.store = store
        self.disk = disk
        self.notices = 0
        self.journal = Journal(
            store,
            queue_max=1000,
            commit_s=0.001,
            now=lambda: NOW,
            on_full=lambda _full: None,
            log=Log(),
            on_notice=self._on_notice,
        )
        self.journal.start()

    async def write(self, *entries: Entry) -> None:
        """Entries, until they are on disk."""
        for entry in entries:
            self.journal.append(entry)
        await self.journal.flush()

    def _on_notice(self) -> None:
        self.notices += 1


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    store = await Store.open(tmp_path / "data")
    disk = Disk(store)
    monkeypatch.setattr(store, "write", disk.write)
    desk = Desk(store, disk)
    yield desk
    await desk.journal.close(5)
    await store.close()


async def test_what_was_found_comes_out_as_it_went_in(desk: Desk) -> None:
    await desk.write(BLOCK, ALERT, SUSPEND)
    assert await measures_in_force(desk.store) == [BLOCK, SUSPEND]
    rows = await findings(desk.store, 2)
    assert [row["rule"] for row in rows] == ["minutes", "minutes"]
    assert rows[0] == {
        "user": "dect",
        "line": "+3222345678",
        "rule": "minutes",
        "action": "suspend",
        "at_ms": AT_MS + 2,
        "facts": {"seconds": 14_401},
        "lifted_ms": None,
        "lifted_by": None,
    }


async def test_a_batch_written_twice_changes_nothing(desk: Desk) -> None:
    """The disk says that it failed when it did not."""
    seen = FirstSeen("desk", "country", "HR", AT_MS)
    desk.disk.late_faults = [sqlite3.OperationalError("disk I/O error")]
    await desk.write(BLOCK, LIFTED, ALERT, seen)
    assert len(desk.disk.batches) == 2
    assert len(await findings(desk.store, 10)) == 2
    assert await measures_in_force(desk.store) == []
    assert await first_seen(desk.store) == [seen]


async def test_what_is_lifted_is_named_so_that_no_clock_matters(desk: Desk) -> None:
    """The clock went back between the two; and what came after the lifting stays."""
    again = LineMeasure("desk", "+3216234567", "answers", "block", AT_MS + 5, {})
    early = MeasureLifted("desk", AT_MS - 86_400_000, "operator", (BLOCK.id,))
    await desk.write(BLOCK, early, again)
    assert await measures_in_force(desk.store) == [again]
    (row,) = [row for row in await findings(desk.store, 10) if row["lifted_ms"]]
    assert (row["at_ms"], row["lifted_ms"], row["lifted_by"]) == (AT_MS, AT_MS - 86_400_000, "operator")


async def test_lifted_without_a_switch(desk: Desk) -> None:
    await desk.write(BLOCK, ALERT, SUSPEND)
    assert await lift(desk.store, "desk", AT_MS + 7, "operator") == 1
    assert await lift(desk.store, "desk", AT_MS + 8, "operator") == 0
    assert await measures_in_force(desk.store) == [SUSPEND]


async def test_the_first_time_is_kept(desk: Desk) -> None:
    first = FirstSeen("desk", "country", "HR", AT_MS)
    await desk.write(first, FirstSeen("desk", "country", "HR", AT_MS + 5))
    assert await first_seen(desk.store) == [first]


async def test_of_networks_the_latest_are_read(desk: Desk) -> None:
    networks = [FirstSeen("desk", NETWORK, f"10.{n}.0.0/16", AT_MS + n) for n in range(MOST[NETWORK] + 3)]
    other = FirstSeen("dect", NETWORK, "10.0.0.0/16", AT_MS)
    await desk.write(*networks, other)
    read = await first_seen(desk.store)
    assert [one for one in read if one.user == "desk"] == networks[3:]
    assert other in read


async def test_findings_wait_in_the_outbox_beside_thresholds(desk: Desk) -> None:
    crossed = ThresholdCrossed("desk", "+3216234567", "cap-80", "2026-11", 1, 2, AT_MS + 1)
    await desk.write(SUSPEND, crossed, BLOCK)
    assert desk.notices == 1
    waiting = await desk.store.undelivered(10)
    assert [body["kind"] for _, body in waiting] == ["fraud:answers", "cap-80", "fraud:minutes"]
    assert waiting[0] == (
        BLOCK.id,
        {
            "account": "desk",
            "line": "+3216234567",
            "kind": "fraud:answers",
            "action": "block",
            "facts": {"answers": 41, "country": "HR"},
            "at_ms": AT_MS,
        },
    )
    assert len(await desk.store.undelivered(2)) == 2
    await desk.store.delivered([waiting[0][0], waiting[1][0]])
    assert [name for name, _ in await desk.store.undelivered(10)] == [SUSPEND.id]


async def test_a_line_that_is_removed_takes_its_measures_with_it(desk: Desk) -> None:
    """Another one may have its name some day; what was found stays on record."""
    line = Line("desk", ("+3216234567",), Account({}, ()), "classic")
    await desk.store.put_lines([line], replace=False)
    await desk.write(BLOCK, SUSPEND, FirstSeen("desk", "country", "HR", AT_MS))
    await desk.store.put_lines([line], replace=True)
    assert await measures_in_force(desk.store) == [BLOCK, SUSPEND]
    assert await desk.store.remove_line("desk")
    assert await measures_in_force(desk.store) == [SUSPEND]
    assert await first_seen(desk.store) == []
    assert {row["lifted_by"] for row in await findings(desk.store, 10)} == {None, "line removed"}
