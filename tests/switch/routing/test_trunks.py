"""Carriers: order, prefixes, limits, sources, and health learnt from OPTIONS."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from switch.ports import NS_PER_S, Address, Flow, Listener, Lookup
from switch.routing.trunks import DOWN_AFTER, Trunks, TrunkSettings
from switch.sip.endpoint import Endpoint
from switch.sip.message import Request
from switch.sip.parser import parse_datagram
from switch.sip.transaction.wire import Timing
from switch.timers import TimerQueue
from tests.switch.sip.support import HERE, Chance, Row, at, response_bytes, run_to

HERE6 = Address("2001:db8::1", 5060)
LOCALS = [Listener("udp", address) for address in (HERE, HERE6)]
HERE_FLOW = Flow("udp", HERE, HERE)
PROBE_S = 30


def came_from(host: str, port: int, transport: str = "udp") -> Flow:
    return Flow(transport, HERE, Address(host, port))


def at_hosts(*hosts: str, port: int = 5060) -> tuple[Address, ...]:
    return tuple(Address(host, port) for host in hosts)


def trunk(name: str, host: str, port: int = 5060, **settings: Any) -> TrunkSettings:
    return TrunkSettings(name, host, port, **settings)


def probed(name: str = "carrier", host: str = "198.51.100.1", port: int = 5070) -> TrunkSettings:
    return trunk(name, host, port, probe_ns=PROBE_S * NS_PER_S)


class Exchange:
    """Trunks on an endpoint that remembers what it sent."""

    def __init__(self, *settings: TrunkSettings) -> None:
        self.sent: list[tuple[Flow, bytes]] = []
        self.timers = TimerQueue(at(0))
        self.endpoint = Endpoint(
            timers=self.timers,
            timing=Timing(),
            entropy=Chance(),
            send=lambda flow, data: self.sent.append((flow, data)),
            advertised={},
            user_agent="",
        )
        self.trunks = Trunks(settings, self.endpoint, LOCALS, Chance())

    def run_to(self, seconds: float) -> None:
        run_to(self.timers, int(1000 * seconds))

    def probes(self) -> list[Request]:
        """The probes sent since the last time, repetitions not counted."""
        messages = [parse_datagram(data) for _, data in self.sent]
        self.sent.clear()
        branches: dict[str, Request] = {}
        for message in messages:
            assert isinstance(message, Request)
            branches.setdefault(message.via.branch, message)
        return list(branches.values())

    def answer(self, status: int) -> None:
        """Answer the latest probe."""
        probe = self.probes()[-1]
        fields: dict[str, Row] = {"Via": probe.rows("Via")[0], "CSeq": probe.rows("CSeq")[0]}
        self.endpoint.receive(HERE_FLOW, response_bytes(status, fields))

    def names(self, number: str = "+33145674567", running: dict[str, int] | None = None) -> list[str]:
        counts = running or {}
        return [one.settings.name for one in self.trunks.candidates(number, lambda name: counts.get(name, 0))]


# --- which trunks, in which order ---------------------------------------------------------------------------


def test_trunks_are_tried_in_the_order_of_the_configuration() -> None:
    exchange = Exchange(trunk("b", "198.51.100.2"), trunk("a", "198.51.100.1"))
    assert exchange.names() == ["b", "a"]
    assert [one.settings.name for one in exchange.trunks.all()] == ["b", "a"]


@pytest.mark.parametrize(
    ("number", "names"),
    [("+33145674567", ["france", "world"]), ("+32470123456", ["belgium", "world"]), ("+15551234", ["world"])],
)
def test_prefixes_say_which_numbers_a_trunk_carries(number: str, names: list[str]) -> None:
    exchange = Exchange(
        trunk("france", "198.51.100.1", prefixes=("+33", "+377")),
        trunk("belgium", "198.51.100.2", prefixes=("+32",)),
        trunk("world", "198.51.100.3"),
    )
    assert exchange.names(number) == names


def test_a_full_trunk_is_left_out() -> None:
    exchange = Exchange(trunk("small", "198.51.100.1", max_calls=2), trunk("big", "198.51.100.2"))
    assert exchange.names(running={"small": 1, "big": 999}) == ["small", "big"]
    assert exchange.names(running={"small": 2}) == ["big"]


def test_a_trunk_that_is_down_comes_last() -> None:
    exchange = Exchange(trunk("first", "198.51.100.1"), trunk("second", "198.51.100.2"))
    first = exchange.trunks.get("first")
    assert first is not None
    first.missed = DOWN_AFTER - 1
    assert exchange.names() == ["first", "second"]
    first.missed = DOWN_AFTER
    assert not first.up
    assert exchange.names() == ["second", "first"]


def test_a_name_that_does_not_resolve_is_no_way() -> None:
    exchange = Exchange(trunk("named", "sip.carrier.example"), trunk("literal", "198.51.100.2"))
    named = exchange.trunks.get("named")
    assert named is not None
    assert not named.up
    assert exchange.names() == ["literal"]
    assert exchange.trunks.names_to_resolve() == [Lookup("named", "sip.carrier.example", 5060)]


# --- addresses ----------------------------------------------------------------------------------------------


def test_resolved_addresses_are_used_and_known() -> None:
    exchange = Exchange(trunk("named", "sip.carrier.example", 5070))
    exchange.trunks.resolved("named", at_hosts("198.51.100.8", "2001:db8:8::1", port=5070))
    exchange.trunks.resolved("nobody", at_hosts("198.51.100.9"))
    assert exchange.names() == ["named"]
    for host in ("198.51.100.8", "2001:db8:8::1"):
        found = exchange.trunks.admitted_from(came_from(host, 5070))
        assert found is exchange.trunks.get("named")
    exchange.trunks.resolved("named", at_hosts("198.51.100.10", port=5070))
    assert exchange.trunks.admitted_from(came_from("198.51.100.8", 5070)) is None


def test_a_name_that_stops_resolving_keeps_its_last_addresses() -> None:
    exchange = Exchange(trunk("named", "sip.carrier.example"))
    exchange.trunks.resolved("named", at_hosts("198.51.100.8"))
    exchange.trunks.resolved("named", ())
    assert exchange.names() == ["named"]


def test_without_sources_calls_come_from_the_trunks_own_host_and_port() -> None:
    exchange = Exchange(trunk("carrier", "198.51.100.1", 5070))
    assert exchange.trunks.admitted_from(came_from("198.51.100.1", 5070)) is exchange.trunks.get("carrier")
    assert exchange.trunks.admitted_from(came_from("198.51.100.1", 5060)) is None
    assert exchange.trunks.admitted_from(came_from("198.51.100.2", 5070)) is None


@pytest.mark.parametrize(
    ("host", "admitted"),
    [
        ("203.0.113.5", True),
        ("203.0.113.16", False),
        ("2001:db8:7::9", True),
        ("2001:db8:7::9%eth0", True),
        ("2001:db8:8::9", False),
        ("198.51.100.1", False),
    ],
)
def test_with_sources_calls_come_from_them_alone_at_any_port(host: str, admitted: bool) -> None:
    sources = (ip_network("203.0.113.0/28"), ip_network("2001:db8:7::/48"))
    exchange = Exchange(trunk("carrier", "198.51.100.1", sources=sources))
    assert (exchange.trunks.admitted_from(came_from(host, 12_345)) is not None) is admitted


def test_flows_leave_from_the_first_listener_of_the_family() -> None:
    trunks = Exchange().trunks
    assert trunks.flow_to(Address("198.51.100.1", 5070)) == Flow("udp", HERE, Address("198.51.100.1", 5070))
    assert trunks.flow_to(Address("2001:db8::9", 5070)) == Flow("udp", HERE6, Address("2001:db8::9", 5070))


def test_without_a_listener_of_the_family_there_is_no_flow() -> None:
    exchange = Exchange()
    assert Trunks([], exchange.endpoint, LOCALS[:1], Chance()).flow_to(Address("2001:db8::9", 5060)) is None


# --- health -------------------------------------------------------------------------------------------------


def test_a_trunk_is_asked_with_options_at_once_and_then_regularly() -> None:
    exchange = Exchange(probed())
    exchange.run_to(0)
    flow = exchange.sent[0][0]
    assert flow == Flow("udp", HERE, Address("198.51.100.1", 5070))
    exchange.answer(200)
    exchange.run_to(PROBE_S - 1)
    assert exchange.probes() == []
    exchange.run_to(PROBE_S)
    (probe,) = exchange.probes()
    assert (probe.method, probe.uri) == ("OPTIONS", "sip:198.51.100.1:5070")
    assert probe.rows("Contact") == [f"<sip:{HERE.host}:{HERE.port}>"]


def test_every_probe_is_a_request_of_its_own() -> None:
    exchange = Exchange(probed())
    exchange.run_to(0)
    (first,) = exchange.probes()
    exchange.run_to(PROBE_S)
    second = exchange.probes()[-1]
    assert first.call_id != second.call_id
    assert first.sender.tag != second.sender.tag


@pytest.mark.parametrize(("status", "up"), [(200, True), (404, True), (405, True), (500, True), (503, False)])
def test_any_answer_but_503_means_that_somebody_is_there(status: int, up: bool) -> None:
    """RFC 3261 section 11."""
    exchange = Exchange(probed())
    carrier = exchange.trunks.get("carrier")
    assert carrier is not None
    for number in range(DOWN_AFTER):
        exchange.run_to(number * PROBE_S)
        exchange.answer(status)
    assert carrier.up is up


def test_silence_takes_a_trunk_down_and_one_answer_brings_it_back() -> None:
    exchange = Exchange(probed())
    carrier = exchange.trunks.get("carrier")
    assert carrier is not None
    exchange.run_to(32)
    assert carrier.missed == 1
    exchange.run_to(PROBE_S + 32)
    assert carrier.missed == DOWN_AFTER
    assert not carrier.up
    exchange.probes()
    exchange.run_to(3 * PROBE_S)
    exchange.answer(200)
    assert carrier.missed == 0


def test_a_flow_that_fails_counts_as_silence() -> None:
    exchange = Exchange(probed())
    exchange.run_to(0)
    exchange.endpoint.flow_failed(exchange.sent[0][1])
    carrier = exchange.trunks.get("carrier")
    assert carrier is not None
    assert carrier.missed == 1


def test_a_trunk_without_address_is_down_and_not_asked() -> None:
    exchange = Exchange(probed(host="sip.carrier.example"))
    exchange.run_to(PROBE_S)
    assert exchange.sent == []
    carrier = exchange.trunks.get("carrier")
    assert carrier is not None
    assert carrier.missed == 2


def test_without_an_interval_nobody_is_asked() -> None:
    exchange = Exchange(trunk("carrier", "198.51.100.1"))
    exchange.run_to(600)
    assert exchange.sent == []


# --- a new configuration ------------------------------------------------------------------------------------


def test_a_trunk_that_stays_keeps_its_health_and_addresses() -> None:
    exchange = Exchange(trunk("named", "sip.carrier.example"), trunk("gone", "198.51.100.2"))
    exchange.trunks.resolved("named", at_hosts("198.51.100.8"))
    named = exchange.trunks.get("named")
    assert named is not None
    named.missed = 1
    exchange.trunks.replace([trunk("named", "sip.carrier.example", max_calls=9)])
    after = exchange.trunks.get("named")
    assert after is not None
    assert (after.missed, after.targets, after.settings.max_calls) == (1, at_hosts("198.51.100.8"), 9)
    assert exchange.trunks.get("gone") is None
    assert exchange.trunks.admitted_from(came_from("198.51.100.2", 5060)) is None


def test_a_trunk_that_moved_starts_afresh() -> None:
    exchange = Exchange(trunk("carrier", "198.51.100.1"))
    carrier = exchange.trunks.get("carrier")
    assert carrier is not None
    carrier.missed = 5
    exchange.trunks.replace([trunk("carrier", "198.51.100.2")])
    after = exchange.trunks.get("carrier")
    assert after is not None
    assert (after.missed, after.targets) == (0, at_hosts("198.51.100.2"))


def test_old_probing_ends_with_the_old_configuration() -> None:
    exchange = Exchange(probed())
    exchange.run_to(1)
    exchange.answer(200)
    exchange.trunks.replace([probed()])
    exchange.run_to(1)
    exchange.answer(200)
    exchange.run_to(10 * PROBE_S)
    assert len(exchange.probes()) == 9
    exchange.trunks.replace([])
    exchange.run_to(11 * PROBE_S + 2)
    exchange.probes()
    exchange.run_to(20 * PROBE_S)
    assert exchange.probes() == []
    assert len(exchange.timers) == 0


# --- connections --------------------------------------------------------------------------------------------


def over_tcp(**settings: Any) -> Exchange:
    exchange = Exchange(trunk("carrier", "198.51.100.1", 5070, transport="tcp", **settings))
    exchange.trunks._locals["tcp", False] = HERE
    return exchange


def test_a_carrier_that_connects_is_known_by_its_host() -> None:
    """The port of a connection is anybody's guess, the transport is not."""
    trunks = over_tcp().trunks
    assert trunks.admitted_from(came_from("198.51.100.1", 40_000, "tcp")) is trunks.get("carrier")
    assert trunks.admitted_from(came_from("198.51.100.1", 5070)) is None
    assert trunks.admitted_from(came_from("198.51.100.2", 40_000, "tcp")) is None


def test_a_connection_leads_to_a_carrier_by_its_name_and_nowhere_else() -> None:
    trunks = over_tcp().trunks
    at = Address("198.51.100.1", 5070), "198.51.100.1"
    assert trunks.flow_to(at[0], "tcp") == Flow("tcp", HERE, at[0])
    assert trunks.flow_to(at[0], "tls") is None
    assert trunks.peer_of(came_from("198.51.100.1", 40_000, "tcp")) == at
    assert trunks.peer_of(came_from("198.51.100.1", 5070, "tls")) is None
    assert trunks.peer_of(came_from("198.51.100.2", 5070, "tcp")) is None
    exchange = Exchange(trunk("named", "sip.carrier.example", 5061, transport="tls"))
    exchange.trunks.resolved("named", at_hosts("198.51.100.8", port=5061))
    at = Address("198.51.100.8", 5061), "sip.carrier.example"
    assert exchange.trunks.peer_of(came_from("198.51.100.8", 40_000, "tls")) == at


def test_a_carrier_is_asked_over_its_transport() -> None:
    exchange = over_tcp(probe_ns=NS_PER_S)
    run_to(exchange.timers, 1)
    ((flow, data),) = exchange.sent
    assert flow == Flow("tcp", HERE, Address("198.51.100.1", 5070))
    assert data.startswith(b"OPTIONS sip:198.51.100.1:5070;transport=tcp SIP/2.0")


# --- SRV ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transport", "service"), [("udp", "_sip._udp"), ("tcp", "_sip._tcp"), ("tls", "_sips._tcp")]
)
def test_a_name_with_srv_records_shows_no_port(transport: str, service: str) -> None:
    one = trunk("named", "carrier.example", srv=True, transport=transport, probe_ns=NS_PER_S)
    exchange = Exchange(one)
    exchange.trunks._locals[transport, False] = HERE
    assert exchange.trunks.names_to_resolve() == [Lookup("named", "carrier.example", 5060, service)]
    targets = (Address("198.51.100.8", 5071), Address("198.51.100.8", 5072), Address("198.51.100.9", 5073))
    exchange.trunks.resolved("named", targets)
    named = exchange.trunks.get("named")
    assert named is not None
    assert [flow.remote for flow in exchange.trunks.flows_to(named)] == list(targets)
    exchange.run_to(2)
    (probe, *_) = exchange.probes()
    assert probe.uri.split(";")[0] == "sip:carrier.example"
    if transport != "udp":
        flow = came_from("198.51.100.8", 5072, transport)
        assert exchange.trunks.peer_of(flow) == (targets[1], "carrier.example")
        flow = came_from("198.51.100.9", 40_000, transport)
        assert exchange.trunks.peer_of(flow) == (targets[2], "carrier.example")


# --- priority, weight, rate ---------------------------------------------------------------------------------


def test_a_priority_comes_before_the_order_of_the_configuration() -> None:
    exchange = Exchange(
        trunk("last", "198.51.100.1", priority=20),
        trunk("first", "198.51.100.2", priority=10),
        trunk("third", "198.51.100.3"),
    )
    assert exchange.names() == ["third", "first", "last"], "without one its place counts, here 2"


def test_trunks_of_one_priority_share_calls_by_weight() -> None:
    exchange = Exchange(
        trunk("big", "198.51.100.1", priority=1, weight=3),
        trunk("small", "198.51.100.2", priority=1, weight=1),
        trunk("spare", "198.51.100.3", priority=2),
    )
    orders = [tuple(exchange.names()) for _ in range(1000)]
    assert set(orders) == {("big", "small", "spare"), ("small", "big", "spare")}
    assert 700 < sum(one[0] == "big" for one in orders) < 800


def test_a_trunk_that_asks_to_be_spared_is_tried_last_for_so_long() -> None:
    exchange = Exchange(trunk("first", "198.51.100.1"), trunk("second", "198.51.100.2"))
    exchange.trunks.spare("first", 30)
    assert exchange.names() == ["second", "first"]
    exchange.run_to(29)
    assert exchange.names() == ["second", "first"]
    exchange.run_to(31)
    assert exchange.names() == ["first", "second"]
    exchange.trunks.spare("first", 999_999)
    exchange.run_to(31 + 601)
    assert exchange.names() == ["first", "second"], "nobody is spared for ever"
    exchange.trunks.spare("nobody", 30)


def test_a_trunk_takes_so_many_calls_a_second() -> None:
    exchange = Exchange(trunk("slow", "198.51.100.1", max_rate=5), trunk("fast", "198.51.100.2"))
    exchange.run_to(10)
    assert [exchange.trunks.takes_call("slow") for _ in range(7)] == [True] * 5 + [False] * 2
    assert all(exchange.trunks.takes_call(name) for name in ("fast", "psap-gw1", "") for _ in range(100))
    exchange.run_to(10.5)
    assert [exchange.trunks.takes_call("slow") for _ in range(4)] == [True] * 2 + [False] * 2
