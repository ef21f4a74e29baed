"""Two pyVoIP phones call each other and hear each other's tone; one calls for help, and a baresip is the
centre."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakeServer, missing, require
from tests.interop.network import free_port, is_bound
from tests.interop.pyvoip_phone import power
from tests.interop.server import ROOT, SOFTPHONE, Server, wait_for

pytestmark = pytest.mark.interop

CALLER_HZ, CALLEE_HZ = 440, 1000


class Phone:
    """A pyVoIP process and what it says."""

    def __init__(self, server: Server, host: str, user: str, own_hz: int, *arguments: str) -> None:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.interop.pyvoip_phone",
            server.host,
            str(server.port),
        ]
        command += [user, f"{user}-secret", host, str(free_port(host)), str(free_port(host))]
        command += [*arguments, "--tone", str(own_hz), "--listen-for", str(CALLER_HZ), str(CALLEE_HZ)]
        self._said: list[dict[str, Any]] = []
        self._queue: Queue[str] = Queue()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # pyVoIP has something to say itself
                self._queue.put(line)

    def says(self, event: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait for an event; it must be the next one."""
        try:
            said: dict[str, Any] = json.loads(self._queue.get(timeout=timeout_s))
        except Empty:
            raise AssertionError(f"the phone does not say {event}, after {self._said}") from None
        self._said.append(said)
        assert said["event"] == event, self._said
        return said

    def close(self) -> None:
        """End the process; its threads would not."""
        self._process.kill()
        self._process.communicate()
        self._reader.join()


@pytest.fixture
def phones() -> Iterator[Callable[..., Phone]]:
    """Starts phones; they are ended with the test."""
    if find_spec("pyVoIP") is None:
        missing("pyVoIP is not installed; it needs Python 3.11 or 3.12: pip install 'belswitch[lab]'")
    started: list[Phone] = []

    def start(*arguments: Any) -> Phone:
        started.append(Phone(*arguments))
        return started[-1]

    yield start
    for phone in started:
        phone.close()


def test_tone_arrives_in_both_directions(server: Server, phones: Callable[..., Phone]) -> None:
    callee = phones(server, server.network.host(12), "dect", CALLEE_HZ)
    callee.says("registered")
    caller = phones(server, server.network.host(11), "softphone", CALLER_HZ, "--call", "022345678")
    caller.says("registered")
    callee.says("ringing")
    caller.says("answered")
    for phone, own_hz, other_hz in ((caller, CALLER_HZ, CALLEE_HZ), (callee, CALLEE_HZ, CALLER_HZ)):
        heard = phone.says("heard")
        assert heard["samples"] > 8000
        assert heard["power"][str(other_hz)] > 0.3, heard
        assert heard["power"][str(own_hz)] < 0.05, heard
    caller.says("ended")
    callee.says("ended")
    record = server.new_record()
    assert (record["outcome"], record["released_by"], record["line"]) == ("answered", "caller", SOFTPHONE)
    assert record["device"].startswith("pyVoIP")
    assert 2 <= record["duration_s"] <= 6
    server.assert_at_rest()
    sides = server.measured(record["call_id"])
    for side in ("caller", "callee"):
        assert sides[side]["packets"] > 80
    assert sides["caller"]["strangers"] == 0
    assert sides["callee"]["strangers"] <= 2  # what pyVoIP sends before the 200 that says from where


def test_calls_for_help_and_is_heard(
    make_server: MakeServer, phones: Callable[..., Phone], tmp_path: Path
) -> None:
    """The centre answers, and both hear each other."""
    require("baresip", "baresip-core")
    server = make_server(gateway={"request": "digits", "body": False})
    at = server.gateways[0]
    centre = Baresip(tmp_path / "centre", (server.host, server.port), "112", at=at, tone_hz=CALLEE_HZ)
    try:
        wait_for(lambda: is_bound(*at), "centre")
        caller = phones(server, server.network.host(11), "softphone", CALLER_HZ, "--call", "112")
        caller.says("registered")
        caller.says("answered")
        heard = caller.says("heard")
        assert heard["samples"] > 8000
        assert heard["power"][str(CALLEE_HZ)] > 0.3, heard
        assert heard["power"][str(CALLER_HZ)] < 0.05, heard
        caller.says("ended")
        centre.says("terminated")
        assert power(centre.heard(), CALLER_HZ) > 0.3
        assert power(centre.heard(), CALLEE_HZ) < 0.05
        record = server.new_record()
    finally:
        centre.close()
    assert (record["outcome"], record["line"], record["trunk"]) == ("answered", SOFTPHONE, "psap-gw1")
    assert (record["called"], record["emergency"], record["amount"]) == ("112", 1, 0)
    assert record["destination_class"] == "EMERGENCY"
    server.assert_at_rest()
    sides = server.measured(record["call_id"])
    for side in ("caller", "callee"):
        assert sides[side]["packets"] > 80
    assert server.stop() == 0
