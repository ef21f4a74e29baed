"""How `belswitch top` looks: from the model to lines of a terminal, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rating.calendar import BRUSSELS
from rating.money import show
from switch.cli.tables import clock, per_minute
from switch.cli.top_model import SORTS, Mode, Model, Row, alarms, caller_of, class_of

MOST_ALARMS = 3
"""Lines of the header that alarms may take."""

LEGEND = "↑↓ select  s sort  r reverse  / filter  t trace  x end  p pause  ? help  q quit"
TRACE_LEGEND = "↑↓ PgUp PgDn scroll  ←→ sideways  q back"
HELP = """\
Arrows, j, k   the call above or below; PgUp, PgDn, Home, End go further
s, r           sort by the next column; the other way round
/              only calls with these words in a number, the line or the trunk;
               Enter keeps the filter, Esc goes back to the one before
Esc            no filter
t, Enter       the trace of the selected call as a ladder; q goes back
x              end the selected call, after a y; its record says who did
p              stand still; again: go on
?              this
q, Ctrl-C      leave; the switch goes on

A second: attempts at calls (each leg of a forwarded one), REGISTERs (also those
that were only challenged) and refusals of both, between two looks.
Amounts are euros excluding VAT. Bundle: what is left of it. Next change, cut:
counted from the answer, as the time is. What does not fit into columns is told
of the selected call in the last line but one.
"""

_SIZES = (("calls", "calls"), ("answered", "answered"), ("registrations", "bindings"))
_LEVEL = {"bad": "bold red", "warn": "yellow"}
_STATE = {"trying": "yellow", "ringing": "yellow", "answered": "green"}

Cell = Callable[[Row], str]
Columns = list[tuple[str, Cell]]


def draw(model: Model, *, whole: bool = False) -> RenderableType:
    """The picture, as wide and high as the terminal; `whole`: every call, and no word of keys."""
    if model.mode is Mode.TRACE:
        return Group(*_ladder(model))
    if model.mode is Mode.HELP:
        return Group(*_filled([Text(line) for line in HELP.splitlines()], model, _footing("any key: back")))
    head = _header(model)
    if model.lost or model.poll is None:
        return Group(*head) if whole else Group(*_filled(head, model, _footing(_prompt(model) or "q quit")))
    rows = model.rows
    head.append(_caption(model, len(rows)))
    if whole:
        return Group(*head, _table(replace(model, selected=""), rows, _that_fit(model, rows)))
    room = max(1, model.high - len(head) - 3)  # below the heading of the table, above detail and footing
    first = max(0, min(model.cursor - room // 2, len(rows) - room))
    rows = rows[first : first + room]
    columns = _that_fit(model, rows)
    prompt = _prompt(model)
    foot = _footing(prompt or LEGEND, loud=bool(prompt))
    blank = [Text("")] * (room - len(rows))
    return Group(*head, _table(model, rows, columns), *blank, _detail(model, rows, columns), foot)


# --- the header ---------------------------------------------------------------------------------------------


def _header(model: Model) -> list[Text]:
    if model.lost:
        title = _line(model, ("belswitch  ", "bold"), (plain(model.lost), "bold red"))
        return [title, _line(model, "trying again")]
    if model.poll is None:
        return [_line(model, ("belswitch  ", "bold"), "asking the switch ...")]
    status = model.poll.status
    return [_state_line(model, status), *_counts(model, status), *_alarms(model)]


def _state_line(model: Model, status: Row) -> Text:
    ready = str(status.get("ready", "?"))
    return _line(
        model,
        ("belswitch  ", "bold"),
        (ready, "bold green" if ready == "ready" else "bold red"),
        ("  strained", "bold red") if status.get("strained") else "  not strained",
        f"  journal: {status.get('queued', '?')} waiting",
        ("  PAUSED", "bold reverse") if model.paused else "",
    )


def _counts(model: Model, status: Row) -> list[Text]:
    speeds = model.rates
    a_second = "-", "-", "-"
    if speeds is not None:
        a_second = f"{speeds.attempts:.1f}", f"{speeds.registers:.1f}", f"{speeds.refused:.1f}"
    sizes = [f"{name} {status.get(key, '?')}" for name, key in _SIZES]
    trunks, gateways = _tally(status.get("trunks", {})), _tally(status.get("gateways", {}))
    return [
        _line(model, ", ".join(sizes)),
        _line(model, "a second: calls {}, REGISTER {}, refused {}".format(*a_second)),
        _line(model, f"trunks: {trunks}  gateways: {gateways}"),
    ]


def _tally(states: Row) -> str:
    """How many are in each state, those that are well first."""
    order = ("up", "registered", "unregistered", "down")
    counts = [(state, sum(one == state for one in states.values())) for state in order]
    return ", ".join(f"{count} {state}" for state, count in counts if count) or "none"


def _alarms(model: Model) -> list[Text]:
    """What is wrong, in as few lines as it takes, or that nothing is."""
    assert model.poll is not None
    found = alarms(model.poll.status)
    if not found:
        return [_line(model, ("no alarms", "green"))]
    lines: list[Text] = []
    for place, (level, words) in enumerate(found):
        one = Text(plain(words), _LEVEL[level])
        spared = len("; +99") if len(lines) == MOST_ALARMS else 0
        if lines and lines[-1].cell_len + len("; ") + one.cell_len + spared <= model.wide:
            lines[-1] = Text.assemble(lines[-1], "; ", one)
        elif len(lines) < MOST_ALARMS:
            lines.append(Text.assemble(("ALARM " if not lines else "      ", "bold red"), one))
        else:
            lines[-1].append(f"; +{len(found) - place}")
            break
    return [_line(model, line) for line in lines]


# --- the calls ----------------------------------------------------------------------------------------------


def _state(call: Row) -> str:
    origin = call.get("origin", "line")
    return call["state"] if origin in ("line", "trunk") else f"{call['state']}, {origin}"


def _answered(cell: Cell) -> Cell:
    """Only an answered call has this."""
    return lambda call: cell(call) if call["state"] == "answered" else ""


_COLUMNS: tuple[tuple[str, Cell, int], ...] = (
    ("since", lambda call: _time(call.get("since_ms")), 4),
    ("from", lambda call: plain(caller_of(call)), 0),
    ("to", lambda call: plain(call["called"]), 0),
    ("class", class_of, 6),
    ("state", _state, 1),
    ("time", _answered(lambda call: clock(call["seconds"])), 2),
    ("EUR/min", _answered(per_minute), 3),
    ("EUR", _answered(lambda call: show(call["amount"])), 1),
    ("bundle", lambda call: clock(call["bundle_left_s"]), 7),
    ("next change", lambda call: clock(call["next_change_s"]), 8),
    ("cut at", lambda call: f"{clock(call['cut_s'])} {call['cut_reason']}".strip(), 5),
    ("trunk", lambda call: plain(call["trunk"]) or "-", 6),
)
"""Heading, what is in it, and which are left out first where it gets narrow: those with the highest rank."""

_IN_SHORT = {"class": "", "next change": "next", "cut at": "cut", "trunk": "over"}
_RIGHT = {"time", "EUR/min", "EUR", "bundle", "next change", "cut at"}


def _table(model: Model, rows: Sequence[Row], columns: Columns) -> Table:
    """These calls, the one under the cursor marked."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name, _ in columns:
        justify: Literal["left", "right"] = "right" if name in _RIGHT else "left"
        table.add_column(_heading(model, name), no_wrap=True, justify=justify)
    for call in rows:
        cells = [Text(cell(call), _style(name, call)) for name, cell in columns]
        table.add_row(*cells, style="reverse" if call["call_id"] == model.selected else "")
    return table


def _heading(model: Model, name: str) -> str:
    """The name of a column, with an arrow where it is the one that sorts."""
    if name != SORTS[model.sort][0]:
        return name
    return f"{name}{'▼' if model.reverse else '▲'}"


def _that_fit(model: Model, rows: Sequence[Row]) -> Columns:
    """The columns that fit side by side. Who calls whom is always there."""
    shown = list(_COLUMNS)

    def width(name: str, cell: Cell) -> int:
        return 2 + max([len(_heading(model, name)), *(len(cell(call)) for call in rows)])

    while sum(width(name, cell) for name, cell, _ in shown) - 2 > model.wide and any(r for *_, r in shown):
        shown.remove(max(shown, key=lambda column: column[2]))
    return [(name, cell) for name, cell, _ in shown]


def _style(name: str, call: Row) -> str:
    if name == "class" and call["emergency"]:
        return "bold red"
    if name == "state":
        return _STATE.get(call["state"], "")
    return "bold" if name == "EUR" else ""


def _caption(model: Model, seen: int) -> Text:
    there = len(model.poll.calls) if model.poll is not None else 0
    words = f", with {plain(model.filter)}" if model.filter else ""
    order = f"{SORTS[model.sort][0]}{', reversed' if model.reverse else ''}"
    return _line(model, (f"{seen} of {there} shown{words}, by {order}", "dim"))


def _detail(model: Model, rows: Sequence[Row], columns: Columns) -> Text:
    """What the call under the cursor has in columns that do not fit here, and the line that pays where it is
    not the one that calls."""
    call = next((call for call in rows if call["call_id"] == model.selected), None)
    if call is None:
        return Text("")
    shown = {name for name, _ in columns}
    facts = [
        f"{_IN_SHORT.get(name, name)} {text}".strip()
        for name, cell, _ in _COLUMNS
        if name not in shown and (text := cell(call))
    ]
    if call["line"] and call["line"] != call["caller"]:
        facts.append(f"paid by {plain(call['line'])}")
    return _line(model, ("> ", "bold"), "  ".join(facts)) if facts else Text("")


# --- the rest -----------------------------------------------------------------------------------------------


def _prompt(model: Model) -> str:
    """What the last line says instead of the keys."""
    match model.mode:
        case Mode.FILTER:
            return f"filter: {plain(model.filter)}_"
        case Mode.CONFIRM:
            assert model.poll is not None
            call = next(call for call in model.poll.calls if call["call_id"] == model.asked)
            numbers = f"{plain(caller_of(call))} to {plain(call['called'])}"
            return f"end {numbers}? y ends it, any other key does not"
    return plain(model.note)


def _ladder(model: Model) -> list[Text]:
    if model.ladder is None:
        lines = [Text("asking the switch ...")]
    elif not model.ladder:
        lines = [Text("nothing is remembered of this call: `[trace]` says how much is kept")]
    else:
        head, *rungs = model.ladder
        seen = [head, *rungs[model.top : model.top + model.page - 1]]
        lines = [Text(plain(line)[model.left : model.left + model.wide]) for line in seen]
        lines[0].stylize("bold")
    where = f"trace of {plain(model.asked)}  "
    if model.ladder:
        last = min(len(model.ladder) - 1, model.top + model.page - 1)
        where += f"{model.top + 1}-{last} of {len(model.ladder) - 1}  "
    return _filled(
        [_line(model, (where, "dim")), *lines],
        model,
        _footing(model.lost or TRACE_LEGEND, loud=bool(model.lost)),
    )


def _filled(lines: list[Text], model: Model, foot: Text) -> list[Text]:
    """The footing in the last row of the terminal, whatever there is above it."""
    lines = lines[: model.high - 1]
    return [*lines, *[Text("")] * (model.high - 1 - len(lines)), foot]


def _footing(words: str, *, loud: bool = False) -> Text:
    return Text(words, "bold yellow" if loud else "dim", no_wrap=True, overflow="ellipsis")


def _line(model: Model, *parts: str | tuple[str, str] | Text) -> Text:
    """One line, cut where the terminal ends."""
    line = Text.assemble(*parts, no_wrap=True, overflow="ellipsis")
    line.truncate(model.wide, overflow="ellipsis")
    return line


def _time(utc_ms: int | None) -> str:
    """The time of day in Belgium; '' where the switch does not say."""
    if utc_ms is None:
        return ""
    return datetime.fromtimestamp(utc_ms // 1000, UTC).astimezone(BRUSSELS).strftime("%H:%M:%S")


def plain(text: str) -> str:
    """What came over the wire, without anything that a terminal might obey."""
    return "".join(one if one.isprintable() else "?" for one in text)
