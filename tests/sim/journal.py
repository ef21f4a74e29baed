"""A journal on a virtual disk: one writer, batches, and a power switch. What was not committed when it is cut
is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from rating.charge import Use
from switch.ports import (
    NS_PER_MS,
    NS_PER_S,
    BindingRemoved,
    BindingSaved,
    CallAnswered,
    CallEnded,
    EmergencyLogged,
    Entry,
    FirstSeen,
    LineMeasure,
    MeasureLifted,
    MediaMeasured,
    ServicesSaved,
    ThresholdCrossed,
)
from switch.record import Cdr
from tests.sim.weather import Weather


class Journal:
    """`disk` is what a restart finds; `lost` what a cut took. `tell_full` is told when it becomes full and
    when it is not."""

    def __init__(
        self,
        random: Random,
        later: Callable[[int, Callable[[], None]], None],
        tell_full: Callable[[bool], None],
    ) -> None:
        self.weather = Weather()
        self.disk: list[Entry] = []
        self.lost: list[Entry] = []
        self.life: list[Entry] = []
        """Everything that the process now running has ordered."""
        self.taken: list[Entry] = []
        """Everything ever ordered."""
        self._random = random
        self._later = later
        self._tell_full = tell_full
        self._waiting: list[Entry] = []
        self._writing: list[Entry] = []
        self._when_done: list[Callable[[], None]] = []
        self._full = False
        self._life = 0

    def append(self, entry: Entry, when_done: Callable[[], None] | None = None) -> None:
        """Queue one entry; `when_done` is called once it is on disk."""
        self._waiting.append(entry)
        self.life.append(entry)
        self.taken.append(entry)
        if when_done is not None:
            self._when_done.append(when_done)
        if not self._writing:
            self._write()
        elif len(self._waiting) > self.weather.queue_max and not self._full:
            self._full = True
            self._later(0, lambda: self._tell_full(True))

    def cut(self) -> None:
        """The process is killed: whatever is not committed is gone."""
        self._life += 1
        self.lost += self._writing + self._waiting
        self.life = []
        self._waiting, self._writing, self._when_done, self._full = [], [], [], False

    def _write(self) -> None:
        self._writing, self._waiting = self._waiting, []
        done, self._when_done = self._when_done, []
        life = self._life
        delay_ns = self._random.randint(*self.weather.commit_ms) * NS_PER_MS
        if self.weather.stalls and self._random.randrange(1000) < self.weather.stalls:
            delay_ns += self._random.randint(1, 6) * NS_PER_S

        def commit() -> None:
            if life != self._life:
                return
            self.disk += self._writing
            self._writing = []
            for call in done:
                call()
            if self._waiting:
                self._write()
            elif self._full:
                self._full = False
                self._tell_full(False)

        self._later(delay_ns, commit)

    # --- what a restart and an auditor read ----------------------------------------------------------------

    def cdrs(self) -> list[Cdr]:
        """Every record on disk, in the order of writing."""
        return [entry.cdr for entry in self.disk if isinstance(entry, CallEnded)]

    def orphans(self) -> list[CallAnswered]:
        """Calls that were answered and have no record of their end."""
        open_calls: dict[str, CallAnswered] = {}
        for entry in self.disk:
            if isinstance(entry, CallAnswered):
                open_calls[entry.call_id] = entry
            elif isinstance(entry, CallEnded):
                open_calls.pop(entry.cdr.call_id, None)
        return list(open_calls.values())

    def bindings(self) -> Iterator[tuple[str, str, int, dict[str, Any]]]:
        """Contacts as `Switch.restore` takes them."""
        kept: dict[tuple[str, str], BindingSaved] = {}
        for entry in self.disk:
            if isinstance(entry, BindingSaved):
                kept[entry.user, entry.contact] = entry
            elif isinstance(entry, BindingRemoved):
                kept.pop((entry.user, entry.contact), None)
        for entry in kept.values():
            yield entry.user, entry.contact, entry.expires_wall_ns, dict(entry.state)

    def uses(self) -> list[tuple[str, Use]]:
        """What settled calls used, by account."""
        return [
            (entry.account, use) for entry in self.disk if isinstance(entry, CallEnded) for use in entry.uses
        ]

    def crossed(self) -> list[ThresholdCrossed]:
        """Thresholds that were told of."""
        return [entry for entry in self.disk if isinstance(entry, ThresholdCrossed)]

    def helped(self) -> list[tuple[str, int]]:
        """Lines that called for help, and when that ended."""
        return [
            (entry.account, (entry.at_ms + entry.released_ms) * NS_PER_MS)
            for entry in self.disk
            if isinstance(entry, EmergencyLogged) and entry.account
        ]

    def services(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What subscribers have set, the last of it for each line."""
        return list(
            {entry.user: entry.values for entry in self.disk if isinstance(entry, ServicesSaved)}.items()
        )

    def measures(self) -> list[LineMeasure]:
        """What was done to lines for fraud and not taken back."""
        lifted = {one for entry in self.disk if isinstance(entry, MeasureLifted) for one in entry.ids}
        found = [entry for entry in self.disk if isinstance(entry, LineMeasure)]
        return [entry for entry in found if entry.action != "alert" and entry.id not in lifted]

    def seen(self) -> list[FirstSeen]:
        """What lines were seen with."""
        return [entry for entry in self.disk if isinstance(entry, FirstSeen)]

    def measured(self) -> dict[str, MediaMeasured]:
        """Media counts by call."""
        return {entry.call_id: entry for entry in self.disk if isinstance(entry, MediaMeasured)}
