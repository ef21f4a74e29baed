"""What `belswitch top` knows and how keys change it: values only, no terminal, no socket, no clock.

`press` is given a key and answers with the model as it is then and with what is to be done outside, if
anything; `polled`, `lost` and `traced` take in what the switch said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

Row = Mapping[str, Any]


class Mode(Enum):
    """What the keys are for now."""

    TABLE = "table"
    FILTER = "filter"
    CONFIRM = "confirm"
    TRACE = "trace"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


@dataclass(frozen=True, slots=True)
class End:
    """End this call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Trace:
    """Fetch what was said on the wire about this call."""

    call_id: str


Action = Quit | End | Trace | None


@dataclass(frozen=True, slots=True)
class Poll:
    """What the switch said at one time; `at_s` is by any clock that never goes back."""

    at_s: float
    status: Row
    calls: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """How many of each there were a second, between two polls."""

    attempts: float
    registers: float
    refused: float


SORTS: tuple[tuple[str, Callable[[Row], Any]], ...] = (
    ("since", lambda call: call.get("since_ms")),
    ("from", lambda call: caller_of(call)),
    ("to", lambda call: call["called"]),
    ("class", lambda call: class_of(call)),
    ("state", lambda call: call["state"]),
    ("EUR/min", lambda call: call["per_minute"] if call["state"] == "answered" else None),
    ("EUR", lambda call: call["amount"] if call["state"] == "answered" else None),
    ("bundle", lambda call: call["bundle_left_s"]),
    ("next change", lambda call: call["next_change_s"]),
    ("cut at", lambda call: call["cut_s"]),
    ("trunk", lambda call: call["trunk"] or None),
)
"""The columns by which calls can be sorted, in the order in which `s` takes them."""


@dataclass(frozen=True, slots=True)
class Model:
    """Everything that is to be drawn. `wide` and `high` is the terminal, in characters."""

    wide: int = 80
    high: int = 24
    poll: Poll | None = None
    rates: Rates | None = None
    """None until there are two polls of one run of the switch."""
    mode: Mode = Mode.TABLE
    cursor: int = 0
    selected: str = ""
    """The id of the call under the cursor, which the cursor follows."""
    sort: int = 0
    reverse: bool = False
    filter: str = ""
    kept: str = ""
    """The filter to go back to when typing another one is given up."""
    paused: bool = False
    asked: str = ""
    """The call that is to be ended or whose trace is shown; it stays the same whatever moves."""
    ladder: tuple[str, ...] | None = None
    """None while it is being fetched."""
    top: int = 0
    left: int = 0
    """The first row and column of the ladder that is to be seen."""
    note: str = ""
    """News for the operator, until the next key."""
    lost: str = ""
    """Why the switch cannot be asked; '' when it can."""

    @property
    def rows(self) -> list[Row]:
        """The calls that the filter lets through, sorted; what has no value in the column comes last."""
        calls = [call for call in (self.poll.calls if self.poll else ()) if matches(call, self.filter)]
        key = SORTS[self.sort][1]
        some = [call for call in calls if key(call) is not None]
        none = [call for call in calls if key(call) is None]
        some.sort(key=lambda call: call["call_id"])
        some.sort(key=key, reverse=self.reverse)
        return some + sorted(none, key=lambda call: str(call["call_id"]))

    @property
    def current(self) -> Row | None:
        """The call under the cursor."""
        return next((call for call in self.rows if call["call_id"] == self.selected), None)

    @property
    def page(self) -> int:
        """Rows of the ladder, or of the help, that fit."""
        return max(1, self.high - 2)


# --- what the switch says -----------------------------------------------------------------------------------


def polled(model: Model, poll: Poll) -> Model:
    """The switch has answered. Paused, what is shown stays as it is."""
    if model.paused and model.poll is not None:
        return model
    model = replace(model, poll=poll, rates=rates(model.poll, poll), lost="")
    if model.mode is Mode.CONFIRM and not any(call["call_id"] == model.asked for call in poll.calls):
        model = replace(model, mode=Mode.TABLE, asked="", note="that call is over")
    return _followed(model)


def lost(model: Model, why: str) -> Model:
    """The switch cannot be asked. What was known of it is no longer so; nothing can be ended."""
    model = replace(model, lost=why, poll=None, rates=None)
    return replace(model, mode=Mode.TABLE, asked="") if model.mode is Mode.CONFIRM else model


def traced(model: Model, call_id: str, ladder: Sequence[str]) -> Model:
    """The ladder of a call has come; late ones of another call are passed over."""
    if model.mode is not Mode.TRACE or model.asked != call_id:
        return model
    return _scrolled(replace(model, ladder=tuple(ladder)))


def resized(model: Model, wide: int, high: int) -> Model:
    """The terminal has another size."""
    return _scrolled(replace(model, wide=wide, high=high))


def rates(before: Poll | None, now: Poll) -> Rates | None:
    """The growth of the sums a second; None where the switch began anew in between, or does not say."""
    if before is None or now.at_s <= before.at_s:
        return None
    old, new = before.status.get("sums"), now.status.get("sums")
    if not old or not new:
        return None
    grown = [new[name] - old[name] for name in ("attempts", "registers", "refused")]
    if min(grown) < 0:
        return None
    return Rates(*(count / (now.at_s - before.at_s) for count in grown))


def alarms(status: Row) -> list[tuple[str, str]]:
    """What is wrong now, the worst first: `bad` or `warn`, and words."""
    found: list[tuple[str, str]] = []
    if status.get("ready", "ready") != "ready":
        found.append(("bad", f"takes no calls: {status['ready']}"))
    if status.get("strained"):
        found.append(("bad", "strained: new calls are put off"))
    for what, states in (("trunk", status.get("trunks", {})), ("gateway", status.get("gateways", {}))):
        wrong = [(name, state) for name, state in states.items() if state in ("down", "unregistered")]
        found += [("bad", f"{what} {name} {state}") for name, state in wrong]
    audit, fraud, bans = (status.get(name, {}) for name in ("audit", "fraud", "bans"))
    if audit.get("without_route"):
        found.append(("bad", f"{_lines(audit['without_route'])} whose calls for help go astray"))
    for action, words in (("suspend", "suspended for fraud"), ("block", "blocked for fraud")):
        if fraud.get(action):
            found.append(("bad", f"{_lines(fraud[action])} {words}"))
    if more := audit.get("with_alarm", 0) - audit.get("without_route", 0):
        found.append(("warn", f"address of {_lines(more)} to be looked at"))
    banned = [f"{count} {state}" for state, count in sorted(bans.items()) if count]
    if banned:
        found.append(("warn", f"bans: {', '.join(banned)}"))
    return found


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"


# --- calls --------------------------------------------------------------------------------------------------


def caller_of(call: Row) -> str:
    """The number that calls; who withholds it has none here either."""
    return call["caller"] or "anonymous"


def class_of(call: Row) -> str:
    """The destination class in short."""
    return "emergency" if call["emergency"] else call["class"] or "incoming"


def matches(call: Row, words: str) -> bool:
    """Whether a call has all these words, in any case, in a number, its line or its trunk."""
    there = " ".join((caller_of(call), call["called"], call["line"], call["trunk"])).lower()
    return all(word in there for word in words.lower().split())


# --- keys ---------------------------------------------------------------------------------------------------

_STEPS = {"j": 1, "down": 1, "k": -1, "up": -1, "pgdn": 10, "pgup": -10, "home": -(1 << 30), "end": 1 << 30}


def press(model: Model, key: str) -> tuple[Model, Action]:
    """A key, by its character or its name (`up`, `enter`, ...): the model after it, and what to do."""
    model = replace(model, note="")
    match model.mode:
        case Mode.FILTER:
            return _in_filter(model, key), None
        case Mode.CONFIRM:
            return _in_confirm(model, key)
        case Mode.TRACE:
            return _in_trace(model, key), None
        case Mode.HELP:
            return replace(model, mode=Mode.TABLE), None
        case Mode.TABLE:
            return _in_table(model, key)


def _in_table(model: Model, key: str) -> tuple[Model, Action]:
    if key in _STEPS:
        return _moved(model, _STEPS[key]), None
    if key in ("x", "t", "enter"):
        return _at_call(model, key)
    match key:
        case "q":
            return model, Quit()
        case "s":
            return _followed(replace(model, sort=(model.sort + 1) % len(SORTS))), None
        case "r":
            return _followed(replace(model, reverse=not model.reverse)), None
        case "p":
            return replace(model, paused=not model.paused), None
        case "?":
            return replace(model, mode=Mode.HELP), None
        case "/":
            return replace(model, mode=Mode.FILTER, kept=model.filter), None
        case "esc":
            return _followed(replace(model, filter="")), None
    return model, None


def _at_call(model: Model, key: str) -> tuple[Model, Action]:
    """What is done with the call under the cursor."""
    call = model.current
    if call is None:
        return replace(model, note="no call is selected"), None
    asked = call["call_id"]
    if key == "x":
        return replace(model, mode=Mode.CONFIRM, asked=asked), None
    return replace(model, mode=Mode.TRACE, asked=asked, ladder=None, top=0, left=0), Trace(asked)


def _in_filter(model: Model, key: str) -> Model:
    match key:
        case "enter":
            return replace(model, mode=Mode.TABLE)
        case "esc":
            return _followed(replace(model, mode=Mode.TABLE, filter=model.kept))
        case "backspace":
            return _followed(replace(model, filter=model.filter[:-1]))
        case _ if len(key) == 1:
            return _followed(replace(model, filter=model.filter + key))
    return _moved(model, _STEPS.get(key, 0))


def _in_confirm(model: Model, key: str) -> tuple[Model, Action]:
    """Only `y` ends the call, and it is the one that was asked about."""
    over = replace(model, mode=Mode.TABLE, asked="")
    return (over, End(model.asked)) if key == "y" else (replace(over, note="not ended"), None)


def _in_trace(model: Model, key: str) -> Model:
    if key in ("q", "esc", "t"):
        return replace(model, mode=Mode.TABLE, asked="", ladder=None)
    if key in ("h", "left"):
        return replace(model, left=max(0, model.left - 10))
    if key in ("l", "right"):
        return _scrolled(replace(model, left=model.left + 10))
    step = model.page - 1 if key in ("pgdn", " ") else 1 - model.page if key == "pgup" else _STEPS.get(key, 0)
    return _scrolled(replace(model, top=model.top + step))


def _moved(model: Model, step: int) -> Model:
    """The cursor goes so many rows down, as far as there are any."""
    rows = model.rows
    if not rows:
        return replace(model, cursor=0, selected="")
    cursor = max(0, min(model.cursor + step, len(rows) - 1))
    return replace(model, cursor=cursor, selected=rows[cursor]["call_id"])


def _followed(model: Model) -> Model:
    """The cursor is where its call is now; where that is gone it stays at its row."""
    for place, call in enumerate(model.rows):
        if call["call_id"] == model.selected:
            return replace(model, cursor=place)
    return _moved(model, 0)


def _scrolled(model: Model) -> Model:
    """No further than the ladder goes; its heading stays."""
    head, *rungs = model.ladder or ("",)
    top = max(0, min(model.top, len(rungs) - (model.page - 1)))
    widest = max(map(len, (head, *rungs)))
    return replace(model, top=top, left=max(0, min(model.left, widest - model.wide)))
