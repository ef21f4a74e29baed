"""A glance at a datagram, for whoever must decide before it is parsed: a few microseconds, never raising.

What is read here decides only whether the message goes on to the parser, which reads all of it again.
"""

from __future__ import annotations

import re

from switch.malformed import Malformed
from switch.sip.headers import parse_via
from switch.sip.transaction.key import MAGIC, ClientKey, ServerKey

HEAD = 4096
"""Bytes that are looked at; the header of an ordinary message has less than a thousand."""

_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*+:[ \t]*+([^\r\n]*[^\s])", re.I)
_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^;,\s>]+)", re.I)
_VIA = re.compile(rb"\n(?:via|v)[ \t]*+:[ \t]*+([^\r\n,]*[^\s,])", re.I)
_PROOF = re.compile(rb"\n(?:proxy-)?authorization[ \t]*+:", re.I)
_RPORT = re.compile(rb";[ \t]*+rport[ \t]*+(?=[;,\r])", re.I)
_REST = rb")[ \t]*+:[^\n]*\n(?:[ \t][^\n]*\n)*"
_VIA_ROW = re.compile(rb"^(?:via|v" + _REST, re.I | re.M)
_ANSWER_ROWS = [
    re.compile(rb"^(?:" + name + _REST, re.I | re.M)
    for name in (rb"to|t", rb"from|f", rb"call-id|i", rb"cseq")
]
"""The rows that an answer repeats besides Via; To comes first."""
_CSEQ = re.compile(rb"\ncseq[ \t]*:[ \t]*(\d{1,10})[ \t]+([^\s]+)", re.I)


def request_line(data: bytes) -> tuple[str, str]:
    """Method and Request-URI; two empty strings when it is no request."""
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    parts = data[:HEAD].partition(b"\n")[0].split()
    if len(parts) != 3 or parts[0][:4] == b"SIP/":
        return "", ""
    return parts[0].decode("latin-1"), parts[1].decode("utf-8", "surrogateescape")


def dialogs(data: bytes) -> list[tuple[str, str]]:
    """The dialogs it may belong to: its Call-ID with the tags of From and To, one of which is ours."""
    head = data[:HEAD]
    call_id = _CALL_ID.search(head)
    if call_id is None:
        return []
    return [(_text(call_id[1]), _text(tag)) for tag in _TAG.findall(head)]


def transaction(data: bytes) -> tuple[ClientKey, ServerKey] | None:
    """The transaction it would belong to, were it a response or a request; None when that cannot be seen."""
    head = data[:HEAD]
    row, cseq = _VIA.search(head), _CSEQ.search(head)
    if row is None or cseq is None:
        return None
    try:
        via = parse_via(_text(row[1]))
    except Malformed:
        return None
    if not via.branch.startswith(MAGIC):
        return None
    method = _text(cseq[2])
    of_server = "INVITE" if method == "ACK" else method
    return (via.branch, method), (via.branch, via.host, str(via.port), of_server, str(int(cseq[1])))


def has_credentials(data: bytes) -> bool:
    """Whether it seems to prove who sends it."""
    return _PROOF.search(data[:HEAD]) is not None


def refusal(data: bytes, remote: tuple[str, int], status: str, tag: str, field: str) -> bytes | None:
    """The answer to a request as far as it can be written without parsing it, sent back to where it came from
    (RFC 3261 section 8.2.6, RFC 3581); None where one of the rows is missing that make an answer.

    `tag` is put where To has none, `field` is one more row.
    """
    head = data[:HEAD].partition(b"\r\n\r\n")[0] + b"\r\n"
    vias = _VIA_ROW.findall(head)
    rows = [found[0] if (found := row.search(head)) else b"" for row in _ANSWER_ROWS]
    if not vias or not all(rows):
        return None
    host, port = remote
    vias[0] = _RPORT.sub(f";rport={port};received={host}".encode(), vias[0], count=1)
    if _TAG.search(rows[0]) is None:
        rows[0] = rows[0].rstrip() + f";tag={tag}\r\n".encode()
    tail = f"{field}\r\nContent-Length: 0\r\n\r\n".encode()
    return b"".join([f"SIP/2.0 {status}\r\n".encode(), *vias, *rows, tail])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
