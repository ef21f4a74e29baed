"""The lab of compose.yaml without containers: its commands, on loopback addresses in the place of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docker.support import DOCKER, ROOT, dockerfile, load
from tests.interop.conftest import require
from tests.interop.network import Network, is_bound
from tests.interop.server import wait_for

pytestmark = pytest.mark.interop

SERVICES: dict[str, dict[str, Any]] = load(DOCKER / "compose.yaml")["services"]
SWITCH, SIP_PORT, ADMIN_PORT = 10, 5060, 9090
SCENARIOS = {"call.xml": ROOT / "switch" / "lab" / "scenarios", "answer.xml": DOCKER / "sipp"}

ONE_SHORT_CALL = ("-m", "1", "-rp", "100", "-d", "500", "-timeout", "30s", "-timeout_error")
"""Said after a caller's own words, of which the last ones count."""


class Lab:
    """Processes in the place of services; `start` is told a service and what to say besides its command."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.network = Network()
        self.host = self.network.host(SWITCH)
        self.config = directory / "belswitch"
        self._all: list[subprocess.Popen[bytes]] = []
        shutil.copytree(ROOT / "config", self.config)
        shutil.copytree(DOCKER / "belswitch", self.config, dirs_exist_ok=True)
        for name in ("switch.toml", "trunks.toml", "emergency/gateways.toml"):
            path = self.config / name
            path.write_text(self.here(path.read_text()).replace("probe_s = 30", "probe_s = 1"))

    def here(self, text: str) -> str:
        """The same with addresses and folders of this machine."""
        text = re.sub(r"172\.29\.60\.(\d+)", lambda found: self.network.host(int(found[1])), text)
        text = text.replace("0.0.0.0", self.host).replace("127.0.0.1", self.host)
        text = text.replace("/var/lib/belswitch", str(self.directory / "data"))
        text = text.replace("/etc/belswitch", str(self.config))
        return re.sub(r"/scenarios/([\w.]+)", lambda found: str(SCENARIOS[found[1]] / found[1]), text)

    def start(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Start what a service runs."""
        words = [self.here(str(word)) for word in SERVICES[name].get("command", ["serve"])]
        command = ["sipp", "-nostdin"]
        if SERVICES[name]["image"] == "belswitch":
            command = [sys.executable, "-m", "switch"]
            more = (*more, "--config", str(self.config))
        with (self.directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, *words, *more], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        self._all.append(process)
        return process

    def finish(self, name: str, *more: str) -> None:
        """Run what a service runs to its end; it must be a good one."""
        code = self.start(name, *more).wait(40)
        assert code == 0, (self.directory / f"{name}.log").read_text(errors="replace")[-3000:]

    def answers(self, name: str) -> None:
        """Start a service that waits for calls, and wait until it does."""
        process = self.start(name)
        address = self.here(SERVICES[name]["networks"]["telephony"]["ipv4_address"])
        wait_for(lambda: is_bound(address, SIP_PORT) or process.poll() is not None, f"{name} at {address}")

    def health(self) -> int:
        """What the health check of the image ends with."""
        (check,) = [step.rest for step in dockerfile(DOCKER / "Dockerfile") if step.word == "HEALTHCHECK"]
        words = json.loads(self.here(check.partition("CMD ")[2]))
        return subprocess.run([sys.executable, *words[1:]], capture_output=True, check=False).returncode

    def metric(self, name: str) -> float:
        """One series; 0 where it is not there yet."""
        with urllib.request.urlopen(f"http://{self.host}:{ADMIN_PORT}/metrics", timeout=5) as answer:
            found = re.search(rf"^belswitch_{re.escape(name)} (\S+)$", answer.read().decode(), re.M)
        return float(found[1]) if found else 0.0

    def close(self) -> None:
        """End what still runs."""
        for process in self._all:
            process.kill()
            process.wait()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    require("sipp", "sip-tester")
    lab = Lab(tmp_path)
    yield lab
    lab.close()


def test_a_call_and_a_call_for_help_go_through(lab: Lab) -> None:
    assert lab.health() != 0
    for name in ("carrier", "centre-1", "centre-2"):
        lab.answers(name)
    lab.start("belswitch")
    wait_for(lambda: lab.health() == 0, "health", 20)
    lab.finish("lines")
    lab.finish("lines")  # again, as at the next start
    for caller in ("caller", "caller-for-help"):
        lab.finish(caller, *ONE_SHORT_CALL)
    assert lab.metric('calls_total{class="BE_MOBILE",outcome="answered"}') == 1
    assert lab.metric('emergency_calls_total{outcome="answered",service="112"}') == 1
    assert lab.metric('sip_responses_received_total{class="2xx"}') >= 5  # both calls, and OPTIONS besides
    assert lab.metric('trunk_up{trunk="carrier"}') == 1
    assert lab.metric('emergency_gateway_up{gateway="psap-gw1"}') == 1
    assert lab.metric('emergency_gateway_up{gateway="psap-gw2"}') == 1
    assert lab.metric("emergency_fallbacks_total") == 0
    assert lab.metric("internal_errors_total") == 0
