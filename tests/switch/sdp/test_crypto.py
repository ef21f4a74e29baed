"""Reading of a=crypto lines (RFC 4568)."""

from __future__ import annotations

from base64 import b64encode

import pytest

from switch.sdp.crypto import SUITES, Crypto, cryptos_of

AES, GCM = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
KEYS = {suite: b64encode(bytes(range(octets))).decode() for suite, octets in SUITES.items()}
KEY = KEYS[AES]


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_is_read_and_written(suite: str) -> None:
    line = f"a=crypto:1 {suite} inline:{KEYS[suite]}"
    (crypto,) = cryptos_of([line])
    assert crypto == Crypto(1, suite, KEYS[suite])
    assert crypto.line == line


@pytest.mark.parametrize(
    "line",
    [
        f"a=crypto:7 {AES} inline:{KEY}|2^48",
        f"a=crypto:7 {AES} inline:{KEY}|1048576 WSH=64",
        f"a=crypto:7  {AES.lower()} inline:{KEY} ",
    ],
)
def test_lifetime_window_and_case_make_no_difference(line: str) -> None:
    assert cryptos_of([line]) == [Crypto(7, AES, KEY)]


@pytest.mark.parametrize(
    "line",
    [
        f"a=crypto:1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"a=crypto:1 {AES} inline:{KEY[:-4]}",
        f"a=crypto:1 {AES} inline:{KEY}AAAA",
        f"a=crypto:1 {AES} inline:{'*' * 40}",
        f"a=crypto:1 {AES} inline:{KEY[:-1]}",
        f"a=crypto:1 {AES} inline:{KEY}|2^20|1:4",
        f"a=crypto:1 {AES} inline:{KEY}|1:4",
        f"a=crypto:1 {AES} inline:{KEY};inline:{KEY}",
        f"a=crypto:1 {AES} inline:{KEY} UNENCRYPTED_SRTP",
        f"a=crypto:1 {AES} inline:{KEY} KDR=1",
        f"a=crypto:0 {AES} inline:{KEY}",
        f"a=crypto:1234567890 {AES} inline:{KEY}",
        f"a=crypto:1 {AES} {KEY}",
        "a=crypto:",
        "a=sendrecv",
    ],
)
def test_what_cannot_be_used_is_left_out(line: str) -> None:
    good = f"a=crypto:2 {GCM} inline:{KEYS[GCM]}"
    assert cryptos_of([line, good]) == [Crypto(2, GCM, KEYS[GCM])]


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(Crypto(1, AES, KEY))
