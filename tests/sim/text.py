"""SIP as plain text, as the parties of the simulation write and read it: no line is shared with `switch.sip`,
so that one misunderstanding cannot sit on both sides of the wire. Reading is strict: a party is the judge of
what the switch sends."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

_REQUEST = re.compile(r"([A-Z]+) (\S+) SIP/2\.0\Z")
_STATUS = re.compile(r"SIP/2\.0 ([1-6]\d\d) (.*)\Z")
_ONCE = ("From", "To", "Call-ID", "CSeq", "Content-Length", "Max-Forwards", "Contact", "Content-Type")


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a body: media type, Content-ID without brackets, content."""

    kind: str
    content_id: str
    content: str


def _part(text: str) -> BodyPart:
    head, blank, content = text.removeprefix("\r\n").partition("\r\n\r\n")
    assert blank, text
    rows = dict(row.split(": ", 1) for row in head.split("\r\n"))
    return BodyPart(
        rows["Content-Type"], rows.get("Content-ID", "").strip("<>"), content.removesuffix("\r\n")
    )


@dataclass(slots=True)
class Sip:
    """One message: start line, header rows in order, body."""

    start: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    body: str = ""

    @property
    def method(self) -> str:
        """The method of a request, '' for a response."""
        match = _REQUEST.match(self.start)
        return match[1] if match else ""

    @property
    def uri(self) -> str:
        """The Request-URI."""
        match = _REQUEST.match(self.start)
        return match[2] if match else ""

    @property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        match = _STATUS.match(self.start)
        return int(match[1]) if match else 0

    def get(self, name: str) -> str:
        """The first row of that name, '' when there is none."""
        return next((value for key, value in self.rows if key == name), "")

    def all(self, name: str) -> list[str]:
        """Every row of that name."""
        return [value for key, value in self.rows if key == name]

    @property
    def cseq(self) -> int:
        """The CSeq number."""
        return int(self.get("CSeq").split()[0])

    @property
    def asked(self) -> str:
        """The CSeq method: what a response answers."""
        return self.get("CSeq").split()[1]

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.get("Call-ID")

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        return param(self.get("Via"), "branch")

    @property
    def sdp(self) -> str:
        """The session description, alone or as the first part of a body of several."""
        if self.get("Content-Type") in ("", "application/sdp"):
            return self.body
        return next((part.content for part in self.parts if part.kind == "application/sdp"), "")

    @property
    def parts(self) -> list[BodyPart]:
        """The parts of a multipart/mixed body, in order; none of any other."""
        kind, _, mark = self.get("Content-Type").partition(";boundary=")
        if kind != "multipart/mixed":
            return []
        *parts, end = self.body.split(f"--{mark}")[1:]
        assert end == "--\r\n", end
        return [_part(text) for text in parts]

    def tag(self, name: str) -> str:
        """The tag of From or To."""
        return param(self.get(name), "tag")

    def encode(self) -> bytes:
        """As it goes out."""
        rows = [*self.rows, ("Content-Length", str(len(self.body.encode())))]
        return "\r\n".join(
            [self.start, *(f"{name}: {value}" for name, value in rows), "", self.body]
        ).encode()


def read(data: bytes) -> Sip:
    """A datagram of the switch; an AssertionError names what is wrong with it."""
    head, blank, body = data.decode().partition("\r\n\r\n")
    assert blank, "no empty line after the header"
    start, *lines = head.split("\r\n")
    message = Sip(start, body=body)
    assert message.method or message.status, f"no start line: {start!r}"
    for line in lines:
        name, colon, value = line.partition(": ")
        assert colon, f"no header row: {line!r}"
        assert value == value.strip(), f"stray blanks: {line!r}"
        message.rows.append((name, value))
    for name in ("Via", "From", "To", "Call-ID", "CSeq", "Content-Length"):
        assert message.get(name), f"{name} is missing: {start}"
    for name in _ONCE:
        many = name == "Contact" and message.asked == "REGISTER"
        assert many or len(message.all(name)) <= 1, f"{name} is repeated: {start}"
    assert int(message.get("Content-Length")) == len(body.encode()), "Content-Length is wrong"
    assert bool(body) == bool(message.get("Content-Type")), f"body and Content-Type do not agree: {start}"
    if message.method:
        assert message.asked == message.method, "CSeq names another method"
        assert message.get("Max-Forwards").isdigit(), "Max-Forwards is missing"
        assert message.branch.startswith("z9hG4bK"), "branch without its cookie"
        assert message.tag("From"), "From without a tag"
        if message.method == "INVITE":
            assert message.get("Contact"), "INVITE without Contact"
    return message


def param(value: str, name: str) -> str:
    """A header parameter behind the last `>`; '' when it is absent."""
    match = re.search(rf";{name}=([^;,\s>]+)", value[value.rfind(">") + 1 :])
    return match[1] if match else ""


def address_in(value: str) -> str:
    """What stands between the angle brackets."""
    match = re.search(r"<([^>]*)>", value)
    return match[1] if match else value.partition(";")[0].strip()


def user_in(uri: str) -> str:
    """The user part of a URI; the rest of a URN."""
    _, _, rest = uri.partition(":")
    return rest.partition("@")[0].partition(";")[0] if "@" in rest else rest


def digest_answer(challenge: str, method: str, uri: str, user: str, password: str, nc: int = 1) -> str:
    """Credentials for an MD5 challenge with qop=auth (RFC 7616 section 3.4)."""
    values = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    cnonce = "c0ffee"
    secret = _md5(f"{user}:{values['realm']}:{password}")
    middle = f"{values['nonce']}:{nc:08x}:{cnonce}:auth"
    response = _md5(f"{secret}:{middle}:{_md5(f'{method}:{uri}')}")
    return (
        f'Digest username="{user}", realm="{values["realm"]}", nonce="{values["nonce"]}", uri="{uri}", '
        f'algorithm=MD5, response="{response}", qop=auth, nc={nc:08x}, cnonce="{cnonce}"'
    )


def digest_right(credentials: str, method: str, user: str, password: str) -> bool:
    """Whether credentials of the switch answer a challenge of ours."""
    values = dict(re.findall(r'(\w+)="?([^",]*)"?', credentials))
    secret = _md5(f"{user}:{values['realm']}:{password}")
    middle = f"{values['nonce']}:{values['nc']}:{values['cnonce']}:auth"
    expected = _md5(f"{secret}:{middle}:{_md5(f'{method}:' + values['uri'])}")
    return (str(values["username"]), str(values["response"])) == (user, expected)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


SUITE = "AES_CM_128_HMAC_SHA1_80"


def sdp(
    mark: str,
    host: str,
    port: int,
    version: int,
    direction: str = "sendrecv",
    crypto: tuple[str, str] = ("", ""),
) -> str:
    """A session description with one audio stream, with SRTP where there are tag and key of a `crypto`."""
    tag, key = crypto
    return "\r\n".join(
        [
            "v=0",
            f"o={mark} {port} {version} IN IP4 {host}",
            f"s={mark}",
            f"c=IN IP4 {host}",
            "t=0 0",
            f"m=audio {port} RTP/{'SAVP' if key else 'AVP'} 8 0 101",
            "a=rtpmap:101 telephone-event/8000",
            *([f"a=crypto:{tag} {SUITE} inline:{key}"] if key else []),
            f"a={direction}",
            "",
        ]
    )


def crypto_of(body: str) -> tuple[str, str]:
    """Tag and key of a description with SRTP; ('', '') of one without."""
    match = re.search(rf"RTP/SAVP .*\r\na=crypto:(\d+) {SUITE} inline:(\S+)", body, re.DOTALL)
    return (match[1], match[2]) if match else ("", "")


def direction_of(body: str) -> str:
    """The direction attribute of a description."""
    match = re.search(r"a=(sendrecv|sendonly|recvonly|inactive)", body)
    return match[1] if match else "sendrecv"


def mirrored(direction: str) -> str:
    """What an answerer says to an offered direction (RFC 3264 section 6.1)."""
    return {"sendonly": "recvonly", "recvonly": "sendonly"}.get(direction, direction)


def media_in(body: str) -> tuple[str, int]:
    """Where a description wants its first stream."""
    host = re.search(r"c=IN IP[46] (\S+)", body)
    port = re.search(r"m=\w+ (\d+)", body)
    return (host[1] if host else "", int(port[1]) if port else 0)
