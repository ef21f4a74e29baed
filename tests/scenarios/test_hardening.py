"""Faults and abuse that once got through: odd SDP, late alarms, carriers that challenge everything, phones
that vanish or move, calls for help that are not quite as they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from switch.call.help import MOST_UNPROVEN
from switch.ports import NS_PER_MS, Address
from switch.routing.lines import Line
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.text import Sip, digest_answer, digest_right, read
from tests.sim.world import HOSTS, SWITCH, TRUNK_PASSWORD, settings

OUTSIDE = "0478123456"
HELP = "sip:112@voice.example"
PEAK_BEGINS_MS = 22 * 3_600_000
"""Wednesday 08:00, from the start of the world on."""


def writes(monkeypatch: pytest.MonkeyPatch, party: Party, method: str, change: Callable[[Sip], None]) -> None:
    """Let a party write its messages of one method, requests and responses, in its own way."""
    send = party.send

    def altered(message: Sip) -> None:
        if message.asked == method:
            change(message)
        send(message)

    monkeypatch.setattr(party, "send", altered)


def says(old: str, new: str) -> Callable[[Sip], None]:
    """Another wording in the session description."""

    def change(message: Sip) -> None:
        if message.body and new not in message.body:
            assert old in message.body
            message.body = message.body.replace(old, new)

    return change


def row(name: str, value: str | None) -> Callable[[Sip], None]:
    """Another value of a header field of requests, or none."""

    def change(message: Sip) -> None:
        if message.method:
            kept = [(key, one if key != name else value) for key, one in message.rows]
            message.rows = [(key, one) for key, one in kept if one is not None]

    return change


def sender(uri: str) -> Callable[[Sip], None]:
    """Another From of requests, with the tag it had."""

    def change(message: Sip) -> None:
        if message.method:
            row("From", f"<{uri}>;tag={message.tag('From')}")(message)

    return change


def set_line(world: Scene, user: str, change: Callable[[Line], Line]) -> None:
    """Reload the lines with one of them changed."""
    world.machine.replace_lines(change(line) if line.user == user else line for line in world.machine.lines)


def aims(world: Scene) -> dict[tuple[int, int], tuple[str, int]]:
    """Where the one session of the relay is aimed, by stream and side."""
    (session,) = world.machine.relay.sessions.values()
    return dict(session.aims)


# --- SDP ----------------------------------------------------------------------------------------------------


def test_a_clock_rate_that_is_no_number(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """'²' is a digit to Unicode and none to arithmetic."""
    alice, bob = world.phone("alice"), world.phone("bob")
    writes(monkeypatch, alice, "INVITE", says("a=rtpmap:101 ", "a=rtpmap:8 PCMA/²\r\na=rtpmap:101 "))
    answers(bob, ring=0)
    call = alice.invite(bob.number)
    world.run(5000)
    assert call.up
    call.bye()
    world.rest()
    assert [cdr.outcome for cdr in world.cdrs] == ["answered"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c=IN IP4 {alice}\r\nt=0 0\r\nm=audio {port}", "c=IN IP4 {carrier}\r\nt=0 0\r\nm=audio 5060"),
        ("c=IN IP4 {alice}\r\nt=0 0\r\nm=audio {port}", "c=IN IP4 {carrier}\r\nt=0 0\r\nm=audio 5059"),
        ("c=IN IP4 {alice}\r\nt=0 0\r\nm=audio {port}", "c=IN IP4 {switch}\r\nt=0 0\r\nm=audio 5060"),
        ("a=rtpmap:101", "a=rtcp:5060 IN IP4 {carrier}\r\na=rtpmap:101"),
        ("a=rtpmap:101", "a=rtcp:5060 IN IP4 {switch}\r\na=rtpmap:101"),
    ],
)
def test_media_for_a_sip_address(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay speaks from the address that carriers admit."""
    barred = frozenset({(HOSTS["carrier"], 5060), (SWITCH.host, SWITCH.port)})
    world = Scene(media=replace(settings().media, barred=barred))
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob, ring=0)

    def change(message: Sip) -> None:
        names = {"alice": HOSTS["alice"], "carrier": HOSTS["carrier"], "switch": SWITCH.host}
        says(old.format(port=alice.talk.port, **names), new.format(**names))(message)

    writes(monkeypatch, alice, "INVITE", change)
    call = alice.invite(bob.number)
    world.run(1000)
    assert call.heard[-1] == "488"
    assert bob.talks == []
    assert not [one for one in world.machine.relay.commands if one[0] == "aim"]
    world.rest()


def test_an_answer_without_use_leads_on_to_the_next_trunk(
    world: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    answers(carrier, 0)
    answers(reserve, 0)
    writes(monkeypatch, carrier, "INVITE", says(f"c=IN IP4 {HOSTS['carrier']}", "c=IN IP4 carrier.example"))
    call = alice.invite(OUTSIDE)
    world.run(3000)
    assert "BYE" in carrier.talk.heard
    call.bye()
    world.rest()
    assert [(cdr.outcome, cdr.trunk) for cdr in world.cdrs] == [("answered", "reserve")]


def test_a_refused_change_leaves_the_media_as_it_was(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3261 section 14.1."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    (session,) = world.machine.relay.sessions.values()
    before, silence_ms = aims(world), session.silence_ms
    bob.talk.answers_modify = 488
    writes(monkeypatch, alice, "INVITE", says(f"c=IN IP4 {HOSTS['alice']}", "c=IN IP4 0.0.0.0"))
    alice.talk.modify("sendonly")
    world.run(2000)
    assert "re-488" in alice.talk.heard
    assert (aims(world), session.silence_ms) == (before, silence_ms)
    assert silence_ms
    alice.talk.bye()
    world.rest()


def test_media_of_a_phone_that_moved(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its re-INVITE an address may be learnt from where the phone is now."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.address = Address("192.0.2.99", 5060)
    before = HOSTS["alice"]
    monkeypatch.setitem(HOSTS, "alice", alice.address.host)
    world.network.attach("alice", alice.address, alice.receive)
    alice.talk.modify()
    world.run(1000)
    assert "re-200" in alice.talk.heard
    learnt = [one[8] for one in world.machine.relay.commands if one[0] == "aim" and one[3] == 0]
    assert (learnt[0], learnt[-1]) == (before, alice.address.host)
    bob.talk.bye()
    world.rest()
    assert alice.talk.heard[-1] == "BYE"


# --- limits and price ---------------------------------------------------------------------------------------


def test_a_late_alarm_costs_nothing(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-LIM-01: alarms of a real machine are late, never early."""
    alice, carrier = world.phone("alice"), world.carrier()
    later = world.machine._later
    monkeypatch.setattr(world.machine, "_later", lambda ns, fire: later(ns + 3 * NS_PER_MS, fire))
    world.up(alice, carrier, "00385123456789")
    world.run(7_300_000)
    (cdr,) = world.cdrs
    assert cdr.answered_ms is not None
    assert cdr.released_ms - cdr.answered_ms == 7_200_003
    assert (cdr.duration_s, cdr.flags, cdr.amount) == (7200, ("limit",), 1_392_800)


def test_a_free_call_of_a_limited_line_ends_when_it_would_cost(world: Scene) -> None:
    """R-SUS-01."""
    alice, carrier = world.party("alice"), world.carrier()
    set_line(world, "alice", lambda line: replace(line, state="limited"))
    world.run(PEAK_BEGINS_MS - 60_000)
    world.up(alice, carrier, OUTSIDE)
    assert alice.talk.up
    world.run(120_000)
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.flags, cdr.amount) == ("answered", ("limited",), 0)
    assert 58 <= cdr.duration_s <= 59
    assert "BYE" in carrier.talk.heard


@pytest.mark.parametrize(("state", "status"), [("suspended", "480"), ("terminated", "404")])
def test_nobody_calls_a_line_that_is_shut(world: Scene, state: str, status: str) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    answers(bob, 0)
    set_line(world, "bob", lambda line: replace(line, state=state))
    call = alice.invite(bob.number)
    world.run(1000)
    assert call.heard == [status]
    assert bob.talks == []
    world.rest()
    assert [cdr.outcome for cdr in world.cdrs] == ["refused"]


def test_a_line_that_is_full_is_busy(world: Scene) -> None:
    alice, bob, carol = world.phone("alice"), world.phone("bob"), world.phone("carol")
    answers(bob, 0)
    set_line(world, "bob", lambda line: replace(line, max_calls=1))
    first = alice.invite(bob.number)
    world.run(1000)
    second = carol.invite(bob.number)
    world.run(1000)
    assert (first.up, second.heard) == (True, ["486"])
    first.bye()
    world.run(1000)
    third = carol.invite(bob.number)
    world.run(1000)
    assert third.up
    third.bye()
    world.rest()


# --- the end of a call --------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 407])
def test_a_trunk_challenges_the_bye(world: Scene, status: int) -> None:
    """RFC 3261 section 22: it may challenge any request, and keeps the call until it is satisfied."""
    alice, carrier, reserve = world.phone("alice"), world.carrier(), world.carrier("reserve")
    carrier.on_call = lambda talk: talk.reject(503)
    answers(reserve, 0)
    asks, answer = (
        ("WWW-Authenticate", "Authorization")
        if status == 401
        else ("Proxy-Authenticate", "Proxy-Authorization")
    )

    def challenge(message: Sip) -> bool:
        if message.method != "BYE" or message.get(answer):
            return False
        kept = ("Via", "From", "To", "Call-ID", "CSeq")
        rows = [one for one in message.rows if one[0] in kept]
        rows.append((asks, 'Digest realm="reserve", nonce="8f3a", algorithm=MD5, qop="auth"'))
        reserve.send(Sip(f"SIP/2.0 {status} Password", rows))
        return True

    reserve.on_message = challenge
    call = alice.invite(OUTSIDE)
    world.run(3000)
    call.bye()
    world.rest()
    first, second = (read(hop.data) for hop in world.sent_to("reserve", "BYE"))
    assert second.cseq == first.cseq + 1
    assert digest_right(second.get(answer), "BYE", *TRUNK_PASSWORD)
    assert (reserve.talk.over, call.over) == (True, True)
    assert world.sizes()["calls"] == 0


def test_both_phones_of_a_held_call_are_dead(world: Scene) -> None:
    """field.md, test 9: charged to the last sign of life."""
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, OUTSIDE)
    world.run(10_000)
    alice.talk.hold()
    world.run(5000)
    alice.die()
    carrier.die()
    world.run(200_000)
    world.rest()
    (cdr,) = world.cdrs
    assert cdr.flags == ("lost",)
    assert 10 <= cdr.duration_s <= 11


def test_phones_that_answer_keep_a_held_call(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(600_000)
    assert (alice.talk.over, bob.talk.over) == (False, False)
    assert alice.talk.heard.count("OPTIONS") >= 4
    alice.talk.bye()
    world.rest()
    assert world.cdrs[0].duration_s >= 600


def test_a_phone_that_ignores_options_keeps_a_held_call(world: Scene) -> None:
    """As pyVoIP's: it is asked by a re-INVITE then, and from the next time on at once."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(1000)
    alice.talk.answers_options = False
    world.run(600_000)
    assert (alice.talk.over, bob.talk.over) == (False, False)
    assert alice.talk.heard.count("OPTIONS") == 1
    assert alice.talk.heard.count("INVITE") >= 3
    alice.talk.resume()
    world.run(1000)
    bob.talk.bye()
    world.rest()
    assert world.cdrs[0].duration_s >= 600


@pytest.mark.parametrize("dead", [True, False])
def test_a_phone_that_ignores_options_and_is_gone(world: Scene, dead: bool) -> None:
    """Charged to its last sign of life, as when OPTIONS had found it so."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    world.run(10_000)
    alice.talk.hold()
    world.run(1000)
    alice.talk.answers_options = False
    world.run(170_000)
    if dead:
        alice.die()
    else:
        alice.talk.answers_modify = 481
    world.run(200_000)
    assert bob.talk.over
    world.rest()
    (cdr,) = world.cdrs
    assert cdr.flags == ("lost",)
    assert 150 <= cdr.duration_s <= 175


# --- calls for help -----------------------------------------------------------------------------------------


def test_silence_ends_no_call_for_help(world: Scene) -> None:
    """Somebody may be unable to speak, and a centre that listens says nothing."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre, 0)
    call = alice.invite("112", uri=HELP)
    world.run(1000)
    call.hush()
    centre.talk.hush()
    world.run(300_000)
    assert (call.up, call.over, centre.talk.over) == (True, False, False)
    call.bye()
    world.rest()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(says(f"c=IN IP4 {HOSTS['alice']}", "c=IN IP4 phone.example.org"), id="name-in-sdp"),
        pytest.param(says("t=0 0", "t=0 0\r\nrubbish"), id="broken-line-in-sdp"),
        pytest.param(row("Contact", None), id="no-contact"),
        pytest.param(row("Contact", "<>"), id="bad-contact"),
        pytest.param(row("Max-Forwards", "0"), id="no-hops-left"),
        pytest.param(sender("urn:uuid:1b9c"), id="from-of-another-scheme"),
    ],
)
def test_no_fault_stops_a_call_for_help(
    world: Scene, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Sip], None]
) -> None:
    """R-EMG-05."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre, 500)
    writes(monkeypatch, alice, "INVITE", fault)
    call = alice.invite("112", uri=HELP)
    world.run(10_000)
    assert (call.heard[0], call.up, call.over, centre.talk.over) == ("100", True, False, False)
    call.bye()
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.trunk, cdr.line) == ("answered", "centre1", alice.number)
    assert centre.talk.heard[-1] == "BYE"


def test_a_gateway_whose_answer_is_of_no_use_leads_on(world: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-EMG-06."""
    alice, (first, second) = world.party("alice"), world.centres()
    answers(first, 500)
    answers(second, 500)
    writes(monkeypatch, first, "INVITE", says(f"c=IN IP4 {HOSTS['centre1']}", "c=IN IP4 centre.example"))
    call = alice.invite("112", uri=HELP)
    world.run(5000)
    assert call.up
    assert "BYE" in first.talk.heard
    call.bye()
    world.rest()
    assert [(cdr.outcome, cdr.trunk) for cdr in world.cdrs] == [("answered", "centre2")]


@pytest.mark.parametrize("uri", ["sip:016234567@voice.example", "sip:anonymous@anonymous.invalid"])
def test_a_registered_phone_calls_for_help_under_another_name(
    world: Scene, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    """R-EMG-04: its line is known all the same."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre, 0)
    alice.password = ""
    writes(monkeypatch, alice, "INVITE", sender(uri))
    call = alice.invite("112", uri=HELP)
    world.run(1000)
    assert call.up
    assert "401" not in call.heard
    call.bye()
    world.rest()
    assert world.cdrs[0].line == alice.number


@pytest.mark.parametrize("uri", ["sip:alice@voice.example", "sip:anonymous@anonymous.invalid"])
def test_a_wrong_password_stops_no_call_for_help(
    world: Scene, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    alice, (centre, _) = world.party("alice", password="of last year"), world.centres()
    answers(centre, 0)
    alice.register()
    world.run(1000)
    assert alice.refused == 403
    challenge = read(world.sent_to("alice", "SIP/2.0 401")[0].data).get("WWW-Authenticate")
    credentials = digest_answer(challenge, "INVITE", HELP, "alice", alice.password, nc=2)
    writes(monkeypatch, alice, "INVITE", sender(uri))
    call = alice.invite("112", uri=HELP, rows=[("Authorization", credentials)])
    world.run(1000)
    assert call.up
    call.bye()
    world.rest()
    assert [cdr.line for cdr in world.cdrs if cdr.emergency] == [alice.number]


def test_too_many_calls_for_help_in_one_name(world: Scene) -> None:
    """Whoever proves nothing may take some ports and not all of them; a registered phone is not in his
    queue."""
    alice, mallory = (world.party(name, line="alice", password="") for name in ("alice", "mallory"))
    carol, (centre, _) = world.phone("carol"), world.centres()
    answers(centre, 0)
    calls = [alice.invite("112", uri=HELP) for _ in range(MOST_UNPROVEN)]
    world.run(1000)
    assert all(call.up for call in calls)
    one_more = mallory.invite("112", uri=HELP)
    help_for_carol = carol.invite("112", uri=HELP)
    world.run(1000)
    assert one_more.heard == ["401"]
    assert help_for_carol.up
    calls[0].bye()
    world.run(1000)
    another = alice.invite("112", uri=HELP)
    world.run(1000)
    assert another.up
    for call in (*calls[1:], help_for_carol, another):
        call.bye()
    world.rest()
