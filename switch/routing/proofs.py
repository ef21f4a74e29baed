"""Who proved lately that it is a phone of ours: sources, and the ports of them that a right digest came from.

Behind NAT a port is a phone, so the right ones can be told from a wrong one in the same office.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from switch.ports import Address

MOST_PROOFS = 100_000
"""Sources that are remembered, and as many ports; the oldest go first."""

FRESH = 64
"""A proof is renewed after this part of the time it lasts: most are none the newer for it."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Proofs:
    """Right digests within the last `lasts_ns`. Every instant is monotonic nanoseconds."""

    def __init__(self, lasts_ns: int) -> None:
        self.lasts_ns = lasts_ns
        self._homes: OrderedDict[str, int] = OrderedDict()
        self._ports: OrderedDict[Address, tuple[int, str]] = OrderedDict()

    def add(self, source: str, port: Address, user: str, now_ns: int) -> None:
        """A right digest of `user` came from there."""
        _renew(self._homes, source, now_ns)
        _renew(self._ports, port, (now_ns, user))

    def is_fresh(self, port: Address, user: str, now_ns: int) -> bool:
        """Whether the last one came so lately that another need not be added."""
        proof = self._ports.get(port)
        return proof is not None and now_ns - proof[0] < self.lasts_ns // FRESH and proof[1] == user

    def revoke(self, port: Address) -> None:
        """A wrong one did, of whatever user: whoever is on this port has to prove himself again."""
        self._ports.pop(port, None)

    def is_home(self, source: str, now_ns: int) -> bool:
        """Whether there is a phone of ours behind a source."""
        proved_ns = self._homes.get(source)
        return proved_ns is not None and now_ns - proved_ns < self.lasts_ns

    def holds(self, port: Address, now_ns: int, user: str | None = None) -> bool:
        """Whether there is one on this very port, of that user if one is named."""
        proof = self._ports.get(port)
        if proof is None or now_ns - proof[0] >= self.lasts_ns:
            return False
        return user is None or proof[1] == user

    def sweep(self, now_ns: int) -> None:
        """Forget what is old."""
        old_ns = now_ns - self.lasts_ns
        while self._homes and next(iter(self._homes.values())) < old_ns:
            self._homes.popitem(last=False)
        while self._ports and next(iter(self._ports.values()))[0] < old_ns:
            self._ports.popitem(last=False)

    def sizes(self) -> dict[str, int]:
        """How much is remembered."""
        return {"homes": len(self._homes), "ports": len(self._ports)}


def _renew(proofs: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    proofs[key] = value
    proofs.move_to_end(key)
    if len(proofs) > MOST_PROOFS:
        proofs.popitem(last=False)
