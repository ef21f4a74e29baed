"""Numbers, end users, calls, devices and equipment by licence: R-NUM-01 to -03, R-POL-08."""

from __future__ import annotations

from itertools import product

import pytest

from rating.licence import UNLIMITED, Licence
from switch.provision.licence import licence_objections
from tests.switch.provision.support import MULTI, TWO_GO, line, numbers, refused

CLASSIC = Licence(numbers=1, max_calls=2, max_contacts=1)


def rules_of(licence: Licence, **changes: object) -> list[str]:
    return refused(*licence_objections(line(**changes), licence))


@pytest.mark.parametrize("licence", [CLASSIC, TWO_GO])
def test_one_number_a_licence(licence: Licence) -> None:
    assert rules_of(licence) == []
    assert rules_of(licence, numbers=numbers(2)) == ["R-NUM-01"]
    assert rules_of(licence, numbers=numbers(2), end_users=10) == ["R-NUM-01"]


def test_multi_with_ten_users_has_twelve_numbers() -> None:
    assert rules_of(MULTI, numbers=numbers(12), end_users=10) == []
    assert rules_of(MULTI, numbers=numbers(13), end_users=10) == ["R-NUM-02"]
    assert rules_of(MULTI, numbers=numbers(12), end_users=11) == ["R-NUM-03"]


@pytest.mark.parametrize("licence", [MULTI, TWO_GO])
def test_at_most_ten_end_users(licence: Licence) -> None:
    assert rules_of(licence, end_users=10) == []
    assert rules_of(licence, end_users=11) == ["R-NUM-03"]


def test_every_combination_of_numbers_and_end_users() -> None:
    """R-NUM-01 to -03 over the small space, against the words of the rules."""
    for count, users in product(range(1, 16), range(1, 14)):
        expected = ["R-NUM-02"] * (count > users + 2) + ["R-NUM-03"] * (users > 10)
        assert rules_of(MULTI, numbers=numbers(count), end_users=users) == expected, (count, users)
        expected = ["R-NUM-01"] * (count > 1) + ["R-NUM-03"] * (users > 10)
        assert rules_of(TWO_GO, numbers=numbers(count), end_users=users) == expected, (count, users)


def test_calls_and_devices_at_a_time() -> None:
    assert rules_of(CLASSIC, max_calls=3) == ["R-POL-08"]
    assert rules_of(CLASSIC, max_contacts=2) == ["R-POL-08"]
    assert rules_of(MULTI, max_calls=30, max_contacts=10) == []


def test_equipment_admitted_by_address_only_where_a_pabx_is_licensed() -> None:
    assert rules_of(CLASSIC, sources=("192.0.2.7/32",)) == ["R-POL-08"]
    assert rules_of(MULTI, sources=("192.0.2.7/32",)) == []


def test_all_at_once_and_in_words() -> None:
    wrong = line(numbers=numbers(2), max_calls=5, max_contacts=3, sources=("192.0.2.7/32",))
    assert [str(one) for one in licence_objections(wrong, CLASSIC)] == [
        "numbers: classic has at most 1 number a licence, not 2 (R-NUM-01)",
        "max_calls: classic has at most 2 calls at a time, not 5 (R-POL-08)",
        "max_contacts: classic has at most 1 device at a time, not 3 (R-POL-08)",
        "sources: classic is not for a PABX, gateway or grouped lines admitted by address (R-POL-08)",
    ]


def test_a_plan_without_a_licence_limits_nothing() -> None:
    wild = {"numbers": numbers(50), "end_users": 900, "max_calls": 999, "sources": ("192.0.2.0/24",)}
    assert rules_of(UNLIMITED, **wild) == []
