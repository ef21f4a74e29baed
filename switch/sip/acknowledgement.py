"""Waiting for the ACK of a 2xx: the answer is repeated until it comes (RFC 3261 section 13.3.1.4)."""

from __future__ import annotations

from collections.abc import Callable

from switch.ports import Flow
from switch.sip.transaction.wire import Wire
from switch.timers import Timer


class Acknowledgement:
    """Repeats a 2xx at T1, doubling to T2, for 64 * T1; then calls `on_missing`."""

    __slots__ = ("_data", "_flow", "_interval_ns", "_on_missing", "_repeat", "_timeout", "_wire", "cseq")

    def __init__(
        self, wire: Wire, flow: Flow, data: bytes, cseq: int, on_missing: Callable[[], None]
    ) -> None:
        self.cseq = cseq
        self._wire = wire
        self._flow = flow
        self._data = data
        self._interval_ns = wire.timing.t1_ns
        self._on_missing = on_missing
        self._timeout: Timer = wire.timers.start(wire.timing.timeout_ns, self._missing)
        self._repeat: Timer = wire.timers.start(self._interval_ns, self._again)

    def stop(self) -> None:
        """The ACK came, or nobody cares any more."""
        self._timeout.cancel()
        self._repeat.cancel()

    def _again(self) -> None:
        self._wire.transmit(self._flow, self._data, again=True)
        self._interval_ns = min(2 * self._interval_ns, self._wire.timing.t2_ns)
        self._repeat = self._wire.timers.start(self._interval_ns, self._again)

    def _missing(self) -> None:
        self._repeat.cancel()
        self._on_missing()
