"""What a running switch says of itself to its operator: how it is, what is wrong with it, what it counts."""

from __future__ import annotations

from typing import Any

from switch.core import Switch
from switch.net.metrics import Observed
from switch.routing.trunks import Trunk


def status_of(app: Observed, why_not_ready: str) -> dict[str, Any]:
    """Sizes, readiness, and by name what carriers, gateways, bans, measures against fraud and the last audit
    of calls for help are like. `audit` is empty before the first one has ended; `sums` only grow, until a
    restart."""
    core = app.core
    bans, audit = core.bans.counts(), app.auditor.last if app.auditor is not None else None
    return {
        **core.sizes(),
        "ready": why_not_ready or "ready",
        "queued": app.journal.queued,
        "strained": core.overload.strained,
        "trunks": {trunk.name: _state(trunk) for trunk in core.trunks.all()},
        "gateways": {way.name.removeprefix("gateway "): _state(way) for way in core.gateways.all()},
        "bans": {
            state: sum(count for (_, of), count in bans.items() if of == state)
            for state in ("slowed", "ignored")
        },
        "fraud": {action.value: count for action, count in core.fraud.measures.counts().items()},
        "audit": {
            "checked": audit.checked,
            "without_route": audit.without_route,
            "with_alarm": len(audit.findings),
        }
        if audit is not None
        else {},
        "sums": _sums(core),
    }


def _state(trunk: Trunk) -> str:
    """`down`, `unregistered` where only our registration is missing, else `up` or `registered`."""
    if not trunk.answers:
        return "down"
    if not trunk.settings.register_s:
        return "up"
    return "registered" if trunk.registered else "unregistered"


def _sums(core: Switch) -> dict[str, int]:
    """Attempts at calls, REGISTERs with those that were only challenged, and whatever was refused or put
    off, since the start."""
    refused = (core.sums.refusals, core.registration.refused, core.overload.refused)
    return {
        "attempts": sum(core.sums.outcomes.values()) + core.calls.links(),
        "registers": core.endpoint.counters["request_REGISTER"],
        "refused": sum(sum(counts.values()) for counts in refused),
    }
