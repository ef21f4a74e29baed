"""One call as the lab's far end sees it: the dialog (RFC 3261 section 12), its requests and its media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.lab.session import Session
from switch.malformed import Malformed
from switch.ports import Address
from switch.sip.message import SDP_TYPE, Fields, Request, Response, respond
from switch.sip.uri import parse_name_addr

if TYPE_CHECKING:
    from switch.lab.party import Party

T1_S, T2_S = 0.5, 4.0
ATTEMPTS = 11
"""Sendings of a final response until its ACK: 64*T1 together (RFC 3261 section 13.3.1.4)."""


class Leg:
    """What both directions share. `local` is our From or To, `remote` theirs, `target` their Contact."""

    def __init__(self, party: Party, call_id: str, peer: Address) -> None:
        self.party = party
        self.call_id = call_id
        self.peer = peer
        self.local = self.remote = self.target = ""
        self.session = Session(party.address.host, party.next_number())
        self.talking = self.over = False
        self._cseq = 0
        self._timers: list[asyncio.TimerHandle] = []
        self._answers: dict[tuple[str, str], Response] = {}  # finals by Via branch and method
        self._unacknowledged: asyncio.TimerHandle | None = None

    # --- requests -------------------------------------------------------------------------------------------

    def receive(self, request: Request) -> None:
        """A request of this call; a repeated one is answered as before (RFC 3261 section 17.2)."""
        known = self._answers.get((request.via.branch, request.method))
        if known is not None:
            self.party.respond(known, self.peer)
        elif request.method == "ACK":
            self._on_ack(request)
        elif request.method == "INVITE":
            self._on_reinvite(request)
        elif request.method == "BYE":
            self.answer(request, 200)
            self.end()
        elif request.method in ("INFO", "UPDATE", "OPTIONS", "NOTIFY", "MESSAGE"):
            self.answer(request, 200 if request.method != "UPDATE" else 501)
        else:
            self.answer(request, 405, fields={"Allow": ["INVITE, ACK, CANCEL, BYE, OPTIONS, INFO"]})

    def answer(
        self, request: Request, status: int, *, fields: Fields | None = None, body: bytes = b""
    ) -> Response:
        """Answer a request of this call, and remember a final answer."""
        fields = {**(fields or {})}
        if body:
            fields["Content-Type"] = [SDP_TYPE]
        response = respond(request, status, tag=self.tag, fields=fields, body=body)
        if status >= 200:
            self._answers[request.via.branch, request.method] = response
        self.party.respond(response, self.peer)
        return response

    @property
    def tag(self) -> str:
        """Our tag."""
        return parse_name_addr(self.local).tag or "" if self.local else ""

    def bye(self) -> None:
        """Hang up."""
        if self.talking and not self.over:
            self.party.request(self.make("BYE"), self.peer)
        self.end()

    def make(self, method: str, *, fields: Fields | None = None, body: bytes = b"", cseq: int = 0) -> Request:
        """A request within the dialog."""
        if not cseq:
            self._cseq += 1
            cseq = self._cseq
        base: Fields = {
            "Max-Forwards": ["70"],
            "From": [self.local],
            "To": [self.remote],
            "Call-ID": [self.call_id],
            "CSeq": [f"{cseq} {method}"],
        }
        return Request(method, self.target, base | (fields or {}), body)

    def end(self) -> None:
        """It is over: no more timers, no more audio."""
        if self.over:
            return
        self.over = True
        self.talking = False
        for timer in self._timers:
            timer.cancel()
        self._acknowledged()
        self.session.close()
        self.party.ended(self)

    # --- re-INVITE ------------------------------------------------------------------------------------------

    def _on_reinvite(self, request: Request) -> None:
        """Hold, resume, another codec, or another address for the audio."""
        try:
            body = self.session.answer(request.sdp) if request.sdp else self.session.offer()
        except Malformed as error:
            self.answer(request, error.status)
            return
        if request.get("Contact"):
            self.target = parse_name_addr(request.values("Contact")[0]).uri
        self.accept(request, body)

    def accept(self, request: Request, body: bytes) -> None:
        """200 to an INVITE, repeated until its ACK comes."""
        response = self.answer(request, 200, fields={"Contact": [self.party.contact]}, body=body)
        self.repeat(response, self.bye)

    def repeat(self, response: Response, give_up: Callable[[], None]) -> None:
        """Send a final response to INVITE again and again until `_on_ack`."""

        def again(sent: int) -> None:
            if sent == ATTEMPTS:
                give_up()
                return
            self.party.respond(response, self.peer)
            arm(sent + 1)

        def arm(sent: int) -> None:
            delay_s = min(T1_S * 2 ** (sent - 1), T2_S)
            self._unacknowledged = asyncio.get_running_loop().call_later(delay_s, again, sent)

        self._acknowledged()
        arm(1)

    def _acknowledged(self) -> None:
        if self._unacknowledged is not None:
            self._unacknowledged.cancel()
            self._unacknowledged = None

    def _on_ack(self, request: Request) -> None:
        self._acknowledged()
        if request.sdp:
            try:
                self.session.take_answer(request.sdp)
            except Malformed:
                self.bye()

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something later, unless the call is over by then."""
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, action))
