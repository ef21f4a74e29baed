"""INVITE server transaction: RFC 3261 section 17.2.1 with the ACCEPTED state of RFC 6026 section 7.1.

The 2xx itself is repeated by the transaction user until its ACK comes (section 13.3.1.4); here ACCEPTED
only absorbs the INVITE's retransmissions.
"""

from __future__ import annotations

from enum import Enum

from switch.ports import Flow
from switch.sip.message import Request, Response
from switch.sip.transaction.key import ServerKey
from switch.sip.transaction.wire import InviteServerUser, Wire
from switch.timers import Timer


class State(Enum):
    """RFC 3261 figure 7, with RFC 6026."""

    PROCEEDING = 1
    COMPLETED = 2
    CONFIRMED = 3
    ACCEPTED = 4
    TERMINATED = 5


class InviteServer:
    """One INVITE as seen by its server. `flow` is where responses go."""

    __slots__ = (
        "_interval_ns",
        "_last",
        "_timer",
        "_timer_g",
        "_wire",
        "flow",
        "key",
        "request",
        "state",
        "tag",
        "user",
    )

    def __init__(self, wire: Wire, key: ServerKey, request: Request, flow: Flow) -> None:
        self._wire = wire
        self.key = key
        self.request: Request | None = request
        self.flow = flow
        self.state = State.PROCEEDING
        self.user: InviteServerUser | None = None
        self.tag = ""
        """Our To tag, once the 2xx is sent: the dialog an ACK on this transaction belongs to (RFC 6026
        section 7.1)."""
        self._last: bytes = b""
        self._timer: Timer | None = None
        self._timer_g: Timer | None = None
        self._interval_ns = wire.timing.t1_ns

    def receive(self, request: Request) -> None:
        """A retransmitted INVITE, or the ACK of a refusal."""
        match self.state, request.method:
            case ((State.PROCEEDING | State.COMPLETED), "INVITE"):
                if self._last:
                    self._wire.transmit(self.flow, self._last, again=True)
            case State.COMPLETED, "ACK":
                self._stop()
                if self.flow.reliable:
                    self._terminate()  # timer I is zero
                else:
                    self.state = State.CONFIRMED
                    t4_ns = self._wire.timing.t4_ns
                    self._timer = self._wire.timers.start(t4_ns, self._terminate)  # timer I
            case _:
                pass  # ACCEPTED and CONFIRMED absorb retransmissions, RFC 6026 section 7.1

    def cancelled(self, request: Request) -> None:
        """A CANCEL matched this transaction; it has an effect only before the final response (section
        9.2)."""
        if self.state is State.PROCEEDING and self.user is not None:
            self.user.on_cancel(request)

    def respond(self, response: Response) -> bytes:
        """Send a response; returned is what went out, for a 2xx that its user has to repeat. After a final
        one nothing more is sent (b'')."""
        if self.state is not State.PROCEEDING:
            return b""
        sent = self._last = response.encode()
        timing, timers = self._wire.timing, self._wire.timers
        if response.status >= 300:
            self.state = State.COMPLETED
            self._timer = timers.start(timing.timeout_ns, self._terminate)  # timer H: no ACK ever came
            if not self.flow.reliable:
                self._timer_g = timers.start(self._interval_ns, self._fire_g)
            self._release()
        elif response.status >= 200:
            self.state = State.ACCEPTED
            self.tag = response.recipient.tag or ""
            self._timer = timers.start(timing.timeout_ns, self._terminate)  # timer L
            self._release()
        self._wire.transmit(self.flow, self._last)
        if self.state is State.ACCEPTED:
            self._last = b""
        return sent

    def _fire_g(self) -> None:
        self._wire.transmit(self.flow, self._last, again=True)
        self._interval_ns = min(2 * self._interval_ns, self._wire.timing.t2_ns)
        self._timer_g = self._wire.timers.start(self._interval_ns, self._fire_g)

    def _release(self) -> None:
        """Nothing above is needed any more; a lingering transaction must stay small."""
        self.user = None
        self.request = None

    def _stop(self) -> None:
        for timer in (self._timer, self._timer_g):
            if timer is not None:
                timer.cancel()
        self._timer = self._timer_g = None

    def _terminate(self) -> None:
        self._stop()
        self.state = State.TERMINATED
        self._wire.forget_server(self.key)
