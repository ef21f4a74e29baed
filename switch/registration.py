"""REGISTER (RFC 3261 section 10.3): authenticated, authorised, carried out by the registrar, answered."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from switch.malformed import Malformed
from switch.ports import Flow
from switch.routing.door import Door
from switch.routing.identity import Denied, Identity
from switch.routing.lines import Line
from switch.routing.numbers import normalise
from switch.routing.registrar import Registrar, UnlistedDevice
from switch.sip.endpoint import Endpoint
from switch.sip.headers import token_set
from switch.sip.message import Fields, Request
from switch.sip.uri import Uri, parse_uri

NOT_RENTED = '399 registrar "This device is not provisioned for this line"'
"""Warning (RFC 3261 section 20.43), for whoever looks at the phone (R-EQP-01)."""


class Watching(Protocol):
    """Is told who registers and who fails to."""

    def registered(self, line: Line, host: str) -> None:
        """A contact of the line is bound, from this address."""

    def digest_failed(self, user: str, host: str) -> None:
        """Somebody gave a wrong password in this name."""


class Registration:
    """Answers every REGISTER. What can be answered without a password is answered without keeping state."""

    def __init__(
        self,
        endpoint: Endpoint,
        identity: Identity,
        registrar: Registrar,
        door: Door,
        watching: Watching,
    ) -> None:
        self._endpoint = endpoint
        self._identity = identity
        self._registrar = registrar
        self._door = door
        self._watching = watching

        self.refused: Counter[str] = Counter()
        """REGISTERs of known lines that were answered with a failure, by what it lay in."""

    def receive(self, request: Request, flow: Flow) -> None:
        """One REGISTER.

        Raises:
            Malformed: what was sent cannot be understood; to be answered without state.
        """
        unknown = token_set(request.rows("Require")) - {"path"}
        if unknown:
            self._door.stranger(flow, "request")
            self._endpoint.reply(request, flow, 420, fields={"Unsupported": [", ".join(sorted(unknown))]})
            return
        parse_uri(request.uri)
        recipient = _address_of_record(request)
        now = self._endpoint.timers.now
        match self._identity.identify(request, flow, now):
            case Line() as line:
                status, fields = self._carry_out(line, recipient.number(), request, flow)
                response = self._endpoint.response(request, status, fields=fields)
                self._endpoint.open_server(request, flow).respond(response)
            case unproven:
                if isinstance(unproven, Denied):
                    self._watching.digest_failed(self._identity.user_of(request), flow.remote.host)
                self._door.turn_away(request, flow, unproven)

    def _carry_out(self, line: Line, user: str, request: Request, flow: Flow) -> tuple[int, Fields]:
        """Only its own address-of-record may a line bind contacts to (section 10.3 step 4)."""
        if (user != line.user and normalise(user) not in line.numbers) or line.gone:
            self.refused["line"] += 1
            return 403, {}
        try:
            contacts = self._registrar.register(line, request, flow, self._endpoint.timers.now)
        except UnlistedDevice as error:
            self.refused["device"] += 1
            return error.status, {"Warning": [NOT_RENTED]}
        except Malformed as error:
            self.refused["contact"] += 1
            fields: Fields = (
                {"Min-Expires": [str(self._registrar.limits.min_s)]} if error.status == 423 else {}
            )
            return error.status, fields
        if contacts:
            self._watching.registered(line, flow.remote.host)
        fields = {"Contact": contacts} if contacts else {}
        if "Path" in request.fields:
            fields["Path"] = request.rows("Path")
            fields["Supported"] = ["path"]
        return 200, fields


def _address_of_record(request: Request) -> Uri:
    """The sip or sips URI in To (section 10.3 step 5); anything else is no address-of-record."""
    try:
        recipient = parse_uri(request.recipient.uri)
    except Malformed as error:
        raise Malformed(400, "Bad address-of-record") from error
    if recipient.scheme == "tel":
        raise Malformed(400, "Bad address-of-record")
    return recipient
