"""How `belswitch top` looks on terminals of two sizes."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from switch.cli.top_model import Model, Poll, Rates, lost, polled, press, resized, traced
from switch.cli.top_view import HELP, LEGEND, draw, plain
from tests.switch.cli.test_top_model import LADDER, WELL, call

STATUS = {**WELL, "calls": 2, "answered": 1, "bindings": 7, "queued": 4}
RINGING: dict[str, Any] = {
    "state": "ringing",
    "caller": "",
    "origin": "forward",
    "class": "BE_MOBILE",
    "next_change_s": None,
    "cut_s": None,
    "cut_reason": "",
    "trunk": "",
}
CALLS = (call("c1"), call("c2", **RINGING, since_ms=1_795_233_700_000))
SIZES = ((80, 24), (140, 40))


def screen(model: Model, wide: int = 80, high: int = 24, *, whole: bool = False) -> list[str]:
    """What is to be seen, row by row."""
    console = Console(
        width=wide, height=high, highlight=False, record=True, force_terminal=True, file=StringIO()
    )
    console.print(draw(resized(model, wide, high), whole=whole))
    return [row.rstrip() for row in console.export_text().splitlines()]


@pytest.fixture
def model() -> Model:
    return replace(polled(Model(), Poll(0.0, STATUS, CALLS)), rates=Rates(1.25, 10.0, 0.0))


@pytest.mark.parametrize(("wide", "high"), SIZES)
def test_it_fills_the_terminal_and_no_more(wide: int, high: int, model: Model) -> None:
    many = polled(model, Poll(0.0, STATUS, tuple(call(f"c{number}") for number in range(100))))
    bad = {**STATUS, "trunks": {f"carrier-{number}": "down" for number in range(30)}}
    keyed = [press(model, key)[0] for key in ("t", "x", "?", "/", "p")]
    for one in (
        model,
        many,
        press(many, "end")[0],
        polled(model, Poll(0.0, bad, CALLS)),
        lost(model, "no switch"),
        Model(),
        traced(keyed[0], "c1", LADDER),
        *keyed,
    ):
        rows = screen(one, wide, high)
        assert len(rows) == high
        assert max(map(len, rows)) <= wide


def test_a_terminal_that_is_too_small_shows_what_it_can(model: Model) -> None:
    for key in ("j", "t", "x", "?", "/"):
        assert screen(press(model, key)[0], 20, 4)
    assert screen(model, 1, 1)


def test_at_80_columns_what_does_not_fit_is_told_below(model: Model) -> None:
    rows = screen(model)
    assert rows[0] == "belswitch  ready  not strained  journal: 4 waiting"
    assert rows[1] == "calls 2, answered 1, registrations 7"
    assert rows[2] == "a second: calls 1.2, REGISTER 10.0, refused 0.0"
    assert rows[3] == "trunks: 1 up, 1 registered  gateways: 1 up"
    assert rows[4] == "no alarms"
    assert rows[5] == "2 of 2 shown, by since"
    assert rows[6].split() == ["since▲", "from", "to", "state", "time", "EUR/min", "EUR"]
    assert rows[7].split()[1:] == ["+3216234567", "+212612345678", "answered", "1:05", "0.8300", "0.9792"]
    assert rows[8].split()[1:] == ["anonymous", "+212612345678", "ringing,", "forward"]
    assert rows[-2] == "> MOROCCO_TURKEY  next 1:02:05  cut 2:00:00 limit  over carrier"
    assert rows[-1] == LEGEND
    assert len(LEGEND) <= 80


def test_at_140_columns_everything_has_its_column(model: Model) -> None:
    rows = screen(model, 140, 40)
    assert rows[6].replace("next change", "next").replace("cut at", "cut").split() == [
        *("since▲", "from", "to", "class", "state", "time", "EUR/min", "EUR"),
        *("bundle", "next", "cut", "trunk"),
    ]
    assert rows[7].split() == [
        *(
            "05:00:39",
            "+3216234567",
            "+212612345678",
            "MOROCCO_TURKEY",
            "answered",
            "1:05",
            "0.8300",
            "0.9792",
        ),
        *("1:02:05", "2:00:00", "limit", "carrier"),
    ]
    assert rows[8].split()[0] == "05:01:40"
    assert rows[-2] == ""
    assert screen(press(model, "j")[0], 140, 40)[-2] == "> paid by +3216234567"


def test_the_cursor_is_always_to_be_seen(model: Model) -> None:
    calls = tuple(call(f"c{number:02}", called=f"+32470{number:06}") for number in range(60))
    model = polled(model, Poll(0.0, STATUS, calls))
    for _ in range(60):
        assert any(model.rows[model.cursor]["called"] in row for row in screen(model))
        model, _ = press(model, "j")


def test_alarms_take_three_lines_at_most_and_count_the_rest(model: Model) -> None:
    trunks = {f"carrier-number-{number}": "down" for number in range(20)}
    rows = screen(polled(model, Poll(0.0, {**STATUS, "trunks": trunks}, CALLS)))
    assert rows[3].startswith("trunks: 20 down")
    assert rows[4].startswith("ALARM trunk carrier-number-0 down; trunk carrier-number-1 down")
    assert rows[6].endswith("; +14")
    assert rows[7] == "2 of 2 shown, by since"


def test_without_two_polls_there_are_no_rates(model: Model) -> None:
    assert "a second: calls -, REGISTER -, refused -" in screen(replace(model, rates=None))


def test_questions_and_news_take_the_place_of_the_keys(model: Model) -> None:
    asked = "end +3216234567 to +212612345678? y ends it, any other key does not"
    assert screen(press(model, "x")[0])[-1] == asked
    assert screen(replace(model, note="ended c1"))[-1] == "ended c1"
    filtering = press(press(model, "/")[0], "9")[0]
    assert screen(filtering)[-1] == "filter: 9_"
    assert "0 of 2 shown, with 9, by since" in screen(filtering)
    paused, _ = press(press(model, "r")[0], "p")
    assert screen(paused)[0].endswith("PAUSED")
    assert "2 of 2 shown, by since, reversed" in screen(paused)
    assert any("since▼" in row for row in screen(paused))


def test_a_switch_that_is_gone_is_said_to_be(model: Model) -> None:
    rows = screen(lost(model, "no switch is running at data/belswitch.sock"))
    assert rows[:2] == ["belswitch  no switch is running at data/belswitch.sock", "trying again"]
    assert rows[-1] == "q quit"
    tracing = lost(traced(press(model, "t")[0], "c1", LADDER), "no switch is running")
    assert screen(tracing)[-1] == "no switch is running"


def test_a_ladder_scrolls_below_its_heading(model: Model) -> None:
    model, _ = press(model, "t")
    assert screen(model)[1] == "asking the switch ..."
    assert screen(traced(model, "c1", []))[1].startswith("nothing is remembered of this call")
    model = traced(model, "c1", LADDER)
    assert screen(model)[0] == "trace of c1  1-21 of 50"
    model, _ = press(press(model, "end")[0], "right")
    rows = screen(resized(model, 80, 24))
    assert rows[0] == "trace of c1  30-50 of 50"
    assert rows[-2] == ""  # its number is further to the right
    assert screen(press(press(model, "l")[0], "l")[0])[-2].endswith("49")


def test_as_one_picture_it_has_every_call_and_no_keys(model: Model) -> None:
    many = polled(model, Poll(0.0, STATUS, tuple(call(f"c{number}") for number in range(50))))
    rows = screen(many, 160, 25, whole=True)
    assert len(rows) == 6 + 1 + 50
    assert "quit" not in "".join(rows)


def test_help_fits_the_smallest_terminal() -> None:
    rows = HELP.splitlines()
    assert len(rows) <= 23
    assert max(map(len, rows)) <= 80


def test_what_came_over_the_wire_commands_no_terminal(model: Model) -> None:
    assert plain("a\x1b[2Jb\x07é") == "a?[2Jb?é"
    evil = call("c1", called="+32\x1b[2J", trunk="[bold]x")
    rows = screen(polled(model, Poll(0.0, STATUS, (evil,))), 140, 24)
    assert "+32?[2J" in rows[7]
    assert rows[7].endswith("[bold]x")
