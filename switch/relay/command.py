"""The command channel of the relay: JSON arrays on a SOCK_SEQPACKET socket, a message holding one or an array
of them.

To the relay (`session` and `stream` are integers, `side` 0 for the caller and 1 for the callee):

    ["open", session, stream, host0, port0, host1, port1, rtcp] bind the RTP ports, and with `rtcp`
        the RTCP ports one above
    ["aim", session, stream, side, host, port, rtcp_host, rtcp_port, learn_host, clock_rate, keys,
        event_type] the side's signalled addresses (rtcp_port 0: on the RTP port, RFC 5761);
        `learn_host` as in `switch.relay.latch`;
        `clock_rate` in Hz may be left out: 8000; 0: no RTP, any packet passes;
        `keys` may be left out: RTP; [suite, our key, its key]: SRTP (`switch.relay.srtp`);
        `event_type` may be left out, or -1: the payload type in which the side takes telephone events
    ["tone", session, stream, side, duration_ms, {payload_type: codec}] the party on `side` hears a
        warning tone in place of the other party for so long, rounded up to a packet of 20 ms; instead of
        a sound that is running; 0: no more. The payload types (decimal strings, as JSON wants it) are those
        in which it takes "PCMA" or "PCMU" at 8000 Hz, the first one for packets of the relay's own
        (`switch.relay.tone`)
    ["say", session, stream, side, {payload_type: codec}, path, times] the party on `side` hears the
        recording at `path` (WAV, 8 kHz, 16 bit, one channel, at most 20 s) in place of the other party, from
        the next 20 ms on and `times` times over, 0: until told otherwise; instead of a sound that is
        running. Payload types as for "tone". A file that cannot be played is answered by an "error" and
        changes nothing (`switch.relay.announcement`)
    ["say", session, stream, side, {}, "", 0] no more of it
    ["press", session, stream, side, event_type, clock_rate, key, duration_ms] the party on `side` hears a
        key that the other one presses (`switch.relay.keys`), after those that were ordered before
    ["watch", session, silence_ms]    tell when nothing came for so long; 0: no more
    ["peek", session]                 answered by ["peek", session, streams]
    ["close", session]                frees the ports, answered by ["report", session, streams]
    ["stats"]                         answered by ["stats", {name: count}]

From the relay, besides the answers: ["failed", session, stream, text] for an "open" that left nothing
open, ["silent", session], and ["error", text] for a command that was not understood or did not fit.
`streams` has for each stream, by index, the counts of side 0 and side 1: what came *from* them
(`switch.relay.table`).
"""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from typing import Any

from switch.relay.srtp import Keys
from switch.relay.table import Table

LARGEST = 65_536  # bytes of one message
AT_ONCE = 64  # commands taken per wake-up, so that media goes on while many calls are set up
BACKLOG = 10_000  # messages kept for a parent that does not read; beyond it the oldest go

_TOLD = {"aim": 10, "press": 6}
"""How much of such a command may be repeated in an error."""

REFUSALS = (LookupError, OSError, OverflowError, TypeError, ValueError)


class Channel:
    """Reads commands, applies them to the table, and answers without ever waiting for the reader."""

    def __init__(self, sock: socket.socket, table: Table, epoll: select.epoll) -> None:
        sock.setblocking(False)
        epoll.register(sock, select.EPOLLIN)
        self._sock = sock
        self._table = table
        self._epoll = epoll
        self._unsent: deque[bytes] = deque(maxlen=BACKLOG)

    def receive(self, now_ns: int) -> bool:
        """Send what was kept, carry out the commands that are there; False when the parent has gone."""
        if self._unsent:
            self._flush()
        for _ in range(AT_ONCE):
            try:
                message = self._sock.recv(LARGEST)
            except BlockingIOError:
                break
            except OSError:
                return False
            if not message:
                return False
            self._handle(message, now_ns)
        return True

    def tell(self, *message: Any) -> None:
        """Send one message, or keep it while the parent reads too slowly."""
        waiting = bool(self._unsent)
        self._unsent.append(json.dumps(message, separators=(",", ":")).encode())
        if not waiting:
            self._flush()
            if self._unsent:
                self._epoll.modify(self._sock, select.EPOLLIN | select.EPOLLOUT)

    def _flush(self) -> None:
        while self._unsent:
            try:
                self._sock.send(self._unsent[0])
            except BlockingIOError:
                return
            except OSError:
                pass  # the parent has gone, which `receive` sees
            self._unsent.popleft()
        self._epoll.modify(self._sock, select.EPOLLIN)

    def _handle(self, message: bytes, now_ns: int) -> None:
        try:
            said = json.loads(message)
        except (ValueError, RecursionError) as error:
            self.tell("error", f"{message[:200].decode(errors='replace')}: {error}")
            return
        for command in said if isinstance(said, list) and said and isinstance(said[0], list) else [said]:
            try:
                self._apply(command, now_ns)
            except REFUSALS as error:
                self.tell("error", f"{_shown(command)}: {_reason(error)}")

    def _apply(self, command: Any, now_ns: int) -> None:
        table = self._table
        match command:
            case [
                "open",
                int(session),
                int(stream),
                str(host0),
                int(port0),
                str(host1),
                int(port1),
                bool(rtcp) | int(rtcp),
            ]:
                try:
                    table.open(session, stream, (host0, host1), (port0, port1), bool(rtcp), now_ns)
                except REFUSALS as error:
                    self.tell("failed", session, stream, _reason(error))
            case [
                "aim",
                int(session),
                int(stream),
                int(side),
                str(host),
                int(port),
                str(rtcp_host),
                int(rtcp_port),
                learn,
                *rest,
            ]:
                if not (learn is None or isinstance(learn, str)):
                    raise TypeError("learn_host is a string or null")
                clock_rate = rest[0] if rest else 8000
                keys = _keys(rest[1]) if rest[1:2] not in ([], [None]) else None
                event_type = int(rest[2]) if len(rest) > 2 else -1
                at, rtcp_at = (host, port), (rtcp_host, rtcp_port)
                table.aim(session, stream, side, at, rtcp_at, learn, clock_rate, keys, event_type)
            case ["tone", int(session), int(stream), int(side), int(duration_ms), dict(codecs)]:
                table.play(session, stream, side, duration_ms, _named(codecs), now_ns)
            case ["say", int(session), int(stream), int(side), dict(codecs), str(path), int(times)]:
                table.say(session, stream, side, _named(codecs), path, times, now_ns)
            case [
                "press",
                int(session),
                int(stream),
                int(side),
                int(event_type),
                int(rate),
                str(key),
                int(duration_ms),
            ]:
                table.press(session, stream, side, event_type, rate, key, duration_ms, now_ns)
            case ["watch", int(session), int(silence_ms)]:
                table.watch(session, silence_ms, now_ns)
            case ["peek", int(session)]:
                self.tell("peek", session, table.report(session))
            case ["close", int(session)]:
                self.tell("report", session, table.close(session))
            case ["stats"]:
                self.tell("stats", table.stats())
            case _:
                raise ValueError("no such command")


def _named(codecs: dict[str, Any]) -> dict[int, str]:
    """Codecs by payload type, which JSON writes as text."""
    return {int(payload_type): str(codec) for payload_type, codec in codecs.items()}


def _keys(said: Any) -> Keys:
    suite, ours, theirs = said
    return str(suite), str(ours), str(theirs)


def _shown(command: Any) -> str:
    """A command as it may be told: keys of SRTP and keys pressed stay here."""
    known = command[: _TOLD.get(command[0], 10)] if isinstance(command, list) and command else command
    return str(known)[:200]


def _reason(error: BaseException) -> str:
    return f"no session or stream {error}" if isinstance(error, KeyError) else str(error)
