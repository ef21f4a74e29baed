"""The algorithm of section 6: its table of worked examples, and a second-by-second model written from the
price sheet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.calendar import BRUSSELS
from rating.charge import NOTHING, Source
from rating.meter import charge
from rating.money import show
from rating.tariff import TariffBook
from tests.rating.support import charged, local_ns, quoted

IN_CI = os.environ.get("CI", "0") not in ("", "0", "false")
EXAMPLES = settings(max_examples=int(os.environ.get("BELSWITCH_EXAMPLES", "300")), deadline=None)
MANY_EXAMPLES = settings(EXAMPLES, max_examples=10_000) if IN_CI else EXAMPLES

FULL = 120_000
BE = "+3222345678"
FR = "+33123456789"

LINE: dict[str, tuple[str, tuple[str, ...]]] = {
    "Classic": ("classic", ()),
    "Classic + Any.": ("classic", ("anytime",)),
    "Classic + 24 B.": ("classic", ("24-belgium",)),
    "Classic + both": ("classic", ("24-belgium", "anytime")),
    "KLIK": ("classic-in-klik", ()),
    "KLIK + Intl": ("classic-in-klik", ("international-calling",)),
    "CLIC BUREAU": ("clic-bureau", ()),
}

# Domain section 6 (rows 1 to 17), then R-OPT-04 (Anytime: mobiles at peak, never fixed lines), R-OPT-05,
# R-TAR-10, special numbers (never in a bundle; a price per call is due whole) and R-LIM-01.
# Dates without Z are local.
# Columns: row, line, answered, number, seconds, bundle left, charge, bundle drawn by month.
WORKED = """
1           Classic          2026-11-24 15:59:30   +3222345678      60     0    0.0850
2           Classic          2026-11-25 07:59:50   +32478123456     20     0    0.0283
3           Classic          2026-11-24 10:00:00   +3222345678      61     0    0.1728
4 KLIK      KLIK             2026-11-24 10:00:00   +3222345678      61     0    0.0000
4 24 B.     Classic + 24 B.  2026-11-24 10:00:00   +3222345678      61     0    0.0000
5           Classic          2026-11-11 10:00:00   +3222345678      60     0    0.0000
6           Classic          2026-11-27 17:00:00   +33123456789    600  full    0.0000  2026-11 600
7           Classic          2026-11-27 17:00:00   +33123456789    100    45    0.5317  2026-11 45
8           Classic          2026-11-27 17:00:00   +33123456789    100     0    1.0467
9           Classic          2026-11-24 10:00:00   +33123456789    100  full    1.0467
9 Anytime   Classic + Any.   2026-11-24 10:00:00   +33123456789    100  full    0.0000  2026-11 100
10          Classic          2026-11-24 15:59:00   +33123456789    120  full    0.6600  2026-11 60
11          Classic          2026-11-25 07:59:00   +33123456789    120  full    0.5800  2026-11 60
12          Classic          2026-12-31 23:59:30   +33123456789     60    10    0.1933  2026-12 10  2027-01 30
13 Classic  Classic          2026-11-28 10:00:00   +212661234567    60  full    1.2400
13 KLIK     KLIK             2026-11-28 10:00:00   +212661234567    60     0    0.9100
14 Croatia  Classic          2026-11-28 10:00:00   +38591234567     60  full    1.2400
14 Jersey   Classic          2026-11-28 10:00:00   +441534123456    60  full    1.2400
14 Vatican  Classic          2026-11-28 10:00:00   +390669821234    60  full    1.2400
14 Cyprus   Classic          2026-11-28 10:00:00   +903921234567    60  full    1.2400
14 US       Classic          2026-11-28 10:00:00   +17875550123     60  full    1.2400
15          Classic          2027-03-30 06:30:00Z  +3222345678      60     0    0.1700
16          Classic          2027-03-29 10:00:00   +3222345678      60     0    0.0000
17          Classic          2026-11-24 10:00:00   +33123456789      1     0    0.0897
mobile      Classic + Any.   2026-11-24 10:00:00   +32478123456     60    30    0.0850  2026-11 30
fixed       Classic + Any.   2026-11-24 10:00:00   +3222345678      60  full    0.1700
both        Classic + both   2026-11-24 10:00:00   +32478123456     60    30    0.0000
Intl        KLIK + Intl      2026-11-24 10:00:00   +33123456789     60    60    0.0000  2026-11 60
zone A      KLIK             2026-11-28 10:00:00   +33123456789     60  full    0.6600
CLIC        CLIC BUREAU      2026-11-24 10:00:00   +212661234567    60     0    0.9100
078         Classic          2026-11-24 10:00:00   +3278123456      60     0    0.1700
0901        Classic + Any.   2026-11-28 10:00:00   +3290112345     600  full    0.4132
0902        KLIK             2026-11-28 10:00:00   +3290212345      90  full    1.2396
poison      Classic          2026-11-24 10:00:00   +3270245245     600     0    0.0000
suicide     Classic          2026-11-24 10:00:00   +3226499555     600     0    0.0000
0800        Classic          2026-11-24 10:00:00   +3280012345     600     0    0.0000
two hours   Classic          2026-11-28 10:00:00   +38591234567   7200     0  139.2800
"""


@pytest.mark.parametrize(
    "row", [re.split(r"\s{2,}", line.strip()) for line in WORKED.strip().split("\n")], ids=lambda row: row[0]
)
def test_worked_examples(book: TariffBook, row: list[str]) -> None:
    _, line, answered, number, seconds, left, amount, *drawn = row
    plan, options = LINE[line]
    left_s = FULL if left == "full" else int(left)
    talked_s = int(seconds)
    result = charged(book, plan, options, number, local_ns(answered), talked_s, left_s)
    assert (show(result.amount), [f"{use.month} {use.bundle_s}" for use in result.uses if use.bundle_s]) == (
        amount,
        drawn,
    )
    assert sum(segment.seconds for segment in result.segments) == result.seconds == talked_s


@pytest.mark.parametrize(
    ("answered", "left_s", "talked_s", "segments", "setup"),
    [
        (
            "2026-11-24 15:59:30",
            0,
            60,
            ["0+30 tariff 5800 2026-11 peak", "30+30 tariff 5800 2026-11 off-peak"],
            800,
        ),
        (
            "2026-11-24 15:59:00",
            20,
            100,
            [
                "0+60 tariff 5800 2026-11 peak",
                "60+20 bundle 0 2026-11 off-peak",
                "80+20 tariff 5800 2026-11 off-peak",
            ],
            800,
        ),
        (
            "2026-12-31 23:59:30",
            10,
            60,
            [
                "0+10 bundle 0 2026-12 off-peak",
                "10+20 tariff 5800 2026-12 off-peak",
                "30+30 bundle 0 2027-01 off-peak",
            ],
            0,
        ),
        ("2026-11-28 10:00:00", 60, 60, ["0+60 bundle 0 2026-11 off-peak"], 0),
    ],
)
def test_segments_are_what_the_record_shows(
    book: TariffBook, answered: str, left_s: int, talked_s: int, segments: list[str], setup: int
) -> None:
    result = charged(book, "classic", [], FR, local_ns(answered), talked_s, left_s)
    found = [
        f"{s.start_s}+{s.seconds} {s.source} {s.per_minute} {s.month} {'peak' if s.peak else 'off-peak'}"
        for s in result.segments
    ]
    assert (found, result.setup) == (segments, setup)
    assert {segment.version for segment in result.segments} == {"2026-01"}


def test_a_new_price_takes_over_at_local_midnight_in_mid_call(indexed_book: TariffBook) -> None:
    """R-RAT-02, R-IDX-01: a new month too, with its own bundle under the new version."""
    answered = local_ns("2026-11-30 23:59:30")
    result = charged(indexed_book, "classic", [], FR, answered, 120)
    assert [(s.start_s, s.seconds, s.source, s.per_minute, s.version) for s in result.segments] == [
        (0, 30, Source.TARIFF, 5800, "2026-01"),
        (30, 60, Source.BUNDLE, 0, "2026-12"),
        (90, 30, Source.TARIFF, 6000, "2026-12"),
    ]
    assert (result.setup, show(result.amount)) == (800, "0.6700")


def test_a_call_without_seconds_costs_nothing(book: TariffBook) -> None:
    terms = quoted(book, "classic", [], FR, local_ns("2026-11-24 10:00:00")).terms
    result = charge(terms, local_ns("2026-11-24 10:00:00"), 0)
    assert result == NOTHING


def test_the_amount_is_rounded_once_not_by_segment(book: TariffBook) -> None:
    """10 s before the bundle and 10 s after it cost 20 x 0.58 / 60 = 0.19333, where 2 x 0.0967 is 0.1934."""
    result = charged(book, "classic", [], FR, local_ns("2026-11-24 15:59:50"), 30, 10)
    assert len(result.segments) == 3
    assert show(result.amount) == "0.2733"


# --- second by second -------------------------------------------------------------------------------------

EDGES = [
    local_ns(text)
    for text in (
        "2026-11-24 08:00:00",
        "2026-11-24 16:00:00",
        "2026-11-27 16:00:00",
        "2026-11-11 00:00:00",
        "2026-11-11 08:00:00",
        "2026-11-30 08:00:00",
        "2026-12-01 00:00:00",  # month, and the indexed prices
        "2026-12-01 08:00:00",
        "2027-01-01 00:00:00",
        "2027-03-28 02:00:00",
        "2026-10-25 02:00:00",
    )
]
NUMBERS = {
    BE: "fixed",
    "+32478123456": "mobile",
    FR: "zone A",
    "+212661234567": "Morocco",
    "+38591234567": "other",
    "112": "free",
}
LINES = [line for line in LINE.values() if line[0] != "clic-bureau"]


def sheet(kind: str, plan: str, options: Collection[str], peak: bool, raised: bool) -> tuple[str, str, bool]:
    """The price sheet read aloud: per minute, set-up, whether the bundle may be drawn."""
    if kind == "free":
        return "0", "0", False
    klik = plan == "classic-in-klik"
    if kind in ("fixed", "mobile"):
        if klik or not peak or "24-belgium" in options:
            return "0", "0", False
        return "0.18" if raised else "0.17", "0", kind == "mobile" and "anytime" in options
    setup = "0.09" if raised else "0.08"
    if kind == "zone A":
        bundled = "international-calling" in options if klik else not peak or "anytime" in options
        return "0.60" if raised else "0.58", setup, bundled
    return ("0.83" if klik and kind == "Morocco" else "1.16"), setup, False


def naive(
    book: TariffBook,
    kind: str,
    plan: str,
    options: Collection[str],
    answered_ns: int,
    seconds: int,
    left_s: int,
) -> tuple[str, dict[str, int]]:
    """The amount and the bundle drawn, one second at a time."""
    total, drawn, month = Fraction(0), dict[str, int](), ""
    for k in range(seconds):
        instant = datetime.fromtimestamp(answered_ns // 10**9 + k, BRUSSELS)
        raised = (instant.year, instant.month) >= (2026, 12)
        holiday = instant.date() in book.calendar.holidays
        peak = instant.weekday() < 5 and not holiday and 8 <= instant.hour < 16
        if month and f"{instant:%Y-%m}" != month:
            has_bundle = plan == "classic" or "international-calling" in options
            left_s = (60 if raised else FULL) if has_bundle else 0
        month = f"{instant:%Y-%m}"
        per_minute, setup, bundled = sheet(kind, plan, options, peak, raised)
        if bundled and left_s:
            left_s -= 1
            drawn[month] = drawn.get(month, 0) + 1
        else:
            total += Fraction(per_minute) / 60 + (Fraction(setup) if k == 0 else 0)
    amount = Decimal(total.numerator) / Decimal(total.denominator)
    return str(amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)), drawn


@MANY_EXAMPLES
@pytest.mark.timeout(600)
@given(
    line=st.sampled_from(LINES),
    number=st.sampled_from(sorted(NUMBERS)),
    edge=st.sampled_from(EDGES),
    offset_ms=st.integers(-900_000, 300_000),
    seconds=st.integers(1, 1_500),
    left_s=st.sampled_from([0, 1, 59, 600, FULL]),
)
def test_agrees_with_pricing_every_second_by_itself(
    indexed_book: TariffBook,
    line: tuple[str, tuple[str, ...]],
    number: str,
    edge: int,
    offset_ms: int,
    seconds: int,
    left_s: int,
) -> None:
    plan, options = line
    answered = edge + offset_ms * 1_000_000
    result = charged(indexed_book, plan, options, number, answered, seconds, left_s)
    expected = naive(indexed_book, NUMBERS[number], plan, options, answered, seconds, left_s)
    drawn = {use.month: use.bundle_s for use in result.uses if use.bundle_s}
    assert (show(result.amount), drawn) == expected
    starts = [segment.start_s for segment in result.segments]
    ends = [segment.start_s + segment.seconds for segment in result.segments]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] == seconds


@EXAMPLES
@given(
    line=st.sampled_from(LINES),
    number=st.sampled_from(sorted(NUMBERS)),
    edge=st.sampled_from(EDGES),
    offset_s=st.integers(-7_200, 7_200),
    seconds=st.integers(1, 7_200),
    more=st.integers(0, 7_200),
    left_s=st.integers(0, 7_200),
)
def test_a_charge_never_falls_with_time(
    indexed_book: TariffBook,
    line: tuple[str, tuple[str, ...]],
    number: str,
    edge: int,
    offset_s: int,
    seconds: int,
    more: int,
    left_s: int,
) -> None:
    answered = edge + offset_s * 10**9
    shorter = charged(indexed_book, *line, number, answered, seconds, left_s)
    longer = charged(indexed_book, *line, number, answered, seconds + more, left_s)
    assert 0 <= shorter.amount <= longer.amount
