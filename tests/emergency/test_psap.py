"""Centres, the gateways towards them, and when to try the next one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from emergency.psap import Centre, Directory, Gateway

# R-EMG-03: first and last postcode | 112 centre | 101 centre
RANGES = [
    (1000, 1299, "112-brussels", "101-brussels"),
    (1300, 1499, "112-hainaut", "101-walloon-brabant"),
    (1500, 1999, "112-flemish-brabant", "101-flemish-brabant"),
    (2000, 2999, "112-antwerp", "101-antwerp"),
    (3000, 3499, "112-flemish-brabant", "101-flemish-brabant"),
    (3500, 3999, "112-limburg", "101-limburg"),
    (4000, 4999, "112-liege", "101-liege"),
    (5000, 5999, "112-namur", "101-namur"),
    (6000, 6599, "112-hainaut", "101-hainaut"),
    (6600, 6999, "112-luxembourg", "101-luxembourg"),
    (7000, 7999, "112-hainaut", "101-hainaut"),
    (8000, 8999, "112-west-flanders", "101-west-flanders"),
    (9000, 9999, "112-east-flanders", "101-east-flanders"),
]


def centres_of(directory: Directory, postcode: int) -> tuple[str, str]:
    """The 112 and the 101 centre."""
    medical, police = (directory.centre(network, str(postcode)) for network in ("112", "101"))
    return medical.id if medical else "", police.id if police else ""


@pytest.mark.parametrize(("first", "last", "medical", "police"), RANGES)
def test_the_centres_of_a_range_from_its_first_to_its_last_postcode(
    directory: Directory, first: int, last: int, medical: str, police: str
) -> None:
    for postcode in (first, first + 1, last - 1, last):
        assert centres_of(directory, postcode) == (medical, police)


@pytest.mark.parametrize(("before", "after"), list(pairwise(RANGES)))
def test_the_next_postcode_belongs_to_the_next_range(
    directory: Directory, before: tuple[int, int, str, str], after: tuple[int, int, str, str]
) -> None:
    assert before[1] + 1 == after[0]
    assert centres_of(directory, before[1]) == before[2:]
    assert centres_of(directory, before[1] + 1) == after[2:]


def test_every_postcode_has_the_centres_of_its_range_and_no_other_number_has_any(
    directory: Directory,
) -> None:
    expected = {
        postcode: (medical, police)
        for first, last, medical, police in RANGES
        for postcode in range(first, last + 1)
    }
    assert len(expected) == 9000
    for number in range(10_100):
        assert centres_of(directory, number) == expected.get(number, ("", ""))


@pytest.mark.parametrize(
    "text", ["", "0999", "01000", "1000 ", " 1000", "B-1000", "1OOO", "\u0661\u0660\u0660\u0660"]
)
def test_what_is_no_postcode_has_no_centre(directory: Directory, text: str) -> None:
    assert [directory.centre(network, text) for network in ("112", "101")] == [None, None]


def test_ten_centres_for_112_and_eleven_for_101(directory: Directory) -> None:
    networks = [centre.network for centre in directory.centres.values()]
    assert (networks.count("112"), networks.count("101"), len(networks)) == (10, 11, 21)


def test_every_centre_has_two_gateways_in_the_order_of_the_file(directory: Directory) -> None:
    assert set(directory.gateways) == set(directory.centres)
    for gateways in directory.gateways.values():
        assert [(gateway.id, gateway.host, gateway.port) for gateway in gateways] == [
            ("psap-gw1", "127.0.0.1", 5090),
            ("psap-gw2", "127.0.0.1", 5091),
        ]


def test_own_gateways_come_first_then_the_default_centres_and_none_twice(directory: Directory) -> None:
    one, two, three, four = (Gateway(f"gw{n}", "192.0.2.1", 5060 + n) for n in range(4))
    antwerp, brussels = directory.centres["112-antwerp"], directory.centres["112-brussels"]
    apart = replace(directory, gateways={antwerp.id: (one, two), brussels.id: (three, four)})
    assert apart.way_to(antwerp) == (one, two, three, four)
    assert apart.way_to(brussels) == (three, four)
    shared = replace(directory, gateways={antwerp.id: (one, two), brussels.id: (two, three)})
    assert shared.way_to(antwerp) == (one, two, three)


def test_a_centre_without_gateways_is_reached_through_the_default_centre(directory: Directory) -> None:
    gateway = Gateway("gw", "192.0.2.1", 5060)
    alone = replace(directory, gateways={"101-brussels": (gateway,)})
    assert alone.way_to(Centre("101-new", "101", "New")) == (gateway,)


@pytest.mark.parametrize(
    ("dialled", "gateway", "uri"),
    [
        ("112", Gateway("g", "psap-gw1.example", 5060), "urn:service:sos"),
        ("urn:service:sos.fire", Gateway("g", "psap-gw1.example", 5060), "urn:service:sos.fire"),
        ("101", Gateway("g", "192.0.2.9", 5070, "digits"), "sip:101@192.0.2.9:5070;user=phone"),
        ("+32112", Gateway("g", "2001:db8::9", 5060, "digits"), "sip:112@[2001:db8::9]:5060;user=phone"),
        (
            "urn:service:sos.fire",
            Gateway("g", "a.example", 5060, "digits"),
            "sip:112@a.example:5060;user=phone",
        ),
    ],
)
def test_each_gateway_reads_what_it_wants(
    directory: Directory, dialled: str, gateway: Gateway, uri: str
) -> None:
    service = directory.numbers.recognise(dialled)
    assert service is not None
    assert gateway.request_uri(service) == uri


def test_the_timeouts_of_the_rule(directory: Directory) -> None:
    assert directory.failover.trying_timeout_ns == 2_000_000_000
    assert directory.failover.provisional_timeout_ns == 6_000_000_000


def test_every_refusal_but_the_callers_own_moves_on(directory: Directory) -> None:
    """R-EMG-06 over all statuses: 3xx (nobody follows it) to 6xx but 487; no provisional, no success."""
    moving = {status for status in range(100, 700) if directory.failover.moves_on(status)}
    assert moving == set(range(300, 700)) - {487}
