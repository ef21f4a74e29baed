"""Calls for help at their edges: what a phone says of its place, gateways that do not answer probes, requests
that would be refused if they were not for help, and the centre that calls back."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from switch.call.help import LARGEST_LOCATION
from switch.ports import NS_PER_S, JournalState, StopCalls
from switch.routing.trunks import TrunkSettings
from tests.scenarios.scene import Scene, answers
from tests.sim.parties import Party
from tests.sim.text import Sip, sdp
from tests.sim.weather import CALM, Weather
from tests.sim.world import HOSTS, settings, tables

HELP = "sip:112@voice.example"
PIDF = "application/pidf+xml"
PLACE = '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:held"/>'


def called(world: Scene, alice: Party, name: str = "centre1") -> Sip:
    """The INVITE that a centre got; the call is up, and is ended."""
    world.run(3000)
    assert alice.talk.up, alice.talk.heard
    assert {status for status in alice.talk.heard if status > "2"} == {"200"}
    invite = world.parties[name].talk.invite
    assert invite is not None
    alice.talk.bye()
    for centre in (world.parties["centre1"], world.parties["centre2"]):
        centre.dead, centre.on_message = False, None  # as long as a probe is unanswered there is no rest
    world.rest()
    cdr = world.cdrs[-1]
    assert (cdr.emergency, cdr.outcome, cdr.amount, cdr.trunk) == (True, "answered", 0, name)
    return invite


def multipart(*parts: tuple[str, str, str], close: str = "--b--\r\n") -> tuple[str, str]:
    """A body of parts: media type, Content-ID ('' for none), content."""
    text = ""
    for kind, content_id, content in parts:
        identity = f"Content-ID: <{content_id}>\r\n" if content_id else ""
        text += f"--b\r\nContent-Type: {kind}\r\n{identity}\r\n{content}\r\n"
    return 'multipart/mixed;boundary="b"', text + close


def own_sdp() -> str:
    """What a phone offers in a body of several parts."""
    return sdp("mk-alice", HOSTS["alice"], 41_000, 1)


# --- places that the phone tells ----------------------------------------------------------------------------


def test_places_of_the_phone_follow_the_registered_one(world: Scene) -> None:
    """RFC 6442: references of the schemes it knows as they are, documents under ids of ours."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    body = multipart(("application/sdp", "", own_sdp()), (PIDF, "one@held", PLACE), (PIDF, "two@held", PLACE))
    values = (
        "<cid:two@held>;inserted-by=held, <https://lis.invalid/1>, <sip:held@lis.invalid>, <cid:one@held>"
    )
    alice.invite("112", uri=HELP, rows=[("Geolocation", values)], body=body)
    invite = called(world, alice)
    by_id = {f"<cid:{part.content_id}>": part for part in invite.parts[1:]}
    ours, first, *references, last = invite.all("Geolocation")
    assert "Naamsesteenweg" in by_id[ours].content
    assert references == ["<https://lis.invalid/1>", "<sip:held@lis.invalid>"]
    assert [by_id[cid].content for cid in (first, last)] == [PLACE, PLACE]
    assert first != last
    assert invite.get("Geolocation-Routing") == "yes"
    assert "@held" not in invite.body


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("<cid:there@held>", (PIDF, "here@held", PLACE)),
        ("<cid:here@held>", ("text/plain", "here@held", PLACE)),
        ("<cid:here@held>", (PIDF, "here@held", "")),
        ("<cid:here@held>", (PIDF, "here@held", "x" * (LARGEST_LOCATION + 1))),
        ("<data:text/html,here>", (PIDF, "", PLACE)),
        ("<javascript:here>", (PIDF, "", PLACE)),
        ("", (PIDF, "here@held", PLACE)),
        ("<<<,>>>,;;cid:", (PIDF, "here@held", PLACE)),
    ],
)
def test_places_that_are_none_are_left_out(world: Scene, value: str, part: tuple[str, str, str]) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    body = multipart(("application/sdp", "", own_sdp()), part)
    alice.invite("112", uri=HELP, rows=[("Geolocation", value)], body=body)
    invite = called(world, alice)
    assert len(invite.all("Geolocation")) == 1
    assert [part.kind for part in invite.parts].count(PIDF) == 1


def test_a_line_without_address_sends_what_its_phone_tells(world: Scene) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    world.machine.replace_lines(
        replace(line, address=None) if line.user == "alice" else line for line in world.machine.lines
    )
    alice.invite("112", uri=HELP, rows=[("Geolocation", "<https://lis.invalid/1>")])
    invite = called(world, alice)
    assert invite.all("Geolocation") == ["<https://lis.invalid/1>"]
    assert invite.get("Geolocation-Routing") == "yes"


# --- probes -------------------------------------------------------------------------------------------------


@pytest.fixture
def probed() -> Scene:
    """A world in which gateways are asked every 30 s whether they are there."""
    _, directory = tables()
    failover = replace(directory.failover, probe_ns=30 * NS_PER_S)
    return Scene(emergency=replace(directory, failover=failover))


def test_a_gateway_that_answers_no_probe_is_tried_last(probed: Scene) -> None:
    """R-EMG-06: two probes without an answer, and nobody in need waits for it any more."""
    alice, (first, second) = probed.party("alice"), probed.centres()
    answers(second, 0)
    first.die()
    probed.run(200_000)
    assert len(probed.sent_to("centre2", "OPTIONS")) > 2
    alice.invite("112", uri=HELP)
    called(probed, alice, "centre2")
    assert probed.cdrs[-1].post_dial_delay_ms == 20
    assert probed.sent_to("centre1", "INVITE") == []


def test_a_gateway_that_answers_no_probe_is_tried_all_the_same(probed: Scene) -> None:
    """Probes can be wrong: it is back, or answers calls only."""
    alice, (first, second) = probed.party("alice"), probed.centres()
    first.on_message = lambda message: message.method == "OPTIONS"
    answers(first)
    second.on_call = lambda talk: talk.reject(503)
    probed.run(200_000)
    alice.invite("112", uri=HELP)
    called(probed, alice, "centre1")
    (refused,) = second.talks
    assert refused.over


def test_a_gateway_that_answers_probes_again_is_first_again(probed: Scene) -> None:
    alice, (first, second) = probed.party("alice"), probed.centres()
    answers(first)
    answers(second)
    first.die()
    probed.run(200_000)
    first.revive()
    probed.run(70_000)
    alice.invite("112", uri=HELP)
    called(probed, alice, "centre1")
    assert second.talks == []


def test_both_thought_to_be_down(probed: Scene) -> None:
    alice, (first, second) = probed.party("alice"), probed.centres()
    first.on_message = second.on_message = lambda message: message.method == "OPTIONS"
    answers(first)
    probed.run(200_000)
    alice.invite("112", uri=HELP)
    called(probed, alice, "centre1")


# --- what is refused elsewhere ------------------------------------------------------------------------------

NO_DIGEST = 'Digest username="alice", realm="belswitch", nonce="x", uri="sip:112@voice.example", response="0"'
ROWS: dict[str, tuple[str, str]] = {
    "require": ("Require", "x-unheard-of, 100rel, timer, replaces"),
    "proxy-require": ("Proxy-Require", "x-unheard-of"),
    "session-expires": ("Session-Expires", "1;refresher=uas"),
    "min-se": ("Min-SE", "4294967296"),
    "session-expires-junk": ("Session-Expires", "soon"),
    "accept": ("Accept", "text/plain"),
    "accept-encoding": ("Accept-Encoding", "gzip;q=1, *;q=0"),
    "content-encoding": ("Content-Encoding", "gzip"),
    "content-disposition": ("Content-Disposition", "render;handling=required"),
    "content-language": ("Content-Language", "tlh"),
    "credentials": ("Authorization", NO_DIGEST),
    "credentials-junk": ("Authorization", "Digest ,,,="),
    "proxy-credentials": ("Proxy-Authorization", NO_DIGEST),
    "replaces": ("Replaces", "nothing@here;to-tag=1;from-tag=2"),
    "join": ("Join", "nothing@here;to-tag=1;from-tag=2"),
    "asserted-junk": ("P-Asserted-Identity", "<<<"),
    "preferred": ("P-Preferred-Identity", "<sip:+32900000000@voice.example>"),
    "privacy": ("Privacy", "header;session;user;id;critical"),
    "priority": ("Priority", ""),
    "resource-priority": ("Resource-Priority", "no dots at all"),
    "geolocation-junk": ("Geolocation", '"<,;>'),
    "call-info-junk": ("Call-Info", "<cid:>;purpose=EmergencyCallData.Nothing"),
    "diversion": ("Diversion", "<sip:+3222345678@voice.example>;reason=unconditional;counter=99"),
    "history": ("History-Info", "junk"),
    "route": ("Route", "<sip:203.0.113.1:5060;lr>"),
    "expires": ("Expires", "0"),
    "date": ("Date", "today"),
    "subject": ("Subject", "\u2620" * 200),
}


@pytest.mark.parametrize("name", ROWS)
def test_no_header_field_is_a_reason(world: Scene, name: str) -> None:
    """R-EMG-05."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    alice.invite("112", uri=HELP, rows=[ROWS[name]])
    invite = called(world, alice)
    assert invite.get("P-Asserted-Identity") == "<sip:+3216234567@voice.example;user=phone>"
    assert (invite.get("Priority"), invite.all("Resource-Priority")) == ("emergency", ["esnet.1"])
    assert not {"Require", "Proxy-Require", "Privacy"} & {row for row, _ in invite.rows}


JUNK = "\u2620\r\n--\r\n\r\n" * 50
BODIES: dict[str, tuple[str, str]] = {
    "text": ("text/plain", "help"),
    "json": ("application/json", "{}"),
    "type-junk": (";;;/", "help"),
    "type-empty": ("", "help"),
    "sdp-junk": ("application/sdp", JUNK),
    "no-boundary": ("multipart/mixed", JUNK),
    "other-boundary": ("multipart/mixed;boundary=a", multipart((PIDF, "", PLACE))[1]),
    "boundary-junk": ('multipart/mixed;boundary="', JUNK),
    "parts-without-sdp": multipart((PIDF, "", PLACE), ("text/plain", "", "help")),
    "parts-with-junk": multipart(("application/sdp", "", JUNK), ("x", "<>", JUNK)),
    "not-closed": multipart((PIDF, "", PLACE), close=""),
    "nested": (
        "multipart/mixed;boundary=a",
        f"--a\r\nContent-Type: multipart/mixed;boundary=a\r\n\r\n{JUNK}",
    ),
    "signed": ("multipart/signed;boundary=b;protocol=x", multipart((PIDF, "", PLACE))[1]),
}


@pytest.mark.parametrize("offered", [False, True], ids=["answers", "listens"])
@pytest.mark.parametrize("name", BODIES)
def test_no_body_is_a_reason(world: Scene, name: str, offered: bool) -> None:
    """R-EMG-05: the centre is asked for an offer in its place, whether the phone answers that in its ACK or
    believes that it has made one."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    alice.invite("112", uri=HELP, body=BODIES[name], offer=offered, rows=[("Geolocation", "<cid:x@y>")])
    invite = called(world, alice)
    assert invite.sdp == ""
    assert JUNK not in invite.body
    assert "Naamsesteenweg" in invite.body


@pytest.mark.parametrize("text", ["v=0\r\no=- 1", "v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nt=0 0\r\n"])
def test_a_description_without_media_is_no_reason(world: Scene, text: str) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    alice.invite("112", uri=HELP, body=("application/sdp", text))
    called(world, alice)


@pytest.mark.parametrize("close", ["--b--\r\n", "", "--b\r\n", JUNK])
def test_an_offer_among_junk_is_found(world: Scene, close: str) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    body = multipart(
        ("text/plain", "", JUNK), ("application/sdp", "", own_sdp()), (PIDF, "x@y", JUNK), close=close
    )
    alice.invite("112", uri=HELP, body=body)
    assert "m=audio" in called(world, alice).sdp


# --- the centre calls back ----------------------------------------------------------------------------------

CALLBACK = [("Priority", "psap-callback")]


def psap_world(weather: Weather = CALM, **changes: Any) -> Scene:
    """A world in which the first centre may call back."""
    own = tuple(replace(trunk, probe_ns=0) for trunk in settings().trunks)
    host = HOSTS["centre1"]
    psap = TrunkSettings("psap", host, 5060, (ip_network(host),), psap=True)
    return Scene(weather, trunks=(*own, psap), **changes)


@pytest.fixture
def backwards() -> Scene:
    """The same, as a fixture."""
    return psap_world()


def change(world: Scene, **changes: object) -> None:
    """Change bob's line."""
    world.machine.replace_lines(
        replace(line, **changes) if line.user == "bob" else line  # type: ignore[arg-type]
        for line in world.machine.lines
    )


def reaches(world: Scene, bob: Party, rows: list[tuple[str, str]]) -> None:
    """A call of the centre reaches bob, and nothing limits it."""
    centre = world.parties["centre1"]
    before = len(bob.talks)
    bob.on_call = lambda talk: talk.answer()
    call = centre.invite(bob.number, rows=rows)
    world.run(2000)
    assert call.up, call.heard
    assert len(bob.talks) == before + 1
    call.bye()
    world.rest()
    cdr = world.cdrs[-1]
    assert (cdr.verdict, cdr.origin, cdr.amount) == ("psap-callback", "trunk", 0)


@pytest.mark.parametrize("priority", ["psap-callback", " PSAP-Callback "])
def test_centre_reaches_a_suspended_line(backwards: Scene, priority: str) -> None:
    """R-EMG-09."""
    bob, _ = backwards.phone("bob"), backwards.centres()
    change(backwards, state="suspended")
    reaches(backwards, bob, [("Priority", priority)])


@pytest.mark.parametrize("state", ["limited", "restricted", "active"])
def test_centre_reaches_a_line_in_every_state(backwards: Scene, state: str) -> None:
    bob, _ = backwards.phone("bob"), backwards.centres()
    change(backwards, state=state)
    reaches(backwards, bob, CALLBACK)


def test_centre_reaches_a_line_whose_calls_are_all_in_use(backwards: Scene) -> None:
    alice, bob, (centre, _) = backwards.phone("alice"), backwards.phone("bob"), backwards.centres()
    change(backwards, max_calls=1)
    backwards.up(alice, bob)
    bob.on_call = lambda talk: talk.answer()
    refused = centre.invite(bob.number)
    backwards.run(2000)
    assert refused.heard[-1] == "486"
    call = centre.invite(bob.number, rows=CALLBACK)
    backwards.run(2000)
    assert (call.up, alice.talk.up, alice.talk.over) == (True, True, False)
    call.bye()
    alice.talk.bye()
    backwards.rest()


def test_centre_reaches_a_line_of_a_switch_that_takes_no_calls(backwards: Scene) -> None:
    """A full journal and a shutdown under way are no reasons either."""
    alice, bob, (centre, _) = backwards.phone("alice"), backwards.phone("bob"), backwards.centres()
    backwards.up(alice, bob)
    bob.on_call = lambda talk: talk.answer()
    backwards.machine.feed(JournalState(full=True))
    backwards.machine.feed(StopCalls(end=False))
    call = centre.invite(bob.number, rows=CALLBACK)
    backwards.run(2000)
    assert call.up, call.heard
    call.bye()
    alice.talk.bye()
    backwards.machine.feed(JournalState(full=False))
    backwards.rest()


def test_centre_rings_every_phone_of_the_line(backwards: Scene) -> None:
    one, two, (centre, _) = backwards.phone("bob"), backwards.phone("bob2", line="bob"), backwards.centres()
    answers(one)
    answers(two, 2000)
    call = centre.invite(one.number, rows=CALLBACK)
    backwards.run(4000)
    assert (call.up, one.talk.up, two.talk.heard) == (True, True, ["INVITE", "CANCEL"])
    call.bye()
    backwards.rest()


@pytest.mark.parametrize(("rows", "lasts"), [(CALLBACK, True), ([], False)], ids=["callback", "ordinary"])
def test_a_callback_is_not_cut_at_two_hours(
    backwards: Scene, rows: list[tuple[str, str]], lasts: bool
) -> None:
    bob, (centre, _) = backwards.phone("bob"), backwards.centres()
    bob.on_call = lambda talk: talk.answer()
    call = centre.invite(bob.number, rows=rows)
    backwards.run(7_300_000)
    assert call.over is not lasts
    if lasts:
        call.bye()
    backwards.rest()
    (cdr,) = backwards.cdrs
    assert (cdr.duration_s > 7200) is lasts


def test_nobody_else_calls_back(backwards: Scene) -> None:
    """Any stranger can write a header field; and a centre that does not is an ordinary caller."""
    alice, bob, carrier = backwards.phone("alice"), backwards.phone("bob"), backwards.carrier()
    centre, _ = backwards.centres()
    change(backwards, state="suspended")
    bob.on_call = lambda talk: talk.answer()
    for party, rows in ((carrier, CALLBACK), (centre, []), (alice, CALLBACK)):
        call = party.invite(bob.number, rows=rows)
        backwards.run(2000)
        assert call.heard[-1] == "480"
    backwards.rest()
    assert {cdr.verdict for cdr in backwards.cdrs} == {"callee-suspended"}
    assert bob.talks == []


def test_a_carrier_that_claims_to_call_back_is_held_to_the_limit(backwards: Scene) -> None:
    alice, bob, carrier = backwards.phone("alice"), backwards.phone("bob"), backwards.carrier()
    change(backwards, max_calls=1)
    backwards.up(alice, bob)
    call = carrier.invite(bob.number, rows=CALLBACK)
    backwards.run(1000)
    assert call.heard[-1] == "486"
    alice.talk.bye()
    backwards.rest()


@pytest.mark.parametrize(("minutes", "status"), [(1, "200"), (29, "200"), (31, "480")])
def test_a_line_that_has_called_for_help_is_called_back_for_half_an_hour(
    backwards: Scene, minutes: int, status: str
) -> None:
    """Without a word in Priority, counted from the end of the call for help; by nobody but a centre."""
    bob, carrier, (centre, _) = backwards.phone("bob"), backwards.carrier(), backwards.centres()
    change(backwards, state="suspended")
    bob.on_call = lambda talk: talk.answer()
    answers(centre)
    urgent = bob.invite("112", uri=HELP)
    backwards.run(45 * 60_000)
    urgent.bye()
    bob.register()
    backwards.run(minutes * 60_000)
    stranger = carrier.invite(bob.number)
    call = centre.invite(bob.number)
    backwards.run(2000)
    assert (call.heard[-1], stranger.heard[-1]) == (status, "480")
    if call.up:
        call.bye()
    backwards.rest()
    verdict = "psap-callback" if status == "200" else "callee-suspended"
    assert sorted(cdr.verdict for cdr in backwards.cdrs[1:]) == ["callee-suspended", verdict]
