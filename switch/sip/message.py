"""SIP messages as values on the way through: start line, header fields, body (RFC 3261 section 7).

Fields are kept by canonical name, each with its rows in order: order between different names carries no
meaning (section 7.3.1). A message that the parser made carries its validated core values (`cseq`, `via`,
`sender`, `recipient`); messages built here are printed with `encode` and read back by nobody.
"""

from __future__ import annotations

from switch.sip.headers import Via, parse_cseq, parse_via
from switch.sip.multipart import find_part
from switch.sip.uri import NameAddr, parse_name_addr, split_values

Fields = dict[str, list[str]]
SDP_TYPE = "application/sdp"

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    433: "Anonymity Disallowed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}


class Message:
    """What requests and responses share."""

    __slots__ = ("_cseq", "_recipient", "_sender", "_via", "body", "fields")

    def __init__(self, fields: Fields, body: bytes) -> None:
        self.fields = fields
        self.body = body
        self._via: Via | None = None
        self._cseq: tuple[int, str] | None = None
        self._sender: NameAddr | None = None
        self._recipient: NameAddr | None = None

    def get(self, name: str) -> str | None:
        """The first row of a field, or None; `name` in its canonical spelling."""
        rows = self.fields.get(name)
        return rows[0] if rows else None

    def rows(self, name: str) -> list[str]:
        """Every row of a field as received; a row may hold several comma-separated values."""
        return self.fields.get(name, [])

    def values(self, name: str) -> list[str]:
        """Every value of a comma-separated field, in order."""
        return [value for row in self.fields.get(name, ()) for value in split_values(row) if value]

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.fields["Call-ID"][0]

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = parse_via(split_values(self.fields["Via"][0])[0])
        return self._via

    @property
    def cseq(self) -> tuple[int, str]:
        """CSeq number and method."""
        if self._cseq is None:
            self._cseq = parse_cseq(self.fields["CSeq"][0])
        return self._cseq

    @property
    def sender(self) -> NameAddr:
        """From."""
        if self._sender is None:
            self._sender = parse_name_addr(self.fields["From"][0])
        return self._sender

    @property
    def recipient(self) -> NameAddr:
        """To."""
        if self._recipient is None:
            self._recipient = parse_name_addr(self.fields["To"][0])
        return self._recipient

    @property
    def content_type(self) -> str:
        """The media type of the body without parameters, in lower case; '' without a body or a type."""
        return (self.get("Content-Type") or "").partition(";")[0].strip().lower()

    @property
    def sdp(self) -> bytes:
        """The session description: the body, or the first such part of a multipart body (RFC 5621); b''
        when there is none."""
        kind = self.content_type
        if kind == SDP_TYPE or not self.body:
            return self.body
        if not kind.startswith("multipart/"):
            return b""
        return find_part(self.body, self.get("Content-Type") or "", SDP_TYPE)

    def start_line(self) -> str:
        """The first line, without its line end."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """The message on the wire; Content-Length is always ours."""
        lines = [self.start_line()]
        for name, rows in self.fields.items():
            if name != "Content-Length":
                for row in rows:
                    lines.append(f"{name}: {row}")
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


class Request(Message):
    """A request. `uri` is the Request-URI as text."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.method = method
        self.uri = uri

    def start_line(self) -> str:
        """Request-Line (RFC 3261 section 7.1)."""
        return f"{self.method} {self.uri} SIP/2.0"

    def __repr__(self) -> str:
        return f"<{self.method} {self.uri}>"


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, fields: Fields, body: bytes = b"") -> None:
        super().__init__(fields, body)
        self.status = status
        self.reason = reason

    def start_line(self) -> str:
        """Status-Line (RFC 3261 section 7.2)."""
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<{self.status} {self.reason}>"


def respond(
    request: Request,
    status: int,
    *,
    tag: str = "",
    reason: str = "",
    fields: Fields | None = None,
    body: bytes = b"",
) -> Response:
    """A response to `request` (RFC 3261 section 8.2.6): Via, From, To, Call-ID and CSeq copied, `tag`
    added to To where it has none, Record-Route copied for what can make a dialog (section 12.1.1)."""
    theirs = request.fields
    ours: Fields = {}
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        rows = theirs.get(name)
        if rows:
            ours[name] = rows
    to = ours.get("To")
    if tag and to and status > 100 and not _has_tag(request, to[0]):
        ours["To"] = [f"{to[0]};tag={tag}"]
    if 100 < status < 300 and "Record-Route" in theirs:
        ours["Record-Route"] = theirs["Record-Route"]
    if status == 100 and "Timestamp" in theirs:
        ours["Timestamp"] = theirs["Timestamp"]
    if fields:
        ours.update(fields)
    return Response(status, reason or REASONS.get(status, "Unknown"), ours, body)


def _has_tag(request: Request, to: str) -> bool:
    """Whether To has a tag; of a To that nobody could read yet, whether it looks so."""
    recipient = request._recipient
    return recipient.tag is not None if recipient is not None else "tag=" in to.lower()
