"""The switch as one object: an input and a moment in, orders out (see `switch.ports`).

`Switch` owns the tables and dispatches; it decides nothing about calls (`switch.call`), routes
(`switch.routing`) or SIP (`switch.sip`). It never waits, reads no clock and touches no socket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rating.charge import Use
from switch.call.admission import Refusal
from switch.call.call import Call
from switch.call.charging import Charging
from switch.call.context import CallContext
from switch.call.fraud_desk import FraudDesk
from switch.call.gate import Gate
from switch.call.help import HelpDesk, gateway_settings
from switch.call.recording import INTERWORKING_FAILURE, orphaned
from switch.call.running import RunningCalls
from switch.call.selfcare import SelfCare
from switch.call.sums import CallSums
from switch.config.prompts import RINGBACK, TONES
from switch.malformed import Malformed
from switch.media.anchor import Anchor
from switch.media.port_pool import PortPool
from switch.media.quality import summary
from switch.ports import (
    NS_PER_S,
    Address,
    Append,
    CallAnswered,
    CallEnded,
    Datagram,
    EndCall,
    EndLine,
    Entropy,
    FirstSeen,
    Flow,
    FlowClosed,
    FlowFailed,
    Input,
    JournalState,
    LiftBans,
    LiftMeasures,
    LineMeasure,
    Listener,
    MediaMeasured,
    Moment,
    Note,
    Order,
    Relay,
    RelayDied,
    RelayMessage,
    StopCalls,
    Strained,
    TargetsResolved,
    ThresholdCrossed,
    Traced,
    Transmit,
)
from switch.reception import Reception, unsupported
from switch.registration import Registration
from switch.routing.bans import Bans
from switch.routing.door import Door
from switch.routing.identity import Identity
from switch.routing.lines import Line, LineTable
from switch.routing.overload import Overload
from switch.routing.registrar import Registrar
from switch.routing.services import ServiceTable
from switch.routing.trunks import Trunks
from switch.settings import Settings
from switch.sip.dialog import Dialog
from switch.sip.endpoint import ALLOW, SUPPORTED, Endpoint
from switch.sip.message import SDP_TYPE, Request
from switch.sip.uri import parse_uri
from switch.timers import TimerQueue

_SWEEP_NS = 30 * NS_PER_S
PREEMPTION = 8
"""Q.850: the circuit was needed for a more urgent call."""

PREEMPTED = 'preemption;cause=5;text="Network Preemption"'
"""The same as RFC 4411 has it."""


class Switch:
    """The whole switch, without its clock, its chance and its sockets."""

    def __init__(
        self, settings: Settings, lines: Iterable[Line], entropy: Entropy, now: Moment, *, shuffle: Any = None
    ) -> None:
        self.settings = settings
        self.timers = TimerQueue(now, shuffle)
        self.entropy = entropy
        self.sums = CallSums()
        self.calls = RunningCalls(self._on_ended)
        self.counters: Counter[str] = Counter()
        self._next_session = 0
        self._journal_full = False
        self._stopping = False
        self._appends: list[Order] = []
        self._relays: list[Order] = []
        self._transmits: list[Order] = []
        self._notes: list[Order] = []
        self.endpoint = Endpoint(
            timers=self.timers,
            timing=settings.timing,
            entropy=entropy,
            send=self._transmit,
            advertised=settings.advertised,
            user_agent=settings.user_agent,
        )
        self.endpoint.user = self
        self.lines = LineTable.of(lines)
        self.bans = Bans(settings.bans, spared=self._is_trusted, start=self.timers.start, note=self._note)
        self.identity = Identity(
            realm=settings.realm,
            nonce_ttl_s=settings.nonce_ttl_s,
            algorithms=settings.algorithms,
            entropy=entropy,
            lines=self.lines,
            bans=self.bans,
        )
        self.overload = Overload(settings.overload, entropy)
        self.door = Door(
            self.endpoint,
            self.identity,
            self.bans,
            self.overload,
            is_for_help=self._is_for_help,
            is_centre=self._is_centre,
        )
        self.registrar = Registrar(settings.registrar, entropy, self._append)
        self.registrar.on_moved = self._on_moved
        self.fraud = FraudDesk(
            rules=settings.fraud,
            holidays=settings.tariffs.calendar.holidays,
            timers=self.timers,
            sums=self.sums,
            calls=self.calls,
            append=self._append,
            note=self._note,
            table=lambda: self.lines,
        )
        self.registration = Registration(self.endpoint, self.identity, self.registrar, self.door, self.fraud)
        self.trunks = Trunks(settings.trunks, self.endpoint, settings.listen, entropy, self._note)
        self.pool = PortPool(*settings.media_ports, entropy)
        self.charging = Charging(
            tariffs=settings.tariffs,
            timers=self.timers,
            sums=self.sums,
            append=self._append,
            note=self._note,
        )
        self.gateways = Trunks(
            gateway_settings(settings), self.endpoint, settings.listen, entropy, self._note
        )
        self.services = ServiceTable(self._append)
        self.gate = self._new_gate(settings)
        self.selfcare = SelfCare(self.gate, self.services, self._append, self.fraud.forward_set)
        self._context = CallContext(
            endpoint=self.endpoint,
            timers=self.timers,
            entropy=entropy,
            anchor=self._new_anchor,
            append=self._append,
            note=self._note,
            traced=self._traced,
            make_room=self._make_room,
            charging=self.charging,
            gate=self.gate,
            services=self.services,
            trunks=self.trunks,
            tables=self.calls,
            sums=self.sums,
            observer=self.fraud,
            warned_sides=settings.limits.warned_sides,
            ringback=ringback_of(settings),
            srtp=settings.media.srtp,
        )
        self.reception = Reception(
            settings=settings,
            endpoint=self.endpoint,
            entropy=entropy,
            identity=self.identity,
            gate=self.gate,
            selfcare=self.selfcare,
            trunks=self.trunks,
            calls=self.calls,
            context=self._context,
            watching=self.fraud,
            door=self.door,
            journal_full=lambda: self._journal_full,
        )
        self.timers.start(_SWEEP_NS, self._sweep)

    def _new_gate(self, settings: Settings) -> Gate:
        """The gate, with its desk for calls for help."""
        help_desk = HelpDesk(
            settings=settings,
            identity=self.identity,
            registrar=self.registrar,
            gateways=self.gateways,
            running=self.calls.count,
        )
        return Gate(
            settings=settings,
            help_desk=help_desk,
            token=lambda: self.entropy.token(96),
            identity=self.identity,
            registrar=self.registrar,
            trunks=self.trunks,
            services=self.services,
            charging=self.charging,
            running=self.calls.count,
            closed=self._closed,
        )

    # --- the boundary ---------------------------------------------------------------------------------------

    def receive(self, event: Input, now: Moment) -> None:
        """One input. A fault of ours while handling it is noted; the switch lives on."""
        self.timers.now = now
        try:
            self._receive(event)
            self.fraud.settle()
        except Exception as error:
            self._internal_error(error)

    def _receive(self, event: Input) -> None:
        match event:
            case Datagram():
                flow, data = event.flow, event.data
                if self.bans.shut and self.door.ignores(flow, data):
                    return
                if self.overload.limits and self.door.puts_off(flow, data):
                    return
                self.endpoint.receive(flow, data)
            case FlowFailed():
                self.counters["send_failed"] += 1
                self.endpoint.flow_failed(event.data)
            case FlowClosed():
                self.registrar.closed(event.flow)
                self.endpoint.flow_closed(event.flow)
            case RelayMessage():
                self._on_relay(event)
            case RelayDied():
                self._on_relay_died(event)
            case TargetsResolved():
                self.trunks.resolved(event.trunk, event.targets)
            case Strained():
                self.overload.strained = event.now
            case JournalState():
                self._journal_full = event.full
            case EndCall():
                call = self.calls.get(event.call_id)
                if call is not None:
                    call.end("operator")
            case EndLine():
                line = self.lines.by_user.get(event.user)
                for call in self.calls.of_line(line) if line is not None else ():
                    if not call.admission.urgent:
                        call.end("line-ended")
            case LiftMeasures():
                self.fraud.lift(event.user, event.by)
                self.bans.forgive([event.user])  # its phone has failed as long as the line was blocked
            case LiftBans():
                self.bans.lift(event.host, event.user)
            case StopCalls():
                self._stopping = True
                for call in self.calls:
                    if event.emergency or (event.end and not call.admission.emergency):
                        call.end("shutdown")

    def advance(self, now: Moment) -> None:
        """Let every timer fire that is due."""
        self.timers.now = now
        while (fire := self.timers.pop_due()) is not None:
            try:
                fire()
                self.fraud.settle()
            except Exception as error:
                self._internal_error(error)

    def next_deadline(self) -> int | None:
        """The monotonic instant at which `advance` is wanted next."""
        return self.timers.next_deadline()

    def drain(self) -> list[Order]:
        """The orders since the last time: journal first, then relay, then datagrams, then notes."""
        if self._appends or self._relays or self._notes:
            orders = [*self._appends, *self._relays, *self._transmits, *self._notes]
            self._appends, self._relays, self._transmits, self._notes = [], [], [], []
            return orders
        orders, self._transmits = self._transmits, []
        return orders

    # --- replacing what the switch works with ---------------------------------------------------------------

    def replace_lines(self, lines: Iterable[Line], now: Moment) -> None:
        """A new set of lines. Running calls keep their plan and options, but what a line may do holds for
        them at once (R-RAT-05); registrations of lines that are gone end."""
        self.timers.now = now
        old = self.lines
        self.lines = LineTable.of(self.fraud.effective(lines))
        self.identity.lines = self.lines
        self.fraud.forget(user for user in old.by_user if user not in self.lines.by_user)
        self.bans.forgive(
            user
            for user, line in old.by_user.items()
            if user in self.lines.by_user and self.lines.by_user[user].account != line.account
        )
        gone = [user for user in old.by_user if (line := self.lines.by_user.get(user)) is None or line.gone]
        renewed = [user for user, line in old.by_user.items() if line.secret_out and not self._is_out(user)]
        self.registrar.forget(gone + renewed)
        self.services.forget(gone)
        self.charging.replace_lines(self.lines.by_user)

    def _is_out(self, user: str) -> bool:
        """Whether a line's secret is believed no more."""
        line = self.lines.by_user.get(user)
        return line is not None and line.secret_out

    def set_forward(
        self, line: Line, condition: str, number: str, ring_s: int | None, now: Moment
    ) -> Refusal | None:
        """An operator has the calls of a line forwarded; None when that is done."""
        self.timers.now = now
        why = self.selfcare.forward(line, condition, number, ring_s, now)
        self.fraud.settle()
        return why

    def replace_settings(self, settings: Settings) -> None:
        """A new configuration for new calls. Listen addresses, realm and media ports need a restart;
        `switch.app` says so."""
        self.settings = self.reception.settings = settings
        self.gate.replace_settings(settings)
        self._context.ringback = ringback_of(settings)
        self.gateways.replace(gateway_settings(settings))
        self.charging.tariffs = settings.tariffs
        self.fraud.replace_rules(settings.fraud, settings.tariffs.calendar.holidays)
        self._context.warned_sides = settings.limits.warned_sides
        self._context.srtp = settings.media.srtp
        self.identity.algorithms = settings.algorithms
        self.registrar.limits = settings.registrar
        self.bans.replace(settings.bans)
        self.overload.replace(settings.overload)
        self.trunks.replace(settings.trunks)

    def restore(
        self,
        bindings: Iterable[tuple[str, str, int, dict[str, Any]]],
        orphans: Iterable[CallAnswered],
        alive: Moment,
        uses: Iterable[tuple[str, Use]] = (),
        crossed: Iterable[ThresholdCrossed] = (),
        helped: Iterable[tuple[str, int]] = (),
        services: Iterable[tuple[str, Mapping[str, Any]]] = (),
        measures: Iterable[LineMeasure] = (),
        seen: Iterable[FirstSeen] = (),
    ) -> None:
        """Take up after a restart: bindings go on; balances are what was settled (`uses`, by account); calls
        that were running are ended on both sides and recorded up to the last sign of life of the switch
        (`alive`), with the flag `restart`. `helped` are the lines that called for help lately, and when
        (R-EMG-09); `services` is what subscribers have set, `measures` what was done to lines for fraud,
        `seen` what they were seen with."""
        self.fraud.restore(measures, seen)
        self.gate.help.callbacks.restore(helped)
        self.services.restore(services)
        self.charging.restore(uses, crossed, self.lines.by_user)
        for user, contact, expires_ns, state in bindings:
            transport, *local = state["flow"][:3]  # of a connection nothing is left
            reachable = transport == "udp" and Listener("udp", Address(*local)) in self.settings.listen
            if user in self.lines.by_user and reachable:
                self.registrar.restore(user, contact, expires_ns, state)
                self.bans.proved(Address(*state["flow"][3:5]), user, self.timers.now.mono_ns)
        self.registrar.sweep(self.timers.now)
        orphans = list(orphans)
        charges = self.charging.charge_orphans(orphans, alive)
        ended: set[tuple[str, str]] = set()
        for orphan in orphans:
            line = self.lines.by_number.get(orphan.pending.line)
            if orphan.pending.emergency and line is not None:
                self.gate.help.callbacks.record(line.user, self.timers.now.wall_ns)
            for side in orphan.dialogs:
                self._end_orphan(side, ended)
            charge = charges.get(orphan.call_id)
            uses_of_it = charge.uses if charge is not None else ()
            cdr = orphaned(orphan, alive, charge)
            account = orphan.paid_by.account if orphan.paid_by is not None else ""
            self._append(Append(CallEnded(cdr, account, uses_of_it), hold=False))

    def _end_orphan(self, side: Mapping[str, Any], ended: set[tuple[str, str]]) -> None:
        """Hang up on one side; the links of one call share theirs."""
        if side["dialog"] is None:
            return
        transport, local_host, local_port, remote_host, remote_port = side["flow"]
        local = Address(local_host, local_port)
        if Listener(transport, local) in self.settings.listen:
            flow = Flow(transport, local, Address(remote_host, remote_port))
            dialog = Dialog.restored(side["dialog"])
            if (dialog.call_id, dialog.local_tag) in ended:
                return
            ended.add((dialog.call_id, dialog.local_tag))
            dialog.local_cseq += 100  # re-INVITEs since the answer are not known here
            self.endpoint.request(
                dialog.request("BYE", fields={"Reason": [f"Q.850;cause={INTERWORKING_FAILURE}"]}), flow
            )

    # --- requests outside dialogs ---------------------------------------------------------------------------

    def on_request(self, request: Request, flow: Flow) -> None:
        """A new request (`switch.sip.endpoint.EndpointUser`)."""
        try:
            if request.method == "INVITE":
                self.reception.receive(request, flow)
            elif request.method == "REGISTER":
                self.registration.receive(request, flow)
            elif request.method == "OPTIONS":
                self._on_options(request, flow)
            elif request.method == "REFER":
                self.endpoint.reply(request, flow, 403)  # R-POL-11: only who is in a call transfers it
            else:  # BYE and INFO outside a dialog
                self.door.stranger(flow, "request")
                self.endpoint.reply(request, flow, 481)
        except Malformed as error:
            self.door.stranger(flow, "unparsable")
            self.endpoint.reply(request, flow, error.status, reason=error.reason)

    def _on_options(self, request: Request, flow: Flow) -> None:
        """A keep-alive or a question for what we can do (RFC 3261 section 11)."""
        self.door.stranger(flow, "request")
        if fields := unsupported(request):
            self.endpoint.reply(request, flow, 420, fields=fields)
            return
        parse_uri(request.uri)
        self.endpoint.reply(
            request,
            flow,
            200,
            fields={"Allow": [ALLOW], "Accept": [SDP_TYPE], "Supported": [f"path, {SUPPORTED}"]},
        )

    # --- relays ---------------------------------------------------------------------------------------------

    def _on_relay(self, message: RelayMessage) -> None:
        call = self.calls.of_session(message.session)
        match message.kind:
            case "silent" if call is not None:
                call.media_silent(self.settings.media.silence_ms)
            case "failed" if call is not None:
                self.counters["relay_failed"] += 1
                call.media_failed(message.session)
            case "report":
                call_id = self.calls.reported(message.session)
                if call_id is not None and message.detail:
                    streams = message.detail
                    media = {
                        str(number): summary({"caller": sides[0], "callee": sides[1]})
                        for number, sides in enumerate(streams)
                    }
                    self._append(Append(MediaMeasured(call_id, media), hold=False))

    def _on_relay_died(self, event: RelayDied) -> None:
        """Its sessions are gone; another process takes its place, and there they are opened anew."""
        for call in self.calls:
            call.media_restarted(event.worker, event.workers)
        self.calls.relay_died(event.worker, event.workers)

    # --- what calls use -------------------------------------------------------------------------------------

    def _on_moved(self, line: Line, old: Flow, new: Flow) -> None:
        """A phone is reached elsewhere now, and so are its calls (RFC 5626 section 4.3)."""
        for call in self.calls.of_line(line):
            call.move(old, new)

    def _new_anchor(self) -> Anchor:
        self._next_session += 1
        return Anchor(self._next_session, self.pool, self.settings.media, self.entropy, self._relay)

    def _make_room(self, line: Line | None) -> bool:
        """End the youngest ordinary call of this line, else of the switch, for one to the emergency services
        (R-EMG-04). False when there is none to end."""
        ordinary = [call for call in self.calls if not call.admission.urgent and call.anchor.open]
        own = [call for call in ordinary if line is not None and call.admission.line is line]
        if not ordinary:
            return False
        (own or ordinary)[-1].end("preempted", cause=PREEMPTION, reason=PREEMPTED)
        return True

    def _on_ended(self, call: Call) -> None:
        if call.admission.emergency and call.admission.line is not None:
            self.gate.help.callbacks.record(call.admission.line.user, self.timers.now.wall_ns)

    def _closed(self) -> str:
        """Why no ordinary call is taken now; '' when it is."""
        if self._stopping:
            return "stopping"
        if self._journal_full:
            return "journal-full"
        if len(self.calls) >= self.settings.limits.max_calls:
            return "switch-calls"
        return ""

    def _transmit(self, flow: Flow, data: bytes) -> None:
        self._transmits.append(Transmit(flow, data))

    def _append(self, order: Append) -> None:
        self._appends.append(order)

    def _relay(self, order: Relay) -> None:
        self._relays.append(order)

    def _note(self, order: Note) -> None:
        if order.event == "internal_error":  # of a call or of the switch as a whole
            self.counters["internal_error"] += 1
        self._notes.append(order)

    def _traced(self, call_id: str, sip_call_id: str) -> None:
        self._notes.append(Traced(call_id, sip_call_id))

    def _is_for_help(self, uri: str) -> bool:
        """Whether a Request-URI asks for an emergency service, with a code before the number or without."""
        service = self.gate.service_of(uri)
        return service is not None and service.is_emergency

    def _is_centre(self, flow: Flow) -> bool:
        """Whether a flow is that of an emergency centre that calls back (R-EMG-09)."""
        trunk = self.trunks.admitted_from(flow)
        return trunk is not None and trunk.settings.psap

    def _is_trusted(self, host: str) -> bool:
        """Whether no ban is for this host: a carrier, a gateway to a centre, a customer's own equipment."""
        return (
            self.lines.admitted_from(host) is not None or self.trunks.is_at(host) or self.gateways.is_at(host)
        )

    def carrier_of(self, flow: Flow) -> str:
        """The host name of the carrier whose calls come on a flow; '' when it is none's."""
        trunk = self.trunks.admitted_from(flow)
        return trunk.settings.host if trunk is not None else ""

    def peer_of(self, flow: Flow) -> tuple[Address, str] | None:
        """Where a connection is to be made for a flow that has none (`Trunks.peer_of`): the switch makes none
        but to carriers and gateways."""
        return self.trunks.peer_of(flow) or self.gateways.peer_of(flow)

    def _sweep(self) -> None:
        self.registrar.sweep(self.timers.now)
        self.bans.sweep(self.timers.now.mono_ns)
        self.charging.sweep()
        self.calls.sweep()
        self.fraud.look()
        self.timers.start(_SWEEP_NS, self._sweep)

    def _internal_error(self, error: Exception) -> None:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else ""
        self._note(Note("internal_error", {"error": type(error).__name__, "place": place}))

    # --- views ----------------------------------------------------------------------------------------------

    def view_calls(self, now: Moment) -> list[dict[str, Any]]:
        """Every link of every running call with its price at `now`."""
        self.timers.now = now
        return [row for call in self.calls for row in call.view(now)]

    def view_registrations(self, now: Moment) -> list[dict[str, Any]]:
        """Every live binding."""
        return [
            {
                "line": self.lines.by_user[user].number,
                "user": user,
                "contact": binding.contact,
                "device": binding.device,
                "from": f"{binding.flow.remote.host}:{binding.flow.remote.port}",
                "expires_s": (binding.expires_ns - now.wall_ns) // NS_PER_S,
            }
            for user, binding in self.registrar.everything(now)
            if user in self.lines.by_user
        ]

    def sizes(self) -> dict[str, int]:
        """How much state there is; all of it but bindings and lines is 0 when nothing goes on."""
        return {
            **self.endpoint.sizes(),
            "calls": len(self.calls),
            "announcements": len(self.reception),
            "answered": self.calls.answered(),
            "relay_ports": self.pool.taken,
            "reservations": len(self.charging.ledger),
            "timers": len(self.timers),
            "bindings": self.registrar.count(),
            "lines": len(self.lines.by_user),
        }


def ringback_of(settings: Settings) -> str:
    """The recording of a ringing tone; '' for none."""
    prompt = settings.prompts.find(RINGBACK, TONES)
    return prompt.path if prompt is not None else ""
