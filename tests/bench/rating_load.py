"""What rating costs by itself, on one core: a rating, a meter's life, a full carrier's prefix table."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rating.account import Standing
from rating.ledger import Ledger
from rating.loader import load
from rating.meter import charge
from rating.quote import Quote, quote
from rating.tariff import TariffBook
from switch.config.loader import default_config_dir

PREFIXES = 170_000
LOOK_UPS = 20_000
ROUNDS = 7
TUESDAY_15_59_S = 1_795_532_340
"""A minute before off-peak."""


def run_rating(directory: Path) -> dict[str, float]:
    """Microseconds of a complete rating of two segments (classify, quote, charge), of a meter's life
    (reserve, begin, three slices, settle) and of a look-up among 170 000 prefixes; seconds to load those."""
    book = _load(default_config_dir())
    figures = {
        "rating_us": best_us(lambda: _rate(book), 2_000),
        "meter_us": best_us(_meter_life(book), 1_000),
    }
    many = directory / "many"
    for part in ("tariffs", "numbering"):
        shutil.copytree(default_config_dir() / part, many / part)
    rows = ["prefix,class,country,label"]
    rows += [f"99{number:06d},INTERNATIONAL,XX,carrier {number % 700}" for number in range(PREFIXES)]
    (many / "numbering" / "carrier.csv").write_text("\n".join(rows), encoding="utf-8")
    started_s = time.perf_counter()
    large = _load(many)
    figures["load_s"] = time.perf_counter() - started_s
    numbers = [f"+99{number * 7 % PREFIXES:06d}1234" for number in range(LOOK_UPS)]
    classify = large.destinations.classify

    def look_up() -> None:
        for number in numbers:
            classify(number)

    figures["look_up_us"] = best_us(look_up, 1) / LOOK_UPS
    return figures


def _load(directory: Path) -> TariffBook:
    loaded = load(directory)
    assert loaded.book is not None, loaded.faults
    return loaded.book


def _rate(book: TariffBook) -> int:
    """A call to a Belgian mobile from 15:59 on: a minute at 0.17, then free."""
    wall_ns = TUESDAY_15_59_S * 1_000_000_000
    destination = book.destinations.classify("+32478123456")
    assert destination is not None
    priced = quote(book, "classic", (), destination, wall_ns)
    assert isinstance(priced, Quote)
    result = charge(priced.terms, wall_ns, 120)
    assert len(result.segments) == 2
    return result.amount


def _meter_life(book: TariffBook) -> Callable[[], None]:
    """Calls of one line under a cap, one after the other."""
    wall_ns = TUESDAY_15_59_S * 1_000_000_000
    destination = book.destinations.classify("+33123456789")
    assert destination is not None
    priced = quote(book, "classic", (), destination, wall_ns)
    assert isinstance(priced, Quote)
    ledger, standing = Ledger(), Standing(10**12)
    count = 0

    def life() -> None:
        nonlocal count
        count += 1
        call_id, start_ns = str(count), count * 1_000_000_000_000
        ledger.reserve(
            "line", standing, call_id, priced.terms, wall_ns=wall_ns, mono_ns=start_ns, for_ns=10**12
        )
        ledger.begin(call_id, answered_mono_ns=start_ns, answered_wall_ns=wall_ns, limit_s=7200)
        for slice_s in (60, 120, 180):
            ledger.renew("line", start_ns + slice_s * 1_000_000_000)
        ledger.settle(call_id, 200, start_ns + 200_000_000_000)

    return life


def best_us(act: Callable[[], object], times: int) -> float:
    """Microseconds of one call: the best of several rounds, since nothing makes a round too short."""
    best_s = float("inf")
    gc.collect()
    for _ in range(ROUNDS):
        started_s = time.process_time()
        for _ in range(times):
            act()
        best_s = min(best_s, time.process_time() - started_s)
    return 1e6 * best_s / times
