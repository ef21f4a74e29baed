"""Which emergency service or helpline a request asks for (R-EMG-01; RFC 5031 URNs, RFC 3966 numbers).

Every form in which a listed number can be dialled is a key of one dict, so an ordinary number costs a look-up
or two. Only listed numbers match, and only whole: 1123, 0112 and 00112 are not 112. Whether such a call may
be refused (it may not) and where it goes are left to `emergency.decide` and to call admission.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import unquote

Kind = Literal["emergency", "helpline"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_SOS = "urn:service:sos"
# RFC 3966 visual separators, and the blanks and slashes with which Belgians write numbers (0800/32 123).
_SEPARATORS = {ord(char): None for char in "-.()/ \t"}


@dataclass(frozen=True, slots=True)
class Service:
    """A number the law makes free and always open.

    `number` is what to route and to record, whatever was dialled: a bare short code, or E.164 with `+32`.
    `urn` is the service URN, or `help` where RFC 5031 names none. `network` says whose centres answer an
    emergency number (`112` or `101`); it is empty for a helpline, which travels over ordinary trunks.
    """

    kind: Kind
    number: str
    urn: str
    label: str
    network: str = ""

    @property
    def is_emergency(self) -> bool:
        """True for what a provincial centre answers, False for a helpline."""
        return self.kind == "emergency"


def forms(number: str) -> tuple[str, ...]:
    """Every way to dial a listed number: as it stands, international, and with `+32` also national."""
    if number.startswith("+32"):
        return number, f"00{number[1:]}", f"0{number[3:]}"
    return number, f"+32{number}", f"0032{number}"


class ServiceNumbers:
    """The services, ready for look-up; where two claim one number or URN, the first has it."""

    __slots__ = ("_by_number", "_by_urn", "services")

    def __init__(self, services: Iterable[Service]) -> None:
        self.services = tuple(services)
        self._by_number: dict[str, Service] = {}
        self._by_urn: dict[str, Service] = {}
        for service in self.services:
            for form in forms(service.number):
                self._by_number.setdefault(form, service)
            if service.urn.startswith("urn:"):
                self._by_urn.setdefault(service.urn, service)

    def recognise(self, dialled: str) -> Service | None:
        """The service behind a dialled user part or a whole sip, sips, tel or urn URI; None for all else.

        The host is not looked at, nor a phone-context: who dials 112 here wants help here.
        """
        service = self._by_number.get(dialled)
        if service is not None or dialled.lstrip("+").isalnum():
            return service
        user = dialled
        scheme, colon, rest = dialled.partition(":")
        if colon:
            scheme = scheme.lower()
            if scheme in ("sip", "sips"):
                user, at, _ = rest.partition("@")
                if not at:
                    return None
                user = user.partition(":")[0]
            elif scheme == "tel":
                user = rest
            else:
                return self._named(dialled.lower()) if scheme == "urn" else None
        return self._subscriber(user)

    def _subscriber(self, user: str) -> Service | None:
        """RFC 3966 telephone-subscriber: escapes undone once, parameters and visual separators taken away."""
        if "%" in user:
            user = unquote(user, errors="surrogateescape")
        number = user.partition(";")[0]
        service = self._by_number.get(number)
        if service is not None or number.lstrip("+").isalnum():
            return service
        if number[:1] == "+":
            number = number.replace("(0)", "")  # as in +32 (0)2 649 95 55
        return self._by_number.get(number.translate(_SEPARATORS))

    def _named(self, urn: str) -> Service | None:
        """RFC 5031: labels ignore case. A sub-service that is not listed is answered by `sos` itself.

        `urn:service:test.sos` is another service: a test never reaches a live centre (R-EMG-11).
        """
        service = self._by_urn.get(urn)
        if service is None and urn.startswith(f"{_SOS}."):
            service = self._by_urn.get(_SOS)
        return service
