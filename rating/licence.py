"""What one licence of a plan gives (R-NUM-01 to -03, R-POL-08): data of the tariff files, like its prices.

Nothing is refused here; `switch.provision` holds lines against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from rating.fault import Table

_LIMITS = ("numbers", "end_users", "max_calls", "max_contacts")


@dataclass(frozen=True, slots=True)
class Licence:
    """The limits of one line of a plan; None for none.

    Either it has so many `numbers` (R-NUM-01), or one for every end user and `spare_numbers` more
    (R-NUM-02). `end_users` is the most it may have (R-NUM-03), `max_calls` the calls and `max_contacts` the
    devices registered at a time, `pabx` whether a customer's own equipment (PABX, gateway, grouped lines) may
    be behind it (R-POL-08).
    """

    numbers: int | None = None
    spare_numbers: int | None = None
    end_users: int | None = None
    max_calls: int | None = None
    max_contacts: int | None = None
    pabx: bool = False

    def most_numbers(self, end_users: int) -> int | None:
        """How many numbers a line with so many end users may have."""
        return self.numbers if self.spare_numbers is None else end_users + self.spare_numbers


UNLIMITED = Licence(pabx=True)
"""That of a plan whose tariff does not say."""


def read_licence(table: Table | None) -> Licence:
    """The table `[plan.NAME.licence]`; its faults go to the file's."""
    if table is None:
        return UNLIMITED
    limits = {key: _at_least_one(table, key) for key in _LIMITS if key in table}
    spare = table.count("spare_numbers") if "spare_numbers" in table else None
    if spare is not None and "numbers" in limits:
        table.fault("spare_numbers", "go with end users; a licence has so many numbers or these, not both")
    licence = Licence(**limits, spare_numbers=spare, pabx=table.flag("pabx"))
    table.close()
    return licence


def _at_least_one(table: Table, key: str) -> int:
    count = table.count(key)
    if count == 0:
        table.fault(key, "must be at least 1; left out, there is no limit")
    return count
