"""Identities of rented equipment, however they are written: R-EQP-01."""

from __future__ import annotations

import pytest

from switch.provision.devices import device_objections, is_listed, normalised
from tests.switch.provision.support import line, refused

MAC = "00:15:65:AB:CD:EF"
YEALINK = "Yealink SIP-T46U 108.86.0.20 00:15:65:ab:cd:ef"
URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"


@pytest.mark.parametrize(
    "written",
    [MAC, "001565abcdef", "00-15-65-AB-CD-EF", "0015.65ab.cdef", "00 15 65 ab cd ef", " 001565ABCDEF "],
)
@pytest.mark.parametrize(
    "agent",
    [
        YEALINK,
        "snom/10.1 001565ABCDEF",
        "Cisco/8851 0015.65AB.CDEF",
        "Gigaset N670/00-15-65-ab-cd-ef;1.0",
    ],
)
def test_a_mac_is_found_however_either_is_written(written: str, agent: str) -> None:
    assert is_listed([written], agent, "")


@pytest.mark.parametrize("agent", ["", "Yealink 00:15:65:ab:cd:ee", "x 1001565abcdef", "001565abcdef0"])
def test_another_mac_is_not(agent: str) -> None:
    assert not is_listed([MAC], agent, "")


def test_a_mac_ends_many_a_uuid() -> None:
    """RFC 4122 section 4.1.6: the node; RFC 5626 has phones name themselves so."""
    assert is_listed(["00a0c91e6bf6"], "", f"<{URN}>")
    assert not is_listed(["00a0c91e6bf7"], "", f"<{URN}>")


@pytest.mark.parametrize("listed", [URN, f"<{URN}>", URN.upper()])
def test_an_instance_is_compared_without_case_and_brackets(listed: str) -> None:
    assert is_listed([listed], "", f"<{URN}>")
    assert not is_listed([listed], "", "<urn:uuid:00000000-0000-1000-8000-00a0c91e6bf6>")
    assert not is_listed([listed], URN, "")


def test_a_text_is_contained_in_the_user_agent() -> None:
    assert is_listed(["Gigaset N670 IP"], "gigaset  n670 ip PRO/83.V2", "")
    assert not is_listed(["Gigaset N670"], "Gigaset C530", "")
    assert not is_listed(["T46"], YEALINK, "")  # too short to tell anything


def test_nothing_listed_is_nobody() -> None:
    assert not is_listed([], YEALINK, URN)
    assert not is_listed([MAC], "", "")


@pytest.mark.parametrize(
    ("written", "compared"),
    [(MAC, "001565abcdef"), (f"<{URN}>", URN), ("  Some   Phone ", "some phone")],
)
def test_identities_in_one_form(written: str, compared: str) -> None:
    assert normalised(written) == compared


def test_what_tells_nothing_or_is_listed_twice_is_refused() -> None:
    def of(*devices: str) -> list[str]:
        return refused(*device_objections(line(devices=devices)))

    assert of(MAC, URN, "Gigaset") == []
    assert of("T46") == ["R-EQP-01"]
    assert of(MAC, "0015.65ab.cdef") == ["R-EQP-01"]
