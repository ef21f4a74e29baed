"""Whom one relay port listens to and where it sends: symmetric RTP (RFC 4961) that a stranger cannot steal.

A port starts from the address the party signalled in its SDP and sends there. The first packet from that very
address pins it. If the party sits behind a NAT its packets come from elsewhere: then the first one from a
host that is allowed is learnt, and locked; a learnt address yields only to the signalled one. Every other
packet is a stranger's. Aiming anew (re-INVITE) starts over. RTP and RTCP ports latch each for itself.
"""

from __future__ import annotations

from typing import Any

ANY_HOST = ""  # as `learn_host`: learn from whoever sends first


class Latch:
    """The latch of one port. `source` and `target` are read for every packet, the rest only when `source`
    differs.
    """

    __slots__ = ("_left", "learn_host", "sending", "signalled", "source", "strangers", "target")

    def __init__(self) -> None:
        self.signalled: tuple[str, int] | None = None  # None: not aimed, nobody is expected
        self.learn_host: str | None = None
        self.sending = False
        self.source: tuple[Any, ...] | None = None  # as the kernel names it, for one comparison a packet
        self.target: tuple[Any, ...] | None = None  # None: packets towards this side are dropped
        self.strangers = 0
        self._left: tuple[Any, ...] | None = None  # where the party sent from before it moved

    def aim(self, signalled: tuple[str, int] | None, learn_host: str | None, *, sending: bool) -> None:
        """Start over from the `signalled` address (None: expect nobody).

        `learn_host` is the one host besides the signalled one whose packets may be learnt from (`ANY_HOST`:
        any, None: no other). Unless `sending`, the side is listened to but nothing is sent to it (held: port
        0 or 0.0.0.0).
        """
        # Late packets from where the party was must not lock the latch there: that source stays replaceable.
        self._left = self.source if signalled != self.signalled else None
        self.signalled = signalled
        self.learn_host = learn_host
        self.sending = sending
        self.source = None
        self.target = signalled if sending else None

    def admit(self, source: tuple[Any, ...]) -> bool:
        """Whether a packet from `source`, which is not the present one, is the party's; latches if so."""
        signalled = self.signalled
        if signalled is not None:
            if source[:2] == signalled:
                return self._lock(source)
            unlocked = self.source is None or self.source == self._left
            if unlocked and (self.learn_host == ANY_HOST or source[0] in (signalled[0], self.learn_host)):
                return self._lock(source)
        self.strangers += 1
        return False

    def _lock(self, source: tuple[Any, ...]) -> bool:
        self.source = source
        if self.sending:
            self.target = source
        return True
