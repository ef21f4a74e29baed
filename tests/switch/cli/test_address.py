"""`belswitch address check`: a batch of addresses, every fault with its row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.switch.cli.conftest import Command

HEADER = "line,postcode,municipality,street,number,name,language"
GOOD = "+3216234567,3001,Leuven,Naamsesteenweg,12,Bakkerij Peeters BV,nl"
BRUSSELS = '+3222345678,1000,Bruxelles,"Rue du Midi, 2e",80,Librairie Dupont SRL,fr'


def write(tmp_path: Path, *rows: str, encoding: str = "utf-8") -> str:
    file = tmp_path / "addresses.csv"
    file.write_text("\n".join(rows) + "\n", encoding)
    return str(file)


def told(belswitch: Command, file: str, code: int) -> Any:
    result = belswitch("address", "check", file, "--json")
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def test_good_addresses_with_their_provinces(belswitch: Command, tmp_path: Path) -> None:
    file = write(tmp_path, HEADER, GOOD, BRUSSELS, GOOD)
    result = belswitch("address", "check", file)
    assert (result.exit_code, result.stdout) == (
        0,
        "3 addresses checked, 0 with a fault\n      1 in BE-BRU\n      2 in BE-VBR\n",
    )
    assert told(belswitch, file, 0) == {
        "checked": 3,
        "faulty": 0,
        "provinces": {"BE-BRU": 1, "BE-VBR": 2},
        "rows": [
            {"row": 2, "line": "+3216234567", "province": "BE-VBR", "faults": []},
            {"row": 3, "line": "+3222345678", "province": "BE-BRU", "faults": []},
            {"row": 4, "line": "+3216234567", "province": "BE-VBR", "faults": []},
        ],
    }


def test_every_fault_of_every_row(belswitch: Command, tmp_path: Path) -> None:
    file = write(
        tmp_path,
        HEADER,
        GOOD,
        "a,300,Leuven,,12A,X,nl",
        "",  # counts, as in a spreadsheet
        "b,3001,Leuven,Naamsesteenweg,12,X,en",
        "c,3001,Leuven",
        GOOD + ",more",
    )
    wanted = [
        (3, "a", None, "street is missing"),
        (3, "a", None, "postcode '300' is not four digits from 1000 to 9999"),
        (3, "a", None, "number '12A' is not a house number such as 12 or 12-14 (letters are the suffix)"),
        (5, "b", "BE-VBR", "language 'en' is not one of nl, fr, de"),
        (6, "c", "BE-VBR", "3 cells, not 7"),
        (6, "c", "BE-VBR", "street is missing"),
        (6, "c", "BE-VBR", "number is missing"),
        (6, "c", "BE-VBR", "name is missing"),
        (6, "c", "BE-VBR", "language is missing"),
        (7, "+3216234567", "BE-VBR", "8 cells, not 7"),
    ]
    answer = told(belswitch, file, 1)
    assert (answer["checked"], answer["faulty"]) == (5, 4)
    assert answer["provinces"] == {"BE-VBR": 4, "none": 1}
    assert [
        (row["row"], row["line"], row["province"], fault) for row in answer["rows"] for fault in row["faults"]
    ] == wanted

    result = belswitch("address", "check", file)
    assert result.exit_code == 1
    lines = [line.split() for line in result.stdout.splitlines()]
    for row, line, province, fault in wanted:
        assert [str(row), line, province or "none", *fault.split()] in lines
    assert "5 addresses checked, 4 with a fault" in result.stdout
    assert "      1 in no province" in result.stdout


def test_what_a_spreadsheet_writes_is_read(belswitch: Command, tmp_path: Path) -> None:
    """Byte order mark, semicolons, line ends of Windows, a line break within a cell."""
    rows = [HEADER, GOOD, ",,,,,,", GOOD.replace("Bakkerij Peeters BV", '"Bakkerij\nPeeters"')]
    file = tmp_path / "addresses.csv"
    file.write_bytes("\r\n".join(rows).replace(",", ";").encode("utf-8-sig"))
    answer = told(belswitch, str(file), 1)
    assert [(row["row"], row["faults"]) for row in answer["rows"]] == [
        (2, []),
        (4, ["name holds a control character"]),
    ]


def test_every_field_of_an_address_is_a_column(belswitch: Command, tmp_path: Path) -> None:
    header = (
        "country,postcode,municipality,street,number,name,language,suffix,box,floor,sub_municipality,"
        "arrondissement,municipality_other,sub_municipality_other,street_other"
    )
    row = "BE,1000,Bruxelles,Rue du Midi,80,X,fr,A,3,2,,Bruxelles,Brussel,,Zuidstraat"
    assert told(belswitch, write(tmp_path, header, row), 0)["checked"] == 1
    abroad = told(belswitch, write(tmp_path, header, row.replace("BE", "FR")), 1)
    assert abroad["rows"][0] == {
        "row": 2,
        "line": "",
        "province": None,
        "faults": ["country 'FR' is not BE"],
    }


@pytest.mark.parametrize("changed", [("Leuven", "x" * 101), ("12", "12-"), ("3001", "0999"), ("nl", "NL")])
def test_what_is_refused_here_is_refused_by_line_add(
    belswitch: Command, tmp_path: Path, changed: tuple[str, str]
) -> None:
    cells = [changed[1] if cell == changed[0] else cell for cell in GOOD.split(",")]
    answer = told(belswitch, write(tmp_path, HEADER, ",".join(cells)), 1)
    assert len(answer["rows"][0]["faults"]) == 1
    options = dict(zip(HEADER.split(",")[1:], cells[1:], strict=True))
    options["house-number"] = options.pop("number")
    given = [f"--{name}={value}" for name, value in options.items()]
    add = ["line", "add", cells[0], "--user=x", "--plan=classic", "--source=192.0.2.7", *given]
    assert belswitch(*add).exit_code == 2


def test_a_file_without_addresses_has_no_fault(belswitch: Command, tmp_path: Path) -> None:
    assert told(belswitch, write(tmp_path, HEADER), 0)["checked"] == 0


@pytest.mark.parametrize(
    ("rows", "encoding", "said"),
    [
        (
            ["postcode,town", "3001,Leuven"],
            "utf-8",
            "unknown column 'town'; known are line, country, postcode,",
        ),
        (["postcode,postcode", "3001,3001"], "utf-8", "column postcode is there twice"),
        ([""], "utf-8", "no header row"),
        ([HEADER, GOOD.replace("Leuven", "Liège")], "latin-1", "not UTF-8"),
        ([HEADER, '"Leuven'], "utf-8", "no CSV: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_list_of_addresses_is_wrong_use(
    belswitch: Command, tmp_path: Path, rows: list[str], encoding: str, said: str
) -> None:
    file = write(tmp_path, *rows, encoding=encoding)
    result = belswitch("address", "check", file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"belswitch: {file}: {said}")


def test_a_file_that_is_not_there_is_wrong_use(belswitch: Command, tmp_path: Path) -> None:
    result = belswitch("address", "check", str(tmp_path / "none.csv"))
    assert (result.exit_code, result.stderr) == (
        2,
        f"belswitch: {tmp_path / 'none.csv'}: No such file or directory\n",
    )
