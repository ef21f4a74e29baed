"""`belswitch serve` as a process of its own: signals, exit codes, the log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from tests.switch.cli.conftest import Command, change

PATIENCE_S = 20


class Serving:
    """A switch in the foreground of another process, its log read as it comes."""

    def __init__(self, directory: Path) -> None:
        command = [sys.executable, "-m", "switch", "serve", "--config", str(directory)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ})
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, event: str) -> dict[str, Any]:
        """The next log line of that name."""
        while (line := self._lines.get(timeout=PATIENCE_S)) is not None:
            facts: dict[str, Any] = json.loads(line)
            if facts["event"] == event:
                return facts
        raise AssertionError(f"the log ended without {event}")

    def end(self) -> int:
        """Ask it to stop; the exit code."""
        self.process.terminate()
        code = self.process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line)
        self._lines.put(None)


@pytest.fixture
def serving(directory: Path) -> Iterator[Serving]:
    one = Serving(directory)
    yield one
    one.close()


def test_from_start_to_stop(
    serving: Serving, belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    assert serving.wait_for("started")["lines"] == 0
    assert as_json("status")["ready"] == "ready"
    assert as_json("calls") == []
    assert belswitch("line", "import", str(directory / "lab" / "lines.toml")).exit_code == 0
    assert as_json("status")["lines"] == 3

    second = belswitch("serve")
    assert second.exit_code == 1
    assert "another belswitch is running" in second.stderr

    change(directory, "max_s = 7200", 'max_s = "long"')
    serving.process.send_signal(signal.SIGHUP)
    assert "calls.max_s" in serving.wait_for("configuration_fault")["fault"]
    assert serving.wait_for("reload_refused")["faults"] == 1
    change(directory, 'max_s = "long"', "max_s = 600")
    serving.process.send_signal(signal.SIGHUP)
    assert serving.wait_for("reloaded")["level"] == "info"

    assert serving.end() == 0
    assert as_json("cdr") == []
    assert len(as_json("line", "list")) == 3


def test_a_port_that_is_taken_is_named(belswitch: Command, as_json: Callable[..., Any]) -> None:
    host, port = as_json("check")["listen"][0].removeprefix("udp ").split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, int(port)))
        result = belswitch("serve")
    assert result.exit_code == 1
    assert f"belswitch: cannot start: udp {host} port {port}: Address already in use\n" in result.stderr


def test_a_data_directory_that_cannot_be_made_is_named(belswitch: Command, directory: Path) -> None:
    (directory.parent / "data").touch()
    result = belswitch("serve")
    assert result.exit_code == 1
    assert str(directory.parent / "data") in result.stderr
    assert "Traceback" not in result.stderr
