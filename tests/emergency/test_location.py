"""Registered addresses and the provinces their postcodes lie in."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergency.location import Address, Province, Provinces, postcode_number
from emergency.psap import Directory

BAKERY = Address(
    country="BE",
    postcode="3001",
    municipality="Leuven",
    street="Naamsesteenweg",
    number="12",
    name="Bakkerij Peeters BV",
    language="nl",
    suffix="A",
    box="bus 3",
    floor="2",
    sub_municipality="Heverlee",
)


def test_a_full_address_has_no_fault() -> None:
    assert BAKERY.faults() == ()


def test_what_is_optional_may_be_empty() -> None:
    assert replace(BAKERY, suffix="", box="", floor="", sub_municipality="").faults() == ()


@pytest.mark.parametrize(
    "field", ["country", "postcode", "municipality", "street", "number", "name", "language"]
)
@pytest.mark.parametrize("empty", ["", "  "])
def test_a_required_field_that_is_missing_is_the_only_fault(field: str, empty: str) -> None:
    assert replace(BAKERY, **{field: empty}).faults() == (f"{field} is missing",)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("country", "NL", "country 'NL' is not BE"),
        ("country", "be", "country 'be' is not BE"),
        ("postcode", "300", "postcode '300' is not four digits from 1000 to 9999"),
        ("postcode", "30010", "postcode '30010' is not four digits from 1000 to 9999"),
        ("postcode", "0999", "postcode '0999' is not four digits from 1000 to 9999"),
        ("postcode", "B-3001", "postcode 'B-3001' is not four digits from 1000 to 9999"),
        ("postcode", " 3001", "postcode ' 3001' is not four digits from 1000 to 9999"),
        ("number", "A", "number 'A' is not a house number such as 12 or 12-14 (letters are the suffix)"),
        ("number", "12A", "number '12A' is not a house number such as 12 or 12-14 (letters are the suffix)"),
        ("number", "12-", "number '12-' is not a house number such as 12 or 12-14 (letters are the suffix)"),
        ("language", "en", "language 'en' is not one of nl, fr, de"),
        ("street", "Naamse\nsteenweg", "street holds a control character"),
        ("box", "3\x00", "box holds a control character"),
        ("name", "x" * 101, "name is longer than 100 characters"),
    ],
)
def test_a_bad_field_is_named(field: str, value: str, fault: str) -> None:
    assert replace(BAKERY, **{field: value}).faults() == (fault,)


@pytest.mark.parametrize(
    ("field", "value"), [("number", "12-14"), ("name", "Crêperie L’Œuf"), ("name", "x" * 100)]
)
def test_a_good_field_is_left_alone(field: str, value: str) -> None:
    assert replace(BAKERY, **{field: value}).faults() == ()


def test_all_faults_come_at_once() -> None:
    assert Address("", "12", "", "", "x", "", "xx").faults() == (
        "country is missing",
        "municipality is missing",
        "street is missing",
        "name is missing",
        "postcode '12' is not four digits from 1000 to 9999",
        "number 'x' is not a house number such as 12 or 12-14 (letters are the suffix)",
        "language 'xx' is not one of nl, fr, de",
    )


@given(st.lists(st.text(max_size=110), min_size=15, max_size=15))
def test_any_text_in_any_field_is_judged_without_an_exception(texts: list[str]) -> None:
    names = {field.name for field in fields(Address)}
    assert {fault.split()[0] for fault in Address(*texts).faults()} <= names


BOOKSHOP = Address(
    country="BE",
    postcode="1000",
    municipality="Bruxelles",
    street="Rue du Midi",
    number="80",
    name="Librairie Dupont SRL",
    language="fr",
    municipality_other="Brussel",
    street_other="Zuidstraat",
)


def test_an_address_is_told_in_the_other_language_where_its_names_are_known() -> None:
    assert BOOKSHOP.in_language("nl") == replace(
        BOOKSHOP,
        language="nl",
        municipality="Brussel",
        street="Zuidstraat",
        municipality_other="",
        street_other="",
    )


@pytest.mark.parametrize(
    ("own", "asked", "street"),
    [
        ("fr", "fr", "Rue du Midi"),
        ("fr", "nl", "Zuidstraat"),
        ("fr", "de", "Rue du Midi"),
        ("nl", "fr", "Zuidstraat"),
        ("de", "fr", "Zuidstraat"),
        ("de", "nl", "Rue du Midi"),
        ("", "fr", "Rue du Midi"),
    ],
)
def test_the_other_names_are_of_one_language_only(own: str, asked: str, street: str) -> None:
    told = replace(BOOKSHOP, language=own).in_language(asked)
    assert (told.language, told.street) == (asked, street)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_name_without_translation_stays(blank: str) -> None:
    assert replace(BOOKSHOP, street_other=blank).in_language("nl").street == "Rue du Midi"


def test_the_address_of_brussels_is_told_in_two_languages_and_no_other(directory: Directory) -> None:
    languages = {province.iso: province.languages for province in directory.provinces.provinces}
    assert languages.pop("BE-BRU") == ("nl", "fr")
    assert set(languages.values()) == {()}


@pytest.mark.parametrize(
    "text", ["", "100", "10000", "0999", "1a00", "+100", "\uff11000", "\u00b2000", " 1000", "1000\n"]
)
def test_what_is_no_postcode(text: str) -> None:
    assert postcode_number(text) is None


# R-EMG-03, both ends of every range
RANGES = [
    ("BE-BRU", 1000, 1299),
    ("BE-WBR", 1300, 1499),
    ("BE-VBR", 1500, 1999),
    ("BE-VAN", 2000, 2999),
    ("BE-VBR", 3000, 3499),
    ("BE-VLI", 3500, 3999),
    ("BE-WLG", 4000, 4999),
    ("BE-WNA", 5000, 5999),
    ("BE-WHT", 6000, 6599),
    ("BE-WLX", 6600, 6999),
    ("BE-WHT", 7000, 7999),
    ("BE-VWV", 8000, 8999),
    ("BE-VOV", 9000, 9999),
]


@pytest.mark.parametrize(("iso", "first", "last"), RANGES)
def test_every_postcode_of_the_law_lies_in_its_province(
    directory: Directory, iso: str, first: int, last: int
) -> None:
    found = [directory.provinces.of(str(code)) for code in range(first, last + 1)]
    assert {province.iso if province else None for province in found} == {iso}


@pytest.mark.parametrize("postcode", ["", "0999", "10000", "abcd"])
def test_a_bad_postcode_lies_nowhere(directory: Directory, postcode: str) -> None:
    assert directory.provinces.of(postcode) is None


def test_a_postcode_between_ranges_lies_nowhere() -> None:
    province = Province("BE-BRU", "Brussel", "Bruxelles", "Brüssel", ((1000, 1099), (1200, 1299)), ())
    provinces = Provinces([province])
    assert [provinces.of(code) for code in ("1099", "1100", "1199", "1200", "1300")] == [
        province,
        None,
        None,
        province,
        None,
    ]


@pytest.mark.parametrize(
    ("language", "name"),
    [("nl", "Vlaams-Brabant"), ("fr", "Brabant flamand"), ("de", "Flämisch-Brabant"), ("", "Vlaams-Brabant")],
)
def test_a_province_is_named_in_the_language_of_the_address(
    directory: Directory, language: str, name: str
) -> None:
    province = directory.provinces.of(BAKERY.postcode)
    assert province is not None
    assert province.name(language) == name
