"""Peers that must be there, a switch to talk to, and phones beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.interop.baresip import Baresip
from tests.interop.network import Network
from tests.interop.pyvoip import Phone
from tests.interop.server import Server
from tests.interop.sipp import SippRunner


def require(command: str, package: str) -> None:
    """Skip where a foreign SIP stack is missing; where peers are required, as in CI, fail."""
    if shutil.which(command) is None:
        missing(f"{command} is not installed; on Debian or Ubuntu: apt-get install {package}")


def missing(reason: str) -> NoReturn:
    """A peer is not there."""
    if os.environ.get("BELSWITCH_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def sipp_installed() -> None:
    """SIPp is there."""
    require("sipp", "sip-tester")


MakeServer = Callable[..., Server]
SippTo = Callable[[Server], SippRunner]
MakeBaresip = Callable[..., Baresip]
MakePhone = Callable[..., Phone]


@pytest.fixture(scope="session")
def lines_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the lab's lines, imported once for all switches."""
    return Server(tmp_path_factory.mktemp("lines") / "switch", Network()).database


@pytest.fixture
def make_server(tmp_path: Path, lines_database: Path) -> Iterator[MakeServer]:
    """Start a switch with a changed configuration; it is ended with the test."""
    servers: list[Server] = []

    def make(**changes: Any) -> Server:
        server = Server(tmp_path / f"switch{len(servers)}", Network(), changes, database=lines_database)
        servers.append(server)
        server.start()
        return server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, lines_database: Path) -> Iterator[Server]:
    """One switch for the tests of a module; it stops cleanly at the end."""
    server = Server(tmp_path_factory.mktemp("interop") / "switch", Network(), database=lines_database)
    server.start()
    yield server
    code = server.stop()
    assert code == 0, server.log_text()[-3000:]


@pytest.fixture
def sipp(sipp_installed: None, server: Server, tmp_path: Path) -> Iterator[SippRunner]:
    """SIPp towards the module's switch."""
    server.forget_records()
    runner = SippRunner((server.host, server.port), tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def sipp_to(sipp_installed: None, tmp_path: Path) -> Iterator[SippTo]:
    """SIPp towards any switch."""
    runners: list[SippRunner] = []

    def make(server: Server) -> SippRunner:
        runners.append(SippRunner((server.host, server.port), tmp_path))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()


@pytest.fixture
def make_baresip(server: Server, tmp_path: Path) -> Iterator[MakeBaresip]:
    """Starts a baresip for a line, with commands to carry out; it is ended with the test."""
    require("baresip", "baresip-core")
    started: list[Baresip] = []

    def make(user: str, *commands: str) -> Baresip:
        started.append(Baresip(tmp_path / f"baresip-{user}", (server.host, server.port), user, *commands))
        return started[-1]

    yield make
    for phone in started:
        phone.close()


@pytest.fixture
def phones() -> Iterator[MakePhone]:
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


@pytest.fixture
def voice(tmp_path: Path) -> str:
    """A second of A-law for SIPp to play again and again."""
    path = tmp_path / "voice.al"
    path.write_bytes(bytes(range(160)) * 50)
    return str(path)
