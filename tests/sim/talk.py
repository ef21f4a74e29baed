"""One call as one side of it sees it: what was said and heard, and what its party may do in it, in time or
out of turn."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.sim.text import Sip, address_in, crypto_of, digest_answer, direction_of, media_in, mirrored, sdp

if TYPE_CHECKING:
    from tests.sim.parties import Asked, Party, Served


class Talk:
    """One dialog. `heard` is what came, in order and without repetitions: statuses, and methods of the other
    side."""

    def __init__(self, party: Party, call_id: str) -> None:
        self.party = party
        self.call_id = call_id
        self.heard: list[str] = []
        self.reasons: list[str] = []
        """Reason values that came with CANCEL, BYE and refusals."""
        self.infos: list[str] = []
        self.progress: list[str] = []
        """What NOTIFYs said of a transfer: the status lines."""
        self.offers: list[str] = []
        """Every session description that came, in order."""
        self.agreed = ""
        """The last one of them that we have accepted, or that accepted ours."""
        self.over = False
        self.up = False
        self.acks = True
        self.answers_bye = True
        self.answers_info = 200
        self.answers_options = True
        self.answers_modify = 200
        self.modify_ms = 0
        self.invite: Sip | None = None
        self.response: Sip | None = None
        """The last response to our INVITE."""
        self.held = False
        self.local_tag = party.token("t")
        self.remote_tag = ""
        self.remote_target = ""
        self.port = party.world.media_port()
        self.crypto = (
            ("1", b64encode(party.token("k").rjust(30).encode()[-30:]).decode()) if party.srtp else ("", "")
        )
        """Tag and key of ours; empty without SRTP."""
        self.told_key = ""
        """The switch's."""
        self._asked: Asked | None = None
        self._served: Served | None = None
        self._modifying: Asked | None = None
        self._being_modified: Served | None = None
        self._local = ""
        self._remote = ""
        self._cseq = 0
        self._remote_cseq = 0
        self._offered = True
        self._rows: list[tuple[str, str]] = []
        self._body: tuple[str, str] | None = None
        self._tried_password = False
        self.timer_rows: list[tuple[str, str]] = []
        """What our 2xx to INVITE and UPDATE says of a session timer, and what we allow."""
        self.granted: list[str] = []
        """What the switch says of a session timer in answers to ours."""
        self.racks: list[str] = []
        """What the switch acknowledged."""
        self.pracks = True
        """Whether we acknowledge what is sent reliably."""
        self.ring_rows: list[tuple[str, str]] = []
        """What our provisional responses say besides."""
        self._cancelled = False
        self._sdp_version = 0
        self._ack: Sip | None = None
        self._acked_cseq = 0

    # --- calling -------------------------------------------------------------------------------------------

    def call(
        self,
        uri: str,
        *,
        offer: bool,
        rows: list[tuple[str, str]],
        body: tuple[str, str] | None = None,
    ) -> None:
        """Send the INVITE; a `body` of a type goes in place of the session description, and `offer` says
        whether we take it for one ourselves."""
        party = self.party
        number = party.number or party.user
        self._local = f'"{party.mark}" <sip:{number if not party.password else party.user}@{party.domain}>'
        self._remote = f"<{uri}>" if uri.startswith("sip:") else f"<sip:112@{party.domain}>"
        self.remote_target = uri
        self._offered, self._rows, self._body = offer, rows, body
        self._send_invite([])

    def _send_invite(self, credentials: list[tuple[str, str]]) -> None:
        self._cseq += 1
        rows = [*self._rows, *credentials, ("Contact", self.party.contact)]
        if self._body is not None:
            kind, text = self._body
            request = self._request("INVITE", [*rows, ("Content-Type", kind)], text, typed=True)
        else:
            request = self._request("INVITE", rows, self._sdp("sendrecv") if self._offered else "")
        self.invite = request
        self._asked = self.party.request(request, self._on_invite_response)

    def _on_invite_response(self, response: Sip | None) -> None:
        if response is None:
            self._hear("timeout")
            self.abandon()
            return
        if response.status in (401, 407) and not self._tried_password and self.party.password:
            self._tried_password = True
            row = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
            answer = digest_answer(
                response.get(row), "INVITE", self.remote_target, self.party.user, self.party.password
            )
            self._send_invite(
                [("Authorization" if response.status == 401 else "Proxy-Authorization", answer)]
            )
            return
        self.response = response
        self._hear(str(response.status))
        self._note_reason(response)
        if 200 <= response.status < 300:
            self._on_2xx(response)
        elif response.status >= 300:
            self.abandon()
        else:
            self._take(response.sdp)
            if response.get("Require") == "100rel" and self.pracks:
                self.remote_tag = response.tag("To")
                self.remote_target = address_in(response.get("Contact"))
                self.prack(f"{response.get('RSeq')} {response.cseq} INVITE")

    def prack(self, rack: str, body: str = "") -> None:
        """Acknowledge a provisional response (RFC 3262)."""
        self._cseq += 1
        request = self._request("PRACK", [("RAck", rack)], body)
        self.party.request(
            request,
            lambda response: self._hear(f"prack-{response.status if response is not None else 'timeout'}"),
        )

    def _on_2xx(self, response: Sip) -> None:
        if self._ack is not None and self._acked_cseq == response.cseq:
            if self.acks:
                self.party.send(self._ack)
            return
        self.remote_tag = response.tag("To")
        self.remote_target = address_in(response.get("Contact"))
        self.up = True
        self.granted.append(response.get("Session-Expires"))
        self._take(response.sdp)
        self._acknowledge(response, self._offered)
        if self._cancelled:
            self.bye()

    def _acknowledge(self, response: Sip, offered: bool) -> None:
        """ACK of a 2xx; when the 2xx held the offer it holds the answer."""
        body = "" if offered else self._sdp(mirrored(direction_of(response.sdp)))
        ack = self._request("ACK", [], body)
        ack.rows = [(n, f"{response.cseq} ACK" if n == "CSeq" else v) for n, v in ack.rows]
        branch = f"z9hG4bK-{self.party.token('b')}"
        host, port = self.party.address
        via = f"SIP/2.0/UDP {host}:{port};branch={branch};rport"
        ack.rows = [("Via", via), ("Max-Forwards", "70"), *ack.rows]
        self._ack, self._acked_cseq = ack, response.cseq
        if self.acks:
            self.party.send(ack)

    def cancel(self) -> None:
        """Give up before the answer."""
        if self._asked is not None and not self._asked.done:
            self._cancelled = True
            self.party.cancel(self._asked)

    # --- being called --------------------------------------------------------------------------------------

    def come_in(self, request: Sip, served: Served) -> None:
        """An INVITE has come."""
        self.invite, self._served = request, served
        self._hear("INVITE")
        self._local, self._remote = request.get("To"), request.get("From")
        self.remote_tag = request.tag("From")
        self.remote_target = address_in(request.get("Contact"))
        self._remote_cseq = request.cseq
        self._offered = not request.sdp
        self._take(request.sdp)
        served.respond(100)
        if self.party.on_call is not None:
            self.party.on_call(self)

    @property
    def ringing(self) -> bool:
        """Whether an incoming call waits to be answered."""
        return self._served is not None and not self._served.final and not self.over

    def ring(self, status: int = 180, *, media: bool = False) -> None:
        """A provisional response, with early media or without."""
        if self._served is not None and not self._served.final:
            body = self._sdp("sendrecv") if media else ""
            rows = [("Contact", self.party.contact), *self.ring_rows]
            self._served.respond(status, rows=rows, tag=self.local_tag, body=body)

    def answer(self, *, media: bool = True) -> None:
        """200 OK, with a description but when that has been told before."""
        if self._served is None or self._served.final:
            return
        self.up = True
        self._speak()
        self._served.on_unacknowledged = self._unacknowledged
        rows = [("Contact", self.party.contact), ("Server", f"{self.party.mark}-phone/1"), *self.timer_rows]
        self._served.respond(200, rows=rows, tag=self.local_tag, body=self._sdp("sendrecv") if media else "")

    def reject(self, status: int, rows: list[tuple[str, str]] | None = None) -> None:
        """A refusal."""
        if self._served is not None and not self._served.final:
            self._served.respond(status, rows=rows, tag=self.local_tag)
            self.abandon()

    def challenge(self, nonce: str) -> None:
        """Ask for a password, as carriers do."""
        row = (
            "Proxy-Authenticate",
            f'Digest realm="{self.party.mark}", nonce="{nonce}", algorithm=MD5, qop="auth"',
        )
        self.reject(407, [row])

    def on_cancel(self, cancel: Sip, served: Served) -> None:
        """The other side gave up, on the call or on a change of it."""
        if served is self._served and not served.final:
            self._hear("CANCEL")
            self._note_reason(cancel)
            served.respond(487, tag=self.local_tag)
            self.abandon()
        elif served is self._being_modified and not served.final:
            self._hear("CANCEL")
            served.respond(487)
            self._being_modified = None

    def on_ack(self, ack: Sip) -> None:
        """The ACK of our 2xx."""
        for served in (self._served, self._being_modified):
            if served is not None and served.final // 100 == 2 and served.request.cseq == ack.cseq:
                if not served.acknowledged:
                    self._hear("ACK")
                    self._take(ack.body)
                served.acknowledged = True

    def _unacknowledged(self) -> None:
        self._hear("no ACK")
        self.bye()

    # --- in the call ---------------------------------------------------------------------------------------

    def owns(self, request: Sip) -> bool:
        """Whether a request belongs to this dialog."""
        return request.call_id == self.call_id and request.tag("To") == self.local_tag

    def on_request(self, request: Sip, served: Served) -> None:
        """A request of the other side within the dialog."""
        if request.cseq <= self._remote_cseq:
            served.respond(500)
            return
        self._remote_cseq = request.cseq
        self._hear(request.method)
        match request.method:
            case "BYE":
                self._note_reason(request)
                if self.answers_bye:
                    served.respond(200)
                self.abandon()
            case "INFO":
                self.infos.append(request.body)
                if self.answers_info:
                    served.respond(self.answers_info)
            case "INVITE":
                self._on_reinvite(request, served)
            case "UPDATE":
                rows = [("Contact", self.party.contact), *self.timer_rows]
                served.respond(481 if self.over else 200, rows=rows)
            case "PRACK":
                self.racks.append(request.get("RAck"))
                served.respond(200)
            case "OPTIONS":
                if self.answers_options:
                    served.respond(481 if self.over else 200)
            case "NOTIFY":
                self.progress.append(request.body.strip().removeprefix("SIP/2.0 "))
                served.respond(200)
            case _:
                served.respond(501)

    def _on_reinvite(self, request: Sip, served: Served) -> None:
        if self.over:
            served.respond(481)
            return
        if self._modifying is not None and not self._modifying.done:
            served.respond(491)
            return
        self._being_modified = served
        served.respond(100)
        self._take(request.sdp, agreed=False)
        if not self.answers_modify:
            return

        def settle() -> None:
            if served is not self._being_modified or served.final:
                return
            if self.answers_modify >= 300:
                served.respond(self.answers_modify)
                return
            served.on_unacknowledged = self._unacknowledged
            self.agreed = request.sdp or self.agreed
            direction = mirrored(direction_of(request.sdp)) if request.sdp else "sendrecv"
            rows = [("Contact", self.party.contact), *self.timer_rows]
            served.respond(200, rows=rows, body=self._sdp(direction))

        if self.modify_ms:
            self.party.after(self.modify_ms, settle)
        else:
            settle()

    def modify(
        self,
        direction: str = "sendrecv",
        *,
        offer: bool = True,
        rows: list[tuple[str, str]] | None = None,
    ) -> None:
        """re-INVITE."""
        if self.over or not self.up or (self._modifying is not None and not self._modifying.done):
            return
        self._cseq += 1
        body = self._sdp(direction) if offer else ""
        request = self._request("INVITE", [("Contact", self.party.contact), *(rows or [])], body)

        def tell(response: Sip | None) -> None:
            if response is None:
                self._hear("re-timeout")
                return
            if response.status == 100:
                return
            self._hear(f"re-{response.status}")
            if 200 <= response.status < 300:
                if self._ack is not None and self._acked_cseq == response.cseq:
                    if self.acks:
                        self.party.send(self._ack)
                    return
                self._take(response.sdp)
                self._acknowledge(response, offer)
            elif response.status in (408, 481):
                self.bye()

        self._modifying = self.party.request(request, tell)

    def update(self, direction: str = "", rows: list[tuple[str, str]] | None = None) -> None:
        """UPDATE, with an offer or without."""
        if self.over or not self.remote_tag:
            return
        self._cseq += 1
        body = self._sdp(direction) if direction else ""
        request = self._request("UPDATE", [("Contact", self.party.contact), *(rows or [])], body)

        def tell(response: Sip | None) -> None:
            self._hear(f"up-{response.status if response is not None else 'timeout'}")
            if response is not None and response.status == 200:
                self.granted.append(response.get("Session-Expires"))
                self._take(response.sdp)

        self.party.request(request, tell)

    def hold(self) -> None:
        """Put the other side on hold."""
        self.held = True
        self.modify("sendonly")

    def resume(self) -> None:
        """Take it back."""
        self.held = False
        self.modify("sendrecv")

    def cancel_modify(self) -> None:
        """Take back our own re-INVITE."""
        if self._modifying is not None and not self._modifying.done:
            self.party.cancel(self._modifying)

    def press(self, key: str = "5", ms: int = 160) -> None:
        """A key, as phones tell it that do not in RTP."""
        self.info(f"Signal={key}\r\nDuration={ms}\r\n", "application/dtmf-relay")

    def info(self, body: str = "<media_control/>", kind: str = "application/media_control+xml") -> None:
        """Application data (RFC 5168 by default)."""
        if self.over or not self.up:
            return
        self._cseq += 1
        request = self._request("INFO", [("Content-Type", kind)], body, typed=True)
        self.party.request(
            request,
            lambda response: self._hear(f"info-{response.status if response is not None else 'timeout'}"),
        )

    def refer(
        self, target: str, *, replaces: Talk | None = None, rows: list[tuple[str, str]] | None = None
    ) -> None:
        """Ask for a transfer to a number or URI, blind or in place of another call of ours (RFC 5589)."""
        if self.over or not self.up:
            return
        self._cseq += 1
        uri = target if ":" in target else f"sip:{target}@{self.party.domain}"
        if replaces is not None:
            tags = f"{replaces.call_id};to-tag={replaces.remote_tag};from-tag={replaces.local_tag}"
            uri += f"?Replaces={quote(tags, safe='')}"
        request = self._request(
            "REFER", [("Refer-To", f"<{uri}>"), ("Contact", self.party.contact), *(rows or [])]
        )

        def tell(response: Sip | None) -> None:
            self._hear(f"refer-{response.status if response is not None else 'timeout'}")
            if response is not None:
                self._note_reason(response)

        self.party.request(request, tell)

    def bye(self) -> None:
        """Hang up, in or out of turn: an early dialog and one already over get their BYE too when that is
        asked for."""
        self._cseq += 1
        request = self._request("BYE", [])
        self.abandon()
        self.party.request(
            request,
            lambda response: self._hear(f"bye-{response.status if response is not None else 'timeout'}"),
        )

    def hang_up(self) -> None:
        """End the call however it stands: CANCEL, refusal, BYE, or nothing when it is over."""
        if self.over:
            return
        if self.up:
            self.bye()
        elif self._served is not None:
            self.reject(480)
        else:
            self.cancel()

    def hush(self) -> None:
        """No more media from here."""
        self.party.world.hush(self.party.address.host, self.port)

    # --- details -------------------------------------------------------------------------------------------

    def _request(
        self, method: str, rows: list[tuple[str, str]], body: str = "", *, typed: bool = False
    ) -> Sip:
        called = self._served is not None
        local = self._local if not called or ";tag=" in self._local else f"{self._local};tag={self.local_tag}"
        if not called:
            local = f"{self._local};tag={self.local_tag}"
        remote = self._remote
        if not called and self.remote_tag:
            remote = f"{self._remote};tag={self.remote_tag}"
        head = [
            ("From", local),
            ("To", remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} {method}"),
            *rows,
        ]
        if body and not typed:
            head.append(("Content-Type", "application/sdp"))
        return Sip(f"{method} {self.remote_target} SIP/2.0", head, body)

    def _sdp(self, direction: str) -> str:
        self._sdp_version += 1
        party = self.party
        return sdp(party.mark, party.address.host, self.port, self._sdp_version, direction, self.crypto)

    def _take(self, body: str, *, agreed: bool = True) -> None:
        """A description has come; a phone speaks once it knows where to, and not before."""
        if body:
            self.offers.append(body)
            tag, self.told_key = crypto_of(body)
            if not self.told_key and not self._offered and len(self.offers) == 1:
                self.crypto = ("", "")  # whoever offers decides
            if tag != self.crypto[0] or ("SAVP" in body) != bool(tag):
                self.party.faults.append(f"SRTP {tag!r}, not {self.crypto[0]!r}")
            self.agreed = body if agreed else self.agreed
            if self._served is None and not self.over:
                self._speak()

    @property
    def media_target(self) -> tuple[str, int]:
        """Where the other side, as far as we know, wants its media."""
        return media_in(self.agreed) if self.agreed else ("", 0)

    def _hear(self, what: str) -> None:
        if not (what.isdigit() and what in self.heard):
            self.heard.append(what)

    def _note_reason(self, message: Sip) -> None:
        if message.get("Reason"):
            self.reasons.append(message.get("Reason"))

    def _speak(self) -> None:
        self.party.world.speak(self.party.address.host, self.port)

    def abandon(self) -> None:
        """Nobody is here any more."""
        self.over = True
        self.hush()
