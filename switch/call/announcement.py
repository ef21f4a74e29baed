"""The switch speaks to a caller itself: in early media before it refuses his call, or in a short call of its
own that confirms a feature code. Nobody else is called and nothing is charged.
"""

from __future__ import annotations

from collections.abc import Callable

from switch.call.admission import Refusal
from switch.call.events import Acknowledged, Cancelled, Event, HungUp, Lost
from switch.call.incoming import IncomingLeg
from switch.call.leg import Leg
from switch.config.prompts import Prompt
from switch.malformed import Malformed
from switch.media.anchor import Anchor, NoPorts
from switch.ports import NS_PER_MS, Flow
from switch.sdp.terms import SideTerms
from switch.sip.endpoint import Endpoint
from switch.sip.message import Request
from switch.timers import Timer

NORMAL = 16
SILENCE_MS = 300
"""Before the end, so that no phone cuts the last word off."""


class Announcement:
    """One announcement, from the INVITE to its end. What cannot be heard is left out."""

    def __init__(
        self,
        endpoint: Endpoint,
        anchor: Anchor,
        *,
        prompt: Prompt,
        refusal: Refusal | None,
        ended: Callable[[], None],
    ) -> None:
        """With a `refusal` the INVITE is refused in the end, else answered."""
        self._endpoint = endpoint
        self._anchor = anchor
        self._prompt = prompt
        self._refusal = refusal
        self._ended = ended
        self._timer: Timer | None = None
        self._leg: IncomingLeg

    def begin(self, request: Request, flow: Flow, tag: str, terms: SideTerms) -> None:
        """Take up the INVITE of one who is talked to on these terms.

        Raises:
            Malformed: when its Contact cannot be read.
        """
        self._leg = IncomingLeg(self._endpoint, request, flow, self, tag=tag, follows_flow=True)
        self._anchor.place(0, flow.remote.host, terms)
        try:
            answer = self._anchor.answer_alone(self._leg.invited_sdp)
        except (Malformed, NoPorts):
            self._finish(488)
            return
        if self._refusal is not None:
            self._leg.ring(183, answer)
            self._speak()
        else:
            self._leg.answer(answer)

    def handle(self, leg: Leg, event: Event) -> None:
        """He hears it once he has acknowledged the answer; if he leaves, so do we."""
        match event:
            case Acknowledged():
                self._speak()
            case Cancelled() | HungUp() | Lost():
                self._close()

    def _speak(self) -> None:
        if self._timer is not None:
            return
        heard = self._anchor.sounds.say(0, self._prompt.path)
        wait_ms = self._prompt.duration_ms + SILENCE_MS if heard else 0
        self._timer = self._endpoint.timers.start(wait_ms * NS_PER_MS, lambda: self._finish(200))

    def _finish(self, status: int) -> None:
        """It has been said, or cannot be."""
        if self._refusal is not None:
            self._leg.refuse(self._refusal.status, self._refusal.fields)
        elif status >= 300:
            self._leg.refuse(status)
        else:
            self._leg.bye(NORMAL)
        self._close()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._leg.bye(NORMAL)
        self._leg.detach()
        self._anchor.close()
        self._ended()
