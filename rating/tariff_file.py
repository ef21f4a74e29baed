"""Reads `config/tariffs`: a TOML file per tariff version and the CSV of special-number prices it names.

Amounts are strings in euros excluding VAT. Special numbers are checked against `legal-maxima.csv`, whose
amounts include VAT (R-SPC-03, R-SPC-04).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

from rating import money
from rating.calendar import NEVER_S, local_midnight_s
from rating.fault import DataFile, Fault, Table, csv_rows, toml_table
from rating.licence import read_licence
from rating.tariff import Cap, Change, Option, Plan, Price, Rate, Tariff

MAXIMA_FILE = "tariffs/legal-maxima.csv"

_MAXIMA_COLUMNS = frozenset({"price", "per_call", "per_minute"})
_BUNDLE_TIMES = ("peak", "off-peak")
_SECONDS = re.compile(r"[1-9][0-9]{0,5}")
_YEARS = range(2000, 2101)  # a tariff from any other is a slip of the pen


def read_tariffs(config_dir: Path, premium: set[str], faults: list[Fault]) -> list[Tariff]:
    """Every version of `config_dir/tariffs`; `premium` are the price rows that the law sets a maximum for."""
    folder = config_dir / "tariffs"
    maxima = _read_maxima(DataFile(config_dir, MAXIMA_FILE, faults))
    tariffs: list[Tariff] = []
    referred = {MAXIMA_FILE}
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        faults.append(Fault("tariffs", 0, "holds no .toml file"))
    for path in paths:
        source = DataFile(config_dir, f"tariffs/{path.name}", faults)
        if (root := toml_table(source)) is None:
            continue
        special: dict[str, Price] = {}
        vat_percent = root.count("vat_percent")
        if name := root.text("special"):
            referred.add(f"tariffs/{name}")
            special = _read_special(
                DataFile(config_dir, f"tariffs/{name}", faults), maxima, premium, vat_percent
            )
        if (tariff := _tariff(root, vat_percent, special, premium)) is None:
            continue
        for other in tariffs:
            _check_apart(root, tariff, other)
        tariffs.append(tariff)
    for path in folder.glob("*.csv"):
        if f"tariffs/{path.name}" not in referred:
            faults.append(Fault(f"tariffs/{path.name}", 0, "no tariff refers to this file"))
    return tariffs


def _check_apart(root: Table, tariff: Tariff, other: Tariff) -> None:
    """One tariff is in force at a time: a version ends where the next begins, or before."""
    if other.version == tariff.version:
        root.fault("version", f"{tariff.version} is used twice")
    if other.from_s == tariff.from_s:
        root.fault("valid_from", f"is that of version {other.version}; one tariff is in force at a time")
        return
    first, second = sorted((tariff, other), key=lambda one: one.from_s)
    if first.until_s != NEVER_S and first.until_s > second.from_s:
        key = "valid_until" if first is tariff else "valid_from"
        root.fault(key, f"overlaps version {other.version}; one tariff is in force at a time")


def _tariff(root: Table, vat_percent: int, special: dict[str, Price], premium: set[str]) -> Tariff | None:
    version, valid_from = root.text("version"), root.date("valid_from")
    valid_until = root.date("valid_until") if "valid_until" in root else None
    caps = _caps(root)
    options = {name: _option(name, table) for name, table in root.tables("option").items()}
    plans: dict[str, Plan] = {}
    for name, table in root.tables("plan").items():
        plans[name] = _plan(name, table, plans, options)
        for row in sorted(premium & plans[name].prices.keys()):
            table.fault("price", f"{row} is a special number's and belongs into the special file")
        if plans[name].capped and not caps:
            table.fault("capped", "needs a [cap] table")
    if valid_from is not None and valid_until is not None and valid_until < valid_from:
        root.fault("valid_until", "is before valid_from")
    root.close()
    if valid_from is None or valid_from.year not in _YEARS:
        if valid_from is not None:
            root.fault("valid_from", f"is not from {_YEARS[0]} to {_YEARS[-1]}")
        return None
    until_s = NEVER_S if valid_until is None else local_midnight_s(valid_until + timedelta(days=1))
    from_s = local_midnight_s(valid_from)
    return Tariff(version, valid_from, from_s, vat_percent, plans, options, special, caps, until_s)


def _caps(root: Table) -> tuple[Cap, ...]:
    """The tables `[cap.NAME]`, by the day after which a contract was concluded."""
    caps: list[Cap] = []
    for table in root.tables("cap").values():
        after = table.date("concluded_after") if "concluded_after" in table else None
        if any(cap.concluded_after == after for cap in caps):
            table.fault("concluded_after", "is that of another cap")
        caps.append(Cap(after, table.amount("amount")))
        table.close()
    return tuple(sorted(caps, key=lambda cap: cap.concluded_after or date.min))


def _plan(name: str, table: Table, plans: dict[str, Plan], options: dict[str, Option]) -> Plan:
    prices: dict[str, Price] = {}
    if "prices_of" in table:
        like = table.text("prices_of")
        if like in plans:
            prices = dict(plans[like].prices)
        else:
            table.fault("prices_of", f"{like!r} is not a plan described above")
    prices |= {row: _price(price) for row, price in table.tables("price").items()}
    if not prices:
        table.fault("price", "a plan needs prices")
    orderable = table.texts("options")
    for option in orderable:
        if option not in options:
            table.fault("options", f"{option!r} is not an option of this tariff")
        for row in options[option].changes if option in options else ():
            if row not in prices:
                table.fault("options", f"option {option!r} changes {row}, which this plan does not price")
    plan = Plan(
        name,
        table.text("label"),
        table.amount("monthly"),
        table.amount("pack_monthly", "0"),
        60 * table.count("bundle_minutes", 0),
        orderable,
        prices,
        table.amounts("one_off"),
        table.flag("capped"),
        read_licence(table.table("licence")),
        table.count("longest_call_s", 0),
    )
    table.close()
    return plan


def _option(name: str, table: Table) -> Option:
    option = Option(
        name,
        table.text("label"),
        table.amount("monthly"),
        60 * table.count("bundle_minutes", 0),
        {row: _change(change) for row, change in table.tables("price").items()},
    )
    table.close()
    return option


def _price(table: Table) -> Price:
    """`per_minute` for both times of day, or `peak` and `off_peak` apart; `setup` goes with either."""
    setup = table.amount("setup", "0")
    if "per_minute" in table:
        peak = off_peak = Rate(table.amount("per_minute"), setup)
    else:
        peak, off_peak = Rate(table.amount("peak"), setup), Rate(table.amount("off_peak"), setup)
    peak_bundle, off_peak_bundle = _bundle(table)
    table.close()
    return Price(peak, off_peak, peak_bundle, off_peak_bundle)


def _change(table: Table) -> Change:
    setup = table.amount("setup", "0")
    peak = Rate(table.amount("peak"), setup) if "peak" in table else None
    off_peak = Rate(table.amount("off_peak"), setup) if "off_peak" in table else None
    peak_bundle, off_peak_bundle = _bundle(table)
    table.close()
    return Change(peak, off_peak, peak_bundle, off_peak_bundle)


def _bundle(table: Table) -> tuple[bool, bool]:
    times = table.texts("bundle")
    if wrong := [time for time in times if time not in _BUNDLE_TIMES]:
        table.fault("bundle", f"{wrong[0]!r} is neither 'peak' nor 'off-peak'")
    return "peak" in times, "off-peak" in times


def _read_maxima(source: DataFile) -> dict[str, Rate]:
    return {
        row["price"]: Rate(_amount(source, line, row, "per_minute"), _amount(source, line, row, "per_call"))
        for line, row in csv_rows(source, _MAXIMA_COLUMNS, frozenset())
    }


def _read_special(
    source: DataFile, maxima: dict[str, Rate], premium: set[str], vat_percent: int
) -> dict[str, Price]:
    special: dict[str, Price] = {}
    for line, row in csv_rows(source, _MAXIMA_COLUMNS, frozenset({"cut_s", "label"})):
        name = row["price"]
        rate = Rate(_amount(source, line, row, "per_minute"), _amount(source, line, row, "per_call"))
        if name in special or not name:
            source.fault(line, f"price row {name} is listed twice" if name else "no price row is named")
        if not (row["per_minute"] or row["per_call"]):
            source.fault(line, f"{name}: no price; write 0 for one that costs nothing")
        if name in maxima:
            most = maxima[name]
            for unit, price, allowed in (
                ("per minute", rate.per_minute, most.per_minute),
                ("per call", rate.setup, most.setup),
            ):
                if price * (100 + vat_percent) > allowed * 100:
                    source.fault(
                        line,
                        f"{name}: {money.show(price)} {unit} with {vat_percent} % VAT exceeds the legal"
                        f" maximum of {money.show(allowed)}",
                    )
        elif name in premium:
            source.fault(line, f"{name}: {MAXIMA_FILE} has no legal maximum for it")
        if row["cut_s"] and not _SECONDS.fullmatch(row["cut_s"]):
            source.fault(line, f"cut_s {row['cut_s']!r} is not a number of seconds")
            continue
        special[name] = Price(rate, rate, cut_s=int(row["cut_s"]) if row["cut_s"] else None)
    return special


def _amount(source: DataFile, line: int, row: dict[str, str], column: str) -> int:
    try:
        return money.parse(row[column] or "0")
    except ValueError as error:
        source.fault(line, f"{column}: {error}")
        return 0
