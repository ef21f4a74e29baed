"""HEP packets, read by a reader that knows nothing of how they were made."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import pytest

from switch.net.hep import LARGEST, Hep, packet_of
from switch.ports import Address, Flow, Moment
from tests.switch.sip.support import request_bytes

NOW = Moment(5, 1_764_000_000_123_456_789)
V4 = Flow("udp", Address("192.0.2.1", 5060), Address("198.51.100.7", 5070))
V6 = Flow("tls", Address("2001:db8::1", 5061), Address("2001:db8::7", 40_000))
INVITE = request_bytes("INVITE", "sip:b@x", "", {})


def chunks(packet: bytes) -> dict[int, bytes]:
    """What a packet says, by chunk type."""
    assert packet[:4] == b"HEP3"
    assert int.from_bytes(packet[4:6]) == len(packet)
    found, at = {}, 6
    while at < len(packet):
        vendor, kind, length = (int.from_bytes(packet[at + n : at + n + 2]) for n in (0, 2, 4))
        assert vendor == 0
        found[kind] = packet[at + 6 : at + length]
        at += length
    assert at == len(packet)
    return found


@pytest.mark.parametrize(("flow", "family", "protocol", "hosts"), [(V4, 2, 17, (3, 4)), (V6, 10, 6, (5, 6))])
@pytest.mark.parametrize("sent", [True, False])
def test_a_message_with_all_that_is_known_of_it(
    flow: Flow, family: int, protocol: int, hosts: tuple[int, int], sent: bool
) -> None:
    said = chunks(packet_of(NOW, flow, INVITE, sent=sent, capture_id=77))
    source, target = (flow.local, flow.remote) if sent else (flow.remote, flow.local)
    assert (said[1][0], said[2][0], said[11][0]) == (family, protocol, 1)
    assert [ip_address(said[kind]) for kind in hosts] == [ip_address(one.host) for one in (source, target)]
    assert [int.from_bytes(said[kind]) for kind in (7, 8)] == [source.port, target.port]
    assert [int.from_bytes(said[kind]) for kind in (9, 10)] == [1_764_000_000, 123_456]
    assert int.from_bytes(said[12]) == 77
    assert said[15] == INVITE


def test_secrets_are_hidden() -> None:
    proof = 'Digest username="a", response="0123456789abcdef"'
    data = request_bytes("REGISTER", "sip:x", "", {"Authorization": proof})
    assert b"0123456789abcdef" not in packet_of(NOW, V4, data, sent=False, capture_id=1)


def test_a_packet_fits_a_datagram() -> None:
    data = INVITE + bytes(70_000)
    assert len(chunks(packet_of(NOW, V4, data, sent=False, capture_id=1))[15]) == LARGEST


def test_it_arrives_and_what_cannot_be_sent_is_counted() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        hep = Hep(Address(*server.getsockname()), 1)
        hep.add(NOW, V4, INVITE, sent=True)
        assert chunks(server.recv(65_535))[15] == INVITE
        hep.add(NOW, V4._replace(remote=Address("a pipe", 0)), INVITE, sent=True)
        assert hep.failures == 1
        hep.close()
        hep.add(NOW, V4, INVITE, sent=True)
        assert hep.failures == 2
