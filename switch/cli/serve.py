"""`belswitch serve` and `check`: the switch in the foreground, and whether its configuration is right."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from switch.cli.common import (
    FAILED,
    MISUSED,
    ConfigOption,
    JsonOption,
    config_directory,
    console,
    fail,
    fail_with_faults,
    print_json,
    run,
)

if TYPE_CHECKING:
    from switch.configuration import Configuration


def serve(config: ConfigOption = None) -> None:
    """Run the switch.

    SIGTERM or Ctrl-C: take no more calls, let the running ones end, write every record; a second one hurries.
    SIGHUP: read the configuration anew; a wrong one leaves the old one in force.
    """
    configuration = _load(config_directory(config))
    raise typer.Exit(0 if run(_serve(configuration)) else FAILED)


def _load(directory: Path) -> Configuration:
    from switch import configuration

    loaded, faults = configuration.load(directory)
    if loaded is None:
        fail_with_faults(faults)
    return loaded


async def _serve(configuration: Configuration) -> bool:
    """The switch from start to stop; whether every record was written."""
    from switch.app import App
    from switch.cli.log import open_log
    from switch.net.store import Store, StoreError

    config = configuration.config
    log = open_log(config.log.level, config.log.format, sys.stderr)
    try:
        store = await Store.open(config.store.directory)
    except StoreError as error:
        fail(str(error))
    try:
        app = App(configuration, store, log)
        signals = _Signals(app)
        signals.listen()
        await start_app(app)
        return await signals.stopped()
    finally:
        await store.close()


async def start_app(app: Any) -> None:
    """Start a switch; a resource that is not to be had ends the command with one line that names it."""
    from switch.net.operator import AlreadyRunning
    from switch.net.store import StoreError

    try:
        await app.start()
    except OSError as error:
        fail(f"cannot start: {explain(error)}")
    except (AlreadyRunning, StoreError, RuntimeError) as error:
        fail(f"cannot start: {error}")


def explain(error: OSError) -> str:
    """An operating system error as one line: what of, and why."""
    what = f"{error.filename}: " if error.filename else ""
    return f"{what}{error.strerror or error}"


class _Signals:
    """SIGTERM and SIGINT stop, twice hurry; SIGHUP reloads. One that comes while starting waits."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._wanted = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def listen(self) -> None:
        """Take the signals over from Python."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    async def stopped(self) -> bool:
        """Wait for the signal and stop; whether every record was written."""
        await self._wanted.wait()
        written = await self._app.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return bool(written)

    def _stop(self) -> None:
        if self._wanted.is_set():
            self._start(self._app.stop())
        self._wanted.set()

    def _reload(self) -> None:
        if not self._wanted.is_set():
            self._start(self._app.reload())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def check(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Tell every fault of a configuration, or what it amounts to."""
    from switch import configuration

    directory = config_directory(config)
    loaded, faults = configuration.load(directory)
    if loaded is None:
        if json:
            print_json({"ok": False, "directory": str(directory), "faults": faults})
            raise typer.Exit(MISUSED)
        fail_with_faults(faults)
    summary = _summary(loaded)
    if json:
        print_json({"ok": True, **summary})
        return
    screen = console()
    screen.print(f"[green]ok[/]  {directory}", soft_wrap=True)
    for name in ("listen", "trunks", "tariffs"):
        screen.print(f"    {name:<18}{', '.join(summary[name]) or 'none'}")
    screen.print(f"    {'prefixes':<18}{summary['prefixes']}")
    screen.print(f"    {'emergency centres':<18}{summary['emergency_centres']}")
    screen.print(f"    {'prompts':<18}{', '.join(summary['prompts']) or 'none'}")
    screen.print(f"    {'fraud rules':<18}{summary['fraud_rules']}")


def _summary(configuration: Configuration) -> dict[str, Any]:
    config, tariffs = configuration.config, configuration.tariffs
    return {
        "directory": str(configuration.directory),
        "listen": [f"{one.transport} {address(one.host, one.port)}" for one in config.sip.listen],
        "trunks": [f"{one.name} {address(one.host, one.port)}" for one in config.trunks],
        "tariffs": [f"{one.version} from {one.valid_from}" for one in tariffs.tariffs],
        "prefixes": len(tariffs.destinations),
        "emergency_centres": len(configuration.emergency.centres),
        "prompts": configuration.prompts.languages,
        "fraud_rules": len(configuration.fraud),
    }


def address(host: str, port: int) -> str:
    """Host and port as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
