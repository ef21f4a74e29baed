"""A pyVoIP phone: registers, calls or is called, plays one tone and tells which tones it hears.

What happens is printed as one JSON object a line. pyVoIP is GPL-3 and its threads do not end: hence a process
of its own, ended from outside.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from typing import Any

RATE_HZ = 8000
FRAME = 160
LISTEN_S = 2.0


def tone(hz: int, seconds: float) -> bytes:
    """A sine at half of full scale, unsigned 8 bit linear as pyVoIP wants it."""
    return bytes(
        128 + round(64 * math.sin(2 * math.pi * hz * n / RATE_HZ)) for n in range(int(seconds * RATE_HZ))
    )


def power(samples: bytes, hz: int) -> float:
    """How much of a frequency is in unsigned 8 bit samples, 0 to 1 of a full-scale sine (Goertzel)."""
    if not samples:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE_HZ)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, (sample - 128) / 128 + coefficient * last - before
    energy = before**2 + last**2 - coefficient * before * last
    return 2 * math.sqrt(max(0.0, energy)) / len(samples)


def tell(event: str, **facts: Any) -> None:
    """One event for the test."""
    print(json.dumps({"event": event, **facts}), flush=True)


def talk(call: Any, hz: int, listen_for: list[int], tone_s: float = 2 * LISTEN_S) -> None:
    """Play the tone, listen, and tell how loud each frequency was."""
    call.write_audio(tone(hz, tone_s))
    heard = bytearray()
    until = time.monotonic() + LISTEN_S
    while time.monotonic() < until:
        frame = call.read_audio(FRAME, blocking=False)
        if frame != b"\x80" * FRAME:  # what pyVoIP gives for nothing received
            heard += frame
        time.sleep(FRAME / RATE_HZ)
    tell(
        "heard",
        samples=len(heard),
        power={str(one): round(power(bytes(heard), one), 3) for one in listen_for},
    )


def main() -> None:
    """Be the phone until the call is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("server")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    parser.add_argument("host")
    parser.add_argument("sip_port", type=int)
    parser.add_argument("rtp_port", type=int)
    parser.add_argument("--call", help="the number to call; without, wait for one")
    parser.add_argument("--tone", type=int, required=True)
    parser.add_argument("--listen-for", type=int, nargs="+", required=True)
    parser.add_argument("--go-on", action="store_true", help="talk and listen as long as the call lasts")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    from pyVoIP.VoIP import CallState, VoIPPhone

    def answer(call: Any) -> None:
        tell("ringing")
        call.answer()
        talk(call, arguments.tone, arguments.listen_for)
        while call.state == CallState.ANSWERED:
            if arguments.go_on:
                talk(call, arguments.tone, arguments.listen_for, LISTEN_S)
            time.sleep(0.02)
        tell("ended")

    phone = VoIPPhone(
        arguments.server,
        arguments.port,
        arguments.user,
        arguments.password,
        myIP=arguments.host,
        callCallback=answer,
        sipPort=arguments.sip_port,
        rtpPortLow=arguments.rtp_port,
        rtpPortHigh=arguments.rtp_port + 20,
    )
    phone.start()
    while phone.get_status().value != "REGISTERED":
        time.sleep(0.02)
    tell("registered")
    if arguments.call:
        call = phone.call(arguments.call)
        while call.state == CallState.DIALING:
            time.sleep(0.02)
        tell("answered" if call.state == CallState.ANSWERED else "refused")
        talk(call, arguments.tone, arguments.listen_for)
        call.hangup()
        tell("ended")
    sys.stdin.read()  # until the test closes it
    phone.stop()


if __name__ == "__main__":
    main()
