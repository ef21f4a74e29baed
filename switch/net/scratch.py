"""A switch that nobody drives, with what is configured and stored: for asking what would become of a call.

It decides as a running one would with the same lines, balances, registrations and services; nothing is ever
sent by it, and it writes nothing.
"""

from __future__ import annotations

from switch.call.charging import month_before
from switch.configuration import Configuration, settings_of
from switch.core import Switch
from switch.net.clock import SystemClock, SystemEntropy
from switch.net.resolver import resolve
from switch.net.store import Store
from switch.ports import NS_PER_S, Moment, TargetsResolved

HOUR_NS = 3600 * NS_PER_S


async def scratch(configuration: Configuration, store: Store, wall_ns: int | None = None) -> Switch:
    """The switch as it would be at `wall_ns` (UTC; now when None). Phones that are registered now are so then
    too; calls that run now do not."""
    present = SystemClock().moment()
    now = Moment(present.mono_ns, wall_ns if wall_ns is not None else present.wall_ns)
    core = Switch(settings_of(configuration), await store.lines(), SystemEntropy(), now)
    month, _ = configuration.tariffs.calendar.month_at(now.wall_ns // NS_PER_S)
    bindings = [
        (user, contact, now.wall_ns + HOUR_NS, state)
        for user, contact, expires_ns, state in await store.bindings()
        if expires_ns > present.wall_ns
    ]
    core.restore(
        bindings,
        (),
        now,
        await store.uses(month_before(month)),
        await store.thresholds(month_before(month)),
        services=await store.services(),
    )
    for lookup in core.trunks.names_to_resolve():
        core.receive(TargetsResolved(lookup.trunk, await resolve(lookup, SystemEntropy().below)), now)
    core.drain()
    return core
