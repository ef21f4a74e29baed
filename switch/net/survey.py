"""Gathers what `switch.doctor` judges: sockets, files, the kernel's settings, the clock, names.

Looks only. A port is bound for a moment and given back, the database is opened for reading, and nothing is
made, changed or sent, but questions to name servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import shutil
import socket
import sqlite3
import stat
import struct
import threading
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from switch.config.loader import SETTINGS_FILE, TRUNKS_FILE
from switch.config.model import Config, collide, is_literal
from switch.doctor.machine import DatabaseFacts, DirectoryFacts, FileLimits
from switch.doctor.network import Attempt, Named, PortFacts, Running
from switch.doctor.trust import SecretFacts
from switch.net.clock import SystemEntropy
from switch.net.operator import NotRunning, OperatorError, ask
from switch.net.resolver import ASK_S, resolve
from switch.net.store import FILE, SCHEMA_VERSION
from switch.ports import NS_PER_MS, Address, Lookup
from switch.routing.trunks import SERVICES

CHECK_S = 10.0
"""How long SQLite may look through a database; a large one takes minutes."""

TELL_S = 5.0
"""How long another program may take."""

UNLIMITED = 1 << 30
PROC = Path("/proc")


# --- the running switch, addresses, ports -------------------------------------------------------------------


async def running(config: Config) -> Running:
    """Whether a switch runs on the data directory of a configuration."""
    try:
        await ask(config.store.directory / config.admin.socket, "ping")
    except NotRunning:
        return "no"
    except OperatorError:
        return "silent"
    return "yes"


def listen_attempts(config: Config) -> list[Attempt]:
    """Every address that the switch listens on, tried as it would bind it."""
    listen = [
        _attempt(f"sip.listen[{index}]", one.transport, Address(one.host, one.port))
        for index, one in enumerate(config.sip.listen)
    ]
    return [*listen, _attempt("admin", "tcp", Address(config.admin.host, config.admin.port))]


def media_attempts(config: Config) -> list[Attempt]:
    """Every address for media, with a port that the kernel chooses."""
    return [
        _attempt(f"media.hosts[{index}]", "udp", Address(one.host, 0))
        for index, one in enumerate(config.media.hosts)
    ]


def _attempt(key: str, transport: str, address: Address) -> Attempt:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    try:
        with socket.socket(family, kind) as sock:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(tuple(address))
    except OSError as error:
        return Attempt(key, transport, address, error.errno or errno.EIO)
    return Attempt(key, transport, address, 0)


def port_facts(config: Config, proc: Path = PROC) -> PortFacts:
    """Who has or may get ports of the media range, as the kernel lists all UDP sockets of this machine."""
    ports = range(config.media.ports.first, config.media.ports.last + 1)
    hosts = [one.host for one in config.media.hosts]
    taken = {
        port
        for host, port in _udp_sockets(proc)
        if port in ports
        and any(host == "::" or collide(host, own) for own in hosts)  # "::" may be for IPv4 too
    }
    dealt = _read(proc / "sys/net/ipv4/ip_local_port_range").split()
    kept_back = _read(proc / "sys/net/ipv4/ip_local_reserved_ports").replace(",", " ").split()
    return PortFacts(
        taken=tuple(sorted(taken)),
        dealt=(int(dealt[0]), int(dealt[1])) if len(dealt) == 2 else None,
        kept_back=tuple(
            (int(first), int(last or first)) for first, _, last in (x.partition("-") for x in kept_back)
        ),
    )


def _udp_sockets(proc: Path) -> Iterator[tuple[str, int]]:
    """Host and port of every UDP socket (proc(5)): words of the address in the byte order of the machine."""
    for name, words in (("udp", 1), ("udp6", 4)):
        for line in _read(proc / "net" / name).splitlines()[1:]:
            host, _, port = line.split()[1].partition(":")
            packed = b"".join(bytes.fromhex(host[8 * n : 8 * n + 8])[::-1] for n in range(words))
            yield str(IPv4Address(packed) if words == 1 else IPv6Address(packed)), int(port, 16)


async def names(config: Config) -> list[Named]:
    """Every host name that is configured, looked up at once."""
    wanted = [
        (
            f"trunk {one.name}",
            Lookup(one.name, one.host, one.port, SERVICES[one.transport] if one.srv else ""),
        )
        for one in config.trunks
        if not is_literal(one.host)
    ]
    if (told := config.sip.advertised_host) is not None and not is_literal(told):
        wanted.append(("sip.advertised_host", Lookup("", told, 0)))
    return list(await asyncio.gather(*(_named(what, lookup) for what, lookup in wanted)))


async def _named(what: str, lookup: Lookup) -> Named:
    found: tuple[Address, ...] | None = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ASK_S):
            found = await resolve(lookup, SystemEntropy().below)
    return Named(what, lookup.host, bool(lookup.service), found)


# --- limits and clock ---------------------------------------------------------------------------------------


def open_files(config: Config) -> FileLimits:
    """The limit of the running switch; where there is none, or it is not ours, that of this process."""
    process = _process(config.store.directory / config.admin.socket)
    try:
        return FileLimits(*_limit(process), whose="the running switch" if process else "this shell")
    except (PermissionError, ProcessLookupError):
        return FileLimits(*_limit(0))


def _process(path: Path) -> int:
    """Who listens at a Unix socket (SO_PEERCRED, unix(7)); 0 for nobody."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TELL_S)
        try:
            sock.connect(str(path))
        except OSError:
            return 0
        process, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(process)


def _limit(process: int) -> tuple[int, int]:
    """The limits of a process, 0 for this one; for none at all, more than there can be."""
    most = resource.prlimit(process, resource.RLIMIT_NOFILE)
    soft, hard = (UNLIMITED if one == resource.RLIM_INFINITY else one for one in most)
    return soft, hard


def receive_buffer(proc: Path = PROC) -> int | None:
    """Bytes that a socket may have kept unread; None where the kernel does not tell."""
    told = _read(proc / "sys/net/core/rmem_max").strip()
    return int(told) if told.isdigit() else None


async def synchronised(state: Path = Path("/run/systemd/timesync/synchronized")) -> bool | None:
    """Whether the kernel knows its clock to be kept right; None where nobody tells."""
    program = shutil.which("timedatectl")
    if program is not None:
        told = await _output(program, "show", "--property=NTPSynchronized", "--value")
        if told in ("yes", "no"):
            return told == "yes"
    return True if state.exists() else None


async def _output(*command: str) -> str:
    """What a program says; nothing when it fails or takes too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(TELL_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return said.decode("utf-8", "replace").strip() if process.returncode == 0 else ""


# --- disk ---------------------------------------------------------------------------------------------------


def directory_facts(path: Path) -> DirectoryFacts:
    """The data directory, or the nearest above it that exists."""
    path = path.absolute()
    near = next(one for one in (path, *path.parents) if one.exists())
    free = os.statvfs(near)
    return DirectoryFacts(
        path=path,
        exists=near == path,
        is_directory=near.is_dir(),
        writable=near.is_dir() and os.access(near, os.W_OK | os.X_OK),
        mode=stat.S_IMODE(near.stat().st_mode),
        free_bytes=free.f_bavail * free.f_frsize,
        free_inodes=free.f_favail if free.f_files else None,
    )


def database_facts(directory: Path, patience_s: float = CHECK_S) -> DatabaseFacts:
    """The database, looked through for at most `patience_s`."""
    path = directory.absolute() / FILE
    try:
        if not path.exists():
            return DatabaseFacts(path, exists=False)
        with contextlib.closing(sqlite3.connect(_uri(path), uri=True, timeout=TELL_S)) as opened:
            version = opened.execute("PRAGMA user_version").fetchone()[0]
            newest_ms = _newest_ms(opened) if version == SCHEMA_VERSION else None
            said = _quick_check(opened, patience_s)
    except (OSError, sqlite3.Error) as error:
        return DatabaseFacts(path, exists=True, trouble=str(error))
    trouble = said if said not in ("ok", None) else ""
    return DatabaseFacts(path, True, version, SCHEMA_VERSION, trouble or "", said is not None, newest_ms)


def _uri(path: Path) -> str:
    """A database to be read. Where nobody has it open it is taken as immutable: else SQLite would leave the
    files that its writers share."""
    open_elsewhere = path.with_name(f"{path.name}-wal").exists()
    return f"{path.as_uri()}?mode=ro" if open_elsewhere else f"{path.as_uri()}?immutable=1"


def _newest_ms(opened: sqlite3.Connection) -> int | None:
    """The latest record, or sign of life of the switch, whichever is later."""
    times = [opened.execute("SELECT max(invited_ms) FROM cdr").fetchone()[0]]
    for (alive,) in opened.execute("SELECT value FROM meta WHERE key = 'alive'"):
        times.append(int(alive.split()[1]) // NS_PER_MS)
    return max((one for one in times if one is not None), default=None)


def _quick_check(opened: sqlite3.Connection, patience_s: float) -> str | None:
    """What SQLite finds first, `ok` when nothing; None when the time is up."""
    timer = threading.Timer(patience_s, opened.interrupt)
    timer.start()
    try:
        return str(opened.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        timer.cancel()
        timer.join()  # no connection is interrupted that is closed already


# --- secrets ------------------------------------------------------------------------------------------------


def secrets(directory: Path, environ: Mapping[str, str] = os.environ) -> list[SecretFacts]:
    """Every secret of a configuration directory, faulty as the rest may be, and the key of `sip.tls`."""
    settings, trunks = _document(directory / SETTINGS_FILE), _document(directory / TRUNKS_FILE)
    found = []
    sources: list[tuple[str, Any, str]] = [
        ("notices.secret", _at(settings, "notices", "secret"), SETTINGS_FILE)
    ]
    rows = trunks.get("trunk")
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        sources.append((f"trunk[{index}].password", _at(row, "password"), TRUNKS_FILE))
    for key, told, file in sources:
        if isinstance(told, str):
            found.append(_secret(key, told, directory, file, environ))
    if isinstance(key_file := _at(settings, "sip", "tls", "key"), str):
        found.append(_in_file("sip.tls.key", directory / key_file))
    return found


def _secret(key: str, told: str, directory: Path, file: str, environ: Mapping[str, str]) -> SecretFacts:
    scheme, _, name = told.partition(":")
    if scheme == "env":
        trouble = "" if environ.get(name) else "the variable it names is not set here"
        return SecretFacts(key, "environment", trouble=trouble)
    if scheme == "file":
        return _in_file(key, directory / name)
    return SecretFacts(key, "inline", stat.S_IMODE((directory / file).stat().st_mode))


def _in_file(key: str, path: Path) -> SecretFacts:
    try:
        with path.open("rb") as opened:
            return SecretFacts(key, "file", stat.S_IMODE(os.fstat(opened.fileno()).st_mode))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no name of a file"
        return SecretFacts(key, "file", trouble=f"the file it names cannot be read: {reason}")


def _document(path: Path) -> dict[str, Any]:
    """A TOML file, or nothing: what is wrong with it is the configuration's to tell."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _read(path: Path) -> str:
    """A file of the kernel; empty where there is none."""
    try:
        return path.read_text()
    except OSError:
        return ""
