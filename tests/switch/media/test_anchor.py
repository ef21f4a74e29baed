"""The media of one call: the orders the relay gets, and what each party sees (RFC 3264, RFC 5761)."""

from __future__ import annotations

import pytest

from switch.malformed import Malformed
from switch.media.anchor import Anchor, MediaSettings, NoPorts
from switch.media.port_pool import PortPool
from switch.ports import Relay
from switch.sdp.description import parse
from tests.switch.sip.support import Chance

V4, V6, PUBLIC = "192.0.2.1", "2001:db8::1", "203.0.113.1"
CALLER, CALLEE = 0, 1
SESSION = 7


def body(port: int = 5004, host: str = "10.0.0.5", *lines: str, more: str = "") -> bytes:
    family = "IP6" if ":" in host else "IP4"
    head = f"v=0\r\no=x 1 1 IN {family} {host}\r\ns=x\r\nc=IN {family} {host}\r\nt=0 0\r\n"
    media = "".join(f"{line}\r\n" for line in (f"m=audio {port} RTP/AVP 8", *lines))
    return (head + media + more).encode()


class Studio:
    """An anchor and the orders it gives."""

    def __init__(self, ports: tuple[int, int] = (40_000, 40_099), **settings: object) -> None:
        self.orders: list[Relay] = []
        self.pool = PortPool(*ports, Chance())
        media = MediaSettings(
            hosts={4: V4, 6: V6},
            advertised={4: PUBLIC, 6: V6},
            silence_ms=30_000,
            learn_any=bool(settings.get("learn_any")),
        )
        if "silence_ms" in settings:
            media = MediaSettings(media.hosts, media.advertised, silence_ms=0)
        self.anchor = Anchor(SESSION, self.pool, media, Chance(), self.orders.append)

    def taken(self) -> list[list[object]]:
        """The orders since the last time, without the session they all name."""
        commands = []
        for order in self.orders:
            assert order.session == order.command[1] == SESSION
            commands.append([order.command[0], *order.command[2:]])
        self.orders.clear()
        return commands

    def of(self, kind: str) -> list[list[object]]:
        return [command[1:] for command in self.taken() if command[0] == kind]


@pytest.fixture
def studio() -> Studio:
    studio = Studio()
    studio.anchor.place(CALLER, "10.0.0.5")
    studio.anchor.place(CALLEE, "10.0.1.9")
    return studio


def lines_of(text: bytes) -> list[str]:
    return text.decode().split("\r\n")


def port_in(text: bytes) -> int:
    return next(int(line.split()[1]) for line in lines_of(text) if line.startswith("m="))


def version_in(text: bytes) -> int:
    return int(lines_of(text)[1].split()[2])


def test_an_offer_opens_ports_on_both_sides_and_aims_at_its_sender(studio: Studio) -> None:
    offer = studio.anchor.relay(CALLER, body(5004))
    opened, aimed = studio.taken()
    kind, stream, host0, port0, host1, port1, rtcp = opened
    assert (kind, stream, host0, host1, rtcp) == ("open", 0, V4, V4, True)
    assert aimed == ["aim", 0, CALLER, "10.0.0.5", 5004, "10.0.0.5", 5005, "10.0.0.5", 8000]
    assert port0 != port1
    assert port_in(offer) == port1, "the callee is told the port of its own side"
    assert studio.anchor.open
    assert studio.anchor.used
    assert studio.pool.taken == 2


def test_the_answer_aims_at_the_callee_and_opens_nothing_more(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    opened = studio.of("open")[0]
    answer = studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    assert studio.taken() == [["aim", 0, CALLEE, "10.0.1.9", 6004, "10.0.1.9", 6005, "10.0.1.9", 8000]]
    assert port_in(answer) == opened[2]


def test_what_a_party_sees_is_ours(studio: Studio) -> None:
    text = studio.anchor.relay(CALLER, body(5004, "10.0.0.5", "a=sendrecv"))
    port = port_in(text)
    assert text.decode() == (
        f"v=0\r\no=- {2 * SESSION + 2} 1 IN IP4 {PUBLIC}\r\ns=-\r\nc=IN IP4 {PUBLIC}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=sendrecv\r\n"
    )


def test_the_two_sides_have_different_origins(studio: Studio) -> None:
    to_callee = lines_of(studio.anchor.relay(CALLER, body()))[1]
    to_caller = lines_of(studio.anchor.relay(CALLEE, body(6004, "10.0.1.9")))[1]
    assert to_callee != to_caller


def test_the_version_rises_exactly_when_the_body_changes(studio: Studio) -> None:
    """RFC 3264 section 8."""
    bodies = [
        body(5004),
        body(5004),
        body(5004, "10.0.0.5", "a=sendonly"),
        body(5004, "10.0.0.5", "a=sendonly"),
        body(5004),
    ]
    texts = [studio.anchor.relay(CALLER, one) for one in bodies]
    assert [version_in(text) for text in texts] == [1, 1, 2, 2, 3]
    assert texts[0] == texts[1]
    assert version_in(studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))) == 1


def test_a_change_of_the_senders_address_is_none_for_the_other_side(studio: Studio) -> None:
    first = studio.anchor.relay(CALLER, body(5004))
    studio.taken()
    assert studio.anchor.relay(CALLER, body(7004, "10.0.0.6")) == first
    assert studio.of("aim") == [[0, CALLER, "10.0.0.6", 7004, "10.0.0.6", 7005, "10.0.0.5", 8000]]


def test_nothing_is_aimed_again_that_stayed_as_it_was(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    studio.taken()
    studio.anchor.relay(CALLER, body(5004, "10.0.0.5", "a=ptime:20"))
    assert studio.taken() == []


def test_rtcp_goes_where_a_party_wants_it(studio: Studio) -> None:
    """RFC 3605."""
    studio.anchor.relay(CALLER, body(5004, "10.0.0.5", "a=rtcp:9000 IN IP4 10.0.0.7"))
    assert studio.of("aim") == [[0, CALLER, "10.0.0.5", 5004, "10.0.0.7", 9000, "10.0.0.5", 8000]]


def test_the_port_above_the_last_is_the_last(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(65_535))
    assert studio.of("aim")[0][5] == 65_535


MUX = "a=rtcp-mux"


@pytest.mark.parametrize(
    ("offer", "answer", "rtcp_ports"),
    [
        ((), (), (5005, 6005)),
        ((MUX,), (), (5005, 6005)),
        ((), (MUX,), (5005, 6005)),
        ((MUX,), (MUX,), (0, 0)),
    ],
)
def test_rtcp_mux_settles_only_when_both_sides_say_so(
    studio: Studio, offer: tuple[str, ...], answer: tuple[str, ...], rtcp_ports: tuple[int, int]
) -> None:
    """RFC 5761 section 5.1.1."""
    studio.anchor.relay(CALLER, body(5004, "10.0.0.5", *offer))
    assert studio.of("aim")[-1][5] == 5005
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9", *answer))
    last = {side: rtcp_port for _, side, _, _, _, rtcp_port, *_ in studio.of("aim")}
    assert {CALLER: 5005, **last} == dict(enumerate(rtcp_ports))


def test_rtcp_mux_can_be_taken_back(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004, "10.0.0.5", MUX))
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9", MUX))
    studio.taken()
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    assert {side: rtcp_port for _, side, _, _, _, rtcp_port, *_ in studio.of("aim")} == {
        CALLER: 5005,
        CALLEE: 6005,
    }


def test_a_second_medium_opens_a_second_stream(studio: Studio) -> None:
    video = "m=video 5100 RTP/AVP 31\r\n"
    studio.anchor.relay(CALLER, body(5004))
    studio.taken()
    text = studio.anchor.relay(CALLER, body(5004, more=video))
    commands = studio.taken()
    assert [command[:2] for command in commands] == [["open", 1], ["aim", 1]]
    assert studio.pool.taken == 4
    assert len({int(line.split()[1]) for line in lines_of(text) if line.startswith("m=")}) == 2


def test_a_rejected_medium_is_not_aimed_at(studio: Studio) -> None:
    text = studio.anchor.relay(CALLER, body(5004, more="m=video 0 RTP/AVP 31\r\nm=message 9 TCP/MSRP *\r\n"))
    assert [command[0] for command in studio.of("aim")] == [0]
    assert [line for line in lines_of(text) if line.startswith("m=")][1:] == [
        "m=video 0 RTP/AVP 31",
        "m=message 0 TCP/MSRP *",
    ]


def test_silence_is_watched_for_only_while_both_sides_talk(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    assert studio.of("watch") == [], "while it rings nobody need speak"
    studio.anchor.listen()
    assert studio.of("watch") == [[30_000]]
    steps = [
        (CALLER, body(5004, "10.0.0.5", "a=sendonly"), [[0]]),
        (CALLEE, body(6004, "10.0.1.9", "a=recvonly"), []),
        (CALLER, body(5004), []),
        (CALLEE, body(6004, "10.0.1.9"), [[30_000]]),
        (CALLER, body(5004, "0.0.0.0"), [[0]]),
    ]
    for side, text, watched in steps:
        studio.anchor.relay(side, text)
        assert studio.of("watch") == watched


def test_without_a_limit_silence_is_not_watched_for() -> None:
    studio = Studio(silence_ms=0)
    studio.anchor.relay(CALLER, body(5004))
    studio.anchor.listen()
    assert studio.of("watch") == []


def test_closing_gives_the_ports_back_at_once_and_once(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.taken()
    studio.anchor.close()
    studio.anchor.close()
    assert studio.taken() == [["close"]]
    assert studio.pool.taken == 0
    assert not studio.anchor.open
    assert studio.anchor.used


def test_a_call_without_media_closes_nothing() -> None:
    studio = Studio()
    studio.anchor.close()
    assert studio.taken() == []
    assert not studio.anchor.used


def test_when_ports_run_out_none_are_taken() -> None:
    studio = Studio(ports=(40_000, 40_003))
    with pytest.raises(NoPorts):
        studio.anchor.relay(CALLER, body(5004, more="m=video 5100 RTP/AVP 31\r\n"))
    assert studio.pool.taken == 0
    assert studio.taken() == []
    studio.anchor.relay(CALLER, body(5004))
    with pytest.raises(NoPorts):
        studio.anchor.relay(CALLEE, body(5004, more="m=video 5100 RTP/AVP 31\r\n"))
    studio.anchor.close()
    assert studio.pool.taken == 0


def test_no_sdp_takes_no_ports(studio: Studio) -> None:
    with pytest.raises(Malformed):
        studio.anchor.relay(CALLER, b"rubbish")
    assert studio.taken() == []
    assert studio.pool.taken == 0


def test_the_family_of_a_side_is_that_of_its_signalling() -> None:
    studio = Studio()
    studio.anchor.place(CALLER, "10.0.0.5")
    studio.anchor.place(CALLEE, "2001:db8::9")
    offer = studio.anchor.relay(CALLER, body(5004))
    opened = studio.of("open")[0]
    assert [opened[1], opened[3]] == [V4, V6]
    assert f"c=IN IP6 {V6}" in lines_of(offer)
    answer = studio.anchor.relay(CALLEE, body(6004, "2001:db8::9"))
    assert f"c=IN IP4 {PUBLIC}" in lines_of(answer)


def test_the_next_trunk_may_speak_the_other_family(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    opened = studio.of("open")[0]
    studio.anchor.place(CALLEE, "2001:db8::9")
    assert studio.taken() == [["close"], ["open", 0, V4, opened[2], V6, opened[4], True]]
    studio.anchor.relay(CALLER, body(5004))
    assert studio.taken() == [
        ["aim", 0, CALLER, "10.0.0.5", 5004, "10.0.0.5", 5005, "10.0.0.5", 8000],
    ]
    assert studio.pool.taken == 2


def test_a_new_callee_is_not_aimed_at_where_the_last_one_was(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9", MUX))
    studio.taken()
    studio.anchor.place(CALLEE, "10.0.2.2")
    studio.anchor.relay(CALLER, body(5004, "10.0.0.5", MUX))
    assert studio.taken() == [], "neither the old callee nor its rtcp-mux counts"
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    assert studio.of("aim") == [[0, CALLEE, "10.0.1.9", 6004, "10.0.1.9", 6005, "10.0.2.2", 8000]]


def test_a_family_we_have_no_address_of_is_not_used() -> None:
    orders: list[Relay] = []
    settings = MediaSettings(hosts={4: V4}, advertised={4: V4}, silence_ms=0)
    anchor = Anchor(SESSION, PortPool(40_000, 40_099, Chance()), settings, Chance(), orders.append)
    anchor.place(CALLER, "2001:db8::9")
    anchor.relay(CALLER, body(5004))
    assert orders[0].command[3] == V4


def test_an_address_may_be_learnt_from_anywhere_where_that_is_configured() -> None:
    studio = Studio(learn_any=True)
    studio.anchor.place(CALLER, "10.0.0.5")
    studio.anchor.relay(CALLER, body(5004))
    assert studio.of("aim")[0][-2] == ""


OPUS = (
    "v=0\no=- 1 1 IN IP4 10.0.0.5\ns=-\nc=IN IP4 {host}\nt=0 0\n"
    "m=audio 5004 RTP/AVP 96 0\na=rtpmap:96 opus/48000/2\n"
)


def test_jitter_is_measured_by_the_clock_of_the_first_format(studio: Studio) -> None:
    studio.anchor.relay(CALLER, OPUS.format(host="10.0.0.5").encode())
    assert studio.of("aim")[0][-1] == 48_000


@pytest.mark.parametrize("host", ["phone.example", "224.0.0.1", "255.255.255.255"])
def test_what_is_no_single_address_is_not_relayed_to(studio: Studio, host: str) -> None:
    with pytest.raises(Malformed) as refused:
        studio.anchor.relay(CALLER, OPUS.format(host=host).encode())
    assert refused.value.status == 488
    assert studio.taken() == []


def test_a_new_relay_process_is_given_everything_again(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.anchor.relay(CALLEE, body(6004, "10.0.1.9"))
    studio.anchor.listen()
    before = sorted(map(str, studio.taken()))
    studio.anchor.reopen()
    assert sorted(map(str, studio.taken())) == before


def g711(port: int, host: str, formats: str, *lines: str, proto: str = "RTP/AVP") -> bytes:
    """A body whose one audio section has these formats."""
    return body(port, host, *lines).replace(b"RTP/AVP 8", f"{proto} {formats}".encode())


def agreed(studio: Studio, caller: bytes, callee: bytes) -> Anchor:
    studio.anchor.relay(CALLER, caller)
    studio.anchor.relay(CALLEE, callee)
    studio.taken()
    return studio.anchor


def test_both_sides_hear_a_tone_each_in_what_it_takes(studio: Studio) -> None:
    dynamic = "a=rtpmap:97 PCMU/8000"
    anchor = agreed(
        studio,
        g711(5004, "10.0.0.5", "0 8 101", "a=rtpmap:101 telephone-event/8000"),
        g711(6004, "10.0.1.9", "8 97", dynamic),
    )
    assert anchor.sounds.play_tone((CALLER, CALLEE), 500)
    assert studio.taken() == [
        ["tone", 0, CALLER, 500, {"0": "PCMU", "8": "PCMA"}],
        ["tone", 0, CALLEE, 500, {"8": "PCMA", "97": "PCMU"}],
    ]


def test_one_side_alone_hears_it_and_it_can_be_called_off(studio: Studio) -> None:
    anchor = agreed(studio, body(5004), body(6004, "10.0.1.9"))
    assert anchor.sounds.play_tone([CALLEE], 500)
    assert anchor.sounds.play_tone([CALLEE], 0)
    assert studio.taken() == [["tone", 0, CALLEE, 500, {"8": "PCMA"}], ["tone", 0, CALLEE, 0, {"8": "PCMA"}]]
    assert not anchor.sounds.play_tone([], 500)


def test_only_codecs_that_both_sides_take_carry_it(studio: Studio) -> None:
    anchor = agreed(studio, g711(5004, "10.0.0.5", "0 8"), g711(6004, "10.0.1.9", "8"))
    assert anchor.sounds.play_tone((CALLER,), 500)
    assert studio.of("tone") == [[0, CALLER, 500, {"8": "PCMA"}]]


G722 = g711(6004, "10.0.1.9", "9")


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        pytest.param(g711(5004, "10.0.0.5", "9"), G722, id="neither knows G.711"),
        pytest.param(g711(5004, "10.0.0.5", "9 8"), G722, id="the callee chose another codec"),
        pytest.param(g711(5004, "10.0.0.5", "0"), g711(6004, "10.0.1.9", "8"), id="nothing in common"),
        pytest.param(body(5004), body(0, "10.0.1.9"), id="rejected"),
        pytest.param(
            g711(5004, "10.0.0.5", "8", proto="RTP/SAVP"),
            g711(6004, "10.0.1.9", "8", proto="RTP/SAVP"),
            id="encrypted",
        ),
        pytest.param(
            g711(5004, "10.0.0.5", "t38", proto="udptl"),
            g711(6004, "10.0.1.9", "t38", proto="udptl"),
            id="fax",
        ),
        pytest.param(
            body(5004, "10.0.0.5", "a=inactive"), body(6004, "10.0.1.9", "a=inactive"), id="held by both"
        ),
    ],
)
def test_a_tone_that_nobody_would_hear_is_not_ordered(studio: Studio, caller: bytes, callee: bytes) -> None:
    anchor = agreed(studio, caller, callee)
    assert not anchor.sounds.play_tone((CALLER, CALLEE), 500)
    assert studio.taken() == []


def test_who_holds_the_call_hears_no_tone_and_who_is_held_does(studio: Studio) -> None:
    anchor = agreed(studio, body(5004, "10.0.0.5", "a=sendonly"), body(6004, "10.0.1.9", "a=recvonly"))
    assert anchor.sounds.play_tone((CALLER, CALLEE), 500)
    assert studio.taken() == [["tone", 0, CALLEE, 500, {"8": "PCMA"}]]


def test_the_first_audio_stream_that_can_carry_it_does(studio: Studio) -> None:
    more = "m=audio 5008 RTP/AVP 8\r\nm=audio 5012 RTP/AVP 8\r\n"
    caller = body(5004, more=more).replace(b"audio 5004", b"video 5004")
    callee = body(6004, "10.0.1.9", more=more).replace(b"audio 6004", b"video 6004")
    assert agreed(studio, caller, callee).sounds.play_tone((CALLEE,), 500)
    assert studio.taken() == [["tone", 1, CALLEE, 500, {"8": "PCMA"}]]


def test_a_tone_goes_by_what_was_agreed_last(studio: Studio) -> None:
    anchor = agreed(studio, body(5004), body(6004, "10.0.1.9"))
    agreed(studio, g711(5004, "10.0.0.5", "9"), G722)
    assert not anchor.sounds.play_tone((CALLER, CALLEE), 500)


def test_the_caller_can_hear_a_tone_before_the_callee_has_said_anything(studio: Studio) -> None:
    studio.anchor.relay(CALLER, body(5004))
    studio.taken()
    assert studio.anchor.sounds.play_tone((CALLER, CALLEE), 500)
    assert studio.taken() == [["tone", 0, CALLER, 500, {"8": "PCMA"}]]


def test_without_media_there_is_no_tone(studio: Studio) -> None:
    assert not studio.anchor.sounds.play_tone((CALLER, CALLEE), 500)
    anchor = agreed(studio, body(5004), body(6004, "10.0.1.9"))
    anchor.close()
    studio.taken()
    assert not anchor.sounds.play_tone((CALLER, CALLEE), 500)
    assert studio.taken() == []


def test_a_new_relay_process_is_not_told_of_a_tone(studio: Studio) -> None:
    agreed(studio, body(5004), body(6004, "10.0.1.9")).sounds.play_tone((CALLER,), 500)
    studio.taken()
    studio.anchor.reopen()
    assert studio.of("tone") == []


# --- announcements ------------------------------------------------------------------------------------------

PROMPT = "/prompts/nl/congestion.wav"


def test_a_side_hears_a_prompt_in_what_it_takes(studio: Studio) -> None:
    anchor = agreed(
        studio, g711(5004, "10.0.0.5", "0 8"), g711(6004, "10.0.1.9", "8 97", "a=rtpmap:97 PCMU/8000")
    )
    assert anchor.sounds.say(CALLER, PROMPT)
    assert anchor.sounds.say(CALLEE, PROMPT, times=3)
    assert studio.taken() == [
        ["say", 0, CALLER, {"0": "PCMU", "8": "PCMA"}, PROMPT, 1],
        ["say", 0, CALLEE, {"8": "PCMA", "97": "PCMU"}, PROMPT, 3],
    ]


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        pytest.param(g711(5004, "10.0.0.5", "9"), G722, id="no G.711"),
        pytest.param(body(5004, "10.0.0.5", "a=sendonly"), body(6004, "10.0.1.9"), id="holds"),
        pytest.param(body(5004, "0.0.0.0"), body(6004, "10.0.1.9"), id="holds in the manner of RFC 2543"),
        pytest.param(body(5004), body(0, "10.0.1.9"), id="rejected"),
    ],
)
def test_who_cannot_hear_a_prompt_is_told_none(studio: Studio, caller: bytes, callee: bytes) -> None:
    anchor = agreed(studio, caller, callee)
    assert not anchor.sounds.say(CALLER, PROMPT)
    assert studio.taken() == []


def test_without_media_nothing_is_said(studio: Studio) -> None:
    assert not studio.anchor.sounds.say(CALLER, PROMPT)
    anchor = agreed(studio, body(5004), body(6004, "10.0.1.9"))
    anchor.sounds.say(CALLER, PROMPT)
    anchor.close()
    studio.taken()
    assert not anchor.sounds.say(CALLER, PROMPT)
    assert studio.taken() == []


def test_a_new_relay_process_is_not_told_of_a_prompt(studio: Studio) -> None:
    agreed(studio, body(5004), body(6004, "10.0.1.9")).sounds.say(CALLER, PROMPT, 0)
    studio.taken()
    studio.anchor.reopen()
    assert studio.of("say") == []


EVENTS = "m=audio 5004 RTP/AVP 9 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"


def test_the_switch_answers_alone_and_the_caller_can_hear_it(studio: Studio) -> None:
    offer = body(5004).replace(b"m=audio 5004 RTP/AVP 8\r\n", EVENTS.encode())
    answer = studio.anchor.answer_alone(offer)
    opened, aimed = studio.taken()
    assert opened[:3] == ["open", 0, V4]
    assert aimed == ["aim", 0, CALLER, "10.0.0.5", 5004, "10.0.0.5", 5005, "10.0.0.5", 8000, None, 101]
    assert answer.decode() == (
        f"v=0\r\no=- {2 * SESSION + 1} 1 IN IP4 {PUBLIC}\r\ns=-\r\nc=IN IP4 {PUBLIC}\r\nt=0 0\r\n"
        f"m=audio {opened[3]} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n"
        f"a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )
    assert studio.anchor.sounds.say(CALLER, PROMPT)
    assert studio.taken() == [["say", 0, CALLER, {"8": "PCMA", "0": "PCMU"}, PROMPT, 1]]
    assert not studio.anchor.sounds.say(CALLEE, PROMPT)


def test_answering_alone_takes_the_first_stream_of_g711_and_no_ports_behind_it(studio: Studio) -> None:
    more = "m=audio 5006 RTP/AVP 8\r\nm=video 5008 RTP/AVP 31\r\n"
    answer = studio.anchor.answer_alone(g711(5004, "10.0.0.5", "9") + more.encode())
    opened = studio.of("open")
    assert [one[0] for one in opened] == [0, 1]
    assert [line for line in lines_of(answer) if line.startswith("m=")] == [
        "m=audio 0 RTP/AVP 9",
        f"m=audio {opened[1][2]} RTP/AVP 8",
        "m=video 0 RTP/AVP 31",
    ]
    assert studio.anchor.sounds.say(CALLER, PROMPT)
    assert studio.of("say")[0][:2] == [1, CALLER]


def test_jitter_of_one_answered_alone_is_measured_by_the_clock_of_g711(studio: Studio) -> None:
    studio.anchor.answer_alone(OPUS.format(host="10.0.0.5").encode())
    assert studio.of("aim")[0][-1] == 8000


def test_rtcp_of_one_answered_alone_keeps_its_own_port(studio: Studio) -> None:
    answer = studio.anchor.answer_alone(body(5004, "10.0.0.5", MUX))
    assert MUX not in lines_of(answer)
    assert studio.of("aim")[0][5] == 5005


def test_who_offers_no_g711_is_not_answered_and_takes_no_ports(studio: Studio) -> None:
    for offer in (G722, body(0), g711(5004, "10.0.0.5", "8", proto="RTP/SAVP")):
        with pytest.raises(Malformed) as refused:
            studio.anchor.answer_alone(offer)
        assert refused.value.status == 488
    for offer in (b"rubbish", body(5004, "224.0.0.1")):
        with pytest.raises(Malformed):
            studio.anchor.answer_alone(offer)
    assert studio.taken() == []
    assert studio.pool.taken == 0


def test_one_who_holds_is_answered_alone_and_told_nothing(studio: Studio) -> None:
    answer = studio.anchor.answer_alone(body(5004, "10.0.0.5", "a=sendonly"))
    assert "a=recvonly" in lines_of(answer)
    assert not studio.anchor.sounds.say(CALLER, PROMPT)


def test_a_caller_of_ipv6_is_answered_alone_where_there_is_nothing_else() -> None:
    orders: list[Relay] = []
    settings = MediaSettings(hosts={6: V6}, advertised={6: V6}, silence_ms=0)
    anchor = Anchor(SESSION, PortPool(40_000, 40_099, Chance()), settings, Chance(), orders.append)
    anchor.place(CALLER, "2001:db8::9")
    answer = anchor.answer_alone(body(5004, "2001:db8::9"))
    assert f"c=IN IP6 {V6}" in lines_of(answer)
    assert (orders[0].command[3], orders[0].command[5]) == (V6, V6)


def test_when_ports_run_out_nobody_is_answered_alone() -> None:
    studio = Studio(ports=(40_000, 40_001))
    with pytest.raises(NoPorts):
        studio.anchor.answer_alone(body(5004))
    assert studio.taken() == []


def test_a_key_goes_to_who_takes_telephone_events(studio: Studio) -> None:
    events = ("a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000")
    studio.anchor.relay(CALLER, body(5004).replace(b"RTP/AVP 8", b"RTP/AVP 8 101"))
    answer = body(6004, "10.0.1.9", *events).replace(b"RTP/AVP 8", b"RTP/AVP 8 101")
    studio.anchor.relay(CALLEE, answer)
    assert studio.of("aim")[-1][7:] == [8000, None, 101]
    assert studio.anchor.sounds.press(CALLEE, "5", 160)
    assert studio.taken() == [["press", 0, CALLEE, 101, 8000, "5", 160]]
    assert not studio.anchor.sounds.press(CALLER, "5", 160), "he takes none"
    studio.anchor.relay(CALLEE, answer + b"a=inactive\r\n")
    assert not studio.anchor.sounds.press(CALLEE, "5", 160), "he holds the call"


@pytest.mark.parametrize(
    ("lines", "event_type"),
    [
        (("a=rtpmap:101 telephone-event/8000",), 101),
        (("a=rtpmap:101 Telephone-Event/8000 ",), 101),
        (("a=rtpmap:101 telephone-event/48000",), -1),
        (("a=rtpmap:102 telephone-event/8000",), -1),
        (("a=rtpmap:8 telephone-event/8000",), -1),
        ((), -1),
    ],
)
def test_the_payload_type_of_telephone_events(lines: tuple[str, ...], event_type: int) -> None:
    text = body(5004, "10.0.0.5", *lines).replace(b"RTP/AVP 8", b"RTP/AVP 8 101")
    assert parse(text).media[0].event_type == event_type
