"""Calls between SIPp and SIPp through the switch: what went over the wire, and the record of it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from rating.money import show
from tests.interop.conftest import MakeServer, SippTo
from tests.interop.network import free_port
from tests.interop.server import DECT, DESK, SOFTPHONE, Server
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop

MOROCCAN_MOBILE = "00212661234567"
"""Its price is the same at all hours (R-TAR-07): 1.16 a minute and 0.08 a call."""


@pytest.fixture
def phone(server: Server) -> tuple[str, int]:
    """Where the calling phone is."""
    host = server.network.host(11)
    return host, free_port(host)


@pytest.fixture
def other_phone(server: Server) -> tuple[str, int]:
    """Where a called phone is."""
    host = server.network.host(12)
    return host, free_port(host)


def price(seconds: int) -> int:
    """Of a call to a Moroccan mobile, in ten-thousandths of a euro, half up (R-RAT-04)."""
    return 800 + (seconds * 11_600 * 2 + 60) // 120


def check(record: dict[str, Any], **expected: Any) -> None:
    """The record says so, and all of it fits together."""
    assert {name: record[name] for name in expected} == expected
    if record["outcome"] == "answered":
        assert record["invited_ms"] <= record["answered_ms"] <= record["released_ms"]
        talked_ms = record["released_ms"] - record["answered_ms"]
        assert record["duration_s"] == max(1, -(-talked_ms // 1000))
    else:
        assert (record["duration_s"], record["amount"], record["answered_ms"]) == (0, 0, None)


def test_line_to_trunk_is_priced(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee", server.carrier)
    sipp.run("call", phone, "-d", "1100", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    record = server.new_record()
    check(
        record,
        outcome="answered",
        status=200,
        released_by="caller",
        origin="line",
        line=DESK,
        caller=DESK,
        dialled=MOROCCAN_MOBILE,
        called="+212661234567",
        trunk="carrier",
        plan="classic",
        flags=[],
    )
    assert record["duration_s"] >= 2
    assert record["amount"] == price(record["duration_s"])
    assert record["setup_fee"] == 800
    server.assert_at_rest()


def test_the_record_costs_what_was_foretold(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    """The what-if answer for the same second, number and length is the record's charge."""
    trunk = sipp.start("callee", server.carrier)
    sipp.run("call", phone, "-d", "1500", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    record = server.new_record()
    answered = datetime.fromtimestamp(record["answered_ms"] // 1000, UTC).isoformat()
    question = {
        "plan": record["plan"],
        "options": json.loads(record["options"]),
        "to": record["dialled"],
        "at": answered,
        "seconds": record["duration_s"],
    }
    told = subprocess.run(
        [sys.executable, "-m", "switch", "rate", "--batch", "-", "--config", str(server.config)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, (told.stdout, told.stderr)
    answer = json.loads(told.stdout)
    assert (answer["charge"], answer["setup"]) == (show(record["amount"]), show(record["setup_fee"]))
    assert [
        (one["start"], one["seconds"], one["per_minute"], one["source"], one["period"] == "peak")
        for one in answer["segments"]
    ] == [
        (one["start_s"], one["seconds"], show(one["per_minute"]), one["source"], one["peak"])
        for one in record["segments"]
    ]


def test_trunk_to_line(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("register", phone, user="desk", keys={"expires": "60"})
    callee = sipp.start("callee", phone, user="desk")
    sipp.run("call-without-password", server.carrier, to="016234567")
    callee.finish()
    check(
        server.new_record(),
        outcome="answered",
        origin="trunk",
        trunk="carrier",
        called=DESK,
        line="",
        amount=0,
        released_by="caller",
    )
    server.assert_at_rest()


def test_line_to_line_rings_every_contact(
    server: Server, sipp: SippRunner, phone: tuple[str, int], other_phone: tuple[str, int]
) -> None:
    third = server.network.host(13), free_port(server.network.host(13))
    for device in (other_phone, third):
        sipp.run("register", device, user="dect", keys={"expires": "60"})
    slow = sipp.start("callee-cancelled", third, user="dect", keys={"reason": "cause=200"})
    quick = sipp.start("callee", other_phone, "-d", "200", user="dect")
    sipp.run("call", phone, "-d", "200", user="desk", to="022345678")
    quick.finish()
    slow.finish()
    check(server.new_record(), outcome="answered", called=DECT, trunk="", origin="line", line=DESK, flags=[])
    server.assert_at_rest()


def test_callee_hangs_up(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-hangs-up", server.carrier, "-d", "200")
    sipp.run("call-until-hung-up", phone, user="softphone", to=MOROCCAN_MOBILE)
    trunk.finish()
    record = server.new_record()
    check(
        record, outcome="answered", released_by="callee", line=SOFTPHONE, plan="classic-in-klik", duration_s=1
    )
    assert record["amount"] == 800 + 138  # 0.83 a minute (R-TAR-07)
    server.assert_at_rest()


def test_cancel_costs_nothing(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-cancelled", server.carrier, keys={"reason": "cause=487"})
    sipp.run("cancel", phone, user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    check(server.new_record(), outcome="cancelled", status=487, released_by="caller", cause=16)
    server.assert_at_rest()


def test_busy(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-refuses", server.carrier, keys={"status": "486"})
    sipp.run("refused", phone, user="desk", to=MOROCCAN_MOBILE, keys={"status": "486"})
    trunk.finish()
    check(server.new_record(), outcome="busy", status=486, released_by="callee")
    server.assert_at_rest()


def test_unknown_number(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("refused", phone, user="desk", to="0172345678", keys={"status": "404"})
    check(server.new_record(), outcome="refused", status=404, released_by="switch", line=DESK, trunk="")
    server.assert_at_rest()


def test_line_that_is_not_registered(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("refused", phone, user="desk", to="081234567", keys={"status": "480"})
    check(server.new_record(), outcome="refused", status=480, verdict="not-registered")
    server.assert_at_rest()


def test_early_media(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-early-media", server.carrier)
    sipp.run("early-media", phone, "-d", "100", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    record = server.new_record()
    check(record, outcome="answered", duration_s=1, amount=price(1))
    assert record["post_dial_delay_ms"] < record["setup_ms"]
    server.assert_at_rest()


def test_late_offer(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-offers", server.carrier)
    sipp.run("late-offer", phone, "-d", "100", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    check(server.new_record(), outcome="answered", amount=price(1), flags=[])
    server.assert_at_rest()


def test_hold_and_resume(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-on-hold", server.carrier)
    sipp.run("hold", phone, "-d", "150", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    check(server.new_record(), outcome="answered", amount=price(1), flags=[])
    server.assert_at_rest()


def test_info_passes_through(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee-gets-info", server.carrier)
    sipp.run("info", phone, user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    check(server.new_record(), outcome="answered", amount=price(1))
    server.assert_at_rest()


def test_late_ack_has_the_answer_repeated(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    before = server.metric('sip_retransmissions_total{direction="sent"}')
    trunk = sipp.start("callee", server.carrier)
    sipp.run("late-ack", phone, "-d", "100", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    assert server.metric('sip_retransmissions_total{direction="sent"}') >= before + 2
    check(server.new_record(), outcome="answered", released_by="caller", flags=[])
    server.assert_at_rest()


def test_no_ack_ends_the_call(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee", server.carrier)
    sipp.run("no-ack", phone, user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    record = server.new_record()
    check(record, outcome="answered", duration_s=4, amount=price(4))
    assert record["flags"]
    server.assert_at_rest()


def test_doubled_messages_are_absorbed(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    before = server.metric('sip_retransmissions_total{direction="received"}')
    trunk = sipp.start("callee", server.carrier)
    sipp.run("repeat", phone, "-d", "200", user="desk", to=MOROCCAN_MOBILE)
    trunk.finish()
    assert server.metric('sip_retransmissions_total{direction="received"}') >= before + 2
    check(server.new_record(), outcome="answered", flags=[], duration_s=1)
    server.assert_at_rest()


def test_dead_trunk_is_passed_over(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    trunk = sipp.start("callee", server.carrier)
    sipp.run("call", phone, "-d", "100", user="desk", to="0033123456789")
    trunk.finish()
    record = server.new_record()
    check(record, outcome="answered", trunk="carrier", called="+33123456789")
    assert record["setup_ms"] >= 300
    server.assert_at_rest()


def test_failing_trunk_is_passed_over(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    first = sipp.start("callee-refuses", server.carrier, keys={"status": "503"})
    second = sipp.start("callee", server.second)
    sipp.run("call", phone, "-d", "100", user="desk", to=MOROCCAN_MOBILE)
    first.finish()
    second.finish()
    check(server.new_record(), outcome="answered", trunk="second", amount=price(1))
    server.assert_at_rest()


def test_emergency_call_needs_no_password(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    centre = sipp.start("centre", server.gateways[0], keys={"number": "16234567"})
    sipp.run("call-without-password", phone, "-d", "100", user="desk", to="112")
    centre.finish()
    check(
        server.new_record(),
        outcome="answered",
        emergency=1,
        line=DESK,
        called="112",
        amount=0,
        trunk="psap-gw1",
    )
    server.assert_at_rest()


def test_emergency_call_takes_the_other_gateway(
    server: Server, sipp: SippRunner, phone: tuple[str, int]
) -> None:
    centre = sipp.start("centre", server.gateways[1], keys={"number": "16234567"})
    sipp.run("call-without-password", phone, "-d", "100", user="desk", to="112")
    centre.finish()
    check(server.new_record(), outcome="answered", emergency=1, amount=0, trunk="psap-gw2")
    server.assert_at_rest()


def test_what_was_said_can_be_looked_at(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    """`belswitch trace`: both legs and the record on one time line, without the proof of the password."""
    trunk = sipp.start("callee", server.carrier)
    sipp.run("call", phone, user="desk", to="0478123456")
    trunk.finish()
    record = server.new_record()
    told = server.command("trace", record["call_id"], "--full")
    for words in (
        "Authorization: (hidden)",
        "200 OK (INVITE) (SDP)",
        "BYE sip:",
        "answered 200, released by",
    ):
        assert words in told
    line = [row for row in told.splitlines() if "|" not in row]
    counts = [sum(words in row for row in line) for words in (" 200 OK (INVITE)", " ACK sip:", " BYE sip:")]
    assert counts == [2, 3, 2], "one ACK is that of the 401"
    ladder = server.command("trace", record["call_id"], "--ladder")
    assert f"udp {server.carrier[0]}:{server.carrier[1]}" in ladder


def test_every_message_goes_to_a_capture_server(make_server: MakeServer, sipp_to: SippTo) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as capture:
        capture.bind(("127.0.0.1", 0))
        host, port = capture.getsockname()
        server = make_server(trace={"hep": {"host": host, "port": port}})
        sipp = sipp_to(server)
        trunk = sipp.start("callee", server.carrier)
        sipp.run(
            "call",
            (server.network.host(11), free_port(server.network.host(11))),
            user="desk",
            to="0478123456",
        )
        trunk.finish()
        server.new_record()
        capture.settimeout(1)
        seen = []
        with suppress(TimeoutError):
            while True:
                seen.append(capture.recv(65_535))
    for words in (b"INVITE sip:0478123456@", b"INVITE sip:+32478123456@", b"SIP/2.0 200 OK", b"BYE sip:"):
        assert sum(words in packet for packet in seen) >= 1
    assert all(packet[:4] == b"HEP3" for packet in seen)
    assert not any(b"response=" in packet for packet in seen)
