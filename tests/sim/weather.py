"""What may go wrong in one run. The seed chooses which faults exist at all, then how bad they are; chances
are per mille."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Weather:
    """The faults of network, host and parties. The default is a calm day: 10 ms each way and nothing lost."""

    delay_ms: tuple[int, int] = (10, 10)
    loss: int = 0
    twice: int = 0
    send_fails: int = 0
    """A datagram that the host's own kernel refuses: the core is told."""
    commit_ms: tuple[int, int] = (2, 2)
    stalls: int = 0
    """A journal write that takes seconds, by chance of each write."""
    queue_max: int = 10_000
    relay_ms: tuple[int, int] = (1, 1)
    relay_fails: int = 0
    relay_mute: int = 0
    """A relay that never sends the report of a closed session."""
    relay_deaths: int = 0
    restarts: int = 0
    clock_steps: int = 0
    reloads: int = 0
    """A new configuration and a new set of lines while calls run."""
    operator: int = 0
    """Calls that an operator ends."""
    strains: int = 0
    """How often more comes in than the switch says it can do."""
    max_rate: int = 0
    relay_pairs: int = 500
    rude: int = 0
    """Parties that misbehave: no ACK, no answer to BYE, dropping dead in mid-call."""


CALM = Weather()

Draw = Callable[[Random], dict[str, Any]]

FAULTS: dict[str, Draw] = {
    "jitter": lambda r: {"delay_ms": (1, r.choice([40, 300, 900]))},
    "loss": lambda r: {"loss": r.choice([20, 100, 250])},
    "twice": lambda r: {"twice": r.choice([30, 200])},
    "send-fails": lambda r: {"send_fails": r.choice([10, 60])},
    "slow-disk": lambda r: {"commit_ms": (1, r.choice([50, 400])), "stalls": r.choice([0, 30])},
    "full-disk": lambda r: {"stalls": 80, "queue_max": 4},
    "relay-fails": lambda r: {"relay_fails": r.choice([30, 200])},
    "relay-mute": lambda r: {"relay_mute": 100},
    "relay-deaths": lambda r: {"relay_deaths": r.randint(1, 2)},
    "restarts": lambda r: {"restarts": r.randint(1, 3)},
    "clock-steps": lambda r: {"clock_steps": r.randint(1, 4)},
    "reloads": lambda r: {"reloads": r.randint(1, 4)},
    "operator": lambda r: {"operator": r.randint(1, 6)},
    "strain": lambda r: {"strains": r.randint(1, 4), "max_rate": r.choice([0, 1, 1])},
    "few-ports": lambda r: {"relay_pairs": r.choice([4, 8])},
    "rude-parties": lambda r: {"rude": r.choice([50, 250])},
}


def forecast(random: Random) -> tuple[Weather, list[str]]:
    """The weather of a seed, and the names of its faults."""
    names = [name for name in FAULTS if random.random() < 0.3]
    weather = CALM
    for name in names:
        weather = replace(weather, **FAULTS[name](random))
    return weather, names
