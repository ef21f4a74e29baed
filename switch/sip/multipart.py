"""Bodies of several parts (RFC 2046 section 5.1, RFC 5621): finding the part that is wanted.

Written for input from anybody: one pass over the bytes for each level, and no more than `DEPTH` levels.
Parts are binary, as SIP has them; other transfer encodings (RFC 3261 section 7.4.1 asks for none) are left
as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest

from switch.malformed import Malformed
from switch.sip.uri import split_params

DEPTH = 3
_TYPE = re.compile(rb"^(?:content-type|c)[ \t]*:[ \t]*([^\n]*)", re.I | re.M)


def find_part(body: bytes, content_type: str, wanted: str, depth: int = DEPTH) -> bytes:
    """The content of the first part of media type `wanted`, with LF line ends; b'' when there is none."""
    if depth == 0:
        return b""
    for kind, content in _parts(body, content_type):
        media_type = kind.partition(";")[0].strip().lower()
        if media_type == wanted:
            return content
        if media_type.startswith("multipart/") and (inner := find_part(content, kind, wanted, depth - 1)):
            return inner
    return b""


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]]:
    """Content-Type and content of each part, up to the closing delimiter."""
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
        found = _TYPE.search(re.sub(rb"\n[ \t]+", b" ", head))
        yield (found[1].decode("utf-8", "surrogateescape") if found is not None else "text/plain"), content
