"""The lab as a whole, on free ports: calls both ways through a real switch and its relay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog

from switch import configuration
from switch.config.loader import default_config_dir
from switch.configuration import Configuration
from switch.lab import phone
from switch.lab.party import Party
from switch.lab.uas import Pace
from switch.lab.world import (
    DEMO_NUMBER,
    Lab,
    LabError,
    lab_configuration,
    lab_lines,
    scenario,
    shift_to,
)
from switch.net.clock import SystemClock
from switch.ports import NS_PER_S, Address
from switch.sip.auth import answer
from switch.sip.message import Request, Response
from tests.switch.cli.conftest import free_port

LOG = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
PBX_HOST, DESK_HOST = "127.0.0.5", "127.0.0.6"
PBX_NUMBER, DESK_NUMBER = "+3222345678", "+3216234567"
QUICK = Pace(ring_s=0.02, answer_s=0.05)


@pytest.fixture(scope="module")
def shipped() -> Configuration:
    loaded, faults = configuration.load(default_config_dir())
    assert loaded is not None, faults
    return loaded


@pytest_asyncio.fixture
async def lab(shipped: Configuration, tmp_path: Path) -> AsyncIterator[Lab]:
    """A lab whose DECT line is a telephone system, admitted by its address."""
    lines = [
        line.model_copy(update={"sources": (ip_network(PBX_HOST),)}) if line.user == "dect" else line
        for line in lab_lines(shipped.directory)
    ]
    one = Lab(lab_configuration(shipped, tmp_path, free_port(20, 30, 31)), lines, LOG, 0)
    await one.start()
    for party in (*one.carriers, *one.centres):
        party.pace = QUICK
    yield one
    await one.stop()
    await one.close()


async def until(happened: Callable[[], Any], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not happened():
            await asyncio.sleep(0.01)


async def record(lab: Lab) -> dict[str, Any]:
    """The one record, once its media were measured."""
    async with asyncio.timeout(5):
        while not (records := await lab.records(10)) or (
            records[0]["answered_ms"] and not records[0]["media"]
        ):
            await asyncio.sleep(0.02)
    assert len(records) == 1
    return records[0]


async def test_a_line_calls_out_and_its_price_runs(lab: Lab) -> None:
    pbx = Party("pbx", Address(PBX_HOST, 0))
    leg = pbx.call(DEMO_NUMBER, PBX_NUMBER, lab.address)
    await until(lambda: leg.talking)
    carrier = lab.carriers[0]
    far = next(iter(carrier.legs.values()))
    await until(lambda: leg.session.stream.heard > 5 and far.session.stream.heard > 5)
    (call,) = lab.calls()
    assert (call["state"], call["called"], call["trunk"]) == ("answered", "+212612345678", "carrier")
    assert call["amount"] >= 800  # the set-up fee and what was talked
    leg.bye()
    cdr = await record(lab)
    pbx.close()
    assert (cdr["outcome"], cdr["released_by"], cdr["line"]) == ("answered", "caller", PBX_NUMBER)
    assert cdr["amount"] > cdr["setup_fee"] == 800
    assert {side["packets"] > 5 for side in cdr["media"]["0"].values()} == {True}
    assert far.over
    assert lab.calls() == []


async def test_112_reaches_the_centre_and_is_free(lab: Lab) -> None:
    desk = Party("desk", Address(DESK_HOST, 0))
    leg = desk.call("112", "desk", lab.address)
    await until(lambda: leg.talking)
    assert [centre.answered for centre in lab.centres] == [1, 0]
    assert lab.calls()[0]["emergency"] is True
    leg.bye()
    cdr = await record(lab)
    desk.close()
    assert (cdr["emergency"], cdr["amount"], cdr["trunk"]) == (True, 0, "psap-gw1")


async def test_the_carrier_calls_a_registered_phone(lab: Lab) -> None:
    assert not lab.registered(DESK_NUMBER)
    desk = Party("desk", Address(DESK_HOST, 0), QUICK)
    await register(desk, lab.address, "desk", "desk-secret")
    assert lab.registered(DESK_NUMBER)
    leg = lab.call_in(DESK_NUMBER)
    await until(lambda: leg.talking and desk.answered)
    phone_leg = next(iter(desk.legs.values()))
    await until(lambda: leg.session.stream.heard > 5 and phone_leg.session.stream.heard > 5)
    phone_leg.bye()
    await until(lambda: leg.over)
    cdr = await record(lab)
    desk.close()
    assert (cdr["origin"], cdr["outcome"], cdr["released_by"]) == ("trunk", "answered", "callee")
    assert cdr["amount"] == 0


async def test_a_call_to_a_phone_that_is_not_there(lab: Lab) -> None:
    leg = lab.call_in(DESK_NUMBER)
    await until(lambda: leg.over)
    assert leg.status == 480
    assert (await record(lab))["verdict"] == "not-registered"


@pytest.mark.interop
@pytest.mark.skipif(not phone.installed(), reason="pyVoIP is not installed: pip install 'belswitch[lab]'")
async def test_the_pyvoip_phone_talks_both_ways(lab: Lab) -> None:
    events: list[dict[str, Any]] = []
    one = phone.Phone(events.append)
    await one.start(lab.address, "softphone", "softphone-secret", call=DEMO_NUMBER, talk_s=1)
    try:
        await until(lambda: any(event["event"] == "exit" for event in events), 20)
    finally:
        await one.close()
    assert [event["event"] for event in events] == ["registered", "answered", "ended", "exit"]
    assert events[2]["heard"] > 20
    assert events[3]["status"] == 0
    await until(lambda: lab.carriers[0].last)
    assert lab.carriers[0].last[0].session.stream.heard > 20
    assert (await record(lab))["amount"] > 800


async def test_two_labs_can_stand_side_by_side_but_not_on_one_port(
    lab: Lab, shipped: Configuration, tmp_path: Path
) -> None:
    second = Lab(lab_configuration(shipped, tmp_path / "second", lab.address.port), (), LOG, 0)
    with pytest.raises(OSError, match="in use"):
        await second.start()


def test_everything_moves_along_with_the_port(shipped: Configuration, tmp_path: Path) -> None:
    moved = lab_configuration(shipped, tmp_path, 5160)
    assert moved.config.sip.listen[0].port == 5160
    assert [trunk.port for trunk in moved.config.trunks] == [5180]
    gateways = {gateway.port for way in moved.emergency.gateways.values() for gateway in way}
    assert gateways == {5190, 5191}
    assert moved.config.store.directory == tmp_path
    assert moved.config.calls.stop == "end"
    with pytest.raises(LabError, match="the highest that does is lower by"):
        lab_configuration(shipped, tmp_path, 65_530)


def test_no_lab_with_a_real_carrier_or_centre(shipped: Configuration, tmp_path: Path) -> None:
    for host in ("192.0.2.1", "sip.carrier.example"):
        trunk = shipped.config.trunks[0].model_copy(update={"host": host})
        config = shipped.config.model_copy(update={"trunks": (trunk,)})
        real = Configuration(shipped.directory, config, shipped.tariffs, shipped.emergency)
        with pytest.raises(LabError, match=host):
            lab_configuration(real, tmp_path, None)


def test_the_demo_call_costs_money_at_any_hour(shipped: Configuration) -> None:
    destination = shipped.tariffs.destinations.classify("+" + DEMO_NUMBER.removeprefix("00"))
    assert destination is not None
    for plan in shipped.tariffs.tariffs[0].plans.values():
        price = plan.prices[destination.price]
        assert price.peak == price.off_peak
        assert price.peak.per_minute > 0
        assert {price.peak_bundle, price.off_peak_bundle} == {False}


def test_the_clock_can_start_at_another_time() -> None:
    now_s = SystemClock().moment().wall_ns // NS_PER_S
    assert shift_to(None) == 0
    assert abs(now_s + shift_to("2026-12-24T20:00") // NS_PER_S - 1_798_138_800) <= 1
    assert abs(shift_to("03:30")) < 24 * 3600 * NS_PER_S
    for wrong in ("25:00", "soon", "2026-13-01T10:00"):
        with pytest.raises(LabError):
            shift_to(wrong)


def test_the_scenario_comes_along() -> None:
    assert "INVITE sip:[service]@" in scenario("call").read_text()


async def register(party: Party, switch: Address, user: str, password: str) -> None:
    """Register a party as a phone."""
    uri = f"sip:{switch.host}:{switch.port}"
    responses: list[Response] = []

    def send(cseq: int, more: dict[str, list[str]]) -> None:
        fields = {
            "From": [f"<sip:{user}@{switch.host}>;tag=r"],
            "To": [f"<sip:{user}@{switch.host}>"],
            "Call-ID": ["register-1"],
            "CSeq": [f"{cseq} REGISTER"],
            "Contact": [party.contact],
            "Max-Forwards": ["70"],
        }
        party.request(Request("REGISTER", uri, fields | more), switch, responses.append)

    send(1, {})
    await until(lambda: len(responses) == 1)
    credentials = answer(responses[0].rows("WWW-Authenticate"), "REGISTER", uri, user, password, "cnonce")
    assert credentials is not None
    send(2, {"Authorization": [credentials]})
    await until(lambda: len(responses) == 2)
    assert responses[1].status == 200
