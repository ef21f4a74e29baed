from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.net.store import FILE
from switch.sip.auth import ha1
from tests.switch.cli.conftest import Command

ADDRESS = {
    "postcode": "3000",
    "municipality": "Leuven",
    "street": "Bondgenotenlaan",
    "house-number": "1",
    "name": "Winkel BV",
    "language": "nl",
}
SHOP = ["line", "add", "+3216999888", "--user=shop", "--plan=classic", "--password-stdin"]
WHERE = [f"--{name}={value}" for name, value in ADDRESS.items()]
PASSWORD = "correct-horse"


@pytest.fixture
def shop(belswitch: Command, plans_to_come: None) -> str:
    multi = [*SHOP, *WHERE, "--plan=multi", "--number=+3216999889", "--option=anytime"]
    result = belswitch(*multi, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.stderr
    return "shop"


def stored(directory: Path) -> str:
    """All of the database's lines as text."""
    with sqlite3.connect(directory.parent / "data" / FILE) as connection:
        text = str(connection.execute("SELECT user, body FROM line ORDER BY user").fetchall())
    connection.close()
    return text


def test_an_added_line_is_shown_as_it_was_given(shop: str, as_json: Callable[..., Any]) -> None:
    line = as_json("line", "show", shop)
    assert line["numbers"] == ["+3216999888", "+3216999889"]
    assert (line["plan"], line["options"], line["state"]) == ("multi", ["anytime"], "active")
    assert line["address"]["street"] == "Bondgenotenlaan"
    assert line["max_calls"] == 2
    assert as_json("line", "show", "+3216999889") == line
    assert as_json("line", "list") == [line]


@pytest.mark.usefixtures("shop")
def test_a_password_is_kept_as_digests_only_and_never_shown(belswitch: Command, directory: Path) -> None:
    assert PASSWORD not in stored(directory)
    digests = [ha1(name, "shop", "belswitch", PASSWORD) for name in ("MD5", "SHA-256")]
    assert all(digest in stored(directory) for digest in digests)
    for command in (["line", "show", "shop"], ["line", "show", "shop", "--json"], ["line", "list"]):
        shown = belswitch(*command).stdout
        assert not any(secret in shown for secret in (PASSWORD, *digests))


def test_a_password_is_asked_for_twice(belswitch: Command, directory: Path) -> None:
    add = [*SHOP[:-1], *WHERE]
    result = belswitch(*add, stdin=f"{PASSWORD}\nother-horse\n{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.stdout
    assert ha1("MD5", "shop", "belswitch", PASSWORD) in stored(directory)


def test_set_keeps_what_is_not_given(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    before = as_json("line", "show", shop)
    result = belswitch("line", "set", shop, "--state=suspended", "--floor=2", "--max-calls=5")
    assert result.exit_code == 0, result.stderr
    after = as_json("line", "show", shop)
    assert after == before | {
        "state": "suspended",
        "max_calls": 5,
        "address": before["address"] | {"floor": "2"},
    }


@pytest.mark.parametrize(
    ("change", "gone"),
    [
        ("--floor=2", set()),
        ("--street=Rue du Midi", set()),
        ("--street=Rue Neuve", {"street_other"}),
        ("--municipality=Ixelles", {"municipality_other", "arrondissement"}),
        ("--postcode=1050", {"arrondissement"}),
        ("--language=nl", {"street_other", "municipality_other"}),
    ],
)
def test_a_translation_goes_with_what_it_translates(
    change: str, gone: set[str], belswitch: Command, as_json: Callable[..., Any], tmp_path: Path
) -> None:
    translated = {
        "municipality_other": "Brussel",
        "street_other": "Zuidstraat",
        "arrondissement": "Bruxelles",
    }
    lines = tmp_path / "lines.toml"
    lines.write_text(
        '[[line]]\nnumber = "+3222345678"\nuser = "books"\npassword = "correct-horse"\nplan = "classic"\n'
        '[line.address]\npostcode = "1000"\nmunicipality = "Bruxelles"\nstreet = "Rue du Midi"\n'
        'number = "80"\nname = "Librairie Dupont SRL"\nlanguage = "fr"\n'
        + "".join(f'{key} = "{value}"\n' for key, value in translated.items()),
        "utf-8",
    )
    assert belswitch("line", "import", str(lines)).exit_code == 0
    assert belswitch("line", "set", "books", change).exit_code == 0
    address = as_json("line", "show", "books")["address"]
    assert {key: address[key] for key in translated} == translated | dict.fromkeys(gone, "")


@pytest.mark.parametrize(
    ("given", "cap", "concluded"),
    [
        ([], "plan", ""),
        (["--cap=plan"], "plan", ""),
        (["--cap=none"], "none", ""),
        (["--cap=35.00"], "35.00", ""),
        (["--cap=0"], "0", ""),
        (["--concluded=2020-12-31"], "plan", "2020-12-31"),
        (["--cap=35", "--concluded=2021-01-02"], "35", "2021-01-02"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_cap_of_a_contract_and_its_day_come_back(
    belswitch: Command, as_json: Callable[..., Any], given: list[str], cap: str, concluded: str
) -> None:
    """R-CAP-01, R-CAP-02: the plan's cap by the day of the contract, or the customer's own."""
    assert belswitch(*SHOP, *WHERE, *given, stdin=f"{PASSWORD}\n").exit_code == 0
    line = as_json("line", "show", "shop")
    assert (line["cap"], line["concluded"]) == (cap, concluded)
    assert belswitch("line", "set", "shop", "--kind=dect").exit_code == 0  # keeps both
    assert as_json("line", "show", "shop") == line | {"kind": "dect"}


def test_a_customer_picks_another_cap_at_any_time(
    shop: str, belswitch: Command, as_json: Callable[..., Any], directory: Path
) -> None:
    """R-CAP-02; the day of the contract stays when only the cap changes, and the other way round."""
    for given, cap, concluded in (
        ("--cap=35.00", "35.00", ""),
        ("--concluded=2020-06-30", "35.00", "2020-06-30"),
        ("--cap=none", "none", "2020-06-30"),
        ("--cap=plan", "plan", "2020-06-30"),
    ):
        assert belswitch("line", "set", shop, given).exit_code == 0
        line = as_json("line", "show", shop)
        assert (line["cap"], line["concluded"]) == (cap, concluded)
    assert ha1("MD5", "shop", "belswitch", PASSWORD) in stored(directory)
    result = belswitch("line", "set", shop, "--cap=lots")
    assert (result.exit_code, as_json("line", "show", shop)) == (2, line)


def test_show_tells_cap_and_contract(shop: str, belswitch: Command) -> None:
    belswitch("line", "set", shop, "--cap=35.00", "--concluded=2020-06-30")
    rows = [line.split() for line in belswitch("line", "show", shop).stdout.splitlines()]
    assert ["cap", "35.00"] in rows
    assert ["concluded", "2020-06-30"] in rows


def test_a_contract_day_given_in_error_can_be_taken_back(
    shop: str, belswitch: Command, as_json: Callable[..., Any]
) -> None:
    belswitch("line", "set", shop, "--concluded=2020-06-30")
    assert belswitch("line", "set", shop, "--concluded=-").exit_code == 0
    assert as_json("line", "show", shop)["concluded"] == ""


def test_import_takes_cap_and_contract(
    belswitch: Command, directory: Path, tmp_path: Path, as_json: Callable[..., Any]
) -> None:
    text = (directory / "lab" / "lines.toml").read_text()
    contract = 'kind = "dect"\ncap = "35.00"\nconcluded = 2020-06-30'
    lines = text.replace('kind = "dect"', contract)
    file = tmp_path / "lines.toml"
    file.write_text(lines)
    assert belswitch("line", "import", str(file)).exit_code == 0
    line = as_json("line", "show", "dect")
    assert (line["cap"], line["concluded"]) == ("35.00", "2020-06-30")


def test_set_keeps_the_password_and_a_new_one_is_a_new_digest(
    shop: str, belswitch: Command, directory: Path
) -> None:
    digest = ha1("MD5", "shop", "belswitch", PASSWORD)
    belswitch("line", "set", shop, "--kind=dect")
    assert digest in stored(directory)
    result = belswitch("line", "set", shop, "--password-stdin", stdin="another-horse\n")
    assert result.exit_code == 0
    assert digest not in stored(directory)
    assert ha1("MD5", "shop", "belswitch", "another-horse") in stored(directory)


def test_set_replaces_and_empties_lists(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    options = ["--option=24-belgium", "--number=-", "--algorithm=SHA-256", "--algorithm=MD5"]
    assert belswitch("line", "set", shop, *options).exit_code == 0
    line = as_json("line", "show", shop)
    assert (line["options"], line["numbers"]) == (["24-belgium"], ["+3216999888"])
    assert line["algorithms"] == ["SHA-256", "MD5"]
    assert belswitch("line", "set", shop, "--option=-", "--algorithm=-").exit_code == 0
    line = as_json("line", "show", shop)
    assert (line["options"], line["algorithms"]) == ([], [])


@pytest.mark.usefixtures("plans_to_come")
def test_equipment_admitted_by_address_needs_no_password(
    belswitch: Command, as_json: Callable[..., Any]
) -> None:
    add = [*SHOP[:-1], *WHERE, "--plan=multi", "--source=192.0.2.7", "--max-calls=30"]
    assert belswitch(*add).exit_code == 0
    assert as_json("line", "show", "shop")["password"] == "none"
    assert belswitch("line", "set", "shop", "--source=-").exit_code == 2
    assert belswitch("line", "set", "shop", "--lenient").exit_code == 0
    assert as_json("line", "show", "shop")["sources"] == ["192.0.2.7/32"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("--user=sh op", "user: must be 1-64 characters"),
        ("--postcode=300", "address.postcode: must be four digits"),
        ("--language=en", 'address.language: must be "nl"'),
        ("--state=asleep", 'state: must be "active"'),
        ("--max-calls=0", "max_calls: must be"),
        ("--plan=platinum", "plan: must be classic or"),
        ("--option=safespot", "options: classic has no safespot, but anytime or 24-belgium"),
        ("--house-number=twelve", "address: number 'twelve' is not a house number"),
        ("--algorithm=ROT13", 'must be "MD5" or "SHA-256"'),
        ("--source=here", "must be an IP address or a network"),
        ("--cap=20,00", 'cap: must be an amount in euros like "35.00", or "none"'),
        ("--cap=-5", 'cap: must be an amount in euros like "35.00", or "none"'),
        ("--cap=1.005", "cap: must be an amount in euros"),
        ("--concluded=25/11/2026", "concluded: must be a date like 2026-11-25, not 25/11/2026"),
        ("--concluded=2026-02-30", "concluded: must be a date like 2026-11-25, not 2026-02-30"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_stored(
    changed: str, said: str, belswitch: Command, directory: Path
) -> None:
    result = belswitch(*SHOP, *WHERE, changed, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (directory.parent / "data").exists()


# --- no line in use without a valid address (R-NUM-04, R-EMG-02) --------------------------------------------

FAULTS = [
    ("house-number", "twelve", "address: number 'twelve' is not a house number"),
    ("street", "", "address.street: must be text of 1-100 characters"),
    ("street", "  ", "address: street is missing"),
    ("postcode", "0999", "address.postcode: must be four digits, 1000-9999"),
    ("municipality", "Leu\u200bven", "address: municipality holds a control character"),
    ("name", "", "address.name: must be text of 1-100 characters"),
]
IN_USE = ["active", "limited"]


@pytest.mark.parametrize("state", IN_USE)
@pytest.mark.parametrize(("field", "value", "said"), FAULTS)
def test_a_line_is_not_added_with_a_faulty_address(
    belswitch: Command, directory: Path, state: str, field: str, value: str, said: str
) -> None:
    result = belswitch(*SHOP, *WHERE, f"--state={state}", f"--{field}={value}", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 2
    assert said in result.stderr
    assert not (directory.parent / "data").exists()


@pytest.mark.parametrize("field", [*ADDRESS])
def test_a_line_is_not_added_without_one_of_the_fields_of_an_address(belswitch: Command, field: str) -> None:
    where = [option for option in WHERE if not option.startswith(f"--{field}=")]
    result = belswitch(*SHOP, *where, stdin=f"{PASSWORD}\n")
    assert result.exit_code == 2
    assert f"address.{field.removeprefix('house-')}: is missing" in result.stderr


@pytest.mark.parametrize(("field", "value", "said"), FAULTS)
def test_a_line_does_not_move_to_a_faulty_address(
    shop: str, belswitch: Command, as_json: Callable[..., Any], field: str, value: str, said: str
) -> None:
    before = as_json("line", "show", shop)
    result = belswitch("line", "set", shop, f"--{field}={value}")
    assert result.exit_code == 2
    assert said in result.stderr
    assert as_json("line", "show", shop) == before


@pytest.mark.parametrize("replace", [[], ["--replace"]])
@pytest.mark.parametrize("state", IN_USE)
def test_a_line_is_not_imported_with_a_faulty_address(
    belswitch: Command, directory: Path, tmp_path: Path, state: str, replace: list[str]
) -> None:
    text = (directory / "lab" / "lines.toml").read_text()
    text = text.replace('kind = "dect"', f'kind = "dect"\nstate = "{state}"')
    for old, new, said in (
        ('number = "80"', 'number = "80A"', "dect: address: number '80A' is not a house number"),
        ('street = "Rue du Midi"', 'street = " "', "dect: address: street is missing"),
        ('postcode = "1000"', 'postcode = "100"', "address.postcode: must be four digits"),
        ('street = "Rue du Midi"\n', "", "address.street: is missing"),
    ):
        assert old in text
        file = tmp_path / "lines.toml"
        file.write_text(text.replace(old, new, 1))
        result = belswitch("line", "import", *replace, str(file))
        assert result.exit_code == 2
        assert said in result.stderr
    assert not (directory.parent / "data").exists()


def spoil(directory: Path, address: dict[str, str] | None) -> None:
    """Put an address into the database that no command would have let in."""
    with sqlite3.connect(directory.parent / "data" / FILE) as connection:
        ((body,),) = connection.execute("SELECT body FROM line").fetchall()
        body = json.dumps(json.loads(body) | {"address": address, "state": "suspended"})
        connection.execute("UPDATE line SET body = ?", (body,))
    connection.close()


@pytest.mark.parametrize("state", IN_USE)
@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (None, "address.postcode: is missing"),
        ({"number": "twelve"}, "address: number 'twelve' is not a house number"),
        ({"street": ""}, "address.street: must be text of 1-100 characters"),
        ({"postcode": "99"}, "address.postcode: must be four digits"),
    ],
    ids=["none", "number", "street", "postcode"],
)
def test_a_line_whose_stored_address_is_faulty_is_not_activated_until_it_is_corrected(
    shop: str,
    belswitch: Command,
    as_json: Callable[..., Any],
    directory: Path,
    state: str,
    stored: dict[str, str] | None,
    said: str,
) -> None:
    address = as_json("line", "show", shop)["address"]
    spoil(directory, address | stored if stored is not None else None)
    result = belswitch("line", "set", shop, f"--state={state}")
    assert result.exit_code == 2
    assert said in result.stderr
    assert as_json("line", "show", shop)["state"] == "suspended"
    assert belswitch("line", "set", shop, f"--state={state}", *WHERE).exit_code == 0
    line = as_json("line", "show", shop)
    assert (line["state"], line["address"]) == (state, address)


def test_a_short_password_is_refused(belswitch: Command) -> None:
    result = belswitch(*SHOP, *WHERE, stdin="short\n")
    assert result.exit_code == 2
    assert "password: must have at least 8 characters" in result.stderr


@pytest.mark.usefixtures("shop")
def test_a_user_or_number_that_is_taken_is_refused(belswitch: Command) -> None:
    result = belswitch(*SHOP, *WHERE, stdin=f"{PASSWORD}\n")
    assert (result.exit_code, result.stderr) == (1, "belswitch: user shop exists already\n")
    result = belswitch(*SHOP, *WHERE, "--user=other", stdin=f"{PASSWORD}\n")
    assert (result.exit_code, result.stderr) == (1, "belswitch: number +3216999888 belongs to another line\n")


def test_a_removed_line_is_gone(shop: str, belswitch: Command, as_json: Callable[..., Any]) -> None:
    assert belswitch("line", "remove", "+3216999888").stdout == "removed +3216999888\n"
    assert as_json("line", "list") == []
    for command in ("remove", "show", "set"):
        result = belswitch("line", command, shop)
        assert (result.exit_code, result.stderr) == (1, "belswitch: there is no line shop\n")


def test_import_takes_all_lines_of_a_file(
    belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    file = str(directory / "lab" / "lines.toml")
    assert belswitch("line", "import", file).stdout == "imported 3 lines\n"
    assert [line["user"] for line in as_json("line", "list")] == ["dect", "desk", "softphone"]
    assert belswitch("line", "import", file).exit_code == 1
    assert belswitch("line", "import", "--replace", file).exit_code == 0


def test_import_takes_none_when_one_is_wrong(belswitch: Command, directory: Path, tmp_path: Path) -> None:
    good = (directory / "lab" / "lines.toml").read_text()
    for old, new, said in (
        ('kind = "dect"', 'kind = "fax"', "lines.toml:"),
        ('options = ["24-belgium"]', 'options = ["speedboost"]', "dect: options: classic has no speedboost"),
        ('number = "80"', 'number = "eighty"', "dect: address: number 'eighty'"),
    ):
        file = tmp_path / "lines.toml"
        file.write_text(good.replace(old, new))
        result = belswitch("line", "import", str(file))
        assert result.exit_code == 2
        assert said in result.stderr
    assert not (directory.parent / "data").exists()
