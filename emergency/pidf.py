"""Where the caller is, as a document: PIDF-LO by value with a civic address (R-EMG-08).

Covers RFC 3863 (presence), RFC 4479 (device), RFC 4119 and RFC 5491 (location object, usage rules), RFC 5139
(civic address, in Belgian use). One language a document: the address of a bilingual region makes several.
What the centre is told beside the place is in `emergency.additional_data`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from emergency.location import LANGUAGES, Address, Province, Provinces
from emergency.markup import clean, document, element, escaped, optional

_NAMESPACES = {
    "xmlns": "urn:ietf:params:xml:ns:pidf",
    "xmlns:dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "xmlns:gp": "urn:ietf:params:xml:ns:pidf:geopriv10",
    "xmlns:gbp": "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy",
    "xmlns:ca": "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr",
}
_BOX = {"nl": "bus", "fr": "boîte"}
_BOX_WORD = re.compile(r"(?:bus|bo[iî]te|bte)\b[ .]*", re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Z]{2}")


def locations(
    address: Address, provinces: Provinces, *, number: str, domain: str, wall_ns: int
) -> tuple[bytes, ...]:
    """The documents that tell a centre an address, the one in the address's own language first.

    Args:
        address: the registered address, however faulty; a field that is empty has no element.
        provinces: names its province, and the languages it is told in.
        number: the calling number, E.164; it is the device at that address.
        domain: of this switch, for the presence URI.
        wall_ns: when this was known to hold, UTC nanoseconds since the epoch.
    """
    province = provinces.of(address.postcode.strip()) if _country(address) == "BE" else None
    told = [address.language] if address.language in LANGUAGES else []
    told += province.languages if province else ()
    return tuple(
        _presence(_civic(address.in_language(language), province), number, domain, wall_ns)
        for language in dict.fromkeys(told or LANGUAGES[:1])
    )


def _presence(civic: Element, number: str, domain: str, wall_ns: int) -> bytes:
    location = element(
        "gp:geopriv",
        element("gp:location-info", civic),
        # Without it nobody may hand the place on to an ambulance (RFC 4119 section 2.2.2).
        element("gp:usage-rules", element("gbp:retransmission-allowed", "true")),
        element("gp:method", "Manual"),
    )
    moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    device = element(
        "dm:device",
        location,
        element("dm:deviceID", f"tel:{escaped(number)}"),
        element("dm:timestamp", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
        attributes={"id": "line1"},
    )
    entity = {"entity": f"pres:{escaped(number)}@{escaped(domain)}"}
    return document(element("presence", device, attributes=_NAMESPACES | entity))


def _civic(address: Address, province: Province | None) -> Element:
    """The address in the order of the schema, which is not that of an envelope (RFC 5139 section 4)."""
    language = address.language if address.language in LANGUAGES else LANGUAGES[0]
    return element(
        "ca:civicAddress",
        optional("ca:country", _country(address)),
        optional("ca:A1", province.name(language) if province else ""),
        optional("ca:A2", address.arrondissement),
        optional("ca:A3", address.municipality),
        optional("ca:A4", address.sub_municipality),
        optional("ca:RD", address.street),
        optional("ca:HNO", address.number),
        optional("ca:HNS", address.suffix),
        optional("ca:FLR", address.floor),
        optional("ca:NAM", address.name),
        optional("ca:PC", address.postcode),
        optional("ca:UNIT", unit(address.box, language)),
        attributes={"xml:lang": language},
    )


def _country(address: Address) -> str:
    """The country's two capitals; empty for anything else, which no schema lets pass."""
    country = clean(address.country).upper()
    return country if _COUNTRY.fullmatch(country) else ""


def unit(box: str, language: str) -> str:
    """A letter box with the word for it, in the language of the document: `bus 3`, `boîte 3`."""
    text = clean(box)
    word, bare = _BOX.get(language), _BOX_WORD.sub("", text, count=1) if _BOX_WORD.match(text) else text
    return f"{word} {bare}" if word and bare else text
