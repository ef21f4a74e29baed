"""The caller's leg: an INVITE that we answer (RFC 3261 section 13.3)."""

from __future__ import annotations

from switch.call.events import Cancelled
from switch.call.leg import Leg, LegUser, Stage
from switch.call.reliable import LARGEST, RELIABLE, ReliableSender
from switch.ports import NS_PER_S, Flow
from switch.sip.dialog import Dialog
from switch.sip.endpoint import Endpoint
from switch.sip.headers import token_set
from switch.sip.message import SDP_TYPE, Fields, Request
from switch.sip.transaction.invite_server import InviteServer
from switch.sip.uri import parse_name_addr
from switch.timers import Timer

_REMIND_NS = 60 * NS_PER_S


class IncomingLeg(Leg):
    """A UAS leg. Exactly one of `answer` and `refuse` settles it, unless the caller gives up first."""

    __slots__ = ("_last_provisional", "_reliable", "_reminder", "invited_sdp")

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        flow: Flow,
        user: LegUser,
        *,
        tag: str,
        follows_flow: bool,
        tolerant: bool = False,
    ) -> None:
        """Takes up the INVITE and answers 100. Its Contact has been checked before.

        Raises:
            Malformed: when the Contact cannot be read (400); nothing has been sent then.
        """
        target = parse_name_addr(request.values("Contact")[0]).uri
        super().__init__(endpoint, flow, user, follows_flow=follows_flow, tolerant=tolerant)
        self.dialog = Dialog.of_server(request, tag, target)
        self.invited_sdp = request.sdp
        self._last_provisional: tuple[int, bytes] | None = None
        self._reminder: Timer | None = None
        transaction = endpoint.open_invite_server(request, flow)
        transaction.user = self
        self._server_invite = (transaction, request)
        self._reliable: ReliableSender | None = None
        if not tolerant and RELIABLE in token_set(request.rows("Require")):
            first = 1 + int.from_bytes(tag.encode()[:4]) % (LARGEST // 2)
            number = request.cseq[0]
            self._reliable = ReliableSender(endpoint, transaction.flow, number, first, self._on_lost_ringing)
        endpoint.dialogs[self.dialog.call_id, tag] = self
        transaction.respond(endpoint.response(request, 100))

    def ring(self, status: int, sdp: bytes) -> None:
        """A provisional response (180, 183), with early media if there is `sdp`."""
        if self._server_invite is None or self.stage is not Stage.SETTING_UP or self.dialog is None:
            return
        if self._last_provisional == (status, sdp):
            return  # several phones ring, the caller hears of it once
        self._provisional(status, sdp)

    def _provisional(self, status: int, sdp: bytes) -> None:
        assert self._server_invite is not None
        assert self.dialog is not None
        transaction, request = self._server_invite
        assert isinstance(transaction, InviteServer)
        self._last_provisional = (status, sdp)
        reliable, fields = self._reliable, self._body_fields(sdp)
        if reliable is not None:
            if reliable.busy:
                reliable.later(lambda: self._provisional(status, sdp))
                return
            fields |= reliable.fields()
        sent = transaction.respond(
            self.endpoint.response(request, status, tag=self.dialog.local_tag, fields=fields, body=sdp)
        )
        if reliable is not None:
            reliable.sent(sent)
        if self._reminder is not None:
            self._reminder.cancel()
        self._reminder = self.endpoint.timers.start(_REMIND_NS, self._remind)

    def answer(self, body: bytes, kind: str = SDP_TYPE) -> None:
        """200 OK; an SDP `body` is the answer, or the offer when the INVITE had none. The leg is confirmed
        with it."""
        if self._server_invite is None or self.stage is not Stage.SETTING_UP or self.dialog is None:
            return
        self._stop_reminder()
        transaction, request = self._server_invite
        self._server_invite = None
        if not self.follows_flow and (hop := self.dialog.next_hop()) is not None:
            self.flow = self.flow._replace(remote=hop)
        self._confirm(self.dialog)
        self._send_2xx(transaction, request, body, kind)

    def refuse(self, status: int, fields: Fields | None = None) -> None:
        """A final refusal."""
        if self._server_invite is None or self.stage is not Stage.SETTING_UP or self.dialog is None:
            return
        transaction, request = self._server_invite
        self._server_invite = None
        self._stop_reminder()
        transaction.respond(self.endpoint.response(request, status, tag=self.dialog.local_tag, fields=fields))
        self._finish()

    def on_cancel(self, _request: Request) -> None:
        """CANCEL came before our final response: 487, and the call is told."""
        if self.stage is Stage.SETTING_UP:
            self.refuse(487)
            self._tell(Cancelled())

    def _remind(self) -> None:
        """Proxies give up on a call that says nothing for three minutes (section 13.3.1.1)."""
        if self._last_provisional is not None and self._server_invite is not None:
            self._provisional(*self._last_provisional)

    def _on_prack(self, request: Request, flow: Flow) -> None:
        """RFC 3262 section 3. An offer in it is declined: there will be time for it in the call."""
        transaction = self.endpoint.open_server(request, flow)
        if self._reliable is None or not self._reliable.acknowledged(request):
            transaction.respond(self.endpoint.response(request, 481))
        else:
            transaction.respond(self.endpoint.response(request, 488 if request.sdp else 200))

    def _on_lost_ringing(self) -> None:
        """The caller does not acknowledge that it rings: its INVITE is refused (RFC 3262 section 3)."""
        if self.stage is Stage.SETTING_UP:
            self.refuse(504)
            self._tell(Cancelled(504))

    def _stop_reminder(self) -> None:
        self._last_provisional = None
        if self._reliable is not None:
            self._reliable.stop()
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None

    def _finish(self) -> None:
        self._stop_reminder()
        if self._server_invite is not None and self.stage is Stage.SETTING_UP:
            self.refuse(487)  # a BYE within the early dialog (section 15)
            return
        super()._finish()
