"""The beat of the sounds on virtual time: when packets of our own leave, and when a sound is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.relay.table import Table
from tests.switch.relay.harness import Party, free_pair, rtp
from tests.switch.relay.sound import record, sine

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

    def say(self, side: int, path: Path, times: int = 1, at_ms: int = 0) -> None:
        self.table.say(SESSION, 0, side, PCMA, str(path), times, at_ms * MS)

    def hush(self, side: int) -> None:
        self.table.say(SESSION, 0, side, {}, "", 0, 0)

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


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    """Five packets of sound."""
    return record(tmp_path / "prompt.wav", sine(440, 800))


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


def test_an_announcement_is_a_packet_at_each_beat_from_the_next_on(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt, at_ms=1000)
    assert studio.run(1000, 5000) == [1020, 1040, 1060, 1080, 1100, 1120]
    assert studio.heard(0) == 5
    assert studio.heard(1) == 0
    assert studio.ports[0].send_line is None, "over: nothing of ours on the way of a packet"
    assert studio.table.stats()["announcements"] == 1
    assert studio.table.stats()["tones"] == 0


def test_packets_of_the_other_party_do_not_keep_an_announcement_quiet(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt)
    for at_ms in range(0, 120, 20):
        studio.ports[1].reception.receive(bytearray(rtp(at_ms)), len(rtp()), at_ms * MS)
        studio.run(at_ms, at_ms + 20)
    assert studio.heard(0) == 5


def test_an_announcement_goes_round_until_it_is_called_off(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt, times=0)
    studio.run(0, 600)
    assert studio.heard(0) == 30
    studio.hush(0)
    assert not studio.beat.playing
    studio.hush(0)


def test_a_new_announcement_begins_in_place_of_the_old_one(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt, times=0)
    studio.run(0, 40)
    studio.say(0, prompt, at_ms=50)
    assert studio.run(50, 5000)[-1] == 160
    assert studio.table.stats()["announcements"] == 2


def test_hushing_leaves_a_tone_and_the_end_of_a_tone_an_announcement(studio: Studio, prompt: Path) -> None:
    studio.play(0, 100)
    studio.hush(0)
    assert studio.beat.playing
    studio.say(0, prompt)
    studio.play(0, 0)
    assert studio.beat.playing
    studio.play(0, 100)
    studio.hush(0)
    assert studio.beat.playing, "the tone took its place"


def test_an_announcement_to_a_held_party_ends_in_its_time(studio: Studio, prompt: Path) -> None:
    studio.aim(0, held=True)
    studio.say(0, prompt)
    assert studio.run(0, 5000)[-1] == 120
    assert studio.heard(0) == 0
    assert studio.ports[0].send_errors == 0


def test_fax_ends_an_announcement_and_takes_none(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt, times=0)
    studio.aim(0, clock_rate=0)
    assert not studio.beat.playing
    with pytest.raises(ValueError, match="no RTP"):
        studio.say(0, prompt)


def test_closing_ends_an_announcement(studio: Studio, prompt: Path) -> None:
    studio.say(0, prompt, times=0)
    studio.table.close(SESSION)
    assert not studio.beat.playing
    assert studio.table.stats()["announcements"] == 1


def test_what_cannot_be_said_leaves_what_is_being_said(studio: Studio, prompt: Path, tmp_path: Path) -> None:
    studio.say(0, prompt, times=0)
    playing = studio.ports[0].sound
    stereo = record(tmp_path / "stereo.wav", sine(440, 800), channels=2)
    with pytest.raises(FileNotFoundError):
        studio.say(0, tmp_path / "none.wav")
    with pytest.raises(ValueError, match=r"stereo\.wav must be .* 2 channels"):
        studio.say(0, stereo)
    with pytest.raises(ValueError, match="-1 times"):
        studio.say(0, prompt, times=-1)
    with pytest.raises(ValueError, match="side 2"):
        studio.say(2, prompt)
    assert studio.ports[0].sound is playing
    assert studio.table.stats()["announcements"] == 1
