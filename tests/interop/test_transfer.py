"""Transfers that foreign stacks ask for: whoever asks is told how it goes and released, and the others have
each other (R-POL-02, R-POL-11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakeBaresip, MakePhone
from tests.interop.network import free_port
from tests.interop.pyvoip import CALLEE_HZ, CALLER_HZ
from tests.interop.server import DECT, DESK, SOFTPHONE, Server, wait_for
from tests.interop.sipp import SippRunner, rows

pytestmark = pytest.mark.interop

PARTNER = "+32478123456"
PARIS = "+33142345678"
ABROAD = 'call_refusals_total{reason="transfer-international"}'
TALK_MS = "2000"

Place = tuple[str, int]


@pytest.fixture
def desk(server: Server) -> Place:
    """Where the phone is that transfers."""
    host = server.network.host(11)
    return host, free_port(host)


@pytest.fixture
def dect(server: Server, sipp: SippRunner) -> Iterator[Place]:
    """Where the phone is that is called, registered as long as the test lasts."""
    host = server.network.host(12)
    phone = host, free_port(host)
    sipp.run("register", phone, user="dect", keys={"expires": "60"})
    yield phone
    sipp.run("register-end", phone, user="dect")


def uri(server: Server, number: str) -> str:
    """A number at the switch."""
    return f"sip:{number}@{server.host}:{server.port}"


def replacing(server: Server, number: str, dialog: tuple[str, str, str]) -> str:
    """Refer-To of an attended transfer: Call-ID, the switch's tag and one's own of the other call (RFC
    3891)."""
    call_id, theirs, own = dialog
    replaces = quote(f"{call_id};to-tag={theirs};from-tag={own}", safe="")
    return f"{uri(server, number)}?Replaces={replaces}"


def told(phone: Baresip, *statuses: int) -> None:
    """Wait until a baresip has been told all of these, in this order, of its transfer."""
    notify = r"Content-Type: message/sipfrag;version=2\.0\n(?:.+\n)+\nSIP/2\.0 {}(?s:.*)"
    phone.says(r"SIP/2\.0 202 Accepted(?s:.*)" + "".join(notify.format(status) for status in statuses))


def assert_ended_together(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Both records end at the same moment, which each counts in milliseconds from its own INVITE."""
    assert abs(one["released_ms"] - other["released_ms"]) <= 1


def assert_both_talked(server: Server, call_id: str) -> None:
    """A second of voice and more went each way, between the two whom the signalling named."""
    sides = server.measured(call_id)
    for side in ("caller", "callee"):
        assert sides[side]["packets"] > 50
        assert sides[side]["strangers"] == 0


def test_blind(server: Server, sipp: SippRunner, desk: Place, dect: Place, voice: str) -> None:
    """The line that called and transferred pays for both legs until they end."""
    target = sipp.start("callee", server.carrier, "-rtp_echo")
    kept = sipp.start("callee-stays", dect, "-d", TALK_MS, user="dect", keys={"voice": voice})
    keys = {"target": uri(server, PARTNER)}
    sipp.run("transfer", desk, user="desk", to="022345678", keys=keys)
    kept.finish()
    target.finish()
    records = {record["origin"]: record for record in server.new_records(2)}
    own, moved = records["line"], records["transfer"]
    assert (own["line"], own["called"], own["outcome"]) == (DESK, DECT, "answered")
    assert (moved["line"], moved["called"], moved["outcome"]) == (DESK, PARTNER, "answered")
    assert (moved["trunk"], moved["caused_by"], moved["verdict"]) == ("carrier", own["call_id"], "allowed")
    assert (own["released_by"], moved["released_by"]) == ("callee", "caller")
    assert_ended_together(own, moved)
    assert own["answered_ms"] < moved["answered_ms"]
    assert own["duration_s"] >= moved["duration_s"] >= 2
    assert own["flags"] == moved["flags"] == []
    assert_both_talked(server, moved["call_id"])
    server.assert_at_rest()
    answer = server.explain(moved, PARTNER)
    assert (answer["decision"], answer["code"]) == ("allowed", "allowed")
    assert answer["attempts"][0] == [moved["trunk"]]
    assert (answer["number"], answer["class"], answer["row"]) == (
        moved["called"],
        moved["destination_class"],
        moved["zone"],
    )
    first, price = moved["segments"][0], answer["price"]
    assert (price["per_minute"], price["source"], price["tariff"]) == (
        first["per_minute"],
        first["source"],
        first["tariff"],
    )
    assert price["setup"] == moved["setup_fee"]


def test_blind_by_the_called_side(server: Server, sipp: SippRunner, dect: Place, voice: str) -> None:
    """A carrier's call is sent on over another carrier: the line that transfers it pays for that, and the
    caller, who hears of it by a re-INVITE, for his own."""
    target = sipp.start("callee", server.carrier, "-rtp_echo")
    referrer = sipp.start("callee-transfers", dect, user="dect", keys={"target": uri(server, PARTNER)})
    kept = sipp.start("trunk-stays", server.second, "-d", TALK_MS, to="022345678", keys={"voice": voice})
    referrer.finish()
    kept.finish()
    target.finish()
    records = {record["origin"]: record for record in server.new_records(2)}
    own, moved = records["trunk"], records["transfer"]
    assert (own["line"], own["called"], own["trunk"], own["amount"]) == ("", DECT, "second", 0)
    assert (moved["line"], moved["called"], moved["trunk"]) == (DECT, PARTNER, "carrier")
    assert (moved["caused_by"], moved["diversions"]) == (own["call_id"], [DECT])
    assert (own["released_by"], moved["released_by"]) == ("caller", "caller")
    assert_ended_together(own, moved)
    assert_both_talked(server, moved["call_id"])
    server.assert_at_rest()


def test_blind_abroad(server: Server, sipp: SippRunner, desk: Place, dect: Place) -> None:
    """R-POL-02: refused with the reason, and the two who talk go on; `explain` says the same."""
    before = server.metric(ABROAD)
    callee = sipp.start("callee-gets-info", dect, user="dect")
    keys = {"target": uri(server, PARIS), "verdict": "transfer-international"}
    sipp.run("transfer-refused", desk, user="desk", to="022345678", keys=keys)
    callee.finish()
    records = {record["origin"]: record for record in server.new_records(2)}
    own, refused = records["line"], records["transfer"]
    assert (own["outcome"], own["released_by"], own["flags"]) == ("answered", "caller", [])
    assert (refused["outcome"], refused["verdict"]) == ("refused", "transfer-international")
    assert (refused["line"], refused["dialled"], refused["caused_by"]) == (DESK, PARIS, own["call_id"])
    assert (refused["status"], refused["amount"], refused["duration_s"]) == (403, 0, 0)
    assert server.metric(ABROAD) == before + 1
    server.assert_at_rest()
    answer = server.explain(refused, PARIS)
    assert (answer["decision"], answer["code"]) == ("refused", refused["verdict"])
    assert (answer["status"], answer["cause"]) == (403, 55)


def test_attended(server: Server, sipp: SippRunner, desk: Place, dect: Place, voice: str) -> None:
    """Two calls of SIPp's, each in a process of its own; the second names the first by Replaces."""
    target = sipp.start("callee-moved", server.carrier, "-rtp_echo")
    other = desk[0], free_port(desk[0])
    consult = sipp.start("call-until-hung-up", other, user="desk", to=PARTNER)
    wait_for(lambda: len(consult.answered()) > 0, "consultation")
    (answer,) = consult.answered()
    to, sender = (rows(answer, name)[0].partition(";tag=")[2] for name in ("To", "From"))
    keys = {"target": replacing(server, PARTNER, (rows(answer, "Call-ID")[0], to, sender))}
    kept = sipp.start("callee-stays", dect, "-d", TALK_MS, user="dect", keys={"voice": voice})
    sipp.run("transfer-attended", desk, user="desk", to="022345678", keys=keys)
    consult.finish()
    kept.finish()
    target.finish()
    records = {record["called"]: record for record in server.new_records(2)}
    own, consulted = records[DECT], records[PARTNER]
    assert (own["line"], own["origin"], own["released_by"]) == (DESK, "line", "callee")
    assert (consulted["line"], consulted["origin"], consulted["trunk"]) == (DESK, "line", "carrier")
    assert_ended_together(own, consulted)
    assert own["duration_s"] >= 2
    assert consulted["duration_s"] >= 2
    assert own["flags"] == consulted["flags"] == []
    assert_both_talked(server, consulted["call_id"])
    server.assert_at_rest()


def test_baresip_attended(
    server: Server, sipp: SippRunner, make_baresip: MakeBaresip, dect: Place, voice: str
) -> None:
    """It takes the first call back from hold by itself as soon as the second one ends, at the very moment
    when that is transferred away."""
    target = sipp.start("callee-moved", server.carrier, "-rtp_echo")
    kept = sipp.start("callee-held-and-moved", dect, "-d", TALK_MS, user="dect", keys={"voice": voice})
    phone = make_baresip("desk", f"/dial {uri(server, '022345678')}")
    phone.says("Call established")
    phone.command("hold")
    phone.says("a=recvonly")
    phone.command("dial", uri(server, PARTNER))
    phone.says(r"Call established(?s:.*)Call established")
    _, consult = phone.dialogs()
    phone.command("line", "1")
    phone.command("transfer", f"<{replacing(server, PARTNER, consult)}>")
    told(phone, 100, 200)
    phone.says("resuming previous call")
    kept.finish()
    target.finish()
    records = {record["called"]: record for record in server.new_records(2)}
    own, consulted = records[DECT], records[PARTNER]
    assert own["line"] == consulted["line"] == DESK
    assert own["device"].startswith("baresip")
    assert_ended_together(own, consulted)
    assert (own["released_by"], own["flags"], consulted["flags"]) == ("callee", [], [])
    assert_both_talked(server, consulted["call_id"])
    server.assert_at_rest()


def test_baresip_blind(
    server: Server, sipp: SippRunner, make_baresip: MakeBaresip, dect: Place, voice: str
) -> None:
    target = sipp.start("callee", server.carrier, "-rtp_echo")
    kept = sipp.start("callee-stays", dect, "-d", TALK_MS, user="dect", keys={"voice": voice})
    phone = make_baresip("desk", f"/dial {uri(server, '022345678')}")
    phone.says("Call established")
    phone.command("transfer", uri(server, PARTNER))
    told(phone, 100, 180, 200)
    kept.finish()
    target.finish()
    records = {record["origin"]: record for record in server.new_records(2)}
    assert records["transfer"]["caused_by"] == records["line"]["call_id"]
    assert records["transfer"]["line"] == DESK
    assert_both_talked(server, records["transfer"]["call_id"])
    server.assert_at_rest()


def test_pyvoip_stays(
    server: Server, sipp: SippRunner, make_baresip: MakeBaresip, phones: MakePhone, desk: Place
) -> None:
    """SIPp calls pyVoIP and transfers it to baresip: pyVoIP takes the re-INVITE and hears the new tone."""
    kept = phones(server, server.network.host(12), "dect", CALLEE_HZ, "--go-on")
    kept.says("registered")
    target = make_baresip("softphone")
    target.says("200 OK")
    keys = {"target": uri(server, SOFTPHONE)}
    sipp.run("transfer", desk, user="desk", to="022345678", keys=keys)
    kept.says("ringing")
    heard: dict[str, Any] = {}
    for _ in range(4):  # the first may have begun before the transfer
        heard = kept.says("heard")
        if heard["power"][str(CALLER_HZ)] > 0.3:
            break
    assert heard["power"][str(CALLER_HZ)] > 0.3, heard
    assert heard["power"][str(CALLEE_HZ)] < 0.05, heard
    target.hang_up()
    records = {record["origin"]: record for record in server.new_records(2)}
    own, moved = records["line"], records["transfer"]
    assert (own["called"], moved["called"], moved["line"]) == (DECT, SOFTPHONE, DESK)
    assert (own["released_by"], moved["released_by"]) == ("caller", "callee")
    sides = server.measured(moved["call_id"])
    assert min(sides[side]["packets"] for side in ("caller", "callee")) > 80
    server.assert_at_rest()
