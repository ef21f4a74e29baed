"""SRTP on one side of one stream: the keys of both directions, and a section of a description as the party
says it, as the rest of the switch sees it, and as the party is told it (RFC 4568).

Inside the switch every stream that it encrypts is plain RTP. An answer repeats the tag and suite that were
chosen, an offer to a party that has chosen already may do the same, and each suite keeps our key as long as
the session lasts (so that roll-over counters go on, RFC 3711 section 3.3.1): that is why nothing here needs
to know whether a description is an offer or an answer.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from typing import NamedTuple

from switch.ports import Entropy
from switch.sdp.crypto import KEYS_OF_ANY_KIND, PLAIN_PROFILES, SECURE_PROFILES, SUITES, Crypto, cryptos_of
from switch.sdp.description import Media
from switch.sdp.terms import Srtp

OFFERED = ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM")


class Agreed(NamedTuple):
    """What a party said last of one stream: the profile, whether it ever wanted to talk there, and the key it
    encrypts with."""

    profile: str = ""
    settled: bool = False
    theirs: Crypto | None = None


class Keying:
    """The keys between the switch and one party, for one stream."""

    __slots__ = ("_entropy", "_ours", "agreed")

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._ours: dict[str, str] = {}
        self.agreed = Agreed()

    @property
    def keys(self) -> list[str] | None:
        """The suite, our key and theirs, as the relay is told them; None where nothing is encrypted."""
        theirs = self.agreed.theirs
        return None if theirs is None else [theirs.suite, self._our_key(theirs.suite), theirs.key]

    def go_on_from(self, other: Keying) -> None:
        """The party was on another session till now, and agreed to this there; our keys are new."""
        self.agreed = other.agreed

    def renew(self) -> dict[str, str]:
        """Take new keys, since nobody knows any more how far the old ones were used: new ones by old."""
        old, self._ours = self._ours, {}
        return {key: self._our_key(suite) for suite, key in old.items()}

    def hear(self, section: Media) -> Media | None:
        """A section that the party said, without encryption; None where it wants a kind of encryption that
        the switch has not.

        A stream that is rejected for now, or is fax for a while, keeps what was agreed.
        """
        profile = section.proto.upper()
        if _is_dtls(section, profile):
            self.agreed = Agreed(section.proto, settled=True)
            return section  # it is between the parties
        if profile not in SECURE_PROFILES and profile not in PLAIN_PROFILES:
            return section
        theirs = self.agreed.theirs
        if section.port:
            theirs = next(iter(cryptos_of(section.lines)), None) if section.crypto else None
        self.agreed = Agreed(section.proto, self.agreed.settled or section.port != 0, theirs)
        if theirs is None and section.port and profile in SECURE_PROFILES:
            return None
        if not section.crypto and not section.dtls and profile in PLAIN_PROFILES:
            return section
        lines = [line for line in section.lines if not line.startswith(KEYS_OF_ANY_KIND)]
        return replace(section, proto=SECURE_PROFILES.get(profile, section.proto), lines=lines, dtls=False)

    def tell(self, section: Media, srtp: Srtp, *, rejected: bool) -> Media:
        """A section of the other side's, without encryption, as the party is to be told it."""
        secure = PLAIN_PROFILES.get(section.proto.upper())
        if secure is None or section.dtls:
            return section
        profile, settled, theirs = self.agreed
        if rejected:
            return replace(section, proto=profile or section.proto)
        if theirs is not None:
            cryptos = [Crypto(theirs.tag, theirs.suite, self._our_key(theirs.suite))]
        elif not settled and srtp in (Srtp.OFFER, Srtp.REQUIRE):
            profile = secure if srtp is Srtp.REQUIRE else section.proto
            cryptos = [Crypto(1 + index, suite, self._our_key(suite)) for index, suite in enumerate(OFFERED)]
        else:
            return section
        return replace(section, proto=profile, lines=[*section.lines, *(one.line for one in cryptos)])

    def _our_key(self, suite: str) -> str:
        key = self._ours.get(suite)
        if key is None:
            octets = SUITES[suite]
            chance = self._entropy.below(1 << 8 * octets)
            key = self._ours[suite] = b64encode(chance.to_bytes(octets, "big")).decode()
        return key


def _is_dtls(section: Media, profile: str) -> bool:
    """Whether its keys come by DTLS and in no other way (RFC 5763)."""
    if section.crypto:
        return False
    return profile.startswith("UDP/TLS/") or (section.dtls and profile in SECURE_PROFILES)
