"""The beat of the tones on virtual time: when packets of our own leave, and when a tone is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from switch.relay.table import Table
from tests.switch.relay.harness import Party, free_pair, rtp

MS = 1_000_000
SESSION = 7
PCMA = {8: "PCMA"}


class Studio:
    """A table with one stream, a party on each side, and time that stands still in between."""

    def __init__(self) -> None:
        self.table = Table(lambda _: None)
        self.beat = self.table.beat
        self.parties = Party(), Party()
        ports = free_pair("127.0.0.1"), free_pair("127.0.0.1")
        self.table.open(SESSION, 0, ("127.0.0.1", "127.0.0.1"), ports, True, 0)
        self.ports = list(self.table.doors.values())[:2]
        for side in (0, 1):
            self.aim(side)

    def aim(self, side: int, *, held: bool = False, clock_rate: int = 8000) -> None:
        party = self.parties[side]
        rtp_at = ("0.0.0.0" if held else party.host, party.port)
        self.table.aim(SESSION, 0, side, rtp_at, (rtp_at[0], 0), None, clock_rate)

    def play(self, side: int, duration_ms: int, at_ms: int = 0) -> None:
        self.table.play(SESSION, 0, side, duration_ms, PCMA, at_ms * MS)

    def run(self, since_ms: int, until_ms: int) -> list[int]:
        """Let the time pass as the loop does; the moments at which the beat was struck."""
        struck, at_ns = [], since_ms * MS
        while at_ns <= until_ms * MS:
            wait_s = self.beat.strike(at_ns)
            struck.append(at_ns // MS)
            if not self.beat.playing:
                break
            at_ns += round(wait_s * 1e9)
        return struck[1:]

    def heard(self, side: int) -> int:
        """How many packets have come to a party."""
        count = 0
        while not self.parties[side].hears_nothing():
            count += 1
        return count


@pytest.fixture
def studio() -> Iterator[Studio]:
    studio = Studio()
    yield studio
    studio.table.close(SESSION)
    assert not studio.beat.playing


def test_a_beat_every_20_ms_until_the_tone_is_over(studio: Studio) -> None:
    studio.play(0, 200, at_ms=1000)
    assert studio.run(1000, 5000) == [*range(1020, 1201, 20)]
    assert studio.heard(0) == 7, "from 60 ms after the beginning to the end"
    assert studio.heard(1) == 0
    assert studio.ports[0].send_line is None


def test_a_tone_that_begins_between_two_beats_waits_for_the_next(studio: Studio) -> None:
    studio.play(0, 100)
    studio.play(1, 100, at_ms=5)
    assert studio.run(5, 5000) == [20, 40, 60, 80, 100, 120]
    assert (studio.heard(0), studio.heard(1)) == (2, 2)


def test_beats_that_were_missed_are_not_made_up_for(studio: Studio) -> None:
    studio.play(0, 1000)
    assert studio.beat.strike(507 * MS) == pytest.approx(0.013)
    assert studio.heard(0) == 1


def test_a_new_order_replaces_the_tone(studio: Studio) -> None:
    studio.play(0, 100)
    studio.play(0, 300, at_ms=40)
    assert studio.run(40, 5000)[-1] == 340
    assert studio.table.stats()["tones"] == 2


def test_a_tone_is_called_off(studio: Studio) -> None:
    studio.play(0, 100)
    studio.play(0, 0, at_ms=40)
    assert not studio.beat.playing
    assert studio.table.stats()["tones"] == 1
    studio.play(0, 0)


def test_a_held_party_is_sent_nothing(studio: Studio) -> None:
    studio.aim(0, held=True)
    studio.play(0, 400)
    studio.run(0, 200)
    assert studio.heard(0) == 0
    studio.aim(0)
    studio.run(200, 400)
    assert studio.heard(0) == 9, "the party is back, the tone still there: 220 to 380"
    assert studio.ports[0].send_errors == 0


def test_a_stream_that_turns_into_fax_ends_the_tone(studio: Studio) -> None:
    """T.38 over UDPTL on the same port."""
    studio.play(0, 400)
    studio.aim(0, clock_rate=0)
    assert not studio.beat.playing
    with pytest.raises(ValueError, match="no RTP"):
        studio.play(0, 400)


def test_closing_ends_the_tones_and_keeps_their_count(studio: Studio) -> None:
    studio.play(0, 10_000)
    studio.play(1, 10_000)
    assert len(studio.beat.playing) == 2
    studio.table.close(SESSION)
    assert not studio.beat.playing
    assert studio.table.stats()["tones"] == 2


def test_packets_of_the_other_party_keep_the_relay_quiet(studio: Studio) -> None:
    studio.play(0, 400)
    for at_ms in range(0, 400, 20):
        studio.ports[1].reception.receive(bytearray(rtp(at_ms)), len(rtp()), at_ms * MS)
        studio.run(at_ms, at_ms + 20)
    assert studio.heard(0) == 0


def test_a_packet_that_the_kernel_refuses_is_counted(studio: Studio) -> None:
    studio.table.aim(SESSION, 0, 0, ("255.255.255.255", 9), ("255.255.255.255", 0), None, 8000)
    studio.play(0, 100)
    studio.run(0, 5000)
    assert studio.table.stats()["send_errors"] == 2
