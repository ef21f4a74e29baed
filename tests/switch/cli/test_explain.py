"""`belswitch explain`, `forward` and `malicious`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from switch.net.operator import OperatorError, OperatorListener
from switch.net.store import Store
from tests.switch.cli.conftest import Command

PEAK, OFF_PEAK = "2026-11-24T15:59:30", "2026-11-24T16:00:00"


@pytest.fixture
def lab(directory: Path, belswitch: Command) -> Path:
    """The lab's lines in the database."""
    assert belswitch("line", "import", str(directory / "lab" / "lines.toml")).exit_code == 0
    return directory


def told(belswitch: Command, *arguments: str) -> dict[str, Any]:
    result = belswitch("explain", "--line", "desk", *arguments, "--json")
    facts: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if facts["decision"] == "refused" else 0)
    return facts


@pytest.mark.usefixtures("lab")
def test_the_whole_decision_about_a_call(belswitch: Command) -> None:
    """Classification, verdict, way, price and how long it may last."""
    facts = told(belswitch, "--dial", "0478123456", "--at", PEAK)
    assert facts == {
        "line": "+3216234567",
        "user": "desk",
        "state": "active",
        "plan": "classic",
        "origin": "dialled",
        "dialled": "0478123456",
        "number": "+32478123456",
        "class": "BE_MOBILE",
        "country": "BE",
        "row": "be_mobile",
        "decision": "allowed",
        "code": "allowed",
        "presented": "+3216234567",
        "attempts": [["carrier"]],
        "diverts": "",
        "allowed_s": 7200,
        "cut": "limit",
        "price": {
            "tariff": "2026-01",
            "setup": 0,
            "per_minute": 1700,
            "source": "tariff",
            "bundle_left_s": 120_000,
            "next_change_s": 30,
        },
    }
    later = told(belswitch, "--dial", "0478123456", "--at", OFF_PEAK)
    assert (later["price"]["per_minute"], later["price"]["source"]) == (0, "included")


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("dialled", "allowed"),
        ("forward", "forward-international"),
        ("redirect", "redirect-international"),
        ("transfer", "transfer-international"),
        ("voicemail", "voicemail"),
        ("callback", "voicemail"),
    ],
)
def test_by_how_it_comes_about(origin: str, code: str, belswitch: Command) -> None:
    facts = told(belswitch, "--dial", "0033142345678", "--origin", origin)
    assert facts["code"] == code
    if code != "allowed":
        assert (facts["status"], facts["cause"]) == (403, 55)


@pytest.mark.usefixtures("lab")
def test_with_its_papers_it_may(belswitch: Command) -> None:
    for paper in ("--agreement", "--guarantee"):
        assert told(belswitch, "--dial", "0033142345678", "--origin", "forward")["decision"] == "refused"
        assert belswitch("line", "set", "desk", paper).exit_code == 0
    facts = told(belswitch, "--dial", "0033142345678", "--origin", "forward", "--at", PEAK)
    assert facts["decision"] == "allowed"
    assert (facts["price"]["setup"], facts["price"]["per_minute"]) == (800, 5800)


@pytest.mark.usefixtures("lab")
def test_how_long_the_money_lasts(belswitch: Command) -> None:
    """From nothing: 20 EUR with VAT buy 0.08 and 850 s at 1.16 (R-CAP-04)."""
    assert belswitch("line", "set", "desk", "--cap", "20.00").exit_code == 0
    facts = told(belswitch, "--dial", "00385123456", "--at", PEAK)
    assert (facts["allowed_s"], facts["cut"], facts["price"]["setup"]) == (850, "cap", 800)


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("dialled", ["112", "sip:112@anywhere", "urn:service:sos", "*31*112"])
def test_help(dialled: str, belswitch: Command) -> None:
    facts = told(belswitch, "--dial", dialled)
    assert (facts["decision"], facts["number"], facts["class"]) == ("emergency", "112", "EMERGENCY")
    assert facts["attempts"] == [["psap-gw1"], ["psap-gw2"]]
    assert facts["price"] is None


@pytest.mark.usefixtures("lab")
def test_help_is_no_place_to_send_calls(belswitch: Command) -> None:
    assert told(belswitch, "--dial", "112", "--origin", "forward")["code"] == "forward-emergency"


@pytest.mark.usefixtures("lab")
def test_a_feature_code(belswitch: Command) -> None:
    facts = told(belswitch, "--dial", "*21*0478123456#")
    assert (facts["decision"], facts["feature"]) == ("service", "forward")


@pytest.mark.usefixtures("lab")
def test_in_words(belswitch: Command) -> None:
    result = belswitch("explain", "--line", "+3216234567", "--dial", "0478123456", "--at", PEAK)
    assert result.exit_code == 0
    rows = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if len(line.split()) > 1)
    assert rows["price"].startswith("0.1700 a minute (tariff)") or "0.1700 a minute" in result.stdout
    assert "2:00:00 (limit)" in result.stdout


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--line", "nobody", "--dial", "112"), 1),
        (("--line", "desk", "--dial", "112", "--origin", "dreamt"), 2),
        (("--line", "desk", "--dial", "112", "--at", "yesterday"), 2),
    ],
)
def test_what_cannot_be_asked(arguments: tuple[str, ...], code: int, belswitch: Command) -> None:
    result = belswitch("explain", *arguments)
    assert result.exit_code == code
    assert result.stderr.startswith("belswitch: ")


# --- forward ------------------------------------------------------------------------------------------------


class Switch:
    """A running one, as far as `forward` asks it."""

    def __init__(self) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.listener = OperatorListener({"forward": self._forward})

    async def _forward(self, request: Mapping[str, Any]) -> str:
        self.asked.append(request)
        if request["number"].startswith("00"):
            raise OperatorError("forward-international: no forwarding to international destinations")
        return "+3216234567"


@pytest_asyncio.fixture
async def running(directory: Path) -> AsyncIterator[Switch]:
    (directory.parent / "data").mkdir()
    switch = Switch()
    await switch.listener.start(directory.parent / "data" / "belswitch.sock")
    yield switch
    await switch.listener.close()


async def test_a_forwarding_is_set_and_cleared_by_the_switch(running: Switch, belswitch: Command) -> None:
    arguments = ("forward", "set", "desk", "no-answer", "0478123456", "--after", "15")
    assert (await asyncio.to_thread(belswitch, *arguments)).exit_code == 0
    assert (await asyncio.to_thread(belswitch, "forward", "clear", "desk")).exit_code == 0
    asked = [{key: one[key] for key in ("line", "condition", "number", "ring_s")} for one in running.asked]
    assert asked == [
        {"line": "desk", "condition": "no-answer", "number": "0478123456", "ring_s": 15},
        {"line": "desk", "condition": "all", "number": "", "ring_s": None},
    ]
    refused = await asyncio.to_thread(belswitch, "forward", "set", "desk", "always", "0033142345678")
    assert refused.exit_code == 1
    assert "forward-international" in refused.stderr


@pytest.mark.usefixtures("lab")
def test_what_is_set(directory: Path, belswitch: Command) -> None:
    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
        body = '{"always": "+32478123456", "busy": "", "no_answer": "1233", "unreachable": "", "ring_s": 15'
        await store.write(
            [("INSERT INTO service VALUES (?, ?)", [("desk", body + ', "reject_anonymous": true}')])]
        )
        await store.close()

    asyncio.run(fill())
    assert json.loads(belswitch("forward", "list", "--json").stdout)[0]["always"] == "+32478123456"
    assert "15 s" in belswitch("forward", "list").stdout


# --- malicious ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("lab")
def test_malicious_calls_are_shown_to_who_gives_a_reason(directory: Path, belswitch: Command) -> None:
    """R-MAL-01; and every look is kept."""

    async def fill() -> None:
        store = await Store.open(directory.parent / "data")
        row = ("c1", "desk", "+3216234567", "+32478123456", 1, "carrier", 1_000, 2_000)
        await store.write([("INSERT INTO marked_call VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [row])])
        await store.close()

    async def looks() -> list[Any]:
        store = await Store.open(directory.parent / "data")
        async with store.connection.execute("SELECT reason, entries FROM looked_at") as cursor:
            found = [tuple(row) async for row in cursor]
        await store.close()
        return found

    asyncio.run(fill())
    assert belswitch("malicious", "--reason", " ").exit_code == 2
    shown = json.loads(belswitch("malicious", "--reason", "ombudsman 2026/17", "--json").stdout)
    assert [(one["number"], one["withheld"]) for one in shown] == [("+32478123456", True)]
    assert "+32478123456" in belswitch("malicious", "--reason", "again").stdout
    assert asyncio.run(looks()) == [("ombudsman 2026/17", 1), ("again", 1)]
