"""The table of quirks says what is so: the files and the tests that it names are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "switch" / "QUIRKS.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| who")
]


def test_pyvoips_come_first() -> None:
    assert len(ROWS) >= 20
    assert ROWS[0][0] == "pyVoIP"
    assert sum("pyVoIP" in row[0] for row in ROWS) >= 9


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}: {row[1]}" for row in ROWS])
def test_a_row_names_what_is_there(row: list[str]) -> None:
    assert len(row) == 5
    where, test = (re.fullmatch(r"`([^`]+)`", cell) for cell in row[3:])
    assert where is not None
    assert test is not None
    assert (ROOT / where[1]).is_file()
    file, _, name = test[1].partition("::")
    functions = {
        node.name
        for node in ast.walk(ast.parse((ROOT / file).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert name in functions
