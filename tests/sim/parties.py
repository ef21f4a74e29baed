"""Phones, carriers and emergency centres: small user agents that speak SIP of their own (`tests.sim.text`)
and do as they are told, well or badly. `Party` is an endpoint with its transactions; a `Talk` is one call
seen from one side."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.ports import NS_PER_MS, Address
from tests.sim.talk import Talk
from tests.sim.text import Sip, digest_answer, read

if TYPE_CHECKING:
    from tests.sim.world import World

T1_MS, T2_MS = 500, 4000
TIMEOUT_MS = 64 * T1_MS


class Asked:
    """A client transaction: repeats its request until it is answered."""

    __slots__ = ("_deadline_ns", "_interval_ms", "ack", "done", "party", "proceeding", "request", "tell")

    def __init__(self, party: Party, request: Sip, tell: Callable[[Sip | None], None]) -> None:
        self.party = party
        self.request = request
        self.tell = tell
        self.done = False
        self.proceeding = False
        self.ack: Sip | None = None
        self._interval_ms = T1_MS
        self._deadline_ns = party.world.mono_ns + TIMEOUT_MS * NS_PER_MS
        party.send(request)
        party.after(T1_MS, self._again)

    @property
    def invite(self) -> bool:
        """Whether it is an INVITE, which has rules of its own."""
        return self.request.method == "INVITE"

    def receive(self, response: Sip) -> None:
        """A response; a refusal of an INVITE is acknowledged as often as it comes."""
        if response.status < 200:
            self.proceeding = True
            self.tell(response)
        elif self.invite and response.status >= 300:
            if self.ack is None:
                self.ack = Sip(f"ACK {self.request.uri} SIP/2.0")
                kept = ("Via", "From", "Call-ID", "Max-Forwards", "Route")
                self.ack.rows = [row for row in self.request.rows if row[0] in kept]
                self.ack.rows += [("To", response.get("To")), ("CSeq", f"{self.request.cseq} ACK")]
            if self.party.acks_refusals:
                self.party.send(self.ack)
            self._finish(response)
        elif self.invite:
            self.done = True
            self.tell(response)  # every 2xx, for its ACK
        else:
            self._finish(response)

    def _finish(self, response: Sip | None) -> None:
        if not self.done:
            self.done = True
            self.tell(response)

    def _again(self) -> None:
        if self.done or (self.invite and self.proceeding):
            return
        if self.party.world.mono_ns >= self._deadline_ns:
            self._finish(None)
            return
        self.party.send(self.request)
        self._interval_ms = 2 * self._interval_ms if self.invite else min(2 * self._interval_ms, T2_MS)
        self.party.after(self._interval_ms, self._again)


class Served:
    """A server transaction: remembers its answer, and repeats that to an INVITE until it is acknowledged."""

    __slots__ = (
        "_deadline_ns",
        "_interval_ms",
        "acknowledged",
        "final",
        "last",
        "on_unacknowledged",
        "party",
        "request",
    )

    def __init__(self, party: Party, request: Sip) -> None:
        self.party = party
        self.request = request
        self.last: Sip | None = None
        self.final = 0
        self.acknowledged = False
        self.on_unacknowledged: Callable[[], None] | None = None
        self._interval_ms = T1_MS
        self._deadline_ns = 0

    def respond(
        self,
        status: int,
        reason: str = "",
        rows: list[tuple[str, str]] | None = None,
        *,
        tag: str = "",
        body: str = "",
    ) -> None:
        """Send a response; after the first final one nothing else is sent."""
        if self.final:
            return
        response = Sip(f"SIP/2.0 {status} {reason or REASONS.get(status, 'Whatever')}")
        for name, value in self.request.rows:
            if name in ("Via", "From", "To", "Call-ID", "CSeq") or (
                name == "Record-Route" and 100 < status < 300
            ):
                tagged = name == "To" and tag and ";tag=" not in value
                response.rows.append((name, f"{value};tag={tag}" if tagged else value))
        response.rows += rows or []
        if body:
            response.body = body
            response.rows.append(("Content-Type", "application/sdp"))
        self.last = response
        self.party.send(response)
        if status >= 200:
            self.final = status
            if self.request.method == "INVITE":
                self._deadline_ns = self.party.world.mono_ns + TIMEOUT_MS * NS_PER_MS
                self.party.after(T1_MS, self._again)

    def receive(self) -> None:
        """The request once more."""
        if self.last is not None and not (self.request.method == "INVITE" and self.final // 100 == 2):
            self.party.send(self.last)

    def _again(self) -> None:
        if self.acknowledged or self.last is None:
            return
        if self.party.world.mono_ns >= self._deadline_ns:
            if self.on_unacknowledged is not None:
                self.on_unacknowledged()
            return
        self.party.send(self.last)
        self._interval_ms = min(2 * self._interval_ms, T2_MS)
        self.party.after(self._interval_ms, self._again)


REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    302: "Moved Temporarily",
    404: "Not Found",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


class Party:
    """One endpoint. Everything it writes bears its `mark`, so that it can be recognised where it should not
    be."""

    def __init__(
        self,
        world: World,
        name: str,
        address: Address,
        switch: Address,
        *,
        user: str,
        password: str,
        number: str,
        domain: str,
    ) -> None:
        self.world = world
        self.name = name
        self.address = address
        self.switch = switch
        self.user = user
        self.password = password
        self.number = number
        self.domain = domain
        self.mark = f"mk-{name}"
        self.talks: list[Talk] = []
        self.on_call: Callable[[Talk], None] | None = None
        """What to do with a call that comes in; without it the call is only taken note of, with a 100."""
        self.on_message: Callable[[Sip], bool] | None = None
        """Sees every message first; true when it has dealt with it."""
        self.srtp = False
        """Whether it offers SRTP, and takes nothing else for it."""
        self.acks_refusals = True
        self.dead = False
        self.registered = False
        self.refused: int = 0
        """The status of the last registration that failed."""
        self.faults: list[str] = []
        """What the switch sent that is no proper SIP."""
        self._life = 0
        self._tokens = 0
        self._register_cseq = 0
        self._asked: dict[tuple[str, str], Asked] = {}
        self._served: dict[tuple[str, str, int], Served] = {}
        world.network.attach(name, address, self.receive)

    # --- wire ----------------------------------------------------------------------------------------------

    def token(self, kind: str) -> str:
        """A fresh tag, Call-ID or branch, recognisable as ours."""
        self._tokens += 1
        return f"{self.mark}-{kind}{self._tokens}"

    def after(self, ms: int, fire: Callable[[], None]) -> None:
        """Do something later, in this life."""
        life = self._life
        self.world.later(ms * NS_PER_MS, lambda: fire() if life == self._life else None)

    def send(self, message: Sip) -> None:
        """To the switch."""
        if not self.dead:
            self.world.network.send(self.world.mono_ns, self.address, self.switch, message.encode())

    def receive(self, data: bytes, _source: Address) -> None:
        """From the switch."""
        if self.dead or not data.strip():
            return
        try:
            message = read(data)
        except (AssertionError, ValueError) as error:
            self.faults.append(f"{self.name}: {error}")
            return
        if self.on_message is not None and self.on_message(message):
            return
        if message.status:
            asked = self._asked.get((message.branch, message.asked))
            if asked is not None:
                asked.receive(message)
        elif message.method == "ACK":
            self._on_ack(message)
        else:
            self._on_request(message)

    def request(self, request: Sip, tell: Callable[[Sip | None], None]) -> Asked:
        """Send a request under a fresh branch; `tell` gets its responses, None when none came."""
        branch = f"z9hG4bK-{self.token('b')}"
        via = f"SIP/2.0/UDP {self.address.host}:{self.address.port};branch={branch};rport"
        request.rows = [
            ("Via", via),
            ("Max-Forwards", "70"),
            *request.rows,
            ("User-Agent", f"{self.mark}-phone/1"),
        ]
        asked = Asked(self, request, tell)
        self._asked[branch, request.method] = asked
        return asked

    def cancel(self, invite: Asked) -> None:
        """CANCEL shares the branch of its INVITE (RFC 3261 section 9.1)."""
        message = Sip(f"CANCEL {invite.request.uri} SIP/2.0")
        kept = ("Via", "From", "To", "Call-ID", "Max-Forwards")
        message.rows = [row for row in invite.request.rows if row[0] in kept]
        message.rows.append(("CSeq", f"{invite.request.cseq} CANCEL"))
        self._asked[invite.request.branch, "CANCEL"] = Asked(self, message, lambda _response: None)

    @property
    def contact(self) -> str:
        """Our own address as a Contact."""
        return f"<sip:{self.user}@{self.address.host}:{self.address.port}>"

    # --- what comes in -------------------------------------------------------------------------------------

    def _on_ack(self, ack: Sip) -> None:
        served = self._served.get((ack.branch, "INVITE", ack.cseq))
        if served is not None:
            served.acknowledged = True
        for talk in self.talks:
            if talk.call_id == ack.call_id:
                talk.on_ack(ack)

    def _on_request(self, request: Sip) -> None:
        key = (request.branch, request.method, request.cseq)
        served = self._served.get(key)
        if served is not None:
            served.receive()
            return
        served = self._served[key] = Served(self, request)
        if request.method == "CANCEL":
            self._on_cancel(request, served)
            return
        talk = next((talk for talk in self.talks if talk.owns(request)), None)
        if talk is not None:
            talk.on_request(request, served)
        elif request.method == "INVITE" and not request.tag("To"):
            talk = Talk(self, request.call_id)
            self.talks.append(talk)
            talk.come_in(request, served)
        elif request.method == "OPTIONS":
            served.respond(200, tag=self.token("t"))
        else:
            served.respond(481, tag=self.token("t"))

    def _on_cancel(self, cancel: Sip, served: Served) -> None:
        invite = self._served.get((cancel.branch, "INVITE", cancel.cseq))
        served.respond(200 if invite is not None else 481, tag=self.token("t"))
        if invite is not None:
            for talk in self.talks:
                if talk.call_id == cancel.call_id:
                    talk.on_cancel(cancel, invite)

    # --- orders --------------------------------------------------------------------------------------------

    def register(self, expires_s: int = 3600) -> None:
        """REGISTER with digest; `registered` says how it ended."""
        self._register_cseq += 1
        self._register(expires_s, "", first=True)

    def _register(self, expires_s: int, credentials: str, *, first: bool) -> None:
        uri = f"sip:{self.domain}"
        aor = f"<sip:{self.user}@{self.domain}>"
        request = Sip(
            f"REGISTER {uri} SIP/2.0",
            [
                ("From", f"{aor};tag={self.mark}-r"),
                ("To", aor),
                ("Call-ID", f"{self.mark}-register"),
                ("CSeq", f"{self._register_cseq} REGISTER"),
                ("Contact", f"{self.contact};expires={expires_s}"),
            ],
        )
        if credentials:
            request.rows.append(("Authorization", credentials))

        def tell(response: Sip | None) -> None:
            if response is None or response.status < 200:
                return
            if response.status == 401 and (first or "stale=true" in response.get("WWW-Authenticate")):
                self._register_cseq += 1
                challenge = response.get("WWW-Authenticate")
                answer = digest_answer(challenge, "REGISTER", uri, self.user, self.password)
                self._register(expires_s, answer, first=False)
            elif response.status == 200:
                self.registered = expires_s > 0
            else:
                self.refused = response.status

        self.request(request, tell)

    def invite(
        self,
        called: str,
        *,
        offer: bool = True,
        rows: list[tuple[str, str]] | None = None,
        uri: str = "",
        body: tuple[str, str] | None = None,
    ) -> Talk:
        """Call somebody by number, or by a whole `uri`; with a `body` of a type in place of our own."""
        talk = Talk(self, self.token("call"))
        self.talks.append(talk)
        talk.call(uri or f"sip:{called}@{self.domain}", offer=offer, rows=rows or [], body=body)
        return talk

    @property
    def talk(self) -> Talk:
        """The latest call."""
        return self.talks[-1]

    def die(self) -> None:
        """Drop dead: nothing is sent or heard any more, media included."""
        self.dead = True
        self._life += 1
        for talk in self.talks:
            talk.abandon()

    def revive(self) -> None:
        """Start again, with no memory of any call."""
        self.dead = False
        self.talks = []
