"""Bans on the wire: who guesses, scans or floods is slowed and then ignored, and nobody beside him is
(field guide, acceptance 14)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network

import pytest

from switch.ports import NS_PER_MS, Address, LiftBans
from switch.routing.bans import BanSettings
from switch.sip import auth
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.text import Sip, digest_answer, read
from tests.sim.world import DOMAIN, HOSTS, NUMBERS, SWITCH

NAT = "192.0.2.7"
HELP = "sip:112@voice.example"


def behind_nat(world: Scene, name: str, port: int, *, password: str = "") -> Party:
    """A phone of an office that has one address."""
    phone = Party(
        world,
        name,
        Address(NAT, port),
        SWITCH,
        user=name,
        password=password or f"{name}-secret",
        number=NUMBERS[name],
        domain=DOMAIN,
    )
    world.parties[name] = phone
    return phone


def tries(world: Scene, phone: Party, times: int, *, wait_ms: int = 4000) -> None:
    """Register, over and over."""
    for _ in range(times):
        phone.register()
        world.run(wait_ms)


def heard(world: Scene, address: Address) -> list[str]:
    """The statuses of all that the switch sent there."""
    return [
        hop.data.split()[1].decode()
        for hop in world.network.hops
        if hop.source == SWITCH and hop.target == address and hop.data.startswith(b"SIP/2.0")
    ]


def banned(world: Scene) -> dict[tuple[str, str], str]:
    core = world.machine.core
    assert core is not None
    return {(ban["source"], ban["user"]): ban["state"] for ban in core.bans.view(world.moment())}


def scan(world: Scene, party: Party, users: Iterable[str], *, every_ms: int = 100) -> None:
    """Ask for one user after another, and answer no challenge."""
    for number, user in enumerate(users):
        aor = f"<sip:{user}@{DOMAIN}>"
        rows = [
            ("Via", f"SIP/2.0/UDP {party.address.host}:5060;branch=z9hG4bK-s{number}-{user};rport"),
            *(("From", f"{aor};tag=s{number}"), ("To", aor), ("Call-ID", f"s{number}-{user}")),
            *(("CSeq", "1 REGISTER"), ("Max-Forwards", "70"), ("Contact", party.contact)),
        ]
        party.send(Sip(f"REGISTER sip:{DOMAIN} SIP/2.0", rows))
        world.run(every_ms)


def test_a_first_register_is_no_failure(world: Scene) -> None:
    """However many there are."""
    phone = world.phone("alice")
    tries(world, phone, 50)
    assert phone.registered
    assert heard(world, phone.address).count("401") == 51
    assert banned(world) == {}
    assert world.machine.notes == []


def test_an_office_with_one_wrong_phone(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HOSTS, "bob", NAT)
    right = behind_nat(world, "bob", 1024)
    wrong = behind_nat(world, "alice", 1025, password="of last year")
    carrier = world.carrier()
    answers(carrier, 0)
    tries(world, right, 1)
    tries(world, wrong, 30)
    assert wrong.refused == 403
    assert heard(world, wrong.address).count("403") == 9
    assert banned(world) == {(NAT, "alice"): "ignored"}
    right.registered = False
    tries(world, right, 1, wait_ms=100)
    assert right.registered
    call = right.invite("0478123456")
    world.run(1000)
    assert call.up
    newcomer = behind_nat(world, "carol", 1026)
    tries(world, newcomer, 1, wait_ms=100)
    assert newcomer.registered
    call.bye()
    world.rest()


def test_the_line_itself_registers_elsewhere_all_the_while(world: Scene) -> None:
    tries(world, behind_nat(world, "alice", 1025, password="of last year"), 30)
    assert world.phone("alice").registered


def test_the_slowed_are_answered_after_a_second(world: Scene) -> None:
    wrong = world.party("alice", password="of last year")
    tries(world, wrong, 5)
    assert banned(world) == {(HOSTS["alice"], "alice"): "slowed"}
    before = len(heard(world, wrong.address))
    asked_ns = world.mono_ns
    wrong.register()
    world.run(900)
    assert len(heard(world, wrong.address)) == before
    world.run(5000)
    last = [hop for hop in world.network.hops if hop.target == wrong.address][-2:]
    assert [hop.data[8:11] for hop in last] == [b"401", b"403"]
    assert [(hop.at_ns - asked_ns) // NS_PER_MS for hop in last] == [1010, 2030]


def test_a_slowed_phone_with_the_right_password_is_in_at_once(world: Scene) -> None:
    phone = world.party("alice", password="of last year")
    tries(world, phone, 5)
    phone.password = "alice-secret"
    tries(world, phone, 1)
    assert phone.registered
    assert banned(world) == {}


def test_a_ban_fades_and_the_repaired_phone_is_in(world: Scene) -> None:
    phone = world.party("alice", password="of last year")
    tries(world, phone, 20)
    assert banned(world) == {(HOSTS["alice"], "alice"): "ignored"}
    phone.password = "alice-secret"
    tries(world, phone, 1)
    assert banned(world)
    world.run(700_000)
    tries(world, phone, 1)
    assert phone.registered
    assert banned(world) == {}
    states = [note.facts["state"] for note in world.machine.notes if note.event == "ban"]
    assert states == ["slowed", "ignored", "slowed", "lifted"]


def test_a_new_password_of_the_line_lifts_it(world: Scene) -> None:
    phone = world.party("alice", password="alice-secret")
    world.machine.replace_lines(
        replace(line, account=replace(line.account, ha1={"MD5": "0" * 32})) if line.user == "alice" else line
        for line in world.machine.lines
    )
    tries(world, phone, 20)
    assert banned(world)
    world.machine.replace_lines(world.machine.lines)
    tries(world, phone, 1)
    assert phone.registered


def test_the_operator_lifts_it(world: Scene) -> None:
    phone = world.party("alice", password="of last year")
    tries(world, phone, 20)
    world.machine.feed(LiftBans(HOSTS["alice"], "alice"))
    assert banned(world) == {}
    phone.password = "alice-secret"
    tries(world, phone, 1)
    assert phone.registered


def test_a_scan_learns_nothing_and_is_ignored(world: Scene) -> None:
    """Neither who exists, nor anything else after a short while."""
    mallory = world.party("mallory", line="alice")
    users = ["alice", *(f"{number}" for number in range(100, 110)), "bob", "carol"]
    scan(world, mallory, users * 10)
    said = heard(world, mallory.address)
    assert set(said) == {"401"}
    assert len(said) < 70
    assert banned(world)[HOSTS["mallory"], ""] == "ignored"
    before = len(world.network.hops)
    scan(world, mallory, users)
    assert [hop for hop in world.network.hops[before:] if hop.source == SWITCH] == []
    assert world.phone("bob").registered


def test_a_binding_that_survived_a_restart_vouches_for_its_source(world: Scene) -> None:
    right = behind_nat(world, "bob", 1024)
    tries(world, right, 1)
    world.machine.kill()
    world.machine.start()
    scan(world, behind_nat(world, "alice", 1025), [f"user{number}" for number in range(100)])
    world.run(10_000)
    assert banned(world) == {}


# --- never limited ------------------------------------------------------------------------------------------


def ignored_source(world: Scene) -> Party:
    """A phone of alice's that is a scanner, too."""
    phone = world.party("alice")
    scan(world, phone, [f"user{number}" for number in range(60)])
    assert banned(world)[HOSTS["alice"], ""] == "ignored"
    tries(world, phone, 1)
    assert not phone.registered
    return phone


@pytest.mark.parametrize(
    "uri",
    [
        HELP,
        "urn:service:sos",
        "sip:+32-112@voice.example",
        "sip:*31*112@voice.example",
        "sip:%2331%23112@voice.example",
        "sip:*31#112#@voice.example",
    ],
)
def test_a_call_for_help_from_an_ignored_source(world: Scene, uri: str) -> None:
    """R-EMG-04: the call as a whole, until the caller hangs up."""
    phone, (centre, _) = ignored_source(world), world.centres()
    answers(centre, 500)
    call = phone.invite("112", uri=uri)
    world.run(3000)
    assert call.up
    call.hold()
    call.info()
    world.run(2000)
    assert centre.talk.infos
    centre.talk.modify()
    world.run(2000)
    assert "re-200" in centre.talk.heard
    call.bye()
    world.run(1000)
    assert (call.heard[-1], centre.talk.heard[-1]) == ("bye-200", "BYE")
    ordinary = phone.invite("0478123456")
    world.run(1000)
    assert ordinary.heard == []
    world.run(60_000)
    assert [cdr.outcome for cdr in world.cdrs] == ["answered"]


def test_a_caller_for_help_from_an_ignored_source_changes_his_mind(world: Scene) -> None:
    phone, (centre, _) = ignored_source(world), world.centres()
    answers(centre, 20_000)
    call = phone.invite("112", uri=HELP)
    world.run(3000)
    call.cancel()
    world.run(1000)
    assert call.heard[-1] == "487"
    assert centre.talk.heard[-1] == "CANCEL"
    world.rest()


def test_a_user_that_is_ignored_calls_for_help_all_the_same() -> None:
    """With the right password even as one who is known, though another phone of his was wrong."""
    world = Scene(emergency_without_digest="never")
    phone, (centre, _) = world.party("alice", password="of last year"), world.centres()
    answers(centre, 0)
    tries(world, phone, 20)
    assert banned(world) == {(HOSTS["alice"], "alice"): "ignored"}
    phone.password = "alice-secret"
    call = phone.invite("112", uri=HELP)
    world.run(1000)
    assert call.up
    assert heard(world, phone.address)[-4:] == ["401", "100", "180", "200"]
    call.bye()
    world.run(1000)
    assert [cdr.line for cdr in world.cdrs] == [phone.number]


def test_trunks_and_equipment_known_by_address_are_never_limited(world: Scene) -> None:
    office, carrier = world.party("office"), world.carrier()
    bob = world.phone("bob")
    answers(bob, 0)
    for party in (office, carrier):
        scan(world, party, [f"user{number}" for number in range(100)], every_ms=10)
        rows = [(name, f"<sip:x@x>;tag={name}") for name in ("From", "To")]
        rows += [("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"), ("Call-ID", "x"), ("CSeq", "1 SUBSCRIBE")]
        for _ in range(100):
            party.send(Sip("SUBSCRIBE sip:x SIP/2.0", rows))
        world.run(10_000)
        call = party.invite(bob.number)
        world.run(1000)
        assert call.up
        call.bye()
    assert banned(world) == {}


def test_a_running_call_goes_on_whatever_its_source_does() -> None:
    """The call was there first; its phone's registration has run out since."""
    world = Scene(bans=BanSettings(proof_ns=60_000 * NS_PER_MS))
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(61_000)
    scan(world, alice, [f"user{number}" for number in range(60)])
    assert banned(world)[HOSTS["alice"], ""] == "ignored"
    alice.talk.hold()
    world.run(1000)
    bob.talk.modify()
    world.run(1000)
    assert "re-200" in bob.talk.heard
    alice.talk.bye()
    world.run(1000)
    assert bob.talk.heard[-1] == "BYE"
    world.rest()


def test_trusted_networks_are_not_limited() -> None:
    world = Scene(bans=BanSettings(trusted=(ip_network("192.0.2.0/24"),)))
    phone = world.party("alice", password="of last year")
    tries(world, phone, 20)
    scan(world, phone, [f"user{number}" for number in range(100)])
    assert heard(world, phone.address).count("403") == 20
    assert banned(world) == {}


# --- alike --------------------------------------------------------------------------------------------------

MASKED = re.compile(r'nonce="[^"]*"|response="[^"]*"|uri="[^"]*"')


def conversation(world: Scene, user: str, method: str, attempts: int) -> list[tuple[int, str]]:
    """What a stranger who guesses the password of `user` is told, and when; his name and what is fresh every
    time are left out. All guess from one address, each with the name of a user of the same length."""
    told: list[tuple[int, str]] = []
    mallory = world.party("mallory", line=user)
    uri = f"sip:0478123456@{DOMAIN}" if method == "INVITE" else f"sip:{DOMAIN}"
    for attempt in range(attempts):
        credentials = ""
        for cseq in (1, 2):
            rows = [
                ("Via", f"SIP/2.0/UDP {mallory.address.host}:5060;branch=z9hG4bK{attempt}-{cseq};rport"),
                ("From", f"<sip:{user}@{DOMAIN}>;tag=m{attempt}"),
                ("To", f"<sip:{user if method == 'REGISTER' else '0478123456'}@{DOMAIN}>"),
                *(("Call-ID", f"guess{attempt}"), ("CSeq", f"{cseq} {method}"), ("Max-Forwards", "70")),
                ("Contact", f"<sip:{user}@{mallory.address.host}>"),
            ]
            if credentials:
                rows.append(("Authorization", credentials))
            sent_ns, before = world.mono_ns, len(world.network.hops)
            mallory.send(Sip(f"{method} {uri} SIP/2.0", rows))
            world.run(3000)
            for hop in world.network.hops[before:]:
                if hop.source == SWITCH:
                    text = MASKED.sub("", hop.data.decode()).replace(user, "USER")
                    told.append(((hop.at_ns - sent_ns) // NS_PER_MS, re.sub(r"tag=[0-9a-f]{16}", "", text)))
                    challenge = read(hop.data).get("WWW-Authenticate")
                    credentials = challenge and digest_answer(challenge, method, uri, user, "guess")
    return told


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
@pytest.mark.parametrize("attempts", [1, 20])
def test_users_that_are_and_that_are_not_are_answered_alike(method: str, attempts: int) -> None:
    """In content and in time, at the first guess and when slowed and ignored: `alice` is a line, `carol` one
    that is terminated, `nobody` none."""
    told = {}
    for user in ("alice", "carol", "nobod"):
        world = Scene()
        world.machine.replace_lines(
            replace(line, state="terminated") if line.user == "carol" else line
            for line in world.machine.lines
        )
        told[user] = conversation(world, user, method, attempts)
    assert told["alice"] == told["carol"] == told["nobod"]
    statuses = [text.split()[1] for _, text in told["alice"]]
    if method == "OPTIONS":
        assert set(statuses) == {"200"}
    else:
        assert statuses[:2] == ["401", "403"]
        assert len(statuses) == 2 if attempts == 1 else len(statuses) < 23  # then nothing


def test_the_same_digests_are_computed_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the time it takes tells nothing either."""
    counted: list[str] = []
    digest = auth.digest

    def watched(algorithm: str, text: str) -> str:
        counted.append(algorithm)
        return digest(algorithm, text)

    monkeypatch.setattr(auth, "digest", watched)
    work = {}
    for user in ("alice", "nobod"):
        counted.clear()
        conversation(Scene(), user, "REGISTER", 1)
        work[user] = list(counted)
    assert work["alice"] == work["nobod"] != []


# --- memory -------------------------------------------------------------------------------------------------


def test_many_sources_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the whole switch; `tests.switch.routing.test_bans` has a hundred thousand of them."""
    monkeypatch.setattr("switch.routing.bans.MOST_SCORES", 200)
    monkeypatch.setattr("switch.routing.bans.MOST_OPEN", 300)
    world = Scene()
    core = world.machine.core
    assert core is not None
    for number in range(5000):
        source = Address(f"10.0.{number >> 8}.{number & 255}", 5060)
        rows = [
            ("Via", f"SIP/2.0/UDP {source.host};branch=z9hG4bK{number}"),
            *(("From", f"<sip:u{number}@x>;tag=1"), ("To", f"<sip:u{number}@x>"), ("Call-ID", f"{number}")),
            *(("CSeq", "1 REGISTER"), ("Max-Forwards", "70")),
        ]
        data = Sip("REGISTER sip:x SIP/2.0", rows).encode()
        world.network.send(world.mono_ns, source, SWITCH, data)
        world.run(1)
    world.run(100)
    assert core.bans.sizes() == {"sources": 200, "pairs": 200, "open": 300, "homes": 0, "ports": 0}
    assert world.phone("alice").registered
    world.run(4 * 600_000 + 60_000)
    assert core.bans.sizes() == {"sources": 0, "pairs": 0, "open": 0, "homes": 1, "ports": 1}
