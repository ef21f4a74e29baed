"""What a test call is told: which centre would have answered, and which place it would have been told
(R-EMG-11).

Words for people, as text/plain; the documents for a centre are `emergency.pidf`. Whether a test call may be
placed, and that it reaches no centre, is left to who answers it.
"""

from __future__ import annotations

from emergency.dispatch import Dispatch
from emergency.location import OTHER_LANGUAGE, Address
from emergency.markup import clean
from emergency.pidf import unit


def test_answer(found: Dispatch, address: Address | None) -> str:
    """The answer to a test call from a line registered at `address`; a line of text for each thing told.

    Args:
        found: what `emergency.dispatch` says of a call to 112 from that line.
        address: that it was asked about; None for a line without one.
    """
    route = found.route
    lines = [f"Test call: no emergency centre was called. A call to {route.service.number} is answered by:"]
    lines.append(f"Centre: {clean(route.centre.name)}")
    lines += [f"Location: {place}" for place in _places(address)] or ["Location: none is registered"]
    if route.alarm is not None:
        lines.append(f"To be corrected: {clean(route.reason)}")
    return "\n".join(lines) + "\n"


# Not a test of pytest's, wherever it is imported.
test_answer.__test__ = False  # type: ignore[attr-defined]


def in_words(address: Address) -> str:
    """An address on one line, in its own language; what is empty is left out."""
    house = f"{clean(address.number)}{clean(address.suffix)}"
    municipality, part = clean(address.municipality), clean(address.sub_municipality)
    town = f"{part} ({municipality})" if part and municipality else part or municipality
    texts = (
        address.name,
        f"{address.street} {house}",
        unit(address.box, address.language),
        f"floor {address.floor}" if clean(address.floor) else "",
        f"{address.postcode} {town}",
        address.country if clean(address.country) != "BE" else "",
    )
    return ", ".join(text for text in map(clean, texts) if text)


def _places(address: Address | None) -> list[str]:
    """The address in its own language and, where it has names in another one, in that too."""
    if address is None:
        return []
    told = [address]
    other = OTHER_LANGUAGE.get(address.language)
    names = (address.municipality_other, address.sub_municipality_other, address.street_other)
    if other is not None and any(map(clean, names)):
        told.append(address.in_language(other))
    return [text for text in map(in_words, told) if text]
