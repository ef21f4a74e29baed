"""The route of an emergency call: always one, whatever the address is worth."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emergency.decide import Alarm, EmergencyRoute, decide
from emergency.location import Address
from emergency.psap import Directory, Gateway
from tests.emergency.test_location import BAKERY

# dialled | address | centre | alarm | reason
ROUTES = [
    ("112", BAKERY, "112-flemish-brabant", None, "centre of the registered postcode"),
    ("100", BAKERY, "112-flemish-brabant", None, "centre of the registered postcode"),
    ("101", BAKERY, "101-flemish-brabant", None, "centre of the registered postcode"),
    ("urn:service:sos.fire", BAKERY, "112-flemish-brabant", None, "centre of the registered postcode"),
    ("112", replace(BAKERY, postcode="1300"), "112-hainaut", None, "centre of the registered postcode"),
    (
        "101",
        replace(BAKERY, postcode="1300"),
        "101-walloon-brabant",
        None,
        "centre of the registered postcode",
    ),
    (
        "112",
        None,
        "112-brussels",
        Alarm.ADDRESS_MISSING,
        "default centre: the line has no registered address",
    ),
    (
        "101",
        None,
        "101-brussels",
        Alarm.ADDRESS_MISSING,
        "default centre: the line has no registered address",
    ),
    (
        "112",
        replace(BAKERY, postcode=""),
        "112-brussels",
        Alarm.ADDRESS_FAULTY,
        "default centre: postcode is missing",
    ),
    (
        "101",
        replace(BAKERY, postcode="300"),
        "101-brussels",
        Alarm.ADDRESS_FAULTY,
        "default centre: postcode '300' is not four digits from 1000 to 9999",
    ),
    (
        "112",
        replace(BAKERY, country="LU"),
        "112-brussels",
        Alarm.ADDRESS_FAULTY,
        "default centre: country 'LU' is not BE",
    ),
    (
        "112",
        replace(BAKERY, street="", floor="\t"),
        "112-flemish-brabant",
        Alarm.ADDRESS_FAULTY,
        "centre of the registered postcode: street is missing; floor holds a control character",
    ),
]


def _route(directory: Directory, dialled: str, address: Address | None) -> EmergencyRoute:
    service = directory.numbers.recognise(dialled)
    assert service is not None
    return decide(service, address, directory)


@pytest.mark.parametrize(("dialled", "address", "centre", "alarm", "reason"), ROUTES)
def test_the_centre_the_alarm_and_the_reason(
    directory: Directory, dialled: str, address: Address | None, centre: str, alarm: Alarm | None, reason: str
) -> None:
    route = _route(directory, dialled, address)
    assert (route.centre.id, route.alarm, route.reason) == (centre, alarm, reason)
    assert route.service == directory.numbers.recognise(dialled)
    assert route.gateways == directory.way_to(route.centre)
    assert route.failover is directory.failover


def test_gateways_of_the_centre_then_of_the_default_centre(directory: Directory) -> None:
    gateways = {
        centre: tuple(Gateway(f"{centre}-{n}", f"{centre}.example", 5060 + n) for n in (1, 2))
        for centre in directory.centres
    }
    apart = replace(directory, gateways=gateways)
    assert [gateway.id for gateway in _route(apart, "112", BAKERY).gateways] == [
        "112-flemish-brabant-1",
        "112-flemish-brabant-2",
        "112-brussels-1",
        "112-brussels-2",
    ]
    assert [gateway.id for gateway in _route(apart, "101", None).gateways] == [
        "101-brussels-1",
        "101-brussels-2",
    ]


def test_a_postcode_in_no_province_goes_to_the_default_centre(directory: Directory) -> None:
    hole = replace(directory, provinces=type(directory.provinces)([]))
    route = _route(hole, "112", BAKERY)
    assert (route.centre.id, route.alarm) == ("112-brussels", Alarm.ADDRESS_FAULTY)
    assert route.reason == "default centre: no province has postcode 3001"


@given(st.lists(st.text(max_size=12) | st.sampled_from(["BE", "1000", "12"]), min_size=11, max_size=11))
def test_no_address_is_bad_enough_to_refuse(directory: Directory, texts: list[str]) -> None:
    address = Address(*texts)
    for dialled in ("112", "100", "101"):
        route = _route(directory, dialled, address)
        assert len(route.gateways) >= 2
        assert (route.alarm is None) is (address.faults() == ())


def test_a_helpline_has_no_centre(directory: Directory) -> None:
    with pytest.raises(ValueError, match="1813 is answered by no emergency centre"):
        _route(directory, "1813", BAKERY)
