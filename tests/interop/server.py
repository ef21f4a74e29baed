"""The switch under test: `python -m switch serve` in a process of its own, with a configuration of its own.

Its state is read from outside, as an operator would: metrics and readiness over HTTP, records from the
database.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.interop.network import Network, free_port

ROOT = Path(__file__).resolve().parents[2]
READY_S = 20.0
PATIENCE_S = 10.0

Sections = Mapping[str, Mapping[str, Any]]

DESK, DECT, SOFTPHONE = "+3216234567", "+3222345678", "+3281234567"
"""Numbers of the lab's lines; the first two pay by plan Classic, the third by Classic in KLIK."""

_JSON_COLUMNS = ("segments", "diversions", "flags", "media")


class Server:
    """One switch, with the lab's lines, two trunks, a dead one, a voicemail platform and two emergency
    gateways.

    Trunk `carrier` takes all numbers, `second` is next in line; `dead` comes first for +33; nobody is there.
    Retransmission starts at 50 ms, so that transactions linger for 3.2 s.
    """

    def __init__(
        self,
        directory: Path,
        network: Network,
        changes: Sections | None = None,
        *,
        database: Path | None = None,
    ) -> None:
        """Write the configuration and store the lines, or take a `database` in which they are already."""
        self.directory = directory
        self.network = network
        self.host = network.host(1)
        self.port = free_port(self.host)
        self.admin_port = free_port(self.host)
        self.carrier = (network.host(2), free_port(network.host(2)))
        self.second = (network.host(3), free_port(network.host(3)))
        self.dead = (network.host(4), free_port(network.host(4)))
        self.voicemail = (network.host(7), free_port(network.host(7)))
        self.gateways = [(network.host(n), free_port(network.host(n))) for n in (5, 6)]
        self.config = directory / "config"
        self.log = directory / "switch.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._seen = 0
        shutil.copytree(ROOT / "config", self.config)
        (self.config / "fraud.toml").unlink()  # a thousand calls abroad in ten seconds are no fraud here
        self.configure(**(changes or {}))
        self.database = directory / "data" / "belswitch.sqlite"
        if database is None:
            self._licence_all()
            lines = self.config / "lab" / "lines.toml"
            # two of the three take digests without qop, for pyVoIP
            text = lines.read_text().replace('user = "dect"', 'user = "dect"\nlenient = true')
            lines.write_text(text.replace("[line.address]", "max_contacts = 2\n\n[line.address]"))
            self.import_lines(lines)
        else:
            self.database.parent.mkdir(mode=0o700)
            shutil.copy(database, self.database)

    # --- configuration --------------------------------------------------------------------------------------

    def configure(self, **changes: Mapping[str, Any]) -> None:
        """Write the configuration with changes by section; those of `trunk` are for every trunk, those of
        `gateway` for every gateway to an emergency centre."""
        sections: dict[str, dict[str, Any]] = {
            "sip": {
                "domain": self.host,
                "realm": "belswitch",
                "listen": [{"host": self.host, "port": self.port}],
                "register_min_s": 2,
                "t1_ms": 50,
                "t2_ms": 400,
                "t4_ms": 500,
            },
            "media": {
                "hosts": [{"host": self.host}],
                "ports": {"first": 30_000, "last": 34_999},
                "silence_s": 0,
            },
            "calls": {"max_calls": 1000, "max_per_line": 1000, "ring_s": 60, "stop": "end"},
            "store": {"directory": str(self.directory / "data"), "hold_ms": 40},
            "admin": {"host": self.host, "port": self.admin_port},
            "log": {"level": "info", "format": "json"},
        }
        for section, values in changes.items():
            sections.setdefault(section, {}).update(values)
        trunk, gateway = sections.pop("trunk", {}), sections.pop("gateway", {})
        text = "".join(f"{name} = {_toml(values)}\n" for name, values in sections.items())
        (self.config / "switch.toml").write_text(text)
        trunks = [
            _trunk("dead", self.dead, reply_ms=300, prefixes=["+33"], **trunk),
            _trunk("carrier", self.carrier, **trunk),
            _trunk("second", self.second, **trunk),
            _trunk("voicemail", self.voicemail, voicemail=True, **trunk),
        ]
        (self.config / "trunks.toml").write_text(f"trunk = {_toml(trunks)}\n")
        gateways = [
            {"id": f"psap-gw{n}", "host": host, "port": port, "centres": ["*"], "request": "urn", **gateway}
            for n, (host, port) in enumerate(self.gateways, 1)
        ]
        failover = {"trying_timeout_ms": 500, "provisional_timeout_ms": 1000, "probe_s": 0}
        (self.config / "emergency" / "gateways.toml").write_text(
            f"failover = {_toml(failover)}\ngateway = {_toml(gateways)}\n"
        )

    def _licence_all(self) -> None:
        """What is measured and raced here is the switch, not how much of it a small plan may use."""
        (tariff,) = (self.config / "tariffs").glob("*.toml")
        text = re.sub(r"^(max_calls|max_contacts) = [0-9]+", r"\1 = 10000", tariff.read_text(), flags=re.M)
        tariff.write_text(text)

    # --- life -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start and wait until it is ready for calls."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "switch", "serve", "--config", str(self.config)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: self.is_ready() or not self.is_running(), "readiness", READY_S)
        assert self.is_running(), self.log_text()

    @property
    def pid(self) -> int:
        """Of the signalling process."""
        assert self.process is not None
        return self.process.pid

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout_s: float = 40.0) -> int:
        """Its exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL, without a chance to say goodbye."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.wait()

    def relay_pid(self) -> int:
        """Of the relay process, the only child there is."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        assert len(children) == 1, children
        return int(children[0])

    def kill_relay(self) -> None:
        """SIGKILL to the relay process."""
        os.kill(self.relay_pid(), signal.SIGKILL)

    def log_text(self) -> str:
        """All that was logged."""
        return self.log.read_text(errors="replace")

    def import_lines(self, lines: Path) -> None:
        """Store the lines of a file."""
        self.command("line", "import", str(lines))

    def command(self, *arguments: str, code: int = 0) -> str:
        """What `belswitch` prints when it is told so with this configuration; it must exit with `code`."""
        command = [sys.executable, "-m", "switch", *arguments, "--config", str(self.config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, f"{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def explain(self, record: Mapping[str, Any], number: str) -> dict[str, Any]:
        """What `belswitch explain` says of a leg like that of a record: by the same line, of the same origin,
        at the same second."""
        at_ms = record["answered_ms"] or record["invited_ms"]
        local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo("Europe/Brussels")).replace(tzinfo=None)
        leg = ("--line", record["line"], "--dial", number, "--origin", record["origin"])
        code = int(record["outcome"] == "refused")
        answer: dict[str, Any] = json.loads(
            self.command("explain", *leg, "--at", local.isoformat(), "--json", code=code)
        )
        return answer

    # --- what is seen from outside --------------------------------------------------------------------------

    def get(self, path: str) -> str:
        """A page of the operations listener.

        Raises:
            OSError: it does not answer, or not with 200.
        """
        with urllib.request.urlopen(f"http://{self.host}:{self.admin_port}{path}", timeout=5) as answer:
            body: bytes = answer.read()
            return body.decode()

    def is_ready(self) -> bool:
        """What /readyz says."""
        try:
            self.get("/readyz")
        except OSError:
            return False
        return True

    def metrics(self) -> dict[str, float]:
        """Every series by name and labels, without `belswitch_`."""
        series: dict[str, float] = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                series[name.removeprefix("belswitch_")] = float(value)
        return series

    def metric(self, name: str) -> float:
        """One series; 0 where it does not exist yet."""
        return self.metrics().get(name, 0)

    def records(self) -> list[dict[str, Any]]:
        """Every record in the order of the calls, lists and media as such."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10) as database:
            database.row_factory = sqlite3.Row
            rows = [dict(row) for row in database.execute("SELECT * FROM cdr ORDER BY released_ms, call_id")]
        database.close()
        for row in rows:
            for column in _JSON_COLUMNS:
                row[column] = json.loads(row[column]) if row[column] else None
        return rows

    def forget_records(self) -> None:
        """Whatever has been recorded so far is no news."""
        self._seen = len(self.records())

    def new_records(self, count: int = 1) -> list[dict[str, Any]]:
        """The records since the last time, exactly `count` of them once they are written."""
        wait_for(lambda: len(self.records()) >= self._seen + count, f"{count} records")
        fresh = self.records()[self._seen :]
        self._seen += len(fresh)
        assert len(fresh) == count, fresh
        return fresh

    def new_record(self) -> dict[str, Any]:
        """The one record since the last time."""
        return self.new_records()[0]

    def measured(self, call_id: str) -> dict[str, Any]:
        """What the relay counted of a call's first stream, by side, once it is written."""

        def found() -> list[Any]:
            return [row["media"] for row in self.records() if row["call_id"] == call_id and row["media"]]

        wait_for(lambda: bool(found()), "media counts")
        sides: dict[str, Any] = found()[0]["0"]
        return sides

    def assert_at_rest(self, *, transactions: bool = False) -> None:
        """No call, dialog or relay port is left and nothing went wrong inside; with `transactions`, none of
        them lingers either."""
        names = ["calls_running", "relay_ports_taken", 'sip_state{kind="dialogs"}']
        if transactions:
            names += [
                "relay_sessions",
                "relay_sockets",
                'sip_state{kind="clients"}',
                'sip_state{kind="servers"}',
            ]
        left: dict[str, float] = {}

        def nothing_left() -> bool:
            series = self.metrics()
            left.clear()
            left.update({name: series.get(name, 0) for name in names if series.get(name, 0)})
            return not left

        try:
            wait_for(nothing_left, "rest")
        except TimeoutError:
            raise AssertionError(f"left over: {left}") from None
        assert self.metric("internal_errors_total") == 0, self.log_text()[-3000:]


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Look until it is so.

    Raises:
        TimeoutError.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {timeout_s:g} s")
        time.sleep(0.02)


def _trunk(name: str, address: tuple[str, int], **more: Any) -> dict[str, Any]:
    return {"name": name, "host": address[0], "port": address[1], "probe_s": 0, **more}


def _toml(value: Any) -> str:
    """A value of the kinds a configuration has, on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
