from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.cli.common import config_directory
from switch.config.loader import default_config_dir
from switch.net.store import FILE
from tests.switch.cli.conftest import Command, change


def test_says_what_a_right_configuration_amounts_to(as_json: Callable[..., Any]) -> None:
    facts = as_json("check")
    assert facts["ok"] is True
    assert facts["trunks"] == ["carrier 127.0.0.2:5080"]
    assert facts["tariffs"] == ["2026-01 from 2026-01-01"]
    assert facts["prefixes"] > 900
    assert facts["emergency_centres"] == 21
    assert facts["prompts"] == ["de", "en", "fr", "nl"]
    assert facts["fraud_rules"] == 14


def test_says_so_to_people_too(belswitch: Command) -> None:
    result = belswitch("check")
    assert result.exit_code == 0
    assert result.stdout.startswith("ok ")
    assert "carrier 127.0.0.2:5080" in result.stdout


def test_every_fault_on_a_line_of_standard_error(belswitch: Command, directory: Path) -> None:
    change(directory, "relays = 1", "relays = 0")
    change(directory, "max_s = 7200", "max_s = 0")
    result = belswitch("check")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert [line.partition(": ")[2].partition(":")[0] for line in result.stderr.splitlines()] == [
        "media.relays",
        "calls.max_s",
    ]


def test_a_prompt_that_cannot_be_played_is_a_fault(belswitch: Command, directory: Path) -> None:
    (directory / "prompts" / "nl" / "congestion.wav").write_text("no sound")
    result = belswitch("check")
    assert result.exit_code == 2
    assert result.stderr == "prompts/nl/congestion.wav: is not a WAV file\n"


def test_faults_as_json_are_on_standard_output(belswitch: Command, directory: Path) -> None:
    change(directory, "relays = 1", "relays = 0")
    result = belswitch("check", "--json")
    assert result.exit_code == 2
    facts = json.loads(result.stdout)
    assert facts["ok"] is False
    assert len(facts["faults"]) == 1


def test_serve_starts_nothing_on_a_wrong_configuration(belswitch: Command, directory: Path) -> None:
    change(directory, "relays = 1", "relays = 0")
    result = belswitch("serve")
    assert result.exit_code == 2
    assert "media.relays" in result.stderr
    assert not (directory.parent / "data").exists()


def test_the_configuration_given_here_or_that_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_directory(Path("elsewhere")) == Path("elsewhere")
    assert config_directory(None) == default_config_dir()
    (tmp_path / "config").mkdir()
    assert config_directory(None) == default_config_dir()
    (tmp_path / "config" / "switch.toml").touch()
    assert config_directory(None) == Path("config")


def test_a_broken_database_is_named(belswitch: Command, directory: Path) -> None:
    data = directory.parent / "data"
    data.mkdir()
    (data / FILE).write_bytes(b"not a database " * 100)
    result = belswitch("cdr")
    assert result.exit_code == 1
    assert result.stderr == f"belswitch: {data / FILE}: file is not a database\n"


def test_an_operator_needs_no_trunk_secret(belswitch: Command, directory: Path) -> None:
    trunks = directory / "trunks.toml"
    trunks.write_text(
        '[[trunk]]\nname = "t"\nhost = "127.0.0.2"\nusername = "u"\npassword = "env:NOT_SET_HERE"\n'
    )
    assert belswitch("check").exit_code == 2
    assert "there is no database" in belswitch("cdr").stderr
