"""A calm world for one story: nothing goes wrong unless the story says so, and at its end the books are
checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from switch.record import Cdr
from tests.sim.auditor import Auditor
from tests.sim.ladder import in_full, rung, with_holes
from tests.sim.network import Hop
from tests.sim.parties import Party
from tests.sim.talk import Talk
from tests.sim.weather import CALM, Weather
from tests.sim.witness import Witness
from tests.sim.world import HOSTS, SWITCH, World, settings

GOLDEN = Path(__file__).parent / "golden"
STRANGER = "+3225550123"
NS_PER_MS = 1_000_000


def answers(party: Party, after_ms: int = 1000, *, ring: int = 180, media: bool = False) -> None:
    """Let a party ring (not with `ring` 0) and answer every call."""

    def on_call(talk: Talk) -> None:
        if ring:
            talk.ring(ring, media=media)
        if after_ms:
            party.after(after_ms, talk.answer)
        else:
            talk.answer()

    party.on_call = on_call


class Scene(World):
    """A world with its auditor; parties are there and registered as soon as they are named."""

    def __init__(self, weather: Weather = CALM, **changes: Any) -> None:
        trunks = tuple(replace(trunk, probe_ns=0) for trunk in settings().trunks)
        super().__init__(1, weather, **{"trunks": trunks, **changes})
        self.auditor, self.witness = Auditor(self), Witness(self)
        self.machine.start()

    # --- the cast ------------------------------------------------------------------------------------------

    def phone(self, name: str, *, line: str = "") -> Party:
        """A registered phone."""
        phone = self.party(name, line=line)
        phone.register()
        assert self.run_until(lambda: phone.registered)
        return phone

    def carrier(self, name: str = "carrier") -> Party:
        """A carrier's switch."""
        return self.party(name, number=STRANGER)

    def centres(self) -> tuple[Party, Party]:
        """Both gateways to the emergency centre."""
        return self.party("centre1"), self.party("centre2")

    # --- what is set ---------------------------------------------------------------------------------------

    def forward(self, name: str, condition: str, number: str, ring_s: int | None = None) -> None:
        """A line has its calls go elsewhere."""
        core = self.machine.core
        assert core is not None
        core.services.set(name, core.services.of(name).forwarding(condition, number, ring_s))
        self.machine.settle()

    def change(self, name: str, **changes: Any) -> None:
        """A line is not as it was."""
        lines = [replace(line, **changes) if line.user == name else line for line in self.machine.lines]
        self.machine.lines = lines
        self.machine.replace_lines(lines)

    # --- the plot ------------------------------------------------------------------------------------------

    def together(self, *acts: Callable[[], None]) -> None:
        """Several parties do something at the same instant: what they send crosses on the wire."""
        for act in acts:
            act()

    def lose(self, *starts: str, times: int = 1, to: str = "") -> None:
        """Lose the next datagrams whose start line begins so, `times` of each."""
        left = dict.fromkeys(starts, times)

        def drop(hop: Hop) -> bool:
            start = hop.data.decode().partition("\r\n")[0].removeprefix("SIP/2.0 ")
            if to and self.network.names.get(hop.target) != to:
                return False
            for wanted, count in left.items():
                if count and start.startswith(wanted):
                    left[wanted] -= 1
                    return True
            return False

        self.network.drop = drop

    def up(self, caller: Party, callee: Party, called: str = "") -> None:
        """Set a call up between two parties, ringing for a second."""
        caller.invite(called or callee.number)
        assert self.run_until(lambda: bool(callee.talks) and callee.talk.ringing)
        callee.talk.ring()
        self.run(1000)
        callee.talk.answer()
        assert self.run_until(lambda: caller.talk.up and "ACK" in callee.talk.heard)

    # --- the end -------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Let everything come to rest, and check the books."""
        self.run(40_000)
        assert self.run_until(lambda: not self.sizes()["clients"] and not self.sizes()["servers"], 120_000)
        assert self.auditor.check() == []
        assert self.witness.check() == []
        assert self.auditor.check_rest() == []

    def close(self, golden: str) -> Cdr:
        """The end of a story of one call: rest, ladder as in the golden file, and the call's one record."""
        self.rest()
        self.compare(golden, self.ladder())
        (cdr,) = self.cdrs
        return cdr

    def ladder(self, start: str = "INVITE") -> str:
        """Everything on the wire from the first request of that method on."""
        hops = self.network.hops
        first = next(index for index, hop in enumerate(hops) if hop.data.startswith(start.encode()))
        began_ns = hops[first].at_ns
        return "\n".join(
            f"{(hop.at_ns - began_ns) / NS_PER_MS:8.0f}  {rung(self.network, hop)}" for hop in hops[first:]
        )

    def sent_to(self, name: str, start: str) -> list[Hop]:
        """What the switch sent to a party, by the beginning of the start line."""
        return [
            hop
            for hop in self.network.hops
            if hop.source == SWITCH and hop.target.host == HOSTS[name] and hop.data.startswith(start.encode())
        ]

    def full(self, name: str, start: str) -> str:
        """Whole messages to a party, header and all."""
        return with_holes(in_full(self.sent_to(name, start), self.network))

    def compare(self, golden: str, text: str) -> None:
        """Hold a text against its golden file; BELSWITCH_GOLDEN=write writes the file anew, to be read before
        it is kept."""
        path = GOLDEN / f"{golden}.txt"
        if os.environ.get("BELSWITCH_GOLDEN") == "write":
            path.write_text(text + "\n", "utf-8")
        assert text + "\n" == path.read_text("utf-8")
