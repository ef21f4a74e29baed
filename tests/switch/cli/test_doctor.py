"""`belswitch doctor` on the configuration that comes along, on a broken one, and beside a running switch."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from switch.cli import doctor as module
from switch.doctor.machine import FileLimits
from switch.doctor.network import PortFacts
from switch.net import survey
from switch.net.operator import OperatorListener
from switch.net.store import FILE
from tests.switch.cli.conftest import Command, change

Checks = dict[str, list[dict[str, str]]]


@pytest.fixture(autouse=True)
def synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose clock is kept right, with large buffers and nobody else on it."""

    async def yes() -> bool:
        return True

    monkeypatch.setattr(survey, "synchronised", yes)
    monkeypatch.setattr(survey, "receive_buffer", lambda: 4 << 20)
    monkeypatch.setattr(survey, "open_files", lambda _config: FileLimits(65_536, 65_536))
    monkeypatch.setattr(survey, "port_facts", lambda _config: PortFacts())


def checks(belswitch: Command, code: int) -> Checks:
    """What it says, by what was looked at."""
    result = belswitch("doctor", "--json")
    assert result.exit_code == code, result.output
    said = json.loads(result.stdout)
    assert said["state"] == ("ok", "warning", "fault")[code]
    found: Checks = {}
    for row in said["checks"]:
        assert bool(row["remedy"]) == (row["state"] != "ok")
        found.setdefault(row["what"], []).append(row)
    return found


def states(found: Checks, what: str) -> list[str]:
    return [row["state"] for row in found[what]]


def test_the_configuration_that_comes_along_is_well(belswitch: Command, directory: Path) -> None:
    found = checks(belswitch, 0)
    assert list(found) == [
        "configuration",
        "switch",
        "sip.listen[0]",
        "admin",
        "media.hosts[0]",
        "media.ports",
        "open files",
        "store.directory",
        "disk",
        "database",
        "clock against records",
        "pylibsrtp",
        "net.core.rmem_max",
        "clock",
        "time zone",
    ]
    assert not (directory.parent / "data").exists()


def test_people_are_told_row_by_row(belswitch: Command, directory: Path) -> None:
    (directory.parent / "data").mkdir(mode=0o755)
    result = belswitch("doctor")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == str(directory)
    assert "ok       switch" in result.stdout
    assert "warning  store.directory" in result.stdout
    assert "-> chmod 0700" in result.stdout


def test_a_broken_set_up(belswitch: Command, directory: Path) -> None:
    """An expired certificate for somebody else, a taken port, a name that leads nowhere, a secret for all to
    read, a torn database: all is told at once."""
    issued = trustme.CA().issue_cert("other.example", not_after=datetime(2020, 1, 1, tzinfo=UTC))
    issued.cert_chain_pems[0].write_to_path(str(directory / "switch.pem"))
    issued.private_key_pem.write_to_path(str(directory / "switch.key"))
    (directory / "switch.key").chmod(0o600)
    change(
        directory, "[sip.digest]", '[sip.tls]\ncertificate = "switch.pem"\nkey = "switch.key"\n\n[sip.digest]'
    )
    (directory / "trunks.toml").write_text(
        '[[trunk]]\nname = "t"\nhost = "carrier.invalid"\nusername = "u"\npassword = "file:t.secret"\n'
    )
    (directory / "t.secret").write_text("secret")
    (directory / "t.secret").chmod(0o644)
    data = directory.parent / "data"
    data.mkdir(mode=0o700)
    (data / FILE).write_bytes(b"not a database " * 100)
    host, port = belswitch("check").stdout.split("udp ")[1].split()[0].split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((host, int(port)))
        found = checks(belswitch, 2)
    assert states(found, "sip.tls") == ["fault", "fault"]
    assert "expired" in found["sip.tls"][0]["told"]
    assert "other.example, and not for sip.domain, 127.0.0.1" in found["sip.tls"][1]["told"]
    assert found["sip.listen[0]"][0]["told"] == f"udp {host}:{port} is taken"
    assert states(found, "trunk t") == ["fault"]
    assert states(found, "trunk[0].password") == ["warning"]
    assert states(found, "sip.tls.key") == ["ok"]
    assert states(found, "database") == ["fault"]
    assert "secret" not in str(found["trunk[0].password"])


def test_a_wrong_configuration_and_a_secret_that_cannot_be_read(belswitch: Command, directory: Path) -> None:
    change(directory, "relays = 1", "relays = 0")
    change(directory, "[notices]", '[notices]\nwebhook = "https://example.com/"\nsecret = "file:gone.secret"')
    found = checks(belswitch, 2)
    assert list(found) == [
        "configuration",
        "notices.secret",
        "net.core.rmem_max",
        "clock",
        "time zone",
    ]
    assert len(found["configuration"]) >= 1
    assert found["notices.secret"][0]["told"] == "the file it names cannot be read: No such file or directory"


async def test_beside_a_running_switch(belswitch: Command, directory: Path) -> None:
    async def pong(_request: Mapping[str, Any]) -> str:
        return "pong"

    data = directory.parent / "data"
    data.mkdir(mode=0o700)
    listener = OperatorListener({"ping": pong})
    await listener.start(data / "belswitch.sock")
    host, port = belswitch("check").stdout.split("udp ")[1].split()[0].split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((host, int(port)))
        found = await asyncio.to_thread(checks, belswitch, 1)
    await listener.close()
    assert found["switch"][0]["told"] == "is running and answers"
    assert states(found, "sip.listen[0]") == ["ok"]
    assert states(found, "admin") == ["warning"]
    assert "restart the switch" in found["admin"][0]["remedy"]


def test_a_clock_behind_the_records(belswitch: Command, directory: Path) -> None:
    assert belswitch("line", "import", str(directory / "lab" / "lines.toml")).exit_code == 0
    with sqlite3.connect(directory.parent / "data" / FILE) as opened:
        opened.execute("INSERT INTO cdr (call_id, invited_ms) VALUES ('c1', 4000000000000)")
    opened.close()
    found = checks(belswitch, 2)
    assert states(found, "database") == ["ok"]
    assert states(found, "clock against records") == ["fault"]


def test_without_belgian_time_nothing_else_is_looked_at(
    belswitch: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_belgium", lambda: None)
    assert list(checks(belswitch, 2)) == ["time zone"]
