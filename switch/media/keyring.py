"""The keys of a whole call, and the terms of its two sides: every description goes through here on its way in
and on its way out, and in between nothing is encrypted (`switch.media.keying` has one stream of one side).
"""

from __future__ import annotations

from dataclasses import replace

from switch.malformed import Malformed
from switch.media.keying import Agreed, Keying
from switch.ports import Entropy
from switch.sdp.codecs import kept_codecs
from switch.sdp.crypto import KEYS_OF_ANY_KIND, SECURE_PROFILES
from switch.sdp.description import Description, Media
from switch.sdp.terms import ANY_TERMS, SideTerms, Srtp

Place = tuple[int, int]
"""Stream and side."""


class Keyring:
    """`terms` are those of side 0 and 1."""

    __slots__ = ("_entropy", "_keyings", "terms")

    def __init__(self, entropy: Entropy) -> None:
        self.terms: list[SideTerms] = [ANY_TERMS, ANY_TERMS]
        self._entropy = entropy
        self._keyings: dict[Place, Keying] = {}

    def place(self, side: int, terms: SideTerms) -> None:
        """Somebody else is on this side now, and has agreed to nothing yet."""
        self.terms[side] = terms
        self._keyings = {place: one for place, one in self._keyings.items() if place[1] != side}

    def go_on_from(self, side: int, other: Keyring, other_side: int) -> None:
        """The party of this side was on another session till now."""
        for (stream, of), keying in other._keyings.items():
            if of == other_side:
                self._at(stream, side).go_on_from(keying)

    def hear(self, side: int, description: Description) -> None:
        """Bring what a side says into the form that the rest of the switch sees: by the terms of both sides,
        and without encryption.

        Where it leaves the choice between a stream with SRTP and one without, as two sections of a kind, the
        other party is asked for the former only.

        Raises:
            Malformed: 488, and then nothing has changed.
        """
        for terms in self.terms:
            if terms.codecs:
                description.media = [kept_codecs(section, terms.codecs) for section in description.media]
        srtp = self.terms[side].srtp
        if srtp is Srtp.THROUGH:
            return
        before = self.agreed()
        heard = [self._at(stream, side).hear(said) for stream, said in enumerate(description.media)]
        keyed = {
            said.kind
            for stream, said in enumerate(description.media)
            if said.port and self.keys(stream, side) is not None
        }
        for stream, (said, section) in enumerate(zip(description.media, heard, strict=True)):
            bare = section is not None and _is_bare(section) and self.keys(stream, side) is None
            if section is not None and not (bare and (srtp is Srtp.REQUIRE or said.kind in keyed)):
                description.media[stream] = section
            elif said.kind in keyed or (said.kind != "audio" and "audio" in keyed):
                description.media[stream] = _rejected(said)
            else:
                self.restore(before)
                raise Malformed(488, "SRTP is required" if bare else "No SRTP key can be used")
        if not any(section.dtls for section in description.media):
            description.lines = [line for line in description.lines if not line.startswith(KEYS_OF_ANY_KIND)]

    def tell(self, side: int, description: Description, ports: list[int]) -> None:
        """Bring what a side is told into the form that suits it; where `ports` has 0 a stream is rejected."""
        srtp = self.terms[side].srtp
        if srtp is not Srtp.THROUGH:
            description.media = [
                self._at(stream, side).tell(section, srtp, rejected=not ports[stream])
                for stream, section in enumerate(description.media)
            ]

    def keys(self, stream: int, side: int) -> list[str] | None:
        """The suite, our key and the party's; None where nothing is encrypted."""
        keying = self._keyings.get((stream, side))
        return keying.keys if keying is not None else None

    def has_keys(self, side: int) -> bool:
        """Whether anything that is sent to a side is encrypted."""
        return any(keying.keys is not None for (_, of), keying in self._keyings.items() if of == side)

    def renew(self, stream: int, side: int) -> dict[str, str]:
        """New keys of ours: new ones by old."""
        return self._at(stream, side).renew()

    def agreed(self) -> dict[Place, Agreed]:
        """What is agreed, to return to."""
        return {place: keying.agreed for place, keying in self._keyings.items()}

    def restore(self, agreed: dict[Place, Agreed]) -> None:
        """A change was refused."""
        for place, keying in self._keyings.items():
            keying.agreed = agreed.get(place, Agreed())

    def _at(self, stream: int, side: int) -> Keying:
        keying = self._keyings.get((stream, side))
        if keying is None:
            keying = self._keyings[stream, side] = Keying(self._entropy)
        return keying


def _is_bare(section: Media) -> bool:
    """Whether it is a live RTP stream that nobody encrypts."""
    return section.port != 0 and section.rtp and not section.dtls


def _rejected(section: Media) -> Media:
    """A stream that the other party is not asked for (RFC 3264 section 5.1)."""
    lines = [line for line in section.lines if not line.startswith(KEYS_OF_ANY_KIND)]
    proto = SECURE_PROFILES.get(section.proto.upper(), section.proto)
    return replace(section, proto=proto, lines=lines, port=0, dtls=False)
