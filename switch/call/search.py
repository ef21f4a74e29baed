"""Looking for somebody who takes a call: attempts, and the forwardings of the lines that are called.

A line may have set that its calls go elsewhere, at once or when nobody there takes them, and its phone may
say so with a 302. Each time the gate is asked as for a call that the line dials, and a new link is opened for
what the line will pay (R-POL-02, R-POL-11). What the gate refuses is recorded, and the call goes on as if
nothing had been set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from switch.call import events as ev
from switch.call.admission import Refusal
from switch.call.attempts import Attempts
from switch.call.context import CallContext
from switch.call.gate import UNPAID
from switch.call.link import Link
from switch.call.outgoing import OutgoingLeg
from switch.call.policy import Origin, Party
from switch.call.reasons import refusal
from switch.call.recording import refused_link
from switch.malformed import Malformed
from switch.media.anchor import Anchor
from switch.ports import Append, CallEnded, Note
from switch.routing.lines import Line
from switch.routing.plan import Stage
from switch.sip.uri import parse_name_addr, parse_uri


class SearchUser(Protocol):
    """The call, or the transfer, that looks for somebody."""

    def guard(self, act: Callable[[], None]) -> None:
        """Do something; a fault of ours in it ends this one call."""

    def relayed(self, side: int, sdp: bytes) -> bytes:
        """A body through the anchor."""

    def on_tried(self, link: Link, stage: Stage) -> None:
        """A stage is about to be tried for a link."""

    def on_stage_over(self, status: int) -> None:
        """It has failed with this status."""

    def on_sent_on(self, line: Line) -> None:
        """The call is sent on by this line."""

    def on_ringing(self, event: ev.Ringing) -> None:
        """Somebody is being alerted, or sends early media."""

    def on_found(self, leg: OutgoingLeg, event: ev.Answered) -> None:
        """Somebody took the call."""

    def on_nobody(self, outcome: ev.Refused, blocked: Refusal | None) -> None:
        """Nobody takes it; `blocked` is there when nobody could even be asked."""

    def on_no_ports(self) -> None:
        """There is no relay port left for the media of the call."""

    def on_unusable(self, error: Malformed) -> None:
        """What is offered cannot be relayed."""


class Search:
    """One search. `links` begins with the one that it is for; one is added for everybody who sends the call
    on. A phone of ours that it is sent on to is `shown` who calls, '' for an anonymous caller."""

    def __init__(
        self,
        context: CallContext,
        anchor: Anchor,
        user: SearchUser,
        links: list[Link],
        *,
        offer: bytes,
        shown: str,
    ) -> None:
        self._context = context
        self._user = user
        self.links = links
        self._shown = shown
        urgent = links[0].admission.urgent
        self.attempts = Attempts(context, anchor, self, offer=offer, tolerant=urgent)

    @property
    def link(self) -> Link:
        """The link that somebody is being sought for now."""
        return self.links[-1]

    @property
    def party(self) -> Party:
        """Who is reached where somebody is being sought now."""
        admission, trunk, context = self.link.admission, self.link.trunk, self._context
        return Party(
            admission.called,
            admission.callee,
            context.is_abroad(trunk),
            voicemail=context.is_voicemail(trunk),
        )

    def begin(self) -> None:
        """Seek where the latest admission says, or where the line that it leads to has its calls go."""
        admission = self.link.admission
        if admission.diverts and self._forward(admission.diverts):
            return
        if admission.blocked is not None:
            self._user.on_nobody(ev.Refused(admission.blocked.status), admission.blocked)
        else:
            self.attempts.begin(admission)

    def give_up(self, reason: str) -> None:
        """Call nobody any more."""
        self.attempts.give_up(reason)

    # --- sending on -----------------------------------------------------------------------------------------

    def _forward(self, condition: str) -> bool:
        """Forward the call if the line that is called has set so; whether it is forwarded."""
        line = self.link.admission.callee
        if line is None or self.link.admission.urgent:  # R-EMG-09: a centre that calls back rings the phones
            return False
        target = self._context.services.of(line.user).target(condition)
        return bool(target) and self._send_on(line, Origin.FORWARD, condition, target)

    def _send_on(self, line: Line, origin: Origin, condition: str, target: str) -> bool:
        context, before = self._context, self.link
        admission = before.admission
        decided = context.gate.send_on(
            admission,
            line,
            origin,
            condition,
            target,
            context.timers.now,
            shown=self._shown,
        )
        if isinstance(decided, Refusal):
            record_refused(context, before, line, origin, target, decided)
            return False
        link = Link(context, context.entropy.token(96), decided, before.owner, caused_by=before.id)
        if unpaid := link.reserve():
            record_refused(context, before, line, origin, target, refusal(UNPAID[unpaid]))
            return False
        self.links.append(link)
        link.placed()
        self._user.on_sent_on(line)
        self.begin()
        return True

    def on_redirected(self, event: ev.Refused) -> bool:
        """A 3xx: from a phone it is a wish of its line; a carrier's is none of ours, and voicemail may not
        have any (R-POL-01). Whether the call is sent on."""
        admission, context = self.link.admission, self._context
        target = number_of(event.contacts[0])
        if context.is_voicemail(self.link.trunk) and admission.line is not None:
            record_refused(context, self.link, admission.line, Origin.VOICEMAIL, target, refusal("voicemail"))
        elif admission.callee is not None and not admission.urgent:
            return self._send_on(admission.callee, Origin.REDIRECT, "redirect", target)
        return False

    # --- from the attempts ----------------------------------------------------------------------------------

    def guard(self, act: Callable[[], None]) -> None:
        """Do something; a fault of ours in it ends this one call."""
        self._user.guard(act)

    def relayed(self, side: int, sdp: bytes) -> bytes:
        """A body through the anchor."""
        return self._user.relayed(side, sdp)

    def on_stage(self, stage: Stage) -> None:
        """A stage is about to be tried."""
        self.link.trunk = stage.trunk
        self._user.on_tried(self.link, stage)

    def on_leg(self, sip_call_id: str) -> None:
        """An INVITE has been sent."""
        self._context.traced(self.link.id, sip_call_id)

    def on_stage_over(self, status: int) -> None:
        """It has failed."""
        self._user.on_stage_over(status)

    def on_ringing(self, event: ev.Ringing) -> None:
        """Somebody is being alerted."""
        for link in self.links:
            link.rang()
        self._user.on_ringing(event)

    def on_found(self, leg: OutgoingLeg, event: ev.Answered) -> None:
        """Somebody took the call."""
        self._user.on_found(leg, event)

    def on_nobody(self, outcome: ev.Refused) -> None:
        """Nobody takes it here: perhaps the line has its calls go elsewhere then."""
        condition = _condition(outcome)
        if not (condition and self._forward(condition)):
            self._user.on_nobody(outcome, None)

    def on_no_ports(self) -> None:
        """No relay port is left."""
        self._user.on_no_ports()

    def on_unusable(self, error: Malformed) -> None:
        """What is offered cannot be relayed."""
        self._user.on_unusable(error)


def record_refused(
    context: CallContext, link: Link, line: Line, origin: Origin, target: str, why: Refusal
) -> None:
    """Count, log and record a leg that the gate did not let come about."""
    context.sums.refusals[why.verdict] += 1
    context.sums.outcomes["refused", ""] += 1
    if context.gate.records_refusals:
        cdr = refused_link(context.entropy.token(96), link, line, origin, target, why, context.timers.now)
        context.append(Append(CallEnded(cdr), hold=False))
    facts = {"call_id": link.id, "line": line.number, "origin": origin.value, "verdict": why.verdict}
    context.note(Note("leg_refused", facts))


def _condition(outcome: ev.Refused) -> str:
    """Which forwarding applies to a line that did not take a call; '' for none."""
    if outcome.status in (486, 600, 603):
        return "busy"
    if outcome.local:
        return "unreachable"
    if outcome.status == 480:
        return "no-answer" if outcome.cause == 19 else "unreachable"
    return "no-answer" if outcome.status == 408 else ""


def number_of(contact: str) -> str:
    """The user part of a name-addr or URI; '' where it has none that can be read."""
    try:
        return parse_uri(parse_name_addr(contact).uri).number()
    except Malformed:
        return ""
