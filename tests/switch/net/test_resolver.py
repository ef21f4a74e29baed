"""Host names to addresses in the background: asked again and again, and what fails leaves what was known."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from switch.net import resolver as module
from switch.net.resolver import Resolver, resolve
from switch.ports import TargetsResolved
from tests.switch.net.support import until

Found = dict[str, list[str]]


@pytest.fixture
def names() -> Found:
    """What the name service knows, changed by the tests as they go."""
    return {"sip.carrier.example": ["192.0.2.1", "2001:db8::1", "192.0.2.1"]}


@pytest.fixture
async def asked(names: Found, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name service in place of the system's; what it was asked for."""
    asked: list[str] = []

    async def getaddrinfo(host: str, _port: None, *, type: int) -> list[tuple[Any, ...]]:
        assert type == socket.SOCK_DGRAM
        asked.append(host)
        if host not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in names[host]]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


class Trunks:
    """Trunks by name, and what is told of them."""

    def __init__(self) -> None:
        self.names = [("carrier", "sip.carrier.example")]
        self.told: list[TargetsResolved] = []
        self.resolver = Resolver(lambda: self.names, self.told.append)


@pytest.fixture
async def trunks(asked: list[str]) -> AsyncIterator[Trunks]:
    trunks = Trunks()
    yield trunks
    await trunks.resolver.close()


async def test_addresses_come_once_each_in_the_order_of_the_name_service(asked: list[str]) -> None:
    assert await resolve("sip.carrier.example") == ("192.0.2.1", "2001:db8::1")


async def test_a_name_that_nobody_knows_has_no_address(asked: list[str]) -> None:
    assert await resolve("nowhere.example") == ()


async def test_the_system_resolves_names() -> None:
    assert set(await resolve("localhost")) <= {"127.0.0.1", "::1"}
    assert await resolve("localhost")


async def test_every_trunk_is_told_of_its_addresses_in_the_background(
    trunks: Trunks, asked: list[str]
) -> None:
    trunks.names = [("dead", "nowhere.example"), *trunks.names]
    trunks.resolver.start()
    assert trunks.told == []
    await until(lambda: len(trunks.told) == 2)
    assert trunks.told == [
        TargetsResolved("dead", ()),  # which leaves its last addresses (`Trunks.resolved`)
        TargetsResolved("carrier", ("192.0.2.1", "2001:db8::1")),
    ]


async def test_names_are_asked_for_again(
    trunks: Trunks, names: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    trunks.resolver.start()
    await until(lambda: trunks.told)
    names["sip.carrier.example"] = ["192.0.2.9"]
    await until(lambda: trunks.told[-1].hosts == ("192.0.2.9",))
    del names["sip.carrier.example"]
    await until(lambda: trunks.told[-1].hosts == ())
    names["sip.carrier.example"] = ["192.0.2.10"]
    await until(lambda: trunks.told[-1].hosts == ("192.0.2.10",))


async def test_new_names_need_not_wait_for_their_turn(trunks: Trunks, asked: list[str]) -> None:
    trunks.resolver.start()
    await until(lambda: trunks.told)
    trunks.names.append(("other", "nowhere.example"))
    trunks.resolver.ask_now()
    await until(lambda: len(trunks.told) == 3)
    assert trunks.told[-1] == TargetsResolved("other", ())
    await asyncio.sleep(0.01)
    assert len(asked) == 3


async def test_close_ends_the_asking(trunks: Trunks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.001)
    trunks.resolver.start()
    await until(lambda: trunks.told)
    await trunks.resolver.close()
    told = len(trunks.told)
    await asyncio.sleep(0.01)
    assert len(trunks.told) == told


async def test_close_does_not_wait_for_a_name_service_that_hangs(
    trunks: Trunks, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_args: Any, **_named: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    trunks.resolver.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await trunks.resolver.close()
