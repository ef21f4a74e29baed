"""A loopback network for each switch under test: addresses in 127.0.0.0/8, free ports, who listens."""

from __future__ import annotations

import random
import socket
import struct
from pathlib import Path

PORTS = range(20_000, 30_000)
MEDIA_PORTS = range(10_000, 20_000)
_random = random.SystemRandom()


class Network:
    """A /24 of loopback, so that two runs on one machine do not meet. `host(1)` is the switch by custom."""

    def __init__(self) -> None:
        self._prefix = f"127.{_random.randint(10, 250)}.{_random.randint(1, 250)}"

    def host(self, number: int) -> str:
        """An address of this network."""
        return f"{self._prefix}.{number}"


def free_port(host: str, ports: range = PORTS) -> int:
    """An even port of `host` that nobody has bound, for UDP or TCP, outside the kernel's own range."""
    for _ in range(200):
        port = _random.choice(ports[::2])
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((host, port))
        except OSError:
            continue
        return port
    raise RuntimeError(f"no port is free on {host}")


def is_bound(host: str, port: int) -> bool:
    """Whether some process has that address, for datagrams or a connection (proc(5), /proc/net)."""
    address = struct.unpack("=I", socket.inet_aton(host))[0]
    row = f": {address:08X}:{port:04X} "
    return any(row in Path("/proc/net", kind).read_text() for kind in ("udp", "tcp"))
