"""The answer of the switch itself to an offer, while there is no other party yet (RFC 3264 section 6).

It talks G.711 in one audio stream and takes telephone-events there (RFC 4733); every other stream is
rejected. Addresses and ports are filled in by whoever prints it (`switch.sdp.description.print_with`).
"""

from __future__ import annotations

from switch.malformed import Malformed
from switch.sdp.description import Description, Media

_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}


def answer_alone(offer: Description, host: str) -> tuple[int, Description]:
    """Which stream of the offer is taken, and the answer, in which it has port 9 and all others 0. `host` is
    the switch's own address.

    Raises:
        Malformed: 488, no stream offers G.711.
    """
    fitting = (i for i, one in enumerate(offer.media) if one.kind == "audio" and one.relayed and one.g711)
    if (index := next(fitting, None)) is None:
        raise Malformed(488, "No G.711 offered")
    sections = [Media(one.kind, 0, one.proto, one.formats, []) for one in offer.media]
    sections[index] = _taken(offer.media[index])
    family = "IP6" if ":" in host else "IP4"
    times = [line for line in offer.lines if line.startswith("t=")] or ["t=0 0"]
    return index, Description(["s=-", f"c=IN {family} {host}", *times], sections)


def _taken(section: Media) -> Media:
    """The answer to an audio stream: of its formats those that are G.711 or telephone-events, in its order,
    and the direction that fits its own."""
    g711 = section.g711
    kept = [one for one in section.formats.split() if _is_kept(section, one, g711)]
    marks = tuple(f"a={what}:{one} " for one in kept for what in ("rtpmap", "fmtp"))
    lines = [line for line in section.lines if line.startswith(marks)]
    direction = _REVERSED.get(section.direction, section.direction)
    return Media("audio", 9, section.proto, " ".join(kept), [*lines, f"a={direction}"], direction=direction)


def _is_kept(section: Media, payload_type: str, g711: dict[int, str]) -> bool:
    if not (payload_type.isascii() and payload_type.isdigit()):
        return False
    return int(payload_type) in g711 or section.encoding(payload_type).upper() == "TELEPHONE-EVENT/8000"
