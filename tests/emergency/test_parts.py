"""All that travels with a call: the ids, and the whole body read again by foreign and own readers."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes

import pytest

from emergency.location import Address
from emergency.parts import PIDF, Part, parts
from emergency.psap import Directory
from switch.sip.multipart import BY_REFERENCE, find_part, mixed
from switch.sip.multipart import Part as BodyPart
from tests.emergency.support import civic, valid
from tests.emergency.test_additional_data import CALLER, PROVIDER
from tests.emergency.test_location import BAKERY, BOOKSHOP
from tests.emergency.test_pidf import MOMENT_NS

SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\n"
BLOCKS = ["ProviderInfo", "ServiceInfo", "SubscriberInfo"]


def travelling(directory: Directory, address: Address | None) -> tuple[Part, ...]:
    return parts(
        CALLER,
        address,
        directory.provinces,
        PROVIDER,
        token="7f3a",
        domain="switch.example",
        wall_ns=MOMENT_NS,
    )


@pytest.mark.parametrize(("address", "told"), [(BAKERY, 1), (BOOKSHOP, 2), (None, 0)])
def test_the_place_in_each_language_and_then_the_blocks(
    directory: Directory, address: Address | None, told: int
) -> None:
    found = travelling(directory, address)
    assert [part.content_type for part in found] == [PIDF] * told + [
        f"application/EmergencyCallData.{name}+xml" for name in BLOCKS
    ]
    assert [part.content_id for part in found] == [
        f"loc{at}.7f3a@switch.example" for at in range(1, told + 1)
    ] + [f"{name}.7f3a@switch.example" for name in BLOCKS]
    assert [part.purpose for part in found] == [""] * told + [f"EmergencyCallData.{name}" for name in BLOCKS]
    for part in found:
        valid(part.content, part.purpose.removeprefix("EmergencyCallData.") or "pidf")


def test_blocks_of_one_call_name_one_reference(directory: Directory) -> None:
    for part in travelling(directory, None):
        assert b"DataProviderReference>7f3a@switch.example</" in part.content


def test_without_an_address_no_place_is_made_up(directory: Directory) -> None:
    contents = b"".join(part.content for part in travelling(directory, None))
    assert b"geopriv" not in contents


def test_a_bad_address_is_told_as_it_is(directory: Directory) -> None:
    place = travelling(directory, replace(BAKERY, postcode="", number="?"))[0]
    assert civic(valid(place.content, "pidf"))["HNO"] == "?"


def test_the_body_of_the_call_is_read_again(directory: Directory) -> None:
    found = travelling(directory, replace(BOOKSHOP, name="Crêperie L’Œuf & fils"))
    body_parts = [BodyPart(part.content_type, part.content, part.content_id, BY_REFERENCE) for part in found]
    content_type, body = mixed([BodyPart("application/sdp", SDP), *body_parts], "7f3a")

    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    read = [part for part in message.walk() if part is not message]
    assert [part.get_content_type() for part in read] == [
        "application/sdp",
        *(part.content_type.lower() for part in found),
    ]
    assert [part.get_payload(decode=True) for part in read] == [SDP, *(part.content for part in found)]
    assert [part["Content-ID"] for part in read[1:]] == [f"<{part.content_id}>" for part in found]
    assert {part["Content-Disposition"] for part in read[1:]} == {"by-reference;handling=optional"}

    assert find_part(body, content_type, "application/sdp") == SDP.replace(b"\r\n", b"\n")
    assert find_part(body, content_type, PIDF) == found[0].content
    for part in found[2:]:
        assert find_part(body, content_type, part.content_type.lower()) == part.content
