"""The relay without media: it takes a tone or an announcement where the real one would, and a test can see
it."""

from __future__ import annotations

from random import Random

import pytest

from tests.sim.relay import Announcement, Tone, VirtualRelay

SESSION = 7
PCMA = {"8": "PCMA"}


@pytest.fixture
def relay() -> VirtualRelay:
    relay = VirtualRelay(
        Random(1), lambda _delay, _act: None, lambda _message: None, lambda _at: 0, lambda: 42
    )
    relay.command(SESSION, ["open", SESSION, 0, "192.0.2.1", 40_000, "192.0.2.1", 40_002, True])
    return relay


def test_a_tone_is_seen_with_its_moment(relay: VirtualRelay) -> None:
    relay.command(SESSION, ["tone", SESSION, 0, 1, 500, PCMA])
    assert relay.tones == [Tone(SESSION, 1, 42, 500, PCMA)]
    assert relay.complaints == []


@pytest.mark.parametrize(
    "command",
    [
        ["tone", SESSION, 1, 0, 500, PCMA],
        ["tone", SESSION, 0, 2, 500, PCMA],
        ["tone", SESSION, 0, 0, -1, PCMA],
        ["tone", SESSION, 0, 0, 500, {}],
        ["tone", SESSION, 0, 0, 500, {8: "PCMA"}],
        ["tone", SESSION, 0, 0, 500, {"9": "G722"}],
        ["tone", SESSION + 1, 0, 0, 500, PCMA],
    ],
)
def test_a_tone_that_the_relay_would_not_play_is_complained_about(
    relay: VirtualRelay, command: list[object]
) -> None:
    relay.command(SESSION, command)
    assert relay.tones == []
    assert len(relay.complaints) == 1


def test_a_tone_for_a_session_that_went_down_with_the_relay_is_lost(relay: VirtualRelay) -> None:
    relay.die()
    relay.command(SESSION, ["tone", SESSION, 0, 1, 500, PCMA])
    assert relay.tones == []
    assert relay.complaints == []


def test_an_announcement_is_seen_with_its_moment_and_its_end(relay: VirtualRelay) -> None:
    relay.command(SESSION, ["say", SESSION, 0, 1, PCMA, "/prompts/nl/congestion.wav", 2])
    assert relay.announcements == [Announcement(SESSION, 1, 42, "/prompts/nl/congestion.wav", 2, PCMA)]
    assert relay.hushed == []
    relay.command(SESSION, ["say", SESSION, 0, 1, {}, "", 0])
    assert relay.hushed == [(SESSION, 1)]
    assert relay.complaints == []


@pytest.mark.parametrize(
    "command",
    [
        ["say", SESSION, 1, 0, PCMA, "a.wav", 1],
        ["say", SESSION, 0, 2, PCMA, "a.wav", 1],
        ["say", SESSION, 0, 0, PCMA, "a.wav", -1],
        ["say", SESSION, 0, 0, PCMA, "", 1],
        ["say", SESSION, 0, 0, PCMA, "", 0],
        ["say", SESSION, 0, 0, {}, "a.wav", 1],
        ["say", SESSION, 0, 0, {"9": "G722"}, "a.wav", 1],
        ["say", SESSION, 0, 2, {}, "", 0],
        ["say", SESSION, 1, 0, {}, "", 0],
        ["say", SESSION + 1, 0, 0, PCMA, "a.wav", 1],
    ],
)
def test_an_announcement_that_the_relay_would_not_make_is_complained_about(
    relay: VirtualRelay, command: list[object]
) -> None:
    relay.command(SESSION, command)
    assert relay.announcements == []
    assert relay.hushed == []
    assert len(relay.complaints) == 1


def test_an_announcement_in_a_session_that_went_down_with_the_relay_is_lost(relay: VirtualRelay) -> None:
    relay.die()
    relay.command(SESSION, ["say", SESSION, 0, 1, PCMA, "a.wav", 1])
    relay.command(SESSION, ["say", SESSION, 0, 1, {}, "", 0])
    assert relay.announcements == []
    assert relay.complaints == []
