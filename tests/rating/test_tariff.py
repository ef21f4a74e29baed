"""The price sheet as data: fees, options, versions (R-TAR-01 to -10, R-OPT-01 to -03)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from rating.money import show
from rating.tariff import Cap, Change, Price, Rate, Tariff, TariffBook
from tests.rating.support import local_ns


def tariff(book: TariffBook) -> Tariff:
    found = book.version_at(local_ns("2026-11-24 10:00:00"))
    assert found is not None
    return found


def test_monthly_fees(book: TariffBook) -> None:
    sheet = tariff(book)
    assert {plan.id: (show(plan.monthly), show(plan.pack_monthly)) for plan in sheet.plans.values()} == {
        "classic": ("22.2900", "0.0000"),
        "classic-in-klik": ("11.4500", "0.0000"),
        "clic-bureau": ("0.0000", "69.6400"),
    }
    assert {option.id: show(option.monthly) for option in sheet.options.values()} == {
        "anytime": "6.2000",
        "24-belgium": "4.1300",
        "international-calling": "8.2600",
        "safespot": "8.0000",
        "speedboost": "15.0000",
    }


def test_one_off_fees(book: TariffBook) -> None:
    plans = tariff(book).plans
    assert {name: show(fee) for name, fee in plans["classic"].one_off.items()} == {
        "telephony_only": "41.3200",
        "comfort": "70.2500",
        "business": "200.0000",
    }
    assert plans["classic-in-klik"].one_off == plans["classic"].one_off
    assert show(plans["clic-bureau"].one_off["comfort_plus"]) == "81.8200"


def test_where_options_are_orderable(book: TariffBook) -> None:
    sheet = tariff(book)
    orderable = {
        (plan, option)
        for plan in sheet.plans
        for option in ("anytime", "24-belgium", "international-calling")
        if sheet.orderable(plan, [option])
    }
    assert orderable == {
        ("classic", "anytime"),
        ("classic", "24-belgium"),
        ("classic-in-klik", "international-calling"),
        ("clic-bureau", "international-calling"),
    }
    assert sheet.orderable("classic", [])
    assert not sheet.orderable("unknown", [])


def test_the_bundle_is_one_and_never_two(book: TariffBook) -> None:
    sheet = tariff(book)
    assert {
        (plan, options): period.bundle_s
        for plan, options in (
            ("classic", ()),
            ("classic", ("anytime",)),
            ("classic-in-klik", ()),
            ("classic-in-klik", ("international-calling",)),
        )
        if (period := sheet.period(plan, options, "zone_a")) is not None
    } == {
        ("classic", ()): 120_000,
        ("classic", ("anytime",)): 120_000,
        ("classic-in-klik", ()): 0,
        ("classic-in-klik", ("international-calling",)): 120_000,
    }


def test_an_option_changes_what_it_names_and_nothing_else() -> None:
    price = Price(Rate(10, 1), Rate(20, 2), off_peak_bundle=True, cut_s=600)
    changed = Change(peak=Rate(5), peak_bundle=True).of(price)
    assert changed == Price(Rate(5), Rate(20, 2), peak_bundle=True, off_peak_bundle=True, cut_s=600)


def test_an_option_can_make_a_rate_free() -> None:
    assert Change(peak=Rate(0)).of(Price(Rate(10), Rate(0))).peak.free


@pytest.mark.parametrize("plan", ["classic", "classic-in-klik", "clic-bureau"])
@pytest.mark.parametrize(
    ("concluded", "cap"),
    [
        (date(2015, 6, 30), "50.0000"),
        (date(2020, 12, 31), "50.0000"),
        (date(2021, 1, 1), "50.0000"),  # "after": the day itself is not
        (date(2021, 1, 2), "20.0000"),
        (date(2026, 11, 25), "20.0000"),
        (None, "20.0000"),
    ],
)
def test_the_cap_of_a_contract_by_its_day(
    book: TariffBook, plan: str, concluded: date | None, cap: str
) -> None:
    """R-CAP-01, VAT included."""
    found = tariff(book).cap(plan, concluded)
    assert found is not None
    assert show(found) == cap


def test_a_plan_that_is_not_capped_and_one_that_is_none_have_no_cap(book: TariffBook) -> None:
    sheet = tariff(book)
    free = replace(sheet, plans={**sheet.plans, "classic": replace(sheet.plans["classic"], capped=False)})
    assert free.cap("classic", None) is None
    assert free.cap("classic-in-klik", None) is not None
    assert sheet.cap("platinum", None) is None


def test_caps_that_begin_one_after_the_other(book: TariffBook) -> None:
    """A contract older than all of them has none; the latest day before it counts, the last one without."""
    caps = (Cap(date(2021, 1, 1), 20), Cap(date(2026, 1, 1), 10))
    sheet = replace(tariff(book), caps=caps)
    days = (date(2021, 1, 1), date(2021, 1, 2), date(2026, 1, 1), date(2026, 1, 2), None)
    assert [sheet.cap("classic", day) for day in days] == [None, 20, 20, 10, 10]


def test_the_version_in_force(indexed_book: TariffBook) -> None:
    def version(when: str) -> str | None:
        found = indexed_book.version_at(local_ns(when))
        return found.version if found else None

    assert [
        version("2025-12-31 23:59:59"),
        version("2026-01-01 00:00:00"),
        version("2026-11-30 23:59:59"),
        version("2026-12-01 00:00:00"),
        version("2035-01-01 00:00:00"),
    ] == [None, "2026-01", "2026-01", "2026-12", "2026-12"]
