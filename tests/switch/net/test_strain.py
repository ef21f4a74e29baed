"""When the switch counts as strained."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from switch.net.strain import EVERY_S, Strain
from switch.net.udp import UdpListener
from switch.ports import Address, Strained


class Gauge:
    """A listener with a backlog."""

    backlog = 0.0


async def test_a_backlog_strains_until_it_is_gone() -> None:
    told: list[bool] = []
    gauge = Gauge()
    strain = Strain([Gauge(), gauge], lambda event: told.append(event.now))
    steps: list[tuple[float, list[bool]]] = [(0.0, []), (0.3, []), (0.2, []), (0.3, []), (0.3, [True])]
    steps += [(0.1, [True]), (0.01, [True, False])]
    for backlog, expected in steps:
        gauge.backlog = backlog
        strain._due = 0.0
        await strain._round()
        assert told == expected


async def test_a_loop_that_is_late_is_strained() -> None:
    told: list[Strained] = []
    strain = Strain([], told.append)
    strain.start()
    try:
        await asyncio.sleep(0)
        for _ in range(2):
            time.sleep(0.5)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            while told != [Strained(True), Strained(False)]:
                await asyncio.sleep(EVERY_S / 4)
    finally:
        await strain.close()


@pytest.mark.parametrize("count", [0, 1000])
def test_the_backlog_of_a_socket(count: int) -> None:
    listener = UdpListener.bind(Address("127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(700), listener.address)
    assert (listener.backlog > 0) == bool(count)
    assert listener.backlog <= 1.0
    listener._sock.close()
