"""The transaction layer as a whole: finds the transaction or dialog a message belongs to (RFC 3261 sections
8, 12.2.2, 17, 18).

Upwards it speaks to an `EndpointUser` (new requests) and to `DialogUser`s (requests inside their dialog);
downwards it calls `transmit`. Everything that can be answered without knowing calls is answered here:
broken messages, CANCEL, requests of dialogs that do not exist, unknown methods and extensions.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from switch.ports import Address, Entropy, Flow
from switch.sip import glance
from switch.sip.headers import print_via
from switch.sip.message import Fields, Request, Response, respond
from switch.sip.parser import KEEP_ALIVE, Unparsable, parse_datagram
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.transaction.invite_server import InviteServer
from switch.sip.transaction.key import MAGIC, ClientKey, ServerKey, client_key, server_key
from switch.sip.transaction.server import ServerTransaction
from switch.sip.transaction.wire import ClientUser, Timing
from switch.sip.uri import split_values
from switch.timers import TimerQueue

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, REGISTER"
SUPPORTED = "timer"
"""Extensions that whoever calls or is called may use (RFC 3261 section 20.37)."""

_KNOWN_METHODS = frozenset(ALLOW.split(", ")) | {
    "SUBSCRIBE",
    "NOTIFY",
    "MESSAGE",
    "PUBLISH",
}
_RPORT = re.compile(r"(?<!\s)\s*+;\s*+rport\s*+(?:=[^;\s]*+)?(?=\s*+(?:;|\Z))", re.I)
_RECEIVED = re.compile(r"(?<!\s)\s*+;\s*+received\s*+=[^;]*+", re.I)
"""Both look at a run of blanks once: a Via may hold a datagram full of them, in quotes."""
_DEFAULT_PORT = {"TLS": 5061, "WSS": 443, "WS": 80}


class EndpointUser(Protocol):
    """Who takes requests outside any dialog."""

    def on_request(self, request: Request, flow: Flow) -> None:
        """A new request; it came on `flow` and is answered by `Endpoint.open_*` or `Endpoint.reply`."""


class DialogUser(Protocol):
    """Who owns a dialog."""

    def on_dialog_request(self, request: Request, flow: Flow) -> None:
        """A request inside the dialog, ACK included; CSeq is not yet checked."""


class Endpoint:
    """All transactions and dialogs of the switch, by key."""

    def __init__(
        self,
        *,
        timers: TimerQueue,
        timing: Timing,
        entropy: Entropy,
        send: Callable[[Flow, bytes], None],
        advertised: Mapping[Address, Address],
        user_agent: str,
    ) -> None:
        self.timers = timers
        self.timing = timing
        self.counters: Counter[str] = Counter()
        self.user: EndpointUser | None = None
        self.on_stray: Callable[[Flow, str], None] = lambda _flow, _kind: None
        """Told of every message that belongs to nothing, and never reaches `user`: `unparsable`, `response`,
        `ack` or `request`."""
        self.dialogs: dict[tuple[str, str], DialogUser] = {}
        self._entropy = entropy
        self._send = send
        self._advertised = advertised
        self._user_agent = user_agent
        self._clients: dict[ClientKey, ClientTransaction | InviteClient] = {}
        self._servers: dict[ServerKey, ServerTransaction | InviteServer] = {}
        self._waiting: dict[Flow, set[ClientKey]] = {}
        """Client transactions by connection: when that ends, no answer comes any more."""

    # --- from the network -----------------------------------------------------------------------------------

    def receive(self, flow: Flow, data: bytes) -> None:
        """One datagram. Never raises for what a peer sent."""
        message = parse_datagram(data)
        if isinstance(message, Response):
            self._receive_response(message, flow)
        elif isinstance(message, Request):
            self._receive_request(message, flow)
        elif message is KEEP_ALIVE:
            self.counters["keep_alive"] += 1
            if data == b"\r\n\r\n":
                self._send(flow, b"\r\n")  # RFC 5626 section 3.5.1: a ping is answered by a pong
        elif isinstance(message, Unparsable):
            self._receive_unparsable(message, flow)

    def expects(self, data: bytes) -> bool:
        """Whether a datagram seems to belong to a dialog or transaction that lives. It is not parsed for
        that: a message that says so in an unusual way is taken for a stranger's."""
        if any(dialog in self.dialogs for dialog in glance.dialogs(data)):
            return True
        keys = glance.transaction(data)
        return keys is not None and (keys[0] in self._clients or keys[1] in self._servers)

    def flow_failed(self, data: bytes) -> None:
        """A datagram of ours could not be sent: the transaction behind it, if it is a client's, has
        failed."""
        message = parse_datagram(data)
        if isinstance(message, Request) and message.method != "ACK":
            transaction = self._clients.get((message.via.branch, message.method))
            if transaction is not None:
                transaction.fail()

    def flow_closed(self, flow: Flow) -> None:
        """A connection is over: what waits for an answer on it has failed (section 17.1.4)."""
        for key in list(self._waiting.get(flow, ())):
            transaction = self._clients.get(key)
            if transaction is not None:
                transaction.broken()

    def _receive_unparsable(self, broken: Unparsable, flow: Flow) -> None:
        self.counters["parse_error"] += 1
        self.on_stray(flow, "unparsable")
        request = broken.request
        if request is None:
            return
        back = flow
        if request._via is not None:  # else the only address known is where it came from
            self._note_source(request, flow)
            back = self._way_back(request, flow)
        tag = self._stateless_tag(request)
        self._transmit_response(back, respond(request, broken.status, tag=tag, reason=broken.reason))

    def _receive_response(self, response: Response, flow: Flow) -> None:
        transaction = self._clients.get(client_key(response))
        if transaction is None:
            self.counters["stray_response"] += 1
            self.on_stray(flow, "response")
            return
        self.counters[f"received_{response.status // 100}xx"] += 1
        transaction.receive(response)

    def _receive_request(self, request: Request, flow: Flow) -> None:
        self._note_source(request, flow)
        method = request.method
        transaction = self._servers.get(server_key(request))
        if transaction is not None:
            if method != "ACK":
                self.counters["retransmission_received"] += 1
            elif isinstance(transaction, InviteServer) and transaction.tag:
                # The ACK of a 2xx under the INVITE's branch is the dialog's (RFC 6026 section 7.1), whatever
                # its To says:
                # pyVoIP writes a new tag there.
                owner = self.dialogs.get((request.call_id, transaction.tag))
                if owner is not None:
                    owner.on_dialog_request(request, flow)
                return
            transaction.receive(request)
            return
        self.counters[f"request_{method if method in _KNOWN_METHODS else 'other'}"] += 1
        if method == "CANCEL":
            self._receive_cancel(request, flow)
            return
        tag = request.recipient.tag
        if tag:
            owner = self.dialogs.get((request.call_id, tag))
            if owner is not None:
                owner.on_dialog_request(request, flow)
            else:
                self._receive_stray(request, flow)
            return
        if method == "ACK":
            self._receive_stray(request, flow)
            return
        if not self._acceptable(request, flow):
            return
        if self.user is not None:
            self.user.on_request(request, flow)

    def _receive_stray(self, request: Request, flow: Flow) -> None:
        """It names a dialog that is not there (section 12.2.2). An ACK may be that of a refusal sent without
        state."""
        if request.method == "ACK":
            self.on_stray(flow, "ack")
        else:
            self.on_stray(flow, "request")
            self.reply(request, flow, 481)

    def _acceptable(self, request: Request, flow: Flow) -> bool:
        """Method and extensions (section 8.2.1, 8.2.2); what is not acceptable is answered."""
        if f" {request.method}," in f" {ALLOW},":
            return True
        self.on_stray(flow, "request")
        self.refuse_method(request, flow)
        return False

    def _receive_cancel(self, cancel: Request, flow: Flow) -> None:
        """Section 9.2: answered on its own, and passed to the INVITE it names."""
        invite = self._servers.get(server_key(cancel, "INVITE"))
        if isinstance(invite, InviteServer):
            self.open_server(cancel, flow).respond(self.response(cancel, 200))
            invite.cancelled(cancel)
        else:
            self._receive_stray(cancel, flow)

    # --- for those above ------------------------------------------------------------------------------------

    def open_invite_server(self, request: Request, flow: Flow) -> InviteServer:
        """A server transaction for a new INVITE; the caller of this sets its `user`."""
        key = server_key(request)
        transaction = InviteServer(self, key, request, self._way_back(request, flow))
        self._servers[key] = transaction
        return transaction

    def open_server(self, request: Request, flow: Flow) -> ServerTransaction:
        """A server transaction for any other new request."""
        key = server_key(request)
        transaction = ServerTransaction(self, key, self._way_back(request, flow))
        self._servers[key] = transaction
        return transaction

    def reply(
        self,
        request: Request,
        flow: Flow,
        status: int,
        *,
        fields: Fields | None = None,
        reason: str = "",
        body: bytes = b"",
    ) -> None:
        """Answer without keeping state (section 8.2.7); an ACK is never answered."""
        if request.method == "ACK":
            return
        tag = self._stateless_tag(request)
        self._transmit_response(
            self._way_back(request, flow),
            respond(request, status, tag=tag, fields=fields, reason=reason, body=body),
        )

    def refuse_unread(self, flow: Flow, data: bytes, retry_s: int) -> None:
        """Answer a new request with 503 without parsing it; one that cannot be answered so is dropped."""
        tag = hashlib.blake2b(data[: glance.HEAD], digest_size=8).hexdigest()
        field = f"Retry-After: {retry_s}"
        answer = glance.refusal(data, flow.remote, "503 Service Unavailable", tag, field)
        if answer is not None:
            self.transmit(flow, answer)

    def refuse_method(self, request: Request, flow: Flow) -> None:
        """A method that is not served here: 405 where it is known, 501 where it is not (section 8.2.1)."""
        self.reply(request, flow, 405 if request.method in _KNOWN_METHODS else 501, fields={"Allow": [ALLOW]})

    def response(
        self, request: Request, status: int, *, tag: str = "", fields: Fields | None = None, body: bytes = b""
    ) -> Response:
        """A response to send through a server transaction; without `tag`, To gets a stateless one."""
        if not tag and status > 100:
            tag = self._stateless_tag(request)
        return respond(request, status, tag=tag, fields=fields, body=body)

    def invite(self, request: Request, flow: Flow, user: ClientUser) -> InviteClient:
        """Send an INVITE of ours."""
        key = self._stamp(request, flow)
        transaction = InviteClient(self, key, request, flow, user)
        self._keep(key, transaction)
        return transaction

    def request(self, request: Request, flow: Flow, user: ClientUser | None = None) -> ClientTransaction:
        """Send any other request of ours; without a `user` its outcome does not matter."""
        key = self._stamp(request, flow)
        transaction = ClientTransaction(self, key, request.encode(), flow, user)
        self._keep(key, transaction)
        return transaction

    def cancel(self, invite: InviteClient, reason: list[str]) -> bool:
        """Send the CANCEL of an INVITE; False when it cannot be sent (yet)."""
        cancel = invite.cancel(reason)
        if cancel is None:
            return False
        key = (invite.key[0], "CANCEL")
        if key not in self._clients:
            self._keep(key, ClientTransaction(self, key, cancel.encode(), invite.flow, None))
        return True

    def acknowledge(self, ack: Request, flow: Flow) -> bytes:
        """Send the ACK of a 2xx, outside any transaction (section 13.2.2.4); returned for sending it
        again."""
        self._stamp(ack, flow)
        data = ack.encode()
        self._send(flow, data)
        return data

    def resend(self, flow: Flow, data: bytes) -> None:
        """Send bytes again that a transaction user repeats itself (2xx, ACK)."""
        self.transmit(flow, data, again=True)

    def contact(self, flow: Flow, user: str = "") -> str:
        """A Contact of ours for a peer on this flow."""
        host, port = self._advertised.get(flow.local, flow.local)
        host = f"[{host}]" if ":" in host else host
        transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
        return f"<sip:{user}{'@' if user else ''}{host}:{port}{transport}>"

    def host(self, flow: Flow) -> str:
        """Our host name towards a peer on this flow."""
        host = self._advertised.get(flow.local, flow.local).host
        return f"[{host}]" if ":" in host else host

    def sizes(self) -> dict[str, int]:
        """How much state there is, for metrics and tests."""
        return {"clients": len(self._clients), "servers": len(self._servers), "dialogs": len(self.dialogs)}

    # --- Wire -----------------------------------------------------------------------------------------------

    def transmit(self, flow: Flow, data: bytes, *, again: bool = False) -> None:
        """Send for a transaction."""
        if again:
            self.counters["retransmission_sent"] += 1
        elif data.startswith(b"SIP/2.0 "):
            self.counters[f"sent_{data[8:9].decode()}xx"] += 1
        self._send(flow, data)

    def forget_client(self, key: ClientKey) -> None:
        """A client transaction is over."""
        transaction = self._clients.pop(key, None)
        if transaction is not None and transaction.flow.reliable:
            waiting = self._waiting[transaction.flow]
            waiting.discard(key)
            if not waiting:
                del self._waiting[transaction.flow]

    def forget_server(self, key: ServerKey) -> None:
        """A server transaction is over."""
        self._servers.pop(key, None)

    # --- details --------------------------------------------------------------------------------------------

    def _keep(self, key: ClientKey, transaction: ClientTransaction | InviteClient) -> None:
        self._clients[key] = transaction
        if transaction.flow.reliable:
            self._waiting.setdefault(transaction.flow, set()).add(key)

    def _stamp(self, request: Request, flow: Flow) -> ClientKey:
        """Our Via on top, and the fields every request of ours has."""
        branch = MAGIC + self._entropy.token(80)
        host, port = self._advertised.get(flow.local, flow.local)
        request.fields = {"Via": [], **request.fields}
        request.fields["Via"] = [print_via(flow.transport, host, port, branch)]
        request.fields.setdefault("Max-Forwards", ["70"])
        if self._user_agent:
            request.fields["User-Agent"] = [self._user_agent]
        return branch, request.method

    def _transmit_response(self, flow: Flow, response: Response) -> None:
        self.counters[f"sent_{response.status // 100}xx"] += 1
        self._send(flow, response.encode())

    @staticmethod
    def _note_source(request: Request, flow: Flow) -> None:
        """Write into the topmost Via where the request came from (section 18.2.1, RFC 3581 section 4).
        Once for each request, before its responses copy the Via; what the sender wrote there of its own
        accord does not count."""
        via = request.via
        params = via.params
        host, port = flow.remote
        wants_rport = "rport" in params
        if not wants_rport and "received" not in params and via.host == host:
            return
        rows = request.fields["Via"]
        top, *below = split_values(rows[0])
        if wants_rport:
            top = _RPORT.sub(f";rport={port}", top, count=1)
        top = f"{_RECEIVED.sub('', top)};received={host}"
        request.fields["Via"] = [", ".join([top, *below]), *rows[1:]]

    @staticmethod
    def _way_back(request: Request, flow: Flow) -> Flow:
        """Where responses go (section 18.2.2, RFC 3581): streams answer on themselves, a datagram without
        rport is answered to its source host and the port of its Via."""
        via = request.via
        if "rport" in via.params or flow.transport != "udp":
            return flow
        port = via.port or _DEFAULT_PORT.get(via.transport, 5060)
        return flow if port == flow.remote.port else flow._replace(remote=Address(flow.remote.host, port))

    @staticmethod
    def _stateless_tag(request: Request) -> str:
        """The same To tag for every retransmission of a request (section 8.2.7), without remembering it."""
        via = request._via.branch if request._via is not None else ""
        seed = f"{via}\0{request.get('Call-ID')}\0{request.get('From')}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(seed, digest_size=8).hexdigest()
