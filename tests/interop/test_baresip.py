"""baresip registers, calls a trunk and is called by one; its voice passes the relay and SIPp echoes it."""

from __future__ import annotations

import pytest

from tests.interop.conftest import MakeBaresip
from tests.interop.network import free_port
from tests.interop.server import DESK, Server, wait_for
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop


def wait_for_voice(server: Server) -> None:
    """Wait for a second of voice, there and back."""
    before = server.metric("relay_packets_total")
    wait_for(lambda: server.metric("relay_packets_total") >= before + 100, "voice")


def test_calls_a_trunk(server: Server, sipp: SippRunner, make_baresip: MakeBaresip) -> None:
    trunk = sipp.start("callee", server.carrier, "-rtp_echo")
    phone = make_baresip("desk", f"/dial sip:00212661234567@{server.host}:{server.port}")
    phone.says("Call established")
    assert server.metric("registrations") == 1
    wait_for_voice(server)
    phone.hang_up()
    trunk.finish()
    record = server.new_record()
    assert (record["outcome"], record["line"], record["trunk"]) == ("answered", DESK, "carrier")
    assert record["device"].startswith("baresip")
    assert record["amount"] > 800
    sides = server.measured(record["call_id"])
    assert sides["caller"]["packets"] > 50
    assert sides["callee"]["packets"] > 50
    server.assert_at_rest()


def test_voice_outlives_the_relay(server: Server, sipp: SippRunner, make_baresip: MakeBaresip) -> None:
    trunk = sipp.start("callee", server.carrier, "-rtp_echo")
    phone = make_baresip("desk", f"/dial sip:00212661234567@{server.host}:{server.port}")
    phone.says("Call established")
    wait_for_voice(server)
    server.kill_relay()
    wait_for_voice(server)
    phone.hang_up()
    trunk.finish()
    record = server.new_record()
    assert (record["outcome"], record["flags"]) == ("answered", ["relay-restarted"])
    server.assert_at_rest()


def test_calls_for_help(server: Server, sipp: SippRunner, make_baresip: MakeBaresip) -> None:
    centre = sipp.start("centre", server.gateways[0], "-rtp_echo", keys={"number": "16234567"})
    phone = make_baresip("desk", f"/dial sip:112@{server.host}:{server.port}")
    phone.says("Call established")
    wait_for_voice(server)
    phone.hang_up()
    centre.finish()
    record = server.new_record()
    assert (record["outcome"], record["line"], record["trunk"]) == ("answered", DESK, "psap-gw1")
    assert (record["called"], record["emergency"], record["amount"]) == ("112", 1, 0)
    assert record["destination_class"] == "EMERGENCY"
    assert record["device"].startswith("baresip")
    sides = server.measured(record["call_id"])
    assert sides["caller"]["packets"] > 50
    assert sides["callee"]["packets"] > 50
    server.assert_at_rest()


def test_is_called_by_a_trunk(server: Server, sipp: SippRunner, make_baresip: MakeBaresip) -> None:
    phone = make_baresip("dect")
    phone.says("200 OK")
    sipp.start("call-without-password", server.carrier, "-rtp_echo", "-d", "2000", to="022345678").finish()
    phone.says("Call established")
    record = server.new_record()
    assert (record["outcome"], record["origin"], record["released_by"]) == ("answered", "trunk", "caller")
    sides = server.measured(record["call_id"])
    assert sides["caller"]["packets"] > 50
    assert sides["callee"]["packets"] > 50
    server.assert_at_rest()


def test_hears_a_key_that_was_told_by_info(
    server: Server, sipp: SippRunner, make_baresip: MakeBaresip, voice: str
) -> None:
    """As a telephone event, in the other party's own stream."""
    called = make_baresip("dect")
    wait_for(lambda: server.metric("registrations") == 1, "a registration")
    where = server.network.host(11), free_port(server.network.host(11))
    sipp.run("keys", where, "-d", "1500", user="desk", to="022345678", keys={"voice": voice})
    called.says(r"received event: '5' \(end=1\)")
    assert server.new_record()["outcome"] == "answered"
    assert server.metric("relay_keys_total") == 1
