"""Amounts of money as whole numbers: ten-thousandths of a euro, excluding VAT (R-RAT-04, R-VAT-01).

Multiply first, divide once, and name the rounding. Text is read and printed exactly; no float and no binary
fraction comes near. VAT and invoice totals belong to billing.
"""

from __future__ import annotations

import re
from enum import Enum

EURO = 10_000
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]{1,4})?")


class Rounding(Enum):
    """What a division does with its remainder."""

    HALF_UP = "half-up"  # to the nearest, a half away from zero
    UP = "up"  # towards plus infinity


def divide(numerator: int, denominator: int, rounding: Rounding) -> int:
    """`numerator / denominator` as a whole number; `denominator` is positive."""
    if rounding is Rounding.UP:
        return -(-numerator // denominator)
    if numerator < 0:
        return -((-2 * numerator + denominator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def parse(text: str) -> int:
    """The amount written as plain decimal euros, `"0.17"` -> 1700.

    Raises `ValueError` for a sign, a comma, an exponent or more than four decimals: nothing is rounded on
    reading.
    """
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"not an amount in euros with at most four decimals: {text!r}")
    whole, _, fraction = text.partition(".")
    return int(whole) * EURO + int(fraction.ljust(4, "0"))


def show(amount: int) -> str:
    """The amount in euros with its four decimals, 1700 -> `"0.1700"`."""
    whole, fraction = divmod(abs(amount), EURO)
    return f"{'-' if amount < 0 else ''}{whole}.{fraction:04d}"
