"""Facts of the machine, gathered from sockets, files and programs that the tests put there."""

from __future__ import annotations

import asyncio
import errno
import functools
import resource
import shutil
import socket
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from switch.config.model import Admin, Config, Listen, Media, MediaHost, PortRange, Sip, Store, Trunk
from switch.doctor.machine import FileLimits
from switch.net import survey
from switch.net.operator import OperatorError, OperatorListener
from switch.net.store import FILE, SCHEMA_VERSION
from switch.net.store import Store as Database
from switch.ports import Address, Lookup

HOST = "127.0.0.1"


def config(
    directory: Path, *listen: Listen, trunks: tuple[Trunk, ...] = (), told: str = "192.0.2.9"
) -> Config:
    return Config(
        sip=Sip(listen=listen or (Listen(host=HOST),), domain="voice.example", advertised_host=told),
        media=Media(ports=PortRange(first=30_000, last=30_999), hosts=(MediaHost(host=HOST),)),
        store=Store(directory=directory),
        admin=Admin(port=9999),
        trunks=trunks,
    )


# --- the running switch, addresses, ports -------------------------------------------------------------------


async def test_whether_a_switch_runs(tmp_path: Path) -> None:
    settings = config(tmp_path)
    assert await survey.running(settings) == "no"

    async def pong(_request: Mapping[str, Any]) -> str:
        return "pong"

    async def refuse(_request: Mapping[str, Any]) -> str:
        raise OperatorError("no answer")

    for handler, state in ((pong, "yes"), (refuse, "silent")):
        listener = OperatorListener({"ping": handler})
        await listener.start(tmp_path / settings.admin.socket)
        assert await survey.running(settings) == state
        await listener.close()


@pytest.mark.parametrize(("transport", "kind"), [("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)])
def test_addresses_taken_free_and_not_ours(tmp_path: Path, transport: Any, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((HOST, 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        listen = [
            Listen(host=host, port=port, transport=transport) for host in (HOST, "127.0.0.77", "192.0.2.77")
        ]
        attempts = survey.listen_attempts(config(tmp_path, *listen))
    assert [one.key for one in attempts] == ["sip.listen[0]", "sip.listen[1]", "sip.listen[2]", "admin"]
    assert [one.errno for one in attempts[:3]] == [errno.EADDRINUSE, 0, errno.EADDRNOTAVAIL]


def test_addresses_for_media(tmp_path: Path) -> None:
    (attempt,) = survey.media_attempts(config(tmp_path))
    assert (attempt.key, attempt.address, attempt.errno) == ("media.hosts[0]", Address(HOST, 0), 0)


UDP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  1: 0100007F:7530 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11 2 0 0
  2: 00000000:7532 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12 2 0 0
  3: 0200007F:7533 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 13 2 0 0
  4: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 14 2 0 0
"""
UDP6 = """  sl  local_address                         remote_address                        st
  1: 00000000000000000000000001000000:7534 00000000000000000000000000000000:0000 07
  2: 00000000000000000000000000000000:7536 00000000000000000000000000000000:0000 07
"""


def test_media_ports_that_others_hold(tmp_path: Path) -> None:
    """127.0.0.1, every IPv4 address and every address at all are in the way; 127.0.0.2 and ::1 are not."""
    for name, text in {
        "net/udp": UDP,
        "net/udp6": UDP6,
        "sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "sys/net/ipv4/ip_local_reserved_ports": "5060,30000-30999\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    facts = survey.port_facts(config(tmp_path), tmp_path)
    assert facts.taken == (30_000, 30_002, 30_006)
    assert facts.dealt == (32_768, 60_999)
    assert facts.kept_back == ((5060, 5060), (30_000, 30_999))


def test_a_kernel_that_tells_nothing(tmp_path: Path) -> None:
    facts = survey.port_facts(config(tmp_path), tmp_path)
    assert (facts.taken, facts.dealt, facts.kept_back) == ((), None, ())
    assert survey.receive_buffer(tmp_path) is None


def test_a_real_socket_is_seen(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1] & ~1
        settings = config(tmp_path)
        media = Media(ports=PortRange(first=port, last=port + 3), hosts=(MediaHost(host=HOST),))
        taken = survey.port_facts(settings.model_copy(update={"media": media})).taken
        assert sock.getsockname()[1] in taken


async def test_names_are_looked_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Lookup] = []

    async def resolve(lookup: Lookup, _chance: object) -> tuple[Address, ...]:
        asked.append(lookup)
        if lookup.host == "slow.example":
            await asyncio.sleep(60)
        return () if lookup.host == "gone.example" else (Address("192.0.2.1", lookup.port),)

    monkeypatch.setattr(survey, "resolve", resolve)
    monkeypatch.setattr(survey, "ASK_S", 0.05)
    trunks = (
        Trunk(name="a", host="a.example", transport="tls", srv=True),
        Trunk(name="slow", host="slow.example"),
        Trunk(name="gone", host="gone.example"),
        Trunk(name="literal", host="192.0.2.1"),
    )
    found = await survey.names(config(tmp_path, trunks=trunks, told="sip.voice.example"))
    assert [(one.what, one.srv) for one in found] == [
        ("trunk a", True),
        ("trunk slow", False),
        ("trunk gone", False),
        ("sip.advertised_host", False),
    ]
    assert [one.found for one in found] == [
        (Address("192.0.2.1", 5060),),
        None,
        (),
        (Address("192.0.2.1", 0),),
    ]
    assert asked[0].service == "_sips._tcp"


# --- limits and clock ---------------------------------------------------------------------------------------


async def test_limits_of_the_switch_or_of_this_process(tmp_path: Path) -> None:
    settings = config(tmp_path)
    limits = survey._limit(0)
    assert 0 < limits[0] <= limits[1]
    assert survey.open_files(settings) == FileLimits(*limits, whose="this shell")
    listener = OperatorListener({})
    await listener.start(tmp_path / settings.admin.socket)
    assert survey.open_files(settings) == FileLimits(*limits, whose="the running switch")
    await listener.close()


def test_the_limit_of_a_switch_that_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def prlimit(process: int, _which: int) -> tuple[int, int]:
        if process:
            raise PermissionError
        return 1024, resource.RLIM_INFINITY

    monkeypatch.setattr(resource, "prlimit", prlimit)
    monkeypatch.setattr(survey, "_process", lambda _path: 1)
    limits = survey.open_files(config(tmp_path))
    assert limits == FileLimits(1024, survey.UNLIMITED, whose="this shell")


def test_what_a_socket_may_keep_unread() -> None:
    assert survey.receive_buffer() is not None


@pytest.mark.parametrize(
    ("script", "known"),
    [("echo yes", True), ("echo no", False), ("exit 1", None), ("exec sleep 60", None)],
)
async def test_what_timedatectl_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, known: bool | None
) -> None:
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(program))
    monkeypatch.setattr(survey, "TELL_S", 0.5)
    assert await survey.synchronised(tmp_path / "synchronized") is known


async def test_the_mark_of_timesyncd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert await survey.synchronised(tmp_path / "synchronized") is None
    (tmp_path / "synchronized").touch()
    assert await survey.synchronised(tmp_path / "synchronized") is True


# --- disk ---------------------------------------------------------------------------------------------------


def test_a_data_directory_there_and_to_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    there = survey.directory_facts(tmp_path / "data")
    assert (there.exists, there.writable, there.mode) == (True, True, 0o700)
    assert there.free_bytes > 0
    to_be = survey.directory_facts(tmp_path / "deep" / "data")
    assert (to_be.exists, to_be.writable, to_be.path) == (False, True, tmp_path / "deep" / "data")
    (tmp_path / "file").touch()
    assert not survey.directory_facts(tmp_path / "file").is_directory
    assert not survey.directory_facts(tmp_path / "file" / "data").writable


async def test_a_database_with_its_latest_entry(tmp_path: Path) -> None:
    assert not survey.database_facts(tmp_path).exists
    store = await Database.open(tmp_path)
    await store.connection.execute("INSERT INTO cdr (call_id, invited_ms) VALUES ('c1', 1700000000000)")
    facts = survey.database_facts(tmp_path)
    assert (facts.trouble, facts.version, facts.finished) == ("", SCHEMA_VERSION, True)
    assert facts.newest_ms == 1_700_000_000_000
    await store.connection.execute("INSERT OR REPLACE INTO meta VALUES ('alive', '5 1700000001000000000')")
    assert survey.database_facts(tmp_path).newest_ms == 1_700_000_001_000
    await store.close()
    assert survey.database_facts(tmp_path).newest_ms == 1_700_000_001_000
    assert [one.name for one in tmp_path.iterdir()] == [FILE]  # nothing is left beside it


def test_a_database_that_is_none_or_of_another_version(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database " * 100)
    assert survey.database_facts(tmp_path).trouble == "file is not a database"
    (tmp_path / FILE).unlink()
    with sqlite3.connect(tmp_path / FILE) as opened:
        opened.execute("PRAGMA user_version = 99")
    opened.close()
    facts = survey.database_facts(tmp_path)
    assert (facts.version, facts.newest_ms, facts.trouble) == (99, None, "")


def test_a_torn_page_is_found(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE t (a TEXT)")
        opened.executemany("INSERT INTO t VALUES (?)", ((f"{n:0500d}",) for n in range(2000)))
    opened.close()
    assert survey.database_facts(tmp_path).trouble == ""
    whole = path.read_bytes()
    path.write_bytes(whole[:40_960] + b"\xff" * 4096 + whole[45_056:])
    facts = survey.database_facts(tmp_path)
    assert facts.finished
    assert facts.trouble != ""


class Endless(sqlite3.Connection):
    """A database so large that nobody sees its end."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if "quick_check" in sql:
            sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        return super().execute(sql, *values)


def test_what_takes_too_long_is_left_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE).touch()
    monkeypatch.setattr(sqlite3, "connect", functools.partial(sqlite3.connect, factory=Endless))
    facts = survey.database_facts(tmp_path, patience_s=0.1)
    assert (facts.finished, facts.trouble) == (False, "")


# --- secrets ------------------------------------------------------------------------------------------------

SETTINGS = """
[sip.tls]
key = "switch.key"
[notices]
secret = "env:SIGNS"
"""
TRUNKS = """
[[trunk]]
password = "file:a.secret"
[[trunk]]
host = "open.example"
[[trunk]]
password = "file:missing.secret"
[[trunk]]
password = "in the open"
"""


def test_where_secrets_are_kept(tmp_path: Path) -> None:
    for name, text, mode in (
        ("switch.toml", SETTINGS, 0o644),
        ("trunks.toml", TRUNKS, 0o604),
        ("a.secret", "a", 0o640),
        ("switch.key", "k", 0o600),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    found = survey.secrets(tmp_path, {"SIGNS": "s"})
    assert [(one.key, one.kept, one.mode) for one in found] == [
        ("notices.secret", "environment", 0),
        ("trunk[0].password", "file", 0o640),
        ("trunk[2].password", "file", 0),
        ("trunk[3].password", "inline", 0o604),
        ("sip.tls.key", "file", 0o600),
    ]
    assert [one.trouble for one in found if one.trouble] == [
        "the file it names cannot be read: No such file or directory"
    ]
    assert survey.secrets(tmp_path, {})[0].trouble == "the variable it names is not set here"


@pytest.mark.parametrize("text", ["", "trunk = 1", "[[trunk]]\npassword = 1", "not TOML", 'trunk = ["a"]'])
def test_secrets_of_a_configuration_that_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "trunks.toml").write_text(text)
    assert survey.secrets(tmp_path) == []


def test_the_name_of_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "trunks.toml").write_text('[[trunk]]\npassword = "file:a\\u0000b"\n')
    (secret,) = survey.secrets(tmp_path)
    assert secret.trouble == "the file it names cannot be read: no name of a file"
