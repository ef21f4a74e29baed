"""Amounts are exact, and rounded only by name."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.money import Rounding, divide, parse, show


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("0.17", 1_700), ("22.29", 222_900), ("31", 310_000), ("0.0001", 1), ("1.2396", 12_396)],
)
def test_reads_euros(text: str, amount: int) -> None:
    assert parse(text) == amount


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "0,17", "1e3", ".5", "1.", "0.00001", " 1", "1 ", "NaN", "1_000", "0.1\u0667"]
)
def test_reads_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount in euros"):
        parse(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.0000"), (1_700, "0.1700"), (1_392_800, "139.2800"), (-1, "-0.0001"), (-20_500, "-2.0500")],
)
def test_shows_four_decimals(amount: int, text: str) -> None:
    assert show(amount) == text


@given(st.integers(0, 10**12))
def test_shown_amounts_read_back(amount: int) -> None:
    assert parse(show(amount)) == amount


@pytest.mark.parametrize(
    ("numerator", "denominator", "half_up", "up"),
    [
        (0, 60, 0, 0),
        (1, 2, 1, 1),
        (-1, 2, -1, 0),
        (29, 60, 0, 1),
        (30, 60, 1, 1),
        (31, 60, 1, 1),
        (-3, 2, -2, -1),
    ],
)
def test_divides_with_the_rounding_named(numerator: int, denominator: int, half_up: int, up: int) -> None:
    assert divide(numerator, denominator, Rounding.HALF_UP) == half_up
    assert divide(numerator, denominator, Rounding.UP) == up


@given(st.integers(-(10**12), 10**12), st.integers(1, 1000))
def test_half_up_is_that_of_decimal(numerator: int, denominator: int) -> None:
    exact = (Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    assert divide(numerator, denominator, Rounding.HALF_UP) == exact
