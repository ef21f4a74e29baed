"""`belswitch lab` as people start it: what it prints, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from switch.lab import phone
from tests.switch.cli.conftest import Command, change, free_port

PATIENCE_S = 20


def start(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    """A lab without a terminal; its temporary files below the test's own."""
    command = [sys.executable, "-u", "-m", "switch", "lab", "--config", str(directory), *arguments]
    environ = {**os.environ, "TMPDIR": str(directory.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def test_it_says_what_to_register_and_ends_by_itself(directory: Path) -> None:
    port = free_port(20, 30, 31)
    with start(directory, "--port", str(port), "--seconds", "1") as process:
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert f"Register at 127.0.0.1:{port} (UDP)" in output
    for user, number in (("desk", "+3216234567"), ("dect", "+3222345678"), ("softphone", "+3281234567")):
        assert user in output
        assert f"{user}-secret" in output
        assert number in output
    command = next(line.split() for line in output.splitlines() if line.startswith("  sipp "))
    assert command[:2] == ["sipp", f"127.0.0.1:{port}"]
    assert Path(command[3]).is_file()
    assert command[4:] == ["-s", "0478123456", "-au", "desk", "-ap", "desk-secret", "-m", "1", "-d", "10000"]
    assert not list(directory.parent.glob("belswitch-lab-*"))


def test_a_call_from_outside_waits_for_a_phone_and_ctrl_c_ends_all_well(directory: Path) -> None:
    arguments = [
        "--port",
        str(free_port(20, 30, 31)),
        "--at",
        "2026-12-25T03:00",
        "--incoming",
        "+3216234567",
    ]
    with start(directory, *arguments) as process:
        assert process.stdout is not None
        waiting = "the carrier calls +3216234567 once it is registered"
        assert any(waiting in line for line in iter(process.stdout.readline, ""))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.interop
@pytest.mark.skipif(not phone.installed(), reason="pyVoIP is not installed: pip install 'belswitch[lab]'")
def test_the_demo_call_is_seen_with_its_price(directory: Path) -> None:
    with start(directory, "--port", str(free_port(20, 30, 31)), "--demo-call") as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any(
            line.startswith("call +3281234567 -> +212612345678: answered 0:00 EUR 0.0") for line in lines
        )
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    assert "record +3281234567 -> +212612345678: answered" in output
    assert "shutdown" in output


def test_a_port_that_is_taken_is_named(belswitch: Command) -> None:
    port = free_port(20, 30, 31)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))
        result = belswitch("lab", "--port", str(port))
    assert result.exit_code == 1
    assert f"cannot start: udp 127.0.0.1 port {port}: Address already in use; --port" in result.stderr


def test_a_lab_never_touches_a_real_carrier(belswitch: Command, directory: Path) -> None:
    (directory / "trunks.toml").write_text('[[trunk]]\nname = "real"\nhost = "192.0.2.1"\n')
    result = belswitch("lab", "--config", str(directory))
    assert result.exit_code == 2
    assert "plays on loopback only, but trunk real is 192.0.2.1" in result.stderr


@pytest.mark.parametrize(
    "wrong", [["--at", "noon"], ["--incoming", "+3200000000"], ["--seconds", "0"], ["--port", "80"]]
)
def test_wrong_usage(wrong: list[str], belswitch: Command) -> None:
    assert belswitch("lab", *wrong).exit_code == 2


def test_a_wrong_configuration(belswitch: Command, directory: Path) -> None:
    change(directory, "relays = 1", "relays = 0")
    result = belswitch("lab", "--config", str(directory))
    assert result.exit_code == 2
    assert "media.relays" in result.stderr


def test_without_pyvoip_there_is_no_demo_call(belswitch: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone, "installed", lambda: False)
    result = belswitch("lab", "--demo-call")
    assert result.exit_code == 1
    assert "pip install 'belswitch[lab]'" in result.stderr


def test_nothing_is_left_behind(belswitch: Command) -> None:
    before = set(Path(tempfile.gettempdir()).glob("belswitch-lab-*"))
    belswitch("lab", "--at", "noon")
    assert set(Path(tempfile.gettempdir()).glob("belswitch-lab-*")) <= before
