"""The lab's end of a media session: offers and answers for one audio stream (RFC 3264), and its tone."""

from __future__ import annotations

from switch.lab.tone import NAMES, PCMA, PCMU, ToneStream
from switch.malformed import Malformed
from switch.ports import Address
from switch.sdp.description import Description, Media, parse

_MIRRORED = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class Session:
    """One audio stream, from first offer to last. `hold` and resume are what the far end's direction says."""

    def __init__(self, host: str, number: int) -> None:
        self.stream = ToneStream(host, ssrc=number)
        self._host = host
        self._number = number
        self._version = 0

    def offer(self) -> bytes:
        """What we would take: A-law or mu-law, both ways."""
        return self._print([self._audio([PCMA, PCMU], 101, "sendrecv")])

    def answer(self, offer: bytes) -> bytes:
        """Take up an offer: its first codec that we know, the mirrored direction, no other media.

        Raises:
            Malformed: 400 for what is no SDP, 488 where there is nothing to talk with.
        """
        description = parse(offer)
        audio = _audio_of(description)
        codec = self._apply(audio)
        direction = _MIRRORED.get(audio.direction, "sendrecv")
        ours = self._audio([codec], _event_format(audio), direction)
        return self._print(
            [
                ours if media is audio else f"m={media.kind} 0 {media.proto} {media.formats}\r\n"
                for media in description.media
            ]
        )

    def take_answer(self, answer: bytes) -> None:
        """The far end's answer to our offer.

        Raises:
            Malformed.
        """
        self._apply(_audio_of(parse(answer)))

    def close(self) -> None:
        """No more audio."""
        self.stream.close()

    def _apply(self, audio: Media) -> int:
        """Send as the far end wants it; the codec."""
        known = [int(name) for name in audio.formats.split() if name in ("0", "8")]
        if not known:
            raise Malformed(488, "No common codec")
        stream = self.stream
        stream.payload_type = known[0]
        stream.remote = Address(audio.host, audio.port)
        stream.playing = not audio.held
        return known[0]

    def _audio(self, codecs: list[int], event: int | None, direction: str) -> str:
        formats = [*codecs, *([event] if event is not None else [])]
        rows = [f"m=audio {self.stream.port} RTP/AVP {' '.join(map(str, formats))}"]
        rows += [f"a=rtpmap:{codec} {NAMES[codec]}/8000" for codec in codecs]
        if event is not None:
            rows += [f"a=rtpmap:{event} telephone-event/8000", f"a=fmtp:{event} 0-15"]
        return "\r\n".join([*rows, "a=ptime:20", f"a={direction}", ""])

    def _print(self, media: list[str]) -> bytes:
        self._version += 1
        family = "IP6" if ":" in self._host else "IP4"
        head = (
            f"v=0\r\no=- {self._number} {self._version} IN {family} {self._host}\r\ns=-\r\n"
            f"c=IN {family} {self._host}\r\nt=0 0\r\n"
        )
        return (head + "".join(media)).encode()


def _audio_of(description: Description) -> Media:
    for media in description.media:
        if media.kind == "audio" and media.port:
            return media
    raise Malformed(488, "No audio")


def _event_format(audio: Media) -> int | None:
    """The payload type of telephone-event (RFC 4733), where it was offered."""
    for line in audio.lines:
        number, _, name = line.removeprefix("a=rtpmap:").partition(" ")
        if name.lower().startswith("telephone-event/8000") and number.isdecimal():
            return int(number)
    return None
