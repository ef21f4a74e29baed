"""Lines to import: what `belswitch line import` reads and the lab starts from, passwords in clear.

Covers R-NUM-04 (every number has an address) and R-POL-08 (limits of a line, equipment admitted by address).
Whether a plan or an option exists is for `rating` to say, where an emergency call goes for `emergency`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from switch.config.model import (
    E164,
    Algorithms,
    Count,
    Day,
    Model,
    Name,
    Objection,
    OptionalText,
    Source,
    Text,
    User,
    allowed,
    overlap,
    repeated,
    text,
)

State = Literal["active", "limited", "restricted", "suspended", "terminated", "quarantine"]
CapChoice = Annotated[
    str, text(r"none|[0-9]{1,6}(\.[0-9]{1,2})?"), allowed('an amount in euros like "35.00", or "none"')
]
PASSWORD_LENGTH = 8


class LineAddress(Model):
    """The registered civic address, with the fields of `emergency.location.Address`."""

    country: Literal["BE"] = "BE"
    postcode: Annotated[str, Field(pattern=r"^[1-9][0-9]{3}$", description="four digits, 1000-9999")]
    municipality: Text
    sub_municipality: OptionalText = ""
    street: Text
    number: Text
    suffix: OptionalText = ""
    box: OptionalText = ""
    floor: OptionalText = ""
    name: Text
    language: Literal["nl", "fr", "de"]
    arrondissement: OptionalText = ""
    municipality_other: OptionalText = ""
    sub_municipality_other: OptionalText = ""
    street_other: OptionalText = ""


class LineEntry(Model):
    """One line to import.

    A phone proves itself with `password`; a customer's own equipment may be admitted by `sources` instead.
    `lenient` takes digests without qop or for another uri; without `max_calls`, `calls.max_per_line` holds.
    `cap` is what may be charged in a month, in euros with VAT, or "none" (R-CAP-02); left out, the plan says,
    by the day on which the contract was `concluded` (R-CAP-01). 070 and 090x are barred unless `premium`
    (R-SPC-04).

    Left out, `end_user` is the name of the address (R-EUS-01). `devices` are MAC addresses, URNs of
    `+sip.instance` or parts of the User-Agent (R-EQP-01), `end_users` those on the licence (R-NUM-02).
    """

    number: E164
    numbers: tuple[E164, ...] = ()
    user: User
    password: SecretStr | None = None
    sources: tuple[Source, ...] = ()
    algorithms: Algorithms | None = None
    lenient: bool = False
    kind: Literal["desk", "dect", "softphone"] = "desk"
    plan: Name
    options: tuple[Name, ...] = ()
    max_contacts: Annotated[int, Field(ge=1, le=32)] = 1
    max_calls: Count | None = None
    state: State = "active"
    cap: CapChoice | None = None
    concluded: Day | None = None
    premium: bool = False
    end_user: OptionalText | None = None
    end_users: Annotated[int, Field(ge=1, le=1000)] = 1
    devices: tuple[Text, ...] = ()
    agreement: bool = False
    guarantee: bool = False
    abroad: bool = True
    withhold: bool = False
    state_reason: OptionalText = ""
    disputed: bool = False
    terminated_on: Day | None = None
    address: LineAddress

    def _objections(self) -> Iterator[Objection]:
        if self.password is None and not self.sources:
            yield ("password",), "is missing; a line without sources needs one"
        if self.password is not None and len(self.password.get_secret_value()) < PASSWORD_LENGTH:
            yield ("password",), f"must have at least {PASSWORD_LENGTH} characters"
        for key in ("options", "algorithms"):
            for index, value in repeated(getattr(self, key) or ()):
                yield (key, index), f"{value} is there already"


class LinesFile(Model):
    """The whole file: every number, user and source belongs to one line."""

    line: tuple[LineEntry, ...] = ()

    def _objections(self) -> Iterator[Objection]:
        for index, user in repeated([line.user for line in self.line]):
            yield ("line", index, "user"), f"{user} is the user of an earlier line"
        taken: set[str] = set()
        for index, line in enumerate(self.line):
            for key, number in _numbers(line):
                if number in taken:
                    yield ("line", index, *key), f"{number} is taken already"
                taken.add(number)
            for earlier in self.line[:index]:
                if overlap(line.sources, earlier.sources):
                    yield ("line", index, "sources"), f"overlap those of {earlier.number}"


def _numbers(line: LineEntry) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield ("number",), line.number
    for index, number in enumerate(line.numbers):
        yield ("numbers", index), number
