"""What rules, their tests, dashboards and the README say of metrics is what the switch exposes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from types import SimpleNamespace

from tests.docker.support import ROOT, RULES, matchers, metrics, queries, recorded, rules, series
from tests.switch.net.test_metrics import Scrape

QUERIES = list(queries())
SERIES = list(series())
PROMETHEUS_OWN = {"instance", "job", "alertname", "alertstate", "severity", "le"}
"""Labels that do not come from the switch's tables."""

CONFIGURED = {"trunk", "gateway", "rule", "service"}
"""Labels whose values are names of the configuration."""


@cache
def families() -> dict[str, str]:
    """Every metric of a switch in which everything is at work, and its kind; counters without `_total`."""
    scrape = Scrape()
    scrape.app.auditor.last = SimpleNamespace(checked=15, without_route=2)
    return dict(re.findall(r"^# TYPE (\S+?)(?:_total)? (\w+)$", scrape.text(), re.M))


@cache
def exposed() -> frozenset[str]:
    """Every name that a sample can have."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    return frozenset(name + ending for name, kind in families().items() for ending in endings[kind])


@cache
def documented() -> dict[str, set[str]]:
    """The table of the README: metric and labels."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z_, ]*) \|", (ROOT / "README.md").read_text(), re.M)
    return {f"belswitch_{name}": {one for one in labels.split(", ") if one.strip()} for name, labels in rows}


@cache
def sources() -> str:
    """The text of the product."""
    folders = ("switch", "rating", "emergency")
    return "".join(path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))


def labels_of(sample: str) -> set[str]:
    """The labels of a sample: by the README or, where it is recorded, by what its name begins with."""
    if ":" in sample:
        return set(sample.partition(":")[0].split("_"))
    name = re.sub(r"_(bucket|sum|count)$", "", sample) if sample not in documented() else sample
    return documented()[name]


def test_the_readme_lists_what_there_is() -> None:
    names = {name + "_total" * (kind == "counter") for name, kind in families().items()}
    assert documented().keys() == names


def asked_for() -> Iterator[tuple[str, str, str, str]]:
    """Every condition on a label of the switch's own: where it stands, metric, label and value."""
    for where, expression in QUERIES + SERIES:
        for metric, label, value in matchers(expression):
            if label not in PROMETHEUS_OWN:
                yield where, metric, label, value


def test_a_metric_that_is_named_exists() -> None:
    wrong = [(where, metrics(text) - exposed()) for where, text in QUERIES + SERIES]
    assert [(where, names) for where, names in wrong if names] == []


def test_a_recorded_series_that_is_named_is_recorded() -> None:
    kept = {rule["record"] for path in RULES for rule in rules(path) if "record" in rule}
    wrong = [(where, recorded(text) - kept) for where, text in QUERIES]
    assert [(where, names) for where, names in wrong if names] == []


def test_a_label_that_is_asked_for_exists() -> None:
    wrong = [
        (where, metric, label) for where, metric, label, _ in asked_for() if label not in labels_of(metric)
    ]
    assert wrong == []


def test_a_value_that_is_asked_for_is_one_the_product_knows() -> None:
    """As a text in its sources or, in lower case, as the name of a state."""
    text = sources()
    known = {"", *re.findall(r'"([\w-]+)"', text), *map(str.lower, re.findall(r"\b[A-Z]+\b", text))}
    wrong = [one for one in asked_for() if one[2] not in CONFIGURED and one[3] not in known]
    assert wrong == []


def test_an_alert_asks_for_bounds_that_histograms_have() -> None:
    text = Scrape().text()
    for where, expression in QUERIES:
        for metric, label, value in matchers(expression):
            if label == "le":
                assert re.search(rf'^{metric}\{{le="{re.escape(value)}"\}}', text, re.M), (
                    where,
                    metric,
                    value,
                )


def test_names_are_found_in_expressions() -> None:
    expression = 'a:belswitch_x:rate5m{reason="belswitch_no"} / on (b) belswitch_y_total{c=~"d|e"} > 0'
    assert metrics(expression) == {"belswitch_y_total"}
    assert recorded(expression) == {"a:belswitch_x:rate5m"}
    assert list(matchers(expression)) == [
        ("a:belswitch_x:rate5m", "reason", "belswitch_no"),
        ("belswitch_y_total", "c", "d"),
        ("belswitch_y_total", "c", "e"),
    ]
