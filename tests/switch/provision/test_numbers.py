"""Which numbers a line may have, and where: R-NUM-04, R-NUM-05, R-POL-06."""

from __future__ import annotations

import pytest

from switch.provision.numbers import FOREIGN_ZONE, number_objections, zone_objections, zone_of
from switch.provision.objection import Objection
from switch.provision.zones import Range, ZoneTable
from tests.switch.provision.support import line, refused, rules, zones

FIXED, MOBILE = "+3216234567", "+32478123456"
NOT_SHOWN = ["+3280012345", "+3270123456", "+3278123456", "+3290212345"]


def of_numbers(*numbers: str) -> list[str]:
    return refused(*number_objections(line(numbers=numbers), rules().destinations))


def in_zones(number: str, postcode: str) -> list[str]:
    return refused(*zone_objections([number], postcode, rules().destinations, zones(), FOREIGN_ZONE))


@pytest.mark.parametrize("number", [FIXED, MOBILE, "+3242345678"])
def test_a_main_number_is_fixed_or_mobile(number: str) -> None:
    assert of_numbers(number) == []


@pytest.mark.parametrize("number", NOT_SHOWN)
def test_what_may_not_be_shown_is_no_main_number_but_may_be_called(number: str) -> None:
    assert of_numbers(number, FIXED) == ["R-POL-06"]
    assert of_numbers(FIXED, number) == []


@pytest.mark.parametrize(
    "number",
    ["+33145674567", "+3217123456", "+321623456", "+32162345678", "+3226499555", "+3270245245", "+32423"],
)
def test_what_is_no_number_of_a_line_is_refused(number: str) -> None:
    """Abroad, unassigned, too short, too long, and the helplines of the law's list."""
    assert of_numbers(number) == ["R-NUM-04"]
    assert of_numbers(FIXED, number) == ["R-NUM-04"]


def test_a_fixed_number_belongs_where_its_zone_is() -> None:
    assert in_zones(FIXED, "3001") == []
    assert in_zones(FIXED, "1000") == ["R-NUM-05"]
    assert in_zones("+3222345678", "1410") == []  # Waterloo is no Brussels, but zone 02


def test_on_a_border_the_numbers_of_both_sides_are_at_home() -> None:
    assert in_zones("+3214234567", "2275") == []
    assert in_zones("+3232345678", "2275") == []
    assert in_zones(FIXED, "2275") == ["R-NUM-05"]


@pytest.mark.parametrize("number", [MOBILE, *NOT_SHOWN])
def test_mobiles_and_numbers_without_place_have_no_zone(number: str) -> None:
    assert zone_of(number, rules().destinations) == ""
    assert in_zones(number, "1000") == []


def test_a_postcode_without_zone_has_no_fixed_number() -> None:
    table = ZoneTable([Range(1000, 1299, ("02",))])
    destinations = rules().destinations
    assert refused(*zone_objections([FIXED], "3001", destinations, table, FOREIGN_ZONE)) == ["R-NUM-04"]
    assert refused(*zone_objections([MOBILE], "3001", destinations, table, FOREIGN_ZONE)) == []


@pytest.mark.parametrize("postcode", ["", "30", "30011"])
def test_a_bad_postcode_is_the_fault_of_the_address(postcode: str) -> None:
    assert in_zones(FIXED, postcode) == []


def test_it_is_said_in_words() -> None:
    (said,) = zone_objections([FIXED], "2275", rules().destinations, zones(), FOREIGN_ZONE)
    assert said == Objection("R-NUM-05", "+3216234567 is of zone 016, postcode 2275 in zone 014 or 03")
