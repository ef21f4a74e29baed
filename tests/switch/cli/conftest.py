"""A configuration of one's own on free ports, and the command line in this process."""

from __future__ import annotations

import json
import logging
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from switch.cli.root import cli
from switch.config.loader import default_config_dir


def free_port(*offsets: int) -> int:
    """A UDP port P of 127.0.0.1 that is free, as are P + each offset.

    Below those that relays, pyVoIP and the kernel deal out, lest it be taken before it is used.
    """
    while True:
        port = random.SystemRandom().randrange(6100, 9900)  # hypothesis seeds the shared generator
        if all(map(_is_free, (port, *(port + offset for offset in offsets)))):
            return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Leave the standard library's logging as it was found."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The configuration that comes along, on free ports, its data below `tmp_path`."""
    copy = tmp_path / "config"
    shutil.copytree(default_config_dir(), copy)
    change(copy, "port = 5060", f"port = {free_port()}")
    change(copy, "port = 9090", f"port = {free_port()}")
    change(copy, '"belswitch-data"', f'"{tmp_path / "data"}"')
    return copy


def change(directory: Path, old: str, new: str) -> None:
    """Change one thing in switch.toml."""
    path = directory / "switch.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


PLANS_TO_COME = """
[plan.multi]
label = "Multi"
monthly = "0.00"
prices_of = "classic"
options = ["anytime", "24-belgium"]

[plan.multi.licence]
spare_numbers = 2
end_users = 10
pabx = true

[plan.2-go]
label = "2 GO"
monthly = "0.00"
prices_of = "classic"

[plan.2-go.licence]
numbers = 1
end_users = 10
"""
"""Plans with several numbers and end users (R-NUM-02, R-NUM-03). The tariff does not sell them yet: what they
cost here is no price of theirs."""


@pytest.fixture
def plans_to_come(directory: Path) -> None:
    """The tariff has them too."""
    path = directory / "tariffs" / "2026-01-01.toml"
    path.write_text(path.read_text() + PLANS_TO_COME)


Command = Callable[..., Result]


@pytest.fixture
def belswitch(directory: Path) -> Command:
    """Runs a command with that configuration."""

    def command(*arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli, list(arguments), input=stdin, env={"BELSWITCH_CONFIG": str(directory)})

    return command


@pytest.fixture
def as_json(belswitch: Command) -> Callable[..., Any]:
    """Runs a command with --json, and reads what it says."""

    def command(*arguments: str) -> Any:
        result = belswitch(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return command
