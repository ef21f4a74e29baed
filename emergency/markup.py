"""XML documents that are well-formed whatever stands in them (XML 1.0 section 2.2).

Names carry their prefix (`ca:RD`); the root declares the prefixes. Which elements a document has, and in what
order, is left to the modules that write one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote
from xml.etree.ElementTree import Element, tostring

# XML 1.0 has no controls, surrogates, FFFE, FFFF; the controls from 7F on it has, but they show as nothing.
_FORBIDDEN = re.compile("[^\t\n\r -\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text without what XML cannot carry, with single spaces, as `xs:token` wants it."""
    return " ".join(_FORBIDDEN.sub("", text).split())


def escaped(text: str) -> str:
    """The text as it may stand behind `tel:` or `pres:`, all else percent-encoded (RFC 3986 section 3.3)."""
    return quote(clean(text), safe="!$&'()*+,;=:@")


def element(
    name: str, *content: Element | str | None, attributes: Mapping[str, str] | None = None
) -> Element:
    """An element with cleaned texts and children, in this order; None stands for a child that is not there.

    A text may only come first, before all children.
    """
    made = Element(name, {key: clean(value) for key, value in (attributes or {}).items()})
    for item in content:
        if isinstance(item, str):
            made.text = clean(item)
        elif item is not None:
            made.append(item)
    return made


def optional(name: str, text: str) -> Element | None:
    """An element with this text; None when nothing is left of it."""
    return element(name, text) if clean(text) else None


def document(root: Element) -> bytes:
    """The document as it is sent: UTF-8, without line ends or indentation."""
    return f'<?xml version="1.0" encoding="UTF-8"?>{tostring(root, "unicode")}'.encode()
