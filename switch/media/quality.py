"""A listening quality estimate from what the relay counted: the E-model (ITU-T G.107) with its defaults, for
G.711.

It is an estimate of one side's incoming stream: loss and jitter are measured at the relay, delay and the
codec's own impairment are assumed. Good for comparing calls and finding bad access lines, not for a
service-level quarrel.
"""

from __future__ import annotations

from collections.abc import Mapping

_BPL = 25.1  # packet-loss robustness of G.711 with concealment, ITU-T G.113 table I.4
_BASE_DELAY_MS = 50  # a network and play-out delay that a small office sees


def mos_x100(packets: int, lost: int, jitter_ms: int) -> int | None:
    """Mean opinion score times 100 (100 to 450), or None when there was no stream to judge."""
    expected = packets + max(0, lost)
    if packets < 10:
        return None
    loss_percent = 100 * max(0, lost) / expected
    delay_ms = _BASE_DELAY_MS + 2 * jitter_ms
    delay_impairment = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0)
    loss_impairment = 95 * loss_percent / (loss_percent + _BPL)
    r = max(0.0, 93.2 - delay_impairment - loss_impairment)
    mos = 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r)
    return round(100 * min(4.5, max(1.0, mos)))


def summary(sides: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int | None]]:
    """The relay's counts of each side with the estimate added."""
    return {
        name: {
            **counts,
            "mos_x100": mos_x100(counts.get("packets", 0), counts.get("lost", 0), counts.get("jitter_ms", 0)),
        }
        for name, counts in sides.items()
    }
