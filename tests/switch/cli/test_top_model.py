"""What keys and news make of the model of `belswitch top`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from switch.cli.top_model import (
    SORTS,
    Action,
    End,
    Mode,
    Model,
    Poll,
    Quit,
    Rates,
    Trace,
    alarms,
    lost,
    matches,
    polled,
    press,
    rates,
    resized,
    traced,
)
from tests.switch.cli.test_tables import CALL

SUMS = {"attempts": 100, "registers": 50, "refused": 3}


def call(call_id: str, **values: Any) -> dict[str, Any]:
    return {**CALL, "call_id": call_id, "since_ms": 1_795_233_639_824, **values}


CALLS = (
    call("c1", called="+3227654321", amount=9792, since_ms=30, trunk="west"),
    call("c2", called="+442071234567", amount=1, since_ms=10),
    call("c3", called="+33123456789", state="ringing", since_ms=20),
)


def poll(*calls: dict[str, Any], at_s: float = 0.0, **status: Any) -> Poll:
    return Poll(at_s, status, calls)


@pytest.fixture
def model() -> Model:
    return polled(Model(), poll(*CALLS))


def typed(model: Model, *keys: str) -> tuple[Model, Action]:
    """These keys one after the other, and what the last one asks for."""
    action: Action = None
    for key in keys:
        model, action = press(model, key)
    return model, action


def ids(model: Model) -> list[str]:
    return [row["call_id"] for row in model.rows]


# --- selecting, sorting, filtering --------------------------------------------------------------------------


def test_the_oldest_call_is_first_and_selected(model: Model) -> None:
    assert ids(model) == ["c2", "c3", "c1"]
    assert (model.cursor, model.selected) == (0, "c2")


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ("j", "c3"),
        ("jj", "c1"),
        ("jjjj", "c1"),
        ("jk", "c2"),
        ("k", "c2"),
    ],
)
def test_letters_move_the_cursor_as_far_as_there_are_calls(keys: str, selected: str, model: Model) -> None:
    assert typed(model, *keys)[0].selected == selected


def test_arrows_and_pages_do_too(model: Model) -> None:
    for keys, selected in (
        (["down"], "c3"),
        (["end"], "c1"),
        (["end", "up"], "c3"),
        (["pgdn", "home"], "c2"),
    ):
        assert typed(model, *keys)[0].selected == selected


def test_the_cursor_follows_its_call_and_stays_at_its_row_when_that_is_over(model: Model) -> None:
    model, _ = typed(model, "j")
    model = polled(model, poll(call("c0", since_ms=1), *CALLS))
    assert (model.cursor, model.selected) == (2, "c3")
    model = polled(model, poll(*CALLS[:2]))
    assert (model.cursor, model.selected) == (1, "c1")
    model = polled(model, poll())
    assert (model.cursor, model.selected) == (0, "")


def test_every_column_sorts_and_the_last_leads_to_the_first(model: Model) -> None:
    assert ids(typed(model, *"s" * len(SORTS))[0]) == ids(model)
    for _ in SORTS:
        model, _ = typed(model, "s")
        assert sorted(ids(model)) == ["c1", "c2", "c3"]


def test_what_has_no_price_comes_last_whichever_way_it_is_sorted(model: Model) -> None:
    model, _ = typed(model, *"s" * [name for name, _ in SORTS].index("EUR"))
    assert ids(model) == ["c2", "c1", "c3"]
    assert ids(typed(model, "r")[0]) == ["c1", "c2", "c3"]


def test_a_filter_is_typed_and_kept_or_given_up(model: Model) -> None:
    filtering, _ = typed(model, "/", "4", "4", "x", "backspace")
    assert (filtering.mode, filtering.filter, ids(filtering)) == (Mode.FILTER, "44", ["c2"])
    kept, _ = typed(filtering, "enter")
    assert (kept.mode, kept.filter, kept.selected) == (Mode.TABLE, "44", "c2")
    again, _ = typed(kept, "/", "9", "9")
    assert (ids(again), again.selected) == ([], "")
    back, _ = typed(again, "esc")
    assert (back.mode, back.filter, back.selected) == (Mode.TABLE, "44", "c2")
    assert len(ids(typed(back, "esc")[0])) == 3


def test_in_a_filter_letters_are_letters(model: Model) -> None:
    model, action = typed(model, "/", *"qxw")
    assert (model.filter, action) == ("qxw", None)


@pytest.mark.parametrize(
    ("words", "found"),
    [("", True), ("+3216", True), ("CARRIER", True), ("212 carrier", True), ("other", False)],
)
def test_a_filter_looks_at_numbers_line_and_trunk(words: str, found: bool) -> None:
    assert matches(CALL, words) is found


def test_who_withholds_his_number_is_found_as_anonymous_only() -> None:
    hidden = call("c1", caller="", line="")
    assert matches(hidden, "anonym")
    assert not matches(hidden, "+3216234567")


# --- doing --------------------------------------------------------------------------------------------------


def test_a_call_is_ended_after_a_y_only(model: Model) -> None:
    asking, action = typed(model, "x")
    assert (asking.mode, asking.asked, action) == (Mode.CONFIRM, "c2", None)
    done, action = typed(asking, "y")
    assert (done.mode, action) == (Mode.TABLE, End("c2"))
    for key in ("n", "esc", "enter", "x", "q", "Y"):
        left, action = typed(asking, key)
        assert (left.mode, left.note, action) == (Mode.TABLE, "not ended", None)


def test_what_moves_meanwhile_changes_not_which_call_is_ended(model: Model) -> None:
    asking, _ = typed(model, "x")
    asking = polled(asking, poll(call("c0", since_ms=1), *CALLS))
    assert typed(asking, "y")[1] == End("c2")
    asking, _ = typed(model, "x")
    over = polled(asking, poll(CALLS[0]))
    assert (over.mode, over.note) == (Mode.TABLE, "that call is over")
    assert typed(over, "y")[1] is None


def test_without_a_call_there_is_nothing_to_end_or_trace() -> None:
    for model in (Model(), polled(Model(), poll()), lost(polled(Model(), poll(*CALLS)), "gone")):
        for key in ("x", "t", "enter"):
            after, action = typed(model, key)
            assert (after.mode, after.note, action) == (Mode.TABLE, "no call is selected", None)


def test_q_leaves_and_unknown_keys_do_nothing(model: Model) -> None:
    assert typed(model, "q")[1] == Quit()
    assert typed(model, "Z") == (model, None)
    helped, _ = typed(model, "?")
    assert helped.mode is Mode.HELP
    assert typed(helped, "q") == (model, None)


def test_news_last_until_the_next_key(model: Model) -> None:
    assert typed(replace(model, note="ended c1"), "j")[0].note == ""


# --- the trace ----------------------------------------------------------------------------------------------

LADDER = ["heading", *(f"{number:100}" for number in range(50))]


def test_a_trace_is_fetched_and_scrolls_as_far_as_it_goes(model: Model) -> None:
    asked, action = typed(model, "t")
    assert (asked.mode, asked.ladder, action) == (Mode.TRACE, None, Trace("c2"))
    shown = traced(asked, "c2", LADDER)
    assert shown.page == 22
    for keys, place in (
        (["down"], (1, 0)),
        (["up"], (0, 0)),
        (["pgdn"], (21, 0)),
        (["end"], (29, 0)),
        (["end", "home"], (0, 0)),
        (["right"], (0, 10)),
        (["l", "l", "l", "h"], (0, 10)),
        (["l", "l", "l"], (0, 20)),
        (["left"], (0, 0)),
    ):
        scrolled, _ = typed(shown, *keys)
        assert (scrolled.top, scrolled.left) == place, keys
    end, _ = typed(shown, "end", "l", "l")
    high = resized(end, 120, 60)
    assert (high.top, high.left) == (0, 0)
    assert typed(shown, "q")[0] == model


def test_a_trace_that_comes_late_is_passed_over(model: Model) -> None:
    assert traced(model, "c2", LADDER) == model
    other, _ = typed(model, "t")
    assert traced(other, "c1", LADDER) == other
    assert traced(other, "c2", []).ladder == ()


# --- polls --------------------------------------------------------------------------------------------------


def test_rates_are_the_growth_of_sums_by_the_time_between() -> None:
    first = poll(at_s=10.0, sums=SUMS)
    second = poll(at_s=12.0, sums={"attempts": 105, "registers": 50, "refused": 4})
    assert rates(first, second) == Rates(2.5, 0.0, 0.5)
    assert rates(None, first) is None
    assert rates(second, first) is None  # no time has gone by
    assert rates(first, poll(at_s=12.0, sums={**SUMS, "attempts": 1})) is None  # another run of the switch
    assert rates(first, poll(at_s=12.0)) is None  # one that says no sums
    model = polled(polled(Model(), first), second)
    assert model.rates == Rates(2.5, 0.0, 0.5)


def test_paused_nothing_moves_until_it_goes_on(model: Model) -> None:
    paused, _ = typed(model, "p")
    assert polled(paused, poll()) == paused
    assert typed(paused, "j")[0].selected == "c3"
    going, _ = typed(paused, "p")
    assert polled(going, poll()).rows == []


def test_a_switch_that_is_gone_has_no_calls_and_comes_back(model: Model) -> None:
    model, _ = typed(model, "j", "x")
    gone = lost(model, "no switch is running")
    assert (gone.mode, gone.rows, gone.lost) == (Mode.TABLE, [], "no switch is running")
    back = polled(gone, poll(*CALLS))
    assert (back.lost, back.selected) == ("", "c3")
    assert polled(lost(replace(model, paused=True), "gone"), poll(*CALLS)).rows  # something to stand still


WELL = {
    "ready": "ready",
    "strained": False,
    "trunks": {"a": "up", "b": "registered"},
    "gateways": {"g": "up"},
    "bans": {"slowed": 0, "ignored": 0},
    "fraud": {"block": 0, "suspend": 0},
    "audit": {"checked": 3, "without_route": 0, "with_alarm": 0},
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, []),
        ({"ready": "journal full"}, ["takes no calls: journal full"]),
        ({"strained": True}, ["strained: new calls are put off"]),
        (
            {"trunks": {"a": "down", "b": "unregistered", "c": "up"}},
            ["trunk a down", "trunk b unregistered"],
        ),
        ({"gateways": {"g": "down"}}, ["gateway g down"]),
        ({"bans": {"slowed": 2, "ignored": 1}}, ["bans: 1 ignored, 2 slowed"]),
        (
            {"fraud": {"block": 2, "suspend": 1}},
            ["1 line suspended for fraud", "2 lines blocked for fraud"],
        ),
        (
            {"audit": {"checked": 9, "without_route": 1, "with_alarm": 3}},
            ["1 line whose calls for help go astray", "address of 2 lines to be looked at"],
        ),
        ({"audit": {}}, []),
    ],
)
def test_alarms_are_what_is_wrong_now(change: dict[str, Any], words: list[str]) -> None:
    assert [text for _, text in alarms({**WELL, **change})] == words


def test_an_older_switch_that_says_less_raises_no_alarm() -> None:
    assert alarms({"calls": 1, "ready": "ready", "queued": 0}) == []
