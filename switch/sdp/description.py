"""One SDP body: where each medium is to be sent, and the same body with our addresses in it (RFC 8866, RFC
3264).

Editing keeps every line that it does not have to change, known or not. What would show the other party's
addresses or equipment is replaced (o=, s=, c=, ports) or left out (ICE candidates, RFC 8839; a=rtcp, RFC
3605): the switch anchors the media, so those lines would be untrue.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from switch.malformed import Malformed

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
MAX_MEDIA = 8
"""Media sections relayed in one call; more are a broken or hostile description."""

_HIDDEN = (
    "a=candidate:",
    "a=remote-candidates:",
    "a=ice-",
    "a=end-of-candidates",
    "a=rtcp:",
    "a=alt:",
    "a=source-filter:",
    "a=path:",
)
UNSPECIFIED = ("0.0.0.0", "::")
_STATIC = {0: "PCMU/8000", 8: "PCMA/8000"}
_DYNAMIC = re.compile(r"9[6-9]|1[01]\d|12[0-7]", re.ASCII)
"""Payload types that a=rtpmap alone names (RFC 3551 section 6)."""
_HOST = re.compile(r"[0-9a-z.:_\-]+\Z")


@dataclass(slots=True)
class Media:
    """One m= section. `host` and `port` are where its sender wants to receive; `lines` follow the m= line."""

    kind: str
    port: int
    proto: str
    formats: str
    lines: list[str]
    host: str = ""
    direction: str = "sendrecv"
    rtcp_host: str = ""
    rtcp_port: int = 0
    mux: bool = False
    crypto: bool = False
    """Whether it names keys of SRTP (a=crypto, RFC 4568)."""
    dtls: bool = False
    """Whether its keys may come by DTLS (RFC 5763)."""

    @property
    def relayed(self) -> bool:
        """Whether packets can flow through the relay: not rejected, and carried by UDP."""
        return self.port != 0 and (self.proto.upper().startswith("RTP/") or "UDP" in self.proto.upper())

    @property
    def rtp(self) -> bool:
        """Whether RTCP goes beside it (T.38 over UDPTL has none)."""
        return "RTP/" in self.proto.upper()

    @property
    def clock_rate(self) -> int:
        """The RTP clock of its first format in Hz (a=rtpmap); 8000 where none is said, 0 where it is no
        RTP."""
        if not self.rtp:
            return 0
        rate = self.encoding(self.formats.partition(" ")[0]).split("/")[1:2]
        return (
            int(rate[0])
            if rate and rate[0].isascii() and rate[0].isdigit() and len(rate[0]) <= 6 and int(rate[0])
            else 8000
        )

    @property
    def g711(self) -> dict[int, str]:
        """The payload types in which its sender takes "PCMA" or "PCMU" at 8000 Hz, the one it likes best
        first (RFC 3264 section 5.1). 8 and 0 need no a=rtpmap (RFC 3551 section 6). Empty where the payload
        is encrypted."""
        if self.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
            return {}
        found: dict[int, str] = {}
        for text in self.formats.split():
            if not (text.isascii() and text.isdigit() and len(text) <= 3):
                continue
            payload_type = int(text)
            if payload_type > 127 or 64 <= payload_type <= 95:  # those would be taken for RTCP (RFC 5761)
                continue
            encoding = self.encoding(text) or _STATIC.get(payload_type, "")
            name, _, rate = encoding.strip().upper().partition("/")
            if name in ("PCMA", "PCMU") and rate in ("8000", "8000/1"):
                found[payload_type] = name
        return found

    def of_both(self, other: Media) -> Media:
        """The same with those formats only that `other` has too, by payload type; all where there are none.
        An answer names each by the offer's (RFC 3264 section 6.1)."""
        theirs = other.formats.split()
        kept = [one for one in self.formats.split() if one in theirs]
        return replace(self, formats=" ".join(kept)) if kept else self

    @property
    def event_type(self) -> int:
        """The payload type in which its sender takes telephone events (RFC 4733) at the clock of its first
        format; -1: in none, or nobody but the parties can read it."""
        if self.dtls or self.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
            return -1
        wanted, formats = f"telephone-event/{self.clock_rate}", self.formats.split()
        for line in self.lines:
            if line.startswith("a=rtpmap:"):
                payload_type, _, encoding = line[9:].partition(" ")
                if encoding.strip().lower() == wanted and payload_type in formats:
                    return int(payload_type) if _DYNAMIC.fullmatch(payload_type) else -1
        return -1

    @property
    def held(self) -> bool:
        """Whether its sender does not want to receive now (RFC 3264 section 8.4, and the older 0.0.0.0)."""
        return self.host in UNSPECIFIED or self.direction in ("sendonly", "inactive")

    def encoding(self, payload_type: str) -> str:
        """What a=rtpmap says of a format: name/clock rate, perhaps /channels; empty where it says nothing."""
        mark = f"a=rtpmap:{payload_type} "
        return next((line[len(mark) :] for line in self.lines if line.startswith(mark)), "")


@dataclass(slots=True)
class Description:
    """A parsed body: session-level lines and media sections, in order."""

    lines: list[str]
    media: list[Media] = field(default_factory=list)

    @property
    def talking(self) -> bool:
        """Whether at least one medium flows both ways, so that silence would mean trouble."""
        return any(m.port and m.direction == "sendrecv" and m.host not in UNSPECIFIED for m in self.media)


def parse(body: bytes) -> Description:
    """Read a body.

    Raises:
        Malformed: 400 when it is no SDP, 488 when it asks for more than the switch relays.
    """
    text = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").strip("\n")
    lines = text.split("\n")
    if not lines[0].startswith("v=0"):
        raise Malformed(400, "Bad SDP")
    session: list[str] = []
    media: list[Media] = []
    current = session
    for line in lines:
        if len(line) < 2 or line[1] != "=":
            raise Malformed(400, "Bad SDP")
        if line[0] == "m":
            section = _media_line(line)
            media.append(section)
            current = section.lines
        else:
            current.append(line)
    if len(media) > MAX_MEDIA:
        raise Malformed(488, "Too many media")
    session_host, session_direction = _scan(session, None)
    fingerprint = any(line.startswith("a=fingerprint:") for line in session)
    for section in media:
        host, direction = _scan(section.lines, section)
        section.host = host or session_host
        section.dtls = fingerprint or any(line.startswith("a=fingerprint:") for line in section.lines)
        section.direction = direction or session_direction or "sendrecv"
        if section.port and not section.host:
            raise Malformed(400, "SDP without connection address")
    return Description(session, media)


def resumed(body: bytes) -> bytes:
    """The same body without any direction, which means both (RFC 3264 section 5.1): what a party that was put
    on hold would offer if it were not."""
    held = tuple(f"a={one}" for one in DIRECTIONS)
    text = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    kept = [line for line in text.split("\n") if line not in held]
    return "\r\n".join(kept).encode("utf-8", "surrogateescape")


def _media_line(line: str) -> Media:
    parts = line[2:].split(" ", 3)
    if len(parts) < 4:
        raise Malformed(400, "Bad SDP media line")
    port = parts[1].partition("/")[0]
    if not _is_port(port):
        raise Malformed(400, "Bad SDP media port")
    return Media(parts[0], int(port), parts[2], parts[3], [])


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


def _scan(lines: list[str], section: Media | None) -> tuple[str, str]:
    """The connection host and direction said at this level; a=rtcp and a=rtcp-mux into `section`."""
    host = direction = ""
    for line in lines:
        if line.startswith("c="):
            host = host or _connection_host(line)
        elif line[2:] in DIRECTIONS and line[0] == "a":
            direction = line[2:]
        elif section is not None and line.startswith("a=crypto:"):
            section.crypto = True
        elif section is not None and line.startswith("a=rtcp"):
            if line == "a=rtcp-mux":
                section.mux = True
            elif line.startswith("a=rtcp:"):
                parts = line[7:].split()
                if parts and _is_port(parts[0]) and int(parts[0]):
                    section.rtcp_port = int(parts[0])
                    section.rtcp_host = parts[3] if len(parts) == 4 else ""
    return host, direction


def _connection_host(line: str) -> str:
    parts = line[2:].split()
    if len(parts) != 3 or parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
        raise Malformed(400, "Bad SDP connection")
    host = parts[2].partition("/")[0].lower()
    if not _HOST.match(host):
        raise Malformed(400, "Bad SDP connection")
    return host


def print_with(description: Description, host: str, ports: list[int]) -> str:
    """The body from the line after o= on, with `host` and one of `ports` for each medium (0 rejects it).
    `v=0` and our own origin go before it: the version in there depends on whether the rest has changed."""
    family = "IP6" if ":" in host else "IP4"
    ours = f"c=IN {family} {host}"
    out: list[str] = []
    for line in description.lines:
        kind = line[0]
        if kind == "s":
            out.append("s=-")
        elif kind not in "ov":
            _copy(line, ours, family, out)
    for section, port in zip(description.media, ports, strict=True):
        out.append(f"m={section.kind} {port} {section.proto} {section.formats}")
        for line in section.lines:
            _copy(line, ours, family, out)
    out.append("")
    return "\r\n".join(out)


def _copy(line: str, connection: str, family: str, out: list[str]) -> None:
    if line[0] == "c":
        if _connection_host(line) in UNSPECIFIED:  # hold in the manner of RFC 2543 stays a hold
            connection = f"c=IN {family} {'::' if family == 'IP6' else '0.0.0.0'}"
        out.append(connection)
    elif not line.startswith(_HIDDEN):
        out.append(line)
