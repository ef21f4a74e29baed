"""SIPVicious against the switch, on loopback: it learns neither users nor passwords, and disturbs nobody.

It is GPL, so it runs in processes of its own. Each run is bounded in count and in time.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import MakeServer, missing
from tests.interop.network import free_port
from tests.interop.server import DECT, DESK, ROOT, SOFTPHONE, Server
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop

USERS = ("desk", "dect", "softphone")
NUMBERS = (DESK, DECT, SOFTPHONE)
PASSWORD = "desk-secret"
CRACK = ("-u", "desk", "--maximumtime", "3")
LONGEST_S = 60
DRAWN = re.compile(r"\x1b\[[0-9;]*m|[|+-]{2,}")


class Scanner:
    """One machine with SIPVicious on it."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.host = server.network.host(66)
        self._server = server
        self._directory = directory

    def run(self, tool: str, *arguments: str, words: Sequence[str] = ()) -> str:
        """Let a tool run against the switch, with a dictionary of `words`; all that it says."""
        program = Path(sys.executable).with_name(f"sipvicious_{tool}")
        if not program.exists():
            missing("SIPVicious is not installed; pip install sipvicious")
        command = [str(program), "-b", self.host, "-x", self.host, "-P", str(free_port(self.host))]
        if words:
            dictionary = self._directory / "words"
            dictionary.write_text("".join(f"{word}\n" for word in words))
            command += ["-d", str(dictionary)]
        done = subprocess.run(
            [*command, "-p", str(self._server.port), *arguments, self._server.host],
            cwd=self._directory,
            env={"HOME": str(self._directory), "PATH": "", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        return DRAWN.sub("", done.stdout + done.stderr)


MakeScanner = Callable[[Server], Scanner]


@pytest.fixture
def scanner_of(tmp_path: Path) -> MakeScanner:
    """A scanner towards any switch."""
    return lambda server: Scanner(server, tmp_path)


def bans(server: Server) -> list[dict[str, Any]]:
    """What `belswitch bans` says."""
    command = [sys.executable, "-m", "switch", "bans", "--json", "--config", str(server.config)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_svmap_sees_that_there_is_a_server_and_no_more(
    make_server: MakeServer, scanner_of: MakeScanner
) -> None:
    server = make_server()
    said = scanner_of(server).run("svmap")
    assert server.host in said
    assert "belswitch" not in said
    assert not any(user in said for user in USERS)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_finds_no_extension(method: str, make_server: MakeServer, scanner_of: MakeScanner) -> None:
    """Those that exist are in its dictionary."""
    server = make_server()
    numbers = [str(number) for number in range(100, 130)]
    words = [*numbers, *USERS, *NUMBERS, *(number.replace("+32", "0") for number in NUMBERS), "2000"]
    for force in ((), ("--force",)):
        said = scanner_of(server).run("svwar", "-m", method, "--maximumtime", "3", *force, words=words)
        assert "found nothing" in said or "Set force" in said
        found = [line for line in said.splitlines() if line.startswith("| ")]
        assert not [line for line in found if any(word in line for word in words)]
    server.assert_at_rest()


def test_svcrack_does_not_get_to_the_password(
    make_server: MakeServer, scanner_of: MakeScanner, sipp_to: Callable[[Server], SippRunner]
) -> None:
    """It is at the end of its dictionary. A phone of that line, elsewhere, notices nothing."""
    server = make_server(bans={"delay_ms": 200})
    guesses = [f"guess{number}" for number in range(30)]
    said = scanner_of(server).run("svcrack", *CRACK, words=[*guesses, PASSWORD])
    assert PASSWORD not in said
    assert {ban["state"] for ban in bans(server)} & {"slowed", "ignored"}
    assert server.metric('bans_imposed_total{kind="user",state="slowed"}') == 1
    assert server.metric('digest_checks_total{verdict="right"}') == 0
    assert server.metric('digest_checks_total{verdict="wrong"}') <= 10
    phone = server.network.host(11), free_port(server.network.host(11))
    sipp_to(server).run("register", phone, user="desk", keys={"expires": "60"})
    assert server.metric("registrations") == 1


def test_without_bans_svcrack_would(make_server: MakeServer, scanner_of: MakeScanner) -> None:
    """So the test above tests something."""
    server = make_server(bans={"enabled": False})
    guesses = [f"guess{number}" for number in range(30)]
    assert PASSWORD in scanner_of(server).run("svcrack", *CRACK, words=[*guesses, PASSWORD])
