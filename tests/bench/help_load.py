"""What it costs to decide about a call for help and to write what travels with it, beside the decision about
an ordinary call."""

from __future__ import annotations

from dataclasses import replace

from switch.call.admission import Admission
from switch.ports import Address, Flow
from switch.sip.message import Request
from switch.sip.multipart import Part, mixed
from switch.sip.parser import parse_datagram
from tests.bench.rating_load import best_us
from tests.sim.text import sdp
from tests.sim.world import DOMAIN, HOSTS, SWITCH, World

BRUSSELS = {
    "country": "BE",
    "postcode": "1000",
    "municipality": "Bruxelles",
    "municipality_other": "Brussel",
    "street": "Rue du Midi",
    "street_other": "Zuidstraat",
    "number": "80",
    "floor": "1",
    "name": "Librairie Dupont SRL",
    "language": "fr",
}
"""An address that is told in two languages, which is the most there is to write."""


def run_help() -> dict[str, float]:
    """Microseconds at the gate, of an ordinary call over a trunk and of a call for help from a line in
    Brussels, the body of its INVITE included. The line is known by its address: neither has a digest."""
    world = World()
    world.machine.lines = [
        replace(line, address=BRUSSELS) if line.user == "office" else line for line in world.machine.lines
    ]
    world.machine.start()
    core, now = world.machine.core, world.moment()
    assert core is not None
    flow = Flow("udp", SWITCH, Address(HOSTS["office"], 5060))
    ordinary, urgent = _invite("0478123456"), _invite("112")
    description = Part("application/sdp", urgent.body)

    def admitted(request: Request) -> Admission:
        assert core is not None
        admission = core.gate.admit(request, flow, now)
        assert isinstance(admission, Admission), admission
        return admission

    def help_with_body() -> bytes:
        _, body = mixed([description, *admitted(urgent).plan.stages[0].targets[0].parts], "b" * 24)
        return body

    assert not admitted(ordinary).emergency
    assert help_with_body().count(b"<presence ") == 2
    return {
        "ordinary_us": best_us(lambda: admitted(ordinary), 1_000),
        "help_us": best_us(help_with_body, 1_000),
    }


def _invite(called: str) -> Request:
    host, uri = HOSTS["office"], f"sip:{called}@{DOMAIN}"
    body = sdp("office", host, 40_000, 1)
    rows = [
        f"INVITE {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK1;rport",
        "Max-Forwards: 70",
        f"From: <sip:office@{DOMAIN}>;tag=1",
        f"To: <{uri}>",
        f"Call-ID: 1@{host}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:office@{host}:5060>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    request = parse_datagram("\r\n".join([*rows, "", body]).encode())
    assert isinstance(request, Request)
    return request
