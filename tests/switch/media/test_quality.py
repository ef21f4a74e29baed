"""The quality estimate: ITU-T G.107 with its defaults."""

from __future__ import annotations

import pytest

from switch.media.quality import mos_x100, summary


@pytest.mark.parametrize(
    ("packets", "lost", "jitter_ms", "least", "most"),
    [
        (1000, 0, 0, 435, 445),
        (1000, 0, 20, 430, 440),
        (990, 10, 0, 425, 435),
        (950, 50, 0, 370, 390),
        (800, 200, 0, 200, 260),
        (10, 990, 0, 100, 130),
        (1000, 0, 300, 100, 330),
        (1000, -5, 0, 435, 445),
    ],
)
def test_known_streams(packets: int, lost: int, jitter_ms: int, least: int, most: int) -> None:
    mos = mos_x100(packets, lost, jitter_ms)
    assert mos is not None
    assert least <= mos <= most


@pytest.mark.parametrize("packets", [0, 9])
def test_too_short_a_stream_is_not_judged(packets: int) -> None:
    assert mos_x100(packets, 0, 0) is None


def test_more_loss_or_jitter_never_sounds_better() -> None:
    by_loss = [mos_x100(1000, lost, 0) or 0 for lost in range(0, 5000, 50)]
    by_jitter = [mos_x100(1000, 0, jitter_ms) or 0 for jitter_ms in range(0, 1000, 10)]
    for scores in (by_loss, by_jitter):
        assert scores == sorted(scores, reverse=True)
        assert all(100 <= score <= 450 for score in scores)


def test_summary_adds_the_estimate_to_the_counts() -> None:
    counts = {"packets": 1000, "lost": 0, "jitter_ms": 0, "bytes": 172_000}
    result = summary({"caller": counts, "callee": {}})
    assert result["caller"] == {**counts, "mos_x100": mos_x100(1000, 0, 0)}
    assert result["callee"] == {"mos_x100": None}
