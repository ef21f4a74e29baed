"""The machine: limits and buffers, clock and time zone, disk and database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal

from switch.config.model import PORTS_PER_STREAM, Config
from switch.doctor.finding import Finding, fault, ok, warning

SPARE_FILES = 100
"""Open files of a process besides those that calls and connections take: database, log, control sockets."""

BACKWARDS_S = 5
"""So much a clock may be set back by whoever keeps it right."""

FEW_BYTES, SOME_BYTES = 100 << 20, 1 << 30
FEW_INODES = 1000
SUMMER, WINTER = timedelta(hours=2), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How many files a process may open, at first and once it has raised the limit itself; `whose` limit."""

    soft: int
    hard: int
    whose: Literal["the running switch", "this shell"] = "this shell"


@dataclass(frozen=True, slots=True)
class DirectoryFacts:
    """The data directory. Where it does not exist yet, `writable` is whether it can be made."""

    path: Path
    exists: bool
    is_directory: bool
    writable: bool
    mode: int
    free_bytes: int
    free_inodes: int | None
    """None: this file system does not count them."""


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """What a look at the database came to. `trouble` is what SQLite said; `newest_ms` the latest sign of life
    or record in it, UTC."""

    path: Path
    exists: bool
    version: int = 0
    known_version: int = 0
    trouble: str = ""
    finished: bool = True
    newest_ms: int | None = None


# --- limits -------------------------------------------------------------------------------------------------


def open_files(config: Config, limits: FileLimits) -> Finding:
    """What calls and connections take, against what may be opened. Relays raise their own limit.

    A call with audio takes four ports of one relay. Each is a socket, and a second one as soon as the party
    is heard.
    """
    what = "open files"
    calls = -(-config.calls.max_calls // config.media.relays)
    least = calls * PORTS_PER_STREAM + SPARE_FILES
    wanted = 2 * calls * PORTS_PER_STREAM + SPARE_FILES
    streams = [one for one in config.sip.listen if one.transport != "udp"]
    connections = len(streams) * config.sip.connections.most + SPARE_FILES
    remedy = f"LimitNOFILE={max(wanted, connections)} in the unit, or `ulimit -n` in the shell"
    soft, hard, whose = limits.soft, limits.hard, limits.whose
    if hard < least:
        told = f"{whose} may have {hard}, {config.calls.max_calls} calls take {least} in a relay"
        return fault(what, told, f"{remedy}; or more media.relays, or fewer calls.max_calls")
    if hard < wanted:
        told = f"{whose} may have {hard}, {config.calls.max_calls} calls take up to {wanted} in a relay"
        return warning(what, told, f"{remedy}; or more media.relays")
    if soft < connections:
        told = f"{whose} may have {soft}, connections of sip.listen take up to {connections}"
        return warning(what, told, f"{remedy}; or lower sip.connections.most")
    told = (
        f"{whose} may have {soft}, a relay {hard}; {config.calls.max_calls} calls take up to {wanted} there"
    )
    return ok(what, told)


def receive_buffer(allowed: int | None, wanted: int) -> Finding:
    """Bytes that a socket may ask to have kept unread, against what SIP over UDP asks for."""
    what = "net.core.rmem_max"
    remedy = f"sysctl --write {what}={wanted}, and a line in /etc/sysctl.d"
    if allowed is None:
        return warning(what, "is not known", remedy)
    if allowed < wanted:
        return warning(what, f"is {allowed}: a burst of SIP beyond that is lost", remedy)
    return ok(what, f"is {allowed}")


# --- time ---------------------------------------------------------------------------------------------------


def clock_synchronised(synchronised: bool | None) -> Finding:
    """Whether somebody keeps the clock right. Prices change at the second."""
    what = "clock"
    if synchronised:
        return ok(what, "is synchronised")
    remedy = "run chrony or systemd-timesyncd; `timedatectl` tells whether it took hold"
    if synchronised is None:
        return warning(what, "whether it is synchronised is not known", remedy)
    return warning(what, "is not synchronised", remedy)


def clock_against(now_ms: int, newest_ms: int | None) -> Finding:
    """The clock against the latest that was written by it."""
    what = "clock against records"
    if newest_ms is None:
        return ok(what, "there is no record to compare with")
    behind_s = (newest_ms - now_ms) // 1000
    if behind_s <= BACKWARDS_S:
        return ok(what, f"the latest entry is of {_utc(newest_ms)}")
    told = f"is {behind_s} s behind the latest entry, of {_utc(newest_ms)}"
    return fault(what, told, "set the clock right before the switch starts: calls are priced by it")


def time_zone(zone: tzinfo | None, years: Iterable[int]) -> Finding:
    """Whether Belgian time is known, with summer time as Directive 2000/84/EC has it: from the last Sunday of
    March to that of October, both at 01:00 UTC."""
    what = "time zone"
    remedy = "install or update the package tzdata"
    if zone is None:
        return fault(what, "Europe/Brussels is not known", remedy)
    for year in years:
        for month, before, after in ((3, WINTER, SUMMER), (10, SUMMER, WINTER)):
            change = _last_sunday(year, month)
            offsets = [
                (change + shift).astimezone(zone).utcoffset()
                for shift in (-timedelta(seconds=1), timedelta())
            ]
            if offsets != [before, after]:
                told = f"Europe/Brussels has no change of summer time on {change.date()}"
                return fault(what, told, remedy)
    return ok(what, "Europe/Brussels, with summer time of " + " and ".join(map(str, years)))


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, 1, tzinfo=UTC)  # both months have 31 days
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _utc(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# --- disk ---------------------------------------------------------------------------------------------------


def data_directory(facts: DirectoryFacts) -> Iterator[Finding]:
    """Whether records can be written, for how long, and who else may read them."""
    what, path = "store.directory", facts.path
    if facts.exists and not facts.is_directory:
        yield fault(what, f"{path} is no directory", "move what is there, or change store.directory")
    elif not facts.writable and facts.exists:
        yield fault(what, f"{path} cannot be written", "give it to the user that the switch runs as")
    elif not facts.writable:
        remedy = "make it, for the user that the switch runs as, with mode 0700"
        yield fault(what, f"{path} does not exist and cannot be made", remedy)
    elif not facts.exists:
        yield ok(what, f"{path} is made at the first start")
    elif facts.mode & 0o077:
        told = f"{path} has mode {facts.mode:04o}: others get at records and the operator's socket"
        yield warning(what, told, f"chmod 0700 {path}")
    else:
        yield ok(what, f"{path} can be written, by its owner only")
    yield _room(facts)


def _room(facts: DirectoryFacts) -> Finding:
    what = "disk"
    mib = facts.free_bytes >> 20
    remedy = f"make room on the disk of {facts.path}: without any, new calls are refused"
    if facts.free_inodes is not None and facts.free_inodes < FEW_INODES:
        return warning(what, f"{facts.free_inodes} inodes are left", remedy)
    if facts.free_bytes < FEW_BYTES:
        return fault(what, f"{mib} MiB are left", remedy)
    if facts.free_bytes < SOME_BYTES:
        return warning(what, f"{mib} MiB are left", remedy)
    return ok(what, f"{mib} MiB are left")


def database(facts: DatabaseFacts) -> Finding:
    """Whether the database is whole, and of this version."""
    what = "database"
    if not facts.exists:
        return ok(what, f"there is none yet; `serve` and `line add` make {facts.path}")
    if facts.trouble:
        remedy = "keep a copy of the file and of those beside it, then bring back a backup"
        return fault(what, f"{facts.path}: {facts.trouble}", remedy)
    if facts.version not in (0, facts.known_version):
        told = f"has version {facts.version}; this belswitch knows version {facts.known_version}"
        return fault(what, told, "run the belswitch it belongs to")
    if not facts.finished:
        told = "opens; it is too large to be looked through in the time there is"
        return warning(what, told, "run `PRAGMA quick_check` on a copy")
    return ok(what, f"{facts.path} is whole")


def packages(srtp: bool) -> Finding:
    """What may be installed besides."""
    what = "pylibsrtp"
    if srtp:
        return ok(what, "is installed: SRTP can end at the switch")
    return ok(what, "is not installed: SRTP passes through; pip install 'belswitch[media]' changes that")
