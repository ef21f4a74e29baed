"""What the relay holds: sessions, their streams, and the ports of both sides. Commands change it, packets
read it.

A session is one call, a stream one m-line, side 0 the caller and side 1 the callee; each side of a stream has
an RTP port and, if asked for, an RTCP port one above. A packet of one side leaves through the other side's
port. The table refuses to send to a socket of its own (two sessions aimed at each other would pass a packet
round for ever); sockets of other relay processes it does not know.
"""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from switch.relay.announcement import Announcement
from switch.relay.beat import Beat
from switch.relay.keys import Pressed
from switch.relay.port import Port, address_of, is_local, is_unspecified
from switch.relay.recording import Shelf
from switch.relay.sound import Sound
from switch.relay.srtp import Contexts, Keys, Srtp
from switch.relay.tone import Tone

NS_PER_MS = 1_000_000

SideStats = dict[str, int]


class Stream:
    """The ports of one m-line: `rtp[side]` and `rtcp[side]` (empty without RTCP ports); `srtp` is how either
    side was talked to last with encryption."""

    __slots__ = ("rtcp", "rtp", "srtp")

    def __init__(self, rtp: tuple[Port, Port], rtcp: tuple[Port, Port] | tuple[()]) -> None:
        self.srtp: list[Srtp | None] = [None, None]
        self.rtp = rtp
        self.rtcp = rtcp
        for side in (0, 1):
            if rtcp:
                rtcp[side].reports = rtp[side].reports
            rtp[side].rtp_exit = rtp[1 - side]
            self.lead_rtcp_to(side, rtcp[side] if rtcp else None)

    def lead_rtcp_to(self, side: int, exit_port: Port | None) -> None:
        """From now on RTCP towards `side` leaves through `exit_port`."""
        self.rtp[1 - side].rtcp_exit = exit_port
        if self.rtcp:
            self.rtcp[1 - side].rtcp_exit = exit_port
            self.rtcp[1 - side].rtp_exit = exit_port  # whatever comes in on an RTCP port is taken for RTCP

    def ports(self) -> Iterator[Port]:
        """All its ports, RTP first."""
        yield from self.rtp
        yield from self.rtcp


class Session:
    """One call: its streams and the watch for silence."""

    __slots__ = ("opened_ns", "silence_ns", "streams", "watched_ns")

    def __init__(self, opened_ns: int) -> None:
        self.opened_ns = opened_ns
        self.streams: dict[int, Stream] = {}
        self.silence_ns = 0
        self.watched_ns = 0

    def ports(self) -> Iterator[Port]:
        """The ports of all streams."""
        for stream in self.streams.values():
            yield from stream.ports()


class Table:
    """All sessions. `doors` and `lines` map descriptors to ports; `register` is told each new socket; `beat`
    keeps the sounds going."""

    def __init__(self, register: Callable[[socket.socket], None]) -> None:
        self.doors: dict[int, Port] = {}
        self.lines: dict[int, Port] = {}
        self.beat = Beat()
        self._shelf = Shelf()
        self._contexts = Contexts()
        self._register = register
        self._sessions: dict[int, Session] = {}
        self._local: dict[tuple[str, int], Port] = {}
        self._past: Counter[str] = Counter()  # what the ports now closed had counted, and the sounds

    def open(
        self,
        session: int,
        stream: int,
        hosts: tuple[str, str],
        ports: tuple[int, int],
        rtcp: bool,
        now_ns: int,
    ) -> None:
        """Bind the ports of a stream, all or none. Raises OSError, OverflowError or ValueError."""
        held = self._sessions.get(session)
        if held is not None and stream in held.streams:
            raise ValueError("already open")
        bound: list[Port] = []
        try:
            for offset in (0, 1) if rtcp else (0,):
                for side in (0, 1):
                    bound.append(Port(hosts[side], ports[side] + offset))
            for port in bound:
                self._register(port.door)
        except BaseException:
            for port in bound:
                port.close()
            raise
        if held is None:
            held = self._sessions[session] = Session(now_ns)
        held.streams[stream] = Stream((bound[0], bound[1]), (bound[2], bound[3]) if rtcp else ())
        for port in bound:
            self.doors[port.door.fileno()] = port
            self._local[port.local] = port

    def aim(
        self,
        session: int,
        stream: int,
        side: int,
        rtp: tuple[str, int],
        rtcp: tuple[str, int],
        learn_host: str | None,
        clock_rate: int,
        keys: Keys | None = None,
        event_type: int = -1,
    ) -> None:
        """Set the addresses a side signalled; RTCP port 0: on the RTP port. With `keys` it has SRTP, which
        goes on where it was if they are the same as before. It takes telephone events as `event_type`; -1:
        not at all.

        Raises LookupError, OSError or ValueError, and then leaves everything as it was.
        """
        held = self._sessions[session].streams[stream]
        if side not in (0, 1):
            raise ValueError(f"side {side}")
        if clock_rate < 0:
            raise ValueError(f"clock rate {clock_rate}")
        port = held.rtp[side]
        if learn_host:
            learn_host = address_of(port.family, learn_host, 0)[0]
        signalled = self._foreign(port.family, rtp)
        signalled_rtcp = self._foreign(port.family, rtcp) if rtcp[1] else None
        srtp = held.srtp[side] if keys is not None else None
        if keys is not None and (srtp is None or srtp.keys != keys):
            srtp = held.srtp[side] = Srtp(keys, self._contexts, srtp.past if srtp is not None else None)
        for each in (port, held.rtcp[side]) if held.rtcp else (port,):
            each.encrypt(srtp)
        port.reception.clock_rate = clock_rate or 8000
        held.rtp[1 - side].reception.event_mark = 0x80 | event_type if event_type >= 0 else -1
        port.any_packet = clock_rate == 0
        if isinstance(port.sound, Pressed) and not _is_open(signalled):  # nobody wants to hear them later
            self.beat.stop(port)
        if port.any_packet:  # from speech to fax (T.38): that is no place for RTP of ours
            self.beat.stop(port)
        self._hang_up(port)
        port.aim(signalled, learn_host, sending=_is_open(signalled))
        if not held.rtcp:
            held.lead_rtcp_to(side, port if signalled_rtcp is None else None)
            return
        self._hang_up(held.rtcp[side])
        held.rtcp[side].aim(signalled_rtcp, learn_host, sending=_is_open(signalled_rtcp))
        held.lead_rtcp_to(side, port if signalled_rtcp is None else held.rtcp[side])

    def admit(self, port: Port, source: tuple[Any, ...]) -> bool:
        """Whether a packet at the door of `port` is the party's; one that has latched has its line now."""
        if not port.admit(source):
            return False
        self._hang_up(port)
        if (line := port.connect()) is not None:
            try:
                self._register(line)
            except OSError:
                port.disconnect()
            else:
                self.lines[line.fileno()] = port
        return True

    def play(
        self,
        session: int,
        stream: int,
        side: int,
        duration_ms: int,
        codecs: Mapping[int, str],
        now_ns: int,
    ) -> None:
        """Let the party on `side` hear a warning tone in place of the other party from now on, instead of one
        that may be running; 0: no more. Raises LookupError or ValueError, and then changes nothing.
        """
        port, other = self._port(session, stream, side), self._port(session, stream, 1 - side)
        if duration_ms < 0:
            raise ValueError(f"duration {duration_ms}")
        if not duration_ms:
            self._end(port, Tone, now_ns)
            return
        self._start(port, Tone(codecs, other.reception, now_ns, now_ns + duration_ms * NS_PER_MS), now_ns)
        self._past["tones"] += 1

    def say(
        self,
        session: int,
        stream: int,
        side: int,
        codecs: Mapping[int, str],
        path: str,
        times: int,
        now_ns: int,
    ) -> None:
        """Let the party on `side` hear the recording at `path` in place of the other party, `times` times
        over (0: until told otherwise), instead of what may be playing; without codecs and path: no more.

        Raises LookupError, OSError or ValueError, and then changes nothing.
        """
        port = self._port(session, stream, side)
        if not path and not codecs and not times:
            self._end(port, Announcement, now_ns)
            return
        try:
            recording = self._shelf.take(path)
        except ValueError as error:
            raise ValueError(f"{path} {error}") from None
        self._start(port, Announcement(codecs, recording, times), now_ns)
        self._past["announcements"] += 1

    def press(
        self,
        session: int,
        stream: int,
        side: int,
        event_type: int,
        rate: int,
        signal: str,
        duration_ms: int,
        now_ns: int,
    ) -> None:
        """Let the party on `side` hear a key that the other one presses, as a telephone event; not where that
        one sends such events itself. Raises LookupError or ValueError, and then changes nothing."""
        port, other = self._port(session, stream, side), self._port(session, stream, 1 - side)
        if other.reception.events:
            return
        playing = port.sound
        last = playing.then or playing if playing is not None else None
        pressed = last if isinstance(last, Pressed) else Pressed(event_type, rate, other.reception, now_ns)
        pressed.press(signal, duration_ms)
        if playing is None:
            self._start(port, pressed, now_ns)
        elif pressed is not last:
            playing.then = pressed
        self._past["keys"] += 1

    def watch(self, session: int, silence_ms: int, now_ns: int) -> None:
        """Report once when nothing came for `silence_ms` from now on; 0: no more. Raises LookupError."""
        held = self._sessions[session]
        held.silence_ns = max(0, silence_ms) * NS_PER_MS
        held.watched_ns = now_ns

    def silent(self, now_ns: int) -> list[int]:
        """The watched sessions on which no packet of any side came for too long; each is named once."""
        found = []
        for session, held in self._sessions.items():
            if not held.silence_ns:
                continue
            since_ns = max(held.watched_ns, *(port.last_ns() for port in held.ports()))
            if now_ns - since_ns >= held.silence_ns:
                held.silence_ns = 0
                found.append(session)
        return found

    def report(self, session: int) -> list[list[SideStats]]:
        """What each stream, by index, received from either side; empty for an unknown session."""
        held = self._sessions.get(session)
        if held is None:
            return []
        return [
            [_side_stats(stream, side, held.opened_ns) for side in (0, 1)]
            for _, stream in sorted(held.streams.items())
        ]

    def close(self, session: int) -> list[list[SideStats]]:
        """Free all ports of a session at once; its report, empty for an unknown one."""
        report = self.report(session)
        held = self._sessions.pop(session, None)
        for port in held.ports() if held is not None else ():
            _count(port, self._past)
            self.beat.stop(port)
            self._hang_up(port)
            del self.doors[port.door.fileno()], self._local[port.local]
            port.close()
        for stream in held.streams.values() if held is not None else ():
            stream.srtp = [None, None]
        return report

    def stats(self) -> dict[str, int]:
        """Totals since the start, what is held now, and the processor time spent (`cpu_us`)."""
        totals = Counter(self._past)
        for port in self.doors.values():
            _count(port, totals)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {
            **{key: totals[key] for key in COUNTERS},
            "sessions": len(self._sessions),
            "streams": sum(len(held.streams) for held in self._sessions.values()),
            "ports": len(self.doors),
            "cpu_us": int((usage.ru_utime + usage.ru_stime) * 1_000_000),
        }

    def _port(self, session: int, stream: int, side: int) -> Port:
        if side not in (0, 1):
            raise ValueError(f"side {side}")
        return self._sessions[session].streams[stream].rtp[side]

    def _start(self, port: Port, sound: Sound, now_ns: int) -> None:
        if port.any_packet:
            raise ValueError("a sound in a stream that is no RTP")
        if isinstance(port.sound, Pressed) and not port.sound.over(now_ns):
            port.sound.then = sound  # a key that has begun needs its end
        else:
            self.beat.start(port, sound, now_ns)

    def _end(self, port: Port, kind: type[Sound], now_ns: int) -> None:
        """One who ends a tone does not mean an announcement, nor the other way round."""
        if isinstance(port.sound, kind):
            self.beat.end(port, now_ns)
        elif port.sound is not None and isinstance(port.sound.then, kind):
            port.sound.then = None

    def _hang_up(self, port: Port) -> None:
        if port.line is not None:
            del self.lines[port.line.fileno()]
            port.disconnect()

    def _foreign(self, family: int, address: tuple[str, int]) -> tuple[str, int]:
        """The address in the kernel's spelling. Raises ValueError when it is one of our own sockets."""
        wildcard = "::" if family == socket.AF_INET6 else "0.0.0.0"
        if is_unspecified(address[0]):  # hold is often written in IPv4 whatever the family
            return wildcard, 0
        host, port = address_of(family, *address)
        if (host, port) in self._local or ((wildcard, port) in self._local and is_local(family, host)):
            raise ValueError(f"{host} port {port} is the relay's own")
        return host, port


COUNTERS = (
    "packets",
    "bytes",
    "other_packets",
    "strangers",
    "unauthentic",
    "overruns",
    "unroutable",
    "send_errors",
    "tones",
    "announcements",
    "keys",
)


def _count(port: Port, totals: Counter[str]) -> None:
    totals["packets"] += port.reception.packets
    totals["bytes"] += port.reception.bytes
    totals["other_packets"] += port.other_packets
    totals["strangers"] += port.strangers
    totals["unauthentic"] += port.unauthentic
    totals["overruns"] += port.overruns()
    totals["unroutable"] += port.unroutable
    totals["send_errors"] += port.send_errors


def _side_stats(stream: Stream, side: int, opened_ns: int) -> SideStats:
    port = stream.rtp[side]
    both = (port, stream.rtcp[side]) if stream.rtcp else (port,)
    reception = port.reception
    return {
        "packets": reception.packets,
        "bytes": reception.bytes,
        "other_packets": sum(each.reception.packets + each.other_packets for each in both)
        - reception.packets,
        "first_ms": (reception.first_ns - opened_ns) // NS_PER_MS if reception.first_ns else -1,
        "last_ms": (reception.last_ns - opened_ns) // NS_PER_MS if reception.first_ns else -1,
        "lost": reception.lost,
        "jitter": reception.jitter,
        "jitter_ms": reception.jitter_ms,
        "strangers": sum(each.strangers for each in both),
        "unauthentic": sum(each.unauthentic for each in both),
        "overruns": sum(each.overruns() for each in both),
        "ssrc_changes": reception.ssrc_changes,
        "events": reception.events,
        "rtt_ms": port.reports.rtt_ms,
        "reported_lost": port.reports.lost,
        "reported_jitter_ms": port.reports.jitter * 1000 // reception.clock_rate,
    }


def _is_open(signalled: tuple[str, int] | None) -> bool:
    return signalled is not None and signalled[1] != 0
