"""A call: the caller's leg, whoever is found for him, their media, and what it costs everybody who caused it.

Only the call knows both legs. It is given events (`switch.call.events`), decides, and gives orders to legs
and anchor; it never waits. Who is called and who sends the call on is `switch.call.search`, what both ask of
each other once they talk `switch.call.negotiation`, how one of them is replaced `switch.call.transfer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from switch.call import events as ev
from switch.call.admission import Admission, Refusal
from switch.call.attempts import NETWORK, NO_ANSWER
from switch.call.context import CallContext
from switch.call.counted import line_name, sent_on_name
from switch.call.exchange import key_of
from switch.call.help_log import HelpLog
from switch.call.incoming import IncomingLeg
from switch.call.leg import Leg
from switch.call.link import Link
from switch.call.negotiation import Negotiation
from switch.call.outcome import outcome_of, told_to_a_caller_for_help, told_to_caller
from switch.call.outgoing import OutgoingLeg
from switch.call.policy import Party
from switch.call.recording import Ending
from switch.call.search import Search
from switch.call.transfer import Transfer
from switch.malformed import Malformed
from switch.media.anchor import Anchor, NoPorts
from switch.ports import NS_PER_MS, NS_PER_S, Append, Flow, Moment, Note
from switch.routing.lines import Line
from switch.routing.plan import Stage
from switch.sip.message import Fields, Request
from switch.timers import Timer

PROBE_NS = 120 * NS_PER_S
WARNING_TONE_MS = 500
NORMAL, REJECTED, NO_CIRCUIT = 16, 21, 34
"""Q.850 causes that the switch itself gives."""

__all__ = ["NETWORK", "NO_ANSWER", "Call", "State"]


class State(Enum):
    """How far the call has come."""

    TRYING = 1
    RINGING = 2
    ANSWERED = 3
    ENDED = 4


class Call:
    """One call, from the INVITE to its records. `a` and `b` are its two sides; the caller's is `a` until
    somebody is transferred."""

    __slots__ = (
        "_context",
        "_flags",
        "_help",
        "_incoming",
        "_media_of",
        "_negotiation",
        "_parties",
        "_quiet",
        "_search",
        "_strays",
        "_timers",
        "_unheard",
        "a",
        "admission",
        "anchor",
        "b",
        "id",
        "links",
        "state",
        "transfer",
    )

    def __init__(self, context: CallContext, call_id: str, admission: Admission) -> None:
        self._context = context
        self.id = call_id
        self.admission = admission
        """What the caller's call was admitted as."""
        self.state = State.TRYING
        self.anchor: Anchor = context.anchor()
        self.a: Leg | None = None
        self.b: Leg | None = None
        self.links = [Link(context, call_id, admission, self)]
        self.transfer: Transfer | None = None
        self._incoming: IncomingLeg | None = None
        self._search: Search | None = None
        self._parties: dict[Leg, Party] = {}
        self._negotiation: Negotiation | None = None
        self._strays: dict[Leg, tuple[Anchor, int]] = {}
        """Who was offered a session that came to nothing and has not answered yet, and its side there."""
        self._timers: list[Timer] = []
        self._flags: list[str] = []
        self._help = HelpLog(context.timers.now) if admission.help is not None else None
        self._media_of = call_id
        self._quiet = False
        self._unheard: set[Leg] = set()
        """Of a call for help: who gave no sign of life when both were asked last."""

    # --- from outside ---------------------------------------------------------------------------------------

    def start(self, request: Request, flow: Flow) -> None:
        """Take up the INVITE and make the first attempt.

        Raises:
            Malformed: nothing was sent and the call does not exist.
        """
        context, admission = self._context, self.admission
        leg = IncomingLeg(
            context.endpoint,
            request,
            flow,
            self,
            tag=context.entropy.token(64),
            follows_flow=not admission.trunk,
            tolerant=admission.urgent,
        )
        self.a = self._incoming = leg
        context.traced(self.id, request.call_id)
        caller = admission.restricted or admission.caller
        self._parties[leg] = Party(
            caller, admission.line, context.is_abroad(admission.trunk), hidden=admission.withheld
        )
        terms = context.terms(flow, admission.trunk, urgent=admission.urgent)
        self.anchor.place(0, flow.remote.host, terms)
        shown = "" if admission.withheld else admission.caller
        self._search = Search(context, self.anchor, self, self.links, offer=leg.invited_sdp, shown=shown)
        self.links[0].placed()
        self.guard(self._search.begin)

    def handle(self, leg: Leg, event: ev.Event) -> None:
        """Something happened on a leg. What comes too late is ignored; a fault of ours ends this one call,
        not the switch."""
        if self.state is State.ENDED:
            return
        self.guard(lambda: self._handle(leg, event))

    def guard(self, act: Callable[[], None]) -> None:
        """Do something for this call; a fault of ours in it ends the call and nothing else."""
        try:
            act()
        except Exception as error:
            self._context.note(Note("internal_error", {"call_id": self.id, "error": repr(error)}))
            self.fail()

    def _handle(self, leg: Leg, event: ev.Event) -> None:
        """Every event has an answer in every state."""
        if self.transfer is not None and self.transfer.takes(leg, event):
            return
        match event:
            case ev.Modified() | ev.ModifyRefused() if leg in self._strays:
                self._on_stray(leg, accepted=isinstance(event, ev.Modified))
            case ev.Cancelled():
                self._end("cancelled" if event.status == 487 else "failed", leg, event.status, NORMAL)
            case ev.Acknowledged():
                self._on_acknowledged(leg, event)
            case ev.Modify():
                self._agreed.asked(leg, event)
            case ev.Modified():
                self._agreed.granted(leg, event)
            case ev.ModifyRefused():
                self._agreed.declined(event)
            case ev.RefreshDue() if self.transfer is None:
                leg.modify(self.anchor.repeat(self.side(leg)))
            case ev.ModifyCancelled():
                if (other := self.other(leg)) is not None:
                    other.cancel_modify()
            case ev.Info():
                self._on_info(leg, event)
            case ev.InfoAnswered():
                if (other := self.other(leg)) is not None:
                    other.answer_request(event.number, event.status)
            case ev.Refer():
                Transfer.asked(self._context, self, leg, event)
            case ev.HungUp():
                self._on_hung_up(leg, event)
            case ev.Unheard():
                self._on_unheard(leg)
            case ev.Lost():
                self._on_lost(leg, event)

    def move(self, old: Flow, new: Flow) -> None:
        """A phone that was reached on one flow is reached on another now."""
        for leg in (self.a, self.b):
            if leg is not None and leg.follows_flow and leg.flow == old:
                leg.flow = new

    def _on_info(self, leg: Leg, event: ev.Info) -> None:
        """A key goes into the media where the other party hears it there, all else on as it is."""
        other = self.other(leg)
        if other is None:
            leg.answer_request(event.number, 480)
        elif (pressed := key_of(event)) is not None and self.anchor.sounds.press(self.side(other), *pressed):
            leg.answer_request(event.number, 200)
        else:
            other.info(event)

    def end(self, flag: str, *, cause: int = NORMAL, silent_ms: int = 0, reason: str = "") -> None:
        """The switch ends the call: limit, lost media (nothing was heard for `silent_ms`), shutdown,
        operator. `reason` is told to the parties beside the `cause` (RFC 3326)."""
        if self.state is State.ENDED:
            return
        self._flags.append(flag)
        if self.state is State.ANSWERED:
            self._end("answered", None, 200, cause, silent_ms=silent_ms, reason=reason)
        else:
            self._refuse_caller(503, "failed", NO_CIRCUIT)

    def media_restarted(self, worker: int, workers: int) -> None:
        """A relay died, and its successor carries on with the sessions that it had."""
        for anchor in self.anchors:
            if anchor.session % workers == worker and anchor.open:
                self._flags.append("relay-restarted")
                anchor.reopen()
                for side in (0, 1):
                    self._tell_keys(anchor, side)

    def _tell_keys(self, anchor: Anchor, side: int) -> None:
        """A relay that died knew how far our keys were used: the party is told new ones, as soon as nothing
        else is being agreed (RFC 3711 section 3.3.1)."""
        leg = (self.a, self.b)[side]
        if anchor is not self.anchor or leg is None or not self.talking or not anchor.has_keys(side):
            return
        if leg.settled:
            leg.modify(anchor.repeat(side))
        else:
            self._context.timers.start(NS_PER_S, lambda: self.guard(lambda: self._tell_keys(anchor, side)))

    def media_failed(self, session: int) -> None:
        """The relay could not open ports for a session of this call."""
        if self.transfer is not None and session == self.transfer.anchor.session:
            self.guard(self.transfer.media_failed)
        else:
            self.end("relay-failed")

    def media_silent(self, silent_ms: int) -> None:
        """Nothing has been heard of either party for so long. A call for help is not cut for that: from now
        on they are asked whether they are still there."""
        if not self.admission.urgent:
            self.end("no-media", silent_ms=silent_ms)
        elif not self._quiet:
            self._quiet = True
            self.guard(self._ask_for_life)

    def fail(self) -> None:
        """We were wrong: end this one call, so that the switch lives on."""
        self._flags.append("internal-error")
        if self.state is State.ANSWERED:
            self._end("answered", None, 500, NETWORK)
        elif self.state is not State.ENDED:
            self._refuse_caller(500, "failed", NETWORK)

    def view(self, now: Moment) -> list[dict[str, Any]]:
        """The links of the call as an operator sees them, with their prices now."""
        state = self.state.name.lower()
        return [link.view(state, now) for link in self.links]

    @property
    def talking(self) -> bool:
        """Whether it is answered and goes on."""
        return self.state is State.ANSWERED

    @property
    def anchors(self) -> list[Anchor]:
        """Its media sessions: its own, and that of a transfer under way."""
        transfer = self.transfer
        return [self.anchor, transfer.anchor] if transfer is not None and transfer.of(self) else [self.anchor]

    @property
    def media_of(self) -> str:
        """The id of the record that the relay's figures belong to."""
        return self._media_of

    def pays(self, line: Line) -> bool:
        """Whether a line has to do with this call: it pays for a part of it, or is called."""
        return any(
            party is not None and party.user == line.user
            for link in self.links
            for party in (link.admission.line, link.admission.callee)
        )

    # --- the search -----------------------------------------------------------------------------------------

    def relayed(self, side: int, sdp: bytes) -> bytes:
        """A body of `side` as the other one is to see it; for a call for help others make room (R-EMG-04)."""
        while True:
            try:
                return self.anchor.relay(side, sdp)
            except NoPorts:
                if not (self.admission.urgent and self._context.make_room(self.admission.line)):
                    raise

    def on_tried(self, link: Link, stage: Stage) -> None:
        """An attempt is made."""
        self._context.tables.tried(link.id, stage.trunk)
        if self._help is not None:
            self._help.tried(stage.trunk, self._context.timers.now)

    def on_stage_over(self, status: int) -> None:
        """It has failed."""
        if self._help is not None:
            self._help.settled(status, self._context.timers.now)

    def on_sent_on(self, line: Line) -> None:
        """The call is sent on: the caller hears so (RFC 3261 section 21.1.3)."""
        self.counts(self.links[-1], line)
        if self._incoming is not None:
            self._incoming.ring(181, b"")

    def counts(self, link: Link, line: Line) -> None:
        """A link that `line` caused is found by its id, and counts towards its limits and the callee's."""
        names = [sent_on_name(line)]
        if link.admission.callee is not None:
            names.append(line_name(link.admission.callee))
        self._context.tables.opened(self, link.id, names)

    def on_ringing(self, event: ev.Ringing) -> None:
        """The called side is alerted, or sends early media."""
        if self._incoming is None or self._search is None:
            return
        context = self._context
        if self._help is not None and self._help.heard(context.timers.now):
            context.sums.help_first_ms.add(self.links[0].times.since_invite_ms(context.timers.now) or 0)
        self.state = State.RINGING
        body = b""
        if event.sdp and not self._search.attempts.late:
            try:
                body = self.anchor.relay(1, event.sdp)
            except (Malformed, NoPorts):
                body = b""  # early media that cannot be relayed is left out; the call goes on
        self._incoming.ring(event.status if event.status <= 183 else 183, body)

    def on_found(self, leg: OutgoingLeg, event: ev.Answered) -> None:
        """Somebody took the call."""
        assert self._incoming is not None
        assert self._search is not None
        search = self._search
        leg.user = self
        self.b = leg
        try:
            body = self.relayed(1, event.sdp)
        except (Malformed, NoPorts) as error:
            self._hang_up(leg, NETWORK)
            if isinstance(error, NoPorts):
                self.on_no_ports()
            else:  # an answer that cannot be used is a failure of the network: the next one is asked
                search.attempts.go_on(ev.Refused(502, NETWORK, local=True))
            return
        for link in search.links:
            if unpaid := link.begin(leg):  # what the first second was to be paid from is gone since
                for begun in search.links:
                    begun.revoke()
                self._hang_up(leg, NORMAL)
                self._flags.append(unpaid.value)
                self._refuse_caller(403, "refused", REJECTED)
                return
        self._talk(search, leg, event, body)

    def _talk(self, search: Search, leg: OutgoingLeg, event: ev.Answered, body: bytes) -> None:
        """The call is answered: tell the caller, and write down what must not be lost."""
        assert self._incoming is not None
        self.state = State.ANSWERED
        self._search = None
        if self._help is not None:
            self._help.settled(200, self._context.timers.now)
        self.anchor.listen()
        late = search.attempts.late
        self._parties[leg] = search.party
        self._negotiation = Negotiation(
            self.anchor,
            self._incoming,
            leg,
            late=late,
            stand_in=event.sdp if late and self.admission.emergency else b"",
        )
        if not late:
            leg.acknowledge(b"")
        self._after(PROBE_NS, self._probe)
        self._incoming.answer(body)
        self._save()

    def _save(self, leaving: Iterable[Leg] = ()) -> None:
        sides = tuple(side.snapshot() for side in (self.a, self.b, *leaving) if side is not None)
        for link in self.links:
            link.save(sides, self._flags)

    def _hang_up(self, leg: Leg, cause: int) -> None:
        """Whoever answered is not talked to after all."""
        leg.acknowledge(b"")
        leg.bye(cause)
        leg.detach()
        self.b = None

    def on_nobody(self, outcome: ev.Refused, blocked: Refusal | None) -> None:
        """No attempt is left: the caller gets what the last one said, as far as it is his business."""
        if blocked is not None:
            self._refuse_caller(blocked.status, outcome_of(blocked.status), None, blocked.fields)
            return
        if self.admission.emergency:
            status = told_to_a_caller_for_help(outcome)
        else:
            status = told_to_caller(outcome, line=not self.links[-1].trunk)
        fields: Fields = {}
        if outcome.retry_after_s is not None and status == 503:
            fields["Retry-After"] = [str(outcome.retry_after_s)]
        self._refuse_caller(status, outcome_of(status), outcome.cause, fields, by="callee")

    def on_no_ports(self) -> None:
        """There is no relay port left."""
        self._flags.append("no-ports")
        self._refuse_caller(503, "refused", NO_CIRCUIT, {"Retry-After": ["10"]})

    def on_unusable(self, error: Malformed) -> None:
        """What the caller offers cannot be relayed."""
        self._refuse_caller(error.status, "refused", None)

    def _refuse_caller(
        self,
        status: int,
        outcome: str,
        cause: int | None,
        fields: Fields | None = None,
        *,
        by: str = "switch",
    ) -> None:
        if cause is not None:
            fields = {**(fields or {}), "Reason": [f"Q.850;cause={cause}"]}
        if self._incoming is not None:
            self._incoming.refuse(status, fields)
        self._end(outcome, None, status, cause, by=by)

    # --- within the call ------------------------------------------------------------------------------------

    def _on_acknowledged(self, leg: Leg, event: ev.Acknowledged) -> None:
        if self._negotiation is None:
            return
        try:
            self._negotiation.acknowledged(leg, event)
        except (Malformed, NoPorts):
            self._end("answered", None, 488, NETWORK)

    def _on_hung_up(self, leg: Leg, event: ev.HungUp) -> None:
        if self.state is State.ANSWERED:
            self._end("answered", leg, 200, event.cause or NORMAL)
        else:
            self._end("cancelled", leg, 487, NORMAL)

    def _on_lost(self, leg: Leg, event: ev.Lost) -> None:
        """A party is gone. Where asking found it so, what follows its last sign of life is not charged."""
        self._flags.append("lost")
        silent_ns = self._context.timers.now.mono_ns - leg.heard_ns if event.probed else 0
        self._end("answered", leg, event.status, NETWORK, silent_ms=silent_ns // NS_PER_MS)

    def _on_unheard(self, leg: Leg) -> None:
        """A call for help ends only when neither party gives a sign of life: one of them may have a phone
        that ignores OPTIONS, and nothing to say."""
        self._unheard.add(leg)
        if self._unheard >= {side for side in (self.a, self.b) if side is not None}:
            self._on_lost(leg, ev.Lost(408, probed=True))

    def _probe(self) -> None:
        """While silence means nothing (hold, no RTP) or ends nothing, ask both parties whether they are still
        there."""
        if self._quiet or not self.anchor.watching:
            self._ask_for_life()
        self._after(PROBE_NS, self._probe)

    def _ask_for_life(self) -> None:
        self._unheard.clear()
        for leg in (self.a, self.b):
            if leg is not None:
                leg.probe()

    # --- transfer -------------------------------------------------------------------------------------------

    def party(self, leg: Leg) -> Party:
        """Who is on a leg."""
        return self._parties[leg]

    def link_of(self, leg: Leg) -> Link:
        """The link that reached a leg; the caller's for his own."""
        return next((link for link in reversed(self.links) if link.reached is leg), self.links[0])

    def side(self, leg: Leg) -> int:
        """The side of the session that a leg has."""
        return 0 if leg is self.a else 1

    def leave(self, leg: Leg) -> None:
        """A party has left before its transfer is done; the other one stays."""
        if (other := self.other(leg)) is not None:
            other.let_down()
        leg.detach()
        if self.a is leg:
            self.a = None
        elif self.b is leg:
            self.b = None

    def take_over(
        self,
        kept: Leg,
        gone: Leg,
        found: Leg,
        party: Party,
        anchor: Anchor,
        links: list[Link],
        leaving: Iterable[Leg],
    ) -> None:
        """`found` takes the place of `gone` beside `kept`, over `anchor`; `links` are what it is paid by.
        Those who are `leaving` have yet to hear that they may: a restart would have to tell them."""
        context = self._context
        for link in (*self.links, *links):
            link.owner = self
            if link.reached is gone:
                link.reached = found
        self.links += [link for link in links if link not in self.links]
        self._parties.pop(gone, None)
        self._parties[found] = party
        found.user = self
        old, self.anchor = self.anchor, anchor
        old.close()
        context.tables.media_over(old, self._media_of)
        self._media_of = self.links[-1].id
        self.a, self.b = kept, found
        self._negotiation = Negotiation(anchor, kept, found, late=False, stand_in=b"")
        anchor.listen()
        kept.let_down()
        found.let_down()
        self._save(leaving)

    def renew(self, leg: Leg, since: Anchor, side: int) -> None:
        """A transfer came to nothing after `leg` had turned to its session, where it was on `side`: offer it
        this one again. Where it has not answered yet, that waits until it does."""
        if leg.settled:
            self.anchor.adopt(self.side(leg), since, side)
            leg.modify(self.anchor.repeat(self.side(leg)))
        else:
            self._strays[leg] = since, side
            leg.cancel_modify()

    def _on_stray(self, leg: Leg, *, accepted: bool) -> None:
        since, side = self._strays.pop(leg)
        if accepted:
            leg.acknowledge(b"")
            self.renew(leg, since, side)
        else:
            self.anchor.outlast(self.side(leg), since, side)

    def absorb(self, other: Call) -> None:
        """The links of another call go on in this one, which takes its place."""
        other.state = State.ENDED
        other._stop_timers()
        other.anchor.close()
        self._context.tables.absorbed(self, other)

    # --- the end --------------------------------------------------------------------------------------------

    def _end(
        self,
        outcome: str,
        who: Leg | None,
        status: int,
        cause: int | None,
        *,
        silent_ms: int = 0,
        reason: str = "",
        by: str = "switch",
    ) -> None:
        """Release all sides, close the media, and record what it was: once, whichever reason came first.
        `who` is the party that ended it, if it was one."""
        self.state = State.ENDED
        self._stop_timers()
        if self._search is not None:
            cancelled = who is not None
            self._search.give_up('SIP;cause=487;text="Caller cancelled"' if cancelled else "")
        if self.transfer is not None:
            self.transfer.over(self)
        for side in (self.a, self.b):
            if side is not None:
                side.bye(cause or NORMAL, reason)
                side.detach()
        self.anchor.close()
        for link in self.links:
            released_by = by if who is None else "callee" if who is link.reached else "caller"
            link.end(Ending(outcome, released_by, status, cause), silent_ms=silent_ms, flags=self._flags)
        if self._help is not None:
            now = self._context.timers.now
            answered = self.links[0].times.answered
            logged = self._help.entry(self.id, self.admission, outcome, answered, now)
            self._context.sums.add_help(logged)
            self._context.append(Append(logged, hold=False))
        self._context.tables.ended(self.id)

    def warn(self) -> None:
        """The call is about to be cut: a tone says so."""
        self.anchor.sounds.play_tone(self._context.warned_sides, WARNING_TONE_MS)

    def cut(self, reason: str, due_ns: int) -> None:
        """The deadline has come: both sides are released, and it is counted when both dialogs are closed."""
        context = self._context
        if self.state is State.ENDED:
            return
        context.sums.cuts_asked[reason] += 1
        open_sides: list[Leg] = [side for side in (self.a, self.b) if side is not None]
        self.end(reason)

        def closed(side: Leg) -> None:
            open_sides.remove(side)
            if not open_sides:
                context.sums.cuts_done[reason] += 1
                context.sums.cut_delay_ms.add((context.timers.now.mono_ns - due_ns) // NS_PER_MS)

        for side in list(open_sides):
            side.when_closed(closed)

    # --- details --------------------------------------------------------------------------------------------

    def other(self, leg: Leg) -> Leg | None:
        """The other side, if there is one."""
        return self.b if leg is self.a else self.a

    @property
    def _agreed(self) -> Negotiation:
        assert self._negotiation is not None, "a leg asks for more only once the call is answered"
        return self._negotiation

    def _after(self, delay_ns: int, fire: Callable[[], None]) -> None:
        self._timers.append(self._context.timers.start(delay_ns, lambda: self.guard(fire)))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
