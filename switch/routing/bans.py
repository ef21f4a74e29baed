"""Bans: whoever fails digest, tries many users or floods is slowed and then ignored, until it fades.

Points are counted in two places. By **source and user**: a wrong digest is a point. A request without
credentials and one with a stale nonce are none, so a first REGISTER never counts, and the right digest wipes
the score. By **source**: a point for every user that was tried there in vain, parts of one for challenges
nobody answers, for what cannot be parsed and for what is dropped in a flood. A source with a phone of ours
behind it (its digest was right lately) gets no such points: an office behind NAT with one wrong phone loses
that user's registration and nothing else. IPv6 sources are a /64.

From `points` on answers are late, one at a time; from twice as many none are given. Users that do not exist
are counted like those that do. Beside that every source has a bucket of tokens: a request takes one, proof
gives back what it took; out of an empty bucket only phones that proved themselves on that very port are
served. Nothing here stops a call for help nor a running call: that is seen to by `switch.routing.door`.

All is kept in memory and bounded, and nothing of it survives a restart: bans fade within the hour anyway,
and whoever goes on is banned again in seconds.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeVar

from switch.ports import NS_PER_MS, NS_PER_S, Address, Moment, Note
from switch.routing.proofs import Proofs
from switch.routing.score import POINT, Score, Scores, State

MOST_SCORES = 10_000
"""Sources that are remembered, and as many pairs of source and user."""
MOST_OPEN = 20_000
"""Challenges that wait for their answer."""
LONGEST_USER = 64
"""Characters of a user that are told apart; no line's is longer."""

PATIENCE_NS = 4 * NS_PER_S
"""A challenge not answered by then was asked for to see whether the user exists; until then it may be one of
many on their way."""
UNTOUCHED = 4
"""Half-lives after which a calm score is forgotten."""
MOST_POINTS = 4
"""Times the limit: nobody collects more than fades in two half-lives."""
GIVEN_BACK = 2
"""Tokens that a proof is worth: those of the challenge and of its ACK."""

WEIGHT = {"users": POINT, "unanswered": POINT // 10, "unparsable": POINT // 2, "flood": POINT // 10}
"""What a source gets by rule; a rule not named here takes a token only."""

Pair = tuple[str, str]
_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class BanSettings:
    """When to slow and to ignore whom. `trusted` networks are never limited. `points` slow, twice as many
    ignore. `rate` requests a second without proof, and `burst` at once, may come from one source. `proof_ns`
    is how long after a right digest a phone counts as being there."""

    enabled: bool = True
    trusted: tuple[IPv4Network | IPv6Network, ...] = ()
    points: int = 5
    half_life_ns: int = 600 * NS_PER_S
    delay_ns: int = NS_PER_S
    rate: int = 50
    burst: int = 1000
    proof_ns: int = 3660 * NS_PER_S


class _Challenges:
    """Those of one user at one source, since the first of them that is not answered."""

    __slots__ = ("count", "since_ns")

    def __init__(self, now_ns: int) -> None:
        self.since_ns = now_ns
        self.count = 1


class Bans:
    """Who is slowed and who is ignored. Every instant is monotonic nanoseconds.

    `shut` holds the sources of which datagrams may have to be dropped, `held` says whether any request may
    have to be: while both are empty there is nothing to ask.
    """

    def __init__(
        self,
        settings: BanSettings,
        *,
        spared: Callable[[str], bool],
        start: Callable[[int, Callable[[], None]], object],
        note: Callable[[Note], None],
    ) -> None:
        """`spared` knows the hosts that are never limited besides the trusted networks; `start` calls back
        after so many nanoseconds."""
        self.settings = settings
        self.shut: dict[str, Score] = {}
        self.held = False
        self.counters: Counter[str] = Counter()
        """`delayed`, `evicted`, and `ignored_RULE` for what was not answered."""
        self.imposed: Counter[tuple[str, str]] = Counter()
        """Bans there ever were, by kind (`source`, `user`) and state."""
        self._spared = spared
        self._start = start
        self._note = note
        self._sources: Scores[str] = Scores(MOST_SCORES, self._on_source_evicted)
        self._pairs: Scores[Pair] = Scores(MOST_SCORES, self._on_pair_evicted)
        self._open: OrderedDict[Pair, _Challenges] = OrderedDict()
        self._proofs = Proofs(settings.proof_ns)
        self._pending: set[str | Pair] = set()
        self._known = ("", "")
        self.replace(settings)

    def replace(self, settings: BanSettings) -> None:
        """A new configuration; scores stay as they are, and go when nobody is to be banned any more."""
        self.settings = settings
        self._token_ns = NS_PER_S // settings.rate
        self._burst_ns = settings.burst * self._token_ns
        self._limit = settings.points * POINT
        self._proofs.lasts_ns = settings.proof_ns
        if not settings.enabled:
            self.lift()

    # --- what happened --------------------------------------------------------------------------------------

    def request(self, remote: Address, now_ns: int, rule: str = "") -> None:
        """A message that proves nothing takes a token; none of a port that proved itself. `rule` says what
        else is wrong with it."""
        if self._proofs.holds(remote, now_ns) or not self.settings.enabled:
            return
        source = self.source(remote.host)
        score = self._sources.find(source)
        if score is None and self.spares(remote.host):
            return
        score = self._sources.touch(source, now_ns)
        full_ns = score.full_ns = (score.full_ns if score.full_ns > now_ns else now_ns) + self._token_ns
        if full_ns - now_ns > self._burst_ns and not score.flooded:
            score.flooded = True
            self.shut[source] = score
            self._blame(source, score, "flood", self._limit, now_ns)
        if rule in WEIGHT:
            self._blame(source, score, rule, WEIGHT[rule], now_ns)

    def asked(self, remote: Address, user: str, now_ns: int) -> None:
        """A request without credentials, or with a stale nonce, will be challenged. That takes a token and is
        no failure, unless nothing comes of it."""
        if self._proofs.holds(remote, now_ns) or not self.settings.enabled:
            return
        self.request(remote, now_ns)
        source = self.source(remote.host)
        if self._proofs.is_home(source, now_ns) or self.spares(remote.host):
            return
        pair = (source, user[:LONGEST_USER])
        challenges = self._open.get(pair)
        if challenges is not None:
            challenges.count += 1
        else:
            if len(self._open) >= MOST_OPEN:
                self._unanswered(now_ns)
            self._open[pair] = _Challenges(now_ns)
        self._ripen(now_ns)

    def failed(self, remote: Address, user: str, now_ns: int) -> None:
        """A wrong digest; it takes a token, too."""
        if not self.settings.enabled or self.spares(remote.host):
            return
        self.request(remote, now_ns)
        source = self.source(remote.host)
        pair = (source, user[:LONGEST_USER])
        self._open.pop(pair, None)
        self._proofs.revoke(remote)
        score = self._tried(pair, now_ns)
        self._add(score, "digest", POINT, now_ns)
        self._settle_pair(pair, score, now_ns)

    def proved(self, remote: Address, user: str, now_ns: int) -> None:
        """A right digest: a phone of ours is there."""
        if not self.settings.enabled:
            return
        user = user[:LONGEST_USER]
        if not self._proofs.is_fresh(remote, user, now_ns):
            self._welcome(self.source(remote.host), remote, user, now_ns)
        if self._pairs:
            pair = (self.source(remote.host), user)
            if self._pairs.find(pair) is not None:
                self._left(pair, self._pairs.drop(pair))

    # --- what is done about it ------------------------------------------------------------------------------

    def shuts_out(self, remote: Address, now_ns: int) -> str:
        """Why datagrams from there are not even to be parsed: `source` or `flood`; '' when they are."""
        source = self.source(remote.host)
        score = self.shut.get(source)
        if score is None:
            return ""
        self._settle_source(source, score, now_ns)
        if score.state is State.IGNORED:
            rule = "source"
        elif score.full_ns - now_ns > self._burst_ns and not self._proofs.holds(remote, now_ns):
            rule = "flood"
        else:
            return ""
        return "" if self.spares(remote.host) else rule

    def dropped(self, remote: Address, rule: str, now_ns: int) -> None:
        """A datagram was dropped because of `rule`; going on like that makes it worse."""
        self.counters[f"ignored_{rule}"] += 1
        source = self.source(remote.host)
        score = self._sources.touch(source, now_ns)
        self._blame(source, score, rule if rule in WEIGHT else score.why, WEIGHT["flood"], now_ns)

    def withholds(self, remote: Address, user: str, now_ns: int) -> bool:
        """Whether a request of this user is not to be answered, nor its digest looked at. To be asked only
        while `held`."""
        source = self.source(remote.host)
        pair = (source, user[:LONGEST_USER])
        if self._proofs.holds(remote, now_ns, pair[1]) or self.spares(remote.host):
            return False
        if pair in self._pending or source in self._pending:
            self.counters["ignored_slowed"] += 1
            self.request(remote, now_ns)
            return True
        score = self._pairs.find(pair)
        if score is None:
            return False
        self._settle_pair(pair, score, now_ns)
        if score.state is not State.IGNORED:
            return False
        self.counters["ignored_user"] += 1
        self.request(remote, now_ns)
        return True

    def answer(self, remote: Address, user: str, send: Callable[[], None], now_ns: int) -> None:
        """Send an answer to somebody who proved nothing: at once, late, or never. To be asked only while
        `held`."""
        source = self.source(remote.host)
        pair = (source, user[:LONGEST_USER])
        by_source, by_user = self._sources.find(source), self._pairs.find(pair)
        states = [score.state for score in (by_source, by_user) if score is not None]
        if State.IGNORED in states:
            rule = "user" if by_user is not None and by_user.state is State.IGNORED else "source"
            self.counters[f"ignored_{rule}"] += 1
            return
        key: str | Pair = pair if by_user is not None and by_user.state is State.SLOWED else source
        if State.SLOWED not in states or (key == source and self._proofs.is_home(source, now_ns)):
            send()
            return
        if key in self._pending:
            self.counters["ignored_slowed"] += 1
            return
        self.counters["delayed"] += 1
        self._pending.add(key)

        def late() -> None:
            self._pending.discard(key)
            send()

        self._start(self.settings.delay_ns, late)

    # --- the operator ---------------------------------------------------------------------------------------

    def view(self, now: Moment) -> list[dict[str, Any]]:
        """Every ban, the latest first: `source`, `user` ('' for the source as a whole), `state`, `points`,
        `since_ms` and `seen_ms` (UTC), and the rule that was broken last (`why`)."""
        self.sweep(now.mono_ns)
        rows = [(source, "", score) for source, score in self._sources.banned()]
        rows += [(*pair, score) for pair, score in self._pairs.banned()]
        ahead_ns = now.wall_ns - now.mono_ns
        return [
            {
                "source": source,
                "user": user,
                "state": score.state.name.lower(),
                "points": round(score.milli / POINT, 1),
                "since_ms": (score.since_ns + ahead_ns) // NS_PER_MS,
                "seen_ms": (score.seen_ns + ahead_ns) // NS_PER_MS,
                "why": score.why,
            }
            for source, user, score in sorted(rows, key=lambda row: -row[2].since_ns)
        ]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many bans there are now, by kind and state."""
        return {
            (kind, state.name.lower()): scores.count(state)
            for kind, scores in (("source", self._sources), ("user", self._pairs))
            for state in (State.SLOWED, State.IGNORED)
        }

    def sizes(self) -> dict[str, int]:
        """How much is remembered."""
        return {
            "sources": len(self._sources),
            "pairs": len(self._pairs),
            "open": len(self._open),
            **self._proofs.sizes(),
        }

    def lift(self, host: str = "", user: str = "") -> int:
        """Forget what there is against a source, or one user at it, or everybody; how many bans that were."""
        source = self.source(host) if host else ""
        before = sum(self.counts().values())
        for pair, score in self._pairs.items():
            if source in ("", pair[0]) and user in ("", pair[1]):
                self._pairs.drop(pair)
                self._left(pair, score)
        for key, score in self._sources.items() if not user else ():
            if source in ("", key):
                self._sources.drop(key)
                self.shut.pop(key, None)
                self._left((key, ""), score)
        return before - sum(self.counts().values())

    def forgive(self, users: Iterable[str]) -> None:
        """These users have other passwords now: what was wrong may be right."""
        if not self._pairs:
            return
        changed = set(users)
        for pair, score in self._pairs.items():
            if pair[1] in changed:
                self._pairs.drop(pair)
                self._left(pair, score)

    def sweep(self, now_ns: int) -> None:
        """Let bans end that have faded, and forget what is old."""
        self._ripen(now_ns)
        for source, score in self._sources.banned():
            self._settle_source(source, score, now_ns)
        for pair, score in self._pairs.banned():
            self._settle_pair(pair, score, now_ns)
        old_ns = now_ns - UNTOUCHED * self.settings.half_life_ns
        self._sources.forget(old_ns, now_ns)
        self._pairs.forget(old_ns, now_ns)
        self._proofs.sweep(now_ns)

    # --- details --------------------------------------------------------------------------------------------

    def source(self, host: str) -> str:
        """What a host counts as: itself, or the /64 of an IPv6 address."""
        if ":" not in host:
            return host
        if host != self._known[0]:
            self._known = host, _network_of(host)
        return self._known[1]

    def _welcome(self, source: str, remote: Address, user: str, now_ns: int) -> None:
        """A phone of ours is there, as was not known or not for sure: nothing is held against its source any
        more, and the tokens it took are given back."""
        self._proofs.add(source, remote, user, now_ns)
        self._open.pop((source, user), None)
        score = self._sources.find(source)
        if score is not None:
            score.full_ns -= GIVEN_BACK * self._token_ns
            score.milli = 0
            self._settle_source(source, score, now_ns)

    def _blame(self, source: str, score: Score, rule: str, milli: int, now_ns: int) -> None:
        if not self._proofs.is_home(source, now_ns):
            self._add(score, rule, milli, now_ns)
        else:
            score.why, score.seen_ns = rule, now_ns
        self._settle_source(source, score, now_ns)

    def _add(self, score: Score, rule: str, milli: int, now_ns: int) -> None:
        score.fade(now_ns, self.settings.half_life_ns)
        score.milli = min(score.milli + milli, MOST_POINTS * self._limit)
        score.why, score.seen_ns = rule, now_ns

    def _tried(self, pair: Pair, now_ns: int) -> Score:
        """A user was tried in vain; the first time that is a point for the source."""
        score = self._pairs.touch(pair, now_ns)
        source = pair[0]
        if not score.tried and not self._proofs.is_home(source, now_ns):
            score.tried = True
            self._blame(source, self._sources.touch(source, now_ns), "users", WEIGHT["users"], now_ns)
        return score

    def _ripen(self, now_ns: int) -> None:
        """Challenges that were not answered in time were asked for in vain."""
        late_ns = now_ns - PATIENCE_NS - self.settings.delay_ns
        while self._open and next(iter(self._open.values())).since_ns < late_ns:
            self._unanswered(now_ns)

    def _unanswered(self, now_ns: int) -> None:
        """The oldest challenges that are open will not be answered."""
        pair, challenges = self._open.popitem(last=False)
        self._tried(pair, now_ns)
        if challenges.count > 1:
            source, milli = pair[0], WEIGHT["unanswered"] * (challenges.count - 1)
            self._blame(source, self._sources.touch(source, now_ns), "unanswered", milli, now_ns)

    def _settle_source(self, source: str, score: Score, now_ns: int) -> None:
        if score.flooded and score.full_ns - now_ns <= self._burst_ns // 2:
            score.flooded = False
        self._settle(self._sources, source, (source, ""), score, now_ns)
        if score.flooded or score.state is State.IGNORED:
            self.shut[source] = score
        else:
            self.shut.pop(source, None)

    def _settle_pair(self, pair: Pair, score: Score, now_ns: int) -> None:
        self._settle(self._pairs, pair, pair, score, now_ns)

    def _settle(self, scores: Scores[_K], key: _K, pair: Pair, score: Score, now_ns: int) -> None:
        score.fade(now_ns, self.settings.half_life_ns)
        state = score.judge(self._limit)
        if state is score.state:
            return
        worse = state > score.state
        scores.move(key, score, state, now_ns)
        if worse:
            self.imposed["user" if pair[1] else "source", state.name.lower()] += 1
        self._changed(pair, score)

    def _left(self, pair: Pair, score: Score) -> None:
        """A score is no longer kept."""
        if score.state is not State.CALM:
            score.state = State.CALM
            self._changed(pair, score)

    def _changed(self, pair: Pair, score: Score) -> None:
        self.held = any(self.counts().values())
        state = "lifted" if score.state is State.CALM else score.state.name.lower()
        about = {"user": pair[1]} if pair[1] else {}
        self._note(Note("ban", {"source": pair[0], **about, "state": state, "rule": score.why}))

    def _on_source_evicted(self, source: str, score: Score) -> None:
        self.counters["evicted"] += 1
        self.shut.pop(source, None)
        self._left((source, ""), score)

    def _on_pair_evicted(self, pair: Pair, score: Score) -> None:
        self.counters["evicted"] += 1
        self._left(pair, score)

    def spares(self, host: str) -> bool:
        if self._spared(host):
            return True
        if not self.settings.trusted:
            return False
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self.settings.trusted)


def _network_of(host: str) -> str:
    """The /64 of an IPv6 address; what is written as one but is IPv4 stays a host."""
    address = IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))
