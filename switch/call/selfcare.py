"""What a subscriber does for his line: forwardings, anonymous callers, marking a malicious call.

Phones do it with feature codes, operators with `belswitch forward`; both come here, and a forwarding is held
against the rules when it is set as it is again when it is used (R-POL-02).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from switch.call.admission import Admission, Refusal
from switch.call.features import Feature
from switch.call.gate import UNPAID, Ask, Gate
from switch.call.policy import Origin
from switch.call.reasons import refusal
from switch.ports import NS_PER_MS, Append, CallMarked, Moment
from switch.routing.lines import Line
from switch.routing.services import CONDITIONS, ServiceTable

MARKED_WITHIN_NS = 24 * 3600 * 1_000_000_000
"""How long after it came a call can be marked."""

_NOT_PAID = frozenset(UNPAID.values())


@dataclass(frozen=True, slots=True)
class Incoming:
    """The last call that came to a line: what a mark of it will say."""

    call_id: str
    number: str
    withheld: bool
    trunk: str
    at: Moment


class SelfCare:
    """Carries out what subscribers ask for. `last` has the latest call of each line that was called since the
    start; a restart forgets them."""

    def __init__(
        self,
        gate: Gate,
        services: ServiceTable,
        append: Callable[[Append], None],
        forward_set: Callable[[Line, str], None],
    ) -> None:
        """`forward_set` is told of every forwarding that is set, by line and number."""
        self._forward_set = forward_set
        self._gate = gate
        self._services = services
        self._append = append
        self._last: dict[str, Incoming] = {}

    def came_in(self, call_id: str, admission: Admission, now: Moment) -> None:
        """A call comes to a line."""
        if admission.callee is not None:
            number = admission.restricted or admission.caller
            self._last[admission.callee.user] = Incoming(
                call_id, number, admission.withheld, admission.trunk, now
            )

    def carry_out(self, line: Line, feature: Feature, now: Moment) -> tuple[str, Refusal | None]:
        """Do what a feature code asks for: the name of the prompt that confirms it, and why not where it is
        refused."""
        why: Refusal | None = None
        prompt = "service-on"
        match feature.action:
            case "forward":
                prompt = "forward-set"
                why = self.forward(line, feature.condition, feature.number, feature.ring_s, now)
            case "forward-nothing":
                prompt = "forward-removed"
                why = self.forward(line, feature.condition, "", None, now)
            case "reject-anonymous" | "take-anonymous":
                rejects = feature.action == "reject-anonymous"
                prompt = "service-on" if rejects else "service-off"
                self.reject_anonymous(line, rejects)
            case "mark":
                prompt = "call-marked"
                why = self._mark(line, now)
            case _:
                why = refusal("feature-unknown")
        return prompt, why

    def forward(
        self, line: Line, condition: str, number: str, ring_s: int | None, now: Moment
    ) -> Refusal | None:
        """Have the calls of a line forwarded on a condition, to nobody with an empty `number`; None when that
        is done."""
        if condition not in (*CONDITIONS, "all"):
            return refusal("feature-unknown")
        target = ""
        if number:
            priced = self._gate.decide(Ask(Origin.FORWARD, line, number, line.number), now)
            if isinstance(priced, Refusal) and priced.verdict not in _NOT_PAID:
                return priced
            destination = self._gate.classify(number)
            if isinstance(destination, Refusal):
                return destination
            target = destination.number
            if target in line.numbers:
                return refusal("diversion-loop")
        self._services.set(line.user, self._services.of(line.user).forwarding(condition, target, ring_s))
        if target:
            self._forward_set(line, target)
        return None

    def reject_anonymous(self, line: Line, rejects: bool) -> None:
        """Take calls of people who do not show their number, or refuse them."""
        self._services.set(line.user, replace(self._services.of(line.user), reject_anonymous=rejects))

    def _mark(self, line: Line, now: Moment) -> Refusal | None:
        """R-MAL-01: keep who called last, whether he wanted to be known or not."""
        last = self._last.get(line.user)
        if last is None or now.mono_ns - last.at.mono_ns > MARKED_WITHIN_NS:
            return refusal("feature-impossible")
        entry = CallMarked(
            last.call_id,
            line.user,
            line.number,
            last.number,
            last.withheld,
            last.trunk,
            last.at.wall_ns // NS_PER_MS,
            now.wall_ns // NS_PER_MS,
        )
        self._append(Append(entry, hold=False))
        return None
