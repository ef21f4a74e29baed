"""The running calls, by what they are looked up by. Every count is the size of a set of live links, so none
can drift."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from switch.call.call import Call, State
from switch.call.counted import trunk_name
from switch.call.leg import Leg
from switch.media.anchor import Anchor
from switch.routing.lines import Line


class RunningCalls:
    """Calls by id, by the ids of their links, by relay session, and links by the lines and trunks whose
    limits they count towards (`switch.call.context.CallTables`)."""

    def __init__(self, on_ended: Callable[[Call], None]) -> None:
        """`on_ended` is told of every call that is over."""
        self._on_ended = on_ended
        self._by_id: dict[str, Call] = {}
        self._by_link: dict[str, Call] = {}
        self._by_session: dict[int, Call] = {}
        self._by_name: dict[str, set[str]] = {}
        self._names: dict[str, set[str]] = {}
        self._trunk_of: dict[str, str] = {}
        self._measuring: dict[int, str] = {}
        self._unreported: list[int] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_id.values()))

    def __contains__(self, link_id: object) -> bool:
        return link_id in self._by_link

    def add(self, call: Call, names: Iterable[str]) -> None:
        """Take in a call that counts towards these lines and trunks."""
        self._by_id[call.id] = call
        self._by_session[call.anchor.session] = call
        self.opened(call, call.id, names)

    def remove(self, call: Call) -> None:
        """Let a call go, as if it had never been."""
        if self._by_id.pop(call.id, None) is None:
            return
        for anchor in call.anchors:
            self._by_session.pop(anchor.session, None)
        for link in call.links:
            self.closed(link.id)

    def get(self, link_id: str) -> Call | None:
        """A call by its id or that of any of its links."""
        return self._by_link.get(link_id)

    def of_session(self, session: int) -> Call | None:
        """The call of a relay session."""
        return self._by_session.get(session)

    def count(self, name: str) -> int:
        """How many links count towards `line_name`, `sent_on_name`, `trunk_name` or `UNPROVEN`."""
        return len(self._by_name.get(name, ()))

    def answered(self) -> int:
        """How many calls are answered."""
        return sum(1 for call in self._by_id.values() if call.state is State.ANSWERED)

    def links(self) -> int:
        """How many links are open: calls, and whatever they were sent on to."""
        return len(self._by_link)

    def of_line(self, line: Line) -> list[Call]:
        """The calls that a line pays for or is called in."""
        return [call for call in self if call.pays(line)]

    # --- what calls say of themselves -----------------------------------------------------------------------

    def opened(self, call: Call, link_id: str, names: Iterable[str]) -> None:
        """A call has one more link, which counts towards these lines and trunks."""
        self._by_link[link_id] = call
        self._names[link_id] = set()
        for name in names:
            self._join(link_id, name)

    def tried(self, link_id: str, trunk: str) -> None:
        """A link tries a trunk: it counts there, and no longer at the one before."""
        before = self._trunk_of.pop(link_id, "")
        if before:
            self._leave(link_id, trunk_name(before))
        if trunk:
            self._trunk_of[link_id] = trunk
            self._join(link_id, trunk_name(trunk))

    def closed(self, link_id: str) -> None:
        """A link is over."""
        self._by_link.pop(link_id, None)
        self._trunk_of.pop(link_id, None)
        for name in list(self._names.pop(link_id, ())):
            self._discard(link_id, name)

    def call_of(self, leg: Leg) -> Call | None:
        """The call that a leg belongs to."""
        return leg.user if isinstance(leg.user, Call) else None

    def media_added(self, call: Call, anchor: Anchor) -> None:
        """A call has one more media session."""
        self._by_session[anchor.session] = call

    def media_over(self, anchor: Anchor, record_id: str) -> None:
        """A media session is over before its call is; its figures belong to this record."""
        self._by_session.pop(anchor.session, None)
        if anchor.used:
            self._measuring[anchor.session] = record_id

    def media_removed(self, anchor: Anchor) -> None:
        """A media session came to nothing."""
        self._by_session.pop(anchor.session, None)

    def absorbed(self, call: Call, other: Call) -> None:
        """The links of `other` go on in `call`."""
        self._by_id.pop(other.id, None)
        for link in other.links:
            self._by_link[link.id] = call
        self.media_over(other.anchor, other.media_of)

    def ended(self, call_id: str) -> None:
        """A call is over."""
        call = self._by_id.get(call_id)
        if call is None:
            return
        self.remove(call)
        if call.anchor.used:
            self._measuring[call.anchor.session] = call.media_of
        self._on_ended(call)

    # --- what the relays are asked when a session ends ------------------------------------------------------

    def reported(self, session: int) -> str | None:
        """The record that a report of a relay belongs to."""
        return self._measuring.pop(session, None)

    def relay_died(self, worker: int, workers: int) -> None:
        """Its reports will not come."""
        for session in [s for s in self._measuring if s % workers == worker]:
            del self._measuring[session]

    def sweep(self) -> None:
        """From time to time: a report that has not come since the last time never will."""
        for session in self._unreported:
            self._measuring.pop(session, None)
        self._unreported = list(self._measuring)

    # --- details --------------------------------------------------------------------------------------------

    def _join(self, link_id: str, name: str) -> None:
        self._names[link_id].add(name)
        self._by_name.setdefault(name, set()).add(link_id)

    def _leave(self, link_id: str, name: str) -> None:
        self._names[link_id].discard(name)
        self._discard(link_id, name)

    def _discard(self, link_id: str, name: str) -> None:
        links = self._by_name[name]
        links.discard(link_id)
        if not links:
            del self._by_name[name]
