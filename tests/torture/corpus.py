"""Real messages to start from: those of RFC 4475, and what phones and carriers send to a switch every day."""

from __future__ import annotations

from pathlib import Path

from tests.switch.sip.support import Row, request_bytes, response_bytes
from tests.torture.support import ALICE, DOMAIN, OFFICE

SDP = (
    "v=0\r\no=- 8000 8000 IN IP4 10.0.0.5\r\ns=SIP Call\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n"
    "m=audio 5004 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\na=rtcp:5005 IN IP4 10.0.0.5\r\na=rtcp-mux\r\n"
)
PARTS = (
    "--b1\r\nContent-Type: application/sdp\r\n\r\n" + SDP + "\r\n"
    "--b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <l@x>\r\n\r\n<presence/>\r\n--b1--\r\n"
)
CREDENTIALS = (
    f'Digest username="alice", realm="{DOMAIN}", nonce="AGsrEXk0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0", '
    f'uri="sip:{DOMAIN}", response="6629fae49393a05397450978507c4ef1", algorithm=MD5, qop=auth, '
    'nc=00000001, cnonce="0a4f113b"'
)
CALLER: dict[str, Row] = {
    "From": f'"Office" <sip:{OFFICE}@{DOMAIN}>;tag=a1',
    "Contact": '<sip:office@10.0.0.5:5060;ob>;+sip.instance="<urn:uuid:1>"',
    "Allow": "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO",
    "Supported": "replaces, 100rel, timer",
    "User-Agent": "Phone/1.2.3",
    "Content-Type": "application/sdp",
}


def invite(user: str, **fields: Row) -> bytes:
    """An INVITE as a phone sends it."""
    uri = f"sip:{user}@{DOMAIN}"
    body = PARTS if "multipart" in str(fields.get("Content-Type")) else SDP
    return request_bytes("INVITE", uri, body, {**CALLER, "To": f"<{uri}>", **fields})


EVERYDAY = [
    invite("+33145674567"),
    invite("0470123456", Authorization=CREDENTIALS),
    invite("112"),
    invite(ALICE),
    invite(
        "016234567",
        **{"Content-Type": 'multipart/mixed;boundary="b1"', "Record-Route": "<sip:p1;lr>, <sip:p2;lr>"},
    ),
    request_bytes(
        "REGISTER",
        f"sip:{DOMAIN}",
        "",
        {
            "From": f"<sip:alice@{DOMAIN}>;tag=a1",
            "To": f"<sip:alice@{DOMAIN}>",
            "Contact": "<sip:alice@10.0.0.5:5060>;q=0.5;expires=300, <sip:alice@[2001:db8::5]>",
            "Expires": "300",
            "Authorization": CREDENTIALS,
        },
    ),
    request_bytes("OPTIONS", f"sip:{DOMAIN}", "", {"Accept": "application/sdp"}),
    request_bytes("ACK", f"sip:{ALICE}@{DOMAIN}", "", {"To": "<sip:b@h>;tag=b1", "CSeq": "1 ACK"}),
    request_bytes(
        "BYE", f"sip:{ALICE}@{DOMAIN}", "", {"To": "<sip:b@h>;tag=b1", "Reason": 'Q.850;cause=16;text="x"'}
    ),
    request_bytes("CANCEL", f"sip:{ALICE}@{DOMAIN}", "", {}),
    request_bytes("INFO", f"sip:{ALICE}@{DOMAIN}", "Signal=1", {"Content-Type": "application/dtmf-relay"}),
    response_bytes(200, {"Contact": "<sip:bob@10.0.0.9>", "Content-Type": "application/sdp"}, SDP),
    response_bytes(401, {"WWW-Authenticate": 'Digest realm="x", nonce="n", qop="auth"'}),
    response_bytes(503, {"Retry-After": "30;duration=5"}),
    b"\r\n\r\n",
]
TORTURE = [path.read_bytes() for path in sorted((Path(__file__).parent / "rfc4475").glob("*.dat"))]
