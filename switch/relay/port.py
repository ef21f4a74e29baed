"""One port of the relay: its sockets, its latch, what it received, and where its packets leave.

A packet that comes in on a port leaves through a port of the other side: RTP through `rtp_exit`, RTCP through
`rtcp_exit`. The two differ for a party that multiplexes both on one port (RFC 5761) when the other does not.

A port has a *door*, a bound UDP socket where anybody's packets arrive, and once it has latched a *line*: a
second socket on the same address (SO_REUSEPORT), connected to the party. The kernel hands the party's packets
to the line and everyone else's to the door, so that on the line no address is built, compared or looked up: a
sixth of the processor time of a packet. Without a line (no descriptor left) the door does for all.

A packet to the party is given to `send_line`, which is the line's own `send`, so that nothing of ours runs
for it. Only while a sound plays, or where the party has SRTP, does `send_line` lead through here, line or no
line; and only with SRTP does `read_line`.
"""

from __future__ import annotations

import socket
from array import array
from collections.abc import Callable
from contextlib import suppress

from switch.relay.latch import Latch
from switch.relay.rtcp import Reports
from switch.relay.rtp import Reception
from switch.relay.sound import Place, Sound
from switch.relay.srtp import RTCP_HEADER_SIZE, Srtp, Unauthentic

RECEIVE_BUFFER = 131_072  # bytes; the kernel doubles it: some seconds of audio, and bounded
SO_MEMINFO = 55  # asm-generic/socket.h; not in the socket module
MEMINFO_DROPS = 8


class Port(Latch):
    """A port bound to `host` and `port`. Raises OSError, OverflowError or ValueError."""

    __slots__ = (
        "_past_overruns",
        "_place",
        "any_packet",
        "door",
        "family",
        "line",
        "local",
        "other_ns",
        "other_packets",
        "read_line",
        "reception",
        "reports",
        "rtcp_exit",
        "rtp_exit",
        "send_errors",
        "send_line",
        "sound",
        "srtp",
        "unauthentic",
        "unroutable",
    )

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.local = address_of(self.family, host, port)
        if not port:
            raise ValueError("port 0 cannot be opened")
        self.door = self._socket()
        try:
            self.door.bind(self.local)  # not yet shared: a port that anyone holds is refused
            self.door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        except OSError:
            self.door.close()
            raise
        self.line: socket.socket | None = None
        self.read_line: Callable[[bytearray], int] = self.door.recv_into  # bound once, called for each packet
        self.send_line: Callable[[memoryview], int] | None = None  # None also while the party is held
        self.sound: Sound | None = None  # what the party hears in place of the other one
        self.srtp: Srtp | None = None
        self.unauthentic = 0  # packets that were not encrypted with the party's key, or were here before
        self.reception = Reception()
        self.reports = Reports()
        self.other_packets = 0  # RTCP, and keep-alives too short for RTP
        self.other_ns = 0
        self.any_packet = False  # of a medium that is no RTP, such as T.38
        self.unroutable = 0  # packets that came in here and had nowhere to go
        self.send_errors = 0
        self.rtp_exit: Port | None = None
        self.rtcp_exit: Port | None = None
        self._past_overruns = 0
        self._place: Place | None = None  # where the stream of the relay's own sounds has come to

    def connect(self) -> socket.socket | None:
        """Give the party now latched a line of its own; None when there is none to be had."""
        if self.source is None or self.line is not None:
            return None
        try:
            line = self._socket()
        except OSError:
            return None
        try:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            line.bind(self.local)
            line.connect(self.source)
        except OSError:
            line.close()
            return None
        with suppress(OSError):
            while True:  # between bind and connect a stranger's packet may have come in
                line.recv(1)
        self.line = line
        self._choose()
        return line

    def disconnect(self) -> None:
        """Close the line, if there is one."""
        if self.line is not None:
            self._past_overruns += _overruns(self.line)
            self.line.close()
            self.line = None
            self._choose()

    def close(self) -> None:
        """Free the port at once, and what it encrypted with: ports know each other, so that they themselves
        are not forgotten at once."""
        self.disconnect()
        self.srtp = None
        self.door.close()

    def play(self, sound: Sound | None) -> None:
        """Let the party hear a sound in place of the other party from now on; None: no more."""
        if self.sound is not None:
            self._place = self.sound.place
        if sound is not None and self._place is not None:
            sound.place = self._place
        self.sound = sound
        self._choose()

    def encrypt(self, srtp: Srtp | None) -> None:
        """Talk SRTP with the party from now on; None: RTP."""
        self.srtp = srtp
        self._choose()

    def open(self, packet: bytearray, size: int, *, known: bool) -> int:
        """Decrypt a packet in its place, where the party has SRTP; the size it has then. `known`: it comes
        from the party's address. Raises Unauthentic."""
        if self.srtp is None:
            return size
        try:
            return self.srtp.open(packet, size, known=known)
        except Unauthentic:
            self.unauthentic += 1
            raise

    def send(self, packet: memoryview | bytes) -> int:
        """Send a packet to the party, whatever sound it hears; nothing while it is held. Raises OSError."""
        if self.target is None:
            return 0
        if self.srtp is not None:
            packet = self.srtp.seal(packet)
        return self.door.sendto(packet, self.target) if self.line is None else self.line.send(packet)

    def count_other(self, packet: bytearray, size: int, now_ns: int) -> Port | None:
        """Count a packet that is not RTP, and say where it leaves."""
        self.other_packets += 1
        self.other_ns = now_ns
        if self.any_packet:
            return self.rtp_exit
        first = packet[0] if size else 0
        if first & 0xC0 != 0x80 and not (first < 4 or 20 <= first < 64):
            return None  # neither RTP, RTCP, STUN nor DTLS (RFC 7983): nobody sends SIP through here
        if size < RTCP_HEADER_SIZE or packet[1] & 0x60 != 0x40:
            return self.rtp_exit
        way_out = self.rtcp_exit
        if way_out is not None:
            self.reports.read(packet, size, now_ns, way_out.reports)
        return way_out

    def last_ns(self) -> int:
        """When a packet of any kind last came from the party; 0: never."""
        return max(self.reception.last_ns, self.other_ns)

    def overruns(self) -> int:
        """Packets the kernel threw away since the relay did not read in time."""
        present = _overruns(self.line) if self.line is not None else 0
        return self._past_overruns + present + _overruns(self.door)

    def _choose(self) -> None:
        source = self.door if self.line is None else self.line
        self.read_line = source.recv_into if self.srtp is None else self._read_sealed
        if self.sound is not None:
            self.send_line = self._send_sound
        elif self.srtp is not None:
            self.send_line = self.send
        else:
            self.send_line = self.line.send if self.line is not None and self.target is not None else None

    def _read_sealed(self, packet: bytearray) -> int:
        source = self.door if self.line is None else self.line
        return self.open(packet, source.recv_into(packet), known=True)

    def _send_sound(self, packet: memoryview) -> int:
        if self.sound is not None:
            size = self.sound.fill(packet)
            if size is None:
                return 0
            packet = packet[:size]
        return self.send(packet)

    def _socket(self) -> socket.socket:
        sock = socket.socket(self.family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if self.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return sock


def address_of(family: int, host: str, port: int) -> tuple[str, int]:
    """The address in the kernel's spelling.

    Raises OSError for a host that is no literal of `family` (a name would stall the relay in a resolver),
    ValueError for a port out of range.
    """
    if not 0 <= port <= 65535:
        raise ValueError(f"port {port} out of range")
    return socket.inet_ntop(family, socket.inet_pton(family, host)), port


def is_unspecified(host: str) -> bool:
    """Whether `host` means nobody: a party on hold (RFC 2543)."""
    return host in ("0.0.0.0", "::")


def is_local(family: int, host: str) -> bool:
    """Whether `host` is an address of this machine."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _overruns(sock: socket.socket) -> int:
    words = array("I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4 * (MEMINFO_DROPS + 1)))
    return words[MEMINFO_DROPS] if len(words) > MEMINFO_DROPS else 0
