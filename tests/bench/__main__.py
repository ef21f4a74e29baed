"""`make bench`: what a call, a registration and a relayed packet cost, and how many calls a second go clean.

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
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.bench.load import Load, write_lines
from tests.bench.relay_load import run_relay, run_rtpengine

LINES = 2000
CALLS_HELD = 400


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    runs: int
    seconds: float
    call_rates: tuple[int, ...]
    register_rates: tuple[int, ...]
    search_s: float
    streams: tuple[int, ...]


FULL = Plan(3, 8.0, (100, 200, 500), (200, 500), 5.0, (100, 500))
QUICK = Plan(1, 3.0, (200,), (200,), 2.0, (100,))


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
    yield from calls_and_registers(plan, directory)
    yield from memory(directory)
    yield from relayed_packets(plan)


def calls_and_registers(plan: Plan, directory: Path) -> Iterator[Figure]:
    """Processor time of calls and REGISTERs, and the highest rate of calls without any repetition."""
    toml, inf = directory / "lines.toml", directory / "lines.csv"
    write_lines(LINES, toml, inf)
    with prepared(Load(directory / "load"), toml) as load:
        load.calls(100, 1.0)  # everything once, before it counts
        for rate in plan.call_rates:
            runs = [load.calls(rate, plan.seconds) for _ in range(plan.runs)]
            remark = (
                ""
                if all(run.clean for run in runs)
                else f"{sum(r.failed for r in runs)} failed, {sum(r.again for r in runs)} repeated"
            )
            yield Figure(
                f"a call at {rate}/s, signalling", "us", tuple(run.signalling_us for run in runs), remark
            )
            yield Figure(f"a call at {rate}/s, relay process", "us", tuple(run.relay_us for run in runs))
        for rate in plan.register_rates:
            runs = [load.registers(rate, plan.seconds, inf) for _ in range(plan.runs)]
            remark = (
                ""
                if all(run.clean for run in runs)
                else f"{sum(r.failed for r in runs)} failed, {sum(r.again for r in runs)} repeated"
            )
            yield Figure(
                f"a REGISTER with digest at {rate}/s", "us", tuple(run.signalling_us for run in runs), remark
            )
        yield highest_clean_rate(load, plan.search_s)


@contextlib.contextmanager
def prepared(load: Load, lines: Path) -> Iterator[Load]:
    """A load on a switch that knows these lines."""
    load.server.import_lines(lines)
    with load:
        yield load


def highest_clean_rate(load: Load, seconds: float) -> Figure:
    """Upwards by quarters until a rate is not clean, then by halves in between. SIPp has its share of the
    machine."""
    clean, broken, rate, why = 0, 0, 400, ""
    while not broken or broken - clean > 0.06 * clean + 10:
        run = load.calls(rate, seconds)
        if run.clean:
            clean = rate
        else:
            broken, why = rate, f"at {rate}/s {run.failed} failed, {run.again} repeated"
            if not clean and rate <= 50:
                break
            time.sleep(3)  # what piled up runs off
        rate = (clean + broken) // 2 if broken else rate * 5 // 4
    return Figure("highest clean rate of calls", "/s", (float(clean),), why)


def memory(directory: Path) -> Iterator[Figure]:
    """Resident memory, grown between rest and rest: short timers, so that nothing lingers when it is read."""
    toml, inf = directory / "lines.toml", directory / "lines.csv"
    changes = {"sip": {"t1_ms": 100, "t2_ms": 400, "t4_ms": 500}, "store": {"hold_ms": 90}}
    with prepared(Load(directory / "memory", **changes), toml) as load:
        load.registers(200, 1.0, inf)
        load.rest()
        before, _ = load.resident_kib()
        registered = load.server.metric("registrations")
        load.registers(400, LINES / 400, inf)
        load.rest()
        more = load.server.metric("registrations") - registered
        yield Figure("1 000 registrations", "KiB", ((load.resident_kib()[0] - before) * 1000 / more,))
        for sipp in load.hold_calls(CALLS_HELD, 5.0):
            sipp.process.wait(30)
        load.rest()
        before, relay_before = load.resident_kib()
        held = load.hold_calls(CALLS_HELD, 8.0)
        time.sleep(1.0)
        after, relay_after = load.resident_kib()
        yield Figure(
            "100 running calls, signalling",
            "KiB",
            ((after - before) * 100 / CALLS_HELD,),
            "above the peak of as many before",
        )
        yield Figure(
            "100 running calls, relay process", "KiB", ((relay_after - relay_before) * 100 / CALLS_HELD,)
        )
        for sipp in held:
            sipp.process.wait(30)


def relayed_packets(plan: Plan) -> Iterator[Figure]:
    """Processor time of a relayed packet; where rtpengine is installed, its own under the same load."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for streams in plan.streams:
        ours, theirs = [], []
        for _ in range(plan.runs):
            with contextlib.redirect_stdout(io.StringIO()):
                ours.append(run_relay(streams, plan.seconds))
                if shutil.which("rtpengine"):
                    theirs.append(run_rtpengine(streams, plan.seconds, None))
        lost = sum(run.sent - run.relayed for run in ours)
        yield Figure(
            f"a relayed packet, {streams} streams",
            "us",
            tuple(run.us_per_packet for run in ours),
            f"{lost} lost",
        )
        if theirs:
            yield Figure(f"rtpengine's, {streams} streams", "us", tuple(run.us_per_packet for run in theirs))


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
    parser.add_argument("--json", action="store_true", help="JSON on standard output, nothing else")
    arguments = parser.parse_args()
    if shutil.which("sipp") is None:
        parser.error("SIPp is not installed; on Debian or Ubuntu: apt-get install sip-tester")
    about = machine()
    progress = Console(stderr=True)
    figures = []
    with tempfile.TemporaryDirectory(prefix="belswitch-bench-") as directory:
        for figure in measure(QUICK if arguments.quick else FULL, Path(directory)):
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
