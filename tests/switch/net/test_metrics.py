"""What is measured: true to what happened, readable, and no more series for more calls."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from switch.fraud.rules import Action
from switch.fraud.watch import Finding
from switch.net.metrics import AppCollector, render
from switch.net.trace import Trace
from switch.ports import Address, Datagram, Flow
from tests.scenarios.scene import Scene, answers
from tests.sim.world import SWITCH
from tests.switch.sip.support import request_bytes

RELAY = {"workers": 1, "restarts": 0, "sessions": 2, "streams": 2, "ports": 8, "packets": 500, "strangers": 3}
Series = tuple[str, tuple[tuple[str, str], ...]]


class Scrape:
    """A world whose switch is observed."""

    def __init__(self) -> None:
        self.world = Scene()
        assert self.world.machine.core is not None
        self.app = SimpleNamespace(
            core=self.world.machine.core,
            driver=SimpleNamespace(late_holds=4),
            journal=SimpleNamespace(queued=5, written=6, failures=7, set_aside=8),
            listeners=[SimpleNamespace(transport="udp", dropped=count) for count in (9, 1)],
            trace=Trace(60, 1 << 20),
            hep=SimpleNamespace(failures=15),
            loop_lag_s=0.25,
            relay_stats=lambda: RELAY,
            webhook=SimpleNamespace(sent=10, failures=11, refused=12, waiting=13),
            auditor=SimpleNamespace(last=None, age_s=14.5),
        )
        self._registry = CollectorRegistry()
        collector: Any = AppCollector(self.app)
        self._registry.register(collector)

    def text(self) -> str:
        return asyncio.run(render(self._registry)).decode()

    def __call__(self) -> dict[Series, float]:
        """Every series and its value, as Prometheus reads them."""
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }


@pytest.fixture
def scrape() -> Scrape:
    return Scrape()


def value(series: dict[Series, float], name: str, **labels: str) -> float:
    return series[f"belswitch_{name}", tuple(sorted(labels.items()))]


def test_a_switch_at_rest_is_described(scrape: Scrape) -> None:
    series = scrape()
    assert value(series, "calls_running") == 0
    assert value(series, "lines") == 4
    assert value(series, "trunk_up", trunk="carrier") == 1
    assert value(series, "send_dropped_total", transport="udp") == 10
    assert value(series, "event_loop_lag_seconds") == 0.25
    assert value(series, "records_queued") == 5
    assert value(series, "records_written_total") == 6
    assert value(series, "record_failures_total") == 7
    assert value(series, "records_set_aside_total") == 8
    assert value(series, "journal_late_total") == 4


def test_every_family_says_what_it_is(scrape: Scrape) -> None:
    families = list(text_string_to_metric_families(scrape.text()))
    assert len(families) > 25
    for family in families:
        assert family.name.startswith("belswitch_")
        assert family.type in ("gauge", "counter", "histogram")
        assert family.documentation.endswith(".")
    assert len({family.name for family in families}) == len(families)


def test_what_relays_hold_falls_and_what_they_count_does_not(scrape: Scrape) -> None:
    series = scrape()
    assert value(series, "relay_sessions") == 2
    assert value(series, "relay_sockets") == 8
    assert value(series, "relay_processes") == 1
    assert value(series, "relay_packets_total") == 500
    assert value(series, "relay_strangers_total") == 3
    assert value(series, "relay_restarts_total") == 0


def test_a_call_is_counted_while_it_runs_and_after(scrape: Scrape) -> None:
    world = scrape.world
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    series = scrape()
    assert (value(series, "calls_running"), value(series, "calls_answered")) == (1, 1)
    assert value(series, "relay_ports_taken") == 2  # pairs
    assert value(series, "registrations") == 1
    world.run(59_900)
    alice.talk.bye()
    world.rest()
    series = scrape()
    labels = {"outcome": "answered", "class": "BE_MOBILE"}
    assert value(series, "calls_total", **labels) == 1
    assert value(series, "call_seconds_total", **{"class": "BE_MOBILE"}) == 60
    assert value(series, "call_price_euro_total", **{"class": "BE_MOBILE"}) == 0.17
    assert value(series, "calls_running") == 0
    assert value(series, "call_duration_seconds_count") == 1
    assert value(series, "call_duration_seconds_sum") == 60
    assert value(series, "call_duration_seconds_bucket", le="30.0") == 0
    assert value(series, "call_duration_seconds_bucket", le="60.0") == 1
    assert value(series, "call_duration_seconds_bucket", le="+Inf") == 1
    assert value(series, "post_dial_delay_seconds_count") == 1
    assert 0 < value(series, "post_dial_delay_seconds_sum") < 1
    assert value(series, "sip_requests_received_total", method="INVITE") == 2  # challenged once
    assert value(series, "digest_checks_total", verdict="right") == 2


def test_what_a_call_is_charged_and_how_its_cap_ends_it(scrape: Scrape) -> None:
    """R-CAP-04: 20 EUR with VAT buy 0.08 and 1701 seconds at 0.58; then no such call is placed."""
    world = scrape.world
    carol, carrier = world.phone("carol"), world.carrier()
    world.up(carol, carrier, "0033123456789")
    assert value(scrape(), "reservations") == 1
    assert world.run_until(lambda: "BYE" in carol.talk.heard, 1_800_000)
    world.rest()
    refused = carol.invite("0033123456789")
    world.run(1000)
    assert refused.heard[-1] == "403"
    world.rest()
    series = scrape()
    assert value(series, "charge_euro_total", zone="zone_a", source="setup") == 0.08
    assert value(series, "charge_euro_total", zone="zone_a", source="tariff") == 16.443
    assert value(series, "rated_seconds_total", zone="zone_a", source="tariff") == 1701
    assert value(series, "calls_unrated_total") == 0
    assert value(series, "thresholds_total", kind="cap-80") == 1
    assert value(series, "thresholds_total", kind="cap-100") == 1
    assert value(series, "cuts_asked_total", reason="cap") == 1
    assert value(series, "cuts_done_total", reason="cap") == 1
    assert value(series, "cut_delay_seconds_count") == 1
    assert 0 <= value(series, "cut_delay_seconds_sum") < 1
    assert value(series, "call_refusals_total", reason="cap-reached") == 1
    assert value(series, "reservations") == 0
    assert value(series, "reservations_expired_total") == 0


def test_seconds_are_counted_by_who_paid_for_them(scrape: Scrape) -> None:
    """Four o'clock in mid-call: a minute at the tariff, a minute out of the bundle."""
    world = scrape.world
    alice, bob, carrier = world.phone("alice"), world.phone("bob"), world.carrier()
    world.up(bob, carrier, "0478123456")  # with 24 Belgium
    world.run(29_900)
    bob.talk.bye()
    world.rest()
    world.step_clock(6 * 3600 - 60 - (world.mono_ns // 10**9 - 1000) - 2)
    world.up(alice, carrier, "0033123456789")
    world.run(119_900)
    alice.talk.bye()
    world.rest()
    rated = {
        labels: seconds
        for (name, labels), seconds in scrape().items()
        if name.endswith("rated_seconds_total")
    }
    assert rated == {
        (("source", "included"), ("zone", "be_mobile")): 30,
        (("source", "tariff"), ("zone", "zone_a")): 61,
        (("source", "bundle"), ("zone", "zone_a")): 59,
    }


def test_bans_are_counted(scrape: Scrape) -> None:
    world = scrape.world
    mallory = world.party("mallory", line="alice", password="guess")
    for _ in range(20):
        mallory.register()
        world.run(4000)
    series = scrape()
    assert value(series, "bans", kind="user", state="ignored") == 1
    assert value(series, "bans", kind="source", state="ignored") == 0
    assert value(series, "bans_imposed_total", kind="user", state="slowed") == 1
    assert value(series, "bans_imposed_total", kind="user", state="ignored") == 1
    assert value(series, "ban_delayed_total") > 5
    assert value(series, "ban_ignored_total", reason="user") > 5
    assert value(series, "ban_evictions_total") == 0


def test_notices_are_counted_where_there_is_an_endpoint_for_them(scrape: Scrape) -> None:
    series = scrape()
    assert value(series, "notices_sent_total") == 10
    assert value(series, "notice_failures_total") == 11
    assert value(series, "notices_refused_total") == 12
    assert value(series, "notices_waiting") == 13
    scrape.app.webhook = None
    assert not [name for name, _ in scrape() if "notice" in name]


def test_findings_are_counted_by_rule_and_lines_by_what_was_done(scrape: Scrape) -> None:
    """Labels are names of the configuration and steps of section 12, however many lines there are."""
    core = scrape.app.core
    for user, number in (("alice", "+3216234567"), ("bob", "+3222345678")):
        core.fraud._pending.append(Finding(user, "minutes", Action.SUSPEND, {"number": number}))
    core.fraud.settle()
    series = scrape()
    assert value(series, "fraud_findings_total", rule="minutes", action="suspend") == 2
    assert value(series, "fraud_lines", action="suspend") == 2
    assert value(series, "fraud_lines", action="block") == 0
    core.fraud.lift("alice", "operator")
    assert value(scrape(), "fraud_lines", action="suspend") == 1


def test_the_audit_is_told_once_there_was_one(scrape: Scrape) -> None:
    """No figure before: 0 would say that all lines have a route."""
    assert not [name for name, _ in scrape() if "emergency_lines" in name or "audit" in name]
    scrape.app.auditor.last = SimpleNamespace(checked=15, without_route=2)
    series = scrape()
    assert value(series, "emergency_lines_checked") == 15
    assert value(series, "emergency_lines_without_route") == 2
    assert value(series, "emergency_audit_age_seconds") == 14.5
    scrape.app.auditor = None
    assert not [name for name, _ in scrape() if "emergency_lines" in name or "audit" in name]


def test_calls_to_many_numbers_make_no_more_series(scrape: Scrape) -> None:
    world = scrape.world
    alice, carrier = world.phone("alice"), world.carrier()
    answers(carrier, 100)

    def call(number: int) -> None:
        talk = alice.invite(f"04781234{number:02}")
        world.run(2000)
        talk.bye()
        alice.invite(f"+9991234{number:02}")  # refused: no such country
        world.run(1000)

    call(0)
    before = scrape()
    for number in range(1, 50):
        call(number)
    world.rest()
    after = scrape()
    assert after.keys() == before.keys()
    assert value(after, "calls_total", outcome="answered", **{"class": "BE_MOBILE"}) == 50
    assert value(after, "call_refusals_total", reason="no-destination") == 50


def test_nothing_a_stranger_sends_makes_a_label(scrape: Scrape) -> None:
    core, at = scrape.world.machine.core, scrape.world.moment()
    assert core is not None

    def send(number: int) -> None:
        flow = Flow("udp", SWITCH, Address("192.0.2.66", 5060))
        fields = {"From": f"<sip:{number}@x>;tag=1", "Via": f"SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK{number}"}
        core.receive(Datagram(flow, request_bytes(f"METHOD{number}", "sip:x@x", "", fields)), at)
        core.receive(Datagram(flow, b"SIP/2.0 %d Odd\r\n\r\n" % number), at)
        core.drain()

    send(100)
    before = scrape().keys()
    for number in range(101, 400):
        send(number)
    assert scrape().keys() == before


def test_no_label_holds_a_number_or_a_call(scrape: Scrape) -> None:
    world = scrape.world
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.bye()
    world.rest()
    for _, labels in scrape():
        for name, text in labels:
            assert name in (
                "action",
                "class",
                "direction",
                "flag",
                "kind",
                "le",
                "method",
                "outcome",
                "reason",
            ) or (
                name
                in ("gateway", "how", "service", "source", "state", "transport", "trunk", "verdict", "zone")
            )
            assert not re.search(r"\d{4}", text) or name == "le", (name, text)
