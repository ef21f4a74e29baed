"""`belswitch emergency`: the answers of the call path to what an operator asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from switch.net.store import Store
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.emergency.support import civic, valid
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


def put(directory: Path, *lines: Line) -> None:
    """Store lines without any check, as they may have got there before there was one."""

    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
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
    assert "[/bold] [red]Café" in "".join(shown.stdout.split("\n")).replace("  ", "")
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
