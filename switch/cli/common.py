"""What the commands share: which configuration is meant, how to fail, the database, the operator's socket."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from switch.config.model import Config
    from switch.net.store import Store

FAILED, MISUSED = 1, 2
PIPED_WIDTH = 160
"""Columns where there is no terminal to ask: a record fits on one line."""

_T = TypeVar("_T")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="BELSWITCH_CONFIG",
        metavar="DIR",
        help="The configuration; by default ./config where there is one, else the one that comes along.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on standard output, nothing else.")]


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a message on standard error."""
    print(f"belswitch: {message}", file=sys.stderr)
    raise typer.Exit(code)


def fail_with_faults(faults: list[str]) -> NoReturn:
    """End the command with everything that is wrong, one fault a line."""
    for fault in faults:
        print(fault, file=sys.stderr)
    raise typer.Exit(MISUSED)


def config_directory(given: Path | None) -> Path:
    """The configuration directory a command works with."""
    from switch.config.loader import SETTINGS_FILE, default_config_dir

    if given is not None:
        return given
    here = Path("config")
    return here if (here / SETTINGS_FILE).is_file() else default_config_dir()


def load_config(given: Path | None) -> tuple[Path, Config]:
    """Directory, switch and trunks of the configuration; its faults end the command."""
    from switch.config import loader

    directory = config_directory(given)
    loaded = loader.load_config(directory, _Withheld())
    if loaded.config is None:
        fail_with_faults([str(fault) for fault in loaded.faults])
    return directory, loaded.config


class _Withheld(dict[str, str]):
    """An environment with every secret: an operator's shell need not have the switch's secrets."""

    def get(self, _key: str, _default: Any = None) -> str:
        return "withheld"


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Carry out what a command does; Ctrl-C ends it like any program."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@asynccontextmanager
async def database(config: Config, *, create: bool = False) -> AsyncIterator[Store]:
    """The database of a configuration; only what writes may `create` one. An error of it ends the command."""
    import sqlite3

    from switch.net.store import FILE, Store, StoreError

    path = config.store.directory / FILE
    if not create and not path.exists():
        fail(f"there is no database {path}; `serve` and `line add` make one")
    try:
        store = await Store.open(config.store.directory)
    except StoreError as error:
        fail(str(error))
    try:
        yield store
    except sqlite3.Error as error:
        fail(f"{path}: {error}")
    finally:
        await store.close()


async def ask_switch(config: Config, do: str, **values: Any) -> Any:
    """Ask the running switch of a configuration; that there is none, or that it refuses, ends the command."""
    from switch.net.operator import OperatorError, ask

    try:
        return await ask(config.store.directory / config.admin.socket, do, **values)
    except OperatorError as error:
        fail(str(error))


def today() -> date:
    """The day that it is in Belgium."""
    from rating.calendar import BRUSSELS

    return datetime.now(BRUSSELS).date()


def print_json(value: Any) -> None:
    """JSON for programs, legible to people."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def console() -> Console:
    """Where tables go."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
