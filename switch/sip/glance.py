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

_CALL_ID = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*[^\s])", re.I)
_TAG = re.compile(rb";[ \t]*tag[ \t]*=[ \t]*([^;,\s>]+)", re.I)
_VIA = re.compile(rb"\n(?:via|v)[ \t]*:[ \t]*([^\r\n,]*[^\s,])", re.I)
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


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
