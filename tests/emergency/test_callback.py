"""R-EMG-09: who is an emergency centre calling back."""

from __future__ import annotations

import json

import pytest

from emergency.callback import CallbackWindow

LINE = "+3216234567"
OTHER = "+3221234567"
CALLED = 1_795_536_000_000_000_000
MINUTE = 60 * 1_000_000_000

# called line | after the emergency call | Priority | from a PSAP trunk | is a callback
ROWS = [
    (LINE, 0, None, True, True),
    (LINE, 29 * MINUTE, None, True, True),
    (LINE, 30 * MINUTE, None, True, True),
    (LINE, 30 * MINUTE + 1, None, True, False),
    (LINE, 30 * MINUTE + 1, "psap-callback", True, True),
    (LINE, MINUTE, "normal", True, True),
    (LINE, 90 * MINUTE, "emergency", True, False),
    (OTHER, MINUTE, None, True, False),
    (OTHER, MINUTE, "psap-callback", True, True),
    (OTHER, MINUTE, " PSAP-Callback ", True, True),
    (OTHER, MINUTE, "psap-callback-not", True, False),
    # a stranger is never one, with or without the header
    (LINE, MINUTE, None, False, False),
    (LINE, MINUTE, "psap-callback", False, False),
    # the clock was set back after the call, a little or a lot
    (LINE, -MINUTE, None, True, True),
    (LINE, -31 * MINUTE, None, True, False),
]


@pytest.mark.parametrize(("line", "after_ns", "priority", "from_psap", "expected"), ROWS)
def test_callback(line: str, after_ns: int, priority: str | None, from_psap: bool, expected: bool) -> None:
    window = CallbackWindow()
    window.record(LINE, CALLED)
    assert window.is_callback(line, CALLED + after_ns, priority, from_psap=from_psap) is expected


def test_the_end_of_a_long_call_starts_the_window_anew() -> None:
    window = CallbackWindow()
    window.record(LINE, CALLED)
    window.record(LINE, CALLED + 20 * MINUTE)
    assert window.is_callback(LINE, CALLED + 50 * MINUTE, None, from_psap=True)
    assert len(window) == 1


def test_closed_windows_are_forgotten() -> None:
    window = CallbackWindow()
    for minute in range(100):
        window.record(f"+32{minute}", CALLED + minute * MINUTE)
    assert len(window) == 31


def test_no_more_lines_than_its_capacity_the_oldest_go_first() -> None:
    window = CallbackWindow(capacity=3)
    for second in range(5):
        window.record(f"+32{second}", CALLED + second)
    assert window.snapshot() == tuple((f"+32{second}", CALLED + second) for second in (2, 3, 4))


def test_it_survives_a_restart() -> None:
    before = CallbackWindow()
    before.record(OTHER, CALLED - 5 * MINUTE)
    before.record(LINE, CALLED)
    kept = json.loads(json.dumps(before.snapshot()))
    after = CallbackWindow()
    after.record("+3299999999", CALLED)
    after.restore((line, wall_ns) for line, wall_ns in reversed(kept))
    assert after.snapshot() == before.snapshot()
    assert after.is_callback(LINE, CALLED + 30 * MINUTE, None, from_psap=True)
    assert not after.is_callback(OTHER, CALLED + 30 * MINUTE, None, from_psap=True)


def test_a_restart_with_less_room_keeps_the_latest() -> None:
    window = CallbackWindow(capacity=1)
    window.restore([(LINE, CALLED), (OTHER, CALLED - MINUTE)])
    assert window.snapshot() == ((LINE, CALLED),)
