"""What a test call is told: words, whatever the address holds (R-EMG-11)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergency.answer import in_words
from emergency.answer import test_answer as answer_to
from emergency.dispatch import Dispatch, dispatch
from emergency.location import Address
from emergency.psap import Directory
from tests.emergency.test_additional_data import ANY_TEXT, CALLER, PROVIDER
from tests.emergency.test_location import BAKERY, BOOKSHOP
from tests.emergency.test_pidf import MOMENT_NS


def found(directory: Directory, address: Address | None, dialled: str = "112") -> Dispatch:
    service = directory.numbers.recognise(dialled)
    assert service is not None
    return dispatch(
        service, CALLER, address, directory, PROVIDER, token="t", domain="switch.example", wall_ns=MOMENT_NS
    )


def told(directory: Directory, address: Address | None, dialled: str = "112") -> list[str]:
    return answer_to(found(directory, address, dialled), address).splitlines()


def test_the_centre_and_the_place_are_named(directory: Directory) -> None:
    centre = directory.centres["112-flemish-brabant"].name
    assert told(directory, BAKERY) == [
        "Test call: no emergency centre was called. A call to 112 is answered by:",
        f"Centre: {centre}",
        "Location: Bakkerij Peeters BV, Naamsesteenweg 12A, bus 3, floor 2, 3001 Heverlee (Leuven)",
    ]


def test_a_place_with_names_in_two_languages_is_told_in_both(directory: Directory) -> None:
    lines = told(directory, BOOKSHOP)
    places = [line for line in lines if line.startswith("Location: ")]
    assert len(places) == 2
    assert BOOKSHOP.street in places[0]
    assert BOOKSHOP.street_other in places[1]
    assert BOOKSHOP.municipality_other in places[1]


def test_what_is_wrong_with_the_address_is_told(directory: Directory) -> None:
    assert told(directory, replace(BAKERY, street=""))[-2:] == [
        "Location: Bakkerij Peeters BV, 12A, bus 3, floor 2, 3001 Heverlee (Leuven)",
        "To be corrected: centre of the registered postcode: street is missing",
    ]
    default = directory.default("112").name
    assert told(directory, None)[1:] == [
        f"Centre: {default}",
        "Location: none is registered",
        "To be corrected: default centre: the line has no registered address",
    ]


def test_another_service_names_its_own_centre(directory: Directory) -> None:
    lines = told(directory, BAKERY, "101")
    assert "A call to 101 is answered by:" in lines[0]
    assert lines[1] == f"Centre: {directory.centres['101-flemish-brabant'].name}"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Bakkerij Peeters BV, Naamsesteenweg 12A, bus 3, floor 2, 3001 Heverlee (Leuven)"),
        (
            {"suffix": "", "box": "", "floor": "", "sub_municipality": ""},
            "Bakkerij Peeters BV, Naamsesteenweg 12, 3001 Leuven",
        ),
        ({"box": "3", "language": "fr", "floor": ""}, "Bakkerij Peeters BV, Naamsesteenweg 12A, boîte 3,"),
        (
            {"country": "NL"},
            "Bakkerij Peeters BV, Naamsesteenweg 12A, bus 3, floor 2, 3001 Heverlee (Leuven), NL",
        ),
    ],
)
def test_an_address_in_words(changes: dict[str, str], words: str) -> None:
    assert in_words(replace(BAKERY, **changes)).startswith(words)


@given(st.lists(ANY_TEXT, min_size=15, max_size=15))
def test_no_address_breaks_the_lines(directory: Directory, texts: list[str]) -> None:
    address = Address(*texts)
    text = answer_to(found(directory, address), address)
    assert text.encode().decode() == text
    lines = text.splitlines()
    assert text == "\n".join(lines) + "\n"
    assert [line.partition(":")[0] for line in lines if not line.startswith("Location: ")] in (
        ["Test call", "Centre"],
        ["Test call", "Centre", "To be corrected"],
    )
