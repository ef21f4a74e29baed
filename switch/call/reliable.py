"""Provisional responses that have to arrive (RFC 3262): sending them as a UAS, acknowledging them as a UAC.

As a UAS we send them so only to callers who require it; as a UAC we let carriers do so that are configured
for it. Offers and answers stay in INVITE and 2xx: a PRACK of ours carries none, and an offer in one of theirs
is declined. A caller for help is spared all this: nothing that gets lost may cost the call (R-EMG-04).
"""

from __future__ import annotations

from collections.abc import Callable

from switch.malformed import Malformed
from switch.ports import Flow
from switch.sip.dialog import Dialog
from switch.sip.endpoint import Endpoint
from switch.sip.headers import parse_small_number, token_set
from switch.sip.message import Fields, Request, Response
from switch.timers import Timer

RELIABLE = "100rel"
LARGEST = (1 << 31) - 1


class ReliableSender:
    """The provisional responses to one INVITE. One is on its way at a time; of those that wait meanwhile the
    last is sent next. `lost` is called when one is not acknowledged within 64 * T1 (section 3)."""

    __slots__ = ("_again", "_cseq", "_data", "_endpoint", "_flow", "_interval_ns", "_lost", "_next", "_rseq",
                 "_timeout")  # fmt: skip

    def __init__(
        self, endpoint: Endpoint, flow: Flow, cseq: int, first: int, lost: Callable[[], None]
    ) -> None:
        self._endpoint = endpoint
        self._flow = flow
        self._cseq = cseq
        self._rseq = first
        self._lost = lost
        self._data = b""
        self._interval_ns = 0
        self._next: Callable[[], None] | None = None
        self._again: Timer | None = None
        self._timeout: Timer | None = None

    @property
    def busy(self) -> bool:
        """Whether one waits for its PRACK."""
        return self._timeout is not None

    def later(self, send: Callable[[], None]) -> None:
        """Send this one when the way is free."""
        self._next = send

    def fields(self) -> Fields:
        """What makes the next response reliable."""
        return {"Require": [RELIABLE], "RSeq": [str(self._rseq)]}

    def sent(self, data: bytes) -> None:
        """It was sent: repeat it until its PRACK comes."""
        timing, timers = self._endpoint.timing, self._endpoint.timers
        self._data, self._interval_ns = data, timing.t1_ns
        self._again = timers.start(self._interval_ns, self._repeat)
        self._timeout = timers.start(timing.timeout_ns, self._give_up)

    def acknowledged(self, prack: Request) -> bool:
        """A PRACK: whether it is for the response that is on its way, so that the next may go."""
        words = (prack.get("RAck") or "").split()
        if not self.busy or words != [str(self._rseq), str(self._cseq), "INVITE"]:
            return False
        self._rest()
        self._rseq += 1
        following, self._next = self._next, None
        if following is not None:
            following()
        return True

    def stop(self) -> None:
        """The final response takes the place of all of them."""
        self._rest()
        self._next = None

    def _rest(self) -> None:
        for timer in (self._again, self._timeout):
            if timer is not None:
                timer.cancel()
        self._again = self._timeout = None

    def _repeat(self) -> None:
        self._endpoint.resend(self._flow, self._data)
        self._interval_ns *= 2
        self._again = self._endpoint.timers.start(self._interval_ns, self._repeat)

    def _give_up(self) -> None:
        self.stop()
        self._lost()


class ReliableReceiver:
    """Acknowledges what is sent reliably to one INVITE of ours, in each early dialog by itself."""

    __slots__ = ("_endpoint", "_flow", "_follows", "_seen", "_tag")

    def __init__(self, endpoint: Endpoint, flow: Flow, tag: str, *, follows_flow: bool) -> None:
        self._endpoint = endpoint
        self._flow = flow
        self._tag = tag
        self._follows = follows_flow
        self._seen: dict[str, tuple[Dialog, int, bytes]] = {}

    def takes(self, request: Request, response: Response, target: str) -> bool:
        """A provisional response: whether it is to be heeded. One that came before or out of order is not
        (section 4)."""
        if RELIABLE not in token_set(response.rows("Require")):
            return True
        number = parse_small_number(response.get("RSeq"), 0, LARGEST)
        remote_tag = response.recipient.tag or ""
        known = self._seen.get(remote_tag)
        if not number or not remote_tag or (known is not None and number != known[1] + 1):
            return False
        try:
            dialog = known[0] if known is not None else Dialog.of_client(request, response, self._tag, target)
        except Malformed:
            return False
        sdp = response.sdp or (known[2] if known is not None else b"")
        self._seen[remote_tag] = dialog, number, sdp
        flow, hop = self._flow, None if self._follows else dialog.next_hop()
        if hop is not None:
            flow = flow._replace(remote=hop)
        fields: Fields = {"RAck": [f"{number} {request.cseq[0]} INVITE"]}
        self._endpoint.request(dialog.request("PRACK", fields=fields), flow)
        return True

    def confirm(self, dialog: Dialog, sdp: bytes) -> bytes:
        """The 2xx came in a dialog: its requests count on, and without a description it means the one that
        was told before. Returns that."""
        known = self._seen.get(dialog.remote_tag)
        if known is None:
            return sdp
        dialog.local_cseq = max(dialog.local_cseq, known[0].local_cseq)
        return sdp or known[2]
