"""INVITEs that would start something (RFC 3261 section 13.3): the gate decides, and that is carried out.

A call is started, a service of the line carried out, a test call answered; what is refused is answered and
recorded, and spoken about where that is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from switch.call.admission import Admission, Refusal
from switch.call.announcement import Announcement
from switch.call.call import Call
from switch.call.context import CallContext
from switch.call.counted import UNPROVEN, line_name, trunk_name
from switch.call.features import Feature
from switch.call.gate import UNPAID, Gate, Service
from switch.call.reasons import REASONS, refusal
from switch.call.recording import refused
from switch.call.rehearsal import Rehearsal, is_test
from switch.call.reliable import RELIABLE
from switch.call.running import RunningCalls
from switch.call.selfcare import SelfCare
from switch.call.session_timer import too_brief
from switch.config.prompts import Prompt
from switch.malformed import Malformed
from switch.ports import NS_PER_MS, Append, CallEnded, CallerWithheld, Entropy, Flow, Moment
from switch.routing.door import Door
from switch.routing.identity import Denied, Identity
from switch.routing.lines import Line
from switch.routing.trunks import Trunks
from switch.settings import Settings
from switch.sip.endpoint import SUPPORTED, Endpoint
from switch.sip.headers import token_set
from switch.sip.message import SDP_TYPE, Fields, Request
from switch.sip.uri import bracketed, parse_name_addr, parse_uri

MOST_ANNOUNCEMENTS = 32
"""At a time; beyond, a refusal is only told by its status, so that nobody can take the media ports by being
refused."""


class Watching(Protocol):
    """Is told who fails to prove itself."""

    def digest_failed(self, user: str, host: str) -> None:
        """Somebody gave a wrong password in this name."""


class Reception:
    """Takes every INVITE outside a dialog. `settings` is replaced when the configuration is."""

    def __init__(
        self,
        *,
        settings: Settings,
        endpoint: Endpoint,
        entropy: Entropy,
        identity: Identity,
        gate: Gate,
        selfcare: SelfCare,
        trunks: Trunks,
        calls: RunningCalls,
        context: CallContext,
        watching: Watching,
        door: Door,
        journal_full: Callable[[], bool],
    ) -> None:
        self.settings = settings
        self._endpoint = endpoint
        self._entropy = entropy
        self._identity = identity
        self._gate = gate
        self._selfcare = selfcare
        self._trunks = trunks
        self._calls = calls
        self._context = context
        self._watching = watching
        self._door = door
        self._append = context.append
        self._sums = context.sums
        self._journal_full = journal_full
        self._rehearsing: set[str] = set()
        self._announcing: set[Announcement] = set()

    def __len__(self) -> int:
        """Announcements and test calls under way: 0 at rest."""
        return len(self._announcing) + len(self._rehearsing)

    @property
    def _now(self) -> Moment:
        return self._context.timers.now

    def receive(self, request: Request, flow: Flow) -> None:
        if is_test(request.uri):
            self._rehearse(request, flow)
            return
        service = self._gate.service_of(request.uri)
        calls_for_help = service is not None and service.is_emergency
        trunk = self._trunks.admitted_from(flow)
        from_centre = trunk is not None and trunk.settings.psap
        if not (calls_for_help or from_centre):  # R-EMG-05: none of these stops a call for help
            answer = _unacceptable(request)
            if answer is not None:
                self._door.stranger(flow, "request")
                self._endpoint.reply(request, flow, answer[0], fields=answer[1])
                return
        if calls_for_help and not _has_contact(request):
            host, port = flow.remote
            request.fields["Contact"] = [f"<sip:{bracketed(host)}:{port}>"]
        elif not request.values("Contact"):
            raise Malformed(400, "Missing Contact")
        match self._gate.admit(request, flow, self._now):
            case Refusal() as why:
                self._refuse(request, flow, why)
            case Service(line, feature):
                self._serve(line, feature, request, flow)
            case Admission() as admission:
                self._start(admission, request, flow)
            case unproven:
                if isinstance(unproven, Denied):
                    self._watching.digest_failed(self._identity.user_of(request), flow.remote.host)
                self._door.turn_away(request, flow, unproven, urgent=calls_for_help)

    def _start(self, admission: Admission, request: Request, flow: Flow) -> None:
        call = Call(self._context, self._entropy.token(96), admission)
        if admission.emergency and admission.line is not None:
            self._gate.help.callbacks.record(admission.line.user, self._now.wall_ns)
        if unpaid := call.links[0].reserve():
            self._refuse(request, flow, refusal(UNPAID[unpaid]))
            return
        self._calls.add(call, self._counted(admission))
        try:
            call.start(request, flow)
        except Malformed:
            self._calls.remove(call)
            call.links[0].release()
            raise
        self._selfcare.came_in(call.id, admission, self._now)
        if admission.restricted:
            at_ms = self._now.wall_ns // NS_PER_MS
            self._append(Append(CallerWithheld(call.id, admission.restricted, at_ms), hold=False))

    def _serve(self, line: Line, feature: Feature, request: Request, flow: Flow) -> None:
        """A feature code: do what it asks for, and say so."""
        name, why = self._selfcare.carry_out(line, feature, self._now)
        if why is not None:
            self._refuse(request, flow, why)
            return
        self._record(request, flow, Refusal(200, f"feature-{feature.action}"), outcome="service")
        prompt = self.settings.prompts.find(name, line.language)
        if prompt is None or not self._say(prompt, None, request, flow):
            reply = self._endpoint.response(request, 480)  # it is done, and nobody is there to talk to
            self._endpoint.open_invite_server(request, flow).respond(reply)

    def _counted(self, admission: Admission) -> list[str]:
        """Whose limits a call counts towards; a call for help towards none."""
        if admission.emergency:
            return [UNPROVEN] if not admission.proven else []
        names = [line_name(line) for line in (admission.line, admission.callee) if line is not None]
        return [*names, trunk_name(admission.trunk)] if admission.trunk else names

    def _refuse(self, request: Request, flow: Flow, refusal: Refusal) -> None:
        """An attempt that goes nowhere is answered through a transaction, so that a repeated INVITE makes
        one record."""
        self._sums.refusals[refusal.verdict] += 1
        self._record(request, flow, refusal, outcome="refused")
        prompt = self._prompt(request, flow, refusal) if self.settings.announce else None
        if prompt is not None and self._say(prompt, refusal, request, flow):
            return
        transaction = self._endpoint.open_invite_server(request, flow)
        transaction.respond(self._endpoint.response(request, refusal.status, fields=refusal.fields))

    def _record(self, request: Request, flow: Flow, decision: Refusal, *, outcome: str) -> None:
        """What came to nothing is recorded, as long as records can be kept."""
        self._sums.outcomes[outcome, ""] += 1
        if self._journal_full():
            return
        trunk = self._trunks.admitted_from(flow)
        cdr = refused(
            self._entropy.token(96),
            request,
            decision,
            self._now,
            line=self._caller_of(request, flow) if trunk is None else None,
            trunk=trunk.settings.name if trunk is not None else "",
            outcome=outcome,
        )
        self._context.traced(cdr.call_id, request.call_id)
        self._append(Append(CallEnded(cdr), hold=False))

    def _prompt(self, request: Request, flow: Flow, refusal: Refusal) -> Prompt | None:
        """What a refusal is explained with to a line of ours, in its language."""
        reason = REASONS.get(refusal.verdict)
        if reason is None or not reason.prompt or self._trunks.admitted_from(flow) is not None:
            return None
        line = self._caller_of(request, flow)
        return self.settings.prompts.find(reason.prompt, line.language) if line is not None else None

    def _say(self, prompt: Prompt, refusal: Refusal | None, request: Request, flow: Flow) -> bool:
        """Say something to a caller before he is refused, or to confirm what he asked for; whether there was
        room for that."""
        if len(self._announcing) >= MOST_ANNOUNCEMENTS or not request.sdp:
            return False
        announcement = Announcement(
            self._endpoint,
            self._context.anchor(),
            prompt=prompt,
            refusal=refusal,
            ended=lambda: self._announcing.discard(announcement),
        )
        self._announcing.add(announcement)
        try:
            terms = self._context.terms(flow, "", urgent=False)
            announcement.begin(request, flow, self._entropy.token(64), terms)
        except Malformed:
            self._announcing.discard(announcement)
            raise
        return True

    def _caller_of(self, request: Request, flow: Flow) -> Line | None:
        line = self._identity.lines.admitted_from(flow.remote.host)
        return line or self._identity.lines.by_user.get(self._identity.user_of(request))

    def _rehearse(self, request: Request, flow: Flow) -> None:
        """A phone rehearses a call for help: it is told what would happen, and nobody is called
        (R-EMG-11)."""
        line = self._identity.identify(request, flow, self._now)
        if not isinstance(line, Line):
            self._door.turn_away(request, flow, line, denied=404)
        elif line.user in self._rehearsing:
            self._endpoint.reply(request, flow, 486)
        else:
            text = self._gate.help.rehearse(request.uri, line, self._now)
            if text is None:
                self._endpoint.reply(request, flow, 404)
                return
            tag, user = self._entropy.token(64), line.user
            self._rehearsing.add(user)
            try:
                Rehearsal(
                    self._endpoint,
                    request,
                    flow,
                    tag=tag,
                    text=text,
                    ended=lambda: self._rehearsing.discard(user),
                )
            except Malformed:
                self._rehearsing.discard(user)
                raise
            self._sums.test_calls += 1


def _has_contact(request: Request) -> bool:
    """Whether it says where its sender is reached."""
    try:
        parse_uri(parse_name_addr(request.values("Contact")[0]).uri)
    except (Malformed, IndexError):
        return False
    return True


def unsupported(request: Request, *known: str) -> Fields:
    """What a 420 names (RFC 3261 section 8.2.2.3); nothing where only what is `known` is required."""
    tags = token_set(request.rows("Require")) - frozenset(known) | token_set(request.rows("Proxy-Require"))
    return {"Unsupported": [", ".join(sorted(tags))]} if tags else {}


def _unacceptable(request: Request) -> tuple[int, Fields] | None:
    """Why an ordinary INVITE cannot be taken up, whoever sent it (RFC 3261 section 8.2)."""
    if fields := unsupported(request, SUPPORTED, RELIABLE):
        return 420, fields
    if fields := too_brief(request):
        return 422, fields
    if request.body and not request.sdp:
        return 415, {"Accept": [SDP_TYPE]}
    if "Content-Encoding" in request.fields and (request.get("Content-Encoding") or "").lower() != "identity":
        return 415, {"Accept-Encoding": ["identity"]}
    accept = request.rows("Accept")
    if accept and not any(
        kind in row.lower() for row in accept for kind in (SDP_TYPE, "*/*", "application/*")
    ):
        return 406, {}
    return None
