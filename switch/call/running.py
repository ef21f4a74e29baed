"""The running calls, by what they are looked up by. Every count is the size of a set of live calls, so
none can drift."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from switch.call.call import Call, State
from switch.routing.lines import Line

UNPROVEN = "emergency calls of callers who proved nothing"


def line_name(line: Line) -> str:
    """The name under which a line's calls are counted; lines and trunks may be called alike."""
    return f"line {line.user}"


def trunk_name(name: str) -> str:
    """The name under which a trunk's calls are counted."""
    return f"trunk {name}"


class RunningCalls:
    """Calls by id, by relay session, and by the lines and trunks whose limits they count towards."""

    def __init__(self) -> None:
        self._by_id: dict[str, Call] = {}
        self._by_session: dict[int, Call] = {}
        self._by_name: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_id.values()))

    def __contains__(self, call_id: object) -> bool:
        return call_id in self._by_id

    def add(self, call: Call, names: Iterable[str]) -> None:
        """Take in a call that counts towards these lines and trunks."""
        self._by_id[call.id] = call
        self._by_session[call.anchor.session] = call
        self._names[call.id] = set()
        for name in names:
            self._join(call.id, name)

    def enter(self, call_id: str, trunk: str) -> None:
        """A call tries a trunk: it counts there, and no longer at the one before."""
        call = self._by_id[call_id]
        if call.trunk:
            self._leave(call_id, trunk_name(call.trunk))
        if trunk:
            self._join(call_id, trunk_name(trunk))

    def remove(self, call_id: str) -> Call | None:
        """Let a call go."""
        call = self._by_id.pop(call_id, None)
        if call is not None:
            self._by_session.pop(call.anchor.session, None)
            for name in list(self._names.pop(call_id)):
                self._discard(call_id, name)
        return call

    def get(self, call_id: str) -> Call | None:
        """A call by id."""
        return self._by_id.get(call_id)

    def of_session(self, session: int) -> Call | None:
        """The call of a relay session."""
        return self._by_session.get(session)

    def count(self, name: str) -> int:
        """How many calls count towards `line_name`, `trunk_name` or `UNPROVEN`."""
        return len(self._by_name.get(name, ()))

    def answered(self) -> int:
        """How many are answered."""
        return sum(1 for call in self._by_id.values() if call.state is State.ANSWERED)

    def _join(self, call_id: str, name: str) -> None:
        self._names[call_id].add(name)
        self._by_name.setdefault(name, set()).add(call_id)

    def _leave(self, call_id: str, name: str) -> None:
        self._names[call_id].discard(name)
        self._discard(call_id, name)

    def _discard(self, call_id: str, name: str) -> None:
        calls = self._by_name[name]
        calls.discard(call_id)
        if not calls:
            del self._by_name[name]
