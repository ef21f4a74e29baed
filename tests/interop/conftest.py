"""Peers that must be there, a switch to talk to, and SIPp beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.interop.network import Network
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
def sipp_to(sipp_installed: None, tmp_path: Path) -> Iterator[Callable[[Server], SippRunner]]:
    """SIPp towards any switch."""
    runners: list[SippRunner] = []

    def make(server: Server) -> SippRunner:
        runners.append(SippRunner((server.host, server.port), tmp_path))
        return runners[-1]

    yield make
    for runner in runners:
        runner.close()
