"""SIP messages as a capture file for Wireshark or sngrep: each in a UDP datagram between its addresses,
whatever it came over."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

LINKTYPE_RAW = 101
UDP = 17
LONGEST = 65_000


def pcap(rows: Iterable[dict[str, Any]]) -> bytes:
    """The file, of rows as `switch.net.trace.Trace.of` gives them."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 17, LINKTYPE_RAW)]
    for row in rows:
        packet = _packet(row["source"], row["target"], row["message"].encode()[:LONGEST])
        second, micro = divmod(int(row["at_ms"] * 1000), 1_000_000)
        parts.append(struct.pack("<IIII", second, micro, len(packet), len(packet)) + packet)
    return b"".join(parts)


def _packet(source: list[Any], target: list[Any], data: bytes) -> bytes:
    here, there = ip_address(source[0]), ip_address(target[0])
    length = 8 + len(data)
    addresses = here.packed + there.packed
    udp = struct.pack(">HHHH", source[1], target[1], length, 0) + data
    checksum = _checksum(addresses + struct.pack(">II", length, UDP) + udp) or 0xFFFF
    udp = udp[:6] + struct.pack(">H", checksum) + udp[8:]
    if here.version == 6:
        return struct.pack(">IHBB", 6 << 28, length, UDP, 64) + addresses + udp
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, UDP, 0) + addresses
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + udp


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
