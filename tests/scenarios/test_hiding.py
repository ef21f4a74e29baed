"""What one side is told of the other: the number, if it may be, and nothing else."""

from __future__ import annotations

from tests.scenarios.scene import Scene
from tests.sim.text import read

SECRET_ROWS = [
    ("P-Asserted-Identity", "<sip:+3270123456@voice.example>"),
    ("P-Preferred-Identity", "<sip:+3270123456@voice.example>"),
    ("Remote-Party-ID", "<sip:+3270123456@voice.example>"),
    ("Record-Route", "<sip:192.0.2.99;lr>"),
    ("X-Internal", "building 4"),
    ("Subject", "secret"),
    ("Organization", "secret"),
]


def test_trunk_sees_the_number_and_nothing_else(world: Scene) -> None:
    """R-POL-06: identities that a phone asserts are not believed."""
    alice, carrier = world.phone("alice"), world.carrier()
    call = alice.invite("0478123456", rows=SECRET_ROWS)
    world.run(100)
    carrier.talk.ring(183, media=True)
    carrier.talk.answer()
    world.run(1000)
    call.bye()
    world.rest()
    world.compare("hiding_from_trunk_in_full", world.full("carrier", "INVITE"))
    world.compare("hiding_ack_and_bye_in_full", world.full("carrier", "ACK") + world.full("carrier", "BYE"))
    for hop in world.sent_to("carrier", ""):
        for word in (b"192.0.2.", b"mk-alice", b"secret", b"building", b"+3270123456"):
            assert word not in hop.data


def test_phone_sees_nothing_of_the_trunk(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    world.up(alice, carrier, "0478123456")
    carrier.talk.bye()
    world.rest()
    world.compare("hiding_from_phone_in_full", world.full("alice", "SIP/2.0 200 OK"))
    for hop in world.sent_to("alice", ""):
        for word in (b"198.51.100.", b"mk-carrier", b"P-Asserted-Identity"):
            assert word not in hop.data


def test_phone_called_by_a_trunk(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    alice.on_call = lambda talk: talk.answer()
    rows = [
        ("P-Asserted-Identity", "<sip:+3225550199@198.51.100.1>"),
        ("Record-Route", "<sip:198.51.100.77;lr>"),
    ]
    call = carrier.invite(alice.number, rows=rows)
    world.run(1000)
    call.bye()
    world.rest()
    world.compare("hiding_trunk_caller_in_full", world.full("alice", "INVITE"))
    assert world.cdrs[0].caller == "+3225550199"


def test_withheld_number_to_a_trunk(world: Scene) -> None:
    """RFC 3325: the carrier is told, and told to keep it to itself."""
    alice, _carrier = world.phone("alice"), world.carrier()
    call = alice.invite("0478123456", rows=[("Privacy", "id")])
    world.run(100)
    call.cancel()
    world.rest()
    invite = read(world.sent_to("carrier", "INVITE")[0].data)
    assert invite.get("Privacy") == "id"
    assert invite.get("P-Asserted-Identity") == "<sip:+3216234567@voice.example;user=phone>"
    assert invite.get("From").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>')


def test_withheld_number_to_a_line(world: Scene) -> None:
    alice, bob = world.phone("alice"), world.phone("bob")
    call = alice.invite(bob.number, rows=[("Privacy", "id")])
    world.run(100)
    call.cancel()
    world.rest()
    invite = world.sent_to("bob", "INVITE")[0].data
    assert b"+3216234567" not in invite
    assert b"016234567" not in invite


def test_withheld_number_from_a_trunk(world: Scene) -> None:
    alice, carrier = world.phone("alice"), world.carrier()
    rows = [("P-Asserted-Identity", "<sip:+3225550199@198.51.100.1>"), ("Privacy", "id")]
    call = carrier.invite(alice.number, rows=rows)
    world.run(100)
    call.cancel()
    world.rest()
    invite = world.sent_to("alice", "INVITE")[0].data
    assert b"25550199" not in invite
    assert b"anonymous.invalid" in invite


def test_session_version_grows_with_changes_only(world: Scene) -> None:
    """RFC 3264 section 8: the o= line of what one side sees is ours, and counts its changes."""
    alice, bob = world.phone("alice"), world.phone("bob")
    world.up(alice, bob)
    alice.talk.hold()
    world.run(500)
    alice.talk.resume()
    world.run(500)
    alice.talk.bye()
    world.rest()
    versions = [int(body.split("o=- ")[1].split()[1]) for body in bob.talk.offers]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)
