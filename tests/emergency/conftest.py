"""The shipped emergency directory, and copies of its data to spoil."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from emergency.loader import load
from emergency.psap import Directory

CONFIG = Path(__file__).parents[2] / "config"

Spoil = Callable[[str, str, str], Path]


@pytest.fixture(scope="session")
def directory() -> Directory:
    """The directory as it is shipped."""
    loaded = load(CONFIG)
    assert loaded.faults == ()
    assert loaded.directory is not None
    return loaded.directory


@pytest.fixture
def spoil(tmp_path: Path) -> Spoil:
    """A configuration folder in which one text of one file is replaced by another."""
    shutil.copytree(CONFIG / "emergency", tmp_path / "emergency")

    def replace(file: str, old: str, new: str) -> Path:
        path = tmp_path / "emergency" / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        return tmp_path

    return replace
