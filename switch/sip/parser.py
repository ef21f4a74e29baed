"""Bytes to messages (RFC 3261 sections 7, 8.2, 18.3), tolerant as RFC 4475 asks, never raising.

The parse is lazy: start line and field rows are split, the fields that every element needs (Via, From, To,
Call-ID, CSeq, Content-Length, Max-Forwards, the Request-URI) are checked, everything else is read by
whoever wants it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from switch.malformed import Malformed
from switch.sip.headers import SINGLETONS, SPELLINGS, canonical, parse_cseq, parse_via
from switch.sip.message import Fields, Request, Response
from switch.sip.uri import parse_name_addr, split_values

MAX_HEADERS = 256
"""Field rows in one message; RFC 4475's longest has 60."""

_METHOD = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_VERSION = re.compile(r"SIP/\d+\.\d+\Z", re.I)
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A message that breaks the rules. With a `request`, as far as it could be read, it is answered with
    `status`; without one nothing may be sent: it is noise, an ACK or a response."""

    status: int
    reason: str
    request: Request | None = None


KEEP_ALIVE = object()
"""CRLF, double CRLF or nothing but zeros: a keep-alive (RFC 5626 section 3.5.1), not a message."""


def parse_datagram(data: bytes) -> Request | Response | Unparsable | object:
    """One datagram as a message; `KEEP_ALIVE` for a keep-alive. Bytes beyond Content-Length are ignored
    (section 18.3)."""
    if len(data) < 12 and not data.strip(b"\r\n\0"):
        return KEEP_ALIVE
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")  # section 7.5
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank and b"\n\n" in data:
        head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    text = head.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    stray = text.count("\r") >= len(lines)
    if text.count("\n") >= len(lines):
        lines = text.replace("\r\n", "\n").split("\n")
    first = lines[0]
    fields, fault = _read_fields(lines)
    if stray:  # some would read a line end here, and a field that nobody checked
        fault = fault or Malformed(400, "Bad line end")
    if first[:8].upper() == "SIP/2.0 ":
        return _response(first, fields, body, fault)
    return _request(first, fields, body, fault)


def _read_fields(lines: list[str]) -> tuple[Fields, Malformed | None]:
    """Every row by canonical name, folded rows joined; the first fault is kept and reading goes on."""
    fields: Fields = {}
    fault: Malformed | None = None
    rows: list[str] | None = None
    if len(lines) > MAX_HEADERS:
        return fields, Malformed(513, "Message Too Large")
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        key = SPELLINGS.get(name)
        if key is None or not colon:
            if line[:1] in (" ", "\t"):
                if rows is None:
                    fault = fault or Malformed(400, "Bad header")
                else:
                    rows[-1] = f"{rows[-1]} {line.strip()}".strip()
                continue
            if not colon:
                if line:
                    fault = fault or Malformed(400, "Bad header")
                rows = None
                continue
            try:
                key = canonical(name)
            except Malformed as error:
                fault, rows = fault or _bare(error), None
                continue
        rows = fields.get(key)
        if rows is None:
            fields[key] = rows = [value.strip()]
        else:
            if key in SINGLETONS and (key != "Content-Length" or value.strip() != rows[0]):
                fault = fault or Malformed(400, f"Repeated {key}")
            rows.append(value.strip())
    return fields, fault


def _bare(error: Malformed) -> Malformed:
    """What may be kept of an error. Its traceback would hold the frame that keeps it, and with that the
    datagram, until the garbage collector comes by."""
    return error.with_traceback(None)


def _response(first: str, fields: Fields, body: bytes, fault: Malformed | None) -> Response | Unparsable:
    status, _, reason = first[8:].partition(" ")
    if fault is not None:
        return Unparsable(fault.status, fault.reason)
    if len(status) != 3 or not (status.isascii() and status.isdigit()) or not "100" <= status <= "699":
        return Unparsable(400, "Bad Status-Line")
    response = Response(int(status), reason, fields, body)
    try:
        via, _, to, _, cseq = [_first(fields, name) for name in _MANDATORY]
        response._via = parse_via(split_values(via)[0] if "," in via else via)
        response._cseq = parse_cseq(cseq)
        response._recipient = parse_name_addr(to)
        response.body = _cut_body(fields, body)
    except Malformed as error:
        return Unparsable(error.status, error.reason)
    return response


def _request(first: str, fields: Fields, body: bytes, fault: Malformed | None) -> Request | Unparsable:
    method, _, rest = first.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not _METHOD.match(method):
        return Unparsable(400, "Bad Request-Line")
    if not version or not _VERSION.match(version):
        if not _VERSION.match(version.strip() or rest.rstrip().rpartition(" ")[2]):
            return Unparsable(400, "Bad Request-Line")
        fault = fault or Malformed(400, "Bad Request-Line")
    elif version.upper() != "SIP/2.0":
        fault = Malformed(505, "Version Not Supported")
    if not uri or uri[0] in " \t<" or uri[-1] in " \t>" or " " in uri or "\t" in uri:
        fault = fault or Malformed(400, "Bad Request-URI")
    request = Request(method, uri.strip(), fields, body)
    try:
        _check(request, body)
    except Malformed as error:
        fault = fault or _bare(error)
    if fault is None:
        return request
    answerable = method != "ACK" and fields.get("Via", [""])[0] != ""
    return Unparsable(fault.status, fault.reason, request if answerable else None)


def _check(request: Request, body: bytes) -> None:
    """What makes a request processable (RFC 3261 section 8.1.1), in the order that gives the most exact
    answer."""
    fields = request.fields
    via = _first(fields, "Via")
    request._via = parse_via(split_values(via)[0] if "," in via else via)
    sender, to, _, cseq = [_first(fields, name) for name in _MANDATORY[1:]]
    request._cseq = parse_cseq(cseq)
    if request._cseq[1] != request.method:
        raise Malformed(400, "CSeq method differs")
    request._sender = parse_name_addr(sender)
    request._recipient = parse_name_addr(to)
    request.body = _cut_body(fields, body)


def _first(fields: Fields, name: str) -> str:
    """The first row of a field that has to be there."""
    rows = fields.get(name)
    if not rows or not rows[0]:
        raise Malformed(400, f"Missing {name}")
    return rows[0]


def _cut_body(fields: Fields, body: bytes) -> bytes:
    length_rows = fields.get("Content-Length")
    if not length_rows:
        return body
    text = length_rows[0]
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Malformed(400, "Bad Content-Length")
    length = int(text)
    if length > len(body):
        raise Malformed(400, "Body shorter than Content-Length")
    return body[:length] if length < len(body) else body
