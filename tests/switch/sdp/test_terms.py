"""On what terms phones and centres take part."""

from __future__ import annotations

import pytest

from switch.ports import Address, Flow
from switch.sdp.terms import SideTerms, Srtp, centre_terms, phone_terms

HERE, THERE = Address("192.0.2.1", 5061), Address("192.0.2.9", 5061)
THROUGH, ACCEPT, OFFER, REQUIRE = Srtp


def over(*transports: str) -> list[Flow]:
    return [Flow(transport, HERE, THERE) for transport in transports]


@pytest.mark.parametrize("transport", ["udp", "tcp", "ws"])
def test_keys_are_not_offered_in_clear(transport: str) -> None:
    got = [phone_terms(srtp, over("tls", transport), urgent=False).srtp for srtp in Srtp]
    assert got == [THROUGH, ACCEPT, ACCEPT, ACCEPT]


@pytest.mark.parametrize("transport", ["tls", "wss"])
def test_over_tls_as_configured(transport: str) -> None:
    got = [phone_terms(srtp, over(transport), urgent=False).srtp for srtp in Srtp]
    assert got == [THROUGH, ACCEPT, OFFER, REQUIRE]


def test_no_call_for_help_is_refused_for_want_of_keys() -> None:
    assert phone_terms(REQUIRE, over("tls"), urgent=True).srtp is OFFER


def test_a_centre_is_offered_nothing_it_might_refuse() -> None:
    assert [centre_terms(srtp) for srtp in Srtp] == [
        SideTerms(THROUGH),
        SideTerms(ACCEPT),
        SideTerms(ACCEPT),
        SideTerms(ACCEPT),
    ]
