"""What an INFO says of a key."""

from __future__ import annotations

import pytest

from switch.call.events import Info
from switch.call.exchange import KEY_MS, key_of

RELAY, ALONE = "application/dtmf-relay", "application/dtmf"


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        (RELAY, b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        (RELAY, b"Signal= 5\r\nDuration = 250\r\n", ("5", 250)),
        (RELAY, b"Signal=10\r\n", ("*", KEY_MS)),
        (RELAY, b"Signal=11\r\n", ("#", KEY_MS)),
        (RELAY, b"signal=#\nduration=80", ("#", 80)),
        (RELAY, b"Signal=a", ("A", KEY_MS)),
        (RELAY, b"Signal=5\r\nDuration=-1", ("5", KEY_MS)),
        (RELAY, b"Signal=5\r\nDuration=1234567", ("5", KEY_MS)),
        (RELAY, b"Signal=1 2", None),
        (RELAY, b"Signal=", None),
        (RELAY, b"Duration=160", None),
        (RELAY, b"5", None),
        (RELAY, b"Signal=16\r\n", None),
        (RELAY, b"Signal=!\r\n", None),
        (RELAY, b"Signal=5" + b" " * 100, None),
        (RELAY, b"", None),
        (RELAY, b"\xff\xfe", None),
        ("Application/DTMF-Relay;charset=x", b"Signal=1", ("1", KEY_MS)),
        (ALONE, b"9", ("9", KEY_MS)),
        (ALONE, b" * \r\n", ("*", KEY_MS)),
        (ALONE, b"", None),
        (ALONE, b"55", None),
        ("application/media_control+xml", b"5", None),
    ],
)
def test_the_key(kind: str, body: bytes, key: tuple[str, int] | None) -> None:
    assert key_of(Info(1, kind, "", body)) == key
