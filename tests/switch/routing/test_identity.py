"""Who sends a request: by address or by digest; known and unknown users alike (RFC 3261 section 22)."""

from __future__ import annotations

import re

import pytest

from switch.malformed import Malformed
from switch.ports import Address
from switch.routing.bans import Bans, BanSettings
from switch.routing.identity import Challenge, Denied, Identity, Ignored, claimed_user
from switch.routing.lines import Line, LineTable
from switch.sip.auth import answer
from tests.switch.routing.support import REALM, make_line
from tests.switch.sip.support import FLOW, Chance, at, make_request

ALICE = make_line("alice")
PBX = make_line("pbx", numbers=("+3222345678",), sources=("203.0.113.5",))
URI = "sip:switch.example"


def identity_of(*lines: Line) -> Identity:
    offered = {"udp": ("MD5",), "tls": ("MD5", "SHA-256")}
    table = LineTable.of(lines)
    bans = Bans(BanSettings(), spared=lambda _host: False, start=lambda *_: None, note=lambda _note: None)
    return Identity(
        realm=REALM, nonce_ttl_s=300, algorithms=offered, entropy=Chance(), lines=table, bans=bans
    )


@pytest.fixture
def identity() -> Identity:
    return identity_of(ALICE, PBX)


def ask(
    identity: Identity, value: str | None = None, user: str = "alice", now_ms: int = 0
) -> Line | Challenge | Denied | Ignored:
    fields = {"Authorization": value, "From": f"<sip:{user}@switch.example>;tag=1"}
    return identity.identify(make_request("REGISTER", URI, fields=fields), FLOW, at(now_ms))


def credentials(outcome: object, user: str, password: str, nc: int = 1) -> str:
    assert isinstance(outcome, Challenge)
    value = answer(outcome.rows, "REGISTER", URI, user, password, "cnonce", nc)
    assert value is not None
    return value


def test_the_right_password_is_the_line(identity: Identity) -> None:
    assert ask(identity, credentials(ask(identity), "alice", "secret")) is ALICE
    assert identity.outcomes == {"absent": 1, "right": 1}


def test_equipment_known_by_address_is_asked_nothing(identity: Identity) -> None:
    flow = FLOW._replace(remote=Address("203.0.113.5", 9))
    assert identity.identify(make_request("INVITE"), flow, at(0)) is PBX


def test_credentials_name_the_user_and_from_does_not(identity: Identity) -> None:
    value = credentials(ask(identity), "alice", "secret")
    assert ask(identity, value, user="somebody-else") is ALICE


def without_nonces(outcome: object) -> list[str] | object:
    return (
        [re.sub(r'nonce="[^"]*"', "nonce", row) for row in outcome.rows]
        if isinstance(outcome, Challenge)
        else outcome
    )


@pytest.mark.parametrize("password", ["secret", "guess"])
def test_known_and_unknown_users_are_answered_alike(identity: Identity, password: str) -> None:
    """In content; the same digest is computed for both."""
    first = {user: ask(identity, user=user) for user in ("alice", "nobody")}
    assert without_nonces(first["alice"]) == without_nonces(first["nobody"])
    wrong = {user: ask(identity, credentials(first[user], user, "wrong")) for user in first}
    assert isinstance(wrong["alice"], Denied)
    assert isinstance(wrong["nobody"], Denied)
    right = ask(identity, credentials(first["nobody"], "nobody", password))
    assert isinstance(right, Denied)


def test_an_old_nonce_is_challenged_anew_as_stale(identity: Identity) -> None:
    challenge = ask(identity)
    outcome = ask(identity, credentials(challenge, "alice", "secret"), now_ms=301_000)
    assert isinstance(outcome, Challenge)
    assert "stale=true" in outcome.rows[0]


def test_a_replay_is_challenged_anew(identity: Identity) -> None:
    value = credentials(ask(identity), "alice", "secret")
    assert ask(identity, value) is ALICE
    assert isinstance(ask(identity, value), Challenge)


@pytest.mark.parametrize(
    ("line", "transport", "offered"),
    [
        ((), "udp", ["MD5"]),
        ((), "tls", ["MD5", "SHA-256"]),
        (("SHA-256",), "udp", ["SHA-256"]),
        (("MD5", "SHA-256"), "udp", ["MD5", "SHA-256"]),
    ],
)
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_the_algorithms_offered_are_the_lines_or_else_the_transports(
    line: tuple[str, ...], transport: str, offered: list[str], user: str
) -> None:
    identity = identity_of(make_line("alice", algorithms=line))
    request = make_request("REGISTER", URI, fields={"From": f"<sip:{user}@switch.example>;tag=1"})
    outcome = identity.identify(request, FLOW._replace(transport=transport), at(0))
    assert isinstance(outcome, Challenge)
    assert [row.split("algorithm=")[1].split(",")[0] for row in outcome.rows] == offered


def test_who_a_request_is_said_to_be_of(identity: Identity) -> None:
    request = make_request("INVITE", fields={"From": "<sip:%61lice@switch.example>;tag=1"})
    assert claimed_user(request) == identity.user_of(request) == "alice"
    with pytest.raises(Malformed):
        claimed_user(make_request("INVITE", fields={"From": "<http://alice>;tag=1"}))
