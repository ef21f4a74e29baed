"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966), name-addr and the parameters behind it (section
20.10).

Parsing is tolerant where RFC 4475 tolerates and strict where a wrong reading would be a hole. Values are
kept as they were written; `unescape` undoes percent-encoding exactly once, where a user part is compared.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

from switch.malformed import Malformed

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._\-]+)\Z")
_BAD_IN_URI = re.compile(r'[\s<>"\x00-\x1f\x7f]')
_PLAIN_PARAMS = re.compile(r';[^\s",]*\Z')
_PLAIN_NAME_ADDR = re.compile(r'(?:"([^"\\]*)"|([^<>":;,\s]*))[ \t]*<([^<>"\s\x00-\x1f\x7f]+)>(;[^\s",]*|)\Z')
_PARAM = re.compile(r'\s*;\s*([^=;,\s"]+)(?:\s*=\s*("(?:[^"\\]|\\.)*"|[^;,\s"]*))?\s*', re.S)


def unescape(text: str) -> str:
    """Percent-decoding, once (`%2541` becomes `%41`)."""
    return unquote(text, errors="surrogateescape") if "%" in text else text


def split_params(text: str) -> dict[str, str | None]:
    """`;name=value;flag` as a dict with lower-case names; a flag's value is None.

    Raises:
        Malformed: when something else stands between the semicolons (400).
    """
    params: dict[str, str | None] = {}
    if not text:
        return params
    if _PLAIN_PARAMS.match(text):  # what nearly all of them look like; the rest is for the full grammar below
        return plain_params(text)
    position, end = 0, len(text)
    while position < end:
        match = _PARAM.match(text, position)
        if match is None:
            raise Malformed(400, "Bad parameter")
        quoted = match[2]
        params.setdefault(match[1].lower(), quoted[1:-1] if quoted and quoted[0] == '"' else quoted)
        position = match.end()
    return params


def plain_params(text: str) -> dict[str, str | None]:
    """The same for what is known to hold no quotes, commas and blanks.

    Raises:
        Malformed: a parameter has no name (400).
    """
    params: dict[str, str | None] = {}
    if text:
        for part in text[1:].split(";"):
            name, equals, value = part.partition("=")
            if not name:
                raise Malformed(400, "Bad parameter")
            params.setdefault(name.lower(), value if equals else None)
    return params


class Uri(NamedTuple):
    """A parsed sip or sips URI. `host` is lower-case, IPv6 without brackets; `port` 0 means none was
    given."""

    scheme: str
    user: str
    host: str
    port: int
    params: str
    headers: str

    def number(self) -> str:
        """The user part for routing: unescaped, without parameters of a telephone-subscriber."""
        return unescape(self.user).partition(";")[0]


def parse_uri(text: str) -> Uri:
    """A sip, sips or tel URI.

    A tel URI comes back as a Uri with scheme `tel`, the number as `user` and an empty host.

    Raises:
        Malformed: 400 for bad syntax, 416 for another scheme (RFC 3261 section 8.2.2.1).
    """
    scheme, colon, rest = text.partition(":")
    if scheme not in ("sip", "sips"):
        scheme = scheme.lower()
        if not colon or not _SCHEME.match(scheme) or _BAD_IN_URI.search(text):
            raise Malformed(400, "Bad URI")
        if scheme == "tel":
            number, semicolon, params = rest.partition(";")
            return Uri("tel", number, "", 0, semicolon + params, "")
        if scheme not in ("sip", "sips"):
            raise Malformed(416, "Unsupported URI Scheme")
    elif _BAD_IN_URI.search(rest):
        raise Malformed(400, "Bad URI")
    user, at, hostpart = rest.rpartition("@")
    if at and not user:
        raise Malformed(400, "Bad URI")
    hostpart, question, headers = hostpart.partition("?")
    hostport, semicolon, params = hostpart.partition(";")
    host, port = split_host_port(hostport)
    return Uri(
        scheme,
        user.partition(":")[0] if ":" in user else user,
        host,
        port,
        semicolon + params,
        question + headers,
    )


def split_host_port(text: str) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]`, `[v6]:port`; the port is 0 when none is given.

    Raises:
        Malformed: 400.
    """
    if text[:1] == "[":
        host, bracket, tail = text.partition("]")
        host += bracket
        if tail and tail[0] != ":":
            raise Malformed(400, "Bad host")
        port_text = tail[1:]
    else:
        host, _, port_text = text.partition(":")
    if not _HOST.match(host):
        raise Malformed(400, "Bad host")
    port = 0
    if port_text:
        if not (
            port_text.isascii() and port_text.isdigit() and len(port_text) <= 5 and int(port_text) <= 65535
        ):
            raise Malformed(400, "Bad port")
        port = int(port_text)
    return (host[1:-1] if host[0] == "[" else host).lower(), port


def bracketed(host: str) -> str:
    """The host as it stands in a URI, Via or SDP-free context: IPv6 literals in brackets."""
    return f"[{host}]" if ":" in host else host


class NameAddr(NamedTuple):
    """`"Display" <uri>;params` as in From, To, Contact and Route; `uri` is text, parsed by whoever needs
    it."""

    display: str
    uri: str
    params: dict[str, str | None]

    @property
    def tag(self) -> str | None:
        """The dialog tag (RFC 3261 section 19.3)."""
        return self.params.get("tag")


def parse_name_addr(text: str) -> NameAddr:
    """One name-addr or addr-spec with its header parameters.

    Without angle brackets every `;` parameter belongs to the header, and a `?` or `,` in the URI is an error
    (RFC 3261 section 20.10; RFC 4475 sections 3.1.2.13 and 3.3.12).

    Raises:
        Malformed: 400.
    """
    plain = _PLAIN_NAME_ADDR.match(text)
    if plain is not None:
        quoted, token, uri, params = plain.groups()
        return NameAddr(quoted or token or "", uri, plain_params(params))
    text = text.strip()
    display = ""
    if text[:1] == '"':
        end = _closing_quote(text)
        display, text = text[1:end], text[end + 1 :].lstrip()
        if text[:1] != "<":
            raise Malformed(400, "Bad name-addr")
    left = text.find("<")
    if left < 0:
        uri, semicolon, params = text.partition(";")
        uri = uri.strip()
        if not uri or "?" in uri or "," in uri or ":" not in uri or _BAD_IN_URI.search(uri):
            raise Malformed(400, "Bad address")
        return NameAddr("", uri, split_params(semicolon + params))
    if left:
        display = text[:left].strip()
        if "," in display or ";" in display or ":" in display.replace("::", ""):
            raise Malformed(400, "Bad display name")
    right = text.find(">", left)
    if right < 0:
        raise Malformed(400, "Bad name-addr")
    uri = text[left + 1 : right]
    if not uri or _BAD_IN_URI.search(uri):
        raise Malformed(400, "Bad address")
    return NameAddr(display, uri, split_params(text[right + 1 :].strip()))


def _closing_quote(text: str) -> int:
    position = 1
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == '"':
            return position
        position += 1
    raise Malformed(400, "Unterminated quote")


def split_values(text: str) -> list[str]:
    """The comma-separated values of one header field row, minding quotes and angle brackets."""
    if "," not in text:
        return [text.strip()]
    values: list[str] = []
    start, position, quoted, angle = 0, 0, False, False
    while position < len(text):
        char = text[position]
        if quoted:
            if char == "\\":
                position += 1
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char == "," and not angle:
            values.append(text[start:position].strip())
            start = position + 1
        position += 1
    values.append(text[start:].strip())
    return values
