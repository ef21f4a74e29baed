"""SRTP on either side of a call: who is told which profile and key, and what the relay is told (RFC 4568,
RFC 3264, RFC 8643)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from switch.malformed import Malformed
from switch.media.anchor import Anchor, MediaSettings
from switch.sdp.crypto import SUITES, Crypto, cryptos_of
from switch.sdp.description import Media, parse
from switch.sdp.terms import SideTerms, Srtp
from tests.switch.media.test_anchor import CALLEE, CALLER, Studio
from tests.switch.sip.support import Chance

PHONE, CARRIER = "10.0.0.5", "10.0.1.9"
AES, SHORT, GCM = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_256_GCM"
THROUGH, ACCEPT, OFFER, REQUIRE = Srtp


def key(suite: str = AES, fill: int = 1) -> str:
    return b64encode(bytes([fill]) * SUITES[suite]).decode()


def crypto(tag: int = 1, suite: str = AES, fill: int = 1) -> str:
    return Crypto(tag, suite, key(suite, fill)).line


def sdp(*sections: str, host: str = PHONE) -> bytes:
    head = f"v=0\r\no=x 1 1 IN IP4 {host}\r\ns=x\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    return (head + "".join(f"{line}\r\n" for line in sections)).encode()


SECURE = ("m=audio 5004 RTP/SAVP 8", crypto(3))
PLAIN = ("m=audio 6004 RTP/AVP 8",)


def studio(caller: Srtp = ACCEPT, callee: Srtp = ACCEPT) -> Studio:
    made = Studio()
    made.anchor.place(CALLER, PHONE, SideTerms(caller))
    made.anchor.place(CALLEE, CARRIER, SideTerms(callee))
    return made


def told(body: bytes, index: int = 0) -> tuple[str, list[Crypto]]:
    """Profile and keys of a section."""
    section: Media = parse(body).media[index]
    return section.proto, cryptos_of(section.lines)


def keys_of(made: Studio) -> dict[object, object]:
    """What the relay was told last about the keys of each side."""
    return {aim[1]: aim[8] if len(aim) > 8 else None for aim in made.of("aim")}


def test_srtp_here_and_rtp_there() -> None:
    made = studio()
    assert told(made.anchor.relay(CALLER, sdp(*SECURE))) == ("RTP/AVP", [])
    profile, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    assert (profile, ours.tag, ours.suite) == ("RTP/SAVP", 3, AES)
    assert ours.key != key(), "the key is our own"
    assert keys_of(made) == {CALLER: [AES, ours.key, key()], CALLEE: None}


def test_both_sides_with_keys_of_their_own() -> None:
    made = studio(callee=REQUIRE)
    profile, offered = told(made.anchor.relay(CALLER, sdp(*SECURE)))
    assert (profile, [(one.tag, one.suite) for one in offered]) == ("RTP/SAVP", [(1, AES), (2, GCM)])
    answer = sdp("m=audio 6004 RTP/SAVP 8", crypto(2, GCM, 9), host=CARRIER)
    _, (ours,) = told(made.anchor.relay(CALLEE, answer))
    assert keys_of(made) == {
        CALLER: [AES, ours.key, key()],
        CALLEE: [GCM, offered[1].key, key(GCM, 9)],
    }


def test_offered_and_not_taken() -> None:
    """RFC 8643: the profile is that of RTP, so that one who knows no keys can answer."""
    made = studio(callee=OFFER)
    profile, offered = told(made.anchor.relay(CALLER, sdp(*PLAIN)))
    assert (profile, len(offered)) == ("RTP/AVP", 2)
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))) == ("RTP/AVP", [])
    assert keys_of(made) == {CALLER: None, CALLEE: None}
    assert told(made.anchor.relay(CALLER, sdp(*PLAIN, "a=sendonly"))) == ("RTP/AVP", []), "asked once"


def test_offered_and_taken() -> None:
    made = studio(callee=OFFER)
    _, offered = told(made.anchor.relay(CALLER, sdp(*PLAIN)))
    made.anchor.relay(CALLEE, sdp(*PLAIN, crypto(1, AES, 9), host=CARRIER))
    assert keys_of(made) == {CALLER: None, CALLEE: [AES, offered[0].key, key(AES, 9)]}


def test_a_phone_that_offers_keys_with_the_profile_of_rtp_is_answered_so() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*PLAIN, crypto(5)))
    profile, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    assert (profile, ours.tag) == ("RTP/AVP", 5)


def test_of_two_sections_the_one_with_keys_is_taken() -> None:
    made = studio()
    asked = made.anchor.relay(CALLER, sdp("m=audio 5006 RTP/AVP 8", *SECURE))
    assert [section.port == 0 for section in parse(asked).media] == [True, False]
    rejected = sdp("m=audio 0 RTP/AVP 8", *PLAIN, host=CARRIER)
    answer = made.anchor.relay(CALLEE, rejected)
    assert [section.port == 0 for section in parse(answer).media] == [True, False]
    assert told(answer, 0) == ("RTP/AVP", [])
    assert told(answer, 1)[0] == "RTP/SAVP"


def test_the_first_of_its_keys_that_can_be_used() -> None:
    made = studio()
    offer = sdp("m=audio 5004 RTP/SAVP 8", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA", crypto(2, SHORT))
    made.anchor.relay(CALLER, offer)
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    assert (ours.tag, ours.suite) == (2, SHORT)


@pytest.mark.parametrize("lines", [(), ("a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA",)])
def test_no_key_that_can_be_used(lines: tuple[str, ...]) -> None:
    with pytest.raises(Malformed, match="SRTP") as refused:
        studio().anchor.relay(CALLER, sdp("m=audio 5004 RTP/SAVP 8", *lines))
    assert refused.value.status == 488


def test_required_and_not_there() -> None:
    with pytest.raises(Malformed, match="required"):
        studio(caller=REQUIRE).anchor.relay(CALLER, sdp(*PLAIN))


def test_hold_and_resume_keep_the_keys() -> None:
    """The relay is not told anything new of them, so its roll-over counters go on."""
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, before = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    first = keys_of(made)
    for direction in ("a=sendonly", "a=sendrecv"):
        made.anchor.relay(CALLER, sdp(*SECURE, direction))
        _, after = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
        assert after == before
    assert first[CALLER] == [AES, before[0].key, key()]
    assert keys_of(made) == {}


def test_the_other_side_asks_and_keys_stay() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    profile, again = told(made.anchor.relay(CALLEE, sdp(*PLAIN, "a=inactive", host=CARRIER)))
    assert (profile, again) == ("RTP/SAVP", [ours])


def test_a_new_key_of_the_party_is_told_to_the_relay() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    made.taken()
    made.anchor.relay(CALLER, sdp("m=audio 5004 RTP/SAVP 8", crypto(3, AES, 77)))
    assert keys_of(made) == {CALLER: [AES, ours.key, key(AES, 77)]}


def test_a_refused_change_leaves_the_old_keys() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))
    before, was = made.anchor.agreement(), keys_of(made)
    made.anchor.relay(CALLER, sdp(*PLAIN))
    assert keys_of(made)[CALLER] is None
    made.anchor.return_to(before)
    assert keys_of(made)[CALLER] == was[CALLER]


def test_the_next_one_tried_is_offered_other_keys() -> None:
    made = studio(callee=REQUIRE)
    _, first = told(made.anchor.relay(CALLER, sdp(*PLAIN)))
    made.anchor.place(CALLEE, "10.0.2.2", SideTerms(REQUIRE))
    _, second = told(made.anchor.relay(CALLER, sdp(*PLAIN)))
    assert {one.key for one in first}.isdisjoint(one.key for one in second)


def test_a_side_that_comes_from_another_session_stays_with_srtp_and_gets_another_key() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    hosts = {4: "192.0.2.1"}
    settings = MediaSettings(hosts, hosts, silence_ms=0)
    other = Anchor(8, made.pool, settings, Chance(2), lambda _order: None)
    other.place_as(CALLER, PHONE, made.anchor, CALLER)
    other.place(CALLEE, CARRIER, SideTerms(ACCEPT))
    profile, (new,) = told(other.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    assert (profile, new.tag, new.suite) == ("RTP/SAVP", 3, AES)
    assert new.key != ours.key


def test_keys_of_dtls_pass() -> None:
    """They are between the parties (RFC 5763)."""
    lines = ("m=audio 5004 UDP/TLS/RTP/SAVPF 8", "a=fingerprint:sha-256 4A:AD", "a=setup:actpass")
    made = studio(callee=REQUIRE)
    asked = parse(made.anchor.relay(CALLER, sdp(*lines))).media[0]
    assert (asked.proto, asked.lines[0]) == ("UDP/TLS/RTP/SAVPF", lines[1])


def test_passing_through() -> None:
    made = studio(THROUGH, THROUGH)
    assert told(made.anchor.relay(CALLER, sdp(*SECURE))) == ("RTP/SAVP", [Crypto(3, AES, key())])
    assert keys_of(made) == {CALLER: None}


def test_fax_has_no_keys() -> None:
    made = studio(callee=REQUIRE)
    asked = made.anchor.relay(CALLER, sdp("m=image 5004 udptl t38"))
    assert told(asked) == ("udptl", [])


def test_the_switch_itself_answers_with_a_key() -> None:
    made = studio()
    profile, (ours,) = told(made.anchor.answer_alone(sdp(*SECURE)))
    assert (profile, ours.tag) == ("RTP/SAVP", 3)
    assert made.anchor.sounds.say(CALLER, "/prompts/nl/congestion.wav"), "the relay encrypts it"


def test_only_codecs_that_both_sides_may_use() -> None:
    made = studio()
    made.anchor.place(CALLEE, CARRIER, SideTerms(ACCEPT, frozenset({"PCMA"})))
    asked = made.anchor.relay(
        CALLER, sdp("m=audio 5004 RTP/AVP 9 8 0 101", "a=rtpmap:101 telephone-event/8000")
    )
    assert parse(asked).media[0].formats == "8 101"
    answer = made.anchor.relay(CALLEE, sdp("m=audio 6004 RTP/AVP 8 0", host=CARRIER))
    assert parse(answer).media[0].formats == "8"
    with pytest.raises(Malformed, match="codec"):
        made.anchor.relay(CALLER, sdp("m=audio 5004 RTP/AVP 0"))


def test_who_gives_feedback_is_one_like_others_without_encryption() -> None:
    """Few desk phones know RTP/AVPF, which is what RTP/SAVPF would be without encryption."""
    made = studio()
    assert told(made.anchor.relay(CALLER, sdp("m=audio 5004 RTP/SAVPF 8", crypto())))[0] == "RTP/AVP"
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))[0] == "RTP/SAVPF"


def test_fax_for_a_while_keeps_the_keys() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, before = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    fax = "m=image 6004 udptl t38"
    assert told(made.anchor.relay(CALLEE, sdp(fax, host=CARRIER)))[0] == "udptl"
    made.anchor.relay(CALLER, sdp("m=image 5004 udptl t38"))
    assert keys_of(made) == {CALLER: None, CALLEE: None}
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))) == ("RTP/SAVP", before)


def test_a_stream_that_is_rejected_for_a_while_keeps_its_keys() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, before = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    made.anchor.relay(CALLER, sdp("m=audio 0 RTP/SAVP 8"))
    assert told(made.anchor.relay(CALLEE, sdp("m=audio 0 RTP/AVP 8", host=CARRIER))) == ("RTP/SAVP", [])
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))) == ("RTP/SAVP", before)


def test_what_is_refused_changes_nothing() -> None:
    """Not even the keys of the streams that came before the one that cannot be."""
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))
    made.taken()
    with pytest.raises(Malformed):
        made.anchor.relay(CALLER, sdp("m=video 5006 RTP/AVP 99", "m=audio 5004 RTP/SAVP 8"))
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, "a=inactive", host=CARRIER)))[0] == "RTP/SAVP"
    assert keys_of(made) == {}


def test_after_a_refusal_it_is_told_what_it_was_told_before() -> None:
    """In a new version, as the refused one had its own."""
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER))
    was = made.anchor.repeat(CALLEE)
    before = made.anchor.agreement()
    refused = made.anchor.relay(CALLER, sdp("m=image 5004 udptl t38"))
    made.anchor.return_to(before)
    again = made.anchor.repeat(CALLEE)
    assert again.partition(b"\r\ns=")[2] == was.partition(b"\r\ns=")[2]
    assert version(again) > version(refused) > version(was)
    assert made.anchor.said(CALLER) == sdp(*SECURE)


def version(body: bytes) -> int:
    return int(body.split(b"\r\n")[1].split()[2])


def test_the_answer_to_a_repetition_may_have_a_new_key() -> None:
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    made.taken()
    made.anchor.take(CALLER, sdp("m=audio 5004 RTP/SAVP 8", crypto(3, AES, 77)))
    assert keys_of(made) == {CALLER: [AES, ours.key, key(AES, 77)]}


def test_where_only_srtp_is_taken_video_without_is_left_out() -> None:
    made = studio(caller=REQUIRE)
    asked = made.anchor.relay(CALLER, sdp(*SECURE, "m=video 5006 RTP/AVP 99", "m=audio 5008 RTP/AVP 8"))
    assert [section.port == 0 for section in parse(asked).media] == [False, True, True]


def test_video_whose_keys_are_no_use_is_left_out() -> None:
    made = studio()
    asked = made.anchor.relay(CALLER, sdp(*SECURE, "m=video 5006 RTP/SAVP 99"))
    assert [section.port == 0 for section in parse(asked).media] == [False, True]
    answer = made.anchor.relay(CALLEE, sdp(*PLAIN, "m=video 0 RTP/AVP 99", host=CARRIER))
    assert [told(answer, i)[0] for i in (0, 1)] == ["RTP/SAVP", "RTP/SAVP"]


def test_keys_of_both_kinds_end_here() -> None:
    made = studio(callee=REQUIRE)
    offer = sdp(*SECURE, "a=fingerprint:sha-256 4A:AD", "a=setup:actpass")
    profile, offered = told(asked := made.anchor.relay(CALLER, offer))
    assert (profile, len(offered)) == ("RTP/SAVP", 2)
    assert b"fingerprint" not in asked
    assert b"setup" not in asked


def test_a_fingerprint_is_no_way_round_what_is_required() -> None:
    with pytest.raises(Malformed, match="required"):
        studio(caller=REQUIRE).anchor.relay(CALLER, sdp(*PLAIN, "a=fingerprint:sha-256 4A:AD"))


def test_no_answer_has_the_keys_of_an_offer() -> None:
    made = studio(caller=OFFER)
    made.anchor.relay(CALLER, sdp("m=audio 5004 UDP/TLS/RTP/SAVP 8", "a=fingerprint:sha-256 4A:AD"))
    assert told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))[1] == []


def test_keys_of_the_session_level_stay_here() -> None:
    made = studio()
    offer = sdp(*SECURE).replace(b"t=0 0\r\n", b"t=0 0\r\n" + crypto().encode() + b"\r\n")
    assert b"crypto" not in made.anchor.relay(CALLER, offer)


def test_a_new_relay_has_new_keys_of_ours() -> None:
    """Nobody knows how far the old ones were used."""
    made = studio()
    made.anchor.relay(CALLER, sdp(*SECURE))
    _, (ours,) = told(made.anchor.relay(CALLEE, sdp(*PLAIN, host=CARRIER)))
    assert [made.anchor.has_keys(side) for side in (CALLER, CALLEE)] == [True, False]
    made.taken()
    made.anchor.reopen()
    now = keys_of(made)[CALLER]
    assert isinstance(now, list)
    suite, new, theirs = now
    assert (suite, theirs) == (AES, key())
    assert new != ours.key
    assert told(made.anchor.repeat(CALLER))[1] == [Crypto(3, AES, new)]


@pytest.mark.parametrize(
    ("caller", "lines"),
    [
        (ACCEPT, ("m=audio 5004 UDP/TLS/RTP/SAVPF 8 101", "a=fingerprint:sha-256 4A:AD")),
        (THROUGH, ("m=audio 5004 RTP/SAVP 8 101", crypto())),
    ],
)
def test_no_key_is_pressed_into_what_is_encrypted_between_the_parties(
    caller: Srtp, lines: tuple[str, ...]
) -> None:
    made = studio(caller, caller)
    both = sdp(*lines, "a=rtpmap:101 telephone-event/8000")
    made.anchor.relay(CALLER, both)
    made.anchor.relay(CALLEE, both)
    assert not made.anchor.sounds.press(CALLEE, "5", 100)


def test_a_key_goes_at_the_clock_that_both_agreed_to() -> None:
    made = studio()
    both = (
        "a=rtpmap:96 telephone-event/48000",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:101 telephone-event/8000",
    )
    made.anchor.relay(CALLER, sdp("m=audio 5004 RTP/AVP 97 8 96 101", *both))
    made.anchor.relay(CALLEE, sdp("m=audio 6004 RTP/AVP 8 101", both[2], host=CARRIER))
    assert made.anchor.sounds.press(CALLER, "5", 100)
    assert made.taken()[-1][3:5] == [101, 8000]
