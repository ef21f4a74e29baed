"""Notices to an HTTP endpoint of the operator: each at least once, however long it takes, holding up nothing.

Notices wait in an outbox, rows with a mark of delivery, and leave it for a 2xx only: a crash, a restart or an
endpoint that is down loses none, and may repeat one. Each is a POST of its own:

    Content-Type: application/json                      {"id": ID, ...}
    Idempotency-Key: ID                                 the same at every repeat
    X-Belswitch-Signature: t=UNIX,v1=HEX                with a secret: HMAC-SHA-256 of "UNIX." and the body

What fails is tried again after 1 s, doubling up to 5 minutes, or when `Retry-After` asks for it. Other
notices go first, and after a failure there is a pause, the longer the more different notices failed in a row:
one that the endpoint cannot digest delays the others by a second, an endpoint that takes nothing is left in
peace. An answer that says the notice is wrong (4xx, and 3xx as redirects are not followed) is an error in the
log, once, and the notice is tried every 5 minutes: none is ever dropped, as it may be the endpoint that gets
mended.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from switch.net.post import Answer, Endpoint, NoAnswer, retry_after_s
from switch.ports import Moment

BATCH = 50
MOST = 1000  # notices read at once, those that failed before included
FIRST_NS = 1_000_000_000
LONGEST_NS = 300 * FIRST_NS
RETRY_AFTER_MAX_S = 3600
POLL_S = 60.0  # a notice may come from another process, which wakes nobody
OUTBOX_RETRY_S = 5.0
CLOSE_WITHIN_S = 1.0
TRY_AGAIN = (408, 425, 429)  # besides 5xx: the notice is not to blame
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Outbox(Protocol):
    """Where notices wait."""

    async def undelivered(self, limit: int) -> list[tuple[str, dict[str, Any]]]:
        """Id and body, oldest first, at most `limit` of them."""

    async def delivered(self, ids: Sequence[str]) -> None:
        """Mark them: they are not `undelivered` any more. Marking twice changes nothing."""


Wait = Callable[[asyncio.Event, float], Awaitable[None]]


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, no longer than `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@dataclass(slots=True)
class _Trouble:
    """A notice that failed: how often, when it may go again (monotonic), and whether it was called wrong now
    or ever."""

    failures: int = 0
    due_ns: int = 0
    refused: bool = False
    told: bool = False


class Webhook:
    """Empties an outbox towards `url`.

    `now` gives the moment and `chance(n)` a whole number from 0 to n - 1; `timeout_s` bounds a request as a
    whole. Counted for ever: notices `sent`, attempts that were `failures`, notices `refused` (once each).

    Raises:
        ValueError: `url` is none that `switch.config.model.web_url` takes; a user in it is refused, not sent.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        url: str,
        secret: bytes | None,
        log: Any,
        now: Callable[[], Moment],
        chance: Callable[[int], int],
        timeout_s: float = 10.0,
        tls: ssl.SSLContext | None = None,
        wait: Wait = wait,
    ) -> None:
        self.sent = 0
        self.failures = 0
        self.refused = 0
        self._outbox = outbox
        self._endpoint = Endpoint(url, timeout_s=timeout_s, tls=tls)
        self._secret = secret
        self._log = log
        self._now = now
        self._chance = chance
        self._wait = wait
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._troubles: dict[str, _Trouble] = {}
        self._failed_in_a_row: set[str] = set()  # different notices, since the last that was delivered
        self._quiet_until_ns = 0
        self._unmarked: list[str] = []  # delivered, which the outbox does not know yet
        self._outbox_healthy = True
        self._endpoint_healthy = True

    @property
    def waiting(self) -> int:
        """Notices that failed and wait to be tried again, as far as they have been read."""
        return len(self._troubles)

    def start(self) -> None:
        """Begin to deliver, with what was left in the outbox."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="webhook")

    def wake(self) -> None:
        """A new notice is there. Returns at once; a pause after a failure is not cut short."""
        self._woken.set()

    async def close(self) -> None:
        """Stop, giving a request under way `CLOSE_WITHIN_S`; what is not delivered stays in the outbox."""
        self._closing = True
        self._woken.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=CLOSE_WITHIN_S)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._endpoint.close()

    # --- which notice, and when -----------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing:
            self._woken.clear()
            try:
                pause_s = await self._round()
                self._outbox_healthy = True
            except Exception as error:  # whatever it is: the notices are safe where they are
                if self._outbox_healthy:
                    self._log.error("notices_unreadable", error=str(error))
                self._outbox_healthy = False
                pause_s = OUTBOX_RETRY_S
            if pause_s > 0:
                await self._wait(self._woken, pause_s)

    async def _round(self) -> float:
        """Deliver one after the other until one fails; the seconds until it is worth looking again."""
        await self._mark()
        if quiet_s := self._quiet_s():
            return quiet_s
        now_ns = self._now().mono_ns
        notices = await self._outbox.undelivered(min(BATCH + len(self._troubles), MOST))
        present = {notice_id for notice_id, _ in notices}
        self._troubles = {key: trouble for key, trouble in self._troubles.items() if key in present}
        fresh = _Trouble()
        troubled = [(self._troubles.get(notice_id, fresh), notice_id, body) for notice_id, body in notices]
        due = [entry for entry in troubled if entry[0].due_ns <= now_ns]
        due.sort(key=lambda entry: entry[0].failures)  # and oldest first among equals
        for _, notice_id, body in due[:BATCH]:
            if self._closing or not await self._deliver(notice_id, body):
                break
        if due:  # there may be more, once the pause after a failure is over
            return self._quiet_s()
        next_ns = min((trouble.due_ns for trouble in self._troubles.values()), default=now_ns + LONGEST_NS)
        return min((next_ns - now_ns) / 1e9, POLL_S)

    def _quiet_s(self) -> float:
        return max(0, self._quiet_until_ns - self._now().mono_ns) / 1e9

    # --- one notice -----------------------------------------------------------------------------------------

    async def _deliver(self, notice_id: str, body: Mapping[str, Any]) -> bool:
        """Try one; False when it failed. Raises what the outbox raises when it cannot be marked."""
        try:
            header, content = self._written(notice_id, body)
        except (TypeError, ValueError, RecursionError):
            self._failed(notice_id, "it cannot be written as JSON with a header", refused=True)
            return False
        try:
            answer = await self._endpoint.post(header, content)
        except NoAnswer as error:
            self._failed(notice_id, str(error))
            return False
        if not 200 <= answer.status < 300:
            self._refused_or_failed(notice_id, answer)
            return False
        self._succeeded(notice_id)
        await self._mark()
        return True

    def _written(self, notice_id: str, body: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Header and body. Raises TypeError or ValueError for what neither can hold."""
        if not _VISIBLE.fullmatch(notice_id):
            raise ValueError("not an id that a header can hold")
        named = {"id": notice_id} | dict(body) | {"id": notice_id}  # first, and always the notice's own
        content = json.dumps(named, allow_nan=False).encode("ascii")
        header = {"Content-Type": "application/json", "Idempotency-Key": notice_id}
        if self._secret is not None:
            header["X-Belswitch-Signature"] = signature(
                self._secret, self._now().wall_ns // 1_000_000_000, content
            )
        return header, content

    def _succeeded(self, notice_id: str) -> None:
        self.sent += 1
        self._unmarked.append(notice_id)
        self._troubles.pop(notice_id, None)
        self._failed_in_a_row.clear()
        for trouble in self._troubles.values():
            if not trouble.refused:  # the endpoint is back: nobody need wait any longer
                trouble.due_ns = 0
        if not self._endpoint_healthy:
            self._log.info("webhook_recovered", host=self._endpoint.host, waiting=self.waiting)
        self._endpoint_healthy = True

    def _refused_or_failed(self, notice_id: str, answer: Answer) -> None:
        again = answer.status >= 500 or answer.status in TRY_AGAIN
        asked_s = retry_after_s(answer.retry_after, self._now().wall_ns / 1e9) if again else 0.0
        self._failed(notice_id, f"status {answer.status}", refused=not again, asked_s=asked_s)

    def _failed(self, notice_id: str, why: str, *, refused: bool = False, asked_s: float = 0.0) -> None:
        """Note a failure and when the notice, and anything at all, may be tried again."""
        self.failures += 1
        trouble = self._troubles.setdefault(notice_id, _Trouble())
        trouble.failures += 1
        trouble.refused = refused
        self._failed_in_a_row.add(notice_id)
        now_ns = self._now().mono_ns
        own_ns = LONGEST_NS if refused else self._delay_ns(trouble.failures)
        asked_ns = int(min(asked_s, RETRY_AFTER_MAX_S) * 1e9)
        trouble.due_ns = now_ns + own_ns
        self._quiet_until_ns = now_ns + max(self._delay_ns(len(self._failed_in_a_row)), asked_ns)
        self._tell(notice_id, trouble, why)

    def _tell(self, notice_id: str, trouble: _Trouble, why: str) -> None:
        """An error once for each notice called wrong, a warning once for an endpoint that fails."""
        host = self._endpoint.host
        if trouble.refused and not trouble.told:
            self.refused += 1
            trouble.told = True
            self._log.error("notice_refused", id=notice_id, host=host, why=why)
        elif not trouble.refused and trouble.failures == 1 and self._endpoint_healthy:
            self._endpoint_healthy = False
            self._log.warning("webhook_failing", id=notice_id, host=host, why=why)
        else:
            self._log.debug("notice_failed", id=notice_id, host=host, why=why, failures=trouble.failures)

    def _delay_ns(self, failures: int) -> int:
        """Doubling, less a chance of up to a half: switches that lost one endpoint do not return as one."""
        full_ns = min(FIRST_NS << min(failures - 1, 20), LONGEST_NS)
        return full_ns - self._chance(full_ns // 2)

    async def _mark(self) -> None:
        """Tell the outbox what was delivered; until it takes that, nothing more is sent."""
        if self._unmarked:
            await self._outbox.delivered(tuple(self._unmarked))
            self._unmarked.clear()


def signature(secret: bytes, unix_s: int, body: bytes) -> str:
    """The value of `X-Belswitch-Signature`. Who checks it should refuse an old `t` as well as a bad `v1`."""
    signed = hmac.new(secret, f"{unix_s}.".encode() + body, hashlib.sha256)
    return f"t={unix_s},v1={signed.hexdigest()}"
