"""INVITE client transaction: RFC 3261 section 17.1.1 with the ACCEPTED state of RFC 6026 section 7.2.

It acknowledges refusals itself; the ACK of a 2xx is the transaction user's (section 13.2.2.4). A user that
has cancelled waits 64 * T1 for the final response (section 9.1), then the transaction gives up.
"""

from __future__ import annotations

from enum import Enum

from switch.ports import Flow
from switch.sip.message import Fields, Request, Response
from switch.sip.transaction.key import ClientKey
from switch.sip.transaction.wire import ClientUser, Wire
from switch.timers import Timer


class State(Enum):
    """RFC 3261 figure 5, with RFC 6026."""

    CALLING = 1
    PROCEEDING = 2
    COMPLETED = 3
    ACCEPTED = 4
    TERMINATED = 5


class InviteClient:
    """One INVITE of ours."""

    __slots__ = (
        "_ack",
        "_data",
        "_interval_ns",
        "_timer_a",
        "_timer_b",
        "_wire",
        "flow",
        "key",
        "request",
        "state",
        "user",
    )

    def __init__(self, wire: Wire, key: ClientKey, request: Request, flow: Flow, user: ClientUser) -> None:
        self._wire = wire
        self.key = key
        self.request = request
        self.flow = flow
        self.user: ClientUser | None = user
        self.state = State.CALLING
        self._data = request.encode()
        self._ack: bytes = b""
        self._interval_ns = wire.timing.t1_ns
        self._timer_b: Timer | None = wire.timers.start(wire.timing.timeout_ns, self._fire_b)
        self._timer_a: Timer | None = (
            None if flow.reliable else wire.timers.start(self._interval_ns, self._fire_a)
        )
        wire.transmit(flow, self._data)

    def receive(self, response: Response) -> None:
        """A response. 2xx are passed up every time they come, also those of other forks (RFC 6026 section
        7.2)."""
        match self.state, response.status // 100:
            case ((State.CALLING | State.PROCEEDING), 1):
                if self.state is State.CALLING:
                    self._stop()
                    self._data = b""
                    self.state = State.PROCEEDING
                self._pass_up(response)
            case ((State.CALLING | State.PROCEEDING), 2):
                self._stop()
                self._data = b""
                self.state = State.ACCEPTED
                self._timer_b = self._wire.timers.start(
                    self._wire.timing.timeout_ns, self._terminate
                )  # timer M
                self._pass_up(response)
            case State.ACCEPTED, 2:
                self._pass_up(response)
            case ((State.CALLING | State.PROCEEDING), _):
                self._stop()
                self._data = b""
                self.state = State.COMPLETED
                self._ack = self._make_ack(response).encode()
                self._wire.transmit(self.flow, self._ack)
                user, self.user = self.user, None
                if self.flow.reliable:
                    self._terminate()  # timer D is zero
                else:
                    timeout_ns = self._wire.timing.timeout_ns
                    self._timer_b = self._wire.timers.start(timeout_ns, self._terminate)  # timer D
                if user is not None:
                    user.on_response(self, response)
            case State.COMPLETED, _ if response.status >= 300:
                self._wire.transmit(self.flow, self._ack, again=True)
            case _:
                pass

    def cancel(self, reason: list[str]) -> Request | None:
        """The CANCEL for this INVITE (section 9.1), once a provisional response allows it; None before
        that and after the final response. Its branch is the INVITE's. Starts the wait for the final
        response."""
        if self.state is not State.PROCEEDING:
            return None
        theirs = self.request.fields
        fields: Fields = {
            name: theirs[name]
            for name in ("Via", "From", "To", "Call-ID", "Max-Forwards", "Route")
            if name in theirs
        }
        fields["CSeq"] = [f"{self.request.cseq[0]} CANCEL"]
        if reason:
            fields["Reason"] = reason
        if self._timer_b is None:
            self._timer_b = self._wire.timers.start(self._wire.timing.timeout_ns, self._fire_b)
        return Request("CANCEL", self.request.uri, fields)

    def fail(self) -> None:
        """The flow failed: for the user the same as a time-out (section 17.1.4). Not so when only a
        repetition could not be sent: the answer to an earlier INVITE may be on its way, and whoever took
        that call must not be left alone with it."""
        if self.state is State.CALLING and self._interval_ns == self._wire.timing.t1_ns:
            self._fire_b()

    def broken(self) -> None:
        """The connection is over: an answer that has not come will not come any more."""
        if self.state in (State.CALLING, State.PROCEEDING):
            self._fire_b()

    def _make_ack(self, response: Response) -> Request:
        """Section 17.1.1.3: the INVITE's branch, the response's To."""
        theirs = self.request.fields
        fields: Fields = {
            name: theirs[name]
            for name in ("Via", "From", "Call-ID", "Max-Forwards", "Route")
            if name in theirs
        }
        fields["To"] = response.rows("To")
        fields["CSeq"] = [f"{self.request.cseq[0]} ACK"]
        return Request("ACK", self.request.uri, fields)

    def _pass_up(self, response: Response) -> None:
        if self.user is not None:
            self.user.on_response(self, response)

    def _fire_a(self) -> None:
        self._wire.transmit(self.flow, self._data, again=True)
        self._interval_ns *= 2
        self._timer_a = self._wire.timers.start(self._interval_ns, self._fire_a)

    def _fire_b(self) -> None:
        user, self.user = self.user, None
        self._terminate()
        if user is not None:
            user.on_timeout(self)

    def _stop(self) -> None:
        for timer in (self._timer_a, self._timer_b):
            if timer is not None:
                timer.cancel()
        self._timer_a = self._timer_b = None

    def _terminate(self) -> None:
        self._stop()
        self.user = None
        self.state = State.TERMINATED
        self._wire.forget_client(self.key)
