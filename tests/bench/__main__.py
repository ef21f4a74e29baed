"""`make bench`: what a call, a registration and a relayed packet cost, how many calls a second go clean, and
what a million hostile datagrams leave behind.

Medians of several runs, with the machine they were made on; `tests.bench.load` says how it is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.help_load import run_help
from tests.bench.hostile import run_both
from tests.bench.load import Load, Run, store_lines
from tests.bench.rating_load import run_rating
from tests.bench.relay_load import run_relay, run_rtpengine

LINES = 1000
CALLS_HELD = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    runs: int
    seconds: float
    call_rates: tuple[int, ...]
    register_rates: tuple[int, ...]
    search_s: float
    search_to: float
    streams: tuple[int, ...]
    hostile: int


FULL = Plan(3, 8.0, (100, 200, 500), (200, 500), 5.0, 0.06, (100, 500), 1_000_000)
QUICK = Plan(1, 2.0, (200,), (200,), 2.0, 0.2, (100,), 100_000)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with the values of its runs."""

    name: str
    unit: str
    values: tuple[float, ...]
    remark: str = ""

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)


def measure(plan: Plan, directory: Path) -> Iterator[Figure]:
    """Every figure, one after the other."""
    inf = directory / "lines.csv"
    database = store_lines(LINES, directory, inf)
    yield from calls_and_registers(plan, directory, database, inf)
    yield from over_connections(plan, directory, database)
    yield highest_clean_rate(plan, directory, database)
    yield from memory(directory, database, inf)
    yield from relayed_packets(plan)
    yield from ratings(directory)
    yield from calls_for_help()
    yield from hostile_datagrams(plan, directory)


def calls_and_registers(plan: Plan, directory: Path, database: Path, inf: Path) -> Iterator[Figure]:
    """Processor time of calls and of REGISTERs."""
    with Load(directory / "load", database) as load:
        load.calls(100, 2.0)  # everything once, before it counts
        for rate in plan.register_rates:
            runs = [load.registers(rate, plan.seconds, inf) for _ in range(plan.runs)]
            signalling = tuple(run.signalling_us for run in runs)
            yield Figure(f"a REGISTER with digest at {rate}/s", "us", signalling, remark(runs))
        for rate in plan.call_rates:
            runs = [load.calls(rate, plan.seconds) for _ in range(plan.runs)]
            signalling = tuple(run.signalling_us for run in runs)
            yield Figure(f"a call at {rate}/s, signalling", "us", signalling, remark(runs))
            yield Figure(f"a call at {rate}/s, relay", "us", tuple(run.relay_us for run in runs))


def over_connections(plan: Plan, directory: Path, database: Path) -> Iterator[Figure]:
    """What a call costs over TCP and over TLS, with UDP beside it, in turn: the machine is not the same from
    one minute to the next."""
    rate = 200
    values: dict[str, list[Run]] = {"udp": [], "tcp": [], "tls": []}
    for turn in range(plan.runs):
        for transport, runs in values.items():
            with Load(directory / f"{transport}-{turn}", database, transport=transport) as load:
                load.calls(100, 1.0)
                runs.append(load.calls(rate, plan.seconds))
    for transport, runs in values.items():
        signalling = tuple(run.signalling_us for run in runs)
        yield Figure(f"a call at {rate}/s over {transport.upper()}", "us", signalling, remark(runs))


def remark(runs: list[Run]) -> str:
    """What was not clean."""
    failed, again = sum(run.failed for run in runs), sum(run.again for run in runs)
    return f"{failed} failed, {again} repeated" if failed or again else ""


def highest_clean_rate(plan: Plan, directory: Path, database: Path) -> Figure:
    """Upwards by quarters until a rate is not clean, then by halves in between; each on a switch of its own,
    for what breaks leaves much behind. SIPp has its share of the machine."""
    clean, broken, rate, why = 0, 0, 400, ""
    while not broken or broken - clean > plan.search_to * broken:
        with Load(directory / f"search-{rate}", database) as load:
            load.calls(100, 1.0)
            run = load.calls(rate, plan.search_s)
        if run.clean:
            clean = rate
        else:
            broken, why = rate, f"at {rate}/s {remark([run])}"
        rate = (clean + broken) // 2 if broken else rate * 5 // 4
    return Figure("highest clean rate of calls", "/s", (float(clean),), why)


def memory(directory: Path, database: Path, inf: Path) -> Iterator[Figure]:
    """Resident memory, grown from rest: with short timers, so that nothing lingers when it is read."""
    changes: dict[str, Any] = {"sip": {"t1_ms": 50, "t2_ms": 400, "t4_ms": 500}, "store": {"hold_ms": 40}}
    with Load(directory / "memory", database, **changes) as load:
        load.registers(200, 1.0, inf)
        load.rest()
        before, _ = load.resident_kib()
        registered = load.server.metric("registrations")
        load.registers(400, LINES / 400, inf)
        load.rest()
        more = load.server.metric("registrations") - registered
        yield Figure("1 000 registrations", "KiB", ((load.resident_kib()[0] - before) * 1000 / more,))
    with Load(directory / "held", database, **changes) as load:
        load.finish(load.hold_calls(20, 1.0))
        before, relay_before = load.resident_kib()
        held = load.hold_calls(CALLS_HELD, 5.0)
        after, relay_after = load.resident_kib()
        yield Figure("100 running calls, signalling", "KiB", ((after - before) * 100 / CALLS_HELD,))
        yield Figure("100 running calls, relay", "KiB", ((relay_after - relay_before) * 100 / CALLS_HELD,))
        load.finish(held)


def relayed_packets(plan: Plan) -> Iterator[Figure]:
    """Processor time of a relayed packet; where rtpengine is installed, its own under the same load."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for streams in plan.streams:
        ours, sealed, theirs = [], [], []
        for _ in range(plan.runs):
            with contextlib.redirect_stdout(io.StringIO()):
                ours.append(run_relay(streams, plan.seconds))
                sealed.append(run_relay(streams, plan.seconds, srtp=True))
                if shutil.which("rtpengine"):
                    theirs.append(run_rtpengine(streams, plan.seconds, None))
        lost = sum(run.sent - run.relayed for run in ours)
        yield Figure(
            f"a relayed packet, {streams} streams",
            "us",
            tuple(run.us_per_packet for run in ours),
            f"{lost} lost",
        )
        yield Figure(
            f"with SRTP on one side, {streams} streams", "us", tuple(run.us_per_packet for run in sealed)
        )
        if theirs:
            yield Figure(f"rtpengine's, {streams} streams", "us", tuple(run.us_per_packet for run in theirs))


def ratings(directory: Path) -> Iterator[Figure]:
    """What rating costs by itself; each the best of several rounds."""
    figures = run_rating(directory)
    yield Figure("a complete rating of two segments", "us", (figures["rating_us"],))
    yield Figure("a meter's life: reserve, begin, three slices, settle", "us", (figures["meter_us"],))
    yield Figure("a look-up among 170 000 prefixes", "us", (figures["look_up_us"],))
    yield Figure("loading 170 000 prefixes", "s", (figures["load_s"],))


def calls_for_help() -> Iterator[Figure]:
    """What a call for help costs more than an ordinary one before its INVITE leaves; the best of several
    rounds."""
    figures = run_help()
    yield Figure("an ordinary call at the gate", "us", (figures["ordinary_us"],))
    more = figures["help_us"] - figures["ordinary_us"]
    yield Figure("a call for help with its documents: that much more", "us", (more,), "at most 1000 wanted")


def hostile_datagrams(plan: Plan, directory: Path) -> Iterator[Figure]:
    """What a switch grows by under hostile datagrams, from the first fifth of them to the last one, and what
    is left of them; how it went stands on standard error."""
    for outcome in run_both(directory, plan.hostile, partial(print, file=sys.stderr, flush=True)):
        name = f"{plan.hostile:,} hostile datagrams {outcome.name}"
        wrong = [*outcome.faults, *(f"left: {what}" for what in outcome.left)]
        remark = "; ".join(wrong) or "nothing left"
        yield Figure(f"{name}: grown by", "KiB", (float(outcome.growth_kib),), remark)
        yield Figure(f"{name}: for each", "octets", (outcome.per_datagram,))


# --- the report ---------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What the figures were made on."""
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    sipp = subprocess.run(["sipp", "-v"], capture_output=True, text=True, check=False).stdout
    return {
        "processor": f"{os.cpu_count()} x {cpu[1] if cpu else platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sipp": next((word for word in sipp.split() if word.startswith("v3")), "unknown"),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def table(figures: list[Figure], about: dict[str, str]) -> Table:
    """The figures for people."""
    result = Table(
        "figure", "median", "runs", "", caption=", ".join(f"{key}: {value}" for key, value in about.items())
    )
    result.columns[1].justify = "right"
    for figure in figures:
        spread = " ".join(_short(value) for value in figure.values) if len(figure.values) > 1 else ""
        result.add_row(figure.name, f"{_short(figure.value)} {figure.unit}", spread, figure.remark)
    return result


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of little: to see that it works")
    parser.add_argument("--hostile", action="store_true", help="only what hostile datagrams leave")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, nothing else")
    arguments = parser.parse_args()
    if shutil.which("sipp") is None:
        parser.error("SIPp is not installed; on Debian or Ubuntu: apt-get install sip-tester")
    about = machine()
    progress = Console(stderr=True)
    figures = []
    with tempfile.TemporaryDirectory(prefix="belswitch-bench-") as directory:
        plan = QUICK if arguments.quick else FULL
        what = hostile_datagrams if arguments.hostile else measure
        for figure in what(plan, Path(directory)):
            progress.print(
                f"{figure.name}: {_short(figure.value)} {figure.unit} {figure.remark}", highlight=False
            )
            figures.append(figure)
    if arguments.json:
        rows = [{**asdict(figure), "median": figure.value} for figure in figures]
        json.dump({"machine": about, "figures": rows}, sys.stdout, indent=2)
        print()
    else:
        Console(width=None if sys.stdout.isatty() else 140).print(table(figures, about))


if __name__ == "__main__":
    main()
