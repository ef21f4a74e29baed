"""What passes within a dialog besides its INVITEs: INFO, REFER with its NOTIFYs, and the OPTIONS that ask for
a sign of life. Here are those who wait for the answers, and the reading of a REFER.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from switch.call.events import Info, Refer, Replaces
from switch.malformed import Malformed
from switch.sip.message import Request, Response
from switch.sip.transaction.client import ClientTransaction
from switch.sip.transaction.invite_client import InviteClient
from switch.sip.uri import parse_name_addr, parse_uri

if TYPE_CHECKING:
    from switch.call.leg import Leg

KEYS = "0123456789*#ABCD"
NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}
"""Keys by their event codes, as some phones name them."""

KEY_MS = 160
"""How long a key is down of which nobody says how long."""

FRAGMENT_TYPE = "message/sipfrag;version=2.0"
"""RFC 3420: how far a REFER has come, as the status line of the response that came."""


def refer_of(request: Request) -> Refer:
    """What a REFER asks for (RFC 3515 section 2.1, RFC 3891, RFC 4488).

    Raises:
        Malformed: 400 where there is not exactly one Refer-To that can be read.
    """
    values = request.values("Refer-To")
    if len(values) != 1:
        raise Malformed(400, "Bad Refer-To")
    target = parse_name_addr(values[0]).uri
    uri = parse_uri(target)
    replaces: Replaces | None = None
    for header in uri.headers.removeprefix("?").split("&"):
        name, _, value = header.partition("=")
        if name.lower() == "replaces":
            replaces = _replaces(unquote(value))
    silent = (request.get("Refer-Sub") or "").strip().lower().startswith("false")
    return Refer(request.cseq[0], target, replaces, silent)


def _replaces(text: str) -> Replaces:
    call_id, *params = (part.strip() for part in text.split(";"))
    tags = dict(part.partition("=")[::2] for part in params)
    try:
        return Replaces(call_id, tags["to-tag"], tags["from-tag"])
    except KeyError as error:
        raise Malformed(400, "Bad Replaces") from error


def key_of(event: Info) -> tuple[str, int] | None:
    """The key that an INFO says is pressed, and for how many milliseconds; None for anything else.

    `application/dtmf-relay` has rows of `Signal=` and `Duration=`, `application/dtmf` the key alone; no
    standard says so, but every make of phone does.
    """
    kind = event.content_type.partition(";")[0].strip().lower()
    if kind not in ("application/dtmf-relay", "application/dtmf") or len(event.body) > 100:
        return None
    rows = event.body.decode("latin-1").upper().splitlines()
    pairs = (row.partition("=") for row in rows)
    told = {name.strip(): value.strip() for name, _, value in pairs}
    key = told.get("SIGNAL", "") if kind.endswith("relay") else "".join(rows[:1]).strip()
    key, duration = NUMBERED.get(key, key), told.get("DURATION", "")
    if len(key) != 1 or key not in KEYS:
        return None
    return key, int(duration) if duration.isascii() and duration.isdigit() and len(duration) < 6 else KEY_MS


class RefreshUser:
    """Tells a leg how the party answers an UPDATE of ours that keeps the session alive."""

    __slots__ = ("_leg",)

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        """The party's answer."""
        if response.status >= 200:
            self._leg.on_refreshed(response.status, response)

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        """It gives none."""
        self._leg.on_refreshed(408, None)


class ReinviteUser:
    """Tells a leg that its party cancelled the re-INVITE."""

    __slots__ = ("_leg",)

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def on_cancel(self, _request: Request) -> None:
        self._leg.on_modify_cancelled()


class InfoUser:
    """Remembers which INFO of the other side a response answers."""

    __slots__ = ("_leg", "_number")

    def __init__(self, leg: Leg, number: int) -> None:
        self._leg = leg
        self._number = number

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        if response.status >= 200:
            self._leg.on_info_answered(self._number, response.status)

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        self._leg.on_info_answered(self._number, 408)


class ProbeUser:
    """Tells a leg what became of its OPTIONS."""

    __slots__ = ("_leg",)

    def __init__(self, leg: Leg) -> None:
        self._leg = leg

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        if response.status >= 200:
            self._leg.on_probed(response.status)

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        self._leg.on_probed(408)


class NotifyUser:
    """Tells that a NOTIFY has arrived, or never will."""

    __slots__ = ("_told",)

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told

    def on_response(self, _transaction: ClientTransaction | InviteClient, response: Response) -> None:
        if response.status >= 200:
            self._told()

    def on_timeout(self, _transaction: ClientTransaction | InviteClient) -> None:
        self._told()
