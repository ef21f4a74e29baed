"""For every test: a task that outlives the test that started it fails that test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """Look for running tasks on the loop of an asynchronous test, once its own fixtures are torn down."""
    if request.node.get_closest_marker("asyncio") is not None:
        request.getfixturevalue("_tasks_at_rest")


@pytest_asyncio.fixture
async def _tasks_at_rest() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    names = sorted(str(task.get_coro()) for task in leaked)
    for task in leaked:
        task.cancel()
    assert not names, f"tasks still running after the test: {', '.join(names)}"
