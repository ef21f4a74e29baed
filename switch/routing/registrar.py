"""Bindings of lines to contacts (RFC 3261 section 10.3; Path of RFC 3327 is tolerated and kept).

A contact is reached over the flow it registered from, whatever its URI says, so phones behind NAT can be
called and a Contact pointing elsewhere sends nothing anywhere.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from switch.malformed import Malformed
from switch.ports import NS_PER_S, Address, Append, BindingRemoved, BindingSaved, Entropy, Flow, Moment
from switch.provision.devices import is_listed
from switch.routing.lines import Line
from switch.sip.headers import parse_small_number
from switch.sip.message import Request
from switch.sip.uri import parse_name_addr, parse_uri

FIXED_KINDS = frozenset({"desk", "dect"})
MAX_URI = 512
MOST_LEFT = 10_000
"""Phones remembered that lost their connection."""

REORDERED_NS = 32 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Binding:
    """One contact of a line. `q` is in thousandths; `expires_ns` on the wall clock, so that it survives a
    restart; `instance` is its `+sip.instance`, which only a REGISTER is asked for."""

    contact: str
    params: str
    call_id: str
    cseq: int
    q: int
    expires_ns: int
    flow: Flow
    device: str
    seen_ns: int = field(default=0, compare=False)
    instance: str = field(default="", compare=False)

    def state(self) -> dict[str, Any]:
        """What is stored, besides key and expiry."""
        return {
            "params": self.params,
            "call_id": self.call_id,
            "cseq": self.cseq,
            "q": self.q,
            "device": self.device,
            "seen_ns": self.seen_ns,
            "flow": [self.flow.transport, *self.flow.local, *self.flow.remote],
        }


@dataclass(frozen=True, slots=True)
class RegistrarLimits:
    """Expiry bounds and default in seconds; `listed_only`: desk and DECT lines are for their own devices
    (R-EQP-01)."""

    min_s: int = 60
    max_s: int = 3600
    default_s: int = 3600
    listed_only: bool = False
    spread_percent: int = 0
    """By how much an expiry is shortened at random, so that phones that came back together do not stay so."""


class UnlistedDevice(Malformed):
    """A desk or DECT line is not for this device."""

    def __init__(self) -> None:
        super().__init__(403, "Device Not Allowed")


class Registrar:
    """All bindings. Expired ones are dropped when their line is looked at and by `sweep`."""

    def __init__(self, limits: RegistrarLimits, entropy: Entropy, append: Callable[[Append], None]) -> None:
        self.limits = limits
        self._entropy = entropy
        self._append = append
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._over: dict[Flow, set[tuple[str, str]]] = {}
        """User and contact of the bindings over each connection."""
        self._left: OrderedDict[tuple[str, str], Flow] = OrderedDict()
        """The connection that a phone had and lost, by user and `_device_of`."""
        self.on_moved: Callable[[Line, Flow, Flow], None] = lambda _line, _old, _new: None
        """Told that a phone which was reached on one flow is reached on another now: its address has changed
        behind NAT, or its connection broke and it made a new one."""

    def register(self, line: Line, request: Request, flow: Flow, now: Moment) -> list[str]:
        """Carry out a REGISTER that has been authenticated and authorised; returns the Contact rows of the
        200.

        All or nothing (section 10.3 step 7).

        Raises:
            Malformed: 400 for bad contacts, 423 for too short an expiry, 403 for too many contacts,
                500 for a request out of order.
            UnlistedDevice: 403, a new contact of a device that is not rented for this line.

        """
        bindings = self._live(line.user, now)
        values = request.values("Contact")
        default_s = parse_small_number(request.get("Expires"), self.limits.default_s, 1 << 31)
        if "*" in values:
            if (
                len(values) > 1
                or request.get(
                    "Expires",
                )
                is None
                or default_s != 0
            ):
                raise Malformed(400, "Bad Contact")
            for binding in bindings.values():
                self._check_order(binding, request, now)
            for contact in list(bindings):
                self._remove(line.user, contact)
        else:
            changes = [self._change(bindings, value, default_s, request, flow, now) for value in values]
            self._check_devices(line, bindings, changes, request, now)
            kept = {change.contact for change in changes if change.expires_ns > now.wall_ns} | {
                contact for contact in bindings if contact not in {change.contact for change in changes}
            }
            while len(kept) > line.max_contacts and any(c.contact not in bindings for c in changes):
                stale = self._left_behind(bindings, kept, changes)
                if stale is None:
                    raise Malformed(403, "Too many contacts")
                kept.remove(stale)
                self._remove(line.user, stale)
            for change in changes:
                if change.expires_ns > now.wall_ns:
                    before = self._flow_before(line.user, change, bindings.get(change.contact))
                    self._save(line.user, change)
                    if before is not None and before != flow:
                        self.on_moved(line, before, flow)
                else:
                    self._remove(line.user, change.contact)
        return [self._row(binding, now) for binding in self.bindings(line.user, now)]

    def bindings(self, user: str, now: Moment) -> list[Binding]:
        """The live bindings of a line, best q first."""
        return sorted(self._live(user, now).values(), key=lambda binding: -binding.q)

    def everything(self, now: Moment) -> Iterable[tuple[str, Binding]]:
        """Every live binding with its line's user."""
        for user, bindings in self._bindings.items():
            for binding in bindings.values():
                if binding.expires_ns > now.wall_ns:
                    yield user, binding

    def is_reached_by(self, user: str, flow: Flow) -> bool:
        """Whether a contact of this line registered over this flow."""
        return any(binding.flow == flow for binding in self._bindings.get(user, {}).values())

    def owner_of(self, flow: Flow) -> str | None:
        """The user who registered over this flow. Looks at every binding: for calls whose sender says
        nothing useful."""
        for user in self._bindings:
            if self.is_reached_by(user, flow):
                return user
        return None

    def closed(self, flow: Flow) -> None:
        """A connection is over: nobody is reached over it any more (RFC 5626 section 4.2.2)."""
        for user, contact in self._over.pop(flow, set()).copy():
            binding = self._bindings.get(user, {}).get(contact)
            if binding is not None:
                self._left[user, _device_of(binding)] = flow
                if len(self._left) > MOST_LEFT:
                    self._left.popitem(last=False)
            self._remove(user, contact)

    def _flow_before(self, user: str, change: Binding, old: Binding | None) -> Flow | None:
        """Where the phone was reached till now, if it is the same one, not started anew."""
        left = self._left.pop((user, _device_of(change)), None)
        if old is not None:
            return old.flow if old.call_id == change.call_id else None
        return left

    def count(self) -> int:
        """How many bindings there are."""
        return sum(map(len, self._bindings.values()))

    def sweep(self, now: Moment) -> None:
        """Drop what has expired."""
        for user in list(self._bindings):
            self._live(user, now)

    def forget(self, users: Iterable[str]) -> None:
        """Lines that are gone take their bindings with them."""
        for user in users:
            for contact in list(self._bindings.get(user, ())):
                self._remove(user, contact)

    def restore(self, user: str, contact: str, expires_ns: int, state: dict[str, Any]) -> None:
        """Put back a stored binding at start."""
        transport, local_host, local_port, remote_host, remote_port = state["flow"]
        flow = Flow(transport, Address(local_host, local_port), Address(remote_host, remote_port))
        self._bindings.setdefault(user, {})[contact] = Binding(
            contact,
            state["params"],
            state["call_id"],
            state["cseq"],
            state["q"],
            expires_ns,
            flow,
            state["device"],
            state["seen_ns"],
        )

    def _change(
        self,
        bindings: dict[str, Binding],
        value: str,
        default_s: int,
        request: Request,
        flow: Flow,
        now: Moment,
    ) -> Binding:
        address = parse_name_addr(value)
        if len(address.uri) > MAX_URI or not value.isascii():
            raise Malformed(400, "Bad Contact")
        try:
            parse_uri(address.uri)
        except Malformed as error:
            raise Malformed(400, "Bad Contact") from error
        old = bindings.get(address.uri)
        if old is not None:
            self._check_order(old, request, now)
        expires_s = parse_small_number(address.params.get("expires"), default_s, 1 << 31)
        if 0 < expires_s < self.limits.min_s:
            raise Malformed(423, "Interval Too Brief")
        expires_s = self._spread(min(expires_s, self.limits.max_s))
        kept = "".join(
            f";{name}"
            if content is None
            else f';{name}="{content}"'
            if _needs_quotes(content)
            else f";{name}={content}"
            for name, content in address.params.items()
            if name != "expires"
        )
        return Binding(
            contact=address.uri,
            params=kept,
            call_id=request.call_id,
            cseq=request.cseq[0],
            q=_q_thousandths(address.params.get("q")),
            expires_ns=now.wall_ns + expires_s * NS_PER_S,
            flow=flow,
            device=(request.get("User-Agent") or "")[:64],
            seen_ns=now.wall_ns,
            instance=(address.params.get("+sip.instance") or ""),
        )

    def _spread(self, expires_s: int) -> int:
        """Up to so much less, but never less than what may be asked for."""
        most_s = min(expires_s * self.limits.spread_percent // 100, expires_s - self.limits.min_s)
        return expires_s - self._entropy.below(most_s + 1) if most_s > 0 else expires_s

    def _check_devices(
        self, line: Line, bindings: dict[str, Binding], changes: list[Binding], request: Request, now: Moment
    ) -> None:
        """R-EQP-01: only rented devices at the registered address; a softphone is meant to be elsewhere. What
        is bound already may be refreshed and ended: it was let in."""
        if not self.limits.listed_only or line.kind not in FIXED_KINDS:
            return
        agent = request.get("User-Agent") or ""
        for change in changes:
            new = change.contact not in bindings and change.expires_ns > now.wall_ns
            if new and not is_listed(line.devices, agent, change.instance):
                raise UnlistedDevice

    @staticmethod
    def _left_behind(bindings: dict[str, Binding], kept: set[str], changes: list[Binding]) -> str | None:
        """The oldest contact that the same device at the same host registered before it forgot it: a phone
        that restarts with another port would be locked out until its own former contact expires."""
        devices = {(change.flow.remote.host, change.device) for change in changes if change.device}
        own = [b for c, b in bindings.items() if c in kept and (b.flow.remote.host, b.device) in devices]
        own = [b for b in own if b.contact not in {change.contact for change in changes}]
        return min(own, key=lambda binding: binding.seen_ns).contact if own else None

    @staticmethod
    def _check_order(old: Binding, request: Request, now: Moment) -> None:
        """Section 10.3 step 7: within one Call-ID a lower CSeq comes from the past. After the life of a
        transaction it comes from a phone that restarted and counts from one again."""
        in_time = now.wall_ns - old.seen_ns < REORDERED_NS
        if in_time and old.call_id == request.call_id and request.cseq[0] <= old.cseq:
            raise Malformed(500, "Out of order")

    @staticmethod
    def _row(binding: Binding, now: Moment) -> str:
        seconds = -(-(binding.expires_ns - now.wall_ns) // NS_PER_S)
        return f"<{binding.contact}>{binding.params};expires={seconds}"

    def _live(self, user: str, now: Moment) -> dict[str, Binding]:
        bindings = self._bindings.get(user)
        if bindings is None:
            return {}
        for contact in [c for c, binding in bindings.items() if binding.expires_ns <= now.wall_ns]:
            self._remove(user, contact)
        return bindings

    def _save(self, user: str, binding: Binding) -> None:
        bindings = self._bindings.setdefault(user, {})
        self._unlink(user, bindings.get(binding.contact))
        bindings[binding.contact] = binding
        if binding.flow.reliable:
            self._over.setdefault(binding.flow, set()).add((user, binding.contact))
        self._append(
            Append(BindingSaved(user, binding.contact, binding.expires_ns, binding.state()), hold=False)
        )

    def _remove(self, user: str, contact: str) -> None:
        bindings = self._bindings.get(user)
        if bindings is not None and (binding := bindings.pop(contact, None)) is not None:
            self._unlink(user, binding)
            self._append(Append(BindingRemoved(user, contact), hold=False))
            if not bindings:
                del self._bindings[user]

    def _unlink(self, user: str, binding: Binding | None) -> None:
        """A binding leaves the connection that it was over."""
        if binding is None or (over := self._over.get(binding.flow)) is None:
            return
        over.discard((user, binding.contact))
        if not over:
            del self._over[binding.flow]


def _q_thousandths(text: str | None) -> int:
    """qvalue (RFC 3261 section 20.10) in thousandths; 1000 where it is absent or unreadable."""
    if text is None:
        return 1000
    whole, _, fraction = text.partition(".")
    if whole not in ("0", "1") or (fraction and not (fraction.isascii() and fraction.isdigit())):
        return 1000
    return min(1000, int(whole) * 1000 + int((fraction + "000")[:3]))


def _needs_quotes(text: str) -> bool:
    return not text or any(c in ' ,;="<>@()[]?/:\\{}' for c in text)


def _device_of(binding: Binding) -> str:
    """What tells one phone of a line from another on its next connection: its instance (RFC 5626 section
    4.1), or the Call-ID of its registrations, which no connection changes (RFC 3261 section 10.2)."""
    return binding.instance or binding.call_id
