"""Whoever checks the books: sees every datagram at the switch's door and every record on disk, and nothing
else.

It knows neither the traffic nor the code it judges, and it is simple on purpose: what was promised on the
wire must be in the records, once, at the right price, and at the end nothing may be left over.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import unquote

from switch.ports import NS_PER_MS, NS_PER_S, CallAnswered, CallEnded, Flow
from switch.record import Cdr
from tests.sim.network import Hop
from tests.sim.text import Sip, media_in, user_in
from tests.sim.world import HOSTS, SWITCH, World

_LONGEST_GOODBYE_NS = 33 * NS_PER_S
_TRANSACTION_NS = 32 * NS_PER_S
_LONGEST_CALL_NS = 60 * NS_PER_S
"""Of the calls for help in this traffic."""
_ABROAD = ("ZONE_A", "MOROCCO_TURKEY", "INTERNATIONAL")
CENTRES = (HOSTS["centre1"], HOSTS["centre2"])


@dataclass(slots=True)
class Attempt:
    """An INVITE from outside that asks for a new call."""

    at_ns: int
    wall_ms: int
    host: str
    uri: str
    life: int
    known: bool
    """Whether it came from a line or carrier that the switch knew at that time."""
    status: int = 0
    journal_full: bool = False
    put_off: bool = False
    """Whether it was refused unread, which leaves no record."""

    @property
    def dialled(self) -> str:
        """What the record calls it."""
        return user_in(self.uri)


@dataclass(slots=True)
class Side:
    """One dialog of the switch: the party's host, and what passed."""

    host: str
    life: int
    session: int | None = None
    """The relay session whose ports it was told of first; 0 when none had them, None before. A repetition may
    be seen when its ports are another call's already."""
    began_ns: int = 0
    """When we called the party, 0 where it called."""
    confirmed_ns: int = 0
    bye_ns: int = 0
    """When its first BYE came or went."""


@dataclass(slots=True)
class Auditor:
    """Watches a world from its first moment; `problems` is empty when all is well."""

    world: World
    problems: list[str] = field(default_factory=list)
    attempts: dict[tuple[str, str, int], Attempt] = field(default_factory=dict)
    sides: dict[str, Side] = field(default_factory=dict)
    called_for_help: list[tuple[int, str]] = field(default_factory=list)
    answers_ns: set[int] = field(default_factory=set)
    lives_checked: int = 0

    def __post_init__(self) -> None:
        self.world.network.watch(self._on_sent, self._on_arrival)

    # --- at the door ---------------------------------------------------------------------------------------

    def _on_sent(self, hop: Hop) -> None:
        if hop.source != SWITCH or not hop.data.strip():
            return
        message = _parse(hop.data)
        if message.asked != "REGISTER":  # a phone is told the contacts of its own line
            self._check_hiding(hop)
        if message.status and message.asked == "INVITE":
            self._on_reply(hop, message)
        elif message.method == "INVITE" and not message.tag("To"):
            life = self.world.machine.lives
            self.sides.setdefault(message.call_id, Side(hop.target.host, life, began_ns=hop.at_ns))
            if hop.target.host in CENTRES:
                self.called_for_help.append((hop.at_ns, hop.target.host))
                self._check_documents(message)
        elif message.method == "BYE":
            self._on_bye(message)
        side = self.sides.get(message.call_id)
        if side is not None and side.session is None and message.sdp and message.get("Content-Type"):
            side.session = self.world.machine.relay.session_of(media_in(message.sdp)[1])

    def _check_documents(self, invite: Sip) -> None:
        """A centre is told who calls and where from, and nothing that the phone made up (R-EMG-08)."""
        kinds = [part.kind for part in invite.parts]
        if "application/sdp" in kinds[1:] or "application/EmergencyCallData.ProviderInfo+xml" not in kinds:
            self.problems.append(f"a call for help has the parts {kinds}")
        ids = {f"<cid:{part.content_id}>" for part in invite.parts}
        places = invite.all("Geolocation")
        if any(place.startswith("<cid:") and place not in ids for place in places):
            self.problems.append(f"a call for help points to a place that is not there: {places}")
        if invite.all("Resource-Priority") != ["esnet.1"] or invite.get("Require"):
            self.problems.append("a call for help passes on what the phone made up")
        known = invite.get("P-Asserted-Identity")
        core = self.world.machine.core
        line = core.lines.by_number.get(user_in(known.strip("<>"))) if core is not None and known else None
        postcode = line.address.get("postcode") if line is not None and line.address else None
        told = [part.content for part in invite.parts if part.kind == "application/pidf+xml"]
        if postcode and not any(f"<ca:PC>{postcode}</ca:PC>" in content for content in told):
            self.problems.append(f"a call for help of {known} does not say where")

    def _on_reply(self, hop: Hop, response: Sip) -> None:
        attempt = self.attempts.get((response.call_id, response.branch, self.world.machine.lives))
        if attempt is None or response.status < 200 or attempt.status:
            return
        attempt.status = response.status
        core = self.world.machine.core
        attempt.journal_full = core is not None and core._journal_full
        attempt.put_off = bool(response.get("Retry-After")) and not response.get("Reason")
        if response.status < 300:
            side = self.sides.setdefault(response.call_id, Side(hop.target.host, self.world.machine.lives))
            side.confirmed_ns = hop.at_ns

    def _on_arrival(self, hop: Hop) -> None:
        if hop.target != SWITCH or self.world.machine.core is None:
            return
        message = _parse(hop.data)
        life = self.world.machine.lives
        if message.method == "INVITE" and not message.tag("To"):
            moment = self.world.moment()
            key = message.call_id, message.branch, life
            before = self.attempts.get(key)
            core = self.world.machine.core
            remembered = any(kept[0] == message.branch for kept in core.endpoint._servers)
            if before is None or not remembered:  # answered without state or not at all: it is tried afresh
                wall_ms = moment.wall_ns // NS_PER_MS
                known = self._is_known(hop)
                self.attempts[key] = Attempt(
                    moment.mono_ns, wall_ms, hop.source.host, message.uri, life, known
                )
        elif message.method == "BYE":
            self._on_bye(message)
        elif message.asked == "INVITE" and 200 <= message.status < 300:
            self.answers_ns.add(self.world.mono_ns)
            side = self.sides.get(message.call_id)
            if side is not None and not side.confirmed_ns:
                side.confirmed_ns = self.world.mono_ns

    def _is_known(self, hop: Hop) -> bool:
        core, name = self.world.machine.core, self.world.network.names[hop.source]
        assert core is not None
        line = core.lines.by_user.get(self.world.parties[name].user) if name != "mallory" else None
        if line is not None and line.secret_out and core.lines.admitted_from(hop.source.host) is None:
            service = core.settings.emergency.numbers.recognise(_without_code(_parse(hop.data).uri))
            if service is None or not service.is_emergency:
                line = None  # it can prove nothing any more, and only help needs no proof
        return core.trunks.admitted_from(Flow("udp", hop.target, hop.source)) is not None or line is not None

    def _on_bye(self, message: Sip) -> None:
        side = self.sides.get(message.call_id)
        if side is not None and not side.bye_ns:
            side.bye_ns = self.world.mono_ns

    def _check_hiding(self, hop: Hop) -> None:
        """Nothing of one party is told to another: neither its address nor anything it wrote."""
        text = hop.data.decode()
        own = self.world.network.names.get(hop.target, hop.target.host)
        for name, host in HOSTS.items():
            if host != hop.target.host and (
                f"mk-{name}-" in text or f"mk-{name} " in text or host in _words(text)
            ):
                self.problems.append(f"{own} is shown something of {name}: {text.splitlines()[0]}")

    # --- the books -----------------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """All that can be said of the past; may be asked at any time of rest."""
        machine = self.world.machine
        for note in machine.notes:
            if note.event == "internal_error":
                self.problems.append(f"internal error: {dict(note.facts)}")
        self.problems += machine.relay.complaints
        for party in self.world.parties.values():
            self.problems += party.faults
        self._check_attempts()
        self._check_emergencies()
        self._check_byes()
        self.check_sums()
        for cdr in self.world.cdrs:
            self._check_money(cdr)
            self._check_times(cdr)
        self._check_caused()
        return self.problems

    def _check_attempts(self) -> None:
        """Each attempt of a known line or carrier has one record, and there are no other records."""
        journal = self.world.machine.journal
        cdrs = self.world.cdrs
        for call_id, count in Counter(cdr.call_id for cdr in cdrs).items():
            if count > 1:
                self.problems.append(f"{count} records of call {call_id}")
        cdrs = [cdr for cdr in cdrs if not cdr.caused_by]
        spoken = {cdr.invited_ms: _key(cdr) for cdr in cdrs if cdr.outcome in ("refused", "service")}
        lost = [entry.cdr for entry in journal.lost if isinstance(entry, CallEnded)]
        lost = [cdr for cdr in lost if not cdr.caused_by]
        on_disk = Counter(_key(cdr) for cdr in cdrs)
        excused = Counter(_key(cdr) for cdr in lost)
        unbacked = self.world.machine.unbacked
        kept = {entry.call_id for entry in journal.disk if isinstance(entry, CallAnswered)}
        unanswered_lost = {
            (entry.pending.invited_ms, "answered")
            for entry in journal.lost
            if isinstance(entry, CallAnswered)
            and entry.call_id not in kept  # what was lost is that a side is another
            and (entry.pending.emergency or entry.call_id in unbacked)
        }  # the answer to a call for help waits for no disk
        expected: Counter[tuple[int, str]] = Counter()
        for attempt in self.attempts.values():
            if attempt.status in (401, 407, 422) or not attempt.known:
                continue
            if attempt.put_off or attempt.uri.lower().startswith("urn:service:test."):
                continue  # it was not read; a rehearsal calls nobody
            if not attempt.status:
                if attempt.life == self.world.machine.lives:
                    self.problems.append(f"never answered: INVITE {attempt.uri} from {attempt.host}")
                continue
            key = attempt.wall_ms, "answered" if attempt.status < 300 else str(attempt.status)
            if key not in on_disk and (attempt.status == 487 or attempt.dialled[:1] in ("*", "#", "%")):
                key = spoken.get(attempt.wall_ms, key)  # recorded, and then spoken about
            if attempt.journal_full and attempt.status >= 300 and not on_disk[key]:
                continue
            if key in unanswered_lost and not on_disk[key]:  # of its links only one may be lost
                continue
            expected[key] += 1
        for key in expected | on_disk:
            low = expected[key] - excused[key] if key[1] != "answered" else expected[key]
            if on_disk[key] < low:
                self.problems.append(f"a record is missing: {key}: {on_disk[key]} of {expected[key]}")
            if on_disk[key] > expected[key] and not self._cut_before_reply(key):
                self.problems.append(f"a record too many: {key}: {on_disk[key]} of {expected[key]}")

    def _cut_before_reply(self, key: tuple[int, str]) -> bool:
        """A record of an answer that a power cut kept from leaving, or of an end that nobody was told."""
        return any(
            attempt.wall_ms == key[0] and not attempt.status and attempt.life < self.world.machine.lives
            for attempt in self.attempts.values()
        )

    def _check_emergencies(self) -> None:
        """No call for help is refused before every centre has been tried, unless the relay failed, an
        operator ended it, or other calls for help had every port."""
        numbers = self.world.machine.settings.emergency.numbers
        calls = []
        trunks = {
            trunk.host for trunk in self.world.machine.settings.trunks
        }  # no carrier calls for help here
        for attempt in self.attempts.values():
            service = numbers.recognise(_without_code(attempt.uri))
            ours = attempt.known and attempt.host not in trunks
            if service is not None and service.is_emergency and ours:
                calls.append(attempt)
        flags: dict[int, set[str]] = {}
        for entry in (*self.world.machine.journal.disk, *self.world.machine.journal.lost):
            if isinstance(entry, CallEnded) and entry.cdr.emergency:
                flags.setdefault(entry.cdr.invited_ms, set()).update(entry.cdr.flags)
        for call in calls:
            if call.status < 300 or call.status == 487:
                continue
            others = sum(1 for other in calls if 0 < call.at_ns - other.at_ns < _LONGEST_CALL_NS)
            why = flags.get(call.wall_ms, set())
            full = "no-ports" in why and 2 * (others + 1) > self.world.relay_pairs
            tried = {host for at_ns, host in self.called_for_help if at_ns >= call.at_ns}
            if tried != set(CENTRES) and not full and not why & {"relay-failed", "operator"}:
                self.problems.append(f"a call for help from {call.host} was refused with {call.status}")

    def _check_byes(self) -> None:
        """Each side of each answered call got a BYE or sent one, no later than an ACK may be waited for."""
        for call_id, side in self.sides.items():
            late = side.began_ns and side.confirmed_ns > side.began_ns + _TRANSACTION_NS
            if late:
                continue  # nobody remembers that it was asked
            if side.confirmed_ns and not side.bye_ns and side.life == self.world.machine.lives:
                self.problems.append(f"no BYE on the dialog {call_id} with {side.host}")
        for cdr in self.world.cdrs:
            if cdr.answered_ms is None or "restart" in cdr.flags or cdr.caused_by:
                continue
            for (call_id, _, life), attempt in self.attempts.items():
                same = (attempt.wall_ms, attempt.dialled) == (cdr.invited_ms, cdr.dialled)
                if same and 200 <= attempt.status < 300:
                    answered_ns = attempt.at_ns + (cdr.answered_ms - cdr.invited_ms) * NS_PER_MS
                    ended_ns = attempt.at_ns + (cdr.released_ms - cdr.invited_ms) * NS_PER_MS
                    self._check_release(life, self.sides[call_id].session, answered_ns, ended_ns)

    def _check_release(self, life: int, session: int | None, answered_ns: int, ended_ns: int) -> None:
        deaths = self.world.machine.deaths
        if life <= len(deaths) and deaths[life - 1].mono_ns < ended_ns + _LONGEST_GOODBYE_NS:
            return  # the power went while a BYE waited for its ACK; its call was over and recorded
        for side in self.sides.values():
            both = side.session == session and side.life == life and side.confirmed_ns
            if side.confirmed_ns > answered_ns + _TRANSACTION_NS:
                continue  # a phone that lost the race answers when nobody remembers that it was asked
            if session and both and side.bye_ns > ended_ns + _LONGEST_GOODBYE_NS:
                self.problems.append(f"no BYE in time for {side.host}")

    def check_sums(self) -> None:
        """The totals of the running process agree with what it ordered to be recorded."""
        core = self.world.machine.core
        if core is None:
            return
        entries = self.world.machine.journal.life
        ended = [e.cdr for e in entries if isinstance(e, CallEnded) and "restart" not in e.cdr.flags]
        amounts: Counter[str] = Counter()
        seconds: Counter[str] = Counter()
        for cdr in ended:
            if cdr.answered_ms is not None:
                amounts[cdr.destination_class] += cdr.amount
                seconds[cdr.destination_class] += cdr.duration_s
        if +amounts != +core.sums.amounts or +seconds != +core.sums.seconds:
            self.problems.append(f"totals differ: {dict(core.sums.amounts)} and {dict(amounts)}")
        counted = Counter({key: n for key, n in core.sums.outcomes.items() if key[0] != "refused"})
        recorded = Counter((cdr.outcome, cdr.destination_class) for cdr in ended if cdr.outcome != "refused")
        if counted != recorded:
            self.problems.append(f"outcomes differ: {dict(counted)} and {dict(recorded)}")

    def _check_caused(self) -> None:
        """A leg that a line caused is recorded beside the call it came from, was allowed by its papers, and
        none that leads abroad is behind one without (R-POL-02)."""
        journal = self.world.machine.journal
        known = {entry.cdr.call_id for entry in journal.taken if isinstance(entry, CallEnded)}
        running = {entry.call_id for entry in journal.taken if isinstance(entry, CallAnswered)}
        papers = {line.number: line.agreement and line.guarantee for line in self.world.machine.lines}
        for cdr in self.world.cdrs:
            if cdr.origin not in ("forward", "redirect", "transfer"):
                continue
            cut = bool(self.world.machine.deaths)  # what still rang then left nothing behind
            if cdr.caused_by and cdr.caused_by not in known | running and not cut:
                self.problems.append(f"{cdr.call_id} came from a call without record")
            if cdr.outcome == "refused":
                continue
            if cdr.destination_class in _ABROAD and not papers[cdr.line]:
                self.problems.append(f"{cdr.line} sent a call on to {cdr.called} without papers")
            if cdr.destination_class in ("BE_PREMIUM", "EMERGENCY"):
                self.problems.append(f"{cdr.line} sent a call on to {cdr.called}")

    def _check_money(self, cdr: Cdr) -> None:
        """The amount is what its segments say, which follow each other without a gap."""
        due, at_s = 0, 0
        for segment in cdr.segments:
            if segment.start_s != at_s or segment.seconds <= 0:
                self.problems.append(f"segments of {cdr.call_id} do not follow each other")
            at_s += segment.seconds
            due += segment.seconds * segment.per_minute
        amount = cdr.setup_fee + (2 * due + 60) // 120  # half up, once
        if amount != cdr.amount:
            self.problems.append(f"{cdr.call_id} costs {cdr.amount}, its segments {amount}")
        if cdr.segments and at_s != cdr.duration_s:
            self.problems.append(f"{cdr.call_id} lasted {cdr.duration_s} s, its segments {at_s} s")
        if (cdr.emergency or cdr.answered_ms is None) and cdr.amount:
            self.problems.append(f"{cdr.call_id} costs {cdr.amount}, though it was {cdr.outcome}")

    def _check_times(self, cdr: Cdr) -> None:
        """Dates follow each other, and the talk began when an answer came in at the door."""
        if cdr.answered_ms is None:
            if "no-media" in cdr.flags:
                self.problems.append(f"{cdr.call_id} was ended for silence before it was answered")
            if cdr.duration_s:
                self.problems.append(f"{cdr.call_id} lasted {cdr.duration_s} s unanswered")
            return
        talked_ms = cdr.released_ms - cdr.answered_ms
        if "no-media" in cdr.flags:
            talked_ms -= self.world.machine.settings.media.silence_ms
        most_s = max(1, -(-talked_ms // 1000))
        if "lost" in cdr.flags and 1 <= cdr.duration_s <= most_s:
            return  # charged to the last sign of life of a party that vanished
        if cdr.duration_s != most_s:
            self.problems.append(f"{cdr.call_id} lasted {cdr.duration_s} s, its dates say {talked_ms} ms")
        longest_s = self.world.machine.settings.limits.max_s
        unlimited = cdr.emergency or cdr.verdict == "psap-callback" or "restart" in cdr.flags
        if cdr.duration_s > longest_s and not unlimited:
            self.problems.append(f"{cdr.call_id} lasted {cdr.duration_s} s; the limit is {longest_s} s")
        if cdr.caused_by:
            return  # no INVITE came for it
        began = {
            attempt.at_ns + (cdr.answered_ms - cdr.invited_ms) * NS_PER_MS
            for attempt in self.attempts.values()
            if attempt.wall_ms == cdr.invited_ms
        }
        if not began & self.answers_ns:
            self.problems.append(f"{cdr.call_id} was answered when no answer came")

    # --- the end -------------------------------------------------------------------------------------------

    def check_rest(self) -> list[str]:
        """Nothing goes on, so nothing may be left but bindings, lines and the timers that come round."""
        core = self.world.machine.core
        assert core is not None
        probed = (*core.trunks.all(), *core.gateways.all())
        periodic = 1 + sum(1 for trunk in probed if trunk.settings.probe_ns)
        allowed = {"bindings", "lines", "timers"}
        sizes = dict(self.world.sizes())
        sizes["measuring"] = max(0, sizes["measuring"] - self.world.machine.relay.unreported)
        for name, count in sizes.items():
            if count and name not in allowed:
                self.problems.append(f"left over: {count} {name}")
        if self.world.sizes()["timers"] != periodic:
            self.problems.append(f"left over: {self.world.sizes()['timers'] - periodic} timers")
        return self.problems


def _key(cdr: Cdr) -> tuple[int, str]:
    return cdr.invited_ms, "answered" if cdr.answered_ms is not None else str(cdr.status)


def _without_code(uri: str) -> str:
    """A URI as if nobody had dialled a code that shows or hides his number."""
    scheme, _, rest = uri.partition(":")
    number = unquote(rest)
    return f"{scheme}:{number[4:]}" if number[:4] in ("*31*", "#31#", "*31#") else uri


def _words(text: str) -> set[str]:
    """Everything that may be an address."""
    for sign in "<>;:@/=, \r\n":
        text = text.replace(sign, " ")
    return set(text.split(" "))


def _parse(data: bytes) -> Sip:
    head, _, body = data.decode().partition("\r\n\r\n")
    start, *rows = head.split("\r\n")
    return Sip(start, [(name, value) for name, _, value in (row.partition(": ") for row in rows)], body)
