"""A real relay process on loopback and parties that talk through it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import pack
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 5.0
SILENCE_S = 0.05  # how long to listen before believing that nothing comes


class Relay:
    """A relay process and the parent's end of its command socket."""

    def __init__(self, **limits: Any) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "switch.relay", "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=ROOT,
                **limits,
            )
        self.channel.settimeout(PATIENCE_S)

    def tell(self, *command: Any) -> None:
        self.channel.send(json.dumps(command).encode())

    def hear(self) -> list[Any]:
        message: list[Any] = json.loads(self.channel.recv(65_536))
        return message

    def ask(self, *command: Any) -> list[Any]:
        self.tell(*command)
        return self.hear()

    def settled(self) -> dict[str, int]:
        """The counters once all commands before have been carried out, every one of them in order."""
        kind, counters = self.ask("stats")
        assert kind == "stats", (kind, counters)
        return dict(counters)

    def end(self) -> None:
        self.channel.close()
        try:
            self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()


class Party:
    """A UDP socket: one phone's RTP or RTCP port."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sock = socket.socket(family(host), socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.host, self.port = self.sock.getsockname()[:2]

    def __del__(self) -> None:
        self.sock.close()

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        self.sock.sendto(data, to)

    def receive(self) -> tuple[bytes, tuple[str, int]]:
        self.sock.settimeout(PATIENCE_S)
        data, source = self.sock.recvfrom(65_536)
        return data, source[:2]

    def hears_nothing(self) -> bool:
        self.sock.settimeout(SILENCE_S)
        with contextlib.suppress(TimeoutError):
            self.sock.recvfrom(65_536)
            return False
        return True


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a stream is open on the relay: the RTP address of both sides, RTCP one port above."""

    caller: tuple[str, int]
    callee: tuple[str, int]

    def rtcp(self, side: int) -> tuple[str, int]:
        host, port = (self.caller, self.callee)[side]
        return host, port + 1


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_FIRST = 10_000 + 3000 * (_WORKER % 2)
_pairs = itertools.cycle(range(_FIRST, _FIRST + 3000, 2))
"""Ports below those that the kernel deals out, each part of the range for one test process, dealt in turn:
nobody takes a port between its being found and its being used."""


def free_pair(host: str) -> int:
    """An even port that is free together with the next one."""
    for port in itertools.islice(_pairs, 1500):
        with (
            socket.socket(family(host), socket.SOCK_DGRAM) as first,
            socket.socket(family(host), socket.SOCK_DGRAM) as second,
        ):
            try:
                first.bind((host, port))
                second.bind((host, port + 1))
            except OSError:
                continue
            return port
    raise OSError("no pair of ports is free")


def open_stream(
    relay: Relay,
    session: int,
    stream: int = 0,
    hosts: tuple[str, str] = ("127.0.0.1", "127.0.0.1"),
    rtcp: bool = True,
) -> Stream:
    """Open a stream on free ports."""
    caller, callee = free_pair(hosts[0]), free_pair(hosts[1])
    while abs(caller - callee) < 2:
        callee = free_pair(hosts[1])
    relay.tell("open", session, stream, hosts[0], caller, hosts[1], callee, rtcp)
    return Stream((hosts[0], caller), (hosts[1], callee))


def aim(
    relay: Relay,
    session: int,
    side: int,
    rtp: Party,
    rtcp: Party | None = None,
    learn: str | None = None,
    stream: int = 0,
) -> None:
    """Aim a side at a party that signalled its own addresses; without `rtcp` it multiplexes."""
    control = (rtcp.host, rtcp.port) if rtcp is not None else (rtp.host, 0)
    relay.tell("aim", session, stream, side, rtp.host, rtp.port, *control, learn)


def rtp(sequence: int = 1, payload: bytes = b"voice", ssrc: int = 0xCAFE) -> bytes:
    return pack("!BBHII", 0x80, 8, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, ssrc) + payload


def rtcp(text: bytes = b"report..") -> bytes:
    """A receiver report without blocks, followed by `text`."""
    return pack("!BBHI", 0x80, 201, 1, 0xCAFE) + text


@contextlib.contextmanager
def running_relay(**limits: Any) -> Iterator[Relay]:
    relay = Relay(**limits)
    try:
        yield relay
    finally:
        relay.end()
