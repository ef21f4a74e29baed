"""Lines in the database, and a running switch told of what changed there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from switch.cli.common import database, fail

if TYPE_CHECKING:
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


async def write(settings: Config, lines: Sequence[Line], *, replace_them: bool) -> None:
    """Write lines, all or none."""
    async with database(settings, create=True) as store:
        await _put(store, lines, replace_them=replace_them)
    await _tell(settings)


async def change(settings: Config, name: str, to: Callable[[Line], Line]) -> Line:
    """Change the line of a user or number; what it was before."""
    async with database(settings) as store:
        old = await _pick(store, name)
        await _put(store, [to(old)], replace_them=True)
    await _tell(settings)
    return old


async def remove(settings: Config, line: Line) -> None:
    """Remove a line."""
    async with database(settings) as store:
        await store.remove_line(line.user)
    await _tell(settings)


async def _put(store: Store, lines: Sequence[Line], *, replace_them: bool) -> None:
    from switch.net.store import Clash

    try:
        await store.put_lines(lines, replace=replace_them)
    except Clash as clash:
        fail(str(clash))


async def _tell(settings: Config) -> None:
    """Have a running switch read its lines again; where none is running, nobody needs to know."""
    if error := await _ask(settings, "reload_lines"):
        fail(f"written, but the running switch was not told: {error}")


async def end_calls(settings: Config, user: str) -> str:
    """Have a running switch end the calls of a line; why it did not, '' when it did or none is running."""
    return await _ask(settings, "end_line", user=user)


async def _ask(settings: Config, do: str, **values: Any) -> str:
    from switch.net.operator import NotRunning, OperatorError, ask

    socket = settings.store.directory / settings.admin.socket
    if socket.exists():
        try:
            await ask(socket, do, **values)
        except NotRunning:
            return ""
        except OperatorError as error:
            return str(error)
    return ""
