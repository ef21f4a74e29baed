"""`belswitch trace`: what is shown of what the switch remembers and what is on record."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from switch.cli.pcap import pcap
from switch.cli.trace import ladder_of, time_line
from switch.net.operator import OperatorListener
from switch.net.store import Store
from tests.switch.cli.conftest import Command
from tests.switch.cli.test_live import ask
from tests.switch.net.support import cdr
from tests.switch.net.test_store import put

PHONE, SWITCH, CARRIER = ["192.0.2.5", 40_000], ["192.0.2.1", 5060], ["2001:db8::7", 5060]
BEGAN_MS = cdr().invited_ms


def row(at_ms: float, peer: list[Any], message: str, *, sent: bool, transport: str = "udp") -> dict[str, Any]:
    source, target = (SWITCH, peer) if sent else (peer, SWITCH)
    return {
        "at_ms": BEGAN_MS + at_ms,
        "sent": sent,
        "transport": transport,
        "source": source,
        "target": target,
        "message": message,
    }


MESSAGES = [
    row(0.4, PHONE, "INVITE sip:0478@x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\nm=audio 1 RTP/AVP 8", sent=False),
    row(2, CARRIER, "INVITE sip:+32478@y SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n", sent=True, transport="tls"),
    row(900, CARRIER, "SIP/2.0 180 Ringing\r\nCSEQ: 1 INVITE\r\n\r\n", sent=False, transport="tls"),
]  # fmt: skip


def test_messages_and_facts_on_one_time_line() -> None:
    record = {**cdr().as_dict(), "media": {"0": {"caller": {"packets": 50, "lost": 1, "mos_x100": None}}}}
    lines = time_line([record], MESSAGES)
    assert lines[0] == "2026-11-24 15:00:00.000 UTC"
    assert lines[1] == "       0.0  from udp 192.0.2.5:40000          INVITE sip:0478@x (SDP)"
    assert lines[2].startswith("       0.6  **   +3216234567 calls +32478123456: allowed (line; BE_MOBILE)")
    assert lines[3] == "       1.6  to   tls [2001:db8::7]:5060       INVITE sip:+32478@y"
    assert lines[4] == "     899.6  from tls [2001:db8::7]:5060       180 Ringing (INVITE)"
    rest = "\n".join(lines[5:])
    for words in ("it rings, over carrier", "answered; plan classic", "0.1700 EUR/min", "released by caller"):
        assert words in rest
    assert "media 0, from the caller: packets 50, lost 1" in rest
    assert "(SDP)" not in rest


def test_whole_messages_and_a_refused_call() -> None:
    refused = cdr(
        verdict="barred-premium", outcome="refused", status=403, answered_ms=None, ringing_ms=None,
        segments=(), caused_by="other", origin="forward", line="",
    )  # fmt: skip
    lines = time_line([{**refused.as_dict(), "media": None}], MESSAGES[:1], full=True)
    assert "            | CSeq: 1 INVITE" in lines
    assert "barred-premium (forward, caused by other; BE_MOBILE)" in "\n".join(lines)
    assert "refused 403, released by caller" in lines[-1]


def test_a_ladder_has_a_column_for_each_party() -> None:
    header, *rungs = ladder_of(MESSAGES)
    assert header.split() == ["switch", "udp", "192.0.2.5:40000", "tls", "[2001:db8::7]:5060"]
    assert [rung.split()[0] for rung in rungs] == ["0.0", "1.6", "899.6"]
    assert rungs[0].endswith("--")
    assert rungs[1].endswith(">")
    assert len(rungs[1]) > len(rungs[0]) + 20
    assert "180 Ringing (INVITE)" in rungs[2]
    assert ladder_of([]) == []


def test_a_capture_file_as_others_read_it() -> None:
    """libpcap's format, checksums as RFC 791, 768 and 8200 have them: the sum over all is 0xFFFF."""
    data = pcap(MESSAGES)
    assert struct.unpack("<IHH", data[:8]) == (0xA1B2C3D4, 2, 4)
    assert struct.unpack("<I", data[20:24]) == (101,)
    at, packets = 24, []
    while at < len(data):
        second, micro, length, whole = struct.unpack("<IIII", data[at : at + 16])
        assert length == whole
        packets.append((second + micro / 1e6, data[at + 16 : at + 16 + length]))
        at += 16 + length
    assert [round(when * 1000 - BEGAN_MS) for when, _ in packets] == [0, 2, 900]
    first = packets[0][1]
    assert (first[0], first[9]) == (0x45, 17)
    assert struct.unpack(">H", first[2:4]) == (len(first),)
    assert _sum(first[:20]) == 0xFFFF
    assert _sum(first[12:20] + struct.pack(">II", len(first) - 20, 17) + first[20:]) == 0xFFFF
    assert first[28:].startswith(b"INVITE")


def test_a_capture_of_mixed_families_is_left_to_its_own() -> None:
    six = [row(0, ["2001:db8::7", 5060], "x", sent=False)]
    six[0]["target"] = ["2001:db8::1", 5060]
    packet = pcap(six)[40:]
    assert (packet[0] >> 4, packet[6]) == (6, 17)
    length = len(packet) - 40
    assert _sum(packet[8:40] + struct.pack(">II", length, 17) + packet[40:]) == 0xFFFF


def _sum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


# --- the command --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def asked(directory: Path) -> AsyncIterator[list[Any]]:
    """A switch that remembers a call; what it was asked for."""
    asked: list[Any] = []

    async def handle(request: Mapping[str, Any]) -> Any:
        asked.append(request["calls"])
        return MESSAGES if "call-1" in request["calls"] else []

    store = await Store.open(directory.parent / "data")
    records = [cdr("call-1", released_ms=BEGAN_MS + 60_000), cdr("call-2", caused_by="call-1")]
    await put(store, *records)
    await store.close()
    listener = OperatorListener({"trace": handle})
    await listener.start(directory.parent / "data" / "belswitch.sock")
    yield asked
    await listener.close()


async def test_what_belongs_together_is_asked_for_together(asked: list[Any], belswitch: Command) -> None:
    for name in ("call-1", "call-2"):
        result = await ask(belswitch, "trace", name)
        assert result.exit_code == 0, result.stderr
        assert "INVITE sip:0478@x (SDP)" in result.stdout
        assert result.stdout.count("calls +32478123456") == 2
    assert asked == [["call-1", "call-2"], ["call-2", "call-1"]]


async def test_json_ladder_and_capture(asked: list[Any], belswitch: Command, tmp_path: Path) -> None:
    told = json.loads((await ask(belswitch, "trace", "call-1", "--json")).stdout)
    assert told["messages"] == MESSAGES
    assert [record["call_id"] for record in told["records"]] == ["call-1", "call-2"]
    assert "switch" in (await ask(belswitch, "trace", "call-1", "--ladder")).stdout
    path = tmp_path / "call.pcap"
    result = await ask(belswitch, "trace", "call-1", "--pcap", str(path))
    assert result.stdout == f"3 messages in {path}\n"
    assert path.read_bytes() == pcap(MESSAGES)


async def test_an_unknown_call(asked: list[Any], belswitch: Command) -> None:
    result = await ask(belswitch, "trace", "nobody")
    assert result.exit_code == 1
    assert "nothing is known of a call nobody" in result.stderr


@pytest.mark.parametrize("name", ["call-1"])
async def test_without_a_switch_the_command_says_so(belswitch: Command, name: str) -> None:
    assert (await ask(belswitch, "trace", name)).exit_code == 1
