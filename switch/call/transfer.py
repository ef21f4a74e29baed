"""Transfer: a party is brought together with somebody else, and whoever asked for it leaves (RFC 5589).

The switch carries a REFER out itself and lets none of it through (R-POL-11). *Blind*, it looks for the target
as if the line had dialled it; *attended*, the target is on another call of the same line, named by Replaces
(RFC 3891), and both are joined. The party that stays hears nothing of it but one re-INVITE, over a relay
session of its own, so that until the last step all is as it was. Whoever transferred pays on (R-POL-02).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.call import events as ev
from switch.call.admission import Refusal
from switch.call.context import CallContext
from switch.call.gate import UNPAID
from switch.call.leg import Leg
from switch.call.link import Link
from switch.call.outcome import outcome_of, told_to_caller
from switch.call.outgoing import OutgoingLeg
from switch.call.policy import Origin, Party
from switch.call.reasons import refusal
from switch.call.recording import Ending
from switch.call.search import Search, number_of, record_refused
from switch.malformed import Malformed
from switch.media.anchor import NoPorts
from switch.ports import NS_PER_MS, NS_PER_S
from switch.routing.lines import Line
from switch.routing.plan import Stage
from switch.sdp.description import resumed
from switch.sip.message import Fields
from switch.timers import Timer

if TYPE_CHECKING:
    from switch.call.call import Call

NORMAL, NETWORK, NO_CIRCUIT = 16, 38, 34
BUSY_NS = 100 * NS_PER_MS
"""How long to wait when the party that is to be asked is in the middle of something else."""

MOST_TRIES = 20
GLARE_NS = 2 * NS_PER_S
UNANSWERED_NS = 32 * NS_PER_S
"""How long a party may think about the new session: a re-INVITE that has a provisional answer never times out
by itself."""


CANCELLED = Ending("cancelled", "caller", 487, NORMAL)


class Transfer:
    """One transfer that is being carried out. `kept` stays, `referrer` leaves; `other` is the call that an
    attended one takes the target from, and `consult` the referrer's leg there."""

    def __init__(
        self, context: CallContext, call: Call, referrer: Leg, kept: Leg, event: ev.Refer, line: Line
    ) -> None:
        self._context = context
        self._call = call
        self._referrer: Leg | None = referrer
        self._gone = referrer
        self._kept = kept
        self._number = event.number
        self._silent = event.silent
        self._line = line
        self._search: Search | None = None
        self._other: Call | None = None
        self._consult: Leg | None = None
        self._found: Leg | None = None
        self._party: Party | None = None
        self._awaited: Leg | None = None
        self._unanswered: Timer | None = None
        self._tries = 0
        self._rang = False
        self._asked: list[Leg] = []
        self._moved: list[Leg] = []
        self.anchor = context.anchor()

    # --- from the call --------------------------------------------------------------------------------------

    @staticmethod
    def asked(context: CallContext, call: Call, leg: Leg, event: ev.Refer) -> None:
        """A party asks for a transfer: begin it, or say why not."""
        party, kept = call.party(leg), call.other(leg)
        target = number_of(event.target)
        link = call.link_of(leg)
        why: Refusal | None = None
        if call.transfer is not None:
            why = refusal("transfer-pending")
        elif call.admission.urgent:
            why = refusal("transfer-emergency")
        elif party.voicemail or (kept is not None and call.party(kept).voicemail):
            why = refusal("voicemail")
        elif party.line is None or kept is None:
            why = refusal("transfer-not-yours")
        else:
            transfer = Transfer(context, call, leg, kept, event, party.line)
            why = transfer._blind(target) if event.replaces is None else transfer._attended(event.replaces)
        if why is not None:
            leg.answer_request(event.number, why.status, why.fields)
            line = party.line or link.admission.line or link.admission.callee
            if line is not None:
                origin = Origin.VOICEMAIL if why.verdict == "voicemail" else Origin.TRANSFER
                record_refused(context, link, line, origin, target, why)

    def takes(self, leg: Leg, event: ev.Event) -> bool:
        """Whether an event on a leg is the transfer's and not the call's."""
        match event:
            case ev.Modified() if leg is self._awaited:
                self._on_granted(leg, event)
            case ev.ModifyRefused() if leg is self._awaited:
                self._on_declined(leg, event)
            case ev.Modify() if self._joining or self._is_alone(leg):
                leg.decline(491)
            case ev.HungUp() | ev.Lost():
                return self._on_gone(leg)
            case _:
                return False
        return True

    def of(self, call: Call) -> bool:
        """Whether it is this call that goes on with what is found."""
        return call is self._call

    def over(self, call: Call) -> None:
        """One of the calls is over."""
        if call is self._call:
            self._close(CANCELLED, ends=call)
        else:
            self._fail(480, None, ends=call)

    def media_failed(self) -> None:
        """The relay could not open the ports of the transfer."""
        self._fail(503, NO_CIRCUIT)

    @property
    def _joining(self) -> bool:
        """Whether a party is being asked, or has turned to the new session already: the old ones are not to
        be changed any more."""
        return self._awaited is not None or bool(self._moved)

    def _is_alone(self, leg: Leg) -> bool:
        """Whether the one beside whom a leg was has left."""
        call = self._other if leg in (self._found, self._consult) else self._call
        return call is not None and call.other(leg) is None

    def _on_gone(self, leg: Leg) -> bool:
        """Somebody hung up or is lost; whether his call goes on without him."""
        if leg is self._kept:
            self._close(CANCELLED, ends=self._call)
            return False
        if leg is self._found:
            self._fail(480, None, ends=self._other)
            return False
        if leg is self._referrer:
            self._referrer = None
            self._call.leave(leg)
            self._comfort()
        elif self._other is not None:  # the line leaves the call to the target, as it was about to anyway
            self._other.leave(leg)
        return True

    # --- how it begins --------------------------------------------------------------------------------------

    def _blind(self, target: str) -> Refusal | None:
        call, context = self._call, self._context
        before, side = call.links[-1], call.side(self._kept)
        kept = call.party(self._kept)
        if not call.anchor.said(side):
            return refusal("transfer-pending")  # its answer to our offer has yet to come with its ACK
        shown = "" if kept.hidden else kept.number
        decided = context.gate.send_on(
            before.admission,
            self._line,
            Origin.TRANSFER,
            "transfer",
            target,
            context.timers.now,
            shown=shown,
        )
        if isinstance(decided, Refusal):
            return decided
        if why := context.gate.join(self._line, kept, Party(decided.called, decided.callee)):
            return why
        link = Link(context, context.entropy.token(96), decided, call, caused_by=before.id)
        if unpaid := link.reserve():
            return refusal(UNPAID[unpaid])
        self._accept()
        call.counts(link, self._line)
        link.placed()
        self._place(0, self._kept, call)
        offer = resumed(call.anchor.said(side))
        self._search = Search(context, self.anchor, self, [link], offer=offer, shown=shown)
        self._search.begin()
        return None

    def _attended(self, replaces: ev.Replaces) -> Refusal | None:
        call, context = self._call, self._context
        consult = self._consult_leg(replaces)
        other = context.tables.call_of(consult) if consult is not None else None
        if consult is None or other is None or other is call or not other.talking:
            return refusal("transfer-no-dialog")
        found = other.other(consult)
        if found is None or other.transfer is not None:
            return refusal("transfer-pending")
        owner = other.party(consult).line
        if owner is None or owner.user != self._line.user:
            return refusal("transfer-not-yours")
        if other.admission.urgent:
            return refusal("transfer-emergency")
        party = other.party(found)
        if why := context.gate.join(self._line, call.party(self._kept), party):
            return why
        self._other, self._consult, self._found, self._party = other, consult, found, party
        other.transfer = self
        self._accept()
        self._place(0, self._kept, call)
        self._place(1, found, other)
        try:
            self.anchor.relay(1, resumed(other.anchor.said(other.side(found))))
        except (Malformed, NoPorts):
            self._fail(488, NETWORK)
        else:
            self._ask(self._kept)
        return None

    def _consult_leg(self, replaces: ev.Replaces) -> Leg | None:
        """The line's own leg of the dialog that is named, whichever way round its tags are."""
        for ours, theirs in (
            (replaces.to_tag, replaces.from_tag),
            (replaces.from_tag, replaces.to_tag),
        ):
            leg = self._context.endpoint.dialogs.get((replaces.call_id, ours))
            if isinstance(leg, Leg) and leg.dialog is not None and leg.dialog.remote_tag == theirs:
                return leg
        return None

    def _accept(self) -> None:
        self._call.transfer = self
        self._context.tables.media_added(self._call, self.anchor)
        if self._referrer is not None:
            fields: Fields = {"Refer-Sub": ["false"]} if self._silent else {}  # RFC 4488 section 4
            self._referrer.answer_request(self._number, 202, fields)
        self._tell(100)

    def _place(self, side: int, leg: Leg, call: Call) -> None:
        """A side of the new session is where a side of a call was, and goes on with its descriptions."""
        self.anchor.place_as(side, leg.flow.remote.host, call.anchor, call.side(leg))

    # --- the search for the target --------------------------------------------------------------------------

    def guard(self, act: Callable[[], None]) -> None:
        """Do something; a fault of ours in it ends the call."""
        self._call.guard(act)

    def relayed(self, side: int, sdp: bytes) -> bytes:
        """A body through the new session."""
        return self.anchor.relay(side, sdp)

    def on_tried(self, link: Link, stage: Stage) -> None:
        """An attempt is made."""
        self._context.tables.tried(link.id, stage.trunk)

    def on_stage_over(self, status: int) -> None:
        """It has failed; perhaps another follows."""

    def on_sent_on(self, line: Line) -> None:
        """The target has its calls go elsewhere."""
        assert self._search is not None
        self._call.counts(self._search.link, line)

    def on_ringing(self, event: ev.Ringing) -> None:
        """The target is alerted."""
        if not self._rang:
            self._rang = True
            self._tell(event.status if event.status <= 183 else 183)
            self._comfort()

    def on_found(self, leg: OutgoingLeg, event: ev.Answered) -> None:
        """The target took the call: now the party that stays is asked to turn to it."""
        assert self._search is not None
        search = self._search
        try:
            self.anchor.relay(1, event.sdp)
        except (Malformed, NoPorts):
            _hang_up(leg, NETWORK)
            search.attempts.go_on(ev.Refused(502, NETWORK, local=True))
            return
        leg.acknowledge(b"")
        for link in search.links:
            if link.begin(leg):
                for begun in search.links:
                    begun.revoke()
                _hang_up(leg, NORMAL)
                self._fail(403, None)
                return
        self._found = leg
        leg.user = self
        for link in search.links:
            link.save((self._kept.snapshot(), leg.snapshot()), ())
        self._party = search.party
        self._ask(self._kept)

    def on_nobody(self, outcome: ev.Refused, blocked: Refusal | None) -> None:
        """The target does not take the call."""
        assert self._search is not None
        if blocked is not None:
            self._fail(blocked.status, None)
        else:
            status = told_to_caller(outcome, line=not self._search.link.trunk)
            self._fail(status, outcome.cause)

    def on_no_ports(self) -> None:
        """There is no relay port left."""
        self._fail(503, NO_CIRCUIT)

    def on_unusable(self, error: Malformed) -> None:
        """What the party that stays had said cannot be offered."""
        self._fail(error.status, None)

    def handle(self, leg: Leg, event: ev.Event) -> None:
        """The target, between its answer and the joining."""
        self.guard(lambda: self._handle(leg, event))

    def _handle(self, leg: Leg, event: ev.Event) -> None:
        match event:
            case ev.Modify():
                leg.decline(491)
            case ev.Info() | ev.Refer():
                leg.answer_request(event.number, 491)  # its dialog goes on (RFC 5057 section 5.1)
            case ev.HungUp() | ev.Lost():
                self._fail(480, None)

    # --- the joining ----------------------------------------------------------------------------------------

    def _ask(self, leg: Leg) -> None:
        """Offer a side the new session; wait while it is in the middle of something else (RFC 3261 14.1).
        The session that it was on may have gone on meanwhile: the offer comes after what it was told last
        there (RFC 3264 section 8)."""
        if not leg.settled:
            self._ask_later(leg, BUSY_NS)
            return
        side = self._side(leg)
        call = self._call if side == 0 or self._other is None else self._other
        self.anchor.adopt(side, call.anchor, call.side(leg))
        self._awaited = leg
        self._asked.append(leg)
        self._unanswered = self._context.timers.start(
            UNANSWERED_NS, lambda: self.guard(lambda: self._fail(408, NETWORK))
        )
        leg.modify(self.anchor.repeat(side))

    def _ask_later(self, leg: Leg, delay_ns: int) -> None:
        self._tries += 1
        if self._tries > MOST_TRIES:
            self._fail(491, NETWORK)
            return

        def again() -> None:
            if self._call.transfer is self:
                self._ask(leg)

        self._context.timers.start(delay_ns, lambda: self.guard(again))

    def _on_granted(self, leg: Leg, event: ev.Modified) -> None:
        self._has_answered()
        leg.acknowledge(b"")
        side = self._side(leg)
        self._moved.append(leg)
        try:
            self.anchor.relay(side, event.sdp)
        except (Malformed, NoPorts):
            self._fail(488, NETWORK)
            return
        if side == 0 and self._other is not None and self._found is not None:
            self._ask(self._found)
        else:
            self._complete()

    def _on_declined(self, leg: Leg, event: ev.ModifyRefused) -> None:
        self._has_answered()
        if event.status == 491:
            self._ask_later(leg, GLARE_NS + self._context.entropy.below(GLARE_NS))
        else:
            self._fail(488, NETWORK)

    def _has_answered(self) -> None:
        self._awaited = None
        if self._unanswered is not None:
            self._unanswered.cancel()
            self._unanswered = None

    def _side(self, leg: Leg) -> int:
        return 0 if leg is self._kept else 1

    def _complete(self) -> None:
        """Both talk to each other: whoever asked for it is told so and leaves."""
        call, other = self._call, self._other
        assert self._found is not None
        assert self._party is not None
        call.transfer = None
        links = self._search.links if self._search is not None else []
        leaving = [leg for leg in (self._referrer, self._consult) if leg is not None]
        if other is not None:
            other.transfer = None
            links = other.links
            for link in links:
                if link.reached is self._consult:
                    link.reached = self._kept
            consult = other.other(self._found)
            if consult is not None:
                consult.bye(NORMAL)
                consult.detach()
        call.take_over(self._kept, self._gone, self._found, self._party, self.anchor, links, leaving)
        if other is not None:
            call.absorb(other)
        self._context.sums.transfers["attended" if other is not None else "blind"] += 1
        if self._referrer is not None:
            self._referrer.detach()
            self._tell(200)

    def _fail(self, status: int, cause: int | None, *, ends: Call | None = None) -> None:
        """It came to nothing: the one who asked is told, and has his party again; if he has left, so must
        the other. `ends` is the call that is over in any case."""
        self._tell(status)
        gone = self._referrer is None
        self._close(Ending(outcome_of(status), "callee", status, cause), ends=ends)
        if gone:
            self._call.end("transfer-failed")

    def _close(self, ending: Ending, *, ends: Call | None = None) -> None:
        call, other, found = self._call, self._other, self._found
        if call.transfer is not self:
            return
        call.transfer = None
        awaited = self._awaited
        self._has_answered()
        if self._search is not None:
            self._search.give_up("")
            if found is not None:
                found.bye(NORMAL)
                found.detach()
            for link in self._search.links:
                talked = link.times.answered is not None
                how = Ending("answered", ending.by, 200, ending.cause) if talked else ending
                link.end(how, silent_ms=0, flags=("transfer-failed",))
                self._context.tables.closed(link.id)
        if self._referrer is not None and call is not ends:
            self._turn_back(call, self._kept, awaited)
        if other is not None and found is not None:
            other.transfer = None
            if other is not ends and other.other(found) is not None:
                self._turn_back(other, found, awaited)
            elif other is not ends:  # the line has left it already
                other.end("transfer-failed")
        self._context.tables.media_removed(self.anchor)
        self.anchor.close()
        self._context.sums.transfers["failed"] += 1

    def _turn_back(self, call: Call, leg: Leg, awaited: Leg | None) -> None:
        """A party goes on in the session that it was on, whatever it was offered or has taken meanwhile."""
        side = self._side(leg)
        if leg is awaited or leg in self._moved:
            call.renew(leg, self.anchor, side)
        elif leg in self._asked:
            call.anchor.outlast(call.side(leg), self.anchor, side)

    # --- details --------------------------------------------------------------------------------------------

    def _tell(self, status: int) -> None:
        """Tell who asked how far it has come (RFC 3515 section 2.4.5); with the last word it may leave."""
        leg = self._referrer
        if leg is None:
            return

        def leave() -> None:
            if status == 200:
                leg.bye(NORMAL)

        if self._silent:
            leave()
        else:
            leg.notify(self._number, status, leave)

    def _comfort(self) -> None:
        """Who was left alone while the target rings hears it ring."""
        prompt = self._context.ringback
        if self._referrer is None and self._found is None and prompt:
            call = self._call
            call.anchor.sounds.say(call.side(self._kept), prompt, 0)


def _hang_up(leg: Leg, cause: int) -> None:
    leg.acknowledge(b"")
    leg.bye(cause)
    leg.detach()
