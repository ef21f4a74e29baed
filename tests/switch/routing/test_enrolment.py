"""Our registration with a carrier: RFC 3261 section 10.2."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from switch.malformed import Malformed
from switch.ports import NS_PER_S, Address, Flow, Listener, Note
from switch.routing.enrolment import AGAIN_S, SELDOM_S, called_at
from switch.routing.trunks import Trunk, Trunks, TrunkSettings
from switch.sip.auth import digest, ha1
from switch.sip.endpoint import Endpoint
from switch.sip.message import Request
from switch.sip.parser import parse_datagram
from switch.sip.transaction.wire import Timing
from switch.timers import TimerQueue
from tests.switch.sip.support import Chance, Row, at, make_request, response_bytes, run_to

HERE, HOST = Address("192.0.2.1", 5060), "198.51.100.1"
SETTINGS = TrunkSettings("carrier", HOST, 5070, credentials=("+3216234500", "secret"), register_s=600)
CHALLENGE = 'Digest realm="carrier", nonce="n0", algorithm=MD5, qop="auth"'


class Registering:
    """A switch that registers with a carrier, seen from there."""

    def __init__(self, settings: TrunkSettings = SETTINGS) -> None:
        self.sent: list[tuple[Flow, Request]] = []
        self.notes: list[Note] = []
        self.timers = TimerQueue(at(0))
        self.endpoint = Endpoint(
            timers=self.timers,
            timing=Timing(),
            entropy=Chance(),
            send=self._keep,
            advertised={},
            user_agent="",
        )
        listeners = [Listener("udp", HERE), Listener("tcp", HERE)]
        self.trunks = Trunks([settings], self.endpoint, listeners, Chance(), self.notes.append)
        self.now_s = 0.0
        self.wait(0.1)

    def _keep(self, flow: Flow, data: bytes) -> None:
        request = parse_datagram(data)
        assert isinstance(request, Request)
        if not self.sent or self.sent[-1][1].via.branch != request.via.branch:
            self.sent.append((flow, request))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        run_to(self.timers, int(1000 * self.now_s))

    @property
    def trunk(self) -> Trunk:
        (trunk,) = self.trunks.all()
        return trunk

    @property
    def last(self) -> Request:
        return self.sent[-1][1]

    def answer(self, status: int, **fields: Row) -> None:
        flow, request = self.sent[-1]
        told: dict[str, Row] = {
            "Via": request.rows("Via")[0],
            "CSeq": request.rows("CSeq")[0],
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        self.endpoint.receive(flow, response_bytes(status, told))

    def until_next(self, most_s: float = 4000) -> float:
        """Seconds until the next REGISTER."""
        count, start_s = len(self.sent), self.now_s
        while len(self.sent) == count:
            assert self.now_s - start_s < most_s
            self.wait(1)
        return self.now_s - start_s

    def events(self) -> list[str]:
        return [note.event for note in self.notes]


@pytest.fixture
def registering() -> Registering:
    return Registering()


def test_register_is_sent_at_once_and_proves_itself_once(registering: Registering) -> None:
    flow, first = registering.sent[-1]
    assert flow.remote == Address(HOST, 5070)
    assert (first.method, first.uri) == ("REGISTER", f"sip:{HOST}")
    assert first.get("To") == f"<sip:+3216234500@{HOST}>"
    assert first.get("Contact") == "<sip:+3216234500@192.0.2.1:5060>"
    assert first.get("Expires") == "600"
    assert registering.trunk.up is False
    registering.answer(401, WWW_Authenticate=CHALLENGE)
    proof = registering.last.get("Authorization")
    assert proof is not None
    cnonce = re.search(r'cnonce="([^"]+)"', proof)
    assert cnonce is not None
    secret, what = ha1("MD5", "+3216234500", "carrier", "secret"), digest("MD5", f"REGISTER:sip:{HOST}")
    right = digest("MD5", f"{secret}:n0:00000001:{cnonce[1]}:auth:{what}")
    assert f'response="{right}"' in proof
    assert registering.last.cseq[0] == first.cseq[0] + 1
    assert registering.last.call_id == first.call_id
    registering.answer(200, Contact="<sip:+3216234500@192.0.2.1:5060>;expires=300")
    assert (registering.trunk.registered, registering.trunk.up) == (True, True)
    assert registering.events() == ["trunk_registered"]
    assert 210 <= registering.until_next() <= 241
    registering.answer(200, Expires="100")
    assert 70 <= registering.until_next() <= 81
    registering.answer(200)
    assert 420 <= registering.until_next() <= 481
    assert registering.events() == ["trunk_registered"]


def test_a_wrong_password_is_said_once_and_tried_ever_more_seldom(registering: Registering) -> None:
    pauses = []
    for _ in range(7):
        registering.answer(401, WWW_Authenticate=CHALLENGE)
        registering.answer(401, WWW_Authenticate=CHALLENGE)
        pauses.append(registering.until_next())
    for pause, least in zip(pauses, (30, 60, 120, 240, 480, 600, 600), strict=True):
        assert least <= pause <= 1.1 * least + 1
    assert (AGAIN_S, SELDOM_S) == (30, 600)
    assert [note.facts for note in registering.notes] == [{"trunk": "carrier", "why": "401"}]
    assert not registering.trunk.up


def test_a_carrier_that_is_gone_and_comes_back(registering: Registering) -> None:
    registering.answer(200)
    registering.until_next()
    assert registering.until_next() >= 32 + 30  # it times out, and is tried again
    assert not registering.trunk.registered
    registering.answer(503, Retry_After="300 (maintenance)")
    assert registering.until_next() >= 300
    registering.answer(200)
    assert registering.events() == ["trunk_registered", "trunk_not_registered", "trunk_not_registered",
                                    "trunk_registered"]  # fmt: skip


def test_an_expiry_that_is_too_brief_is_lengthened(registering: Registering) -> None:
    registering.answer(423, Min_Expires="1800")
    registering.wait(0.1)
    assert registering.last.get("Expires") == "1800"
    registering.answer(423, Min_Expires="1800")  # and not for ever
    assert registering.until_next() >= 30


def test_another_contact_says_nothing_of_ours(registering: Registering) -> None:
    registering.answer(
        200, Contact=["<sip:other@x>;expires=30, <sip:+3216234500@192.0.2.1:5060>;expires=900"]
    )
    assert registering.until_next() >= 630


def test_an_unresolved_name_is_waited_for() -> None:
    registering = Registering(replace(SETTINGS, host="sip.carrier.example"))
    assert registering.sent == []
    registering.trunks.resolved("carrier", tuple(Address(f"198.51.100.{n}", 5070) for n in (8, 9)))
    registering.until_next()
    hosts = {registering.sent[-1][0].remote.host}
    registering.until_next()
    hosts.add(registering.sent[-1][0].remote.host)
    assert hosts == {"198.51.100.8", "198.51.100.9"}, "a silent one gives way to the next"
    assert registering.last.uri == "sip:sip.carrier.example"


def test_over_a_connection_and_with_a_user_that_needs_escaping() -> None:
    registering = Registering(replace(SETTINGS, transport="tcp", credentials=("a@b c", "secret")))
    assert registering.last.uri == f"sip:{HOST};transport=tcp"
    assert registering.last.get("Contact") == "<sip:a%40b%20c@192.0.2.1:5060;transport=tcp>"
    registering.answer(200, Contact="<sip:a%40b%20c@192.0.2.1:5060;transport=tcp>;expires=100")
    assert registering.until_next() <= 81


@pytest.mark.parametrize(
    ("changed", "registered"),
    [
        (SETTINGS, True),
        (replace(SETTINGS, max_calls=5), True),
        (replace(SETTINGS, credentials=("other", "secret")), False),
        (replace(SETTINGS, port=5080), False),
    ],
)
def test_a_reload_registers_again_and_ends_the_old_round(
    registering: Registering, changed: TrunkSettings, registered: bool
) -> None:
    registering.answer(200)
    registering.trunks.replace([changed])
    assert registering.trunk.registered is registered
    registering.wait(0.1)
    registering.answer(200)
    count = len(registering.sent)
    registering.wait(500)
    assert len(registering.sent) - count == 1
    registering.trunks.replace([])
    registering.wait(2000)
    assert len(registering.sent) - count == 1


@pytest.mark.parametrize(
    ("uri", "fields", "called"),
    [
        ("sip:+3216234567@192.0.2.1", {"To": "<sip:+3299@x>"}, "sip:+3216234567@192.0.2.1"),
        ("sip:+3216234500@192.0.2.1", {"To": "<sip:+3216234567@x>"}, "sip:+3216234567@x"),
        ("sip:%2B3216234500@192.0.2.1", {"To": "<sip:+3216234567@x>"}, "sip:+3216234567@x"),
        (
            "sip:+3216234500@192.0.2.1",
            {"To": "<sip:+3216234500@x>", "P-Called-Party-ID": "<sip:+3216234568@x>"},
            "sip:+3216234568@x",
        ),
    ],
)
def test_where_the_dialled_number_stands(uri: str, fields: dict[str, Row], called: str) -> None:
    assert called_at(make_request("INVITE", uri, fields=fields), "+3216234500") == called


def test_a_dialled_number_that_cannot_be_read_is_an_error() -> None:
    request = make_request("INVITE", "sip:me@x", fields={"P-Called-Party-ID": "<<"})
    read: Callable[[], str] = lambda: called_at(request, "me")  # noqa: E731
    with pytest.raises(Malformed):
        read()


def test_the_proof_needs_an_algorithm_that_we_know(registering: Registering) -> None:
    registering.answer(401, WWW_Authenticate='Digest realm="x", nonce="n", algorithm=SHA-512-256')
    assert registering.until_next(100) >= 30
    assert registering.notes[-1].facts["why"] == "401"


def test_the_expiry_is_bounded(registering: Registering) -> None:
    registering.answer(200, Expires="0")
    assert 7 <= registering.until_next() <= 9
    assert registering.timers.now.mono_ns < 60 * NS_PER_S
