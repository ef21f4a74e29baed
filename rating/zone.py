"""What a dialled number is: its class, its price row and its place (domain sections 4, 5 and 9; R-DST-05).

The tables decide and they are data: an exact list first (short codes, emergency numbers, free helplines),
then the longest prefix, where Belgium is rows like any other country. What no row admits is refused.
Turning dialled digits into `+...` is routing's work, recognising `urn:service:sos` and its like is
`emergency`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from rating.prefix import PrefixTable

FREE_ROW = "free"
"""The price row of what costs nothing under every plan (domain section 9 and freephone)."""


class DestinationClass(StrEnum):
    """The kinds of destination that admission, policy and pricing tell apart."""

    EMERGENCY = "EMERGENCY"
    FREE = "FREE"
    BE_FIXED = "BE_FIXED"
    BE_MOBILE = "BE_MOBILE"
    BE_FREEPHONE = "BE_FREEPHONE"
    BE_078 = "BE_078"
    BE_PREMIUM = "BE_PREMIUM"
    BE_SHORT = "BE_SHORT"
    ZONE_A = "ZONE_A"
    MOROCCO_TURKEY = "MOROCCO_TURKEY"
    INTERNATIONAL = "INTERNATIONAL"
    REFUSED = "REFUSED"  # only in tables: a range that is known and not served


ABROAD = frozenset(
    {
        DestinationClass.ZONE_A,
        DestinationClass.MOROCCO_TURKEY,
        DestinationClass.INTERNATIONAL,
        DestinationClass.REFUSED,
    }
)
"""The classes whose rows name their country; all the others are Belgian."""

PRICE_ROW: Mapping[DestinationClass, str] = MappingProxyType(
    {
        DestinationClass.EMERGENCY: FREE_ROW,
        DestinationClass.FREE: FREE_ROW,
        DestinationClass.BE_FREEPHONE: FREE_ROW,
        DestinationClass.BE_FIXED: "be_fixed",
        DestinationClass.BE_078: "be_fixed",
        DestinationClass.BE_MOBILE: "be_mobile",
        DestinationClass.ZONE_A: "zone_a",
        DestinationClass.MOROCCO_TURKEY: "morocco_turkey",
        DestinationClass.INTERNATIONAL: "international",
    }
)
"""The price row of a class whose table rows name none; premium numbers and short codes always name theirs."""


@dataclass(frozen=True, slots=True)
class NumberRow:
    """One row of a numbering table, shared by all the numbers it stands for."""

    cls: DestinationClass
    price: str
    country: str = ""
    zone: str = ""
    label: str = ""
    shortest: int = 7
    longest: int = 15  # E.164 allows fifteen digits, the country code included


@dataclass(frozen=True, slots=True)
class Destination:
    """A number that can be called. `number` is `+...` or a bare short code; the rest is its row's.

    `price` names the tariff's price row, `zone` the Belgian telephone zone ("016", empty elsewhere),
    `country` the ISO 3166 code (empty for none).
    """

    number: str
    row: NumberRow

    @property
    def cls(self) -> DestinationClass:
        return self.row.cls

    @property
    def price(self) -> str:
        return self.row.price

    @property
    def country(self) -> str:
        return self.row.country

    @property
    def zone(self) -> str:
        return self.row.zone

    @property
    def label(self) -> str:
        return self.row.label

    @property
    def international(self) -> bool:
        """Anything not Belgian, zone A included (R-POL-02)."""
        return self.row.cls in ABROAD


class Destinations:
    """The numbering tables, fixed once built."""

    __slots__ = ("_exact", "_prefixes")

    def __init__(self, exact: Mapping[str, NumberRow], prefixes: Mapping[str, NumberRow]) -> None:
        """`exact` by whole number (`"112"`, `"+3270245245"`), `prefixes` by E.164 digits without the plus."""
        self._exact = dict(exact)
        self._prefixes = PrefixTable(prefixes)

    def classify(self, number: str) -> Destination | None:
        """The destination of an E.164 number or short code, or None when there is no such destination."""
        row = self._exact.get(number)
        if row is None:
            digits = number[1:]
            if number[:1] != "+" or not (digits.isascii() and digits.isdecimal()):
                return None
            row = self._prefixes.find(digits)
            if row is None or not row.shortest <= len(digits) <= row.longest:
                return None
        if row.cls is DestinationClass.REFUSED:
            return None
        return Destination(number, row)

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes)
