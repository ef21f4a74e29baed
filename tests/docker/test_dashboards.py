"""Dashboards: every panel has a unit and says what it shows, stands in its place and asks what is there."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.docker.support import DASHBOARDS, DOCKER, load, panels

PROVISIONING = DOCKER / "grafana" / "provisioning"
COLUMNS = 24
UNITS = {"none", "s", "reqps", "ops", "pps", "percentunit", "bool_on_off", "currencyEUR"}

every_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two places have a cell in common."""
    return (
        one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    )


def test_there_are_four() -> None:
    assert [path.stem for path in DASHBOARDS] == ["calls", "emergency", "money", "service"]
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert [board["uid"] for board in boards] == [f"belswitch-{path.stem}" for path in DASHBOARDS]
    assert len({board["title"] for board in boards}) == len(boards)


@every_dashboard
def test_a_panel_says_what_it_shows(path: Path) -> None:
    for panel in panels(path):
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["type"] in ("stat", "timeseries")
        assert panel["targets"]
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)


@every_dashboard
def test_panels_stand_side_by_side(path: Path) -> None:
    places = [panel["gridPos"] for panel in panels(path)]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    assert not any(overlap(one, other) for one, other in combinations(places, 2))
    numbers = [panel["id"] for panel in panels(path)]
    assert numbers == list(range(1, len(numbers) + 1))


@every_dashboard
def test_panels_ask_the_source_that_is_provisioned(path: Path) -> None:
    (source,) = load(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    expected = {"type": source["type"], "uid": source["uid"]}
    assert all(panel["datasource"] == expected for panel in panels(path))


@every_dashboard
def test_a_person_can_read_it(path: Path) -> None:
    text = path.read_text()
    assert text.endswith("}\n")
    assert len(text.splitlines()) < 400
    assert "\\u" not in text


def test_the_source_is_the_prometheus_of_the_network() -> None:
    compose: dict[str, Any] = load(DOCKER / "compose.yaml")["services"]
    (source,) = load(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    assert "prometheus" in compose
    assert source["url"] == "http://prometheus:9090"


def test_dashboards_are_read_from_where_they_are_mounted() -> None:
    mounts = load(DOCKER / "compose.yaml")["services"]["grafana"]["volumes"]
    (provider,) = load(PROVISIONING / "dashboards" / "belswitch.yml")["providers"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
    assert "./grafana/provisioning:/etc/grafana/provisioning:ro" in mounts
