"""The directory from its files: the shipped data is whole, and every fault is named with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from emergency.loader import load
from tests.emergency.conftest import CONFIG, Spoil


def test_the_shipped_data_has_no_fault() -> None:
    loaded = load(CONFIG)
    assert loaded.faults == ()
    assert loaded.directory is not None


# text | put in its place | part of the line that the fault names | message
BELGIUM = [
    ("[default]", "[default", "[default", "Expected ']' at the end of a table declaration"),
    ('label = "Police"', 'urn = "help"', 'urn = "help"', "Cannot overwrite a value"),
    ('"1813"', '"01813"', '"01813"', "number '01813' is neither a short code nor +32 and a national number"),
    ('"1813"', '"+32"', '"+32"', "number '+32' is neither a short code nor +32 and a national number"),
    ('"1813"', "1813", "= 1813", "number = 1813: a string that is not blank is expected"),
    ('"103"', '"102"', '"102"', "service 102 with urn:service:counseling.children is here twice"),
    ('"110"', '"112"', '"112"', "service 112 is of another kind or network further up"),
    ("service:sos.poison", "sos.poison", "sos.poison", "urn 'urn:sos.poison' is neither a service URN"),
    ('"helpline"', '"urgent"', "urgent", "kind = 'urgent': one of emergency, helpline is expected"),
    ('label = "Police"\n', "", "[[service]]", "label is missing"),
    ('id = "101-namur"', 'id = "101-liege"', "101-liege", "centre 101-liege is here twice"),
    ('"112 centre Namur"', '" "', '" "', "name = ' ': a string that is not blank is expected"),
    ('["nl", "fr"]', '["nl", "en"]', '"en"', "language 'en' is not one of nl, fr, de"),
    ('["nl", "fr"]', "[]", "languages = []", "languages = []: a list of strings is expected"),
    ('"BE-WNA"', '"BE-WLG"', "BE-WLG", "province BE-WLG is here twice"),
    ('nl = "Namen", ', "", "name = { fr", "name has fr, de; nl, fr, de are expected"),
    (
        'nl = "Namen"',
        "nl = 1",
        "nl = 1",
        "name = {'nl': 1, 'fr': 'Namur', 'de': 'Namur'}: a table of strings",
    ),
    ("5000-5999", "4990-5999", "4990", "postcode 4990 is in BE-WLG already"),
    ("5000-5999", "5001-5999", "[[province]]", "postcodes in no province: 1, the first is 5000"),
    ("5000-5999", "5999-5000", "5999", "postcodes '5999-5000' is not a range such as 1000-1299"),
    ("5000-5999", "5000-599", "5000", "postcodes '5000-599' is not a range such as 1000-1299"),
    ('["5000-5999"]', "5000", "5000", "postcodes = 5000: a list of strings is expected"),
    ('112 = "112-namur", ', "", '{ 101 = "101-namur', "no centre for 112"),
    ('112 = "112-namur"', '112 = "112-namen"', "namen", "no such centre: 112-namen"),
    ('112 = "112-namur"', '112 = "101-namur"', '112 = "101', "centre 101-namur does not answer 112"),
    ('\n101 = "101-brussels"', "", "[default]", "no centre for 101"),
    ('\n101 = "101-', '\n101 = "112-', "101 =", "centre 112-brussels does not answer 101"),
]
GATEWAYS = [
    ("port = 5091", "port = 0", "port = 0", "port = 0: a whole number from 1 to 65535 is expected"),
    ("port = 5091", "port = true", "port = true", "port = True: a whole number from 1 to 65535 is expected"),
    ("port = 5091", "", "[[gateway]]", "port is missing"),
    ("port = 5091", "prot = 1", "prot", "unknown key prot; known are body, centres, host, id, port, request"),
    ('"psap-gw2"', '"psap-gw1"', "psap-gw1", "gateway psap-gw1 is here twice"),
    ('"127.0.0.1"', '"[::1]"', "[::1]", "host '[::1]' is not an IP address (IPv6 without brackets)"),
    ('["*"]', '["112-brussel"]', "112-brussel", "no such centre: 112-brussel"),
    ('request = "urn"', 'request = "sip"', '"sip"', "request = 'sip': one of urn, digits is expected"),
    ("ms = 2000", "ms = 0", "trying", "trying_timeout_ms = 0: a whole number from 100 to 30000 is expected"),
    (
        "ms = 6000",
        "ms = 6.0",
        "provisional",
        "provisional_timeout_ms = 6.0: a whole number from 100 to 30000",
    ),
    (
        "[[gateway]]",
        "[[gate]]",
        "[[gate]]",
        "unknown table gate; known are service, province, centre, default",
    ),
    ("[failover]", "failover = 1\n[gate]", "failover = 1", "unknown table failover"),
    ("[[gateway]]", "[failover]\n[[gateway]]", "[failover]", "Cannot declare ('failover',) twice"),
]
FAULTS = [("belgium.toml", *row) for row in BELGIUM] + [("gateways.toml", *row) for row in GATEWAYS]


@pytest.mark.parametrize(("file", "old", "new", "at", "message"), FAULTS)
def test_a_fault_is_named_with_its_line(
    spoil: Spoil, file: str, old: str, new: str, at: str, message: str
) -> None:
    root = spoil(file, old, new)
    loaded = load(root)
    assert loaded.directory is None
    fault = next(fault for fault in loaded.faults if message in fault.message)
    assert fault.file == root / "emergency" / file
    assert at in fault.file.read_text("utf-8").splitlines()[fault.line - 1]
    assert str(fault) == f"{fault.file}:{fault.line}: {fault.message}"


def test_two_gateways_at_one_address_are_one(spoil: Spoil) -> None:
    loaded = load(spoil("gateways.toml", "port = 5091", "port = 5090"))
    assert len(loaded.faults) == 21
    assert loaded.faults[0].message == "centre 112-brussels needs gateways at 2 addresses (R-EMG-06)"
    assert loaded.faults[0].file.name == "belgium.toml"


def test_a_table_may_stand_in_any_file_but_some_only_once(spoil: Spoil) -> None:
    root = spoil("belgium.toml", "[default]", "[failover]\n\n[default]")
    assert "this table stands in the folder once already" in [fault.message for fault in load(root).faults]


def test_all_faults_of_all_files_come_at_once(spoil: Spoil) -> None:
    spoil("belgium.toml", '"1813"', '"x"')
    spoil("belgium.toml", 'urn = "urn:service:sos.police"', 'urn = ""')
    root = spoil("gateways.toml", "port = 5091", 'port = "5091"')
    messages = {fault.message for fault in load(root).faults}
    assert "number 'x' is neither a short code nor +32 and a national number" in messages
    assert "urn = '': a string that is not blank is expected" in messages
    assert "port = '5091': a whole number from 1 to 65535 is expected" in messages


@pytest.mark.parametrize("number", ["112", "100", "101"])
def test_the_law_s_numbers_cannot_be_left_out(spoil: Spoil, number: str) -> None:
    loaded = load(spoil("belgium.toml", f'number = "{number}"', 'number = "199"'))
    assert f"service {number} is missing; the law wants it open (R-EMG-01)" in [
        fault.message for fault in loaded.faults
    ]


def test_gateways_of_one_centre_come_before_those_of_all(spoil: Spoil) -> None:
    own = (
        '[[gateway]]\nid = "own"\nhost = "::1"\nport = 5092\ncentres = ["112-antwerp"]\nrequest = "digits"\n'
    )
    first = '[[gateway]]\nid = "psap-gw1"'
    root = spoil("gateways.toml", first, f"{own}body = false\n\n{first}")
    directory = load(root).directory
    assert directory is not None
    assert [gateway.id for gateway in directory.gateways["112-antwerp"]] == ["own", "psap-gw1", "psap-gw2"]
    assert [gateway.id for gateway in directory.gateways["112-namur"]] == ["psap-gw1", "psap-gw2"]
    mine = directory.gateways["112-antwerp"][0]
    assert (mine.request, mine.body) == ("digits", False)


def test_an_empty_folder_lacks_every_table(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.directory is None
    assert [str(fault) for fault in loaded.faults] == [
        f"{tmp_path / 'emergency'}: no table {table} in any *.toml file"
        for table in ("service", "province", "centre", "default", "gateway", "failover")
    ]


def test_a_file_that_is_not_text_is_a_fault(spoil: Spoil) -> None:
    root = spoil("gateways.toml", "5091", "5092")
    (root / "emergency" / "gateways.toml").write_bytes(b"\xff\xfe")
    (fault,) = load(root).faults
    assert fault.file.name == "gateways.toml"
    assert fault.message.startswith("cannot be read: ")
