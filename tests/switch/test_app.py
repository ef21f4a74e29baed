"""The whole switch on real sockets: up, down, reload, and the way down with calls running."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from switch.app import App
from switch.config.loader import default_config_dir, load_config
from switch.configuration import Configuration
from switch.fraud.loader import load as load_fraud
from switch.fraud.rules import Action
from switch.net import relays
from switch.net.clock import SystemClock
from switch.net.fraud_log import measures_in_force
from switch.net.operator import AlreadyRunning, OperatorError, ask
from switch.net.store import Store
from switch.ports import NS_PER_S, CallEnded, Moment, Note, RelayDied, ThresholdCrossed
from switch.routing.lines import Line
from switch.sip.auth import Account
from tests.sim.text import Sip, read, sdp
from tests.switch.cli.conftest import change, free_port
from tests.switch.net.support import Disk, Log, cdr, until
from tests.switch.net.test_webhook import Endpoint
from tests.torture.support import tables

LINE = Line(
    "office", ("+3216234567",), Account({}, ()), "classic", sources=("127.0.0.3",), max_calls=9, cap="none"
)


class Phone:
    """A telephone of few words on a socket of its own: says what it is told to, hears what comes."""

    def __init__(self, host: str) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.setblocking(False)
        self.host, self.port = self.sock.getsockname()

    async def hear(self, wanted: str) -> Sip:
        """The next message whose start line contains this; others are passed over."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while wanted not in (message := read(await loop.sock_recv(self.sock, 65_535))).start:
                pass
        return message

    def send(self, message: Sip, port: int) -> None:
        """To the switch."""
        self.sock.sendto(message.encode(), ("127.0.0.1", port))

    def request(self, method: str, uri: str, call_id: str, number: int, to_tag: str = "") -> Sip:
        """A request of this phone's calls."""
        rows = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{call_id}-{number}-{method};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:+3216234567@{self.host}>;tag=f{call_id}"),
            ("To", f"<{uri}>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", f"<sip:office@{self.host}:{self.port}>"),
        ]
        return Sip(f"{method} {uri} SIP/2.0", rows)

    def invite(self, uri: str, call_id: str) -> Sip:
        """A call with an offer."""
        invite = self.request("INVITE", uri, call_id, 1)
        invite.rows.append(("Content-Type", "application/sdp"))
        invite.body = sdp("phone", self.host, 30_000, 1)
        return invite

    def answer(self, request: Sip, status: str, *, offer: bool = False) -> Sip:
        """A response, with a session description if there is to be one."""
        rows = [(name, value) for name, value in request.rows if name in ("Via", "Call-ID", "CSeq", "From")]
        to = request.get("To")
        rows += [("To", to if ";tag=" in to else f"{to};tag=there")]
        rows += [("Contact", f"<sip:there@{self.host}:{self.port}>")]
        if not offer:
            return Sip(f"SIP/2.0 {status}", rows)
        rows += [("Content-Type", "application/sdp")]
        return Sip(f"SIP/2.0 {status}", rows, sdp("there", self.host, 30_002, 1))


class Site:
    """A configuration directory, a switch made from it, a telephone and a carrier."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = Log()
        self.phone = Phone("127.0.0.3")
        self.carrier = Phone("127.0.0.2")
        trunks = directory / "trunks.toml"
        text = trunks.read_text()
        trunks.write_text(text.replace("5080", str(self.carrier.port)).replace("probe_s = 30", "probe_s = 0"))
        self.app: App
        self.store: Store

    def configuration(self) -> Configuration:
        """As `switch.configuration.load` would, with the tables that are read already."""
        loaded = load_config(self.directory)
        assert loaded.config is not None, loaded.faults
        return Configuration(self.directory, loaded.config, *tables())

    @property
    def port(self) -> int:
        return self.app.configuration.config.sip.listen[0].port

    @property
    def socket(self) -> Path:
        return self.store.path.parent / "belswitch.sock"

    async def open(self) -> None:
        configuration = self.configuration()
        self.store = await Store.open(configuration.config.store.directory)
        await self.store.put_lines([LINE], replace=True)
        self.app = App(configuration, self.store, self.log)

    async def close(self) -> None:
        if not self.app._stopping:
            await self.app._close()
        await self.store.close()
        self.phone.sock.close()
        self.carrier.sock.close()

    async def http(self, path: str) -> tuple[int, str]:
        """Status and body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.app.http_port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body

    async def call(self, call_id: str) -> tuple[Sip, Sip]:
        """A call up and running between telephone and carrier: what each got last, 200 and INVITE."""
        uri = f"sip:0478123456@127.0.0.1:{self.port}"
        self.phone.send(self.phone.invite(uri, call_id), self.port)
        invite = await self.carrier.hear("INVITE")
        self.carrier.send(self.carrier.answer(invite, "200 OK", offer=True), self.port)
        ok = await self.phone.hear("200")
        self.phone.send(self.phone.request("ACK", uri, call_id, 1, ok.tag("To")), self.port)
        await self.carrier.hear("ACK")
        return ok, invite

    async def hung_up(self, party: Phone) -> str:
        """Wait for the BYE at a party, and take it; its Reason."""
        bye = await party.hear("BYE")
        party.send(party.answer(bye, "200 OK"), self.port)
        return bye.get("Reason")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The configuration that comes along, on free ports."""
    copy = tmp_path / "config"
    shutil.copytree(default_config_dir(), copy)
    change(copy, "port = 5060", f"port = {free_port()}")
    change(copy, "port = 9090", f"port = {free_port()}")
    change(copy, '"belswitch-data"', f'"{tmp_path / "data"}"')
    return copy


@pytest.fixture
async def site(directory: Path) -> AsyncIterator[Site]:
    """Everything is there, nothing is started."""
    site = Site(directory)
    await site.open()
    yield site
    await site.close()


@pytest.fixture
async def running(site: Site) -> Site:
    """A switch in service."""
    await site.app.start()
    return site


def descriptors() -> set[str]:
    """The sockets of this process."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found


def children() -> set[str]:
    """The living children of this process."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found.update((task / "children").read_text().split())
    return found


class Traces:
    """What there was, and whether there is anything more now."""

    def __init__(self) -> None:
        self._before = self._now()

    def _now(self) -> set[str]:
        tasks = {task.get_name() for task in asyncio.all_tasks()}
        return tasks | descriptors() | children()

    async def none_left(self) -> bool:
        await asyncio.sleep(0)
        assert self._now() - self._before == set()
        return True


# --- up and down --------------------------------------------------------------------------------------------


async def test_it_starts_serves_and_stops_without_a_trace(site: Site) -> None:
    traces = Traces()
    await site.app.start()
    assert len(children()) > 0
    assert await ask(site.socket, "ping") == "pong"
    assert await site.http("/readyz") == (200, "ready\n")
    assert "belswitch_lines 1.0" in (await site.http("/metrics"))[1]
    site.phone.send(site.phone.request("OPTIONS", "sip:127.0.0.1", "opt", 1), site.port)
    assert (await site.phone.hear("200")).get("Allow")
    (started,) = site.log.facts("started")
    assert (started["lines"], started["bindings"]) == (1, 0)
    assert started["metrics"] == f"http://127.0.0.1:{site.app.http_port}/metrics"

    assert await site.app.stop()
    assert await traces.none_left()
    assert not site.socket.exists()
    assert site.log.facts("stopped") == [{"written": True}]


def take_udp(site: Site, _patch: pytest.MonkeyPatch) -> Callable[[], object]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", site.port))
    return sock.close


def take_http(site: Site, _patch: pytest.MonkeyPatch) -> Callable[[], object]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", site.app.configuration.config.admin.port))
    sock.listen()
    return sock.close


def break_relays(_site: Site, patch: pytest.MonkeyPatch) -> Callable[[], object]:
    patch.setattr(relays, "START_WITHIN_S", 0.1)
    patch.setattr("sys.executable", "/bin/false")
    return lambda: None


@pytest.mark.parametrize(
    ("obstacle", "error", "message"),
    [
        (take_udp, OSError, "Address already in use: 'udp 127.0.0.1 port {sip}'"),
        (take_http, OSError, "Address already in use: 'http 127.0.0.1 port {http}'"),
        (break_relays, RuntimeError, "a media relay did not start"),
    ],
    ids=["udp", "http", "relay"],
)
async def test_what_is_not_to_be_had_is_named_and_everything_is_taken_down(
    obstacle: Callable[[Site, pytest.MonkeyPatch], Callable[[], object]],
    error: type[Exception],
    message: str,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        remove = obstacle(site, patch)
        traces = Traces()
        with pytest.raises(error) as caught:
            await site.app.start()
    wanted = message.format(sip=site.port, http=site.app.configuration.config.admin.port)
    assert wanted in str(caught.value)
    assert await traces.none_left()
    assert not site.socket.exists()
    remove()


async def test_two_switches_do_not_share_a_data_directory(running: Site) -> None:
    second = App(running.configuration(), running.store, Log())
    with pytest.raises(AlreadyRunning):
        await second.start()
    assert await ask(running.socket, "ping") == "pong"


async def test_a_restart_takes_up_registrations(running: Site) -> None:
    register = running.phone.request("REGISTER", "sip:127.0.0.1", "reg", 1)
    register.rows = [(n, "<sip:office@127.0.0.1>" if n == "To" else v) for n, v in register.rows]
    running.phone.send(register, running.port)
    contact = (await running.phone.hear("200")).get("Contact")
    assert 3240 <= int(contact.rpartition("expires=")[2]) <= 3600
    before = await ask(running.socket, "registrations")
    assert await running.app.stop()

    running.app = App(running.configuration(), running.store, running.log)
    await running.app.start()
    assert await ask(running.socket, "registrations") == before
    assert [(one["line"], one["contact"]) for one in before] == [
        ("+3216234567", f"sip:office@127.0.0.3:{running.phone.port}")
    ]


async def test_what_was_done_for_fraud_outlives_a_restart_until_it_is_lifted(site: Site) -> None:
    """On real sockets, to disk and back; whoever has lifted it finds it lifted at once."""
    rules = tuple(
        replace(rule, threshold=0, action=Action.BLOCK)
        for rule in load_fraud(site.directory).rules
        if rule.id == "calls-abroad-at-once"
    )
    site.app = App(replace(site.configuration(), fraud=rules), site.store, site.log)
    await site.app.start()
    uri = f"sip:0033145678901@127.0.0.1:{site.port}"
    site.phone.send(site.phone.invite(uri, "abroad"), site.port)
    await site.phone.hear("503")
    (warning,) = [facts for level, event, facts in site.log.events if (level, event) == ("warning", "fraud")]
    assert (warning["line"], warning["rule"], warning["action"]) == (LINE.number, rules[0].id, "block")
    metrics = (await site.http("/metrics"))[1]
    assert 'belswitch_fraud_findings_total{action="block",rule="calls-abroad-at-once"} 1.0' in metrics
    assert 'belswitch_fraud_lines{action="block"} 1.0' in metrics
    await site.app.stop()

    site.app = App(site.configuration(), site.store, site.log)
    await site.app.start()
    site.phone.send(site.phone.invite(uri, "again"), site.port)
    await site.phone.hear("403")
    assert await ask(site.socket, "lift", user="office", by="operator") == 1
    assert await measures_in_force(site.store) == []
    assert await ask(site.socket, "lift", user="office", by="operator") == 0
    assert site.app.core.lines.by_user["office"].abroad


# --- reload -------------------------------------------------------------------------------------------------


async def test_a_faulty_configuration_changes_nothing(running: Site) -> None:
    app = running.app
    configuration, settings = app.configuration, app.core.settings
    change(running.directory, "max_s = 7200", 'max_s = "long"')
    (fault,) = await app.reload()
    assert "switch.toml:" in fault
    assert "calls.max_s" in fault
    assert app.configuration is configuration
    assert app.core.settings is settings
    assert running.log.facts("configuration_fault") == [{"fault": fault}]
    assert running.log.facts("reload_refused") == [{"faults": 1}]
    with pytest.raises(OperatorError, match=r"calls\.max_s"):
        await ask(running.socket, "reload")


async def test_a_good_configuration_is_taken_over_for_new_calls_and_the_rest_waits_for_a_restart(
    running: Site,
) -> None:
    await running.call("before")
    change(running.directory, "max_s = 7200", "max_s = 600")
    change(running.directory, "nonce_ttl_s = 300", "nonce_ttl_s = 200")
    change(running.directory, "relays = 1 ", "relays = 2 ")
    change(running.directory, "hold_ms = 250", "hold_ms = 100")
    trunks = running.directory / "trunks.toml"
    trunks.write_text(trunks.read_text() + '[[trunk]]\nname = "named"\nhost = "localhost"\nprobe_s = 0\n')
    await running.store.put_lines([replace(LINE, user="new", numbers=("+3281234567",))], replace=False)

    assert await ask(running.socket, "reload") == "reloaded"
    needs = [facts["key"] for facts in running.log.facts("needs_restart")]
    assert needs == ["sip.nonce_ttl_s", "media.relays", "store"]
    await running.call("after")
    limits = [call["cut_s"] for call in await ask(running.socket, "calls")]
    assert limits == [7200, 600]
    assert (await ask(running.socket, "status"))["lines"] == 2

    named = running.app.core.trunks.get("named")
    assert named is not None
    await until(lambda: named.targets)  # at once, not when it is time to ask again


async def test_lines_are_read_again_when_they_have_changed(running: Site) -> None:
    await running.store.put_lines([replace(LINE, user="new", numbers=("+3281234567",))], replace=False)
    assert await ask(running.socket, "reload_lines") == 2
    await running.store.remove_line("new")
    assert await ask(running.socket, "reload_lines") == 1


async def test_a_relay_that_dies_is_told_by_its_place_among_those_that_run(
    running: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after a reload that wants more of them, which takes a restart."""
    change(running.directory, "relays = 1 ", "relays = 3 ")
    assert await running.app.reload() == []
    fed: list[object] = []
    monkeypatch.setattr(running.app.driver, "feed", fed.append)
    os.kill(running.app._relays.workers[0].pid, signal.SIGKILL)
    await until(lambda: fed)
    assert fed == [RelayDied(0, 1)]
    assert running.log.facts("relay_died") == [{"worker": 0}]


# --- the operator -------------------------------------------------------------------------------------------


async def test_the_operator_sees_calls_and_ends_one(running: Site) -> None:
    await running.call("seen")
    (call,) = await ask(running.socket, "calls")
    assert (call["line"], call["called"], call["state"]) == ("+3216234567", "+32478123456", "answered")
    assert (await ask(running.socket, "status"))["answered"] == 1
    assert await ask(running.socket, "end", call_id=call["call_id"]) == call["call_id"]
    await running.hung_up(running.phone)
    await running.hung_up(running.carrier)
    with pytest.raises(OperatorError, match="no call no-such-call is running"):
        await ask(running.socket, "end", call_id="no-such-call")


# --- the journal --------------------------------------------------------------------------------------------


async def test_the_operator_sees_bans_and_lifts_them(running: Site) -> None:
    scanner = Phone("127.0.0.4")
    for _ in range(40):
        scanner.send(Sip("GET / HTTP/1.1"), running.port)
    scanner.sock.close()
    await until(lambda: running.app.core.bans.shut)
    (ban,) = await ask(running.socket, "bans")
    assert [ban[key] for key in ("source", "user", "why")] == ["127.0.0.4", "", "unparsable"]
    assert 'belswitch_bans{kind="source",state="ignored"} 1.0' in (await running.http("/metrics"))[1]
    notes = running.log.facts("ban")
    assert [note["state"] for note in notes] == ["slowed", "ignored"]
    for source, fault in (("127.0.0.5", "there is no ban of 127.0.0.5"), ("x", "x is no address")):
        with pytest.raises(OperatorError, match=fault):
            await ask(running.socket, "unban", source=source)
    assert await ask(running.socket, "unban", source="127.0.0.4") == 1
    assert await ask(running.socket, "bans") == []
    assert await ask(running.socket, "unban") == 0


async def test_a_full_journal_refuses_new_calls_and_says_so_until_there_is_room(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(site.directory, "queue_max = 10000", "queue_max = 3")
    site.app.configuration = site.configuration()
    disk = Disk(site.store)
    monkeypatch.setattr(site.store, "write", disk.write)
    await site.app.start()
    disk.free.clear()
    for number in range(3):
        site.app.journal.append(CallEnded(cdr(f"call-{number}")))
    assert await site.http("/readyz") == (503, "journal full\n")
    site.phone.send(site.phone.invite(f"sip:0478123456@127.0.0.1:{site.port}", "refused"), site.port)
    assert (await site.phone.hear("503")).get("Retry-After") == "30"
    disk.free.set()
    await site.app.journal.flush()
    assert await site.http("/readyz") == (200, "ready\n")
    await site.call("taken")


# --- notices ------------------------------------------------------------------------------------------------

CROSSED = ThresholdCrossed("office", "+3216234567", "cap-80", "2026-11", 132_300, 165_289, 1_795_532_400_000)
NOTICE = "office:2026-11:cap-80:165289"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """The operator's endpoint; takes nothing before `listen`."""
    endpoint = Endpoint()
    yield endpoint
    if endpoint.listening:
        endpoint.shutdown()
    endpoint.server_close()


def post_to(site: Site, endpoint: Endpoint) -> None:
    """Have the switch tell an endpoint."""
    change(site.directory, '# webhook = "https://example.com/belswitch"', f'webhook = "{endpoint.url}"')
    site.app.configuration = site.configuration()


async def test_a_crossed_threshold_arrives_at_the_operators_endpoint(site: Site, endpoint: Endpoint) -> None:
    """From the call that crosses it: with so small a cap the first second is more than 80 % of it."""
    await site.store.put_lines([replace(LINE, cap="0.13")], replace=True)
    endpoint.listen()
    post_to(site, endpoint)
    await site.app.start()
    uri = f"sip:0038591234567@127.0.0.1:{site.port}"  # 1.16 a minute at any time
    site.phone.send(site.phone.invite(uri, "dear"), site.port)
    invite = await site.carrier.hear("INVITE")
    site.carrier.send(site.carrier.answer(invite, "200 OK", offer=True), site.port)
    await site.phone.hear("200")
    await until(lambda: endpoint.requests)
    await until(lambda: site.app.webhook is not None and site.app.webhook.sent)
    path, headers, body = endpoint.requests[0]
    assert endpoint.url.endswith(path)
    told = json.loads(body)
    assert (told["account"], told["line"], told["kind"]) == ("office", "+3216234567", "cap-80")
    assert (told["used"], told["allowed"]) == (993, 1074)
    assert headers["Idempotency-Key"] == told["id"]
    assert "belswitch_notices_sent_total" in (await site.http("/metrics"))[1]


async def test_what_was_not_delivered_arrives_after_a_restart_and_once(
    site: Site, endpoint: Endpoint
) -> None:
    post_to(site, endpoint)
    await site.app.start()
    site.app.journal.append(CROSSED)
    await site.app.journal.flush()
    await until(lambda: site.app.webhook is not None and site.app.webhook.failures)
    assert await site.app.stop()
    assert [name for name, _ in await site.store.undelivered(10)] == [NOTICE]

    endpoint.listen()
    for _ in range(2):
        site.app = App(site.configuration(), site.store, site.log)
        await site.app.start()
        await until(lambda: endpoint.requests)
        async with asyncio.timeout(5):
            while await site.store.undelivered(10):
                await asyncio.sleep(0.005)
        assert await site.app.stop()
    assert [json.loads(body)["id"] for _, _, body in endpoint.requests] == [NOTICE]


async def test_without_an_endpoint_notices_wait_for_one(running: Site) -> None:
    running.app.journal.append(CROSSED)
    await running.app.journal.flush()
    assert running.app.webhook is None
    assert [name for name, _ in await running.store.undelivered(10)] == [NOTICE]
    assert "belswitch_notices" not in (await running.http("/metrics"))[1]


# --- the way down -------------------------------------------------------------------------------------------


async def test_stop_takes_no_new_call_and_waits_for_the_running_one(running: Site) -> None:
    ok, invite = await running.call("last")
    stopping = asyncio.create_task(running.app.stop())
    await asyncio.sleep(0.01)
    assert await running.http("/readyz") == (503, "stopping\n")
    running.phone.send(running.phone.invite(f"sip:0478123456@127.0.0.1:{running.port}", "late"), running.port)
    assert (await running.phone.hear("503")).call_id == "late"
    assert not stopping.done()

    bye = running.phone.request("BYE", f"sip:127.0.0.1:{running.port}", "last", 2, ok.tag("To"))
    running.phone.send(bye, running.port)
    await running.phone.hear("200")
    await running.hung_up(running.carrier)
    assert await stopping
    records = {record["outcome"]: record for record in await running.store.cdrs()}
    assert records["answered"]["flags"] == []
    assert records["answered"]["released_by"] == "caller"
    assert records["refused"]["verdict"] == "stopping"
    assert invite.call_id != "last"


@pytest.mark.parametrize("how", ["configured", "asked twice", "waited long enough"])
async def test_stop_ends_the_running_calls_when(how: str, site: Site) -> None:
    if how == "configured":
        change(site.directory, 'stop = "wait"', 'stop = "end"')
    elif how == "waited long enough":
        change(site.directory, "stop_wait_s = 30", "stop_wait_s = 0")
    site.app.configuration = site.configuration()
    await site.app.start()
    await site.call("last")
    stopping = asyncio.create_task(site.app.stop())
    if how == "asked twice":
        await asyncio.sleep(0.01)
        assert not stopping.done()
        assert await site.app.stop()
    for party in (site.phone, site.carrier):
        assert await site.hung_up(party) == "Q.850;cause=16"
    assert await stopping
    (record,) = await site.store.cdrs()
    assert (record["outcome"], record["released_by"], record["flags"]) == ("answered", "switch", ["shutdown"])
    assert record["media"] is not None


async def test_stop_does_not_wait_for_parties_that_are_gone(
    running: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switch.app.GOODBYE_S", 0.1)
    change(running.directory, 'stop = "wait"', 'stop = "end"')
    running.app.configuration = running.configuration()
    await running.call("last")
    async with asyncio.timeout(3):
        assert await running.app.stop()
    assert len(await running.store.cdrs()) == 1


async def test_stop_says_when_records_could_not_be_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(site.store)
    monkeypatch.setattr(site.store, "write", disk.write)
    await site.app.start()
    close = site.app.journal.close

    async def impatient(timeout_s: float) -> bool:
        assert timeout_s > 1
        return await close(0.05)

    monkeypatch.setattr(site.app.journal, "close", impatient)
    disk.free.clear()
    site.app.journal.append(CallEnded(cdr()))
    assert not await site.app.stop()
    assert site.log.facts("stopped") == [{"written": False}]
    assert site.log.facts("journal_not_written") == [{"entries": 1}]


# --- what it says of itself ---------------------------------------------------------------------------------


async def test_the_lag_of_the_loop_is_measured(site: Site) -> None:
    """It lasts until the next look; a long one strains the switch until then."""
    await site.app.start()
    for _ in range(2):
        await asyncio.sleep(0.02)
        time.sleep(0.5)  # as something that does not give way would
    lag_s = 0.0

    def seen() -> bool:
        nonlocal lag_s
        lag_s = max(lag_s, site.app.loop_lag_s)
        return lag_s > 0.05

    await until(seen)
    await until(lambda: [facts["now"] for facts in site.log.facts("strained")] == [True, False])
    assert not site.app.core.overload.strained


async def test_a_fault_of_ours_is_an_error_in_the_log_and_a_call_is_not(
    running: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_args: Any) -> None:
        raise AssertionError("we were wrong")

    monkeypatch.setattr(running.app.core.endpoint, "receive", wrong)
    running.phone.send(running.phone.request("OPTIONS", "sip:x", "opt", 1), running.port)
    await until(lambda: running.log.facts("internal_error"))
    assert [level for level, event, _ in running.log.events if event == "internal_error"] == ["error"]
    monkeypatch.undo()
    await running.call("goes-on")


async def test_calls_for_help_are_audited_at_start_daily_and_after_a_reload(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line of this site has no address: the default centre would answer it."""
    await site.app.start()
    await until(lambda: site.log.facts("emergency_audit"))
    found = {"checked": 1, "without_route": 1, "with_alarm": 1, "lines": [LINE.number]}
    assert [event for event in site.log.events if event[1] == "emergency_audit"] == [
        ("error", "emergency_audit", found)
    ]
    metrics = (await site.http("/metrics"))[1]
    assert "belswitch_emergency_lines_checked 1.0" in metrics
    assert "belswitch_emergency_lines_without_route 1.0" in metrics
    assert 0 <= float(metrics.partition("\nbelswitch_emergency_audit_age_seconds ")[2].split()[0]) < 60

    address = {
        "country": "BE",
        "postcode": "3001",
        "municipality": "Leuven",
        "street": "Naamsesteenweg",
        "number": "12",
        "name": "Bakkerij Peeters BV",
        "language": "nl",
    }
    await site.store.put_lines([replace(LINE, address=address)], replace=True)
    monkeypatch.setattr("switch.net.auditor.EVERY_S", 0.01)
    assert await site.app.reload() == []
    await until(lambda: len(site.log.facts("emergency_audit")) > 2)
    assert site.log.facts("emergency_audit")[-1]["without_route"] == 0
    assert "belswitch_emergency_lines_without_route 0.0" in (await site.http("/metrics"))[1]


async def test_the_age_of_the_audit_is_by_the_clock_that_was_given(site: Site) -> None:
    class Clock(SystemClock):
        ahead_ns = 0

        def moment(self) -> Moment:
            now = super().moment()
            return Moment(now.mono_ns + self.ahead_ns, now.wall_ns)

    site.app.clock = clock = Clock()
    await site.app.start()
    await until(lambda: site.log.facts("emergency_audit"))
    clock.ahead_ns = 3600 * NS_PER_S
    assert site.app.auditor is not None
    assert 3600 <= site.app.auditor.age_s < 3660


@pytest.mark.parametrize(
    ("event", "level"), [("trunk_not_registered", "warning"), ("trunk_registered", "info")]
)
async def test_whether_a_carrier_has_us_is_told(site: Site, event: str, level: str) -> None:
    await site.app.start()
    site.app._on_note(Note(event, {"trunk": "carrier"}))
    assert (level, event, {"trunk": "carrier"}) in site.log.events
