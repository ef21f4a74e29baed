"""The zones of postcodes: the table that comes along, the look-up, every fault of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from switch.provision.zones import FILE, Range, ZoneTable, read_zones
from tests.switch.provision.support import rules, zones

TOWNS = {
    "1000": "02",  # Brussels
    "1410": "02",  # Waterloo: Walloon Brabant, and zone 02
    "1300": "010",  # Wavre
    "1348": "010",  # Louvain-la-Neuve
    "1400": "067",  # Nivelles
    "1500": "02",  # Halle
    "2000": "03",  # Antwerp
    "2200": "014",  # Herentals
    "2300": "014",  # Turnhout
    "2320": "03",  # Hoogstraten: north of Turnhout, and zone 03
    "2800": "015",  # Mechelen
    "2880": "03",  # Bornem
    "3000": "016",  # Leuven
    "3080": "02",  # Tervuren
    "3290": "013",  # Diest
    "3300": "016",  # Tienen
    "3500": "011",  # Hasselt
    "3600": "089",  # Genk
    "3700": "012",  # Tongeren
    "3800": "011",  # Sint-Truiden
    "4000": "04",  # Liège
    "4300": "019",  # Waremme
    "4500": "085",  # Huy
    "4700": "087",  # Eupen
    "4780": "080",  # Sankt Vith
    "4800": "087",  # Verviers
    "4900": "087",  # Spa
    "4960": "080",  # Malmedy
    "4970": "080",  # Stavelot
    "5000": "081",  # Namur
    "5300": "085",  # Andenne
    "5500": "082",  # Dinant
    "5590": "083",  # Ciney
    "5660": "060",  # Couvin
    "6000": "071",  # Charleroi
    "6460": "060",  # Chimay
    "6600": "061",  # Bastogne
    "6700": "063",  # Arlon
    "6800": "061",  # Libramont
    "6900": "084",  # Marche-en-Famenne
    "6940": "086",  # Durbuy
    "7000": "065",  # Mons
    "7090": "067",  # Braine-le-Comte
    "7100": "064",  # La Louvière
    "7500": "069",  # Tournai
    "7700": "056",  # Mouscron
    "7800": "068",  # Ath
    "7850": "02",  # Enghien: Hainaut, and zone 02
    "8000": "050",  # Brugge
    "8400": "059",  # Oostende
    "8500": "056",  # Kortrijk
    "8600": "051",  # Diksmuide
    "8630": "058",  # Veurne
    "8800": "051",  # Roeselare
    "8820": "050",  # Torhout
    "8900": "057",  # Ieper
    "9000": "09",  # Gent
    "9100": "03",  # Sint-Niklaas
    "9200": "052",  # Dendermonde
    "9300": "053",  # Aalst
    "9400": "054",  # Ninove
    "9600": "055",  # Ronse
    "9900": "09",  # Eeklo
    "9990": "050",  # Maldegem: East Flanders, and zone 050
}


@pytest.mark.parametrize(("postcode", "zone"), TOWNS.items())
def test_the_zone_of_a_town_comes_first(postcode: str, zone: str) -> None:
    assert zones().of(postcode)[:1] == (zone,)


def test_every_postcode_has_a_zone_and_every_zone_a_postcode() -> None:
    found = {zone for postcode in range(1000, 10_000) for zone in zones().of(str(postcode)) or ("none",)}
    prefixes = (f"+32{digits}" for digits in range(10, 100))
    known = {
        destination.zone
        for prefix in prefixes
        for destination in (rules().destinations.classify(f"{prefix}345678"[:11]),)
        if destination is not None and destination.zone
    }
    assert len(found) == 40
    assert found == known


def test_a_border_has_the_zones_of_both_sides() -> None:
    assert zones().of("2275") == ("014", "03")  # Lille, with Wechelderzande


@pytest.mark.parametrize("postcode", ["", "999", "0999", "10000", "1e03", "१०००", "B-1000", " 1000"])
def test_what_is_no_postcode_has_no_zone(postcode: str) -> None:
    assert zones().of(postcode) == ()


def test_ranges_need_not_touch() -> None:
    table = ZoneTable([Range(3000, 3099, ("016",)), Range(1000, 1299, ("02",))])
    found = [table.of(postcode) for postcode in ("1000", "1299", "1300", "2999", "3000", "3099", "3100")]
    assert found == [("02",), ("02",), (), (), ("016",), ("016",), ()]
    assert len(table) == 2


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("1000,129,02", "2: last '129': a postcode has four digits, 1000-9999"),
        ("0900,1299,02", "2: first '0900': a postcode has four digits, 1000-9999"),
        ("1299,1000,02", "2: the range ends at 1000, before 1299"),
        ("1000,1299,", "2: zones '': must be zones like 02 or 016, with blanks between them"),
        ("1000,1299,02/010", "2: zones '02/010': must be zones like 02 or 016, with blanks between them"),
        ("1000,1299,02\n1299,1399,010", "3: 1299 is not after 1299, where the range before ends"),
        ("1000,1299", "2: 2 fields where 3 are named"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path: Path, rows: str, fault: str) -> None:
    assert faults(tmp_path, f"first,last,zones\n{rows}\n") == [f"{FILE}:{fault}"]


def test_a_file_without_ranges_or_columns_or_none_at_all(tmp_path: Path) -> None:
    assert faults(tmp_path, "first,last,zones\n") == [f"{FILE}: holds no range of postcodes"]
    assert faults(tmp_path, "first,last\n1000,1299\n") == [f"{FILE}:1: no column zones"]
    assert faults(tmp_path, None) == [f"{FILE}: cannot be read: No such file or directory"]


def faults(folder: Path, text: str | None) -> list[str]:
    path = folder / FILE
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return [str(fault) for fault in read_zones(folder)[1]]
