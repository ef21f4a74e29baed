"""Feature codes: what a dialled string asks for."""

from __future__ import annotations

import pytest

from switch.call.features import Feature, feature_of


@pytest.mark.parametrize(
    ("dialled", "feature"),
    [
        ("*21*0478123456#", Feature("forward", "0478123456", "always")),
        ("*21*0478123456", Feature("forward", "0478123456", "always")),
        ("*21*+32478123456#", Feature("forward", "+32478123456", "always")),
        ("*67*022345678#", Feature("forward", "022345678", "busy")),
        ("*61*022345678#", Feature("forward", "022345678", "no-answer")),
        ("*61*022345678*15#", Feature("forward", "022345678", "no-answer", 15)),
        ("*62*1233#", Feature("forward", "1233", "unreachable")),
        ("#21#", Feature("forward-nothing", condition="always")),
        ("#61#", Feature("forward-nothing", condition="no-answer")),
        ("##002#", Feature("forward-nothing", condition="all")),
        ("*77#", Feature("reject-anonymous")),
        ("#77#", Feature("take-anonymous")),
        ("*39#", Feature("mark")),
        ("*31*0478123456", Feature("call", "0478123456", withhold=True)),
        ("#31#0478123456", Feature("call", "0478123456", withhold=True)),
        ("*31#0478123456", Feature("call", "0478123456")),
        ("*21*#", Feature("unknown")),
        ("*21*abc#", Feature("unknown")),
        ("*99*1#", Feature("unknown")),
        ("**", Feature("unknown")),
        ("#", Feature("unknown")),
        ("*61*022345678*150#", Feature("unknown")),
    ],
)
def test_codes(dialled: str, feature: Feature) -> None:
    assert feature_of(dialled) == feature


@pytest.mark.parametrize("dialled", ["", "0478123456", "+32478123456", "112", "bob", "0478*21#"])
def test_a_number_is_no_code(dialled: str) -> None:
    assert feature_of(dialled) is None
