"""The RTP ports at our disposal (RFC 3550 section 11)."""

from __future__ import annotations

import pytest

from switch.media.port_pool import PortPool
from tests.switch.sip.support import Chance


@pytest.mark.parametrize(
    ("first", "last", "ports"),
    [
        (40_000, 40_005, {40_000, 40_002, 40_004}),
        (40_001, 40_005, {40_002, 40_004}),
        (40_000, 40_004, {40_000, 40_002}),
        (40_000, 40_001, {40_000}),
        (40_000, 40_000, set()),
    ],
)
def test_ports_are_even_and_leave_room_for_rtcp(first: int, last: int, ports: set[int]) -> None:
    pool = PortPool(first, last, Chance())
    assert pool.size == len(ports)
    assert set(pool.take(len(ports)) or []) == ports


def test_all_or_nothing() -> None:
    pool = PortPool(40_000, 40_007, Chance())
    assert pool.take(3) is not None
    assert pool.take(2) is None
    assert pool.taken == 3
    assert pool.take(1) is not None
    assert pool.take(1) is None
    assert pool.taken == 4


def test_a_returned_port_is_the_last_to_be_taken_again() -> None:
    pool = PortPool(40_000, 40_009, Chance())
    first = pool.take(1)
    assert first is not None
    pool.give(first)
    assert pool.taken == 0
    taken = pool.take(5)
    assert taken is not None
    assert taken[-1:] == first


def test_nobody_can_guess_the_next_port() -> None:
    def order(seed: int) -> list[int] | None:
        return PortPool(40_000, 41_999, Chance(seed)).take(1000)

    assert order(1) == order(1)
    assert order(1) != order(2)
    ports = order(1)
    assert ports is not None
    assert ports != sorted(ports)
    assert len(set(ports)) == 1000
