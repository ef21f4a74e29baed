"""The door: what becomes of a datagram and of a request whose sender is banned (`switch.routing.bans`), or
that comes when there is too much to do (`switch.routing.overload`).

A ban stops new business of ordinary kind only. A call for help gets through from anywhere (R-EMG-04), known
by its Request-URI before anything is parsed; so does whatever belongs to a dialog or transaction that lives.
"""

from __future__ import annotations

from collections.abc import Callable

from switch.ports import Flow
from switch.routing.bans import Bans
from switch.routing.identity import Challenge, Denied, Identity, Unproven
from switch.routing.overload import Overload
from switch.sip.endpoint import Endpoint
from switch.sip.glance import has_credentials, request_line
from switch.sip.message import Request

CALLS_FOR_HELP = frozenset({"INVITE", "ACK", "CANCEL"})
"""They bear the Request-URI of the INVITE (RFC 3261 sections 9.1 and 17.1.1.3)."""


class Door:
    """Stands between the network and the endpoint, and answers whoever proved nothing. `is_for_help` tells a
    call for help by its Request-URI, as whoever admits it does, and `is_centre` an emergency centre that
    calls back."""

    def __init__(
        self,
        endpoint: Endpoint,
        identity: Identity,
        bans: Bans,
        overload: Overload,
        *,
        is_for_help: Callable[[str], bool],
        is_centre: Callable[[Flow], bool],
    ) -> None:
        self._is_for_help = is_for_help
        self._is_centre = is_centre
        self._overload = overload
        self._endpoint = endpoint
        self._identity = identity
        self._bans = bans
        endpoint.on_stray = self.stranger

    def ignores(self, flow: Flow, data: bytes) -> bool:
        """Whether a datagram is dropped unparsed. To be asked only while `Bans.shut`."""
        now_ns = self._endpoint.timers.now.mono_ns
        rule = self._bans.shuts_out(flow.remote, now_ns)
        if not rule:
            return False
        method, uri = request_line(data)
        if method in CALLS_FOR_HELP and self._is_for_help(uri):
            return False
        if method != "REGISTER" and self._endpoint.expects(data):
            return False
        self._bans.dropped(flow.remote, rule, now_ns)
        return True

    def puts_off(self, flow: Flow, data: bytes) -> bool:
        """Whether a datagram is refused unparsed since there is too much to do. To be asked only while
        `Overload.limits`."""
        method, uri = request_line(data)
        if method not in ("INVITE", "REGISTER", "ACK") or self._endpoint.expects(data):
            return False
        if method != "REGISTER" and (self._is_for_help(uri) or self._is_centre(flow)):
            return False
        if method == "ACK":
            return True  # of a refusal that was not read
        retry_s = self._overload.refuses(
            method,
            flow.remote.host,
            proven=has_credentials(data) or self._bans.spares(flow.remote.host),
            now_ns=self._endpoint.timers.now.mono_ns,
        )
        if retry_s:
            self._endpoint.refuse_unread(flow, data, retry_s)
        return retry_s > 0

    def stranger(self, flow: Flow, kind: str) -> None:
        """A message that belongs to nothing and proves nothing (`Endpoint.on_stray` has the kinds)."""
        self._bans.request(flow.remote, self._endpoint.timers.now.mono_ns, kind)

    def turn_away(
        self, request: Request, flow: Flow, outcome: Unproven, *, urgent: bool = False, denied: int = 403
    ) -> None:
        """Ask for a password, or answer `denied`; late where the sender is slowed, unless it is `urgent`."""
        if isinstance(outcome, Challenge):
            status, fields = 401, {"WWW-Authenticate": outcome.rows}
        elif isinstance(outcome, Denied):
            status, fields = denied, None
        else:
            return
        if urgent or not self._bans.held:
            self._endpoint.reply(request, flow, status, fields=fields)
            return
        self._bans.answer(
            flow.remote,
            self._identity.user_of(request),
            lambda: self._endpoint.reply(request, flow, status, fields=fields),
            self._endpoint.timers.now.mono_ns,
        )
