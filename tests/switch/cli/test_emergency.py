"""`belswitch emergency`: the answers of the call path to what an operator asks."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from switch.net.clock import SystemClock
from switch.net.store import Store
from switch.ports import EmergencyLogged, Moment
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.emergency.support import civic, valid
from tests.rating.support import local_ns
from tests.switch.cli.conftest import Command

NOBODY = Account({}, ())
ADDRESS = {
    "country": "BE",
    "postcode": "3001",
    "municipality": "Leuven",
    "sub_municipality": "Heverlee",
    "street": "Naamsesteenweg",
    "number": "12",
    "name": "Bakkerij Peeters BV",
    "language": "nl",
}
BAKERY = Line("bakery", ("+3216234567", "+3216234568"), NOBODY, "classic", address=ADDRESS)
NOWHERE = Line("nowhere", ("+3222345678",), NOBODY, "classic")
STREETLESS = Line("streetless", ("+3281234567",), NOBODY, "classic", address=ADDRESS | {"street": ""})
GONE = Line("gone", ("+3292345678",), NOBODY, "classic", state="terminated")


def put(directory: Path, *lines: Line, day: str = "2026-11-25") -> None:
    """Store lines on a day at noon, without any check, as they may have got there before there was one."""
    moment = Moment(0, local_ns(f"{day} 12:00:00"))

    async def fill() -> None:
        store = await Store.open(directory.parent / "data", lambda: moment)
        await store.put_lines(lines, replace=True)
        await store.close()

    asyncio.run(fill())


# --- route --------------------------------------------------------------------------------------------------


def test_the_route_is_that_of_a_call_on_the_wire(directory: Path, as_json: Callable[..., Any]) -> None:
    put(directory, BAKERY)
    facts = as_json("emergency", "route", "--line=+3216234568", "--dial=112")
    (location,) = facts.pop("locations")
    gateway = {"host": "127.0.0.1", "request_uri": "urn:service:sos", "documents": True}
    assert facts == {
        "line": "bakery",
        "number": "+3216234568",
        "state": "active",
        "dialled": "112",
        "class": "emergency",
        "service": "112",
        "urn": "urn:service:sos",
        "label": facts["label"],
        "centre": {"id": "112-flemish-brabant", "name": facts["centre"]["name"]},
        "gateways": [
            {"id": "psap-gw1", "port": 5090} | gateway,
            {"id": "psap-gw2", "port": 5091} | gateway,
        ],
        "alarm": "",
        "reason": "centre of the registered postcode",
    }
    place = civic(valid(location.encode(), "pidf"))
    assert (place["PC"], place["RD"], place["HNO"]) == ("3001", "Naamsesteenweg", "12")
    assert b"tel:+3216234568" in location.encode()


@pytest.mark.parametrize(
    ("dialled", "centre"),
    [
        ("101", "101-flemish-brabant"),
        ("urn:service:sos.police", "101-flemish-brabant"),
        ("tel:112;phone-context=+32", "112-flemish-brabant"),
        ("sip:+32100@switch.example", "112-flemish-brabant"),
    ],
)
def test_every_spelling_of_a_service(
    dialled: str, centre: str, directory: Path, as_json: Callable[..., Any]
) -> None:
    put(directory, BAKERY)
    facts = as_json("emergency", "route", "--line=bakery", f"--dial={dialled}")
    assert (facts["class"], facts["centre"]["id"]) == ("emergency", centre)


@pytest.mark.parametrize(
    ("dialled", "cls", "service"),
    [
        ("1813", "helpline", "1813"),
        ("070 245 245", "helpline", "+3270245245"),
        ("0478123456", "ordinary", None),
        ("1123", "ordinary", None),
        ("0112", "ordinary", None),
        ("urn:service:test.sos", "test", None),
    ],
)
def test_what_no_centre_answers_is_said(
    dialled: str, cls: str, service: str | None, directory: Path, as_json: Callable[..., Any]
) -> None:
    put(directory, BAKERY)
    facts = as_json("emergency", "route", "--line=bakery", f"--dial={dialled}")
    assert (facts["class"], facts.get("service")) == (cls, service)
    assert "centre" not in facts


def test_a_faulty_address_shows_with_its_alarm(
    belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    put(directory, NOWHERE)
    facts = as_json("emergency", "route", "--line=nowhere", "--dial=112")
    assert (facts["alarm"], facts["locations"]) == ("address-missing", [])
    assert facts["reason"] == "default centre: the line has no registered address"
    rows = belswitch("emergency", "route", "--line=nowhere", "--dial=112").stdout.splitlines()
    assert [row.split()[0] for row in rows] == [
        *("line", "dialled", "service", "centre", "why", "alarm", "gateway", "gateway")
    ]
    assert "gateway 2  psap-gw2 at 127.0.0.1 port 5091: urn:service:sos" in [row.strip() for row in rows]


def test_what_an_address_holds_is_shown_as_it_is(belswitch: Command, directory: Path) -> None:
    """Also where it looks like markup for the terminal."""
    put(directory, replace(BAKERY, address=ADDRESS | {"name": "[/bold] [red]Café", "number": "[/x]"}))
    shown = belswitch("emergency", "route", "--line=bakery", "--dial=112")
    assert shown.exit_code == 0
    assert "<ca:NAM>[/bold] [red]Café</ca:NAM>" in [row.strip() for row in shown.stdout.splitlines()]
    audited = belswitch("emergency", "audit")
    assert audited.exit_code == 1
    assert "'[/x]'" in audited.stdout


def test_for_people_an_ordinary_number_takes_two_lines(belswitch: Command, directory: Path) -> None:
    put(directory, BAKERY)
    result = belswitch("emergency", "route", "--line=bakery", "--dial=0478123456")
    assert result.exit_code == 0
    assert [row.rstrip() for row in result.stdout.splitlines()] == [
        "line     +3216234567 (bakery, active)",
        "dialled  0478123456: an ordinary number, no call for help",
    ]


# --- test ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bakery", "+3216234567", "+3216234568"])
def test_a_test_call_is_told_centre_and_place(
    name: str, belswitch: Command, directory: Path, as_json: Callable[..., Any]
) -> None:
    put(directory, BAKERY)
    result = belswitch("emergency", "test", f"--line={name}")
    assert result.exit_code == 0
    facts = as_json("emergency", "test", f"--line={name}")
    assert result.stdout == facts.pop("text")
    centre = facts.pop("centre")
    assert centre["id"] == "112-flemish-brabant"
    assert result.stdout.splitlines()[1:] == [
        f"Centre: {centre['name']}",
        "Location: Bakkerij Peeters BV, Naamsesteenweg 12, 3001 Heverlee (Leuven)",
    ]
    assert facts == {"line": "bakery", "number": name if name[0] == "+" else "+3216234567", "alarm": ""}


def test_a_line_without_address_is_told_so(directory: Path, as_json: Callable[..., Any]) -> None:
    put(directory, NOWHERE)
    facts = as_json("emergency", "test", "--line=nowhere")
    assert (facts["centre"]["id"], facts["alarm"]) == ("112-brussels", "address-missing")
    assert "Location: none is registered" in facts["text"]


@pytest.mark.parametrize("command", [["test"], ["route", "--dial=112"]])
def test_an_unknown_line_fails(command: list[str], belswitch: Command, directory: Path) -> None:
    put(directory, BAKERY)
    result = belswitch("emergency", *command, "--line=stranger")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "belswitch: there is no line stranger\n"


@pytest.mark.parametrize(
    "command", [["test", "--line=bakery"], ["route", "--line=bakery", "--dial=112"], ["audit"]]
)
def test_a_faulty_directory_of_centres_is_wrong_configuration(
    command: list[str], belswitch: Command, directory: Path
) -> None:
    put(directory, BAKERY)
    gateways = directory / "emergency" / "gateways.toml"
    gateways.write_text(gateways.read_text().replace("port = 5090", "port = 0"))
    result = belswitch("emergency", *command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gateways.toml:" in result.stderr


# --- audit --------------------------------------------------------------------------------------------------


def test_good_lines_pass_the_audit(belswitch: Command, directory: Path, as_json: Callable[..., Any]) -> None:
    put(directory, BAKERY, GONE)
    result = belswitch("emergency", "audit")
    assert (result.exit_code, result.stdout) == (
        0,
        "1 lines checked, 0 with an alarm, 0 without a route to the centre of their address\n",
    )
    assert as_json("emergency", "audit") == {"checked": 1, "without_route": 0, "lines": []}


def test_the_lab_passes_the_audit(belswitch: Command, directory: Path) -> None:
    assert belswitch("line", "import", str(directory / "lab" / "lines.toml")).exit_code == 0
    result = belswitch("emergency", "audit")
    assert result.exit_code == 0
    assert result.stdout.startswith("3 lines checked, 0 with an alarm")


def test_the_audit_lists_lines_with_alarms_and_fails(belswitch: Command, directory: Path) -> None:
    put(directory, BAKERY, STREETLESS, NOWHERE, GONE)
    result = belswitch("emergency", "audit", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["checked"], told["without_route"]) == (3, 1)
    assert told["lines"] == [
        {
            "user": "nowhere",
            "number": "+3222345678",
            "state": "active",
            "routed": False,
            "alarms": ["address-missing"],
            "reasons": ["default centre: the line has no registered address"],
        },
        {
            "user": "streetless",
            "number": "+3281234567",
            "state": "active",
            "routed": True,
            "alarms": ["address-faulty"],
            "reasons": ["centre of the registered postcode: street is missing"],
        },
    ]
    result = belswitch("emergency", "audit")
    assert result.exit_code == 1
    rows = result.stdout.splitlines()
    assert rows[-1] == "3 lines checked, 2 with an alarm, 1 without a route to the centre of their address"
    assert [row.split()[1] for row in rows[3:5]] == ["nowhere", "streetless"]


# --- export -------------------------------------------------------------------------------------------------

COLUMNS = (
    "action,number,name,country,postcode,municipality,street,house_number,language,suffix,box,floor,"
    "sub_municipality,arrondissement,municipality_other,sub_municipality_other,street_other,nomadic,valid_from"
)
NOON = "T12:00:00+01:00"


@pytest.fixture
def history(directory: Path) -> None:
    """The bakery is there since the 1st, its second number went on the 20th; on the 10th a shop of others
    moved, on the 22nd a line was terminated."""
    put(directory, BAKERY, GONE_WHILE_ACTIVE, day="2026-11-01")
    put(directory, SOFT, day="2026-11-05")
    put(
        directory,
        replace(SOFT, address=ADDRESS | {"street": "Rue de Fer, 1", "name": 'Café "Œuf"'}),
        day="2026-11-10",
    )
    put(directory, replace(BAKERY, numbers=BAKERY.numbers[:1]), day="2026-11-20")
    put(directory, GONE, day="2026-11-22")


GONE_WHILE_ACTIVE = replace(GONE, state="active", address=ADDRESS)
SOFT = Line("soft", ("+3281234567",), NOBODY, "classic", kind="softphone", address=ADDRESS)


@pytest.mark.usefixtures("history")
def test_all_numbers_with_their_addresses_as_csv(belswitch: Command) -> None:
    result = belswitch("emergency", "export")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        COLUMNS,
        "set,+3216234567,Bakkerij Peeters BV,BE,3001,Leuven,Naamsesteenweg,12,nl,,,,Heverlee,,,,,no,"
        f"2026-11-01{NOON}",
        f"remove,+3216234568,,,,,,,,,,,,,,,,,2026-11-20{NOON}",
        'set,+3281234567,"Café ""Œuf""",BE,3001,Leuven,"Rue de Fer, 1",12,nl,,,,Heverlee,,,,,yes,'
        f"2026-11-10{NOON}",
        f"remove,+3292345678,,,,,,,,,,,,,,,,,2026-11-22{NOON}",
    ]


@pytest.mark.usefixtures("history")
def test_an_object_a_line(belswitch: Command) -> None:
    result = belswitch("emergency", "export", "--format=jsonl", "--since=2026-11-10")
    assert result.exit_code == 0
    removed, moved, terminated = map(json.loads, result.stdout.splitlines())
    assert removed == {"action": "remove", "number": "+3216234568", "valid_from": f"2026-11-20{NOON}"}
    assert terminated == {"action": "remove", "number": "+3292345678", "valid_from": f"2026-11-22{NOON}"}
    assert list(moved) == COLUMNS.split(",")
    assert (moved["name"], moved["house_number"], moved["nomadic"]) == ('Café "Œuf"', "12", True)
    assert moved["valid_from"] == f"2026-11-10{NOON}"


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("since", "numbers"),
    [
        ("2026-11-01", ["+3216234567", "+3216234568", "+3281234567", "+3292345678"]),
        ("2026-11-11", ["+3216234568", "+3292345678"]),
        ("2026-11-20", ["+3216234568", "+3292345678"]),
        ("2026-11-21", ["+3292345678"]),
        ("2026-11-23", []),
    ],
)
def test_what_changed_since_the_start_of_a_day(since: str, numbers: list[str], belswitch: Command) -> None:
    header, *rows = belswitch("emergency", "export", f"--since={since}").stdout.splitlines()
    assert header == COLUMNS
    assert [row.split(",")[1] for row in rows] == numbers


def test_a_day_begins_at_midnight_in_belgium(belswitch: Command, directory: Path) -> None:
    """2026-07-01 begins at 22:00 UTC the day before."""
    begins_ns = local_ns("2026-07-01 00:00:00")
    for user, at_ns in (("early", begins_ns - 1), ("late", begins_ns)):
        line = replace(BAKERY, user=user, numbers=("+321623456" + str(int(user == "late")),))
        asyncio.run(put_at(directory, line, at_ns))
    (row,) = belswitch("emergency", "export", "--since=2026-07-01").stdout.splitlines()[1:]
    assert row.startswith("set,+3216234561,")
    assert row.endswith(",2026-07-01T00:00:00+02:00")


async def put_at(directory: Path, line: Line, wall_ns: int) -> None:
    store = await Store.open(directory.parent / "data", lambda: Moment(0, wall_ns))
    await store.put_lines([line], replace=False)
    await store.close()


@pytest.mark.usefixtures("history")
def test_into_a_file_that_only_its_owner_reads(belswitch: Command, tmp_path: Path) -> None:
    file = tmp_path / "numbers.csv"
    file.write_text("of last week")
    file.chmod(0o644)
    result = belswitch("emergency", "export", f"--output={file}")
    assert result.stdout == f"wrote 2 numbers and 2 removals to {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().decode() == belswitch("emergency", "export").stdout_bytes.decode()
    assert sorted(tmp_path.glob("numbers*")) == [file]


def test_a_line_without_address_is_exported_with_what_there_is(belswitch: Command, directory: Path) -> None:
    put(directory, NOWHERE)
    (row,) = belswitch("emergency", "export").stdout.splitlines()[1:]
    assert row == f"set,+3222345678{',' * 16}no,2026-11-25{NOON}"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--format=xml"], 2, "--format must be csv or jsonl, not xml"),
        (["--since=yesterday"], 2, "--since must be a date like 2026-11-25, not yesterday"),
        (["--since=2026-02-30"], 2, "--since must be a date like 2026-11-25, not 2026-02-30"),
        (["--output=/nowhere/numbers.csv"], 1, "/nowhere/numbers.csv: No such file or directory"),
    ],
)
def test_an_export_that_cannot_be_made(
    arguments: list[str], code: int, said: str, belswitch: Command, directory: Path
) -> None:
    put(directory, BAKERY)
    result = belswitch("emergency", "export", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"belswitch: {said}\n")


# --- log ----------------------------------------------------------------------------------------------------


def test_the_log_tells_who_called_whom_and_how_long_it_took(
    directory: Path, as_json: Callable[..., Any], belswitch: Command
) -> None:
    """R-EMG-12; an old call is left out."""
    put(directory, BAKERY)
    attempt = {"gateway": "psap-gw1", "tried_ms": 0, "heard_ms": 90, "status": 200, "ended_ms": 700}
    now_ms = SystemClock().moment().wall_ns // 1_000_000
    entry = EmergencyLogged(
        "call-1",
        now_ms - 60_000,
        "bakery",
        "+3216234567",
        "112",
        "112-flemish-brabant",
        "centre of the registered postcode",
        "",
        "<presence/>",
        (attempt,),
        "answered",
        700,
        9_000,
    )

    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
        rows = [
            (one.call_id, one.at_ms, one.account, json.dumps(asdict(one)))
            for one in (entry, replace(entry, call_id="call-0", at_ms=now_ms - 40 * 86_400_000))
        ]
        await store.write([("INSERT INTO emergency_call VALUES (?, ?, ?, ?)", rows)])
        await store.close()

    asyncio.run(fill())
    (logged,) = as_json("emergency", "log")
    assert (logged["call_id"], logged["attempts"], logged["released_ms"]) == ("call-1", [attempt], 9_000)
    shown = belswitch("emergency", "log", "--days=60")
    assert "+3216234567" in shown.stdout
    assert "psap-gw1 200" in shown.stdout
    assert shown.stdout.count("700 ms") == 2
