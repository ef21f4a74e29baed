"""What a dispatch is worth: held against the directory, its documents read again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emergency.audit import Verdict, verdict
from emergency.dispatch import Dispatch
from emergency.location import Address
from emergency.parts import PIDF, Part
from emergency.psap import Directory
from tests.emergency.test_answer import found
from tests.emergency.test_location import BAKERY, BOOKSHOP


@pytest.mark.parametrize("address", [BAKERY, BOOKSHOP])
@pytest.mark.parametrize("dialled", ["112", "101"])
def test_a_good_address_is_routed_without_alarm(directory: Directory, address: Address, dialled: str) -> None:
    assert verdict(found(directory, address, dialled), address, directory) == Verdict(True, "", "")


@pytest.mark.parametrize(
    ("address", "routed", "alarm"),
    [
        (None, False, "address-missing"),
        (replace(BAKERY, postcode="99"), False, "address-faulty"),
        (replace(BOOKSHOP, country="FR"), False, "address-faulty"),  # Brussels only as the default
        (replace(BAKERY, street=""), True, "address-faulty"),
    ],
)
def test_the_alarm_of_the_route_and_whether_its_own_centre_is_reached(
    directory: Directory, address: Address | None, routed: bool, alarm: str
) -> None:
    found_ = found(directory, address)
    assert verdict(found_, address, directory) == Verdict(routed, alarm, found_.route.reason)


def test_another_centre_than_that_of_the_postcode_is_no_route(directory: Directory) -> None:
    found_ = found(directory, BAKERY)
    astray = replace(found_, route=replace(found_.route, centre=directory.centres["112-namur"]))
    assert verdict(astray, BAKERY, directory) == Verdict(
        False, "wrong-centre", "112-namur is not the centre of the postcode"
    )


def test_a_centre_no_gateway_leads_to_is_no_route(directory: Directory) -> None:
    found_ = found(replace(directory, gateways={}), BAKERY)
    assert verdict(found_, BAKERY, directory) == Verdict(
        False, "no-gateway", "no gateway leads to 112-flemish-brabant"
    )


def spoilt(found_: Dispatch, *contents: bytes) -> Dispatch:
    return replace(found_, parts=tuple(Part(PIDF, f"loc{n}", one) for n, one in enumerate(contents)))


@pytest.mark.parametrize("contents", [(), (b"<presence",), (b"<presence/>",)])
def test_documents_must_be_there_be_read_and_name_a_place(
    directory: Directory, contents: tuple[bytes, ...]
) -> None:
    found_ = spoilt(found(directory, BAKERY), *contents)
    assert verdict(found_, BAKERY, directory) == Verdict(
        False, "document-faulty", "a document that goes along cannot be read"
    )
    streetless = replace(BAKERY, street="")
    assert not verdict(spoilt(found(directory, streetless), *contents), streetless, directory).routed
