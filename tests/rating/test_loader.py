"""The loader: a right configuration becomes a book, a wrong one all of its faults with file and line."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from rating.loader import legal_holidays, load
from tests.rating.support import CONFIG, local_ns

TARIFF = "tariffs/2026-01-01.toml"
SPECIAL = "tariffs/special-2026.csv"
MAXIMA = "tariffs/legal-maxima.csv"
BELGIUM = "numbering/belgium.csv"
FREE = "numbering/free.csv"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for folder in ("tariffs", "numbering"):
        shutil.copytree(CONFIG / folder, tmp_path / folder)
    return tmp_path


def edit(config: Path, name: str, old: str, new: str) -> int:
    """Replace the one place where `old` stands; returns its line."""
    text = (config / name).read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    (config / name).write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def faults(config: Path) -> list[str]:
    loaded = load(config)
    assert (loaded.book is None) == bool(loaded.faults)
    return [str(fault) for fault in loaded.faults]


def test_the_delivered_configuration_is_right(config: Path) -> None:
    assert faults(config) == []


FAULTS = [
    (
        TARIFF,
        'monthly = "22.29"',
        "monthly = 22.29",
        'plan.classic.monthly: prices are strings, write "22.29"',
    ),
    (TARIFF, 'monthly = "22.29"', "monthly = 22", 'plan.classic.monthly: prices are strings, write "22"'),
    (
        TARIFF,
        'monthly = "22.29"',
        'monthly = "22,29"',
        "plan.classic.monthly: not an amount in euros with at most",
    ),
    (TARIFF, 'monthly = "22.29"', 'montly = "22.29"', "plan.classic.montly: unknown key"),
    (TARIFF, 'label = "CLIC BUREAU"', 'label = ""', "plan.clic-bureau.label: must be a text"),
    (TARIFF, 'version = "2026-01"', "version = 3", "version: must be a text"),
    (
        TARIFF,
        "valid_from = 2026-01-01",
        'valid_from = "2026-01-01"',
        "valid_from: must be a date like 2026-01-01",
    ),
    (TARIFF, "vat_percent = 21", "vat_percent = -1", "vat_percent: must be a whole number"),
    (TARIFF, "vat_percent = 21", "vat_percent = 21.0", "vat_percent: must be a whole number"),
    (
        TARIFF,
        'amount = "50.00"',
        "amount = 50.00",
        'cap.older-contracts.amount: prices are strings, write "50.0"',
    ),
    (TARIFF, 'amount = "20.00"', 'amount = "20,00"', "cap.newer-contracts.amount: not an amount in euros"),
    (
        TARIFF,
        "concluded_after = 2021-01-01",
        'concluded_after = "2021-01-01"',
        "cap.newer-contracts.concluded_after: must be a date like 2026-01-01",
    ),
    (
        TARIFF,
        "concluded_after = 2021-01-01",
        "concluded_before = 2021-01-01",
        "cap.newer-contracts.concluded_before: unknown key",
    ),
    (
        TARIFF,
        "# valid_until = 2026-12-31",
        "valid_until = 2025-12-31",
        "valid_until: is before valid_from",
    ),
    (
        TARIFF,
        "# valid_until = 2026-12-31",
        'valid_until = "never"',
        "valid_until: must be a date like 2026-01-01",
    ),
    (
        TARIFF,
        'capped = true\nmonthly = "0.00"',
        'capped = "yes"\nmonthly = "0.00"',
        "plan.clic-bureau.capped: must be true or false",
    ),
    (TARIFF, 'prices_of = "classic-in-klik"', 'prices_of = "klik"', "'klik' is not a plan described above"),
    (
        TARIFF,
        'options = ["anytime", "24-belgium"]',
        'options = ["nights"]',
        "'nights' is not an option of this",
    ),
    (
        TARIFF,
        'options = ["anytime", "24-belgium"]',
        'options = "anytime"',
        "options: must be a list of texts",
    ),
    (
        TARIFF,
        'zone_a = { bundle = ["peak"] }',
        'zone_a = { bundle = ["noon"] }',
        "'noon' is neither 'peak' nor 'off-",
    ),
    (
        TARIFF,
        'bundle = ["off-peak"] }',
        'bundled = ["off-peak"] }',
        "plan.classic.price.zone_a.bundled: unknown key",
    ),
    (TARIFF, "[option.anytime.price]", "[option.anytime.price", "is not TOML"),
    (
        SPECIAL,
        "0900,0.4132",
        "0900,0.4133",
        "0900: 0.4133 per minute with 21 % VAT exceeds the legal maximum of 0.5000",
    ),
    (
        SPECIAL,
        "0901,,0.4132",
        "0901,0.1,0.4132",
        "0901: 0.1000 per minute with 21 % VAT exceeds the legal maximum of 0",
    ),
    (
        SPECIAL,
        "0909,,25.6198",
        "0909,,25.6199",
        "0909: 25.6199 per call with 21 % VAT exceeds the legal maximum of 31",
    ),
    (SPECIAL, "0904,1.6528,,600", "0904,1.6528,,10m", "cut_s '10m' is not a number of seconds"),
    (SPECIAL, "0904,1.6528,,600", "0904,1.6528,,0", "cut_s '0' is not a number of seconds"),
    (SPECIAL, "0905,,1.6528", "0905,,", "0905: no price; write 0 for one that costs nothing"),
    (SPECIAL, "0902,0.8264", "0902,O.8264", "per_minute: not an amount in euros"),
    (SPECIAL, "0900,0.4132,,600,information", "0900,0.4132,,600", "4 fields where 5 are named"),
    (
        SPECIAL,
        "price,per_minute,per_call,cut_s",
        "price,per_minute,percall,cut_s",
        "no column per_call; unknown column",
    ),
    (BELGIUM, "3210,BE_FIXED", "3210,BE_FIX", "unknown class 'BE_FIX', one of"),
    (BELGIUM, "3210,BE_FIXED", "32A0,BE_FIXED", "'32A0' is not a prefix"),
    (BELGIUM, "3210,BE_FIXED,", "3210,BE_FIXED,be_gold", "no tariff has a price row 'be_gold'"),
    (BELGIUM, "3270,BE_PREMIUM,070", "3270,BE_PREMIUM,", "class BE_PREMIUM needs a price row"),
    (BELGIUM, "3270,BE_PREMIUM,070", "3270,BE_PREMIUM,free", "class BE_PREMIUM cannot have price row 'free'"),
    (
        BELGIUM,
        "32800,BE_FREEPHONE,",
        "32800,BE_FREEPHONE,070",
        "class BE_FREEPHONE cannot have price row '070'",
    ),
    (BELGIUM, "010,10,Wavre", "010,10-8,Wavre", "digits '10-8' is neither a length nor a range"),
    (BELGIUM, "010,10,Wavre", "010,ten,Wavre", "digits 'ten' is neither a length nor a range"),
    (FREE, "112,EMERGENCY", "0112,EMERGENCY", "'0112' is not a number"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_fault_is_told_with_its_file_and_line(
    config: Path, name: str, old: str, new: str, message: str
) -> None:
    line = edit(config, name, old, new)
    told = faults(config)
    assert any(fault.startswith(f"{name}:{line}: ") and message in fault for fault in told), told


def test_faults_found_elsewhere_than_where_they_were_made(config: Path) -> None:
    """A price row that an option, a number or the law does not know; a number or row given twice."""
    edit(config, TARIFF, 'zone_a = { bundle = ["peak"] }', 'zone_b = { bundle = ["peak"] }')
    edit(config, TARIFF, 'morocco_turkey = { per_minute = "0.83"', 'moroco = { per_minute = "0.83"')
    edit(config, MAXIMA, "0907,2.00,\n", "")
    twice = edit(config, FREE, "1712,FREE", "1813,FREE")
    edit(config, BELGIUM, "3210,BE_FIXED", "3211,BE_FIXED")
    told = faults(config)
    for expected in (
        f"{TARIFF}:25: plan.classic.options: option 'anytime' changes zone_b, which this plan does not price",
        "tariffs: no number has the price row 'moroco'",
        f"{SPECIAL}:13: 0907: {MAXIMA} has no legal maximum for it",
        f"{FREE}:{twice}: number 1813 is listed twice",
        f"{BELGIUM}:5: prefix 3211 is listed twice",
    ):
        assert any(fault.startswith(expected) for fault in told), (expected, told)


def test_all_faults_at_once_in_order_of_file_and_line(config: Path) -> None:
    for name, old, new in (
        (TARIFF, 'monthly = "22.29"', "monthly = 22.29"),
        (TARIFF, 'monthly = "4.13"', "monthly = 4.13"),
        (SPECIAL, "0900,0.4132", "0900,9"),
        (BELGIUM, "3213,BE_FIXED", "3213,"),
        (FREE, "112,EMERGENCY", "+112,EMERGENCY"),
    ):
        edit(config, name, old, new)
    told = faults(config)
    assert [fault.split(":")[0] for fault in told] == [BELGIUM, FREE, TARIFF, TARIFF, SPECIAL]


def test_a_special_number_cannot_be_priced_past_the_law(config: Path) -> None:
    """In a plan it would escape the legal maximum and could draw the bundle (R-SPC-02, R-SPC-04)."""
    line = edit(
        config, TARIFF, "[plan.classic.price]\n", '[plan.classic.price]\n0900 = { per_minute = "9.00" }\n'
    )
    expected = "plan.classic.price: 0900 is a special number's and belongs into the special file"
    assert faults(config) == [f"{TARIFF}:{line}: {expected}"]


def test_a_tariff_from_an_impossible_year(config: Path) -> None:
    line = edit(config, TARIFF, "valid_from = 2026-01-01", "valid_from = 0226-01-01")
    assert f"{TARIFF}:{line}: valid_from: is not from 2000 to 2100" in faults(config)


def test_a_file_saved_with_a_byte_order_mark(config: Path) -> None:
    (config / SPECIAL).write_bytes(b"\xef\xbb\xbf" + (config / SPECIAL).read_bytes())
    assert faults(config) == []


def test_two_tariffs_from_the_same_day_overlap(config: Path) -> None:
    shutil.copy(config / TARIFF, config / "tariffs" / "2026-02-01.toml")
    assert faults(config) == [
        "tariffs/2026-02-01.toml:5: version: 2026-01 is used twice",
        "tariffs/2026-02-01.toml:6: valid_from: is that of version 2026-01; one tariff is in force at a time",
    ]


def second_version(config: Path, valid_from: str, valid_until: str = "") -> str:
    """Another version of the same prices; its name."""
    text = (config / TARIFF).read_text(encoding="utf-8")
    text = text.replace('version = "2026-01"', f'version = "{valid_from}"')
    text = text.replace("valid_until = ", "# valid_until = ")
    text = text.replace(
        "valid_from = 2026-01-01",
        f"valid_from = {valid_from}" + (f"\nvalid_until = {valid_until}" if valid_until else ""),
    )
    name = f"tariffs/{valid_from}.toml"
    (config / name).write_text(text, encoding="utf-8")
    return name


def test_a_version_that_ends_after_the_next_has_begun_overlaps_it(config: Path) -> None:
    """Told at the later of the two files, with its line."""
    edit(config, TARIFF, "# valid_until = 2026-12-31", "valid_until = 2026-12-31")
    name = second_version(config, "2026-12-31")
    assert faults(config) == [
        f"{name}:6: valid_from: overlaps version 2026-01; one tariff is in force at a time"
    ]


def test_an_earlier_version_that_is_read_later_and_ends_too_late(config: Path) -> None:
    name = second_version(config, "2025-01-01", "2026-01-01")
    (config / name).rename(config / "tariffs" / "2026-old.toml")
    assert faults(config) == [
        "tariffs/2026-old.toml:7: valid_until: overlaps version 2026-01; one tariff is in force at a time"
    ]


def test_a_version_may_end_the_day_before_the_next_or_earlier(config: Path) -> None:
    edit(config, TARIFF, "# valid_until = 2026-12-31", "valid_until = 2026-12-31")
    second_version(config, "2027-01-01", "2027-06-30")
    second_version(config, "2028-01-01")
    book = load(config).book
    assert book is not None

    def version(when: str) -> str | None:
        found = book.version_at(local_ns(when))
        return found.version if found else None

    assert [
        version("2026-12-31 23:59:59"),
        version("2027-01-01 00:00:00"),
        version("2027-06-30 23:59:59"),
        version("2027-07-01 00:00:00"),
        version("2027-12-31 23:59:59"),
        version("2028-01-01 00:00:00"),
    ] == ["2026-01", "2027-01-01", "2027-01-01", None, None, "2028-01-01"]


def test_a_version_without_an_end_is_ended_by_the_next(config: Path) -> None:
    second_version(config, "2026-07-01")
    assert faults(config) == []


def test_two_caps_of_one_day(config: Path) -> None:
    line = edit(
        config,
        TARIFF,
        "[plan.classic]",
        '[cap.again]\namount = "30.00"\nconcluded_after = 2021-01-01\n\n[plan.classic]',
    )
    expected = "cap.again.concluded_after: is that of another cap"
    assert faults(config) == [f"{TARIFF}:{line + 2}: {expected}"]


def test_two_caps_of_no_day(config: Path) -> None:
    line = edit(config, TARIFF, "[plan.classic]", '[cap.again]\namount = "30.00"\n\n[plan.classic]')
    expected = "cap.again.concluded_after: is that of another cap"
    assert faults(config) == [f"{TARIFF}:{line}: {expected}"]


def test_a_capped_plan_needs_a_cap(config: Path) -> None:
    """Else "capped" would be a plan that may charge anything."""
    edit(config, TARIFF, '[cap.older-contracts]\namount = "50.00"\n', "")
    edit(config, TARIFF, '[cap.newer-contracts]\namount = "20.00"\nconcluded_after = 2021-01-01\n', "")
    told = faults(config)
    lines = (config / TARIFF).read_text(encoding="utf-8").splitlines()
    assert told == [
        f"{TARIFF}:{line}: plan.{plan}.capped: needs a [cap] table"
        for plan, line in zip(
            ("classic", "classic-in-klik", "clic-bureau"),
            (number for number, text in enumerate(lines, 1) if text == "capped = true"),
            strict=True,
        )
    ]


def test_a_file_that_nothing_refers_to(config: Path) -> None:
    shutil.copy(config / SPECIAL, config / "tariffs" / "special-2027.csv")
    assert faults(config) == ["tariffs/special-2027.csv: no tariff refers to this file"]


def test_files_that_are_missing_or_unreadable(config: Path) -> None:
    (config / SPECIAL).unlink()
    (config / FREE).write_bytes(b"number,class,label\n112,EMERGENCY,\xff\n")
    told = faults(config)
    assert f"{SPECIAL}: cannot be read: No such file or directory" in told
    assert f"{FREE}: is not UTF-8: invalid start byte" in told


def test_an_empty_folder(tmp_path: Path) -> None:
    assert faults(tmp_path) == [
        "numbering: holds no .csv file",
        "tariffs: holds no .toml file",
        f"{MAXIMA}: cannot be read: No such file or directory",
    ]


def test_the_years_of_the_calendar(config: Path) -> None:
    by_default = load(config).book
    assert by_default is not None
    assert by_default.calendar.covers(local_ns("2036-12-31 23:59:59"))
    assert not by_default.calendar.covers(local_ns("2037-01-01 00:00:00"))
    asked = load(config, range(2030, 2032)).book
    assert asked is not None
    assert {day.year for day in asked.calendar.holidays} == {2030, 2031}


def test_a_tariff_may_begin_as_late_as_holidays_are_known(config: Path) -> None:
    edit(config, TARIFF, "valid_from = 2026-01-01", "valid_from = 2099-01-01")
    book = load(config).book
    assert book is not None
    assert book.calendar.covers(local_ns("2100-12-31 12:00:00"))
    assert not book.calendar.covers(local_ns("2101-01-01 12:00:00"))


def test_ten_holidays_every_year() -> None:
    """Even when two fall on one day, as in 2008: then it is nine days."""
    days = legal_holidays(range(2008, 2051))
    per_year = {year: sum(day.year == year for day in days) for year in range(2008, 2051)}
    assert per_year == {year: 9 if year == 2008 else 10 for year in range(2008, 2051)}
    assert date(2026, 4, 5) not in days  # Easter Sunday
    assert date(2026, 5, 24) not in days  # Whit Sunday


def test_zero_is_a_price_but_an_absent_one_is_not(config: Path) -> None:
    """`off_peak` without a value would otherwise be a free night."""
    edit(config, TARIFF, 'be_mobile = { peak = "0.17", off_peak = "0.00" }', 'be_mobile = { peak = "0.17" }')
    assert faults(config) == [f"{TARIFF}:30: plan.classic.price.be_mobile.off_peak: is missing"]
