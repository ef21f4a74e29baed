"""Memory and state of a switch under a million hostile datagrams: `python -m tests.bench.hostile`.

They are those of `tests.torture.hostile`, over loopback, from thousands of addresses: half of them from a
few hundred, half from all over 127.0.0.0/8. No more are sent than are read: before each batch the queue of
the switch in the kernel has to be short, and what the kernel lost all the same is counted (/proc/net/udp).
Carrier and emergency centre answer; a phone registers, calls, and calls for help all the while. Once with
bans and once without, where everything gets as far as it can.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from switch.ports import Address
from switch.sip.auth import parse_digest
from tests.bench.load import NUMBER, Load, store_lines
from tests.interop.network import free_port
from tests.torture.hostile import Hostile, Place

DATAGRAMS = 1_000_000
STEPS = 10
SETTLED = 0.2
"""After this part of them whatever has a bound is at it: bans, the trace."""
LEAK = 50.0
"""Octets for each datagram that are called growth without bound: the smallest object with its place in a
table takes more. Ended calls lie about until the collector comes by; with 32 calls for help at a time, each
ended after 32 s, that is seen as steps of some MiB."""

BATCH = 64
MOST_QUEUED = 256 * 1024
"""Octets that may wait in the kernel for the switch, as the kernel counts them: some 30 ms of its time."""
MOST_RATE = 10_000
"""Datagrams a second."""
REST_S, REST_MORE_S = 35.0, 60.0
"""A transaction lives for 32 s; an answered call nobody acknowledges for as long, and its BYE after it."""
LINES = 100
USER, PASSWORD = "desk", "desk-secret"
TALK_MS = 200
KINDS = ("clients", "servers", "dialogs")
LOOKS = 20
IP_PKTINFO = 8
PORTS = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of the switch after so many datagrams. Memory in KiB."""

    sent: int
    per_s: float
    signalling: int
    relay: int
    transactions: int
    dialogs: int
    calls: int
    registrations: int
    bans: int
    remembered: int
    lost: int

    def __str__(self) -> str:
        return (
            f"{self.sent:>9,} {self.per_s:>7,.0f}/s {self.signalling:>8,} {self.relay:>7,} "
            f"{self.transactions:>6} {self.dialogs:>5} {self.calls:>5} {self.registrations:>4} "
            f"{self.bans:>6} {self.remembered:>7} {self.lost:>5}"
        )


HEADING = (
    "     sent      rate  signalling/relay KiB   transactions, dialogs, calls, registrations, bans, "
    "timers, lost"
)


@dataclass(slots=True)
class Outcome:
    """What a run showed. `register_s`, `call_s` and `help_s` have the seconds of what a phone did meanwhile,
    None for what failed; `faults` is all that must not be."""

    name: str
    looks: list[Look] = field(default_factory=list)
    register_s: list[float | None] = field(default_factory=list)
    call_s: list[float | None] = field(default_factory=list)
    help_s: list[float | None] = field(default_factory=list)
    counted: int = 0
    rest_s: float = 0.0
    left: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def growth_kib(self) -> int:
        """Of the signalling process, from where it is settled to the last datagram."""
        return self._late[-1].signalling - self._late[0].signalling

    @property
    def relay_growth_kib(self) -> int:
        """Of the relay process."""
        return self._late[-1].relay - self._late[0].relay

    @property
    def per_datagram(self) -> float:
        """Octets."""
        return 1024 * self.growth_kib / max(1, self._late[-1].sent - self._late[0].sent)

    @property
    def _late(self) -> list[Look]:
        total = self.looks[-1].sent
        return [look for look in self.looks if look.sent >= SETTLED * total]

    def verdict(self) -> str:
        """One line."""
        first, last = self._late[0], self._late[-1]
        state = f"left {self.left}" if self.left else f"nothing is left {self.rest_s:.0f} s later"
        size = "bounded" if self.per_datagram < LEAK else "NOT BOUNDED"
        return (
            f"{self.name}: {size}: {self.growth_kib:+,} KiB from {first.sent:,} to {last.sent:,}, "
            f"{self.per_datagram:+.2f} octets a datagram (relay {self.relay_growth_kib:+,} KiB); {state}; "
            f"{'; '.join(self.faults) or 'no fault'}"
        )


class Flood:
    """Hostile datagrams to one switch, each from an address of its own choice."""

    def __init__(self, load: Load, seed: int) -> None:
        server = self._server = load.server
        self.sent = 0
        self.target = Address(server.host, server.port)
        self._victim = _socket((server.network.host(99), 0))
        self._sockets = [_socket(("0.0.0.0", 0)) for _ in range(PORTS)]
        self._ports = [sock.getsockname()[1] for sock in self._sockets]
        victim = Address(*self._victim.getsockname())
        place = Place(self.target, server.host, "belswitch", (USER, "dect", "line00001"), victim)
        self.hostile = Hostile(place, seed, nonce=self._ask_for_nonce(place))
        self._random = random.Random(seed)
        packed = socket.inet_aton(server.host)
        self._row = f": {struct.unpack('=I', packed)[0]:08X}:{server.port:04X} "

    def close(self) -> None:
        """No more of them."""
        for sock in (self._victim, *self._sockets):
            sock.close()

    def send(self, count: int) -> None:
        """So many, as fast as they are read."""
        started, target = time.monotonic(), self.target
        for number in range(count):
            if number % BATCH == 0:
                early_s = started + number / MOST_RATE - time.monotonic()
                if early_s > 0:
                    time.sleep(early_s)
                while self.queued()[0] > MOST_QUEUED:
                    time.sleep(0.002)
            host, which = self._source(), self._random.randrange(PORTS)
            data = self.hostile.datagram(Address(host, self._ports[which]))
            told = struct.pack("=i4s4s", 0, socket.inet_aton(host), b"\0" * 4)
            self._sockets[which].sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, told)], 0, target)
        self.sent += count

    def queued(self) -> tuple[int, int]:
        """Octets that wait in the kernel for the switch, and datagrams that it has lost."""
        for _ in range(LOOKS):  # a row can be missed while sockets come and go
            for line in Path("/proc/net/udp").read_text().splitlines():
                if self._row in line:
                    columns = line.split()
                    return int(columns[4].partition(":")[2], 16), int(columns[-1])
        raise RuntimeError(f"the switch listens no more\n{self._server.log_text()[-3000:]}")

    def strayed(self) -> int:
        """Datagrams that a third party got since the last time."""
        self._victim.setblocking(False)
        for count in itertools.count():
            try:
                self._victim.recv(65_535)
            except BlockingIOError:
                return count
        return 0

    def _source(self) -> str:
        pick = self._random.randrange
        chance = self._random.random()
        if chance < 0.5:
            return f"127.1.0.{pick(1, 250)}"
        if chance < 0.501:
            return self.target.host  # the switch itself
        return f"127.{pick(2, 10)}.{pick(250)}.{pick(1, 250)}"

    def _ask_for_nonce(self, place: Place) -> str:
        """As anybody is given one."""
        with _socket((place.victim.host, 0)) as sock:
            sock.settimeout(5)
            host, port = sock.getsockname()
            rows = [
                f"REGISTER sip:{place.domain} SIP/2.0",
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKnonce;rport",
                f"From: <sip:{USER}@{place.domain}>;tag=1",
                f"To: <sip:{USER}@{place.domain}>",
                "Call-ID: nonce",
                "CSeq: 1 REGISTER",
            ]
            sock.sendto("\r\n".join([*rows, "", ""]).encode(), place.switch)
            answer = sock.recv(65_535).decode()
        row = next(line for line in answer.split("\r\n") if line.startswith("WWW-Authenticate: "))
        challenge = parse_digest(row.partition(": ")[2])
        assert challenge is not None
        return challenge["nonce"]


class Phone:
    """One of ours, which registers, calls and calls for help while the flood goes on."""

    def __init__(self, load: Load, outcome: Outcome) -> None:
        self._load = load
        self._outcome = outcome
        self._port = free_port(load.server.network.host(11))
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what went before has to be over."""
        self.finish()
        self._thread = threading.Thread(target=self.try_all)
        self._thread.start()

    def finish(self) -> None:
        """Wait for the end of what was begun."""
        if self._thread is not None:
            self._thread.join()

    def try_all(self) -> None:
        """One of each."""
        keys, talk = {"expires": "3600"}, ("-d", str(TALK_MS))
        proof = f"[authentication username={USER} password={PASSWORD}]"
        keys["authentication"] = proof
        one, port = self._load.one, self._port
        self._outcome.register_s.append(one("register", port, USER, keys=keys))
        self._outcome.call_s.append(one("call", port, USER, *talk, to=NUMBER, password=PASSWORD))
        self._outcome.help_s.append(one("call-without-password", port, USER, *talk, to="112"))


def run_hostile(
    directory: Path, database: Path, datagrams: int, say: Callable[[str], object], *, banning: bool
) -> Outcome:
    """One run on a switch of its own; every line of it is said as soon as it is known."""
    outcome = Outcome("with bans" if banning else "without bans")
    with Load(directory, database, bans={"enabled": banning}) as load:
        flood, phone = Flood(load, seed=1), Phone(load, outcome)
        carriers = [load.answer(where, 3600) for where in (load.server.carrier, load.server.gateways[0])]
        try:
            phone.try_all()  # once in peace, and its contact is bound
            say(f"{datagrams:,} hostile datagrams, {outcome.name}\n{HEADING}")
            outcome.looks.append(_look(load, flood, 0.0))
            say(str(outcome.looks[-1]))
            for _ in range(STEPS):
                started = time.monotonic()
                phone.start()
                flood.send(datagrams // STEPS)
                outcome.looks.append(_look(load, flood, datagrams / STEPS / (time.monotonic() - started)))
                say(str(outcome.looks[-1]))
            phone.finish()
            outcome.counted = _counted(load)
            _rest(load, outcome)
            after = _look(load, flood, 0.0)
            say(f"{after}  after a rest of {outcome.rest_s:.0f} s")
            _judge(load, flood, outcome, after)
        finally:
            phone.finish()
            for carrier in carriers:
                carrier.stop()
            flood.close()
    say(_phone_line(outcome))
    say(f"the kernel lost {after.lost} of {after.sent:,}; the switch counted {outcome.counted:,} messages")
    say(outcome.verdict())
    return outcome


def run_both(
    directory: Path, datagrams: int, say: Callable[[str], object], runs: tuple[bool, ...] = (True, False)
) -> list[Outcome]:
    """With bans and without, as `runs` says."""
    database = store_lines(LINES, directory, directory / "hostile.csv")
    return [
        run_hostile(directory / f"hostile-{number}", database, datagrams, say, banning=banning)
        for number, banning in enumerate(runs)
    ]


def _look(load: Load, flood: Flood, per_s: float) -> Look:
    series = load.server.metrics()
    signalling, relay = load.resident_kib()
    clients, servers, dialogs = (int(series[f'sip_state{{kind="{kind}"}}']) for kind in KINDS)
    return Look(
        flood.sent,
        per_s,
        signalling,
        relay,
        clients + servers,
        dialogs,
        int(series["calls_running"]),
        int(series["registrations"]),
        int(sum(value for name, value in series.items() if name.startswith("bans{"))),
        int(series["timers"]),
        flood.queued()[1],
    )


def _counted(load: Load) -> int:
    """Messages that the switch says it has read, those of the phone and its peers among them; keep-alives it
    does not count."""
    names = (
        "sip_requests_received_total{",
        "sip_responses_received_total{",
        'sip_retransmissions_total{direction="received"}',
        "sip_parse_errors_total",
        "sip_stray_responses_total",
        'ban_ignored_total{reason="source"}',
        'ban_ignored_total{reason="flood"}',
    )
    return int(sum(value for name, value in load.server.metrics().items() if name.startswith(names)))


def _rest(load: Load, outcome: Outcome) -> None:
    """Let the transactions end, and longer if need be; what is left then is told."""
    started = time.monotonic()
    time.sleep(REST_S)
    while True:
        series = load.server.metrics()
        names = ["calls_running", "reservations", "relay_ports_taken", "relay_sessions", "records_queued"]
        names += [f'sip_state{{kind="{kind}"}}' for kind in KINDS]
        outcome.left = {name: series[name] for name in names if series.get(name)}
        outcome.rest_s = time.monotonic() - started
        if not outcome.left or outcome.rest_s > REST_S + REST_MORE_S:
            return
        time.sleep(0.5)


def _judge(load: Load, flood: Flood, outcome: Outcome, after: Look) -> None:
    """All that must not be."""
    server, faults = load.server, outcome.faults
    if strayed := flood.strayed():
        faults.append(f"{strayed} datagrams to a third party")
    if errors := int(server.metric("internal_errors_total")):
        faults.append(f"{errors} faults of the switch")
    events = [_event(line) for line in server.log_text().splitlines()]
    if logged := sorted({event for event in events if event}):
        faults.append(f"errors logged: {', '.join(logged)}")
    tries = {"REGISTER": outcome.register_s, "call": outcome.call_s, "call for help": outcome.help_s}
    for name, seconds in tries.items():
        if failed := seconds.count(None):
            faults.append(f"{failed} of {len(seconds)} failed: {name}")
    if after.registrations != outcome.looks[0].registrations:
        faults.append(f"{after.registrations} registrations, not {outcome.looks[0].registrations}")
    if after.lost:
        faults.append(f"{after.lost} datagrams never read")


def _event(line: str) -> str:
    """What a line of the log complains of; '' when it does not."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line[:80]
    return str(entry.get("event")) if entry.get("level") in ("error", "critical") else ""


def _phone_line(outcome: Outcome) -> str:
    def told(seconds: list[float | None]) -> str:
        done = [one for one in seconds[1:] if one is not None]
        peace = f"{seconds[0]:.2f}" if seconds and seconds[0] is not None else "failed"
        longest = max(done, default=0.0)
        return f"{peace} s in peace, {len(done)} of {len(seconds) - 1} in the flood, {longest:.2f} s at most"

    return (
        f"a phone meanwhile: REGISTER {told(outcome.register_s)}; call of "
        f"{TALK_MS} ms {told(outcome.call_s)}; call for help {told(outcome.help_s)}"
    )


def _socket(where: tuple[str, int]) -> socket.socket:
    """One that keeps next to nothing of what comes, for nobody reads it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(where)
    return sock


def main() -> None:
    """Both runs; the exit code is 1 when something must not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hostile", description=__doc__)
    parser.add_argument("--datagrams", type=int, default=DATAGRAMS, help="of each run (default 1000000)")
    parser.add_argument("--bans", choices=["both", "on", "off"], default="both", help="which runs")
    arguments = parser.parse_args()
    runs = {"both": (True, False), "on": (True,), "off": (False,)}[arguments.bans]
    with tempfile.TemporaryDirectory(prefix="belswitch-hostile-") as name:
        outcomes = run_both(Path(name), arguments.datagrams, partial(print, flush=True), runs)
    sys.exit(any(one.faults or one.left or one.per_datagram >= LEAK for one in outcomes))


if __name__ == "__main__":
    main()
