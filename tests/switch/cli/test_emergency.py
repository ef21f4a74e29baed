"""`belswitch emergency`: the answers of the call path to what an operator asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switch.net.store import Store
from switch.routing.lines import Line
from switch.sip.auth import Account
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


@pytest.mark.parametrize("command", [["test"]])
def test_an_unknown_line_fails(command: list[str], belswitch: Command, directory: Path) -> None:
    put(directory, BAKERY)
    result = belswitch("emergency", *command, "--line=stranger")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "belswitch: there is no line stranger\n"


@pytest.mark.parametrize("command", [["test", "--line=bakery"]])
def test_a_faulty_directory_of_centres_is_wrong_configuration(
    command: list[str], belswitch: Command, directory: Path
) -> None:
    put(directory, BAKERY)
    gateways = directory / "emergency" / "gateways.toml"
    gateways.write_text(gateways.read_text().replace("port = 5090", "port = 0"))
    result = belswitch("emergency", *command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gateways.toml:" in result.stderr
