"""Twenty thousand hostile datagrams to one switch: nothing of them is left, and nobody else hears of them."""

from __future__ import annotations

import gc
import random
from collections import Counter
from dataclasses import replace

import pytest

from switch.ports import Address, Transmit
from switch.routing.bans import BanSettings
from switch.sip.auth import Verdict, parse_digest
from switch.sip.message import Request, Response, respond
from switch.sip.parser import parse_datagram
from tests.switch.sip.support import HERE, request_bytes
from tests.torture.corpus import SDP, invite
from tests.torture.hostile import Hostile, Place
from tests.torture.support import DOMAIN, STRANGER, Subject, tables

DATAGRAMS = 20_000
A_SECOND = 200
SOURCES = [f"198.18.{number // 250}.{number % 250}" for number in range(500)]
PLACE = Place(HERE, DOMAIN, DOMAIN, ("alice", "office"), Address("203.0.113.99", 5060))
FADED_S = 3 * 3600
"""Longer than it takes to forget who was banned."""


@pytest.mark.parametrize("banning", [True, False])
def test_a_flood_leaves_nothing_and_reaches_nobody_else(banning: bool) -> None:
    """Answers go to those who sent something, calls for help to the centres, and nothing anywhere else. Who
    sent something is sent less in return, so there is nothing to gain by sending in the name of another."""
    subject = Subject()
    subject.switch.bans.replace(BanSettings(enabled=banning))
    centres = {gateway.host for way in tables()[1].gateways.values() for gateway in way}
    hostile, chance = Hostile(PLACE, 1, nonce=nonce_for(subject)), random.Random(1)
    came, went = Counter[str](), Counter[str]()
    for number in range(DATAGRAMS):
        host = chance.choice(SOURCES)
        source = Address(host, chance.choice((5060, 1024 + chance.randrange(60_000))))
        data = hostile.datagram(source)
        came[host] += len(data)
        subject.receive(data, source)
        if number % A_SECOND == 0:
            subject.wait(1)
        went.update(sent_to(subject))
        assert went.keys() <= {*came, *centres}, data
    assert (subject.switch.bans.counters["ignored_source"] > 0) is banning
    assert subject.switch.identity.outcomes[Verdict.WRONG.value] > 0
    assert len(hostile.kinds) == 21
    subject.wait()
    went.update(sent_to(subject))
    assert went.keys() <= {*came, *centres}
    assert sum(went[host] for host in came) < sum(came.values())
    subject.assert_unharmed()
    subject.assert_at_rest()
    assert subject.switch.pool.taken == 0
    subject.wait(FADED_S)
    assert not any(subject.switch.bans.sizes().values())


def test_what_is_no_message_leaves_no_garbage() -> None:
    """What is refused is gone at once; else it would lie about, whole, until the collector comes by."""
    subject, hostile = Subject(), Hostile(PLACE, 1)
    subject.switch.bans.replace(BanSettings(enabled=False))
    makers = (
        hostile.noise,
        hostile.length,
        hostile.nested,
        hostile.octets,
        hostile.header_bomb,
        hostile.twice,
    )
    datagrams = [make(STRANGER) for make in makers for _ in range(50)]
    datagrams = [data for data in datagrams if not isinstance(parse_datagram(data), Request | Response)]
    assert len(datagrams) > 150
    gc.collect()
    gc.disable()
    try:
        for data in datagrams:
            subject.receive(data)
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("field", ["Contact", "Record-Route"])
def test_whoever_calls_for_help_unknown_is_hung_up_on_where_he_is(field: str) -> None:
    """And not where he says: it would be somebody else who is told, again and again."""
    subject = Subject()
    subject.switch.replace_settings(replace(subject.switch.settings, emergency_without_digest="any"))
    where = {field: f"<sip:x@{PLACE.victim.host};lr>"}
    nobody = {"From": "<sip:nobody@example.net>;tag=1"}
    subject.receive(invite("112", **nobody, **where))
    (offered,) = [message for message in subject.messages() if isinstance(message, Request)]
    centre = next(to for to, data in subject.sent() if data.startswith(b"INVITE "))
    fields = {"Contact": [f"<sip:{centre.host}:{centre.port}>"], "Content-Type": ["application/sdp"]}
    answer = respond(offered, 200, tag="centre", fields=fields, body=SDP.encode())
    subject.receive(answer.encode(), centre)
    subject.wait()
    assert {to for to, data in subject.sent() if data.startswith(b"BYE ")} == {STRANGER, centre}
    assert {to for to, _ in subject.sent()} == {STRANGER, centre}
    subject.assert_at_rest()


def nonce_for(subject: Subject) -> str:
    """A nonce, as anybody is given one."""
    subject.receive(request_bytes("REGISTER", f"sip:{DOMAIN}", "", {}), STRANGER)
    (answer,) = subject.messages()
    assert isinstance(answer, Response)
    subject.orders.clear()
    challenge = parse_digest(answer.rows("WWW-Authenticate")[0])
    assert challenge is not None
    return challenge["nonce"]


def sent_to(subject: Subject) -> Counter[str]:
    """Octets that were sent, by host, since the last time."""
    octets = Counter[str]()
    for order in subject.orders:
        if isinstance(order, Transmit):
            octets[order.flow.remote.host] += len(order.data)
    subject.orders.clear()
    return octets
