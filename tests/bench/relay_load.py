"""Processor time per relayed packet: `python -m tests.bench.relay_load --streams 500 --rtpengine`.

A separate process sends N two-way streams of 20 ms G.711 over loopback, spread over the frame, to the relay,
and with `--rtpengine` also to rtpengine in user space (`--table=-1`), in turn. Processor time is what the
scheduler accounts to the relaying process (/proc/PID/task/*/schedstat), the same for both. Packets that
arrived are counted by the kernel in the receiving sockets, which nobody reads: queue and drops together, so
that the receiver costs next to nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from array import array
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from struct import pack_into
from typing import Any

from switch.relay.srtp import Contexts, Srtp

SUITE = "AES_CM_128_HMAC_SHA1_80"
FRAME_S = 0.020
LATCHING = 2  # frames
SLOTS = 20  # a frame is sent in slots of 1 ms
PAYLOAD = 160
FIRST_PORT = 20_000
SO_MEMINFO = 55
MEMINFO_DROPS = 8
ROOT = Path(__file__).resolve().parents[2]
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Result:
    """One run: packets sent and relayed, processor time of the relaying process."""

    name: str
    sent: int
    relayed: int
    cpu_us: float

    @property
    def us_per_packet(self) -> float:
        return self.cpu_us / max(1, self.relayed)

    def __str__(self) -> str:
        lost = self.sent - self.relayed
        share = 100 * lost / max(1, self.sent)
        return (
            f"{self.name:10} {self.relayed:>9} relayed, {lost:>6} lost ({share:.2f} %), "
            f"{self.us_per_packet:6.2f} us CPU per packet"
        )


class Endpoint:
    """One end of a stream: sends to its relay port; what it receives is counted by the kernel, not read."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # holds about one packet
        self.sock.bind(("127.0.0.1", 0))
        self.address: Address = self.sock.getsockname()
        self.read = 0
        self.packet = bytearray(12 + PAYLOAD)
        self.packet[0] = 0x80
        self.packet[8:12] = os.urandom(4)
        self.srtp: Srtp | None = None

    def received(self) -> int:
        words = array("I", self.sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1)))
        self.sock.setblocking(False)
        while True:
            try:
                self.sock.recv(2048)
            except BlockingIOError:
                return self.read + words[MEMINFO_DROPS]
            self.read += 1


def send_load(endpoints: list[Endpoint], targets: list[Address], seconds: float, first: int = 0) -> int:
    """Send from each endpoint to its target every 20 ms, counting frames from `first`; the number of packets
    sent."""
    for endpoint, target in zip(endpoints, targets, strict=True):
        endpoint.sock.connect(target)
    slots = [endpoints[slot::SLOTS] for slot in range(SLOTS)]
    sent = 0
    due = time.monotonic()
    for frame in range(first, first + round(seconds / FRAME_S)):
        for slot in slots:
            if (ahead := due - time.monotonic()) > 0:
                time.sleep(ahead)
            due += FRAME_S / SLOTS
            for endpoint in slot:
                pack_into("!HI", endpoint.packet, 2, frame & 0xFFFF, frame * PAYLOAD & 0xFFFFFFFF)
                seal = endpoint.srtp.seal if endpoint.srtp is not None else bytes
                endpoint.sock.send(seal(memoryview(endpoint.packet)))
            sent += len(slot)
    time.sleep(0.2)
    return sent


def measure(name: str, pid: int, endpoints: list[Endpoint], targets: list[Address], seconds: float) -> Result:
    """One run of the load against the process `pid`, after frames that latch every stream."""
    send_load(endpoints, targets, LATCHING * FRAME_S)
    before_us, before = cpu_us(pid), sum(endpoint.received() for endpoint in endpoints)
    sent = send_load(endpoints, targets, seconds, LATCHING)
    spent_us = cpu_us(pid) - before_us
    return Result(name, sent, sum(endpoint.received() for endpoint in endpoints) - before, spent_us)


def cpu_us(pid: int) -> float:
    """Processor time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000


def run_relay(streams: int, seconds: float, *, srtp: bool = False) -> Result:
    """The load against `switch.relay`, with SRTP on one side of each stream or without; its own getrusage is
    printed beside the scheduler's figure."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, "-m", "switch.relay", "--fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
        ) as relay,
    ):
        theirs.close()
        ours.settimeout(30)

        def tell(*command: Any) -> None:
            ours.send(json.dumps(command).encode())

        def stats() -> dict[str, int]:
            tell("stats")
            answer = json.loads(ours.recv(65_536))
            if answer[0] != "stats":
                raise RuntimeError(f"the relay answers {answer}")
            counts: dict[str, int] = answer[1]
            return counts

        endpoints = [Endpoint() for _ in range(2 * streams)]
        targets = []
        for stream in range(streams):
            port = FIRST_PORT + 4 * stream
            tell("open", stream, 0, "127.0.0.1", port, "127.0.0.1", port + 2, True)
            for side in (0, 1):
                host, own = endpoints[2 * stream + side].address
                keys = encrypted(endpoints[2 * stream + side]) if srtp and side else None
                tell("aim", stream, 0, side, host, own, host, own + 1, None, 8000, keys)
                targets.append(("127.0.0.1", port + 2 * side))
        before = stats()
        result = measure("relay+srtp" if srtp else "relay", relay.pid, endpoints, targets, seconds)
        after = stats()
        packets = after["packets"] - before["packets"]
        own_us = (after["cpu_us"] - before["cpu_us"]) / max(1, packets)
        print(
            f"           the relay itself counts {packets} packets, {own_us:.2f} us each (getrusage), "
            f"{after['overruns'] - before['overruns']} overruns, {after['send_errors']} send errors"
        )
        for endpoint in endpoints:
            endpoint.sock.close()
        ours.close()
        relay.wait(5)
    return result


def encrypted(endpoint: Endpoint) -> list[str]:
    """Give an end SRTP; the keys as the relay is told them."""
    ours, theirs = (b64encode(os.urandom(30)).decode() for _ in range(2))
    endpoint.srtp = Srtp((SUITE, theirs, ours), Contexts())
    return [SUITE, ours, theirs]


def run_rtpengine(streams: int, seconds: float, threads: int | None) -> Result:
    """The same load against rtpengine without its kernel module."""
    endpoints = [Endpoint() for _ in range(2 * streams)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ng:
        ng.bind(("127.0.0.1", 0))
        ng.settimeout(5)
        ng_port = free_port()
        command = [
            "rtpengine",
            "--foreground",
            "--log-stderr",
            "--log-level=3",
            "--table=-1",
            "--interface=127.0.0.1",
            f"--listen-ng=127.0.0.1:{ng_port}",
            f"--port-min={FIRST_PORT}",
            f"--port-max={FIRST_PORT + 9_999}",
        ]
        if threads is not None:
            command.append(f"--num-threads={threads}")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as engine:
            try:
                wait_for_ng(ng, ng_port)
                targets = []
                for stream in range(streams):
                    caller, callee = endpoints[2 * stream : 2 * stream + 2]
                    tags = {"call-id": f"bench-{stream}", "from-tag": "a", "replace": ["origin"]}
                    offer = ask_ng(ng, ng_port, {"command": "offer", **tags, "sdp": sdp(caller.address)})
                    answer = ask_ng(
                        ng, ng_port, {"command": "answer", **tags, "to-tag": "b", "sdp": sdp(callee.address)}
                    )
                    # The answer as rewritten for the caller names the port the caller sends to.
                    targets += [media_address(answer["sdp"]), media_address(offer["sdp"])]
                return measure("rtpengine", engine.pid, endpoints, targets, seconds)
            finally:
                engine.terminate()
                for endpoint in endpoints:
                    endpoint.sock.close()


def ask_ng(ng: socket.socket, port: int, command: dict[str, Any]) -> dict[str, Any]:
    """One command of the ng protocol in JSON; each has a cookie of its own, or the old answer comes back."""
    cookie = os.urandom(8).hex()
    ng.sendto(f"{cookie} {json.dumps(command)}".encode(), ("127.0.0.1", port))
    while True:
        got, _, body = ng.recv(65_536).decode().partition(" ")
        if got == cookie:
            break
    answer: dict[str, Any] = json.loads(body)
    if answer.get("result") not in ("ok", "pong"):
        raise RuntimeError(f"rtpengine answers {answer}")
    return answer


def wait_for_ng(ng: socket.socket, port: int) -> None:
    """Ping until rtpengine listens."""
    ng.settimeout(0.2)
    for _ in range(50):
        try:
            ask_ng(ng, port, {"command": "ping"})
        except (TimeoutError, ConnectionError):
            continue
        ng.settimeout(5)
        return
    raise RuntimeError("rtpengine does not answer")


def sdp(address: Address) -> str:
    """A G.711 session at `address`."""
    host, port = address
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )


def media_address(text: str) -> Address:
    """The address of the first m-line."""
    lines = text.splitlines()
    host = next(line.split()[-1] for line in lines if line.startswith("c="))
    return host, int(next(line.split()[1] for line in lines if line.startswith("m=")))


def free_port() -> int:
    """A UDP port nobody holds at the moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    """Run the rounds and print the figures, and with rtpengine the ratio."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay_load", description=__doc__)
    parser.add_argument("--streams", type=int, default=100, help="two-way streams (default 100)")
    parser.add_argument("--seconds", type=float, default=10, help="length of a run (default 10)")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each relay (default 1)")
    parser.add_argument("--rtpengine", action="store_true", help="the same load against rtpengine, in turn")
    parser.add_argument("--srtp", action="store_true", help="the same load with SRTP on one side, in turn")
    parser.add_argument(
        "--threads", type=int, help="of rtpengine (default its own choice; 1 is its cheapest)"
    )
    arguments = parser.parse_args()
    contenders: list[Callable[[int, float], Result]] = [run_relay]
    if arguments.srtp:
        contenders.append(partial(run_relay, srtp=True))
    if arguments.rtpengine:
        if shutil.which("rtpengine") is None:
            parser.error("rtpengine is not installed (Debian: rtpengine-daemon)")
        contenders.append(partial(run_rtpengine, threads=arguments.threads))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    results: dict[str, list[Result]] = {}
    for _ in range(arguments.rounds):
        for run in contenders:
            result = run(arguments.streams, arguments.seconds)
            print(result, flush=True)
            results.setdefault(result.name, []).append(result)
    middle = {name: median(result.us_per_packet for result in runs) for name, runs in results.items()}
    if arguments.rtpengine:
        print(
            f"medians: relay {middle['relay']:.2f}, rtpengine {middle['rtpengine']:.2f} us; "
            f"ratio {middle['relay'] / middle['rtpengine']:.2f}"
        )


if __name__ == "__main__":
    main()
