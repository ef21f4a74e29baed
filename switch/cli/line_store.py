"""Lines in the database, and a running switch told of what changed there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from switch.cli.common import database, fail

if TYPE_CHECKING:
    from switch.config.lines import LineEntry
    from switch.config.model import Config
    from switch.net.store import Store
    from switch.routing.lines import Line


async def read(settings: Config) -> list[Line]:
    """Every line."""
    async with database(settings) as store:
        return await store.lines()


async def find(settings: Config, name: str) -> Line:
    """The line of a user or number; that there is none ends the command."""
    async with database(settings) as store:
        return await _pick(store, name)


async def _pick(store: Store, name: str) -> Line:
    found = [line for line in await store.lines() if name in (line.user, *line.numbers)]
    if not found:
        fail(f"there is no line {name}")
    return found[0]


async def write(
    settings: Config, entries: list[LineEntry], *, replace_them: bool, keep: Line | None = None
) -> None:
    """Write lines, all or none; `keep` is the line whose password digests stay."""
    from switch.configuration import line_of
    from switch.net.store import Clash

    lines = [line_of(entry, settings) for entry in entries]
    if keep is not None:
        lines = [replace(line, account=replace(line.account, ha1=keep.account.ha1)) for line in lines]
    async with database(settings, create=True) as store:
        try:
            await store.put_lines(lines, replace=replace_them)
        except Clash as clash:
            fail(str(clash))
    await _tell(settings)


async def remove(settings: Config, name: str) -> str:
    """Remove the line of a user or number; its main number."""
    async with database(settings) as store:
        line = await _pick(store, name)
        await store.remove_line(line.user)
    await _tell(settings)
    return line.number


async def _tell(settings: Config) -> None:
    """Have a running switch read its lines again; where none is running, nobody needs to know."""
    from switch.net.operator import OperatorError, ask

    socket = settings.store.directory / settings.admin.socket
    if socket.exists():
        try:
            await ask(socket, "reload_lines")
        except OperatorError as error:
            if "no switch is running" not in str(error):
                fail(f"written, but the running switch was not told: {error}")
