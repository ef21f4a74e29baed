"""Offers and answers of an answered call: what one side asks for, the other grants or declines.

Both parties negotiate with each other (RFC 3264, RFC 6337); the switch puts its own addresses in, lets one
offer at a time through and goes back to what was agreed when it is declined (RFC 3261 section 14).
"""

from __future__ import annotations

from contextlib import suppress

from switch.call import events as ev
from switch.call.leg import Leg
from switch.malformed import Malformed
from switch.media.anchor import Agreement, Anchor, NoPorts

REFUSALS_TOLD = frozenset({415, 487, 488, 491, 606})
"""What a party is told of the other's refusal as it is; the rest is 488."""


class Negotiation:
    """What the two legs of one answered call agree on.

    When the caller made no offer (`late`), the called side's is in our 2xx and his answer comes with the ACK.
    If none comes, `stand_in` is taken for it: a caller for help did offer, but unreadably, and takes the
    centre's offer for an answer (R-EMG-05). It is empty for all other calls.
    """

    __slots__ = ("_a", "_anchor", "_asker", "_b", "_before", "_late", "_stand_in")

    def __init__(self, anchor: Anchor, a: Leg, b: Leg, *, late: bool, stand_in: bytes) -> None:
        self._anchor = anchor
        self._a = a
        self._b = b
        self._late = late
        self._stand_in = stand_in
        self._asker: Leg | None = None
        self._before: Agreement | None = None

    def acknowledged(self, leg: Leg, event: ev.Acknowledged) -> None:
        """Pass on the answer to an offer that was in our 2xx; otherwise the ACK has done its work already.

        Raises:
            Malformed, NoPorts: it cannot be relayed; the other side has its ACK, and the call must end.
        """
        waiting = self._late if leg is self._a and self._asker is None else self._asker is leg
        if not waiting:
            return
        self._late = False
        self._asker = None
        body = b""
        try:
            if self._stand_in and leg is self._a and not event.sdp:
                body = self._anchor.stand_in(0, self._stand_in)
            else:
                body = self._anchor.relay(self._number(leg), event.sdp)
        finally:
            self._other(leg).acknowledge(body)

    def asked(self, leg: Leg, event: ev.Modify) -> None:
        """A re-INVITE: the other side is asked, unless something is being asked already (491)."""
        other, number = self._other(leg), self._number(leg)
        if self._asker is not None or not other.settled:
            leg.decline(491)
            return
        self._anchor.follow(number, leg.flow.remote.host)
        before = self._anchor.agreement()
        try:
            body = self._anchor.relay(number, event.sdp) if event.sdp else b""
        except (Malformed, NoPorts) as error:
            self._anchor.return_to(before)
            leg.decline(error.status if isinstance(error, Malformed) else 488)
            return
        self._asker = leg
        self._before = before
        other.modify(body)

    def granted(self, leg: Leg, event: ev.Modified) -> None:
        """The 2xx of the side that was asked, or was told again what it knows."""
        asker, self._asker = self._asker, None
        if asker is None:
            leg.acknowledge(b"")
            with suppress(Malformed):  # what it says now may be its old self's, and the call goes on
                self._anchor.take(self._number(leg), event.sdp)
            return
        late = asker.awaits_offer
        try:
            body = self._anchor.relay(self._number(leg), event.sdp)
        except (Malformed, NoPorts):
            leg.acknowledge(b"")
            self._anchor.return_to(self._before)
            asker.decline(488)
            return
        if late:
            self._asker = asker  # the answer comes with the asker's ACK
        else:
            leg.acknowledge(b"")
        asker.accept(body)

    def declined(self, event: ev.ModifyRefused) -> None:
        """The refusal of the side that was asked: all stays as it was."""
        asker, self._asker = self._asker, None
        if asker is not None:
            self._anchor.return_to(self._before)
            asker.decline(event.status if event.status in REFUSALS_TOLD else 488)

    def _other(self, leg: Leg) -> Leg:
        return self._b if leg is self._a else self._a

    def _number(self, leg: Leg) -> int:
        return 0 if leg is self._a else 1
