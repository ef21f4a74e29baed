"""Test calls to the emergency services (R-EMG-11, RFC 6881 section 15): told which centre would answer and
what place it would be told, by the switch itself; no centre is ever rung."""

from __future__ import annotations

from collections.abc import Callable

from switch.call.events import Acknowledged, Event, HungUp, Lost
from switch.call.incoming import IncomingLeg
from switch.call.leg import Leg
from switch.ports import Flow
from switch.sip.endpoint import Endpoint
from switch.sip.message import Request

TEST_SERVICES = "urn:service:test."
TEXT = "text/plain;charset=utf-8"
NORMAL = 16


def is_test(uri: str) -> bool:
    """Whether a Request-URI asks for a test of a service."""
    return uri.lower().startswith(TEST_SERVICES)


class Rehearsal:
    """One test call: answered with words, ended as soon as they have arrived."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        flow: Flow,
        *,
        tag: str,
        text: str,
        ended: Callable[[], None],
    ) -> None:
        """Take up the INVITE and answer it.

        Raises:
            Malformed: when its Contact cannot be read.
        """
        self._ended = ended
        self._leg = IncomingLeg(endpoint, request, flow, self, tag=tag, follows_flow=True)
        self._leg.answer(text.encode(), TEXT)

    def handle(self, leg: Leg, event: Event) -> None:
        """The words have arrived, or the phone is gone: that is all there is."""
        if isinstance(event, Acknowledged | HungUp | Lost):
            leg.bye(NORMAL)
            leg.detach()
            self._ended()
