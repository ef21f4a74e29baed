"""So many a second, and no more."""

from __future__ import annotations

from switch.ports import NS_PER_S


class Bucket:
    """Tokens that come at `rate` a second; what one second brings is kept."""

    __slots__ = ("_full_ns", "_token_ns")

    def __init__(self, rate: int) -> None:
        self._token_ns = NS_PER_S // rate
        self._full_ns = 0
        """When it would be full again."""

    def holds(self, now_ns: int) -> bool:
        """Whether there is a token."""
        return self._full_ns + self._token_ns - now_ns <= NS_PER_S

    def take(self, now_ns: int) -> bool:
        """Take a token, if there is one."""
        if not self.holds(now_ns):
            return False
        self._full_ns = max(self._full_ns, now_ns) + self._token_ns
        return True
