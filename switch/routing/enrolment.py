"""Our own registration with a carrier (RFC 3261 section 10.2): kept up as long as the trunk is configured.

A carrier that knows its customers by registration sends their calls to the Contact, whatever number was
dialled; that stands in To or P-Called-Party-ID then (`called_at`). What fails is tried again, ever more
seldom.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import quote

from switch.malformed import Malformed
from switch.ports import NS_PER_S, Entropy, Flow, Note
from switch.sip.auth import answer
from switch.sip.endpoint import Endpoint
from switch.sip.headers import parse_small_number
from switch.sip.message import Fields, Request, Response
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.uri import bracketed, parse_name_addr, parse_uri, unescape

AGAIN_S, SELDOM_S = 30, 600
"""How long after a failure it is tried again; twice as long each time, up to the second."""
LONGEST_S = 86_400


class Carrier(Protocol):
    """What is registered with: `switch.routing.trunks.Trunk`, as long as it is configured."""

    registered: bool

    @property
    def name(self) -> str:
        """What the operator calls it."""

    @property
    def domain(self) -> str:
        """Its host as in URIs, with transport."""

    @property
    def credentials(self) -> tuple[str, str]:
        """User and password."""


class Enrolment:
    """The REGISTERs for one trunk. `way` gives the flow for a try, by its number, and None when there is
    none; `goes_on` whether the trunk is still configured."""

    def __init__(
        self,
        carrier: Carrier,
        endpoint: Endpoint,
        entropy: Entropy,
        note: Callable[[Note], None],
        *,
        expires_s: int,
        way: Callable[[int], Flow | None],
        goes_on: Callable[[], bool],
    ) -> None:
        self._carrier = carrier
        self._endpoint = endpoint
        self._entropy = entropy
        self._note = note
        self._expires_s = expires_s
        self._way = way
        self._goes_on = goes_on
        self._call_id, self._tag = entropy.token(96), entropy.token(64)
        self._cseq = 0
        self._failures = 0
        self._flow: Flow | None = None
        self._proven = False
        self._told = ""

    @property
    def _user(self) -> str:
        """As in URIs."""
        return quote(self._carrier.credentials[0], safe="-_.!~*'()&=+$,")

    def start(self) -> None:
        """Register now."""
        if not self._goes_on():
            return
        self._proven = False
        self._flow = self._way(self._failures)
        if self._flow is None:
            self._failed("unresolved")
        else:
            self._send(self._flow)

    def _send(self, flow: Flow, proof: Fields | None = None) -> None:
        self._cseq += 1
        user = self._user
        aor = f"<sip:{user}@{self._carrier.domain}>"
        fields: Fields = {
            "From": [f"{aor};tag={self._tag}"],
            "To": [aor],
            "Call-ID": [self._call_id],
            "CSeq": [f"{self._cseq} REGISTER"],
            "Contact": [self._endpoint.contact(flow, user)],
            "Expires": [str(self._expires_s)],
            **(proof or {}),
        }
        self._endpoint.request(Request("REGISTER", f"sip:{self._carrier.domain}", fields), flow, self)

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        """The carrier's answer."""
        status = response.status
        if status < 200 or not self._goes_on():
            return
        if status < 300:
            self._succeeded(response)
        elif status in (401, 407) and not self._proven and self._prove(response):
            return
        elif status == 423 and self._lengthen(response):
            self.start()
        else:
            wait_s = parse_small_number((response.get("Retry-After") or "").partition(" ")[0], 0, LONGEST_S)
            self._failed(str(status), wait_s)

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        """It did not answer, or is not there."""
        if self._goes_on():
            self._failed("timeout")

    def _prove(self, response: Response) -> bool:
        proxy = response.status == 407
        rows = response.rows("Proxy-Authenticate" if proxy else "WWW-Authenticate")
        uri = f"sip:{self._carrier.domain}"
        value = answer(rows, "REGISTER", uri, *self._carrier.credentials, cnonce=self._entropy.token(64))
        if value is None or self._flow is None:
            return False
        self._proven = True
        self._send(self._flow, {"Proxy-Authorization" if proxy else "Authorization": [value]})
        return True

    def _lengthen(self, response: Response) -> bool:
        """It wants a longer expiry; once is enough."""
        least_s = parse_small_number(response.get("Min-Expires"), 0, LONGEST_S)
        if least_s <= self._expires_s:
            return False
        self._expires_s = least_s
        return True

    def _succeeded(self, response: Response) -> None:
        self._failures = 0
        self._carrier.registered = True
        given_s = self._given_s(response)
        self._tell("trunk_registered", "ok", {"expires_s": given_s})
        # Seven to eight tenths of it: many do not come at once, and there is time left to try again.
        tenth_ns = max(given_s, 10) * NS_PER_S // 10
        self._endpoint.timers.start(7 * tenth_ns + self._entropy.below(tenth_ns), self.start)

    def _given_s(self, response: Response) -> int:
        """For how long (section 10.2.4): as our Contact says, or Expires, or as asked."""
        asked_s = parse_small_number(response.get("Expires"), self._expires_s, LONGEST_S)
        assert self._flow is not None
        ours = parse_name_addr(self._endpoint.contact(self._flow, self._user)).uri
        for value in response.values("Contact"):
            try:
                contact = parse_name_addr(value)
            except Malformed:
                continue
            if contact.uri == ours:
                return parse_small_number(contact.params.get("expires"), asked_s, LONGEST_S)
        return asked_s

    def _failed(self, why: str, wait_s: int = 0) -> None:
        self._carrier.registered = False
        self._tell("trunk_not_registered", why, {"why": why})
        pause_s = min(AGAIN_S << min(self._failures, 10), SELDOM_S)
        self._failures += 1
        tenth_ns = max(pause_s, wait_s) * NS_PER_S // 10
        self._endpoint.timers.start(10 * tenth_ns + self._entropy.below(tenth_ns), self.start)

    def _tell(self, event: str, state: str, facts: dict[str, object]) -> None:
        """Once for each change."""
        if state != self._told:
            self._told = state
            self._note(Note(event, {"trunk": self._carrier.name, **facts}))


def called_at(request: Request, user: str) -> str:
    """The URI with the dialled number of an INVITE from a carrier that we registered with as `user`: the
    Request-URI, but where that is only our Contact, P-Called-Party-ID (RFC 7315 section 4.2) or To."""
    if unescape(parse_uri(request.uri).user) != user:
        return request.uri
    party = request.get("P-Called-Party-ID")
    return parse_name_addr(party).uri if party else request.recipient.uri


def domain_of(host: str, transport: str) -> str:
    """A host as in URIs."""
    return bracketed(host) if transport == "udp" else f"{bracketed(host)};transport={transport}"
