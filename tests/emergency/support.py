"""Documents held against their schemas, and read back as plain texts.

The schemas restate the rules of the RFCs they name, and are stricter in one thing: elements of other
namespaces are checked where the RFCs let them pass unseen.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lxml import etree

SCHEMAS = Path(__file__).parent / "schemas"
NAMESPACES = {
    "p": "urn:ietf:params:xml:ns:pidf",
    "dm": "urn:ietf:params:xml:ns:pidf:data-model",
    "gp": "urn:ietf:params:xml:ns:pidf:geopriv10",
    "gbp": "urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy",
    "ca": "urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr",
    "pi": "urn:ietf:params:xml:ns:EmergencyCallData:ProviderInfo",
    "svc": "urn:ietf:params:xml:ns:EmergencyCallData:ServiceInfo",
    "sub": "urn:ietf:params:xml:ns:EmergencyCallData:SubscriberInfo",
    "xc": "urn:ietf:params:xml:ns:vcard-4.0",
}
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@cache
def schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(SCHEMAS / f"{name}.xsd")))


def valid(document: bytes, name: str) -> etree._Element:
    """The root of a document that is well-formed and keeps to the schema."""
    root = etree.fromstring(document)
    schema(name).assertValid(root)
    return root


def only(root: etree._Element, path: str) -> etree._Element:
    """The one element at this path."""
    (found,) = root.iterfind(path, NAMESPACES)
    return found


def text(root: etree._Element, path: str) -> str:
    return only(root, path).text or ""


def civic(root: etree._Element) -> dict[str, str]:
    """The fields of the civic address by name, in order, and its language as `lang`."""
    address = only(root, "dm:device/gp:geopriv/gp:location-info/ca:civicAddress")
    fields = {etree.QName(field).localname: field.text or "" for field in address}
    return {"lang": address.get(LANG, "")} | fields
