"""What RTCP tells on its way through the relay (RFC 3550 section 6.4): how a party receives what it is sent,
and how long the way to it is.

Sender reports pass from one party to the other, and the other's receiver reports name them: the time between
the two, less what the party waited, is the round trip between it and the relay. Only numbers are read; what
does not fit is passed over, and nothing is ever believed beyond a figure in a record.
"""

from __future__ import annotations

from struct import Struct

SENDER_REPORT, RECEIVER_REPORT = 200, 201
LONGEST_MS = 60_000
"""A round trip beyond it is a broken clock."""

_HEADER = Struct("!BBH")
_BLOCK = Struct("!IIIIII")
_HEADER_SIZE = 8
_SENDER_INFO_SIZE = 20
_MOST_KNOWN = 8


class Reports:
    """What one party reported. -1 where it said nothing."""

    __slots__ = ("_known", "jitter", "lost", "rtt_ms")

    def __init__(self) -> None:
        self.lost = -1
        """Packets it missed since it began, of what the relay sent it."""
        self.jitter = -1
        """Interarrival jitter in units of its RTP clock."""
        self.rtt_ms = -1
        """The last round trip between it and the relay."""
        self._known: dict[int, int] = {}

    def sent(self, stamp: int, now_ns: int) -> None:
        """A sender report passes to the party; `stamp` is the middle of its NTP time."""
        if len(self._known) >= _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[stamp] = now_ns

    def _take(self, block: tuple[int, ...], now_ns: int) -> None:
        _, losses, _, self.jitter, stamp, delay = block
        lost = losses & 0xFFFFFF
        self.lost = lost - (1 << 24) if lost & 0x800000 else lost  # duplicates make it negative
        sent_ns = self._known.get(stamp) if stamp else None
        if sent_ns is not None:
            rtt_ms = (now_ns - sent_ns - delay * 1_000_000_000 // 65_536) // 1_000_000
            if -1 <= rtt_ms <= LONGEST_MS:
                self.rtt_ms = max(rtt_ms, 0)

    def read(self, packet: bytearray, size: int, now_ns: int, other: Reports) -> None:
        """A compound packet of the party's, `size` octets at the start of a buffer, on its way to `other`."""
        at = 0
        while at + _HEADER_SIZE <= size:
            first, kind, words = _HEADER.unpack_from(packet, at)
            end = at + 4 * (words + 1)
            if first & 0xC0 != 0x80 or end > size:
                return
            blocks = at + _HEADER_SIZE
            if kind == SENDER_REPORT and blocks + _SENDER_INFO_SIZE <= end:
                other.sent(int.from_bytes(packet[blocks + 2 : blocks + 6]), now_ns)
                blocks += _SENDER_INFO_SIZE
            elif kind != RECEIVER_REPORT:
                blocks = end
            if first & 0x1F and blocks + _BLOCK.size <= end:
                self._take(_BLOCK.unpack_from(packet, blocks), now_ns)
            at = end
