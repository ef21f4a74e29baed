"""The blocks of RFC 7852: who sends the call, over which service, for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from emergency.additional_data import Caller, Mobility, Provider, provider_info, service_info, subscriber_info
from tests.emergency.support import NAMESPACES, schema, text, valid

PROVIDER = Provider("Belswitch NV", "switch.example", "domain", "tel:+3225550000", ("nl", "fr", "en"))
CALLER = Caller("+3216234567", "Bakkerij Peeters BV", "nl")
REFERENCE = "7f3a@switch.example"
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("<&>\"' \x00\r\n\ud800\uffff")), max_size=40)


def texts(root: etree._Element) -> list[tuple[str, str]]:
    """Name and text of every element that has no children, in order."""
    return [(etree.QName(leaf).localname, leaf.text or "") for leaf in root.iter() if len(leaf) == 0]


def test_the_provider_is_named_with_who_to_ask_day_and_night() -> None:
    root = valid(provider_info(PROVIDER, REFERENCE), "ProviderInfo")
    assert root.tag == f"{{{NAMESPACES['pi']}}}EmergencyCallData.ProviderInfo"
    assert texts(root) == [
        ("DataProviderReference", REFERENCE),
        ("DataProviderString", "Belswitch NV"),
        ("ProviderID", "switch.example"),
        ("ProviderIDSeries", "domain"),
        ("TypeOfProvider", "Telecom Provider"),
        ("ContactURI", "tel:+3225550000"),
        ("Language", "nl"),
        ("Language", "fr"),
        ("Language", "en"),
    ]


def test_a_provider_without_id_is_named_all_the_same() -> None:
    root = valid(
        provider_info(Provider("Belswitch NV", "", "", "tel:+3225550000", ()), REFERENCE), "ProviderInfo"
    )
    assert [name for name, _ in texts(root)] == [
        "DataProviderReference",
        "DataProviderString",
        "TypeOfProvider",
        "ContactURI",
    ]


@pytest.mark.parametrize("mobility", ["Fixed", "Nomadic"])
def test_the_service_says_whether_the_phone_stays_where_it_is(mobility: Mobility) -> None:
    root = valid(service_info(PROVIDER, replace(CALLER, mobility=mobility), REFERENCE), "ServiceInfo")
    assert root.tag == f"{{{NAMESPACES['svc']}}}EmergencyCallData.ServiceInfo"
    assert texts(root) == [
        ("DataProviderReference", REFERENCE),
        ("ServiceEnvironment", "Business"),
        ("ServiceType", "digital"),
        ("ServiceMobility", mobility),
    ]


def test_the_subscriber_has_a_card() -> None:
    root = valid(subscriber_info(CALLER, REFERENCE), "SubscriberInfo")
    assert root.tag == f"{{{NAMESPACES['sub']}}}EmergencyCallData.SubscriberInfo"
    assert root.get("privacyRequested") == "false"
    card = "sub:SubscriberData/xc:vcard"
    assert text(root, "sub:DataProviderReference") == REFERENCE
    assert text(root, f"{card}/xc:fn/xc:text") == "Bakkerij Peeters BV"
    assert text(root, f"{card}/xc:lang/xc:language-tag") == "nl"
    assert text(root, f"{card}/xc:tel/xc:uri") == "tel:+3216234567"


@pytest.mark.parametrize("name", ["", "  ", "\x00"])
def test_a_subscriber_without_name_goes_by_the_number(name: str) -> None:
    root = valid(subscriber_info(replace(CALLER, name=name), REFERENCE), "SubscriberInfo")
    assert text(root, "sub:SubscriberData/xc:vcard/xc:fn/xc:text") == "+3216234567"


@pytest.mark.parametrize("language", ["", "Nederlands", "n", "<"])
def test_what_is_no_language_is_left_out(language: str) -> None:
    root = valid(subscriber_info(replace(CALLER, language=language), REFERENCE), "SubscriberInfo")
    assert root.find(".//xc:lang", NAMESPACES) is None


@settings(max_examples=500, deadline=None)
@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_text_makes_valid_blocks(name: str, number: str, language: str, reference: str) -> None:
    caller = Caller(f"+{number}", name, language)
    provider = Provider(name, language, number, PROVIDER.contact, (language,))
    valid(provider_info(provider, reference), "ProviderInfo")
    valid(service_info(provider, caller, reference), "ServiceInfo")
    valid(subscriber_info(caller, reference), "SubscriberInfo")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("privacyRequested", "privacy"),
        ("sub:DataProviderReference", "sub:Reference"),
        ("<xc:fn><xc:text>Bakkerij Peeters BV</xc:text></xc:fn>", ""),
        ("<xc:text>voice</xc:text>", "<xc:text>loud</xc:text>"),
    ],
)
def test_the_schemas_find_what_is_wrong(old: str, new: str) -> None:
    document = subscriber_info(CALLER, REFERENCE).decode()
    assert old in document
    assert not schema("SubscriberInfo").validate(etree.fromstring(document.replace(old, new).encode()))
