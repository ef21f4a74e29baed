"""A simulated carrier or emergency centre: one SIP address and its calls (RFC 3261, as far as needed)."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable

from switch.lab.caller import CallingLeg
from switch.lab.leg import ATTEMPTS, T1_S, T2_S, Leg
from switch.lab.port import Port
from switch.lab.uas import UNHURRIED, AnsweringLeg, Pace
from switch.malformed import Malformed
from switch.ports import Address
from switch.sip.message import Request, Response, respond
from switch.sip.parser import parse_datagram
from switch.sip.uri import bracketed

OnResponse = Callable[[Response], None]


class Party:
    """Listens from the moment it is made. `legs` are its running calls by Call-ID, `last` the ones before."""

    def __init__(self, name: str, address: Address, pace: Pace = UNHURRIED) -> None:
        self.name = name
        self.pace = pace
        self.legs: dict[str, Leg] = {}
        self.last: deque[Leg] = deque(maxlen=100)
        self.invited = self.answered = self.probed = 0
        self._port = Port(address, self._receive)
        self.address = self._port.address
        self._pending: dict[str, _Pending] = {}
        self._numbers = 0

    @property
    def contact(self) -> str:
        """Our Contact."""
        return f"<sip:{self.name}@{bracketed(self.address.host)}:{self.address.port}>"

    def token(self) -> str:
        """A fresh tag, branch or Call-ID."""
        return secrets.token_hex(8)

    def next_number(self) -> int:
        """A number for a media session."""
        self._numbers += 1
        return self._numbers

    def call(self, number: str, caller: str, switch: Address, *, talk_s: float = 10.0) -> CallingLeg:
        """Call a line of the switch."""
        leg = CallingLeg(self, number, caller, switch, talk_s=talk_s)
        self.legs[leg.call_id] = leg
        leg.start()
        return leg

    def ended(self, leg: Leg) -> None:
        """A leg has ended."""
        if self.legs.pop(leg.call_id, None) is not None:
            self.last.append(leg)

    def close(self) -> None:
        """Hang up everything and leave."""
        for leg in list(self.legs.values()):
            leg.bye()
        for pending in self._pending.values():
            pending.stop()
        self._port.close()

    # --- sending --------------------------------------------------------------------------------------------

    def send(self, data: bytes, peer: Address) -> None:
        """Bytes to the switch."""
        self._port.send(data, peer)

    def respond(self, response: Response, peer: Address) -> None:
        """A response, back to where the request came from."""
        self.send(response.encode(), peer)

    def with_via(self, request: Request) -> Request:
        """The request with a Via of ours on it."""
        here = f"{bracketed(self.address.host)}:{self.address.port}"
        request.fields = {"Via": [f"SIP/2.0/UDP {here};branch=z9hG4bK{self.token()};rport"], **request.fields}
        return request

    def request(self, request: Request, peer: Address, on_response: OnResponse | None = None) -> None:
        """Send a request, again and again until something comes back (RFC 3261 section 17.1)."""
        data = self.with_via(request).encode()
        branch = request.via.branch
        self._pending[branch] = _Pending(lambda: self.send(data, peer), on_response)

    # --- receiving ------------------------------------------------------------------------------------------

    def _receive(self, data: bytes, peer: Address) -> None:
        message = parse_datagram(data)
        try:
            if isinstance(message, Request):
                self._on_request(message, peer)
            elif isinstance(message, Response):
                self._on_response(message)
        except Malformed as error:
            if isinstance(message, Request) and message.method != "ACK":
                self.respond(respond(message, error.status, tag=self.token()), peer)

    def _on_request(self, request: Request, peer: Address) -> None:
        leg = self.legs.get(request.call_id)
        if leg is not None:
            leg.receive(request)
        elif request.method == "OPTIONS":
            self.probed += 1
            self.respond(
                respond(request, 200, tag=self.token(), fields={"Allow": ["INVITE, ACK, CANCEL, BYE"]}), peer
            )
        elif request.method == "INVITE" and request.recipient.tag is None:
            if not request.values("Contact"):
                raise Malformed(400, "Missing Contact")
            self.invited += 1
            leg = AnsweringLeg(self, request, peer)
            self.legs[leg.call_id] = leg
            leg.start()
        elif request.method != "ACK":
            self.respond(respond(request, 481, tag=self.token()), peer)

    def _on_response(self, response: Response) -> None:
        branch = response.via.branch
        pending = self._pending.get(branch)
        if pending is None:
            return
        pending.stop()
        if pending.on_response is not None:
            pending.on_response(response)
        if response.status >= 300 or (response.status >= 200 and response.cseq[1] != "INVITE"):
            del self._pending[branch]  # but a 2xx to INVITE may come again and wants its ACK again


class _Pending:
    """A request on its way."""

    def __init__(self, send: Callable[[], None], on_response: OnResponse | None) -> None:
        self.on_response = on_response
        self._send = send
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._again()

    def stop(self) -> None:
        """Something came back."""
        if self._timer is not None:
            self._timer.cancel()

    def _again(self) -> None:
        if self._sent < ATTEMPTS:
            self._send()
            delay_s = min(T1_S * 2**self._sent, T2_S)
            self._sent += 1
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._again)
