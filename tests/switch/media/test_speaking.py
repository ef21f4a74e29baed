"""Spoken to by the switch alone: from the offer to the prompt that comes along, through a real relay."""

from __future__ import annotations

import pytest

from switch.config.loader import default_config_dir
from switch.config.prompts import load_prompts
from switch.media.anchor import Anchor, MediaSettings
from switch.media.port_pool import PortPool
from switch.ports import Relay as Order
from switch.relay.g711 import decode
from switch.relay.recording import read
from switch.sdp.description import parse
from tests.switch.relay.harness import Party, free_pair, running_relay
from tests.switch.relay.sound import samples
from tests.switch.sip.support import Chance

HOST = "127.0.0.1"


def pair_of_pairs() -> int:
    """The first of four free ports."""
    while (first := free_pair(HOST)) + 2 != free_pair(HOST):
        pass
    return first


@pytest.mark.parametrize(("payload_type", "codec"), [(8, "PCMA"), (0, "PCMU")])
def test_a_caller_without_a_called_party_hears_the_prompt(payload_type: int, codec: str) -> None:
    prompts, _ = load_prompts(default_config_dir())
    prompt = prompts.find("not-possible", "fr")
    assert prompt is not None
    first, caller = pair_of_pairs(), Party(HOST)
    settings = MediaSettings({4: HOST}, {4: HOST}, silence_ms=0)
    with running_relay() as relay:

        def order(order: Order) -> None:
            relay.tell(*order.command)

        anchor = Anchor(7, PortPool(first, first + 3, Chance()), settings, Chance(), order)
        anchor.place(0, HOST)
        offer = f"v=0\no=- 1 1 IN IP4 {HOST}\ns=-\nc=IN IP4 {HOST}\nt=0 0\n"
        answer = anchor.answer_alone(f"{offer}m=audio {caller.port} RTP/AVP {payload_type}\n".encode())
        assert anchor.sounds.say(0, prompt.path)
        heard = [caller.receive() for _ in range(-(-prompt.duration_ms // 20))]
        assert {source for _, source in heard} == {(HOST, parse(answer).media[0].port)}
        assert {data[1] & 0x7F for data, _ in heard} == {payload_type}
        spoken = read(prompt.path).samples
        for was, octet in zip(spoken, samples(data for data, _ in heard), strict=False):
            assert abs(was - decode(codec, octet)) <= 8 + abs(was) // 32
        assert caller.hears_nothing()
        anchor.close()
        assert relay.hear()[:2] == ["report", 7]
