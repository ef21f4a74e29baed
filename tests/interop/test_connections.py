"""SIP over TCP, TLS and WebSocket with peers that nobody here wrote: SIPp, baresip, and `websockets`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakeServer, require
from tests.interop.connected import HOST, Switch
from tests.interop.network import free_port
from tests.interop.server import DESK, wait_for
from tests.interop.sipp import SippRunner
from tests.sim.text import digest_answer

pytestmark = pytest.mark.interop


@pytest.fixture
def switch(make_server: MakeServer, tmp_path: Path) -> Switch:
    return Switch(make_server, tmp_path)


@pytest.fixture
def sipp(sipp_installed: None, switch: Switch, tmp_path: Path) -> Iterator[SippRunner]:
    """SIPp towards the switch over TCP."""
    runner = SippRunner((HOST, switch.ports["tcp"]), tmp_path)
    yield runner
    runner.close()


@pytest.fixture
def phone() -> Iterator[list[Baresip]]:
    started: list[Baresip] = []
    yield started
    for one in started:
        one.close()


# --- SIPp over TCP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["t1", "tn"])
def test_calls_over_tcp_to_a_carrier_over_tcp(switch: Switch, sipp: SippRunner, mode: str) -> None:
    """All calls of a peer on one connection, or one for each."""
    server = switch.server
    calls = 20
    trunk = sipp.start("callee", server.carrier, "-t", "t1", calls=calls)
    where = HOST, free_port(HOST)
    sipp.run("call", where, "-t", mode, "-max_socket", "100", user="desk", to="0478123456", calls=calls)
    trunk.finish()
    records = server.new_records(calls)
    assert {(one["outcome"], one["line"], one["trunk"]) for one in records} == {("answered", DESK, "carrier")}
    assert server.metric('sip_retransmissions_total{direction="sent"}') == 0
    server.assert_at_rest()


def test_a_carrier_over_tcp_calls_a_phone_over_tcp(
    switch: Switch, sipp: SippRunner, phone: list[Baresip]
) -> None:
    """The phone is reached over the connection that it registered on."""
    require("baresip", "baresip-core")
    server = switch.server
    phone.append(Baresip(switch.trust.parent / "phone", (HOST, switch.ports["tcp"]), "desk", transport="tcp"))
    wait_for(lambda: server.metric("registrations") == 1, "a registration")
    sipp.run("call-without-password", server.carrier, "-t", "t1", to=DESK)
    assert server.new_record()["outcome"] == "answered"
    phone[0].close()
    wait_for(lambda: server.metric("registrations") == 0, "the end of the binding with its connection")
    server.assert_at_rest()


def test_a_call_for_help_over_tcp(switch: Switch, sipp: SippRunner) -> None:
    """Its INVITE is longer than a datagram should be (RFC 3261 section 18.1.1)."""
    server = switch.server
    centre = sipp.start("centre", server.gateways[0], "-t", "t1", keys={"number": "16234567"})
    sipp.run("call-without-password", (HOST, free_port(HOST)), "-t", "t1", user="desk", to="112")
    centre.finish()
    assert server.new_record()["trunk"] == "psap-gw1"
    assert len(centre.request("INVITE")) > 1300


def test_a_carrier_that_is_not_there_costs_no_time_out(switch: Switch, sipp: SippRunner) -> None:
    """Its port refuses the connection: the next one is tried at once."""
    server = switch.server
    second = sipp.start("callee", server.second, "-t", "t1")
    sipp.run("call", (HOST, free_port(HOST)), "-t", "t1", user="desk", to="0478123456")
    second.finish()
    record = server.new_record()
    assert (record["outcome"], record["trunk"]) == ("answered", "second")
    assert record["post_dial_delay_ms"] < 1000


# --- baresip over TLS ---------------------------------------------------------------------------------------


def test_baresip_calls_over_tls(switch: Switch, sipp: SippRunner, phone: list[Baresip]) -> None:
    require("baresip", "baresip-core")
    server = switch.server
    trunk = sipp.start("callee", server.carrier, "-t", "t1", "-rtp_echo")
    port = switch.ports["tls"]
    phone.append(
        Baresip(
            switch.trust.parent / "phone",
            (HOST, port),
            "desk",
            f"/dial sip:00212661234567@{HOST}:{port};transport=tls",
            transport="tls",
            trust=switch.trust,
        )
    )
    phone[0].says("Call established")
    assert switch.connections("tls") == 1
    before = server.metric("relay_packets_total")
    wait_for(lambda: server.metric("relay_packets_total") >= before + 100, "voice")
    phone[0].hang_up()
    trunk.finish()
    record = server.new_record()
    assert (record["outcome"], record["line"]) == ("answered", DESK)
    server.assert_at_rest()


# --- WebSocket ----------------------------------------------------------------------------------------------


async def register(client: ClientConnection, cseq: int, authorization: str = "") -> str:
    proof = f"Authorization: {authorization}\r\n" if authorization else ""
    await client.send(
        f"REGISTER sip:{HOST} SIP/2.0\r\nVia: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK{cseq}\r\n"
        f"From: <sip:desk@{HOST}>;tag=1\r\nTo: <sip:desk@{HOST}>\r\nCall-ID: ws\r\nCSeq: {cseq} REGISTER\r\n"
        f"Max-Forwards: 70\r\nContact: <sip:desk@df7jal23ls0d.invalid;transport=ws>;expires=60\r\n{proof}"
        "Content-Length: 0\r\n\r\n"
    )
    answer = await client.recv()
    assert isinstance(answer, str)
    return answer


@pytest.mark.parametrize("kind", ["ws", "wss"])
async def test_a_browser_registers_and_is_gone_with_its_connection(switch: Switch, kind: str) -> None:
    """With a Via and a Contact that lead nowhere, as RFC 7118 has them."""
    tls = ssl.create_default_context(cafile=str(switch.trust)) if kind == "wss" else None
    uri = f"{kind}://{HOST}:{switch.ports[kind]}/"
    async with connect(uri, subprotocols=[Subprotocol("sip")], ssl=tls, proxy=None) as client:
        challenge = await register(client, 1)
        assert challenge.startswith("SIP/2.0 401 ")
        answer = digest_answer(challenge, "REGISTER", f"sip:{HOST}", "desk", "desk-secret")
        assert (await register(client, 2, answer)).startswith("SIP/2.0 200 ")
        assert switch.server.metric("registrations") == 1
        assert switch.connections(kind) == 1
    wait_for(lambda: switch.server.metric("registrations") == 0, "the end of the binding")
