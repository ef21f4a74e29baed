"""A call: the caller's leg, the attempts to reach the called side, their media, and what it costs.

Only the call knows both legs. It is given events (`switch.call.events`), decides, and gives orders to legs
and anchor; it never waits. What both parties ask of each other once they talk is `switch.call.negotiation`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from rating.charge import Charge
from rating.grant import StopReason
from switch.call import events as ev
from switch.call.admission import Admission
from switch.call.bill import Bill
from switch.call.context import CallContext
from switch.call.help_log import HelpLog
from switch.call.incoming import IncomingLeg
from switch.call.leg import Leg
from switch.call.negotiation import Negotiation
from switch.call.outcome import better, outcome_of, told_to_a_caller_for_help, told_to_caller
from switch.call.outgoing import Invitation, OutgoingLeg
from switch.call.recording import Ending, Timeline, record_of
from switch.malformed import Malformed
from switch.media.anchor import Anchor, NoPorts
from switch.ports import NS_PER_MS, NS_PER_S, Append, CallAnswered, CallEnded, Flow, Moment, Note
from switch.record import Cdr
from switch.routing.plan import Stage, moves_on
from switch.sip.message import Fields, Request
from switch.timers import Timer

PROBE_NS = 120 * NS_PER_S
WARNING_TONE_MS = 500
ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NORMAL, NO_ANSWER, REJECTED, NO_CIRCUIT, NETWORK = 16, 19, 21, 34, 38
"""Q.850 causes that the switch itself gives."""


class State(Enum):
    """How far the call has come."""

    TRYING = 1
    RINGING = 2
    ANSWERED = 3
    ENDED = 4


class Call:
    """One call, from the INVITE to its record."""

    __slots__ = (
        "_active",
        "_best",
        "_bill",
        "_context",
        "_flags",
        "_help",
        "_late_offer",
        "_negotiation",
        "_stages",
        "_timers",
        "_times",
        "a",
        "admission",
        "anchor",
        "b",
        "id",
        "state",
        "trunk",
    )

    def __init__(self, context: CallContext, call_id: str, admission: Admission) -> None:
        self._context = context
        self.id = call_id
        self.admission = admission
        self.state = State.TRYING
        self.trunk = ""
        self.anchor: Anchor = context.anchor()
        self.a: IncomingLeg | None = None
        self.b: OutgoingLeg | None = None
        self._active: list[OutgoingLeg] = []
        self._stages = iter(admission.plan.stages)
        self._best: ev.Refused | None = None
        self._times = Timeline(context.timers.now)
        self._bill = Bill(
            call_id,
            admission,
            charging=context.charging,
            sums=context.sums,
            timers=context.timers,
            warn=lambda: self.guard(self._warn),
            cut=lambda reason, due_ns: self.guard(lambda: self._cut(reason, due_ns)),
        )
        self._late_offer = False
        self._negotiation: Negotiation | None = None
        self._timers: list[Timer] = []
        self._flags: list[str] = []
        self._help = HelpLog(context.timers.now) if admission.help is not None else None

    # --- from outside ---------------------------------------------------------------------------------------

    def start(self, request: Request, flow: Flow) -> None:
        """Take up the INVITE and make the first attempt.

        Raises:
            Malformed: nothing was sent and the call does not exist.
        """
        context = self._context
        tag = context.entropy.token(64)
        follows = self.admission.line is not None
        self.a = IncomingLeg(
            context.endpoint,
            request,
            flow,
            self,
            tag=tag,
            follows_flow=follows,
            tolerant=self.admission.urgent,
        )
        self.anchor.place(0, flow.remote.host)
        self._late_offer = not self.a.invited_sdp
        self.guard(self._next_stage)

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
        match event:
            case ev.Ringing():
                self._on_ringing(leg, event)
            case ev.Answered():
                self._on_answered(leg, event)
            case ev.Refused():
                self._on_refused(leg, event)
            case ev.Cancelled():
                self._end("cancelled", "caller", 487, NORMAL)
            case ev.Acknowledged():
                self._on_acknowledged(leg, event)
            case ev.Modify():
                self._agreed.asked(leg, event)
            case ev.Modified():
                self._agreed.granted(leg, event)
            case ev.ModifyRefused():
                self._agreed.declined(event)
            case ev.ModifyCancelled():
                self._other(leg).cancel_modify()
            case ev.Info():
                if self.state is State.ANSWERED:
                    self._other(leg).info(event)
                else:
                    leg.answer_info(event.number, 481)
            case ev.InfoAnswered():
                self._other(leg).answer_info(event.number, event.status)
            case ev.HungUp():
                self._on_hung_up(leg, event)
            case ev.Lost():
                self._on_lost(leg, event)

    def end(self, flag: str, *, cause: int = NORMAL, silent_ms: int = 0, reason: str = "") -> None:
        """The switch ends the call: limit, lost media (nothing was heard for `silent_ms`), shutdown,
        operator. `reason` is told to the parties beside the `cause` (RFC 3326)."""
        if self.state is State.ENDED:
            return
        self._flags.append(flag)
        if self.state is State.ANSWERED:
            self._end("answered", "switch", 200, cause, silent_ms=silent_ms, reason=reason)
        else:
            self._refuse_caller(503, "failed", NO_CIRCUIT)

    def media_restarted(self) -> None:
        """The relay of this call died: its successor carries on."""
        if self.anchor.open:
            self._flags.append("relay-restarted")
            self.anchor.reopen()

    def fail(self) -> None:
        """We were wrong: end this one call, so that the switch lives on."""
        self._flags.append("internal-error")
        if self.state is State.ANSWERED:
            self._end("answered", "switch", 500, NETWORK)
        elif self.state is not State.ENDED:
            self._refuse_caller(500, "failed", NETWORK)

    def view(self, now: Moment) -> dict[str, Any]:
        """The call as an operator sees it, with its price now."""
        admission = self.admission
        return {
            "call_id": self.id,
            "line": admission.line.number if admission.line else "",
            "caller": admission.caller,
            "called": admission.called,
            "class": admission.destination.cls.value if admission.destination else "",
            "trunk": self.trunk,
            "state": self.state.name.lower(),
            "seconds": self._times.talked_ms(now) // 1000,
            "emergency": admission.emergency,
            **self._bill.view(answered=self.state is State.ANSWERED),
        }

    # --- attempts -------------------------------------------------------------------------------------------

    def _next_stage(self) -> None:
        """Make the next attempt, or give the caller the best refusal that came."""
        stage = next(self._stages, None)
        if stage is None:
            self._give_up()
            return
        try:
            self._try(stage)
        except NoPorts:
            self._refuse_without_ports()
        except Malformed as error:
            if self.admission.emergency and not self._late_offer:
                self._late_offer = True  # no offer is better than no help (R-EMG-05): the centre makes one
                self._try(stage)
            else:
                self._refuse_caller(error.status, "refused", None)

    def _try(self, stage: Stage) -> None:
        assert self.a is not None
        context, admission = self._context, self.admission
        context.entered(self.id, stage.trunk)
        self.trunk = stage.trunk
        if self._help is not None:
            self._help.tried(stage.trunk, context.timers.now)
        self.anchor.place(1, stage.targets[0].flow.remote.host)
        if admission.emergency and b"\nm=" not in self.a.invited_sdp:
            self._late_offer = True  # it offers nothing: the centre does (R-EMG-05)
        offer = b"" if self._late_offer else self._relayed(0, self.a.invited_sdp)
        for target in stage.targets:
            invitation = Invitation(
                target.uri,
                admission.sender,
                target.recipient,
                target.fields,
                target.credentials,
                target.parts,
            )
            leg = OutgoingLeg(
                context.endpoint,
                target.flow,
                self,
                invitation,
                follows_flow=target.follows_flow,
                new_token=context.entropy.token,
                tolerant=admission.urgent,
            )
            self._active.append(leg)
            leg.invite(offer)
        if stage.reply_ns:
            self._after(stage.reply_ns, lambda: self._give_up_stage(99))
        if stage.provisional_ns:
            self._after(stage.provisional_ns, lambda: self._give_up_stage(100))
        if stage.ring_ns:
            self._after(stage.ring_ns, lambda: self._give_up_stage(199))

    def _give_up_stage(self, at_most: int) -> None:
        """A time limit of the stage passed: it fails, if no leg has come further than the provisional
        status `at_most`."""
        if self.state in (State.ANSWERED, State.ENDED) or any(
            leg.provisional > at_most for leg in self._active
        ):
            return
        for leg in self._active:
            leg.cancel('Q.850;cause=102;text="Timer"')
        self._active = []
        rang = at_most > 100
        self._stage_failed(ev.Refused(480 if rang else 408, NO_ANSWER if rang else NETWORK, local=not rang))

    def _on_ringing(self, leg: Leg, event: ev.Ringing) -> None:
        if self.a is None or leg not in self._active:
            return
        now = self._context.timers.now
        if self._help is not None and self._help.heard(now):
            self._context.sums.help_first_ms.add(self._times.since_invite_ms(now) or 0)
        if self._times.ringing is None:
            self._times.ringing = now
            self._context.sums.post_dial_delay_ms.add(self._times.since_invite_ms(now) or 0)
        self.state = State.RINGING
        body = b""
        if event.sdp and not self._late_offer:
            try:
                body = self.anchor.relay(1, event.sdp)
            except (Malformed, NoPorts):
                body = b""  # early media that cannot be relayed is left out; the call goes on
        self.a.ring(event.status if event.status <= 183 else 183, body)

    def _on_answered(self, leg: Leg, event: ev.Answered) -> None:
        assert self.a is not None
        assert isinstance(leg, OutgoingLeg)
        for other in self._active:
            if other is not leg:
                other.cancel(ELSEWHERE)
        self._active = []
        self.b = leg
        self._stop_timers()
        try:
            body = self._relayed(1, event.sdp)
        except (Malformed, NoPorts) as error:
            leg.acknowledge(b"")
            leg.bye(NETWORK)
            leg.detach()
            self.b = None
            if isinstance(error, NoPorts):
                self._refuse_without_ports()
            else:  # an answer that cannot be used is a failure of the network: the next one is asked
                self._stage_failed(ev.Refused(502, NETWORK, local=True))
            return
        if unpaid := self._bill.begin():
            self._hang_up_unpaid(leg, unpaid)
            return
        now = self._context.timers.now
        self._times.answered = now
        self.state = State.ANSWERED
        if self._help is not None:
            self._help.settled(200, now)
        self.anchor.listen()
        self._negotiation = Negotiation(
            self.anchor,
            self.a,
            leg,
            late=self._late_offer,
            stand_in=event.sdp if self._late_offer and self.admission.emergency else b"",
        )
        if not self._late_offer:
            leg.acknowledge(b"")
        self._after(PROBE_NS, self._probe)
        pending = self._record(Ending("answered", "", 200, None), now)
        self.a.answer(body)
        sides = (self.a.snapshot(), leg.snapshot())
        entry = CallAnswered(self.id, now, pending, sides, self._bill.paid_by())
        self._context.append(Append(entry, hold=not self.admission.emergency))

    def _hang_up_unpaid(self, leg: OutgoingLeg, reason: StopReason) -> None:
        """What the first second was to be paid from is gone since the call was placed: nobody is charged."""
        leg.acknowledge(b"")
        leg.bye(NORMAL)
        leg.detach()
        self.b = None
        self._flags.append(reason.value)
        self._refuse_caller(403, "refused", REJECTED)

    def _on_refused(self, leg: Leg, event: ev.Refused) -> None:
        if leg not in self._active:
            return
        self._active.remove(leg)
        if event.status >= 600 and not self.admission.plan.emergency:
            for other in self._active:  # RFC 3261 section 16.7 step 5
                other.cancel("")
            self._active = []
        self._best = event if self._best is None else better(self._best, event)
        if not self._active:
            self._stage_failed(self._best)

    def _stage_failed(self, outcome: ev.Refused) -> None:
        self._stop_timers()
        self._best = outcome
        if self._help is not None:
            self._help.settled(outcome.status, self._context.timers.now)
        if moves_on(self.admission.plan.emergency, outcome.status, outcome.local):
            self._next_stage()
        else:
            self._give_up()

    def _give_up(self) -> None:
        """No attempt is left: the caller gets what the last one said, as far as it is his business."""
        best = self._best or ev.Refused(480)
        if self.admission.emergency:
            status = told_to_a_caller_for_help(best)
        else:
            status = told_to_caller(best, line=not self.trunk)
        outcome = outcome_of(status)
        fields: Fields = {}
        if best.retry_after_s is not None and status == 503:
            fields["Retry-After"] = [str(best.retry_after_s)]
        self._refuse_caller(status, outcome, best.cause, fields, by="callee")

    def _refuse_without_ports(self) -> None:
        self._flags.append("no-ports")
        self._refuse_caller(503, "refused", NO_CIRCUIT, {"Retry-After": ["10"]})

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
        if self.a is not None:
            self.a.refuse(status, fields)
        self._end(outcome, by, status, cause)

    # --- within the call ------------------------------------------------------------------------------------

    def _on_acknowledged(self, leg: Leg, event: ev.Acknowledged) -> None:
        if self._negotiation is None:
            return
        try:
            self._negotiation.acknowledged(leg, event)
        except (Malformed, NoPorts):
            self._end("answered", "switch", 488, NETWORK)

    def _on_hung_up(self, leg: Leg, event: ev.HungUp) -> None:
        if self.state is State.ANSWERED:
            self._end("answered", self._side(leg), 200, event.cause or NORMAL)
        else:
            self._end("cancelled", "caller", 487, NORMAL)

    def _on_lost(self, leg: Leg, event: ev.Lost) -> None:
        """A party is gone. Where asking found it so, what follows its last sign of life is not charged."""
        self._flags.append("lost")
        silent_ns = self._context.timers.now.mono_ns - leg.heard_ns if event.probed else 0
        self._end("answered", self._side(leg), event.status, NETWORK, silent_ms=silent_ns // NS_PER_MS)

    def _probe(self) -> None:
        """While silence means nothing (hold, no RTP), ask both parties whether they are still there."""
        if not self.anchor.watching:
            for leg in (self.a, self.b):
                if leg is not None:
                    leg.probe()
        self._after(PROBE_NS, self._probe)

    # --- the end --------------------------------------------------------------------------------------------

    def _end(
        self,
        outcome: str,
        by: str,
        status: int,
        cause: int | None,
        *,
        silent_ms: int = 0,
        reason: str = "",
    ) -> None:
        """Release both sides, close the media, and record what it was: once, whichever reason came first."""
        now = self._context.timers.now
        self.state = State.ENDED
        self._stop_timers()
        for leg in self._active:
            leg.cancel('SIP;cause=487;text="Caller cancelled"' if by == "caller" else "")
        for side in (self.a, self.b):
            if side is not None:
                side.bye(cause or NORMAL, reason)
                side.detach()
        self._active = []
        self.anchor.close()
        answered = self._times.answered
        talked_ms = self._bill.counted_ms(max(0, self._times.talked_ms(now) - silent_ms))
        charge = self._bill.settle(talked_ms, answered=answered is not None)
        cdr = self._record(Ending(outcome, by, status, cause), now, talked_ms=talked_ms, charge=charge)
        self._context.sums.add(cdr, charge)
        promised = answered is not None and not cdr.emergency and "preempted" not in cdr.flags
        account = self._bill.payer.user if self._bill.payer is not None else ""
        entry = CallEnded(cdr, account, charge.uses if charge is not None else ())
        self._context.append(Append(entry, hold=promised))
        if self._help is not None:
            logged = self._help.entry(self.id, self.admission, outcome, answered, now)
            self._context.sums.add_help(logged)
            self._context.append(Append(logged, hold=False))
        self._context.note(
            Note(
                "call",
                {
                    "call_id": self.id,
                    "outcome": outcome,
                    "status": status,
                    "by": by,
                    "duration_s": cdr.duration_s,
                },
            )
        )
        self._context.ended(self.id)

    def _record(
        self, ending: Ending, now: Moment, *, talked_ms: int = 0, charge: Charge | None = None
    ) -> Cdr:
        return record_of(
            self.id,
            self.admission,
            self.trunk,
            self._times,
            ending,
            now,
            flags=self._flags,
            talked_ms=talked_ms,
            charge=charge,
        )

    def _warn(self) -> None:
        self.anchor.play_tone(self._context.warned_sides, WARNING_TONE_MS)

    def _cut(self, reason: str, due_ns: int) -> None:
        """The deadline has come: both sides are released, and it is counted when both dialogs are closed."""
        context = self._context
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

    def _relayed(self, side: int, sdp: bytes) -> bytes:
        """A body of `side` as the other one is to see it; for a call for help others make room (R-EMG-04)."""
        while True:
            try:
                return self.anchor.relay(side, sdp)
            except NoPorts:
                if not (self.admission.urgent and self._context.make_room(self.admission.line)):
                    raise

    # --- details --------------------------------------------------------------------------------------------

    def _other(self, leg: Leg) -> Leg:
        other = self.b if leg is self.a else self.a
        assert other is not None
        return other

    @property
    def _agreed(self) -> Negotiation:
        assert self._negotiation is not None, "a leg asks for more only once the call is answered"
        return self._negotiation

    def _side(self, leg: Leg) -> str:
        return "caller" if leg is self.a else "callee"

    def _after(self, delay_ns: int, fire: Callable[[], None]) -> None:
        self._timers.append(self._context.timers.start(delay_ns, lambda: self.guard(fire)))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
