"""The database: who may read the file, what it refuses to open, and that what goes in comes out."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from rating.charge import Use
from switch.net.store import (
    FILE,
    SCHEMA_VERSION,
    Clash,
    Registered,
    Store,
    StoreError,
    body_of,
    line_of,
    threshold_id,
)
from switch.ports import CallEnded, Moment, ThresholdCrossed
from switch.record import Cdr
from switch.routing.lines import Line
from switch.sip.auth import Account, ha1
from tests.switch.net.support import cdr

DESK = Line(
    user="desk",
    numbers=("+3216234567", "+3216234568"),
    account=Account(
        {name: ha1(name, "desk", "belswitch", "desk-secret") for name in ("MD5", "SHA-256")},
        ("SHA-256", "MD5"),
        lenient=True,
    ),
    plan="classic",
    options=("anytime", "24-belgium"),
    state="limited",
    kind="softphone",
    address={"postcode": "4000", "municipality": "Liège", "box": ""},
    max_contacts=3,
    max_calls=7,
    sources=("192.0.2.0/28", "2001:db8::1"),
    cap="35.00",
    concluded="2020-06-30",
)
DECT = Line("dect", ("+3222345678",), Account({}, ()), "classic-in-klik")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "some" / "data"


@pytest.fixture
async def store(directory: Path) -> AsyncIterator[Store]:
    store = await Store.open(directory)
    yield store
    await store.close()


async def refusal(directory: Path) -> str:
    with pytest.raises(StoreError) as caught:
        await Store.open(directory)
    return str(caught.value)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- the file -----------------------------------------------------------------------------------------------


async def test_only_the_owner_can_read_the_database(directory: Path) -> None:
    """Whatever the umask: digests are as good as passwords."""
    old = os.umask(0)
    try:
        store = await Store.open(directory)
        await store.put_lines([DESK], replace=False)
    finally:
        os.umask(old)
    assert mode(directory) == 0o700
    files = sorted(path.name for path in directory.iterdir())
    assert files == [FILE, f"{FILE}-shm", f"{FILE}-wal"]
    assert {mode(directory / name) for name in files} == {0o600}
    await store.close()


async def test_writes_are_durable_and_disturb_no_reader(store: Store) -> None:
    found = {}
    for pragma in ("journal_mode", "synchronous", "foreign_keys"):
        async with store.connection.execute(f"PRAGMA {pragma}") as cursor:
            found[pragma] = [value async for (value,) in cursor]
    assert found == {"journal_mode": ["wal"], "synchronous": [2], "foreign_keys": [1]}


async def test_what_was_written_is_there_after_opening_again(directory: Path) -> None:
    first = await Store.open(directory)
    await first.put_lines([DESK], replace=False)
    await first.close()
    again = await Store.open(directory)
    assert await again.lines() == [DESK]
    assert await again.alive() == Moment(0, 0)
    await again.close()


async def test_a_later_version_is_not_touched(directory: Path) -> None:
    await (await Store.open(directory)).close()
    with sqlite3.connect(directory / FILE) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    why = await refusal(directory)
    known = f"this belswitch knows version {SCHEMA_VERSION}"
    assert why == f"{directory / FILE}: the database has version 99; {known}"


async def test_what_is_no_database_is_named(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / FILE).write_bytes(b"not a database, but long enough to be taken for one" * 40)
    assert await refusal(directory) == f"{directory / FILE}: file is not a database"
    assert (directory / FILE).read_bytes().startswith(b"not a database")


async def test_a_directory_that_cannot_be_made_is_named(directory: Path) -> None:
    directory.parent.mkdir()
    directory.touch()
    assert str(directory) in await refusal(directory)


# --- lines --------------------------------------------------------------------------------------------------


async def test_a_line_comes_back_with_every_field(store: Store) -> None:
    await store.put_lines([DESK, DECT], replace=False)
    assert await store.lines() == [DECT, DESK]
    assert line_of(DESK.user, body_of(DESK)) == DESK


def test_a_line_written_before_there_were_caps_has_its_plans() -> None:
    body = {key: value for key, value in body_of(DESK).items() if key not in ("cap", "concluded")}
    assert line_of(DESK.user, body) == replace(DESK, cap="", concluded="")


@pytest.mark.parametrize(
    ("clashing", "why"),
    [
        (replace(DECT, user="desk"), "user desk exists already"),
        (replace(DECT, numbers=("+3292345678", "+3216234568")), "number +3216234568 belongs to another line"),
    ],
    ids=["user", "number"],
)
async def test_a_clash_adds_no_line_at_all(store: Store, clashing: Line, why: str) -> None:
    await store.put_lines([DESK], replace=False)
    innocent = Line("innocent", ("+3281234567",), Account({}, ()), "classic")
    with pytest.raises(Clash) as caught:
        await store.put_lines([innocent, clashing], replace=False)
    assert str(caught.value) == why
    assert await store.lines() == [DESK]
    await store.put_lines([innocent], replace=False)  # nothing of it stays behind


async def test_a_line_is_written_over_only_when_asked_to(store: Store) -> None:
    await store.put_lines([DESK, DECT], replace=False)
    changed = replace(DESK, plan="classic-in-klik", numbers=("+3216234567", "+3211234567"))
    await store.put_lines([changed], replace=True)
    assert await store.lines() == [DECT, changed]
    await store.put_lines([replace(DECT, numbers=("+3216234568",))], replace=True)  # free again


async def test_replacing_a_line_takes_no_number_from_another(store: Store) -> None:
    await store.put_lines([DESK, DECT], replace=False)
    with pytest.raises(Clash):
        await store.put_lines([replace(DESK, numbers=DECT.numbers)], replace=True)
    assert await store.lines() == [DECT, DESK]


async def test_a_line_that_is_removed_takes_its_numbers_and_bindings_along(store: Store) -> None:
    await store.put_lines([DESK, DECT], replace=False)
    rows = [[user, f"sip:{user}@192.0.2.1", 1, "{}"] for user in ("desk", "desk2", "dect")]
    await store.write([("INSERT INTO binding VALUES (?, ?, ?, ?)", rows)])
    assert await store.remove_line("desk")
    assert await store.lines() == [DECT]
    assert sorted(user for user, _, _, _ in await store.bindings()) == ["dect", "desk2"]
    await store.put_lines([replace(DECT, user="heir", numbers=DESK.numbers)], replace=False)
    assert not await store.remove_line("desk")


async def test_no_password_is_in_the_file(store: Store, directory: Path) -> None:
    await store.put_lines([DESK], replace=False)
    assert all(b"desk-secret" not in path.read_bytes() for path in directory.iterdir())


# --- registered addresses -----------------------------------------------------------------------------------

HERE = {"postcode": "4000", "street": "Rue Léopold"}
THERE = {"postcode": "5000", "street": "Rue de Fer"}
SHOP = Line("shop", ("+3241111111", "+3241111112"), Account({}, ()), "classic", address=HERE)


class Calendar:
    """A store whose changes are dated by the test, in milliseconds."""

    def __init__(self) -> None:
        self.ms = 1000

    def moment(self) -> Moment:
        return Moment(0, self.ms * 1_000_000)


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


@pytest.fixture
async def dated(directory: Path, calendar: Calendar) -> AsyncIterator[Store]:
    store = await Store.open(directory, calendar.moment)
    yield store
    await store.close()


async def registered(store: Store, since_ms: int = 0) -> list[tuple[str, str | None, bool | None, int]]:
    """Number, street, nomadic, since."""
    return [
        (one.number, one.entry["address"]["street"], one.entry["nomadic"], one.since_ms)
        if one.entry is not None
        else (one.number, None, None, one.since_ms)
        for one in await store.registered(since_ms)
    ]


async def test_every_number_is_registered_with_its_address_from_when_it_is_there(dated: Store) -> None:
    await dated.put_lines([SHOP, replace(DECT, kind="softphone", address=THERE)], replace=False)
    assert await dated.registered() == [
        Registered("+3222345678", {"address": THERE, "nomadic": True}, 1000),
        Registered("+3241111111", {"address": HERE, "nomadic": False}, 1000),
        Registered("+3241111112", {"address": HERE, "nomadic": False}, 1000),
    ]


@pytest.mark.parametrize(
    ("changes", "street", "nomadic", "since_ms"),
    [
        ({}, "Rue Léopold", False, 1000),
        ({"plan": "classic-in-klik", "state": "suspended", "kind": "dect"}, "Rue Léopold", False, 1000),
        ({"address": dict(reversed(HERE.items()))}, "Rue Léopold", False, 1000),
        ({"address": THERE}, "Rue de Fer", False, 2000),
        ({"kind": "softphone"}, "Rue Léopold", True, 2000),
    ],
)
async def test_only_a_change_of_what_is_registered_is_dated(
    dated: Store,
    calendar: Calendar,
    changes: dict[str, Any],
    street: str,
    nomadic: bool,
    since_ms: int,
) -> None:
    await dated.put_lines([SHOP], replace=False)
    calendar.ms = 2000
    await dated.put_lines([replace(SHOP, **changes)], replace=True)
    assert await registered(dated) == [(number, street, nomadic, since_ms) for number in SHOP.numbers]


async def test_a_number_given_up_is_a_removal_and_the_other_stays(dated: Store, calendar: Calendar) -> None:
    await dated.put_lines([SHOP], replace=False)
    calendar.ms = 2000
    await dated.put_lines([replace(SHOP, numbers=("+3241111111", "+3241111113"))], replace=True)
    assert await registered(dated) == [
        ("+3241111111", "Rue Léopold", False, 1000),
        ("+3241111112", None, None, 2000),
        ("+3241111113", "Rue Léopold", False, 2000),
    ]
    assert await registered(dated, 2000) == (await registered(dated))[1:]
    assert await registered(dated, 2001) == []


async def test_a_terminated_line_is_a_removal_once(dated: Store, calendar: Calendar) -> None:
    await dated.put_lines([SHOP], replace=False)
    for calendar.ms in (2000, 3000):
        await dated.put_lines([replace(SHOP, state="terminated")], replace=True)
    gone = [(number, None, None, 2000) for number in SHOP.numbers]
    assert await registered(dated) == gone
    calendar.ms = 4000
    await dated.remove_line("shop")
    assert await registered(dated) == gone
    calendar.ms = 5000
    await dated.put_lines([SHOP], replace=False)  # back at the same address: to be told again
    assert await registered(dated) == [(number, "Rue Léopold", False, 5000) for number in SHOP.numbers]


async def test_a_line_that_never_worked_leaves_nothing(dated: Store) -> None:
    await dated.put_lines([replace(SHOP, state="terminated")], replace=False)
    assert await dated.registered() == []


async def test_a_removed_line_is_a_removal_and_its_number_goes_to_an_heir(
    dated: Store, calendar: Calendar
) -> None:
    await dated.put_lines([SHOP], replace=False)
    calendar.ms = 2000
    await dated.remove_line("shop")
    assert await registered(dated) == [(number, None, None, 2000) for number in SHOP.numbers]
    calendar.ms = 3000
    await dated.put_lines([replace(DECT, numbers=SHOP.numbers[:1], address=THERE)], replace=False)
    assert await registered(dated) == [
        ("+3241111111", "Rue de Fer", False, 3000),
        ("+3241111112", None, None, 2000),
    ]
    await dated.remove_line("nobody")
    assert len(await registered(dated)) == 2


async def test_a_number_that_moves_between_lines_in_one_go_is_no_removal(
    dated: Store, calendar: Calendar
) -> None:
    await dated.put_lines([SHOP, replace(DECT, address=THERE)], replace=False)
    calendar.ms = 2000
    moved = [
        replace(SHOP, numbers=SHOP.numbers[:1]),
        replace(DECT, numbers=(*DECT.numbers, SHOP.numbers[1]), address=THERE),
    ]
    await dated.put_lines(moved, replace=True)
    assert await registered(dated, 2000) == [("+3241111112", "Rue de Fer", False, 2000)]


async def test_a_clash_changes_no_registered_address(dated: Store, calendar: Calendar) -> None:
    await dated.put_lines([SHOP, replace(DECT, address=THERE)], replace=False)
    before = await dated.registered()
    calendar.ms = 2000
    with pytest.raises(Clash):
        await dated.put_lines([replace(SHOP, numbers=("+3249999999", *DECT.numbers))], replace=True)
    assert await dated.registered() == before


# --- records ------------------------------------------------------------------------------------------------


async def put(store: Store, *records: Cdr) -> None:
    """Through the journal's own statement."""
    from switch.net.journal import _INSERT_CDR
    from switch.net.store import cdr_values

    await store.write([(_INSERT_CDR, [cdr_values(CallEnded(record).cdr) for record in records])])


async def test_a_record_comes_back_with_every_field(store: Store) -> None:
    record = cdr(emergency=True, ringing_ms=None, cause=None)
    await put(store, record)
    (row,) = await store.cdrs()
    assert row.pop("media") is None
    assert Cdr.from_dict(row) == record
    assert row["emergency"] is True


async def test_a_call_is_found_with_what_it_caused_and_what_caused_it(store: Store) -> None:
    await put(
        store,
        cdr("first", invited_ms=1000, released_ms=9000),
        cdr("sent-on", invited_ms=2000, released_ms=8000, caused_by="first"),
        cdr("again", invited_ms=3000, released_ms=8000, caused_by="sent-on"),
        cdr("other", invited_ms=2500, released_ms=8000, caused_by="somebody"),
        cdr("alone", invited_ms=2600, released_ms=8000),
    )
    for name in ("first", "sent-on", "again"):
        assert [row["call_id"] for row in await store.family(name)] == ["first", "sent-on", "again"]
    assert [row["call_id"] for row in await store.family("alone")] == ["alone"]
    assert [row["call_id"] for row in await store.family("other")] == ["other"]
    assert await store.family("nobody") == []


async def test_records_come_newest_first_and_by_line(store: Store) -> None:
    await put(
        store,
        cdr("b", invited_ms=2000),
        cdr("c", invited_ms=3000, line="+3222345678"),
        cdr("a", invited_ms=2000),
        cdr("d", invited_ms=1000),
    )
    assert [row["call_id"] for row in await store.cdrs()] == ["c", "a", "b", "d"]
    assert [row["call_id"] for row in await store.cdrs(line="+3216234567", limit=2)] == ["a", "b"]
    assert [row["call_id"] for row in await store.cdrs(line="+3222345678")] == ["c"]
    assert await store.cdrs(line="+3299999999") == []


# --- usage and notices --------------------------------------------------------------------------------------


async def use(store: Store, *rows: tuple[str, str, str, int, int, int]) -> None:
    """Call, month, account, seconds, of them out of the bundle, amount."""
    await store.write([("INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?)", [list(row) for row in rows])])


async def test_uses_are_summed_by_account_and_month(store: Store) -> None:
    await use(
        store,
        ("c1", "2026-11", "desk", 60, 60, 0),
        ("c2", "2026-11", "desk", 30, 0, 2900),
        ("c2", "2026-12", "desk", 5, 5, 0),
        ("c3", "2026-11", "dect", 1, 0, 897),
        ("c4", "2026-10", "desk", 999, 999, 999),
        ("c5", "2027-01", "dect", 7, 7, 0),
    )
    assert await store.uses("2026-11") == [
        ("dect", Use("2026-11", 1, 0, 897)),
        ("dect", Use("2027-01", 7, 7, 0)),
        ("desk", Use("2026-11", 90, 60, 2900)),
        ("desk", Use("2026-12", 5, 5, 0)),
    ]
    assert await store.uses("2026-12", "desk") == [("desk", Use("2026-12", 5, 5, 0))]
    assert await store.uses("2027-02") == []
    assert await store.uses("2026-11", "nobody") == []


async def cross(store: Store, *crossed: ThresholdCrossed) -> None:
    rows = [[threshold_id(one), *astuple(one)] for one in crossed]
    await store.write([("INSERT INTO threshold VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)", rows)])


FIRST = ThresholdCrossed("desk", "+3216234567", "cap-80", "2026-11", 132_300, 165_289, 1000)
SECOND = ThresholdCrossed("desk", "+3216234567", "cap-100", "2026-11", 165_230, 165_289, 2000)
LAST_MONTH = ThresholdCrossed("dect", "+3222345678", "bundle-80", "2026-10", 96_000, 120_000, 500)


async def test_thresholds_from_a_month_on_oldest_first(store: Store) -> None:
    await cross(store, SECOND, LAST_MONTH, FIRST)
    assert await store.thresholds("2026-11") == [FIRST, SECOND]
    assert await store.thresholds("2026-10") == [LAST_MONTH, FIRST, SECOND]
    assert await store.thresholds("2026-12") == []


async def test_what_is_undelivered_leaves_the_outbox_when_it_is_delivered(store: Store) -> None:
    await cross(store, SECOND, LAST_MONTH, FIRST)
    waiting = await store.undelivered(10)
    assert [name for name, _ in waiting] == [
        "dect:2026-10:bundle-80:120000",
        "desk:2026-11:cap-80:165289",
        "desk:2026-11:cap-100:165289",
    ]
    assert [ThresholdCrossed(**body) for _, body in waiting] == [LAST_MONTH, FIRST, SECOND]
    assert [name for name, _ in await store.undelivered(2)] == [name for name, _ in waiting[:2]]

    await store.delivered([waiting[0][0], waiting[2][0]])
    assert await store.undelivered(10) == waiting[1:2]
    await store.delivered([waiting[0][0], "no-such-notice"])  # again, and of nothing
    assert await store.undelivered(10) == waiting[1:2]
    await store.delivered([])
    await store.delivered([waiting[1][0]])
    assert await store.undelivered(10) == []
    assert len(await store.thresholds("2026-10")) == 3  # told, and still known


async def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    good = ("INSERT INTO meta VALUES (?, ?)", [["key", "value"]])
    with pytest.raises(sqlite3.OperationalError):
        await store.write([good, ("INSERT INTO nowhere VALUES (?)", [["x"]])])
    await store.write([good])  # the transaction is over and left nothing
