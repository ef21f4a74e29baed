"""The price of a call while it runs: the rating package's own, and nothing where nothing is due."""

from __future__ import annotations

import pytest

from rating.meter import Meter
from rating.quote import Quote, quote
from switch.call.metering import Metering, recorded
from switch.ports import NS_PER_S
from switch.record import Segment
from tests.switch.sip.support import WALL_NS
from tests.torture.support import tables

MINUTE_BEFORE_OFF_PEAK_NS = WALL_NS - 60 * NS_PER_S


def meter(called: str, answered_ns: int = MINUTE_BEFORE_OFF_PEAK_NS) -> Meter:
    book, _ = tables()
    destination = book.destinations.classify(called)
    assert destination is not None
    priced = quote(book, "classic", (), destination, answered_ns)
    assert isinstance(priced, Quote)
    return Meter(priced.terms, answered_ns)


@pytest.mark.parametrize(
    ("talked_ms", "amount"),
    [
        (0, 28),
        (1, 28),
        (1000, 28),
        (1001, 57),
        (30_000, 850),
        (60_000, 1700),
        (60_001, 1700),
        (600_000, 1700),
    ],
)
def test_the_price_grows_by_the_second_until_it_costs_nothing_more(talked_ms: int, amount: int) -> None:
    """0.17 a minute, rounded half up; off-peak is free."""
    metering = Metering(meter("+32478123456"))
    assert metering.amount(talked_ms) == amount
    charge = metering.charge(talked_ms)
    assert charge is not None
    assert charge.amount == amount


def test_the_next_change_is_at_the_edge_of_peak() -> None:
    metering = Metering(meter("+32478123456"))
    assert metering.next_change_s(0) == 60
    assert metering.next_change_s(59_999) == 60
    assert metering.next_change_s(60_000) == 16 * 3600 + 60  # eight in the morning


def test_a_call_that_costs_nothing_has_no_meter() -> None:
    metering = Metering(None)
    assert metering.charge(60_000) is None
    assert metering.amount(60_000) == 0
    assert metering.next_change_s(0) is None


def test_a_charge_is_recorded_with_its_segments() -> None:
    setup, amount, segments = recorded(Metering(meter("+385123456789")).charge(90_000))
    assert (setup, amount) == (800, 800 + 17_400)  # 0.08 and 1.16 a minute
    assert segments == (Segment(0, 90, 11_600, "price", "2026-11", "2026-01"),)
    _, amount, segments = recorded(Metering(meter("+32478123456")).charge(90_000))
    assert amount == 1700
    assert [(s.start_s, s.seconds, s.per_minute, s.source) for s in segments] == [
        (0, 60, 1700, "price"),
        (60, 30, 0, "free"),
    ]


def test_no_charge_is_recorded_as_nothing() -> None:
    assert recorded(None) == (0, 0, ())
