"""What was said on the wire about each call, kept in memory for a while: for `belswitch trace`.

Every SIP message is remembered but registrations and keep-alives, the oldest forgotten first, by age and by
size; nothing of it is ever on disk. Remembering has to cost next to nothing, so nothing is looked at before
somebody asks. Which messages belong to which call the core says (`switch.ports.Traced`). Secrets and keys
pressed are taken out before anything is shown.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from switch.ports import NS_PER_MS, NS_PER_S, Flow, Moment, Traced

OVERHEAD = 400
"""Octets that a message costs besides its own."""

_HEAD = 4096
_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*+:[ \t]*+([^\r\n]*[^\s])", re.I)
_PROOF = re.compile(rb"(\n(?:proxy-)?authorization[ \t]*:[ \t]*)[^\r\n]*(?:\r?\n[ \t]+[^\r\n]*)*", re.I)
_KEY = re.compile(rb"(a=crypto:(?:(?!inline:|a=crypto:)[^\r\n])*inline:)[^\r\n]*", re.I)
_INFO = re.compile(rb"\AINFO[ \t]")
_UNWANTED = (b" REGISTER\r\n", b" OPTIONS\r\n")
"""How the CSeq of what belongs to no call ends."""
HIDDEN = b"(hidden)"


class Message(NamedTuple):
    """One message: when (UTC ns), which way, and as it was."""

    at_ns: int
    sent: bool
    flow: Flow
    data: bytes


class Trace:
    """The latest messages. With `most_bytes` 0 nothing is kept."""

    def __init__(self, keep_s: int, most_bytes: int) -> None:
        self.bytes = 0
        self._keep_ns = keep_s * NS_PER_S
        self._most = most_bytes
        self._kept: deque[Message | Traced] = deque()
        """What belongs to what stands among the messages, and is forgotten with them."""

    def __len__(self) -> int:
        """How much is kept."""
        return len(self._kept)

    def replace(self, keep_s: int, most_bytes: int) -> None:
        """Other limits from now on."""
        self._keep_ns, self._most = keep_s * NS_PER_S, most_bytes
        if not most_bytes:
            self._kept.clear()
            self.bytes = 0

    def add(self, now: Moment, flow: Flow, data: bytes, *, sent: bool) -> None:
        """A message came or went."""
        if not self._most or len(data) < 12 or any(_is_of(data, method) for method in _UNWANTED):
            return
        self._kept.append(Message(now.wall_ns, sent, flow, data))
        self.bytes += len(data) + OVERHEAD
        if self.bytes > self._most:
            self._forget()

    def belongs(self, part: Traced) -> None:
        """A SIP call is a part of a call."""
        if self._most:
            self._kept.append(part)
            self.bytes += OVERHEAD

    def sweep(self, now: Moment) -> None:
        """Forget what is too old."""
        oldest_ns = now.wall_ns - self._keep_ns
        while self._kept and (not isinstance(old := self._kept[0], Message) or old.at_ns < oldest_ns):
            self._drop()

    def copy(self, now: Moment) -> list[Message | Traced]:
        """What is kept, for `messages_of`."""
        self.sweep(now)
        return list(self._kept)

    def _forget(self) -> None:
        while self.bytes > self._most and self._kept:
            self._drop()

    def _drop(self) -> None:
        old = self._kept.popleft()
        self.bytes -= OVERHEAD + (len(old.data) if isinstance(old, Message) else 0)


def _is_of(data: bytes, method: bytes) -> bool:
    """Whether a row ends with a number and this method: a CSeq does; an Allow can end with a method only."""
    at = data.find(method)
    while at > 0:
        if data[at - 1 : at].isdigit():
            return True
        at = data.find(method, at + 1)
    return False


def messages_of(kept: Iterable[Message | Traced], names: Iterable[str]) -> list[dict[str, Any]]:
    """The messages of calls, by the ids of their records or by Call-ID, in their order."""
    kept, names = list(kept), set(names)
    wanted = {one.sip_call_id for one in kept if isinstance(one, Traced) and one.call_id in names} | names
    keys = {name.encode("utf-8", "surrogateescape") for name in wanted}
    found = []
    for one in kept:
        if isinstance(one, Message):
            call_id = _CALL_ID.search(one.data[:_HEAD])
            if call_id is not None and call_id[1] in keys:
                found.append(one)
    return [_row(message) for message in found]


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
