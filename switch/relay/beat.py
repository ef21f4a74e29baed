"""When the relay has to send of its own: the ports towards whose parties a sound plays, and a beat of 20 ms
at which each of them is looked at.

One beat serves all, so that many sounds at once cost one look each every 20 ms and not one for every packet
that passes. While nothing plays there is no beat, and the loop sleeps as long as nothing comes.
"""

from __future__ import annotations

from switch.relay.port import Port
from switch.relay.sound import PACKET_NS, Sound

NS_PER_S = 1_000_000_000


class Beat:
    """`playing` has the ports with a sound; it is read for each wake-up of the loop."""

    __slots__ = ("_next_ns", "playing")

    def __init__(self) -> None:
        self.playing: set[Port] = set()
        self._next_ns = 0

    def start(self, port: Port, sound: Sound, now_ns: int) -> None:
        """Play `sound` towards the party of `port`, in place of one that may be running."""
        if not self.playing:
            self._next_ns = now_ns + PACKET_NS
        sound.begin(now_ns)
        self.playing.add(port)
        port.play(sound)

    def stop(self, port: Port) -> None:
        """Let the party hear the other one again; nothing where no sound plays."""
        self.playing.discard(port)
        port.play(None)

    def end(self, port: Port, now_ns: int) -> None:
        """Its sound is over: what was to follow begins, if anything was."""
        follower = port.sound.then if port.sound is not None else None
        self.stop(port)
        if follower is not None:
            self.start(port, follower, now_ns)

    def strike(self, now_ns: int) -> float:
        """Send what is due, end the sounds that are over; the seconds until the next beat.

        A beat that was missed is not made up for: nobody wants the sound of a moment that has passed.
        """
        late_ns = now_ns - self._next_ns
        if late_ns >= 0:
            beats = 1 + late_ns // PACKET_NS
            self._next_ns += beats * PACKET_NS
            for port in tuple(self.playing):
                self._look_at(port, now_ns, beats)
        return (self._next_ns - now_ns) / NS_PER_S

    def _look_at(self, port: Port, now_ns: int, beats: int) -> None:
        sound = port.sound
        if sound is None or sound.over(now_ns):
            self.end(port, now_ns)
            return
        packet = sound.beat(now_ns, beats)
        if packet is None:
            return
        try:
            port.send(packet)
        except OSError:
            port.send_errors += 1
