"""A few hundred storms; `BELSWITCH_SIM_SEEDS=5000` makes them many. A seed that fails is run alone with
`python -m tests.sim --seed N --trace`, and gets a scenario of its own before it is mended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from switch.fraud.rules import Action, Kind
from tests.sim.__main__ import main
from tests.sim.simulate import simulate
from tests.switch.fraud.support import delivered

SEEDS = int(os.environ.get("BELSWITCH_SIM_SEEDS", "200"))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_all_comes_to_rest_and_the_books_are_right(seed: int) -> None:
    assert simulate(seed).problems == ()


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("seed", range(1, 1 + SEEDS // 10))
def test_the_books_are_right_while_fraud_is_found_everywhere(seed: int, action: Action) -> None:
    """Every rule fires at next to nothing: lines are blocked in mid-storm, help is reached."""
    rules = [rule for rule in delivered().values() if rule.action is Action.ALERT]
    harsh = tuple(
        replace(rule, threshold=min(rule.threshold, 1), action=action)
        for rule in rules
        if rule.kind is not Kind.DIGESTS
    )
    assert simulate(seed, fraud=harsh).problems == ()


def test_same_seed_same_trace() -> None:
    assert simulate(7).mark == simulate(7).mark
    assert simulate(7).mark != simulate(8).mark


def test_same_seed_same_trace_in_another_process() -> None:
    """Nothing depends on hash seeds or on what ran before."""
    expected = simulate(5).mark
    done = subprocess.run(
        [sys.executable, "-m", "tests.sim", "--seed", "5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert expected in done.stdout


def test_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["tests.sim", "--seed", "3", "--trace"])
    assert main() == 0
    printed = capsys.readouterr().out
    assert "INVITE" in printed
    assert "seed 3  " in printed


def test_the_weather_has_everything() -> None:
    """Calls are answered and fail, in calm weather and in every kind of storm."""
    verdicts = [simulate(seed) for seed in range(20, 60)]
    assert len({fault for verdict in verdicts for fault in verdict.faults}) == 16
    assert sum(verdict.answered for verdict in verdicts) > 100
    outcomes = {cdr.outcome for verdict in verdicts for cdr in verdict.world.cdrs}
    assert outcomes == {"answered", "busy", "cancelled", "failed", "no-answer", "refused", "rejected"}
    flags = {flag for verdict in verdicts for cdr in verdict.world.cdrs for flag in cdr.flags}
    assert {"limit", "restart", "relay-restarted", "relay-failed"} <= flags
