"""`belswitch top`: a running switch on one screen, with keys. What is known and what keys do is in
`top_model`, how it looks in `top_view`, the terminal in `top_keys`; here is what happens when."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switch.cli.common import ConfigOption, ask_switch, console, load_config, run

if TYPE_CHECKING:
    from rich.console import Console

    from switch.cli.top_model import Action, Model
    from switch.config.model import Config


def top(
    every: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.2, max=3600, help="How long between two looks at the switch."),
    ] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="The picture of this moment, then end.")] = False,
    config: ConfigOption = None,
) -> None:
    """A running switch on one screen: what is wrong, how much goes on, every call with its price.

    Calls are selected, sorted, filtered, traced and ended by keys; ? explains them, q leaves. Without a
    terminal it is one picture.
    """
    _, settings = load_config(config)
    screen = console()
    if once or not sys.stdin.isatty() or not sys.stdout.isatty() or screen.is_dumb_terminal:
        _print_once(settings, screen)
        return
    socket = settings.store.directory / settings.admin.socket
    try:
        asyncio.run(Top(socket, screen, every).run())
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _print_once(settings: Config, screen: Console) -> None:
    from switch.cli.top_model import Model, Poll, polled
    from switch.cli.top_view import draw

    async def poll() -> Poll:
        status = await ask_switch(settings, "status")
        return Poll(0.0, status, tuple(await ask_switch(settings, "calls")))

    screen.print(draw(polled(Model(wide=screen.width), run(poll())), whole=True))


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends it as `q` does; Ctrl-C is the first of them."""


class Top:
    """The screen of one operator. Everything that happens changes `model` and draws it anew; in between
    nothing is done."""

    def __init__(self, socket: Path, screen: Console, every_s: float) -> None:
        from switch.cli.top_model import Model

        self.model: Model = Model(wide=screen.width, high=screen.height)
        self._socket = socket
        self._screen = screen
        self._every_s = every_s
        self._ended = asyncio.Event()
        self._look = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self._live: Any = None

    async def run(self) -> None:
        """Until the operator leaves, or the terminal goes away. A fault of ours ends it, too, and is raised
        when the terminal is as it was."""
        from rich.live import Live

        from switch.cli.top_keys import Keyboard
        from switch.cli.top_view import draw

        loop = asyncio.get_running_loop()
        for number in _ENDS:
            loop.add_signal_handler(number, self._ended.set)
        loop.add_signal_handler(signal.SIGWINCH, self._resized)
        loop.set_exception_handler(self._on_loop_error)
        try:
            with (
                Keyboard(sys.stdin.fileno(), self._pressed),
                Live(draw(self.model), console=self._screen, screen=True, auto_refresh=False) as self._live,
            ):
                self._start(self._poll())
                await self._ended.wait()
        finally:
            for number in (*_ENDS, signal.SIGWINCH):
                loop.remove_signal_handler(number)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._fault is not None:
            raise self._fault

    # --- what happens ---------------------------------------------------------------------------------------

    def _pressed(self, key: str) -> None:
        from switch.cli.top_keys import GONE
        from switch.cli.top_model import press

        if key == GONE:
            self._ended.set()
            return
        was_paused = self.model.paused
        model, action = press(self.model, key)
        self._act(action)
        self._show(model)
        if was_paused and not model.paused:
            self._look.set()

    def _resized(self) -> None:
        from switch.cli.top_model import resized

        self._show(resized(self.model, self._screen.width, self._screen.height))

    def _act(self, action: Action) -> None:
        from switch.cli.top_model import End, Quit, Trace

        match action:
            case Quit():
                self._ended.set()
            case End(call_id):
                self._start(self._end(call_id))
            case Trace(call_id):
                self._start(self._trace(call_id))

    def _show(self, model: Model) -> None:
        """Draw it, whole and in one piece."""
        from switch.cli.top_view import draw

        self.model = model
        self._live.update(draw(model), refresh=True)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A fault in what keys and signals call is one of ours; the rest is for whoever debugs."""
        if "handle" in context:
            self._fail(context["exception"])
        else:
            loop.default_exception_handler(context)

    def _fail(self, error: BaseException) -> None:
        self._fault = self._fault or error
        self._ended.set()

    # --- what the switch is asked ---------------------------------------------------------------------------

    async def _poll(self) -> None:
        """Look, wait, look again; paused, wait for the end of the pause."""
        from switch.cli.top_model import Mode

        while True:
            self._look.clear()
            if not self.model.paused:
                await self._look_once()
                if self.model.mode is Mode.TRACE:
                    await self._trace(self.model.asked)
            # Not `wait_for`: before Python 3.12 that may lose a cancellation that comes with the time-out.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self.model.paused else self._every_s):
                    await self._look.wait()

    async def _look_once(self) -> None:
        from switch.cli.top_model import Poll, lost, polled
        from switch.net.operator import OperatorError, ask

        try:
            status = await ask(self._socket, "status")
            calls = await ask(self._socket, "calls")
        except (OperatorError, ValueError) as error:  # ValueError: it went away in the middle of a word
            self._show(lost(self.model, str(error)))
            return
        self._show(polled(self.model, Poll(asyncio.get_running_loop().time(), status, tuple(calls))))

    async def _trace(self, call_id: str) -> None:
        from switch.cli.top_model import traced
        from switch.cli.trace import ladder_of
        from switch.net.operator import OperatorError, ask

        try:
            messages = await ask(self._socket, "trace", calls=[call_id])
        except (OperatorError, ValueError):
            return  # the next look says so where the switch is gone
        self._show(traced(self.model, call_id, ladder_of(messages)))

    async def _end(self, call_id: str) -> None:
        from switch.net.operator import OperatorError, ask

        try:
            await ask(self._socket, "end", call_id=call_id)
        except (OperatorError, ValueError) as error:
            self._show(replace(self.model, note=str(error)))
            return
        self._show(replace(self.model, note=f"ended {call_id}"))
        self._look.set()
