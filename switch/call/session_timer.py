"""Session timers (RFC 4028): what one party and we agree on, for each leg by itself.

The switch asks nobody for one, since it finds out by other means who is gone. Whoever asks gets it, and
either side may refresh. A caller for help is never given up for a refresh that does not come (R-EMG-04).
"""

from __future__ import annotations

from collections.abc import Callable

from switch.ports import NS_PER_S
from switch.sip.headers import parse_small_number, token_set
from switch.sip.message import Fields, Request, Response
from switch.timers import Timer, TimerQueue

TIMER = "timer"
MIN_SE_S = 90
"""Section 5: no session may be asked to be refreshed more often."""

LONGEST_S = 86_400
AGAIN_NS = 30 * NS_PER_S
"""How long after a refresh that came to nothing, but for a time-out, it is tried again."""


def too_brief(request: Request) -> Fields:
    """What a 422 says when a request asks for too short an interval (section 9); nothing when it does not."""
    row = request.get("Session-Expires")
    if row is None or _seconds(row) >= MIN_SE_S:
        return {}
    return {"Min-SE": [str(MIN_SE_S)]}


class SessionTimer:
    """One leg's timer. `refresh` is called when a refresh is due from us, `expired` when none came."""

    __slots__ = ("_expired", "_ours", "_refresh", "_timer", "_timers", "interval_s", "takes_update")

    def __init__(
        self, timers: TimerQueue, refresh: Callable[[], None], expired: Callable[[], None] | None
    ) -> None:
        self._timers = timers
        self._refresh = refresh
        self._expired = expired
        self._timer: Timer | None = None
        self._ours = False
        self.interval_s = 0
        """0 while there is no timer."""
        self.takes_update = False
        """Whether the party said that it takes UPDATE, the lighter way to refresh (section 7.4)."""

    def grant(self, request: Request) -> Fields:
        """The party's INVITE or UPDATE is about to be accepted: what our 2xx says of the timer that it asks
        for (table 2). Without one there is none from now on."""
        row = self._read(request)
        if row is None:
            return {}
        known = TIMER in token_set(request.rows("Supported")) | token_set(request.rows("Require"))
        theirs = known and _refresher(row) != "uas"
        self._start(max(_seconds(row), MIN_SE_S), ours=not theirs)
        told: Fields = {"Session-Expires": [f"{self.interval_s};refresher={'uac' if theirs else 'uas'}"]}
        return {**told, "Require": [TIMER]} if theirs else told

    def offer(self) -> Fields:
        """What a re-INVITE or UPDATE of ours says of the timer that is agreed on (section 7.4)."""
        if not self.interval_s:
            return {}
        return {"Session-Expires": [f"{self.interval_s};refresher={'uac' if self._ours else 'uas'}"]}

    def agreed(self, response: Response) -> None:
        """The party's 2xx to an INVITE or UPDATE of ours (section 7.2)."""
        row = self._read(response)
        if row is not None:
            self._start(max(_seconds(row), MIN_SE_S), ours=_refresher(row) != "uas")

    def stop(self) -> None:
        """There is no timer any more."""
        self.interval_s = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _read(self, message: Request | Response) -> str | None:
        """What a message that settles it says; nothing is the end of it."""
        fields = message.fields
        if "Allow" in fields:
            self.takes_update = "update" in token_set(fields["Allow"])
        if "Session-Expires" in fields:
            return message.get("Session-Expires")
        self.stop()
        return None

    def _start(self, interval_s: int, *, ours: bool) -> None:
        self.stop()
        self.interval_s, self._ours = interval_s, ours
        if ours:
            self._timer = self._timers.start(interval_s * NS_PER_S // 2, self._due)
        elif self._expired is not None:
            left_s = interval_s - min(32, interval_s // 3)  # section 10
            self._timer = self._timers.start(left_s * NS_PER_S, self._over)

    def _due(self) -> None:
        self._timer = self._timers.start(AGAIN_NS, self._due)  # until it is accepted, and begins anew
        self._refresh()

    def _over(self) -> None:
        self.stop()
        if self._expired is not None:
            self._expired()


def _seconds(row: str) -> int:
    return parse_small_number(row.partition(";")[0], MIN_SE_S, LONGEST_S)


def _refresher(row: str) -> str:
    for param in row.lower().split(";")[1:]:
        name, _, value = param.partition("=")
        if name.strip() == "refresher":
            return value.strip()
    return ""
