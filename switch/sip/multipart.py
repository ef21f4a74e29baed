"""Bodies of several parts (RFC 2046 section 5.1, RFC 5621): finding the part that is wanted, writing them.

The reader is written for input from anybody: one pass over the bytes for each level, and no more than `DEPTH`
levels. Parts are binary, as SIP has them; other transfer encodings (RFC 3261 section 7.4.1 asks for none) are
left as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest

from switch.malformed import Malformed
from switch.sip.uri import split_params

DEPTH = 3

# For a part that a header field points to by its Content-ID (RFC 5621 section 9); optional, or a receiver
# that does not know its type would have to refuse the whole request with 415.
BY_REFERENCE = "by-reference;handling=optional"
_ID = re.compile(rb"^content-id[ \t]*:[ \t]*<?([^>\s]*)", re.I | re.M)
_TYPE = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*([^\n]*)", re.I | re.M)


def find_part(body: bytes, content_type: str, wanted: str, depth: int = DEPTH) -> bytes:
    """The content of the first part of media type `wanted`, with LF line ends; b'' when there is none."""
    if depth == 0:
        return b""
    for kind, content, _ in _parts(body, content_type):
        media_type = kind.partition(";")[0].strip().lower()
        if media_type == wanted:
            return content
        if media_type.startswith("multipart/") and (inner := find_part(content, kind, wanted, depth - 1)):
            return inner
    return b""


def identified(body: bytes, content_type: str) -> dict[str, tuple[str, bytes]]:
    """Media type and content (with LF line ends) of the parts that have a Content-ID, by that, without angle
    brackets; none for a body that is not multipart."""
    found: dict[str, tuple[str, bytes]] = {}
    if content_type.strip().lower().startswith("multipart/"):
        for kind, content, content_id in _parts(body, content_type):
            if content_id:
                found.setdefault(content_id, (kind.partition(";")[0].strip().lower(), content))
    return found


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, bytes, str]]:
    """Content-Type, content and Content-ID of each part, up to the closing delimiter."""
    _, semicolon, params = content_type.partition(";")
    try:
        boundary = split_params(semicolon + params).get("boundary")
    except Malformed:
        return
    if not boundary:
        return
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    text = b"\n" + body.replace(b"\r\n", b"\n")
    delimiters = list(re.finditer(rb"\n--" + mark + rb"(--)?[ \t]*(?=\n|\Z)", text))
    for delimiter, following in zip_longest(delimiters, delimiters[1:]):
        if delimiter[1]:
            return
        part = text[delimiter.end() : following and following.start()]
        head, _, content = part.partition(b"\n\n")
        head = re.sub(rb"\n[ \t]+", b" ", head)
        kind, name = _TYPE.search(head), _ID.search(head)
        yield (
            kind[1].decode("utf-8", "surrogateescape") if kind is not None else "text/plain",
            content,
            name[1].decode("utf-8", "surrogateescape") if name is not None else "",
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a body: its content as it goes on the wire and what its header fields say.

    `content_id` is without angle brackets; an empty `content_id` or `disposition` is not written. None of the
    texts may hold a line end.
    """

    content_type: str
    content: bytes
    content_id: str = ""
    disposition: str = ""


def mixed(parts: Sequence[Part], boundary: str) -> tuple[str, bytes]:
    """The Content-Type and the bytes of a `multipart/mixed` body with these parts, in this order.

    `boundary` is letters, digits and hyphens, 60 of them at most. Where a part happens to hold it, a number
    is put behind it, so that no part can be cut in two. At least one part is needed (RFC 2046 section 5.1.1).
    """
    mark = boundary
    for attempt in count(1):
        if not any(b"--" + mark.encode() in part.content for part in parts):
            break
        mark = f"{boundary}-{attempt}"
    body = b"".join(
        b"--%b\r\n%b\r\n%b\r\n" % (mark.encode(), _head(part).encode(), part.content) for part in parts
    )
    return f"multipart/mixed;boundary={mark}", body + b"--%b--\r\n" % mark.encode()


def _head(part: Part) -> str:
    rows = [f"Content-Type: {part.content_type}\r\n"]
    if part.content_id:
        rows.append(f"Content-ID: <{part.content_id}>\r\n")
    if part.disposition:
        rows.append(f"Content-Disposition: {part.disposition}\r\n")
    return "".join(rows)
