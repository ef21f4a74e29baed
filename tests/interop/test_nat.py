"""baresip behind a router that translates addresses: it registers, calls and is called, and both hear."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakeServer, SippTo, require
from tests.interop.nat import Router
from tests.interop.network import free_port
from tests.interop.server import DESK, wait_for

pytestmark = pytest.mark.interop


@pytest.fixture
def router() -> Iterator[Router]:
    if os.geteuid() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and ip (Debian: iproute2)")
    require("nft", "nftables")
    try:
        made = Router()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this kernel lets nobody make a router: {error.stderr.strip()}")
    yield made
    made.close()


def test_a_phone_behind_nat_calls_and_is_called(
    router: Router, make_server: MakeServer, sipp_to: SippTo, tmp_path: Path
) -> None:
    """Its Contact and its SDP name an address that nobody outside can reach."""
    require("baresip", "baresip-core")
    server, port = make_server(), free_port(router.outside)
    assert server.stop() == 0
    listen = [{"host": server.host, "port": server.port}, {"host": router.outside, "port": port}]
    server.configure(sip={"listen": listen}, media={"hosts": [{"host": router.outside}]})
    server.start()
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier, "-rtp_echo")
    phone = Baresip(
        tmp_path / "phone",
        (router.outside, port),
        "desk",
        f"/dial sip:0478123456@{router.outside}:{port}",
        host=router.inside,
        within=router.within,
    )
    try:
        phone.says("Call established")
        before = server.metric("relay_packets_total")
        wait_for(lambda: server.metric("relay_packets_total") >= before + 150, "voice, there and back")
        (where,) = json.loads(server.command("registrations", "--json"))
        assert where["contact"].partition("@")[2].startswith(router.inside)
        phone.command("hangup")
        trunk.finish()
        record = server.new_record()
        assert (record["outcome"], record["line"]) == ("answered", DESK)
        sides = server.measured(record["call_id"])
        assert min(sides[side]["packets"] for side in ("caller", "callee")) > 50
        sipp.run("call-without-password", server.carrier, "-d", "500", to=DESK)
        assert server.new_record()["outcome"] == "answered"
    finally:
        phone.close()
