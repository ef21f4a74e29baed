"""What was received of one RTP stream: packets, loss (RFC 3550 A.1, A.3) and interarrival jitter (A.8).

Loss is counted from extended sequence numbers and survives wraps, reordering, duplicates, a changed SSRC and
a jump of the sequence: each of the latter two opens a new series, and the loss of the series add up. The two
packets of probation that A.1 asks for are left out, since the latch has checked the source. Jitter is
sampled: of every 32 packets the first two in a row make one pair, which is what A.8 compares. It leaves to
others what is not RTP version 2.
"""

from __future__ import annotations

from struct import Struct

MAX_DROPOUT = 3000  # RFC 3550 A.1: a larger step forward is a jump
MAX_MISORDER = 100  # a smaller step back is a late packet
HEADER_SIZE = 12
SAMPLE_MASK = 31
NS_PER_S = 1_000_000_000

_TIMESTAMP_AND_SSRC = Struct("!II")


class Reception:
    """One received RTP stream. `clock_rate` in Hz turns arrival times into timestamp units."""

    __slots__ = (
        "_base",
        "_before",
        "_cycles",
        "_expected",
        "_jitter16",
        "_jump",
        "_lost_before",
        "_pair_ns",
        "_pair_sequence",
        "_pair_timestamp",
        "_ssrc",
        "bytes",
        "clock_rate",
        "event_mark",
        "events",
        "first_ns",
        "last_ns",
        "packets",
        "ssrc_changes",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate
        self.packets = 0
        self.bytes = 0
        self.first_ns = 0
        self.last_ns = 0
        self.ssrc_changes = 0
        self.event_mark = -1
        """The second octet of a packet that begins a telephone event (RFC 4733 section 2.3.5)."""
        self.events = 0
        self._ssrc = -1
        self._expected = -1  # highest sequence number + 1, so 1..65536: a wrap takes the slow way
        self._cycles = 0
        self._base = 0
        self._before = 0  # of `packets`, those that do not belong to the present series
        self._lost_before = 0  # in earlier series
        self._jump = -1
        self._jitter16 = 0  # scaled by 16, as in A.8
        self._pair_sequence = -1
        self._pair_timestamp = 0
        self._pair_ns = 0

    def receive(self, packet: bytearray, size: int, now_ns: int) -> None:
        """Count a packet of `size` >= 12 bytes at the start of the buffer `packet`."""
        self.packets += 1
        self.bytes += size
        self.last_ns = now_ns
        if packet[1] == self.event_mark:
            self.events += 1
        sequence = packet[2] << 8 | packet[3]
        if sequence == self._expected:
            self._expected = sequence + 1
        else:
            self._resume(sequence, packet)
        if sequence & SAMPLE_MASK < 2:
            self._sample(sequence, packet, now_ns)

    @property
    def lost(self) -> int:
        """Packets lost so far; duplicates make up for losses of their own series only."""
        return self._lost_before + self._lost_in_series()

    @property
    def jitter(self) -> int:
        """Interarrival jitter in RTP timestamp units."""
        return self._jitter16 >> 4

    @property
    def jitter_ms(self) -> int:
        """Interarrival jitter in milliseconds."""
        return (self._jitter16 * 1000 // self.clock_rate + 8) >> 4

    def _lost_in_series(self) -> int:
        if self._expected < 0:
            return 0
        return max(0, self._cycles + self._expected - self._base - (self.packets - self._before))

    def _resume(self, sequence: int, packet: bytearray) -> None:
        """Not the next packet: the first, after a gap, a wrap, a late one, a jump, or no RTP at all."""
        if packet[0] >> 6 != 2:  # STUN, DTLS (RFC 7983): relayed, not measured
            self._before += 1
            return
        ssrc = _TIMESTAMP_AND_SSRC.unpack_from(packet, 4)[1]
        if ssrc != self._ssrc:
            self._begin(sequence, ssrc)
            return
        highest = self._expected - 1
        ahead = (sequence - highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            if sequence < highest:
                self._cycles += 0x10000
            self._expected = sequence + 1
        elif ahead <= 0x10000 - MAX_MISORDER:
            if sequence == self._jump:  # two in a row: the sender started anew
                self._begin(sequence, ssrc)
            else:
                self._jump = (sequence + 1) & 0xFFFF
                self._before += 1

    def _begin(self, sequence: int, ssrc: int) -> None:
        if ssrc != self._ssrc and self._ssrc >= 0:
            self.ssrc_changes += 1
        if not self.first_ns:
            self.first_ns = self.last_ns
        self.packets -= 1  # the packet at hand belongs to the new series
        self._lost_before += self._lost_in_series()
        self._before = self.packets
        self.packets += 1
        self._ssrc = ssrc
        self._base = sequence
        self._expected = sequence + 1
        self._cycles = 0
        self._jump = -1
        self._pair_sequence = -1

    def _sample(self, sequence: int, packet: bytearray, now_ns: int) -> None:
        """Take the first packet of a pair, or compare the second with it (A.8)."""
        if packet[0] >> 6 != 2:
            return
        timestamp, ssrc = _TIMESTAMP_AND_SSRC.unpack_from(packet, 4)
        if ssrc != self._ssrc:  # changed without a gap in the sequence
            self._expected = sequence
            self._begin(sequence, ssrc)
        if not sequence & SAMPLE_MASK:
            self._pair_sequence, self._pair_timestamp, self._pair_ns = sequence, timestamp, now_ns
        elif sequence == self._pair_sequence + 1:
            self._pair_sequence = -1
            sent = (timestamp - self._pair_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            arrived = (now_ns - self._pair_ns) * self.clock_rate // NS_PER_S
            difference = abs(arrived - sent)
            # Packets of one video frame or DTMF event share a timestamp; a second off is a restarted clock.
            if sent and difference < self.clock_rate:
                self._jitter16 += difference - ((self._jitter16 + 8) >> 4)
