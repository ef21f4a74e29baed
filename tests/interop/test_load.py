"""A thousand calls at a hundred a second: none fails, each has its record, and nothing is left behind."""

from __future__ import annotations

import socket
from itertools import count
from threading import Event, Thread

import pytest

from tests.interop.conftest import MakeServer, SippTo
from tests.interop.network import free_port
from tests.interop.server import Server, wait_for
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


def test_a_flood_of_calls_leaves_room_for_others(make_server: MakeServer, sipp_to: SippTo) -> None:
    """A carrier sends ten times what the switch takes: what is too much is told so at once; a phone calls
    meanwhile, and another one for help."""
    server = make_server(calls={"max_rate": 20})
    sipp = sipp_to(server)
    network = server.network
    phone, helpless = ((network.host(n), free_port(network.host(n))) for n in (11, 13))
    trunk = sipp.start("callee", server.carrier)
    centre = sipp.start("centre", server.gateways[0], keys={"number": "16234567"})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(server.second)
        stop = Event()
        flood = Thread(target=_flood, args=(carrier, server, stop))
        flood.start()
        try:
            wait_for(lambda: server.metric('overload_refused_total{method="INVITE"}') > 100, "a flood")
            sipp.run("call", phone, user="desk", to="0478123456")
            sipp.run("call-without-password", helpless, user="desk", to="112")
        finally:
            stop.set()
            flood.join()
    trunk.finish()
    centre.finish()
    answered = {row["called"] for row in server.records() if row["outcome"] == "answered"}
    assert answered == {"+32478123456", "112"}


def _flood(carrier: socket.socket, server: Server, stop: Event) -> None:
    """New calls of a carrier, 200 a second, to a number that is nobody's."""
    host, port = server.second
    for number in count():
        invite = (
            f"INVITE sip:+3216999999@{server.host} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK-f{number};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:+33123456789@{host}>;tag=f\r\nTo: <sip:+3216999999@{server.host}>\r\n"
            f"Call-ID: flood-{number}\r\nCSeq: 1 INVITE\r\nContact: <sip:{host}:{port}>\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        carrier.sendto(invite.encode(), (server.host, server.port))
        if stop.wait(0.005):
            return
