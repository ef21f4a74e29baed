"""A run as a ladder of text: who sent what to whom, and when. For golden files, what chance made is replaced
by holes that are numbered in order of appearance, so that the same Call-ID is the same hole on every line."""

from __future__ import annotations

import re
from collections.abc import Iterable

from switch.ports import NS_PER_MS
from tests.sim.network import Hop, Network
from tests.sim.text import Sip, direction_of, media_in
from tests.sim.world import MEDIA_HOST, World

_SHOWN = ("Reason", "Retry-After", "Privacy", "P-Asserted-Identity", "Unsupported", "Info-Package")


def ladder(world: World, first: int = 0) -> str:
    """All datagrams from the `first` on, one a line."""
    hops = world.network.hops[first:]
    start_ns = hops[0].at_ns if hops else 0
    return "\n".join(f"{(hop.at_ns - start_ns) // NS_PER_MS:7}  {rung(world.network, hop)}" for hop in hops)


def rung(network: Network, hop: Hop) -> str:
    """One datagram: parties, start line, and what of its header and body tells something."""
    source = network.names.get(hop.source, "?")
    target = network.names.get(hop.target, hop.target.host)
    head, _, body = hop.data.decode(errors="replace").partition("\r\n\r\n")
    start, *rows = head.split("\r\n")
    message = Sip(start, [(name, value) for name, _, value in (row.partition(": ") for row in rows)], body)
    told = [start.removesuffix(" SIP/2.0").removeprefix("SIP/2.0 ") or "CRLF"]
    for row in rows:
        name, _, value = row.partition(": ")
        if name == "CSeq" and start.startswith("SIP/2.0"):
            told[0] += f" ({value.split()[1]})"
        elif name in _SHOWN:
            told.append(f"{name}: {value}")
    if message.get("Content-Type") and (sdp := message.sdp):
        host, _ = media_in(sdp)
        told.append(f"sdp {direction_of(sdp)} at {'relay' if host == MEDIA_HOST else 'party'}")
    if others := [part for part in message.parts if part.kind != "application/sdp"]:
        told.append(f"and {len(others)} documents")
    fate = {"lost": "  ** lost", "twice": "  ** twice", "refused": "  ** refused"}.get(hop.fate, "")
    return f"{source:>8} -> {target:8} {'  '.join(told)}{fate}"


_HOLES = (
    ("branch", re.compile(r"branch=(z9hG4bK[^;,\s]+)")),
    ("tag", re.compile(r"tag=([^;,\s]+)")),
    ("call-id", re.compile(r"Call-ID: (\S+)")),
    ("nonce", re.compile(r'[^c]nonce="([^"]+)"')),
    ("cnonce", re.compile(r'cnonce="([^"]+)"')),
    ("digest", re.compile(r'response="([^"]+)"')),
    ("port", re.compile(r"m=audio (\d+) ")),
    ("token", re.compile(r"loc1\.(\w+)@")),
    ("boundary", re.compile(r"boundary=(\w+)")),
    ("session", re.compile(r"o=\S+ (\d+) \d+ IN")),
)


def with_holes(text: str) -> str:
    """The text with everything that differs from run to run replaced by `<kind-number>`."""
    for kind, pattern in _HOLES:
        for number, value in enumerate(dict.fromkeys(pattern.findall(text)), 1):
            apart = r"\w" if kind == "boundary" else r"[\w-]"  # it stands behind two hyphens
            text = re.sub(rf"(?<!{apart}){re.escape(value)}(?!\w)", f"<{kind}-{number}>", text)
    return text


def in_full(hops: Iterable[Hop], network: Network) -> str:
    """Whole messages, for the few golden files that show every header field."""
    blocks = []
    for hop in hops:
        source, target = (network.names.get(end, "?") for end in (hop.source, hop.target))
        text = hop.data.decode().replace("\r\n", "\n").rstrip()
        blocks.append(f"--- {source} -> {target}\n{text}\n")
    return "\n".join(blocks)
