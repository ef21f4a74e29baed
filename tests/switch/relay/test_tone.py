"""The warning tone itself: its sound, what it does to a packet, and the packets of its own (ITU-T G.711, RFC
3550)."""

from __future__ import annotations

import math
from struct import pack, unpack

import pytest

from switch.lab.tone import PCMA, PCMU
from switch.relay.g711 import decode, encode
from switch.relay.rtp import Reception
from switch.relay.tone import PERIOD, WAVES, Tone
from tests.switch.relay.sound import is_warning, samples, spectrum

MS = 1_000_000
FULL_SCALE = {
    PCMA: (32_768.0, 3.14),
    PCMU: (4 * 8159.0, 3.17),
}
"""The peak of each codec, and the level in dBm0 of a sine that reaches it."""
BOTH = {PCMA: "PCMA", PCMU: "PCMU"}
EVENT, NOISE, OTHER = 101, 13, 9


def tone(codecs: dict[int, str] | None = None, spoken: Reception | None = None, now_ns: int = 0) -> Tone:
    return Tone(codecs or BOTH, spoken or Reception(), now_ns, now_ns + 1000 * MS)


def packet(kind: int = PCMA, timestamp: int = 0, payload: bytes = bytes(160), first: int = 0x80) -> bytes:
    return pack("!BBHII", first, kind, 77, timestamp, 0xCAFE) + payload


def filled(data: bytes, playing: Tone | None = None) -> bytes:
    buffer = bytearray(data)
    assert (playing or tone()).fill(memoryview(buffer)) == len(data), "a tone holds nothing back"
    return bytes(buffer)


@pytest.mark.parametrize("kind", [PCMA, PCMU])
def test_the_wave_is_1400_hz_at_15_db_below_the_reference(kind: int) -> None:
    peak, level = FULL_SCALE[kind]
    peak *= 10 ** ((-15 - level) / 20)
    sine = [round(peak * math.sin(2 * math.pi * 1400 * n / 8000)) for n in range(PERIOD)]
    assert WAVES[BOTH[kind]][:PERIOD] == encode(BOTH[kind], sine)


@pytest.mark.parametrize("kind", [PCMA, PCMU])
def test_it_decodes_to_a_pure_tone_of_that_level(kind: int) -> None:
    heard = [decode(BOTH[kind], octet) for octet in WAVES[BOTH[kind]][:800]]
    assert spectrum(heard, 1400) > 0.999
    peak, level = FULL_SCALE[kind]
    rms = math.sqrt(sum(sample * sample for sample in heard) / len(heard))
    assert 20 * math.log10(rms * math.sqrt(2) / peak) + level == pytest.approx(-15, abs=0.1)


@pytest.mark.parametrize("kind", [PCMA, PCMU])
@pytest.mark.parametrize("size", [1, 80, 160, 240, 480, 65_523])
def test_a_packet_keeps_header_and_length(kind: int, size: int) -> None:
    data = packet(kind | 0x80, 123_456, bytes(size))
    changed = filled(data)
    assert (changed[:12], len(changed)) == (data[:12], len(data))
    assert changed[12:] == (WAVES[BOTH[kind]] * 2)[123_456 % PERIOD :][:size]


@pytest.mark.parametrize("size", [33, 160, 240])
def test_the_phase_goes_on_from_packet_to_packet(size: int) -> None:
    start, playing = 4_000_000_007, tone()
    data = b"".join(filled(packet(PCMU, start + n * size, bytes(size)), playing)[12:] for n in range(20))
    assert data == WAVES["PCMU"][start % PERIOD :][: 20 * size]


def test_a_lost_packet_does_not_shift_the_ones_behind_it() -> None:
    playing = tone()
    first, third = (filled(packet(PCMA, at), playing)[12:] for at in (160, 480))
    assert first + WAVES["PCMA"][:160] + third == WAVES["PCMA"][:480]


def test_a_dynamic_payload_type_is_what_it_was_said_to_be() -> None:
    playing = tone({96: "PCMU"})
    assert filled(packet(96), playing)[12:] == WAVES["PCMU"][:160]
    assert filled(packet(PCMU), playing) == packet(PCMU)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(packet(EVENT, 0, b"\x05\x0a\x03\x20"), id="telephone-event"),
        pytest.param(packet(NOISE, 0, b"\x40"), id="comfort noise"),
        pytest.param(packet(OTHER), id="another codec"),
        pytest.param(packet(PCMA, 0, b""), id="no payload"),
        pytest.param(pack("!BBHI", 0x81, 200, 6, 0xCAFE) + bytes(20), id="RTCP"),
        pytest.param(bytes([0x00, 0x00]) + bytes(18), id="a STUN-like packet"),
        pytest.param(bytes([22, 0x08]) + bytes(40), id="DTLS"),
        pytest.param(b"", id="nothing"),
        pytest.param(packet()[:11], id="too short for a header"),
        pytest.param(packet(payload=bytes(3), first=0x8F), id="shorter than its list of sources"),
        pytest.param(packet(payload=bytes(3), first=0x90), id="shorter than its extension's header"),
        pytest.param(packet(payload=b"\xbe\xde\xff\xff", first=0x90), id="shorter than its extension"),
        pytest.param(packet(payload=b"\xff" * 20, first=0xA0), id="shorter than its padding"),
    ],
)
def test_anything_else_passes_untouched(data: bytes) -> None:
    assert filled(data) == data


def test_sources_extension_and_padding_stay() -> None:
    """RFC 3550 sections 5.1 and 5.3.1: two contributing sources, an extension of one word, four of
    padding."""
    before = b"SRC1SRC2" + pack("!HH", 0xBEDE, 1) + b"EXT1"
    padding = b"\x00\x00\x00\x04"
    data = packet(PCMA, 40, before + bytes(160) + padding, first=0xB2)
    assert filled(data) == data[:12] + before + WAVES["PCMA"][:160] + padding


@pytest.mark.parametrize(
    "codecs", [{8: "G729"}, {128: "PCMA"}, {-1: "PCMA"}, {64: "PCMA"}, {95: "PCMA"}, {8: "PCMA", 9: "pcma"}]
)
def test_what_cannot_be_played(codecs: dict[int, str]) -> None:
    with pytest.raises(ValueError, match=r"codec|payload type"):
        tone(codecs)


def test_no_codec_cannot_be_played_either() -> None:
    with pytest.raises(ValueError, match="without a codec"):
        Tone({}, Reception(), 0, MS)


def test_after_60_ms_of_silence_it_sends_a_stream_of_its_own() -> None:
    """RFC 3551 section 4.1: the marker is on the first packet of a talkspurt."""
    playing = tone({PCMU: "PCMU", PCMA: "PCMA"})
    sent = [playing.beat(at * MS, 1) for at in range(20, 201, 20)]
    assert sent[:2] == [None, None]
    heads = [unpack("!BBHII", data[:12]) for data in sent[2:] if data is not None]
    assert [(first, second) for first, second, *_ in heads] == [(0x80, 0x80 | PCMU)] + 7 * [(0x80, PCMU)]
    _, _, sequence, timestamp, ssrc = heads[0]
    for step, head in enumerate(heads):
        assert head[2:] == ((sequence + step) & 0xFFFF, (timestamp + 160 * step) & 0xFFFFFFFF, ssrc)
    assert is_warning(PCMU, samples(data for data in sent if data is not None))


def test_its_own_packets_give_way_to_real_ones_and_come_back_with_the_time_that_passed() -> None:
    spoken = Reception()
    playing = tone(spoken=spoken)
    (before,) = (playing.beat(at * MS, 1) for at in (60,))
    assert before is not None
    spoken.last_ns = 70 * MS
    assert [playing.beat(at * MS, 1) for at in (80, 100, 120)] == [None] * 3
    after = playing.beat(140 * MS, 1)
    assert after is not None
    first, second = unpack("!BBHII", before[:12]), unpack("!BBHII", after[:12])
    assert second[1] & 0x80
    assert (second[2] - first[2]) & 0xFFFF == 1
    assert (second[3] - first[3]) & 0xFFFFFFFF == 4 * 160
    assert second[4] == first[4]


def test_beats_that_were_missed_move_its_timestamp() -> None:
    playing = tone()
    heads = [playing.beat(100 * MS, 5), playing.beat(300 * MS, 10)]
    first, second = (unpack("!BBHII", data[:12]) for data in heads if data is not None)
    assert (second[3] - first[3]) & 0xFFFFFFFF == 1600
    assert (second[2] - first[2]) & 0xFFFF == 1


def test_silence_from_before_the_tone_does_not_count() -> None:
    spoken = Reception()
    spoken.last_ns = 1
    playing = tone(spoken=spoken, now_ns=5000 * MS)
    assert playing.beat(5040 * MS, 2) is None
    assert playing.beat(5060 * MS, 1) is not None
