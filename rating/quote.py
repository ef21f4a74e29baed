"""The price of a call before it is placed, or the reason why it has none (R-TAR-14, R-RAT-02, R-RAT-03).

Free and emergency destinations are quoted at nothing under any plan and whatever the tariffs say; every other
destination without a price is refused, never rated at 0. Credit, caps and barring are admission's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from rating.tariff import FREE_PRICE, Period, TariffBook
from rating.terms import Terms
from rating.zone import FREE_ROW, Destination


class RefusalReason(StrEnum):
    """Why a call cannot be priced."""

    NO_TARIFF = "no-tariff"  # none in force at this instant
    NO_CALENDAR = "no-calendar"  # the holidays of this year are not known
    UNKNOWN_PLAN = "unknown-plan"
    NOT_ORDERABLE = "not-orderable"  # an option that this plan does not take
    NO_PRICE = "no-price"


@dataclass(frozen=True, slots=True)
class Refusal:
    """There is no price; `detail` names what was looked for."""

    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """What the call will be priced by, frozen at admission. `cut_s` is the longest it may last by its price
    row, if that says so."""

    destination: Destination
    plan: str
    options: tuple[str, ...]
    version: str
    cut_s: int | None
    terms: Terms


def quote(
    book: TariffBook, plan_id: str, options: Collection[str], destination: Destination, wall_ns: int
) -> Quote | Refusal:
    """The quote for a call of a line with this plan and these options, placed at `wall_ns` (UTC)."""
    tariff = book.version_at(wall_ns)
    if destination.price == FREE_ROW:
        periods: tuple[Period, ...] = (Period(0, tariff.version if tariff else "", FREE_PRICE, 0),)
    elif tariff is None:
        return Refusal(RefusalReason.NO_TARIFF, "no tariff is in force")
    elif not book.calendar.covers(wall_ns):
        return Refusal(RefusalReason.NO_CALENDAR, "the holidays of this year are not known")
    elif plan_id not in tariff.plans:
        return Refusal(RefusalReason.UNKNOWN_PLAN, f"plan {plan_id} is not in tariff {tariff.version}")
    elif not tariff.orderable(plan_id, options):
        return Refusal(
            RefusalReason.NOT_ORDERABLE, f"plan {plan_id} does not take {', '.join(sorted(options))}"
        )
    else:
        periods = _periods(book, plan_id, options, destination.price, wall_ns)
        if not periods:
            return Refusal(
                RefusalReason.NO_PRICE, f"{destination.price} has no price in {plan_id}, {tariff.version}"
            )
    current = periods[0]
    return Quote(
        destination,
        plan_id,
        tuple(options),
        current.version,
        current.price.cut_s,
        Terms(book.calendar, periods),
    )


def _periods(
    book: TariffBook, plan_id: str, options: Collection[str], row: str, wall_ns: int
) -> tuple[Period, ...]:
    """The row's terms now and under later versions; empty when it has no price now.

    Where a later version no longer sells what the call is made under, the call keeps the last price it had.
    """
    now, *later = book.versions_from(wall_ns)
    current = now.period(plan_id, options, row)
    if current is None:
        return ()
    if not later:
        return (current,)
    orderable = (tariff for tariff in later if tariff.orderable(plan_id, options))
    return (current, *(p for tariff in orderable if (p := tariff.period(plan_id, options, row)) is not None))
