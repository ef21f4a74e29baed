"""What was said on the wire about each call, kept in memory for a while: for `belswitch trace`.

Every SIP message is remembered but registrations and keep-alives, the oldest forgotten first, by age and by
size; nothing of it is ever on disk. Which messages belong to which call the core says
(`switch.ports.Traced`). Secrets and keys pressed are taken out before anything is shown.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from switch.ports import NS_PER_MS, NS_PER_S, Flow, Moment

OVERHEAD = 400
"""Octets that a message costs besides its own."""

_HEAD = 4096
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*[^\s])", re.I)
_UNWANTED = re.compile(rb"\ncseq[ \t]*:[ \t]*\d+[ \t]+(?:REGISTER|OPTIONS|SUBSCRIBE|PUBLISH)\b", re.I)
_PROOF = re.compile(rb"(\n(?:proxy-)?authorization[ \t]*:[ \t]*)[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*", re.I)
_KEY = re.compile(rb"(a=crypto:[^\r\n]*inline:)[^\r\n]*", re.I)
_INFO = re.compile(rb"\AINFO[ \t]")
HIDDEN = b"(hidden)"


class Message(NamedTuple):
    """One message: when (UTC ns), which way, and as it was."""

    at_ns: int
    sent: bool
    flow: Flow
    data: bytes
    sip_call_id: bytes


class Trace:
    """The latest messages by call. With `most_bytes` 0 nothing is kept."""

    def __init__(self, keep_s: int, most_bytes: int) -> None:
        self.bytes = 0
        self._keep_ns = keep_s * NS_PER_S
        self._most = most_bytes
        self._messages: deque[Message] = deque()
        self._by_sip: dict[bytes, deque[Message]] = {}
        self._calls: dict[str, set[bytes]] = {}
        self._of_sip: dict[bytes, set[str]] = {}

    def __len__(self) -> int:
        """How many messages are kept."""
        return len(self._messages)

    def replace(self, keep_s: int, most_bytes: int) -> None:
        """Other limits from now on."""
        self._keep_ns, self._most = keep_s * NS_PER_S, most_bytes
        if self._messages:
            self._forget(self._messages[-1].at_ns)

    def add(self, now: Moment, flow: Flow, data: bytes, *, sent: bool) -> None:
        """A message came or went."""
        if not self._most:
            return
        head = data[:_HEAD]
        found = _CALL_ID.search(head)
        if found is None or _UNWANTED.search(head) is not None:
            return
        message = Message(now.wall_ns, sent, flow, data, found[1])
        self._messages.append(message)
        self._by_sip.setdefault(message.sip_call_id, deque()).append(message)
        self.bytes += len(data) + OVERHEAD
        self._forget(now.wall_ns)

    def belongs(self, call_id: str, sip_call_id: str) -> None:
        """A SIP call is a part of a call."""
        key = sip_call_id.encode("utf-8", "surrogateescape")
        if key in self._by_sip:  # else its messages are forgotten already, or were never kept
            self._calls.setdefault(call_id, set()).add(key)
            self._of_sip.setdefault(key, set()).add(call_id)

    def of(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The messages of calls, by the ids of their records or by Call-ID, in their order."""
        keys: set[bytes] = set()
        for name in names:
            keys |= self._calls.get(name, set()) | {name.encode("utf-8", "surrogateescape")}
        found = [message for key in keys for message in self._by_sip.get(key, ())]
        return [_row(message) for message in sorted(found, key=lambda message: message.at_ns)]

    def _forget(self, now_ns: int) -> None:
        messages = self._messages
        while messages and (self.bytes > self._most or messages[0].at_ns < now_ns - self._keep_ns):
            old = messages.popleft()
            self.bytes -= len(old.data) + OVERHEAD
            rest = self._by_sip[old.sip_call_id]
            rest.popleft()
            if not rest:
                self._drop(old.sip_call_id)

    def _drop(self, key: bytes) -> None:
        del self._by_sip[key]
        for call_id in self._of_sip.pop(key, ()):
            parts = self._calls[call_id]
            parts.discard(key)
            if not parts:
                del self._calls[call_id]


def without_secrets(data: bytes) -> bytes:
    """A message without proofs of passwords, keys of media and keys pressed."""
    head, blank, body = data.partition(b"\r\n\r\n")
    head = _PROOF.sub(rb"\1" + HIDDEN, head)
    body = HIDDEN if body and _INFO.match(head) else _KEY.sub(rb"\1" + HIDDEN, body)
    return head + blank + body


def _row(message: Message) -> dict[str, Any]:
    flow = message.flow
    here, there = [flow.local.host, flow.local.port], [flow.remote.host, flow.remote.port]
    return {
        "at_ms": message.at_ns / NS_PER_MS,
        "sent": message.sent,
        "transport": flow.transport,
        "source": here if message.sent else there,
        "target": there if message.sent else here,
        "message": without_secrets(message.data).decode("utf-8", "replace"),
    }
