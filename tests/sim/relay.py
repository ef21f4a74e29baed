"""A media relay without media: it keeps ports and sessions as `switch.relay` does, answers as it does, and
complains when it is told nonsense. A session is heard as long as one of the parties it is aimed at is still
there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from switch.ports import NS_PER_MS, RelayMessage
from tests.sim.weather import Weather


@dataclass(slots=True)
class Session:
    """One call's ports by stream, where its sides are aimed, and its watch (0: none)."""

    ports: dict[int, tuple[int, int]] = field(default_factory=dict)
    aims: dict[tuple[int, int], tuple[str, int]] = field(default_factory=dict)
    keys: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    """SRTP by stream and side: suite, the relay's key, the party's."""
    silence_ms: int = 0
    watch: int = 0


@dataclass(frozen=True, slots=True)
class Tone:
    """A warning tone that was ordered: towards which side of which session, when by the virtual clock, for
    how long, and the codec of each payload type."""

    session: int
    side: int
    at_ns: int
    duration_ms: int
    codecs: dict[str, str]


@dataclass(frozen=True, slots=True)
class Announcement:
    """A recording that was ordered: towards which side of which session, when by the virtual clock, the file,
    how often (0: until called off), and the codec of each payload type."""

    session: int
    side: int
    at_ns: int
    path: str
    times: int
    codecs: dict[str, str]


COUNTS = {"packets": 500, "bytes": 86_000, "lost": 5, "jitter_ms": 3}


class VirtualRelay:
    """`tell` takes what the relay says, `later` lets time pass, `now_ns` reads the clock, `quiet_ms` knows
    for how long an address has sent nothing."""

    def __init__(
        self,
        random: Random,
        later: Callable[[int, Callable[[], None]], None],
        tell: Callable[[RelayMessage], None],
        quiet_ms: Callable[[tuple[str, int]], int],
        now_ns: Callable[[], int],
    ) -> None:
        self.weather = Weather()
        self.sessions: dict[int, Session] = {}
        self.complaints: list[str] = []
        self.unreported = 0
        """How many reports a mute relay has owed."""
        self.commands: list[list[Any]] = []
        self.tones: list[Tone] = []
        self.announcements: list[Announcement] = []
        self.hushed: list[tuple[int, int]] = []
        """The session and side of each announcement that was called off."""
        self.pressed: list[tuple[int, int, str]] = []
        """Session, side that hears it, and key."""
        self._random = random
        self._later = later
        self._tell = tell
        self._quiet_ms = quiet_ms
        self._now_ns = now_ns
        self._gone: set[int] = set()
        """Sessions that failed to open or ended with the process: told of so, but perhaps too late."""
        self._life = 0

    def command(self, session: int, command: list[Any]) -> None:
        """Carry out one command (`switch.relay.command`)."""
        self.commands.append(command)
        match command:
            case ["open", number, int(stream), str(), int(port0), str(), int(port1), True] if (
                number == session
            ):
                self._open(session, stream, (port0, port1))
            case [
                "aim",
                number,
                int(stream),
                int(side),
                str(host),
                int(port),
                str(),
                int(),
                str() | None,
                int(clock_rate),
                *more,
            ] if number == session and side in (0, 1) and clock_rate > 0:
                self._aim(session, stream, side, (host, port), more[0] or [] if more else [])
            case ["tone", number, int(stream), int(side), int(duration_ms), dict(codecs)] if (
                number == session and side in (0, 1) and duration_ms >= 0 and _playable(codecs)
            ):
                if self._plays(session, stream):
                    self.tones.append(Tone(session, side, self._now_ns(), duration_ms, codecs))
            case ["say", number, int(stream), int(side), dict(codecs), "", 0] if (
                number == session and side in (0, 1) and not codecs
            ):
                if self._plays(session, stream):
                    self.hushed.append((session, side))
            case ["say", number, int(stream), int(side), dict(codecs), str(path), int(times)] if (
                number == session and side in (0, 1) and path and times >= 0 and _playable(codecs)
            ):
                if self._plays(session, stream):
                    said = Announcement(session, side, self._now_ns(), path, times, codecs)
                    self.announcements.append(said)
            case [
                "press",
                number,
                int(stream),
                int(side),
                int(event_type),
                int(rate),
                str(key),
                int(duration_ms),
            ] if number == session and side in (0, 1) and event_type >= 0 and rate and duration_ms > 0:
                if self._plays(session, stream):
                    self.pressed.append((session, side, key))
            case ["watch", number, int(silence_ms)] if number == session:
                self._watch(session, silence_ms)
            case ["close", number] if number == session:
                self._close(session)
            case _:
                self.complaints.append(f"no such command: {command}")

    def die(self) -> None:
        """The process ends: every session is gone, and nothing it was about to say is said."""
        self._life += 1
        self._gone |= self.sessions.keys() | self._gone
        self.sessions.clear()

    def session_of(self, port: int) -> int:
        """The session that has a port; 0 when none has."""
        return next(
            (
                number
                for number, held in self.sessions.items()
                for pair in held.ports.values()
                if port in pair
            ),
            0,
        )

    def keys_at(self, port: int) -> list[str]:
        """What a port encrypts with; nothing where it does not."""
        held = self.sessions[self.session_of(port)]
        return next(
            held.keys.get((stream, side), [])
            for stream, pair in held.ports.items()
            for side, one in enumerate(pair)
            if one == port
        )

    @property
    def ports(self) -> list[int]:
        """Every port that is open."""
        return [port for held in self.sessions.values() for pair in held.ports.values() for port in pair]

    def _open(self, session: int, stream: int, ports: tuple[int, int]) -> None:
        taken = set(self.ports)
        for port in ports:
            if port in taken or port % 2:
                self.complaints.append(f"session {session} opens port {port}, which is odd or another's")
        if self._by_chance(self.weather.relay_fails):
            self._gone.add(session)
            self._say("failed", session, "no buffer space")
            return
        self.sessions.setdefault(session, Session()).ports[stream] = ports

    def _aim(self, session: int, stream: int, side: int, target: tuple[str, int], keys: list[str]) -> None:
        held = self.sessions.get(session)
        if held is not None and stream in held.ports:
            held.aims[stream, side] = target
            held.keys[stream, side] = keys
        elif session not in self._gone:
            self.complaints.append(f"session {session} stream {stream} is aimed before it is open")

    def _plays(self, session: int, stream: int) -> bool:
        """Whether a sound is heard; one in a session that has gone unnoticed is lost."""
        held = self.sessions.get(session)
        if held is not None and stream in held.ports:
            return True
        if session not in self._gone:
            self.complaints.append(f"session {session} stream {stream} is to play and is not open")
        return False

    def _watch(self, session: int, silence_ms: int) -> None:
        held = self.sessions.get(session)
        if held is not None:
            held.silence_ms = silence_ms
            held.watch += 1
            if silence_ms:
                self._listen(session, held.watch, silence_ms)

    def _listen(self, session: int, watch: int, delay_ms: int) -> None:
        held, life = self.sessions.get(session), self._life

        def due() -> None:
            if (
                held is None
                or life != self._life
                or self.sessions.get(session) is not held
                or held.watch != watch
            ):
                return
            quiet_ms = min((self._quiet_ms(target) for target in held.aims.values()), default=held.silence_ms)
            if quiet_ms >= held.silence_ms:
                self._say("silent", session)
            else:
                self._listen(session, watch, held.silence_ms - quiet_ms)

        self._later(delay_ms * NS_PER_MS, due)

    def _close(self, session: int) -> None:
        held = self.sessions.pop(session, None)
        if held is None and session not in self._gone:
            self.complaints.append(f"session {session} is closed and was not open")
        self._gone.discard(session)
        if self._by_chance(self.weather.relay_mute):
            self.unreported += 1
        else:
            streams = [[dict(COUNTS), dict(COUNTS)] for _ in held.ports] if held is not None else []
            self._say("report", session, streams)

    def _say(self, kind: str, session: int, detail: Any = None) -> None:
        life = self._life

        def arrive() -> None:
            if life == self._life:
                self._tell(RelayMessage(kind, session, detail))

        self._later(self._random.randint(*self.weather.relay_ms) * NS_PER_MS, arrive)

    def _by_chance(self, per_mille: int) -> bool:
        return bool(per_mille) and self._random.randrange(1000) < per_mille


def _playable(codecs: dict[Any, Any]) -> bool:
    """Whether the relay would take these codecs by payload type, written as JSON has them."""
    return bool(codecs) and all(
        isinstance(payload_type, str) and payload_type.isdigit() and codec in ("PCMA", "PCMU")
        for payload_type, codec in codecs.items()
    )
