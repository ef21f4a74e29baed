"""Every SIP message as a HEP packet to a capture server, such as Homer (HEP version 3).

The packets are UDP and nobody answers them: what cannot be sent is counted and forgotten. What
`switch.net.trace` hides is hidden here too. A packet that would not fit a datagram is cut at its end.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from struct import Struct

from switch.net.trace import without_secrets
from switch.ports import Address, Flow, Moment

LARGEST = 60_000
"""Octets of a message that are sent on."""

_CHUNK = Struct("!HHH")
_HEAD = Struct("!4sH")
_FAMILY, _PROTOCOL, _SECONDS, _MICROSECONDS, _KIND, _CAPTURE_ID, _PAYLOAD = 1, 2, 9, 10, 11, 12, 15
_SOURCE, _TARGET = {4: 3, 6: 5}, {4: 4, 6: 6}
_SOURCE_PORT, _TARGET_PORT = 7, 8
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_SIP = 1
_UDP, _TCP = 17, 6


class Hep:
    """Sends to one capture server, which knows us by `capture_id`."""

    def __init__(self, server: Address, capture_id: int) -> None:
        """Raises OSError when there is no socket to be had."""
        self.failures = 0
        self._capture_id = capture_id
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._server = tuple(server)

    def add(self, now: Moment, flow: Flow, data: bytes, *, sent: bool) -> None:
        """A message came or went."""
        try:
            self._sock.sendto(
                packet_of(now, flow, data, sent=sent, capture_id=self._capture_id), self._server
            )
        except (OSError, ValueError):
            self.failures += 1

    def close(self) -> None:
        """No more of it."""
        self._sock.close()


def packet_of(now: Moment, flow: Flow, data: bytes, *, sent: bool, capture_id: int) -> bytes:
    """The HEP3 packet of a message. Raises ValueError for a flow that has no addresses."""
    source, target = (flow.local, flow.remote) if sent else (flow.remote, flow.local)
    from_ip, to_ip = (ip_address(one.host.partition("%")[0]) for one in (source, target))
    seconds, rest_ns = divmod(now.wall_ns, 1_000_000_000)
    chunks = [
        (_FAMILY, int(_FAMILIES[from_ip.version]).to_bytes(1, "big")),
        (_PROTOCOL, (_TCP if flow.reliable else _UDP).to_bytes(1, "big")),
        (_SOURCE[from_ip.version], from_ip.packed),
        (_TARGET[to_ip.version], to_ip.packed),
        (_SOURCE_PORT, source.port.to_bytes(2, "big")),
        (_TARGET_PORT, target.port.to_bytes(2, "big")),
        (_SECONDS, seconds.to_bytes(4, "big")),
        (_MICROSECONDS, (rest_ns // 1000).to_bytes(4, "big")),
        (_KIND, _SIP.to_bytes(1, "big")),
        (_CAPTURE_ID, capture_id.to_bytes(4, "big")),
        (_PAYLOAD, without_secrets(data)[:LARGEST]),
    ]
    body = b"".join(_CHUNK.pack(0, kind, 6 + len(value)) + value for kind, value in chunks)
    return _HEAD.pack(b"HEP3", 6 + len(body)) + body
