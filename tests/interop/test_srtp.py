"""SRTP with baresip, whose SRTP is not libsrtp: what each party hears of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.baresip import Baresip
from tests.interop.conftest import MakeServer, require
from tests.interop.connected import HOST, Switch
from tests.interop.pyvoip import CALLEE_HZ, CALLER_HZ
from tests.interop.pyvoip_phone import power
from tests.interop.server import wait_for

pytestmark = pytest.mark.interop

NUMBERS = {"desk": "016234567", "dect": "022345678"}


class Pair:
    """Two phones that record what they hear; each calls or is called with a tone of its own."""

    def __init__(self, make_server: MakeServer, directory: Path) -> None:
        require("baresip", "baresip-core")
        self._make_server, self._directory = make_server, directory
        self._phones: list[Baresip] = []

    def start(self, srtp: str) -> None:
        self.switch = Switch(self._make_server, self._directory, srtp=srtp)

    def phone(self, user: str, transport: str, encryption: str, tone_hz: int, *commands: str) -> Baresip:
        phone = Baresip(
            self._directory / user,
            (HOST, self.switch.ports[transport]),
            user,
            *commands,
            transport=transport,
            trust=self.switch.trust if transport == "tls" else None,
            tone_hz=tone_hz,
            encryption=encryption,
            record=True,
        )
        self._phones.append(phone)
        server, there = self.switch.server, len(self._phones)
        wait_for(lambda: server.metric("registrations") == there, "a registration")
        return phone

    def talk(self, caller: tuple[str, str, str], callee: tuple[str, str, str]) -> dict[str, Any]:
        """One calls the other (user, transport, encryption); what the relay counted."""
        called = self.phone(*callee, CALLEE_HZ)
        port = self.switch.ports[caller[1]]
        target = f"/dial sip:{NUMBERS[callee[0]]}@{HOST}:{port};transport={caller[1]}"
        calling = self.phone(*caller, CALLER_HZ, target)
        calling.says("Call established")
        server = self.switch.server
        wait_for(lambda: server.metric("relay_packets_total") >= 200, "two seconds of voice")
        calling.hang_up()
        called.says("terminated")
        for phone, own_hz, other_hz in ((calling, CALLER_HZ, CALLEE_HZ), (called, CALLEE_HZ, CALLER_HZ)):
            assert power(phone.heard(), other_hz) > 0.3
            assert power(phone.heard(), own_hz) < 0.05
        record = server.new_record()
        assert record["outcome"] == "answered"
        return dict(server.measured(record["call_id"]))

    def close(self) -> None:
        for phone in self._phones:
            phone.close()


@pytest.fixture
def pair(make_server: MakeServer, tmp_path: Path) -> Iterator[Pair]:
    made = Pair(make_server, tmp_path)
    yield made
    made.close()


SECURE = ("desk", "tls", "srtp-mand")


@pytest.mark.parametrize("encryption", ["srtp", "srtp-mand", "srtp-mandf"])
def test_a_phone_with_srtp_and_one_without(pair: Pair, encryption: str) -> None:
    pair.start("accept")
    sides = pair.talk(("desk", "tls", encryption), ("dect", "udp", ""))
    assert max(sides[side]["unauthentic"] for side in ("caller", "callee")) <= 5


def test_keys_are_required_of_a_phone_over_tls_only(pair: Pair) -> None:
    pair.start("require")
    sides = pair.talk(("dect", "udp", ""), SECURE)
    assert max(sides[side]["unauthentic"] for side in ("caller", "callee")) <= 5


@pytest.mark.parametrize("encryption", ["", "srtp"])
def test_keys_are_offered_to_phones_over_tls(pair: Pair, encryption: str) -> None:
    """One without SRTP passes over them. (One that insists on it wants them required.)"""
    pair.start("offer")
    pair.talk(("dect", "tls", "srtp-mand"), ("desk", "tls", encryption))
