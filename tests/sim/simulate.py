"""One run: a storm with the faults of its seed, then calm weather until everything has come to rest, then the
books."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

from rating.calendar import BRUSSELS
from switch.media.anchor import MediaSettings
from switch.ports import NS_PER_S, EndCall, LiftMeasures, Strained
from switch.routing.overload import OverloadSettings
from switch.sdp.terms import Srtp
from switch.settings import CallLimits
from tests.sim import bills
from tests.sim.auditor import Auditor
from tests.sim.traffic import Traffic
from tests.sim.weather import CALM, forecast
from tests.sim.witness import Witness
from tests.sim.world import MEDIA_HOST, START_WALL_S, World, tables, with_bundle


def local_s(text: str) -> int:
    """The UTC second of a Belgian local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).timestamp())


STORM_MS = 60_000
LULL_MS = 8_000
"""When everything that was going on has come to an end, and nobody has hung up for that."""
CALM_MS = 200_000
LIMITS = CallLimits(ring_ns=20 * NS_PER_S, no_answer_ns=30 * NS_PER_S, max_s=30)
STARTS_S = (
    START_WALL_S,  # Tuesday morning, peak
    local_s("2026-11-24 15:59:35"),
    local_s("2026-11-25 07:59:35"),
    local_s("2026-11-30 23:59:35"),  # a month ends
    local_s("2026-12-31 23:59:35"),  # and a year
    local_s("2027-03-28 01:59:35"),  # summer time begins
    local_s("2026-10-25 02:59:35"),  # and ends
    local_s("2027-03-29 10:00:00"),  # Easter Monday
)
BUNDLES_S = (0, 7, 25, 60, 120_000)
CHOICES = ("none", "none", "0.05", "0.20", "0.60")
"""Caps, in euros with VAT."""
MEDIA = MediaSettings({4: MEDIA_HOST}, {4: MEDIA_HOST}, silence_ms=12_000, srtp=Srtp.ACCEPT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a seed. `trace` is every datagram in order, `mark` its checksum."""

    seed: int
    faults: tuple[str, ...]
    problems: tuple[str, ...]
    calls: int
    answered: int
    datagrams: int
    world: World

    @property
    def mark(self) -> str:
        """The same for the same trace."""
        seen = hashlib.blake2b(digest_size=8)
        for hop in self.world.network.hops:
            seen.update(f"{hop.at_ns} {hop.source} {hop.target} {hop.fate}".encode() + hop.data)
        for cdr in self.world.cdrs:
            seen.update(repr(cdr).encode())
        return seen.hexdigest()


def simulate(seed: int, **changes: Any) -> Verdict:
    """Run one seed to its end; `changes` replace some of the switch's settings."""
    random = Random(f"weather {seed}")
    weather, faults = forecast(random)
    bundle_s = random.choice(BUNDLES_S)
    world = World(
        seed,
        weather,
        shuffle=True,
        start_wall_s=random.choice(STARTS_S),
        caps={user: random.choice(CHOICES) for user in ("alice", "bob", "carol", "office")},
        papers=[user for user in ("alice", "bob", "carol", "office") if random.random() < 0.4],
        tariffs=with_bundle(tables()[0], bundle_s),
        limits=LIMITS,
        media=MEDIA,
        overload=OverloadSettings(weather.max_rate),
        **changes,
    )
    auditor, witness = Auditor(world), Witness(world)
    traffic = Traffic(world, random)
    world.machine.start()
    keys = Random(f"keys {seed}")
    for party in world.parties.values():
        party.srtp = bool(party.password) and keys.random() < 0.4
    traffic.start(random.randint(6, 18), STORM_MS)
    for at_ms in _moments(random, weather.restarts):
        world.later(at_ms * NS_PER_S // 1000, lambda: _cut(world, auditor, random))
    for at_ms in _moments(random, weather.clock_steps):
        world.later(
            at_ms * NS_PER_S // 1000, lambda: world.step_clock(random.choice([-7200, -3, 2, 600, 30_000]))
        )
    for at_ms in _moments(random, weather.relay_deaths):
        world.later(at_ms * NS_PER_S // 1000, world.machine.kill_relay)
    for at_ms in _moments(random, weather.reloads):
        world.later(at_ms * NS_PER_S // 1000, lambda: _reload(world, random))
    for at_ms in _moments(random, weather.operator):
        world.later(at_ms * NS_PER_S // 1000, lambda: _end_some_call(world, random))
    for at_ms in _moments(random, weather.strains):
        world.later(at_ms * NS_PER_S // 1000, lambda: world.machine.feed(Strained(True)))
        world.later((at_ms + 3000) * NS_PER_S // 1000, lambda: world.machine.feed(Strained(False)))
    world.run(STORM_MS)
    world.blow(CALM)
    while world.machine.core is None:
        world.run(1000)
    world.run(LULL_MS)
    witness.check_talks()
    for _ in range(CALM_MS // 10_000):
        traffic.calm_down()
        world.run(10_000)
    world.run_until(lambda: not world.sizes()["clients"])
    auditor.check()
    auditor.problems += bills.problems(world, bundle_s=bundle_s)
    auditor.check_rest()
    cdrs = world.cdrs
    return Verdict(
        seed,
        tuple(faults),
        tuple(dict.fromkeys([*auditor.problems, *witness.check()])),
        len(cdrs),
        sum(1 for cdr in cdrs if cdr.answered_ms is not None),
        len(world.network.hops),
        world,
    )


def _moments(random: Random, count: int) -> Iterator[int]:
    return (random.randint(3000, STORM_MS - 1000) for _ in range(count))


def _cut(world: World, auditor: Auditor, random: Random) -> None:
    """The power goes, and comes back a little later."""
    if world.machine.core is None:
        return
    auditor.check_sums()
    world.machine.kill()
    world.later(random.randint(10, 4000) * NS_PER_S // 1000, world.machine.start)


def _reload(world: World, random: Random) -> None:
    """The same configuration read again, and lines of which one may have gone or have come back, and another
    may do less than before, or all again; what was done to that one for fraud is lifted."""
    core = world.machine.core
    if core is not None:
        gone = random.choice(["", "alice", "bob", "carol"])
        changed = random.choice(["alice", "bob", "carol", "office"])
        state = random.choice(["active", "limited", "restricted", "suspended"])
        core.replace_settings(world.machine.settings)
        world.machine.feed(LiftMeasures(changed, "operator"))
        world.machine.replace_lines(
            replace(line, state=state) if line.user == changed else line
            for line in world.machine.lines
            if line.user != gone
        )


def _end_some_call(world: World, random: Random) -> None:
    core = world.machine.core
    if core is not None and core.calls:
        world.machine.feed(EndCall(random.choice(list(core.calls)).id))
