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


class SystemEntropy:
    """Chance from the operating system, fetched some kilobytes at a time: a system call for each token
    would cost more than all else that a token is for."""

    BLOCK = 4096

    def __init__(self) -> None:
        self._hex = ""
        self._at = 0

    def token(self, bits: int) -> str:
        """Hexadecimal, so that it is a token everywhere."""
        length = -(-bits // 4)
        if self._at + length > len(self._hex):
            self._hex, self._at = secrets.token_hex(self.BLOCK), 0
        start, self._at = self._at, self._at + length
        return self._hex[start : self._at]

    def below(self, bound: int) -> int:
        """Uniform."""
        return secrets.randbelow(bound)
