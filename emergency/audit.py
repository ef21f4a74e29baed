"""Whether a call for help from a line would end where it should (R-EMG-03, R-EMG-08), asked before anybody
needs it.

One dispatch is held against what the directory says of the postcode, and its documents are read again. Which
lines are asked about, and who is told, is left to the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import ParseError, fromstring

from emergency.dispatch import Dispatch
from emergency.location import Address
from emergency.psap import Directory

_POSTCODE = ".//{urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr}PC"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`routed`: the line's own centre gets the call, over some gateway, with documents that can be read.
    `alarm` is that of the route, or what else is wrong in one word; `reason` says why. Both are empty when
    all is well."""

    routed: bool
    alarm: str
    reason: str


def verdict(found: Dispatch, address: Address | None, directory: Directory) -> Verdict:
    """What a dispatch from a line registered at `address` is worth."""
    route = found.route
    network = route.service.network
    own = None
    if address is not None and address.country == "BE":
        own = directory.centre(network, address.postcode)
    if route.alarm is not None:
        at_own = own is not None and route.centre == own and bool(route.gateways)
        return Verdict(at_own and _is_told(found), route.alarm.value, route.reason)
    if own is None or route.centre != own:
        return Verdict(False, "wrong-centre", f"{route.centre.id} is not the centre of the postcode")
    if not route.gateways:
        return Verdict(False, "no-gateway", f"no gateway leads to {route.centre.id}")
    if not _is_told(found):
        return Verdict(False, "document-faulty", "a document that goes along cannot be read")
    return Verdict(True, "", "")


def _is_told(found: Dispatch) -> bool:
    """Whether every document is well-formed and those that say where the caller is name a postcode."""
    try:
        roots = [fromstring(part.content) for part in found.parts]
    except ParseError:
        return False
    places = [root for part, root in zip(found.parts, roots, strict=True) if not part.purpose]
    return bool(places) and all(root.find(_POSTCODE) is not None for root in places)
