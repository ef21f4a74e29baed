"""Keys pressed by a party that tells so by SIP INFO, put into its RTP stream as telephone events (RFC 4733),
for a party that hears them only there.

While a key is down, the packets that pass are turned into event packets: header and sequence number stay, so
that to the receiver one stream goes on; the timestamp is that of the key's beginning. Where nothing passes,
the relay sends packets of its own.
"""

from __future__ import annotations

from collections import deque
from struct import Struct

from switch.relay.rtp import HEADER_SIZE, Reception
from switch.relay.sound import Sound
from switch.relay.tone import QUIET_NS

SIGNALS = "0123456789*#ABCD"
"""The keys, each at the place of its event code (RFC 4733 section 3.2)."""

SHORTEST_MS, LONGEST_MS = 40, 2000
MOST_WAITING = 32
LAST_REPEATS = 3  # RFC 4733 section 2.5.1.4: the end of an event is sent three times
PAUSE_PACKETS = 4  # between two keys, so that they are heard as two
EVENT_SIZE = HEADER_SIZE + 4

_EVENT = Struct("!BBH")
_TIMESTAMP = Struct("!I")
_END = 0x80
_VOLUME = 10  # dBm0 below 0


class Pressed(Sound):
    """Keys towards one party, who takes events as `payload_type` with a clock of `rate` Hz. `spoken` is what
    comes from the party that presses them.

    Raises ValueError for a payload type that is none, or a clock at which no audio codec runs.
    """

    __slots__ = (
        "_at",
        "_began_ns",
        "_duration",
        "_ends",
        "_event",
        "_pause",
        "_rate",
        "_spoken",
        "_start",
        "_waiting",
    )

    def __init__(self, payload_type: int, rate: int, spoken: Reception, now_ns: int) -> None:
        if rate not in (8000, 16_000, 32_000, 48_000):
            raise ValueError(f"clock rate {rate}")
        super().__init__((payload_type,), rate // 50)
        self._rate = rate
        self._spoken = spoken
        self._began_ns = now_ns
        self._waiting: deque[tuple[int, int]] = deque(maxlen=MOST_WAITING)
        self._event = -1  # that of the key now down
        self._start = 0  # its timestamp
        self._at = 0  # how long it has been down, and is to be, in units of the clock
        self._duration = 0
        self._ends = 0  # how often its end has been told
        self._pause = 0

    def press(self, signal: str, duration_ms: int) -> None:
        """One more key. Raises ValueError for one that is none."""
        event = SIGNALS.find(signal)
        if event < 0 or len(signal) != 1:
            raise ValueError("no such key")
        duration_ms = min(max(duration_ms, SHORTEST_MS), LONGEST_MS)
        self._waiting.append((event, duration_ms * self._rate // 1000))

    def over(self, now_ns: int) -> bool:
        """Whether all keys have been told."""
        return self._event < 0 and not self._waiting

    def fill(self, packet: memoryview) -> int | None:
        """Turn a packet into one of the key that is down; all others pass as they are."""
        if len(packet) < EVENT_SIZE or packet[0] & 0xC0 != 0x80 or packet[1] & 0x60 == 0x40:
            return len(packet)
        told = self._next(_TIMESTAMP.unpack_from(packet, 4)[0])
        if told is None:
            return len(packet)
        second, timestamp, payload = told
        packet[0] = 0x80
        packet[1] = second
        packet[4:8] = _TIMESTAMP.pack(timestamp)
        packet[HEADER_SIZE:EVENT_SIZE] = payload
        return EVENT_SIZE

    def beat(self, now_ns: int, beats: int) -> bytes | None:
        """A packet of the relay's own; None while the other party is heard, or no key is down."""
        self._pass_time(beats)
        if now_ns - max(self._began_ns, self._spoken.last_ns) < QUIET_NS:
            return None
        told = self._next(self._timestamp)
        if told is None:
            return None
        second, timestamp, payload = told
        return self._packet_at(second, timestamp, payload)

    def _next(self, timestamp: int) -> tuple[int, int, bytes] | None:
        """Second octet, timestamp and payload of the packet that is due; None for what passes as it is."""
        marker = 0
        if self._event < 0:
            self._pause -= 1
            if self._pause > 0 or not self._waiting:
                return None
            self._event, self._duration = self._waiting.popleft()
            self._start, self._at, self._ends = timestamp, 0, 0
            marker = 0x80
        passed = (timestamp - self._start) & 0xFFFFFFFF  # packets need not be of 20 ms
        if passed > 4 * self._rate:  # another stream: that of the relay's own, or of a caller that began anew
            passed = self._at
        self._at = min(max(self._at, passed + self._samples), self._duration)
        last = self._at >= self._duration
        payload = _EVENT.pack(self._event, (_END if last else 0) | _VOLUME, self._at)
        told = marker | self._payload_type, self._start, payload
        if last:
            self._ends += 1
            if self._ends == LAST_REPEATS:
                self._event, self._pause = -1, PAUSE_PACKETS
        return told
