"""Alerts: Prometheus reads them, each says what to do, and each has been seen to fire and to keep still."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.support import PROMETHEUS, RULE_TESTS, RULES, load, queries, rules
from tests.interop.conftest import require

ALERTS = {rule["alert"]: rule for path in RULES for rule in rules(path) if "alert" in rule}
COMMAND = re.compile(r"`belswitch ([a-z ]+?)(?: --[^`]*)?`")


def promtool(*arguments: str) -> str:
    """What promtool prints; it must find nothing wrong."""
    require("promtool", "prometheus")
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.interop
def test_prometheus_takes_its_configuration() -> None:
    said = promtool("check", "config", "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said


@pytest.mark.interop
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(path))


@pytest.mark.interop
def test_every_query_of_a_dashboard_can_be_read(tmp_path: Path) -> None:
    kept = [{"record": f"query:{n}", "expr": text} for n, (_, text) in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": kept}]}))
    assert f"{len(kept)} rules found" in promtool("check", "rules", str(path))


def test_names_are_given_once() -> None:
    assert len(ALERTS) == sum("alert" in rule for path in RULES for rule in rules(path))
    groups = [group["name"] for path in RULES for group in load(path)["groups"]]
    assert len(set(groups)) == len(groups)


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in ("critical", "warning")
    told = alert["annotations"]
    assert told.keys() == {"summary", "description"}
    assert "\n" not in told["summary"]
    for text in told.values():
        assert re.fullmatch(r"[A-Z`{].*[.]", text.strip(), re.S), text
    assert len(told["summary"]) < 100
    assert len(told["description"]) > 80


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())
def test_a_command_that_an_alert_names_is_there(alert: dict[str, Any]) -> None:
    from typer.main import get_command

    from switch.cli.root import cli

    for words in COMMAND.findall(alert["annotations"]["description"]):
        command: Any = get_command(cli)
        for word in words.split():
            assert word in command.commands, words
            command = command.commands[word]


def test_every_alert_is_tested_both_ways() -> None:
    fired: set[str] = set()
    for path in RULE_TESTS:
        still = False
        for test in load(path)["tests"]:
            for check in test["promql_expr_test"]:
                labels = " ".join(sample["labels"] for sample in check["exp_samples"])
                fired |= set(re.findall(r'alertname="(\w+)"', labels + check["expr"] * bool(labels)))
                still |= not labels
        assert still, f"{path.name} has no time at which nothing fires"
        for test in load(path)["tests"]:
            assert any(not check["exp_samples"] for check in test["promql_expr_test"]), test["name"]
    assert fired == ALERTS.keys()


def test_a_file_of_rules_has_a_file_of_tests() -> None:
    assert {path.name for path in RULE_TESTS} == {path.name for path in RULES} - {"recording.yml"}
    for path in RULE_TESTS:
        assert load(path)["rule_files"] == ["../rules/recording.yml", f"../rules/{path.name}"]
