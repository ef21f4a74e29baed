"""Bindings: RFC 3261 section 10.3, RFC 3327."""

from __future__ import annotations

import json

import pytest

from switch.malformed import Malformed
from switch.ports import NS_PER_S, Address, Append, BindingRemoved, BindingSaved, Flow
from switch.routing.registrar import MAX_URI, Registrar, RegistrarLimits
from tests.switch.routing.support import make_line
from tests.switch.sip.support import FLOW, WALL_NS, Chance, Row, at, make_request

DESK, SOFT = "sip:alice@10.0.0.5:5060", "sip:alice@10.0.0.6:5060"
LINE = make_line("alice", max_contacts=2)


class Office:
    """A registrar, its journal, and a clock in seconds."""

    def __init__(self, limits: RegistrarLimits | None = None) -> None:
        self.journal: list[BindingSaved | BindingRemoved] = []
        limits = limits or RegistrarLimits(min_s=60, max_s=3600, default_s=1800)
        self.registrar = Registrar(limits, Chance(), self.keep)
        self.now_s = 0
        self._cseq = 0

    def keep(self, order: Append) -> None:
        assert isinstance(order.entry, BindingSaved | BindingRemoved)
        assert not order.hold
        self.journal.append(order.entry)

    def register(
        self,
        *contacts: str,
        expires: str | None = None,
        call_id: str = "reg-1",
        cseq: int = 0,
        flow: Flow = FLOW,
        device: str | None = None,
    ) -> list[str]:
        self._cseq = cseq or self._cseq + 1
        fields: dict[str, Row] = {
            "Contact": list(contacts) or None,
            "Expires": expires,
            "Call-ID": call_id,
            "CSeq": f"{self._cseq} REGISTER",
            "User-Agent": device,
        }
        request = make_request("REGISTER", "sip:switch.example", fields=fields)
        return self.registrar.register(LINE, request, flow, at(1000 * self.now_s))

    def refused(self, *contacts: str, expires: str | None = None, cseq: int = 0) -> int:
        before, journal = self.contacts(), list(self.journal)
        with pytest.raises(Malformed) as caught:
            self.register(*contacts, expires=expires, cseq=cseq)
        assert self.contacts() == before, "all or nothing"
        assert self.journal == journal
        return caught.value.status

    def contacts(self) -> list[str]:
        return [binding.contact for binding in self.registrar.bindings("alice", at(1000 * self.now_s))]


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_contact_is_bound_and_told_back(office: Office) -> None:
    assert office.register(f"<{DESK}>;expires=120") == [f"<{DESK}>;expires=120"]
    assert office.contacts() == [DESK]
    assert office.registrar.count() == 1
    (saved,) = office.journal
    assert isinstance(saved, BindingSaved)
    assert (saved.user, saved.contact) == ("alice", DESK)
    assert saved.expires_wall_ns == WALL_NS + 120 * NS_PER_S


def test_a_binding_is_reached_over_the_flow_it_came_on(office: Office) -> None:
    nat = FLOW._replace(remote=Address("203.0.113.5", 33_333))
    office.register(f"<{DESK}>", flow=nat, device="Phone/1.0 " + "x" * 100)
    (binding,) = office.registrar.bindings("alice", at(0))
    assert binding.flow == nat
    assert binding.device == ("Phone/1.0 " + "x" * 100)[:64]


def test_several_contacts_come_best_q_first(office: Office) -> None:
    office.register(f"<{DESK}>;q=0.3", f"<{SOFT}>;q=0.7")
    assert office.contacts() == [SOFT, DESK]
    rows = office.register()
    assert rows == [f"<{SOFT}>;q=0.7;expires=1800", f"<{DESK}>;q=0.3;expires=1800"]


@pytest.mark.parametrize(
    ("q", "thousandths"),
    [("", 1000), (";q=1", 1000), (";q=1.000", 1000), (";q=0", 0), (";q=0.5", 500), (";q=0.1234", 123),
     (";q=0.05", 50), (";q=1.9", 1000), (";q=2", 1000), (";q=x", 1000), (";q=0.x", 1000),
     (";q", 1000), (";q=", 1000)],
)  # fmt: skip
def test_q_values(office: Office, q: str, thousandths: int) -> None:
    office.register(f"<{DESK}>{q}")
    assert office.registrar.bindings("alice", at(0))[0].q == thousandths


@pytest.mark.parametrize(
    ("contact", "expires", "seconds"),
    [
        ("", None, 1800),
        ("", "600", 600),
        (";expires=300", "600", 300),
        (";expires=60", None, 60),
        (";expires=7200", None, 3600),
        ("", "4294967295", 3600),
        (";expires=" + "1" * 101, None, 3600),
        (";expires=soon", "600", 600),
        ("", "soon", 1800),
    ],
)
def test_how_long_a_binding_lives(office: Office, contact: str, expires: str | None, seconds: int) -> None:
    assert office.register(f"<{DESK}>{contact}", expires=expires) == [f"<{DESK}>;expires={seconds}"]


@pytest.mark.parametrize(("contact", "expires"), [(";expires=59", None), ("", "59"), (";expires=1", "3600")])
def test_too_short_an_expiry_is_423(office: Office, contact: str, expires: str | None) -> None:
    office.register(f"<{SOFT}>")
    assert office.refused(f"<{DESK}>{contact}", expires=expires) == 423


def test_one_bad_contact_leaves_all_as_it_was(office: Office) -> None:
    office.register(f"<{SOFT}>")
    assert office.refused(f"<{DESK}>", f"<{SOFT}>;expires=1") == 423


def test_a_refresh_moves_the_expiry_and_counts_once(office: Office) -> None:
    office.register(f"<{DESK}>;expires=100")
    office.now_s = 90
    assert office.register(f"<{DESK}>;expires=100") == [f"<{DESK}>;expires=100"]
    office.now_s = 150
    assert office.contacts() == [DESK]
    assert office.registrar.count() == 1


def test_a_binding_expires(office: Office) -> None:
    office.register(f"<{DESK}>;expires=100", f"<{SOFT}>;expires=200")
    office.now_s = 99
    assert office.register() == [f"<{DESK}>;expires=1", f"<{SOFT}>;expires=101"]
    office.now_s = 100
    assert office.contacts() == [SOFT]
    assert office.journal[-1] == BindingRemoved("alice", DESK)


def test_sweeping_drops_what_nobody_looks_at(office: Office) -> None:
    office.register(f"<{DESK}>;expires=100")
    office.registrar.sweep(at(99_000))
    assert office.registrar.count() == 1
    office.registrar.sweep(at(100_000))
    assert office.registrar.count() == 0
    assert office.journal[-1] == BindingRemoved("alice", DESK)


def test_expires_0_removes_one_contact(office: Office) -> None:
    office.register(f"<{DESK}>", f"<{SOFT}>")
    assert office.register(f"<{DESK}>;expires=0") == [f"<{SOFT}>;expires=1800"]
    assert office.register(f"<{SOFT}>", expires="0") == []
    assert office.journal[2:] == [BindingRemoved("alice", DESK), BindingRemoved("alice", SOFT)]


def test_removing_what_is_not_there_is_no_error(office: Office) -> None:
    assert office.register(f"<{DESK}>;expires=0") == []
    assert office.journal == []


def test_a_star_removes_everything(office: Office) -> None:
    office.register(f"<{DESK}>", f"<{SOFT}>")
    assert office.register("*", expires="0") == []
    assert office.registrar.count() == 0


@pytest.mark.parametrize("expires", [None, "1", "3600", "soon"])
def test_a_star_without_expires_0_is_400(office: Office, expires: str | None) -> None:
    office.register(f"<{DESK}>")
    assert office.refused("*", expires=expires) == 400


def test_a_star_among_others_is_400(office: Office) -> None:
    office.register(f"<{DESK}>")
    assert office.refused("*", f"<{SOFT}>", expires="0") == 400


def test_without_contacts_the_bindings_are_told(office: Office) -> None:
    office.register(f"<{DESK}>")
    office.now_s = 10
    assert office.register() == [f"<{DESK}>;expires=1790"]
    assert len(office.journal) == 1


@pytest.mark.parametrize(
    "contact", ["rubbish", "<>", "<http://10.0.0.5>", "<sip:>", f"<sip:{'a' * MAX_URI}@h>", "sip:a@h?x=y"]
)
def test_a_contact_that_is_no_sip_uri_is_400(office: Office, contact: str) -> None:
    assert office.refused(contact) == 400


def test_more_contacts_than_the_plan_has_are_403(office: Office) -> None:
    office.register(f"<{DESK}>", f"<{SOFT}>")
    assert office.refused("<sip:alice@10.0.0.7>") == 403
    assert (
        office.register(f"<{DESK}>") == [f"<{SOFT}>;expires=1800", f"<{DESK}>;expires=1800"]
        or office.contacts()
    )
    office.register("<sip:alice@10.0.0.7>", f"<{SOFT}>;expires=0")
    assert set(office.contacts()) == {DESK, "sip:alice@10.0.0.7"}


def test_when_the_plan_shrinks_contacts_can_still_be_refreshed() -> None:
    office = Office()
    for number in range(3):
        state = {
            "params": "",
            "call_id": "x",
            "cseq": 1,
            "q": 1000,
            "device": "",
            "seen_ns": WALL_NS,
            "flow": ["udp", "a", 1, "b", 2],
        }
        office.registrar.restore("alice", f"sip:alice@10.0.1.{number}", WALL_NS + 100 * NS_PER_S, state)
    office.register("<sip:alice@10.0.1.0>")
    assert len(office.contacts()) == 3
    assert office.refused(f"<{DESK}>") == 403


def test_requests_of_one_call_id_come_in_order(office: Office) -> None:
    """Section 10.3 step 7."""
    office.register(f"<{DESK}>", cseq=5)
    assert office.refused(f"<{DESK}>;expires=0", cseq=4) == 500
    assert office.refused("*", expires="0", cseq=5) == 500
    office.register(f"<{DESK}>", call_id="after-a-restart", cseq=1)
    office.register(f"<{DESK}>;expires=0", call_id="after-a-restart", cseq=2)
    assert office.contacts() == []


def test_a_restarted_phone_may_count_from_one_again_after_32_s(office: Office) -> None:
    """A lower CSeq comes from the past only as long as a transaction lives."""
    office.register(f"<{DESK}>", cseq=50)
    office.now_s = 31
    assert office.refused(f"<{DESK}>", cseq=1) == 500
    office.now_s = 32
    assert office.register(f"<{DESK}>", cseq=1) == [f"<{DESK}>;expires=1800"]
    assert office.refused(f"<{DESK}>", cseq=1) == 500
    assert office.registrar.count() == 1


def test_a_restarted_phone_replaces_its_oldest_contact(office: Office) -> None:
    for number in range(2):
        office.now_s = number
        office.register(f"<sip:{number}@10.0.0.5>", call_id=f"life-{number}", device="Phone/1")
    office.now_s = 3
    office.register("<sip:2@10.0.0.5>", call_id="life-2", device="Phone/1")
    assert set(office.contacts()) == {"sip:1@10.0.0.5", "sip:2@10.0.0.5"}
    assert BindingRemoved("alice", "sip:0@10.0.0.5") in office.journal


@pytest.mark.parametrize(
    ("host", "device"), [(FLOW.remote.host, "Other/1"), ("203.0.113.5", "Phone/1"), (FLOW.remote.host, None)]
)
def test_another_device_replaces_nothing(office: Office, host: str, device: str | None) -> None:
    office.register(f"<{DESK}>", f"<{SOFT}>", device="Phone/1")
    elsewhere = FLOW._replace(remote=Address(host, 5062))
    with pytest.raises(Malformed) as caught:
        office.register("<sip:alice@10.0.0.7>", call_id="other", flow=elsewhere, device=device)
    assert caught.value.status == 403
    assert set(office.contacts()) == {DESK, SOFT}


@pytest.mark.parametrize(
    "contact", ["<sip:al\xeece@10.0.0.5>", "<sip:alice@10.0.0.5>;x=\xff", '"Zo\xeb" <sip:alice@10.0.0.5>']
)
def test_a_contact_that_is_not_ascii_is_400(office: Office, contact: str) -> None:
    """It is stored and told back: what no journal can hold may not come in."""
    assert office.refused(contact) == 400


def test_header_parameters_stay_outside_and_uri_parameters_inside(office: Office) -> None:
    """RFC 4475 sections 3.3.12 to 3.3.14."""
    contacts = [f"{DESK};unknownparam", f'<{SOFT};unknownparam?Route=%3Csip:x%3E>;a="b c"']
    assert office.register(*contacts) == [
        f"<{DESK}>;unknownparam;expires=1800",
        f'<{SOFT};unknownparam?Route=%3Csip:x%3E>;a="b c";expires=1800',
    ]


def test_escaped_users_are_different_contacts(office: Office) -> None:
    """RFC 4475 section 3.1.1.4."""
    office.register("<sip:%00@10.0.0.5>", "<sip:%00%00@10.0.0.5>")
    assert len(office.contacts()) == 2


def test_bindings_survive_a_restart(office: Office) -> None:
    office.register(f'<{DESK}>;q=0.5;+sip.instance="<urn:uuid:1>"', cseq=5)
    (saved,) = office.journal
    assert isinstance(saved, BindingSaved)
    after = Office()
    after.registrar.restore(
        saved.user, saved.contact, saved.expires_wall_ns, json.loads(json.dumps(saved.state))
    )
    after.now_s = 10
    assert after.registrar.bindings("alice", at(0)) == office.registrar.bindings("alice", at(0))
    assert after.journal == []
    assert after.refused(f"<{DESK}>", cseq=5) == 500
    assert after.register() == [f'<{DESK}>;q=0.5;+sip.instance="<urn:uuid:1>";expires=1790']


def test_a_line_that_is_gone_takes_its_bindings_with_it(office: Office) -> None:
    office.register(f"<{DESK}>", f"<{SOFT}>")
    assert {binding.contact for _, binding in office.registrar.everything(at(0))} == {DESK, SOFT}
    office.registrar.forget(["nobody", "alice"])
    assert office.registrar.count() == 0
    assert list(office.registrar.everything(at(0))) == []
    assert office.journal[2:] == [BindingRemoved("alice", DESK), BindingRemoved("alice", SOFT)]


def test_what_has_expired_is_not_listed(office: Office) -> None:
    office.register(f"<{DESK}>;expires=100")
    assert list(office.registrar.everything(at(100_000))) == []


# --- connections --------------------------------------------------------------------------------------------


def test_who_registered_over_a_connection_is_gone_with_it(office: Office) -> None:
    tcp = FLOW._replace(transport="tcp")
    office.register(f"<{DESK}>", flow=tcp)
    office.register(f"<{SOFT}>")
    office.registrar.closed(tcp)
    assert office.contacts() == [SOFT]
    assert isinstance(office.journal[-1], BindingRemoved)
    assert not office.registrar._over


def test_who_has_registered_again_elsewhere_stays(office: Office) -> None:
    old, fresh = FLOW._replace(transport="tcp"), FLOW._replace(transport="tls")
    office.register(f"<{DESK}>", flow=old)
    office.register(f"<{DESK}>", flow=fresh)
    office.registrar.closed(old)
    assert office.contacts() == [DESK]
    office.register(f"<{DESK}>;expires=0", flow=fresh)
    assert not office.registrar._over


def test_phones_that_came_together_do_not_stay_so() -> None:
    limits = RegistrarLimits(min_s=60, max_s=3600, spread_percent=10)
    registrar = Registrar(limits, Chance(), lambda _order: None)
    spread = [registrar._spread(3600) for _ in range(500)]
    assert (min(spread) < 3280, max(spread) > 3560) == (True, True)
    assert all(3240 <= one <= 3600 for one in spread)
    assert {registrar._spread(one) for one in (0, 60) for _ in range(50)} == {0, 60}, "never below the least"
    assert all(60 <= registrar._spread(62) <= 62 for _ in range(50))


# --- phones that are reached elsewhere ----------------------------------------------------------------------


def moves(office: Office) -> list[tuple[Flow, Flow]]:
    told: list[tuple[Flow, Flow]] = []
    office.registrar.on_moved = lambda _line, old, new: told.append((old, new))
    return told


OTHER = FLOW._replace(remote=Address("10.0.0.5", 40_000))
FIRST, SECOND = (Flow("tls", FLOW.local, Address("10.0.0.5", port)) for port in (50_001, 50_002))


def test_an_address_that_changed_behind_nat() -> None:
    office = Office()
    told = moves(office)
    office.register(f"<{DESK}>")
    office.register(f"<{DESK}>")
    office.register(f"<{DESK}>", flow=OTHER)
    assert told == [(FLOW, OTHER)]


def test_a_phone_that_started_anew_has_no_calls() -> None:
    office = Office()
    told = moves(office)
    office.register(f"<{DESK}>")
    office.register(f"<{DESK}>", flow=OTHER, call_id="reg-2", cseq=1)
    assert told == []


@pytest.mark.parametrize("instance", ["", ';+sip.instance="<urn:uuid:1>"'])
def test_a_connection_that_broke_and_another(instance: str) -> None:
    """Its contact may name the port of the connection."""
    office = Office()
    told = moves(office)
    office.register(f"<{DESK};transport=tls>{instance}", flow=FIRST)
    office.registrar.closed(FIRST)
    assert office.registrar.count() == 0
    call_id = "reg-2" if instance else "reg-1"
    office.register(f"<{SOFT};transport=tls>{instance}", flow=SECOND, call_id=call_id)
    assert told == [(FIRST, SECOND)]
    office.register(f"<{SOFT};transport=tls>{instance}", flow=SECOND, call_id=call_id)
    assert len(told) == 1


def test_another_phone_of_the_line_takes_nothing_over() -> None:
    office = Office()
    told = moves(office)
    office.register(f"<{DESK}>", flow=FIRST)
    office.registrar.closed(FIRST)
    office.register(f"<{SOFT}>", flow=SECOND, call_id="reg-2", cseq=1)
    assert told == []
