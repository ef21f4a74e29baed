"""A calling party: the carrier's subscriber who rings one of the lab's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switch.lab.leg import Leg
from switch.malformed import Malformed
from switch.ports import Address
from switch.sip.message import SDP_TYPE, Request, Response
from switch.sip.uri import bracketed, parse_name_addr

if TYPE_CHECKING:
    from switch.lab.party import Party


class CallingLeg(Leg):
    """A call that goes out. `status` is the last response, 0 before the first one."""

    def __init__(self, party: Party, number: str, caller: str, peer: Address, *, talk_s: float) -> None:
        token = party.token()
        super().__init__(party, f"{token}@lab", peer)
        host = bracketed(party.address.host)
        self.status = 0
        self.target = f"sip:{number}@{bracketed(peer.host)}:{peer.port};user=phone"
        self.local = f"<sip:{caller}@{host};user=phone>;tag={token}"
        self.remote = f"<{self.target}>"
        self._talk_s = talk_s

    def start(self) -> None:
        """Send the INVITE."""
        fields = {"Contact": [self.party.contact], "Content-Type": [SDP_TYPE]}
        invite = self.make("INVITE", fields=fields, body=self.session.offer())
        self.party.request(invite, self.peer, lambda response: self._on_response(invite, response))

    def _on_response(self, invite: Request, response: Response) -> None:
        self.status = response.status
        if response.status < 200:
            return
        if response.status >= 300:
            via = invite.fields[
                "Via"
            ]  # the ACK to a refusal belongs to its transaction (RFC 3261 section 17.1.1.3)
            ack = self.make("ACK", fields={"Via": via, "To": response.fields["To"]}, cseq=invite.cseq[0])
            self.party.send(ack.encode(), self.peer)
            self.end()
            return
        first = not self.talking
        self.talking = True
        self.remote = response.fields["To"][0]
        if response.get("Contact"):
            self.target = parse_name_addr(response.values("Contact")[0]).uri
        ack = self.make("ACK", cseq=invite.cseq[0])
        self.party.send(self.party.with_via(ack).encode(), self.peer)
        if first:
            self.party.answered += 1
            try:
                self.session.take_answer(response.sdp)
            except Malformed:
                self.bye()
                return
            self.after(self._talk_s, self.bye)
