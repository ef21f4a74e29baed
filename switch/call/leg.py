"""One side of a call once it has a dialog: re-INVITE, INFO, BYE, and the races between them (RFC 3261
sections 12-15, RFC 5407).

`IncomingLeg` and `OutgoingLeg` add how the dialog comes about. A leg knows its call only as a handler of
events, and never the other leg.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from switch.call.events import (
    Acknowledged,
    Event,
    HungUp,
    Info,
    InfoAnswered,
    Lost,
    Modified,
    Modify,
    ModifyCancelled,
    ModifyRefused,
    RefreshDue,
    Unheard,
)
from switch.call.exchange import (
    FRAGMENT_TYPE,
    InfoUser,
    NotifyUser,
    ProbeUser,
    RefreshUser,
    ReinviteUser,
    refer_of,
)
from switch.call.session_timer import TIMER, SessionTimer, too_brief
from switch.malformed import Malformed
from switch.ports import Flow
from switch.sip.acknowledgement import Acknowledgement
from switch.sip.dialog import Dialog
from switch.sip.endpoint import ALLOW, SUPPORTED, Endpoint
from switch.sip.headers import q850_cause, token_set
from switch.sip.message import REASONS, SDP_TYPE, Fields, Request, Response
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.transaction.invite_client import State as InviteState
from switch.sip.transaction.invite_server import InviteServer
from switch.sip.transaction.server import ServerTransaction
from switch.sip.uri import parse_name_addr


class Stage(Enum):
    """How far a leg has come."""

    SETTING_UP = 1
    CONFIRMED = 2
    ENDING = 3
    ENDED = 4


class LegUser(Protocol):
    """The call, as a leg sees it."""

    def handle(self, leg: Leg, event: Event) -> None:
        """Something happened on this leg."""


class Leg:
    """The part of a leg that both directions share."""

    __slots__ = (
        "_ack",
        "_ack_wait",
        "_asked",
        "_bye_fields",
        "_challenged",
        "_client_invite",
        "_closed",
        "_ignores_options",
        "_probing",
        "_server_invite",
        "_session",
        "dialog",
        "endpoint",
        "flow",
        "follows_flow",
        "heard_ns",
        "stage",
        "tolerant",
        "user",
    )

    def __init__(
        self, endpoint: Endpoint, flow: Flow, user: LegUser, *, follows_flow: bool, tolerant: bool = False
    ) -> None:
        self.endpoint = endpoint
        self.flow = flow
        self.user: LegUser | None = user
        self.follows_flow = follows_flow or flow.reliable
        """Whether requests go back to where the party's came from last (a phone behind NAT, any connection:
        RFC 5923), or to its Contact (a trunk)."""
        self.tolerant = tolerant
        """Whether extensions and bodies nobody knows are passed over, as in a call for help (R-EMG-05)."""
        self.stage = Stage.SETTING_UP
        self.dialog: Dialog | None = None
        self._server_invite: tuple[InviteServer | ServerTransaction, Request] | None = None
        """What the party asks for and waits to hear of: its INVITE, or an UPDATE with an offer."""
        self._session = SessionTimer(
            endpoint.timers, self._refresh, None if tolerant else lambda: self._lose(408)
        )
        self._client_invite: InviteClient | None = None
        self._ack: tuple[int, bytes] | None = None
        self._ack_wait: Acknowledgement | None = None
        self._bye_fields: Fields | None = None
        self._challenged = False
        self._ignores_options = False
        self._probing = False
        """Whether our INVITE under way only asks for a sign of life."""
        self.heard_ns = endpoint.timers.now.mono_ns
        """When the party last sent anything within the dialog: a proof of life."""
        self._asked: dict[int, tuple[ServerTransaction, Request]] = {}
        self._closed: Callable[[Leg], None] | None = None

    # --- orders from the call -------------------------------------------------------------------------------

    def modify(self, sdp: bytes) -> None:
        """Offer a change of the session (re-INVITE, section 14.1); without `sdp`, ask for an offer."""
        dialog = self._confirmed_dialog()
        if dialog is None:
            return
        fields = {**self._body_fields(sdp), **self._session.offer()}
        request = dialog.request("INVITE", fields=fields, body=sdp)
        self._client_invite = self.endpoint.invite(request, self.flow, self)

    def cancel_modify(self) -> None:
        """Take back our change, if it is not settled yet."""
        if self._client_invite is not None:
            self.endpoint.cancel(self._client_invite, [])

    def accept(self, sdp: bytes) -> None:
        """Accept the party's change."""
        if self._server_invite is None:
            return
        transaction, request = self._server_invite
        self._server_invite = None
        self._send_2xx(transaction, request, sdp)

    def decline(self, status: int) -> None:
        """Refuse the party's change; the session stays as it was."""
        if self._server_invite is None:
            return
        transaction, request = self._server_invite
        self._server_invite = None
        transaction.respond(self.endpoint.response(request, status))

    def acknowledge(self, sdp: bytes) -> None:
        """ACK the party's 2xx (section 13.2.2.4), with the answer when its 2xx held the offer."""
        dialog, invite = self.dialog, self._client_invite
        if dialog is None or invite is None:
            return
        self._client_invite = None
        cseq = invite.request.cseq[0]
        fields: Fields = {"Content-Type": [SDP_TYPE]} if sdp else {}
        ack = dialog.request("ACK", cseq=cseq, fields=fields, body=sdp)
        self._ack = (cseq, self.endpoint.acknowledge(ack, self.flow))

    def info(self, event: Info) -> None:
        """Pass application data on."""
        dialog = self._confirmed_dialog()
        if dialog is None:
            return
        fields: Fields = {}
        if event.package:
            fields["Info-Package"] = [event.package]
        if event.body:
            fields["Content-Type"] = [event.content_type]
        self.endpoint.request(
            dialog.request("INFO", fields=fields, body=event.body), self.flow, InfoUser(self, event.number)
        )

    def probe(self) -> None:
        """Ask the party whether it is still there; any answer will do but that it knows no such call. Some
        phones ignore OPTIONS within a dialog: they are asked by a re-INVITE that changes nothing."""
        dialog = self._confirmed_dialog()
        if dialog is None or self._ack_wait is not None:
            return
        if self._ignores_options:
            self._probe_harder()
        else:
            self.endpoint.request(dialog.request("OPTIONS"), self.flow, ProbeUser(self))

    def let_down(self) -> None:
        """Nobody is there any more to answer what the party asks for: it may ask again, and its dialog goes
        on (RFC 5057 section 5.1)."""
        self.decline(491)
        for number in list(self._asked):
            self.answer_request(number, 480)

    def answer_request(self, number: int, status: int, fields: Fields | None = None) -> None:
        """Answer an INFO or a REFER of the party."""
        pending = self._asked.pop(number, None)
        if pending is not None:
            transaction, request = pending
            if status == 202:
                fields = {"Contact": [self.endpoint.contact(self.flow)], **(fields or {})}
            transaction.respond(self.endpoint.response(request, status, fields=fields))

    def notify(self, number: int, status: int, told: Callable[[], None]) -> None:
        """Tell the party how far its REFER has come (RFC 3515 section 2.4.5); with a final `status`, `told`
        is called when it knows, or never will."""
        dialog = self._confirmed_dialog()
        last = status >= 200
        if dialog is None:
            return
        fields: Fields = {
            "Contact": [self.endpoint.contact(self.flow)],
            "Event": [f"refer;id={number}"],
            "Subscription-State": ["terminated;reason=noresource" if last else "active;expires=60"],
            "Content-Type": [FRAGMENT_TYPE],
        }
        body = f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()
        user = NotifyUser(told) if last else None
        self.endpoint.request(dialog.request("NOTIFY", fields=fields, body=body), self.flow, user)

    def bye(self, cause: int | None, reason: str = "") -> None:
        """End the dialog, with a Q.850 `cause` and any other `reason` (RFC 3326). Before the ACK of our 2xx
        a BYE may not be sent (section 15), so it waits for that."""
        if self.stage is not Stage.CONFIRMED:
            return
        self.stage = Stage.ENDING
        self._session.stop()
        reasons = [f"Q.850;cause={cause}"] if cause is not None else []
        reasons += [reason] if reason else []
        self._bye_fields = {"Reason": reasons} if reasons else {}
        self._settle_pending()
        if self._ack_wait is None:
            self._send_bye()

    def when_closed(self, tell: Callable[[Leg], None]) -> None:
        """Call `tell` once the dialog is over on both sides: our BYE was answered, or will never be."""
        if self.stage is Stage.ENDED:
            tell(self)
        else:
            self._closed = tell

    def detach(self) -> None:
        """The call is over; what still comes on this leg is dealt with here."""
        self.user = None

    @property
    def settled(self) -> bool:
        """Whether no INVITE is under way on this dialog, so that one may be sent (section 14.1)."""
        return self._server_invite is None and self._client_invite is None and self._ack_wait is None

    @property
    def awaits_offer(self) -> bool:
        """Whether the party's pending change came without an offer, so that our 2xx makes it."""
        return self._server_invite is not None and not self._server_invite[1].body

    def snapshot(self) -> dict[str, Any]:
        """What is needed to end this leg after a restart, as JSON can hold it."""
        flow = self.flow
        return {
            "dialog": self.dialog.snapshot() if self.dialog is not None else None,
            "flow": [flow.transport, *flow.local, *flow.remote],
        }

    # --- from the dialog ------------------------------------------------------------------------------------

    def on_dialog_request(self, request: Request, flow: Flow) -> None:
        """A request inside the dialog."""
        dialog = self.dialog
        if dialog is None:
            self.endpoint.reply(request, flow, 481)
            return
        if not dialog.accepts(request):
            status = 481 if (request.sender.tag or "") != dialog.remote_tag else 500
            self.endpoint.reply(request, flow, status)
            return
        if self.follows_flow:
            self.flow = flow
        self.heard_ns = self.endpoint.timers.now.mono_ns
        method = request.method
        if method == "ACK":
            self._on_ack(request)
        elif method == "BYE":
            self._on_bye(request, flow)
        elif method == "INVITE":
            self._on_invite(request, flow)
        elif method == "UPDATE":
            self._on_update(request, flow)
        elif method == "PRACK":
            self._on_prack(request, flow)
        elif method in ("INFO", "REFER"):
            self._on_asked(request, flow)
        elif method == "OPTIONS":
            self.endpoint.reply(request, flow, 200, fields={"Allow": [ALLOW], "Accept": [SDP_TYPE]})
        else:
            self.endpoint.refuse_method(request, flow)

    def _on_ack(self, request: Request) -> None:
        wait = self._ack_wait
        if wait is None or request.cseq[0] != wait.cseq:
            return
        wait.stop()
        self._ack_wait = None
        if self.stage is Stage.ENDING:
            self._send_bye()
        else:
            self._tell(Acknowledged(request.sdp))

    def _on_bye(self, request: Request, flow: Flow) -> None:
        self.endpoint.open_server(request, flow).respond(self.endpoint.response(request, 200))
        told = self.stage in (Stage.ENDING, Stage.ENDED)
        self._finish()
        if not told:
            self._tell(HungUp(q850_cause(request.rows("Reason"))))

    def _objection(self, request: Request) -> tuple[int, Fields] | None:
        """Why a re-INVITE or UPDATE cannot be taken up. Section 14.2: 491 while an offer of ours is pending,
        500 while theirs is (RFC 3311 section 5.2)."""
        offers = request.method == "INVITE" or bool(request.body)
        if self.stage is not Stage.CONFIRMED and (offers or self.stage is not Stage.SETTING_UP):
            return (500, {"Retry-After": ["2"]}) if self.stage is Stage.SETTING_UP else (481, {})
        if offers and self._client_invite is not None:
            return 491, {}
        if offers and (self._server_invite is not None or self._ack_wait is not None):
            return 500, {"Retry-After": ["2"]}
        if self.tolerant:
            return None
        if unsupported := token_set(request.rows("Require")) - {TIMER}:
            return 420, {"Unsupported": [", ".join(sorted(unsupported))]}
        if request.body and not request.sdp:
            return 415, {"Accept": [SDP_TYPE]}
        if fields := too_brief(request):
            return 422, fields
        return None

    def _on_invite(self, request: Request, flow: Flow) -> None:
        """A re-INVITE."""
        if why := self._objection(request):
            self.endpoint.open_invite_server(request, flow).respond(
                self.endpoint.response(request, why[0], fields=why[1])
            )
            return
        self._refresh_target(request)
        transaction = self.endpoint.open_invite_server(request, flow)
        transaction.user = ReinviteUser(self)
        self._server_invite = (transaction, request)
        transaction.respond(self.endpoint.response(request, 100))
        self._tell(Modify(request.sdp))

    def _on_prack(self, request: Request, flow: Flow) -> None:
        """Nothing of ours waits for it."""
        self.endpoint.open_server(request, flow).respond(self.endpoint.response(request, 481))

    def _on_update(self, request: Request, flow: Flow) -> None:
        """RFC 3311: an offer, to be settled as that of a re-INVITE; without one, no more than a sign of life
        and perhaps another Contact."""
        transaction = self.endpoint.open_server(request, flow)
        if why := self._objection(request):
            transaction.respond(self.endpoint.response(request, why[0], fields=why[1]))
            return
        self._refresh_target(request)
        if request.sdp:
            self._server_invite = (transaction, request)
            self._tell(Modify(request.sdp))
        else:
            transaction.respond(self._2xx(request, b"", SDP_TYPE))

    def _on_asked(self, request: Request, flow: Flow) -> None:
        """A request that the call answers: application data, or the wish for a transfer."""
        transaction = self.endpoint.open_server(request, flow)
        if self.stage is not Stage.CONFIRMED or self.user is None:
            transaction.respond(self.endpoint.response(request, 481))
            return
        number = request.cseq[0]
        event: Event
        if request.method == "REFER":
            try:
                event = refer_of(request)
            except Malformed as error:
                transaction.respond(self.endpoint.response(request, error.status))
                return
        else:
            kind = request.get("Content-Type") or "application/octet-stream"
            event = Info(number, kind, request.get("Info-Package") or "", request.body)
        self._asked[number] = (transaction, request)
        self._tell(event)

    def on_modify_cancelled(self) -> None:
        """The party cancelled its re-INVITE: the other side settles which of the two came first."""
        if self._server_invite is None:
            return
        if self.user is None:
            self.decline(487)
        else:
            self._tell(ModifyCancelled())

    # --- from our own requests ------------------------------------------------------------------------------

    def on_response(self, transaction: ClientTransaction | InviteClient, response: Response) -> None:
        """A response to a re-INVITE or BYE of ours."""
        if response.status not in (100, 408, 481):  # whoever says that knows nothing of the call
            self.heard_ns = self.endpoint.timers.now.mono_ns
        if response.status in (401, 407) and self._authorize_again(transaction, response):
            return
        if not isinstance(transaction, InviteClient):
            if response.status >= 200:
                self._finish()  # of our BYE: whatever it says, the dialog is over
            return
        if response.status < 200:
            return
        if response.status < 300:
            if self._ack is not None and self._ack[0] == response.cseq[0]:
                self.endpoint.resend(self.flow, self._ack[1])
            elif transaction is self._client_invite:
                self._refresh_target(response)
                self._session.agreed(response)
                self._probing = False
                if self.stage is not Stage.CONFIRMED:
                    self.acknowledge(b"")
                else:
                    self._tell(Modified(response.sdp))
            return
        self._client_invite = None
        probing, self._probing = self._probing, False
        if response.status in (408, 481):
            self._lose(response.status, probed=probing)
        else:
            self._tell(ModifyRefused(response.status))

    def on_timeout(self, transaction: ClientTransaction | InviteClient) -> None:
        """No answer to a re-INVITE or BYE of ours."""
        if isinstance(transaction, InviteClient):
            self._client_invite = None
            self._lose(408, probed=self._probing)
        else:
            self._finish()

    def on_info_answered(self, number: int, status: int) -> None:
        """The party's answer to an INFO of ours."""
        self._tell(InfoAnswered(number, status))
        if status in (408, 481):
            self._lose(status)

    def on_refreshed(self, status: int, response: Response | None) -> None:
        """The party's answer to an UPDATE of ours; None when none came."""
        if response is not None and status < 300:
            self._refresh_target(response)
            self._session.agreed(response)
        elif status not in (408, 481):
            self._session.takes_update = False  # the next one is a re-INVITE, which can prove itself too
        elif not self.tolerant:
            self._lose(status)

    def on_probed(self, status: int) -> None:
        """The party's answer to our OPTIONS."""
        if status == 408 and self.tolerant:
            self._tell(Unheard())  # silence is no proof where a life may depend on the call (R-EMG-04)
        elif status == 408:
            self._ignores_options = True
            self._probe_harder()
        elif status == 481:
            self._lose(status, probed=True)
        else:
            self.heard_ns = self.endpoint.timers.now.mono_ns

    def _probe_harder(self) -> None:
        """What no party can ignore; if it is in the middle of something else, it lives."""
        if self.settled:
            self._probing = True
            self._tell(RefreshDue())
            self._probing = self._client_invite is not None

    def _authorize_again(self, transaction: ClientTransaction | InviteClient, response: Response) -> bool:
        """A trunk challenges a request within the dialog: send it once more with credentials (section
        22.2)."""
        dialog = self.dialog
        if dialog is None or self._challenged or self.stage is Stage.ENDED:
            return False
        method = response.cseq[1]
        value = self._credentials_for(response, method, dialog.remote_target)
        if value is None:
            return False
        self._challenged = True
        field = "Proxy-Authorization" if response.status == 407 else "Authorization"
        if isinstance(transaction, InviteClient):
            body = transaction.request.body
            told = {**self._body_fields(body), **self._session.offer(), field: [value]}
            request = dialog.request("INVITE", fields=told, body=body)
            self._client_invite = self.endpoint.invite(request, self.flow, self)
        else:
            fields: Fields = {**(self._bye_fields or {}), field: [value]}
            self.endpoint.request(dialog.request("BYE", fields=fields), self.flow, self)
        return True

    def _credentials_for(self, _response: Response, _method: str, _uri: str) -> str | None:
        """The answer to a challenge; a caller's leg has none to give."""
        return None

    # --- details --------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        if self.user is not None:
            self.user.handle(self, event)

    def _confirmed_dialog(self) -> Dialog | None:
        return self.dialog if self.stage is Stage.CONFIRMED else None

    def _confirm(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.stage = Stage.CONFIRMED
        self.endpoint.dialogs[dialog.call_id, dialog.local_tag] = self

    def _send_2xx(
        self,
        transaction: InviteServer | ServerTransaction,
        request: Request,
        body: bytes,
        kind: str = SDP_TYPE,
    ) -> None:
        response = self._2xx(request, body, kind)
        if isinstance(transaction, InviteServer):
            sent = transaction.respond(response)
            self._ack_wait = Acknowledgement(
                self.endpoint, transaction.flow, sent, request.cseq[0], self._on_missing_ack
            )
        else:
            transaction.respond(response)

    def _2xx(self, request: Request, body: bytes, kind: str) -> Response:
        assert self.dialog is not None
        fields = {**self._body_fields(body, kind), **self._session.grant(request)}
        return self.endpoint.response(request, 200, tag=self.dialog.local_tag, fields=fields, body=body)

    def _refresh(self) -> None:
        """Keep the session alive: by UPDATE, or by a re-INVITE where the party takes none."""
        dialog = self._confirmed_dialog()
        if dialog is None:
            return
        if self._session.takes_update:
            fields: Fields = {**self._body_fields(b""), **self._session.offer()}
            self.endpoint.request(dialog.request("UPDATE", fields=fields), self.flow, RefreshUser(self))
        elif self.settled:
            self._tell(RefreshDue())

    def _on_missing_ack(self) -> None:
        """Section 13.3.1.4: the dialog is confirmed but should be ended."""
        self._ack_wait = None
        if self.stage is Stage.ENDING:
            self._send_bye()
        else:
            self._lose(408)

    def _lose(self, status: int, *, probed: bool = False) -> None:
        """The party is gone; the call decides, and ends this leg with a BYE in any case."""
        if self.stage is Stage.CONFIRMED:
            self._tell(Lost(status, probed))
            self.bye(None)

    def _send_bye(self) -> None:
        assert self.dialog is not None
        self.endpoint.request(self.dialog.request("BYE", fields=self._bye_fields), self.flow, self)

    def _settle_pending(self) -> None:
        """Answer what the party still waits for, and give up what we asked."""
        self.decline(487)
        for number in list(self._asked):
            self.answer_request(number, 481)
        invite = self._client_invite
        if invite is not None and invite.state not in (InviteState.CALLING, InviteState.PROCEEDING):
            self.acknowledge(b"")  # a 2xx that waited for its answer is owed the ACK (section 13.2.2.4)
        else:
            self.cancel_modify()

    def _finish(self) -> None:
        if self.stage is Stage.ENDED:
            return
        self._settle_pending()
        self.stage = Stage.ENDED
        self._session.stop()
        if self._ack_wait is not None:
            self._ack_wait.stop()
            self._ack_wait = None
        if self.dialog is not None:
            self.endpoint.dialogs.pop((self.dialog.call_id, self.dialog.local_tag), None)
        if self._closed is not None:
            self._closed(self)

    def _body_fields(self, body: bytes, kind: str = SDP_TYPE) -> Fields:
        fields: Fields = {
            "Contact": [self.endpoint.contact(self.flow)],
            "Allow": [ALLOW],
            "Supported": [SUPPORTED],
        }
        if body:
            fields["Content-Type"] = [kind]
        return fields

    def _refresh_target(self, message: Request | Response) -> None:
        """Target refresh (section 12.2.1.2); a Contact that cannot be read leaves the target as it was."""
        assert self.dialog is not None
        contact = message.get("Contact")
        if contact:
            try:
                self.dialog.remote_target = parse_name_addr(contact).uri
            except Malformed:
                return
