"""One call from office equipment over the carrier, message by message, each as its sender would send it."""

from __future__ import annotations

from collections.abc import Callable

from switch.ports import Address
from switch.sip.message import Request, Response, respond
from switch.sip.parser import parse_datagram
from tests.switch.sip.support import Row, request_bytes
from tests.torture.corpus import SDP, invite
from tests.torture.support import CARRIER, EQUIPMENT, Subject

CALLED = "+33145674567"
OFFICE_USER = "office@example.com"
Step = Callable[[Subject], tuple[bytes, Address]]


def sent_to(
    subject: Subject, remote: Address, kind: type[Request | Response], method: str
) -> Request | Response | None:
    """The latest such message that the switch sent to `remote`."""
    for host, data in reversed(subject.sent()):
        message = parse_datagram(data)
        if host.host == remote.host and isinstance(message, kind) and message.cseq[1] == method:
            return message
    return None


def call(_subject: Subject) -> tuple[bytes, Address]:
    return invite(CALLED), EQUIPMENT


def answered(status: int, method: str, body: str) -> Step:
    """The carrier's response to our latest request."""

    def step(subject: Subject) -> tuple[bytes, Address]:
        request = sent_to(subject, CARRIER, Request, method)
        if not isinstance(request, Request):
            return b"", CARRIER
        fields = {
            "Contact": ["<sip:gw@203.0.113.88:5060>"],
            "Content-Type": ["application/sdp"],
            "Record-Route": ["<sip:203.0.113.88;lr>"],
        }
        return respond(request, status, tag="carrier", fields=fields, body=body.encode()).encode(), CARRIER

    return step


def inside(method: str, cseq: int, body: str = "", **fields: Row) -> Step:
    """A request of the caller inside its dialog."""

    def step(subject: Subject) -> tuple[bytes, Address]:
        response = sent_to(subject, EQUIPMENT, Response, "INVITE")
        tag = response.recipient.tag if response is not None else "none"
        number = 1 if method == "ACK" and cseq == 2 else cseq
        return request_bytes(
            method,
            "sip:192.0.2.1:5060",
            body,
            {
                "Via": f"SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK-{method}-{cseq};rport",
                "From": f'"Office" <sip:{OFFICE_USER}>;tag=a1',
                "To": f"<sip:{CALLED}@example.com>;tag={tag}",
                "CSeq": f"{number} {method}",
                "Contact": "<sip:office@10.0.0.5:5060;ob>",
                **fields,
            },
        ), EQUIPMENT

    return step


HELD = SDP.replace("sendrecv", "sendonly")
TYPE: dict[str, Row] = {"Content-Type": "application/sdp"}

STEPS: list[Step] = [
    call,
    answered(100, "INVITE", ""),
    answered(183, "INVITE", SDP),
    answered(200, "INVITE", SDP),
    inside("ACK", 2),
    inside("INFO", 3, "<media_control/>", **{"Content-Type": "application/media_control+xml"}),
    answered(200, "INFO", ""),
    inside("INVITE", 4, HELD, **TYPE),
    answered(200, "INVITE", SDP.replace("sendrecv", "recvonly")),
    inside("ACK", 4),
    inside("OPTIONS", 5),
    inside("BYE", 6, **{"Reason": "Q.850;cause=16"}),
    answered(200, "BYE", ""),
]
