"""A called leg: an INVITE of ours and what becomes of it (RFC 3261 section 13.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from switch.call.events import Answered, Refused, Ringing
from switch.call.leg import Leg, LegUser, Stage
from switch.call.reliable import RELIABLE, ReliableReceiver
from switch.malformed import Malformed
from switch.ports import Flow
from switch.sip.auth import answer
from switch.sip.dialog import Dialog
from switch.sip.endpoint import ALLOW, SUPPORTED, Endpoint
from switch.sip.headers import parse_small_number, q850_cause
from switch.sip.message import SDP_TYPE, Fields, Request, Response
from switch.sip.multipart import Part, mixed
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.uri import parse_name_addr


@dataclass(frozen=True, slots=True)
class Invitation:
    """Whom to call and how: Request-URI, From and To without tags, further header fields, what to answer a
    challenge with, and what travels in the body behind the SDP. `reliable`: that it rings may be sent so that
    it has to arrive."""

    uri: str
    sender: str
    recipient: str
    fields: Fields
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = ()
    reliable: bool = False


class OutgoingLeg(Leg):
    """A UAC leg. It ends with `Answered` or `Refused`, told once; after `cancel` nothing more is told."""

    __slots__ = (
        "_authorized",
        "_cancel_reason",
        "_invitation",
        "_new_token",
        "_reliable",
        "_request",
        "_tag",
        "provisional",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        flow: Flow,
        user: LegUser,
        invitation: Invitation,
        *,
        follows_flow: bool,
        new_token: Callable[[int], str],
        tolerant: bool = False,
    ) -> None:
        super().__init__(endpoint, flow, user, follows_flow=follows_flow, tolerant=tolerant)
        self._invitation = invitation
        self._new_token = new_token
        self._tag = new_token(64)
        self._reliable: ReliableReceiver | None = None
        self._request: Request | None = None
        self._authorized = False
        self._cancel_reason: list[str] | None = None
        self.provisional = 0
        """The last provisional status seen, 100 included; 0 before any."""

    def invite(self, sdp: bytes) -> str:
        """Send the INVITE, without `sdp` to get the offer from the other side; its Call-ID."""
        invitation = self._invitation
        fields: Fields = {
            "From": [f"{invitation.sender};tag={self._tag}"],
            "To": [invitation.recipient],
            "Call-ID": [self._new_token(96)],
            "CSeq": ["1 INVITE"],
            "Contact": [self.endpoint.contact(self.flow)],
            "Allow": [ALLOW],
            "Supported": [SUPPORTED],
            **invitation.fields,
        }
        if invitation.reliable and sdp:  # else an offer might come that wants its answer in the PRACK
            fields["Supported"] = [f"{SUPPORTED}, {RELIABLE}"]
            self._reliable = ReliableReceiver(
                self.endpoint, self.flow, self._tag, follows_flow=self.follows_flow
            )
        body = sdp
        if invitation.parts:
            first = (Part(SDP_TYPE, sdp),) if sdp else ()
            kind, body = mixed((*first, *invitation.parts), self._new_token(96))
            fields["Content-Type"] = [kind]
        elif sdp:
            fields["Content-Type"] = [SDP_TYPE]
        self._request = Request("INVITE", invitation.uri, fields, body)
        self._client_invite = self.endpoint.invite(self._request, self.flow, self)
        return self._request.call_id

    def cancel(self, reason: str) -> None:
        """Give up before the answer; a 2xx that crosses is acknowledged and ended at once (RFC 5407
        section 3.1.2)."""
        if self.stage is not Stage.SETTING_UP:
            return
        self.stage = Stage.ENDING
        self.user = None
        self._cancel_reason = [reason] if reason else []
        if self._client_invite is not None:
            self.endpoint.cancel(self._client_invite, self._cancel_reason)

    def on_response(self, transaction: ClientTransaction | InviteClient, response: Response) -> None:
        """A response to the INVITE, or to what the confirmed leg sent."""
        request = self._request
        if (
            not isinstance(transaction, InviteClient)
            or request is None
            or transaction.request.cseq[0] != request.cseq[0]
        ):
            super().on_response(transaction, response)
            return
        if response.status < 200:
            self._on_provisional(transaction, response)
        elif response.status < 300:
            self._on_2xx(request, response)
        else:
            self._on_refusal(response)

    def on_timeout(self, transaction: ClientTransaction | InviteClient) -> None:
        """Nothing came, or the flow failed."""
        if isinstance(transaction, InviteClient) and self.dialog is None:
            self._refused(Refused(408, local=True))
        else:
            super().on_timeout(transaction)

    def _on_provisional(self, transaction: InviteClient, response: Response) -> None:
        if self._cancel_reason is not None:
            self.endpoint.cancel(
                transaction, self._cancel_reason
            )  # it could not be sent before (section 9.1)
            return
        if self._reliable is not None and response.status > 100:
            target = self._target(response)
            if not self._reliable.takes(transaction.request, response, target):
                return
        self.provisional = max(self.provisional, response.status)
        if response.status > 100 and self.stage is Stage.SETTING_UP:
            barred = (response.get("P-Early-Media") or "").strip().lower().startswith("inactive")
            self._tell(Ringing(response.status, b"" if barred else response.sdp))

    def _on_2xx(self, request: Request, response: Response) -> None:
        tag = response.recipient.tag or ""
        if self.dialog is not None and self.dialog.remote_tag == tag:
            if self._ack is not None and self._ack[0] == request.cseq[0]:
                self.endpoint.resend(self.flow, self._ack[1])
            return
        dialog = Dialog.of_client(request, response, self._tag, self._target(response))
        if self.dialog is not None or self.stage is not Stage.SETTING_UP:
            self._end_unwanted(dialog)
            return
        if not self.follows_flow and (hop := dialog.next_hop()) is not None:
            self.flow = self.flow._replace(remote=hop)
        self._confirm(dialog)
        self._session.agreed(response)
        sdp = response.sdp
        if self._reliable is not None:
            sdp = self._reliable.confirm(dialog, sdp)
        self._tell(Answered(sdp))

    def _on_refusal(self, response: Response) -> None:
        if response.status in (401, 407) and self._authorize(response):
            return
        retry_after = parse_small_number(
            (response.get("Retry-After") or "").partition(";")[0].partition("(")[0], -1, 86_400
        )
        self._refused(
            Refused(
                response.status,
                q850_cause(response.rows("Reason")),
                retry_after if retry_after >= 0 else None,
                contacts=tuple(response.values("Contact")[:1]) if response.status < 400 else (),
            )
        )

    def _refused(self, event: Refused) -> None:
        self._client_invite = None
        told = self.stage is not Stage.SETTING_UP
        self.stage = Stage.ENDED
        if not told:
            self._tell(event)

    def _authorize(self, response: Response) -> bool:
        """Try once with our credentials (RFC 3261 section 22.2)."""
        request = self._request
        if request is None or self._authorized or self.stage is not Stage.SETTING_UP:
            return False
        proxy = response.status == 407
        value = self._credentials_for(response, "INVITE", request.uri)
        if value is None:
            return False
        self._authorized = True
        number = request.cseq[0] + 1
        fields = {name: rows for name, rows in request.fields.items() if name != "Via"}
        fields["CSeq"] = [f"{number} INVITE"]
        fields["Proxy-Authorization" if proxy else "Authorization"] = [value]
        self._request = Request("INVITE", request.uri, fields, request.body)
        self._client_invite = self.endpoint.invite(self._request, self.flow, self)
        return True

    def _credentials_for(self, response: Response, method: str, uri: str) -> str | None:
        credentials = self._invitation.credentials
        if credentials is None:
            return None
        rows = response.rows("Proxy-Authenticate" if response.status == 407 else "WWW-Authenticate")
        return answer(rows, method, uri, *credentials, cnonce=self._new_token(64))

    def _end_unwanted(self, dialog: Dialog) -> None:
        """A 2xx that came too late, or from a second fork: acknowledge and end it (section 13.2.2.4)."""
        number = self._request.cseq[0] if self._request is not None else 1
        self.endpoint.acknowledge(dialog.request("ACK", cseq=number), self.flow)
        self.endpoint.request(dialog.request("BYE"), self.flow)

    def _target(self, response: Response) -> str:
        try:
            return parse_name_addr(response.values("Contact")[0]).uri
        except (Malformed, IndexError):
            return self._invitation.uri
