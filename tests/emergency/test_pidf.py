"""Location documents: the sample of R-EMG-08, the schemas, two languages, any text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from emergency.loader import load
from emergency.location import Address, Provinces
from emergency.pidf import locations
from emergency.psap import Directory
from tests.emergency.support import NAMESPACES, civic, schema, text, valid
from tests.emergency.test_location import BAKERY, BOOKSHOP

MOMENT_NS = 1_795_532_400_000_000_000  # 2026-11-24T15:00:00Z

# R-EMG-08, with UNIT where RFC 5139 wants it: behind PC.
SAMPLE = """
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
  xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"
  xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr" entity="pres:+3216234567@switch.example">
 <dm:device id="line1"><gp:geopriv>
  <gp:location-info><ca:civicAddress xml:lang="nl">
   <ca:country>BE</ca:country><ca:A1>Vlaams-Brabant</ca:A1><ca:A3>Leuven</ca:A3><ca:A4>Heverlee</ca:A4>
   <ca:RD>Naamsesteenweg</ca:RD><ca:HNO>12</ca:HNO><ca:HNS>A</ca:HNS><ca:FLR>2</ca:FLR>
   <ca:NAM>Bakkerij Peeters BV</ca:NAM><ca:PC>3001</ca:PC><ca:UNIT>bus 3</ca:UNIT></ca:civicAddress></gp:location-info>
  <gp:usage-rules><gbp:retransmission-allowed>true</gbp:retransmission-allowed></gp:usage-rules><gp:method>Manual</gp:method>
 </gp:geopriv><dm:deviceID>tel:+3216234567</dm:deviceID><dm:timestamp>2026-11-24T15:00:00Z</dm:timestamp></dm:device></presence>
"""  # noqa: E501


def told(address: Address, provinces: Provinces) -> list[dict[str, str]]:
    """The civic address of each document, all of them valid."""
    documents = locations(
        address, provinces, number="+3216234567", domain="switch.example", wall_ns=MOMENT_NS
    )
    return [civic(valid(document, "pidf")) for document in documents]


def canonical(document: bytes) -> str:
    return str(etree.canonicalize(document.decode(), strip_text=True))


def test_the_ruled_sample_is_written(directory: Directory) -> None:
    (document,) = locations(
        BAKERY, directory.provinces, number="+3216234567", domain="switch.example", wall_ns=MOMENT_NS
    )
    assert canonical(document) == canonical(SAMPLE.encode())
    root = valid(document, "pidf")
    assert text(root, "dm:device/dm:timestamp") == "2026-11-24T15:00:00Z"


def test_every_field_has_its_element_in_the_order_of_the_schema(directory: Directory) -> None:
    address = replace(BAKERY, arrondissement="Leuven", box="bus 3")
    assert told(address, directory.provinces) == [
        {
            "lang": "nl",
            "country": "BE",
            "A1": "Vlaams-Brabant",
            "A2": "Leuven",
            "A3": "Leuven",
            "A4": "Heverlee",
            "RD": "Naamsesteenweg",
            "HNO": "12",
            "HNS": "A",
            "FLR": "2",
            "NAM": "Bakkerij Peeters BV",
            "PC": "3001",
            "UNIT": "bus 3",
        }
    ]


def test_brussels_is_told_in_both_languages_its_own_first(directory: Directory) -> None:
    french, dutch = told(replace(BOOKSHOP, box="boîte 3"), directory.provinces)
    same = {"country": "BE", "HNO": "80", "NAM": "Librairie Dupont SRL", "PC": "1000"}
    assert french == same | {
        "lang": "fr",
        "A1": "Région de Bruxelles-Capitale",
        "A3": "Bruxelles",
        "RD": "Rue du Midi",
        "UNIT": "boîte 3",
    }
    assert dutch == same | {
        "lang": "nl",
        "A1": "Brussels Hoofdstedelijk Gewest",
        "A3": "Brussel",
        "RD": "Zuidstraat",
        "UNIT": "bus 3",
    }


@pytest.mark.parametrize(
    ("postcode", "own", "languages"),
    [
        ("1000", "nl", ["nl", "fr"]),
        ("1000", "fr", ["fr", "nl"]),
        ("1000", "de", ["de", "nl", "fr"]),
        ("1000", "", ["nl", "fr"]),
        ("4700", "de", ["de"]),
        ("5000", "fr", ["fr"]),
        ("5000", "xx", ["nl"]),
        ("nowhere", "fr", ["fr"]),
    ],
)
def test_the_languages_of_a_place(
    directory: Directory, postcode: str, own: str, languages: list[str]
) -> None:
    address = replace(BOOKSHOP, postcode=postcode, language=own)
    assert [document["lang"] for document in told(address, directory.provinces)] == languages


def test_names_without_translation_are_given_again_under_the_other_language(directory: Directory) -> None:
    address = replace(BOOKSHOP, municipality_other="", street_other="")
    french, dutch = told(address, directory.provinces)
    assert (french["RD"], french["A3"]) == (dutch["RD"], dutch["A3"]) == ("Rue du Midi", "Bruxelles")
    assert (french["A1"], dutch["A1"]) == ("Région de Bruxelles-Capitale", "Brussels Hoofdstedelijk Gewest")


@pytest.mark.parametrize(
    ("box", "language", "unit"),
    [
        ("3", "nl", "bus 3"),
        ("3", "fr", "boîte 3"),
        ("3", "de", "3"),
        ("Bus 3", "fr", "boîte 3"),
        ("bte. 3", "nl", "bus 3"),
        ("boite 12/A", "fr", "boîte 12/A"),
        ("Business", "nl", "bus Business"),
        ("bus", "nl", "bus"),
    ],
)
def test_a_letter_box_has_its_word(directory: Directory, box: str, language: str, unit: str) -> None:
    (document,) = told(replace(BAKERY, box=box, language=language), directory.provinces)
    assert document["UNIT"] == unit


@pytest.mark.parametrize(("country", "written"), [("be", "BE"), (" BE ", "BE"), ("België", ""), ("", "")])
def test_a_country_is_two_capitals_or_left_out(directory: Directory, country: str, written: str) -> None:
    (document,) = told(replace(BAKERY, country=country), directory.provinces)
    assert document.get("country", "") == written
    assert ("A1" in document) == (written == "BE")


@pytest.mark.parametrize(
    ("given_text", "written"),
    [
        ('<b>&amp;</b> "Ca\'f" ]]>', '<b>&amp;</b> "Ca\'f" ]]>'),
        ("Crêperie L’Œuf Ärger", "Crêperie L’Œuf Ärger"),
        ("Naamse\x00\x1b\x7f\x9fsteen\ufffeweg\ud800", "Naamsesteenweg"),
        (" two\r\n\tlines\x85here\u00a0too ", "two lines here too"),
        ("\U0001f9c1 cup", "\U0001f9c1 cup"),
        ("x" * 200, "x" * 200),
    ],
)
def test_a_name_arrives_as_it_was_but_for_what_xml_cannot_carry(
    directory: Directory, given_text: str, written: str
) -> None:
    (document,) = told(replace(BAKERY, name=given_text, street=given_text), directory.provinces)
    assert (document["NAM"], document["RD"]) == (written, written)


def test_an_address_of_nothing_makes_a_valid_document(directory: Directory) -> None:
    assert told(Address("", "", "", "", "", "", ""), directory.provinces) == [{"lang": "nl"}]


LOADED = load(Path(__file__).parents[2] / "config").directory
assert LOADED is not None
PROVINCES = LOADED.provinces
ANY_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from("<&>\"' \x00\r\n\x85\ud800\uffff")),  # surrogates too
    max_size=40,
)
FIELDS = st.lists(ANY_TEXT, min_size=15, max_size=15)


@settings(max_examples=500, deadline=None)
@given(FIELDS, st.sampled_from(["", "1000", "3001"]), ANY_TEXT, ANY_TEXT)
def test_any_text_in_any_field_makes_valid_documents(
    fields: list[str], postcode: str, number: str, domain: str
) -> None:
    address = Address(*fields)
    if postcode:
        address = replace(address, country="BE", postcode=postcode, language="fr")
    for document in locations(address, PROVINCES, number=number, domain=domain, wall_ns=MOMENT_NS):
        root = valid(document, "pidf")
        assert all((field.text or "").strip() for field in root.iterfind(".//ca:civicAddress/*", NAMESPACES))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ca:A3>Leuven</ca:A3><ca:A4>Heverlee</ca:A4>", "<ca:A4>Heverlee</ca:A4><ca:A3>Leuven</ca:A3>"),
        ("BE<", "Belgium<"),
        ("2026-11-24T15:00:00Z", "yesterday"),
        ('entity="pres:+3216234567@switch.example"', ""),
        ("<gp:usage-rules>", "<gp:usage-rules><gp:unknown/>"),
        ("<dm:deviceID>tel:+3216234567</dm:deviceID>", ""),
        ("ca:NAM", "ca:NAME"),
    ],
)
def test_the_schemas_find_what_is_wrong(old: str, new: str) -> None:
    assert old in SAMPLE
    assert not schema("pidf").validate(etree.fromstring(SAMPLE.replace(old, new)))
