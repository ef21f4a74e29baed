"""A bare UDP socket that speaks SIP: what comes is kept byte for byte, what it sends is written out here.

It knows no transactions: it passes over whatever it does not wait for, repetitions included.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from email import message_from_bytes
from types import TracebackType

PATIENCE_S = 5.0
LARGEST = 65_535


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as it came."""

    data: bytes

    @property
    def start(self) -> str:
        """Its first line."""
        return self.data.decode().partition("\r\n")[0]

    @property
    def body(self) -> bytes:
        """What is behind the empty line."""
        return self.data.partition(b"\r\n\r\n")[2]

    def rows(self, name: str) -> list[str]:
        """Every value of a header field, one a row."""
        lines = self.data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
        pairs = [line.partition(": ") for line in lines]
        return [value for key, _, value in pairs if key.lower() == name.lower()]

    def row(self, name: str) -> str:
        """The one value of a header field."""
        (value,) = self.rows(name)
        return value

    def parts(self) -> list[BodyPart]:
        """The parts of its body as the mail reader of the standard library finds them."""
        mail = message_from_bytes(f"Content-Type: {self.row('Content-Type')}\r\n\r\n".encode() + self.body)
        assert mail.is_multipart(), self.row("Content-Type")
        assert not mail.defects
        found = []
        for part in mail.walk():
            if part is not mail:
                content = part.get_payload(decode=True)
                assert isinstance(content, bytes)
                found.append(BodyPart(part.get_content_type(), part["Content-ID"] or "", content))
        return found


@dataclass(frozen=True, slots=True)
class BodyPart:
    """Media type in small letters, Content-ID with its brackets, content."""

    kind: str
    content_id: str
    content: bytes


class Wire:
    """One end of a call on a socket of its own."""

    def __init__(self, local: tuple[str, int], remote: tuple[str, int]) -> None:
        self.local = local
        self.remote = remote
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(local)
        self._call: list[tuple[str, str]] = []

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def send(self, start: str, rows: list[tuple[str, str]], body: bytes = b"") -> None:
        """One message; Content-Length is added."""
        head = [start, *(f"{name}: {value}" for name, value in rows), f"Content-Length: {len(body)}"]
        self._socket.sendto("\r\n".join([*head, "", ""]).encode() + body, self.remote)

    def hear(self, start: str, timeout_s: float = PATIENCE_S) -> Message:
        """The next message whose first line begins so; provisional responses and repetitions are passed over,
        a refusal is not."""
        until_s = time.monotonic() + timeout_s
        passed: list[str] = []
        while (left_s := until_s - time.monotonic()) > 0:
            self._socket.settimeout(left_s)
            try:
                message = Message(self._socket.recv(LARGEST))
            except TimeoutError:
                break
            if message.start.startswith(start):
                return message
            passed.append(message.start)
            assert not passed[-1].startswith(("SIP/2.0 4", "SIP/2.0 5", "SIP/2.0 6")), passed
        raise AssertionError(f"no {start!r} came, but {passed}")

    def sdp(self) -> bytes:
        """A session description: one audio stream, and nobody there."""
        host = self.local[0]
        lines = [
            "v=0",
            f"o=- 1 1 IN IP4 {host}",
            "s=-",
            f"c=IN IP4 {host}",
            "t=0 0",
            "m=audio 39998 RTP/AVP 8",
            "a=rtpmap:8 PCMA/8000",
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    # --- a phone --------------------------------------------------------------------------------------------

    def invite(
        self,
        uri: str,
        sender: str,
        rows: list[tuple[str, str]] | None = None,
        *,
        kind: str = "application/sdp",
        body: bytes | None = None,
    ) -> None:
        """Call somebody; `sender` is From without its tag."""
        host, port = self.local
        self._call = [("From", f"{sender};tag=wire"), ("Call-ID", f"call@{host}-{port}")]
        more = [*(rows or []), ("Contact", f"<sip:{host}:{port}>"), ("Content-Type", kind)]
        self._request("INVITE", uri, f"<{uri}>", 1, more, self.sdp() if body is None else body)

    def talk(self, answer: Message) -> None:
        """ACK to a 200, and hang up."""
        target = answer.row("Contact").partition("<")[2].partition(">")[0]
        self._request("ACK", target, answer.row("To"), 1, [])
        self._request("BYE", target, answer.row("To"), 2, [])

    def _request(
        self, method: str, uri: str, to: str, cseq: int, rows: list[tuple[str, str]], body: bytes = b""
    ) -> None:
        host, port = self.local
        via = ("Via", f"SIP/2.0/UDP {host}:{port};branch=z9hG4bK-{method}-{cseq};rport")
        head = [via, ("Max-Forwards", "70"), ("To", to), ("CSeq", f"{cseq} {method}"), *self._call]
        self.send(f"{method} {uri} SIP/2.0", [*head, *rows], body)

    # --- a centre -------------------------------------------------------------------------------------------

    def answer(self, request: Message, status: str = "200 OK", *, body: bytes = b"") -> None:
        """Respond to a request."""
        rows = [(name, value) for name in ("Via", "From", "Call-ID", "CSeq") for value in request.rows(name)]
        to = request.row("To")
        rows.append(("To", to if ";tag=" in to else f"{to};tag=centre"))
        if body:
            host, port = self.local
            rows += [("Contact", f"<sip:{host}:{port}>"), ("Content-Type", "application/sdp")]
        self.send(f"SIP/2.0 {status}", rows, body)
