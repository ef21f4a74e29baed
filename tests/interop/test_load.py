"""A thousand calls at a hundred a second: none fails, each has its record, and nothing is left behind."""

from __future__ import annotations

import pytest

from tests.interop.network import free_port
from tests.interop.server import Server
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop

CALLS = 1000
PERIODIC_TIMERS = 1
"""The sweep of expired bindings; neither trunks nor gateways are probed here."""


def test_thousand_calls_leave_nothing_behind(server: Server, sipp: SippRunner) -> None:
    phone = server.network.host(11), free_port(server.network.host(11))
    trunk = sipp.start("callee", server.carrier, calls=CALLS, trace=False)
    arguments = ("-r", "100", "-d", "200")
    sipp.run("call", phone, *arguments, user="desk", to="00212661234567", calls=CALLS, trace=False)
    trunk.finish()
    records = server.new_records(CALLS)
    assert {(record["outcome"], record["status"], record["duration_s"]) for record in records} == {
        ("answered", 200, 1)
    }
    assert {record["amount"] for record in records} == {993}
    assert len({record["call_id"] for record in records}) == CALLS
    server.assert_at_rest(transactions=True)
    series = server.metrics()
    assert series["timers"] <= PERIODIC_TIMERS
    assert series['calls_total{class="MOROCCO_TURKEY",outcome="answered"}'] == CALLS
    assert series["records_queued"] == 0
    assert series["relay_failures_total"] == 0
    assert sum(count for name, count in series.items() if name.startswith("ban")) == 0
