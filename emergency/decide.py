"""Where an emergency call goes (R-EMG-03).

Asked before identity, limits, blocking and credit; it knows no refusal. The caller's place is the address
registered for the calling number, never the billing address nor the source of the packets. Trying the
gateways, and telling the centre where the caller is, are left to the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from emergency.location import Address
from emergency.numbers import Service
from emergency.psap import Centre, Directory, Failover, Gateway


class Alarm(StrEnum):
    """Why somebody must look at the line after this call; a closed set, so that it may label a metric."""

    ADDRESS_MISSING = "address-missing"
    ADDRESS_FAULTY = "address-faulty"


@dataclass(frozen=True, slots=True)
class EmergencyRoute:
    """The decision: the centre, the gateways in the order to try them, what to raise an alarm about.

    `reason` is for the log of emergency calls (R-EMG-12): why this centre, what is wrong with the address.
    """

    service: Service
    centre: Centre
    gateways: tuple[Gateway, ...]
    failover: Failover
    alarm: Alarm | None
    reason: str


def decide(service: Service, address: Address | None, directory: Directory) -> EmergencyRoute:
    """The route of an emergency call from a line registered at `address`.

    Without an address, or with a postcode that leads nowhere, the default centre answers and an alarm is
    raised. Other faults raise the alarm too, but do not send the call away from the centre that the postcode
    names.

    Raises:
        ValueError: for a helpline, which is routed over ordinary trunks.
    """
    if not service.is_emergency:
        raise ValueError(f"{service.number} is answered by no emergency centre")
    if address is None:
        return _route(service, None, directory, Alarm.ADDRESS_MISSING, "the line has no registered address")
    centre = directory.centre(service.network, address.postcode) if address.country == "BE" else None
    faults = address.faults()
    if centre is None and not faults:
        faults = (f"no province has postcode {address.postcode}",)
    return _route(service, centre, directory, Alarm.ADDRESS_FAULTY if faults else None, "; ".join(faults))


def _route(
    service: Service, own: Centre | None, directory: Directory, alarm: Alarm | None, wrong: str
) -> EmergencyRoute:
    centre = own or directory.default(service.network)
    why = "centre of the registered postcode" if own else "default centre"
    reason = f"{why}: {wrong}" if wrong else why
    return EmergencyRoute(service, centre, directory.way_to(centre), directory.failover, alarm, reason)
