"""What goes wrong in service: the switch is killed, stopped, misconfigured, denied its disk, shouted at."""

from __future__ import annotations

import random
import signal
import socket
import sqlite3
from time import sleep

import pytest

from tests.interop.conftest import MakeServer, SippTo
from tests.interop.network import free_port
from tests.interop.server import ROOT, Server, wait_for
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop

MOROCCAN_MOBILE = "00212661234567"


def phone(server: Server) -> tuple[str, int]:
    """Where a phone can be."""
    host = server.network.host(11)
    return host, free_port(host)


def one_call(server: Server, sipp: SippRunner) -> None:
    """A short call from a line to the trunk, as it should be."""
    trunk = sipp.start("callee", server.carrier)
    sipp.run("call", phone(server), "-d", "50", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()


def wait_for_answer(server: Server) -> None:
    """Wait until a call is running and known on disk, so that its end is known too."""
    wait_for(lambda: server.metric("calls_answered") == 1, "answered call")
    wait_for(lambda: server.metric("records_queued") == 0, "written journal")


def test_killed_in_mid_call(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server()
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier)
    caller = sipp.start("call-until-hung-up", phone(server), user="desk", to=MOROCCAN_MOBILE)
    wait_for_answer(server)
    server.kill()
    server.start()
    caller.finish()
    trunk.finish()
    record = server.new_record()
    assert (record["outcome"], record["released_by"], record["flags"]) == ("answered", "switch", ["restart"])
    assert record["setup_fee"] == 800
    assert record["amount"] >= 993
    server.assert_at_rest()
    one_call(server, sipp)
    assert server.new_record()["flags"] == []
    assert server.stop() == 0


def test_stop_ends_running_calls(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(calls={"stop": "end"})
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier)
    caller = sipp.start("call-until-hung-up", phone(server), user="desk", to=MOROCCAN_MOBILE)
    wait_for_answer(server)
    assert server.stop() == 0
    caller.finish()
    trunk.finish()
    record = server.new_record()
    assert (record["outcome"], record["released_by"], record["flags"]) == ("answered", "switch", ["shutdown"])


def test_stop_waits_for_running_calls_and_takes_no_more(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(calls={"stop": "wait", "stop_wait_s": 10})
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier)
    caller = sipp.start("call", phone(server), "-d", "2000", user="desk", to=MOROCCAN_MOBILE)
    wait_for_answer(server)
    server.signal(signal.SIGTERM)
    wait_for(lambda: not server.is_ready(), "refusal of readiness")
    sipp.run("refused", phone(server), user="dect", to=MOROCCAN_MOBILE, keys={"status": "503"})
    caller.finish()
    trunk.finish()
    assert server.wait() == 0
    refused, ended = server.new_records(2)
    assert (refused["outcome"], refused["verdict"]) == ("refused", "stopping")
    assert (ended["outcome"], ended["released_by"], ended["flags"]) == ("answered", "caller", [])


def test_stop_waits_no_longer_than_configured(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(calls={"stop": "wait", "stop_wait_s": 1})
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier)
    caller = sipp.start("call-until-hung-up", phone(server), user="desk", to=MOROCCAN_MOBILE)
    wait_for_answer(server)
    assert server.stop() == 0
    caller.finish()
    trunk.finish()
    record = server.new_record()
    assert record["flags"] == ["shutdown"]
    assert record["released_ms"] - record["answered_ms"] >= 1000


def test_no_answer(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(calls={"ring_s": 1})
    sipp = sipp_to(server)
    called = server.network.host(12), free_port(server.network.host(12))
    sipp.run("register", called, user="dect", keys={"expires": "60"})
    callee = sipp.start("callee-cancelled", called, user="dect", keys={"reason": "cause=102"})
    sipp.run("refused", phone(server), user="desk", to="022345678", keys={"status": "480"})
    callee.finish()
    record = server.new_record()
    assert (record["outcome"], record["status"], record["cause"]) == ("no-answer", 480, 19)
    assert record["released_ms"] - record["invited_ms"] >= 1000
    server.assert_at_rest()


def test_trunks_are_probed(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(trunk={"probe_s": 1})
    assert server.metric('trunk_up{trunk="carrier"}') == 1
    sipp_to(server).run("callee-probed", server.second, calls=3)
    assert server.metric('trunk_up{trunk="second"}') == 1
    wait_for(lambda: server.metric('trunk_up{trunk="carrier"}') == 0, "two probes without answer")
    assert server.stop() == 0


def test_wrong_configuration_leaves_the_old_one_in_force(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server()
    sipp = sipp_to(server)
    server.configure(calls={"ring_s": -1, "rung_s": 3}, media={"relays": 0})
    server.signal(signal.SIGHUP)
    wait_for(lambda: "reload_refused" in server.log_text(), "refusal")
    log = server.log_text()
    for key in ("calls.ring_s", "calls.rung_s", "media.relays"):
        assert key in log
    one_call(server, sipp)
    assert server.new_record()["outcome"] == "answered"
    server.configure(calls={"max_per_line": 1})
    server.signal(signal.SIGHUP)
    wait_for(lambda: '"event": "reloaded"' in server.log_text(), "reload")
    one_call(server, sipp)
    assert server.new_record()["outcome"] == "answered"
    assert server.stop() == 0


def test_database_in_other_hands_for_a_while(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server()
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier, calls=30)
    other = sqlite3.connect(server.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    caller = sipp.start(
        "call", phone(server), "-r", "30", "-d", "100", user="desk", to=MOROCCAN_MOBILE, calls=30
    )
    sleep(1.5)
    assert server.is_ready()
    other.execute("ROLLBACK")
    other.close()
    caller.finish()
    trunk.finish()
    records = server.new_records(30)
    assert {record["outcome"] for record in records} == {"answered"}
    assert server.metric("journal_late_total") > 0
    server.assert_at_rest()
    assert server.stop() == 0


def test_hostile_datagrams(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(bans={"enabled": False})  # so that all of them are parsed
    sipp = sipp_to(server)
    chance = random.Random(4475)
    messages = [path.read_bytes() for path in sorted((ROOT / "tests/torture/rfc4475").glob("*.dat"))]
    assert len(messages) > 40
    noise = [chance.randbytes(chance.randrange(1, 2000)) for _ in range(500)]
    hurt = [_hurt(chance.choice(messages), chance) for _ in range(2000)]
    for source in ((server.network.host(11), 0), server.second):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(source)
            for number, data in enumerate([*messages, *noise, *hurt]):
                sock.sendto(data, (server.host, server.port))
                if number % 100 == 0:
                    sleep(0.01)
    wait_for(server.is_ready, "readiness")
    assert server.metric("sip_parse_errors_total") > 100
    assert server.metric("internal_errors_total") == 0, server.log_text()[-3000:]
    server.forget_records()
    one_call(server, sipp)
    server.assert_at_rest(transactions=True)
    assert server.stop() == 0
    assert "Traceback" not in server.log_text()


def _hurt(message: bytes, chance: random.Random) -> bytes:
    """A message with some bytes changed, lost, or doubled."""
    data = bytearray(message)
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(data))
        end = min(len(data), start + chance.randrange(1, 20))
        match chance.randrange(3):
            case 0:
                data[start] = chance.randrange(256)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
        if not data:
            return b"\r\n"
    return bytes(data)
