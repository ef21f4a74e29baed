"""What the switch can say itself: the recordings below `prompts/` of a configuration, and all their faults.

`prompts/LANGUAGE/NAME.wav` are prompts, each language with all the names; `prompts/tones/NAME.wav` has no
words and is the same in every language. A configuration without the directory says nothing, which is no
fault. What a recording must be is `switch.relay.recording`'s to say, for the relay plays it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from switch.config.loader import Fault
from switch.relay.recording import read

FOLDER = "prompts"
TONES = "tones"
NAMES = (
    "not-allowed",
    "international-barred",
    "premium-barred",
    "line-suspended",
    "line-restricted",
    "cap-reached",
    "number-unknown",
    "congestion",
    "forward-set",
    "forward-removed",
    "forward-refused",
    "service-on",
    "service-off",
    "call-marked",
    "not-possible",
)
"""What is said in words."""
RINGBACK = "ringback"
"""The ringing tone of the network: one period, to be repeated."""

_FALLBACK = "en"
_LANGUAGE = re.compile(r"[a-z]{2}\Z")


@dataclass(frozen=True, slots=True)
class Prompt:
    """One recording: an absolute path, as the relay is told it, and how long it lasts."""

    path: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Prompts:
    """The recordings there are, by language (or "tones") and name."""

    recordings: Mapping[tuple[str, str], Prompt] = field(default_factory=dict)

    def find(self, name: str, language: str) -> Prompt | None:
        """The recording of this name in a language, else in English, else in any; None when there is none."""
        for one in (language, _FALLBACK):
            if (found := self.recordings.get((one, name))) is not None:
                return found
        return next((prompt for (_, held), prompt in self.recordings.items() if held == name), None)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that can be spoken, in alphabetical order."""
        return tuple(sorted({language for language, _ in self.recordings} - {TONES}))


def load_prompts(directory: Path) -> tuple[Prompts, tuple[Fault, ...]]:
    """Read the prompts of a configuration directory: all of them, or none and every fault."""
    folder = directory / FOLDER
    if not folder.exists():
        return Prompts(), ()
    reader = _Reader(directory)
    for below in reader.listed(folder):
        if below.is_dir():
            reader.read(below)
    if reader.faults:
        return Prompts(), tuple(sorted(reader.faults))
    return Prompts(reader.found), ()


class _Reader:
    """What was found below a configuration directory, and what is wrong with it."""

    def __init__(self, directory: Path) -> None:
        self.found: dict[tuple[str, str], Prompt] = {}
        self.faults: list[Fault] = []
        self._directory = directory

    def listed(self, folder: Path) -> list[Path]:
        """What a folder holds."""
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            self._fault(folder, f"cannot be read: {error.strerror}")
            return []

    def read(self, folder: Path) -> None:
        """Read one language, or the tones."""
        language = folder.name
        if language != TONES and not _LANGUAGE.match(language):
            self._fault(folder, f'is neither a language of two small letters nor "{TONES}"')
            return
        wanted = (RINGBACK,) if language == TONES else NAMES
        there = {path.stem: path for path in self.listed(folder) if path.suffix == ".wav"}
        for name in wanted:
            if name not in there:
                self._fault(
                    folder / f"{name}.wav", f"is missing; {folder.name} has every name or is left out"
                )
        for name, path in there.items():
            if name not in wanted:
                self._fault(path, f"is never played; the names known are {', '.join(wanted)}")
            elif (prompt := self._prompt(path)) is not None:
                self.found[language, name] = prompt

    def _prompt(self, path: Path) -> Prompt | None:
        try:
            return Prompt(str(path.absolute()), read(str(path)).duration_ms)
        except OSError as error:
            self._fault(path, f"cannot be read: {error.strerror}")
        except ValueError as error:
            self._fault(path, str(error))
        return None

    def _fault(self, path: Path, message: str) -> None:
        self.faults.append(Fault(path.relative_to(self._directory).as_posix(), 0, "", message))
