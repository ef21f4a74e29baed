"""How messages find their transaction: RFC 3261 sections 17.1.3 and 17.2.3."""

from __future__ import annotations

import pytest

from switch.sip.transaction.key import client_key, server_key
from tests.switch.sip.support import Row, make_request, make_response

OLD_VIA = "SIP/2.0/UDP 198.51.100.7:5060"


def test_a_repeated_request_has_the_same_key() -> None:
    assert server_key(make_request("INVITE")) == server_key(make_request("INVITE"))


@pytest.mark.parametrize(
    "fields",
    [
        {"Via": "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-2"},
        {"Via": "SIP/2.0/UDP 198.51.100.8:5060;branch=z9hG4bK-1"},
        {"Via": "SIP/2.0/UDP 198.51.100.7:5061;branch=z9hG4bK-1"},
        {"CSeq": "2 INVITE"},
    ],
)
def test_branch_sender_and_cseq_make_the_key(fields: dict[str, Row]) -> None:
    """The CSeq number too: pyVoIP sends its credentials under the branch of the request that had none."""
    assert server_key(make_request("INVITE", fields=fields)) != server_key(make_request("INVITE"))


def test_the_ack_of_a_refusal_has_the_key_of_its_invite_whatever_its_tags() -> None:
    ack = make_request("ACK", fields={"CSeq": "1 ACK", "To": "<sip:bob@example.com>;tag=b1"})
    assert server_key(ack) == server_key(make_request("INVITE"))


def test_a_cancel_has_a_key_of_its_own_and_knows_its_invites() -> None:
    cancel, invite = make_request("CANCEL"), make_request("INVITE")
    assert server_key(cancel) != server_key(invite)
    assert server_key(cancel, "INVITE") == server_key(invite)


@pytest.mark.parametrize("via", [OLD_VIA, f"{OLD_VIA};branch=1", f"{OLD_VIA};branch=z9hG4bK"])
def test_without_a_true_branch_the_rules_of_rfc_2543_apply(via: str) -> None:
    def key(method: str, uri: str = "sip:bob@example.com", **fields: Row) -> tuple[str, ...]:
        return server_key(make_request(method, uri, fields={"Via": via, **fields}))

    invite = key("INVITE")
    assert invite == key("INVITE")
    assert invite == key("ACK", CSeq="1 ACK", To="<sip:bob@example.com>;tag=b1")
    assert invite != key("INVITE", uri="sip:carol@example.com")
    assert invite != key("INVITE", From="<sip:alice@example.com>;tag=a2")
    assert invite != key("INVITE", CSeq="2 INVITE")
    assert invite != key("INVITE", **{"Call-ID": "call-2"})


def test_a_response_is_found_by_our_branch_and_the_method() -> None:
    assert client_key(make_response(200)) == ("z9hG4bK-1", "INVITE")
    assert client_key(make_response(200, {"CSeq": "1 CANCEL"})) == ("z9hG4bK-1", "CANCEL")
