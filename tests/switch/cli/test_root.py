from __future__ import annotations

import subprocess
import sys

from tests.switch.cli.conftest import Command

HEAVY = ("pydantic", "structlog", "asyncio_dgram", "aiosqlite", "uvicorn", "holidays", "switch.app", "rating")


def test_help_names_every_command(belswitch: Command) -> None:
    result = belswitch("--help")
    assert result.exit_code == 0
    for name in (
        "lab",
        "serve",
        "check",
        "top",
        "calls",
        "registrations",
        "status",
        "end",
        "cdr",
        "line",
        "emergency",
    ):
        assert name in result.stdout


def test_the_commands_of_line(belswitch: Command) -> None:
    result = belswitch("line", "--help")
    assert all(name in result.stdout for name in ("add", "set", "show", "list", "remove", "import"))


def test_the_commands_of_emergency(belswitch: Command) -> None:
    result = belswitch("emergency", "--help")
    assert all(name in result.stdout for name in ("route", "test", "audit", "export"))


def test_no_option_takes_a_password(belswitch: Command) -> None:
    for name in ("add", "set"):
        result = belswitch("line", name, "desk", "--password=secret-secret")
        assert result.exit_code == 2


def test_help_imports_nothing_heavy() -> None:
    script = "import sys, switch.cli.root; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "switch.cli.root" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_as_a_module_it_knows_its_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "switch", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("belswitch")


def test_an_unknown_command_is_wrong_usage(belswitch: Command) -> None:
    assert belswitch("dance").exit_code == 2
