"""What lines, phones and the voicemail platform may cause, and what the switch cuts, against SIPp: forwarding
and redirection (R-POL-01, R-POL-02, R-POL-11), the longest call (R-LIM-01)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.conftest import MakeServer, SippTo
from tests.interop.network import free_port
from tests.interop.server import DECT, DESK, Server, wait_for
from tests.interop.sipp import Sipp, SippRunner, rows

pytestmark = pytest.mark.interop

PARTNER = "+32478123456"
PARIS = "+33142345678"
VOICEMAIL = "1233"
LIMIT_S = 2
TIMER_F_S = 3.2
"""64 T1 of the switch under test."""

Place = tuple[str, int]


def place(server: Server, number: int) -> Place:
    """A free port on a host of the switch's network."""
    host = server.network.host(number)
    return host, free_port(host)


@pytest.fixture
def desk(server: Server) -> Place:
    """Where the calling phone is."""
    return place(server, 11)


@pytest.fixture
def dect(server: Server, sipp: SippRunner) -> Iterator[Place]:
    """Where the phone is that is called, registered as long as the test lasts."""
    phone = place(server, 12)
    sipp.run("register", phone, user="dect", keys={"expires": "60"})
    yield phone
    sipp.run("register-end", phone, user="dect")


def by_origin(server: Server, count: int) -> dict[str, dict[str, Any]]:
    """The new records, each of another origin."""
    records = {record["origin"]: record for record in server.new_records(count)}
    assert len(records) == count
    return records


def refusals(server: Server, reason: str) -> float:
    """How often the switch refused something for this reason."""
    return server.metric(f'call_refusals_total{{reason="{reason}"}}')


def assert_diverted(server: Server, callee: Sipp, target: str, reason: str, cause: int) -> None:
    """What a carrier is told of a call that the DECT line sent on: RFC 5806 and RFC 7044."""
    invite = callee.request("INVITE")
    diverted = f"<sip:{DECT}@{server.host};user=phone"
    assert rows(invite, "Diversion") == [f"{diverted}>;reason={reason};counter=1"]
    assert rows(invite, "History-Info") == [
        f"{diverted}>;index=1",
        f"<sip:{target}@{server.host};user=phone;cause={cause}>;index=1.1",
    ]


# --- 302 ----------------------------------------------------------------------------------------------------


def test_a_phone_redirects_abroad(server: Server, sipp: SippRunner, desk: Place, dect: Place) -> None:
    """The caller hears that nobody is there; `explain` names the reason of the record."""
    before = refusals(server, "redirect-international")
    phone = sipp.start("callee-redirects", dect, user="dect", keys={"contact": f"sip:{PARIS}@{server.host}"})
    sipp.run("refused", desk, user="desk", to="022345678", keys={"status": "480"})
    phone.finish()
    records = by_origin(server, 2)
    own, refused = records["line"], records["redirect"]
    assert (own["line"], own["called"], own["status"], own["amount"]) == (DESK, DECT, 480, 0)
    assert (refused["line"], refused["dialled"], refused["caused_by"]) == (DECT, PARIS, own["call_id"])
    assert (refused["outcome"], refused["verdict"]) == ("refused", "redirect-international")
    assert (refused["status"], refused["amount"], refused["trunk"]) == (403, 0, "")
    assert refusals(server, "redirect-international") == before + 1
    server.assert_at_rest()
    told = server.explain(refused, PARIS)
    assert (told["decision"], told["code"], told["status"]) == ("refused", refused["verdict"], 403)


def test_a_phone_redirects(server: Server, sipp: SippRunner, desk: Place, dect: Place) -> None:
    """The carrier is told who sends the call on, and the line that does pays for its leg."""
    phone = sipp.start(
        "callee-redirects", dect, user="dect", keys={"contact": f"sip:{PARTNER}@{server.host}"}
    )
    carrier = sipp.start("callee", server.carrier)
    sipp.run("call", desk, "-d", "100", user="desk", to="022345678")
    phone.finish()
    carrier.finish()
    assert_diverted(server, carrier, PARTNER, "deflection", 480)
    records = by_origin(server, 2)
    own, sent_on = records["line"], records["redirect"]
    assert (own["line"], own["called"], own["outcome"]) == (DESK, DECT, "answered")
    assert (sent_on["line"], sent_on["called"], sent_on["trunk"]) == (DECT, PARTNER, "carrier")
    assert (sent_on["outcome"], sent_on["verdict"]) == ("answered", "allowed")
    assert (sent_on["caused_by"], sent_on["diversions"]) == (own["call_id"], [DECT])
    assert own["duration_s"] == sent_on["duration_s"] == 1
    server.assert_at_rest()
    told = server.explain(sent_on, PARTNER)
    assert (told["decision"], told["code"]) == ("allowed", sent_on["verdict"])
    assert told["attempts"][0] == [sent_on["trunk"]]
    assert (told["class"], told["row"]) == (sent_on["destination_class"], sent_on["zone"])
    first = sent_on["segments"][0]
    assert (told["price"]["per_minute"], told["price"]["source"]) == (first["per_minute"], first["source"])


# --- forwarding and voicemail -------------------------------------------------------------------------------


def test_an_operator_forwards_nothing_abroad(server: Server, sipp: SippRunner) -> None:
    """R-POL-02: it is refused when it is set, and nothing is set then."""
    told = server.command("forward", "set", "dect", "always", PARIS, code=1)
    assert "forward-international" in told
    assert json.loads(server.command("forward", "list", "--json")) == []


def test_a_message_is_left(server: Server, sipp: SippRunner, desk: Place, dect: Place) -> None:
    """Nobody answers, and the platform learns whose voicemail it is; nobody pays for the way there."""
    server.command("forward", "set", "dect", "no-answer", VOICEMAIL, "--after", "5")
    phone = sipp.start("callee-cancelled", dect, user="dect", keys={"reason": "cause=102"})
    platform = sipp.start("callee", server.voicemail)
    sipp.run("call", desk, "-d", "100", user="desk", to="022345678")
    phone.finish()
    platform.finish()
    assert_diverted(server, platform, VOICEMAIL, "no-answer", 408)
    server.command("forward", "clear", "dect")
    records = by_origin(server, 2)
    own, deposit = records["line"], records["forward"]
    assert (own["line"], own["called"], own["outcome"]) == (DESK, DECT, "answered")
    assert own["setup_ms"] >= 5000
    assert (deposit["line"], deposit["called"], deposit["trunk"]) == (DECT, VOICEMAIL, "voicemail")
    assert (deposit["amount"], deposit["zone"], deposit["caused_by"]) == (0, "voicemail", own["call_id"])
    server.assert_at_rest()


@pytest.mark.parametrize("called", ["0478123456", "016234567", "112", VOICEMAIL])
def test_voicemail_starts_no_call(called: str, server: Server, sipp: SippRunner) -> None:
    """R-POL-01, whoever it calls."""
    before = refusals(server, "voicemail")
    platform = sipp.start("refused-without-password", server.voicemail, to=called, keys={"status": "403"})
    platform.finish()
    record = server.new_record()
    assert (record["outcome"], record["verdict"], record["status"]) == ("refused", "voicemail", 403)
    assert (record["trunk"], record["line"], record["amount"]) == ("voicemail", "", 0)
    assert refusals(server, "voicemail") == before + 1
    server.assert_at_rest()


# --- the longest call ---------------------------------------------------------------------------------------


def cuts(server: Server, verb: str) -> float:
    """How many cuts were asked for, or done."""
    return sum(value for name, value in server.metrics().items() if name.startswith(f"cuts_{verb}_total{{"))


def wait_for_answer(server: Server) -> None:
    """Wait until a call is answered."""
    wait_for(lambda: server.metric("calls_answered") == 1, "answered call")


def assert_cut(server: Server) -> None:
    """One call was cut at the limit, on the second, and both its dialogs are closed in the end."""
    record = server.new_record()
    assert (record["outcome"], record["released_by"], record["flags"]) == ("answered", "switch", ["limit"])
    assert record["duration_s"] == LIMIT_S
    assert record["released_ms"] - record["answered_ms"] >= 1000 * LIMIT_S
    assert sum(segment["seconds"] for segment in record["segments"]) == LIMIT_S
    assert cuts(server, "asked") == server.metric('cuts_asked_total{reason="limit"}') == 1
    wait_for(lambda: cuts(server, "done") == 1, "cut done")
    server.assert_at_rest()


def test_a_call_is_cut_at_the_limit(make_server: MakeServer, sipp_to: SippTo) -> None:
    server = make_server(calls={"max_s": LIMIT_S})
    sipp = sipp_to(server)
    trunk = sipp.start("callee", server.carrier)
    caller = sipp.start("call-until-hung-up", place(server, 11), user="desk", to=PARTNER)
    caller.finish()
    trunk.finish()
    assert_cut(server)
    assert server.metric("cut_delay_seconds_sum") < TIMER_F_S
    assert server.stop() == 0


@pytest.mark.parametrize("dead", ["caller", "callee"])
def test_a_call_is_cut_though_one_side_is_dead(dead: str, make_server: MakeServer, sipp_to: SippTo) -> None:
    """The other side hears of it in time, and the BYE to nobody is given up after 64 T1 (Timer F)."""
    server = make_server(calls={"max_s": LIMIT_S})
    sipp = sipp_to(server)
    sides = {
        "callee": sipp.start("callee", server.carrier),
        "caller": sipp.start("call-until-hung-up", place(server, 11), user="desk", to=PARTNER),
    }
    wait_for_answer(server)
    sides.pop(dead).stop()
    (alive,) = sides.values()
    alive.finish()
    assert rows(alive.request("BYE"), "Reason") == ["Q.850;cause=16"]
    assert_cut(server)
    assert server.metric("cut_delay_seconds_sum") >= TIMER_F_S
    assert server.stop() == 0
