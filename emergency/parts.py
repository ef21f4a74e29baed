"""All that travels with an emergency call beside its SDP (R-EMG-08), as parts of a body.

Which header fields point to them (Geolocation, RFC 6442; Call-Info, RFC 7852 section 6) and how a body is put
together is left to the SIP side.
"""

from __future__ import annotations

from dataclasses import dataclass

from emergency.additional_data import Caller, Provider, provider_info, service_info, subscriber_info
from emergency.location import Address, Provinces
from emergency.pidf import locations

PIDF = "application/pidf+xml"
_BLOCK = "application/EmergencyCallData."


@dataclass(frozen=True, slots=True)
class Part:
    """One document: its media type, the id it is pointed to by (`cid:`, no angle brackets), its bytes."""

    content_type: str
    content_id: str
    content: bytes

    @property
    def purpose(self) -> str:
        """What a Call-Info says of it, `EmergencyCallData.ProviderInfo`; empty for a location."""
        if not self.content_type.startswith(_BLOCK):
            return ""
        return self.content_type.removeprefix("application/").removesuffix("+xml")


def parts(
    caller: Caller,
    address: Address | None,
    provinces: Provinces,
    provider: Provider,
    *,
    token: str,
    domain: str,
    wall_ns: int,
) -> tuple[Part, ...]:
    """The parts of one call: the address, once in each language it is told in, then the additional data.

    Args:
        caller: the line, with a number that a centre can call back.
        address: where it is registered; None leaves the locations out.
        provinces: of `emergency.psap.Directory`.
        provider: this operator.
        token: letters and digits that no other call has; every id is made of it.
        domain: of this switch, a host name or address as it stands in a URI.
        wall_ns: the moment of the call, UTC nanoseconds since the epoch.
    """
    told = (
        locations(address, provinces, number=caller.number, domain=domain, wall_ns=wall_ns) if address else ()
    )
    reference = f"{token}@{domain}"
    blocks = {
        "ProviderInfo": provider_info(provider, reference),
        "ServiceInfo": service_info(provider, caller, reference),
        "SubscriberInfo": subscriber_info(caller, reference),
    }
    return (
        *(Part(PIDF, f"loc{at}.{reference}", content) for at, content in enumerate(told, 1)),
        *(Part(f"{_BLOCK}{name}+xml", f"{name}.{reference}", block) for name, block in blocks.items()),
    )
