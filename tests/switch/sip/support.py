"""Words shared by the tests of the SIP layers: virtual time, a wire that remembers, messages in one line."""

from __future__ import annotations

import random
from collections.abc import Mapping

from switch.ports import NS_PER_MS, Address, Flow, Moment
from switch.sip.message import Request, Response
from switch.sip.parser import parse_datagram
from switch.sip.transaction.wire import Timing
from switch.timers import TimerQueue

HERE = Address("192.0.2.1", 5060)
THERE = Address("198.51.100.7", 5060)
FLOW = Flow("udp", HERE, THERE)
WALL_NS = 1_795_532_400 * 1_000_000_000
"""2026-11-24 16:00 in Belgium."""

Row = str | list[str] | None


def at(ms: int) -> Moment:
    """The moment `ms` after the start of the test."""
    return Moment(ms * NS_PER_MS, WALL_NS + ms * NS_PER_MS)


class Chance:
    """Seeded chance."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def token(self, bits: int) -> str:
        return f"{self._random.getrandbits(bits):0{bits // 4}x}"

    def below(self, bound: int) -> int:
        return self._random.randrange(bound)


class RecordingWire:
    """Takes the place of the endpoint under a transaction: everything sent is kept with its time in ms."""

    def __init__(self) -> None:
        self.timers = TimerQueue(at(0))
        self.timing = Timing()
        self.sent: list[tuple[int, bytes, bool]] = []
        self.forgotten: list[tuple[str, ...]] = []

    @property
    def now_ms(self) -> int:
        return self.timers.now.mono_ns // NS_PER_MS

    @property
    def times_ms(self) -> list[int]:
        return [ms for ms, _, _ in self.sent]

    @property
    def repeats(self) -> list[bool]:
        return [again for _, _, again in self.sent]

    def transmit(self, flow: Flow, data: bytes, *, again: bool = False) -> None:
        assert flow._replace(transport="udp") == FLOW
        self.sent.append((self.now_ms, data, again))

    def forget_client(self, key: tuple[str, str]) -> None:
        self.forgotten.append(key)

    def forget_server(self, key: tuple[str, ...]) -> None:
        self.forgotten.append(key)

    def run_to(self, ms: int) -> None:
        run_to(self.timers, ms)


def run_to(timers: TimerQueue, ms: int) -> None:
    """Let time pass to `ms`, every timer firing at its own instant."""
    while (due_ns := timers.next_deadline()) is not None and due_ns <= ms * NS_PER_MS:
        timers.now = Moment(due_ns, WALL_NS + due_ns)
        fire = timers.pop_due()
        assert fire is not None
        fire()
    timers.now = at(ms)


def message_bytes(first: str, fields: Mapping[str, Row], body: str = "") -> bytes:
    """A message on the wire; a list makes several rows, None leaves the field out."""
    rows = [
        f"{name}: {row}"
        for name, value in fields.items()
        if value is not None
        for row in ([value] if isinstance(value, str) else value)
    ]
    content = body.encode()
    return ("\r\n".join([first, *rows, f"Content-Length: {len(content)}"]) + "\r\n\r\n").encode() + content


def request_bytes(method: str, uri: str, body: str, fields: Mapping[str, Row]) -> bytes:
    """A well-formed request; `fields` replace its own."""
    return message_bytes(
        f"{method} {uri} SIP/2.0",
        {
            "Via": f"SIP/2.0/UDP {THERE.host}:{THERE.port};branch=z9hG4bK-1;rport",
            "Max-Forwards": "70",
            "From": "<sip:alice@example.com>;tag=a1",
            "To": "<sip:bob@example.com>",
            "Call-ID": "call-1",
            "CSeq": f"1 {method}",
            **fields,
        },
        body,
    )


def make_request(
    method: str = "OPTIONS",
    uri: str = "sip:bob@example.com",
    body: str = "",
    fields: Mapping[str, Row] | None = None,
) -> Request:
    """The same, parsed."""
    message = parse_datagram(request_bytes(method, uri, body, fields or {}))
    assert isinstance(message, Request), message
    return message


def response_bytes(status: int, fields: Mapping[str, Row] | None = None, body: str = "") -> bytes:
    """A response to the INVITE that `make_request` makes, unless `fields` say otherwise."""
    return message_bytes(
        f"SIP/2.0 {status} Whatever",
        {
            "Via": f"SIP/2.0/UDP {HERE.host}:{HERE.port};branch=z9hG4bK-1;rport",
            "From": "<sip:alice@example.com>;tag=a1",
            "To": "<sip:bob@example.com>;tag=b1",
            "Call-ID": "call-1",
            "CSeq": "1 INVITE",
            **(fields or {}),
        },
        body,
    )


def make_response(status: int, fields: Mapping[str, Row] | None = None, body: str = "") -> Response:
    """The same, parsed."""
    message = parse_datagram(response_bytes(status, fields, body))
    assert isinstance(message, Response), message
    return message


class RecordingUser:
    """The user of a client transaction: what it was told."""

    def __init__(self) -> None:
        self.told: list[int | str] = []

    def on_response(self, _transaction: object, response: Response) -> None:
        self.told.append(response.status)

    def on_timeout(self, _transaction: object) -> None:
        self.told.append("timeout")
