"""What is an emergency call or a helpline, in every form it can be dialled, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergency.numbers import Service, ServiceNumbers, forms
from emergency.psap import Directory

# R-EMG-01: number as dialled | canonical number | kind | URN | network of the centres that answer
LAW = [
    ("112", "112", "emergency", "urn:service:sos", "112"),
    ("100", "100", "emergency", "urn:service:sos", "112"),
    ("101", "101", "emergency", "urn:service:sos.police", "101"),
    ("102", "102", "helpline", "urn:service:counseling.children", ""),
    ("103", "103", "helpline", "urn:service:counseling.children", ""),
    ("104", "104", "helpline", "urn:service:counseling.children", ""),
    ("106", "106", "helpline", "urn:service:counseling.mental-health", ""),
    ("107", "107", "helpline", "urn:service:counseling.mental-health", ""),
    ("108", "108", "helpline", "urn:service:counseling.mental-health", ""),
    ("110", "110", "helpline", "help", ""),
    ("116000", "116000", "helpline", "help", ""),
    ("1813", "1813", "helpline", "urn:service:counseling.suicide", ""),
    ("080032123", "+3280032123", "helpline", "urn:service:counseling.suicide", ""),
    ("026499555", "+3226499555", "helpline", "urn:service:counseling.suicide", ""),
    ("070245245", "+3270245245", "helpline", "urn:service:sos.poison", ""),
    ("1712", "1712", "helpline", "help", ""),
    ("080030030", "+3280030030", "helpline", "help", ""),
    ("080098100", "+3280098100", "helpline", "help", ""),
]


@pytest.mark.parametrize(("dialled", "number", "kind", "urn", "network"), LAW)
def test_every_number_of_the_law(
    directory: Directory, dialled: str, number: str, kind: str, urn: str, network: str
) -> None:
    service = directory.numbers.recognise(dialled)
    assert service is not None
    assert (service.number, service.kind, service.urn, service.network) == (number, kind, urn, network)
    assert service.label
    assert service.is_emergency is (kind == "emergency")


@pytest.mark.parametrize("service", [row[1] for row in LAW])
def test_every_form_of_a_number_is_the_same_service(directory: Directory, service: str) -> None:
    for form in forms(service):
        for request in (
            form,
            f"sip:{form}@switch.example",
            f"sips:{form}@[2001:db8::1]:5061;transport=tls;user=phone",
            f"SIP:{form};phone-context=+32@switch.example;user=phone",
            f"sip:{form}:secret@switch.example",
            f"sip:{form}@switch.example?Subject=a@b",
            f"tel:{form}",
            f"TEL:{form};phone-context=+32",
            f"tel:{form};phone-context=switch.example;ext=1",
            f"sip:{''.join(f'%{ord(char):02x}' for char in form)}@switch.example",
        ):
            found = directory.numbers.recognise(request)
            assert found is not None, request
            assert found.number == service


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("1-1-2", "112"),
        ("tel:1.1.2;phone-context=+32", "112"),
        ("tel:+32-112", "112"),
        ("0800 32 123", "+3280032123"),
        ("sip:0800%2032%20123@switch.example", "+3280032123"),
        ("02 649 95 55", "+3226499555"),
        ("02/649.95.55", "+3226499555"),
        ("+32 2 649 95 55", "+3226499555"),
        ("+32 (0)2 649 95 55", "+3226499555"),
        ("tel:+32-70-245-245", "+3270245245"),
        ("(070) 245 245", "+3270245245"),
        ("0032 70 245 245", "+3270245245"),
    ],
)
def test_visual_separators_do_not_hide_a_service(directory: Directory, dialled: str, number: str) -> None:
    service = directory.numbers.recognise(dialled)
    assert service is not None
    assert service.number == number


@pytest.mark.parametrize(
    ("urn", "number", "service_urn"),
    [
        ("urn:service:sos", "112", "urn:service:sos"),
        ("urn:service:sos.police", "101", "urn:service:sos.police"),
        ("urn:service:sos.fire", "112", "urn:service:sos.fire"),
        ("urn:service:sos.ambulance", "112", "urn:service:sos.ambulance"),
        ("URN:Service:SOS.Police", "101", "urn:service:sos.police"),
        ("urn:service:sos.marine", "112", "urn:service:sos"),
        ("urn:service:sos.police.municipal", "112", "urn:service:sos"),
        ("urn:service:sos.poison", "+3270245245", "urn:service:sos.poison"),
        ("urn:service:counseling.suicide", "1813", "urn:service:counseling.suicide"),
        ("urn:service:counseling.children", "102", "urn:service:counseling.children"),
    ],
)
def test_service_urns(directory: Directory, urn: str, number: str, service_urn: str) -> None:
    service = directory.numbers.recognise(urn)
    assert service is not None
    assert (service.number, service.urn) == (number, service_urn)


@pytest.mark.parametrize(
    "dialled",
    [
        # the traps of R-EMG-01
        "1123",
        "1120000",
        "0112",
        "00112",
        "sip:1123@switch.example",
        "sip:0112@switch.example",
        "tel:00112",
        "tel:1120000;phone-context=+32",
        # digits that merely hold or resemble a service
        "11",
        "1",
        "012",
        "1112",
        "1000",
        "0100",
        "0101",
        "105",
        "109",
        "18130",
        "116001",
        "+33112",
        "+320112",
        "0033112",
        "(0)112",
        "112#",
        "*112",
        "112a",
        "+112",
        "++32112",
        "\u0661\u0661\u0662",
        "\uff11\uff11\uff12",
        # neighbours of the helplines, which cost money
        "070245246",
        "0702452450",
        "026499556",
        "080032124",
        "3270245245",
        # tests go to a test target, other URNs to nobody here
        "urn:service:test.sos",
        "urn:service:test.sos.police",
        "urn:service:sosx",
        "urn:service:counseling",
        "urn:service:help",
        "urn:112",
        "help",
        # no user, other schemes, rubbish
        "",
        "+",
        ":",
        "@",
        "sip:",
        "sip:112",
        "sip:@112",
        "sip:switch.example",
        "sip:alice@112",
        "sip:alice@switch.example;user=112",
        "mailto:112@switch.example",
        "http://112/",
        "%",
        "sip:%@switch.example",
        "sip:%2531%2531%2532@switch.example",
    ],
)
def test_what_is_no_service(directory: Directory, dialled: str) -> None:
    assert directory.numbers.recognise(dialled) is None


@given(st.text(max_size=40))
def test_any_text_is_answered_without_an_exception(directory: Directory, text: str) -> None:
    for request in (text, f"sip:{text}@switch.example", f"tel:{text}", f"urn:{text}"):
        service = directory.numbers.recognise(request)
        assert service is None or service in directory.numbers.services


@given(st.text("0123456789", min_size=1, max_size=13))
def test_digits_are_a_service_only_if_listed(directory: Directory, digits: str) -> None:
    listed = {form for service in directory.numbers.services for form in forms(service.number)}
    for dialled in (digits, f"+{digits}"):
        assert (directory.numbers.recognise(dialled) is not None) is (dialled in listed)


def test_every_number_up_to_six_digits(directory: Directory) -> None:
    """The whole space of short codes: nothing but the law's list matches."""
    found = {str(code) for code in range(1_000_000) if directory.numbers.recognise(str(code))}
    assert found == {row[0] for row in LAW if not row[0].startswith("0")}


def test_the_first_row_answers_to_a_shared_number_and_urn() -> None:
    numbers = ServiceNumbers(
        [
            Service("emergency", "112", "urn:service:sos", "all", "112"),
            Service("emergency", "112", "urn:service:sos.fire", "fire", "112"),
            Service("emergency", "100", "urn:service:sos", "medical", "112"),
        ]
    )
    assert [
        numbers.recognise(text) for text in ("112", "urn:service:sos.fire", "100", "urn:service:sos")
    ] == [
        numbers.services[0],
        numbers.services[1],
        numbers.services[2],
        numbers.services[0],
    ]
