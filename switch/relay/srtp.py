"""SRTP and SRTCP between the relay and one party (RFC 3711): what leaves is sealed, what comes is opened.

The cipher is libsrtp, by way of pylibsrtp, which is an optional dependency (`pip install belswitch[media]`).
"""

from __future__ import annotations

from base64 import b64decode
from importlib.util import find_spec
from typing import Any

from switch.relay.rtp import HEADER_SIZE

RTCP_HEADER_SIZE = 8
MOST_SENDERS = 32
"""Synchronization sources per direction: libsrtp keeps a state for each and looks through them in a row, so a
party that takes a new one for each packet is not followed."""

AVAILABLE = find_spec("pylibsrtp") is not None

Keys = tuple[str, str, str]
"""The suite by its name in SDP (RFC 4568), our master key and salt, and the party's, in base64."""

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": "SRTP_PROFILE_AES128_CM_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32": "SRTP_PROFILE_AES128_CM_SHA1_32",
    "AEAD_AES_128_GCM": "SRTP_PROFILE_AEAD_AES_128_GCM",
    "AEAD_AES_256_GCM": "SRTP_PROFILE_AEAD_AES_256_GCM",
}


class Unauthentic(OSError):
    """A packet that is not the party's, or was here before."""


class Srtp:
    """The state of both directions, for RTP and RTCP together."""

    __slots__ = ("_errors", "_inbound", "_opening", "_outbound", "_sealing", "keys")

    def __init__(self, keys: Keys) -> None:
        """Raises ValueError for an unknown suite, a key of the wrong length, or without pylibsrtp."""
        suite, ours, theirs = keys
        if suite not in _PROFILES:
            raise ValueError(f"SRTP suite {suite}")
        if not AVAILABLE:
            raise ValueError("SRTP needs pylibsrtp")
        import pylibsrtp

        def session(key: str, direction: int) -> Any:
            profile = getattr(pylibsrtp.Policy, _PROFILES[suite])
            policy = pylibsrtp.Policy(b64decode(key), direction, srtp_profile=profile)
            policy.allow_repeat_tx = True  # what the network doubled on one side is no error on the other
            return pylibsrtp.Session(policy)

        self.keys = keys
        self._errors = (pylibsrtp.Error, ValueError)
        self._outbound = session(ours, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self._inbound = session(theirs, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self._sealing: set[bytes] = set()
        self._opening: set[bytes] = set()

    def seal(self, packet: memoryview | bytes) -> bytes:
        """A packet as it is sent to the party; what is neither RTP nor RTCP stays as it is. Raises OSError
        for one that cannot be encrypted."""
        plain = bytes(packet)
        if not _is_media(plain):
            return plain
        rtcp = _is_rtcp(plain)
        source = plain[4:8] if rtcp else plain[8:12]
        if source not in self._sealing:
            if len(self._sealing) >= MOST_SENDERS:
                raise OSError("too many synchronization sources")
            self._sealing.add(source)
        try:
            sealed: bytes = self._outbound.protect_rtcp(plain) if rtcp else self._outbound.protect(plain)
        except self._errors as error:
            raise OSError(str(error)) from None
        return sealed

    def open(self, packet: bytearray, size: int) -> int:
        """Decrypt the packet of `size` octets at the start of a buffer, in its place; the size it has then.
        Raises Unauthentic."""
        sealed = bytes(memoryview(packet)[:size])
        if not _is_media(sealed):
            return size
        rtcp = _is_rtcp(sealed)
        source = sealed[4:8] if rtcp else sealed[8:12]
        known = source in self._opening
        if not known and len(self._opening) >= MOST_SENDERS:
            raise Unauthentic("too many synchronization sources")
        try:
            plain = self._inbound.unprotect_rtcp(sealed) if rtcp else self._inbound.unprotect(sealed)
        except self._errors as error:
            raise Unauthentic(str(error)) from None
        if not known:
            self._opening.add(source)
        packet[: len(plain)] = plain
        return len(plain)


def _is_media(packet: bytes) -> bool:
    """Whether it has version 2, as RTP and RTCP have, and the length of a header."""
    return len(packet) >= RTCP_HEADER_SIZE and packet[0] & 0xC0 == 0x80


def _is_rtcp(packet: bytes) -> bool:
    """RFC 5761 section 4; what is too short for RTP is no RTP."""
    return packet[1] & 0x60 == 0x40 or len(packet) < HEADER_SIZE
