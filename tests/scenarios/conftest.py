"""The world of a scenario."""

from __future__ import annotations

import pytest

from tests.scenarios.scene import Scene


@pytest.fixture
def world() -> Scene:
    """A calm world with the switch running."""
    return Scene()
