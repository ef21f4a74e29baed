"""`belswitch lab`: the switch with everything around it on loopback, and a window on its calls.

What is simulated is `switch.lab`'s; here is what is shown. On a terminal the running calls and the last
records are drawn anew a few times a second; without one every change is a line.
"""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import MISUSED, console, fail, fail_with_faults, run
from switch.cli.serve import address, explain

if TYPE_CHECKING:
    from rich.console import Console

    from switch.lab.world import Lab

FRAME_S = 0.25
RECORDS_SHOWN = 5
DEMO_USER, DEMO_TALK_S = "softphone", 20
SIPP_USER, SIPP_NUMBER = "desk", "0478123456"


def lab(
    demo_call: Annotated[
        bool, typer.Option("--demo-call", help="A pyVoIP phone calls Morocco over the carrier for 20 s.")
    ] = False,
    incoming: Annotated[
        str | None, typer.Option(metavar="NUMBER", help="The carrier calls this line, once it is registered.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Belgian time to start at: 20:00 or 2026-12-24T20:00.")
    ] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="End by itself after so long.")] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1024, max=65_000, help="For SIP, instead of 5060; carrier and centre move along."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Another configuration; all of it on loopback.")
    ] = None,
) -> None:
    """A switch to play with: three lines, a carrier, an emergency centre, all on this machine.

    Ctrl-C ends it. Its database is temporary.
    """
    from switch import configuration
    from switch.config.loader import default_config_dir
    from switch.lab import phone, world

    if demo_call and not phone.installed():
        fail("--demo-call needs pyVoIP: pip install 'belswitch[lab]' under Python 3.11 or 3.12")
    loaded, faults = configuration.load(config or default_config_dir())
    if loaded is None:
        fail_with_faults(faults)
    data = world.data_directory()
    try:
        entries = world.lab_lines(loaded.directory)
        if incoming is not None and not any(incoming in (line.number, *line.numbers) for line in entries):
            fail(f"--incoming must be {' or '.join(line.number for line in entries)}", MISUSED)
        changed = world.lab_configuration(loaded, data, port)
        with (data / "belswitch.log").open("w", encoding="utf-8") as stream:
            written = run(
                _lab(
                    world.Lab(changed, entries, _log(stream), world.shift_to(at)),
                    data,
                    demo_call,
                    incoming,
                    seconds,
                )
            )
    except world.LabError as error:
        fail(str(error), MISUSED)
    finally:
        world.forget(data)
    raise typer.Exit(0 if written else 1)


def _log(stream: Any) -> Any:
    from switch.cli.log import open_log

    return open_log("info", "json", stream)


async def _lab(world: Lab, data: Path, demo_call: bool, incoming: str | None, seconds: int | None) -> bool:
    """From start to stop; whether every record was written."""
    from switch.net.store import StoreError

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if seconds is not None:
        loop.call_later(seconds, ended.set)
    try:
        await world.start()
    except OSError as error:
        fail(f"cannot start: {explain(error)}; --port moves the whole lab")
    except (StoreError, RuntimeError) as error:
        fail(f"cannot start: {error}")
    screen = console()
    window = Window(world, screen)
    extras = Extras(world, window.say)
    try:
        print_welcome(screen, world, data)
        if demo_call:
            await extras.demo_call()
        if incoming is not None:
            extras.call_in(incoming)
        await window.show(ended)
        written = await world.stop()  # before the phone goes: it has a BYE to answer
        await extras.close()
        await window.farewell()
    finally:
        await extras.close()
        await world.close()
    return written


class Extras:
    """What the lab does by itself when asked to: the demo call, and a call from outside."""

    def __init__(self, world: Lab, say: Any) -> None:
        self._world = world
        self._say = say
        self._phone: Any = None
        self._task: asyncio.Task[None] | None = None

    async def demo_call(self) -> None:
        """Start the pyVoIP phone."""
        from switch.lab.phone import Phone
        from switch.lab.world import DEMO_NUMBER

        line = next((line for line in self._world.lines if line.user == DEMO_USER), None)
        if line is None or line.password is None:
            fail(f"--demo-call needs a line with the user {DEMO_USER} and a password")
        self._phone = Phone(self._on_phone)
        password = line.password.get_secret_value()
        await self._phone.start(
            self._world.address, line.user, password, call=DEMO_NUMBER, talk_s=DEMO_TALK_S
        )
        self._say(f"demo call: a pyVoIP phone registers as {line.user} and calls {DEMO_NUMBER}")

    def call_in(self, number: str) -> None:
        """Have the carrier call a line as soon as it can be reached."""
        self._task = asyncio.get_running_loop().create_task(self._call_in(number), name="incoming")

    async def close(self) -> None:
        """End both."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if self._phone is not None:
            phone, self._phone = self._phone, None
            await phone.close()

    async def _call_in(self, number: str) -> None:
        self._say(f"incoming: the carrier calls {number} once it is registered")
        while not self._world.registered(number):
            await asyncio.sleep(FRAME_S)
        leg = self._world.call_in(number)
        self._say(f"incoming: calling {number}")
        while not leg.over:
            await asyncio.sleep(FRAME_S)
        stream = leg.session.stream
        self._say(
            f"incoming: ended after {leg.status}, {stream.heard} of {stream.received} packets had sound"
        )

    def _on_phone(self, event: dict[str, Any]) -> None:
        match event:
            case {"event": "ended", "heard": heard, "blocks": blocks}:
                carrier = self._world.carriers[0]
                streams = [leg.session.stream for leg in (*carrier.legs.values(), *carrier.last)]
                far = f"{sum(s.heard for s in streams)} of {sum(s.received for s in streams)}"
                self._say(
                    f"demo call: sound in {heard} of {blocks} packets at the phone, in {far} at the carrier"
                )
            case {"event": "exit", "status": status} if status:
                self._say(f"demo call: the phone left with status {status}")
            case {"event": "not-answered"}:
                self._say("demo call: nobody answered")


class Window:
    """What is to be seen of a running lab, on a terminal or as lines."""

    def __init__(self, world: Lab, screen: Console) -> None:
        self._world = world
        self._screen = screen
        self._states: dict[str, str] = {}
        self._told: set[str] = set()
        self._live: Any = None

    def say(self, text: str) -> None:
        """One line of news; above the tables on a terminal."""
        self._screen.print(text, style="cyan", soft_wrap=True)

    async def show(self, ended: asyncio.Event) -> None:
        """Until it ends."""
        if not self._screen.is_terminal:
            while not await _passed(ended, FRAME_S):
                await self._tell_changes()
            return
        from rich.live import Live

        with Live(console=self._screen, auto_refresh=False, transient=True) as live:
            while True:
                live.update(await self._picture(), refresh=True)
                if await _passed(ended, FRAME_S):
                    return

    async def farewell(self) -> None:
        """Everything that was recorded."""
        from switch.cli.tables import records_table

        await self._tell_changes(tell_states=False)
        records = await self._world.records(50)
        if self._screen.is_terminal or records:
            self._screen.print(records_table(records, title=f"records: {len(records)}"))

    async def _picture(self) -> Any:
        from rich.console import Group

        from switch.cli.tables import calls_table, records_table

        calls = self._world.calls()
        registered = len(self._world.app.core.view_registrations(self._world.app.clock.moment()))
        title = f"calls: {len(calls)}, registered: {registered} - Ctrl-C ends"
        records = await self._world.records(RECORDS_SHOWN)
        return Group(calls_table(calls, title=title), records_table(records, title="last records"))

    async def _tell_changes(self, *, tell_states: bool = True) -> None:
        """Without a terminal: one line for every new state of a call, one for every record."""
        if self._screen.is_terminal:
            return
        from rating.money import show
        from switch.cli.tables import clock, mos, outcome

        for call in self._world.calls() if tell_states else ():
            news = f"{call['state']} {call['seconds'] // 5}" if call["state"] == "answered" else call["state"]
            if self._states.get(call["call_id"]) != news:
                self._states[call["call_id"]] = news
                price = (
                    f" {clock(call['seconds'])} EUR {show(call['amount'])}"
                    if call["state"] == "answered"
                    else ""
                )
                self._plain(f"call {call['caller']} -> {call['called']}: {call['state']}{price}")
        for record in reversed(await self._world.records(50)):
            if record["call_id"] not in self._told and (
                record["media"] or not tell_states or record["answered_ms"] is None
            ):
                self._told.add(record["call_id"])
                quality = f", MOS {mos(record)}" if mos(record) else ""
                called, seconds = record["called"] or record["dialled"], clock(record["duration_s"])
                what = f"{outcome(record)}, {seconds}, EUR {show(record['amount'])}{quality}"
                self._plain(f"record {record['caller']} -> {called}: {what}")

    def _plain(self, text: str) -> None:
        self._screen.print(text, soft_wrap=True)


async def _passed(ended: asyncio.Event, seconds: float) -> bool:
    """Wait so long; whether it has ended meanwhile."""
    try:
        await asyncio.wait_for(ended.wait(), seconds)
    except TimeoutError:
        return False
    return True


def print_welcome(screen: Console, world: Lab, data: Path) -> None:
    """What to register, what to dial, one SIPp command, where to look."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    server = address(*world.address)
    phones = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for name in ("Number", "User", "Password", "Kind", "Plan"):
        phones.add_column(name, no_wrap=True)
    for line in world.lines:
        plan = " + ".join((line.plan, *line.options))
        phones.add_row(
            line.number,
            line.user,
            line.password.get_secret_value() if line.password else "-",
            line.kind,
            plan,
        )
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column()
    facts.add_row(
        "Dial", "any number: the carrier answers with a tone. ...99 is busy, ...98 only rings, ...97 fails"
    )
    facts.add_row("", "112: the emergency centre answers, free of charge")
    facts.add_row(
        "Metrics", f"http://{address(world.configuration.config.admin.host, world.app.http_port)}/metrics"
    )
    facts.add_row("Log", str(data / "belswitch.log"))
    screen.print(
        Panel(
            Group(Text.assemble("Register at ", (f"{server}", "bold"), " (UDP)\n"), phones, "", facts),
            title="belswitch lab",
            title_align="left",
            expand=False,
            padding=(1, 2),
        )
    )
    screen.print("A call without a phone:", style="dim")
    screen.print(f"  {sipp_command(world)}\n", soft_wrap=True)


def sipp_command(world: Lab) -> str:
    """One SIPp call by the desk phone's line, ten seconds long."""
    from switch.lab.world import scenario

    line = next((line for line in world.lines if line.user == SIPP_USER), world.lines[0])
    password = line.password.get_secret_value() if line.password else ""
    server = address(*world.address)
    return (
        f"sipp {server} -sf {scenario('call')} -s {SIPP_NUMBER} -au {line.user} -ap {password} -m 1 -d 10000"
    )
