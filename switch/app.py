"""The composition root: configuration to core to sockets, and the way down again. No decision about calls
is made here."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from operator import attrgetter
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from switch import configuration as configured
from switch.call.charging import month_before
from switch.call.help import setup_of
from switch.call.reasons import REASONS
from switch.configuration import Configuration, settings_of
from switch.core import Switch
from switch.net.auditor import Auditor
from switch.net.clock import SystemClock, SystemEntropy
from switch.net.driver import Driver
from switch.net.fraud_log import first_seen, measures_in_force
from switch.net.hep import Hep
from switch.net.http import HttpListener
from switch.net.journal import Journal
from switch.net.metrics import AppCollector
from switch.net.operator import OperatorError, OperatorListener
from switch.net.relays import RelayPool
from switch.net.resolver import Resolver
from switch.net.status import status_of
from switch.net.store import Store
from switch.net.strain import Strain
from switch.net.streams import PlainChannel, StreamLimits, StreamListener
from switch.net.tls import Certificates, TlsError
from switch.net.trace import Trace, messages_of
from switch.net.udp import UdpListener
from switch.net.webhook import Webhook
from switch.net.websocket import WebSocketChannel
from switch.ports import (
    NS_PER_MS,
    NS_PER_S,
    Address,
    CallAnswered,
    EndCall,
    EndLine,
    Entropy,
    JournalState,
    LiftBans,
    LiftMeasures,
    Listener,
    Note,
    RelayDied,
    RelayMessage,
    StopCalls,
    Strained,
)

SWEEP_EVERY_S = 0.5
GOODBYE_S = 2.0
"""How long the last BYEs may take when the switch stops."""

LIFTED_WITHIN_S = 2.0
"""How long an operator who lifts measures waits for the disk."""

AT_START = (
    "sip.listen",
    "sip.realm",
    "sip.advertised_host",
    "sip.user_agent",
    "sip.connections",
    "sip.nonce_ttl_s",
    "sip.t1_ms",
    "sip.t2_ms",
    "sip.t4_ms",
    "media.ports",
    "media.relays",
    "store",
    "admin",
    "notices",
    "trace.hep",
    "log",
)
"""What of the configuration is read once, at start: changed by a reload, it waits for a restart."""


class App:
    """One running switch. `start` raises OSError, StoreError or RuntimeError when a resource is not to be
    had."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        log: Any,
        *,
        clock: SystemClock | None = None,
        entropy: Entropy | None = None,
    ) -> None:
        self.configuration = configuration
        self.store = store
        self.log = log
        self.clock = clock or SystemClock()
        self.http_port = 0
        self.listeners: list[UdpListener | StreamListener] = []
        self.certificates: Certificates | None = None
        kept = configuration.config.trace
        self.trace = Trace(kept.keep_s, kept.most_mib << 20)
        self.hep: Hep | None = None
        self.core: Switch
        self.driver: Driver
        self.journal: Journal
        self._entropy = entropy or SystemEntropy()
        self._relays = RelayPool(self._on_relay)
        self.webhook: Webhook | None = None
        self.auditor: Auditor | None = None
        self._resolver: Resolver | None = None
        self._http: HttpListener | None = None
        self._operator: OperatorListener | None = None
        self._strain: Strain | None = None
        self._sweep_task: asyncio.Task[None] | None = None
        self._stopping = False

    # --- up -------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; on failure take down what was up already."""
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise

    async def _start(self) -> None:
        config = self.configuration.config
        handlers = {
            "ping": self._do_ping,
            "status": self._do_status,
            "calls": self._do_calls,
            "registrations": self._do_registrations,
            "end": self._do_end,
            "end_line": self._do_end_line,
            "forward": self._do_forward,
            "lift": self._do_lift,
            "bans": self._do_bans,
            "unban": self._do_unban,
            "trace": self._do_trace,
            "reload": self._do_reload,
            "reload_lines": self._do_reload_lines,
        }
        self._operator = OperatorListener(handlers)
        await self._operator.start(self.store.path.parent / config.admin.socket)
        if config.sip.tls is not None:
            self.certificates = Certificates(*self._tls_files(), asks=config.sip.tls.carriers_prove)
        for listen in config.sip.listen:
            self.listeners.append(self._bind(Listener(listen.transport, Address(listen.host, listen.port))))
        await self._relays.start(config.media.relays)
        self.journal = Journal(
            self.store,
            queue_max=config.store.queue_max,
            commit_s=config.store.commit_ms / 1000,
            now=self.clock.moment,
            on_full=self._on_journal_full,
            log=self.log,
            on_notice=self._on_notice,
        )
        lines = await self.store.lines()
        self.core = Switch(settings_of(self.configuration), lines, self._entropy, self.clock.moment())
        if (server := config.trace.hep) is not None:
            self.hep = Hep(Address(server.host, server.port), server.capture_id)
        self.driver = Driver(
            self.core,
            clock=self.clock,
            senders={Listener(one.transport, one.address): one for one in self.listeners},
            journal=self.journal,
            relay=self._relays.send,
            note=self._on_note,
            trace=self.trace,
            hep=self.hep,
            hold_s=config.store.hold_ms / 1000,
        )
        bindings, orphans = await self.store.bindings(), await self.store.running_calls()
        month = self._oldest_month(orphans)
        uses, crossed = await self.store.uses(month), await self.store.thresholds(month)
        helped, services = await self._helped_lately(), await self.store.services()
        measures, seen = await measures_in_force(self.store), await first_seen(self.store)
        self.journal.start()
        alive = await self.store.alive()
        self.core.restore(bindings, orphans, alive, uses, crossed, helped, services, measures, seen)
        self.driver.settle()
        if orphans:
            self.log.warning("calls_ended_by_restart", calls=len(orphans))
        for listener in self.listeners:
            tls = config.sip.tls if listener.transport == "tls" else None
            proven = tls is not None and tls.carriers_prove
            await listener.start(
                self.driver.feed, self.core.peer_of, self.core.carrier_of if proven else None
            )
        self._resolver = Resolver(self.core.trunks.names_to_resolve, self.driver.feed, self._entropy.below)
        self._resolver.start()
        registry = CollectorRegistry()
        registry.register(AppCollector(self))
        self._http = HttpListener(registry, self._why_not_ready)
        self.http_port = await self._http.start(config.admin.host, config.admin.port)
        self._sweep_task = asyncio.get_running_loop().create_task(self._sweep(), name="sweep")
        self._strain = Strain(
            [one for one in self.listeners if isinstance(one, UdpListener)], self._on_strain
        )
        self._strain.start()
        if config.notices.webhook is not None:
            secret = config.notices.secret
            self.webhook = Webhook(
                self.store,
                url=config.notices.webhook,
                secret=secret.get_secret_value().encode() if secret is not None else None,
                log=self.log,
                now=self.clock.moment,
                chance=self._entropy.below,
            )
            self.webhook.start()
        self.auditor = Auditor(
            lines=lambda: self.core.lines.by_user.values(),
            setup=lambda: setup_of(self.core.settings),
            now=self.clock.moment,
            log=self.log,
        )
        self.auditor.start()
        gc.collect()
        gc.freeze()  # tariffs and code are for ever; the collector need not look at them again
        gc.set_threshold(50_000, 20, 50)
        self.log.info(
            "started",
            listen=[f"{one.transport} {one.address.host}:{one.address.port}" for one in self.listeners],
            lines=len(lines),
            bindings=len(bindings),
            metrics=f"http://{config.admin.host}:{self.http_port}/metrics",
        )

    def _bind(self, listener: Listener) -> UdpListener | StreamListener:
        """Bind one address of `sip.listen`."""
        transport, address = listener
        if transport == "udp":
            return UdpListener.bind(address)
        told = self.configuration.config.sip.connections
        limits = StreamLimits(told.most, told.most_per_host, told.message_s, told.idle_s)
        certificates = self.certificates
        return StreamListener.bind(
            listener,
            limits,
            channel=WebSocketChannel if transport in ("ws", "wss") else PlainChannel,
            server_tls=certificates.server if certificates and transport in ("tls", "wss") else None,
            client_tls=certificates.client if certificates and transport == "tls" else None,
        )

    def _tls_files(self) -> tuple[Path, Path, Path | None]:
        """Certificate, key and whom we believe, as they lie on disk."""
        tls, directory = self.configuration.config.sip.tls, self.configuration.directory
        assert tls is not None
        trust = directory / tls.trust if tls.trust is not None else None
        return directory / tls.certificate, directory / tls.key, trust

    async def _helped_lately(self) -> list[tuple[str, int]]:
        """The lines that called for help within a day, and when that call ended: more than any call-back
        window needs."""
        since_ms = self.clock.moment().wall_ns // NS_PER_MS - 86_400_000
        return [
            (call["account"], (call["at_ms"] + call["released_ms"]) * NS_PER_MS)
            for call in await self.store.emergency_calls(since_ms)
            if call["account"]
        ]

    def _oldest_month(self, orphans: Iterable[CallAnswered]) -> str:
        """The first month whose balances matter: last month's, or that of a call which a restart ended."""
        calendar = self.configuration.tariffs.calendar
        now_ns = self.clock.moment().wall_ns
        months = [month_before(calendar.month_at(now_ns // NS_PER_S)[0])]
        months += [calendar.month_at(orphan.answered.wall_ns // NS_PER_S)[0] for orphan in orphans]
        return min(months)

    # --- down -----------------------------------------------------------------------------------------------

    async def stop(self) -> bool:
        """Take no more calls, let the running ones end or end them, write every record; False when some
        could not be written. A second call while waiting ends the wait."""
        if self._stopping:
            self.driver.feed(StopCalls(end=True, emergency=True))
            return True
        self._stopping = True
        calls = self.configuration.config.calls
        self.log.info("stopping", calls=len(self.core.calls))
        self.driver.feed(StopCalls(end=calls.stop == "end"))
        await self._until(lambda: not self.core.calls, calls.stop_wait_s)
        self.driver.feed(StopCalls(end=True, emergency=True))
        await self._until(lambda: not self.core.endpoint.dialogs, GOODBYE_S)
        written = await self._close()
        self.log.info("stopped", written=written)
        return written

    async def _until(self, done: Any, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not done() and loop.time() < deadline:
            await asyncio.sleep(0.05)

    async def _close(self) -> bool:
        for part in (self._http, self._resolver, self.webhook, self.auditor):
            if part is not None:
                await part.close()
        if self._strain is not None:
            await self._strain.close()
        if self._sweep_task is not None:
            self._sweep_task.cancel()
            await asyncio.gather(self._sweep_task, return_exceptions=True)
        for listener in self.listeners:
            await listener.close()
        await self._relays.close()
        if hasattr(self, "driver"):
            self.driver.close()
        if self.hep is not None:
            self.hep.close()
        written = await self.journal.close(timeout_s=30) if hasattr(self, "journal") else True
        if self._operator is not None:
            await self._operator.close()
        return written

    # --- reload ---------------------------------------------------------------------------------------------

    async def reload(self) -> list[str]:
        """Take over a changed configuration for new calls; its faults when it has any, and then nothing
        changes."""
        directory = self.configuration.directory
        fresh, faults = await asyncio.to_thread(configured.load, directory)
        if fresh is None:
            for fault in faults:
                self.log.error("configuration_fault", fault=fault)
            self.log.error("reload_refused", faults=len(faults))
            return faults
        for key in AT_START:
            value_of = attrgetter(key)
            if value_of(self.configuration.config) != value_of(fresh.config):
                self.log.warning("needs_restart", key=key)
        self.configuration = fresh
        if fresh.config.sip.tls is not None and self.certificates is not None:
            try:
                self.certificates.load(*self._tls_files())
            except TlsError as error:
                self.log.error("certificate_refused", fault=str(error))  # the one in use stays
        self.core.replace_settings(settings_of(fresh))
        self.trace.replace(fresh.config.trace.keep_s, fresh.config.trace.most_mib << 20)
        self.driver.settle()
        if self._resolver is not None:
            self._resolver.ask_now()
        await self.reload_lines()
        if self.auditor is not None:
            self.auditor.ask_now()
        self.log.info("reloaded")
        return []

    async def reload_lines(self) -> int:
        """Read the lines from the database again."""
        lines = await self.store.lines()
        self.core.replace_lines(lines, self.clock.moment())
        self.driver.settle()
        return len(lines)

    # --- the operator's socket ------------------------------------------------------------------------------

    async def _do_ping(self, _request: Mapping[str, Any]) -> str:
        return "pong"

    async def _do_status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        return status_of(self, self._why_not_ready())

    async def _do_calls(self, _request: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.core.view_calls(self.clock.moment())

    async def _do_registrations(self, _request: Mapping[str, Any]) -> list[dict[str, Any]]:
        return self.core.view_registrations(self.clock.moment())

    async def _do_end(self, request: Mapping[str, Any]) -> str:
        call_id = str(request.get("call_id"))
        if call_id not in self.core.calls:
            raise OperatorError(f"no call {call_id} is running")
        self.driver.feed(EndCall(call_id))
        return call_id

    async def _do_end_line(self, request: Mapping[str, Any]) -> str:
        user = str(request.get("user"))
        self.driver.feed(EndLine(user))
        return user

    async def _do_forward(self, request: Mapping[str, Any]) -> str:
        name, number, ring_s = str(request.get("line")), str(request.get("number")), request.get("ring_s")
        lines = self.core.lines
        line = lines.by_user.get(name) or lines.by_number.get(name)
        if line is None:
            raise OperatorError(f"there is no line {name}")
        seconds = ring_s if isinstance(ring_s, int) else None
        condition = str(request.get("condition"))
        why = self.core.set_forward(line, condition, number, seconds, self.clock.moment())
        self.driver.settle()
        if why is not None:
            raise OperatorError(f"{why.verdict}: {REASONS[why.verdict].text}")
        return line.number

    async def _do_lift(self, request: Mapping[str, Any]) -> int:
        """How much was taken back; by then it is on disk, if that is not too slow."""
        user = str(request.get("user"))
        count = len(self.core.fraud.measures.of(user))
        self.driver.feed(LiftMeasures(user, str(request.get("by"))))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.journal.flush(), LIFTED_WITHIN_S)
        return count

    async def _do_bans(self, _request: Mapping[str, Any]) -> list[dict[str, Any]]:
        bans = self.core.bans.view(self.clock.moment())
        self.driver.settle()
        return bans

    async def _do_trace(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        calls = request.get("calls")
        names = [str(call) for call in calls] if isinstance(calls, list) else []
        return await asyncio.to_thread(messages_of, self.trace.copy(self.clock.moment()), names)

    async def _do_unban(self, request: Mapping[str, Any]) -> int:
        source, user = str(request.get("source") or ""), str(request.get("user") or "")
        try:
            host = str(ip_address(source.partition("/")[0])) if source else ""
        except ValueError:
            raise OperatorError(f"{source} is no address") from None
        before = len(await self._do_bans({}))
        self.driver.feed(LiftBans(host, user))
        lifted = before - len(await self._do_bans({}))
        if source and not lifted:
            raise OperatorError(f"there is no ban of {f'{user} at ' if user else ''}{source}")
        return lifted

    async def _do_reload(self, _request: Mapping[str, Any]) -> str:
        faults = await self.reload()
        if faults:
            raise OperatorError("\n".join(faults))
        return "reloaded"

    async def _do_reload_lines(self, _request: Mapping[str, Any]) -> int:
        return await self.reload_lines()

    # --- what goes on ---------------------------------------------------------------------------------------

    def relay_stats(self) -> dict[str, int]:
        """The relays' own counters."""
        return self._relays.stats()

    def _why_not_ready(self) -> str:
        if self._stopping:
            return "stopping"
        if self.journal.full:
            return "journal full"
        if not self.journal.healthy:
            return "journal failing"
        return ""

    def _on_journal_full(self, full: bool) -> None:
        asyncio.get_running_loop().call_soon(self.driver.feed, JournalState(full))  # not from within a drain

    def _on_relay(self, message: list[Any]) -> None:
        kind = message[0]
        if kind == "died":
            self.log.error("relay_died", worker=message[1])
            self.driver.feed(RelayDied(message[1], len(self._relays.workers)))
        elif kind == "error":
            self.log.error("relay_error", error=message[1])
        elif kind in ("failed", "silent", "report"):
            detail = message[2:] if kind == "failed" else message[2] if len(message) > 2 else None
            self.driver.feed(RelayMessage(kind, message[1], detail))

    def _on_notice(self) -> None:
        if self.webhook is not None:
            self.webhook.wake()

    def _on_note(self, note: Note) -> None:
        levels = {
            "internal_error": self.log.error,
            "threshold": self.log.warning,
            "fraud": self.log.warning,
            "fraud_lifted": self.log.info,
            "ban": self.log.warning,
            "trunk_not_registered": self.log.warning,
            "trunk_registered": self.log.info,
        }
        levels.get(note.event, self.log.debug)(note.event, **note.facts)

    async def _sweep(self) -> None:
        """Forget what was said too long ago."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            self.trace.sweep(self.clock.moment())

    @property
    def loop_lag_s(self) -> float:
        """How late the event loop last ran: what everything else waits for, too."""
        return self._strain.lag_s if self._strain is not None else 0.0

    def _on_strain(self, strained: Strained) -> None:
        self.driver.feed(strained)
        self.log.warning("strained", now=strained.now, lag_s=round(self.loop_lag_s, 3))
