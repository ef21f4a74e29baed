"""Non-INVITE server transaction: RFC 3261 section 17.2.2."""

from __future__ import annotations

from enum import Enum

from switch.ports import Flow
from switch.sip.message import Request, Response
from switch.sip.transaction.key import ServerKey
from switch.sip.transaction.wire import Wire


class State(Enum):
    """RFC 3261 figure 8."""

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    TERMINATED = 4


class ServerTransaction:
    """One request other than INVITE and ACK as seen by its server."""

    __slots__ = ("_last", "_wire", "flow", "key", "state")

    def __init__(self, wire: Wire, key: ServerKey, flow: Flow) -> None:
        self._wire = wire
        self.key = key
        self.flow = flow
        self.state = State.TRYING
        self._last: bytes = b""

    def receive(self, _request: Request) -> None:
        """A retransmission: answered as before, or absorbed while there is no answer yet."""
        match self.state:
            case State.PROCEEDING | State.COMPLETED:
                self._wire.transmit(self.flow, self._last, again=True)
            case _:
                pass

    def respond(self, response: Response) -> None:
        """Send a response; a second final one is dropped (section 17.2.2)."""
        if self.state in (State.COMPLETED, State.TERMINATED):
            return
        self._last = response.encode()
        if response.status >= 200:
            self.state = State.COMPLETED
            if not self.flow.reliable:
                self._wire.timers.start(self._wire.timing.timeout_ns, self._terminate)  # timer J
        else:
            self.state = State.PROCEEDING
        self._wire.transmit(self.flow, self._last)
        if self.state is State.COMPLETED and self.flow.reliable:
            self._terminate()  # timer J is zero

    def _terminate(self) -> None:
        self.state = State.TERMINATED
        self._wire.forget_server(self.key)
