"""A pyVoIP phone that registers, calls, plays a tone and listens: `python -m switch.lab.pyvoip_phone`.

pyVoIP is GPL-3 and an extra (`belswitch[lab]`): it runs in this process of its own and nothing imports it.
The password comes on the first line of standard input; what happened goes to standard output as JSON lines.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import sys
import time
import warnings
from typing import Any

BLOCK = 160
"""Samples of 20 ms."""
ANSWER_WITHIN_S = 30.0


def main() -> None:
    """Run the phone; leaves with 0 when the call was answered and both sides hung up in order."""
    options = _options()
    password = sys.stdin.readline().rstrip("\n")
    warnings.simplefilter("ignore")
    try:
        from pyVoIP.VoIP import VoIPPhone
    except ImportError:
        tell("missing")
        sys.exit(2)
    phone = VoIPPhone(
        options.host,
        options.port,
        options.user,
        password,
        myIP=options.local,
        callCallback=lambda call: answer(call, options.talk_s),
        sipPort=free_port(options.local),
    )
    done = False
    try:
        phone.start()
        tell("registered")
        if options.call:
            done = place(phone, options.call, options.talk_s)
        else:
            time.sleep(options.talk_s)
            done = True
    finally:
        phone.stop()
        sys.stdout.flush()
        os._exit(0 if done else 1)  # its threads are not daemons


def place(phone: Any, number: str, talk_s: float) -> bool:
    """Call a number and talk; whether it was answered."""
    from pyVoIP.VoIP import CallState

    call = phone.call(number)
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while call.state == CallState.DIALING and time.monotonic() < deadline:
        time.sleep(0.05)
    if call.state != CallState.ANSWERED:
        tell("not-answered")
        return False
    tell("answered")
    talk(call, talk_s)
    return True


def answer(call: Any, talk_s: float) -> None:
    """Take an incoming call and talk."""
    from pyVoIP.VoIP import InvalidStateError

    try:
        call.answer()
    except InvalidStateError:
        return  # given up meanwhile
    tell("taken")
    talk(call, talk_s)


def talk(call: Any, talk_s: float) -> None:
    """Play the tone and count what is heard, until time is up or the other side hangs up; then hang up."""
    from pyVoIP.VoIP import CallState

    wave = tone_u8()
    blocks = heard = 0
    started = due = time.monotonic()
    while call.state == CallState.ANSWERED and due - started < talk_s:
        call.write_audio(wave[:BLOCK] if blocks % 2 == 0 else wave[BLOCK:])
        block = call.read_audio(BLOCK, blocking=False)
        blocks += 1
        heard += max(block) - min(block) > 8
        due += 0.02
        time.sleep(max(0.0, due - time.monotonic()))
    if call.state == CallState.ANSWERED:
        call.hangup()
    tell("ended", blocks=blocks, heard=heard)


def tone_u8() -> bytes:
    """Two blocks of a 425 Hz tone as pyVoIP wants samples: 8 bits, unsigned, 8000 a second."""
    return bytes(128 + round(32 * math.sin(2 * math.pi * 425 * n / 8000)) for n in range(2 * BLOCK))


def free_port(host: str) -> int:
    """A UDP port that was free a moment ago: pyVoIP cannot take one from the kernel."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def tell(event: str, **facts: int) -> None:
    """Say what happened."""
    print(json.dumps({"event": event, **facts}), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A pyVoIP phone; the password is read from standard input.")
    parser.add_argument("--host", default="127.0.0.1", help="the switch")
    parser.add_argument("--port", type=int, default=5060)
    parser.add_argument("--local", default="127.0.0.1", help="the phone's own address")
    parser.add_argument("--user", required=True)
    parser.add_argument("--call", default="", help="the number to call; without one it waits for calls")
    parser.add_argument("--talk-s", type=float, default=20.0, help="how long to talk or wait")
    return parser.parse_args()


if __name__ == "__main__":
    main()
