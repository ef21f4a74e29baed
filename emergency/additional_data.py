"""Who the caller is and who sends the call: the additional data of RFC 7852.

Three blocks: the provider (section 4.1), the service (section 4.2), the subscriber (section 4.4) with a vCard
in XML (RFC 6351). Blocks of one provider name the same reference. Where the caller is, `emergency.pidf` says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element

from emergency.markup import clean, document, element, escaped, optional

Mobility = Literal["Fixed", "Nomadic", "Mobile", "Unknown"]

_NAMESPACE = "urn:ietf:params:xml:ns:EmergencyCallData:"
_VCARD = "urn:ietf:params:xml:ns:vcard-4.0"
_TEL = ("work", "voice")
_LANGUAGE = re.compile(r"[a-z]{2,3}")


@dataclass(frozen=True, slots=True)
class Provider:
    """The operator of this switch, as a centre is told (RFC 7852 section 4.1).

    `id` is of `id_series`: a domain name of `domain`, else of an issuer such as `EENA`. `contact` reaches
    people who help a centre day and night, in `languages`; that it is a URI is for the configuration to see
    to. `kind`, `environment` and `service` are values of the registries of RFC 7852 section 11.1.
    """

    name: str
    id: str
    id_series: str
    contact: str
    languages: tuple[str, ...] = ("nl", "fr")
    kind: str = "Telecom Provider"
    environment: str = "Business"
    service: str = "digital"


@dataclass(frozen=True, slots=True)
class Caller:
    """The line that calls: a number that can be called back, its subscriber, and whether its phone stays.

    `language` is the subscriber's, empty when not known.
    """

    number: str
    name: str
    language: str = ""
    mobility: Mobility = "Fixed"


def provider_info(provider: Provider, reference: str) -> bytes:
    """The block ProviderInfo; `reference` is what the other blocks of this provider name."""
    return document(
        element(
            "pi:EmergencyCallData.ProviderInfo",
            element("pi:DataProviderReference", reference),
            element("pi:DataProviderString", provider.name),
            optional("pi:ProviderID", provider.id),
            optional("pi:ProviderIDSeries", provider.id_series),
            optional("pi:TypeOfProvider", provider.kind),
            element("pi:ContactURI", provider.contact),
            *(_language("pi:Language", language) for language in provider.languages),
            attributes={"xmlns:pi": f"{_NAMESPACE}ProviderInfo"},
        )
    )


def service_info(provider: Provider, caller: Caller, reference: str) -> bytes:
    """The block ServiceInfo: a business telephone, and whether it may have been carried elsewhere."""
    return document(
        element(
            "svc:EmergencyCallData.ServiceInfo",
            element("svc:DataProviderReference", reference),
            optional("svc:ServiceEnvironment", provider.environment),
            element("svc:ServiceType", provider.service),
            element("svc:ServiceMobility", caller.mobility),
            attributes={"xmlns:svc": f"{_NAMESPACE}ServiceInfo"},
        )
    )


def subscriber_info(caller: Caller, reference: str) -> bytes:
    """The block SubscriberInfo: name, number and language of the subscriber.

    Privacy is never asked for: an emergency call passes the withholding of the number (R-EMG-04).
    """
    number = clean(caller.number)
    language = _language("xc:language-tag", caller.language)
    vcard = element(
        "xc:vcard",
        element("xc:fn", element("xc:text", clean(caller.name) or number)),  # none is without, RFC 6350 6.2.1
        element("xc:lang", language) if language is not None else None,
        element(
            "xc:tel",
            element("xc:parameters", element("xc:type", *(element("xc:text", kind) for kind in _TEL))),
            element("xc:uri", f"tel:{escaped(number)}"),
        ),
    )
    return document(
        element(
            "sub:EmergencyCallData.SubscriberInfo",
            element("sub:DataProviderReference", reference),
            element("sub:SubscriberData", vcard),
            attributes={
                "xmlns:sub": f"{_NAMESPACE}SubscriberInfo",
                "xmlns:xc": _VCARD,
                "privacyRequested": "false",
            },
        )
    )


def _language(name: str, code: str) -> Element | None:
    return element(name, code) if _LANGUAGE.fullmatch(code) else None
