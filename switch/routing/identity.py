"""Who sends a request: a trunk or a customer's equipment by address, anybody else by digest (RFC 3261 section
22).

One place decides this for calls and registrations alike, and answers known and unknown users alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from switch.malformed import Malformed
from switch.ports import Entropy, Flow, Moment
from switch.routing.bans import Bans
from switch.routing.lines import Line, LineTable
from switch.sip.auth import Authenticator, Verdict
from switch.sip.message import Request
from switch.sip.uri import parse_uri


@dataclass(frozen=True, slots=True)
class Challenge:
    """Not known yet: answer 401 with these WWW-Authenticate rows."""

    rows: list[str]


@dataclass(frozen=True, slots=True)
class Denied:
    """The credentials are wrong, whoever they name: answer 403."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Too many were wrong: nothing is looked at and nothing answered (`switch.routing.bans`)."""


Unproven = Challenge | Denied | Ignored
"""What becomes of a request whose sender did not say who it is."""


class Identity:
    """Finds the line behind a request."""

    def __init__(
        self,
        *,
        realm: str,
        nonce_ttl_s: int,
        algorithms: Mapping[str, tuple[str, ...]],
        entropy: Entropy,
        lines: LineTable,
        bans: Bans,
    ) -> None:
        self.lines = lines
        self.algorithms = algorithms
        self.outcomes: Counter[str] = Counter()
        self._bans = bans
        self._authenticator = Authenticator(realm=realm, nonce_ttl_s=nonce_ttl_s, entropy=entropy)
        self._secret = entropy.token(256).encode()

    def identify(
        self, request: Request, flow: Flow, now: Moment, *, urgent: bool = False
    ) -> Line | Challenge | Denied | Ignored:
        """The line that sends this request, or what to answer instead; `urgent`, from a banned sender as
        well.

        Raises:
            Malformed: From is no SIP URI (400).
        """
        line = self.lines.admitted_from(flow.remote.host)
        if line is not None:
            return line
        credentials = self._authenticator.credentials(request)
        user = credentials["username"] if credentials is not None else claimed_user(request)
        if self._bans.held and not urgent and self._bans.withholds(flow.remote, user, now.mono_ns):
            return Ignored()
        line = self.lines.by_user.get(user)
        decoy = self.lines.decoy(user, self._secret)  # made for known users too: the same work for everybody
        account = line.account if line is not None else decoy
        offered = account.algorithms or self.algorithms[flow.transport]
        verdict = self._authenticator.check(request, credentials, account, offered, now.wall_ns)
        self.outcomes[verdict.value] += 1
        if verdict is Verdict.RIGHT and line is not None:
            self._bans.proved(flow.remote, user, now.mono_ns)
            return line
        if verdict is Verdict.WRONG:
            self._bans.failed(flow.remote, user, now.mono_ns)
            return Denied()
        if not urgent:
            self._bans.asked(flow.remote, user, now.mono_ns)
        stale = verdict is Verdict.STALE
        return Challenge(self._authenticator.challenge(offered, now.wall_ns, stale=stale))

    def challenge(self, line: Line | None, flow: Flow, now: Moment) -> Challenge:
        """Ask whoever this is for a password, again."""
        offered = (line.account.algorithms if line is not None else ()) or self.algorithms[flow.transport]
        return Challenge(self._authenticator.challenge(offered, now.wall_ns))

    def user_of(self, request: Request) -> str:
        """The user whom a request's credentials name, else its From."""
        credentials = self._authenticator.credentials(request)
        return credentials["username"] if credentials is not None else claimed_user(request)


def claimed_user(request: Request) -> str:
    """The user that a request says it is from; '' when From has none.

    Raises:
        Malformed: From is no SIP URI (400).
    """
    try:
        return parse_uri(request.sender.uri).number()
    except Malformed as error:
        raise Malformed(400, "Bad From") from error
