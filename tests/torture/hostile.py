"""Datagrams of somebody who means harm: endless, of many kinds, the same for the same seed.

What they claim is never true: nobody knows a password, no Via, Route or Contact leads to who sent them. Many
name a third party (`Place.victim`) that the switch must leave alone.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from switch.ports import Address
from tests.switch.sip.support import Row, message_bytes
from tests.torture.accidents import SPLICES, after
from tests.torture.corpus import PARTS, SDP, TORTURE

METHODS = ("INVITE", "REGISTER", "OPTIONS", "BYE", "ACK", "CANCEL", "INFO", "PRACK", "UPDATE", "REFER")
NUMBERS = ("+33145674567", "0470123456", "00212661234567", "016234567", "1", "*21*0470123456#")
HELP = ("112", "100", "101", "urn:service:sos", "urn:service:sos.fire", "*31*112")
COMPACT = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Type": "c",
    "Supported": "k",
    "Subject": "s",
}
BLANKS = (b" ", b"\t", b"; ", b"\r\n ")
REMEMBERED = 64
"""The latest datagrams and INVITEs, to send again and to follow up."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whom they are sent to: the switch with its domain and the `users` it knows; and who has nothing to do
    with it."""

    switch: Address
    domain: str
    realm: str
    users: tuple[str, ...]
    victim: Address


@dataclass(frozen=True, slots=True)
class _Invite:
    """What a follow-up has to repeat."""

    uri: str
    via: str
    sender: str
    call_id: str


class Hostile:
    """Makes them, one after the other; `kinds` counts what was made. `nonce` is one that the switch gave out,
    if somebody has asked for it."""

    def __init__(self, place: Place, seed: int, *, nonce: str = "") -> None:
        self.kinds: Counter[str] = Counter()
        self._nonce = nonce
        self._place = place
        self._random = random.Random(seed)
        self._sent: deque[bytes] = deque(maxlen=REMEMBERED)
        self._invites: deque[_Invite] = deque(maxlen=REMEMBERED)
        makers: dict[Callable[[Address], bytes], int] = {
            self.torture: 8,
            self.noise: 8,
            self.mutant: 18,
            self.follow_up: 6,
            self.again: 3,
            self.keep_alive: 1,
            self.header_bomb: 1,
            self.blanks: 1,
            self.length: 4,
            self.nested: 4,
            self.compact: 5,
            self.octets: 6,
            self.twice: 5,
            self.response: 8,
            self.loop: 4,
            self.route: 5,
            self.contact: 4,
            self.register: 8,
            self.guess: 4,
            self.invite: 8,
            self.help: 3,
        }
        self._makers = tuple(makers)
        self._weights = tuple(makers.values())

    def datagram(self, source: Address) -> bytes:
        """The next one, to be sent from `source`."""
        (make,) = self._random.choices(self._makers, self._weights)
        data = make(source)
        self.kinds[make.__name__] += 1
        self._sent.append(data)
        return data

    # --- what breaks the rules ------------------------------------------------------------------------------

    def torture(self, _source: Address) -> bytes:
        """A message of RFC 4475."""
        return self._random.choice(TORTURE)

    def noise(self, _source: Address) -> bytes:
        """Bytes at random, some behind the beginning of a request."""
        head = self._random.choice((b"", b"", b"INVITE sip:112@x SIP/2.0\r\n", b"SIP/2.0 200 OK\r\nVia: "))
        return head + self._random.randbytes(self._random.randrange(1, 600))

    def mutant(self, source: Address) -> bytes:
        """A request as it should be, after a few accidents."""
        pick = self._random.randrange
        accidents = [
            (pick(5), pick(1001), pick(41), self._random.randbytes(pick(9)), self._random.choice(SPLICES))
            for _ in range(pick(1, 4))
        ]
        return after(accidents, self._any(source))

    def header_bomb(self, source: Address) -> bytes:
        """Rows by the hundred, or one that fills the datagram."""
        fields = self._fields("OPTIONS", source)
        if self._random.random() < 0.5:
            fields["X-Row"] = ["y" * 20] * self._random.randrange(100, 1500)
        else:
            fields[self._random.choice(("X", "Route", "Require", "Via", "Contact"))] = "a," * 25_000
        return self._request("OPTIONS", self._uri("x"), fields)

    def blanks(self, source: Address) -> bytes:
        """Blanks without end, where the syntax has room for them and where not."""
        run = self._random.choice(BLANKS) * self._random.randrange(1, 20_000)
        name = self._random.choice(("Via", "From", "To", "Call-ID", "CSeq", "Contact"))
        method = self._random.choice(METHODS)
        fields = self._fields(method, source)
        quoted = self._random.random() < 0.5
        row = str(fields[name])
        fields[name] = row + (f';x="{run.decode()}"' if quoted else run.decode() + "x")
        return self._request(method, self._uri(self._random.choice(("112", "x"))), fields, SDP)

    def length(self, source: Address) -> bytes:
        """A Content-Length that cannot be."""
        told = self._random.choice(("99999999999999999999", "-1", "1e3", "65536", "", "0x10", "4294967296"))
        data = self._any(source)
        head, _, tail = data.partition(b"Content-Length: ")
        return head + b"Content-Length: " + told.encode() + tail[tail.find(b"\r\n") :]

    def nested(self, source: Address) -> bytes:
        """Brackets, quotes, comments, escapes or parts within parts, hundreds deep."""
        deep = self._random.randrange(10, 1000)
        opening = self._random.choice(("<", '"', "(", "<sip:", "\\", "%25", "[", "sip:a@"))
        fields = self._fields("INVITE", source)
        body = SDP
        if self._random.random() < 0.5:
            fields[self._random.choice(("From", "To", "Contact", "Record-Route"))] = opening * deep
        else:
            kind = "multipart/mixed;boundary=b"
            body = "".join(f"--b{n}\r\nContent-Type: {kind}{n + 1}\r\n\r\n" for n in range(deep))
            fields["Content-Type"] = f"{kind}0"
        return self._request("INVITE", self._uri(self._random.choice(("112", "1"))), fields, body)

    def octets(self, source: Address) -> bytes:
        """NULs, or bytes that are no UTF-8, in a few places."""
        data = bytearray(self._any(source))
        for _ in range(self._random.randrange(1, 6)):
            data[self._random.randrange(len(data))] = self._random.choice((0, 0, 0x80, 0xC3, 0xFE, 0xFF))
        return bytes(data)

    def twice(self, source: Address) -> bytes:
        """A field that may be there once, there again with another value."""
        other = self._random.choice(
            (
                b"Call-ID: other",
                b"f: <sip:other@x>;tag=o",
                b"To: <sip:other@x>",
                b"CSeq: 2 INVITE",
                b"l: 0",
                b"Max-Forwards: 0",
            )
        )
        line, _, rest = self._any(source).partition(b"\r\n")
        return b"\r\n".join([line, other, rest])

    # --- what keeps them ------------------------------------------------------------------------------------

    def compact(self, source: Address) -> bytes:
        """A request in the short spelling."""
        method = self._random.choice(METHODS)
        fields = {COMPACT.get(name, name): row for name, row in self._fields(method, source).items()}
        return self._request(method, self._uri(self._random.choice(NUMBERS)), fields, SDP)

    def keep_alive(self, _source: Address) -> bytes:
        """What no message is."""
        return self._random.choice((b"\r\n\r\n", b"\r\n", b"\0\0\0\0"))

    def again(self, source: Address) -> bytes:
        """One of the latest once more, from elsewhere."""
        return self._random.choice(self._sent) if self._sent else self.keep_alive(source)

    def follow_up(self, source: Address) -> bytes:
        """What may come after an INVITE, to one that came or to none."""
        method = self._random.choice(("ACK", "CANCEL", "BYE", "PRACK", "INFO", "UPDATE"))
        fields = self._fields(method, source)
        uri = self._uri("x")
        if self._invites and self._random.random() < 0.7:
            invite = self._random.choice(self._invites)
            uri = invite.uri
            fields |= {"Via": invite.via, "From": invite.sender, "Call-ID": invite.call_id, "To": f"<{uri}>"}
        if method not in ("ACK", "CANCEL"):
            fields["To"] = f"<{uri}>;tag={self._fresh()}"
        return self._request(method, uri, fields)

    def response(self, source: Address) -> bytes:
        """A response to what nobody sent."""
        status = self._random.choice((100, 180, 200, 200, 302, 401, 407, 486, 503, 699))
        fields = self._fields(self._random.choice(METHODS), source)
        via = self._random.choice((self._place.switch, self._place.victim))
        fields["Via"] = f"SIP/2.0/UDP {via.host}:{via.port};branch=z9hG4bK{self._fresh()};rport"
        fields["To"] = f"<sip:x@{self._place.domain}>;tag={self._fresh()}"
        return message_bytes(f"SIP/2.0 {status} Whatever", fields, SDP)

    def loop(self, source: Address) -> bytes:
        """It says that it has been at the switch before, or at a third party, many times; or it is to go no
        further."""
        own, victim = self._place.switch, self._place.victim
        hops = [self._random.choice((own, victim)) for _ in range(self._random.randrange(1, 70))]
        method = self._random.choice(METHODS)
        fields = self._fields(method, source)
        fields["Via"] = [
            f"SIP/2.0/UDP {hop.host}:{hop.port};branch=z9hG4bK{self._fresh()};received={victim.host}"
            for hop in hops
        ]
        fields["Max-Forwards"] = self._random.choice(("0", "1", "70", "255"))
        return self._request(method, self._uri(self._random.choice(NUMBERS)), fields, SDP)

    def route(self, source: Address) -> bytes:
        """It is to be passed on to a third party."""
        victim = f"{self._place.victim.host}:{self._place.victim.port}"
        method = self._random.choice(METHODS)
        fields = self._fields(method, source)
        fields["Route"] = [f"<sip:{self._place.domain};lr>", f"<sip:{victim};lr>"]
        fields["Record-Route"] = f"<sip:{victim};lr>, <sip:{victim}>"
        uri = self._random.choice((f"sip:x@{victim}", f"sip:{victim}", self._uri("112")))
        return self._request(method, uri, fields, SDP)

    def contact(self, source: Address) -> bytes:
        """It wants what is to come sent to a third party, to loopback or to the switch itself."""
        place = self._place
        target = self._random.choice((place.victim, place.switch, Address("127.0.0.1", 5060)))
        method = self._random.choice(("INVITE", "REGISTER", "UPDATE", "REFER"))
        fields = self._fields(method, source)
        where = f"<sip:x@{target.host}:{target.port}>"
        fields |= {"Contact": where, "Reply-To": where, "Refer-To": where, "Call-Info": where}
        body = SDP.replace("10.0.0.5", target.host).replace("5004", str(target.port))
        return self._request(method, self._uri(self._random.choice((*HELP, *NUMBERS))), fields, body)

    # --- floods ---------------------------------------------------------------------------------------------

    def register(self, source: Address) -> bytes:
        """A user whom nobody knows, without a password or with a wrong one."""
        user = f"u{self._fresh()}"
        fields = self._fields("REGISTER", source, user)
        if self._random.random() < 0.5:
            fields["Authorization"] = self._proof(user)
        return self._request("REGISTER", f"sip:{self._place.domain}", fields)

    def guess(self, source: Address) -> bytes:
        """A wrong password of a user whom we know."""
        user = self._random.choice(self._place.users)
        method = self._random.choice(("REGISTER", "INVITE"))
        fields = self._fields(method, source, user) | {"Authorization": self._proof(user)}
        return self._request(method, self._uri(self._random.choice(NUMBERS)), fields, SDP)

    def invite(self, source: Address) -> bytes:
        """A call of somebody without a password."""
        user = self._random.choice((f"u{self._fresh()}", *self._place.users))
        return self._call(source, user, self._random.choice(NUMBERS))

    def help(self, source: Address) -> bytes:
        """A call for help, in the name of somebody or of nobody."""
        user = self._random.choice((f"u{self._fresh()}", "anonymous", *self._place.users))
        return self._call(source, user, self._random.choice(HELP))

    # --- details --------------------------------------------------------------------------------------------

    def _fresh(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _uri(self, number: str) -> str:
        return number if number.startswith("urn:") else f"sip:{number}@{self._place.domain}"

    def _fields(self, method: str, source: Address, user: str = "") -> dict[str, Row]:
        """What every request has, with a Call-ID and a branch of its own. Half of them have an rport; a few
        say that they come from somebody else."""
        chance, place = self._random.random(), self._place
        user = user or f"u{self._fresh()}"
        host, port = place.victim if chance < 0.1 else place.switch if chance < 0.2 else source
        rport = ";rport" if self._random.random() < 0.5 else ""
        return {
            "Via": f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self._fresh()}{rport}",
            "Max-Forwards": "70",
            "From": f"<sip:{user}@{place.domain}>;tag={self._fresh()}",
            "To": f"<sip:{user}@{place.domain}>",
            "Call-ID": self._fresh(),
            "CSeq": f"{self._random.randrange(1, 1 << 31)} {method}",
            "Contact": f"<sip:{user}@{source.host}:{source.port}>",
            "Supported": "100rel, timer, replaces",
            "Content-Type": "application/sdp",
        }

    def _any(self, source: Address) -> bytes:
        """A request as it should be."""
        method = self._random.choice(METHODS)
        fields = self._fields(method, source, self._random.choice(("", *self._place.users)))
        body = SDP
        if method in ("BYE", "INFO", "PRACK", "UPDATE", "REFER", "ACK"):
            fields["To"] = f"{fields['To']};tag={self._fresh()}"
        if method == "PRACK":
            fields["RAck"] = f"1 {self._random.randrange(1, 9999)} INVITE"
        elif method == "INFO":
            fields["Content-Type"], body = "application/dtmf-relay", "Signal=1\r\nDuration=160\r\n"
        elif method == "INVITE" and self._random.random() < 0.2:
            fields["Content-Type"], body = 'multipart/mixed;boundary="b1"', PARTS
        return self._request(method, self._uri(self._random.choice((*NUMBERS, *HELP))), fields, body)

    def _call(self, source: Address, user: str, number: str) -> bytes:
        fields, uri = self._fields("INVITE", source, user), self._uri(number)
        via, sender, call_id = (str(fields[name]) for name in ("Via", "From", "Call-ID"))
        fields["CSeq"] = "1 INVITE"
        self._invites.append(_Invite(uri, via, sender, call_id))
        return self._request("INVITE", uri, fields | {"To": f"<{uri}>"}, SDP)

    def _proof(self, user: str) -> str:
        nonce = self._random.choice((self._nonce, self._fresh()))
        return (
            f'Digest username="{user}", realm="{self._place.realm}", nonce="{nonce}", '
            f'uri="sip:{self._place.domain}", response="{self._fresh()}{self._fresh()}", algorithm=MD5, '
            f'qop=auth, nc=00000001, cnonce="{self._fresh()}"'
        )

    def _request(self, method: str, uri: str, fields: dict[str, Row], body: str = "") -> bytes:
        return message_bytes(f"{method} {uri} SIP/2.0", fields, body)
