"""The machine's clocks and its chance."""

from __future__ import annotations

import time

from switch.net.clock import SystemClock, SystemEntropy


def test_both_clocks_are_the_machines() -> None:
    before = time.monotonic_ns(), time.time_ns()
    moment = SystemClock().moment()
    after = time.monotonic_ns(), time.time_ns()
    assert before[0] <= moment.mono_ns <= after[0]
    assert before[1] <= moment.wall_ns <= after[1]


def test_a_shift_moves_the_date_and_not_the_time_that_passes() -> None:
    year_ns = 365 * 86_400 * 1_000_000_000
    moment = SystemClock(year_ns).moment()
    assert 0 <= moment.wall_ns - year_ns - time.time_ns() + 1_000_000_000 <= 1_000_000_000
    assert time.monotonic_ns() - moment.mono_ns < 1_000_000_000


def test_tokens_have_the_bits_asked_for_and_are_sip_tokens() -> None:
    entropy = SystemEntropy()
    for bits in (1, 4, 30, 64, 96, 256):
        token = entropy.token(bits)
        assert len(token) == -(-bits // 4)
        assert set(token) <= set("0123456789abcdef")


def test_no_token_comes_twice_not_even_over_the_end_of_a_block() -> None:
    entropy = SystemEntropy()
    tokens = [entropy.token(96) for _ in range(3 * SystemEntropy.BLOCK // 12)]
    assert len(set(tokens)) == len(tokens)


def test_below_stays_below() -> None:
    assert {SystemEntropy().below(3) for _ in range(200)} == {0, 1, 2}
