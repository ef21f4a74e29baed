"""Whoever looks at single messages and single parties: what may leave the switch at all, what a party is told
of its session, and whether everybody who talks is heard.

Beside the auditor, who keeps the books. What can be seen at the door is seen there; only `check_talks` asks
the switch which calls it believes to be going on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from switch.call.call import Call
from switch.call.leg import Leg
from switch.ports import CallAnswered, CallEnded
from tests.sim.network import Hop
from tests.sim.text import Sip, user_in
from tests.sim.world import SWITCH, World


@dataclass(slots=True)
class Witness:
    """Watches a world from its first moment; `problems` is empty when all is well."""

    world: World
    problems: list[str] = field(default_factory=list)
    _told: dict[tuple[str, ...], str] = field(default_factory=dict)
    """What was told under each version of a session, by dialog, session and version."""
    _left: list[tuple[int, str, str]] = field(default_factory=list)
    """INVITEs that left for a carrier: in which life of the switch, for which line, to which number."""
    _calls: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.world.network.watch(self._on_sent, lambda _hop: None)

    # --- at the door ---------------------------------------------------------------------------------------

    def _on_sent(self, hop: Hop) -> None:
        if hop.source != SWITCH or not hop.data.strip():
            return
        message = _read(hop.data)
        self._check_version(message)
        trunks = self.world.machine.settings.trunks
        carriers = {trunk.host for trunk in trunks if not (trunk.voicemail or trunk.psap)}
        new = message.method == "INVITE" and not message.tag("To") and message.call_id not in self._calls
        if new and hop.target.host in carriers:
            self._calls.add(message.call_id)
            self._on_leaving(message)

    def _check_version(self, message: Sip) -> None:
        """RFC 3264 section 8: two descriptions of one version are the same."""
        for line in message.sdp.split("\r\n"):
            if line.startswith("o="):
                _, session, version, *_ = line.split(" ")
                key = message.call_id, message.tag("From"), message.tag("To"), session, version
                if self._told.setdefault(key, message.sdp) != message.sdp:
                    self.problems.append(f"two descriptions of version {version} in {message.call_id}")

    def _on_leaving(self, invite: Sip) -> None:
        """A call goes out: one that a line sends on leads abroad with both papers only, and never to a
        premium number (R-POL-02)."""
        number = user_in(invite.uri)
        caller = user_in(invite.get("P-Asserted-Identity").strip("<>"))
        line = next((one for one in self.world.machine.lines if caller in one.numbers), None)
        self._left.append((self.world.machine.lives, caller, number))
        if line is None:
            self.problems.append(f"{caller} calls {number} and is no line")
            return
        if not invite.get("Diversion"):
            return
        papers = line.agreement and line.guarantee
        if number.startswith("+") and not number.startswith("+32") and not papers:
            self.problems.append(f"{caller} sends a call on to {number} without papers")
        if number.startswith(("+3270", "+3290")) and number != "+3270245245":
            self.problems.append(f"{caller} sends a call on to {number}")

    # --- who talks -----------------------------------------------------------------------------------------

    def check_talks(self) -> None:
        """At a quiet moment: nobody is in a call alone, and all who talk are heard by each other."""
        core = self.world.machine.core
        if core is None:
            return
        for call in core.calls:
            if call.talking and call.transfer is None and None in (call.a, call.b):
                self.problems.append(f"somebody is alone in call {call.id}")
        relay = self.world.machine.relay
        for party in self.world.parties.values():
            for talk in party.talks:
                leg = core.endpoint.dialogs.get((talk.call_id, talk.remote_tag))
                if party.dead or talk.over or not talk.up or not isinstance(leg, Leg) or not leg.settled:
                    continue
                call_of = leg.user
                if not isinstance(call_of, Call) or call_of.transfer is not None or not talk.agreed:
                    continue
                session, there = call_of.anchor.session, relay.session_of(talk.media_target[1])
                if session in relay.sessions and there != session:
                    self.problems.append(f"{party.name} speaks to session {there} in {talk.call_id}")
                keys = relay.keys_at(talk.media_target[1]) if there else []
                if keys and keys[1:] != [talk.told_key, talk.crypto[1]]:
                    self.problems.append(f"{party.name} has other keys than the relay in {talk.call_id}")
                if there and bool(keys) != bool(talk.crypto[1]):
                    self.problems.append(f"the relay has keys {keys} for {party.name} in {talk.call_id}")

    # --- afterwards ----------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """All that can be said at the end."""
        journal = self.world.machine.journal
        known = {(e.cdr.line, e.cdr.called) for e in journal.taken if isinstance(e, CallEnded)}
        known |= {(e.pending.line, e.pending.called) for e in journal.taken if isinstance(e, CallAnswered)}
        by_number = {number: line.number for line in self.world.machine.lines for number in line.numbers}
        for life, caller, number in self._left:
            cut = life < self.world.machine.lives  # what still rang then left nothing behind
            if (by_number.get(caller), number) not in known and not cut:
                self.problems.append(f"a call of {caller} to {number} left without a record")
        ended = Counter(entry.cdr.call_id for entry in journal.disk if isinstance(entry, CallEnded))
        lost = {entry.cdr.call_id for entry in journal.lost if isinstance(entry, CallEnded)}
        for call_id in {entry.call_id for entry in journal.disk if isinstance(entry, CallAnswered)}:
            if ended[call_id] != 1 and not (ended[call_id] == 0 and call_id in lost):
                self.problems.append(f"{ended[call_id]} records of the link {call_id}, which was answered")
        return self.problems


def _read(data: bytes) -> Sip:
    head, _, body = data.decode().partition("\r\n\r\n")
    start, *rows = head.split("\r\n")
    return Sip(start, [(name, value) for name, _, value in (row.partition(": ") for row in rows)], body)
