"""The real clock and the real chance, as the core wants them."""

from __future__ import annotations

import secrets
import time

from switch.ports import Moment


class SystemClock:
    """Both clocks of the machine, or wall time shifted to start at a chosen date (the lab)."""

    def __init__(self, shift_ns: int = 0) -> None:
        self._shift_ns = shift_ns

    def moment(self) -> Moment:
        """Both clocks now."""
        return Moment(time.monotonic_ns(), time.time_ns() + self._shift_ns)

    def wall_ns(self) -> int:
        """Wall time now."""
        return time.time_ns() + self._shift_ns


class SystemEntropy:
    """Chance from the operating system."""

    def token(self, bits: int) -> str:
        """Hexadecimal, so that it is a token everywhere."""
        return secrets.token_hex((bits + 7) // 8)

    def below(self, bound: int) -> int:
        """Uniform."""
        return secrets.randbelow(bound)
