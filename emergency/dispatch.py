"""All that a call for help needs, decided at once: where it goes and with what (R-EMG-03, R-EMG-08).

The call on the wire, the daily audit and the what-if answer ask this one function.
"""

from __future__ import annotations

from dataclasses import dataclass

from emergency.additional_data import Caller, Provider
from emergency.decide import EmergencyRoute, decide
from emergency.location import Address
from emergency.numbers import Service
from emergency.parts import Part, parts
from emergency.psap import Directory


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The route, and the documents for gateways that take them."""

    route: EmergencyRoute
    parts: tuple[Part, ...]

    @property
    def locations(self) -> tuple[Part, ...]:
        """The documents that say where the caller is."""
        return tuple(part for part in self.parts if not part.purpose)


def dispatch(
    service: Service,
    caller: Caller,
    address: Address | None,
    directory: Directory,
    provider: Provider,
    *,
    token: str,
    domain: str,
    wall_ns: int,
) -> Dispatch:
    """Where a call for help from a line registered at `address` goes, and with what (`emergency.parts`)."""
    route = decide(service, address, directory)
    told = parts(caller, address, directory.provinces, provider, token=token, domain=domain, wall_ns=wall_ns)
    return Dispatch(route, told)
