"""SIPp registers with the switch: digest, refresh, removal, and the same refusal whoever asks."""

from __future__ import annotations

import re
import socket
from time import sleep

import pytest

from tests.interop.network import free_port
from tests.interop.server import Server
from tests.interop.sipp import SippRunner

pytestmark = pytest.mark.interop

MASKED = re.compile(r'nonce="[^"]*"|branch=\S*|tag=\S*|Call-ID: .*|CSeq: .*|:\d{5}|sip:\w+@')


@pytest.fixture
def phone(server: Server) -> tuple[str, int]:
    """Where the phone is."""
    host = server.network.host(11)
    return host, free_port(host)


def registrations(server: Server) -> float:
    """How many contacts are bound."""
    return server.metric("registrations")


def test_binding_from_beginning_to_end(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("register-life", phone, user="desk", keys={"expires": "60"})
    assert registrations(server) == 0


def test_binding_expires(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("register", phone, user="desk", keys={"expires": "2"})
    assert registrations(server) == 1
    sleep(2.1)
    sipp.run("refused", phone, user="softphone", to="016234567", keys={"status": "480"})
    assert registrations(server) == 0


def test_expiry_too_short(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("register-refused", phone, user="desk", keys={"expires": "1", "status": "423"})
    assert registrations(server) == 0


def test_one_contact_more_than_the_line_may_have(server: Server, sipp: SippRunner) -> None:
    phones = [(server.network.host(n), free_port(server.network.host(n))) for n in (11, 12, 13)]
    for phone in phones[:2]:
        sipp.run("register", phone, user="desk", keys={"expires": "60"})
    sipp.run("register-refused", phones[2], user="desk", keys={"expires": "60", "status": "403"})
    assert registrations(server) == 2
    sipp.run("register-end", phones[0], user="desk")
    assert registrations(server) == 0


def test_wrong_password_and_unknown_user_are_answered_alike(
    server: Server, sipp: SippRunner, phone: tuple[str, int]
) -> None:
    keys = {"expires": "60", "status": "403"}
    answers = []
    for user in ("desk", "nobody"):
        attempt = sipp.start("register-refused", phone, user=user, password="wrong-secret", keys=keys)
        attempt.finish()
        answers.append([MASKED.sub("", message) for message in attempt.received()])
    assert answers[0] == answers[1]
    assert [message.split()[1] for message in answers[0]] == ["401", "403"]
    assert registrations(server) == 0


def test_options_is_a_keep_alive(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("options", phone, user="desk")


def test_ping_has_its_pong(server: Server, phone: tuple[str, int]) -> None:
    """RFC 5626 section 3.5.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(phone)
        sock.settimeout(5)
        sock.sendto(b"\r\n\r\n", (server.host, server.port))
        assert sock.recv(100) == b"\r\n"


def test_binding_survives_a_restart(server: Server, sipp: SippRunner, phone: tuple[str, int]) -> None:
    sipp.run("register", phone, user="desk", keys={"expires": "60"})
    assert server.stop() == 0
    server.start()
    assert registrations(server) == 1
    callee = sipp.start("callee", phone, user="desk")
    sipp.run("call-without-password", server.carrier, to="016234567")
    callee.finish()
    sipp.run("register-end", phone, user="desk")
    assert registrations(server) == 0
