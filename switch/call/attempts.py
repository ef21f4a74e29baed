"""Attempts to reach somebody: the stages of a route plan one after the other, each with its targets at the
same time (RFC 3261 section 16.7 for what their answers mean together).

Nothing is decided here about who may be called; whoever uses this is told who answered, or how it failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from switch.call import events as ev
from switch.call.admission import Admission
from switch.call.context import CallContext
from switch.call.leg import Leg
from switch.call.outcome import better
from switch.call.outgoing import Invitation, OutgoingLeg
from switch.malformed import Malformed
from switch.media.anchor import Anchor, NoPorts
from switch.routing.plan import Stage, moves_on
from switch.sdp.terms import phone_terms
from switch.timers import Timer

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NO_ANSWER, NETWORK = 19, 38
"""Q.850 causes."""


class AttemptsUser(Protocol):
    """Who seeks. The SDP of a side as the other one is to see it comes from `relayed`."""

    def guard(self, act: Callable[[], None]) -> None:
        """Do something; a fault of ours in it ends this one call."""

    def relayed(self, side: int, sdp: bytes) -> bytes:
        """A body through the anchor."""

    def on_stage(self, stage: Stage) -> None:
        """A stage is about to be tried."""

    def on_leg(self, sip_call_id: str) -> None:
        """An INVITE has been sent."""

    def on_stage_over(self, status: int) -> None:
        """It has failed with this status."""

    def on_ringing(self, event: ev.Ringing) -> None:
        """Somebody is being alerted, or sends early media."""

    def on_found(self, leg: OutgoingLeg, event: ev.Answered) -> None:
        """Somebody took the call; the others have been given up."""

    def on_redirected(self, event: ev.Refused) -> bool:
        """A 3xx says where to look instead; whether that is done, so that these attempts are over."""

    def on_nobody(self, outcome: ev.Refused) -> None:
        """No attempt is left: the refusal most worth telling."""

    def on_no_ports(self) -> None:
        """There is no relay port left for the media of the call."""

    def on_unusable(self, error: Malformed) -> None:
        """What is offered cannot be relayed."""


class Attempts:
    """The called side while it is sought. `late`: it is to make the offer, for nobody else did."""

    def __init__(
        self, context: CallContext, anchor: Anchor, user: AttemptsUser, *, offer: bytes, tolerant: bool
    ) -> None:
        """`tolerant`: pass over what a leg of an urgent call says that nobody knows (R-EMG-05)."""
        self._context = context
        self._anchor = anchor
        self._user = user
        self._offer = offer
        self._tolerant = tolerant
        self._active: list[OutgoingLeg] = []
        self._best: ev.Refused | None = None
        self._timers: list[Timer] = []
        self.late = not offer

    def begin(self, admission: Admission) -> None:
        """Seek where this admission says, and no longer anywhere else."""
        self.give_up("")
        self._best = None
        self._admission = admission
        self._stages = iter(admission.plan.stages)
        self._next()

    def give_up(self, reason: str) -> None:
        """Call nobody any more; `reason` is told to those who are being called (RFC 3326)."""
        self._stop_timers()
        active, self._active = self._active, []
        for leg in active:
            leg.cancel(reason)

    def go_on(self, outcome: ev.Refused) -> None:
        """Whoever answered cannot be talked to: that attempt has failed after all."""
        self._stage_failed(outcome)

    def handle(self, leg: Leg, event: ev.Event) -> None:
        """Something happened on a leg; of one that was given up nothing counts any more."""
        if isinstance(leg, OutgoingLeg) and leg in self._active:
            self._user.guard(lambda: self._handle(leg, event))

    def _handle(self, leg: OutgoingLeg, event: ev.Event) -> None:
        match event:
            case ev.Ringing():
                self._user.on_ringing(event)
            case ev.Answered():
                self._active.remove(leg)
                self.give_up(ELSEWHERE)
                self._user.on_found(leg, event)
            case ev.Refused():
                self._on_refused(leg, event)

    def _next(self) -> None:
        stage = next(self._stages, None)
        if stage is None:
            self._user.on_nobody(self._best or ev.Refused(480))
            return
        try:
            self._try(stage)
        except NoPorts:
            self._user.on_no_ports()
        except Malformed as error:
            if self._admission.emergency and not self.late:
                self.late = True  # no offer is better than no help (R-EMG-05): the centre makes one
                self._try(stage)
            elif stage.terms is not None and stage.terms.choosy:  # perhaps another one takes it
                self._best = ev.Refused(error.status)
                self._user.on_stage_over(error.status)
                self._next()
            else:
                self._user.on_unusable(error)

    def _try(self, stage: Stage) -> None:
        context, admission = self._context, self._admission
        self._stage = stage
        if not context.trunks.takes_call(stage.trunk):
            self._stage_failed(ev.Refused(503, local=True))
            return
        self._user.on_stage(stage)
        flows = [target.flow for target in stage.targets]
        terms = stage.terms or phone_terms(context.srtp, flows, urgent=admission.urgent)
        self._anchor.place(1, flows[0].remote.host, terms)
        if admission.emergency and b"\nm=" not in self._offer:
            self.late = True  # it offers nothing: the centre does (R-EMG-05)
        offer = b"" if self.late else self._user.relayed(0, self._offer)
        for target in stage.targets:
            invitation = Invitation(
                target.uri,
                admission.sender,
                target.recipient,
                target.fields,
                target.credentials,
                target.parts,
                target.reliable,
            )
            leg = OutgoingLeg(
                context.endpoint,
                target.flow,
                self,
                invitation,
                follows_flow=target.follows_flow,
                new_token=context.entropy.token,
                tolerant=self._tolerant,
            )
            self._active.append(leg)
            self._user.on_leg(leg.invite(offer))
        for limit_ns, at_most in ((stage.reply_ns, 99), (stage.provisional_ns, 100), (stage.ring_ns, 199)):
            if limit_ns:
                self._after(limit_ns, lambda at_most=at_most: self._time_is_up(at_most))  # type: ignore[misc]

    def _time_is_up(self, at_most: int) -> None:
        """A time limit of the stage passed: it fails, if no leg has come further than the provisional
        status `at_most`."""
        if not self._active or any(leg.provisional > at_most for leg in self._active):
            return
        self.give_up('Q.850;cause=102;text="Timer"')
        rang = at_most > 100
        self._stage_failed(ev.Refused(480 if rang else 408, NO_ANSWER if rang else NETWORK, local=not rang))

    def _on_refused(self, leg: OutgoingLeg, event: ev.Refused) -> None:
        self._active.remove(leg)
        if 300 <= event.status < 400 and event.contacts and self._user.on_redirected(event):
            return
        if event.status >= 600 and not self._admission.plan.emergency:
            for other in self._active:  # RFC 3261 section 16.7 step 5
                other.cancel("")
            self._active = []
        if event.status == 503 and event.retry_after_s and not event.local:
            self._context.trunks.spare(self._stage.trunk, event.retry_after_s)
        self._best = event if self._best is None else better(self._best, event)
        if not self._active:
            self._stage_failed(self._best)

    def _stage_failed(self, outcome: ev.Refused) -> None:
        self._stop_timers()
        self._best = outcome
        self._user.on_stage_over(outcome.status)
        if moves_on(self._admission.plan.emergency, outcome.status, outcome.local):
            self._next()
        else:
            self._user.on_nobody(outcome)

    def _after(self, delay_ns: int, fire: Callable[[], None]) -> None:
        self._timers.append(self._context.timers.start(delay_ns, lambda: self._user.guard(fire)))

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
