"""What a transaction needs of the layer around it, and of the user above it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from switch.ports import NS_PER_MS, Flow
from switch.timers import TimerQueue

if TYPE_CHECKING:
    from switch.sip.message import Request, Response
    from switch.sip.transaction.client import ClientTransaction
    from switch.sip.transaction.invite_client import InviteClient


@dataclass(frozen=True, slots=True)
class Timing:
    """RFC 3261's T1, T2 and T4 in nanoseconds (table 4: 500 ms, 4 s, 5 s)."""

    t1_ns: int = 500 * NS_PER_MS
    t2_ns: int = 4000 * NS_PER_MS
    t4_ns: int = 5000 * NS_PER_MS

    @property
    def timeout_ns(self) -> int:
        """64 * T1: timers B, F, H, J, L and M."""
        return 64 * self.t1_ns


class Wire(Protocol):
    """What the endpoint offers its transactions."""

    timers: TimerQueue
    timing: Timing

    def transmit(self, flow: Flow, data: bytes, *, again: bool = False) -> None:
        """Send; `again` marks a retransmission, which is counted."""

    def forget_client(self, key: tuple[str, str]) -> None:
        """The client transaction is over."""

    def forget_server(self, key: tuple[str, ...]) -> None:
        """The server transaction is over."""


class ClientUser(Protocol):
    """Who sent a request and wants to know what becomes of it."""

    def on_response(self, transaction: ClientTransaction | InviteClient, response: Response) -> None:
        """A response, provisional or final; after a 2xx to INVITE further 2xx may follow."""

    def on_timeout(self, transaction: ClientTransaction | InviteClient) -> None:
        """Nothing final came within 64 * T1, or the flow failed."""


class InviteServerUser(Protocol):
    """Who answers an INVITE."""

    def on_cancel(self, request: Request) -> None:
        """The caller gave up before a final response."""
