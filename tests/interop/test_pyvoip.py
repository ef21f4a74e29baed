"""Two pyVoIP phones call each other and hear each other's tone; one calls for help, and a baresip is the
centre."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakePhone, MakeServer, require
from tests.interop.network import is_bound
from tests.interop.pyvoip import CALLEE_HZ, CALLER_HZ
from tests.interop.pyvoip_phone import power
from tests.interop.server import SOFTPHONE, Server, wait_for

pytestmark = pytest.mark.interop


def test_tone_arrives_in_both_directions(server: Server, phones: MakePhone) -> None:
    callee = phones(server, server.network.host(12), "dect", CALLEE_HZ)
    callee.says("registered")
    caller = phones(server, server.network.host(11), "softphone", CALLER_HZ, "--call", "022345678")
    caller.says("registered")
    callee.says("ringing")
    caller.says("answered")
    for phone, own_hz, other_hz in ((caller, CALLER_HZ, CALLEE_HZ), (callee, CALLEE_HZ, CALLER_HZ)):
        heard = phone.says("heard")
        assert heard["samples"] > 8000
        assert heard["power"][str(other_hz)] > 0.3, heard
        assert heard["power"][str(own_hz)] < 0.05, heard
    caller.says("ended")
    callee.says("ended")
    record = server.new_record()
    assert (record["outcome"], record["released_by"], record["line"]) == ("answered", "caller", SOFTPHONE)
    assert record["device"].startswith("pyVoIP")
    assert 2 <= record["duration_s"] <= 6
    server.assert_at_rest()
    sides = server.measured(record["call_id"])
    for side in ("caller", "callee"):
        assert sides[side]["packets"] > 80
    assert sides["caller"]["strangers"] == 0
    assert sides["callee"]["strangers"] <= 2  # what pyVoIP sends before the 200 that says from where


def test_calls_for_help_and_is_heard(make_server: MakeServer, phones: MakePhone, tmp_path: Path) -> None:
    """The centre answers, and both hear each other."""
    require("baresip", "baresip-core")
    server = make_server(gateway={"request": "digits", "body": False})
    at = server.gateways[0]
    centre = Baresip(tmp_path / "centre", (server.host, server.port), "112", at=at, tone_hz=CALLEE_HZ)
    try:
        wait_for(lambda: is_bound(*at), "centre")
        caller = phones(server, server.network.host(11), "softphone", CALLER_HZ, "--call", "112")
        caller.says("registered")
        caller.says("answered")
        heard = caller.says("heard")
        assert heard["samples"] > 8000
        assert heard["power"][str(CALLEE_HZ)] > 0.3, heard
        assert heard["power"][str(CALLER_HZ)] < 0.05, heard
        caller.says("ended")
        centre.says("terminated")
        assert power(centre.heard(), CALLER_HZ) > 0.3
        assert power(centre.heard(), CALLEE_HZ) < 0.05
        record = server.new_record()
    finally:
        centre.close()
    assert (record["outcome"], record["line"], record["trunk"]) == ("answered", SOFTPHONE, "psap-gw1")
    assert (record["called"], record["emergency"], record["amount"]) == ("112", 1, 0)
    assert record["destination_class"] == "EMERGENCY"
    server.assert_at_rest()
    sides = server.measured(record["call_id"])
    for side in ("caller", "callee"):
        assert sides[side]["packets"] > 80
    assert server.stop() == 0
