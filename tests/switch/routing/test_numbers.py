"""What was dialled: domain guide section 4."""

from __future__ import annotations

import pytest

from switch.malformed import Malformed
from switch.routing.numbers import dialled_digits, national, normalise
from switch.sip.uri import parse_uri


@pytest.mark.parametrize(
    ("dialled", "expected"),
    [
        ("+32470123456", "+32470123456"),
        ("0470123456", "+32470123456"),
        ("0032470123456", "+32470123456"),
        ("016234567", "+3216234567"),
        ("080012345", "+3280012345"),
        ("0032 ", None),
        ("+32-16-23.45.67", "+3216234567"),
        ("(016)234567", "+3216234567"),
        ("+1(212)555-0100", "+12125550100"),
        ("0012125550100", "+12125550100"),
        ("112", "112"),
        ("1712", "1712"),
        ("116000", "116000"),
        ("+32112", "+32112"),
    ],
)
def test_every_form_has_one_number(dialled: str, expected: str | None) -> None:
    assert normalise(dialled) == expected


@pytest.mark.parametrize(
    "dialled",
    [
        "",
        "+",
        "0",
        "00",
        "12",
        "1234567",
        "01234567",
        "0123456789012",
        "+0032470",
        "+123",
        "+1234567890123456",
        "++3216234567",
        "00+3216234567",
        "016 234567",
        "016a34567",
        "*21#",
        "\u0660\u0661\u0666\u0662\u0663\u0664\u0665\u0666\u0667",
        "bob",
    ],
)
def test_anything_else_is_no_number(dialled: str) -> None:
    assert normalise(dialled) is None


def test_digits_come_from_the_user_part() -> None:
    assert dialled_digits(parse_uri("sip:%2B3216;isub=1@switch.example")) == "+3216"
    assert dialled_digits(parse_uri("tel:016-234567;phone-context=+32")) == "016-234567"
    with pytest.raises(Malformed) as caught:
        dialled_digits(parse_uri("sip:switch.example"))
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("number", "shown"), [("+3216234567", "016234567"), ("+33145674567", "0033145674567"), ("112", "112")]
)
def test_numbers_as_a_belgian_phone_shows_them(number: str, shown: str) -> None:
    assert national(number) == shown
