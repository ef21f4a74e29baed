"""Cutting a byte stream into SIP messages (RFC 3261 section 18.3, RFC 5626 section 3.5.1), without any I/O.

A message ends where its Content-Length says; one without has no body. What cannot be cut for sure ends the
stream: whoever reads on would take the body of one message for the next.
"""

from __future__ import annotations

import re

MAX_HEAD = 65_536
"""Octets of start line and fields: more than any datagram can hold."""

MAX_BODY = 262_144

PING = b"\r\n\r\n"
"""A keep-alive between messages, passed on as it is."""

_LENGTH = re.compile(rb"^(?:content-length|l)[ \t]*+:[ \t]*+([^\r\n]*+)\r?$", re.I | re.M)


class Framer:
    """The messages in what one peer sends. `broken` says why the stream cannot go on, '' while it can."""

    __slots__ = ("_buffer", "_searched", "broken")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self.broken = ""

    @property
    def waiting(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets as they come; the messages and pings that are complete with them, in order."""
        found: list[bytes] = []
        self._buffer += data
        while not self.broken and (message := self._next()) is not None:
            found.append(message)
        if self.broken:
            self._buffer.clear()
        return found

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if buffer.startswith((b"\r", b"\n")):
            if buffer.startswith(PING):
                del buffer[:4]
                return PING
            if PING.startswith(bytes(buffer[:4])):
                return None  # a ping that is not all there yet
            stripped = buffer.lstrip(b"\r\n")  # section 7.5: empty lines before a message
            del buffer[: len(buffer) - len(stripped)]
        if not buffer:
            return None
        end = buffer.find(PING, max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > MAX_HEAD:
                self.broken = "head too long"
            return None
        length = self._length(bytes(buffer[: end + 2]))
        if length is None or end > MAX_HEAD:
            self.broken = self.broken or "head too long"
            return None
        whole = end + 4 + length
        if len(buffer) < whole:
            self._searched = end  # found again at once
            return None
        message = bytes(buffer[:whole])
        del buffer[:whole]
        self._searched = 0
        return message

    def _length(self, head: bytes) -> int | None:
        """The length of the body; None when it is not clear."""
        values = [value.rstrip(b" \t") for value in _LENGTH.findall(head)]
        told = {(value.lstrip(b"0") or b"0") if value else b"" for value in values}
        if not told:
            return 0
        value = told.pop()
        if told or not value.isdigit():
            self.broken = "bad Content-Length"
        elif len(value) > 9 or int(value) > MAX_BODY:
            self.broken = "body too long"
        else:
            return int(value)
        return None
