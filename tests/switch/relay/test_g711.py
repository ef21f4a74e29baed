"""Samples as octets (ITU-T G.711 tables 1 and 2): known values, the ends of the segments, and the error."""

from __future__ import annotations

import pytest

from switch.relay.g711 import PCMA, PCMU, SILENCE, decode, encode

EVERY = range(-32_768, 32_768)


@pytest.mark.parametrize(
    ("sample", "mulaw", "alaw"),
    [
        (0, 0xFF, 0xD5),
        (-1, 0x7F, 0x55),
        (8, 0xFE, 0xD5),
        (1000, 0xCE, 0xFA),
        (-1000, 0x4E, 0x7A),
        (8000, 0xA0, 0x8A),
        (32_767, 0x80, 0xAA),
        (-32_768, 0x00, 0x2A),
    ],
)
def test_known_samples(sample: int, mulaw: int, alaw: int) -> None:
    assert encode(PCMU, [sample]) == bytes([mulaw])
    assert encode(PCMA, [sample]) == bytes([alaw])


TABLE_1A = {3968: 127, 2176: 113, 2048: 112, 1024: 96, 512: 80, 256: 64, 128: 48, 64: 32, 2: 1}
TABLE_2A = {7903: 127, 4319: 113, 4063: 112, 2015: 96, 991: 80, 479: 64, 223: 48, 95: 32, 31: 16, 1: 1}


@pytest.mark.parametrize(
    ("codec", "table", "scale", "inverted"), [(PCMA, TABLE_1A, 8, 0xD5), (PCMU, TABLE_2A, 4, 0xFF)]
)
def test_the_decision_values_of_the_tables(
    codec: str, table: dict[int, int], scale: int, inverted: int
) -> None:
    """A magnitude is numbered n from decision value x(n) on; the tables are in units of 13 and 14 bits."""
    for value, number in table.items():
        assert encode(codec, [value * scale - 1]) == bytes([number - 1 ^ inverted])
        assert encode(codec, [value * scale]) == bytes([number ^ inverted])


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_octets_survive_decoding_and_encoding(codec: str) -> None:
    for octet in range(256):
        again = encode(codec, [decode(codec, octet)])
        assert again == bytes([octet]) or (codec, octet) == (PCMU, 0x7F), "mu-law has two zeros"


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_every_sample_errs_by_less_than_half_a_step(codec: str) -> None:
    for sample, octet in zip(EVERY, encode(codec, EVERY), strict=True):
        assert abs(decode(codec, octet) - sample) <= 8 + abs(sample) // 32 or abs(sample) > 32_123


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_louder_is_never_decoded_as_softer(codec: str) -> None:
    heard = [decode(codec, octet) for octet in encode(codec, EVERY)]
    assert heard == sorted(heard)
    assert abs(heard[0]) >= 32_124
    assert heard[-1] >= 32_124


@pytest.mark.parametrize("codec", [PCMA, PCMU])
def test_silence_is_what_a_sample_of_0_becomes(codec: str) -> None:
    assert encode(codec, [0]) == bytes([SILENCE[codec]])


def test_an_unknown_codec() -> None:
    with pytest.raises(KeyError):
        encode("G729", [0])
