"""Which codecs of an audio section may be used, by encoding name (RFC 3264 sections 5.1 and 6.1)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from switch.malformed import Malformed
from switch.sdp.description import Media

ALWAYS = frozenset({"TELEPHONE-EVENT", "CN"})
"""No codecs of their own: digits (RFC 4733) and comfort noise (RFC 3389) go with any."""

STATIC = {
    "0": "PCMU",
    "3": "GSM",
    "4": "G723",
    "7": "LPC",
    "8": "PCMA",
    "9": "G722",
    "13": "CN",
    "15": "G728",
    "18": "G729",
}
"""Payload types that need no a=rtpmap (RFC 3551 table 4)."""

_OF_FORMAT = re.compile(r"a=(?:rtpmap|fmtp|rtcp-fb):(\d{1,3})[ \t]")


def kept_codecs(section: Media, allowed: Collection[str]) -> Media:
    """The section with no codecs but those `allowed`, in its own order; a section that is no audio over RTP,
    or rejected, as it is.

    Raises:
        Malformed: 488, none of them is there.
    """
    if section.kind != "audio" or not section.rtp or not section.port:
        return section
    names = {one: _name(section, one) for one in section.formats.split()}
    kept = [one for one, name in names.items() if name in allowed or name in ALWAYS]
    if all(names[one] in ALWAYS for one in kept):
        raise Malformed(488, "No codec that may be used here")
    if len(kept) == len(names):
        return section
    gone = names.keys() - set(kept)
    lines = [line for line in section.lines if (of := _OF_FORMAT.match(line)) is None or of[1] not in gone]
    return replace(section, formats=" ".join(kept), lines=lines)


def _name(section: Media, payload_type: str) -> str:
    said = section.encoding(payload_type)
    return said.partition("/")[0].strip().upper() if said else STATIC.get(payload_type, "")
