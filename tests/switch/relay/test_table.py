"""The watch for silence, on virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switch.relay.table import Table
from tests.switch.relay.harness import free_pair, rtcp, rtp

MS = 1_000_000
SESSION = 7


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table(lambda _: None)
    for stream in (0, 1):
        ports = free_pair("127.0.0.1"), free_pair("::1")
        table.open(SESSION, stream, ("127.0.0.1", "::1"), ports, True, 0)
    yield table
    table.close(SESSION)


def test_unwatched_is_never_silent(table: Table) -> None:
    assert table.silent(10**18) == []


def test_silence_counts_from_the_watch(table: Table) -> None:
    table.watch(SESSION, 30_000, 5_000 * MS)
    assert table.silent(34_999 * MS) == []
    assert table.silent(35_000 * MS) == [SESSION]


def test_it_is_told_once_until_watched_again(table: Table) -> None:
    table.watch(SESSION, 1000, 0)
    assert table.silent(1000 * MS) == [SESSION]
    assert table.silent(9000 * MS) == []
    table.watch(SESSION, 1000, 9000 * MS)
    assert table.silent(9999 * MS) == []
    assert table.silent(10_000 * MS) == [SESSION]


@pytest.mark.parametrize("silence_ms", [0, -5])
def test_the_watch_is_called_off(table: Table, silence_ms: int) -> None:
    table.watch(SESSION, 1000, 0)
    table.watch(SESSION, silence_ms, 0)
    assert table.silent(10**18) == []


@pytest.mark.parametrize("port_index", range(8))
def test_a_packet_on_any_port_breaks_the_silence(table: Table, port_index: int) -> None:
    table.watch(SESSION, 1000, 0)
    port = list(table.doors.values())[port_index]
    port.reception.receive(bytearray(rtp()), len(rtp()), 700 * MS)
    assert table.silent(1000 * MS) == []
    port.count_other(bytearray(rtcp()), len(rtcp()), 800 * MS)
    assert table.silent(1799 * MS) == []
    assert table.silent(1800 * MS) == [SESSION]
