"""One relay process serves the tests of a file; each test takes sessions of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.switch.relay.harness import Relay, running_relay


@pytest.fixture(scope="module")
def relay_process() -> Iterator[Relay]:
    with running_relay() as relay:
        yield relay


@pytest.fixture(scope="module")
def session_numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def session(session_numbers: Iterator[int]) -> int:
    return next(session_numbers)


@pytest.fixture
def relay(relay_process: Relay, session: int) -> Iterator[Relay]:
    """The shared relay; the test's session is closed behind it, and nothing may be left."""
    yield relay_process
    while relay_process.ask("close", session)[:2] != ["report", session]:
        pass
    assert relay_process.settled()["ports"] == 0
