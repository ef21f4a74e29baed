"""Calls for help and callbacks at their edges: bodies that say nothing, floods of places, refusals, room."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.scenarios.scene import Scene, answers
from tests.scenarios.test_help import (
    CALLBACK,
    HELP,
    PIDF,
    PLACE,
    called,
    multipart,
    own_sdp,
    psap_world,
)
from tests.sim.talk import Talk
from tests.sim.weather import CALM


@pytest.mark.parametrize("status", [403, 415, 420, 422, 488])
def test_caller_never_hears_a_forbidden_refusal(world: Scene, status: int) -> None:
    """R-EMG-05, when every centre says it."""
    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = second.on_call = lambda talk: talk.reject(status)
    call = alice.invite("112", uri=HELP)
    world.run(10_000)
    assert call.heard[-1] in ("480", "500", "503")


@pytest.mark.parametrize("text", ["v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\ns=-\r\nt=0 0\r\n", "v=0\r\no=- 1"])
def test_description_without_media_is_no_offer(world: Scene, text: str) -> None:
    """A centre that wants media refuses it with 488: it must be asked for an offer of its own."""

    def on_call(talk: Talk) -> None:
        assert talk.invite is not None
        talk.reject(488) if talk.invite.sdp and "m=audio" not in talk.invite.sdp else talk.answer()

    alice, (first, second) = world.party("alice"), world.centres()
    first.on_call = second.on_call = on_call
    call = alice.invite("112", uri=HELP, body=("application/sdp", text))
    world.run(10_000)
    assert call.up, call.heard


@pytest.mark.parametrize("times", [8, 1000])
def test_one_document_pointed_to_often_travels_once(world: Scene, times: int) -> None:
    """Over real UDP the INVITE is too large to leave, and no centre is reached at all."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    body = multipart(("application/sdp", "", own_sdp()), (PIDF, "a@b", "y" * 16_000))
    alice.invite("112", uri=HELP, rows=[("Geolocation", ", ".join(["<cid:a@b>"] * times))], body=body)
    assert len(called(world, alice).encode()) < 65_000


def test_many_references_do_not_make_a_datagram_too_large(world: Scene) -> None:
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    values = ", ".join(f"<https://lis.invalid/{number:04d}>" for number in range(1900))
    alice.invite("112", uri=HELP, rows=[("Geolocation", values)])
    assert len(called(world, alice).encode()) < 65_000


def test_content_ids_are_percent_encoded_in_cid(world: Scene) -> None:
    """RFC 2392."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    body = multipart(("application/sdp", "", own_sdp()), (PIDF, "a%b@c", PLACE))
    alice.invite("112", uri=HELP, rows=[("Geolocation", "<cid:a%25b@c>")], body=body)
    assert len(called(world, alice).all("Geolocation")) == 2


def test_a_change_of_the_call_is_not_refused_for_its_require(world: Scene) -> None:
    """R-EMG-05 says "an emergency INVITE": a re-INVITE gets 420 and 415."""
    alice, (centre, _) = world.party("alice"), world.centres()
    answers(centre)
    talk = alice.invite("112", uri=HELP)
    world.run(3000)
    talk._cseq += 1
    rows = [("Contact", alice.contact), ("Require", "timer")]
    heard: list[int] = []
    alice.request(
        talk._request("INVITE", rows, talk._sdp("sendrecv")),
        lambda response: heard.append(response.status if response else 0),
    )
    world.run(2000)
    assert 420 not in heard


def test_a_callback_is_not_ended_to_make_room_while_there_is_an_ordinary_call() -> None:
    world = psap_world(replace(CALM, relay_pairs=4))
    alice, bob, carol = (world.phone(name) for name in ("alice", "bob", "carol"))
    (centre, _), office = world.centres(), world.party("office")
    for phone in (alice, bob, carol):
        phone.on_call = lambda talk: talk.answer()
    ordinary = carol.invite(alice.number)
    world.run(1000)
    back = centre.invite(bob.number, rows=CALLBACK)
    world.run(1000)
    answers(centre, 0)
    urgent = office.invite("112", uri=HELP)
    world.run(3000)
    assert (urgent.up, ordinary.over, back.over) == (True, True, False)


def test_a_callback_makes_room() -> None:
    """Somebody who called for help is waiting for it."""
    world = psap_world(replace(CALM, relay_pairs=2))
    alice, bob, carol = (world.phone(name) for name in ("alice", "bob", "carol"))
    centre, _ = world.centres()
    for phone in (alice, bob, carol):
        phone.on_call = lambda talk: talk.answer()
    carol.invite(alice.number)
    world.run(1000)
    back = centre.invite(bob.number, rows=CALLBACK)
    world.run(1000)
    assert back.up, back.heard


def test_a_callback_is_not_ended_for_silence() -> None:
    """As a call for help is not: whoever is called back may be unable to speak."""
    backwards = psap_world()
    bob, (centre, _) = backwards.phone("bob"), backwards.centres()
    bob.on_call = lambda talk: talk.answer()
    call = centre.invite(bob.number, rows=CALLBACK)
    backwards.run(1000)
    call.hush()
    bob.talk.hush()
    backwards.run(180_000)
    assert not call.over


def test_a_call_for_help_that_both_have_left_is_ended(world: Scene) -> None:
    """Found by seed 902347: both hung up before the switch knew that they talk, which it answered with 481;
    then it kept the call for ever, for neither silence nor a limit ends a call for help."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    call = alice.invite("112")
    assert world.run_until(lambda: call.up)
    call.abandon()
    world.run(60_000)
    assert not centre.talk.over  # one of them is there, and silent
    assert call.over
    centre.talk.abandon()
    world.run(300_000)
    world.rest()
    (cdr,) = world.cdrs
    assert (cdr.outcome, cdr.amount, cdr.flags) == ("answered", 0, ("lost",))


@pytest.mark.parametrize("row", [("Require", "x-unheard-of"), ("Accept", "text/plain")])
def test_a_callback_is_refused_for_no_header_field(
    row: tuple[str, str],
) -> None:
    backwards = psap_world()
    bob, (centre, _) = backwards.phone("bob"), backwards.centres()
    bob.on_call = lambda talk: talk.answer()
    call = centre.invite(bob.number, rows=[*CALLBACK, row])
    backwards.run(1000)
    assert call.up, call.heard


@pytest.mark.parametrize("deaf", ["caller", "centre"])
def test_a_silent_phone_that_ignores_options_keeps_its_call_for_help(deaf: str, world: Scene) -> None:
    """pyVoIP does: silence of one party alone is no proof that it is gone (R-EMG-04)."""
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    call = alice.invite("112")
    assert world.run_until(lambda: call.up)
    (call if deaf == "caller" else centre.talk).answers_options = False
    for talk in (call, centre.talk):
        talk.hush()
    world.run(900_000)
    assert not call.over
    assert not centre.talk.over
    call.bye()
    world.rest()
    assert world.cdrs[0].flags == ()


def test_a_call_for_help_whose_parties_are_both_dead_is_ended(world: Scene) -> None:
    alice, (centre, _) = world.phone("alice"), world.centres()
    answers(centre)
    call = alice.invite("112")
    assert world.run_until(lambda: call.up)
    alice.die()
    centre.die()
    world.run(400_000)
    world.rest()
    assert world.cdrs[0].flags == ("lost",)
