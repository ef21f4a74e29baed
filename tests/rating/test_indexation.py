"""The next tariff by the index (R-IDX-01): what changes, what must not, that it takes over at midnight."""

from __future__ import annotations

import shutil
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from rating.indexation import Unfit, indexed
from rating.loader import load
from rating.money import show
from rating.tariff import TariffBook
from tests.rating.support import CONFIG, charged, local_ns
from tests.rating.test_charge import BE, FR

FIRST = "tariffs/2026-01-01.toml"
NEXT = date(2027, 1, 1)
OLD, NEW = "133.00", "136.42"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for folder in ("tariffs", "numbering"):
        shutil.copytree(CONFIG / folder, tmp_path / folder)
    return tmp_path


def edit(config: Path, old: str, new: str) -> None:
    """Replace the one place of the first version where `old` stands."""
    text = (config / FIRST).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    (config / FIRST).write_text(text.replace(old, new), encoding="utf-8")


def written(config: Path, valid_from: date = NEXT, cpi_old: str = OLD, cpi_new: str = NEW) -> TariffBook:
    """The book of the folder once the next version is in it."""
    name, text = indexed(config, cpi_old, cpi_new, valid_from)
    (config / name).write_text(text, encoding="utf-8")
    loaded = load(config)
    assert loaded.book is not None, loaded.faults
    return loaded.book


def document(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def faults(config: Path, valid_from: date = NEXT, cpi_old: str = OLD, cpi_new: str = NEW) -> list[str]:
    """Why there can be no such version."""
    before = sorted((config / "tariffs").iterdir())
    with pytest.raises(Unfit) as caught:
        indexed(config, cpi_old, cpi_new, valid_from)
    assert sorted((config / "tariffs").iterdir()) == before
    assert str(caught.value) == "; ".join(map(str, caught.value.faults))
    return [str(fault) for fault in caught.value.faults]


# --- what changes -------------------------------------------------------------------------------------------


def test_the_fee_of_the_sheet_by_the_indexes_of_the_sheet(config: Path) -> None:
    """R-IDX-01: 22.29 x 136.42 / 133.00 = 22.86."""
    _, text = indexed(config, OLD, NEW, NEXT)
    assert document(text)["plan"]["classic"]["monthly"] == "22.86"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("plan.classic.monthly", "22.29", "22.86"),
        ("plan.classic.one_off.business", "200.00", "205.14"),
        ("plan.classic.price.be_fixed.peak", "0.17", "0.17"),
        ("plan.classic.price.be_fixed.off_peak", "0.00", "0.00"),
        ("plan.classic.price.zone_a.per_minute", "0.58", "0.59"),
        ("plan.classic.price.zone_a.setup", "0.08", "0.08"),
        ("plan.classic.price.international.per_minute", "1.16", "1.19"),
        ("plan.classic-in-klik.monthly", "11.45", "11.74"),
        ("plan.classic-in-klik.price.morocco_turkey.per_minute", "0.83", "0.85"),
        ("plan.clic-bureau.pack_monthly", "69.64", "71.43"),
        ("option.anytime.monthly", "6.20", "6.36"),
        ("option.24-belgium.price.be_fixed.peak", "0.00", "0.00"),
        ("option.international-calling.monthly", "8.26", "8.47"),
    ],
)
def test_every_price_is_raised_and_rounded_half_up_to_its_own_decimals(
    config: Path, path: str, old: str, new: str
) -> None:
    before: Any = document((CONFIG / FIRST).read_text(encoding="utf-8"))
    after: Any = document(indexed(config, OLD, NEW, NEXT)[1])
    for key in path.split("."):
        before, after = before[key], after[key]
    assert (before, after) == (old, new)


@pytest.mark.parametrize(
    ("amount", "cpi_old", "cpi_new", "raised"),
    [
        ('"0.1700"', "100", "102.5", "0.1743"),  # 0.17425: half up
        ('"0.1700"', "102.5", "100", "0.1659"),  # 0.16585..., and prices may fall
        ('"0.5"', "133.00", "136.42", "0.51"),  # never to less than a cent
        ('"20"', "133.00", "136.42", "20.51"),
        ("'0.58'", "133.00", "136.42", "0.59"),
        ('"0.00"', "1", "999999.999999", "0.00"),
    ],
)
def test_amounts_however_they_are_written(
    config: Path, amount: str, cpi_old: str, cpi_new: str, raised: str
) -> None:
    edit(config, 'monthly = "8.26"', f"monthly = {amount} # a comment")
    _, text = indexed(config, cpi_old, cpi_new, NEXT)
    assert document(text)["option"]["international-calling"]["monthly"] == raised


def test_indexing_by_the_same_index_changes_only_name_and_day(config: Path) -> None:
    name, text = indexed(config, OLD, OLD, NEXT)
    old = (CONFIG / FIRST).read_text(encoding="utf-8")
    assert name == "tariffs/2027-01-01.toml"
    changed = [pair for pair in zip(old.splitlines(), text.splitlines(), strict=False) if pair[0] != pair[1]]
    assert changed[:2] == [
        ('version = "2026-01"', 'version = "2027-01"'),
        (
            "valid_from = 2026-01-01 # local midnight, Europe/Brussels",
            "valid_from = 2027-01-01 # local midnight, Europe/Brussels",
        ),
    ]
    assert changed[2:] == []


# --- what must not ------------------------------------------------------------------------------------------


def test_what_is_no_price_stays(config: Path) -> None:
    before = document((CONFIG / FIRST).read_text(encoding="utf-8"))
    after = document(indexed(config, "100", "200", NEXT)[1])
    for key in ("cap", "vat_percent", "special"):
        assert after[key] == before[key]
    for kind in ("plan", "option"):
        for name, table in before[kind].items():
            for key in ("label", "options", "bundle_minutes", "capped", "prices_of"):
                assert after[kind][name].get(key) == table.get(key), (name, key)
    assert after["plan"]["classic"]["price"]["zone_a"]["bundle"] == ["off-peak"]


def test_comments_stay_and_no_amount_in_one_is_raised(config: Path) -> None:
    edit(config, "# every line alike (R-TAR-11)", '# every line alike, "22.29" (R-TAR-11)')
    edit(config, "# valid_until = 2026-12-31", '# monthly = "1.00", valid_until = 2026-12-31')
    _, text = indexed(config, "100", "200", NEXT)
    assert 'monthly = "44.58" # every line alike, "22.29" (R-TAR-11)\n' in text
    assert '# monthly = "1.00", valid_until = 2026-12-31' in text
    comments = [
        [line.partition("#")[2] for line in one.splitlines()] for one in ((config / FIRST).read_text(), text)
    ]
    assert comments[0] == comments[1]


def test_a_name_that_looks_like_an_amount_is_none(config: Path) -> None:
    edit(config, 'label = "Anytime"', 'label = "2.00"')
    after = document(indexed(config, "100", "200", NEXT)[1])
    assert after["option"]["anytime"]["label"] == "2.00"


def test_special_numbers_keep_their_prices(config: Path) -> None:
    """Whoever offers them sets them, under the legal maxima (R-SPC-04): raised they would exceed those."""
    book = written(config, cpi_old="100", cpi_new="300")
    first, second = book.tariffs
    assert second.special == first.special
    assert second.caps == first.caps
    assert second.vat_percent == first.vat_percent


def test_the_end_of_the_last_version_is_not_taken_along(config: Path) -> None:
    edit(config, "# valid_until = 2026-12-31", "valid_until = 2026-12-31")
    _, text = indexed(config, OLD, NEW, NEXT)
    assert "valid_until" not in document(text)
    book = written(config)
    assert [tariff.version for tariff in book.tariffs] == ["2026-01", "2027-01"]


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid_from", "version"),
    [
        (date(2027, 1, 1), "2027-01"),
        (date(2027, 3, 1), "2027-03"),
        (date(2027, 1, 2), "2027-01-02"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_a_version_bears_its_month_or_the_day_where_that_says_more(
    config: Path, valid_from: date, version: str
) -> None:
    name, text = indexed(config, OLD, NEW, valid_from)
    assert name == f"tariffs/{valid_from.isoformat()}.toml"
    assert (document(text)["version"], document(text)["valid_from"]) == (version, valid_from)


def test_a_name_that_is_taken_is_not_given_twice(config: Path) -> None:
    edit(config, 'version = "2026-01"', 'version = "2027-01"')
    assert document(indexed(config, OLD, NEW, NEXT)[1])["version"] == "2027-01-01"


def test_the_version_after_the_next_is_made_from_the_next(config: Path) -> None:
    """R-IDX-01: by the index at the previous setting of prices."""
    written(config)
    book = written(config, date(2028, 1, 1), NEW, "139.00")
    fees = [show(tariff.plans["classic"].monthly) for tariff in book.tariffs]
    assert fees == ["22.2900", "22.8600", "23.2900"]


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2025, 12, 31), date(1990, 1, 1)])
def test_a_day_that_is_not_after_the_last_version(config: Path, day: date) -> None:
    assert faults(config, day) == ["--from: must be after 2026-01-01, when 2026-01 began"]


def test_a_day_out_of_this_world(config: Path) -> None:
    (fault,) = faults(config, date(2101, 1, 1))
    assert "valid_from: is not from 2000 to 2100" in fault


@pytest.mark.parametrize("text", ["0", "0.00", "-133", "133,00", "1e2", "", "NaN", "133.", ".5", "1234567"])
def test_an_index_that_is_none(config: Path, text: str) -> None:
    assert faults(config, cpi_old=text) == [f"--cpi-old: must be an index like 133.00, not {text}"]
    assert faults(config, cpi_new=text) == [f"--cpi-new: must be an index like 133.00, not {text}"]


def test_a_folder_with_faults_is_told_all_of_them(config: Path) -> None:
    edit(config, 'monthly = "6.20"', "monthly = 6.20")
    edit(config, 'monthly = "4.13"', "")
    assert len(faults(config)) == 2
    assert all(fault.startswith(f"{FIRST}:") for fault in faults(config))


def test_a_last_version_that_goes_on_too_long_has_to_be_ended_first(config: Path) -> None:
    edit(config, "# valid_until = 2026-12-31", "valid_until = 2027-01-01")
    (fault,) = faults(config)
    assert "overlaps version 2026-01" in fault or "overlaps version 2027-01" in fault


def test_a_price_that_cannot_be_found_in_its_text_is_told_and_not_forgotten(config: Path) -> None:
    edit(config, 'monthly = "6.20"', 'monthly = """6.20"""')
    assert faults(config) == [
        f'{FIRST}: option.anytime.monthly: must be written as monthly = "6.20" to be indexed'
    ]


def test_a_file_with_keys_written_otherwise(config: Path) -> None:
    """Indented, quoted, with a byte order mark: it loads, so it can be indexed."""
    edit(config, "valid_from = 2026-01-01", "  valid_from   =  2026-01-01")
    path = config / FIRST
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    book = written(config)
    assert [tariff.valid_from for tariff in book.tariffs] == [date(2026, 1, 1), NEXT]


# --- in service ---------------------------------------------------------------------------------------------


def test_the_written_version_takes_over_at_its_local_midnight(config: Path) -> None:
    """R-RAT-02: in mid-call as well, second by second. 1 January is a holiday, so there is no peak."""
    book = written(config)
    for at, version in (
        ("2026-12-31 23:59:59", "2026-01"),
        ("2027-01-01 00:00:00", "2027-01"),
        ("2026-12-31 22:59:59Z", "2026-01"),
        ("2026-12-31 23:00:00Z", "2027-01"),
    ):
        found = book.version_at(local_ns(at))
        assert found is not None
        assert found.version == version
    result = charged(book, "classic-in-klik", (), FR, local_ns("2026-12-31 23:59:30"), 60)
    assert [(s.start_s, s.seconds, s.per_minute, s.version) for s in result.segments] == [
        (0, 30, 5800, "2026-01"),
        (30, 30, 5900, "2027-01"),
    ]
    assert show(result.amount) == "0.6650"


def test_a_summer_version_begins_at_summer_midnight(config: Path) -> None:
    book = written(config, date(2027, 7, 1))
    found = [book.version_at(local_ns(at)) for at in ("2027-06-30 21:59:59Z", "2027-06-30 22:00:00Z")]
    assert [tariff.version for tariff in found if tariff] == ["2026-01", "2027-07"]
    assert charged(book, "classic", (), BE, local_ns("2027-07-01 10:00:00"), 60).amount == 1700
