"""The RTP ports at our disposal: even numbers, each standing for itself and the odd one above (RFC 3550
section 11)."""

from __future__ import annotations

from collections import deque

from switch.ports import Entropy


class PortPool:
    """First returned, last taken again, so that late packets of an ended call meet a closed port. The
    order is shuffled at the start: a stranger cannot guess which port comes next."""

    def __init__(self, first: int, last: int, entropy: Entropy) -> None:
        ports = list(range(first + first % 2, last, 2))
        for index in range(len(ports) - 1, 0, -1):
            other = entropy.below(index + 1)
            ports[index], ports[other] = ports[other], ports[index]
        self._free = deque(ports)
        self.size = len(ports)

    def take(self, count: int) -> list[int] | None:
        """`count` ports, or None when there are not that many."""
        if count > len(self._free):
            return None
        return [self._free.popleft() for _ in range(count)]

    def give(self, ports: list[int]) -> None:
        """Back into the pool."""
        self._free.extend(ports)

    @property
    def taken(self) -> int:
        """How many are in use."""
        return self.size - len(self._free)
