"""What one side of a call is to be offered and may ask for: encryption and codecs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from switch.ports import Flow

_CLEAR = ("udp", "tcp", "ws")


class Srtp(StrEnum):
    """What a side is to do about SRTP with keys in SDP (SDES, RFC 4568)."""

    THROUGH = "through"
    """Nothing is encrypted or decrypted here: what both sides agree on passes."""
    ACCEPT = "accept"
    """It is encrypted where the side asks for it."""
    OFFER = "offer"
    """It is offered, and not insisted on (RFC 8643)."""
    REQUIRE = "require"
    """There is no call without it."""


@dataclass(frozen=True, slots=True)
class SideTerms:
    """Terms of one side. `codecs` are the encoding names it may use, in upper case; empty: any."""

    srtp: Srtp = Srtp.THROUGH
    codecs: frozenset[str] = frozenset()

    @property
    def choosy(self) -> bool:
        """Whether what others take may be refused here."""
        return bool(self.codecs) or self.srtp is Srtp.REQUIRE


ANY_TERMS = SideTerms()


def centre_terms(srtp: Srtp) -> SideTerms:
    """The terms of a gateway to an emergency centre, to which nothing is offered that it might refuse."""
    return SideTerms(Srtp.THROUGH if srtp is Srtp.THROUGH else Srtp.ACCEPT)


def phone_terms(srtp: Srtp, flows: Iterable[Flow], *, urgent: bool) -> SideTerms:
    """The terms of phones that are reached over `flows`. Keys are offered only where nobody can read them on
    the way, and a call for help is not refused for want of them (R-EMG-05)."""
    if srtp in (Srtp.OFFER, Srtp.REQUIRE) and any(flow.transport in _CLEAR for flow in flows):
        return SideTerms(Srtp.ACCEPT)
    return SideTerms(Srtp.OFFER if srtp is Srtp.REQUIRE and urgent else srtp)
