"""REGISTER at the switch: every answer a phone can get, word for word where phones read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from switch.ports import Address, Append, BindingRemoved, BindingSaved
from switch.sip.message import Response
from tests.sim.text import digest_answer
from tests.switch.sip.support import Row, at, request_bytes
from tests.torture.support import ALICE, DOMAIN, EQUIPMENT, STRANGER, Subject

CONTACT = f"<sip:alice@{STRANGER.host}:{STRANGER.port}>"
URI = f"sip:{DOMAIN}"


class Desk:
    """A phone of alice's, and the switch it registers with."""

    def __init__(self) -> None:
        self.subject = Subject()
        self._cseq = 0

    def register(
        self,
        fields: Mapping[str, Row] | None = None,
        *,
        user: str = "alice",
        password: str = "secret",
        aor: str = f"sip:alice@{DOMAIN}",
        remote: Address = STRANGER,
    ) -> Response:
        """REGISTER until the answer is not a challenge."""
        changes = {"To": f"<{aor}>", "From": f"<{aor}>;tag=a1", "Contact": CONTACT, **(fields or {})}
        response = self.send(changes, remote=remote)
        if response.status != 401:
            return response
        challenge = response.rows("WWW-Authenticate")[0]
        answer = digest_answer(challenge, "REGISTER", URI, user, password)
        return self.send({**changes, "Authorization": answer}, remote=remote)

    def send(self, fields: Mapping[str, Row], *, uri: str = URI, remote: Address = STRANGER) -> Response:
        """One REGISTER as it is; its answer."""
        self._cseq += 1
        defaults: dict[str, Row] = {
            "Via": f"SIP/2.0/UDP {remote.host}:{remote.port};branch=z9hG4bK-{self._cseq};rport",
            "To": f"<sip:alice@{DOMAIN}>",
            "CSeq": f"{self._cseq} REGISTER",
        }
        self.subject.orders.clear()
        self.subject.receive(request_bytes("REGISTER", uri, "", {**defaults, **fields}), remote)
        (response,) = self.subject.messages()
        assert isinstance(response, Response)
        assert response.cseq == (self._cseq, "REGISTER")
        return response

    def saved(self) -> list[str]:
        """The contacts that the last REGISTER stored."""
        entries = [order.entry for order in self.subject.orders if isinstance(order, Append)]
        return [entry.contact for entry in entries if isinstance(entry, BindingSaved)]

    def transactions(self) -> int:
        return self.subject.switch.sizes()["servers"]


@pytest.fixture
def desk() -> Desk:
    return Desk()


# --- who it is ----------------------------------------------------------------------------------------------


def test_without_a_password_it_is_challenged_and_no_state_is_kept(desk: Desk) -> None:
    response = desk.send({"Contact": CONTACT})
    assert response.status == 401
    (challenge,) = response.rows("WWW-Authenticate")
    assert challenge.startswith("Digest ")
    assert 'realm="example.com"' in challenge
    assert 'qop="auth"' in challenge
    assert "algorithm=MD5" in challenge
    assert response.recipient.tag
    assert desk.transactions() == 0
    assert desk.saved() == []


def test_with_the_password_the_contact_is_bound(desk: Desk) -> None:
    response = desk.register()
    assert response.status == 200
    assert response.rows("Contact") == [f"{CONTACT};expires=3600"]
    assert desk.saved() == [f"sip:alice@{STRANGER.host}:{STRANGER.port}"]
    assert desk.transactions() == 1  # a repeated one gets the same answer


def test_a_wrong_password_is_forbidden_and_binds_nothing(desk: Desk) -> None:
    response = desk.register(password="guessed")
    assert response.status == 403
    assert desk.saved() == []
    assert desk.transactions() == 0


def test_an_unknown_user_gets_the_same_answers_as_a_known_one(desk: Desk) -> None:
    known = desk.send({"To": f"<sip:alice@{DOMAIN}>"})
    unknown = desk.send({"From": f"<sip:nobody@{DOMAIN}>;tag=a1", "To": f"<sip:nobody@{DOMAIN}>"})
    shape = [sorted(response.fields) for response in (known, unknown)]
    assert shape[0] == shape[1]
    assert (known.status, unknown.status) == (401, 401)
    wrong = desk.register(password="guessed")
    nobody = desk.register(user="nobody", aor=f"sip:nobody@{DOMAIN}")
    assert (wrong.status, wrong.reason) == (nobody.status, nobody.reason)
    assert sorted(wrong.fields) == sorted(nobody.fields)


def test_somebody_elses_address_of_record_is_forbidden(desk: Desk) -> None:
    assert desk.register(aor=f"sip:office@{DOMAIN}").status == 403
    assert desk.saved() == []


@pytest.mark.parametrize("aor", [f"sip:{ALICE}@{DOMAIN}", f"sip:016234567@{DOMAIN}", f"sips:alice@{DOMAIN}"])
def test_a_line_may_be_called_by_its_number(aor: str, desk: Desk) -> None:
    assert desk.register(aor=aor).status == 200


def test_equipment_known_by_its_address_needs_no_password(desk: Desk) -> None:
    response = desk.register(
        {"Contact": "<sip:office@203.0.113.77>"}, aor=f"sip:office@{DOMAIN}", remote=EQUIPMENT
    )
    assert response.status == 200


def test_a_terminated_line_registers_no_more(desk: Desk) -> None:
    switch = desk.subject.switch
    alice = replace(switch.lines.by_user["alice"], state="terminated")
    switch.replace_lines([alice], at(0))
    assert desk.register().status == 403


@pytest.mark.parametrize("state", ["limited", "restricted", "suspended"])
def test_a_line_in_arrears_can_still_be_reached_for_emergencies(state: str, desk: Desk) -> None:
    switch = desk.subject.switch
    switch.replace_lines([replace(switch.lines.by_user["alice"], state=state)], at(0))
    assert desk.register().status == 200


# --- what it asks -------------------------------------------------------------------------------------------


def test_too_short_an_expiry_is_answered_with_the_least(desk: Desk) -> None:
    response = desk.register({"Expires": "30"})
    assert response.status == 423
    assert response.rows("Min-Expires") == ["60"]
    assert desk.saved() == []


@pytest.mark.parametrize(
    ("fields", "expires"),
    [
        ({"Expires": "60"}, 60),
        ({"Expires": "600"}, 600),
        ({"Expires": "999999"}, 3600),
        ({"Expires": None}, 3600),
        ({"Expires": "600", "Contact": f"{CONTACT};expires=120"}, 120),
    ],
)
def test_an_expiry_within_bounds_is_granted(fields: Mapping[str, Row], expires: int, desk: Desk) -> None:
    assert desk.register(fields).rows("Contact") == [f"{CONTACT};expires={expires}"]


def test_without_a_contact_the_bindings_are_told(desk: Desk) -> None:
    desk.register()
    response = desk.register({"Contact": None})
    assert response.status == 200
    assert response.rows("Contact") == [f"{CONTACT};expires=3600"]
    assert desk.saved() == []


def test_with_none_left_the_answer_has_no_contact(desk: Desk) -> None:
    desk.register()
    response = desk.register({"Contact": "*", "Expires": "0"})
    assert (response.status, response.rows("Contact")) == (200, [])
    entries = [order.entry for order in desk.subject.orders if isinstance(order, Append)]
    assert [type(entry) for entry in entries] == [BindingRemoved]


@pytest.mark.parametrize(
    "contact", ["*", "<not a uri>", '"unclosed <sip:a@b>', "<sip:a@192.0.2.1>, *", f"<sip:{'x' * 600}@b>"]
)
def test_a_contact_that_makes_no_sense_is_a_bad_request(contact: str, desk: Desk) -> None:
    assert desk.register({"Contact": contact}).status == 400
    assert desk.saved() == []


def test_path_is_kept_and_given_back(desk: Desk) -> None:
    """RFC 3327 section 5.3."""
    path = ["<sip:proxy.example.com;lr>"]
    response = desk.register({"Path": path, "Supported": "path"})
    assert response.status == 200
    assert response.rows("Path") == path
    assert response.rows("Supported") == ["path"]
    assert "Path" not in desk.register({"Contact": f"{CONTACT};q=0.5"}).fields


def test_path_may_be_required(desk: Desk) -> None:
    assert desk.register({"Require": "path"}).status == 200


def test_an_unknown_extension_is_named_before_anything_else(desk: Desk) -> None:
    response = desk.send({"Require": "path, outbound, gruu"})
    assert response.status == 420
    assert response.rows("Unsupported") == ["gruu, outbound"]
    assert desk.transactions() == 0


# --- what cannot be understood ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "fields", "status"),
    [
        ("sip:example.com", {"To": "<tel:+3216234567>"}, 400),
        ("sip:example.com", {"To": "<mailto:alice@example.com>"}, 400),
        ("sip:example.com", {"From": "<mailto:alice@example.com>;tag=a1"}, 400),
        ("http://example.com", {}, 416),
    ],
    ids=["a telephone number", "no SIP at all", "from no SIP at all", "the Request-URI"],
)
def test_what_is_no_address_of_record_is_refused_without_state(
    uri: str, fields: Mapping[str, Row], status: int, desk: Desk
) -> None:
    assert desk.send(fields, uri=uri).status == status
    assert desk.transactions() == 0
    desk.subject.assert_unharmed()


def test_a_repeated_register_is_answered_again_and_stored_once(desk: Desk) -> None:
    desk.register()
    assert len(desk.saved()) == 1
    ((_, answer),) = desk.subject.sent()
    desk._cseq -= 1
    assert desk.send({"Contact": CONTACT}).status == 200  # the same branch and CSeq
    assert desk.subject.sent() == [(STRANGER, answer)]
    assert desk.saved() == []


# --- rented devices (R-EQP-01) ------------------------------------------------------------------------------

MAC = "00:15:65:AB:CD:EF"
URN = "urn:uuid:00000000-0000-1000-8000-00156512abcd"


def rent(desk: Desk, *devices: str, kind: str = "desk", listed_only: bool = True) -> None:
    """The devices of alice's line, and whether only such may register."""
    switch = desk.subject.switch
    limits = replace(switch.settings.registrar, listed_only=listed_only)
    switch.replace_settings(replace(switch.settings, registrar=limits))
    switch.replace_lines([replace(switch.lines.by_user["alice"], devices=devices, kind=kind)], at(0))


@pytest.mark.parametrize("kind", ["desk", "dect"])
def test_a_fixed_line_is_for_the_devices_rented_for_it(kind: str, desk: Desk) -> None:
    rent(desk, MAC, kind=kind)
    assert desk.register({"User-Agent": "Yealink T46 00:15:65:ab:cd:ef"}).status == 200
    response = desk.register({"User-Agent": "softphone/1", "Contact": "<sip:alice@198.51.100.9>"})
    assert (response.status, response.reason) == (403, "Forbidden")
    assert response.rows("Warning") == ['399 registrar "This device is not provisioned for this line"']
    assert desk.saved() == []
    assert desk.subject.switch.registration.refused == {"device": 1}


def test_a_device_may_tell_itself_by_its_instance(desk: Desk) -> None:
    rent(desk, URN)
    assert desk.register({"Contact": f'{CONTACT};+sip.instance="<{URN.upper()}>"'}).status == 200
    rent(desk, "001565 12ABCD")
    assert desk.register({"Contact": f'<sip:alice@192.0.2.9>;+sip.instance="<{URN}>"'}).status == 200
    assert desk.register({"Contact": "<sip:alice@192.0.2.10>"}).status == 403


def test_a_fixed_line_without_devices_registers_none_where_they_are_listed(desk: Desk) -> None:
    rent(desk)
    assert desk.register({"User-Agent": "Yealink"}).status == 403
    rent(desk, listed_only=False)
    assert desk.register({"User-Agent": "Yealink"}).status == 200


def test_a_softphone_may_be_any(desk: Desk) -> None:
    rent(desk, MAC, kind="softphone")
    assert desk.register({"User-Agent": "softphone/1"}).status == 200


def test_what_was_let_in_is_refreshed_and_ended(desk: Desk) -> None:
    assert desk.register({"User-Agent": "softphone/1"}).status == 200
    rent(desk, MAC)
    assert desk.register({"User-Agent": "softphone/1"}).status == 200
    assert desk.register({"User-Agent": "softphone/1", "Contact": f"{CONTACT};expires=0"}).status == 200
    assert desk.register({"User-Agent": "softphone/1", "Contact": f"{CONTACT};expires=0"}).status == 200
    assert desk.register({"User-Agent": "softphone/1", "Contact": "*", "Expires": "0"}).status == 200
    assert desk.register({"User-Agent": "softphone/1", "Contact": None}).status == 200  # asks what is bound
    assert desk.register({"User-Agent": "softphone/1"}).status == 403


def test_one_contact_of_another_device_leaves_all_as_it_was(desk: Desk) -> None:
    rent(desk, URN)
    both = [f'<sip:alice@192.0.2.9>;+sip.instance="<{URN}>"', "<sip:alice@192.0.2.10>"]
    assert desk.register({"Contact": both}).status == 403
    assert desk.saved() == []


def test_refusals_are_counted_by_what_was_wrong(desk: Desk) -> None:
    desk.register(aor=f"sip:office@{DOMAIN}")
    desk.register({"Contact": f"{CONTACT};expires=1"})
    assert desk.subject.switch.registration.refused == {"line": 1, "contact": 1}
