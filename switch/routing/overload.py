"""More than can be done: which new calls and registrations are put off, before they cost anything.

A rate that is configured has a bucket of tokens, one for each new call. A fifth of them is kept for hosts
that have begun no call in the last seconds: so a flood from one host takes from others nothing but the rest.
While the switch is *strained*, which the shell finds by its backlog, only that fifth is given out, and
registrations come in at a steady rate. Calls for help, and whatever belongs to a call or transaction that
lives, are never asked about here (`switch.routing.door`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from switch.ports import NS_PER_S, Entropy
from switch.routing.bucket import Bucket

UNBOUND_RATE = 100
"""Calls a second that the shares are reckoned from where no rate is configured."""

REGISTER_RATE = 200
"""Registrations a second while the switch is strained; a small office has a thousand phones, once."""

QUIET_NS = 2 * NS_PER_S
MOST_HOSTS = 4096


@dataclass(frozen=True, slots=True)
class OverloadSettings:
    """`max_rate`: new calls a second; 0: as many as come."""

    max_rate: int = 0


class Overload:
    """Gives out tokens. `strained` is set by whoever sees the backlog."""

    def __init__(self, settings: OverloadSettings, entropy: Entropy) -> None:
        self.strained = False
        self.refused = {"INVITE": 0, "REGISTER": 0}
        self._entropy = entropy
        self._recent: OrderedDict[str, int] = OrderedDict()
        self._registers = Bucket(REGISTER_RATE)
        self.replace(settings)

    def replace(self, settings: OverloadSettings) -> None:
        """New settings; the buckets begin full."""
        rate = settings.max_rate or UNBOUND_RATE
        self._bounded = settings.max_rate > 0
        self._kept = Bucket(max(rate // 5, 1))
        self._common = Bucket(rate - rate // 5)

    @property
    def limits(self) -> bool:
        """Whether there is anything to ask."""
        return self.strained or self._bounded

    def refuses(self, method: str, host: str, *, proven: bool, now_ns: int) -> int:
        """The seconds after which a new INVITE or REGISTER from `host` may come again; 0: it is taken now.

        What proves nothing yet (`proven`) takes no token, as the one that does is to follow.
        """
        if method == "INVITE":
            taken = self._takes_call(host, proven, now_ns)
        else:
            bucket = self._registers
            taken = not self.strained or (bucket.take(now_ns) if proven else bucket.holds(now_ns))
        if taken:
            return 0
        self.refused[method] += 1
        return 5 + self._entropy.below(26) if method == "REGISTER" else 1 + self._entropy.below(4)

    def _takes_call(self, host: str, proven: bool, now_ns: int) -> bool:
        quiet = now_ns - self._recent.get(host, now_ns - QUIET_NS) >= QUIET_NS
        buckets = [] if self.strained else [self._common]
        if quiet:
            buckets.append(self._kept)
        if not proven:
            return any(bucket.holds(now_ns) for bucket in buckets)
        if not any(bucket.take(now_ns) for bucket in buckets):
            return False
        self._recent[host] = now_ns
        self._recent.move_to_end(host)
        if len(self._recent) > MOST_HOSTS:
            self._recent.popitem(last=False)
        return True
