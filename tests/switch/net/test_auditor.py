"""The audit while the switch runs: at start, daily, when asked; told at the level it deserves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from switch.call.help import Setup
from switch.net import auditor as module
from switch.net.auditor import Auditor
from switch.ports import NS_PER_S, Moment
from switch.routing.lines import Line
from tests.emergency.test_additional_data import PROVIDER
from tests.switch.call.test_audit import GOOD
from tests.switch.net.support import NOW, Log, until
from tests.torture.support import tables


class Bench:
    """An auditor whose lines and clock can be changed."""

    def __init__(self) -> None:
        self.lines: list[Line] = [GOOD]
        self.now = NOW
        self.log = Log()
        self.broken = False
        self.auditor = Auditor(lines=lambda: self.lines, setup=self.setup, now=lambda: self.now, log=self.log)

    def setup(self) -> Setup:
        if self.broken:
            raise RuntimeError("no setup")
        return Setup(tables()[1], PROVIDER, "switch.example")

    def levels(self) -> list[str]:
        return [level for level, event, _ in self.log.events if event == "emergency_audit"]

    def counts(self) -> tuple[int, int] | None:
        """Lines checked and without route at the last audit."""
        audit = self.auditor.last
        return (audit.checked, audit.without_route) if audit is not None else None

    async def audits(self, count: int) -> None:
        await until(lambda: len(self.levels()) >= count)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    bench = Bench()
    yield bench
    await bench.auditor.close()


async def test_it_audits_at_start_and_says_how_long_ago(bench: Bench) -> None:
    assert bench.counts() is None
    bench.auditor.start()
    await bench.audits(1)
    assert bench.counts() == (1, 0)
    assert bench.log.events == [
        ("info", "emergency_audit", {"checked": 1, "without_route": 0, "with_alarm": 0, "lines": []})
    ]
    bench.now = Moment(NOW.mono_ns + 90 * NS_PER_S, NOW.wall_ns - 5 * NS_PER_S)  # wall time was set back
    assert bench.auditor.age_s == 90
    await asyncio.sleep(0.02)
    assert len(bench.levels()) == 1


async def test_again_every_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module.EVERY_S == 24 * 3600
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    bench.auditor.start()
    await bench.audits(3)


async def test_again_when_asked_with_what_has_changed(bench: Bench) -> None:
    bench.auditor.start()
    await bench.audits(1)
    bench.lines = [GOOD, replace(GOOD, user="other", address=None)]
    bench.auditor.ask_now()
    await bench.audits(2)
    assert bench.counts() == (2, 1)


@pytest.mark.parametrize(
    ("address", "level", "without_route"),
    [(None, "error", 1), ({**(GOOD.address or {}), "street": ""}, "warning", 0)],
)
async def test_a_line_without_route_is_an_error_and_a_faulty_address_a_warning(
    bench: Bench, address: dict[str, str] | None, level: str, without_route: int
) -> None:
    bench.lines = [GOOD, replace(GOOD, user="other", numbers=("+3281234567",), address=address)]
    bench.auditor.start()
    await bench.audits(1)
    assert bench.log.events == [
        (
            level,
            "emergency_audit",
            {"checked": 2, "without_route": without_route, "with_alarm": 1, "lines": ["+3281234567"]},
        )
    ]


async def test_the_log_names_few_and_the_worst_first(bench: Bench) -> None:
    faulty = {**(GOOD.address or {}), "street": ""}
    bench.lines = [replace(GOOD, user=f"u{n}", numbers=(f"+32161{n:05}",), address=faulty) for n in range(50)]
    bench.lines.append(replace(GOOD, address=None))
    bench.auditor.start()
    await bench.audits(1)
    (facts,) = bench.log.facts("emergency_audit")
    assert (facts["with_alarm"], len(facts["lines"]), facts["lines"][0]) == (51, 20, GOOD.number)


async def test_others_have_their_turn_between_two_lines(bench: Bench) -> None:
    bench.lines = [replace(GOOD, user=f"u{n}") for n in range(40)]
    bench.auditor.start()
    turns = 0
    while not bench.levels():
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 40


async def test_a_failure_is_told_and_the_next_audit_is_held(bench: Bench) -> None:
    bench.broken = True
    bench.auditor.start()
    await until(lambda: bench.log.facts("emergency_audit_failed"))
    assert bench.log.events == [
        ("error", "emergency_audit_failed", {"error": "RuntimeError('no setup')"}),
    ]
    assert bench.counts() is None
    bench.broken = False
    bench.auditor.ask_now()
    await bench.audits(1)


async def test_closing_ends_it_in_the_middle(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.auditor.close()  # never started
    monkeypatch.setattr(module, "PAUSE_S", 60)
    bench.auditor.start()
    await asyncio.sleep(0)
    await bench.auditor.close()
    assert bench.log.events == []
