"""The tariff book of the delivered configuration, and one whose prices rise in the middle."""

from __future__ import annotations

import shutil

import pytest

from rating.loader import load
from rating.tariff import TariffBook
from tests.rating.support import CONFIG


@pytest.fixture(scope="session")
def book() -> TariffBook:
    loaded = load(CONFIG)
    assert loaded.book is not None, loaded.faults
    return loaded.book


@pytest.fixture(scope="session")
def indexed_book(tmp_path_factory: pytest.TempPathFactory) -> TariffBook:
    """From 1 December 2026: 0.18 where it was 0.17, 0.60 for 0.58, 0.09 for 0.08, a bundle of 1 minute for
    2000.
    """
    config = tmp_path_factory.mktemp("indexed")
    for folder in ("tariffs", "numbering"):
        shutil.copytree(CONFIG / folder, config / folder)
    text = (CONFIG / "tariffs" / "2026-01-01.toml").read_text(encoding="utf-8")
    for old, new in (
        ('"2026-01"', '"2026-12"'),
        ("valid_from = 2026-01-01", "valid_from = 2026-12-01"),
        ('"0.17"', '"0.18"'),
        ('"0.58"', '"0.60"'),
        ('"0.08"', '"0.09"'),
        ("bundle_minutes = 2000", "bundle_minutes = 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    (config / "tariffs" / "2026-12-01.toml").write_text(text, encoding="utf-8")
    loaded = load(config)
    assert loaded.book is not None, loaded.faults
    return loaded.book
