"""SRTP of one party: sealed, opened, and what is not the party's."""

from __future__ import annotations

from base64 import b64encode
from itertools import product
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.relay.srtp import MOST_SENDERS, Contexts, Keys, Srtp, Unauthentic
from switch.sdp.crypto import SUITES
from tests.switch.relay.harness import rtcp, rtp

AES = "AES_CM_128_HMAC_SHA1_80"
OVERHEAD = {AES: 10, "AES_CM_128_HMAC_SHA1_32": 4, "AEAD_AES_128_GCM": 16, "AEAD_AES_256_GCM": 16}


def key(suite: str, fill: int) -> str:
    return b64encode(bytes([fill]) * SUITES[suite]).decode()


def ends(suite: str = AES) -> tuple[Srtp, Srtp]:
    """The switch's end and the party's."""
    return srtp((suite, key(suite, 1), key(suite, 2))), srtp((suite, key(suite, 2), key(suite, 1)))


def srtp(keys: Keys, contexts: Contexts | None = None, before: Srtp | None = None) -> Srtp:
    return Srtp(keys, contexts or Contexts(), before.past if before is not None else None)


def opened(by: Srtp, packet: bytes, *, known: bool = True) -> bytes:
    buffer = bytearray(2048)
    buffer[: len(packet)] = packet
    return bytes(buffer[: by.open(buffer, len(packet), known=known)])


@pytest.mark.parametrize(("suite", "way"), list(product(SUITES, (0, 1))))
def test_both_ways_with_every_suite(suite: str, way: int) -> None:
    both = ends(suite)
    for packet in (rtp(1, b"voice" * 32), rtcp(b"report..")):
        sealed = both[way].seal(packet)
        assert b"voice" not in sealed
        assert b"report" not in sealed
        assert opened(both[1 - way], sealed) == packet
    assert len(both[way].seal(rtp(2, b"voice"))) == len(rtp(2, b"voice")) + OVERHEAD[suite]


def test_roll_over() -> None:
    """RFC 3711 section 3.3.1: after 65535 the counter goes on, which is no replay."""
    ours, theirs = ends()
    for sequence in range(65_500, 65_700):
        assert opened(theirs, ours.seal(rtp(sequence))) == rtp(sequence)


def test_a_packet_counts_once() -> None:
    ours, theirs = ends()
    sealed = theirs.seal(rtp(1))
    opened(ours, sealed)
    with pytest.raises(Unauthentic, match="replay"):
        opened(ours, sealed)


def test_a_place_in_the_sequence_is_used_once() -> None:
    """Whoever can send two packets with one number would else learn what was said in one of them."""
    ours, theirs = ends()
    sealed = [ours.seal(rtp(n)) for n in (1, 3, 2)]
    with pytest.raises(OSError, match="replay"):
        ours.seal(rtp(2, b"known"))
    assert [opened(theirs, packet) for packet in sealed] == [rtp(n) for n in (1, 3, 2)], "not in their order"


@pytest.mark.parametrize("packet", [rtp(1), rtcp(), rtp(1)[:11], b"\x80\x08\x00\x01abcd"])
def test_what_is_not_encrypted_is_not_the_partys(packet: bytes) -> None:
    ours, _ = ends()
    with pytest.raises(Unauthentic):
        opened(ours, packet)


@given(st.binary(max_size=200))
def test_garbage_is_refused_or_left_alone(garbage: bytes) -> None:
    ours, _ = ends()
    try:
        assert opened(ours, garbage) == garbage, "no RTP: STUN and the like pass"
        assert len(garbage) < 8 or garbage[0] & 0xC0 != 0x80
    except Unauthentic:
        assert garbage[0] & 0xC0 == 0x80


def test_what_is_too_large_to_encrypt_is_an_error_and_not_sent() -> None:
    ours, _ = ends()
    with pytest.raises(OSError, match="too long"):
        ours.seal(rtp(1, bytes(1400)))


def test_a_party_that_takes_ever_new_sources_is_not_followed() -> None:
    ours, theirs = ends()
    for source in range(MOST_SENDERS):
        opened(ours, theirs.seal(rtp(1, ssrc=source)))
    with pytest.raises(OSError, match="sources"):
        theirs.seal(rtp(1, ssrc=MOST_SENDERS))
    _, fresh = ends()
    with pytest.raises(Unauthentic, match="sources"):
        opened(ours, fresh.seal(rtp(1, ssrc=MOST_SENDERS)))
    assert opened(ours, theirs.seal(rtp(2, ssrc=3))) == rtp(2, ssrc=3)


def test_forged_sources_leave_no_trace() -> None:
    ours, theirs = ends()
    for source in range(2 * MOST_SENDERS):
        with pytest.raises(Unauthentic):
            opened(ours, rtp(1, bytes(40), ssrc=source))
    assert opened(ours, theirs.seal(rtp(1))) == rtp(1)


@pytest.mark.parametrize(
    "keys", [("F8_128_HMAC_SHA1_80", key(AES, 1), key(AES, 2)), (AES, "AAAA", key(AES, 2)), (AES, "", "*")]
)
def test_keys_that_are_none(keys: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"suite|key|padding|base64"):
        srtp(keys)


def test_a_sender_report_of_a_known_source() -> None:
    """RTCP has its source where it begins."""
    ours, theirs = ends()
    report = pack("!BBHI", 0x80, 200, 6, 0xCAFE) + bytes(20)
    assert opened(ours, theirs.seal(report)) == report


def test_each_direction_goes_on_when_the_other_has_a_new_key() -> None:
    """The roll-over counter is that of the key, not of the offer (RFC 3711 section 3.3.1)."""
    contexts = Contexts()
    ours = srtp((AES, key(AES, 1), key(AES, 2)), contexts)
    theirs = srtp((AES, key(AES, 2), key(AES, 1)))
    for sequence in range(65_530, 65_545):
        opened(theirs, ours.seal(rtp(sequence)))
        opened(ours, theirs.seal(rtp(sequence)))
    changed = srtp((AES, key(AES, 1), key(AES, 9)), contexts, ours)
    with pytest.raises(OSError, match="replay"):
        changed.seal(rtp(65_544))
    assert opened(theirs, changed.seal(rtp(65_545))) == rtp(65_545)
    back = srtp((AES, key(AES, 1), key(AES, 2)), contexts, changed)
    del ours, changed
    assert opened(back, theirs.seal(rtp(65_545))) == rtp(65_545)
    with pytest.raises(Unauthentic):
        opened(back, theirs.seal(rtp(65_546))[:-1] + b"\0")


def test_a_party_on_another_session_keeps_its_place_in_the_sequence() -> None:
    contexts = Contexts()
    theirs = srtp((AES, key(AES, 2), key(AES, 1)))
    first = srtp((AES, key(AES, 1), key(AES, 2)), contexts)
    for sequence in range(65_530, 65_545):
        opened(first, theirs.seal(rtp(sequence)))
    second = srtp((AES, key(AES, 5), key(AES, 2)), contexts)
    del first
    assert opened(second, theirs.seal(rtp(65_545))) == rtp(65_545)


def test_contexts_are_forgotten_with_the_sessions_that_used_them() -> None:
    contexts = Contexts()
    held = srtp((AES, key(AES, 1), key(AES, 2)), contexts)
    for fill in range(3, 40):
        held = srtp((AES, key(AES, 1), key(AES, fill)), contexts, held)
        assert len(contexts._known) <= Srtp.MOST_PAST + 2
    del held
    assert len(contexts._known) == 0


def test_what_is_no_media_passes_from_the_party_only() -> None:
    ours, _ = ends()
    stun = bytes([0, 1]) + bytes(18)
    assert opened(ours, stun) == stun
    with pytest.raises(Unauthentic):
        opened(ours, stun, known=False)
