"""The longest prefix wins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rating.prefix import PrefixTable

DIGITS = st.text("0123456789", min_size=1, max_size=8)


def test_longest_prefix_wins() -> None:
    table = PrefixTable({"4": "a", "44": "b", "447924": "c"})
    assert [
        table.find(digits) for digits in ("447924123456", "447925123456", "43", "447924", "4479", "5")
    ] == [
        "c",
        "b",
        "a",
        "c",
        "b",
        None,
    ]


def test_an_empty_table_finds_nothing() -> None:
    assert PrefixTable[str]({}).find("32") is None


def test_is_not_changed_through_the_mapping_it_was_built_from() -> None:
    rows = {"32": "be"}
    table = PrefixTable(rows)
    rows["33"] = "fr"
    assert (table.find("331"), len(table)) == (None, 1)


@given(st.dictionaries(DIGITS, st.integers(), max_size=40), DIGITS)
def test_agrees_with_trying_every_row(rows: dict[str, int], digits: str) -> None:
    matching = [prefix for prefix in rows if digits.startswith(prefix)]
    expected = rows[max(matching, key=len)] if matching else None
    assert PrefixTable(rows).find(digits) == expected
