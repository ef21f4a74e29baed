"""Notices reach the operator's endpoint at least once, whatever it does meanwhile, and hold up nothing."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest

from switch.net.webhook import BATCH, Webhook
from switch.ports import Moment
from tests.switch.net.support import NOW, Log, until

Reply = tuple[int, dict[str, str]]
SECRET = b"signing-secret"
TOKEN = "url-token"


class Time:
    """Both clocks, which move only when the webhook waits; `waited` is how long, in seconds."""

    def __init__(self, outbox: Box) -> None:
        self.passed_ns = 0
        self.waited: list[float] = []
        self._outbox = outbox

    def now(self) -> Moment:
        return Moment(NOW.mono_ns + self.passed_ns, NOW.wall_ns + self.passed_ns)

    @property
    def passed_s(self) -> float:
        return self.passed_ns / 1e9

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        if not self._outbox.notices:  # nothing is due, ever
            await event.wait()
            return
        await asyncio.sleep(0.001)
        if not event.is_set():
            self.waited.append(seconds)
            self.passed_ns += int(seconds * 1e9) + 1


class Box:
    """An outbox in memory. `faults` are raised by what is asked of it, one after the other."""

    def __init__(self) -> None:
        self.notices: dict[str, dict[str, Any]] = {}
        self.marked: list[str] = []
        self.limits: list[int] = []
        self.read_faults: list[Exception] = []
        self.mark_faults: list[Exception] = []

    async def undelivered(self, limit: int) -> list[tuple[str, dict[str, Any]]]:
        if self.read_faults:
            raise self.read_faults.pop(0)
        self.limits.append(limit)
        return list(self.notices.items())[:limit]

    async def delivered(self, ids: Sequence[str]) -> None:
        if self.mark_faults:
            raise self.mark_faults.pop(0)
        self.marked += ids
        for notice_id in ids:
            self.notices.pop(notice_id, None)


class Endpoint(ThreadingHTTPServer):
    """The operator's server: answers a notice as told for its id, else with 204. Refuses until `listen`.

    `asked` is when, by the webhook's clock, which notice came; `requests` is all of it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.server_bind()
        self.replies: dict[str, list[Reply]] = defaultdict(list)
        self.always: dict[str, Reply] = {}
        self.asked: list[tuple[float, str]] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.hanging: set[str] = set()
        self.go_on = threading.Event()
        self.time: Time | None = None
        self.listening = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook/{TOKEN}?token={TOKEN}"

    def listen(self) -> None:
        self.server_activate()
        self.listening = True
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def times(self, notice_id: str) -> list[float]:
        """When a notice came, in seconds of the webhook's clock."""
        return [at for at, name in self.asked if name == notice_id]


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        notice_id = json.loads(body)["id"]
        self.server.requests.append((self.path, dict(self.headers), body))
        self.server.asked.append((self.server.time.passed_s if self.server.time else 0.0, notice_id))
        if notice_id in self.server.hanging:
            self.server.go_on.wait(20)
            return
        queue = self.server.replies[notice_id]
        status, header = queue.pop(0) if queue else self.server.always.get(notice_id, (204, {}))
        self.send_response(status)
        for name, value in header.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.go_on.set()
    if endpoint.listening:
        endpoint.shutdown()
    endpoint.server_close()


class Desk:
    """A webhook with everything around it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.box = Box()
        self.log = Log()
        self.time = endpoint.time = Time(self.box)
        self.webhook = self.open()

    def open(self, **changes: Any) -> Webhook:
        """Another one on the same outbox."""
        values: dict[str, Any] = {
            "url": self.endpoint.url,
            "secret": SECRET,
            "log": self.log,
            "now": self.time.now,
            "chance": lambda _bound: 0,
            "timeout_s": 5.0,
            "wait": self.time.wait,
        }
        return Webhook(self.box, **{**values, **changes})

    def put(self, *ids: str, **body: Any) -> None:
        self.box.notices |= {notice_id: {"kind": "cap", **body} for notice_id in ids}
        self.webhook.wake()

    async def all_delivered(self) -> None:
        await until(lambda: not self.box.notices)


@pytest.fixture
async def desk(endpoint: Endpoint) -> AsyncIterator[Desk]:
    desk = Desk(endpoint)
    yield desk
    await desk.webhook.close()


# --- delivery -----------------------------------------------------------------------------------------------


async def test_a_notice_is_posted_once_and_marked(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.webhook.start()
    desk.put("cap-80:+3216234567", percent=80)
    await desk.all_delivered()
    ((path, header, body),) = desk.endpoint.requests
    assert path == f"/hook/{TOKEN}?token={TOKEN}"
    assert header["Content-Type"] == "application/json"
    assert header["Idempotency-Key"] == "cap-80:+3216234567"
    assert json.loads(body) == {"id": "cap-80:+3216234567", "kind": "cap", "percent": 80}
    assert desk.box.marked == ["cap-80:+3216234567"]
    assert (desk.webhook.sent, desk.webhook.failures, desk.webhook.waiting) == (1, 0, 0)
    assert desk.log.events == []


async def test_what_was_there_before_goes_first_and_more_than_one_read_holds(desk: Desk) -> None:
    desk.endpoint.listen()
    ids = [f"n-{number}" for number in range(BATCH + 3)]
    desk.put(*ids)
    desk.webhook.start()
    await desk.all_delivered()
    assert desk.box.marked == ids
    assert set(desk.box.limits) == {BATCH}
    assert desk.time.waited == []


async def test_a_signature_is_what_anyone_with_the_secret_computes(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.replies["a"] = [(500, {})]
    desk.webhook.start()
    desk.put("a", text="80 %, é")
    await desk.all_delivered()
    stamps = []
    for _, header, body in desk.endpoint.requests:
        stamp, _, given = header["X-Belswitch-Signature"].partition(",v1=")
        stamps.append(int(stamp.removeprefix("t=")))
        signed = hashlib.new("sha256")  # RFC 2104 by hand
        key = SECRET.ljust(64, b"\0")
        inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + f"{stamps[-1]}.".encode() + body).digest()
        signed.update(bytes(b ^ 0x5C for b in key) + inner)
        assert hmac.compare_digest(given, signed.hexdigest())
    now_s = NOW.wall_ns // 1_000_000_000
    assert stamps == [now_s, now_s + 1]  # signed afresh at each attempt


async def test_without_a_secret_nothing_is_signed(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.webhook = desk.open(secret=None)
    desk.webhook.start()
    desk.put("a")
    await desk.all_delivered()
    ((_, header, _),) = desk.endpoint.requests
    assert "X-Belswitch-Signature" not in header


async def test_a_body_does_not_rename_its_notice(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.put("a")
    desk.box.notices["a"]["id"] = "b"
    desk.webhook.start()
    await desk.all_delivered()
    assert desk.endpoint.asked == [(0.0, "a")]


async def test_a_new_webhook_delivers_what_an_old_one_left(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.always["b"] = (500, {})
    desk.put("a", "b", "c")
    desk.webhook.start()
    await until(lambda: "c" in desk.box.marked)
    await desk.webhook.close()
    assert list(desk.box.notices) == ["b"]
    desk.endpoint.always.clear()
    desk.webhook = desk.open()
    desk.webhook.start()
    await desk.all_delivered()
    assert sorted(desk.box.marked) == ["a", "b", "c"]


# --- trying again -------------------------------------------------------------------------------------------


async def test_after_500_it_is_tried_again_ever_later(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.replies["a"] = [(500, {})] * 11
    desk.webhook.start()
    desk.put("a")
    await desk.all_delivered()
    times = desk.endpoint.times("a")
    gaps = [round(after - before) for before, after in pairwise(times)]
    assert gaps == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert (desk.webhook.sent, desk.webhook.failures, desk.webhook.waiting) == (1, 11, 0)


async def test_chance_shortens_a_delay_by_half_at_most(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.replies["a"] = [(500, {})] * 4
    desk.webhook = desk.open(chance=lambda bound: bound - 1)
    desk.webhook.start()
    desk.put("a")
    await desk.all_delivered()
    times = desk.endpoint.times("a")
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == pytest.approx([0.5, 1, 2, 4], abs=0.001)


async def test_where_nobody_listens_it_is_tried_until_somebody_does(desk: Desk) -> None:
    desk.webhook.start()
    desk.put("a", "b")
    await until(lambda: desk.webhook.failures >= 8)
    assert desk.webhook.waiting == 2
    desk.endpoint.listen()
    await desk.all_delivered()
    ((_, facts),) = [(level, facts) for level, event, facts in desk.log.events if event == "webhook_failing"]
    assert facts["host"] == "127.0.0.1"
    assert "Connect call failed" in facts["why"]
    assert len(desk.log.facts("webhook_recovered")) == 1


async def test_a_success_is_a_fresh_start_for_all(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.always["a"] = (502, {})
    desk.webhook.start()
    desk.put("a")
    await until(lambda: len(desk.endpoint.asked) >= 9)
    desk.put("b")
    await until(lambda: "b" in desk.box.marked)
    desk.endpoint.always.clear()
    await desk.all_delivered()
    (came_s,) = desk.endpoint.times("b")
    next_s = min(at for at in desk.endpoint.times("a") if at >= came_s)
    assert next_s - came_s <= 1  # and not some of the 256 s that it had to wait before


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "gap_s"),
    [("7", 7), ("0", 1), ("soon", 1), ("999999999", 3600), ("date", 83)],
)
async def test_retry_after_is_waited_for_within_reason(
    status: int, value: str, gap_s: float, desk: Desk
) -> None:
    if value == "date":
        value = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(NOW.wall_ns // 10**9 + 83))
    desk.endpoint.listen()
    desk.endpoint.replies["a"] = [(status, {"Retry-After": value})]
    desk.put("a", "b")
    desk.webhook.start()
    await desk.all_delivered()
    assert desk.endpoint.times("a")[1] == pytest.approx(gap_s, abs=0.01)
    assert desk.endpoint.times("b") == pytest.approx([gap_s], abs=0.01)  # nothing goes before that


async def test_a_new_notice_does_not_cut_a_pause_short(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.replies["a"] = [(503, {"Retry-After": "3000"})]
    held = asyncio.Event()

    async def wait(event: asyncio.Event, seconds: float) -> None:
        await (held if seconds > 1000 and event.is_set() else event).wait()

    desk.webhook = desk.open(wait=wait)
    desk.webhook.start()
    desk.put("a")
    await until(lambda: desk.webhook.failures)
    desk.put("b")
    await asyncio.sleep(0.05)
    assert [name for _, name in desk.endpoint.asked] == ["a"]
    held.set()


# --- what the endpoint cannot digest ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410, 413, 422])
async def test_a_refused_notice_is_an_error_once_and_never_dropped(status: int, desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.replies["bad"] = [(status, {"Location": "/elsewhere", "Retry-After": "1"})] * 3
    desk.webhook.start()
    desk.put("bad", "good")
    await desk.all_delivered()
    assert desk.box.marked == ["good", "bad"]
    assert desk.endpoint.times("good") == pytest.approx([1], abs=0.01)
    assert desk.endpoint.times("bad") == pytest.approx([0, 300, 600, 900], abs=0.1)
    assert desk.log.facts("notice_refused") == [{"id": "bad", "host": "127.0.0.1", "why": f"status {status}"}]
    assert (desk.webhook.sent, desk.webhook.failures, desk.webhook.refused) == (2, 3, 1)
    assert {path.partition("?")[0] for path, _, _ in desk.endpoint.requests} == {f"/hook/{TOKEN}"}


@pytest.mark.parametrize("status", [400, 408, 425, 429, 500, 503])
async def test_what_one_notice_does_to_the_endpoint_holds_up_no_other(status: int, desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.always["bad"] = (status, {})
    desk.put("bad")
    desk.webhook.start()
    await until(lambda: len(desk.endpoint.times("bad")) >= 8)
    for number in range(5):
        put_s = desk.time.passed_s
        desk.put(f"good-{number}")
        await until(lambda name=f"good-{number}": name in desk.box.marked)  # type: ignore[misc]
        assert desk.endpoint.times(f"good-{number}")[0] - put_s <= 1.01
    others = [name for name in desk.box.marked if name.startswith("good")]
    assert len(others) == desk.webhook.sent == 5


async def test_as_many_refused_as_one_read_holds_do_not_hide_the_next(desk: Desk) -> None:
    desk.endpoint.listen()
    bad = [f"bad-{number}" for number in range(BATCH)]
    desk.endpoint.always |= dict.fromkeys(bad, (422, {}))
    desk.put(*bad, "good")
    desk.webhook.start()
    await until(lambda: "good" in desk.box.marked)
    assert desk.webhook.refused == BATCH
    assert max(desk.box.limits) <= 2 * BATCH


@pytest.mark.parametrize(
    ("notice_id", "body"), [("a\r\nX: y", 1), ("", 1), ("é", 1), ("set", {1}), ("nan", float("nan"))]
)
async def test_what_cannot_be_written_is_refused_before_it_is_sent(
    notice_id: str, body: Any, desk: Desk
) -> None:
    desk.endpoint.listen()
    desk.put(notice_id, value=body)
    desk.put("good")
    desk.webhook.start()
    await until(lambda: desk.box.marked == ["good"])
    assert [facts["id"] for facts in desk.log.facts("notice_refused")] == [notice_id]
    assert [name for _, name in desk.endpoint.asked] == ["good"]


# --- an outbox that fails -----------------------------------------------------------------------------------


async def test_an_outbox_that_cannot_be_read_is_read_later(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.box.read_faults = [OSError("disk I/O error")] * 3
    desk.put("a")
    desk.webhook.start()
    await desk.all_delivered()
    assert desk.log.facts("notices_unreadable") == [{"error": "disk I/O error"}]
    assert desk.time.waited == [5, 5, 5]


async def test_what_cannot_be_marked_is_not_sent_again(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.box.mark_faults = [OSError("database is locked")] * 3
    desk.put("a", "b")
    desk.webhook.start()
    await desk.all_delivered()
    assert [name for _, name in desk.endpoint.asked] == ["a", "b"]
    assert desk.box.marked == ["a", "b"]


# --- time, and the end --------------------------------------------------------------------------------------


async def test_an_endpoint_that_hangs_is_left_after_a_while(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.hanging.add("bad")
    desk.webhook = desk.open(timeout_s=0.1)
    desk.webhook.start()
    desk.put("bad", "good")
    await until(lambda: "good" in desk.box.marked)
    (facts,) = desk.log.facts("webhook_failing")
    assert facts["why"] == "no answer within 0.1 s"


async def test_close_does_not_wait_for_an_endpoint_that_hangs(desk: Desk) -> None:
    desk.endpoint.listen()
    desk.endpoint.hanging.add("a")
    desk.webhook = desk.open(timeout_s=60)
    desk.webhook.start()
    desk.put("a")
    await until(lambda: desk.endpoint.asked)
    async with asyncio.timeout(2):
        await desk.webhook.close()
    assert list(desk.box.notices) == ["a"]


async def test_close_lets_a_request_under_way_end_and_begins_no_other(desk: Desk) -> None:
    desk.endpoint.listen()
    marking, go_on = asyncio.Event(), asyncio.Event()
    mark = desk.box.delivered

    async def slowly(ids: Sequence[str]) -> None:
        marking.set()
        await go_on.wait()
        await mark(ids)

    desk.box.delivered = slowly  # type: ignore[method-assign]
    desk.put("a", "b")
    desk.webhook.start()
    await asyncio.wait_for(marking.wait(), 5)
    asyncio.get_running_loop().call_later(0.05, go_on.set)
    await desk.webhook.close()
    assert desk.box.marked == ["a"]
    assert list(desk.box.notices) == ["b"]


async def test_close_while_it_waits_is_at_once(desk: Desk) -> None:
    desk.webhook.start()
    await asyncio.sleep(0.01)
    async with asyncio.timeout(0.5):
        await desk.webhook.close()


async def test_on_the_real_clock_a_notice_wakes_it_at_once(desk: Desk) -> None:
    desk.endpoint.listen()
    clock = time.monotonic_ns
    desk.webhook = Webhook(
        desk.box,
        url=desk.endpoint.url,
        secret=None,
        log=desk.log,
        now=lambda: Moment(clock(), clock()),
        chance=lambda _bound: 0,
    )
    desk.webhook.start()
    await asyncio.sleep(0.05)
    desk.endpoint.replies["a"] = [(500, {})]
    started_s = time.monotonic()
    desk.put("a")
    await desk.all_delivered()
    assert 1 <= time.monotonic() - started_s < 3


# --- secrets ------------------------------------------------------------------------------------------------


async def test_the_log_knows_the_host_and_no_secret(desk: Desk) -> None:
    desk.webhook.start()
    desk.put("a")
    await until(lambda: desk.webhook.failures)
    desk.endpoint.replies["a"] = [(500, {}), (302, {"Location": f"/{TOKEN}"}), (401, {"X": TOKEN})]
    desk.endpoint.listen()
    await desk.all_delivered()
    told = repr(desk.log.events)
    assert len(desk.log.events) >= 3
    assert TOKEN not in told
    assert SECRET.decode() not in told
    assert "http:" not in told


@pytest.mark.parametrize("url", ["http://user:geheim@127.0.0.1/", "ftp://127.0.0.1/geheim", "geheim"])
async def test_a_url_that_is_none_is_refused_without_repeating_it(url: str, desk: Desk) -> None:
    with pytest.raises(ValueError, match="not an http or https URL without user") as caught:
        desk.open(url=url)
    assert "geheim" not in str(caught.value)
