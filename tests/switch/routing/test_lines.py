"""Lines by what they are found by, and the decoy that hides who exists."""

from __future__ import annotations

import pytest

from switch.routing.lines import DECOY, LineTable
from tests.switch.routing.support import make_line

ALICE = make_line("alice", numbers=("+3216234567", "+3216234568"), sources=("203.0.113.5", "2001:db8:5::/48"))
BOB = make_line("bob", numbers=("+3222345678",), sources=("203.0.113.64/26",), algorithms=("MD5", "SHA-256"))
CAROL = make_line("carol", numbers=("+3223456789",), lenient=True)
TABLE = LineTable.of([ALICE, BOB, CAROL])


def test_a_line_is_found_by_user_and_by_each_number() -> None:
    assert TABLE.by_user["alice"] is ALICE
    assert TABLE.by_number["+3216234567"] is TABLE.by_number["+3216234568"] is ALICE
    assert ALICE.number == "+3216234567"


@pytest.mark.parametrize(
    ("host", "user"),
    [
        ("203.0.113.5", "alice"),
        ("203.0.113.6", None),
        ("203.0.113.64", "bob"),
        ("203.0.113.127", "bob"),
        ("203.0.113.128", None),
        ("2001:db8:5:1::9", "alice"),
        ("2001:db8:6::9", None),
        ("fe80::1%eth0", None),
    ],
)
def test_equipment_is_admitted_by_address(host: str, user: str | None) -> None:
    line = TABLE.admitted_from(host)
    assert (line.user if line is not None else None) == user


def test_on_a_clash_the_first_line_has_it() -> None:
    first, second = make_line("x", sources=("203.0.113.5",)), make_line("y", sources=("203.0.113.5",))
    table = LineTable.of([first, second])
    assert table.by_number["+3216234567"] is first
    assert table.admitted_from("203.0.113.5") is first


def test_a_decoy_is_the_same_for_a_name_and_none_matches_anything() -> None:
    real = {(line.account.algorithms, line.account.lenient) for line in (ALICE, BOB, CAROL)}
    seen = set()
    for number in range(100):
        decoy = TABLE.decoy(f"user{number}", b"secret")
        again = TABLE.decoy(f"user{number}", b"secret")
        assert decoy.algorithms == again.algorithms
        assert decoy.lenient == again.lenient
        seen.add((decoy.algorithms, decoy.lenient))
        hexadecimal = set("0123456789abcdef")
        assert all(not set(decoy.ha1[name]) <= hexadecimal for name in decoy.algorithms)
    assert seen == real, "unknown names look like the known ones, in their variety"


def test_which_decoy_a_name_has_depends_on_the_secret() -> None:
    def choice(secret: bytes) -> list[tuple[str, ...]]:
        return [TABLE.decoy(f"user{number}", secret).algorithms for number in range(50)]

    assert choice(b"one") != choice(b"two")


def test_without_lines_there_is_one_decoy() -> None:
    assert LineTable.of([]).decoy("anybody", b"secret") is DECOY
