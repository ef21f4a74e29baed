"""SIP over WebSocket (RFC 7118): handshake and frames of one connection, by `websockets` without its I/O."""

from __future__ import annotations

from websockets.exceptions import NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from switch.sip.framing import MAX_BODY, MAX_HEAD


class WebSocketChannel:
    """One connection as octets in and messages out (`switch.net.streams.Channel`). Each SIP message is one
    message of WebSocket, text or binary (section 5)."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol(
            subprotocols=[Subprotocol("sip")], select_subprotocol=_only_sip, max_size=MAX_HEAD + MAX_BODY
        )
        self._parts: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Whether the handshake or a message has begun and not ended."""
        return self._protocol.state is State.CONNECTING or bool(self._parts)

    @property
    def broken(self) -> str:
        """Why the connection is to be closed; '' while it goes on."""
        if self._protocol.state is State.CONNECTING or not self._protocol.close_expected():
            return "" if self._protocol.handshake_exc is None else "bad handshake"
        return "websocket closed"

    def feed(self, data: bytes) -> list[bytes]:
        """Take octets as they come; the messages that are complete with them, in order."""
        self._protocol.receive_data(data)
        found: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    found.append(b"".join(self._parts))
                    self._parts.clear()
        return found

    def wrap(self, message: bytes) -> bytes:
        """A message as it is sent: browsers want text, which SIP nearly always is."""
        if self._protocol.state is State.OPEN:
            if message.isascii() or _is_text(message):
                self._protocol.send_text(message)
            else:
                self._protocol.send_binary(message)
        return self.output()

    def output(self) -> bytes:
        """What the protocol itself has to say: the handshake's answer, pongs, the end."""
        return b"".join(self._protocol.data_to_send())


def _only_sip(_protocol: ServerProtocol, offered: object) -> Subprotocol:
    """Section 4.1: who does not speak SIP here is refused."""
    if isinstance(offered, list | tuple) and "sip" in offered:
        return Subprotocol("sip")
    raise NegotiationError("subprotocol sip is needed")


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
