"""What the relay itself lets the parties of a call hear: warning tones, recordings, and keys that the other
one pressed. Each goes into a stream in which its party takes it; where there is none, nothing is heard.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from switch.sdp.description import Media

EVENT_RATES = (8000, 16_000, 32_000, 48_000)
"""Clocks in Hz at which the relay can put a key into a stream."""

Sections = Sequence[Sequence[Media | None]]
"""What both sides said last of each stream."""


class Sounds:
    """Orders for one session. `sections` is empty while the relay holds no ports for it."""

    __slots__ = ("_command", "_sections", "_session")

    def __init__(
        self, session: int, sections: Callable[[], Sections], command: Callable[[list[Any]], None]
    ) -> None:
        self._session = session
        self._sections = sections
        self._command = command

    def play_tone(self, sides: Collection[int], duration_ms: int) -> bool:
        """Let the parties on `sides` hear a warning tone in place of each other for `duration_ms` (0: no
        more); whether any of them can.

        Those can who have agreed to G.711 and do not hold the call: each in its first audio stream of that
        kind. A relay that dies takes the tone along.
        """
        played = False
        for side in sides:
            if (audible := self._audible(side)) is not None:
                stream, codecs = audible
                self._command(["tone", self._session, stream, side, duration_ms, codecs])
                played = True
        return played

    def press(self, side: int, key: str, duration_ms: int) -> bool:
        """Let the party on `side` hear a key that the other one presses, as a telephone event; whether it can
        (RFC 4733)."""
        for stream, sections in enumerate(self._sections()):
            hearing, pressing = sections[side], sections[1 - side]
            if hearing is None or hearing.held or not hearing.relayed or not (pressing and pressing.relayed):
                continue
            agreed = hearing.of_both(pressing)
            if (event_type := agreed.event_type) >= 0 and (rate := agreed.clock_rate) in EVENT_RATES:
                self._command(["press", self._session, stream, side, event_type, rate, key, duration_ms])
                return True
        return False

    def say(self, side: int, prompt_path: str, times: int = 1) -> bool:
        """Let the party on `side` hear the recording at `prompt_path` in place of the other one, `times`
        times over (0: as long as the session lasts), instead of a sound that is playing; whether it can.

        Who can is as for `play_tone`. A recording that cannot be read is the relay's to complain about; a
        relay that dies takes the announcement along.
        """
        audible = self._audible(side)
        if audible is None:
            return False
        stream, codecs = audible
        self._command(["say", self._session, stream, side, codecs, prompt_path, times])
        return True

    def _audible(self, side: int) -> tuple[int, dict[str, str]] | None:
        """The stream in which a side can be made to hear a sound, and its codecs; None when there is none."""
        for stream, sections in enumerate(self._sections()):
            if codecs := _sound_codecs(sections[side], sections[1 - side]):
                return stream, codecs
        return None


def _sound_codecs(hearing: Media | None, speaking: Media | None) -> dict[str, str]:
    """The payload types in which a side can be made to hear a sound, as the relay is told them: those that it
    takes, of the codecs that the other side takes too (all of them while that has said nothing)."""
    if hearing is None or hearing.kind != "audio" or not hearing.relayed or hearing.held:
        return {}
    takes = hearing.g711
    if speaking is None:
        agreed = set(takes.values())
    else:
        agreed = set(speaking.g711.values()) if speaking.relayed else set()
    return {str(payload_type): codec for payload_type, codec in takes.items() if codec in agreed}
