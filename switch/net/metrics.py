"""Prometheus metrics, collected at scrape time from plain counters: nothing on the call path knows of them.

Label values come from closed sets (outcomes, classes, reason codes, names in the configuration), so the
number of series does not grow with calls.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rating.money import EURO
from switch.call.sums import Histogram
from switch.core import Switch
from switch.net.auditor import Auditor
from switch.net.driver import Driver
from switch.net.hep import Hep
from switch.net.journal import Journal
from switch.net.streams import StreamListener
from switch.net.trace import Trace
from switch.net.udp import UdpListener
from switch.net.webhook import Webhook


class Observed(Protocol):
    """What a running switch lets be seen of it (`switch.app.App`)."""

    core: Switch
    driver: Driver
    journal: Journal
    listeners: list[UdpListener | StreamListener]

    @property
    def loop_lag_s(self) -> float:
        """How late the event loop last ran."""

    trace: Trace
    hep: Hep | None
    webhook: Webhook | None
    auditor: Auditor | None

    def relay_stats(self) -> dict[str, int]:
        """The relays' own counters."""


_RELAY_GAUGES = {
    "sessions": ("sessions", "Calls with media."),
    "streams": ("streams", "Media streams relayed."),
    "ports": ("sockets", "Sockets open in the relays."),
    "workers": ("processes", "Relay processes."),
}
"""What relays hold now, by the name they give it."""

_RELAY_COUNTERS = {
    "packets": "RTP packets that came from the parties.",
    "bytes": "Bytes in them.",
    "other_packets": "RTCP, keep-alives and whatever else came from the parties.",
    "strangers": "Packets from addresses that are no party's, dropped.",
    "unauthentic": "Packets not encrypted with the party's SRTP key, or sent again, dropped.",
    "unroutable": "Packets with nowhere to go, or that are no media.",
    "overruns": "Packets the kernel dropped before the relay read them.",
    "send_errors": "Packets that could not be sent: refused by the kernel, or not to be encrypted.",
    "tones": "Warning tones played.",
    "announcements": "Prompts and ringback tones begun.",
    "keys": "Keys told by INFO that became telephone events.",
    "restarts": "Relay processes that died and were replaced.",
    "cpu_us": "Processor time of the relays in microseconds.",
}
"""What they count for ever."""


class AppCollector(Collector):
    """Every metric of a running switch."""

    def __init__(self, app: Observed) -> None:
        self._app = app

    def describe(self) -> Iterable[Metric]:
        """Nothing is said before the first scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield from self._calls()
        yield from self._sip()
        yield from self._bans()
        yield from self._media()
        yield from self._records()
        yield from self._notices()
        yield from self._audit()

    def _calls(self) -> Iterator[Metric]:
        core, sums = self._app.core, self._app.core.sums
        sizes = core.sizes()
        yield _gauge("belswitch_calls_running", "Calls being set up or answered.", sizes["calls"])
        yield _gauge("belswitch_calls_answered", "Calls answered and running.", sizes["answered"])
        outcomes = CounterMetricFamily(
            "belswitch_calls",
            "Attempts that ended, by outcome and destination class.",
            labels=["outcome", "class"],
        )
        for (outcome, cls), count in sums.outcomes.items():
            outcomes.add_metric([outcome, cls], count)
        yield outcomes
        yield _labelled(
            "belswitch_call_refusals", "Attempts the switch refused, by reason.", "reason", sums.refusals
        )
        yield from self._money()
        yield from self._emergency()
        yield from self._fraud()
        yield _labelled("belswitch_call_flags", "Calls that ended in an unusual way.", "flag", sums.flags)
        yield _labelled(
            "belswitch_call_price_euro",
            "Charged, excluding VAT.",
            "class",
            {k: v / EURO for k, v in sums.amounts.items()},
        )
        yield _labelled("belswitch_call_seconds", "Answered seconds.", "class", sums.seconds)
        yield _histogram(
            "belswitch_post_dial_delay_seconds", "INVITE to first 18x.", sums.post_dial_delay_ms, 1000
        )
        yield _histogram("belswitch_call_duration_seconds", "Length of answered calls.", sums.duration_s, 1)

    def _money(self) -> Iterator[Metric]:
        sums = self._app.core.sums
        charges = CounterMetricFamily(
            "belswitch_charge_euro", "Charged, excluding VAT, by price row.", labels=["zone", "source"]
        )
        for (zone, source), amount in sums.charges.items():
            charges.add_metric([zone, source], amount / EURO)
        yield charges
        rated = CounterMetricFamily(
            "belswitch_rated_seconds", "Answered seconds by price row and payer.", labels=["zone", "source"]
        )
        for (zone, source), seconds in sums.rated_s.items():
            rated.add_metric([zone, source], seconds)
        yield rated
        yield _counter("belswitch_calls_unrated", "Answered calls without a price: none, ever.", sums.unrated)
        yield _gauge(
            "belswitch_reservations",
            "Calls that hold a reservation or are being charged.",
            len(self._app.core.charging.ledger),
        )
        yield _labelled(
            "belswitch_reservations_refused",
            "Calls and answers that an account could not pay for.",
            "reason",
            sums.reservations_refused,
        )
        yield _counter(
            "belswitch_reservations_expired", "Reservations nobody came back for.", sums.reservations_expired
        )
        yield _labelled("belswitch_thresholds", "Caps and bundles used up, by kind.", "kind", sums.thresholds)
        yield _labelled(
            "belswitch_transfers", "Transfers carried out, by how they went.", "how", sums.transfers
        )
        yield _labelled("belswitch_cuts_asked", "Running calls to be cut.", "reason", sums.cuts_asked)
        yield _labelled("belswitch_cuts_done", "Cut calls closed on both sides.", "reason", sums.cuts_done)
        yield _histogram(
            "belswitch_cut_delay_seconds", "Deadline to both sides closed.", sums.cut_delay_ms, 1000
        )

    def _fraud(self) -> Iterator[Metric]:
        core = self._app.core
        findings = CounterMetricFamily(
            "belswitch_fraud_findings", "Patterns of fraud found, by rule.", labels=["rule", "action"]
        )
        for (rule, action), count in core.sums.fraud.items():
            findings.add_metric([rule, action], count)
        yield findings
        lines = GaugeMetricFamily(
            "belswitch_fraud_lines", "Lines that a measure is in force against.", labels=["action"]
        )
        for action, count in core.fraud.measures.counts().items():
            lines.add_metric([action], count)
        yield lines

    def _emergency(self) -> Iterator[Metric]:
        core, sums = self._app.core, self._app.core.sums
        calls = CounterMetricFamily(
            "belswitch_emergency_calls",
            "Calls for help, by number and outcome.",
            labels=["service", "outcome"],
        )
        for (service, outcome), count in sums.help_outcomes.items():
            calls.add_metric([service, outcome], count)
        yield calls
        yield _counter(
            "belswitch_emergency_fallbacks", "Gateways tried because another failed.", sums.help_fallbacks
        )
        yield _labelled(
            "belswitch_emergency_alarms",
            "Calls for help without a proper address.",
            "reason",
            sums.help_alarms,
        )
        yield _histogram(
            "belswitch_emergency_first_response_seconds", "INVITE to first 18x.", sums.help_first_ms, 1000
        )
        yield _counter("belswitch_emergency_test_calls", "Test calls answered.", sums.test_calls)
        up = GaugeMetricFamily(
            "belswitch_emergency_gateway_up", "Whether a gateway answers probes.", labels=["gateway"]
        )
        for way in core.gateways.all():
            up.add_metric([way.settings.name.removeprefix("gateway ")], int(way.up))
        yield up

    def _sip(self) -> Iterator[Metric]:
        core = self._app.core
        counters = core.endpoint.counters
        sizes = core.sizes()
        yield _gauge("belswitch_registrations", "Contacts bound now.", sizes["bindings"])
        yield _labelled(
            "belswitch_registrations_refused",
            "REGISTERs of known lines refused, by what was wrong: line, device, contact.",
            "reason",
            core.registration.refused,
        )
        yield _gauge("belswitch_lines", "Lines known.", sizes["lines"])
        yield _gauge("belswitch_timers", "Timers pending in the core.", sizes["timers"])
        state = GaugeMetricFamily("belswitch_sip_state", "Transactions and dialogs held.", labels=["kind"])
        for kind in ("clients", "servers", "dialogs"):
            state.add_metric([kind], sizes[kind])
        yield state
        requests = {k.removeprefix("request_"): v for k, v in counters.items() if k.startswith("request_")}
        yield _labelled("belswitch_sip_requests_received", "New requests received.", "method", requests)
        for name, text in (("sent", "Responses sent."), ("received", "Responses received.")):
            by_class = {
                k.removeprefix(f"{name}_"): v
                for k, v in counters.items()
                if k.startswith(f"{name}_") and k.endswith("xx")
            }
            yield _labelled(f"belswitch_sip_responses_{name}", text, "class", by_class)
        yield _labelled(
            "belswitch_sip_retransmissions",
            "Messages sent or received again.",
            "direction",
            {"sent": counters["retransmission_sent"], "received": counters["retransmission_received"]},
        )
        yield _counter(
            "belswitch_sip_parse_errors", "Messages that break the rules.", counters["parse_error"]
        )
        yield _counter(
            "belswitch_sip_stray_responses", "Responses to nothing we sent.", counters["stray_response"]
        )
        yield _counter(
            "belswitch_send_failures", "Datagrams that could not be sent.", core.counters["send_failed"]
        )
        yield _counter(
            "belswitch_internal_errors", "Faults of the switch itself.", core.counters["internal_error"]
        )
        yield _labelled("belswitch_digest_checks", "Digest verdicts.", "verdict", core.identity.outcomes)
        up = GaugeMetricFamily("belswitch_trunk_up", "Whether a trunk answers probes.", labels=["trunk"])
        for trunk in core.trunks.all():
            up.add_metric([trunk.settings.name], int(trunk.up))
        yield up
        known = GaugeMetricFamily(
            "belswitch_trunk_registered", "Whether a carrier has our registration.", labels=["trunk"]
        )
        for trunk in core.trunks.all():
            if trunk.settings.register_s:
                known.add_metric([trunk.name], int(trunk.registered))
        yield known
        yield from self._transports()
        yield from self._trace()
        yield from self._overload()
        yield _gauge(
            "belswitch_event_loop_lag_seconds", "How late the event loop last ran.", self._app.loop_lag_s
        )

    def _overload(self) -> Iterator[Metric]:
        overload = self._app.core.overload
        refused = CounterMetricFamily(
            "belswitch_overload_refused",
            "Calls and registrations put off, since there was too much to do.",
            labels=["method"],
        )
        for method, count in overload.refused.items():
            refused.add_metric([method], count)
        yield refused
        yield _gauge("belswitch_strained", "Whether more comes in than is done.", int(overload.strained))

    def _transports(self) -> Iterator[Metric]:
        dropped, ended, there = Counter[str](), Counter[str](), Counter[str]()
        for listener in self._app.listeners:
            dropped[listener.transport] += listener.dropped
            if isinstance(listener, StreamListener):
                there[listener.transport] += len(listener)
                ended.update(listener.closed)
        text = "Messages not sent: the buffer was full, or the peer read nothing."
        yield _labelled("belswitch_send_dropped", text, "transport", dropped)
        text = "Connections that the switch ended."
        yield _labelled("belswitch_connections_ended", text, "reason", ended)
        connections = GaugeMetricFamily("belswitch_connections", "Connections now.", labels=["transport"])
        for transport, count in there.items():
            connections.add_metric([transport], count)
        yield connections

    def _trace(self) -> Iterator[Metric]:
        trace = self._app.trace
        yield _gauge("belswitch_trace_messages", "SIP messages remembered for `belswitch trace`.", len(trace))
        yield _gauge("belswitch_trace_bytes", "Memory that they take.", trace.bytes)
        hep = self._app.hep
        yield _counter(
            "belswitch_hep_failures",
            "SIP messages that could not be sent to the capture server.",
            hep.failures if hep is not None else 0,
        )

    def _bans(self) -> Iterator[Metric]:
        bans = self._app.core.bans
        now = GaugeMetricFamily("belswitch_bans", "Who is banned now.", labels=["kind", "state"])
        ever = CounterMetricFamily("belswitch_bans_imposed", "Bans there were.", labels=["kind", "state"])
        for (kind, state), count in bans.counts().items():
            now.add_metric([kind, state], count)
            ever.add_metric([kind, state], bans.imposed[kind, state])
        yield now
        yield ever
        yield _labelled(
            "belswitch_ban_ignored",
            "Datagrams that a ban left without an answer.",
            "reason",
            {rule: bans.counters[f"ignored_{rule}"] for rule in ("source", "flood", "user", "slowed")},
        )
        yield _counter("belswitch_ban_delayed", "Answers that a ban delayed.", bans.counters["delayed"])
        yield _counter(
            "belswitch_ban_evictions", "Scores pushed out for lack of room.", bans.counters["evicted"]
        )

    def _media(self) -> Iterator[Metric]:
        app = self._app
        yield _gauge("belswitch_relay_ports_taken", "Pairs of relay ports in use.", app.core.pool.taken)
        yield _gauge("belswitch_relay_ports", "Pairs of relay ports in all.", app.core.pool.size)
        yield _counter(
            "belswitch_relay_failures",
            "Relay ports that could not be opened.",
            app.core.counters["relay_failed"],
        )
        stats = app.relay_stats()
        for name, (ours, text) in _RELAY_GAUGES.items():
            yield _gauge(f"belswitch_relay_{ours}", text, stats.get(name, 0))
        for name, text in _RELAY_COUNTERS.items():
            yield _counter(f"belswitch_relay_{name}", text, stats.get(name, 0))

    def _records(self) -> Iterator[Metric]:
        journal = self._app.journal
        yield _gauge("belswitch_records_queued", "Journal entries not yet on disk.", journal.queued)
        yield _counter("belswitch_records_written", "Journal entries written.", journal.written)
        yield _counter(
            "belswitch_record_failures", "Batches the disk refused (they are tried again).", journal.failures
        )
        yield _counter("belswitch_records_set_aside", "Entries only the log could take.", journal.set_aside)
        yield _counter(
            "belswitch_journal_late",
            "Datagrams sent before their entry was on disk.",
            self._app.driver.late_holds,
        )

    def _notices(self) -> Iterator[Metric]:
        webhook = self._app.webhook
        if webhook is None:
            return
        yield _counter("belswitch_notices_sent", "Notices the operator's endpoint took.", webhook.sent)
        yield _counter("belswitch_notice_failures", "Attempts that failed (tried again).", webhook.failures)
        yield _counter("belswitch_notices_refused", "Notices the endpoint called wrong.", webhook.refused)
        yield _gauge("belswitch_notices_waiting", "Notices to be tried again.", webhook.waiting)

    def _audit(self) -> Iterator[Metric]:
        """Nothing before the first audit has ended: 0 would say that all is well."""
        auditor = self._app.auditor
        if auditor is None or auditor.last is None:
            return
        audit = auditor.last
        yield _gauge(
            "belswitch_emergency_lines_checked", "Lines asked where their call for help goes.", audit.checked
        )
        yield _gauge(
            "belswitch_emergency_lines_without_route",
            "Lines whose call for help would not reach the centre of their address: must be 0.",
            audit.without_route,
        )
        yield _gauge(
            "belswitch_emergency_audit_age_seconds", "Since the last audit of the lines.", auditor.age_s
        )


async def render(registry: CollectorRegistry) -> bytes:
    """The exposition, one family at a time, giving way to calls in between."""
    out: list[bytes] = []
    for family in registry.collect():
        out.append(generate_latest(_One(family)))
        await asyncio.sleep(0)
    return b"".join(out)


class _One:
    """A registry of a single family, which is all that `generate_latest` asks of one."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> tuple[Metric]:
        """The family."""
        return (self._family,)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _histogram(name: str, text: str, histogram: Histogram, per_unit: int) -> HistogramMetricFamily:
    total, buckets = 0, []
    for bound, count in zip((*histogram.bounds, None), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound is None else str(bound / per_unit), total))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.sum / per_unit)
