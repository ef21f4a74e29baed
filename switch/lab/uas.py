"""A called party: rings, answers, plays a tone. The end of the called number decides what it does.

...99 is busy (486), ...98 rings and never answers, ...97 is out of service (503); anything else answers,
emergency URNs too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from switch.lab.leg import Leg
from switch.malformed import Malformed
from switch.ports import Address
from switch.sip.message import Request, respond
from switch.sip.uri import parse_name_addr, parse_uri

if TYPE_CHECKING:
    from switch.lab.party import Party


class Behaviour(Enum):
    """What a called number does."""

    ANSWER = "answers"
    BUSY = "is busy"
    SILENT = "never answers"
    OUT = "is out of service"


ENDINGS = {"99": Behaviour.BUSY, "98": Behaviour.SILENT, "97": Behaviour.OUT}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it takes to ring and to answer, from the INVITE on."""

    ring_s: float = 0.3
    answer_s: float = 1.0


UNHURRIED = Pace()


def behaviour_of(uri: str) -> Behaviour:
    """What the called party does, by its Request-URI."""
    try:
        number = parse_uri(uri).number()
    except Malformed:  # urn:service:sos
        return Behaviour.ANSWER
    return ENDINGS.get(number[-2:], Behaviour.ANSWER)


class AnsweringLeg(Leg):
    """A call that came in."""

    def __init__(self, party: Party, invite: Request, peer: Address) -> None:
        super().__init__(party, invite.call_id, peer)
        self._invite = invite
        to = invite.fields["To"][0]
        self.local = f"{to};tag={party.token()}"
        self.remote = invite.fields["From"][0]
        self.target = parse_name_addr(invite.values("Contact")[0]).uri
        self._last = 100

    def start(self) -> None:
        """100 at once, then what the number does."""
        pace = self.party.pace
        self._provisional(100)
        match behaviour_of(self._invite.uri):
            case Behaviour.BUSY:
                self.after(pace.ring_s, lambda: self._refuse(486))
            case Behaviour.OUT:
                self._refuse(503)
            case Behaviour.SILENT:
                self.after(pace.ring_s, lambda: self._provisional(180))
            case Behaviour.ANSWER:
                self.after(pace.ring_s, lambda: self._provisional(180))
                self.after(pace.answer_s, self._answer)

    def receive(self, request: Request) -> None:
        """CANCEL and the repeated INVITE belong to the call's beginning, the rest to its dialog."""
        same = request.via.branch == self._invite.via.branch
        if request.method == "CANCEL":
            self.answer(request, 200 if same else 481)
            if same and self._last < 200:
                self._refuse(487)
        elif request.method == "INVITE" and same and self._last < 200:
            self._provisional(self._last)
        else:
            super().receive(request)

    def _provisional(self, status: int) -> None:
        self._last = status
        fields = {"Contact": [self.party.contact]} if status > 100 else {}
        self.party.respond(respond(self._invite, status, tag=self.tag, fields=fields), self.peer)

    def _answer(self) -> None:
        try:
            body = self.session.answer(self._invite.sdp) if self._invite.sdp else self.session.offer()
        except Malformed as error:
            self._refuse(error.status)
            return
        self._last = 200
        self.talking = True
        self.party.answered += 1
        self.accept(self._invite, body)

    def _refuse(self, status: int) -> None:
        """A final refusal, repeated until its ACK; then nothing is left of the call."""
        self._last = status
        for timer in self._timers:
            timer.cancel()
        self.repeat(self.answer(self._invite, status), self.end)

    def _on_ack(self, request: Request) -> None:
        super()._on_ack(request)
        if self._last >= 300:
            self.end()
