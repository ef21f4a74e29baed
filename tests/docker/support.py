"""The files of `docker/`, read: YAML, the Dockerfile, what queries name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
PROMETHEUS = DOCKER / "prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
RULE_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
DASHBOARDS = sorted((DOCKER / "grafana" / "dashboards").glob("*.json"))

INTERVALS = {"$__rate_interval": "1m"}
"""What Grafana puts in the place of its variables."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_RECORDED = re.compile(r"[a-z_]+:belswitch_\w+(?::\w+)?")
_METRIC = re.compile(r"(?<![\w:])belswitch_\w+")
_SELECTOR = re.compile(r"((?:[a-z_]+:)?belswitch_[\w:]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def rules(path: Path) -> list[dict[str, Any]]:
    """Every rule of a file, in order."""
    return [rule for group in load(path)["groups"] for rule in group["rules"]]


def panels(path: Path) -> list[dict[str, Any]]:
    """Every panel of a dashboard."""
    found: list[dict[str, Any]] = json.loads(path.read_text())["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Every PromQL expression there is in rules and dashboards, with where it stands."""
    for path in RULES:
        for rule in rules(path):
            yield f"{path.name}: {rule.get('alert') or rule['record']}", rule["expr"]
    for path in DASHBOARDS:
        for panel in panels(path):
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in INTERVALS.items():
                    expression = expression.replace(name, value)
                yield f"{path.name}: {panel['title']}", expression


def series() -> Iterator[tuple[str, str]]:
    """Every input series of the alerts' tests, with where it stands."""
    for path in RULE_TESTS:
        for test in load(path)["tests"]:
            for one in test["input_series"]:
                yield f"{path.name}: {test['name']}", one["series"]


def metrics(expression: str) -> set[str]:
    """The metrics of the switch that an expression names, recorded ones apart."""
    return set(_METRIC.findall(_RECORDED.sub("", _STRING.sub('""', expression))))


def recorded(expression: str) -> set[str]:
    """The recorded series that an expression names."""
    return set(_RECORDED.findall(_STRING.sub('""', expression)))


def matchers(expression: str) -> Iterator[tuple[str, str, str]]:
    """Metric, label and value of each condition on a label; alternatives of a pattern one by one."""
    for metric, conditions in _SELECTOR.findall(expression):
        for label, value in _MATCHER.findall(conditions):
            for one in value.split("|"):
                yield metric, label, one


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of a Dockerfile; `stage` counts from 0 and is -1 before the first FROM."""

    stage: int
    word: str
    rest: str


def dockerfile(path: Path) -> list[Step]:
    """Its instructions, with lines joined and comments gone."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    steps: list[Step] = []
    stage = -1
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            stage += word == "FROM"
            steps.append(Step(stage, word, rest.strip()))
    return steps
