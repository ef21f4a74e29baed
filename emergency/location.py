"""Where a line is: its registered civic address and the province a postcode lies in (R-EMG-02, R-EMG-03).

Fields are those of RFC 5139 in Belgian use. Printing them is left to `emergency.pidf`, choosing a centre to
`emergency.decide`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

LANGUAGES = ("nl", "fr", "de")
FIRST_POSTCODE = 1000
LAST_POSTCODE = 9999

_REQUIRED = ("country", "postcode", "municipality", "street", "number", "name", "language")
_LONGEST = 100
OTHER_LANGUAGE = {"nl": "fr", "fr": "nl", "de": "fr"}
"""That of the `..._other` fields of an address, by its own."""


def postcode_number(postcode: str) -> int | None:
    """A Belgian postcode as a number, 1000 to 9999; None when it is not four plain digits in that range."""
    if len(postcode) != 4 or not postcode.isascii() or not postcode.isdigit():
        return None
    number = int(postcode)
    return number if number >= FIRST_POSTCODE else None


@dataclass(frozen=True, slots=True)
class Address:
    """The civic address registered for a calling number, in one language; `name` is the subscriber's.

    Where two languages are official, the `..._other` fields have the names in the other one: French for a
    Dutch or German address, Dutch for a French one. `arrondissement` is for where it is known.

    It may hold anything: an emergency call goes through with a bad address too. `faults` says what is wrong
    with it.
    """

    country: str
    postcode: str
    municipality: str
    street: str
    number: str
    name: str
    language: str
    suffix: str = ""
    box: str = ""
    floor: str = ""
    sub_municipality: str = ""
    arrondissement: str = ""
    municipality_other: str = ""
    sub_municipality_other: str = ""
    street_other: str = ""

    def in_language(self, language: str) -> Address:
        """The same place told in another language; a name that has no translation stays as it is."""
        if language == self.language:
            return self
        told = replace(
            self, language=language, municipality_other="", sub_municipality_other="", street_other=""
        )
        if language != OTHER_LANGUAGE.get(self.language):
            return told
        return replace(
            told,
            municipality=self.municipality_other.strip() or self.municipality,
            sub_municipality=self.sub_municipality_other.strip() or self.sub_municipality,
            street=self.street_other.strip() or self.street,
        )

    def faults(self) -> tuple[str, ...]:
        """Everything wrong with this address, a sentence each; empty when it is fit for a centre."""
        faults = [f"{name} is missing" for name in _REQUIRED if not getattr(self, name).strip()]
        if self.country.strip() and self.country != "BE":
            faults.append(f"country {self.country!r} is not BE")
        if self.postcode.strip() and postcode_number(self.postcode) is None:
            faults.append(
                f"postcode {self.postcode!r} is not four digits from {FIRST_POSTCODE} to {LAST_POSTCODE}"
            )
        if self.number.strip() and not _is_house_number(self.number):
            faults.append(
                f"number {self.number!r} is not a house number such as 12 or 12-14 (letters are the suffix)"
            )
        if self.language.strip() and self.language not in LANGUAGES:
            faults.append(f"language {self.language!r} is not one of {', '.join(LANGUAGES)}")
        for field in fields(self):
            text: str = getattr(self, field.name)
            if not text.isprintable():
                faults.append(f"{field.name} holds a control character")
            if len(text) > _LONGEST:
                faults.append(f"{field.name} is longer than {_LONGEST} characters")
        return tuple(faults)


def _is_house_number(text: str) -> bool:
    first, dash, last = text.partition("-")
    return text.isascii() and first.isdigit() and (last.isdigit() or not dash)


@dataclass(frozen=True, slots=True)
class Province:
    """A province or the Brussels region: ISO 3166-2 code, names, postcodes and the centres that answer.

    `postcodes` are inclusive ranges; `centres` pairs a network (`112`, `101`) with the id of the centre that
    answers. `languages` are those in which a centre is told every address of a bilingual region; elsewhere
    there are none, and each address is told in its own.
    """

    iso: str
    name_nl: str
    name_fr: str
    name_de: str
    postcodes: tuple[tuple[int, int], ...]
    centres: tuple[tuple[str, str], ...]
    languages: tuple[str, ...] = ()

    def name(self, language: str) -> str:
        """Its name in `nl`, `fr` or `de`; Dutch for any other language."""
        return {"fr": self.name_fr, "de": self.name_de}.get(language, self.name_nl)

    def centre(self, network: str) -> str | None:
        """The id of the centre of this network that answers for the province."""
        return dict(self.centres).get(network)


class Provinces:
    """The provinces by postcode. Ranges must not overlap (the loader sees to that)."""

    __slots__ = ("_firsts", "_ranges", "provinces")

    def __init__(self, provinces: Iterable[Province]) -> None:
        self.provinces = tuple(provinces)
        self._ranges = sorted(
            ((first, last, province) for province in self.provinces for first, last in province.postcodes),
            key=lambda entry: entry[0],
        )
        self._firsts = [first for first, _, _ in self._ranges]

    def of(self, postcode: str) -> Province | None:
        """The province a postcode lies in; None for a bad postcode or one in no range."""
        number = postcode_number(postcode)
        if number is None:
            return None
        at = bisect_right(self._firsts, number) - 1
        if at < 0:
            return None
        _, last, province = self._ranges[at]
        return province if number <= last else None
