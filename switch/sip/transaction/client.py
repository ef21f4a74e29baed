"""Non-INVITE client transaction: RFC 3261 section 17.1.2."""

from __future__ import annotations

from enum import Enum

from switch.ports import Flow
from switch.sip.message import Response
from switch.sip.transaction.key import ClientKey
from switch.sip.transaction.wire import ClientUser, Wire
from switch.timers import Timer


class State(Enum):
    """RFC 3261 figure 6."""

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    TERMINATED = 4


class ClientTransaction:
    """One request of ours other than INVITE and ACK."""

    __slots__ = ("_data", "_interval_ns", "_timer_e", "_timer_f", "_wire", "flow", "key", "state", "user")

    def __init__(self, wire: Wire, key: ClientKey, data: bytes, flow: Flow, user: ClientUser | None) -> None:
        self._wire = wire
        self.key = key
        self.flow = flow
        self.user = user
        self.state = State.TRYING
        self._data = data
        self._interval_ns = wire.timing.t1_ns
        self._timer_f: Timer | None = wire.timers.start(wire.timing.timeout_ns, self._fire_f)
        self._timer_e: Timer | None = (
            None if flow.reliable else wire.timers.start(self._interval_ns, self._fire_e)
        )
        wire.transmit(flow, data)

    def receive(self, response: Response) -> None:
        """A response; the final one is passed up once."""
        match self.state, response.status < 200:
            case ((State.TRYING | State.PROCEEDING), True):
                self.state = State.PROCEEDING
                if self.user is not None:
                    self.user.on_response(self, response)
            case ((State.TRYING | State.PROCEEDING), False):
                self._stop()
                self.state = State.COMPLETED
                user, self.user, self._data = self.user, None, b""
                if self.flow.reliable:
                    self._terminate()  # timer K is zero
                else:
                    timing = self._wire.timing
                    self._timer_f = self._wire.timers.start(timing.t4_ns, self._terminate)  # timer K
                if user is not None:
                    user.on_response(self, response)
            case _:
                pass  # COMPLETED absorbs retransmissions

    def fail(self) -> None:
        """The flow failed (section 17.1.4): for the user the same as a time-out."""
        if self.state in (State.TRYING, State.PROCEEDING):
            self._fire_f()

    def broken(self) -> None:
        """The connection is over, and the answer with it."""
        self.fail()

    def _fire_e(self) -> None:
        self._wire.transmit(self.flow, self._data, again=True)
        t2_ns = self._wire.timing.t2_ns
        self._interval_ns = t2_ns if self.state is State.PROCEEDING else min(2 * self._interval_ns, t2_ns)
        self._timer_e = self._wire.timers.start(self._interval_ns, self._fire_e)

    def _fire_f(self) -> None:
        user, self.user = self.user, None
        self._terminate()
        if user is not None:
            user.on_timeout(self)

    def _stop(self) -> None:
        for timer in (self._timer_e, self._timer_f):
            if timer is not None:
                timer.cancel()
        self._timer_e = self._timer_f = None

    def _terminate(self) -> None:
        self._stop()
        self.state = State.TERMINATED
        self._wire.forget_client(self.key)
