"""Load on a real switch by SIPp over loopback, and what it costs.

Processor time is what the scheduler accounts to the signalling process and to the relay process, resident
memory what the kernel shows in /proc. The switch runs with the timers of service: T1 500 ms, records before
promises, media set up for each call (no packets flow), a price metered and a record written.
"""

from __future__ import annotations

import contextlib
import csv
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.bench.relay_load import cpu_us
from tests.interop.network import Network, free_port
from tests.interop.server import ROOT, Server, wait_for
from tests.interop.sipp import Sipp, SippRunner

NUMBER = "00212661234567"
TALK_S = 1
HOLD_RATE = 200
LATE_S = 4.0
TAIL_S = 0.5
"""After the last call, before the meters are read."""
ONE_SIPP_UP_TO = 400
"""Calls a second that one SIPp process makes without being the bottleneck."""

SERVICE: dict[str, dict[str, Any]] = {
    "sip": {"t1_ms": 500, "t2_ms": 4000, "t4_ms": 5000},
    "store": {"hold_ms": 250},
    "calls": {"max_calls": 8000, "max_per_line": 8000},
    "media": {"ports": {"first": 32_768, "last": 65_535}, "silence_s": 60},
}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a load. `again` counts messages that anybody sent twice."""

    rate: int
    done: int
    failed: int
    again: int
    signalling_us: float
    relay_us: float

    @property
    def clean(self) -> bool:
        """Nothing failed and nothing had to be repeated."""
        return self.done > 0 and not self.failed and not self.again


class Load:
    """One switch and the SIPp processes that load it."""

    def __init__(self, directory: Path, database: Path, *, transport: str = "udp", **changes: Any) -> None:
        """Over `udp`, `tcp` or `tls`, on both legs; SIPp has no TLS, so somebody stands between."""
        directory.mkdir()
        self.directory = directory
        self._transport = transport
        self._pumps: list[subprocess.Popen[bytes]] = []
        settings = {
            name: {**SERVICE.get(name, {}), **changes.get(name, {})} for name in {**SERVICE, **changes}
        }
        network = Network()
        settings["media"]["hosts"] = [{"host": network.host(7)}]  # its ports are for media alone
        self.server = Server(directory / "switch", network, settings, database=database)
        self._host = self.server.network.host(11)
        self._near, self._far = (self.server.host, self.server.port), self.server.carrier
        if transport != "udp":
            self._connected(settings)

    def __enter__(self) -> Load:
        self.server.start()
        self._sipp = SippRunner(self._near, self.directory)
        return self

    def __exit__(self, *_error: object) -> None:
        self._sipp.close()
        for pump in self._pumps:
            pump.kill()
            pump.wait()
        self.server.kill()

    # --- loads ----------------------------------------------------------------------------------------------

    def calls(self, rate: int, seconds: float) -> Run:
        """Authenticated calls from a line to the trunk, each of one second."""
        share = -(-rate // ONE_SIPP_UP_TO)
        count = int(rate * seconds) // share
        carriers = [self._start("callee", self._far, count * share, rate)]
        callers = [
            self._start(
                "call",
                (self._host, free_port(self._host)),
                count,
                rate / share,
                "-d",
                str(1000 * TALK_S),
                user="desk",
                to=NUMBER,
            )
            for _ in range(share)
        ]
        return self._measure(rate, callers, carriers, seconds)

    def registers(self, rate: int, seconds: float, lines: Path) -> Run:
        """REGISTERs with digest, challenge included, of one line after the other (a file for SIPp's -inf)."""
        phone = (self._host, free_port(self._host))
        load = self._start(
            "register",
            phone,
            int(rate * seconds),
            rate,
            "-inf",
            str(lines),
            user="[field0]",
            keys=REGISTER_KEYS,
        )
        return self._measure(rate, [load], [], seconds)

    def hold_calls(self, count: int, seconds: float) -> list[Sipp]:
        """So many calls at once, all of them running when this returns."""
        carrier = self._start("callee", self.server.carrier, count, HOLD_RATE)
        phone = (self._host, free_port(self._host))
        caller = self._start(
            "call", phone, count, HOLD_RATE, "-d", str(int(1000 * seconds)), user="desk", to=NUMBER
        )
        wait_for(lambda: self.server.metric("calls_answered") >= count, f"{count} calls", 30)
        return [caller, carrier]

    def rest(self, timeout_s: float = 45.0) -> None:
        """Wait until nothing is going on and nothing lingers."""
        kinds = ("clients", "servers", "dialogs")

        def at_rest() -> bool:
            series = self.server.metrics()
            return not any(series[f'sip_state{{kind="{kind}"}}'] for kind in kinds)

        wait_for(at_rest, "rest", timeout_s)

    def answer(self, where: tuple[str, int], seconds: int) -> Sipp:
        """Somebody there who takes every call, for so long."""
        return self._start("callee", where, 1_000_000, HOLD_RATE, timeout_s=seconds)

    def one(self, scenario: str, port: int, user: str, *more: str, **options: Any) -> float | None:
        """One call or REGISTER of a line, from this port; how many seconds it took, None when it did not go
        as it should."""
        sipp = self._start(scenario, (self._host, port), 1, 1, *more, user=user, **options)
        if sipp.process.wait(90) != 0:
            return None
        hours, minutes, seconds, micro = map(int, _statistics(sipp)["CallLength(C)"].split(":"))
        return 3600 * hours + 60 * minutes + seconds + micro / 1e6

    def finish(self, held: list[Sipp]) -> None:
        """Wait for held calls to end, and for everything that lingers after them."""
        for sipp in held:
            sipp.process.wait(30)
        self.rest()

    def resident_kib(self) -> tuple[int, int]:
        """Resident memory of the signalling process and of the relay process."""
        return _resident_kib(self.server.pid), _resident_kib(self.server.relay_pid())

    # --- details --------------------------------------------------------------------------------------------

    def _connected(self, settings: dict[str, dict[str, Any]]) -> None:
        """Listen and call over connections, with TLS where that is wanted."""
        transport, server = self._transport, self.server
        listen = {"host": server.host, "port": server.port, "transport": transport}
        sip = {**settings["sip"], "listen": [listen]}
        if transport == "tls":
            authority = trustme.CA()
            trust = self.directory / "trust.pem"
            authority.cert_pem.write_to_path(str(trust))
            files = {}
            for name, host in (("switch", server.host), ("carrier", server.carrier[0])):
                issued = authority.issue_cert(host)
                files[name] = [str(self.directory / f"{name}.{kind}") for kind in ("pem", "key")]
                issued.cert_chain_pems[0].write_to_path(files[name][0])
                issued.private_key_pem.write_to_path(files[name][1])
            sip["tls"] = {"certificate": files["switch"][0], "key": files["switch"][1], "trust": str(trust)}
            self._near = self._host, free_port(self._host)
            self._far = self._host, free_port(self._host)
            self._pump("connect", self._near, (server.host, server.port), str(trust))
            self._pump("accept", server.carrier, self._far, *files["carrier"])
        server.configure(**{**settings, "sip": sip}, trunk={"transport": transport})

    def _pump(self, way: str, listen: tuple[str, int], target: tuple[str, int], *files: str) -> None:
        places = [str(part) for part in (*listen, *target)]
        command = [sys.executable, "-m", "tests.bench.tls_pump", way, *places, *files]
        pump = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        self._pumps.append(pump)
        assert pump.stdout is not None
        assert pump.stdout.readline() == b"ready\n"

    def _start(
        self, scenario: str, local: tuple[str, int], count: int, rate: float, *more: str, **options: Any
    ) -> Sipp:
        arguments = [
            "-r",
            str(round(rate)),
            "-l",
            "100000",
            "-buff_size",
            "4194304",
            "-trace_stat",
            "-fd",
            "1",
        ]
        arguments += [] if self._transport == "udp" else ["-t", "t1"]
        arguments += ["-stf", str(self.directory / f"{scenario}-{local[1]}.csv")]
        options = {"timeout_s": 60, **options}
        return self._sipp.start(scenario, local, *arguments, *more, calls=count, trace=False, **options)

    def _measure(self, rate: int, load: list[Sipp], others: list[Sipp], seconds: float) -> Run:
        """Wait for the load to end; what takes much longer than planned is cut off, and shows as failed."""
        before = self._meters()
        deadline = time.monotonic() + seconds + TALK_S + LATE_S
        for sipp in [*load, *others]:
            with contextlib.suppress(subprocess.TimeoutExpired):
                sipp.process.wait(max(0.0, deadline - time.monotonic()))
            sipp.stop()
        time.sleep(TAIL_S)
        after = self._meters()
        stats = [_statistics(sipp) for sipp in [*load, *others]]
        done = sum(int(one["SuccessfulCall(C)"]) for one in stats[: len(load)])
        spent = [late - early for early, late in zip(before, after, strict=True)]
        return Run(
            rate,
            done,
            failed=sum(int(one["FailedCall(C)"]) + int(one["CurrentCall"]) for one in stats),
            again=round(spent[2]) + sum(int(one["Retransmissions(C)"]) for one in stats),
            signalling_us=spent[0] / max(1, done),
            relay_us=spent[1] / max(1, done),
        )

    def _meters(self) -> tuple[float, float, float]:
        """Processor time of both processes in microseconds, and messages sent or received again."""
        series = self.server.metrics()
        again = sum(series[f'sip_retransmissions_total{{direction="{way}"}}'] for way in ("sent", "received"))
        return cpu_us(self.server.pid), cpu_us(self.server.relay_pid()), again


REGISTER_KEYS = {"authentication": "[field1]", "expires": "3600"}
"""SIPp takes user and password of each call from its -inf file."""


def store_lines(count: int, directory: Path, inf: Path) -> Path:
    """A database with so many lines beside the lab's, and a file that makes SIPp register as them."""
    server = Server(directory / "lines", Network(), SERVICE)
    toml = directory / "lines.toml"
    street = 'street = "Naamsesteenweg", number = "12", postcode = "3001", municipality = "Leuven"'
    address = f'{{{street}, name = "Bench", language = "nl"}}'
    with toml.open("w") as lines, inf.open("w") as fields:
        fields.write("SEQUENTIAL\n")
        for number in range(count):
            user, password = f"line{number:05}", f"password-{number:05}"
            lines.write(
                f'[[line]]\nnumber = "+3216{number:06}"\nuser = "{user}"\npassword = "{password}"\n'
                f'plan = "classic"\naddress = {address}\n'
            )
            fields.write(f"{user};[authentication username={user} password={password}];\n")
    server.import_lines(toml)
    return server.database


def _statistics(sipp: Sipp) -> dict[str, str]:
    """The last row of what SIPp counted."""
    arguments = sipp.process.args
    assert isinstance(arguments, list)
    path = Path(str(arguments[arguments.index("-stf") + 1]))
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))[-1]


def _resident_kib(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])
