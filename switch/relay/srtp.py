"""SRTP and SRTCP between the relay and one party (RFC 3711): what leaves is sealed, what comes is opened.

Each direction has a *context* of its own, known by its key, so that one goes on where it was when the other
changes: where a context began anew with an old key, the same keystream would be used twice.

The cipher is libsrtp, by way of pylibsrtp, which is an optional dependency (`pip install belswitch[media]`).
"""

from __future__ import annotations

from base64 import b64decode
from importlib.util import find_spec
from typing import Any
from weakref import WeakValueDictionary

from switch.relay.rtp import HEADER_SIZE

RTCP_HEADER_SIZE = 8
MOST_SENDERS = 256
"""Synchronization sources per context: libsrtp keeps a state for each and looks through them in a row, so a
party that takes a new one for each packet is not followed."""

AVAILABLE = find_spec("pylibsrtp") is not None
"""Whether media can be encrypted: pylibsrtp comes with the extra `media`."""

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


class Context:
    """One direction under one key, for RTP and RTCP together."""

    __slots__ = ("__weakref__", "_errors", "_rtcp", "_rtp", "_senders", "_session")

    def __init__(self, suite: str, key: str, *, outbound: bool) -> None:
        """Raises ValueError for an unknown suite, a key of the wrong length, or without pylibsrtp."""
        if suite not in _PROFILES:
            raise ValueError(f"SRTP suite {suite}")
        if not AVAILABLE:
            raise ValueError("SRTP needs pylibsrtp")
        import pylibsrtp

        direction = pylibsrtp.Policy.SSRC_ANY_OUTBOUND if outbound else pylibsrtp.Policy.SSRC_ANY_INBOUND
        profile = getattr(pylibsrtp.Policy, _PROFILES[suite])
        self._session: Any = pylibsrtp.Session(
            pylibsrtp.Policy(b64decode(key), direction, srtp_profile=profile)
        )
        names = ("protect", "protect_rtcp") if outbound else ("unprotect", "unprotect_rtcp")
        self._rtp, self._rtcp = (getattr(self._session, name) for name in names)
        self._errors = (pylibsrtp.Error, ValueError)
        self._senders: set[bytes] = set()

    def apply(self, packet: bytes) -> bytes:
        """The packet sealed, or opened. Raises Unauthentic for one that cannot be."""
        rtcp = packet[1] & 0x60 == 0x40 or len(packet) < HEADER_SIZE  # RFC 5761 section 4
        source = packet[4:8] if rtcp else packet[8:12]
        known = source in self._senders
        if not known and len(self._senders) >= MOST_SENDERS:
            raise Unauthentic("too many synchronization sources")
        try:
            done: bytes = self._rtcp(packet) if rtcp else self._rtp(packet)
        except self._errors as error:
            raise Unauthentic(str(error)) from None
        if not known:
            self._senders.add(source)
        return done


class Contexts:
    """All contexts in use, by direction and key. The sessions that use one hold it (`Srtp`), one after the
    other or at once: a party that is transferred keeps its key, and its place in the sequence."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[bool, str, str], Context] = WeakValueDictionary()

    def find(self, suite: str, key: str, *, outbound: bool) -> Context:
        """The context of a key, a new one where there is none. Raises ValueError as `Context` does."""
        context = self._known.get((outbound, suite, key))
        if context is None:
            context = self._known[outbound, suite, key] = Context(suite, key, outbound=outbound)
        return context


class Srtp:
    """Both directions with one party. `past` are contexts that it may come back to."""

    __slots__ = ("_inbound", "_outbound", "keys", "past")

    MOST_PAST = 8

    def __init__(self, keys: Keys, contexts: Contexts, past: list[Context] | None = None) -> None:
        """Raises ValueError as `Context` does."""
        suite, ours, theirs = self.keys = keys
        self._outbound = contexts.find(suite, ours, outbound=True)
        self._inbound = contexts.find(suite, theirs, outbound=False)
        kept = [one for one in past or () if one is not self._outbound and one is not self._inbound]
        self.past = [*kept, self._outbound, self._inbound][-self.MOST_PAST :]

    def seal(self, packet: memoryview | bytes) -> bytes:
        """A packet as it is sent to the party; what is neither RTP nor RTCP stays as it is. Raises OSError
        for one that cannot be encrypted, or has been before."""
        plain = bytes(packet)
        return self._outbound.apply(plain) if _is_media(plain) else plain

    def open(self, packet: bytearray, size: int, *, known: bool) -> int:
        """Decrypt the packet of `size` octets at the start of a buffer, in its place; the size it has then.

        What is no media, such as STUN, passes as it is where it is `known` to come from the party.

        Raises:
            Unauthentic: it is not the party's.
        """
        sealed = bytes(memoryview(packet)[:size])
        if not _is_media(sealed):
            if known:
                return size
            raise Unauthentic("no media")
        plain = self._inbound.apply(sealed)
        packet[: len(plain)] = plain
        return len(plain)


def _is_media(packet: bytes) -> bool:
    """Whether it has version 2, as RTP and RTCP have, and the length of a header."""
    return len(packet) >= RTCP_HEADER_SIZE and packet[0] & 0xC0 == 0x80
